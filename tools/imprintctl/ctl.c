#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "file.h"
#include "strbuf.h"

#define CTL_SOCKET_DEFAULT "/run/imprint/admin.sock"

enum { CTL_TIMEOUT_S_DEFAULT = 30, CTL_TIMEOUT_S_MAX = 3600, CTL_SECONDS_PER_DAY = 86400 };

/* --- Asking ---------------------------------------------------------------------------------- */

static const char *ctl_socket(const struct command_call *call)
{
    const char *path = command_value(call, "socket");
    if (path == NULL) {
        path = getenv("IMPRINT_ADMIN_SOCKET");
    }
    return path != NULL && *path != '\0' ? path : CTL_SOCKET_DEFAULT;
}

static bool ctl_timeout(const struct command_call *call, unsigned *out_timeout_ms)
{
    const char *text = command_value(call, "timeout");
    unsigned long seconds = CTL_TIMEOUT_S_DEFAULT;
    if (text != NULL && !command_number(call, "--timeout", text, 1, CTL_TIMEOUT_S_MAX, &seconds)) {
        return false;
    }
    *out_timeout_ms = (unsigned)seconds * 1000;
    return true;
}

static enum exit_status ctl_complain_exchange(const struct command_call *call, const char *socket,
                                              enum imprint_error error)
{
    if (error == IMPRINT_E_UNREACHABLE) {
        command_complain(call, "%s: %s (%s)", socket, imprint_error_text(error), strerror(errno));
    } else if (error == IMPRINT_E_REQUEST_TIMEOUT) {
        command_complain(call, "%s: no answer in time; --timeout allows longer", socket);
        return EXIT_STATUS_UNREACHABLE;
    } else if (error == IMPRINT_E_BAD_REQUEST) {
        command_complain(call, "%s: the answer is not one of imprintd", socket);
    } else if (error == IMPRINT_E_BODY_TOO_LARGE) {
        command_complain(call, "%s: the answer is too long", socket);
    } else {
        command_complain(call, "%s: %s", socket, imprint_error_text(error));
    }
    return exit_status_of(error);
}

/* The daemon's own words, and the status that its code stands for. */
static enum exit_status ctl_complain_refusal(const struct command_call *call, int status,
                                             const json_t *answer)
{
    const json_t *object = json_object_get(answer, "error");
    const char *code = json_string_value(json_object_get(object, "code"));
    const char *message = json_string_value(json_object_get(object, "message"));
    if (code == NULL) {
        command_complain(call, "the daemon answered %d without saying why", status);
        return status == 503 || status == 429 ? EXIT_STATUS_UNREACHABLE : EXIT_STATUS_ERROR;
    }
    struct strbuf line;
    strbuf_init(&line, CTL_TARGET_BYTES_MAX);
    strbuf_add_printable(&line, message != NULL ? message : code);
    strbuf_add(&line, " (");
    strbuf_add_printable(&line, code);
    strbuf_add(&line, ")");
    command_complain(call, "%s", strbuf_get(&line));
    strbuf_done(&line);
    return exit_status_of(imprint_error_from_name(code));
}

static enum exit_status ctl_judge(const struct command_call *call, const struct client_reply *reply,
                                  json_t **out_answer)
{
    json_t *answer = NULL;
    if (reply->body != NULL) {
        answer = json_loadb(reply->body, reply->body_len, JSON_REJECT_DUPLICATES, NULL);
    }
    if (reply->status >= 300) {
        const enum exit_status status = ctl_complain_refusal(call, reply->status, answer);
        json_decref(answer);
        return status;
    }
    if (reply->body != NULL && !json_is_object(answer)) {
        command_complain(call, "the daemon's answer is not a JSON object");
        json_decref(answer);
        return EXIT_STATUS_ERROR;
    }
    if (out_answer != NULL) {
        *out_answer = answer;
    } else {
        json_decref(answer);
    }
    return EXIT_STATUS_FINE;
}

