/* luma.h - inside hashlib: the luma of one pixel of a row, whatever its layout.
 *
 * Why:     in the header, so that loops over a layout that is known are plain ones.
 * Threads: any.
 */
#ifndef HASHLIB_LUMA_H
#define HASHLIB_LUMA_H

#include "image_codec.h"

/* The luma of one pixel, in the reference's own precision and order of operations. */
static inline float luma_of_rgb(unsigned r, unsigned g, unsigned b)
{
    return 0.299F * (float)r + 0.587F * (float)g + 0.114F * (float)b;
}

static inline unsigned over_white(unsigned value, unsigned alpha)
{
    return (value * alpha + 255 * (255 - alpha) + 127) / 255;
}

static inline unsigned ink_to_light(unsigned paper, unsigned black)
{
    return (paper * black + 127) / 255;
}

static inline float luma_of(enum image_layout layout, const uint8_t *p)
{
    switch (layout) {
    case IMAGE_LAYOUT_GRAY: return (float)p[0];
    case IMAGE_LAYOUT_GRAY_ALPHA: return (float)over_white(p[0], p[1]);
    case IMAGE_LAYOUT_RGB: return luma_of_rgb(p[0], p[1], p[2]);
    case IMAGE_LAYOUT_RGBA:
        return luma_of_rgb(over_white(p[0], p[3]), over_white(p[1], p[3]), over_white(p[2], p[3]));
    case IMAGE_LAYOUT_CMYK:
        return luma_of_rgb(ink_to_light(255u - p[0], 255u - p[3]),
                           ink_to_light(255u - p[1], 255u - p[3]),
                           ink_to_light(255u - p[2], 255u - p[3]));
    case IMAGE_LAYOUT_CMYK_INVERTED:
        return luma_of_rgb(ink_to_light(p[0], p[3]), ink_to_light(p[1], p[3]),
                           ink_to_light(p[2], p[3]));
    }
    return 0;
}

static inline size_t layout_bytes(enum image_layout layout)
{
    switch (layout) {
    case IMAGE_LAYOUT_GRAY: return 1;
    case IMAGE_LAYOUT_GRAY_ALPHA: return 2;
    case IMAGE_LAYOUT_RGB: return 3;
    case IMAGE_LAYOUT_RGBA:
    case IMAGE_LAYOUT_CMYK:
    case IMAGE_LAYOUT_CMYK_INVERTED: break;
    }
    return 4;
}

#endif
