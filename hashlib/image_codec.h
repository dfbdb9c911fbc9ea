/* image_codec.h - inside hashlib: what a codec gets, and what it does with the rows it decodes.
 *
 * Why:       PDQ looks at no more than 512x512 points of a picture. A codec therefore hands over
 *            one row at a time and nobody keeps more of the picture than those points, whatever
 *            its size, and colour is converted only there.
 * Ownership: the sampler's planes belong to the image and are wiped with it.
 * Threads:   as image.h.
 */
#ifndef HASHLIB_IMAGE_CODEC_H
#define HASHLIB_IMAGE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/image.h"

#include "survey.h"

/* Over this in a dimension both axes are sampled to this many points. */
#define IMAGE_SAMPLES_MAX 512u

/* --- Turning ---------------------------------------------------------------------------------- */

#define IMAGE_TURNS 8

/* One of the eight orientations: mirror the stored axes, then exchange them. */
struct image_turn {
    bool is_mirrored_x;
    bool is_mirrored_y;
    bool is_transposed;
};

/* The turn that brings a picture stored with EXIF orientation 1..8 upright; none for others. */
struct image_turn image_turn_of(unsigned orientation);

/* first, then second. */
struct image_turn image_turn_compose(struct image_turn first, struct image_turn second);

/* The orientation of a TIFF block as EXIF holds it; 1 where it says nothing sensible. */
uint8_t image_orientation_of_tiff(const uint8_t *tiff, size_t len);

/* --- Sampling --------------------------------------------------------------------------------- */

/* How the samples of one pixel lie in a row. */
enum image_layout {
    IMAGE_LAYOUT_GRAY,          /* 1 byte */
    IMAGE_LAYOUT_GRAY_ALPHA,    /* 2 bytes, over white */
    IMAGE_LAYOUT_RGB,           /* 3 bytes */
    IMAGE_LAYOUT_RGBA,          /* 4 bytes, over white */
    IMAGE_LAYOUT_CMYK,          /* 4 bytes, 255 is full ink */
    IMAGE_LAYOUT_CMYK_INVERTED, /* 4 bytes, 0 is full ink, as Adobe writes it */
};

/* The pixels of row y at columns first, first + step, ... */
struct image_row {
    const uint8_t *pixels;
    enum image_layout layout;
    uint32_t y;
    uint32_t first;
    uint32_t step;
};

struct image_sampler {
    uint32_t width; /* of the stored picture */
    uint32_t height;
    uint32_t columns; /* of a plane, along the stored axes */
    uint32_t rows;
    /* The stored column of each sample, for planes that are not and that are mirrored in x. */
    uint32_t column_at[2][IMAGE_SAMPLES_MAX];
    /* Luma of columns x rows samples: [mirrored x + 2 * mirrored y]. A turned picture has sample
     * points of its own, so these are no mirror images of each other. NULL where not wanted. */
    float *planes[4];
};

/* --- Decoding --------------------------------------------------------------------------------- */

struct image_job {
    const uint8_t *bytes;
    size_t len;
    struct imprint_limits limits; /* no field zero */
    enum imprint_policy policy;
    bool ignore_orientation;
    unsigned views;
    struct imprint_image_info info; /* the codec fills it in */
    struct image_sampler sampler;
    struct survey survey; /* for dialects and trimmed views */
};

/* Called by a codec once the header is read, before it allocates anything in proportion to the
 * picture: checks the limits, then prepares the planes. The codec has set info.orientation. */
IMPRINT_MUST_USE enum imprint_error image_job_begin(struct image_job *job, uint32_t width,
                                                    uint32_t height);

/* Whether any sample lies in row y: rows nobody wants need not be converted. */
bool image_job_wants_row(const struct image_job *job, uint32_t y);

void image_job_put_row(struct image_job *job, const struct image_row *row);

/* Decodes job->bytes into job->sampler and job->info. What was allocated for the sampler is
 * released by the caller, also on an error. */
typedef enum imprint_error image_decode_fn(struct image_job *job);

image_decode_fn image_jpeg_decode;
image_decode_fn image_png_decode;
image_decode_fn image_webp_decode;
image_decode_fn image_gif_decode;

/* --- The opened image ------------------------------------------------------------------------- */

struct imprint_image {
    struct imprint_image_info info;
    struct image_turn upright; /* from stored to upright */
    unsigned views;
    struct image_sampler sampler;
    struct survey survey;
};

#endif
