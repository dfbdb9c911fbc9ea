/* Random hashes and a distance of their own for the tests of the index. */
#ifndef TESTS_INDEX_SUPPORT_H
#define TESTS_INDEX_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#include "imprint/hash.h"

static inline uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline size_t below(uint64_t *state, size_t bound)
{
    return (size_t)(next_random(state) % bound);
}

static inline void flip_bits(uint64_t *state, struct imprint_hash *hash, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++) {
        size_t bit = below(state, IMPRINT_HASH_BITS);
        hash->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* A hash near one of few centres, so that searches find something at every distance. */
static inline struct imprint_hash near_hash(uint64_t *state, unsigned centres, unsigned bits_max)
{
    uint64_t centre = 1000 + below(state, centres);
    struct imprint_hash hash;
    for (size_t i = 0; i < IMPRINT_HASH_BYTES; i++) {
        hash.bytes[i] = (uint8_t)next_random(&centre);
    }
    flip_bits(state, &hash, (unsigned)below(state, bits_max + 1));
    return hash;
}

/* Shares nothing with the index: counts bits one by one. */
static inline unsigned slow_distance(const struct imprint_hash *a, const struct imprint_hash *b)
{
    unsigned bits = 0;
    for (size_t i = 0; i < IMPRINT_HASH_BYTES; i++) {
        for (uint8_t x = a->bytes[i] ^ b->bytes[i]; x != 0; x &= (uint8_t)(x - 1)) {
            bits++;
        }
    }
    return bits;
}

#endif
