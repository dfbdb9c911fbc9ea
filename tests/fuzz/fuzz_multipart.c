/* Any bytes as a form: the first line is the content type, the rest the body. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *newline = len == 0 ? NULL : memchr(data, '\n', len);
    size_t head = newline == NULL ? 0 : (size_t)(newline - data);
    char content_type[256];
    (void)snprintf(content_type, sizeof content_type, "%.*s", (int)(head > 255 ? 255 : head),
                   (const char *)data);
    const uint8_t *body = newline == NULL ? data : newline + 1;
    size_t body_len = len - (size_t)(body - data);
    struct multipart_part parts[MULTIPART_PARTS_MAX];
    size_t count = 0;
    if (multipart_read(content_type, body, body_len, parts, &count) == IMPRINT_OK) {
        for (size_t i = 0; i < count; i++) {
            if (parts[i].bytes < body || parts[i].bytes + parts[i].len > body + body_len) {
                abort();
            }
        }
    }
    return 0;
}
