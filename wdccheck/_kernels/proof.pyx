# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The proof of a subtree, compiled: `plain_proof` says what it does, with the same names."""

import numpy as np

from wdccheck.linalg import rounding
from wdccheck._kernels.first_order import ACROSS, ALONG, SHARP
from wdccheck._kernels.plain_proof import CLOSE, CROWD, FLAT, STEPS, WIDE
from wdccheck._kernels.problem import SCORED, Progress

from libc.math cimport M_PI, asin, atan2, cos, fabs, sin, sqrt, tan
from libc.stdint cimport int8_t, int32_t

cdef extern from "proof.h" nogil:
    int MOST
    void moved(Py_ssize_t count, const int32_t* index, const int8_t* signs, const double* z, const double* e,
               const double* column, double step, int shift, double* z_new, double* e_new, int8_t* signs_new)
    void most(Py_ssize_t count, const int32_t* index, const int8_t* signs, const double* positive,
              const double* negative, const int8_t* heavier, double* total, int k)
    void decided(Py_ssize_t count, const int32_t* index, const int8_t* signs, const double* rows,
                 const double* weight, const double* u, const double* half, const double* at,
                 Py_ssize_t stride, int lower, double* score, int k)
    int factorized(double shift, const double* a, int k)

ABI = 3

cdef enum:
    K = 10  # MOST
    P = 55  # packed entries
    UPPER = 1
    LOWER = 2
    SURE = 5       # signs of a line in four bits, two for r, then two for s: 1 positive, 2 negative
    OPPOSITE = 10

cdef struct Data:
    Py_ssize_t m
    int k
    int size
    const double* rows
    const double* columns
    const double* errors
    const double* directions
    const double* positive
    const double* negative
    const double* weight
    const int8_t* heavier
    const int8_t* sided      # whether a line has rows on its negative side
    double alpha, t, pad, error, loss, tiny, unit, widened, shortest
    double close, flat, wide, across, along, sharp
    int crowd, steps, scored

cdef struct Node:
    double center[2 * K]
    double half[2 * K]
    double low[P]
    double u[K]
    double delta[2]
    double wedge[2]
    double norm[2]
    Py_ssize_t count
    int edge
    int halves               # looked into
    int proved

cdef struct Lines:
    # of every level, one after the other
    int32_t* index           # (m,)
    int8_t* signs            # (m,)
    double* at               # (4, m): z and e of r, then of s
    # of a moment
    double* z
    double* e
    int8_t* fresh


cdef void measure(Node* n, int x, const Data* d) noexcept nogil:
    """The radius of a letter's box, see `reference.radius`."""
    cdef double hh = 0.0, cc = 0.0, q
    cdef int j
    for j in range(x * d.k, (x + 1) * d.k):
        hh += n.half[j] * n.half[j]
        cc += n.center[j] * n.center[j]
    q = sqrt(hh / cc)
    n.norm[x] = sqrt(cc)
    if q <= 0.9:
        n.delta[x] = asin(q) * d.widened
    elif q < 1 - 1e-9:
        n.delta[x] = M_PI / 2 + 1e-9
    else:
        n.delta[x] = M_PI * (1 + 4 * d.unit)
    n.wedge[x] = n.delta[x] + sin(n.delta[x])


cdef double expected(const Node* n, double* mean, double* b, double* c, const Data* d) noexcept nogil:
    """alpha Q at the centers, packed, and the units along r + s and r - s; returns theta.

    See `reference.expected_triangle`.
    """
    cdef double bb = 0.0, cc = 0.0, r, s, theta, sine, value
    cdef int i, j, at = 0
    for j in range(d.k):
        r = n.center[j] / n.norm[0]
        s = n.center[d.k + j] / n.norm[1]
        b[j] = r + s
        c[j] = r - s
        bb += b[j] * b[j]
        cc += c[j] * c[j]
    bb, cc = sqrt(bb), sqrt(cc)
    theta = 2 * atan2(cc, bb)
    sine = sin(theta)
    for j in range(d.k):
        b[j] = b[j] / (bb if bb > 0 else 1.0)
        c[j] = c[j] / (cc if cc > 0 else 1.0)
    for i in range(d.k):
        for j in range(i + 1):
            value = sine * (b[i] * b[j] - c[i] * c[j])
            if i == j:
                value += M_PI - theta
            mean[at] = d.alpha * (value / (2 * M_PI))
            at += 1
    return theta


