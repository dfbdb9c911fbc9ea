/* multipart.h - strict reading of multipart/form-data that lies in memory.
 *
 * Why:       browsers' forms and many clients send pictures this way. The grammar is RFC 7578's
 *            without its licences: no preamble, no folded headers, CRLF everywhere. Pure.
 * Ownership: parts point into the body.
 * Threads:   any; no state.
 * Errors:    IMPRINT_E_MEDIA_TYPE when the content type is not multipart/form-data with a boundary,
 *            IMPRINT_E_BAD_REQUEST when the body is not of that form. Outputs are written on
 *            success only.
 */
#ifndef DAEMON_MULTIPART_H
#define DAEMON_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#define MULTIPART_PARTS_MAX  8
#define MULTIPART_NAME_BYTES 65

struct multipart_part {
    char name[MULTIPART_NAME_BYTES];
    bool is_file; /* it has a file name, which nobody looks at */
    const uint8_t *bytes;
    size_t len;
};

IMPRINT_MUST_USE enum imprint_error
multipart_read(const char *content_type, const void *body, size_t len,
               struct multipart_part out_parts[MULTIPART_PARTS_MAX], size_t *out_count);

#endif
