/* apply.h - carries records of an exchange file over to a list of the daemon.
 *
 * Why:       import and fetch do the same with records: batches in transactions, removals after the
 *            adds they undo, each counted. Applying the same records again changes nothing.
 * Order:     records may be handed on in the order of their source; of several about one hash the
 * last one counts. Removals by id come first, with apply_plan, because an entry that has an id is
 * found by reading the list once. Ownership: an apply borrows the call and the summary. Errors:
 * complained about where they happen; apply_status then says how the program ends, and the
 *            functions return IMPRINT_E_IO. What was counted before was done and stays done.
 * Threads:   one.
 */
#ifndef IMPRINTCTL_APPLY_H
#define IMPRINTCTL_APPLY_H

#include "ctl.h"
#include "exchange.h"

struct apply;

struct apply_options {
    const struct command_call *call;
    const char *list;
    const char *source; /* goes into the audit as the reason of removals */
    struct exchange_summary *summary;
};

/* What became of records beyond what exchange_summary counts. */
struct apply_counts {
    uint64_t below_floor; /* adds under the list's quality floor */
    uint64_t superseded;  /* adds that a removal by id is newer than */
    uint64_t of_cases;    /* removals of hashes that a report holds too: they stay */
};

/* Asks for the list, which must be there. NULL after complaining; *out_status says how to end. */
struct apply *apply_open(const struct apply_options *options, enum exit_status *out_status);
void apply_close(struct apply *apply);

/* First round: remembers removals by id; everything else is ignored. An entry that its source calls
 * newer than the removal stays, and so does an add that is. */
IMPRINT_MUST_USE enum imprint_error apply_plan(struct apply *apply,
                                               const struct exchange_record *record);
/* Between the rounds: carries out the removals by id. */
IMPRINT_MUST_USE enum imprint_error apply_planned(struct apply *apply);
/* Second round: adds, and removals by hash. */
IMPRINT_MUST_USE enum imprint_error apply_record(struct apply *apply,
                                                 const struct exchange_record *record);
/* Carries out what still waits. */
IMPRINT_MUST_USE enum imprint_error apply_flush(struct apply *apply);

/* The remembered removals, for a feed that goes on another day. NULL without memory. */
json_t *apply_plan_to_json(struct apply *apply);
/* False: it is not what apply_plan_to_json gave. */
bool apply_plan_from_json(struct apply *apply, const json_t *plan);

const struct apply_counts *apply_counts(const struct apply *apply);
enum exit_status apply_status(const struct apply *apply);

/* The note under which an entry is kept: what its source calls it, its status and tags, or for a
 * native record its note. Names of files are left out: they may tell about people. */
void apply_note(const struct exchange_record *record, char out_note[EXCHANGE_TEXT_BYTES_MAX + 1]);

#endif
