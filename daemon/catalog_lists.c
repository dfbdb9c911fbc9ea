/* Lists: create, change, delete, read. */
#include <stdlib.h>

#include "catalog_internal.h"

/* Disk a list takes, with its audit record. */
#define LIST_BYTES 4096

struct list_args {
    const char *name;
    const struct record_list *spec;
    struct record_list list;
};

struct record_list catalog_list_default(void)
{
    struct record_list list = {.state = RECORD_LIST_ACTIVE,
                               .kind = RECORD_LIST_BLOCK,
                               .threshold = LIMIT_THRESHOLD_DEFAULT,
                               .quality_floor = IMPRINT_QUALITY_FLOOR,
                               .action = "block"};
    return list;
}

static bool is_name(const char *name)
{
    size_t len = strnlen(name, LIMIT_LIST_NAME_BYTES_MAX + 1);
    if (len == 0 || len > LIMIT_LIST_NAME_BYTES_MAX) {
        return false;
    }
    size_t fitting = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    return fitting == len && strchr("._-", name[0]) == NULL;
}

#define IS_TERMINATED(array) (memchr((array), '\0', sizeof(array)) != NULL)

static bool is_list(const struct record_list *list)
{
    return list->threshold <= LIMIT_THRESHOLD_MAX && list->quality_floor <= IMPRINT_QUALITY_MAX &&
           list->state >= RECORD_LIST_ACTIVE && list->state <= RECORD_LIST_OFF &&
           list->kind >= RECORD_LIST_BLOCK && list->kind <= RECORD_LIST_BENIGN &&
           list->expiry_days <= LIMIT_EXPIRY_DAYS_MAX && IS_TERMINATED(list->note) &&
           IS_TERMINATED(list->source) && IS_TERMINATED(list->action);
}

static enum imprint_error run(struct catalog *catalog, const struct catalog_actor *actor,
                              catalog_apply_fn *apply, struct list_args *args, size_t bytes,
                              struct record_list *out_list)
{
    struct catalog_work work = {.apply = apply, .args = args, .actor = actor, .bytes = bytes};
    enum imprint_error error = catalog_commit(catalog, &work);
    if (error == IMPRINT_OK && out_list != NULL) {
        *out_list = args->list;
    }
    return error;
}

static enum imprint_error apply_create(struct catalog *catalog, struct store_txn *txn,
                                       struct catalog_work *work)
{
    struct list_args *args = work->args;
    args->list = *args->spec;
    args->list.created = catalog->now(catalog->now_ctx);
    struct record_list other;
    enum imprint_error error = store_list_find(txn, args->list.name, &other);
    if (error != IMPRINT_E_LIST_NOT_FOUND) {
        return error == IMPRINT_OK ? IMPRINT_E_LIST_EXISTS : error;
    }
    if (store_totals(txn).lists >= LIMIT_LISTS_MAX) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    error = catalog_reserve_table(catalog);
    if (error == IMPRINT_OK) {
        error = store_list_insert(txn, &args->list);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    work->list = args->list;
    work->sets_list = true;
    return catalog_note(
        catalog, txn, work,
        (struct record_audit){.verb = RECORD_VERB_LIST_CREATE, .list = args->list.id});
}

enum imprint_error catalog_list_create(struct catalog *catalog, const struct catalog_actor *actor,
                                       const struct record_list *spec, struct record_list *out_list)
{
    if (!is_name(spec->name) || !is_list(spec)) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    struct list_args args = {.spec = spec};
    return run(catalog, actor, apply_create, &args, LIST_BYTES, out_list);
}

static enum imprint_error apply_change(struct catalog *catalog, struct store_txn *txn,
                                       struct catalog_work *work)
{
    struct list_args *args = work->args;
    struct record_list old;
    enum imprint_error error = store_list_find(txn, args->name, &old);
    if (error == IMPRINT_OK) {
        error = catalog_reserve_table(catalog);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    args->list = *args->spec;
    args->list.id = old.id;
    args->list.created = old.created;
    args->list.entries = old.entries;
    memcpy(args->list.name, old.name, sizeof old.name);
    error = store_list_update(txn, &args->list);
    if (error != IMPRINT_OK) {
        return error;
    }
    work->list = args->list;
    work->sets_list = true;
    return catalog_note(catalog, txn, work,
                        (struct record_audit){.verb = RECORD_VERB_LIST_CHANGE, .list = old.id});
}

enum imprint_error catalog_list_change(struct catalog *catalog, const struct catalog_actor *actor,
                                       const char *name, const struct record_list *spec,
                                       struct record_list *out_list)
{
    if (!is_list(spec)) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    struct list_args args = {.name = name, .spec = spec};
    return run(catalog, actor, apply_change, &args, LIST_BYTES, out_list);
}

static enum imprint_error note_removed(void *ctx, const struct record_entry *entry)
{
    struct catalog_work *work = ctx;
    enum imprint_error error = catalog_edit_room(work, 1);
    if (error == IMPRINT_OK) {
        catalog_edit(work, false, entry);
    }
    return error;
}

static enum imprint_error apply_delete(struct catalog *catalog, struct store_txn *txn,
                                       struct catalog_work *work)
{
    struct list_args *args = work->args;
    enum imprint_error error = store_list_find(txn, args->name, &args->list);
    if (error == IMPRINT_OK) {
        error = catalog_reserve_table(catalog);
    }
    if (error == IMPRINT_OK) {
        error = store_list_clear(txn, &args->list, note_removed, work);
    }
    if (error == IMPRINT_OK) {
        error = store_list_remove(txn, &args->list);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    work->list = args->list;
    work->removes_list = true;
    return catalog_note(catalog, txn, work,
                        (struct record_audit){.verb = RECORD_VERB_LIST_DELETE,
                                              .list = args->list.id,
                                              .count = args->list.entries});
}

enum imprint_error catalog_list_delete(struct catalog *catalog, const struct catalog_actor *actor,
                                       const char *name)
{
    struct list_args args = {.name = name};
    return run(catalog, actor, apply_delete, &args, 0, NULL);
}

enum imprint_error catalog_list_get(struct catalog *catalog, const char *name,
                                    struct record_list *out_list)
{
    struct store_txn *txn;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error == IMPRINT_OK) {
        error = store_list_find(txn, name, out_list);
        store_abort(txn);
    }
    return error;
}

enum imprint_error catalog_lists(struct catalog *catalog, uint32_t after,
                                 struct record_list *out_lists, size_t capacity, size_t *out_count)
{
    struct store_txn *txn;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error != IMPRINT_OK) {
        return error;
    }
    size_t count = 0;
    while (count < capacity && error == IMPRINT_OK) {
        error = store_list_next(txn, after, &out_lists[count]);
        if (error == IMPRINT_OK) {
            after = out_lists[count++].id;
        }
    }
    store_abort(txn);
    if (error != IMPRINT_OK && error != IMPRINT_E_LIST_NOT_FOUND) {
        return error;
    }
    *out_count = count;
    return IMPRINT_OK;
}
