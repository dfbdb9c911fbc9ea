/* The paths of Hasher-Matcher-Actioner, for clients that already speak them (docs/api.md). Their
 * quirks are kept: a distance is a string, an error has the single key "message", numbers may come
 * as texts, unknown keys are ignored. A bank is a list under its name in upper case. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api_impl.h"
#include "multipart.h"

#define NOTE_KEY "note"

/* --- Answers ---------------------------------------------------------------------------------- */

bool api_is_hma(const struct http_request *request)
{
    static const char *const prefixes[] = {"/h/", "/m/", "/c/", "/status", "/site-map"};
    for (size_t i = 0; request != NULL && i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(request->path, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void answer_message(struct api_call *call, int status, const char *format, const char *name)
{
    char message[256];
    (void)snprintf(message, sizeof message, "%s%s%s", format, name == NULL ? "" : name,
                   name == NULL ? "" : "' not found");
    api_answer_json(call, status, json_pack("{s:s}", "message", message));
}

static void say(struct api_call *call, int status, const char *message)
{
    answer_message(call, status, message, NULL);
}

static void fail_plainly(struct api_call *call, enum imprint_error error)
{
    if (error == IMPRINT_E_LOADING) {
        say(call, 503, "index not yet ready");
        return;
    }
    api_fail(call, error);
}

static void answer_plain(struct api_call *call, int status, const char *line)
{
    struct text text;
    text_init(&text, 256);
    text_put(&text, line);
    api_answer_text(call, status, "text/plain; charset=utf-8", &text);
}

void api_hma_status(struct api_call *call)
{
    struct catalog_status status;
    catalog_status(call->api->catalog, &status);
    answer_plain(call, status.is_ready ? 200 : 503,
                 status.is_ready ? "I-AM-ALIVE" : "INDEX-NOT-LOADED");
}

void api_hma_live(struct api_call *call)
{
    answer_plain(call, 200, "I-AM-ALIVE");
}

void api_hma_site_map(struct api_call *call)
{
    json_t *array = json_array();
    for (size_t i = 0; i < api_routes_count; i++) {
        if ((api_routes[i].roles & (unsigned)call->request->role) != 0) {
            (void)json_array_append_new(array, json_string(api_routes[i].path));
        }
    }
    api_answer_json(call, 200, array);
}

/* --- Banks and lists -------------------------------------------------------------------------- */

void api_hma_bank_of_list(const char *list, char out_bank[LIMIT_LIST_NAME_BYTES_MAX + 1])
{
    size_t i = 0;
    for (; list[i] != '\0' && i < LIMIT_LIST_NAME_BYTES_MAX; i++) {
        out_bank[i] = (char)toupper((unsigned char)list[i]);
    }
    out_bank[i] = '\0';
}

/* False: not a bank's name. */
static bool list_of_bank(const char *bank, char out_list[LIMIT_LIST_NAME_BYTES_MAX + 1])
{
    size_t len = strlen(bank);
    if (len == 0 || len > LIMIT_LIST_NAME_BYTES_MAX || bank[0] == '_' ||
        (bank[0] >= '0' && bank[0] <= '9')) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        char c = bank[i];
        bool is_fine = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '\0';
        if (!is_fine) {
            return false;
        }
        out_list[i] = (char)tolower((unsigned char)c);
    }
    return true;
}

static json_t *bank_to_json(const struct record_list *list)
{
    char bank[LIMIT_LIST_NAME_BYTES_MAX + 1];
    api_hma_bank_of_list(list->name, bank);
    return json_pack("{s:s, s:f}", "name", bank, "matching_enabled_ratio",
                     list->state == RECORD_LIST_ACTIVE ? 1.0 : 0.0);
}

/* The list behind the bank in the path; answers the call itself when there is none. */
static bool find_bank(struct api_call *call, struct record_list *out_list)
{
    struct catalog_status status;
    catalog_status(call->api->catalog, &status);
    if (!status.is_ready) {
        /* Never "not found" while starting: a client deletes its own bank on that. */
        say(call, 503, "index not yet ready");
        return false;
    }
    char name[LIMIT_LIST_NAME_BYTES_MAX + 1];
    enum imprint_error error = IMPRINT_E_LIST_NOT_FOUND;
    if (list_of_bank(call->captures[0], name)) {
        error = catalog_list_get(call->api->catalog, name, out_list);
    }
    if (error == IMPRINT_E_LIST_NOT_FOUND) {
        answer_message(call, 404, "bank '", call->captures[0]);
        return false;
    }
    if (error != IMPRINT_OK) {
        fail_plainly(call, error);
        return false;
    }
    return true;
}

void api_hma_get_banks(struct api_call *call)
{
    json_t *array = json_array();
    struct record_list lists[16];
    size_t count = 0;
    uint32_t after = 0;
    do {
        enum imprint_error error = catalog_lists(call->api->catalog, after, lists, 16, &count);
        if (error != IMPRINT_OK) {
            json_decref(array);
            fail_plainly(call, error);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            (void)json_array_append_new(array, bank_to_json(&lists[i]));
            after = lists[i].id;
        }
    } while (count == 16);
    api_answer_json(call, 200, array);
}

void api_hma_get_bank(struct api_call *call)
{
    struct record_list list;
    if (find_bank(call, &list)) {
        api_answer_json(call, 200, bank_to_json(&list));
    }
}

/* A number, a boolean, or either as text; fallback where there is none. */
static double lenient_number(const json_t *value, double fallback)
{
    if (json_is_number(value)) {
        return json_number_value(value);
    }
    if (json_is_boolean(value)) {
        return json_is_true(value) ? 1 : 0;
    }
    const char *text = json_string_value(value);
    if (text == NULL) {
        return fallback;
    }
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) {
        return strcasecmp(text, "true") == 0 ? 1 : 0;
    }
    char *end = NULL;
    double number = strtod(text, &end);
    return end == text || *end != '\0' ? fallback : number;
}

static json_t *read_json(struct api_call *call)
{
    json_t *body = fields_parse(call->request->body, call->request->body_len, LIMIT_JSON_DEPTH_MAX);
    if (!json_is_object(body)) {
        json_decref(body);
        say(call, 400, "the body is not a JSON object");
        return NULL;
    }
    return body;
}

static void take_ratio(const json_t *body, struct record_list *list)
{
    double now = list->state == RECORD_LIST_ACTIVE ? 1 : 0;
    double wanted = lenient_number(json_object_get(body, "enabled"), now);
    wanted = lenient_number(json_object_get(body, "enabled_ratio"), wanted);
    list->state = wanted > 0 ? RECORD_LIST_ACTIVE : RECORD_LIST_OFF;
}

void api_hma_post_banks(struct api_call *call)
{
    json_t *body = read_json(call);
    if (body == NULL) {
        return;
    }
    struct record_list spec = catalog_list_default();
    spec.state = RECORD_LIST_ACTIVE;
    const char *name = json_string_value(json_object_get(body, "name"));
    bool is_named = name != NULL && list_of_bank(name, spec.name);
    take_ratio(body, &spec);
    json_decref(body);
    if (!is_named) {
        say(call, 400, "Bank names must be UPPER_WITH_UNDERSCORE");
        return;
    }
    const struct catalog_actor actor = {.uid = call->request->uid};
    struct record_list list;
    enum imprint_error error = catalog_list_create(call->api->catalog, &actor, &spec, &list);
    if (error == IMPRINT_E_LIST_EXISTS) {
        say(call, 403, "Bank already exists");
    } else if (error != IMPRINT_OK) {
        fail_plainly(call, error);
    } else {
        api_answer_json(call, 201, bank_to_json(&list));
    }
}

void api_hma_put_bank(struct api_call *call)
{
    struct record_list list;
    if (!find_bank(call, &list)) {
        return;
    }
    json_t *body = read_json(call);
    if (body == NULL) {
        return;
    }
    const char *name = json_string_value(json_object_get(body, "name"));
    bool is_renamed = name != NULL && strcmp(name, call->captures[0]) != 0;
    take_ratio(body, &list);
    json_decref(body);
    if (is_renamed) {
        say(call, 400, "A bank keeps its name");
        return;
    }
    const struct catalog_actor actor = {.uid = call->request->uid};
    struct record_list changed;
    enum imprint_error error =
        catalog_list_change(call->api->catalog, &actor, list.name, &list, &changed);
    if (error != IMPRINT_OK) {
        fail_plainly(call, error);
        return;
    }
    api_answer_json(call, 200, bank_to_json(&changed));
}

void api_hma_delete_bank(struct api_call *call)
{
    char name[LIMIT_LIST_NAME_BYTES_MAX + 1];
    enum imprint_error error = IMPRINT_E_LIST_NOT_FOUND;
    const struct catalog_actor actor = {.uid = call->request->uid};
    if (list_of_bank(call->captures[0], name)) {
        error = catalog_list_delete(call->api->catalog, &actor, name);
    }
    if (error != IMPRINT_OK && error != IMPRINT_E_LIST_NOT_FOUND) {
        fail_plainly(call, error);
        return;
    }
    say(call, 200, "Done");
}

/* --- Content ---------------------------------------------------------------------------------- */

/* 0: disabled; 1: enabled; else enabled from then on. */
static int64_t disable_until_of(const struct record_entry *entry)
{
    return entry->disabled_until == 0           ? 1
           : entry->disabled_until == INT64_MAX ? 0
                                                : entry->disabled_until;
}

static json_t *signals_of(const struct imprint_hash *hash)
{
    char hex[IMPRINT_HASH_HEX + 1];
    imprint_hash_to_hex(hash, hex);
    return json_pack("{s:s}", "pdq", hex);
}

static void add_content(struct api_call *call, const struct record_entry *spec)
{
    char name[LIMIT_LIST_NAME_BYTES_MAX + 1];
    const struct catalog_actor actor = {.uid = call->request->uid};
    struct record_entry entry;
    enum imprint_error error = IMPRINT_E_LIST_NOT_FOUND;
    if (list_of_bank(call->captures[0], name)) {
        error = catalog_entries_add(call->api->catalog, &actor, name, spec, 1, &entry, NULL);
    }
    if (error == IMPRINT_E_LIST_NOT_FOUND) {
        answer_message(call, 404, "bank '", call->captures[0]);
    } else if (error == IMPRINT_E_PARAMETER_INVALID) {
        say(call, 400, "Invalid pdq signal: its quality is under the bank's floor");
    } else if (error != IMPRINT_OK) {
        fail_plainly(call, error);
    } else {
        api_answer_json(call, 200,
                        json_pack("{s:I, s:o}", "id", (json_int_t)entry.id, "signals",
                                  signals_of(&entry.hash)));
    }
}

void api_hma_post_signal(struct api_call *call)
{
    json_t *body = read_json(call);
    if (body == NULL) {
        return;
    }
    struct record_entry spec = {.quality = RECORD_QUALITY_UNKNOWN};
    const char *hex = json_string_value(json_object_get(body, "pdq"));
    const char *note = json_string_value(json_object_get(body, NOTE_KEY));
    bool is_hash = hex != NULL && imprint_hash_from_hex(hex, strlen(hex), &spec.hash) == IMPRINT_OK;
    bool is_short = note == NULL || strlen(note) <= LIMIT_NOTE_BYTES_MAX;
    if (note != NULL && is_short) {
        (void)snprintf(spec.note, sizeof spec.note, "%s", note);
    }
    json_decref(body);
    if (!is_hash || !is_short) {
        say(call, 400, is_hash ? "note is too long" : "Invalid pdq signal: 64 hexadecimal digits");
        return;
    }
    add_content(call, &spec);
}

static bool has_hash(const struct pool_answer *answer)
{
    return answer->view_count > 0 && answer->quality >= IMPRINT_QUALITY_FLOOR;
}

static void content_hashed(struct api_image *image)
{
    if (!has_hash(&image->answer)) {
        say(&image->call, 400, "Invalid pdq signal: the picture is too flat");
        return;
    }
    const struct record_entry spec = {.hash = image->answer.views[0].hash,
                                      .quality = image->answer.quality};
    add_content(&image->call, &spec);
}

/* A form whose one file is named "photo", as these clients send it; else the call is answered. */
bool api_hma_check_form(struct api_call *call)
{
    struct multipart_part parts[MULTIPART_PARTS_MAX];
    size_t count = 0;
    size_t files = 0;
    const char *name = "";
    enum imprint_error error = multipart_read(api_content_type(call->request), call->request->body,
                                              call->request->body_len, parts, &count);
    for (size_t i = 0; error == IMPRINT_OK && i < count; i++) {
        if (parts[i].is_file) {
            files++;
            name = parts[i].name;
        }
    }
    if (files == 1 && strcmp(name, "photo") == 0) {
        return true;
    }
    say(call, 400,
        files == 0   ? "Missing multipart/form-data file upload"
        : files == 1 ? "no such content_type: only 'photo'"
                     : "Only one file allowed per request");
    return false;
}

void api_hma_post_content(struct api_call *call)
{
    if (call->request->parameter(call->request, "url") != NULL) {
        say(call, 403, "Hashing is disabled, missing role");
    } else if (api_hma_check_form(call)) {
        api_hash_image(call, IMPRINT_VIEWS_UPRIGHT, true, content_hashed);
    }
}

/* The entry in the path, if it is of the bank in the path. */
static bool find_content(struct api_call *call, struct record_list *out_list,
                         struct record_entry *out_entry)
{
    uint64_t id = 0;
    if (!find_bank(call, out_list)) {
        return false;
    }
    char *end = NULL;
    id = strtoull(call->captures[1], &end, 10);
    enum imprint_error error = IMPRINT_E_ENTRY_NOT_FOUND;
    if (*end == '\0' && id > 0 && id < (uint64_t)1 << 53) {
        error = catalog_entry_get(call->api->catalog, id, out_entry);
    }
    if (error == IMPRINT_OK && out_entry->list == out_list->id) {
        return true;
    }
    if (error == IMPRINT_OK || error == IMPRINT_E_ENTRY_NOT_FOUND) {
        answer_message(call, 404, "content '", call->captures[1]);
    } else {
        fail_plainly(call, error);
    }
    return false;
}

static void answer_content(struct api_call *call, const struct record_list *list,
                           const struct record_entry *entry)
{
    const char *wants = call->request->parameter(call->request, "include_signals");
    json_t *json =
        json_pack("{s:I, s:I, s:n, s:o, s:s}", "id", (json_int_t)entry->id, "disable_until_ts",
                  (json_int_t)disable_until_of(entry), "original_media_uri", "bank",
                  bank_to_json(list), NOTE_KEY, entry->note);
    if (wants != NULL && (strcasecmp(wants, "true") == 0 || strcmp(wants, "1") == 0)) {
        (void)json_object_set_new(json, "signals", signals_of(&entry->hash));
    }
    api_answer_json(call, 200, json);
}

void api_hma_get_content(struct api_call *call)
{
    struct record_list list;
    struct record_entry entry;
    if (find_content(call, &list, &entry)) {
        answer_content(call, &list, &entry);
    }
}

void api_hma_put_content(struct api_call *call)
{
    struct record_list list;
    struct record_entry entry;
    if (!find_content(call, &list, &entry)) {
        return;
    }
    json_t *body = read_json(call);
    if (body == NULL) {
        return;
    }
    double until = lenient_number(json_object_get(body, "disable_until_ts"), -1);
    const char *note = json_string_value(json_object_get(body, NOTE_KEY));
    if (note != NULL && strlen(note) <= LIMIT_NOTE_BYTES_MAX) {
        (void)snprintf(entry.note, sizeof entry.note, "%s", note);
    }
    json_decref(body);
    bool is_in_range =
        until == -1 || (until >= 0 && until < (double)time(NULL) + 5 * 366 * 86400.0);
    if (!is_in_range) {
        say(call, 400, "disable_until_ts: 0 to five years from now");
        return;
    }
    if (until >= 0) {
        entry.disabled_until = until == 0 ? INT64_MAX : until == 1 ? 0 : (int64_t)until;
    }
    const struct catalog_actor actor = {.uid = call->request->uid};
    struct record_entry changed;
    enum imprint_error error =
        catalog_entry_change(call->api->catalog, &actor, entry.id, &entry, &changed);
    if (error != IMPRINT_OK) {
        fail_plainly(call, error);
        return;
    }
    answer_content(call, &list, &changed);
}

void api_hma_delete_content(struct api_call *call)
{
    struct record_list list;
    struct record_entry entry;
    if (!find_content(call, &list, &entry)) {
        return;
    }
    const struct catalog_actor actor = {.uid = call->request->uid};
    enum imprint_error error = catalog_entry_remove(call->api->catalog, &actor, entry.id);
    if (error != IMPRINT_OK) {
        fail_plainly(call, error);
        return;
    }
    api_answer_json(call, 200, json_pack("{s:i}", "deleted", 1));
}
