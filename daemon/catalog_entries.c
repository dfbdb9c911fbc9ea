/* Entries: add, change, remove, read. */
#include <stdlib.h>

#include "catalog_internal.h"

/* Disk an entry takes at most: its record with a note, its place by hash, its times, its change
 * row, and as much again for pages that are half full. */
#define ENTRY_BYTES 1024

/* --- Holding: what adds and cases have in common ------------------------------------------------
 */

static int64_t expiry_of(const struct record_list *list, const struct record_entry *spec,
                         int64_t now)
{
    if (spec->expires != 0 || list->expiry_days == 0) {
        return spec->expires;
    }
    return now + (int64_t)list->expiry_days * 86400;
}

/* The later of two expiries; 0 is never. */
static int64_t later_expiry(int64_t a, int64_t b)
{
    return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

/* What the index has to do when an entry goes from old to next. */
static enum imprint_error edit_change(struct catalog *catalog, struct catalog_work *work,
                                      const struct record_entry *old,
                                      const struct record_entry *next)
{
    bool was = catalog_is_matchable(old, catalog->swept);
    bool is = catalog_is_matchable(next, catalog->swept);
    if (was == is) {
        return IMPRINT_OK;
    }
    enum imprint_error error = catalog_edit_room(work, 1);
    if (error == IMPRINT_OK && is) {
        error = catalog_reserve_adds(catalog, 1);
    }
    if (error == IMPRINT_OK) {
        catalog_edit(work, is, next);
    }
    return error;
}

enum imprint_error catalog_hold_new(struct catalog *catalog, struct store_txn *txn,
                                    struct catalog_work *work, const struct record_list *list,
                                    const struct record_entry *spec, bool is_direct,
                                    struct store_entry *out_entry)
{
    int64_t now = catalog->now(catalog->now_ctx);
    struct store_entry entry = {.is_direct = is_direct};
    entry.record.list = list->id;
    entry.record.hash = spec->hash;
    entry.record.quality = spec->quality;
    entry.record.actor = work->actor->uid;
    entry.record.added = now;
    entry.record.disabled_until = spec->disabled_until;
    entry.record.expires = expiry_of(list, spec, now);
    memcpy(entry.record.note, spec->note, sizeof entry.record.note);
    enum imprint_error error = store_entry_insert(txn, &entry);
    if (error == IMPRINT_OK && catalog_is_matchable(&entry.record, catalog->swept)) {
        catalog_edit(work, true, &entry.record);
    }
    *out_entry = entry;
    return error;
}

enum imprint_error catalog_hold_again(struct catalog *catalog, struct store_txn *txn,
                                      struct catalog_work *work, const struct record_list *list,
                                      const struct record_entry *spec, bool is_direct,
                                      struct store_entry *entry)
{
    struct store_entry old = *entry;
    int64_t asked = expiry_of(list, spec, catalog->now(catalog->now_ctx));
    entry->is_direct = old.is_direct || is_direct;
    entry->record.expires = later_expiry(old.record.expires, asked);
    if (entry->is_direct == old.is_direct && entry->record.expires == old.record.expires) {
        return IMPRINT_OK;
    }
    enum imprint_error error = edit_change(catalog, work, &old.record, &entry->record);
    return error != IMPRINT_OK ? error : store_entry_update(txn, &old, entry);
}

bool catalog_is_spec(const struct record_list *list, const struct record_entry *spec)
{
    bool is_quality =
        spec->quality == RECORD_QUALITY_UNKNOWN ||
        (spec->quality <= IMPRINT_QUALITY_MAX && spec->quality >= list->quality_floor);
    return is_quality && spec->expires >= 0 && spec->disabled_until >= 0 &&
           memchr(spec->note, '\0', sizeof spec->note) != NULL;
}

/* --- Adding --------------------------------------------------------------------------------------
 */

struct add_args {
    const char *list;
    const struct record_entry *specs;
    size_t count;
    struct record_entry *out_entries;
    enum catalog_added *out_added;
};

static enum imprint_error add_one(struct catalog *catalog, struct store_txn *txn,
                                  struct catalog_work *work, const struct record_list *list,
                                  size_t i, struct store_entry *out_entry, bool *out_is_new)
{
    const struct add_args *args = work->args;
    const struct record_entry *spec = &args->specs[i];
    enum imprint_error error = store_entry_find(txn, list->id, &spec->hash, out_entry);
    *out_is_new = error == IMPRINT_E_ENTRY_NOT_FOUND;
    if (*out_is_new) {
        error = catalog_hold_new(catalog, txn, work, list, spec, true, out_entry);
    } else if (error == IMPRINT_OK) {
        error = catalog_hold_again(catalog, txn, work, list, spec, true, out_entry);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    if (args->out_entries != NULL) {
        args->out_entries[i] = out_entry->record;
    }
    if (args->out_added != NULL) {
        args->out_added[i] = *out_is_new ? CATALOG_ADDED_NEW : CATALOG_ADDED_DUPLICATE;
    }
    return IMPRINT_OK;
}

static enum imprint_error add_all(struct catalog *catalog, struct store_txn *txn,
                                  struct catalog_work *work, const struct record_list *list)
{
    const struct add_args *args = work->args;
    uint64_t writes = store_writes(txn);
    uint64_t first = 0;
    uint64_t count = 0;
    for (size_t i = 0; i < args->count; i++) {
        struct store_entry entry;
        bool is_new;
        enum imprint_error error = add_one(catalog, txn, work, list, i, &entry, &is_new);
        if (error != IMPRINT_OK) {
            return error;
        }
        first = first == 0 && is_new ? entry.record.id : first;
        count += is_new;
    }
    if (store_writes(txn) == writes) {
        return IMPRINT_OK; /* nothing was changed */
    }
    return catalog_note(
        catalog, txn, work,
        (struct record_audit){
            .verb = RECORD_VERB_ENTRIES_ADD, .list = list->id, .entry = first, .count = count});
}

static enum imprint_error apply_add(struct catalog *catalog, struct store_txn *txn,
                                    struct catalog_work *work)
{
    const struct add_args *args = work->args;
    struct record_list list;
    enum imprint_error error = store_list_find(txn, args->list, &list);
    for (size_t i = 0; i < args->count && error == IMPRINT_OK; i++) {
        if (!catalog_is_spec(&list, &args->specs[i])) {
            error = IMPRINT_E_PARAMETER_INVALID;
        }
    }
    if (error == IMPRINT_OK) {
        error = catalog_edit_room(work, args->count);
    }
    if (error == IMPRINT_OK) {
        error = catalog_reserve_adds(catalog, args->count);
    }
    return error != IMPRINT_OK ? error : add_all(catalog, txn, work, &list);
}

enum imprint_error catalog_entries_add(struct catalog *catalog, const struct catalog_actor *actor,
                                       const char *list, const struct record_entry *specs,
                                       size_t count, struct record_entry *out_entries,
                                       enum catalog_added *out_added)
{
    if (count == 0 || count > LIMIT_ENTRIES_ADD_MAX) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    struct add_args args = {list, specs, count, out_entries, out_added};
    struct catalog_work work = {
        .apply = apply_add, .args = &args, .actor = actor, .bytes = count * ENTRY_BYTES + 4096};
    return catalog_commit(catalog, &work);
}

/* --- Changing and removing -----------------------------------------------------------------------
 */

struct entry_args {
    uint64_t id;
    const struct record_entry *spec;
    struct record_entry *out_entry;
};

static enum imprint_error apply_change(struct catalog *catalog, struct store_txn *txn,
                                       struct catalog_work *work)
{
    const struct entry_args *args = work->args;
    struct store_entry old;
    enum imprint_error error = store_entry_get(txn, args->id, &old);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct store_entry next = old;
    next.record.disabled_until = args->spec->disabled_until;
    next.record.expires = args->spec->expires;
    memcpy(next.record.note, args->spec->note, sizeof next.record.note);
    error = edit_change(catalog, work, &old.record, &next.record);
    if (error == IMPRINT_OK) {
        error = store_entry_update(txn, &old, &next);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    *args->out_entry = next.record;
    return catalog_note(catalog, txn, work,
                        (struct record_audit){.verb = RECORD_VERB_ENTRY_CHANGE,
                                              .list = next.record.list,
                                              .entry = args->id,
                                              .count = 1});
}

enum imprint_error catalog_entry_change(struct catalog *catalog, const struct catalog_actor *actor,
                                        uint64_t id, const struct record_entry *spec,
                                        struct record_entry *out_entry)
{
    if (spec->expires < 0 || spec->disabled_until < 0 ||
        memchr(spec->note, '\0', sizeof spec->note) == NULL) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    struct record_entry entry;
    struct entry_args args = {id, spec, &entry};
    struct catalog_work work = {
        .apply = apply_change, .args = &args, .actor = actor, .bytes = ENTRY_BYTES};
    enum imprint_error error = catalog_commit(catalog, &work);
    if (error == IMPRINT_OK && out_entry != NULL) {
        *out_entry = entry;
    }
    return error;
}

enum imprint_error catalog_drop(struct catalog *catalog, struct store_txn *txn,
                                struct catalog_work *work, const struct store_entry *entry)
{
    (void)catalog;
    enum imprint_error error = catalog_edit_room(work, 1);
    if (error == IMPRINT_OK) {
        error = store_entry_remove(txn, entry);
    }
    if (error == IMPRINT_OK) {
        catalog_edit(work, false, &entry->record);
    }
    return error;
}

static enum imprint_error apply_remove(struct catalog *catalog, struct store_txn *txn,
                                       struct catalog_work *work)
{
    const struct entry_args *args = work->args;
    struct store_entry entry;
    enum imprint_error error = store_entry_get(txn, args->id, &entry);
    if (error == IMPRINT_OK) {
        error = catalog_drop(catalog, txn, work, &entry);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    return catalog_note(catalog, txn, work,
                        (struct record_audit){.verb = RECORD_VERB_ENTRY_REMOVE,
                                              .list = entry.record.list,
                                              .entry = args->id,
                                              .count = 1});
}

enum imprint_error catalog_entry_remove(struct catalog *catalog, const struct catalog_actor *actor,
                                        uint64_t id)
{
    struct entry_args args = {.id = id};
    struct catalog_work work = {.apply = apply_remove, .args = &args, .actor = actor};
    return catalog_commit(catalog, &work);
}

/* --- Reading -------------------------------------------------------------------------------------
 */

enum imprint_error catalog_entry_get(struct catalog *catalog, uint64_t id,
                                     struct record_entry *out_entry)
{
    struct store_txn *txn;
    struct store_entry entry;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error != IMPRINT_OK) {
        return error;
    }
    error = store_entry_get(txn, id, &entry);
    store_abort(txn);
    if (error == IMPRINT_OK) {
        *out_entry = entry.record;
    }
    return error;
}

enum imprint_error catalog_entry_find(struct catalog *catalog, const struct imprint_hash *hash,
                                      struct record_entry *out_entries, size_t capacity,
                                      size_t *out_count)
{
    struct store_txn *txn;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error != IMPRINT_OK) {
        return error;
    }
    size_t count = 0;
    uint32_t after = 0;
    while (count < capacity && error == IMPRINT_OK) {
        struct store_entry entry;
        error = store_entry_find_next(txn, hash, after, &entry);
        if (error == IMPRINT_OK) {
            after = entry.record.list;
            out_entries[count++] = entry.record;
        }
    }
    store_abort(txn);
    if (error != IMPRINT_OK && error != IMPRINT_E_ENTRY_NOT_FOUND) {
        return error;
    }
    *out_count = count;
    return IMPRINT_OK;
}

enum imprint_error catalog_entries(struct catalog *catalog, uint32_t list, uint64_t after,
                                   struct record_entry *out_entries, size_t capacity,
                                   size_t *out_count)
{
    enum { PAGE = 64 };
    struct store_entry entries[PAGE];
    struct store_txn *txn;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error != IMPRINT_OK) {
        return error;
    }
    size_t total = 0;
    size_t count = PAGE;
    while (total < capacity && count == PAGE && error == IMPRINT_OK) {
        size_t wanted = capacity - total < PAGE ? capacity - total : PAGE;
        error = store_entries(txn, list, after, entries, wanted, &count);
        for (size_t i = 0; i < count; i++) {
            out_entries[total++] = entries[i].record;
            after = entries[i].record.id;
        }
    }
    store_abort(txn);
    if (error == IMPRINT_OK) {
        *out_count = total;
    }
    return error;
}
