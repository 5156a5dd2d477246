"""Small bias-free generators of any depth, trained on scikit-learn's digits; for benchmarks/ranges.py.

Weights and a code of every image go by Adam together; codes begin at the principal components of the images.
The slope of the output below zero falls to 0 in the first half, so that no pixel dies at the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

import wdccheck as wc
from wdccheck.data.digits import images

STEPS, RATE, SLOPE = 800, 3e-3, 0.3


def trained(dims: Sequence[int], seed: int = 0) -> wc.ReLUNetwork:
    """A generator with these sizes, the last one 64."""
    data, _ = images()
    rng = np.random.default_rng(seed)
    _, values, axes = np.linalg.svd(data - data.mean(axis=0), full_matrices=False)
    codes = (data - data.mean(axis=0)) @ axes[: dims[0]].T / values[0] * np.sqrt(len(data))
    layers = [rng.normal(0.0, np.sqrt(2 / k), (n, k)) for k, n in pairwise(dims)]
    moving = [codes, *layers]
    moments = [(np.zeros_like(x), np.zeros_like(x)) for x in moving]
    for step in range(1, STEPS + 1):
        slope = SLOPE * max(0.0, 1 - 2 * step / STEPS)
        rate = RATE * (1 + np.cos(np.pi * step / STEPS)) / 2
        for x, gradient, (first, second) in zip(moving, gradients(moving, data, slope), moments, strict=True):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            x -= rate * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return wc.ReLUNetwork(layers)


def gradients(moving: Sequence[np.ndarray], data: np.ndarray, slope: float) -> list[np.ndarray]:
    """Of the mean squared error: with respect to the codes, times the number of images, and to each layer."""
    codes, *layers = moving
    inputs, gates = [codes], []
    for number, W in enumerate(layers, 1):
        output = inputs[-1] @ W.T
        gates.append(np.where(output > 0, 1.0, slope if number == len(layers) else 0.0))
        inputs.append(output * gates[-1])
    behind = 2 * (inputs[-1] - data)
    found: list[np.ndarray] = []
    for W, gate, before in zip(reversed(layers), reversed(gates), reversed(inputs[:-1]), strict=True):
        behind = behind * gate
        found.insert(0, behind.T @ before / len(data))
        behind = behind @ W
    return [behind, *found]
