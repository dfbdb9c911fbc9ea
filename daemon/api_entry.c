/* Entries: add by hash, by picture and in bulk; show, find, change, remove. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_impl.h"
#include "report.h"

#define ENTRY_PAGE_DEFAULT 100

/* --- To JSON ---------------------------------------------------------------------------------- */

static bool is_case_set(const struct record_case_id *id)
{
    static const struct record_case_id none = {0};
    return memcmp(id, &none, sizeof none) != 0;
}

json_t *api_entry_to_json(struct api *api, const struct record_entry *entry, const char *list)
{
    struct record_list found = {0};
    size_t count = 0;
    if (list == NULL) {
        enum imprint_error error = catalog_lists(api->catalog, entry->list - 1, &found, 1, &count);
        list = error == IMPRINT_OK && count == 1 && found.id == entry->list ? found.name : "";
    }
    char hex[IMPRINT_HASH_HEX + 1];
    char case_id[REPORT_CASE_ID_TEXT_BYTES];
    imprint_hash_to_hex(&entry->hash, hex);
    report_case_id_to_text(&entry->case_id, case_id);
    json_t *quality =
        entry->quality == RECORD_QUALITY_UNKNOWN ? json_null() : json_integer(entry->quality);
    json_t *of_case = is_case_set(&entry->case_id) ? json_string(case_id) : json_null();
    return json_pack("{s:I, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:s}", "id",
                     (json_int_t)entry->id, "list", list, "hash", hex, "quality", quality, "actor",
                     (json_int_t)entry->actor, "added", (json_int_t)entry->added, "disabled_until",
                     (json_int_t)entry->disabled_until, "expires", (json_int_t)entry->expires,
                     "seq", (json_int_t)entry->seq, "case", of_case, "note", entry->note);
}

static void answer_entry(struct api_call *call, enum imprint_error error,
                         const struct record_entry *entry)
{
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    api_answer_json(call, 200, api_entry_to_json(call->api, entry, NULL));
}

static void answer_entries(struct api_call *call, const struct record_entry *entries, size_t count,
                           const char *list, json_t *next)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, api_entry_to_json(call->api, &entries[i], list));
    }
    api_answer_json(call, 200, json_pack("{s:o, s:o}", "entries", array, "next", next));
}

/* --- Adding ----------------------------------------------------------------------------------- */

struct entry_spec {
    struct record_entry entry;
    int64_t quality;
};

/* The fields of an entry in a body or a line. */
#define ENTRY_FIELDS(spec)                                                                      \
    {.name = "hash", .kind = FIELD_BYTES32, .out = (spec)->entry.hash.bytes},                   \
        {.name = "quality",                                                                     \
         .kind = FIELD_INTEGER,                                                                 \
         .is_optional = true,                                                                   \
         .is_nullable = true,                                                                   \
         .max = IMPRINT_QUALITY_MAX,                                                            \
         .out = &(spec)->quality},                                                              \
        {.name = "note",                                                                        \
         .kind = FIELD_TEXT,                                                                    \
         .is_optional = true,                                                                   \
         .max = LIMIT_NOTE_BYTES_MAX,                                                           \
         .out = (spec)->entry.note},                                                            \
        {.name = "expires",                                                                     \
         .kind = FIELD_INTEGER,                                                                 \
         .is_optional = true,                                                                   \
         .max = INT64_MAX,                                                                      \
         .out = &(spec)->entry.expires},                                                        \
    {                                                                                           \
        .name = "disabled_until", .kind = FIELD_INTEGER, .is_optional = true, .max = INT64_MAX, \
        .out = &(spec)->entry.disabled_until                                                    \
    }

static void spec_begin(struct entry_spec *spec)
{
    *spec = (struct entry_spec){.quality = RECORD_QUALITY_UNKNOWN};
}

static void add_one(struct api_call *call, const struct record_entry *spec)
{
    struct catalog_actor actor;
    if (!api_read_reason(call, &actor)) {
        return;
    }
    struct record_entry entry;
    enum catalog_added added = CATALOG_ADDED_NEW;
    enum imprint_error error =
        catalog_entries_add(call->api->catalog, &actor, call->captures[0], spec, 1, &entry, &added);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    json_t *json = api_entry_to_json(call->api, &entry, call->captures[0]);
    (void)json_object_set_new(json, "duplicate", json_boolean(added == CATALOG_ADDED_DUPLICATE));
    api_answer_json(call, added == CATALOG_ADDED_NEW ? 201 : 200, json);
}

static void add_image(struct api_image *image)
{
    if (image->answer.view_count == 0) {
        api_fail_with(&image->call, IMPRINT_E_PARAMETER_INVALID, "the picture is too flat to hash");
        return;
    }
    struct record_entry spec = {.hash = image->answer.views[0].hash,
                                .quality = image->answer.quality};
    add_one(&image->call, &spec);
}

