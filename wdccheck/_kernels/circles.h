/* The best point of a great circle; `geometry/circle_steps.py` (`scan`) and `Profile.best` define what is computed.

   Gate i toggles once in every half circle, at the angle of the direction (facing, distance), distance >= 0. Angles
   are compared by the key 1 - facing / (|facing| + distance) in [0, 2], which rises with them; its derivative by the
   angle lies between 1/2 and 1. Compiled without contraction and reassociation. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

enum { GRID = 16, INNER = 6, FEW = 24 };

static const double STILL = 1e-7, OFF_WALL = 1e-9, THIN = 1e-12;

typedef struct { double key, jump; } Toggle;

/* weight u^T Q_{r(t),s} u along the circle: see `geometry.OnCircle`. */
typedef struct { double c0, c1, p0, p1, q, weight; } Expected;

typedef struct { double angle, value; } Best;

/* Directions in the first half of the circle at which the smooth part is looked at, and their keys. */
typedef struct { double cos[GRID], sin[GRID], key[GRID + 1]; } Grid;

static inline double larger(double x, double y) { return x > y ? x : y; }

static int before(const void* a, const void* b)
{
    const Toggle *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->jump > y->jump) - (x->jump < y->jump);
}

/* Sort by key in linear time where the keys spread: into m buckets, then by insertion. */
static void sort_toggles(const Toggle* from, Toggle* to, int32_t* start, ptrdiff_t m)
{
    const double scale = 0.5 * (double) m * (1 - 1e-15);
    memset(start, 0, (size_t) (m + 2) * sizeof *start);
    for (ptrdiff_t i = 0; i < m; i++) start[(ptrdiff_t) (from[i].key * scale) + 2]++;
    for (ptrdiff_t i = 2; i < m + 2; i++) start[i] += start[i - 1];
    for (ptrdiff_t i = 0; i < m; i++) to[start[(ptrdiff_t) (from[i].key * scale) + 1]++] = from[i];
    for (ptrdiff_t b = 0; b < m; b++)
        if (start[b + 1] - start[b] > FEW)
            qsort(to + start[b], (size_t) (start[b + 1] - start[b]), sizeof *to, before);
    for (ptrdiff_t i = 1; i < m; i++) {
        const Toggle x = to[i];
        ptrdiff_t j = i;
        for (; j > 0 && x.key < to[j - 1].key; j--) to[j] = to[j - 1];
        to[j] = x;
    }
}

/* The smooth part at (cos, sin) and at the opposite point. */
static void smooth(const Expected* f, double cos, double sin, double* here, double* opposite)
{
    double c = f->c0 * cos + f->c1 * sin;
    const double p = f->p0 * cos + f->p1 * sin;
    c = c > 1.0 ? 1.0 : c < -1.0 ? -1.0 : c;
    const double sine = sqrt(1.0 - c * c), theta = acos(c);
    const double m = sine > 1e-8 ? (2 * p * f->q - c * (p * p + f->q * f->q)) / sine : 0.0;
    *here = f->weight * ((PI - theta + m) / (2 * PI));
    *opposite = f->weight * ((theta - m) / (2 * PI));
}

static double key_of(double facing, double distance)
{
    return 1.0 - facing / (fabs(facing) + distance);
}

static Grid grid(void)
{
    Grid g;
    for (int i = 0; i < GRID; i++) {
        g.cos[i] = cos(i * (PI / GRID));
        g.sin[i] = sin(i * (PI / GRID));
        g.key[i] = key_of(g.cos[i], g.sin[i]);
    }
    g.key[GRID] = INFINITY;
    return g;
}

static double angle_of(double key)
{
    const double facing = 1.0 - key;
    return atan2(1.0 - fabs(facing), facing);
}

