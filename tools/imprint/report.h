/* report.h - the report file, imprint-report/1, as docs/formats.md describes it. Pure.
 *
 * Why:       the only place that decides what leaves the device: hashes, qualities, a case number,
 *            three verifiers, a day, three answers. There is no field for anything else.
 * Ownership: struct report is the caller's between report_init and report_done, which wipes it.
 * Errors:    IMPRINT_E_NOMEM; IMPRINT_E_BODY_TOO_LARGE over REPORT_ITEMS_MAX items.
 * Threads:   one report, one thread. Needs sodium_init().
 */
#ifndef IMPRINT_REPORT_H
#define IMPRINT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/hash.h"

#include "code.h"
#include "strbuf.h"

#define REPORT_FORMAT    "imprint-report/1"
#define REPORT_ITEMS_MAX 2000
#define REPORT_BYTES_MAX ((size_t)1 << 20)
#define REPORT_PAD_BYTES 4096
#define REPORT_DAY_LEN   10
#define REPORT_WORDS_MAX 32 /* of the version of the statements' text */

struct report_item {
    struct imprint_hash hash;
    uint8_t quality;
    bool is_low_quality;
};

struct report {
    struct report_item *items;
    size_t count;
    size_t capacity;
};

/* What a report says besides its items. */
struct report_case {
    const char *tool; /* "imprint 0.1.0" */
    struct code_case id;
    char day[REPORT_DAY_LEN + 1];          /* "2026-11-22" */
    char statements[REPORT_WORDS_MAX + 1]; /* version of their text: "en-GB/1" */
    struct code_verifier status;
    struct code_verifier withdraw;
    struct code_verifier append;
};

void report_init(struct report *report);
void report_done(struct report *report);

/* A hash that is there already is not added again. */
IMPRINT_MUST_USE enum imprint_error report_add(struct report *report,
                                               const struct report_item *item);

/* Puts the items into an order that says nothing about the order they were given in. */
void report_shuffle(struct report *report);

/* The file's bytes: a multiple of REPORT_PAD_BYTES. out_text was initialised with
 * REPORT_BYTES_MAX. */
IMPRINT_MUST_USE enum imprint_error
report_write(const struct report *report, const struct report_case *about, struct strbuf *out_text);

/* A file that uses one of the code's keys: "imprint-withdrawal/1" or "imprint-status/1". */
IMPRINT_MUST_USE enum imprint_error report_write_key(const char *format, const struct code_case *id,
                                                     const struct code_key *key,
                                                     struct strbuf *out_text);

#endif
