#include "imprint/hash.h"

#include <string.h>

unsigned imprint_hash_distance(const struct imprint_hash *a, const struct imprint_hash *b)
{
    unsigned distance = 0;
    for (size_t i = 0; i < IMPRINT_HASH_BYTES; i += sizeof(uint64_t)) {
        uint64_t x;
        uint64_t y;
        memcpy(&x, a->bytes + i, sizeof x);
        memcpy(&y, b->bytes + i, sizeof y);
        distance += (unsigned)__builtin_popcountll(x ^ y);
    }
    return distance;
}

bool imprint_hash_equal(const struct imprint_hash *a, const struct imprint_hash *b)
{
    return memcmp(a->bytes, b->bytes, IMPRINT_HASH_BYTES) == 0;
}

/* The digit's value, or -1. Independent of the locale, unlike isxdigit. */
static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return -1;
}

enum imprint_error imprint_hash_from_hex(const char *text, size_t len,
                                         struct imprint_hash *out_hash)
{
    if (len != IMPRINT_HASH_HEX) {
        return IMPRINT_E_HASH_INVALID;
    }
    struct imprint_hash hash;
    for (size_t i = 0; i < IMPRINT_HASH_BYTES; i++) {
        int high = digit_value(text[2 * i]);
        int low = digit_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return IMPRINT_E_HASH_INVALID;
        }
        hash.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out_hash = hash;
    return IMPRINT_OK;
}

void imprint_hash_to_hex(const struct imprint_hash *hash, char out_text[IMPRINT_HASH_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < IMPRINT_HASH_BYTES; i++) {
        out_text[2 * i] = digits[hash->bytes[i] >> 4];
        out_text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    out_text[IMPRINT_HASH_HEX] = '\0';
}

void imprint_hash_negative(const struct imprint_hash *hash, struct imprint_hash *out_hash)
{
    for (size_t i = 0; i < IMPRINT_HASH_BYTES; i++) {
        out_hash->bytes[i] = (uint8_t)~hash->bytes[i];
    }
}

/* Bit 16 * i + j, from the end of the bytes, tells the sign of the band of frequency i + 1 down and
 * j + 1 across. */
static bool bit_at(const struct imprint_hash *hash, unsigned i, unsigned j)
{
    unsigned bit = 16 * i + j;
    return (hash->bytes[IMPRINT_HASH_BYTES - 1 - bit / 8] >> bit % 8 & 1) != 0;
}

/* Mirroring negates the odd frequencies along an axis, and exchanging the axes exchanges them. */
void imprint_hash_turn(const struct imprint_hash *hash, unsigned turn,
                       struct imprint_hash *out_hash)
{
    static const struct {
        bool is_mirrored_x;
        bool is_mirrored_y;
        bool is_transposed;
    } turns[8] = {
        {false, false, false}, {true, false, false}, {true, true, false}, {false, true, false},
        {false, false, true},  {false, true, true},  {true, true, true},  {true, false, true},
    };
    struct imprint_hash turned = {{0}};
    turn = turn < 8 ? turn : 0;
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned j = 0; j < 16; j++) {
            bool value = bit_at(hash, i, j);
            value ^= turns[turn].is_mirrored_x && j % 2 == 0;
            value ^= turns[turn].is_mirrored_y && i % 2 == 0;
            unsigned bit = turns[turn].is_transposed ? 16 * j + i : 16 * i + j;
            turned.bytes[IMPRINT_HASH_BYTES - 1 - bit / 8] |= (uint8_t)((unsigned)value << bit % 8);
        }
    }
    *out_hash = turned;
}
