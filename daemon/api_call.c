/* Answers and the reading of requests: what every handler does in the same way. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api_impl.h"

uint64_t api_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --- Answers ---------------------------------------------------------------------------------- */

int api_status_of(enum imprint_error error)
{
    switch (error) {
    case IMPRINT_OK: return 200;
    case IMPRINT_E_NOMEM: return 503;
    case IMPRINT_E_INTERNAL: return 500;
    case IMPRINT_E_IO: return 500;
    case IMPRINT_E_IMAGE_EMPTY: return 422;
    case IMPRINT_E_IMAGE_UNKNOWN: return 415;
    case IMPRINT_E_IMAGE_UNSUPPORTED: return 415;
    case IMPRINT_E_IMAGE_MALFORMED: return 422;
    case IMPRINT_E_IMAGE_TRUNCATED: return 422;
    case IMPRINT_E_IMAGE_TOO_LARGE: return 413;
    case IMPRINT_E_IMAGE_TOO_COMPLEX: return 422;
    /* The picture's doing, not the service's: sending it again would end the same way. */
    case IMPRINT_E_DECODER_DIED: return 422;
    case IMPRINT_E_DECODER_TIMEOUT: return 422;
    case IMPRINT_E_BAD_REQUEST: return 400;
    case IMPRINT_E_JSON_INVALID: return 400;
    case IMPRINT_E_PARAMETER_INVALID: return 400;
    case IMPRINT_E_HASH_INVALID: return 400;
    case IMPRINT_E_UNAUTHORIZED: return 401;
    case IMPRINT_E_FORBIDDEN: return 403;
    case IMPRINT_E_ROUTE_NOT_FOUND: return 404;
    case IMPRINT_E_METHOD_NOT_ALLOWED: return 405;
    case IMPRINT_E_REQUEST_TIMEOUT: return 408;
    case IMPRINT_E_LENGTH_REQUIRED: return 411;
    case IMPRINT_E_BODY_TOO_LARGE: return 413;
    case IMPRINT_E_MEDIA_TYPE: return 415;
    case IMPRINT_E_RATE_LIMITED: return 429;
    case IMPRINT_E_LIST_NOT_FOUND: return 404;
    case IMPRINT_E_LIST_EXISTS: return 409;
    case IMPRINT_E_ENTRY_NOT_FOUND: return 404;
    case IMPRINT_E_CASE_NOT_FOUND: return 404;
    case IMPRINT_E_CASE_CONFLICT: return 409;
    case IMPRINT_E_CASE_WITHDRAWN: return 410;
    case IMPRINT_E_REPORT_INVALID: return 422;
    case IMPRINT_E_STORE_FULL: return 507;
    case IMPRINT_E_STORE_DAMAGED: return 500;
    case IMPRINT_E_STORE_VERSION: return 500;
    case IMPRINT_E_LOADING: return 503;
    case IMPRINT_E_BUSY: return 503;
    case IMPRINT_E_SHUTTING_DOWN: return 503;
    case IMPRINT_E_UNREACHABLE: return 503;
    case IMPRINT_E_CONFIG_INVALID: return 500;
    case IMPRINT_E_SANDBOX: return 503;
    case IMPRINT_ERROR_COUNT: break;
    }
    return 500;
}

void api_make_error(const struct http_request *request, enum imprint_error error,
                    const char *detail, struct http_reply *out_reply)
{
    struct text text;
    text_init(&text, LIMIT_REPLY_BYTES_MAX);
    if (api_is_hma(request)) {
        text_put(&text, "{\"message\":");
    } else {
        text_put(&text, "{\"error\":{\"code\":");
        text_put_json(&text, imprint_error_name(error));
        text_put(&text, ",\"message\":");
    }
    char message[512];
    (void)snprintf(message, sizeof message, "%s%s%s", imprint_error_text(error),
                   detail == NULL ? "" : ": ", detail == NULL ? "" : detail);
    text_put_json(&text, message);
    text_put(&text, api_is_hma(request) ? "}\n" : "}}\n");
    int status = api_status_of(error);
    *out_reply = (struct http_reply){.status = status,
                                     .retry_after_s = status == 503 || status == 429 ? 1 : 0};
    if (text_take(&text, &out_reply->body, &out_reply->body_len) != IMPRINT_OK) {
        out_reply->body = NULL;
        out_reply->body_len = 0;
    }
}

