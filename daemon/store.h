/* store.h - the list on disk: LMDB, records with checksums, the audit chain.
 *
 * Why:       the only room that knows LMDB. It gives transactions over typed records and keeps what
 *            belongs together in step: an entry, its place by hash, its times, its change row, its
 *            list's count, the digests. What may be changed, and when, is catalog's to decide.
 * Promises:  a committed transaction survives a power cut. Every record carries a keyed checksum
 *            over key and value, every database a count and an additive digest that change in the
 *            same transaction; store_check verifies all of it. Bytes: docs/formats.md.
 * Ownership: records go in and out by value.
 * Threads:   reading transactions by any thread; one writing transaction at a time, which the
 * caller serialises. A transaction is begun and ended by one thread, and one thread has at most one
 * at a time. Errors:    IMPRINT_E_STORE_FULL (disk or map; nothing was changed),
 * IMPRINT_E_STORE_DAMAGED, IMPRINT_E_STORE_VERSION, IMPRINT_E_BUSY (another process has the list,
 * or too many readers), IMPRINT_E_NOMEM, IMPRINT_E_IO. After an error a writing transaction that
 * has written can only be aborted.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#include "records.h"

struct store;
struct store_txn;

struct store_options {
    const char *dir;  /* made with mode 0700 when missing */
    size_t map_bytes; /* of address space at first; 0: LIMIT_STORE_MAP_BYTES. It grows */
    size_t reserve;   /* bytes of disk kept back for removals; 0: LIMIT_STORE_RESERVE_BYTES */
};

/* Takes the directory for this process alone, clears what an interrupted compaction left, creates
 * the list when there is none. Nothing is read from the list yet. */
IMPRINT_MUST_USE enum imprint_error store_open(const struct store_options *options,
                                               struct store **out_store);

/* What store_check calls for each record. Any may be NULL. False ends the check. */
struct store_visitor {
    bool (*list)(void *ctx, const struct record_list *list); /* all lists before all entries */
    bool (*entry)(void *ctx, const struct record_entry *entry);
    void (*entries_done)(void *ctx);
    void (*progress)(void *ctx, double done); /* 0..1 */
    void *ctx;
};

#define STORE_FINDING_BYTES 256

/* Reads and verifies the whole list. Between store_open and store_start, and best in a process of
 * its own: a file that is damaged in the wrong place makes LMDB crash, which then is the finding.
 * out_finding is a sentence about what is damaged, "" when nothing is. */
IMPRINT_MUST_USE enum imprint_error store_check(const struct store *store,
                                                const struct store_visitor *visitor,
                                                char out_finding[STORE_FINDING_BYTES]);

/* store_check in a process of its own, which is gone when this returns: the visitor is called there
 * and can only leave something behind in shared memory. A process that dies of the file is
 * IMPRINT_E_STORE_DAMAGED. */
IMPRINT_MUST_USE enum imprint_error store_verify(const struct store *store,
                                                 const struct store_visitor *visitor,
                                                 char out_finding[STORE_FINDING_BYTES]);

/* Opens the list for transactions. */
IMPRINT_MUST_USE enum imprint_error store_start(struct store *store);

/* All transactions have ended. NULL is allowed. */
void store_close(struct store *store);

/* --- Transactions ---------------------------------------------------------------------------- */

IMPRINT_MUST_USE enum imprint_error store_begin_read(struct store *store,
                                                     struct store_txn **out_txn);

/* bytes: what the change may add on disk, roughly; 0 for one that removes. Where that would eat
 * into the reserve and the disk gives no more, IMPRINT_E_STORE_FULL. */
IMPRINT_MUST_USE enum imprint_error store_begin_write(struct store *store, size_t bytes,
                                                      struct store_txn **out_txn);

/* Durable when it returns IMPRINT_OK; as if never begun otherwise. txn is gone either way. */
IMPRINT_MUST_USE enum imprint_error store_commit(struct store_txn *txn);
void store_abort(struct store_txn *txn); /* NULL is allowed */