/* Length of the arc from toggle j to the next; j = -1: from the last one of the other half to the first. */
static double arc(const Toggle* at, ptrdiff_t m, ptrdiff_t j)
{
    if (j >= 0 && j < m - 1) return angle_of(at[j + 1].key) - angle_of(at[j].key);
    return angle_of(at[0].key) + PI - angle_of(at[m - 1].key);
}

static int thin(const Toggle* at, ptrdiff_t m, ptrdiff_t j)
{
    const double keys = j >= 0 && j < m - 1 ? at[j + 1].key - at[j].key : at[0].key + 2.0 - at[m - 1].key;
    return keys < 2 * THIN && arc(at, m, j) < THIN;
}

/* Both sides of toggle j on both halves of the circle, if better than what is known; the smooth part there. */
static void try_toggle(const Toggle* at, const double* level, ptrdiff_t m, ptrdiff_t j, double total,
                       const Expected* f, Best* best, double* value)
{
    const double facing = 1.0 - at[j].key, distance = 1.0 - fabs(facing);
    const double length = sqrt(facing * facing + distance * distance);
    smooth(f, facing / length, distance / length, value, value + 1);
    for (int half = 0; half < 2; half++)
        for (int side = 1; side >= 0; side--) { /* after, before */
            const double found = value[half] + (half ? total - level[j + side] : level[j + side]);
            if (!(found > best->value) || thin(at, m, j - 1 + side)) continue;
            const double quarter = 0.25 * arc(at, m, j - 1 + side), step = quarter < OFF_WALL ? quarter : OFF_WALL;
            best->value = found;
            best->angle = angle_of(at[j].key) + half * PI + (side ? step : -step);
        }
}

/* Whether an angle of the first half, before toggle j and not before j - 1, is off both walls. */
static int clear(const Toggle* at, ptrdiff_t m, ptrdiff_t j, double angle)
{
    if (m == 0) return 1;
    const double last = j > 0 ? angle_of(at[j - 1].key) : angle_of(at[m - 1].key) - PI;
    const double next = j < m ? angle_of(at[j].key) : angle_of(at[0].key) + PI;
    return angle - last >= OFF_WALL && next - angle >= OFF_WALL;
}

/* A value inside an arc; on its walls they have their own. */
static void try_angle(double angle, const Toggle* at, const double* level, ptrdiff_t m, double total,
                      const Expected* f, Best* best)
{
    double value[2];
    ptrdiff_t low = 0, high = m;
    angle = fmod(angle, 2 * PI);
    if (angle < 0) angle += 2 * PI;
    const int half = angle >= PI;
    const double folded = half ? angle - PI : angle, c = cos(folded), s = sin(folded), key = key_of(c, s);
    while (low < high) {
        const ptrdiff_t middle = (low + high) / 2;
        if (at[middle].key <= key) low = middle + 1; else high = middle;
    }
    smooth(f, c, s, value, value + 1);
    const double found = value[half] + (half ? total - level[low] : level[low]);
    if (found > best->value && clear(at, m, low, folded)) {
        best->value = found;
        best->angle = angle;
    }
}

/* The two highest maxima of the smooth part from its values on a grid, one parabola each. */
static void peaks(const double* value, double* angle)
{
    int chosen[2] = {-1, -1};
    double top[2] = {-INFINITY, -INFINITY};
    for (int i = 0; i < 2 * GRID; i++) {
        const double left = value[(i + 2 * GRID - 1) % (2 * GRID)], right = value[(i + 1) % (2 * GRID)];
        const double height = value[i] > left && value[i] >= right ? value[i] : -INFINITY;
        if (chosen[0] < 0 || height > top[0]) {
            chosen[1] = chosen[0];
            top[1] = top[0];
            chosen[0] = i;
            top[0] = height;
        } else if (chosen[1] < 0 || height > top[1]) {
            chosen[1] = i;
            top[1] = height;
        }
    }
    for (int j = 0; j < 2; j++) {
        const int i = chosen[j];
        const double left = value[(i + 2 * GRID - 1) % (2 * GRID)], right = value[(i + 1) % (2 * GRID)];
        const double bend = left - 2 * value[i] + right;
        const double shift = bend < 0 ? 0.5 * (left - right) / bend : 0.0;
        angle[j] = (i + (shift > 1 ? 1 : shift < -1 ? -1 : shift)) * (PI / GRID);
    }
}

