/* The extreme eigenpair of sum_i weight_i w_i w_i^T - scale Q_{r,s}, k <= MOST; `extremes` says what it is for.

   Lanczos in the whole space makes the matrix tridiagonal. Compiled without contraction and reassociation: every sum
   is taken in the order written, whatever the vectors of the machine. */

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#if defined(_MSC_VER)
#define restrict __restrict
#endif
#define PI 3.14159265358979323846

enum { MOST = 40, LANES = 8 };

/* What a pair of directions says: open rows with their weights, scale, r and s. */
typedef struct {
    ptrdiff_t count;
    const int32_t* index;
    const double *weight, *r, *s;
    double scale;
} Pair;

static inline double dot(const double* restrict x, const double* restrict y, int k)
{
    double sum[LANES] = {0.0};
    int j = 0;
    for (; j + LANES <= k; j += LANES)
        for (int l = 0; l < LANES; l++) sum[l] += x[j + l] * y[j + l];
    for (int l = 0; j + l < k; l++) sum[l] += x[j + l] * y[j + l];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

static inline void add(double factor, const double* restrict x, double* restrict y, int k)
{
    for (int j = 0; j < k; j++) y[j] += factor * x[j];
}

/* The lower triangle of the weighted Gram matrix, eight rows at a time; what lies above it is not to be used. */
CLONES static void gram_of(ptrdiff_t count, const int32_t* restrict index, const double* restrict weight,
                           const double* restrict rows, int k, double* restrict matrix)
{
    for (ptrdiff_t i = 0; i < (ptrdiff_t) k * k; i++) matrix[i] = 0.0;
    ptrdiff_t a = 0;
    for (; a + 8 <= count; a += 8) {
        const double* restrict w[8];
        for (int l = 0; l < 8; l++) w[l] = rows + (ptrdiff_t) index[a + l] * k;
        for (int i = 0; i < k; i++) {
            double c[8];
            const int end = (i | 7) + 1 < k ? (i | 7) + 1 : k;
            double* restrict out = matrix + (ptrdiff_t) i * k;
            for (int l = 0; l < 8; l++) c[l] = weight[a + l] * w[l][i];
            for (int j = 0; j < end; j++)
                out[j] += ((c[0] * w[0][j] + c[1] * w[1][j]) + (c[2] * w[2][j] + c[3] * w[3][j]))
                        + ((c[4] * w[4][j] + c[5] * w[5][j]) + (c[6] * w[6][j] + c[7] * w[7][j]));
        }
    }
    for (; a < count; a++) {
        const double* restrict w = rows + (ptrdiff_t) index[a] * k;
        for (int i = 0; i < k; i++) add(weight[a] * w[i], w, matrix + (ptrdiff_t) i * k, i + 1);
    }
}

/* sum_i weight_i w_i w_i^T - scale Q in full, divided by two to the power returned: squares do not underflow. */
static int form(const Pair* f, const double* rows, int k, double* matrix)
{
    double b[MOST], d[MOST], top = 0.0;
    int exponent = 0;
    for (int j = 0; j < k; j++) {
        b[j] = f->r[j] + f->s[j];
        d[j] = f->r[j] - f->s[j];
    }
    const double p = sqrt(dot(b, b, k)), q = sqrt(dot(d, d, k)), theta = 2 * atan2(q, p);
    const double factor = f->scale / (2 * PI), sine = sin(theta);
    for (int j = 0; j < k; j++) {
        b[j] /= p > 0 ? p : 1.0;
        d[j] /= q > 0 ? q : 1.0;
    }
    gram_of(f->count, f->index, f->weight, rows, k, matrix);
    for (int i = 0; i < k; i++) {
        for (int j = 0; j <= i; j++) matrix[i * k + j] -= factor * (sine * (b[i] * b[j] - d[i] * d[j]));
        matrix[i * k + i] -= factor * (PI - theta);
        for (int j = 0; j < i; j++) matrix[j * k + i] = matrix[i * k + j];
    }
    for (int i = 0; i < k * k; i++) top = fabs(matrix[i]) > top ? fabs(matrix[i]) : top;
    if (top > 1e-20 && top < 1e20) return 0;
    frexp(top, &exponent);
    for (int i = 0; i < k * k; i++) matrix[i] = ldexp(matrix[i], -exponent);
    return exponent;
}

CLONES static void apply(const double* restrict matrix, const double* restrict x, double* restrict y, int k)
{
    for (int j = 0; j < k; j++) y[j] = 0.0;
    for (int j = 0; j < k; j++) add(x[j], matrix + j * k, y, k);
}

/* x less its components along `count` orthonormal vectors, twice; its length. */
CLONES static double orthogonal(double* restrict x, const double* restrict basis, int count, int k)
{
    double c[MOST];
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < count; i++) c[i] = dot(basis + (ptrdiff_t) i * k, x, k);
        for (int i = 0; i < count; i++) add(-c[i], basis + (ptrdiff_t) i * k, x, k);
    }
    return sqrt(dot(x, x, k));
}

