/* Copositivity of a matrix of order up to 6 by bisection of the orthant.

   Compiled without contraction and reassociation: the plain version computes the same numbers. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define ALWAYS static inline __attribute__((always_inline))
#else
#define ALWAYS static inline
#define restrict
#endif

enum { ORDER = 6, DEEPEST = 60, WAYS = 3 };
enum { PASSED = 64, OPEN = 72 }; /* codes of a tape; below 64: the edge 8 i + j that is cut */

/* What a proof did, one byte a node; no bytes where none are wanted. */
typedef struct {
    uint8_t* bytes;
    ptrdiff_t count, room;
    int wanted, lost;
} Tape;

ALWAYS void put(Tape* tape, int code)
{
    if (!tape->wanted || tape->lost) return;
    if (tape->count == tape->room) {
        const ptrdiff_t room = 2 * tape->room + 4096;
        uint8_t* bytes = (uint8_t*) realloc(tape->bytes, (size_t) room);
        if (bytes == NULL) {
            tape->lost = 1;
            return;
        }
        tape->bytes = bytes;
        tape->room = room;
    }
    tape->bytes[tape->count++] = (uint8_t) code;
}

/* A level of the search: its matrix, the edge (i, j) that was cut, the scale of the cut's ray, and which end
   of the edge the next level has replaced by it. */
typedef struct {
    double z[ORDER * ORDER];
    double scale;
    int i, j, side;
} Level;

/* Whether elimination meets positive pivots only, with the positive entries off the diagonal times `keep`. */
ALWAYS int eliminated(const double* restrict z, const double keep, const int p)
{
    double a[ORDER * ORDER];
    for (int i = 0; i < p; i++) {
        for (int j = 0; j < i; j++) {
            const double entry = z[ORDER * i + j];
            a[ORDER * i + j] = entry < 0 ? entry : keep * entry;
        }
        a[ORDER * i + i] = z[ORDER * i + i];
    }
    for (int j = 0; j < p; j++) {
        const double pivot = a[ORDER * j + j];
        if (!(pivot > 0)) return 0;
        const double inverse = 1 / pivot;
        for (int i = j + 1; i < p; i++) {
            const double factor = a[ORDER * i + j] * inverse;
            for (int l = j + 1; l <= i; l++) a[ORDER * i + l] -= factor * a[ORDER * l + j];
        }
    }
    return 1;
}

ALWAYS int passes(const double* restrict z, const double* keep, const int p)
{
    for (int way = 0; way < WAYS; way++)
        if (eliminated(z, keep[way], p)) return way;
    return -1;
}

/* The first edge with the most negative entry. */
ALWAYS void choose(Level* level, const int p)
{
    double least = INFINITY;
    level->i = 0;
    level->j = 1;
    for (int i = 0; i < p; i++)
        for (int j = i + 1; j < p; j++)
            if (level->z[ORDER * i + j] < least) {
                least = level->z[ORDER * i + j];
                level->i = i;
                level->j = j;
            }
}

/* The matrix of one half: `replaced` by the cut's ray; whether its entries are of ordinary size. */
ALWAYS int halve(const Level* from, double* restrict z, const int p)
{
    const int i = from->i, j = from->j, replaced = from->side ? j : i;
    const double* a = from->z + ORDER * i;
    const double* b = from->z + ORDER * j;
    const double scale = from->scale;
    int ordinary = 1;
    memcpy(z, from->z, sizeof(double) * ORDER * ORDER);
    for (int l = 0; l < p; l++) {
        const double entry = scale * (a[l] + b[l]);
        z[ORDER * replaced + l] = entry;
        z[ORDER * l + replaced] = entry;
        ordinary &= fabs(entry) < 1e50;
    }
    z[ORDER * replaced + replaced] = (scale * scale) * ((a[i] + b[j]) + 2 * a[j]);
    return ordinary;
}

/* x on the rays of `depth` as a combination of those of the root. */
static void carried_up(const Level* levels, int depth, double* x)
{
    for (int l = depth - 1; l >= 0; l--) {
        const int kept = levels[l].side ? levels[l].i : levels[l].j;
        const int replaced = levels[l].side ? levels[l].j : levels[l].i;
        x[replaced] *= levels[l].scale;
        x[kept] += x[replaced];
    }
}

/* Whether the matrix in levels[0] is proved copositive; if not, x is where it may not be, or 0. */
ALWAYS int searched(Level* levels, const double* keep, long most, long* nodes, Tape* tape, double* x,
                    const int p)
{
    int depth = 0;
    long count = 0;
    double lengths[ORDER];
    const ptrdiff_t start = tape->count;
    memset(x, 0, sizeof(double) * ORDER);
    for (int i = 0; i < p; i++) {
        const double entry = levels[0].z[ORDER * i + i];
        if (!(entry > 0)) {
            x[i] = 1;
            put(tape, OPEN);
            *nodes += 1;
            return 0;
        }
        lengths[i] = 1 / sqrt(entry);
    }
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++)
            levels[0].z[ORDER * i + j] = levels[0].z[ORDER * i + j] * (lengths[i] * lengths[j]);
    for (;;) {
        Level* level = levels + depth;
        const int way = ++count > most ? -2 : passes(level->z, keep, p);
        if (way >= 0) {
            put(tape, PASSED + way);
            while (depth > 0 && levels[depth - 1].side == 1) depth--;
            if (depth == 0) {
                *nodes += count;
                return 1;
            }
            levels[depth - 1].side = 1;
        } else {
            double length;
            if (way == -2 || depth == DEEPEST) break;
            choose(level, p);
            length = (level->z[(ORDER + 1) * level->i] + level->z[(ORDER + 1) * level->j])
                     + 2 * level->z[ORDER * level->i + level->j];
            if (!(length > 0)) {
                x[level->i] = x[level->j] = 1;
                break;
            }
            put(tape, 8 * level->i + level->j);
            level->scale = 1 / sqrt(length);
            level->side = 0;
            depth++;
        }
        if (!halve(levels + depth - 1, levels[depth].z, p)) break;
    }
    carried_up(levels, depth, x);
    for (int i = 0; i < p; i++) x[i] *= lengths[i];
    tape->count = start;
    put(tape, OPEN);
    *nodes += count;
    return 0;
}

static int copositive(Level* levels, const double* keep, int p, long most, long* nodes, Tape* tape, double* x)
{
#define OF(order) return searched(levels, keep, most, nodes, tape, x, order)
    switch (p) {
        case 1: OF(1);
        case 2: OF(2);
        case 3: OF(3);
        case 4: OF(4);
        case 5: OF(5);
        default: OF(6);
    }
#undef OF
}
