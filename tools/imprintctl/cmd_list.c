#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

/* --- Create and change ----------------------------------------------------------------------- */

/* An option, the member of the body it becomes, and the highest number; 0: it is a text. */
struct list_field {
    const char *option;
    const char *key;
    unsigned long number_max;
};

static const struct list_field list_fields[] = {
    {"threshold", "threshold", 63},
    {"quality-floor", "quality_floor", 100},
    {"expiry-days", "expiry_days", 36500},
    {"state", "state", 0},
    {"kind", "kind", 0},
    {"action", "action", 0},
    {"source", "source", 0},
    {"note", "note", 0},
};

enum { LIST_FIELD_COUNT = sizeof list_fields / sizeof list_fields[0] };

/* Sets what the options say. False after complaining. */
static bool list_fill_body(const struct command_call *call, json_t *body)
{
    for (size_t i = 0; i < LIST_FIELD_COUNT; i++) {
        const struct list_field *field = &list_fields[i];
        const char *text = command_value(call, field->option);
        if (text == NULL) {
            continue;
        }
        unsigned long number = 0;
        json_t *value = NULL;
        if (field->number_max == 0) {
            value = json_string(text);
            if (value == NULL) {
                command_complain(call, "--%s is not UTF-8 text", field->option);
                return false;
            }
        } else if (command_number(call, field->option, text, 0, field->number_max, &number)) {
            value = json_integer((json_int_t)number);
        }
        if (value == NULL || json_object_set_new(body, field->key, value) != 0) {
            return false;
        }
    }
    return true;
}

enum exit_status ctl_list_create(const struct command_call *call)
{
    json_t *body = json_object();
    json_t *name = json_string(call->arguments[0]);
    if (name == NULL || json_object_set_new(body, "name", name) != 0 ||
        !list_fill_body(call, body)) {
        json_decref(body);
        return EXIT_STATUS_ERROR;
    }
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/lists", "", "", "reason",
                    command_value(call, "reason"))) {
        json_decref(body);
        return EXIT_STATUS_ERROR;
    }
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask_json(call, "POST", target, body, &answer);
    return ctl_show_answer(call, status, answer);
}

enum exit_status ctl_list_change(const struct command_call *call)
{
    json_t *body = json_object();
    if (!list_fill_body(call, body)) {
        json_decref(body);
        return EXIT_STATUS_ERROR;
    }
    if (json_object_size(body) == 0) {
        command_complain(call, "nothing to change: give at least one option");
        json_decref(body);
        return EXIT_STATUS_ERROR;
    }
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/lists/", call->arguments[0], "", "reason",
                    command_value(call, "reason"))) {
        json_decref(body);
        return EXIT_STATUS_ERROR;
    }
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask_json(call, "PATCH", target, body, &answer);
    return ctl_show_answer(call, status, answer);
}

/* --- Show ------------------------------------------------------------------------------------ */

static enum exit_status list_show_one(const struct command_call *call, const char *name)
{
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/lists/", name, "", NULL, NULL)) {
        return EXIT_STATUS_ERROR;
    }
    json_t *answer = NULL;
    const struct ctl_request request = {.method = "GET", .target = target};
    const enum exit_status status = ctl_ask(call, &request, &answer);
    return ctl_show_answer(call, status, answer);
}

/* Appends one page to all and follows the daemon's cursor; *after 0 again: that was the last. */
static enum exit_status list_read_page(const struct command_call *call, json_t *all,
                                       json_int_t *after)
{
    char target[128];
    snprintf(target, sizeof target, "/v1/lists?after=%" JSON_INTEGER_FORMAT, *after);
    json_t *answer = NULL;
    const struct ctl_request request = {.method = "GET", .target = target};
    enum exit_status status = ctl_ask(call, &request, &answer);
    if (status != EXIT_STATUS_FINE) {
        return status;
    }
    const json_t *lists = ctl_array(call, answer, "lists");
    const json_int_t next = json_integer_value(json_object_get(answer, "next"));
    if (lists == NULL || json_array_extend(all, (json_t *)(uintptr_t)lists) != 0) {
        status = EXIT_STATUS_ERROR;
    } else if (next != 0 && next <= *after) {
        command_complain(call, "the daemon's pages do not go forward");
        status = EXIT_STATUS_ERROR;
    }
    *after = next;
    json_decref(answer);
    return status;
}

static enum exit_status list_show_all(const struct command_call *call)
{
    static const char *const keys[] = {"name",    "state",  "kind",  "threshold",
                                       "entries", "action", "source"};
    static const char *const heads[] = {"NAME",    "STATE",  "KIND",  "THRESHOLD",
                                        "ENTRIES", "ACTION", "SOURCE"};
    json_t *all = json_array();
    json_int_t after = 0;
    enum exit_status status = EXIT_STATUS_FINE;
    do {
        status = list_read_page(call, all, &after);
    } while (status == EXIT_STATUS_FINE && after != 0);
    if (status == EXIT_STATUS_FINE && ctl_wants_json(call)) {
        json_t *answer = json_pack("{s:O}", "lists", all);
        ctl_print_json(answer);
        json_decref(answer);
    } else if (status == EXIT_STATUS_FINE &&
               !ctl_print_rows(call, all, keys, heads, sizeof keys / sizeof keys[0])) {
        status = EXIT_STATUS_ERROR;
    }
    json_decref(all);
    return status;
}

enum exit_status ctl_list_show(const struct command_call *call)
{
    return call->argument_count == 0 ? list_show_all(call)
                                     : list_show_one(call, call->arguments[0]);
}

/* --- Delete ---------------------------------------------------------------------------------- */

/* On a terminal the name is typed again: the entries of a list do not come back. */
static bool list_confirm(const struct command_call *call, const char *name)
{
    if (command_value(call, "yes") != NULL) {
        return true;
    }
    if (!isatty(STDIN_FILENO)) {
        command_complain(call, "deleting a list removes all its entries: add --yes");
        return false;
    }
    fprintf(stderr, "This removes the list and all its entries. Type its name to go on: ");
    char line[256];
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    if (strcmp(line, name) != 0) {
        command_complain(call, "that is another name; nothing was changed");
        return false;
    }
    return true;
}

enum exit_status ctl_list_delete(const struct command_call *call)
{
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/lists/", call->arguments[0], "", "reason",
                    command_value(call, "reason")) ||
        !list_confirm(call, call->arguments[0])) {
        return EXIT_STATUS_ERROR;
    }
    const struct ctl_request request = {.method = "DELETE", .target = target};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(call, &request, &answer);
    return ctl_show_answer(call, status, answer);
}
