/* trim.h - inside hashlib: where in a picture the picture is.
 *
 * Why:       a re-upload often comes with bars, a frame, a caption or a screenshot's whole app
 *            around it, which moves every band of its hash. Which rectangle is the picture cannot
 *            be known, so a few candidates are hashed besides the full frame.
 * Threads:   any; nothing here keeps state or allocates.
 */
#ifndef HASHLIB_TRIM_H
#define HASHLIB_TRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pictures to look at are at most this large; see survey.h. */
#define TRIM_EDGE_MAX       640u
#define TRIM_RECTANGLES_MAX 7u

struct trim_rectangle {
    uint32_t x;
    uint32_t y;
    uint32_t width;
    uint32_t height;
};

/* Candidates other than the full frame, no two much alike. width and height are at most
 * TRIM_EDGE_MAX. Returns their count. */
size_t trim_find(const uint8_t *luma, uint32_t width, uint32_t height,
                 struct trim_rectangle out_rectangles[TRIM_RECTANGLES_MAX]);

/* Whether the picture is drawn around the rectangle: much of it is one colour, and on that there is
 * writing. Bars and plain frames are not. */
bool trim_is_drawn_around(const uint8_t *luma, uint32_t width, uint32_t height,
                          const struct trim_rectangle *rectangle);

#endif
