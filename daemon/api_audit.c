/* What was done and by whom, what changed since, and the care of the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_impl.h"
#include "report.h"

#define PAGE_DEFAULT   100
#define PATH_BYTES_MAX 1023

static const char *verb_name(enum record_verb verb)
{
    switch (verb) {
    case RECORD_VERB_LIST_CREATE: return "list_create";
    case RECORD_VERB_LIST_CHANGE: return "list_change";
    case RECORD_VERB_LIST_DELETE: return "list_delete";
    case RECORD_VERB_ENTRIES_ADD: return "entries_add";
    case RECORD_VERB_ENTRY_CHANGE: return "entry_change";
    case RECORD_VERB_ENTRY_REMOVE: return "entry_remove";
    case RECORD_VERB_CASE_ACCEPT: return "case_accept";
    case RECORD_VERB_CASE_WITHDRAW: return "case_withdraw";
    case RECORD_VERB_COMPACT: return "compact";
    }
    return "unknown";
}

static bool is_case_verb(enum record_verb verb)
{
    return verb == RECORD_VERB_CASE_ACCEPT || verb == RECORD_VERB_CASE_WITHDRAW;
}

static json_t *audit_to_json(const struct record_audit *record)
{
    char case_id[REPORT_CASE_ID_TEXT_BYTES] = "";
    char object[64] = "";
    if (is_case_verb(record->verb)) {
        report_case_id_to_text(&record->case_id, case_id);
        (void)snprintf(object, sizeof object, "case %s", case_id);
    } else if (record->entry != 0) {
        (void)snprintf(object, sizeof object, "entry %llu", (unsigned long long)record->entry);
    } else if (record->list != 0) {
        (void)snprintf(object, sizeof object, "list %u", record->list);
    }
    return json_pack("{s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:s}", "seq",
                     (json_int_t)record->seq, "time", (json_int_t)record->time, "uid",
                     (json_int_t)record->uid, "verb", verb_name(record->verb), "object", object,
                     "list", (json_int_t)record->list, "entry", (json_int_t)record->entry, "count",
                     (json_int_t)record->count, "reason", record->reason);
}

static bool read_page(struct api_call *call, uint64_t *out_after, uint64_t *out_limit)
{
    return api_read_number(call, "after", 0, ((uint64_t)1 << 53) - 1, 0, out_after) &&
           api_read_number(call, "limit", 1, LIMIT_PAGE_MAX, PAGE_DEFAULT, out_limit);
}

void api_get_audit(struct api_call *call)
{
    uint64_t after = 0;
    uint64_t limit = 0;
    if (!read_page(call, &after, &limit)) {
        return;
    }
    struct record_audit *records = calloc(limit, sizeof *records);
    size_t count = 0;
    enum imprint_error error =
        records == NULL ? IMPRINT_E_NOMEM
                        : catalog_audit(call->api->catalog, after, records, limit, &count);
    if (error != IMPRINT_OK) {
        free(records);
        api_fail(call, error);
        return;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, audit_to_json(&records[i]));
    }
    json_t *next = count == limit ? json_integer((json_int_t)records[count - 1].seq) : json_null();
    free(records);
    api_answer_json(call, 200, json_pack("{s:o, s:o}", "records", array, "next", next));
}

void api_verify_audit(struct api_call *call)
{
    uint64_t count = 0;
    uint64_t bad_seq = 0;
    enum imprint_error error = catalog_audit_verify(call->api->catalog, &count, &bad_seq);
    if (error != IMPRINT_OK && error != IMPRINT_E_STORE_DAMAGED) {
        api_fail(call, error);
        return;
    }
    json_t *bad = error == IMPRINT_OK ? json_null() : json_integer((json_int_t)bad_seq);
    api_answer_json(call, 200,
                    json_pack("{s:b, s:I, s:o}", "intact", error == IMPRINT_OK, "records",
                              (json_int_t)count, "bad_seq", bad));
}

static json_t *change_to_json(struct api *api, const struct catalog_change *change)
{
    json_t *json = NULL;
    switch (change->change.kind) {
    case RECORD_CHANGE_PUT:
        json = json_pack("{s:s, s:o}", "kind", "put", "entry",
                         api_entry_to_json(api, &change->entry, NULL));
        break;
    case RECORD_CHANGE_REMOVED:
        json = json_pack("{s:s, s:I}", "kind", "removed", "id", (json_int_t)change->change.entry);
        break;
    case RECORD_CHANGE_LIST_REMOVED: json = json_pack("{s:s}", "kind", "list_removed"); break;
    }
    (void)json_object_set_new(json, "seq", json_integer((json_int_t)change->change.seq));
    (void)json_object_set_new(json, "list_id", json_integer((json_int_t)change->change.list));
    return json;
}

void api_get_changes(struct api_call *call)
{
    uint64_t after = 0;
    uint64_t limit = 0;
    if (!read_page(call, &after, &limit)) {
        return;
    }
    struct catalog_status status;
    catalog_status(call->api->catalog, &status);
    struct catalog_change *changes = calloc(limit, sizeof *changes);
    size_t count = 0;
    enum imprint_error error =
        changes == NULL ? IMPRINT_E_NOMEM
                        : catalog_changes(call->api->catalog, after, changes, limit, &count);
    if (error != IMPRINT_OK) {
        free(changes);
        api_fail(call, error);
        return;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, change_to_json(call->api, &changes[i]));
    }
    json_t *next =
        count == limit ? json_integer((json_int_t)changes[count - 1].change.seq) : json_null();
    free(changes);
    api_answer_json(call, 200,
                    json_pack("{s:s, s:I, s:o, s:o}", "epoch", status.epoch, "seq",
                              (json_int_t)status.seq, "changes", array, "next", next));
}

void api_compact(struct api_call *call)
{
    struct catalog_actor actor;
    if (!api_read_reason(call, &actor)) {
        return;
    }
    enum imprint_error error = catalog_compact(call->api->catalog, &actor);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    struct catalog_stats stats;
    catalog_stats(call->api->catalog, &stats);
    api_answer_json(call, 200, json_pack("{s:I}", "file_bytes", (json_int_t)stats.file_bytes));
}

void api_backup(struct api_call *call)
{
    char path[PATH_BYTES_MAX + 1] = "";
    const struct field fields[] = {
        {.name = "path", .kind = FIELD_TEXT, .min = 2, .max = PATH_BYTES_MAX, .out = path}};
    if (!api_read_body(call, fields, 1)) {
        return;
    }
    if (path[0] != '/') {
        api_fail_with(call, IMPRINT_E_PARAMETER_INVALID, "path (an absolute one)");
        return;
    }
    enum imprint_error error = catalog_backup(call->api->catalog, path);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    api_answer_json(call, 201, json_pack("{s:s}", "path", path));
}
