# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The best points of great circles, compiled: `circles.best_on_circle` says what they are."""

import numpy as np

from libc.stdint cimport int32_t

cdef extern from "circles.h" nogil:
    ctypedef struct Toggle:
        double key
    ctypedef struct Expected:
        double weight
    ctypedef struct Best:
        double angle
        double value
    ctypedef struct Grid:
        double cos[16]
    Grid grid()
    Best best_of(Py_ssize_t n, const double* along, const double* across, const double* coefficients,
                 const Expected* f, const Grid* g, Toggle* moving, Toggle* at, double* level, int32_t* start)

ABI = 2


def best_on_circles(along, across, coefficients, expected):
    """Angle and value (B,) of the best points; arrays (B, n), and (B, 6) for the smooth part."""
    cdef const double[:, ::1] a = np.ascontiguousarray(along)
    cdef const double[:, ::1] b = np.ascontiguousarray(across)
    cdef const double[:, ::1] c = np.ascontiguousarray(coefficients)
    cdef const double[:, ::1] e = np.ascontiguousarray(expected)
    cdef Py_ssize_t i, count = a.shape[0], n = a.shape[1]
    assert n > 0 and a.shape[0] == b.shape[0] == c.shape[0] == e.shape[0]
    assert a.shape[1] == b.shape[1] == c.shape[1] and e.shape[1] == 6
    cdef double[:, ::1] room = np.empty((5, n + 1))
    cdef int32_t[::1] start = np.empty(n + 2, dtype=np.int32)
    cdef double[:, ::1] found = np.empty((2, count))
    cdef Grid g = grid()
    cdef Best best
    with nogil:
        for i in range(count):
            best = best_of(n, &a[i, 0], &b[i, 0], &c[i, 0], <const Expected*> &e[i, 0], &g,
                           <Toggle*> &room[0, 0], <Toggle*> &room[2, 0], &room[4, 0], &start[0])
            found[0, i] = best.angle
            found[1, i] = best.value
    return np.asarray(found[0]), np.asarray(found[1])