enum exit_status ctl_ask(const struct command_call *call, const struct ctl_request *request,
                         json_t **out_answer)
{
    if (out_answer != NULL) {
        *out_answer = NULL;
    }
    struct client_request exchange = {
        .socket_path = ctl_socket(call),
        .method = request->method,
        .target = request->target,
        .content_type = request->content_type,
        .body = request->body,
        .body_len = request->body_len,
        .reply_bytes_max = CTL_REPLY_BYTES_MAX,
    };
    if (!ctl_timeout(call, &exchange.timeout_ms)) {
        return EXIT_STATUS_ERROR;
    }
    struct client_reply reply = {0};
    const enum imprint_error error = client_exchange(&exchange, &reply);
    if (error != IMPRINT_OK) {
        return ctl_complain_exchange(call, exchange.socket_path, error);
    }
    const enum exit_status status = ctl_judge(call, &reply, out_answer);
    client_reply_done(&reply);
    return status;
}

enum exit_status ctl_ask_file(const struct command_call *call, const char *target,
                              const struct ctl_upload *upload, json_t **out_answer)
{
    struct file_bytes file = {0};
    const enum imprint_error error =
        file_read(upload->path, upload->bytes_max, upload->too_large, &file);
    if (error != IMPRINT_OK) {
        command_complain_file(call, upload->path,
                              error == IMPRINT_E_IO ? strerror(errno) : imprint_error_text(error));
        return EXIT_STATUS_ERROR;
    }
    const struct ctl_request request = {.method = "POST",
                                        .target = target,
                                        .content_type = upload->content_type,
                                        .body = file.bytes,
                                        .body_len = file.len};
    const enum exit_status status = ctl_ask(call, &request, out_answer);
    file_free(&file);
    return status;
}

enum exit_status ctl_ask_json(const struct command_call *call, const char *method,
                              const char *target, json_t *body, json_t **out_answer)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL) {
        command_complain(call, "%s", imprint_error_text(IMPRINT_E_NOMEM));
        return EXIT_STATUS_ERROR;
    }
    const struct ctl_request request = {.method = method,
                                        .target = target,
                                        .content_type = "application/json",
                                        .body = text,
                                        .body_len = strlen(text)};
    const enum exit_status status = ctl_ask(call, &request, out_answer);
    free(text);
    return status;
}

/* --- Showing --------------------------------------------------------------------------------- */

bool ctl_wants_json(const struct command_call *call)
{
    return command_value(call, "json") != NULL;
}

void ctl_print_json(const json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (text != NULL) {
        puts(text);
    }
    free(text);
}

/* Members that hold seconds since 1970. */
static bool ctl_is_time(const char *key)
{
    static const char *const keys[] = {
        "added", "expires", "disabled_until", "created", "accepted", "withdrawn", "time"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(key, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void ctl_time_cell(json_int_t seconds, char *out_text, size_t capacity)
{
    const time_t time = (time_t)seconds;
    struct tm parts;
    if (seconds == 0) {
        snprintf(out_text, capacity, "-");
    } else if (seconds < 0 || seconds > INT64_C(253402300799) || gmtime_r(&time, &parts) == NULL ||
               strftime(out_text, capacity, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        snprintf(out_text, capacity, "always");
    }
}

void ctl_cell(const json_t *object, const char *key, char *out_text, size_t capacity)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value)) {
        snprintf(out_text, capacity, "%s", json_string_value(value));
    } else if (json_is_integer(value) && ctl_is_time(key)) {
        ctl_time_cell(json_integer_value(value), out_text, capacity);
    } else if (value == NULL || json_is_null(value)) {
        snprintf(out_text, capacity, "-");
    } else {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        snprintf(out_text, capacity, "%s", text != NULL ? text : "-");
        free(text);
    }
}

void ctl_print_object(const json_t *object)
{
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    while (at != NULL) {
        char value[1024];
        ctl_cell(object, json_object_iter_key(at), value, sizeof value);
        struct strbuf line;
        strbuf_init(&line, CTL_TARGET_BYTES_MAX);
        strbuf_add_printable(&line, json_object_iter_key(at));
        strbuf_add(&line, ": ");
        strbuf_add_printable(&line, value);
        puts(strbuf_get(&line));
        strbuf_done(&line);
        at = json_object_iter_next((json_t *)(uintptr_t)object, at);
    }
}

enum exit_status ctl_show_answer(const struct command_call *call, enum exit_status status,
                                 json_t *answer)
{
    if (status == EXIT_STATUS_FINE && answer != NULL) {
        if (ctl_wants_json(call)) {
            ctl_print_json(answer);
        } else {
            ctl_print_object(answer);
        }
    }
    json_decref(answer);
    return status;
}

bool ctl_print_rows(const struct command_call *call, const json_t *rows, const char *const *keys,
                    const char *const *heads, size_t count)
{
    struct table table;
    table_init(&table, heads, count);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        for (size_t c = 0; c < count; c++) {
            char cell[512];
            ctl_cell(json_array_get(rows, i), keys[c], cell, sizeof cell);
            table_add(&table, cell);
        }
    }
    const bool is_printed = table_print(&table);
    table_done(&table);
    if (!is_printed) {
        command_complain(call, "%s", imprint_error_text(IMPRINT_E_NOMEM));
    }
    return is_printed;
}