/* A unit vector orthogonal to the basis: from the coordinate direction that is farthest from it. */
static void fresh(double* x, const double* basis, int count, int k)
{
    double least = INFINITY, length;
    int chosen = 0;
    for (int j = 0; j < k; j++) {
        double square = 0.0;
        for (int i = 0; i < count; i++) square += basis[(ptrdiff_t) i * k + j] * basis[(ptrdiff_t) i * k + j];
        if (square < least) {
            least = square;
            chosen = j;
        }
    }
    for (int j = 0; j < k; j++) x[j] = j == chosen;
    length = orthogonal(x, basis, count, k);
    for (int j = 0; j < k; j++) x[j] /= length;
}

/* The largest eigenvalue of the tridiagonal matrix with diagonal a and squared off-diagonals c, from above by
   Laguerre's method. e is D of the factorization x - T = L D L^T: positive above the largest eigenvalue. */
static double largest(const double* a, const double* c, int m, double size)
{
    double x = -INFINITY;
    for (int i = 0; i < m; i++) {
        const double bound = a[i] + (i ? sqrt(c[i - 1]) : 0.0) + (i < m - 1 ? sqrt(c[i]) : 0.0);
        if (bound > x) x = bound;
    }
    x += 4 * DBL_EPSILON * size;
    for (int iteration = 0; iteration < 400; iteration++) {
        double e = x - a[0], first = 1.0, second = 0.0; /* and its derivatives */
        double G = 0.0, H = 0.0;                        /* (log det)' and -(log det)'' */
        for (int i = 0;; i++) {
            if (!(e > 0)) return x;
            const double inverse = 1.0 / e, p = first * inverse, q = second * inverse;
            G += p;
            H += p * p - q;
            if (i == m - 1) break;
            const double fall = c[i] * inverse;
            e = x - a[i + 1] - fall;
            first = 1.0 + fall * p;
            second = fall * (q - 2 * p * p);
        }
        const double under = (m - 1) * (m * H - G * G), step = m / (G + (under > 0 ? sqrt(under) : 0.0));
        const double next = x - step;
        if (!(next < x)) return x;
        x = next;
        if (step <= DBL_EPSILON * size) return x;
    }
    return x;
}

