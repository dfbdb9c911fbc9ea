#include "bench_data.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define SIDE   16
#define GRID   256 /* places an edge can have along a picture */
#define SHAPES 12

uint64_t bench_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Uniform in -1..1. */
static float random_signed(uint64_t *state)
{
    return (float)(int32_t)(bench_random(state) >> 32) * 0x1p-31f;
}

/* The integral of cosine u+1 from the picture's edge to a place: what one side of a rectangle
 * contributes to coefficient u. */
static const float (*edge_integrals(void))[SIDE]
{
    static float integrals[GRID + 1][SIDE];
    static bool is_filled;
    if (!is_filled) {
        for (unsigned place = 0; place <= GRID; place++) {
            for (unsigned u = 0; u < SIDE; u++) {
                double frequency = 3.14159265358979323846 * (u + 1);
                integrals[place][u] = (float)(sin(frequency * place / GRID) / frequency);
            }
        }
        is_filled = true;
    }
    return (const float(*)[SIDE])integrals;
}

static void add_shape(uint64_t *state, float coefficients[SIDE * SIDE])
{
    const float(*edge)[SIDE] = edge_integrals();
    uint64_t places = bench_random(state);
    const float *left = edge[places & 255];
    const float *right = edge[places >> 8 & 255];
    const float *top = edge[places >> 16 & 255];
    const float *bottom = edge[places >> 24 & 255];
    float brightness = random_signed(state);
    float across[SIDE];
    for (unsigned u = 0; u < SIDE; u++) {
        across[u] = brightness * (right[u] - left[u]);
    }
    for (unsigned v = 0; v < SIDE; v++) {
        float down = bottom[v] - top[v];
        for (unsigned u = 0; u < SIDE; u++) {
            coefficients[v * SIDE + u] += down * across[u];
        }
    }
}

static void add_noise(uint64_t *state, float strength, float coefficients[SIDE * SIDE])
{
    for (unsigned v = 0; v < SIDE; v++) {
        for (unsigned u = 0; u < SIDE; u++) {
            float frequency_squared = (float)((u + 1) * (u + 1) + (v + 1) * (v + 1));
            coefficients[v * SIDE + u] +=
                strength * random_signed(state) / sqrtf(frequency_squared);
        }
    }
}

/* The value that half of the 256 lie below, by halving the interval it can be in. */
static float median(const float values[SIDE * SIDE])
{
    float work[SIDE * SIDE];
    memcpy(work, values, sizeof work);
    size_t low = 0;
    size_t high = SIDE * SIDE - 1;
    const size_t middle = SIDE * SIDE / 2;
    while (low < high) {
        float pivot = work[(low + high) / 2];
        size_t i = low;
        size_t j = high + 1;
        while (i < j) {
            if (work[i] < pivot) {
                i++;
            } else if (work[j - 1] > pivot) {
                j--;
            } else {
                float swapped = work[i];
                work[i++] = work[--j];
                work[j] = swapped;
            }
        }
        if (middle < i) {
            high = i - 1;
        } else {
            low = i;
        }
    }
    return work[middle];
}

void bench_picture_hash(uint64_t picture, uint64_t noise, float strength,
                        struct imprint_hash *out_hash)
{
    float coefficients[SIDE * SIDE] = {0};
    uint64_t state = picture;
    for (unsigned i = 0; i < SHAPES; i++) {
        add_shape(&state, coefficients);
    }
    add_noise(&state, 0.004f, coefficients);
    if (strength > 0) {
        state = noise;
        add_noise(&state, 0.02f * strength, coefficients);
    }
    float threshold = median(coefficients);
    memset(out_hash, 0, sizeof *out_hash);
    for (unsigned i = 0; i < SIDE * SIDE; i++) {
        out_hash->bytes[i / 8] |= (uint8_t)((coefficients[i] > threshold) << i % 8);
    }
}

static uint64_t mix(uint64_t seed, uint64_t i)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u + i;
    (void)bench_random(&state);
    return bench_random(&state);
}

static float random_strength(uint64_t number)
{
    return (float)(mix(77, number) >> 40) * 0x1p-24f;
}

void bench_list_hash(uint64_t seed, uint64_t i, struct imprint_hash *out_hash)
{
    if (i % 10 != 9) {
        bench_picture_hash(mix(seed, i), 0, 0, out_hash);
        return;
    }
    uint64_t other = mix(seed + 1, i) % i;
    other -= other % 10 == 9 ? 1 : 0;
    bench_picture_hash(mix(seed, other), i, random_strength(i), out_hash);
}

void bench_query_hash(uint64_t seed, uint64_t i, size_t count, struct imprint_hash *out_hash)
{
    if (i % 2 == 1) {
        bench_picture_hash(mix(seed + 2, i), 0, 0, out_hash);
        return;
    }
    uint64_t other = mix(seed + 3, i) % count;
    other -= other % 10 == 9 ? 1 : 0;
    bench_picture_hash(mix(seed, other), ~i, random_strength(i), out_hash);
}
