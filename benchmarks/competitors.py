"""Searches to compare with: smoothed ascent in pymanopt and in torch, two optimizers of scipy, sampling.

Each is a function of a `Record` that runs until the record's time is up. All work in float64 on one thread.
The smoothed objective is sign u^T (A - alpha Q) u with the gates 1[w.r > 0] replaced by sigmoid(w.r / width),
width = heat |w| / sqrt(k), the heat falling from 1 to 0.01. Whatever a method comes by counts only with its
exact gates: `Record.deviations`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from wdccheck import _kernels
from wdccheck.geometry.expectation import expected_apply, expected_gram, unit
from wdccheck.linalg.lanczos import extreme_pairs

DENSE = 64  # up to this k the eigenvalues of all pairs are computed, beyond it 12 Lanczos steps are taken
HEATS = np.geomspace(1.0, 0.01, 8)


class TimeUp(Exception):
    """The seconds of a record are over."""


@dataclass
class Record:
    """What a method finds in W (n, k), and when.

    Seconds are of this process's CPU: other work on the machine does not count.
    """

    W: np.ndarray
    alpha: float
    seconds: float
    best: float = 0.0
    found: list[tuple[float, np.ndarray, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        n, k = self.W.shape
        self.begun = time.process_time()
        self.outer = _kernels.outer_products(self.W) if n * k * k <= 2**23 else None
        self.lengths = np.linalg.norm(self.W, axis=1) / np.sqrt(k)
        self.square = float(np.linalg.norm(self.W, 2) ** 2)
        self.start = unit(np.random.default_rng(0).standard_normal((1, k)))

    def elapsed(self) -> float:
        return time.process_time() - self.begun

    def check(self) -> None:
        if self.elapsed() > self.seconds:
            raise TimeUp

    def deviations(self, r: np.ndarray, s: np.ndarray) -> np.ndarray:
        """||A - alpha Q|| of the unit pairs r, s (B, k) with exact gates; the best one is kept."""
        self.check()
        gates = ((r @ self.W.T > 0) & (s @ self.W.T > 0)).astype(float)
        if self.W.shape[1] <= DENSE:
            difference = _kernels.gram(self.W, self.outer, gates) - self.alpha * expected_gram(r, s)
            values = np.abs(np.linalg.eigvalsh(difference)[:, [0, -1]]).max(axis=1)
        else:
            _, top = extreme_pairs(lambda u: self.apply(gates, r, s, u),
                                   np.repeat(self.start, len(r), axis=0), 12)
            values = np.abs(top)
        top = int(np.argmax(values))
        if values[top] > self.best:
            self.best = float(values[top])
            self.found.append((self.elapsed(), r[top].copy(), s[top].copy()))
        return values

    def apply(self, gates: np.ndarray, r: np.ndarray, s: np.ndarray, u: np.ndarray) -> np.ndarray:
        """(A - alpha Q) u with given gates (B, n), one product per pair."""
        return ((u @ self.W.T) * gates) @ self.W - self.alpha * expected_apply(r, s, u)


def pairs(rng: np.random.Generator, count: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Uniform unit pairs (count, k); of every second one s is r, moved by a random amount."""
    r, s = unit(rng.standard_normal((2, count, k)))
    s[::2] = unit(r[::2] + 10.0 ** rng.uniform(-3, 0.5, (len(s[::2]), 1)) * s[::2])
    return r, s


def sampling(record: Record, rng: np.random.Generator) -> None:
    """Independent uniform pairs, 256 at a time (32 for k > 64)."""
    k = record.W.shape[1]
    while True:
        r, s = unit(rng.standard_normal((2, 256 if k <= DENSE else 32, k)))
        record.deviations(r, s)


def differential_evolution(record: Record, rng: np.random.Generator) -> None:
    """scipy's best1bin with its default rates; 15 members per unknown, at most 300, all at once; restarts."""
    from scipy import optimize

    k = record.W.shape[1]

    def objective(x: np.ndarray) -> np.ndarray:
        r, s = unit(x.T[:, :k]), unit(x.T[:, k:])
        return -record.deviations(r, s)

    while True:
        first = rng.uniform(-1, 1, (min(30 * k, 300), 2 * k))
        optimize.differential_evolution(objective, [(-1, 1)] * (2 * k), init=first, maxiter=10**9, rng=rng,
                                        polish=False, vectorized=True, updating="deferred")


def dual_annealing(record: Record, rng: np.random.Generator) -> None:
    """scipy's, default temperatures; its local search by finite differences up to k = 20; restarts."""
    from scipy import optimize

    k = record.W.shape[1]

    def objective(x: np.ndarray) -> float:
        return -float(record.deviations(unit(x[None, :k]), unit(x[None, k:]))[0])

    while True:
        optimize.dual_annealing(objective, [(-1, 1)] * (2 * k), maxiter=10**9, maxfun=10**9,
                                no_local_search=k > 20, rng=rng)


