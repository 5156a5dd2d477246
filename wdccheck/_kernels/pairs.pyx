# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Extreme eigenpairs of weighted Gram matrices less their expectation, compiled: `conditions.maximizer` defines them."""

import numpy as np

from libc.stdint cimport int32_t

cdef extern from "pairs.h" nogil:
    int MOST
    ctypedef struct Pair:
        Py_ssize_t count
        const int32_t* index
        const double* weight
        const double* r
        const double* s
        double scale
    double extreme(const Pair* f, const double* rows, int k, double* u, int sign, double* room)

ABI = 3


def extremes(rows, weights, scale, r, s, first, int sign):
    """u (B, k) and values (B,) for rows (n, k), weights (B, n), scale (B,), r, s and first (B, k)."""
    cdef const double[:, ::1] w = np.ascontiguousarray(rows)
    cdef const double[:, ::1] g = np.ascontiguousarray(weights, dtype=np.float64)
    cdef const double[::1] e = np.ascontiguousarray(scale)
    cdef const double[:, ::1] x = np.ascontiguousarray(r)
    cdef const double[:, ::1] y = np.ascontiguousarray(s)
    cdef double[:, ::1] u = np.array(first, dtype=np.float64, order="C")
    cdef Py_ssize_t i, count = g.shape[0], n = w.shape[0], k = w.shape[1]
    assert n > 0 and 0 < k <= MOST and g.shape[1] == n
    assert e.shape[0] == x.shape[0] == y.shape[0] == u.shape[0] == count
    assert x.shape[1] == y.shape[1] == u.shape[1] == k
    cdef double[::1] room = np.empty(2 * k * k)
    cdef double[::1] weight = np.empty(n)
    cdef int32_t[::1] index = np.empty(n, dtype=np.int32)
    cdef double[::1] value = np.empty(count)
    cdef Pair f
    f.index = &index[0]
    f.weight = &weight[0]
    with nogil:
        for i in range(count):
            f.count = packed(n, &g[i, 0], &index[0], &weight[0])
            f.r = &x[i, 0]
            f.s = &y[i, 0]
            f.scale = e[i]
            value[i] = extreme(&f, &w[0, 0], <int> k, &u[i, 0], sign, &room[0])
    return np.asarray(u), np.asarray(value)


cdef Py_ssize_t packed(Py_ssize_t n, const double* all, int32_t* index, double* weight) noexcept nogil:
    """The rows that count, and their weights."""
    cdef Py_ssize_t a, count = 0
    for a in range(n):
        index[count] = <int32_t> a
        weight[count] = all[a]
        count += all[a] != 0
    return count
