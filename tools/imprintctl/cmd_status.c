#include <stdio.h>

#include "ctl.h"

enum { AUDIT_LIMIT_DEFAULT = 100, AUDIT_LIMIT_MAX = 1000 };

enum exit_status ctl_status(const struct command_call *call)
{
    const struct ctl_request request = {.method = "GET", .target = "/v1/status"};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(call, &request, &answer);
    return ctl_show_answer(call, status, answer);
}

enum exit_status ctl_stats(const struct command_call *call)
{
    const struct ctl_request request = {.method = "GET", .target = "/v1/stats"};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(call, &request, &answer);
    return ctl_show_answer(call, status, answer);
}

enum exit_status ctl_audit(const struct command_call *call)
{
    static const char *const keys[] = {"seq", "time", "uid", "verb", "object", "reason"};
    static const char *const heads[] = {"SEQ", "TIME", "UID", "VERB", "OBJECT", "REASON"};
    const char *after_text = command_value(call, "after");
    const char *limit_text = command_value(call, "limit");
    unsigned long after = 0;
    unsigned long limit = AUDIT_LIMIT_DEFAULT;
    if ((after_text != NULL &&
         !command_number(call, "--after", after_text, 0, (1UL << 53) - 1, &after)) ||
        (limit_text != NULL &&
         !command_number(call, "--limit", limit_text, 1, AUDIT_LIMIT_MAX, &limit))) {
        return EXIT_STATUS_ERROR;
    }
    char target[128];
    snprintf(target, sizeof target, "/v1/audit?after=%lu&limit=%lu", after, limit);
    const struct ctl_request request = {.method = "GET", .target = target};
    json_t *answer = NULL;
    enum exit_status status = ctl_ask(call, &request, &answer);
    if (status != EXIT_STATUS_FINE) {
        return status;
    }
    const json_t *records = ctl_array(call, answer, "records");
    if (records == NULL) {
        status = EXIT_STATUS_ERROR;
    } else if (ctl_wants_json(call)) {
        ctl_print_json(answer);
    } else if (!ctl_print_rows(call, records, keys, heads, sizeof keys / sizeof keys[0])) {
        status = EXIT_STATUS_ERROR;
    }
    json_decref(answer);
    return status;
}
