/* report.h - what holders hand in, read strictly: report files and withdrawal files.
 *
 * Why:       these files come from anywhere. Both have a closed key list (docs/formats.md);
 * whatever is not exactly of that shape is refused, so that nothing personal can slip in beside it.
 * Pure: bytes to records. Ownership: a read report is freed by report_done; withdrawals are plain
 * data, wiped by the caller. Threads:   any; no state. Errors:    IMPRINT_E_REPORT_INVALID with a
 * few words that say where, IMPRINT_E_NOMEM. Outputs are written on success only.
 */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#include "records.h"

#define REPORT_WHY_BYTES          96
#define REPORT_CASE_ID_TEXT_BYTES 27 /* 26 symbols and a NUL */
#define REPORT_KEY_BYTES          32

struct report {
    struct record_case header;  /* id and verifiers */
    struct record_entry *items; /* hash and quality */
    size_t count;
};

IMPRINT_MUST_USE enum imprint_error report_read(const void *bytes, size_t len,
                                                struct report *out_report,
                                                char out_why[REPORT_WHY_BYTES]);
void report_done(struct report *report);

struct report_withdrawal {
    struct record_case_id id;
    uint8_t key[REPORT_KEY_BYTES];
};

IMPRINT_MUST_USE enum imprint_error report_read_withdrawal(const void *bytes, size_t len,
                                                           struct report_withdrawal *out_withdrawal,
                                                           char out_why[REPORT_WHY_BYTES]);

/* Does the key belong to the verifier? use is "status", "withdraw" or "append". */
bool report_key_fits(const struct record_case_id *id, const char *use,
                     const uint8_t key[REPORT_KEY_BYTES], const uint8_t verifier[32]);

/* 26 symbols of Crockford's base32, upper case, the 128 bits as one number. */
void report_case_id_to_text(const struct record_case_id *id,
                            char out_text[REPORT_CASE_ID_TEXT_BYTES]);
IMPRINT_MUST_USE enum imprint_error report_case_id_from_text(const char *text,
                                                             struct record_case_id *out_id);

#endif
