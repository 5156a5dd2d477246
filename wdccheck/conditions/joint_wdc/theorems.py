"""What is known of the joint-WDC without searching: points that theorems give, and caps for every size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product

import numpy as np

from wdccheck.conditions.gated_pairs import antipodal_pair, theorem_pairs
from wdccheck.conditions.joint_wdc.parts import Inequalities
from wdccheck.geometry.expectation import unit
from wdccheck.linalg import cost, rounding
from wdccheck.linalg.norms import norm_in_time, proved_norm
from wdccheck.linalg.rounding import rounded_up
from wdccheck.protocol.theorems import Cap, Start

__all__ = ["Theorems", "joint_points", "line_pair_value", "square_caps"]

_SMALL = 16  # dimensions together up to which every pair of starts is tried
_FEW = 4  # the first starts: along singular vectors, or for k = 1 all pairs
_PRODUCTS = 2**24  # entries up to which the rows b_i (x) c_i are formed
_ROWS = 2048  # of a Gram matrix of rows
_TURNED = 512  # order up to which a Gram matrix of such rows is turned, step by step
_SHARES = (15 / 16, 31 / 32, 7 / 8, 3 / 4)


@dataclass(frozen=True, eq=False)
class Theorems:
    """Facts 7 and 8 and the caps; B, C and alpha as the caller has them, for what is exact in these units."""

    both: Inequalities
    B: np.ndarray
    C: np.ndarray
    alpha: float

    def starts(self) -> Iterator[Start]:
        """The starts of one part's gated matrix, with aligned directions on the other side."""
        yield from joint_points(self.both.B, self.both.C)

    def caps(self, deadline: float = math.inf) -> Iterator[Cap]:
        """epsilon <= max(l s, alpha/4), see square_caps; for n = p = 1 epsilon itself (Fact 8)."""
        if self.B.shape[1] == self.C.shape[1] == 1:
            yield Cap(line_pair_value(self.B, self.C, self.alpha), "Fact 8: n = p = 1, all signs", exact=True)
            return  # no other is smaller
        for square, reason, late in square_caps(self.both.B, self.both.C, deadline):
            # exact where normal; what rounds below the smallest normal float is at most that
            value = max(math.ldexp(square, self.both.scale), self.alpha / 4, float(np.finfo(float).tiny))
            yield Cap(value, f"trivial cap {reason}, or alpha/4", left_out=late)


def joint_points(B: np.ndarray, C: np.ndarray) -> Iterator[Start]:
    """The starts of the WDC of B with aligned m, y, and of that of C with aligned h, x.

    Besides, over one row i: h, x antipodal and m = y along c_i, where A is at least l |b_i|^2 |c_i|^2
    while Q is near 0, as in Fact 7; and the mirrored one. If n = p = 1 these are all sixteen points.
    """
    first = _SMALL if B.shape[1] + C.shape[1] <= _SMALL else 1
    few = _FEW if first > 1 or min(B.shape[1], C.shape[1]) == 1 else 1
    strong = np.argsort(-np.sum(B * B, axis=1) * np.sum(C * C, axis=1), kind="stable")[:3]
    for i in strong:
        for gating, weighing, pair in (("hx", "my", (B, C)), ("my", "hx", (C, B))):
            apart = antipodal_pair(pair[0], np.array([i])) if pair[0][i].any() else None
            if apart is not None and pair[1][i].any():
                yield Start({gating[0]: apart["r"], gating[1]: apart["s"],
                             weighing[0]: unit(pair[1][i]), weighing[1]: unit(pair[1][i])},
                            "Fact 7, weighted: antipodal on the wall of a row, aligned with its partner")
    seen_b, seen_c = list(theorem_pairs(B)), list(theorem_pairs(C))
    for one, other in (*product(seen_b, islice(seen_c, few)), *product(islice(seen_b, few), seen_c[few:])):
        yield Start({"h": one.point["r"], "x": one.point["s"], "m": other.point["r"], "y": other.point["s"]},
                    f"{one.reason}; {other.reason}")


