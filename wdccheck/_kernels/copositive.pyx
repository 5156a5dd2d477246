# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Copositivity on the pairs between two blocks of cones, compiled: `plain_copositive` says what it does."""

import time

import numpy as np

from wdccheck._kernels.ray_blocks import APART, GROUPED, KEPT, Outcome

from libc.math cimport sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free

cdef extern from "copositive.h" nogil:
    int ORDER
    int DEEPEST
    ctypedef struct Tape:
        uint8_t* bytes
        Py_ssize_t count
        Py_ssize_t room
        int wanted
        int lost
    ctypedef struct Level:
        double z[36]
    void put(Tape* tape, int code)
    int copositive(Level* levels, const double* keep, int p, long most, long* nodes, Tape* tape, double* x)

ABI = 3

cdef enum:
    O = 6
    LEVELS = 61
    PATIENCE = 200000  # nodes between two looks at the clock

cdef struct Cones:
    int k
    const int64_t* rays
    const double* scale
    const int32_t* simplices
    const double* own
    const int32_t* child
    const int32_t* leaf
    const int32_t* size
    const int64_t* first
    const int32_t* members
    const double* least
    const double* widest

cdef struct Work:
    Cones a
    Cones b
    int same
    const double* cross
    Py_ssize_t stride
    double pad
    double narrow
    double keep[3]
    double deadline
    long most
    long nodes
    long matrices
    long pairs
    long looked
    Py_ssize_t found
    Py_ssize_t room
    int64_t* open
    double* x
    int grouped
    int apart
    Tape tape
    Level levels[LEVELS]


cdef class _Held:
    """The arrays of a block, and pointers to them."""

    cdef const int64_t[::1] rays, first
    cdef const double[::1] scale, least, widest
    cdef const int32_t[:, ::1] simplices
    cdef const int32_t[::1] child, leaf, size, members
    cdef const double[:, :, ::1] own
    cdef Cones cones

    def __init__(self, block):
        self.rays, self.first, self.scale = block.rays, block.first, block.scale
        self.least, self.widest = block.least, block.widest
        self.simplices, self.child, self.own = block.simplices, block.child, block.own
        self.leaf, self.size, self.members = block.leaf, block.size, block.members
        assert len(self.rays) and len(self.members) and 0 < self.simplices.shape[1] <= 3
        self.cones = Cones(<int> self.simplices.shape[1], &self.rays[0], &self.scale[0], &self.simplices[0, 0],
                           &self.own[0, 0, 0], &self.child[0], &self.leaf[0], &self.size[0],
                           &self.first[0], &self.members[0], &self.least[0], &self.widest[0])


cdef bint together(const Work* w, int a, int b) noexcept nogil:
    """Whether all pairs between two nodes hold."""
    cdef double bound = w.a.least[a], other = w.b.least[b]
    cdef int64_t i, j
    cdef const double* row
    if not (bound > 0 and other > 0):
        return False
    bound = sqrt(bound * other) * w.narrow - w.pad * w.a.widest[a] * w.b.widest[b]
    if not bound > 0:
        return False
    for i in range(w.a.first[a], w.a.first[a + 1]):
        row = w.cross + w.a.members[i] * w.stride
        for j in range(w.b.first[b], w.b.first[b + 1]):
            if not row[w.b.members[j]] <= bound:
                return False
    return True


cdef int pair(Work* w, int s, int t) noexcept nogil:
    """Prove one pair of cones with every sign of the rays that they share; 1 to stop."""
    cdef int32_t place[2][O]
    cdef int shared[O]
    cdef double sign[O]
    cdef double d[O]
    cdef double base[O * O]
    cdef double x[O]
    cdef const int32_t* one = w.a.simplices + s * w.a.k
    cdef const int32_t* two = w.b.simplices + t * w.b.k
    cdef int p = 0, first = 0, count = 0, i, j, l, mask, masks
    cdef double entry
    w.pairs += 1
    for i in range(w.a.k):
        if one[i] < 0:
            break
        place[0][p] = i
        place[1][p] = -1
        sign[p] = 1
        d[p] = w.a.scale[one[i]]
        p += 1
    first = p
    for j in range(w.b.k):
        if two[j] < 0:
            break
        for i in range(first):
            if w.a.rays[one[i]] == w.b.rays[two[j]]:
                place[1][i] = j
                break
        else:
            place[0][p] = -1
            place[1][p] = j
            sign[p] = -1
            d[p] = w.b.scale[two[j]]
            p += 1
    for i in range(first):
        if place[1][i] >= 0:
            shared[count] = i
            count += 1
    for i in range(p):
        for j in range(i + 1):
            if i < first:
                entry = w.a.own[(s * w.a.k + i) * w.a.k + j]
            elif j < first:
                entry = w.cross[one[j] * w.stride + two[place[1][i]]]
            else:
                entry = w.b.own[(t * w.b.k + place[1][i]) * w.b.k + place[1][j]]
            base[O * i + j] = entry
    masks = 1 << (count - 1 if count == p else count)
    for mask in range(masks):
        for l in range(count):
            sign[shared[l]] = -1 if (mask >> l) & 1 else 1
        for i in range(p):
            for j in range(i + 1):
                entry = (sign[i] * sign[j]) * base[O * i + j] - (w.pad * d[i]) * d[j]
                w.levels[0].z[O * i + j] = entry
                w.levels[0].z[O * j + i] = entry
        w.matrices += 1
        if not copositive(w.levels, w.keep, p, w.most, &w.nodes, &w.tape, x):
            w.open[3 * w.found] = s
            w.open[3 * w.found + 1] = t
            w.open[3 * w.found + 2] = mask
            for i in range(O):
                w.x[O * w.found + i] = x[i] if i < p else 0
            w.found += 1
            if w.found == w.room:
                return 1
    if w.nodes - w.looked > PATIENCE:
        w.looked = w.nodes
        return late(w.deadline)
    return 0


