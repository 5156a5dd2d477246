# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The best points of great circles, compiled: `geometry.circle_steps` and `geometry.circle_waves` define them."""

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

    ctypedef struct Kappa:
        double weight
    Best best_wave(Py_ssize_t n, const double* along, const double* across, const double* coefficients,
                   const Kappa* f, const Grid* g, Toggle* moving, Toggle* at, double* room, int32_t* start)

ABI = 3


def best_on_circles(along, across, coefficients, expected):
    """Angle and value (B,) of the best points; arrays (B, n), and (B, 6) for the smooth part."""
    return best(along, across, coefficients, expected, False)


def best_waves(along, across, coefficients, kappa):
    """Angle and value (B,) of the best points; arrays (B, n), and (B, 3) for the smooth part."""
    return best(along, across, coefficients, kappa, True)


cdef tuple best(along, across, coefficients, numbers, bint waves):
    cdef const double[:, ::1] a = np.ascontiguousarray(along)
    cdef const double[:, ::1] b = np.ascontiguousarray(across)
    cdef const double[:, ::1] c = np.ascontiguousarray(coefficients)
    cdef const double[:, ::1] e = np.ascontiguousarray(numbers)
    cdef Py_ssize_t i, count = a.shape[0], n = a.shape[1]
    assert n > 0 and a.shape[0] == b.shape[0] == c.shape[0] == e.shape[0]
    assert a.shape[1] == b.shape[1] == c.shape[1] and e.shape[1] == (3 if waves else 6)
    cdef double[:, ::1] room = np.empty((8, n + 2))
    cdef int32_t[::1] start = np.empty(n + 4, dtype=np.int32)
    cdef double[:, ::1] found = np.empty((2, count))
    cdef Toggle* moving = <Toggle*> &room[0, 0]
    cdef Toggle* at = <Toggle*> &room[2, 0]
    cdef Grid g = grid()
    cdef Best top
    with nogil:
        for i in range(count):
            if waves:
                top = best_wave(n, &a[i, 0], &b[i, 0], &c[i, 0], <const Kappa*> &e[i, 0], &g, moving, at,
                                &room[4, 0], &start[0])
            else:
                top = best_of(n, &a[i, 0], &b[i, 0], &c[i, 0], <const Expected*> &e[i, 0], &g, moving, at,
                              &room[4, 0], &start[0])
            found[0, i] = top.angle
            found[1, i] = top.value
    return np.asarray(found[0]), np.asarray(found[1])