def pymanopt(record: Record, rng: np.random.Generator) -> None:
    """Conjugate gradients for r, s, u on three spheres, 40 steps at each heat; restarts, signs in turn.

    u starts as the top eigenvector of the start's exact matrix. Gradients are written out.
    """
    import pymanopt as package
    from pymanopt.manifolds import Product, Sphere
    from pymanopt.optimizers import ConjugateGradient

    W, alpha, k = record.W, record.alpha, record.W.shape[1]
    manifold = Product([Sphere(k)] * 3)
    optimizer = ConjugateGradient(max_iterations=40, min_gradient_norm=1e-7, verbosity=0)

    def problem(sign: float, heat: float) -> package.Problem:
        @package.function.numpy(manifold)
        def cost(r: np.ndarray, s: np.ndarray, u: np.ndarray) -> float:
            record.check()
            gates = sigmoid(W @ r / (heat * record.lengths)) * sigmoid(W @ s / (heat * record.lengths))
            return -sign * float(gates @ (W @ u) ** 2 - alpha * expected_form(r, s, u)[0])

        @package.function.numpy(manifold)
        def gradient(r: np.ndarray, s: np.ndarray, u: np.ndarray) -> list[np.ndarray]:
            width = heat * record.lengths
            a, b, c = sigmoid(W @ r / width), sigmoid(W @ s / width), W @ u
            _, along = expected_form(r, s, u)
            parts = ((a * (1 - a) * b * c**2 / width) @ W, (b * (1 - b) * a * c**2 / width) @ W,
                     2 * (a * b * c) @ W)
            return [-sign * (p - alpha * q) for p, q in zip(parts, along, strict=True)]

        return package.Problem(manifold, cost, euclidean_gradient=gradient)

    sign = 1.0
    while True:
        r, s = pairs(rng, 1, k)
        gates = ((r @ W.T > 0) & (s @ W.T > 0)).astype(float)
        u, _ = extreme_pairs(lambda x, g=gates, r=r, s=s: record.apply(g, r, s, x),
                             unit(rng.standard_normal((1, k))), min(k, 30), sign)
        point = [r[0], s[0], u[0]]
        for heat in HEATS:
            point = optimizer.run(problem(sign, heat), initial_point=point).point
            record.deviations(unit(point[0])[None], unit(point[1])[None])
        sign = -sign


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))


def expected_form(r: np.ndarray, s: np.ndarray, u: np.ndarray) -> tuple[float, tuple[np.ndarray, ...]]:
    """u^T Q u for unit r, s, and its gradients in r, s, u."""
    c = float(np.clip(r @ s, -1 + 1e-12, 1 - 1e-12))
    p, q, sine, theta = float(r @ u), float(s @ u), np.sqrt(1 - c * c), np.arccos(c)
    m = (2 * p * q - c * (p * p + q * q)) / sine
    dp, dq = 2 * (q - c * p) / sine, 2 * (p - c * q) / sine
    dc = (u @ u - p * p - q * q + c * m / sine) / sine
    value = ((np.pi - theta) * (u @ u) + m) / (2 * np.pi)
    parts = (dp * u + dc * s, dq * u + dc * r, 2 * (np.pi - theta) * u + dp * r + dq * s)
    return float(value), tuple(x / (2 * np.pi) for x in parts)


def torch(record: Record, rng: np.random.Generator) -> None:
    """Adam on batches of pairs kept on their spheres, 30 steps at each heat, both signs; restarts.

    64 pairs (32 for k > 64), a step of 0.1 radians that falls with the square root of the heat; gradients by
    autograd; u follows by three power steps and counts as a constant (the derivative of a simple eigenvalue).
    """
    import torch as package

    package.set_num_threads(1)
    as_tensor = package.from_numpy
    W, alpha, k = as_tensor(record.W.copy()), record.alpha, record.W.shape[1]
    lengths, batch = as_tensor(record.lengths), 64 if k <= DENSE else 32
    sign = package.tensor([1.0, -1.0], dtype=W.dtype).repeat(batch // 2)[:, None]
    shift = package.where(sign > 0, alpha / 2, record.square / 2)  # makes sign (A - alpha Q) + shift positive

    def gated(r: package.Tensor, s: package.Tensor, heat: float) -> package.Tensor:
        width = heat * lengths
        return package.sigmoid(r @ W.T / width) * package.sigmoid(s @ W.T / width)

    def expected(r: package.Tensor, s: package.Tensor, u: package.Tensor) -> package.Tensor:
        c = (r * s).sum(1).clamp(-1 + 1e-12, 1 - 1e-12)
        p, q, sine = (r * u).sum(1), (s * u).sum(1), package.sqrt(1 - c * c)
        return (package.pi - package.arccos(c) + (2 * p * q - c * (p * p + q * q)) / sine) / (2 * package.pi)

    def power(r: package.Tensor, s: package.Tensor, u: package.Tensor, heat: float) -> package.Tensor:
        gates = gated(r, s, heat)
        for _ in range(3):
            mean = as_tensor(expected_apply(r.numpy(), s.numpy(), u.numpy()))
            u = normalized(sign * (((u @ W.T) * gates) @ W - alpha * mean) + shift * u)
        return u

    def normalized(x: package.Tensor) -> package.Tensor:
        return package.nn.functional.normalize(x, dim=1)

    while True:
        r, s = (as_tensor(x.copy()).requires_grad_() for x in pairs(rng, batch, k))
        u = normalized(as_tensor(rng.standard_normal((batch, k))))
        adam = package.optim.Adam([r, s])
        for heat in HEATS:
            adam.param_groups[0]["lr"] = 0.1 * heat**0.5 / k**0.5
            for step in range(30):
                with package.no_grad():
                    u = power(r, s, u, heat)
                adam.zero_grad()
                x, y = normalized(r), normalized(s)
                value = (gated(x, y, heat) * (u @ W.T) ** 2).sum(1) - alpha * expected(x, y, u)
                (-(sign[:, 0] * value).sum()).backward()
                adam.step()
                with package.no_grad():
                    r.copy_(normalized(r))
                    s.copy_(normalized(s))
                if step % 10 == 9:
                    record.deviations(r.detach().numpy(), s.detach().numpy())
                record.check()


METHODS: dict[str, Callable[[Record, np.random.Generator], None]] = {
    "pymanopt": pymanopt, "torch": torch, "differential evolution": differential_evolution,
    "dual annealing": dual_annealing, "sampling": sampling,
}
