"""A layer of the size of a DCGAN's, 8192 x 2048, from both sides: time and memory.

    python benchmarks/large.py [--seconds S] [--workers N] [--storage sparse|dense]

The transposed convolution 128 x 4 x 4 -> 128 x 8 x 8, kernel 4, stride 2, padding 1, default_rng(0), entries
N(0, 1/512): four taps of 128 channels meet in an output, so rows have length about 1; alpha = trace(W^T W)/k.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

import wdccheck as wc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=110.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--storage", choices=["sparse", "dense"], default="sparse")
    options = parser.parse_args()
    started = time.monotonic()
    kernel = np.random.default_rng(0).standard_normal((128, 128, 4, 4)) / np.sqrt(512)
    W = wc.conv_transpose2d_matrix(kernel, (128, 4, 4), stride=2, padding=1)
    alpha = float(np.sum(W.data**2) / W.shape[1])
    print(f"{W.shape[0]} x {W.shape[1]}, {W.nnz:,} entries, alpha = {alpha:.4f}, {_since(started)}")
    condition = wc.WDC(W if options.storage == "sparse" else W.toarray(), alpha)
    print(f"{condition}, {_since(started)}")
    result = wc.bracket(condition, time_limit=options.seconds, workers=options.workers)
    print(f"{result}, {_since(started)}")
    for work in result.engines:
        print(f"  {work.engine}: {work.work} {work.unit}, {work.seconds:.0f} s")
    again = time.monotonic()
    value = float(condition.deviation(result.witness))
    print(f"deviation at the witness {value!r}, {_since(again)}")
    peaks = [resource.getrusage(who).ru_maxrss / 2**20
             for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"peak memory: {peaks[0]:.2f} GiB, largest worker {peaks[1]:.2f} GiB")


def _since(moment: float) -> str:
    return f"{time.monotonic() - moment:.1f} s"


if __name__ == "__main__":
    main()
