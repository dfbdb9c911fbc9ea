/* catalog_internal.h - what the files of catalog share: the table of lists that queries read, the
 * queue in which changes share a commit, the loader.
 *
 * Locks, in the order in which they are taken: queue, writer, table. The writer lock makes one
 * thread at a time the one that changes store and index; queries take the table lock alone, for the
 * length of a pointer copy.
 */
#ifndef DAEMON_CATALOG_INTERNAL_H
#define DAEMON_CATALOG_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "catalog.h"
#include "index.h"
#include "store.h"

/* Numbers by which the index knows lists. One is used again only when all were used once, so that a
 * query with an older table cannot take a new list for the one that had its number. */
#define CATALOG_SLOTS_MAX UINT16_MAX

/* --- Lists as queries see them ---------------------------------------------------------------- */

struct catalog_slot {
    uint32_t list; /* 0: nobody's */
    enum record_list_state state;
    enum record_list_kind kind;
    char name[LIMIT_LIST_NAME_BYTES_MAX + 1];
    char action[LIMIT_ACTION_BYTES_MAX + 1];
};

/* Never changes while more than its writer can see it. */
struct catalog_table {
    unsigned refs; /* under table_lock */
    size_t count;
    size_t capacity;
    uint8_t *thresholds; /* by slot; INDEX_LIST_OFF for lists that are off or benign */
    struct catalog_slot *slots;
};

struct catalog_table *catalog_table_new(size_t capacity);
void catalog_table_free(struct catalog_table *table);
/* Sets, adds or (remove) empties the slot of a list. There must be room for one more. */
void catalog_table_set(struct catalog_table *table, const struct record_list *list);
void catalog_table_remove(struct catalog_table *table, uint32_t list);
void catalog_table_copy(struct catalog_table *to, const struct catalog_table *from);
/* UINT16_MAX when the list is not in the table. */
uint16_t catalog_table_slot(const struct catalog_table *table, uint32_t list);

/* --- Changes ---------------------------------------------------------------------------------- */

struct catalog_edit {
    bool is_add;
    uint64_t entry;
    uint32_t list;
    struct imprint_hash hash;
};

struct catalog_work;
/* Runs in a writing transaction, perhaps more than once: it starts from nothing each time, and
 * checks what can fail before its first write. */
typedef enum imprint_error catalog_apply_fn(struct catalog *catalog, struct store_txn *txn,
                                            struct catalog_work *work);

/* One caller's change on its way through the queue. */
struct catalog_work {
    catalog_apply_fn *apply;
    void *args;
    const struct catalog_actor *actor;
    size_t bytes; /* it may add on disk; 0 for removals, which a full disk must not stop */

    struct catalog_edit *edits; /* of the index, in order */
    size_t edit_count;
    size_t edit_capacity;
    struct record_list list; /* the list as it is from now on */
    bool sets_list;
    bool removes_list;

    enum imprint_error result;
    bool is_failed;
    bool is_done;
    struct catalog_work *next;
};

/* Queues the change and waits until it is durable and visible, or has failed. */
enum imprint_error catalog_commit(struct catalog *catalog, struct catalog_work *work);
/* For apply: notes what the index has to do after the commit. IMPRINT_E_NOMEM. */
enum imprint_error catalog_edit_room(struct catalog_work *work, size_t count);
void catalog_edit(struct catalog_work *work, bool is_add, const struct record_entry *entry);
/* For apply, before its first write: makes sure that adds can be published. */
enum imprint_error catalog_reserve_adds(struct catalog *catalog, size_t count);
enum imprint_error catalog_reserve_table(struct catalog *catalog);
/* For apply: the change's audit record; seq, time, uid and reason are filled in. */
enum imprint_error catalog_note(struct catalog *catalog, struct store_txn *txn,
                                const struct catalog_work *work, struct record_audit record);
/* Whether queries find the entry at the time the index stands at. */
bool catalog_is_matchable(const struct record_entry *entry, int64_t now);
/* Brings the index up to the edits of a change; with the writer lock, cannot fail. */
void catalog_edits_publish(struct catalog *catalog, const struct catalog_table *table,
                           const struct catalog_work *work);
void catalog_totals_publish(struct catalog *catalog, const struct store_totals *totals);

/* For apply: a hash that is not in the list yet, one that is (it may stay longer now), and one that
 * leaves. Room for the edit of a new one is the caller's to have made. */
enum imprint_error catalog_hold_new(struct catalog *catalog, struct store_txn *txn,
                                    struct catalog_work *work, const struct record_list *list,
                                    const struct record_entry *spec, bool is_direct,
                                    struct store_entry *out_entry);
enum imprint_error catalog_hold_again(struct catalog *catalog, struct store_txn *txn,
                                      struct catalog_work *work, const struct record_list *list,
                                      const struct record_entry *spec, bool is_direct,
                                      struct store_entry *entry);
enum imprint_error catalog_drop(struct catalog *catalog, struct store_txn *txn,
                                struct catalog_work *work, const struct store_entry *entry);
/* Whether a list takes the hash: quality, times, note. */
bool catalog_is_spec(const struct record_list *list, const struct record_entry *spec);

/* --- The catalog ------------------------------------------------------------------------------ */

enum catalog_phase { CATALOG_LOADING, CATALOG_READY, CATALOG_FAILED };

/* Shared with the process that verifies the list. */
struct catalog_load_shared {
    _Atomic double progress;
    atomic_bool is_cancelled;
};

struct catalog {
    struct store *store;
    struct index *index;
    catalog_now_fn *now;
    void *now_ctx;
    bool has_own_clock; /* then nobody ticks but the caller */

    pthread_mutex_t phase_lock;
    pthread_cond_t phase_changed;
    atomic_int phase; /* enum catalog_phase */
    enum imprint_error load_error;
    struct catalog_load_shared *load;
    double load_seconds;

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_changed;
    struct catalog_work *queue_head;
    struct catalog_work **queue_tail;
    size_t queue_count;
    bool has_leader;

    pthread_mutex_t writer;
    int64_t swept;      /* the time the index stands at */
    size_t batch_adds;  /* reserved in the index by the batch that is running */
    size_t batch_lists; /* reserved in the spare table by it */
    struct catalog_table *spare;

    pthread_mutex_t table_lock;
    struct catalog_table *table;

    pthread_mutex_t threads_lock;
    pthread_cond_t threads_wake; /* on the monotonic clock */
    bool is_closing;
    bool wants_merge;
    pthread_t loader;
    pthread_t keeper;
    pthread_t merger;
    unsigned thread_count; /* of loader, keeper, merger, in this order */

    atomic_uint_fast64_t seq;
    atomic_uint_fast64_t entries;
    atomic_uint_fast32_t lists;
    atomic_uint_fast64_t changes;
    atomic_uint_fast64_t commits;
    atomic_uint_fast64_t merges;
    char epoch[33];
    atomic_uint_fast64_t *matches;     /* by slot */
    atomic_uint_fast64_t *shadow_hits; /* by slot */
};

/* IMPRINT_OK when the list is in memory; otherwise what to answer. */
enum imprint_error catalog_ready(struct catalog *catalog);
void *catalog_load_thread(void *catalog);
struct catalog_table *catalog_table_acquire(struct catalog *catalog);
void catalog_table_release(struct catalog *catalog, struct catalog_table *table);
/* Begins reading when the list is in memory. */
enum imprint_error catalog_begin_read(struct catalog *catalog, struct store_txn **out_txn);
/* Wakes the merge thread when the index asks for it. */
void catalog_consider_merge(struct catalog *catalog);

#endif
