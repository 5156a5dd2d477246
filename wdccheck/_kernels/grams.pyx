# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Weighted Gram matrices of the rows that count, compiled: see `reference.gram`."""

import numpy as np

from libc.stdint cimport int32_t
from libc.string cimport memcpy

cdef extern from "grams.h" nogil:
    int WIDE
    void gram_in_tiles(Py_ssize_t count, Py_ssize_t stride, const double* left, const double* right, int k,
                       double* matrix)

ABI = 3


def gram(rows, outer, weights):
    """sum_l weights[b, l] w_l w_l^T for rows (n, k), weights (B, n): (B, k, k). `outer` is of no use here."""
    cdef const double[:, ::1] w = np.ascontiguousarray(rows)
    cdef const double[:, ::1] g = np.ascontiguousarray(weights, dtype=np.float64)
    cdef Py_ssize_t i, a, j, l, chosen, count = g.shape[0], n = w.shape[0], k = w.shape[1]
    cdef Py_ssize_t stride = (k + WIDE - 1) // WIDE * WIDE + 8  # 8: rows a power of two apart share the cache's sets
    cdef double[:, :, ::1] result = np.empty((count, k, k))
    cdef double[:, :, ::1] open_rows = np.zeros((2, n + 1, stride))  # without and with their weights
    cdef int32_t[::1] index = np.empty(n + 1, dtype=np.int32)
    cdef bint weighted
    assert k > 0 and g.shape[1] == n
    with nogil:
        for i in range(count):
            chosen = 0
            for a in range(n):
                index[chosen] = <int32_t> a
                chosen += g[i, a] != 0
            weighted = False
            for a in range(chosen):
                memcpy(&open_rows[0, a, 0], &w[index[a], 0], k * sizeof(double))
                weighted |= g[i, index[a]] != 1
            if weighted:
                for a in range(chosen):
                    for j in range(k):
                        open_rows[1, a, j] = g[i, index[a]] * w[index[a], j]
            gram_in_tiles(chosen, stride, &open_rows[<int> weighted, 0, 0], &open_rows[0, 0, 0], <int> k,
                          &result[i, 0, 0])
            for j in range(k):
                for l in range(j):
                    result[i, l, j] = result[i, j, l]
    return np.asarray(result)
