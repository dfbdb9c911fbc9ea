/* Cases: a report comes in, is looked up, is withdrawn. */
#include <string.h>

#include <sodium.h>

#include "api_impl.h"
#include "report.h"

static json_t *case_to_json(struct api *api, const struct record_case *found)
{
    char id[REPORT_CASE_ID_TEXT_BYTES];
    report_case_id_to_text(&found->id, id);
    struct record_list list = {0};
    size_t count = 0;
    bool has_list = found->list > 0 &&
                    catalog_lists(api->catalog, found->list - 1, &list, 1, &count) == IMPRINT_OK &&
                    count == 1 && list.id == found->list;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "id", id, "state",
                     found->state == RECORD_CASE_ACTIVE ? "active" : "withdrawn", "list",
                     has_list ? list.name : "", "items", (json_int_t)found->items, "actor",
                     (json_int_t)found->actor, "accepted", (json_int_t)found->accepted, "withdrawn",
                     (json_int_t)found->withdrawn);
}

void api_post_cases(struct api_call *call)
{
    const char *list = call->request->parameter(call->request, "list");
    if (list == NULL) {
        api_fail_with(call, IMPRINT_E_PARAMETER_INVALID, "list");
        return;
    }
    struct report report;
    char why[REPORT_WHY_BYTES] = "";
    enum imprint_error error =
        report_read(call->request->body, call->request->body_len, &report, why);
    if (error != IMPRINT_OK) {
        api_fail_with(call, error, why[0] == '\0' ? NULL : why);
        return;
    }
    const struct catalog_actor actor = {.uid = call->request->uid};
    struct record_case found;
    bool is_new = false;
    error = catalog_case_accept(call->api->catalog, &actor, list, &report.header, report.items,
                                report.count, &found, &is_new);
    report_done(&report);
    if (error != IMPRINT_OK) {
        /* All else was checked by report_read. */
        api_fail_with(call, error,
                      error == IMPRINT_E_PARAMETER_INVALID
                          ? "an item is below the list's quality_floor: lower that, or leave it out"
                          : NULL);
        return;
    }
    json_t *json = case_to_json(call->api, &found);
    (void)json_object_set_new(json, "new", json_boolean(is_new));
    api_answer_json(call, is_new ? 201 : 200, json);
}

static bool read_case_id(struct api_call *call, struct record_case_id *out_id)
{
    if (report_case_id_from_text(call->captures[0], out_id) != IMPRINT_OK) {
        api_fail(call, IMPRINT_E_CASE_NOT_FOUND);
        return false;
    }
    return true;
}

void api_get_case(struct api_call *call)
{
    struct record_case_id id;
    if (!read_case_id(call, &id)) {
        return;
    }
    struct record_case found;
    enum imprint_error error = catalog_case_get(call->api->catalog, &id, &found);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    api_answer_json(call, 200, case_to_json(call->api, &found));
}

/* May this peer withdraw: with the holder's file, or as an admin who says why? */
static bool may_withdraw(struct api_call *call, const struct record_case *found, const char *reason)
{
    if (call->request->body_len == 0) {
        if (reason == NULL || reason[0] == '\0') {
            api_fail_with(call, IMPRINT_E_PARAMETER_INVALID,
                          "reason (needed without the holder's withdrawal file)");
            return false;
        }
        return true;
    }
    struct report_withdrawal withdrawal;
    char why[REPORT_WHY_BYTES] = "";
    enum imprint_error error =
        report_read_withdrawal(call->request->body, call->request->body_len, &withdrawal, why);
    if (error != IMPRINT_OK) {
        api_fail_with(call, error, why);
        return false;
    }
    bool fits = memcmp(&withdrawal.id, &found->id, sizeof found->id) == 0 &&
                report_key_fits(&found->id, "withdraw", withdrawal.key, found->withdraw_verifier);
    sodium_memzero(&withdrawal, sizeof withdrawal);
    if (!fits) {
        api_fail(call, IMPRINT_E_CASE_NOT_FOUND);
    }
    return fits;
}

void api_withdraw_case(struct api_call *call)
{
    struct record_case_id id;
    struct catalog_actor actor;
    if (!read_case_id(call, &id) || !api_read_reason(call, &actor)) {
        return;
    }
    struct record_case found;
    enum imprint_error error = catalog_case_get(call->api->catalog, &id, &found);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    if (!may_withdraw(call, &found, actor.reason)) {
        return;
    }
    error = catalog_case_withdraw(call->api->catalog, &actor, &id, &found);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    api_answer_json(call, 200, case_to_json(call->api, &found));
}
