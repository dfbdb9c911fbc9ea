/* Cases: reports as accepted, and their withdrawal. */
#include <stdlib.h>

#include "catalog_internal.h"

/* Disk an item of a case takes at most: its entry and two links; and the case itself. */
#define ITEM_BYTES 1280
#define CASE_BYTES 4096

struct case_args {
    const char *list;
    const struct record_case *spec;
    const struct record_entry *items;
    size_t count;
    struct record_case record;
    bool is_new;
};

static bool has_verifiers_of(const struct record_case *a, const struct record_case *b)
{
    return memcmp(a->status_verifier, b->status_verifier, sizeof a->status_verifier) == 0 &&
           memcmp(a->withdraw_verifier, b->withdraw_verifier, sizeof a->withdraw_verifier) == 0 &&
           memcmp(a->append_verifier, b->append_verifier, sizeof a->append_verifier) == 0;
}

/* Of an item only these count; the rest comes from the list. */
static struct record_entry item_spec(const struct record_entry *item)
{
    return (struct record_entry){.hash = item->hash, .quality = item->quality};
}

static enum imprint_error accept_item(struct catalog *catalog, struct store_txn *txn,
                                      struct catalog_work *work, const struct record_list *list,
                                      const struct record_entry *item)
{
    const struct case_args *args = work->args;
    const struct record_entry spec = item_spec(item);
    struct store_entry entry;
    enum imprint_error error = store_entry_find(txn, list->id, &spec.hash, &entry);
    if (error == IMPRINT_E_ENTRY_NOT_FOUND) {
        error = catalog_hold_new(catalog, txn, work, list, &spec, false, &entry);
    } else if (error == IMPRINT_OK) {
        error = catalog_hold_again(catalog, txn, work, list, &spec, false, &entry);
    }
    bool is_new;
    return error != IMPRINT_OK ? error : store_case_link(txn, &args->spec->id, &entry, &is_new);
}

static enum imprint_error accept_new(struct catalog *catalog, struct store_txn *txn,
                                     struct catalog_work *work, const struct record_list *list)
{
    struct case_args *args = work->args;
    args->record = *args->spec;
    args->record.state = RECORD_CASE_ACTIVE;
    args->record.list = list->id;
    args->record.actor = work->actor->uid;
    args->record.accepted = catalog->now(catalog->now_ctx);
    args->record.withdrawn = 0;
    args->record.items = (uint32_t)args->count;
    args->is_new = true;
    enum imprint_error error = store_case_put(txn, &args->record);
    for (size_t i = 0; i < args->count && error == IMPRINT_OK; i++) {
        error = accept_item(catalog, txn, work, list, &args->items[i]);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    return catalog_note(catalog, txn, work,
                        (struct record_audit){.verb = RECORD_VERB_CASE_ACCEPT,
                                              .list = list->id,
                                              .count = args->count,
                                              .case_id = args->record.id});
}

static enum imprint_error apply_accept(struct catalog *catalog, struct store_txn *txn,
                                       struct catalog_work *work)
{
    struct case_args *args = work->args;
    struct record_list list;
    enum imprint_error error = store_case_get(txn, &args->spec->id, &args->record);
    if (error == IMPRINT_OK) {
        args->is_new = false;
        if (!has_verifiers_of(&args->record, args->spec)) {
            return IMPRINT_E_CASE_CONFLICT;
        }
        return args->record.state == RECORD_CASE_ACTIVE ? IMPRINT_OK : IMPRINT_E_CASE_WITHDRAWN;
    }
    if (error == IMPRINT_E_CASE_NOT_FOUND) {
        error = store_list_find(txn, args->list, &list);
    }
    for (size_t i = 0; i < args->count && error == IMPRINT_OK; i++) {
        const struct record_entry spec = item_spec(&args->items[i]);
        error = catalog_is_spec(&list, &spec) ? IMPRINT_OK : IMPRINT_E_PARAMETER_INVALID;
    }
    if (error == IMPRINT_OK) {
        error = catalog_edit_room(work, args->count);
    }
    if (error == IMPRINT_OK) {
        error = catalog_reserve_adds(catalog, args->count);
    }
    return error != IMPRINT_OK ? error : accept_new(catalog, txn, work, &list);
}

static bool is_zero(const struct record_case_id *id)
{
    static const struct record_case_id zero = {{0}};
    return memcmp(id, &zero, sizeof zero) == 0;
}

enum imprint_error catalog_case_accept(struct catalog *catalog, const struct catalog_actor *actor,
                                       const char *list, const struct record_case *spec,
                                       const struct record_entry *items, size_t count,
                                       struct record_case *out_case, bool *out_is_new)
{
    if (count == 0 || count > LIMIT_CASE_ITEMS_MAX || is_zero(&spec->id)) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    struct case_args args = {.list = list, .spec = spec, .items = items, .count = count};
    struct catalog_work work = {.apply = apply_accept,
                                .args = &args,
                                .actor = actor,
                                .bytes = count * ITEM_BYTES + CASE_BYTES};
    enum imprint_error error = catalog_commit(catalog, &work);
    if (error == IMPRINT_OK) {
        *out_case = args.record;
        *out_is_new = args.is_new;
    }
    return error;
}

enum imprint_error catalog_case_get(struct catalog *catalog, const struct record_case_id *id,
                                    struct record_case *out_case)
{
    struct store_txn *txn;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error == IMPRINT_OK) {
        error = store_case_get(txn, id, out_case);
        store_abort(txn);
    }
    return error;
}

