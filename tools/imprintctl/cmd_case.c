#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "code.h"
#include "ctl.h"
#include "file.h"

/* Sends a small file of the companion as it is. */
static enum exit_status case_send_file(const struct command_call *call, const char *target,
                                       const char *path)
{
    const struct ctl_upload upload = {.path = path,
                                      .content_type = "application/json",
                                      .bytes_max = CTL_FILE_BYTES_MAX,
                                      .too_large = IMPRINT_E_REPORT_INVALID};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask_file(call, target, &upload, &answer);
    return ctl_show_answer(call, status, answer);
}

enum exit_status ctl_report_accept(const struct command_call *call)
{
    const char *list = command_value(call, "list");
    if (list == NULL) {
        command_complain(call, "report accept needs --list NAME");
        return EXIT_STATUS_ERROR;
    }
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/cases", "", "", "list", list)) {
        return EXIT_STATUS_ERROR;
    }
    enum exit_status worst = EXIT_STATUS_FINE;
    for (size_t i = 0; i < call->argument_count && worst != EXIT_STATUS_UNREACHABLE; i++) {
        worst = exit_status_worse(worst, case_send_file(call, target, call->arguments[i]));
    }
    return worst;
}

/* A case number as people write it, to its canonical form. */
static bool case_number(const struct command_call *call, const char *text,
                        char out_number[CODE_CASE_TEXT_LEN + 1])
{
    struct code_case id;
    if (code_case_from_text(text, strlen(text), &id) != IMPRINT_OK) {
        command_complain(call, "a case number has 26 letters and digits");
        return false;
    }
    code_case_to_text(&id, out_number);
    return true;
}

enum exit_status ctl_case_show(const struct command_call *call)
{
    char number[CODE_CASE_TEXT_LEN + 1];
    char target[CTL_TARGET_BYTES_MAX];
    if (!case_number(call, call->arguments[0], number) ||
        !ctl_target(call, target, sizeof target, "/v1/cases/", number, "", NULL, NULL)) {
        return EXIT_STATUS_ERROR;
    }
    const struct ctl_request request = {.method = "GET", .target = target};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(call, &request, &answer);
    return ctl_show_answer(call, status, answer);
}

/* The case number that a withdrawal file names, so that the file alone is enough. */
static bool case_number_of_file(const struct command_call *call, const char *path,
                                char out_number[CODE_CASE_TEXT_LEN + 1])
{
    struct file_bytes file = {0};
    const enum imprint_error error =
        file_read(path, CTL_FILE_BYTES_MAX, IMPRINT_E_REPORT_INVALID, &file);
    if (error != IMPRINT_OK) {
        command_complain_file(call, path,
                              error == IMPRINT_E_IO ? strerror(errno) : imprint_error_text(error));
        return false;
    }
    json_t *root = json_loadb((const char *)file.bytes, file.len, JSON_REJECT_DUPLICATES, NULL);
    const char *id = json_string_value(json_object_get(json_object_get(root, "case"), "id"));
    const bool is_found = id != NULL && case_number(call, id, out_number);
    if (id == NULL) {
        command_complain_file(call, path, "not a withdrawal file: it names no case");
    }
    json_decref(root);
    file_free(&file);
    return is_found;
}

enum exit_status ctl_case_withdraw(const struct command_call *call)
{
    const char *path = command_value(call, "file");
    if ((path == NULL) == (call->argument_count == 0)) {
        command_complain(call, "case withdraw needs a case number, or --file with a withdrawal");
        return EXIT_STATUS_ERROR;
    }
    if (path == NULL && command_value(call, "reason") == NULL) {
        command_complain(call, "withdrawing without the holder's file needs --reason");
        return EXIT_STATUS_ERROR;
    }
    char number[CODE_CASE_TEXT_LEN + 1];
    const bool is_known = path != NULL ? case_number_of_file(call, path, number)
                                       : case_number(call, call->arguments[0], number);
    char target[CTL_TARGET_BYTES_MAX];
    if (!is_known || !ctl_target(call, target, sizeof target, "/v1/cases/", number, "/withdraw",
                                 "reason", command_value(call, "reason"))) {
        return EXIT_STATUS_ERROR;
    }
    if (path != NULL) {
        return case_send_file(call, target, path);
    }
    const struct ctl_request request = {.method = "POST", .target = target};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(call, &request, &answer);
    return ctl_show_answer(call, status, answer);
}
