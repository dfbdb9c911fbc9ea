#include "fake_rooms.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct fake_rooms fake;

static void take_reason(const struct catalog_actor *actor)
{
    (void)snprintf(fake.reason, sizeof fake.reason, "%s",
                   actor->reason == NULL ? "" : actor->reason);
}

struct record_list catalog_list_default(void)
{
    return (struct record_list){.state = RECORD_LIST_ACTIVE,
                                .kind = RECORD_LIST_BLOCK,
                                .threshold = 31,
                                .quality_floor = 50,
                                .action = "block"};
}

void catalog_status(const struct catalog *catalog, struct catalog_status *out_status)
{
    (void)catalog;
    *out_status = (struct catalog_status){
        .is_ready = fake.is_ready, .progress = 0.5, .entries = 3, .lists = 1, .seq = 7};
    (void)snprintf(out_status->epoch, sizeof out_status->epoch, "abc");
}

enum imprint_error catalog_match(struct catalog *catalog, const struct imprint_view *views,
                                 size_t count, const char *lists,
                                 struct catalog_matches *out_matches)
{
    (void)catalog;
    (void)views;
    fake.views_asked = count;
    (void)snprintf(fake.lists_asked, sizeof fake.lists_asked, "%s", lists == NULL ? "-" : lists);
    if (fake.error == IMPRINT_OK) {
        out_matches->items = calloc(fake.match_count + 1, sizeof *out_matches->items);
        for (size_t i = 0; i < fake.match_count; i++) {
            out_matches->items[i] = fake.match;
        }
        out_matches->count = fake.match_count;
        out_matches->seq = 7;
    }
    return fake.error;
}

void catalog_matches_done(struct catalog_matches *matches)
{
    free(matches->items);
}

enum imprint_error catalog_list_create(struct catalog *catalog, const struct catalog_actor *actor,
                                       const struct record_list *spec, struct record_list *out_list)
{
    (void)catalog;
    take_reason(actor);
    *out_list = *spec;
    out_list->id = 4;
    return fake.error;
}

enum imprint_error catalog_list_get(struct catalog *catalog, const char *name,
                                    struct record_list *out_list)
{
    (void)catalog;
    *out_list = catalog_list_default();
    out_list->id = 4;
    (void)snprintf(out_list->name, sizeof out_list->name, "%s", name);
    return fake.error;
}

enum imprint_error catalog_list_change(struct catalog *catalog, const struct catalog_actor *actor,
                                       const char *name, const struct record_list *spec,
                                       struct record_list *out_list)
{
    (void)catalog;
    take_reason(actor);
    (void)name;
    *out_list = *spec;
    return fake.error;
}

enum imprint_error catalog_list_delete(struct catalog *catalog, const struct catalog_actor *actor,
                                       const char *name)
{
    (void)catalog;
    take_reason(actor);
    (void)name;
    return fake.error;
}

enum imprint_error catalog_lists(struct catalog *catalog, uint32_t after,
                                 struct record_list *out_lists, size_t capacity, size_t *out_count)
{
    *out_count = 0;
    if (after < 4 && capacity > 0) {
        *out_count = 1;
        return catalog_list_get(catalog, "ncii", out_lists);
    }
    return fake.error;
}

enum imprint_error catalog_entries_add(struct catalog *catalog, const struct catalog_actor *actor,
                                       const char *list, const struct record_entry *specs,
                                       size_t count, struct record_entry *out_entries,
                                       enum catalog_added *out_added)
{
    (void)catalog;
    take_reason(actor);
    (void)list;
    if (fake.error != IMPRINT_OK) {
        return fake.error;
    }
    for (size_t i = 0; i < count; i++) {
        if (out_entries != NULL) {
            out_entries[i] = specs[i];
            out_entries[i].id = 17;
            out_entries[i].list = 4;
        }
        if (out_added != NULL) {
            out_added[i] = CATALOG_ADDED_NEW;
        }
    }
    fake.added += count;
    return IMPRINT_OK;
}

enum imprint_error catalog_entry_get(struct catalog *catalog, uint64_t id,
                                     struct record_entry *out_entry)
{
    (void)catalog;
    *out_entry =
        (struct record_entry){.id = id, .list = 4, .quality = RECORD_QUALITY_UNKNOWN, .added = 9};
    return fake.error;
}

enum imprint_error catalog_entry_find(struct catalog *catalog, const struct imprint_hash *hash,
                                      struct record_entry *out_entries, size_t capacity,
                                      size_t *out_count)
{
    (void)hash;
    assert(capacity > 0);
    *out_count = 1;
    return catalog_entry_get(catalog, 17, out_entries);
}