cdef double first_order(const Node* n, double theta, const double* b, const double* c, double slack,
                        double* change, const Data* d) noexcept nogil:
    """See `first_order.py`; what remains, or -1 where it is of no use."""
    cdef double r = n.delta[0], s = n.delta[1], total = r + s
    cdef double low = theta - total - d.error, high = theta + total + d.error
    cdef double cot, rest, bb, cc, bc, unit
    cdef int i, j, at = 0
    if not (low > 0 and high < M_PI):
        return -1.0
    cot = max(max(1.0, 1 / tan(low)), -1 / tan(high))
    rest = (d.across + d.along * cot) * (r * r + s * s) + 2 * d.along * r * s / min(sin(low), sin(high))
    rest = d.alpha * (rest / (4 * M_PI) + 8 * d.error)
    if not rest < d.sharp * slack:
        return -1.0
    cc = (1 + cos(theta)) / 2
    bb = total * (d.along * (1 - cc) - d.across * cc)
    cc = total * (d.along * cc - d.across * (1 - cc))
    bc = (s - r) * (d.across + d.along) * sin(theta) / 2
    unit = total * d.across
    for i in range(d.k):
        for j in range(i + 1):
            change[at] = bb * b[i] * b[j] + cc * c[i] * c[j] + bc * (b[i] * c[j] + c[i] * b[j])
            if i == j:
                change[at] += unit
            change[at] *= d.alpha / (2 * M_PI)
            at += 1
    return rest


