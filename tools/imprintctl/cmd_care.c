/* The care of the list: the audit's proof, compaction, backup. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

enum exit_status ctl_audit_verify(const struct command_call *call)
{
    const struct ctl_request request = {.method = "GET", .target = "/v1/audit/verify"};
    json_t *answer = NULL;
    enum exit_status status = ctl_ask(call, &request, &answer);
    if (status != EXIT_STATUS_FINE) {
        return status;
    }
    const json_t *intact = json_object_get(answer, "intact");
    if (!json_is_true(intact)) {
        command_complain(call, "the audit does not verify: somebody or something changed it");
        status = EXIT_STATUS_ERROR;
    }
    (void)ctl_show_answer(call, EXIT_STATUS_FINE, answer);
    return status;
}

enum exit_status ctl_compact(const struct command_call *call)
{
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(call, target, sizeof target, "/v1/compact", "", "", "reason",
                    command_value(call, "reason"))) {
        return EXIT_STATUS_ERROR;
    }
    const struct ctl_request request = {.method = "POST", .target = target};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(call, &request, &answer);
    return ctl_show_answer(call, status, answer);
}

/* The daemon writes the copy, so it needs the whole path. */
enum exit_status ctl_backup(const struct command_call *call)
{
    const char *name = call->arguments[0];
    char folder[PATH_MAX] = "";
    char path[2 * PATH_MAX];
    if (name[0] != '/' && getcwd(folder, sizeof folder) == NULL) {
        command_complain(call, "the current folder has no path; give the whole path");
        return EXIT_STATUS_ERROR;
    }
    snprintf(path, sizeof path, "%s%s%s", folder, name[0] != '/' ? "/" : "", name);
    json_t *body = json_pack("{s:s}", "path", path);
    if (body == NULL) {
        command_complain(call, "the path is not UTF-8 text");
        return EXIT_STATUS_ERROR;
    }
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask_json(call, "POST", "/v1/backup", body, &answer);
    return ctl_show_answer(call, status, answer);
}