/* Its eigenvector y, by inverse iteration from just above: no pivots are needed there. */
static void eigenvector(const double* a, const double* b, int m, double x, double size, double* y)
{
    double e[MOST], shift = 4 * DBL_EPSILON * size;
    for (int good = 0; !good; shift *= 4) {
        good = 1;
        for (int i = 0; i < m && good; i++) {
            e[i] = x + shift - a[i] - (i ? b[i - 1] * b[i - 1] / e[i - 1] : 0.0);
            good = e[i] > 0 || !(shift < size);
        }
    }
    for (int i = 0; i < m; i++) y[i] = 1.0 + 0.01 * i;
    for (int iteration = 0; iteration < 3; iteration++) {
        double length = 0.0;
        for (int i = 1; i < m; i++) y[i] += b[i - 1] / e[i - 1] * y[i - 1];
        for (int i = 0; i < m; i++) y[i] /= e[i];
        for (int i = m - 2; i >= 0; i--) y[i] += b[i] / e[i] * y[i + 1];
        for (int i = 0; i < m; i++) length = fabs(y[i]) > length ? fabs(y[i]) : length;
        for (int i = 0; i < m; i++) y[i] /= length;
        length = sqrt(dot(y, y, m));
        for (int i = 0; i < m; i++) y[i] /= length;
    }
}

/* The largest eigenvalue of all blocks between zeros of b, its vector y in all of the space. */
static double top_of(const double* a, const double* b, int k, double size, double* y)
{
    double c[MOST], top = -INFINITY;
    int first = 0, end = k;
    for (int i = 0; i < k; i++) c[i] = b[i] * b[i];
    for (int start = 0, i = 0; i < k; i++) {
        if (i < k - 1 && b[i] != 0) continue;
        const double value = largest(a + start, c + start, i + 1 - start, size);
        if (value > top) {
            top = value;
            first = start;
            end = i + 1;
        }
        start = i + 1;
    }
    for (int i = 0; i < k; i++) y[i] = 0.0;
    eigenvector(a + first, b + first, end - first, top, size, y + first);
    return top;
}

/* The eigenvalue asked for (sign 1: largest, -1: smallest, 0: of larger magnitude), and its vector u. */
static double ritz(const double* a, const double* b, int k, double size, int sign, const double* basis, double* u)
{
    double negated[MOST], y[MOST], lowest[MOST], value = 0.0;
    for (int i = 0; i < k; i++) negated[i] = -a[i];
    const double top = sign >= 0 ? top_of(a, b, k, size, y) : -INFINITY;
    if (sign <= 0 && top_of(negated, b, k, size, lowest) > top)
        for (int i = 0; i < k; i++) y[i] = i % 2 ? -lowest[i] : lowest[i]; /* -T has off-diagonals -b */
    for (int j = 0; j < k; j++) u[j] = 0.0;
    for (int i = 0; i < k; i++) add(y[i], basis + i * k, u, k);
    const double length = sqrt(dot(u, u, k));
    for (int j = 0; j < k; j++) u[j] /= length;
    for (int i = 0; i < k; i++) value += y[i] * (a[i] * y[i] + (i < k - 1 ? 2 * b[i] * y[i + 1] : 0.0));
    return value;
}

/* u: the starting vector, and the result. `room`: 2 k^2. */
static double extreme(const Pair* f, const double* rows, int k, double* u, int sign, double* room)
{
    double a[MOST], b[MOST], y[MOST], *matrix = room, *basis = room + k * k, size = 0.0;
    const int exponent = form(f, rows, k, matrix);
    const double length = sqrt(dot(u, u, k));
    if (length > 1e-150 && length < 1e150) for (int j = 0; j < k; j++) basis[j] = u[j] / length;
    else fresh(basis, basis, 0, k);
    for (int i = 0; i < k; i++) {
        double* v = basis + i * k;
        apply(matrix, v, y, k);
        a[i] = dot(v, y, k);
        b[i] = orthogonal(y, basis, i + 1, k);
        if (fabs(a[i]) + b[i] > size) size = fabs(a[i]) + b[i];
        if (i == k - 1) break;
        if (b[i] > 1e-13 * size) {
            for (int j = 0; j < k; j++) v[k + j] = y[j] / b[i];
        } else { /* an invariant space: on with another one */
            b[i] = 0.0;
            fresh(v + k, basis, i + 1, k);
        }
    }
    if (size > 1e-290) return ldexp(ritz(a, b, k, size, sign, basis, u), exponent);
    for (int j = 0; j < k; j++) u[j] = basis[j]; /* nothing there */
    return a[0];
}