/* How many records were written in this transaction. */
uint64_t store_writes(const struct store_txn *txn);

/* True when the last IMPRINT_E_STORE_FULL came of the map and the map is larger now: try again.
 * Between transactions only. */
bool store_grow(struct store *store);

/* Frees what readers that died have left behind. */
void store_clear_readers(struct store *store);

struct store_totals {
    uint64_t seq;
    uint64_t entries;
    uint64_t lists;
    uint64_t cases;
    uint8_t epoch[16];
    uint8_t chain[RECORD_CHAIN_BYTES]; /* of the last audit record */
};
struct store_totals store_totals(const struct store_txn *txn);

/* --- Lists ----------------------------------------------------------------------------------- */

/* Gives list->id. The name must be free. */
IMPRINT_MUST_USE enum imprint_error store_list_insert(struct store_txn *txn,
                                                      struct record_list *list);
/* Everything but id, name and entries. */
IMPRINT_MUST_USE enum imprint_error store_list_update(struct store_txn *txn,
                                                      const struct record_list *list);
/* The list must be without entries. */
IMPRINT_MUST_USE enum imprint_error store_list_remove(struct store_txn *txn,
                                                      const struct record_list *list);
/* IMPRINT_E_LIST_NOT_FOUND. */
IMPRINT_MUST_USE enum imprint_error store_list_get(struct store_txn *txn, uint32_t id,
                                                   struct record_list *out_list);
IMPRINT_MUST_USE enum imprint_error store_list_find(struct store_txn *txn, const char *name,
                                                    struct record_list *out_list);
/* The list with the lowest id above after; IMPRINT_E_LIST_NOT_FOUND when there is none. */
IMPRINT_MUST_USE enum imprint_error store_list_next(struct store_txn *txn, uint32_t after,
                                                    struct record_list *out_list);

/* --- Entries --------------------------------------------------------------------------------- */

/* An entry with who holds it: it may be in the list for several reasons at once. */
struct store_entry {
    struct record_entry record; /* case_id: the lowest of its cases, filled in on reading */
    bool is_direct;             /* added by itself, not (only) by a case */
    uint32_t cases;             /* live cases that hold it */
};

/* Gives record.id and record.seq. The list must be there and must not have the hash. */
IMPRINT_MUST_USE enum imprint_error store_entry_insert(struct store_txn *txn,
                                                       struct store_entry *entry);
/* Writes entry over old, which was read in this transaction; gives record.seq. Hash and list stay.
 */
IMPRINT_MUST_USE enum imprint_error
store_entry_update(struct store_txn *txn, const struct store_entry *old, struct store_entry *entry);
/* With its links to cases; leaves a change row without the hash. */
IMPRINT_MUST_USE enum imprint_error store_entry_remove(struct store_txn *txn,
                                                       const struct store_entry *entry);
/* IMPRINT_E_ENTRY_NOT_FOUND. */
IMPRINT_MUST_USE enum imprint_error store_entry_get(struct store_txn *txn, uint64_t id,
                                                    struct store_entry *out_entry);
IMPRINT_MUST_USE enum imprint_error store_entry_find(struct store_txn *txn, uint32_t list,
                                                     const struct imprint_hash *hash,
                                                     struct store_entry *out_entry);
/* The entry of this hash in the lowest list above after. */
IMPRINT_MUST_USE enum imprint_error store_entry_find_next(struct store_txn *txn,
                                                          const struct imprint_hash *hash,
                                                          uint32_t after,
                                                          struct store_entry *out_entry);
/* Up to capacity entries of a list (0: any) by id, above after. */
IMPRINT_MUST_USE enum imprint_error store_entries(struct store_txn *txn, uint32_t list,
                                                  uint64_t after, struct store_entry *out_entries,
                                                  size_t capacity, size_t *out_count);