const json_t *ctl_array(const struct command_call *call, const json_t *answer, const char *key)
{
    const json_t *array = json_object_get(answer, key);
    if (!json_is_array(array)) {
        command_complain(call, "the daemon's answer has no \"%s\"", key);
        return NULL;
    }
    return array;
}

/* --- Arguments ------------------------------------------------------------------------------- */

bool ctl_target(const struct command_call *call, char *out_target, size_t capacity,
                const char *before, const char *segment, const char *after, const char *parameter,
                const char *value)
{
    struct strbuf target;
    strbuf_init(&target, capacity - 1);
    strbuf_add(&target, before);
    strbuf_add_percent(&target, segment);
    strbuf_add(&target, after);
    if (value != NULL) {
        strbuf_addf(&target, "?%s=", parameter);
        strbuf_add_percent(&target, value);
    }
    const enum imprint_error error = strbuf_error(&target);
    if (error == IMPRINT_OK) {
        memcpy(out_target, strbuf_get(&target), target.len + 1);
    } else {
        command_complain(call, "a name or reason is too long");
    }
    strbuf_done(&target);
    return error == IMPRINT_OK;
}

bool ctl_entry_id(const struct command_call *call, const char *text, uint64_t *out_id)
{
    unsigned long id = 0;
    if (!command_number(call, "an entry's id", text, 1, (1UL << 53) - 1, &id)) {
        return false;
    }
    *out_id = id;
    return true;
}

/* YYYY-MM-DD of a day that exists. */
static bool ctl_day(const char *text, int64_t *out_time)
{
    struct tm parts = {0};
    int used = 0;
    if (strlen(text) != 10 ||
        sscanf(text, "%4d-%2d-%2d%n", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &used) != 3 ||
        used != 10) {
        return false;
    }
    const struct tm asked = parts;
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    const time_t time = timegm(&parts);
    if (time <= 0 || parts.tm_year + 1900 != asked.tm_year || parts.tm_mon + 1 != asked.tm_mon ||
        parts.tm_mday != asked.tm_mday) {
        return false;
    }
    *out_time = time;
    return true;
}

bool ctl_time(const struct command_call *call, const char *what, const char *text,
              int64_t *out_time)
{
    unsigned long days = 0;
    if (text[0] == '+') {
        if (!command_number(call, what, text + 1, 1, 36500, &days)) {
            return false;
        }
        *out_time = (int64_t)time(NULL) + (int64_t)days * CTL_SECONDS_PER_DAY;
        return true;
    }
    if (!ctl_day(text, out_time)) {
        command_complain(call, "%s is a day such as 2027-01-31, or +N days from now", what);
        return false;
    }
    return true;
}
