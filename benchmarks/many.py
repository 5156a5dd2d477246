"""The climbs with soft gates by the thousand, on a GPU: how much a thousand times the work would still find.

    python benchmarks/many.py [--seconds S] [matrix ...]

Names as in search.py. The steps are those of wdccheck/conditions/annealing.py, in float64 and in torch
(`pip install torch`; without a GPU on the CPU, in small batches); every third batch starts anew, the others
around the 64 best points. What a batch ends with is rated with exact gates by 60 power steps; printed is
`WDC.lower_bound` at the best of the last ones.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
import torch
from search import ALPHAS, GAUSSIAN, matrix

import wdccheck as wc
from wdccheck.conditions.wdc.seeds import _HEATS, _INERTIA, _REACH

Tensor = torch.Tensor
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
KEPT = 64  # points that others start around


def unit(x: Tensor) -> Tensor:
    return x / (x.norm(dim=-1, keepdim=True) + 1e-300)


def inner(x: Tensor, y: Tensor) -> Tensor:
    return (x * y).sum(-1, keepdim=True)


def slopes(W: Tensor, alpha: float, x: Tensor, u: Tensor, gates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of gates (2, B, n): cos and sin of theta, and (A - alpha Q) u."""
    image = ((u @ W.T) * gates[0] * gates[1]) @ W
    apart, along = (y.norm(dim=-1, keepdim=True) for y in (x[0] - x[1], x[0] + x[1]))
    cos, sine = inner(x[0], x[1]), (0.5 * apart * along).clamp(min=1e-6)
    p = inner(x, u)
    swapped = ((p[1] - cos * p[0]) * x[0] + (p[0] - cos * p[1]) * x[1]) / sine
    theta = 2 * torch.atan2(apart, along)
    return cos, sine, image - alpha / (2 * math.pi) * ((math.pi - theta) * u + swapped)


def climbed(W: Tensor, alpha: float, x: Tensor, u: Tensor, sign: Tensor, shift: Tensor,
            heats: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Momentum steps of x (2, B, k) while the gates harden; u follows by power steps."""
    typical, speed = W.norm(dim=1) / math.sqrt(W.shape[1]), torch.zeros_like(x)
    for heat in heats:
        for _ in range(30 + W.shape[1] // 4):
            width = (heat * typical).clamp(min=1e-300)
            gates, at = torch.sigmoid((x @ W.T) / width), u @ W.T
            rises = (gates * (1 - gates) * gates.flip(0) * (at**2 / width)) @ W
            cos, sine, image = slopes(W, alpha, x, u, gates)
            p = inner(x, u)
            m = (2 * p[0] * p[1] - cos * (p**2).sum(0)) / sine
            by_cos = (1 - (p**2).sum(0) + cos * m / sine) / sine
            along = 2 * (p.flip(0) - cos * p) / sine * u + by_cos * x.flip(0)
            slope = rises - alpha / (2 * math.pi) * along
            u = unit(sign * image + shift * u)
            slope = sign * (slope - inner(slope, x) * x)
            length = torch.sqrt(inner(slope, slope).sum(0)) + 1e-300
            speed = _INERTIA * speed + (1 - _INERTIA) * slope / length
            x = unit(x + _REACH * math.sqrt(heat) * speed)
    return x, u


def rated(W: Tensor, alpha: float, x: Tensor, u: Tensor, sign: Tensor, shift: Tensor) -> Tensor:
    gates = ((x @ W.T) > 0).to(W.dtype)
    for _ in range(60):
        u = unit(sign * slopes(W, alpha, x, u, gates)[2] + shift * u)
    return (sign * inner(u, slopes(W, alpha, x, u, gates)[2]))[:, 0]


def searched(rows: np.ndarray, alpha: float, seconds: float) -> tuple[Tensor, Tensor, int]:
    """The best points (2, K, k), their values, and how many climbed."""
    (n, k), square = rows.shape, float(np.linalg.norm(rows, 2) ** 2)
    W = torch.tensor(rows, device=DEVICE, dtype=torch.float64)
    batch = min(16384, 2**28 // (n * k)) if DEVICE == "cuda" else 64
    torch.manual_seed(1)
    found, value, signs = W.new_zeros(2, 0, k), W.new_zeros(0), W.new_zeros(0, 1)
    begun, count = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        x, sign = unit(torch.randn(2, batch, k).to(W)), W.new_ones(batch, 1)
        fresh = count % 3 == 0
        if fresh:
            sign[::2] = -1.0 if square < 2 * alpha else 1.0
            x[1, ::2] = unit(x[0, ::2] + 10 ** (3.5 * torch.rand(batch, 1)[::2].to(W) - 3) * x[1, ::2])
        else:
            chosen = (torch.rand(batch) ** 2 * found.shape[1]).long().to(W.device)
            x = unit(found[:, chosen] + 10 ** (2.5 * torch.rand(1, batch, 1).to(W) - 2.5) * x)
            sign = signs[chosen]
        shift = torch.where(sign > 0, alpha / 2, square / 2)
        heats = _HEATS if fresh else _HEATS[2 + count % 4:]
        x, u = climbed(W, alpha, x, unit(torch.randn(batch, k).to(W)), sign, shift, heats)
        value = torch.cat([value, rated(W, alpha, x, u, sign, shift)])
        found, signs = torch.cat([found, x], dim=1), torch.cat([signs, sign])
        best = torch.argsort(value, descending=True)
        apart = value[best][1:] < value[best][:-1] * (1 - 1e-6)  # from the one before: no near twins
        best = best[torch.cat([torch.ones_like(apart[:1]), apart])][:KEPT]
        found, value, signs, count = found[:, best], value[best], signs[best], count + 1
    return found, value, count * batch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("matrices", nargs="*", default=[*GAUSSIAN[:5], list(ALPHAS)[-1]])
    arguments = parser.parse_args()
    print("| matrix | climbs | lower bound / alpha |\n|---|---|---|")
    with torch.no_grad():
        for name in arguments.matrices:
            rows, alpha = matrix(name)
            found, _, climbs = searched(rows, alpha, arguments.seconds)
            r, s = found[:, :8].cpu().numpy()
            bound = max(wc.WDC(rows, alpha).lower_bound({"r": a, "s": b}) for a, b in zip(r, s, strict=True))
            print(f"| {name} | {climbs:,} | {bound / alpha:.5f} |", flush=True)


if __name__ == "__main__":
    main()
