/* picture.h - from the name of a file to its hash, keeping nothing of the picture.
 *
 * Ownership: struct picture is a value.
 * Errors:    IMPRINT_E_IO with errno, those of imprint/image.h.
 * Threads:   any.
 */
#ifndef IMPRINT_PICTURE_H
#define IMPRINT_PICTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "imprint/error.h"
#include "imprint/image.h"
#include "imprint/pdq.h"

struct picture {
    struct imprint_image_info info;
    struct imprint_pdq pdq;
    bool is_framed;    /* pdq is of the picture inside a screenshot, see imprint_pdq_report */
    size_t view_count; /* 0 unless options->views asked for some */
    struct imprint_view views[IMPRINT_VIEWS_MAX];
};

/* Reads the file (standard input for "-"), hashes it, wipes what it read. Of a picture that ends
 * early it hashes what is there; info.is_truncated says so. */
IMPRINT_MUST_USE enum imprint_error picture_hash(const char *path,
                                                 const struct imprint_image_options *options,
                                                 struct picture *out_picture);

/* The same for a report: of a screenshot that frames a picture, the picture's hash. A picture that
 * ends early is IMPRINT_E_IMAGE_TRUNCATED: the hash of half a picture would protect nobody. */
IMPRINT_MUST_USE enum imprint_error picture_hash_for_report(const char *path,
                                                            struct picture *out_picture);

/* What went wrong, for a person; valid until the next call. Looks at errno for IMPRINT_E_IO. */
const char *picture_problem(enum imprint_error error);

#endif