void api_post_entries(struct api_call *call)
{
    if (!api_content_type_is(call->request, "application/json")) {
        api_hash_image(call, IMPRINT_VIEWS_UPRIGHT, true, add_image);
        return;
    }
    if (call->request->body_len > LIMIT_JSON_BYTES_MAX) {
        api_fail(call, IMPRINT_E_BODY_TOO_LARGE);
        return;
    }
    struct entry_spec spec;
    spec_begin(&spec);
    const struct field fields[] = {ENTRY_FIELDS(&spec)};
    if (api_read_body(call, fields, sizeof fields / sizeof fields[0])) {
        spec.entry.quality = (uint8_t)spec.quality;
        add_one(call, &spec.entry);
    }
}

/* --- Bulk ------------------------------------------------------------------------------------- */

struct batch {
    struct record_entry *entries;
    size_t count;
    size_t added;
    size_t duplicates;
    size_t wrong_line; /* 0: none */
    const char *wrong; /* what is wrong there */
};

static const char *line_end(const char *at, const char *end)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline == NULL ? end : newline;
}

static size_t count_lines(const char *at, const char *end)
{
    size_t count = 0;
    while (at < end) {
        at = line_end(at, end) + 1;
        count++;
    }
    return count;
}

static const char *read_line(const char *line, size_t len, struct record_entry *out_entry)
{
    json_t *json = fields_parse(line, len, LIMIT_JSON_DEPTH_MAX);
    if (json == NULL) {
        return "not JSON";
    }
    struct entry_spec spec;
    spec_begin(&spec);
    const struct field fields[] = {ENTRY_FIELDS(&spec)};
    const char *wrong = NULL;
    bool is_fine = fields_read(json, fields, sizeof fields / sizeof fields[0], &wrong);
    json_decref(json);
    if (is_fine) {
        spec.entry.quality = (uint8_t)spec.quality;
        *out_entry = spec.entry;
    }
    return is_fine ? NULL : wrong;
}

/* All lines are read before the first is added: a wrong one changes nothing. */
static enum imprint_error read_batch(const struct http_request *request, struct batch *batch)
{
    if (request->body_len == 0) {
        return IMPRINT_E_JSON_INVALID; /* and body may be NULL */
    }
    const char *at = (const char *)request->body;
    const char *end = at + request->body_len;
    size_t lines = count_lines(at, end);
    batch->entries = calloc(lines == 0 ? 1 : lines, sizeof *batch->entries);
    if (batch->entries == NULL) {
        return IMPRINT_E_NOMEM;
    }
    for (size_t number = 1; at < end; number++) {
        const char *stop = line_end(at, end);
        size_t len = (size_t)(stop - at);
        if (len > 0 && at[len - 1] == '\r') {
            len--;
        }
        if (len > 0) {
            batch->wrong = read_line(at, len, &batch->entries[batch->count]);
            if (batch->wrong != NULL) {
                batch->wrong_line = number;
                return IMPRINT_E_JSON_INVALID;
            }
            batch->count++;
        }
        at = stop + 1;
    }
    return batch->count == 0 ? IMPRINT_E_JSON_INVALID : IMPRINT_OK;
}

static enum imprint_error add_chunk(struct api_call *call, const struct catalog_actor *actor,
                                    struct batch *batch, size_t start, size_t count)
{
    enum catalog_added *added = calloc(count, sizeof *added);
    if (added == NULL) {
        return IMPRINT_E_NOMEM;
    }
    enum imprint_error error = catalog_entries_add(call->api->catalog, actor, call->captures[0],
                                                   batch->entries + start, count, NULL, added);
    for (size_t i = 0; error == IMPRINT_OK && i < count; i++) {
        batch->added += added[i] == CATALOG_ADDED_NEW ? 1 : 0;
        batch->duplicates += added[i] == CATALOG_ADDED_DUPLICATE ? 1 : 0;
    }
    free(added);
    return error;
}

static enum imprint_error add_batch(struct api_call *call, const struct catalog_actor *actor,
                                    bool is_atomic, struct batch *batch)
{
    enum imprint_error error = IMPRINT_OK;
    size_t chunk = is_atomic ? batch->count : LIMIT_BULK_CHUNK;
    for (size_t start = 0; start < batch->count && error == IMPRINT_OK; start += chunk) {
        size_t left = batch->count - start;
        error = add_chunk(call, actor, batch, start, left < chunk ? left : chunk);
    }
    return error;
}