void api_answer(struct api_call *call, struct http_reply *reply)
{
    metrics_count_request(call->api->metrics, call->route, reply->status,
                          api_now_us() - call->start_us);
    call->exchange->answer(call->exchange, reply);
}

void api_fail_with(struct api_call *call, enum imprint_error error, const char *detail)
{
    struct http_reply reply;
    api_make_error(call->request, error, detail, &reply);
    api_answer(call, &reply);
}

void api_fail(struct api_call *call, enum imprint_error error)
{
    api_fail_with(call, error, NULL);
}

void api_answer_text(struct api_call *call, int status, const char *content_type, struct text *text)
{
    struct http_reply reply = {.status = status, .content_type = content_type};
    if (text_take(text, &reply.body, &reply.body_len) != IMPRINT_OK) {
        api_fail(call, IMPRINT_E_NOMEM);
        return;
    }
    api_answer(call, &reply);
}

void api_answer_json(struct api_call *call, int status, json_t *json)
{
    struct http_reply reply = {.status = status};
    reply.body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (reply.body == NULL) {
        api_fail(call, IMPRINT_E_NOMEM);
        return;
    }
    reply.body_len = strlen(reply.body);
    api_answer(call, &reply);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out_number)
{
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || number < min || number > max) {
        return false;
    }
    *out_number = number;
    return true;
}

bool api_read_number(struct api_call *call, const char *name, uint64_t min, uint64_t max,
                     uint64_t fallback, uint64_t *out_number)
{
    const char *text = call->request->parameter(call->request, name);
    if (text == NULL) {
        *out_number = fallback;
        return true;
    }
    if (!parse_number(text, min, max, out_number)) {
        api_fail_with(call, IMPRINT_E_PARAMETER_INVALID, name);
        return false;
    }
    return true;
}

bool api_read_id(struct api_call *call, size_t capture, uint64_t *out_id)
{
    if (!parse_number(call->captures[capture], 1, ((uint64_t)1 << 53) - 1, out_id)) {
        api_fail(call, IMPRINT_E_ENTRY_NOT_FOUND);
        return false;
    }
    return true;
}

bool api_read_hash(struct api_call *call, const char *name, struct imprint_hash *out_hash)
{
    const char *text = call->request->parameter(call->request, name);
    if (text == NULL) {
        api_fail_with(call, IMPRINT_E_PARAMETER_INVALID, name);
        return false;
    }
    enum imprint_error error = imprint_hash_from_hex(text, strlen(text), out_hash);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return false;
    }
    return true;
}

bool api_read_reason(struct api_call *call, struct catalog_actor *out_actor)
{
    const char *reason = call->request->parameter(call->request, "reason");
    /* Kept for good: one that is not UTF-8 would make its audit record impossible to show. */
    if (reason != NULL && (strlen(reason) > LIMIT_REASON_BYTES_MAX || !text_is_utf8(reason))) {
        api_fail_with(call, IMPRINT_E_PARAMETER_INVALID, "reason");
        return false;
    }
    *out_actor = (struct catalog_actor){.uid = call->request->uid, .reason = reason};
    return true;
}

bool api_read_body(struct api_call *call, const struct field *fields, size_t count)
{
    json_t *body = fields_parse(call->request->body, call->request->body_len, LIMIT_JSON_DEPTH_MAX);
    if (body == NULL) {
        api_fail(call, IMPRINT_E_JSON_INVALID);
        return false;
    }
    const char *wrong = NULL;
    bool is_fine = fields_read(body, fields, count, &wrong);
    json_decref(body);
    if (!is_fine) {
        bool is_hash = strcmp(wrong, "hash") == 0;
        api_fail_with(call, is_hash ? IMPRINT_E_HASH_INVALID : IMPRINT_E_PARAMETER_INVALID, wrong);
    }
    return is_fine;
}

const char *api_content_type(const struct http_request *request)
{
    const char *type = request->header(request, "Content-Type");
    return type == NULL ? "" : type;
}

bool api_content_type_is(const struct http_request *request, const char *type)
{
    const char *given = api_content_type(request);
    size_t len = strlen(type);
    return strncasecmp(given, type, len) == 0 &&
           (given[len] == '\0' || given[len] == ';' || given[len] == ' ');
}
