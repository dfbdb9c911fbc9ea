/* text.h - text that grows up to a maximum given at birth.
 *
 * Why:       answers, metrics and batch lines are written piece by piece; none may grow without
 *            bound, and a caller should have to look for trouble once, at the end.
 * Ownership: the bytes are the text's until text_take hands them over.
 * Threads:   one text by one thread at a time.
 * Errors:    sticky: once memory or the maximum is exceeded every further call does nothing and
 *            text_take fails.
 */
#ifndef DAEMON_TEXT_H
#define DAEMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

struct text {
    char *data;
    size_t len;
    size_t capacity;
    size_t bytes_max;
    bool is_failed;
};

void text_init(struct text *text, size_t bytes_max);
void text_done(struct text *text);

/* Well-formed UTF-8, as JSON needs it? */
bool text_is_utf8(const char *string);

void text_put_bytes(struct text *text, const void *bytes, size_t len);
void text_put(struct text *text, const char *string);
void text_put_u64(struct text *text, uint64_t value);
void text_put_i64(struct text *text, int64_t value);
/* A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void text_put_json(struct text *text, const char *string);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands the bytes over (free them with free) and leaves the text empty. IMPRINT_E_NOMEM when
 * something did not fit; the text is empty then too. */
IMPRINT_MUST_USE enum imprint_error text_take(struct text *text, char **out_bytes, size_t *out_len);

#endif
