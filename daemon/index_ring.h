/* index_ring.h - the arithmetic of the index: how hashes are cut, and why nothing is missed.
 *
 * Private to the index.
 */
#ifndef DAEMON_INDEX_RING_H
#define DAEMON_INDEX_RING_H

#include <stdint.h>

#include "imprint/hash.h"

#include "index_kernels.h"

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