enum imprint_error catalog_entry_change(struct catalog *catalog, const struct catalog_actor *actor,
                                        uint64_t id, const struct record_entry *spec,
                                        struct record_entry *out_entry)
{
    (void)catalog;
    take_reason(actor);
    *out_entry = *spec;
    out_entry->id = id;
    return fake.error;
}

enum imprint_error catalog_entry_remove(struct catalog *catalog, const struct catalog_actor *actor,
                                        uint64_t id)
{
    (void)catalog;
    take_reason(actor);
    (void)id;
    return fake.error;
}

enum imprint_error catalog_entries(struct catalog *catalog, uint32_t list, uint64_t after,
                                   struct record_entry *out_entries, size_t capacity,
                                   size_t *out_count)
{
    (void)list;
    *out_count = 0;
    for (uint64_t id = after + 1; id <= 5 && *out_count < capacity; id++) {
        enum imprint_error error = catalog_entry_get(catalog, id, &out_entries[(*out_count)++]);
        assert(error == fake.error);
    }
    return fake.error;
}

enum imprint_error catalog_case_accept(struct catalog *catalog, const struct catalog_actor *actor,
                                       const char *list, const struct record_case *spec,
                                       const struct record_entry *items, size_t count,
                                       struct record_case *out_case, bool *out_is_new)
{
    (void)catalog;
    take_reason(actor);
    (void)list;
    (void)items;
    *out_case = *spec;
    out_case->state = RECORD_CASE_ACTIVE;
    out_case->list = 4;
    out_case->items = (uint32_t)count;
    *out_is_new = true;
    return fake.error;
}

enum imprint_error catalog_case_get(struct catalog *catalog, const struct record_case_id *id,
                                    struct record_case *out_case)
{
    (void)catalog;
    *out_case = (struct record_case){.id = *id, .state = RECORD_CASE_ACTIVE, .list = 4};
    return fake.error;
}

enum imprint_error catalog_case_withdraw(struct catalog *catalog, const struct catalog_actor *actor,
                                         const struct record_case_id *id,
                                         struct record_case *out_case)
{
    (void)catalog;
    take_reason(actor);
    *out_case = (struct record_case){.id = *id, .state = RECORD_CASE_WITHDRAWN, .list = 4};
    return fake.error;
}

enum imprint_error pool_submit(struct pool *pool, const struct pool_job *job)
{
    (void)pool;
    fake.job_len = job->len;
    if (fake.submit_error == IMPRINT_OK) {
        job->done(job->ctx, &fake.answer);
    }
    return fake.submit_error;
}

void pool_stats(const struct pool *pool, struct pool_stats *out_stats)
{
    (void)pool;
    *out_stats = (struct pool_stats){.workers = 2, .timeouts = 5};
}

enum imprint_error catalog_audit(struct catalog *catalog, uint64_t after,
                                 struct record_audit *out_records, size_t capacity,
                                 size_t *out_count)
{
    (void)catalog;
    assert(capacity > 0);
    *out_count = after < 7 ? 1 : 0;
    out_records[0] = (struct record_audit){
        .seq = 7, .time = 9, .uid = 1000, .verb = RECORD_VERB_ENTRY_REMOVE, .entry = 17};
    return fake.error;
}

enum imprint_error catalog_audit_verify(struct catalog *catalog, uint64_t *out_count,
                                        uint64_t *out_bad_seq)
{
    (void)catalog;
    *out_count = 3;
    *out_bad_seq = 4;
    return fake.error;
}

enum imprint_error catalog_changes(struct catalog *catalog, uint64_t after,
                                   struct catalog_change *out_changes, size_t capacity,
                                   size_t *out_count)
{
    (void)after;
    assert(capacity >= 3);
    *out_count = 3;
    out_changes[0].change = (struct record_change){5, RECORD_CHANGE_PUT, 4, 17};
    enum imprint_error error = catalog_entry_get(catalog, 17, &out_changes[0].entry);
    assert(error == fake.error);
    out_changes[1].change = (struct record_change){6, RECORD_CHANGE_REMOVED, 4, 18};
    out_changes[2].change = (struct record_change){7, RECORD_CHANGE_LIST_REMOVED, 3, 0};
    return fake.error;
}

enum imprint_error catalog_compact(struct catalog *catalog, const struct catalog_actor *actor)
{
    (void)catalog;
    take_reason(actor);
    return fake.error;
}

enum imprint_error catalog_backup(struct catalog *catalog, const char *path)
{
    (void)catalog;
    (void)path;
    return fake.error;
}

void catalog_stats(struct catalog *catalog, struct catalog_stats *out_stats)
{
    (void)catalog;
    *out_stats = (struct catalog_stats){.file_bytes = 4096};
}
