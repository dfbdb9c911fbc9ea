#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "imprint/hash.h"
#include "imprint/pdq.h"

#include "ctl.h"
#include "file.h"

enum { ENTRY_PAGE = 1000 };

static bool entry_target(const struct command_call *call, const char *text, char *out_target,
                         size_t capacity)
{
    uint64_t id = 0;
    char digits[24];
    if (!ctl_entry_id(call, text, &id)) {
        return false;
    }
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)id);
    const bool has_reason = strncmp(call->command->name, "entry show", 10) != 0;
    return ctl_target(call, out_target, capacity, "/v1/entries/", digits, "", "reason",
                      has_reason ? command_value(call, "reason") : NULL);
}

/* --- Add ------------------------------------------------------------------------------------- */

/* The members that options give; NULL after complaining. */
static json_t *entry_body(const struct command_call *call, const char *hash)
{
    json_t *body = json_pack("{s:s}", "hash", hash);
    const char *quality = command_value(call, "quality");
    const char *note = command_value(call, "note");
    const char *expires = command_value(call, "expires");
    unsigned long number = 0;
    int64_t time = 0;
    bool is_fine = body != NULL;
    if (is_fine && quality != NULL) {
        is_fine = command_number(call, "--quality", quality, 0, IMPRINT_QUALITY_MAX, &number) &&
                  json_object_set_new(body, "quality", json_integer((json_int_t)number)) == 0;
    }
    if (is_fine && expires != NULL) {
        is_fine = ctl_time(call, "--expires", expires, &time) &&
                  json_object_set_new(body, "expires", json_integer(time)) == 0;
    }
    if (is_fine && note != NULL && json_object_set_new(body, "note", json_string(note)) != 0) {
        command_complain(call, "--note is not UTF-8 text");
        is_fine = false;
    }
    if (!is_fine) {
        json_decref(body);
        return NULL;
    }
    return body;
}

static enum exit_status entry_add_hash(const struct command_call *call, const char *target,
                                       const char *text)
{
    struct imprint_hash hash;
    const enum imprint_error error = imprint_hash_from_hex(text, strlen(text), &hash);
    if (error != IMPRINT_OK) {
        command_complain_file(call, text, imprint_error_text(error));
        return EXIT_STATUS_ERROR;
    }
    char hex[IMPRINT_HASH_HEX + 1];
    imprint_hash_to_hex(&hash, hex);
    json_t *body = entry_body(call, hex);
    if (body == NULL) {
        return EXIT_STATUS_ERROR;
    }
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask_json(call, "POST", target, body, &answer);
    return ctl_show_answer(call, status, answer);
}

static enum exit_status entry_add_image(const struct command_call *call, const char *target,
                                        const char *path)
{
    const struct ctl_upload upload = {.path = path,
                                      .content_type = "image/unknown",
                                      .bytes_max = CTL_IMAGE_BYTES_MAX,
                                      .too_large = IMPRINT_E_IMAGE_TOO_LARGE};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask_file(call, target, &upload, &answer);
    return ctl_show_answer(call, status, answer);
}

enum exit_status ctl_entry_add(const struct command_call *call)
{
    const char *list = command_value(call, "list");
    const char *image = command_value(call, "image");
    if (list == NULL || (call->argument_count == 0) == (image == NULL)) {
        command_complain(call, "entry add needs --list NAME, and either hashes or --image FILE");
        return EXIT_STATUS_ERROR;
    }
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/lists/", list, "/entries", "reason",
                    command_value(call, "reason"))) {
        return EXIT_STATUS_ERROR;
    }
    if (image != NULL) {
        return entry_add_image(call, target, image);
    }
    enum exit_status worst = EXIT_STATUS_FINE;
    for (size_t i = 0; i < call->argument_count && worst != EXIT_STATUS_UNREACHABLE; i++) {
        worst = exit_status_worse(worst, entry_add_hash(call, target, call->arguments[i]));
    }
    return worst;
}

/* --- Show, find, list ------------------------------------------------------------------------ */

enum exit_status ctl_entry_show(const struct command_call *call)
{
    char target[CTL_TARGET_BYTES_MAX];
    if (!entry_target(call, call->arguments[0], target, sizeof target)) {
        return EXIT_STATUS_ERROR;
    }
    const struct ctl_request request = {.method = "GET", .target = target};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(call, &request, &answer);
    return ctl_show_answer(call, status, answer);
}

static const char *const entry_keys[] = {"id",    "list",    "hash", "quality",
                                         "added", "expires", "case", "note"};
static const char *const entry_heads[] = {"ID",    "LIST",    "HASH", "QUALITY",
                                          "ADDED", "EXPIRES", "CASE", "NOTE"};

enum { ENTRY_COLUMNS = sizeof entry_keys / sizeof entry_keys[0] };

static enum exit_status entry_show_rows(const struct command_call *call, const json_t *answer,
                                        const json_t *rows)
{
    if (ctl_wants_json(call)) {
        ctl_print_json(answer);
    } else if (!ctl_print_rows(call, rows, entry_keys, entry_heads, ENTRY_COLUMNS)) {
        return EXIT_STATUS_ERROR;
    }
    return EXIT_STATUS_FINE;
}

