/* bench_data.h - hashes shaped like those of pictures, made from a seed.
 *
 * Each stands for a picture of a dozen overlapping rectangles of random place, size and brightness
 * over a faint 1/f noise: edges of all sizes give coefficients with the spectrum of photographs
 * and, unlike independent noise, coefficients that depend on each other. The 16x16 lowest
 * coefficients of its cosine transform are computed directly, then thresholded at their median as
 * PDQ does. A near copy is the same picture with noise on its coefficients, so that the bits
 * nearest to the median flip first.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "imprint/hash.h"

/* The picture of this number; strength 0 is the picture itself, 1 a copy about 30 bits away. */
void bench_picture_hash(uint64_t picture, uint64_t noise, float strength,
                        struct imprint_hash *out_hash);

/* Hash i of a list: nine of ten are pictures of their own, the tenth is a near copy of one of them.
 */
void bench_list_hash(uint64_t seed, uint64_t i, struct imprint_hash *out_hash);

/* Query i: every other one is a near copy of a hash of a list of count, the rest strangers. */
void bench_query_hash(uint64_t seed, uint64_t i, size_t count, struct imprint_hash *out_hash);

uint64_t bench_random(uint64_t *state);

#endif
