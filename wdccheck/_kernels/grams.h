/* Weighted Gram matrices of a few rows of many, in tiles that stay in registers. Compiled with fused products where the
   machine has them, and summed in parts: the errors that `rounding.py` counts allow for any order and for both. */

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "arch=haswell", "default")))
#else
#define CLONES
#endif
#if defined(_MSC_VER)
#define restrict __restrict
#endif

enum { TALL = 4, WIDE = 16, MANY = 128 }; /* rows and columns of a tile; rows of W that stay in the cache */

#if defined(__GNUC__)
typedef double Eight __attribute__((vector_size(64), aligned(8), may_alias));

static inline void tile(ptrdiff_t count, ptrdiff_t stride, const double* restrict c, const double* restrict w,
                        double* restrict out)
{
    Eight sum[TALL][2] = {{{0.0}}};
    for (ptrdiff_t a = 0; a < count; a++, c += stride, w += stride) {
        const Eight x = *(const Eight*) w, y = *(const Eight*) (w + 8);
        sum[0][0] += c[0] * x;
        sum[0][1] += c[0] * y;
        sum[1][0] += c[1] * x;
        sum[1][1] += c[1] * y;
        sum[2][0] += c[2] * x;
        sum[2][1] += c[2] * y;
        sum[3][0] += c[3] * x;
        sum[3][1] += c[3] * y;
    }
    memcpy(out, sum, sizeof sum);
}
#else
static inline void tile(ptrdiff_t count, ptrdiff_t stride, const double* restrict c, const double* restrict w,
                        double* restrict out)
{
    for (int i = 0; i < TALL * WIDE; i++) out[i] = 0.0;
    for (ptrdiff_t a = 0; a < count; a++, c += stride, w += stride)
        for (int i = 0; i < TALL; i++)
            for (int j = 0; j < WIDE; j++) out[i * WIDE + j] += c[i] * w[j];
}
#endif

/* The lower triangle, and a little above it, of sum_a left_a right_a^T for rows `stride` apart, padded to whole tiles. */
CLONES static void gram_in_tiles(ptrdiff_t count, ptrdiff_t stride, const double* restrict left,
                                 const double* restrict right, int k, double* restrict matrix)
{
    double out[TALL * WIDE];
    for (ptrdiff_t i = 0; i < (ptrdiff_t) k * k; i++) matrix[i] = 0.0;
    for (ptrdiff_t first = 0; first < count; first += MANY) {
        const ptrdiff_t some = count - first < MANY ? count - first : MANY;
        for (int j = 0; j < k; j += WIDE)
            for (int i = j; i < k; i += TALL) {
                tile(some, stride, left + first * stride + i, right + first * stride + j, out);
                for (int l = 0; l < TALL && i + l < k; l++)
                    for (int m = 0; m < WIDE && j + m < k; m++)
                        matrix[(ptrdiff_t) (i + l) * k + j + m] += out[l * WIDE + m];
            }
    }
}
