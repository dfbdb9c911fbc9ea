#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "imprint/hash.h"

#include "ctl.h"
#include "file.h"
#include "strbuf.h"

static bool match_is_hash(const char *text)
{
    struct imprint_hash hash;
    return imprint_hash_from_hex(text, strlen(text), &hash) == IMPRINT_OK;
}

static enum exit_status match_ask_hash(const struct command_call *call, const char *hash,
                                       const char *lists, json_t **out_answer)
{
    char before[128];
    snprintf(before, sizeof before, "/v1/match?hash=%s%s", hash, lists != NULL ? "&lists=" : "");
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, before, lists != NULL ? lists : "", "", NULL,
                    NULL)) {
        return EXIT_STATUS_ERROR;
    }
    const struct ctl_request request = {.method = "GET", .target = target};
    return ctl_ask(call, &request, out_answer);
}

static enum exit_status match_ask_file(const struct command_call *call, const char *path,
                                       const char *lists, json_t **out_answer)
{
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/match", "", "", "lists", lists)) {
        return EXIT_STATUS_ERROR;
    }
    const struct ctl_upload upload = {.path = path,
                                      .content_type = "application/octet-stream",
                                      .bytes_max = CTL_IMAGE_BYTES_MAX,
                                      .too_large = IMPRINT_E_IMAGE_TOO_LARGE};
    return ctl_ask_file(call, target, &upload, out_answer);
}

/* Asks about a hash or a file, and turns the verdict into a status. */
static enum exit_status match_ask(const struct command_call *call, const char *subject,
                                  const char *lists, json_t **out_answer)
{
    *out_answer = NULL;
    const enum exit_status status = match_is_hash(subject)
                                        ? match_ask_hash(call, subject, lists, out_answer)
                                        : match_ask_file(call, subject, lists, out_answer);
    if (status != EXIT_STATUS_FINE) {
        return status;
    }
    const char *verdict = json_string_value(json_object_get(*out_answer, "verdict"));
    if (verdict != NULL && strcmp(verdict, "no_match") == 0) {
        return EXIT_STATUS_FINE;
    }
    if (verdict != NULL && strcmp(verdict, "match") == 0) {
        return EXIT_STATUS_MATCH;
    }
    if (verdict != NULL && strcmp(verdict, "unhashable") == 0) {
        return EXIT_STATUS_UNHASHABLE;
    }
    command_complain_file(call, subject, "the daemon's answer has no verdict");
    return EXIT_STATUS_ERROR;
}

/* --- match ----------------------------------------------------------------------------------- */

/* The daemon's verdict, one JSON line a subject, with the subject's name in front. */
static void match_print_json(const char *subject, const json_t *answer)
{
    struct strbuf name;
    strbuf_init(&name, CTL_TARGET_BYTES_MAX);
    strbuf_add_json(&name, subject);
    json_t *line = json_object();
    json_object_set_new(line, "name", json_loads(strbuf_get(&name), JSON_DECODE_ANY, NULL));
    json_object_update(line, (json_t *)(uintptr_t)answer);
    ctl_print_json(line);
    json_decref(line);
    strbuf_done(&name);
}

static void match_add_rows(struct table *table, const char *subject, const json_t *answer)
{
    static const char *const keys[] = {"list", "entry", "distance", "view", "action"};
    const json_t *matches = json_object_get(answer, "matches");
    const char *verdict = json_string_value(json_object_get(answer, "verdict"));
    const size_t count = json_array_size(matches);
    for (size_t i = 0; i < (count != 0 ? count : 1); i++) {
        table_add(table, subject);
        table_add(table, verdict);
        for (size_t c = 0; c < sizeof keys / sizeof keys[0]; c++) {
            char cell[256];
            ctl_cell(json_array_get(matches, i), keys[c], cell, sizeof cell);
            table_add(table, cell);
        }
    }
}

enum exit_status ctl_match(const struct command_call *call)
{
    static const char *const heads[] = {"NAME",     "VERDICT", "LIST",  "ENTRY",
                                        "DISTANCE", "VIEW",    "ACTION"};
    struct table table;
    table_init(&table, heads, sizeof heads / sizeof heads[0]);
    enum exit_status worst = EXIT_STATUS_FINE;
    for (size_t i = 0; i < call->argument_count && worst != EXIT_STATUS_UNREACHABLE; i++) {
        json_t *answer = NULL;
        const enum exit_status status =
            match_ask(call, call->arguments[i], command_value(call, "lists"), &answer);
        if (answer != NULL && status != EXIT_STATUS_ERROR) {
            if (ctl_wants_json(call)) {
                match_print_json(call->arguments[i], answer);
            } else {
                match_add_rows(&table, call->arguments[i], answer);
            }
        }
        json_decref(answer);
        worst = exit_status_worse(worst, status);
    }
    if (table.cell_count != 0 && !table_print(&table)) {
        worst = exit_status_worse(worst, EXIT_STATUS_ERROR);
    }
    table_done(&table);
    return worst;
}

/* --- scan ------------------------------------------------------------------------------------ */

/* "FILE: reports FOUND", as virus scanners say it. */
static void scan_print(const char *path, enum exit_status status, const json_t *answer)
{
    struct strbuf line;
    strbuf_init(&line, CTL_TARGET_BYTES_MAX);
    strbuf_add_printable(&line, path);
    if (status == EXIT_STATUS_MATCH) {
        const json_t *match = json_array_get(json_object_get(answer, "matches"), 0);
        const char *list = json_string_value(json_object_get(match, "list"));
        strbuf_add(&line, ": ");
        strbuf_add_printable(&line, list != NULL ? list : "imprint");
        strbuf_add(&line, " FOUND");
    } else {
        strbuf_add(&line, status == EXIT_STATUS_FINE ? ": OK" : ": UNHASHABLE");
    }
    puts(strbuf_get(&line));
    strbuf_done(&line);
}

enum exit_status ctl_scan(const struct command_call *call)
{
    enum exit_status worst = EXIT_STATUS_FINE;
    for (size_t i = 0; i < call->argument_count && worst != EXIT_STATUS_UNREACHABLE; i++) {
        json_t *answer = NULL;
        const enum exit_status status =
            match_ask(call, call->arguments[i], command_value(call, "lists"), &answer);
        const bool is_told = answer != NULL && status != EXIT_STATUS_ERROR;
        if (is_told && ctl_wants_json(call)) {
            match_print_json(call->arguments[i], answer);
        } else if (is_told) {
            scan_print(call->arguments[i], status, answer);
        }
        json_decref(answer);
        worst = exit_status_worse(worst, status);
    }
    return worst;
}
