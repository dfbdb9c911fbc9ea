#include "image_codec.h"

struct image_turn image_turn_of(unsigned orientation)
{
    static const struct image_turn turns[IMAGE_TURNS] = {
        {false, false, false}, /* 1 upright */
        {true, false, false},  /* 2 mirror */
        {true, true, false},   /* 3 turn by 180 degrees */
        {false, true, false},  /* 4 flip upside down */
        {false, false, true},  /* 5 transpose */
        {false, true, true},   /* 6 turn by 90 degrees clockwise */
        {true, true, true},    /* 7 transverse */
        {true, false, true},   /* 8 turn by 270 degrees clockwise */
    };
    return turns[orientation >= 1 && orientation <= IMAGE_TURNS ? orientation - 1 : 0];
}

struct image_turn image_turn_compose(struct image_turn first, struct image_turn second)
{
    /* After an exchange of axes, what the second turn calls x is the stored y. */
    bool x = first.is_transposed ? second.is_mirrored_y : second.is_mirrored_x;
    bool y = first.is_transposed ? second.is_mirrored_x : second.is_mirrored_y;
    return (struct image_turn){
        .is_mirrored_x = first.is_mirrored_x != x,
        .is_mirrored_y = first.is_mirrored_y != y,
        .is_transposed = first.is_transposed != second.is_transposed,
    };
}

/* --- EXIF ------------------------------------------------------------------------------------- */

enum { TIFF_HEADER_BYTES = 8, TIFF_ENTRY_BYTES = 12, TIFF_SHORT = 3, TIFF_LONG = 4 };
#define TIFF_TAG_ORIENTATION 0x0112u

struct tiff {
    const uint8_t *bytes;
    size_t len;
    bool is_big_endian;
};

/* The caller has checked that at + size <= len. */
static uint32_t tiff_read(const struct tiff *tiff, size_t at, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        size_t byte = tiff->is_big_endian ? at + i : at + size - 1 - i;
        value = value << 8 | tiff->bytes[byte];
    }
    return value;
}

static uint8_t orientation_of_entry(const struct tiff *tiff, size_t at)
{
    uint32_t type = tiff_read(tiff, at + 2, 2);
    uint32_t value = 0;
    if (type == TIFF_SHORT) {
        value = tiff_read(tiff, at + 8, 2);
    } else if (type == TIFF_LONG) {
        value = tiff_read(tiff, at + 8, 4);
    }
    return (uint8_t)(value >= 1 && value <= IMAGE_TURNS ? value : 1);
}

uint8_t image_orientation_of_tiff(const uint8_t *bytes, size_t len)
{
    if (len < TIFF_HEADER_BYTES || bytes[0] != bytes[1] || (bytes[0] != 'M' && bytes[0] != 'I')) {
        return 1;
    }
    const struct tiff tiff = {bytes, len, bytes[0] == 'M'};
    if (tiff_read(&tiff, 2, 2) != 42) {
        return 1;
    }
    size_t directory = tiff_read(&tiff, 4, 4);
    if (directory > len - 2) {
        return 1;
    }
    uint32_t entries = tiff_read(&tiff, directory, 2);
    size_t at = directory + 2;
    for (uint32_t i = 0; i < entries && len - at >= TIFF_ENTRY_BYTES; i++) {
        if (tiff_read(&tiff, at, 2) == TIFF_TAG_ORIENTATION) {
            return orientation_of_entry(&tiff, at);
        }
        at += TIFF_ENTRY_BYTES;
    }
    return 1;
}