cdef int late(double deadline) noexcept with gil:
    return time.monotonic() > deadline


cdef int visit(Work* w, int a, int b) noexcept nogil:
    """Prove all pairs between two nodes; 1 to stop."""
    cdef int one = w.a.child[a], two = w.b.child[b]
    if not (w.same and a == b) and together(w, a, b):
        put(&w.tape, w.grouped)
        return 0
    if one < 0 and two < 0:
        return pair(w, w.a.leaf[a], w.b.leaf[b])
    put(&w.tape, w.apart)
    if w.same and a == b:
        return visit(w, one, one) or visit(w, one, one + 1) or visit(w, one + 1, one + 1)
    if one >= 0 and (two < 0 or w.a.size[a] >= w.b.size[b]):
        return visit(w, one, b) or visit(w, one + 1, b)
    return visit(w, a, two) or visit(w, a, two + 1)


def search(z, orders, long most, double deadline):
    """See `plain_bisection.search`."""
    cdef const double[:, :, ::1] matrices = np.ascontiguousarray(z, dtype=np.float64)
    cdef const int64_t[::1] order = np.ascontiguousarray(orders, dtype=np.int64)
    cdef Level levels[LEVELS]
    cdef Tape tape = Tape(NULL, 0, 0, 0, 0)
    cdef double keep[3]
    cdef double x[O]
    cdef Py_ssize_t b, i, j
    cdef long nodes = 0
    assert matrices.shape[0] == order.shape[0] and matrices.shape[1] == matrices.shape[2] == O
    proved = np.zeros(len(orders), dtype=bool)
    for i in range(3):
        keep[i] = KEPT[i]
    for b in range(order.shape[0]):
        assert 1 <= order[b] <= O
        if time.monotonic() > deadline:
            break
        for i in range(O):
            for j in range(O):
                levels[0].z[O * i + j] = matrices[b, i, j]
        proved[b] = copositive(levels, keep, <int> order[b], most, &nodes, &tape, x)
    return proved


def prove(left, right, cross, double pad, long most, Py_ssize_t room, double deadline, bint taped=False):
    """See `plain_copositive.prove`."""
    cdef const double[:, ::1] products = np.ascontiguousarray(cross)
    cdef _Held a = _Held(left), b = a if left is right else _Held(right)
    cdef int64_t[:, ::1] open_pairs = np.empty((room, 3), dtype=np.int64)
    cdef double[:, ::1] x = np.empty((room, O))
    cdef Work w
    cdef int stopped, way
    assert <int> O == ORDER and <int> LEVELS == DEEPEST + 1 and len(KEPT) == 3 and room > 0
    assert products.shape[0] == len(left.rays) and products.shape[1] == len(right.rays)
    w.a, w.b, w.same = a.cones, b.cones, left is right
    w.cross, w.stride, w.pad, w.narrow = &products[0, 0], products.shape[1], pad, 1 - 2.0**-40
    for way in range(3):
        w.keep[way] = KEPT[way]
    w.deadline, w.most, w.room = deadline, most, room
    w.nodes = w.matrices = w.pairs = w.looked = w.found = 0
    w.open, w.x, w.grouped, w.apart = &open_pairs[0, 0], &x[0, 0], GROUPED, APART
    w.tape = Tape(NULL, 0, 0, taped, 0)
    try:
        with nogil:
            stopped = visit(&w, 0, 0)
        if w.tape.lost:
            raise MemoryError("no room for the steps of a proof")
        tape = np.array(<uint8_t[:w.tape.count]> w.tape.bytes) if w.tape.count else np.empty(0, dtype=np.uint8)
    finally:
        free(w.tape.bytes)
    return Outcome(w.nodes, w.matrices, w.pairs, np.array(open_pairs[:w.found]), np.array(x[:w.found]),
                   not stopped, tape)