/* --- Withdrawal ----------------------------------------------------------------------------------
 */

/* The case lets go of an entry, which leaves the list unless somebody else holds it. */
static enum imprint_error let_go(struct catalog *catalog, struct store_txn *txn,
                                 struct catalog_work *work, uint64_t id, uint64_t *removed)
{
    const struct case_args *args = work->args;
    struct store_entry entry;
    enum imprint_error error = store_entry_get(txn, id, &entry);
    if (error == IMPRINT_E_ENTRY_NOT_FOUND) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    if (entry.is_direct || entry.cases > 1) {
        return store_case_unlink(txn, &args->spec->id, &entry);
    }
    ++*removed;
    return catalog_drop(catalog, txn, work, &entry);
}

static enum imprint_error apply_withdraw(struct catalog *catalog, struct store_txn *txn,
                                         struct catalog_work *work)
{
    struct case_args *args = work->args;
    enum imprint_error error = store_case_get(txn, &args->spec->id, &args->record);
    if (error != IMPRINT_OK || args->record.state == RECORD_CASE_WITHDRAWN) {
        return error;
    }
    uint64_t entry = 0;
    uint64_t removed = 0;
    while ((error = store_case_next(txn, &args->spec->id, entry, &entry)) == IMPRINT_OK) {
        error = let_go(catalog, txn, work, entry, &removed);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    if (error != IMPRINT_E_ENTRY_NOT_FOUND) {
        return error;
    }
    args->record.state = RECORD_CASE_WITHDRAWN;
    args->record.withdrawn = catalog->now(catalog->now_ctx);
    error = store_case_put(txn, &args->record);
    if (error != IMPRINT_OK) {
        return error;
    }
    return catalog_note(catalog, txn, work,
                        (struct record_audit){.verb = RECORD_VERB_CASE_WITHDRAW,
                                              .list = args->record.list,
                                              .count = removed,
                                              .case_id = args->record.id});
}

enum imprint_error catalog_case_withdraw(struct catalog *catalog, const struct catalog_actor *actor,
                                         const struct record_case_id *id,
                                         struct record_case *out_case)
{
    const struct record_case spec = {.id = *id};
    struct case_args args = {.spec = &spec};
    struct catalog_work work = {.apply = apply_withdraw, .args = &args, .actor = actor};
    enum imprint_error error = catalog_commit(catalog, &work);
    if (error == IMPRINT_OK) {
        *out_case = args.record;
    }
    return error;
}