def line_pair_value(B: np.ndarray, C: np.ndarray, alpha: float) -> float:
    """Epsilon of the joint-WDC of B and C (l, 1), rounded up.

    Where h and x differ in sign no row is open in both, and Q is 0; likewise m and y. For h = x and m = y
    both parts are ``|l sum_i b_i^2 c_i^2 - alpha/4|`` over the rows with b_i h > 0 and c_i m > 0.
    """
    pairs = [(Fraction(b), Fraction(c)) for b, c in zip(B[:, 0].tolist(), C[:, 0].tolist(), strict=True)]
    sums = (sum(((b * c) ** 2 for b, c in pairs if b * h > 0 and c * m > 0), Fraction(0))
            for h, m in product((1, -1), repeat=2))
    return rounded_up(max(abs(len(pairs) * some - Fraction(alpha) / 4) for some in sums))


def square_caps(
    B: np.ndarray, C: np.ndarray, deadline: float = math.inf
) -> Iterator[tuple[float, str, str]]:
    """Bounds on l s and what they are, the last one with what the time until the deadline left out; with
    s = sup over unit m, u of sum_i (c_i.m)^2 (b_i.u)^2, epsilon <= max(l s, alpha/4).

    For unit m, y, u and any gates, u^T A u <= l sum_i |c_i.m| |c_i.y| (b_i.u)^2, by Cauchy-Schwarz
    at most l s; and alpha kappa Q <= alpha/4. The mirrored part has the same s. It is at most
    ||B||^2 max |c_i|^2, ||C||^2 max |b_i|^2, and ||T||^2 where T has the rows b_i (x) c_i, since
    (c_i.m)(b_i.u) = (b_i (x) c_i).(u (x) m). An entry of T errs by u |T_ij| + 2^-1074, so ||T|| by at
    most a relative u sqrt(rank), its square by less than 4 u sqrt(min(l, np)). The underflow of at
    most 2^24 entries of at most 1 moves it by less than 2^-1000; so does that of a sum of squares.

    Parameters
    ----------
    B : ndarray of shape (l, n)
    C : ndarray of shape (l, p)
        Entries of at most 1.
    """
    for V, W, reason in ((B, C, "l ||B||^2 max |c_i|^2"), (C, B, "l ||C||^2 max |b_i|^2")):
        longest = float(np.max(np.sum(W * W, axis=1))) * (1 + rounding.gamma(W.shape[1] + 8))
        square, _, late = norm_in_time(V, deadline)
        name = reason.replace("||^2", "||_F^2") if late else reason
        yield _up(len(V), square * (longest + 2.0**-1000)), name, late
    count, columns = len(B), B.shape[1] * C.shape[1]
    if count * columns <= _PRODUCTS and min(count, columns) <= _ROWS:
        reason = "l ||T||^2, rows b_i x c_i"
        late = cost.left_out(reason, cost.proved_norm(count, columns, count * columns), deadline)
        if late:
            yield math.inf, reason, late
        else:
            T = (B[:, :, None] * C[:, None, :]).reshape(count, -1)
            square = proved_norm(T) * (1 + 4 * rounding.UNIT * math.sqrt(min(T.shape)))
            yield _up(count, square), reason, ""
    if (order := columns + max(B.shape[1], C.shape[1])) <= _TURNED:
        brief, reason = order > _TURNED // 2, "l lambda_max(T^T T + Z), rows b_i x (|c_i|, c_i)"
        late = cost.left_out(reason, cost.decompositions(order, 20 if brief else 150), deadline)
        value = math.inf if late else max(_least(V, W, brief=brief) for V, W in ((B, C), (C, B)))
        yield _up(count, value), reason, late


def _least(B: np.ndarray, C: np.ndarray, brief: bool) -> float:
    """The least of a few bounds of :func:`_turned`."""
    tried = {s: _turned(B, C, s, 8) for s in (_SHARES[:1] if brief else _SHARES)}
    best = min(tried, key=lambda s: tried[s])
    return tried[best] if brief else min(tried[best], _turned(B, C, best, 40))