/* `moving`, `at`: room for n + 1 toggles; `level`: n + 1; `start`: n + 2. */
static Best best_of(ptrdiff_t n, const double* along, const double* across, const double* coefficients,
                    const Expected* f, const Grid* g, Toggle* moving, Toggle* at, double* level, int32_t* start)
{
    double reach = 0.0, steady = 0.0, total = 0.0, first = 0.0, likely = -INFINITY;
    double value[2 * GRID + 1], bound[2 * GRID], angles[INNER];
    Best best = {0.0, -INFINITY};
    ptrdiff_t m = 0, top = 0;
    for (ptrdiff_t i = 0; i < n; i++) reach = larger(fabs(along[i]) + fabs(across[i]), reach);
    for (ptrdiff_t i = 0; i < n; i++) {
        const double size = fabs(along[i]) + fabs(across[i]), c = coefficients[i];
        const int open = along[i] > 0, moves = size > STILL * reach;
        const double turned = 1.0 - 2.0 * open, moving_c = c * moves; /* no branches: signs are random */
        const double key = 1.0 - turned * across[i] / size;
        moving[m].key = key;
        moving[m].jump = turned * c;
        m += (moving_c != 0) & (key >= 0) & (key <= 2);
        total += moving_c;
        first += moving_c * open;
        steady += (c - moving_c) * open;
    }
    total += 2 * steady;
    sort_toggles(moving, at, start, m);
    level[0] = first + steady;
    for (ptrdiff_t j = 0; j < m; j++) level[j + 1] = level[j] + at[j].jump;

    for (int i = 0; i < GRID; i++) smooth(f, g->cos[i], g->sin[i], value + i, value + GRID + i);
    value[2 * GRID] = value[0];
    peaks(value, angles);
    angles[2] = atan2(f->c1, f->c0); /* toward s and away from it: the smooth part may have a corner there */
    angles[3] = angles[2] + PI;
    angles[4] = 0.0; /* where the point is */
    angles[5] = PI;
    for (int i = 0; i < INNER; i++) try_angle(angles[i], at, level, m, total, f, &best);

    /* on a sector of the grid the smooth part exceeds the mean of its ends by what Fact 2 allows in half of it */
    const double half = PI / (2 * GRID), rise = fabs(f->weight) * ((half + sin(half)) / (2 * PI) + 1e-9);
    const double steep = fabs(f->weight) * (2 / PI) * (1 + 1e-9); /* per unit of the key, at most */
    for (int i = 0; i < 2 * GRID; i++) bound[i] = 0.5 * (value[i] + value[i + 1]) + rise;
    for (int pass = 0; pass < 2; pass++) { /* the likeliest toggle first, then all that could be better */
        double last = 0.0, near[2];
        if (pass && m) try_toggle(at, level, m, top, total, f, &best, near);
        near[0] = near[1] = INFINITY; /* the toggle looked at last bounds the next ones */
        int sector = 0;
        for (ptrdiff_t j = 0; j < m; j++) {
            while (at[j].key >= g->key[sector + 1]) sector++;
            const double high = larger(level[j], level[j + 1]), low = level[j] + level[j + 1] - high;
            const double most = larger(high + bound[sector], total - low + bound[GRID + sector]);
            if (pass && most > best.value) {
                const double farther = steep * (at[j].key - last);
                if (high + near[0] + farther <= best.value && total - low + near[1] + farther <= best.value) continue;
                try_toggle(at, level, m, j, total, f, &best, near);
                last = at[j].key;
            }
            if (!pass && most > likely) {
                likely = most;
                top = j;
            }
        }
    }
    return best;
}

