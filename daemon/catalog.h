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

/* Seconds since 1970 UTC. */
typedef int64_t catalog_now_fn(void *ctx);

struct catalog_options {
    const char *data_dir; /* made with mode 0700 when missing */
    /* NULL: the system's clock, looked at every second. With a clock of the caller's own, entries
     * are enabled and expire when catalog_tick is called. */
    catalog_now_fn *now;
    void *now_ctx;
    size_t map_bytes; /* see store.h; 0: the default */
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

/* Brings enabled and expired entries up to the clock; the daemon's own thread does it each second.
 * An entry is matched while disabled_until <= now < expires; a clock that is set back brings
 * entries back, since expiry removes nothing from the list. */
IMPRINT_MUST_USE enum imprint_error catalog_tick(struct catalog *catalog);

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

/* Searches for the first view and for those of quality 50 or more, in all active lists, or those
 * named in lists (comma separated; unknown names are
 * IMPRINT_E_LIST_NOT_FOUND). Hits in shadow lists are counted (catalog_list_stats), not answered.
 * Benign lists are not searched. */
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
/* Removes the list, all its entries and its cases in one transaction; withdrawn cases stay, so that
 * they cannot come back. */
IMPRINT_MUST_USE enum imprint_error
catalog_list_delete(struct catalog *catalog, const struct catalog_actor *actor, const char *name);
/* Up to capacity lists with an id above after, by id. */
IMPRINT_MUST_USE enum imprint_error catalog_lists(struct catalog *catalog, uint32_t after,
                                                  struct record_list *out_lists, size_t capacity,
                                                  size_t *out_count);

struct catalog_list_stats {
    uint64_t entries;
    uint64_t disabled;    /* of them, not matched yet or until enabled */
    uint64_t expired;     /* of them */
    uint64_t of_cases;    /* of them, held by at least one case */
    uint64_t matches;     /* answered since the start */
    uint64_t shadow_hits; /* found but not answered, since the start */
};
/* Reads all entries: a second at ten million. */
IMPRINT_MUST_USE enum imprint_error catalog_list_stats(struct catalog *catalog, const char *name,
                                                       struct catalog_list_stats *out_stats);

/* --- Entries --------------------------------------------------------------------------------- */

enum catalog_added {
    CATALOG_ADDED_NEW,       /* there is an entry more */
    CATALOG_ADDED_DUPLICATE, /* the list had this hash; out is the entry it had. It now stays as
                              * long as the longer of the two was to stay; nothing else changes */
};

/* Adds 1..LIMIT_ENTRIES_ADD_MAX hashes to one list in one transaction: all or none. Of each spec
 * hash, quality, note, expires and disabled_until are used. out_entries and out_added (count each)
 * may be NULL. A quality under the list's floor is IMPRINT_E_PARAMETER_INVALID. */
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

/* Takes a report of 1..LIMIT_CASE_ITEMS_MAX hashes into a list: the case and all its hashes in one
 * transaction. The same report twice is one case (*out_is_new false). IMPRINT_E_CASE_CONFLICT,
 * IMPRINT_E_CASE_WITHDRAWN. Of the case, id and verifiers are used; of each item, hash and quality.
 */
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

/* --- Audit and changes ----------------------------------------------------------------------- */

/* Up to capacity audit records with a seq above after. */
IMPRINT_MUST_USE enum imprint_error catalog_audit(struct catalog *catalog, uint64_t after,
                                                  struct record_audit *out_records, size_t capacity,
                                                  size_t *out_count);
/* Proves the chain; *out_count records fit. IMPRINT_E_STORE_DAMAGED: *out_bad_seq does not. */
IMPRINT_MUST_USE enum imprint_error
catalog_audit_verify(struct catalog *catalog, uint64_t *out_count, uint64_t *out_bad_seq);

struct catalog_change {
    struct record_change change;
    struct record_entry entry; /* of a RECORD_CHANGE_PUT; zeroed otherwise */
};
/* Up to capacity changes with a seq above after, in order: the present state of each entry that
 * changed, and what is gone. Who has applied all of them up to catalog_status.seq has the list. */
IMPRINT_MUST_USE enum imprint_error catalog_changes(struct catalog *catalog, uint64_t after,
                                                    struct catalog_change *out_changes,
                                                    size_t capacity, size_t *out_count);

/* --- The file -------------------------------------------------------------------------------- */

/* Writes the list afresh, so that nothing removed is left in any file. Matches go on; changes wait
 * (half a second a million entries). Leaves an audit record. */
IMPRINT_MUST_USE enum imprint_error catalog_compact(struct catalog *catalog,
                                                    const struct catalog_actor *actor);
/* A consistent and verified copy in a new file of mode 0600, without anything removed. Everything
 * goes on meanwhile. */
IMPRINT_MUST_USE enum imprint_error catalog_backup(struct catalog *catalog, const char *path);

struct catalog_stats {
    uint64_t changes;     /* acknowledged since the start */
    uint64_t commits;     /* transactions they took */
    uint64_t file_bytes;  /* of the list on disk */
    uint64_t used_bytes;  /* of that, in pages in use or free for use */
    uint64_t index_bytes; /* of memory */
    uint64_t matchable;   /* entries that are searched now */
    uint64_t merges;      /* of the index, since the start */
    double load_seconds;  /* from open to ready */
};
void catalog_stats(struct catalog *catalog, struct catalog_stats *out_stats);

#endif
