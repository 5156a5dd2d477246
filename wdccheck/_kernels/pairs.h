/* The extreme eigenpair of sum_i weight_i w_i w_i^T - scale Q_{r,s}; `extremes` defines what is computed.

   Lanczos with full orthogonalization. Up to dimension DENSE the matrix is formed and the Krylov space is the whole
   space; beyond, the operator is applied row by row. Compiled without contraction and reassociation, so that every
   sum is taken in the order written, whatever the vectors of the machine. */

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

enum { STEPS = 40, LANES = 8 }; /* STEPS: of the longest Krylov space, and the largest dense dimension */

typedef struct {
    int k;
    ptrdiff_t count;            /* open rows */
    const double* rows;
    const int32_t* index;
    const double* weight;       /* (count,) */
    const double* matrix;       /* (k, k), or NULL: apply row by row */
    double scale, theta;
    const double *b, *d;        /* unit vectors of r + s and r - s */
} Operator;

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
static int form(const Operator* f, double* matrix)
{
    int exponent = 0;
    double top = 0.0;
    const int k = f->k;
    const double factor = f->scale / (2 * PI), sine = sin(f->theta);
    gram_of(f->count, f->index, f->weight, f->rows, k, matrix);
    for (int i = 0; i < k; i++) {
        for (int j = 0; j <= i; j++) matrix[i * k + j] -= factor * (sine * (f->b[i] * f->b[j] - f->d[i] * f->d[j]));
        matrix[i * k + i] -= factor * (PI - f->theta);
        for (int j = 0; j < i; j++) matrix[j * k + i] = matrix[i * k + j];
    }
    for (ptrdiff_t i = 0; i < (ptrdiff_t) k * k; i++) top = fabs(matrix[i]) > top ? fabs(matrix[i]) : top;
    if (top > 1e-20 && top < 1e20) return 0;
    frexp(top, &exponent);
    for (ptrdiff_t i = 0; i < (ptrdiff_t) k * k; i++) matrix[i] = ldexp(matrix[i], -exponent);
    return exponent;
}

CLONES static void apply(const Operator* f, const double* restrict x, double* restrict y)
{
    const int k = f->k;
    if (f->matrix) {
        for (int j = 0; j < k; j++) y[j] = 0.0;
        for (int j = 0; j < k; j++) add(x[j], f->matrix + (ptrdiff_t) j * k, y, k);
        return;
    }
    const double factor = -f->scale / (2 * PI), sine = factor * sin(f->theta);
    for (int j = 0; j < k; j++) y[j] = factor * (PI - f->theta) * x[j];
    add(sine * dot(f->b, x, k), f->b, y, k);
    add(-sine * dot(f->d, x, k), f->d, y, k);
    ptrdiff_t a = 0;
    for (; a + 4 <= f->count; a += 4) {
        const double* restrict w[4];
        double c[4];
        for (int l = 0; l < 4; l++) {
            w[l] = f->rows + (ptrdiff_t) f->index[a + l] * k;
            c[l] = f->weight[a + l] * dot(w[l], x, k);
        }
        for (int j = 0; j < k; j++) y[j] += (c[0] * w[0][j] + c[1] * w[1][j]) + (c[2] * w[2][j] + c[3] * w[3][j]);
    }
    for (; a < f->count; a++) {
        const double* w = f->rows + (ptrdiff_t) f->index[a] * k;
        add(f->weight[a] * dot(w, x, k), w, y, k);
    }
}

/* x less its components along `count` orthonormal vectors, twice; its length. */
CLONES static double orthogonal(double* restrict x, const double* restrict basis, int count, int k)
{
    double c[STEPS];
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
    for (int iteration = 0; iteration < 60; iteration++) {
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
    double e[STEPS], shift = 4 * DBL_EPSILON * size;
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

/* The eigenvalue of the Krylov space's matrix asked for (sign 1: largest, -1: smallest, 0: larger magnitude), and u. */
static double ritz(const double* a, const double* b, int m, double size, int sign, const double* basis, int k,
                   double* u)
{
    double negated[STEPS], c[STEPS], y[STEPS], top = 0.0, bottom = 0.0;
    for (int i = 0; i < m; i++) {
        negated[i] = -a[i];
        c[i] = b[i] * b[i];
    }
    if (sign >= 0) top = largest(a, c, m, size);
    if (sign <= 0) bottom = -largest(negated, c, m, size);
    const int lower = sign < 0 || (sign == 0 && -bottom > top);
    eigenvector(lower ? negated : a, b, m, lower ? -bottom : top, size, y);
    for (int i = 1; lower && i < m; i += 2) y[i] = -y[i]; /* -T has off-diagonals -b */
    for (int j = 0; j < k; j++) u[j] = 0.0;
    for (int i = 0; i < m; i++) add(y[i], basis + (ptrdiff_t) i * k, u, k);
    const double length = sqrt(dot(u, u, k));
    for (int j = 0; j < k; j++) u[j] /= length;
    double value = 0.0;
    for (int i = 0; i < m; i++) value += y[i] * (a[i] * y[i] + (i < m - 1 ? 2 * b[i] * y[i + 1] : 0.0));
    return value;
}

/* u: the starting vector, and the result. `room`: 3 k + steps k, and k k more if the matrix is to be formed. */
static double extreme(Operator* f, const double* r, const double* s, double* u, int steps, int dense, int sign,
                      double* room)
{
    const int k = f->k, m = steps < k ? steps : k;
    double a[STEPS], b[STEPS], *plus = room, *minus = room + k, *y = room + 2 * k, *basis = room + 3 * k;
    double size = 0.0, length;
    int exponent = 0;
    for (int j = 0; j < k; j++) {
        plus[j] = r[j] + s[j];
        minus[j] = r[j] - s[j];
    }
    const double p = sqrt(dot(plus, plus, k)), q = sqrt(dot(minus, minus, k));
    for (int j = 0; j < k; j++) {
        plus[j] /= p > 0 ? p : 1.0;
        minus[j] /= q > 0 ? q : 1.0;
    }
    f->theta = 2 * atan2(q, p);
    f->b = plus;
    f->d = minus;
    f->matrix = NULL;
    if (dense) {
        exponent = form(f, basis + (ptrdiff_t) m * k);
        f->matrix = basis + (ptrdiff_t) m * k;
    }
    length = sqrt(dot(u, u, k));
    if (length > 1e-150 && length < 1e150) for (int j = 0; j < k; j++) basis[j] = u[j] / length;
    else fresh(basis, basis, 0, k);
    for (int i = 0; i < m; i++) {
        double* v = basis + (ptrdiff_t) i * k;
        apply(f, v, y);
        a[i] = dot(v, y, k);
        b[i] = orthogonal(y, basis, i + 1, k);
        if (fabs(a[i]) + b[i] > size) size = fabs(a[i]) + b[i];
        if (i == m - 1) break;
        if (b[i] > 1e-13 * size) {
            for (int j = 0; j < k; j++) v[k + j] = y[j] / b[i];
        } else { /* an invariant space: on with another one */
            b[i] = 0.0;
            fresh(v + k, basis, i + 1, k);
        }
    }
    if (size > 1e-290) return ldexp(ritz(a, b, m, size, sign, basis, k, u), exponent);
    for (int j = 0; j < k; j++) u[j] = basis[j]; /* nothing there */
    return a[0];
}