/* weight kappa(m(t), y) along the circle, c0 cos t + c1 sin t the cosine of the angle; `waves` says the rest. */
typedef struct { double c0, c1, weight; } Kappa;

/* An arc, the amplitudes on it, and the best point found on it. */
typedef struct { double low, high, p, r, angle, value; } Arc;

enum { REFINED = 4, REFINEMENTS = 4 };

static double cosine(const Kappa* f, double t)
{
    const double c = f->c0 * cos(t) + f->c1 * sin(t);
    return c > 1.0 ? 1.0 : c < -1.0 ? -1.0 : c;
}

static double weighted_kappa(const Kappa* f, double t)
{
    const double c = cosine(f, t);
    return f->weight * (((PI - acos(c)) * c + sqrt(1 - c * c)) / (2 * PI));
}

static double wave(const Kappa* f, const Arc* x, double t)
{
    return x->p * cos(t) + x->r * sin(t) + weighted_kappa(f, t);
}

static double fixed_point(const Kappa* f, const Arc* x, double t)
{
    const double g = f->weight * (PI - acos(cosine(f, t))) / (2 * PI);
    double past = fmod(atan2(x->r + g * f->c1, x->p + g * f->c0) - x->low, 2 * PI);
    if (past < 0) past += 2 * PI;
    if (x->low + past <= x->high) return x->low + past;
    return x->low + past - x->high < 2 * PI - past ? x->high : x->low;
}

/* A Newton step inside the arc where the curve is concave; the fixed point elsewhere. */
static double newton(const Kappa* f, const Arc* x)
{
    const double t = x->angle, cos_t = cos(t), sin_t = sin(t), c = cosine(f, t), sine = sqrt(1 - c * c);
    const double slope = f->c1 * cos_t - f->c0 * sin_t, g = (PI - acos(c)) / (2 * PI);
    const double first = x->r * cos_t - x->p * sin_t + f->weight * g * slope;
    const double bend = sine > 1e-8 ? slope * slope / (2 * PI * sine) : 0.0;
    const double second = -x->p * cos_t - x->r * sin_t + f->weight * (bend - g * c);
    if (!(second < 0)) return fixed_point(f, x, t);
    const double next = t - first / second;
    return next < x->low ? x->low : next > x->high ? x->high : next;
}

/* Arc a of 2 m, its start and what the fixed point finds in it; it joins the best few. */
static void try_arc(const Toggle* at, const double* p, const double* r, ptrdiff_t m, ptrdiff_t a, const double* ends,
                    const Kappa* f, Best* best, Arc* few)
{
    const int half = a >= m;
    const ptrdiff_t j = half ? a - m : a;
    Arc x = {angle_of(at[j].key) + half * PI, 0.0, half ? ends[0] - p[j] : p[j], half ? ends[1] - r[j] : r[j], 0.0, 0.0};
    x.high = (j < m - 1 ? angle_of(at[j + 1].key) : angle_of(at[0].key) + PI) + half * PI;
    if (!(x.high > x.low)) return;
    const double here = wave(f, &x, x.low);
    x.angle = fixed_point(f, &x, 0.5 * (x.low + x.high));
    x.value = wave(f, &x, x.angle);
    if (here > best->value) *best = (Best) {x.low, here};
    if (x.value > best->value) *best = (Best) {x.angle, x.value};
    for (int i = 0; i < REFINED; i++)
        if (x.value > few[i].value) {
            const Arc out = few[i];
            few[i] = x;
            x = out;
        }
}