def first_order_on(problem, const double[::1] center, const double[::1] half):
    """`first_order` on one pair of boxes (2k,): the matrix, packed, and the number, or None; for tests."""
    cdef Data d
    cdef Node n
    cdef double mean[P]
    cdef double b[K]
    cdef double c[K]
    cdef double change[P]
    cdef double theta, slack, rest
    cdef int j
    d.k = problem.rows.shape[1]
    d.alpha, d.error, d.unit = problem.alpha, rounding.expectation_error(d.k), rounding.UNIT
    d.widened = 1 + 64 * (d.k + 8) * rounding.UNIT
    d.across, d.along, d.sharp = ACROSS, ALONG, SHARP
    for j in range(2 * d.k):
        n.center[j] = center[j]
        n.half[j] = half[j]
    measure(&n, 0, &d)
    measure(&n, 1, &d)
    theta = expected(&n, mean, b, c, &d)
    slack = d.alpha * ((n.wedge[0] + n.wedge[1]) / (2 * M_PI) + 2 * d.error)
    rest = first_order(&n, theta, b, c, slack, change, &d)
    return None if rest < 0 else (np.array([change[j] for j in range(d.k * (d.k + 1) // 2)]), rest)


cdef bint holds(double shift, const double* packed, const Data* d) noexcept nogil:
    """shift I + packed >= 0, proved. See `reference.semidefinite`."""
    cdef double largest = 0.0, trace = 0.0
    cdef int i
    for i in range(d.size):
        largest = max(largest, fabs(packed[i]))
    for i in range(d.k):
        trace += packed[i * (i + 3) // 2]
    trace = max(trace + d.k * fabs(shift), 0.0)
    largest += fabs(shift) + fabs(d.t) + 1.0
    return factorized(shift - (d.loss * trace + d.tiny) - 32 * d.k * d.unit * largest, packed, d.k)


cdef void place(Node* n, const Data* d, Lines* l) noexcept nogil:
    """z, e and signs of all lines on a box, computed afresh; see `plain_proof._root`."""
    cdef Py_ssize_t a
    cdef int x, j, sign
    cdef double z, e
    cdef const double* row
    for a in range(d.m):
        row = d.rows + a * d.k
        l.fresh[a] = 0
        for x in range(2):
            z = 0.0
            e = 0.0
            for j in range(d.k):
                z += row[j] * n.center[x * d.k + j]
                e += fabs(row[j]) * n.half[x * d.k + j]
            e += d.errors[a]
            sign = 1 if z > e else 2 if z < -e else 0
            l.fresh[a] |= <int8_t> (sign << (2 * x))
            l.at[2 * x * d.m + a] = z
            l.at[(2 * x + 1) * d.m + a] = e
        l.index[a] = <int32_t> a


cdef void settle(Node* n, Py_ssize_t count, const int32_t* index, const double* r, const double* r_reach,
                 const double* s, const double* s_reach, const Data* d, Lines* own) noexcept nogil:
    """Add the sure lines to `low`, keep the undecided ones; `index` may be the level's own."""
    cdef Py_ssize_t a, kept = 0, stride = d.m
    cdef int signs, i
    cdef int32_t line
    cdef const double* outer
    cdef int8_t* fresh = own.fresh
    for a in range(count):
        line = index[a]
        signs = fresh[a]
        if signs == SURE or signs == OPPOSITE:
            outer = (d.positive if signs == SURE else d.negative) + line * d.size
            for i in range(d.size):
                n.low[i] += outer[i]
            continue
        own.index[kept] = line
        own.signs[kept] = <int8_t> signs
        own.at[kept] = r[a]
        own.at[stride + kept] = r_reach[a]
        own.at[2 * stride + kept] = s[a]
        own.at[3 * stride + kept] = s_reach[a]
        kept += (signs & OPPOSITE == 0) | ((signs & SURE == 0) & (d.sided[line] != 0))
    n.count = kept


cdef void turn(Node* n, const double* high, const double* mean, int lower, const Data* d) noexcept nogil:
    """A few power iterations from u, nearer to the top eigenvector of the failing side."""
    cdef double matrix[K * K]
    cdef double v[K]
    cdef double value, length
    cdef int i, j, step, at = 0
    for i in range(d.k):
        for j in range(i + 1):
            value = mean[at] - n.low[at] if lower else high[at] - mean[at]
            matrix[i * d.k + j] = value
            matrix[j * d.k + i] = value
            at += 1
        matrix[i * d.k + i] += d.t
    for step in range(d.steps):
        length = 0.0
        for i in range(d.k):
            value = 0.0
            for j in range(d.k):
                value += matrix[i * d.k + j] * n.u[j]
            v[i] = value
            length += value * value
        length = sqrt(length + 1e-300)
        for i in range(d.k):
            n.u[i] = v[i] / length


cdef void choose(Node* n, const Data* d, const Lines* l) noexcept nogil:
    """The edge to cut, see `plain_proof._edge`."""
    cdef double score[2 * K]
    cdef double squares, delta, factor, top = -2.0, value
    cdef int x, j, k = d.k, edge
    for x in range(2):
        if k < d.scored:
            for j in range(x * k, (x + 1) * k):
                score[j] = n.half[j] / n.norm[x]
            continue
        squares = 0.0
        for j in range(x * k, (x + 1) * k):
            squares += n.half[j] * n.half[j]
        delta = min(n.delta[x], M_PI / 2)
        factor = d.wide * d.alpha * (1 + cos(delta)) / (2 * M_PI)
        for j in range(x * k, (x + 1) * k):
            value = max(squares - 0.75 * n.half[j] * n.half[j], 0.0)
            score[j] = factor * ((sqrt(squares) - sqrt(value)) / n.norm[x])
    if k >= d.scored:
        decided(n.count, l.index, l.signs, d.rows, d.weight, n.u, n.half, l.at, d.m, n.proved & UPPER, score, k)
    for edge in range(2 * k):
        value = score[edge] if n.half[edge] > d.shortest else -1.0
        if value > top:
            top = value
            n.edge = edge


cdef bint near(const double* side, const double* change, double shift, double slack, double rest,
               const Data* d) noexcept nogil:
    """One side by what holds at the centers: its change there at most `slack`, or `change` and `rest`."""
    cdef double work[P]
    cdef int i
    if holds(shift - slack, side, d):
        return True
    if rest < 0:
        return False
    for i in range(d.size):
        work[i] = side[i] - change[i]
    return holds(shift - rest, work, d)


cdef bint tested(Node* n, const Data* d, const Lines* l) noexcept nogil:
    """Both sides of Fact 10; if one fails, the edge to cut."""
    cdef double high[P]
    cdef double mean[P]
    cdef double work[P]
    cdef double change[P]
    cdef double b[K]
    cdef double c[K]
    cdef double theta, slack, rest, below, above, floor, ceiling
    cdef int i
    theta = expected(n, mean, b, c, d)
    slack = d.alpha * ((n.wedge[0] + n.wedge[1]) / (2 * M_PI) + 2 * d.error)
    rest = first_order(n, theta, b, c, slack, change, d)
    if not n.proved & UPPER:
        most(n.count, l.index, l.signs, d.positive, d.negative, d.heavier, high, d.k)
        for i in range(d.size):
            high[i] += n.low[i]
            work[i] = mean[i] - high[i]
        if near(work, change, d.t - d.pad, slack, rest, d):
            n.proved |= UPPER
        else:
            above = min(theta + n.delta[0] + n.delta[1] + d.error, M_PI)
            floor = d.alpha * ((M_PI - above - sin(above)) / (2 * M_PI) - d.error)
            for i in range(d.size):
                work[i] = -high[i]
            if holds(d.t - d.pad + floor, work, d):
                n.proved |= UPPER
    if not n.proved & LOWER:
        for i in range(d.size):
            work[i] = n.low[i] - mean[i]
        if near(work, change, d.t - d.pad, slack, rest, d):
            n.proved |= LOWER
        else:
            below = max(theta - n.delta[0] - n.delta[1] - d.error, 0.0)
            ceiling = d.alpha * ((M_PI - below + sin(below)) / (2 * M_PI) + d.error)
            if holds(d.t - d.pad - ceiling, n.low, d):
                n.proved |= LOWER
    if n.proved == (UPPER | LOWER):
        return True
    if d.k >= d.scored:
        turn(n, high, mean, n.proved & UPPER, d)
    choose(n, d, l)
    return False


cdef bint crowded(const Node* n, int x, const Data* d, const Lines* l) noexcept nogil:
    """Whether the undecided lines of a letter seem to have less rank than most lines would."""
    cdef double basis[K * K]
    cdef double row[K]
    cdef double inner, length
    cdef Py_ssize_t a
    cdef int rank = 0, found = 0, i, j, k = d.k
    for a in range(n.count):
        found += (l.signs[a] >> (2 * x)) & 3 == 0
    if found < 3 or found > d.crowd:
        return False
    for a in range(n.count):
        if (l.signs[a] >> (2 * x)) & 3:
            continue
        for j in range(k):
            row[j] = d.directions[l.index[a] * k + j]
        for i in range(rank):
            inner = 0.0
            for j in range(k):
                inner += row[j] * basis[i * k + j]
            for j in range(k):
                row[j] -= inner * basis[i * k + j]
        length = 0.0
        for j in range(k):
            length += row[j] * row[j]
        length = sqrt(length)
        if length > d.flat:
            for j in range(k):
                basis[rank * k + j] = row[j] / length
            rank += 1
            if rank == k:
                return False
    return rank < found


cdef bint stops(const Node* n, const Data* d, const Lines* l) noexcept nogil:
    """Whether nothing is gained by a cut."""
    if not n.half[n.edge] > d.shortest:
        return True
    return max(n.delta[0], n.delta[1]) < d.close and (crowded(n, 0, d, l) or crowded(n, 1, d, l))


cdef bint mirrored(const Node* n, int k) noexcept nogil:
    """Whether r and s lie on one face, every r below every s."""
    cdef int j, face = -1
    for j in range(k):
        if n.half[j] == 0 and n.half[k + j] == 0 and n.center[j] == n.center[k + j]:
            face = j
    if face < 0:
        return False
    j = (face + 1) % k
    return n.center[j] + n.half[j] < n.center[k + j] - n.half[k + j]


cdef class Stack:
    """The levels of a search in depth: memory that is touched only as deep as the search goes."""

    cdef object kept
    cdef Node* nodes
    cdef Lines lines
    cdef Py_ssize_t m

    def __init__(self, Py_ssize_t m, int depth):
        cdef unsigned char[:, ::1] nodes = np.empty((depth, sizeof(Node)), dtype=np.uint8)
        cdef int32_t[:, ::1] index = np.empty((depth, m), dtype=np.int32)
        cdef int8_t[:, ::1] signs = np.empty((depth, m), dtype=np.int8)
        cdef double[:, :, ::1] at = np.empty((depth, 4, m))
        cdef double[:, ::1] moment = np.empty((2, m))
        cdef int8_t[::1] fresh = np.empty(m, dtype=np.int8)
        self.kept = (nodes, index, signs, at, moment, fresh)
        self.nodes = <Node*> &nodes[0, 0]
        self.lines = Lines(&index[0, 0], &signs[0, 0], &at[0, 0, 0], &moment[0, 0], &moment[1, 0], &fresh[0])
        self.m = m

    cdef Lines level(self, int level) noexcept nogil:
        cdef Lines lines = self.lines
        lines.index += level * self.m
        lines.signs += level * self.m
        lines.at += level * 4 * self.m
        return lines


cdef bint open_root(Stack stack, const double* center, const double* half, const Data* d) noexcept nogil:
    """A box given; False if its mirror image stands for it."""
    cdef Node* n = stack.nodes
    cdef Lines own = stack.level(0)
    cdef int j
    for j in range(2 * d.k):
        n.center[j] = center[j]
        n.half[j] = half[j]
    for j in range(d.size):
        n.low[j] = 0.0
    for j in range(d.k):
        n.u[j] = 1.0
    n.proved = 0
    n.halves = 0
    n.edge = 0
    if mirrored(n, d.k):
        return False
    measure(n, 0, d)
    measure(n, 1, d)
    place(n, d, &own)
    settle(n, d.m, own.index, own.at, own.at + d.m, own.at + 2 * d.m, own.at + 3 * d.m, d, &own)
    return True


cdef bint open_half(Stack stack, int level, const Data* d) noexcept nogil:
    """The next half of the node of `level`, one level deeper; False if its mirror image stands for it."""
    cdef Node* n = stack.nodes + level
    cdef Node* child = n + 1
    cdef Lines old = stack.level(level), own = stack.level(level + 1)
    cdef int x = n.edge // d.k
    cdef double step = n.half[n.edge] / 2
    child[0] = n[0]
    child.halves = 0
    child.half[n.edge] = step
    if n.halves == 0:
        step = -step
    child.center[n.edge] += step
    n.halves += 1
    if mirrored(child, d.k):
        return False
    measure(child, x, d)
    moved(n.count, old.index, old.signs, old.at + 2 * x * d.m, old.at + (2 * x + 1) * d.m,
          d.columns + (n.edge - x * d.k) * d.m, step, 2 * x, own.z, own.e, own.fresh)
    if x == 0:
        settle(child, n.count, old.index, own.z, own.e, old.at + 2 * d.m, old.at + 3 * d.m, d, &own)
    else:
        settle(child, n.count, old.index, old.at, old.at + d.m, own.z, own.e, d, &own)
    return True


def prove(problem, center, half, long budget, long room):
    """Prove what can be proved of boxes (B, 2k), and say what is left; see `plain_proof.prove`."""
    cdef int k = problem.rows.shape[1], level = -1, j, depth = 2 * k * (problem.cuts + 1) + 2
    cdef Py_ssize_t m = problem.rows.shape[0], b = 0, boxes = len(center)
    cdef const double[:, ::1] rows = np.ascontiguousarray(problem.rows)
    cdef const double[:, ::1] columns = np.ascontiguousarray(problem.rows.T)
    cdef const double[::1] errors = problem.errors
    cdef const double[:, ::1] directions = problem.directions
    cdef const double[:, ::1] positive = problem.outer[0]
    cdef const double[:, ::1] negative = problem.outer[1]
    cdef const double[::1] weight = np.maximum(problem.positive, problem.negative)
    cdef const int8_t[::1] heavier = (problem.negative > problem.positive).astype(np.int8)
    cdef const int8_t[::1] sided = (problem.negative > 0).astype(np.int8)
    cdef const double[:, ::1] c = np.ascontiguousarray(center, dtype=np.float64)
    cdef const double[:, ::1] h = np.ascontiguousarray(half, dtype=np.float64)
    cdef double[:, :, ::1] hard = np.empty((2, room + 1, 2 * k))
    cdef long visited = 0, found = 0
    cdef Data d
    cdef Node* n
    cdef Lines own
    cdef Stack stack = Stack(max(m, 1), depth)
    assert 2 <= k <= K == <int> MOST and c.shape[1] == 2 * k
    if boxes == 0 or m == 0:
        raise ValueError("boxes and lines are needed")
    d = Data(m, k, k * (k + 1) // 2, &rows[0, 0], &columns[0, 0], &errors[0], &directions[0, 0],
             &positive[0, 0], &negative[0, 0], &weight[0], &heavier[0], &sided[0],
             problem.alpha, problem.t, problem.pad, rounding.expectation_error(k), rounding.gamma(2 * k + 8),
             k * 2.0**-1074, rounding.UNIT, 1 + 64 * (k + 8) * rounding.UNIT, 2.0 ** -problem.cuts,
             CLOSE, FLAT, WIDE, ACROSS, ALONG, SHARP, CROWD, STEPS, SCORED)
    with nogil:
        while visited < budget and found < room:
            if level < 0:
                if b == boxes:
                    break
                b += 1
                if not open_root(stack, &c[b - 1, 0], &h[b - 1, 0], &d):
                    continue
            else:
                n = stack.nodes + level
                if n.halves == 2:
                    level -= 1
                    continue
                if not open_half(stack, level, &d):
                    continue
            visited += 1
            n = stack.nodes + level + 1
            own = stack.level(level + 1)
            if tested(n, &d, &own):
                continue
            if stops(n, &d, &own):
                for j in range(2 * k):
                    hard[0, found, j] = n.center[j]
                    hard[1, found, j] = n.half[j]
                found += 1
            else:
                level += 1
    waiting = [_waiting(stack, level, k) for level in range(level, -1, -1)]
    left = [np.concatenate([*(w[i] for w in waiting), rest[b:]])
            for i, rest in enumerate((np.asarray(c), np.asarray(h)))]
    return Progress(visited, (left[0], left[1]),
                    (np.array(hard[0, :found]), np.array(hard[1, :found])))


cdef tuple _waiting(Stack stack, int level, int k):
    """The halves of a node that were not looked into, centers and half-widths (B, 2k)."""
    cdef Node* n = stack.nodes + level
    centers, halves = [], []
    for i in range(n.halves, 2):
        center = [n.center[j] for j in range(2 * k)]
        half = [n.half[j] for j in range(2 * k)]
        half[n.edge] /= 2
        center[n.edge] += half[n.edge] if i else -half[n.edge]
        centers.append(center)
        halves.append(half)
    return np.array(centers).reshape(-1, 2 * k), np.array(halves).reshape(-1, 2 * k)
