/* index_ring.h - the arithmetic of the index: how hashes are cut, and why nothing is missed.
 *
 * Private to the index.
 *
 * A key is cut into a ring of 16 chunks of 16 bits. Let d(i) be the distance of two keys in chunk
 * i, r the radius, and choose limits t(i) >= -1 with the sum of (t(i) + 1) equal to r + 1.
 *
 * Claim: if the distance is at most r, then some chunk i is a *start*, which means
 *     d(i) <= t(i)   and   d(i) + d(i+1) <= t(i) + t(i+1) + 1,   i+1 counted round the ring.
 *
 * Proof: let e(j) = d(j) - (t(j) + 1) and S(k) = e(0) + ... + e(k-1), S(0) = 0. The sum over the
 * ring is S(16) <= r - (r + 1) = -1. Let i be the last of 0..15 at which S is greatest. Going on
 * from i, a later k <= 15 has S(k) < S(i) by choice of i; after wrapping round, the sum from i is
 * S(16) - S(i) + S(k') <= -1 + S(k') - S(i) <= -1 for every k' <= i. So every sum that begins at i
 * is at most -1; the first two of them are the two conditions (d(i) <= t(i) is e(i) <= -1). []
 *
 * So it is enough to look, for each chunk i with t(i) >= 0, at the keys that have one of the few
 * values within t(i) of the query's there, and of those at the ones whose next chunk is near
 * enough. A pair of keys may have several starts; it is reported from the first of them only.
 */
#ifndef DAEMON_INDEX_RING_H
#define DAEMON_INDEX_RING_H

#include <stdint.h>

#include "imprint/hash.h"

#include "index_kernels.h"

#define INDEX_CHUNKS      16
#define INDEX_CHUNK_BITS  16
#define INDEX_LIMIT_MAX   3   /* t(i) at radius 63 */
#define INDEX_FLIPS_COUNT 697 /* 16-bit values of at most INDEX_LIMIT_MAX bits */

static inline uint16_t index_key_chunk(const struct index_key *key, unsigned chunk)
{
    return (uint16_t)(key->words[chunk / 4] >> 16 * (chunk % 4));
}

/* Limits t(i) for a radius, as even as can be; chunks is INDEX_CHUNKS but in tests. */
void index_ring_limits(unsigned radius, unsigned chunks, int8_t *out_limits);

/* The first start of a pair of keys with these distances by chunk; -1: there is none. */
int index_ring_first_start(const uint8_t *distances, const int8_t *limits, unsigned chunks);

/* The values of 0, 1, 2 and 3 bits, in this order: XORed to a chunk they give all within a limit.
 */
struct index_flips {
    uint16_t values[INDEX_FLIPS_COUNT];
};

void index_flips_init(struct index_flips *flips);

/* How many values have at most `limit` bits; limit is -1..INDEX_LIMIT_MAX. */
unsigned index_flips_within(int limit);

/* Moves every bit of a hash to its fixed, random place in a key: 64 tables of 16 keys, one a
 * nibble of the hash. */
struct index_permutation {
    struct index_key nibbles[2 * IMPRINT_HASH_BYTES][16];
};

/* Always the same permutation. */
void index_permutation_init(struct index_permutation *permutation);
void index_permutation_apply(const struct index_permutation *permutation,
                             const struct imprint_hash *hash, struct index_key *out_key);

#endif