/* `room`: 4 (n + 1). */
static Best best_wave(ptrdiff_t n, const double* along, const double* across, const double* coefficients,
                      const Kappa* f, const Grid* g, Toggle* moving, Toggle* at, double* room, int32_t* start)
{
    double *p = room, *r = room + n + 1, *cosines = r + n + 1, *sines = cosines + n + 1;
    double first[2] = {0.0, 0.0}, ends[2], value[2 * GRID + 1], bound[2 * GRID], anywhere = -INFINITY, likely = -INFINITY;
    Arc few[REFINED];
    Best best = {0.0, -INFINITY};
    ptrdiff_t m = 0, top = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        const double size = fabs(along[i]) + fabs(across[i]), c = coefficients[i];
        const int open = along[i] > 0;
        const double key = 1.0 - (1.0 - 2.0 * open) * across[i] / size;
        moving[m].key = key;
        moving[m].jump = (double) i;
        m += (c != 0) & (key >= 0) & (key <= 2);
        first[0] += open * (c * along[i]);
        first[1] += open * (c * across[i]);
    }
    moving[m++] = (Toggle) {2.0, -1.0}; /* a cut that changes nothing: no arc is longer than half a circle */
    sort_toggles(moving, at, start, m);
    ends[0] = first[0];
    ends[1] = first[1];
    for (ptrdiff_t j = 0; j < m; j++) {
        const ptrdiff_t i = (ptrdiff_t) at[j].jump;
        if (i >= 0) {
            const double c = along[i] > 0 ? -coefficients[i] : coefficients[i];
            ends[0] += c * along[i];
            ends[1] += c * across[i];
        }
        p[j] = ends[0];
        r[j] = ends[1];
        const double facing = 1.0 - at[j].key, distance = 1.0 - fabs(facing);
        const double length = sqrt(facing * facing + distance * distance);
        cosines[j] = facing / length;
        sines[j] = distance / length;
    }
    ends[0] += first[0]; /* what both halves add up to */
    ends[1] += first[1];

    /* kappa falls by less than 0.3 per radian: a bound of its part on every sector of the grid */
    for (int i = 0; i <= 2 * GRID; i++) value[i] = weighted_kappa(f, i * (PI / GRID));
    for (int i = 0; i < 2 * GRID; i++) {
        bound[i] = 0.5 * (value[i] + value[i + 1]) + fabs(f->weight) * (0.3 * PI / (2 * GRID) + 1e-9);
        anywhere = larger(anywhere, bound[i]);
    }
    for (int i = 0; i < REFINED; i++) few[i].value = -INFINITY;
    for (int pass = 0; pass < 2; pass++) {
        if (pass) try_arc(at, p, r, m, top, ends, f, &best, few);
        for (int half = 0; half < 2; half++) {
            const double side = half ? -1.0 : 1.0;
            int sector = 0;
            for (ptrdiff_t j = 0; j < m; j++) {
                const double P = half ? ends[0] - p[j] : p[j], R = half ? ends[1] - r[j] : r[j];
                const double c = side * cosines[j], s = side * sines[j];
                const double d = j < m - 1 ? side * cosines[j + 1] : -side * cosines[0];
                const double e = j < m - 1 ? side * sines[j + 1] : -side * sines[0];
                double most = larger(P * c + R * s, P * d + R * e), kappa = anywhere;
                if (c * R - s * P >= 0 && P * e - R * d >= 0) most = sqrt(P * P + R * R);
                while (at[j].key >= g->key[sector + 1]) sector++;
                if (j < m - 1 && at[j + 1].key < g->key[sector + 1]) kappa = bound[half * GRID + sector];
                most += kappa;
                if (pass && most > best.value && half * m + j != top)
                    try_arc(at, p, r, m, half * m + j, ends, f, &best, few);
                if (!pass && most > likely) {
                    likely = most;
                    top = half * m + j;
                }
            }
        }
    }
    for (int i = 0; i < REFINED; i++)
        for (int step = 0; few[i].value > -INFINITY && step < REFINEMENTS; step++) {
            const double angle = newton(f, few + i), found = wave(f, few + i, angle);
            if (found > few[i].value) {
                few[i].angle = angle;
                few[i].value = found;
            }
            if (found > best.value) best = (Best) {angle, found};
        }
    best.angle = fmod(best.angle, 2 * PI);
    return best;
}
