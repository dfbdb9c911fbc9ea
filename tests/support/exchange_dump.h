/* exchange_dump.h - what a reader makes of some bytes, as text that can be compared and kept.
 *
 * Why:       golden files, every split of an input and the fuzz target all ask whether two readings
 *            say the same.
 * Ownership: the dump is the caller's until exchange_dump_done.
 * Threads:   any.
 */
#ifndef SUPPORT_EXCHANGE_DUMP_H
#define SUPPORT_EXCHANGE_DUMP_H

#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

struct exchange_dump {
    char *text; /* a line a record, then one for the end; with a NUL */
    size_t len;
    size_t records_len; /* without the line for the end */
    size_t capacity;
    enum imprint_error error; /* of the reading */
    struct exchange_summary summary;
};

/* Reads bytes in pieces of step bytes. format and trusted_key may be NULL. */
void exchange_dump_read(struct exchange_dump *out_dump, const char *format,
                        const uint8_t *trusted_key, const uint8_t *bytes, size_t len, size_t step);
void exchange_dump_done(struct exchange_dump *dump);

/* The bytes of a file of tests/data/exchange, to be freed; fails the program where there is none.
 */
uint8_t *exchange_dump_file(const char *folder, const char *name, size_t *out_len);

#endif
