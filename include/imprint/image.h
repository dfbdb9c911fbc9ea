/* image.h - from the bytes of an image file in memory to the luma samples PDQ looks at.
 *
 * Why:       the only place that knows image formats. A decoder is never asked before the declared
 *            size has been checked against the caller's limits, and never prints, exits or keeps
 *            state.
 * Ownership: bytes stay the caller's and must outlive the call only; an opened image is freed by
 *            imprint_image_free. It holds samples (at most a few MiB), never the file or its
 *            metadata.
 * Threads:   any number of images at once; one image by one thread at a time.
 * Errors:    IMPRINT_E_IMAGE_*, IMPRINT_E_NOMEM. On an error *out_image is untouched.
 */
#ifndef IMPRINT_IMAGE_H
#define IMPRINT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values are stable: they are stored and sent. */
enum imprint_format {
    IMPRINT_FORMAT_UNKNOWN = 0,
    IMPRINT_FORMAT_JPEG = 1,
    IMPRINT_FORMAT_PNG = 2,
    IMPRINT_FORMAT_WEBP = 3,
    IMPRINT_FORMAT_GIF = 4,
    IMPRINT_FORMAT_HEIF = 5,
    IMPRINT_FORMAT_AVIF = 6,
};

/* What a caller is willing to decode. A zero field means "the library's default", never
 * "unlimited". */
struct imprint_limits {
    size_t bytes_max;          /* of the file */
    uint32_t width_max;        /* pixels */
    uint32_t height_max;       /* pixels */
    uint64_t pixels_max;       /* width x height */
    uint64_t block_visits_max; /* JPEG: scans x coefficient blocks, the real cost of scan bombs */
    size_t memory_max;         /* bytes of heap one decode may take, where the codec can say */
};

enum imprint_policy {
    IMPRINT_POLICY_EXACT = 0, /* bit-identical to the C++ reference */
    IMPRINT_POLICY_FAST = 1,  /* JPEG: luma plane only; within 10 bits of exact, see docs */
};

struct imprint_image_options {
    struct imprint_limits limits;
    enum imprint_policy policy;
    bool ignore_orientation; /* hash the pixels as stored, as the reference does */
    unsigned views;          /* IMPRINT_VIEWS_*: samples to keep for further views, see pdq.h */
};

struct imprint_image_info {
    enum imprint_format format;
    uint32_t width;      /* pixels, as stored, before orientation */
    uint32_t height;     /* pixels, as stored */
    uint8_t orientation; /* 1..8 as in EXIF; 1 where the file says nothing */
    bool is_truncated;   /* the file ends early; the samples are of what was there */
};

struct imprint_image;

/* The limits that a zero field stands for. */
IMPRINT_API struct imprint_limits imprint_limits_default(void);

/* The format by content alone; a name or content type is never looked at. */
IMPRINT_API enum imprint_format imprint_image_sniff(const void *bytes, size_t len);

/* "jpeg", "png", ... ; "unknown" for anything else. */
IMPRINT_API const char *imprint_format_name(enum imprint_format format);

/* Decodes under the limits. options may be NULL: exact, upright, default limits, no further
 * views. */
IMPRINT_MUST_USE IMPRINT_API enum imprint_error
imprint_image_open(const void *bytes, size_t len, const struct imprint_image_options *options,
                   struct imprint_image **out_image);

/* What was learnt about the file. Lives as long as the image. */
IMPRINT_API const struct imprint_image_info *imprint_image_info(const struct imprint_image *image);

/* Wipes the samples, then frees. NULL is allowed. */
IMPRINT_API void imprint_image_free(struct imprint_image *image);

#ifdef __cplusplus
}
#endif

#endif
