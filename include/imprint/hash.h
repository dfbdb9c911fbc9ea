/* hash.h - the 256-bit PDQ hash as a value.
 *
 * Source:  PDQ by Facebook (ThreatExchange); byte and bit order are those of its published text
 *          form: byte 0 holds the first two hexadecimal digits.
 * Threads: any; nothing here keeps state.
 */
#ifndef IMPRINT_HASH_H
#define IMPRINT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define IMPRINT_HASH_BYTES 32
#define IMPRINT_HASH_BITS  256
#define IMPRINT_HASH_HEX   64 /* digits, without the terminating NUL */

struct imprint_hash {
    uint8_t bytes[IMPRINT_HASH_BYTES];
};

/* Hamming distance, 0..256 bits. Two copies of one picture are usually within 31. */
IMPRINT_API unsigned imprint_hash_distance(const struct imprint_hash *a,
                                           const struct imprint_hash *b);

IMPRINT_API bool imprint_hash_equal(const struct imprint_hash *a, const struct imprint_hash *b);

/* Reads exactly 64 hexadecimal digits of either case; len is the length of text in bytes.
 * IMPRINT_E_HASH_INVALID otherwise, and *out_hash is untouched. */
IMPRINT_MUST_USE IMPRINT_API enum imprint_error
imprint_hash_from_hex(const char *text, size_t len, struct imprint_hash *out_hash);

/* Writes 64 lower-case digits and a NUL into out_text (65 bytes). */
IMPRINT_API void imprint_hash_to_hex(const struct imprint_hash *hash,
                                     char out_text[IMPRINT_HASH_HEX + 1]);

/* The hash of the same picture's photographic negative: exactly the complement. */
IMPRINT_API void imprint_hash_negative(const struct imprint_hash *hash,
                                       struct imprint_hash *out_hash);

/* The hash of the same picture turned, for those who have its hash alone: about 10 bits in the mean
 * from that of a really turned picture, and seldom over 31. turn is 0..7: as it is, mirrored, by
 * 180 degrees, upside down, transposed, by 90 degrees clockwise, transposed the other way, by 270
 * degrees; others count as 0. */
IMPRINT_API void imprint_hash_turn(const struct imprint_hash *hash, unsigned turn,
                                   struct imprint_hash *out_hash);

#ifdef __cplusplus
}
#endif

#endif
