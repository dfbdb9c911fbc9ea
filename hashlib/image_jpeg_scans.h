/* image_jpeg_scans.h - inside hashlib: a progressive JPEG without the scans that hardly matter.
 *
 * Why:       most of a progressive picture's time goes into the last bits of its finest detail and
 *            into colour detail, and PDQ's 64x64 cells of luma see neither. The fast policy feeds
 *            the decoder the file with those scans left out; nothing is copied.
 * Ownership: the file's bytes stay the caller's.
 * Threads:   one reader by one thread.
 */
#ifndef HASHLIB_IMAGE_JPEG_SCANS_H
#define HASHLIB_IMAGE_JPEG_SCANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_jpeg_scans {
    const uint8_t *bytes;
    size_t len;
    size_t at;
    bool is_thinned; /* progressive, and large enough for it */
    uint8_t luma_id; /* of the first component, from the frame header */
};

/* The next stretch of the file to decode; false after the last. A file that is not progressive, is
 * small, or whose markers make no sense, comes whole. Zeroed but for bytes and len to begin with.
 */
bool image_jpeg_scans_next(struct image_jpeg_scans *scans, const uint8_t **out_bytes,
                           size_t *out_len);

#endif
