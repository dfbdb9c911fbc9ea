/* Any bytes as a request to the api: one line "role method target", one with the content type, then
 * the body. There is one answer, it is of the shape its path promises, an error has the status of
 * its code, and nothing a peer sends is told as our failure: list and workers never fail here. A
 * reason that reaches the list can be shown again. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "api.h"
#include "fake_rooms.h"
#include "fuzz_ask.h"
#include "text.h"

static bool fuzz_is_hma(const char *target)
{
    return strncmp(target, "/v1/", 4) != 0;
}

static enum imprint_error fuzz_error_named(const char *name)
{
    for (int i = 1; i < (int)IMPRINT_ERROR_COUNT; i++) {
        if (strcmp(imprint_error_name((enum imprint_error)i), name) == 0) {
            return (enum imprint_error)i;
        }
    }
    return IMPRINT_OK;
}

static void fuzz_check_error(const struct http_reply *reply, const json_t *json, const char *target)
{
    if (fuzz_is_hma(target) && json_object_get(json, "message") != NULL) {
        fuzz_must(json_object_size(json) == 1);
        fuzz_must(json_string_length(json_object_get(json, "message")) > 0);
        return;
    }
    const json_t *error = json_object_get(json, "error");
    fuzz_must(json_object_size(json) == 1 && json_object_size(error) == 2);
    fuzz_must(json_string_length(json_object_get(error, "message")) > 0);
    const char *name = json_string_value(json_object_get(error, "code"));
    fuzz_must(name != NULL && fuzz_error_named(name) != IMPRINT_OK);
    fuzz_must(api_status_of(fuzz_error_named(name)) == reply->status);
}

static void fuzz_check_lines(const struct http_reply *reply)
{
    const char *at = reply->body_len == 0 ? "" : reply->body;
    const char *end = at + reply->body_len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        fuzz_must(newline != NULL);
        json_t *json = json_loadb(at, (size_t)(newline - at), JSON_REJECT_DUPLICATES, NULL);
        fuzz_must(json_is_object(json));
        json_decref(json);
        at = newline + 1;
    }
}

static void fuzz_check_json(const struct http_reply *reply, const char *target)
{
    if (reply->status == 204) {
        fuzz_must(reply->body_len == 0);
        return;
    }
    json_t *json = json_loadb(reply->body, reply->body_len, JSON_REJECT_DUPLICATES, NULL);
    fuzz_must(json != NULL);
    if (reply->status >= 400) {
        fuzz_check_error(reply, json, target);
    }
    json_decref(json);
}

static void fuzz_check(const struct http_reply *reply, const char *target)
{
    fuzz_must(reply->status >= 200 && reply->status < 500);
    fuzz_must((reply->allow != NULL) == (reply->status == 405));
    fuzz_must(reply->retry_after_s == 0);
    if (reply->content_type == NULL) {
        fuzz_check_json(reply, target);
    } else if (strcmp(reply->content_type, "application/x-ndjson") == 0) {
        fuzz_check_lines(reply);
    } else {
        fuzz_must(reply->status == 200);
    }
}

/* Cuts a line off the input, with a NUL. */
static char *fuzz_line(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *newline = *at == end ? NULL : memchr(*at, '\n', (size_t)(end - *at));
    const uint8_t *stop = newline == NULL ? end : newline;
    char *line = strndup(*at == end ? "" : (const char *)*at, (size_t)(stop - *at));
    fuzz_must(line != NULL);
    *at = newline == NULL ? end : newline + 1;
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const methods[] = {"GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"};
    const uint8_t *at = len == 0 ? (const uint8_t *)"" : data;
    const uint8_t *end = at + len;
    char *head = fuzz_line(&at, end);
    char *content_type = fuzz_line(&at, end);
    struct fuzz_ask ask = {
        .role = head[0] == 'q' ? HTTP_ROLE_QUERY : HTTP_ROLE_ADMIN,
        .content_type = content_type[0] == '\0' ? NULL : content_type,
        .body = at,
        .body_len = (size_t)(end - at),
    };
    const char *target = strchr(head, '/');
    for (size_t i = 0; i < sizeof methods / sizeof methods[0] && target != NULL; i++) {
        if (strstr(head, methods[i]) == head + 2) {
            ask.method = methods[i];
            ask.target = target;
        }
    }
    if (ask.method != NULL) {
        struct http_reply reply = {0};
        fuzz_ask(&ask, &reply);
        fuzz_check(&reply, target);
        fuzz_must(text_is_utf8(fake.reason) && strlen(fake.reason) <= LIMIT_REASON_BYTES_MAX);
        fuzz_ask_done(&reply);
    }
    free(content_type);
    free(head);
    return 0;
}