def _turned(B: np.ndarray, C: np.ndarray, s: float, steps: int) -> float:
    """A bound on sum_i (c_i.m)_+^2 (b_i.u)^2 over unit m, u, and with it on A/l for every m, y, h, x.

    (c.m)_+ <= s c.m + (1 - s)|c| for 0 <= s <= 1, as c.m <= |c|. So the sum is at most |T w|^2, where T
    has the rows b_i (x) c~_i, c~ = ((1 - s)|c|, s c), and w = u (x) (1, m) has length sqrt(2). It is at
    most 2 lambda_max(T^T T + Z) for every symmetric Z with w^T Z w = 0 for all such w, among them

    - S (x) diag(1, -1, ..., -1), S symmetric, since |m| = 1; in floats these are exact, and
    - all Z with G(Z) = -Z, where G exchanges the first indices of both sides, (a, i), (b, j) to
      (b, i), (a, j): w^T Z w = sum u_a m_i u_b m_j Z_{ai,bj} equals its own negative. X - G(X) is exact
      in floats for symmetric X, as x + y = y + x and x - y = -(y - x) once rounded.

    Steps against the average of the top eigenvectors choose Z.
    """
    n, q = B.shape[1], C.shape[1] + 1
    length = np.sqrt(np.sum(C * C, axis=1)) * (1 + rounding.gamma(q + 16)) + 2.0**-500
    raised = np.column_stack([(1 - s) * length, s * C])
    T = (B[:, :, None] * raised[:, None, :]).reshape(len(B), -1)
    signs = np.where(np.arange(q) == 0, 1.0, -1.0)
    gram = T.T @ T
    top = float(np.linalg.eigvalsh(gram)[-1])
    exchanged, diagonal = np.zeros_like(gram), 0.5 * top * np.eye(n)
    best = np.zeros_like(gram), np.zeros((n, n))
    for step in range(steps):
        values, basis = np.linalg.eigh(gram + exchanged + np.kron(diagonal, np.diag(signs)))
        if values[-1] < top:
            best, top = (exchanged, diagonal), float(values[-1])
        share = np.exp(20 * (1 + step / 10) * (values / (values[-1] or 1.0) - 1))
        X = (basis * (share / share.sum())) @ basis.T
        X = (X + X.T) / 2
        blocks = X.reshape(n, q, n, q)
        apart = X - blocks.transpose(2, 1, 0, 3).reshape(X.shape)
        along = np.einsum("aibi,i->ab", blocks, signs)
        square = float(np.sum(apart * apart) / 4 + np.sum(along * along) / q)
        if not square > 1e-12:
            break
        size = 0.03 * float(values[-1]) / (1 + step / 30) / square
        exchanged, diagonal = exchanged - 0.5 * size * apart, diagonal - size / q * along
    return 2 * _proved_top(T, best[0] + np.kron((best[1] + best[1].T) / 2, np.diag(signs)))


def _proved_top(T: np.ndarray, Z: np.ndarray) -> float:
    """An upper bound on lambda_max(T^T T + Z) for the exact T, whose entries err by a relative 2 u here.

    t - (T^T T + Z) >= 0 by a Cholesky factorization that runs to its end. The errors of T move T^T T by
    less than 8 u trace, trace = ||T||_F^2; its Gram matrix errs by gram_error trace; the sum of
    three terms by 2 u (||S||_F + ||Z||_F), S their sum; the shifted diagonal by u times its largest entry.
    A factor 2 covers the rounding of these; underflow moves entries by less than 2^-1000.
    """
    S, u = T.T @ T + Z, rounding.UNIT
    trace = float(np.sum(T * T)) * (1 + rounding.gamma(T.size + 8))
    norms = float(np.linalg.norm(S) + np.linalg.norm(Z))
    lost = (rounding.gram_error(*T.shape) + 8 * u) * trace + 4 * u * norms
    top = float(np.linalg.eigvalsh(S)[-1])
    step = 2.0**-40 * norms + 2.0**-900
    for _ in range(40):
        shifted = (top + step) * np.eye(len(S)) - S
        try:
            np.linalg.cholesky(shifted)
        except np.linalg.LinAlgError:
            step *= 4
            continue
        lost += u * float(np.diag(shifted).max())
        lost += float(rounding.cholesky_loss(len(S), np.asarray(float(np.trace(shifted)))))
        return rounding.round_up(top + step + 2 * lost, 8)
    return math.inf


def _up(count: int, square: float) -> float:
    return rounding.round_up(count * (square + 2.0**-900), 4)
