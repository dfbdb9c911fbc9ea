/* pdq.h - the PDQ hash and its quality, of an opened image or of plain luma samples.
 *
 * Source:  PDQ, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm"
 *          (Facebook, 2019): luma 0.299 R + 0.587 G + 0.114 B; a picture over 512 in a dimension is
 *          sampled to 512x512 by nearest neighbour; two passes of a box filter with window
 *          (dimension + 127) / 128; 64x64 samples; 16x16 low frequencies of the DCT-II without the
 *          first; one bit each, above the median.
 * Threads: any; nothing here keeps state.
 */
#ifndef IMPRINT_PDQ_H
#define IMPRINT_PDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/hash.h"
#include "imprint/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The name and version of the algorithm, as written into reports: the same name means the same
 * bits for the same file. */
#define IMPRINT_PDQ_ALGORITHM "pdq/1"

/* Quality at which PDQ's authors advise to keep a hash; below it pictures are too flat to tell. */
#define IMPRINT_QUALITY_FLOOR 50

#define IMPRINT_QUALITY_MAX 100

struct imprint_pdq {
    struct imprint_hash hash; /* all zero where is_hashable is false */
    uint8_t quality;          /* 0..100, from the gradients of the 64x64 samples */
    bool is_hashable;         /* false: under 5x5 pixels or without any contrast; not an error */
};

/* One way of looking at a picture: which samples, turned how. Stable: sent between processes. */
struct imprint_view {
    uint16_t id; /* see imprint_view_name */
    uint8_t quality;
    struct imprint_hash hash;
};

/* At most this many views come of one picture. */
#define IMPRINT_VIEWS_MAX 96

/* Which views a query wants (imprint_image_options.views). The upright view is always there. */
#define IMPRINT_VIEWS_UPRIGHT  0u
#define IMPRINT_VIEWS_TURNED   1u /* the seven other orientations of each sampled picture */
#define IMPRINT_VIEWS_NEGATIVE 2u /* the complement */
#define IMPRINT_VIEWS_DIALECTS 4u /* PDQ as the Python binding and as browsers compute it */
#define IMPRINT_VIEWS_TRIMMED  8u /* without bars, frames and captions put around the picture */
#define IMPRINT_VIEWS_ALL      15u

/* The picture's hash, upright. */
IMPRINT_MUST_USE IMPRINT_API enum imprint_error imprint_pdq(const struct imprint_image *image,
                                                            struct imprint_pdq *out_pdq);

/* The hash of width x height luma samples (0..255), row after row, stride samples apart, taken
 * as they are: over 512 in a dimension nothing is sampled down first. */
IMPRINT_MUST_USE IMPRINT_API enum imprint_error imprint_pdq_luma(const float *luma, uint32_t width,
                                                                 uint32_t height, size_t stride,
                                                                 struct imprint_pdq *out_pdq);

/* All views the image was opened for, the upright one first, each with its own quality; unhashable
 * ones are left out. Writes at most capacity views and their count. */
IMPRINT_MUST_USE IMPRINT_API enum imprint_error imprint_pdq_views(const struct imprint_image *image,
                                                                  struct imprint_view *out_views,
                                                                  size_t capacity,
                                                                  size_t *out_count);

/* What a report should carry. A screenshot of an app with a picture in it gives the hash of that
 * picture and *out_is_framed: other people's screenshots of the same app are like its full frame.
 * Anything else gives what imprint_pdq gives. The image was opened with IMPRINT_VIEWS_TRIMMED. */
IMPRINT_MUST_USE IMPRINT_API enum imprint_error
imprint_pdq_report(const struct imprint_image *image, struct imprint_pdq *out_pdq,
                   bool *out_is_framed);

/* "upright", "mirror", "turn90", "trim2+mirror", ...: for answers and reports. Writes at most
 * capacity bytes with a NUL; 32 are always enough. */
IMPRINT_API void imprint_view_name(uint16_t id, char *out_name, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
