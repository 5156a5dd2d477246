/* Loops over the undecided rows of a node: the same body for every dimension, unrolled for small ones.

   Compiled without contraction and reassociation, so that every sum is taken in the order written. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define ALWAYS static inline __attribute__((always_inline))
#else
#define ALWAYS static inline
#define restrict
#endif

#define FOR_DIMENSION(k, call)                                                     \
    switch (k) {                                                                   \
        case 2: call(2); break;                                                    \
        case 3: call(3); break;                                                    \
        case 4: call(4); break;                                                    \
        case 5: call(5); break;                                                    \
        case 6: call(6); break;                                                    \
        default: call(k); break;                                                   \
    }

enum { MOST = 10, PACKED = MOST * (MOST + 1) / 2 };

/* Middles z = w.c, reaches e = |w|.h and signs after one edge of one letter was halved: the center moved by
   `step` = +-half, and h fell to half. A sign once known is kept. */
static void moved(ptrdiff_t count, const int32_t* restrict index, const int8_t* restrict signs,
                  const double* restrict z, const double* restrict e, const double* restrict column,
                  double step, int shift, double* restrict z_new, double* restrict e_new,
                  int8_t* restrict signs_new)
{
    const double half = fabs(step);
    for (ptrdiff_t a = 0; a < count; a++) {
        const double w = column[index[a]];
        const double middle = z[a] + w * step, reach = e[a] - fabs(w) * half;
        z_new[a] = middle;
        e_new[a] = reach;
        signs_new[a] = (int8_t) (signs[a] | (((middle > reach) | ((middle < -reach) << 1)) << shift));
    }
}

/* Sum of what the undecided rows add at most, packed lower triangles. */
ALWAYS void most_of(ptrdiff_t count, const int32_t* restrict index, const int8_t* restrict signs,
                    const double* restrict positive, const double* restrict negative,
                    const int8_t* restrict heavier, double* restrict sum, const int k)
{
    const int size = k * (k + 1) / 2;
    double total[PACKED] = {0.0};
    for (ptrdiff_t a = 0; a < count; a++) {
        const ptrdiff_t row = index[a];
        const int can = (signs[a] & 10) == 0, opposite = (signs[a] & 5) == 0;
        const double* outer = (can && !(opposite && heavier[row]) ? positive : negative) + row * size;
        for (int i = 0; i < size; i++) total[i] += outer[i];
    }
    for (int i = 0; i < size; i++) sum[i] = total[i];
}

static void most(ptrdiff_t count, const int32_t* index, const int8_t* signs, const double* positive,
                 const double* negative, const int8_t* heavier, double* sum, int k)
{
#define CALL(K) most_of(count, index, signs, positive, negative, heavier, sum, K)
    FOR_DIMENSION(k, CALL)
#undef CALL
}

/* For every edge (2k): weight_l (w_l.u)^2 of the rows that the better half of a cut decides; for the upper side
   those it excludes, for the lower side those it makes sure. `at` holds z_r, e_r, z_s, e_s. */
ALWAYS void decided_of(ptrdiff_t count, const int32_t* restrict index, const int8_t* restrict signs,
                       const double* restrict rows, const double* restrict weight, const double* restrict u,
                       const double* restrict half, const double* restrict at, ptrdiff_t stride, int lower,
                       double* restrict score, const int k)
{
    double gains[2 * MOST] = {0.0};
    const double toward = lower ? -1.0 : 1.0;
    for (ptrdiff_t a = 0; a < count; a++) {
        const double* row = rows + (ptrdiff_t) index[a] * k;
        const int r = signs[a] & 3, s = signs[a] >> 2;
        double inner = 0.0, from_r = INFINITY, from_s = INFINITY;
        for (int j = 0; j < k; j++) inner += row[j] * u[j];
        const double gain = inner * inner * weight[index[a]];
        if (r == 0 && (!lower || s == 1)) from_r = toward * at[a] + at[stride + a];
        if (s == 0 && (!lower || r == 1)) from_s = toward * at[2 * stride + a] + at[3 * stride + a];
        for (int j = 0; j < k; j++) {
            const double w = fabs(row[j]);
            gains[j] += from_r < w * half[j] ? gain : 0.0;
            gains[k + j] += from_s < w * half[k + j] ? gain : 0.0;
        }
    }
    for (int j = 0; j < 2 * k; j++) score[j] += gains[j];
}

static void decided(ptrdiff_t count, const int32_t* index, const int8_t* signs, const double* rows,
                    const double* weight, const double* u, const double* half, const double* at,
                    ptrdiff_t stride, int lower, double* score, int k)
{
#define CALL(K) decided_of(count, index, signs, rows, weight, u, half, at, stride, lower, score, K)
    FOR_DIMENSION(k, CALL)
#undef CALL
}

/* Whether the Cholesky factorization of packed `a` with `shift` on the diagonal runs to its end. */
ALWAYS int factorized_of(double shift, const double* restrict a, const int k)
{
    double L[PACKED] = {0.0};
    for (int i = 0; i < k; i++) {
        for (int j = 0; j <= i; j++) {
            const int at = i * (i + 1) / 2 + j;
            double x = i == j ? a[at] + shift : a[at];
            for (int q = 0; q < j; q++) x -= L[i * (i + 1) / 2 + q] * L[j * (j + 1) / 2 + q];
            if (i == j) {
                if (!(x > 0)) return 0; /* NaN fails, too */
                L[at] = sqrt(x);
            } else {
                L[at] = x / L[j * (j + 3) / 2];
            }
        }
    }
    return 1;
}

static int factorized(double shift, const double* a, int k)
{
    int good = 0;
#define CALL(K) good = factorized_of(shift, a, K)
    FOR_DIMENSION(k, CALL)
#undef CALL
    return good;
}
