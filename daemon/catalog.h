/* catalog.h - the list: lists, entries and cases, on disk and in the index, always in agreement.
 *
 * Why:       "the store is the truth, the index can be thrown away" is kept here and nowhere else.
 *            A change is checked, then committed durably with its audit record in one transaction,
 *            then published to the index, which cannot fail; then it is acknowledged.
 * Ownership: records go in and out by value; results with a _done are the caller's.
 * Threads:   any. Matches never wait for changes.
 * Errors:    as named; IMPRINT_E_STORE_FULL and IMPRINT_E_IO leave everything as it was.
 *            IMPRINT_E_LOADING until the list is in memory.
 */
#ifndef DAEMON_CATALOG_H
#define DAEMON_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/pdq.h"

#include "records.h"

struct catalog;

struct catalog_options {
    const char *data_dir; /* made with mode 0700 when missing */
};

/* Who changes something, for the audit. */
struct catalog_actor {
    uint32_t uid;
    const char *reason; /* NULL or text without personal data */
};

struct catalog_status {
    bool is_ready;
    double progress;  /* of loading, 0..1 */
    uint64_t entries; /* live, over all lists */
    uint32_t lists;
    uint64_t seq;   /* of the last change */
    char epoch[33]; /* changes when a list is restored: a follower then starts over */
};

/* Opens or creates the store, verifies it and fills the index in the background; queries answer
 * IMPRINT_E_LOADING until then. */
IMPRINT_MUST_USE enum imprint_error catalog_open(const struct catalog_options *options,
                                                 struct catalog **out_catalog);
void catalog_close(struct catalog *catalog);

/* Waits until loading has ended and says how: IMPRINT_OK, or why the list cannot be served. */
IMPRINT_MUST_USE enum imprint_error catalog_wait_ready(struct catalog *catalog);
void catalog_status(const struct catalog *catalog, struct catalog_status *out_status);

/* --- Matching -------------------------------------------------------------------------------- */

struct catalog_match {
    uint64_t entry;
    uint16_t distance; /* bits */
    uint16_t view;     /* imprint_view.id of the view that came nearest */
    char list[LIMIT_LIST_NAME_BYTES_MAX + 1];
    char action[LIMIT_ACTION_BYTES_MAX + 1];
};

struct catalog_matches {
    struct catalog_match *items; /* nearest first, one an entry */
    size_t count;
    bool is_truncated; /* more than LIMIT_MATCHES_MAX entries matched */
    uint64_t seq;      /* of the list that was searched */
};

/* Searches all active lists, or those named in lists (comma separated; unknown names are
 * IMPRINT_E_LIST_NOT_FOUND). */
IMPRINT_MUST_USE enum imprint_error catalog_match(struct catalog *catalog,
                                                  const struct imprint_view *views, size_t count,
                                                  const char *lists,
                                                  struct catalog_matches *out_matches);
void catalog_matches_done(struct catalog_matches *matches);

/* --- Lists ----------------------------------------------------------------------------------- */

/* A list with the defaults of a new one; the name is empty. */
struct record_list catalog_list_default(void);

/* id, created and entries of spec are ignored. IMPRINT_E_LIST_EXISTS, IMPRINT_E_PARAMETER_INVALID.
 */
IMPRINT_MUST_USE enum imprint_error catalog_list_create(struct catalog *catalog,
                                                        const struct catalog_actor *actor,
                                                        const struct record_list *spec,
                                                        struct record_list *out_list);
IMPRINT_MUST_USE enum imprint_error catalog_list_get(struct catalog *catalog, const char *name,
                                                     struct record_list *out_list);
/* Sets everything but id, name and created. Takes effect with the next query. */
IMPRINT_MUST_USE enum imprint_error
catalog_list_change(struct catalog *catalog, const struct catalog_actor *actor, const char *name,
                    const struct record_list *spec, struct record_list *out_list);
/* Removes the list and all its entries in one transaction. */
IMPRINT_MUST_USE enum imprint_error
catalog_list_delete(struct catalog *catalog, const struct catalog_actor *actor, const char *name);
/* Up to capacity lists with an id above after, by id. */
IMPRINT_MUST_USE enum imprint_error catalog_lists(struct catalog *catalog, uint32_t after,
                                                  struct record_list *out_lists, size_t capacity,
                                                  size_t *out_count);

/* --- Entries --------------------------------------------------------------------------------- */

enum catalog_added {
    CATALOG_ADDED_NEW,       /* there is an entry more */
    CATALOG_ADDED_DUPLICATE, /* the list had this hash; out is the entry it had */
};

/* Adds count hashes to one list in one transaction: all or none. Of each spec hash, quality, note,
 * expires and disabled_until are used. out_entries and out_added (count each) may be NULL. A
 * quality under the list's floor is IMPRINT_E_PARAMETER_INVALID. */
IMPRINT_MUST_USE enum imprint_error
catalog_entries_add(struct catalog *catalog, const struct catalog_actor *actor, const char *list,
                    const struct record_entry *specs, size_t count,
                    struct record_entry *out_entries, enum catalog_added *out_added);
IMPRINT_MUST_USE enum imprint_error catalog_entry_get(struct catalog *catalog, uint64_t id,
                                                      struct record_entry *out_entry);
/* Entries of exactly this hash, at most one a list. */
IMPRINT_MUST_USE enum imprint_error catalog_entry_find(struct catalog *catalog,
                                                       const struct imprint_hash *hash,
                                                       struct record_entry *out_entries,
                                                       size_t capacity, size_t *out_count);
/* Sets disabled_until, expires and note as in spec. */
IMPRINT_MUST_USE enum imprint_error
catalog_entry_change(struct catalog *catalog, const struct catalog_actor *actor, uint64_t id,
                     const struct record_entry *spec, struct record_entry *out_entry);
IMPRINT_MUST_USE enum imprint_error
catalog_entry_remove(struct catalog *catalog, const struct catalog_actor *actor, uint64_t id);
/* Up to capacity entries of a list (0: of all) with an id above after, by id. */
IMPRINT_MUST_USE enum imprint_error catalog_entries(struct catalog *catalog, uint32_t list,
                                                    uint64_t after,
                                                    struct record_entry *out_entries,
                                                    size_t capacity, size_t *out_count);

/* --- Cases ----------------------------------------------------------------------------------- */

/* Takes a report into a list: the case and all its hashes in one transaction. The same report
 * twice is one case (*out_is_new false). IMPRINT_E_CASE_CONFLICT, IMPRINT_E_CASE_WITHDRAWN. Of the
 * case, id and verifiers are used; of each item, hash and quality. */
IMPRINT_MUST_USE enum imprint_error
catalog_case_accept(struct catalog *catalog, const struct catalog_actor *actor, const char *list,
                    const struct record_case *spec, const struct record_entry *items, size_t count,
                    struct record_case *out_case, bool *out_is_new);
IMPRINT_MUST_USE enum imprint_error catalog_case_get(struct catalog *catalog,
                                                     const struct record_case_id *id,
                                                     struct record_case *out_case);
/* Ends a case: its hashes leave the list, except those another live case or a direct add holds
 * too. Withdrawing twice is fine. */
IMPRINT_MUST_USE enum imprint_error catalog_case_withdraw(struct catalog *catalog,
                                                          const struct catalog_actor *actor,
                                                          const struct record_case_id *id,
                                                          struct record_case *out_case);

#endif