enum exit_status ctl_entry_find(const struct command_call *call)
{
    const char *hash = call->arguments[0];
    struct imprint_hash parsed;
    const enum imprint_error error = imprint_hash_from_hex(hash, strlen(hash), &parsed);
    if (error != IMPRINT_OK) {
        command_complain_file(call, hash, imprint_error_text(error));
        return EXIT_STATUS_ERROR;
    }
    char target[CTL_TARGET_BYTES_MAX];
    snprintf(target, sizeof target, "/v1/entries?hash=%s", hash);
    const struct ctl_request request = {.method = "GET", .target = target};
    json_t *answer = NULL;
    enum exit_status status = ctl_ask(call, &request, &answer);
    if (status == EXIT_STATUS_FINE) {
        const json_t *rows = ctl_array(call, answer, "entries");
        status = rows != NULL ? entry_show_rows(call, answer, rows) : EXIT_STATUS_ERROR;
    }
    json_decref(answer);
    return status;
}

/* Appends one page to all; *after moves to the last id, *out_count is the page's size. */
static enum exit_status entry_read_page(const struct command_call *call, const char *list,
                                        json_t *all, json_int_t *after, size_t limit,
                                        size_t *out_count)
{
    char query[64];
    snprintf(query, sizeof query, "/entries?after=%" JSON_INTEGER_FORMAT "&limit=%zu", *after,
             limit);
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/lists/", list, query, NULL, NULL)) {
        return EXIT_STATUS_ERROR;
    }
    json_t *answer = NULL;
    const struct ctl_request request = {.method = "GET", .target = target};
    enum exit_status status = ctl_ask(call, &request, &answer);
    const json_t *rows = status == EXIT_STATUS_FINE ? ctl_array(call, answer, "entries") : NULL;
    if (rows == NULL) {
        json_decref(answer);
        return exit_status_worse(status, EXIT_STATUS_ERROR);
    }
    *out_count = json_array_size(rows);
    for (size_t i = 0; i < *out_count; i++) {
        json_t *row = json_array_get(rows, i);
        const json_int_t id = json_integer_value(json_object_get(row, "id"));
        if (id <= *after || json_array_append(all, row) != 0) {
            command_complain(call, "the daemon's pages do not go forward");
            json_decref(answer);
            return EXIT_STATUS_ERROR;
        }
        *after = id;
    }
    json_decref(answer);
    return EXIT_STATUS_FINE;
}

enum exit_status ctl_entry_list(const struct command_call *call)
{
    const char *list = command_value(call, "list");
    const char *limit_text = command_value(call, "limit");
    const char *after_text = command_value(call, "after");
    unsigned long limit = ENTRY_PAGE;
    uint64_t first = 0;
    if (list == NULL) {
        command_complain(call, "entry list needs --list NAME");
        return EXIT_STATUS_ERROR;
    }
    if ((limit_text != NULL && !command_number(call, "--limit", limit_text, 1, 1000000, &limit)) ||
        (after_text != NULL && !ctl_entry_id(call, after_text, &first))) {
        return EXIT_STATUS_ERROR;
    }
    json_t *all = json_array();
    json_int_t after = (json_int_t)first;
    enum exit_status status = EXIT_STATUS_FINE;
    while (status == EXIT_STATUS_FINE && json_array_size(all) < limit) {
        const size_t left = limit - json_array_size(all);
        const size_t want = left < ENTRY_PAGE ? left : ENTRY_PAGE;
        size_t count = 0;
        status = entry_read_page(call, list, all, &after, want, &count);
        if (count < want) {
            break;
        }
    }
    if (status == EXIT_STATUS_FINE) {
        json_t *answer = json_pack("{s:O}", "entries", all);
        status = entry_show_rows(call, answer, all);
        json_decref(answer);
    }
    json_decref(all);
    return status;
}

/* --- Change and remove ----------------------------------------------------------------------- */

static enum exit_status entry_change(const struct command_call *call, const char *key,
                                     json_t *value)
{
    char target[CTL_TARGET_BYTES_MAX];
    if (!entry_target(call, call->arguments[0], target, sizeof target)) {
        json_decref(value);
        return EXIT_STATUS_ERROR;
    }
    json_t *answer = NULL;
    const enum exit_status status =
        ctl_ask_json(call, "PATCH", target, json_pack("{s:o}", key, value), &answer);
    return ctl_show_answer(call, status, answer);
}

enum exit_status ctl_entry_disable(const struct command_call *call)
{
    const char *until = command_value(call, "until");
    int64_t time = INT64_MAX;
    if (until != NULL && !ctl_time(call, "--until", until, &time)) {
        return EXIT_STATUS_ERROR;
    }
    return entry_change(call, "disabled_until", json_integer(time));
}

enum exit_status ctl_entry_enable(const struct command_call *call)
{
    return entry_change(call, "disabled_until", json_integer(0));
}

enum exit_status ctl_entry_expire(const struct command_call *call)
{
    int64_t time = 0;
    if (strcmp(call->arguments[1], "never") != 0 &&
        !ctl_time(call, "the day", call->arguments[1], &time)) {
        return EXIT_STATUS_ERROR;
    }
    return entry_change(call, "expires", json_integer(time));
}

enum exit_status ctl_entry_remove(const struct command_call *call)
{
    enum exit_status worst = EXIT_STATUS_FINE;
    for (size_t i = 0; i < call->argument_count && worst != EXIT_STATUS_UNREACHABLE; i++) {
        char target[CTL_TARGET_BYTES_MAX];
        if (!entry_target(call, call->arguments[i], target, sizeof target)) {
            worst = exit_status_worse(worst, EXIT_STATUS_ERROR);
            continue;
        }
        const struct ctl_request request = {.method = "DELETE", .target = target};
        json_t *answer = NULL;
        const enum exit_status status = ctl_ask(call, &request, &answer);
        worst = exit_status_worse(worst, ctl_show_answer(call, status, answer));
    }
    return worst;
}