/* Removes all entries of a list and its cases, except withdrawn ones, which stay without a trace of
 * an entry; leaves one change row. removed is called for each entry, after it is gone; what it
 * returns ends the removal unless it is IMPRINT_OK. */
typedef enum imprint_error store_removed_fn(void *ctx, const struct record_entry *entry);
IMPRINT_MUST_USE enum imprint_error store_list_clear(struct store_txn *txn,
                                                     const struct record_list *list,
                                                     store_removed_fn *removed, void *ctx);

/* An entry whose state changes at a time: from disabled to enabled, or by expiry. */
struct store_time {
    int64_t time;
    uint64_t entry;
};
/* Up to capacity of them behind after and up to time until, in order. */
IMPRINT_MUST_USE enum imprint_error store_times(struct store_txn *txn, struct store_time after,
                                                int64_t until, struct store_time *out_times,
                                                size_t capacity, size_t *out_count);

/* --- Cases ----------------------------------------------------------------------------------- */

/* IMPRINT_E_CASE_NOT_FOUND. */
IMPRINT_MUST_USE enum imprint_error store_case_get(struct store_txn *txn,
                                                   const struct record_case_id *id,
                                                   struct record_case *out_case);
/* Inserts or replaces. */
IMPRINT_MUST_USE enum imprint_error store_case_put(struct store_txn *txn,
                                                   const struct record_case *record);
/* Links a case to an entry and counts it there. False in *out_is_new: they were linked. */
IMPRINT_MUST_USE enum imprint_error store_case_link(struct store_txn *txn,
                                                    const struct record_case_id *id,
                                                    struct store_entry *entry, bool *out_is_new);
IMPRINT_MUST_USE enum imprint_error store_case_unlink(struct store_txn *txn,
                                                      const struct record_case_id *id,
                                                      struct store_entry *entry);
/* The lowest entry id above after that the case holds; IMPRINT_E_ENTRY_NOT_FOUND. */
IMPRINT_MUST_USE enum imprint_error store_case_next(struct store_txn *txn,
                                                    const struct record_case_id *id, uint64_t after,
                                                    uint64_t *out_entry);

/* --- Audit and changes ----------------------------------------------------------------------- */

/* Gives record->seq and record->chain. */
IMPRINT_MUST_USE enum imprint_error store_audit_append(struct store_txn *txn,
                                                       struct record_audit *record);
/* Up to capacity records with a seq above after. */
IMPRINT_MUST_USE enum imprint_error store_audit(struct store_txn *txn, uint64_t after,
                                                struct record_audit *out_records, size_t capacity,
                                                size_t *out_count);
/* Proves the chain from the first record to the last; IMPRINT_E_STORE_DAMAGED with the seq of the
 * first record that does not fit. */
IMPRINT_MUST_USE enum imprint_error store_audit_verify(struct store_txn *txn, uint64_t *out_count,
                                                       uint64_t *out_bad_seq);
/* Up to capacity changes with a seq above after. */
IMPRINT_MUST_USE enum imprint_error store_changes(struct store_txn *txn, uint64_t after,
                                                  struct record_change *out_changes,
                                                  size_t capacity, size_t *out_count);

/* --- The file -------------------------------------------------------------------------------- */

/* Writes the list afresh and puts it in the place of the old file, which is overwritten and
 * removed: after this no removed record is left in any file. Between transactions of this thread;
 * no other thread may write meanwhile, readers may. */
IMPRINT_MUST_USE enum imprint_error store_compact(struct store *store);

/* Writes the list, as it is at this moment and without anything removed, into a new file of mode
 * 0600, and verifies that file. IMPRINT_E_IO when path exists. */
IMPRINT_MUST_USE enum imprint_error store_backup(struct store *store, const char *path);

/* Bytes of the file on disk, and how many of them pages in use take. */
void store_size(struct store *store, uint64_t *out_file_bytes, uint64_t *out_used_bytes);

#endif
