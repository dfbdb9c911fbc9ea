#include "index_ring.h"

#include <string.h>

/* splitmix64 by Sebastiano Vigna, public domain. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void index_ring_limits(unsigned radius, unsigned chunks, int8_t *out_limits)
{
    for (unsigned i = 0; i < chunks; i++) {
        unsigned share = (radius + 1) / chunks + (i < (radius + 1) % chunks ? 1 : 0);
        out_limits[i] = (int8_t)((int)share - 1);
    }
}

int index_ring_first_start(const uint8_t *distances, const int8_t *limits, unsigned chunks)
{
    for (unsigned i = 0; i < chunks; i++) {
        unsigned next = i + 1 == chunks ? 0 : i + 1;
        if (distances[i] <= limits[i] &&
            distances[i] + distances[next] <= limits[i] + limits[next] + 1) {
            return (int)i;
        }
    }
    return -1;
}

void index_flips_init(struct index_flips *flips)
{
    size_t count = 0;
    for (int bits = 0; bits <= INDEX_LIMIT_MAX; bits++) {
        for (uint32_t value = 0; value < 1u << INDEX_CHUNK_BITS; value++) {
            if (__builtin_popcount(value) == bits) {
                flips->values[count++] = (uint16_t)value;
            }
        }
    }
}

unsigned index_flips_within(int limit)
{
    static const uint16_t counts[] = {0, 1, 17, 137, INDEX_FLIPS_COUNT};
    return counts[limit + 1];
}

void index_permutation_init(struct index_permutation *permutation)
{
    uint8_t place[IMPRINT_HASH_BITS];
    for (unsigned bit = 0; bit < IMPRINT_HASH_BITS; bit++) {
        place[bit] = (uint8_t)bit;
    }
    uint64_t state = IMPRINT_HASH_BITS; /* any fixed seed will do */
    for (unsigned bit = IMPRINT_HASH_BITS - 1; bit > 0; bit--) {
        unsigned other = (unsigned)(next_random(&state) % (bit + 1));
        uint8_t swapped = place[bit];
        place[bit] = place[other];
        place[other] = swapped;
    }
    memset(permutation, 0, sizeof *permutation);
    for (unsigned bit = 0; bit < IMPRINT_HASH_BITS; bit++) {
        for (unsigned value = 0; value < 16; value++) {
            uint64_t set = value >> bit % 4 & 1;
            permutation->nibbles[bit / 4][value].words[place[bit] / 64] |= set << place[bit] % 64;
        }
    }
}

void index_permutation_apply(const struct index_permutation *permutation,
                             const struct imprint_hash *hash, struct index_key *out_key)
{
    uint64_t words[4] = {0};
    for (unsigned i = 0; i < IMPRINT_HASH_BYTES; i++) {
        const struct index_key *low = &permutation->nibbles[2 * i][hash->bytes[i] & 15];
        const struct index_key *high = &permutation->nibbles[2 * i + 1][hash->bytes[i] >> 4];
        for (unsigned word = 0; word < 4; word++) {
            words[word] |= low->words[word] | high->words[word];
        }
    }
    memcpy(out_key->words, words, sizeof words);
}