void api_post_entries_batch(struct api_call *call)
{
    struct batch batch = {0};
    uint64_t is_atomic = 0;
    const struct catalog_actor actor = {.uid = call->request->uid};
    if (!api_read_number(call, "atomic", 0, 1, 0, &is_atomic)) {
        return;
    }
    enum imprint_error error = read_batch(call->request, &batch);
    if (error == IMPRINT_OK) {
        error = add_batch(call, &actor, is_atomic != 0, &batch);
    }
    free(batch.entries);
    char detail[160];
    if (batch.wrong_line > 0) {
        (void)snprintf(detail, sizeof detail, "line %zu: %s; nothing was added", batch.wrong_line,
                       batch.wrong);
    } else {
        (void)snprintf(detail, sizeof detail, "%zu lines were added before", batch.added);
    }
    if (error != IMPRINT_OK) {
        api_fail_with(call, error, detail);
        return;
    }
    api_answer_json(call, 200,
                    json_pack("{s:I, s:I, s:I}", "lines", (json_int_t)batch.count, "added",
                              (json_int_t)batch.added, "duplicates", (json_int_t)batch.duplicates));
}

/* --- Showing ---------------------------------------------------------------------------------- */

void api_get_list_entries(struct api_call *call)
{
    uint64_t after = 0;
    uint64_t limit = 0;
    struct record_list list;
    if (!api_read_number(call, "after", 0, ((uint64_t)1 << 53) - 1, 0, &after) ||
        !api_read_number(call, "limit", 1, LIMIT_PAGE_MAX, ENTRY_PAGE_DEFAULT, &limit)) {
        return;
    }
    struct record_entry *entries = calloc(limit, sizeof *entries);
    size_t count = 0;
    enum imprint_error error = entries == NULL ? IMPRINT_E_NOMEM : IMPRINT_OK;
    if (error == IMPRINT_OK) {
        error = catalog_list_get(call->api->catalog, call->captures[0], &list);
    }
    if (error == IMPRINT_OK) {
        error = catalog_entries(call->api->catalog, list.id, after, entries, limit, &count);
    }
    if (error == IMPRINT_OK) {
        json_t *next =
            count == limit ? json_integer((json_int_t)entries[count - 1].id) : json_null();
        answer_entries(call, entries, count, list.name, next);
    } else {
        api_fail(call, error);
    }
    free(entries);
}

void api_find_entries(struct api_call *call)
{
    struct imprint_hash hash;
    if (!api_read_hash(call, "hash", &hash)) {
        return;
    }
    struct record_entry *entries = calloc(LIMIT_LISTS_MAX, sizeof *entries);
    size_t count = 0;
    enum imprint_error error =
        entries == NULL
            ? IMPRINT_E_NOMEM
            : catalog_entry_find(call->api->catalog, &hash, entries, LIMIT_LISTS_MAX, &count);
    if (error == IMPRINT_OK) {
        answer_entries(call, entries, count, NULL, json_null());
    } else {
        api_fail(call, error);
    }
    free(entries);
}

void api_get_entry(struct api_call *call)
{
    uint64_t id = 0;
    if (!api_read_id(call, 0, &id)) {
        return;
    }
    struct record_entry entry;
    enum imprint_error error = catalog_entry_get(call->api->catalog, id, &entry);
    answer_entry(call, error, &entry);
}

/* --- Changing --------------------------------------------------------------------------------- */

void api_patch_entry(struct api_call *call)
{
    uint64_t id = 0;
    struct catalog_actor actor;
    struct record_entry entry;
    if (!api_read_id(call, 0, &id) || !api_read_reason(call, &actor)) {
        return;
    }
    enum imprint_error error = catalog_entry_get(call->api->catalog, id, &entry);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    const struct field fields[] = {
        {.name = "disabled_until",
         .kind = FIELD_INTEGER,
         .is_optional = true,
         .max = INT64_MAX,
         .out = &entry.disabled_until},
        {.name = "expires",
         .kind = FIELD_INTEGER,
         .is_optional = true,
         .max = INT64_MAX,
         .out = &entry.expires},
        {.name = "note",
         .kind = FIELD_TEXT,
         .is_optional = true,
         .max = LIMIT_NOTE_BYTES_MAX,
         .out = entry.note},
    };
    if (!api_read_body(call, fields, sizeof fields / sizeof fields[0])) {
        return;
    }
    struct record_entry changed;
    error = catalog_entry_change(call->api->catalog, &actor, id, &entry, &changed);
    answer_entry(call, error, &changed);
}

void api_delete_entry(struct api_call *call)
{
    uint64_t id = 0;
    struct catalog_actor actor;
    if (!api_read_id(call, 0, &id) || !api_read_reason(call, &actor)) {
        return;
    }
    enum imprint_error error = catalog_entry_remove(call->api->catalog, &actor, id);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    api_answer_json(call, 200, json_pack("{s:I}", "deleted", (json_int_t)id));
}
