/* strbuf.h - a growing text with a maximum given at birth.
 *
 * Why:       every message, request and report is built here, so no buffer is without a bound and
 *            whatever it held (a code, a key) is wiped when it moves or goes.
 * Ownership: strbuf_init and strbuf_done enclose the use; the bytes are the text's own and end with
 * a NUL. Errors:    sticky: after the first failure nothing more is added, and strbuf_error says
 * why. So a builder adds without looking and asks once at the end. Threads:   one text, one thread.
 */
#ifndef TOOLS_STRBUF_H
#define TOOLS_STRBUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

struct strbuf {
    char *bytes; /* NULL while nothing was added */
    size_t len;
    size_t capacity;
    size_t len_max;
    enum imprint_error error;
};

void strbuf_init(struct strbuf *text, size_t len_max);
void strbuf_done(struct strbuf *text);

/* IMPRINT_OK, IMPRINT_E_NOMEM, or IMPRINT_E_BODY_TOO_LARGE when len_max would be passed. */
IMPRINT_MUST_USE enum imprint_error strbuf_error(const struct strbuf *text);

/* The text with its NUL; "" while nothing was added. */
const char *strbuf_get(const struct strbuf *text);

void strbuf_add(struct strbuf *text, const char *string);
void strbuf_add_bytes(struct strbuf *text, const void *bytes, size_t len);
void strbuf_addf(struct strbuf *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void strbuf_add_fill(struct strbuf *text, char byte, size_t count);
void strbuf_add_hex(struct strbuf *text, const uint8_t *bytes, size_t len);

/* A JSON string with its quotes. Bytes that are not UTF-8 (file names may hold any) become
 * U+FFFD. */
void strbuf_add_json(struct strbuf *text, const char *string);

/* For a line on a terminal: control characters become \xNN, so that a name can neither forge a
 * line nor move the cursor. */
void strbuf_add_printable(struct strbuf *text, const char *string);

/* Percent-encoded, as one segment or value of a request target. */
void strbuf_add_percent(struct strbuf *text, const char *string);

#endif
