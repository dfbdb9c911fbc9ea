/* Api without sockets, list or workers: the route table and its roles, admission, the shape of
 * every answer and error. Catalog and pool are small fakes that answer what the test tells them. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>
#include <jansson.h>

#include "api.h"
#include "fake_rooms.h"

#define HEX "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"

/* --- A request without a socket --------------------------------------------------------------- */

struct ask {
    struct http_exchange exchange; /* first: answer casts back */
    struct http_request request;
    const char *query; /* "a=1&b=2", not encoded */
    const char *content_type;
    const char *accept;
    bool has_no_length;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_answered;
    struct http_reply reply;
    json_t *json; /* of the reply, or NULL */
};

static _Thread_local char value_buffer[4][600];
static _Thread_local unsigned value_next;

static const char *ask_parameter(const struct http_request *request, const char *name)
{
    const struct ask *ask = request->impl;
    size_t len = strlen(name);
    for (const char *at = ask->query; at != NULL && *at != '\0';) {
        size_t end = strcspn(at, "&");
        if (strncmp(at, name, len) == 0 && (at[len] == '=' || len == end)) {
            char *value = value_buffer[value_next++ % 4];
            (void)snprintf(value, 600, "%.*s", len == end ? 0 : (int)(end - len - 1), at + len + 1);
            return value;
        }
        at += end + (at[end] == '&' ? 1 : 0);
    }
    return NULL;
}

static bool ask_known(const struct http_request *request, const char *const *names)
{
    const struct ask *ask = request->impl;
    for (const char *at = ask->query; at != NULL && *at != '\0';) {
        size_t end = strcspn(at, "&");
        size_t len = strcspn(at, "=&");
        bool is_known = false;
        for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
            is_known = is_known || (strlen(names[i]) == len && strncmp(names[i], at, len) == 0);
        }
        if (!is_known) {
            return false;
        }
        at += end + (at[end] == '&' ? 1 : 0);
    }
    return true;
}

static const char *ask_header(const struct http_request *request, const char *name)
{
    const struct ask *ask = request->impl;
    if (strcasecmp(name, "Content-Type") == 0) {
        return ask->content_type;
    }
    if (strcasecmp(name, "Accept") == 0) {
        return ask->accept;
    }
    return strcasecmp(name, "Content-Length") == 0 && !ask->has_no_length ? "1" : NULL;
}

static void ask_answer(struct http_exchange *exchange, struct http_reply *reply)
{
    struct ask *ask = (struct ask *)(void *)exchange;
    (void)pthread_mutex_lock(&ask->lock);
    ask->reply = *reply;
    ask->is_answered = true;
    (void)pthread_cond_signal(&ask->changed);
    (void)pthread_mutex_unlock(&ask->lock);
}

static struct api *api;

/* Does what server does: admit, then handle, then wait. Returns the status. */
static int ask_run(struct ask *ask, enum http_role role, const char *method, const char *path,
                   const char *body)
{
    ask->request = (struct http_request){
        .method = method,
        .path = path,
        .role = role,
        .parameter = ask_parameter,
        .parameters_known = ask_known,
        .header = ask_header,
        .impl = ask,
    };
    ask->exchange.answer = ask_answer;
    ask->is_answered = false;
    (void)pthread_mutex_init(&ask->lock, NULL);
    (void)pthread_cond_init(&ask->changed, NULL);
    struct http_handler handler = api_handler(api);
    size_t body_max = 0;
    if (handler.admit(handler.ctx, &ask->request, &body_max, &ask->reply)) {
        ask->request.body = (const uint8_t *)body;
        ask->request.body_len = body == NULL ? 0 : strlen(body);
        handler.handle(handler.ctx, &ask->request, &ask->exchange);
        (void)pthread_mutex_lock(&ask->lock);
        while (!ask->is_answered) {
            (void)pthread_cond_wait(&ask->changed, &ask->lock);
        }
        (void)pthread_mutex_unlock(&ask->lock);
    }
    (void)pthread_cond_destroy(&ask->changed);
    (void)pthread_mutex_destroy(&ask->lock);
    ask->json =
        ask->reply.body_len == 0 ? NULL : json_loadb(ask->reply.body, ask->reply.body_len, 0, NULL);
    return ask->reply.status;
}

static void ask_done(struct ask *ask)
{
    json_decref(ask->json);
    free(ask->reply.body);
    *ask = (struct ask){0};
}

static const char *text_at(const struct ask *ask, const char *name)
{
    const char *text = json_string_value(json_object_get(ask->json, name));
    return text == NULL ? "" : text;
}

/* Runs and expects an error of this code with its status and a message. */
static void expect_error(struct ask ask, enum http_role role, const char *method, const char *path,
                         const char *body, enum imprint_error error)
{
    int status = ask_run(&ask, role, method, path, body);
    const json_t *inner = json_object_get(ask.json, "error");
    const char *code = json_string_value(json_object_get(inner, "code"));
    if (status != api_status_of(error) || code == NULL ||
        strcmp(code, imprint_error_name(error)) != 0 ||
        json_string_length(json_object_get(inner, "message")) < 5) {
        print_message("%s %s: %d %s\n", method, path, status, ask.reply.body);
        fail();
    }
    bool wants_retry = status == 503 || status == 429;
    assert_int_equal(ask.reply.retry_after_s > 0, wants_retry);
    assert_int_equal(ask.reply.allow != NULL, status == 405);
    ask_done(&ask);
}

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.is_ready = true;
    const struct api_options options = {
        .version = "1.2.3",
        .settings = {.image_bytes_max = 5000, .distance = API_DISTANCE_EXACT},
    };
    assert_int_equal(api_new(&options, &api), IMPRINT_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    api_free(api);
    return 0;
}

/* --- Tests ------------------------------------------------------------------------------------ */

/* "/v1/lists/{name}" with something in the braces. */
static void fill_path(const char *pattern, char *out_path)
{
    while (*pattern != '\0') {
        if (*pattern == '{') {
            memcpy(out_path, "17", 2);
            out_path += 2;
            pattern = strchr(pattern, '}') + 1;
        } else {
            *out_path++ = *pattern++;
        }
    }
    *out_path = '\0';
}

static void query_role_reaches_no_admin_route(void **state)
{
    (void)state;
    static const char *const for_query[] = {
        "GET /v1/match",       "POST /v1/match", "POST /v1/match/batch", "POST /v1/hash",
        "POST /v1/feedback",   "GET /v1/status", "GET /v1/live",         "GET /status",
        "GET /status/live",    "GET /site-map",  "POST /h/hash",         "GET /h/hash",
        "GET /m/lookup",       "POST /m/lookup", "GET /m/raw_lookup",    "POST /m/compare",
        "GET /m/index/status",
    };
    struct http_handler handler = api_handler(api);
    size_t open = 0;
    for (size_t i = 0; i < api_route_count(); i++) {
        struct api_route_info info = api_route_info(i);
        char path[128];
        char name[160];
        fill_path(info.path, path);
        (void)snprintf(name, sizeof name, "%s %s", info.method, info.path);
        bool is_listed = false;
        for (size_t q = 0; q < sizeof for_query / sizeof for_query[0]; q++) {
            is_listed = is_listed || strcmp(name, for_query[q]) == 0;
        }
        assert_int_equal(info.is_for_query, is_listed);
        open += is_listed ? 1 : 0;
        for (int role = HTTP_ROLE_QUERY; role <= HTTP_ROLE_ADMIN; role++) {
            struct ask ask = {0};
            struct http_request request = {.method = info.method,
                                           .path = path,
                                           .role = (enum http_role)role,
                                           .parameter = ask_parameter,
                                           .parameters_known = ask_known,
                                           .header = ask_header,
                                           .impl = &ask};
            size_t body_max = 0;
            struct http_reply reply = {0};
            bool is_admitted = handler.admit(handler.ctx, &request, &body_max, &reply);
            assert_int_equal(is_admitted, role == HTTP_ROLE_ADMIN || is_listed);
            if (is_admitted) {
                assert_int_equal(body_max > 0, info.has_body);
            } else {
                assert_true(reply.status == 403 || reply.status == 405);
            }
            free(reply.body);
        }
    }
    assert_int_equal(open, sizeof for_query / sizeof for_query[0]);
}

static void every_error_has_a_fitting_status(void **state)
{
    (void)state;
    for (int i = 1; i < (int)IMPRINT_ERROR_COUNT; i++) {
        int status = api_status_of((enum imprint_error)i);
        assert_true(status >= 400 && status <= 507);
        if (i == IMPRINT_E_METHOD_NOT_ALLOWED) {
            continue; /* comes from the table alone, with an Allow */
        }
        fake.error = (enum imprint_error)i;
        expect_error((struct ask){.query = "hash=" HEX}, HTTP_ROLE_QUERY, "GET", "/v1/match", NULL,
                     (enum imprint_error)i);
    }
    /* A picture's fault is never told as ours. */
    for (int i = IMPRINT_E_IMAGE_EMPTY; i <= (int)IMPRINT_E_DECODER_TIMEOUT; i++) {
        assert_true(api_status_of((enum imprint_error)i) < 500);
    }
}

static void wrong_requests_are_refused_before_their_body(void **state)
{
    (void)state;
    const struct ask plain = {0};
    expect_error(plain, HTTP_ROLE_QUERY, "GET", "/", NULL, IMPRINT_E_ROUTE_NOT_FOUND);
    expect_error(plain, HTTP_ROLE_QUERY, "GET", "/v1/matches", NULL, IMPRINT_E_ROUTE_NOT_FOUND);
    expect_error(plain, HTTP_ROLE_QUERY, "GET", "/v1/match/", NULL, IMPRINT_E_ROUTE_NOT_FOUND);
    expect_error(plain, HTTP_ROLE_ADMIN, "GET", "/v1/lists//entries", NULL,
                 IMPRINT_E_ROUTE_NOT_FOUND);
    expect_error(plain, HTTP_ROLE_QUERY, "DELETE", "/v1/match", NULL, IMPRINT_E_METHOD_NOT_ALLOWED);
    expect_error(plain, HTTP_ROLE_QUERY, "get", "/v1/match", NULL, IMPRINT_E_METHOD_NOT_ALLOWED);
    expect_error(plain, HTTP_ROLE_QUERY, "GET", "/v1/lists", NULL, IMPRINT_E_FORBIDDEN);
    expect_error((struct ask){.has_no_length = true}, HTTP_ROLE_QUERY, "POST", "/v1/match", NULL,
                 IMPRINT_E_LENGTH_REQUIRED);
    expect_error((struct ask){.query = "list=a&hash=" HEX}, HTTP_ROLE_QUERY, "GET", "/v1/match",
                 NULL, IMPRINT_E_PARAMETER_INVALID);
    struct ask ask = {0};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "PUT", "/v1/lists/x", NULL), 405);
    assert_string_equal(ask.reply.allow, "GET, HEAD, PATCH, DELETE");
    ask_done(&ask);
}

static void hash_query_gives_a_verdict(void **state)
{
    (void)state;
    struct ask ask = {.query = "hash=" HEX "&lists=a,b"};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "GET", "/v1/match", NULL), 200);
    assert_string_equal(text_at(&ask, "verdict"), "no_match");
    assert_true(json_is_null(json_object_get(ask.json, "quality")));
    assert_int_equal(json_integer_value(json_object_get(ask.json, "seq")), 7);
    assert_int_equal(json_array_size(json_object_get(ask.json, "matches")), 0);
    assert_string_equal(fake.lists_asked, "a,b");
    assert_int_equal(fake.views_asked, 1);
    ask_done(&ask);
    expect_error((struct ask){0}, HTTP_ROLE_QUERY, "GET", "/v1/match", NULL,
                 IMPRINT_E_PARAMETER_INVALID);
    expect_error((struct ask){.query = "hash="}, HTTP_ROLE_QUERY, "GET", "/v1/match", NULL,
                 IMPRINT_E_HASH_INVALID);
    expect_error((struct ask){.query = "hash=" HEX "0"}, HTTP_ROLE_QUERY, "GET", "/v1/match", NULL,
                 IMPRINT_E_HASH_INVALID);
}

/* What a query peer learns of the distance; an admin always learns it. */
static void expect_distance(enum api_distance policy, enum http_role role, int expected)
{
    const struct api_settings settings = {.image_bytes_max = 5000, .distance = policy};
    api_change_settings(api, &settings);
    struct ask ask = {.query = "hash=" HEX};
    assert_int_equal(ask_run(&ask, role, "GET", "/v1/match", NULL), 200);
    const json_t *match = json_array_get(json_object_get(ask.json, "matches"), 0);
    const json_t *distance = json_object_get(match, "distance");
    assert_string_equal(text_at(&ask, "verdict"), "match");
    assert_int_equal(json_is_integer(distance) ? json_integer_value(distance) : -1, expected);
    assert_string_equal(json_string_value(json_object_get(match, "list")), "n\"cii");
    assert_string_equal(json_string_value(json_object_get(match, "action")), "block");
    assert_int_equal(json_integer_value(json_object_get(match, "entry")), 81723);
    assert_int_equal(json_string_length(json_object_get(match, "match")), 26);
    ask_done(&ask);
}

static void distance_is_told_as_configured(void **state)
{
    (void)state;
    fake.match_count = 2;
    fake.match =
        (struct catalog_match){.entry = 81723, .distance = 9, .list = "n\"cii", .action = "block"};
    expect_distance(API_DISTANCE_EXACT, HTTP_ROLE_QUERY, 9);
    expect_distance(API_DISTANCE_COARSE, HTTP_ROLE_QUERY, 16);
    expect_distance(API_DISTANCE_HIDDEN, HTTP_ROLE_QUERY, -1);
    expect_distance(API_DISTANCE_COARSE, HTTP_ROLE_ADMIN, 9);
    expect_distance(API_DISTANCE_HIDDEN, HTTP_ROLE_ADMIN, 9);
    fake.match.distance = 0;
    expect_distance(API_DISTANCE_COARSE, HTTP_ROLE_QUERY, 0);
}

static void picture_gives_a_verdict_with_its_quality(void **state)
{
    (void)state;
    fake.answer.view_count = 8;
    fake.answer.quality = 97;
    struct ask ask = {0};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/match", "bytes"), 200);
    assert_string_equal(text_at(&ask, "verdict"), "no_match");
    assert_int_equal(json_integer_value(json_object_get(ask.json, "quality")), 97);
    assert_int_equal(fake.views_asked, 8);
    ask_done(&ask);
    fake.answer.quality = 12;
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/match", "bytes"), 200);
    assert_string_equal(text_at(&ask, "verdict"), "unhashable");
    ask_done(&ask);
    fake.answer.view_count = 0;
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/match", "bytes"), 200);
    assert_string_equal(text_at(&ask, "verdict"), "unhashable");
    ask_done(&ask);
    expect_error((struct ask){0}, HTTP_ROLE_QUERY, "POST", "/v1/match", "", IMPRINT_E_IMAGE_EMPTY);
    fake.answer.error = IMPRINT_E_DECODER_DIED;
    expect_error((struct ask){0}, HTTP_ROLE_QUERY, "POST", "/v1/match", "x",
                 IMPRINT_E_DECODER_DIED);
    fake.submit_error = IMPRINT_E_BUSY;
    expect_error((struct ask){0}, HTTP_ROLE_QUERY, "POST", "/v1/hash", "x", IMPRINT_E_BUSY);
}

static void hash_route_tells_hash_and_picture(void **state)
{
    (void)state;
    fake.answer = (struct pool_answer){
        .info = {.format = IMPRINT_FORMAT_PNG, .width = 640, .height = 480, .is_truncated = true},
        .quality = 88,
        .view_count = 1,
    };
    assert_int_equal(imprint_hash_from_hex(HEX, 64, &fake.answer.views[0].hash), IMPRINT_OK);
    struct ask ask = {0};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/hash", "bytes"), 200);
    assert_string_equal(text_at(&ask, "hash"), HEX);
    assert_string_equal(text_at(&ask, "format"), "png");
    assert_int_equal(json_integer_value(json_object_get(ask.json, "width")), 640);
    assert_true(json_is_true(json_object_get(ask.json, "truncated")));
    ask_done(&ask);
    fake.answer.view_count = 0;
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/hash", "bytes"), 200);
    assert_true(json_is_null(json_object_get(ask.json, "hash")));
    ask_done(&ask);
}

/* The reply's lines, one JSON value each. */
static json_t *line_of(const struct ask *ask, size_t number)
{
    const char *at = ask->reply.body;
    const char *end = at + ask->reply.body_len;
    for (size_t i = 0; i < number; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(at);
        at++;
    }
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    assert_non_null(stop);
    return json_loadb(at, (size_t)(stop - at), 0, NULL);
}

static const char *member(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text == NULL ? "" : text;
}

static void batch_answers_each_line_in_order(void **state)
{
    (void)state;
    struct ask ask = {.content_type = "text/plain"};
    assert_int_equal(
        ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/match/batch", HEX "\r\nnonsense\n\n" HEX), 200);
    json_t *lines[3];
    for (size_t i = 0; i < 3; i++) {
        lines[i] = line_of(&ask, i);
    }
    assert_string_equal(member(lines[0], "verdict"), "no_match");
    assert_string_equal(member(json_object_get(lines[1], "error"), "code"), "hash_invalid");
    assert_string_equal(member(lines[2], "verdict"), "no_match");
    for (size_t i = 0; i < 3; i++) {
        json_decref(lines[i]);
    }
    ask_done(&ask);

    ask.content_type = "application/x-ndjson";
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/match/batch",
                             "{\"id\":\"a\\\"b\",\"hash\":\"" HEX "\"}\n{\"id\":7,\"hash\":\"" HEX
                             "\"}\n{\"hash\":\"12\"}\n"),
                     200);
    for (size_t i = 0; i < 3; i++) {
        lines[i] = line_of(&ask, i);
    }
    assert_string_equal(member(lines[0], "id"), "a\"b");
    assert_int_equal(json_integer_value(json_object_get(lines[1], "id")), 7);
    assert_string_equal(member(json_object_get(lines[2], "error"), "code"), "hash_invalid");
    for (size_t i = 0; i < 3; i++) {
        json_decref(lines[i]);
    }
    ask_done(&ask);

    ask.content_type = "application/octet-stream";
    ask.accept = "application/octet-stream";
    fake.match_count = 2;
    fake.match = (struct catalog_match){.entry = 0x0102030405, .distance = 9};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/match/batch",
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
                     200);
    static const char record[16] = {5, 4, 3, 2, 1, 0, 0, 0, 9, 0, 1, 0, 2, 0, 0, 0};
    assert_int_equal(ask.reply.body_len, 32);
    assert_memory_equal(ask.reply.body, record, 16);
    assert_memory_equal(ask.reply.body + 16, record, 16);
    ask_done(&ask);
    expect_error((struct ask){.content_type = "application/octet-stream"}, HTTP_ROLE_QUERY, "POST",
                 "/v1/match/batch", "short", IMPRINT_E_HASH_INVALID);
    expect_error((struct ask){.content_type = "image/png"}, HTTP_ROLE_QUERY, "POST",
                 "/v1/match/batch", "x", IMPRINT_E_MEDIA_TYPE);
}

static void feedback_is_taken_about_matches_told_and_no_others(void **state)
{
    (void)state;
    fake.match_count = 1;
    fake.match = (struct catalog_match){.entry = 81723, .distance = 9};
    struct ask ask = {.query = "hash=" HEX};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "GET", "/v1/match", NULL), 200);
    char body[128];
    (void)snprintf(body, sizeof body, "{\"match\":\"%s\",\"verdict\":\"wrong\"}",
                   member(json_array_get(json_object_get(ask.json, "matches"), 0), "match"));
    ask_done(&ask);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/feedback", body), 204);
    ask_done(&ask);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/feedback", NULL), 200);
    const json_t *kept = json_array_get(json_object_get(ask.json, "feedback"), 0);
    assert_int_equal(json_integer_value(json_object_get(kept, "entry")), 81723);
    assert_string_equal(member(kept, "verdict"), "wrong");
    ask_done(&ask);
    body[12] = body[12] == '0' ? '1' : '0';
    expect_error((struct ask){0}, HTTP_ROLE_QUERY, "POST", "/v1/feedback", body,
                 IMPRINT_E_PARAMETER_INVALID);
    expect_error((struct ask){0}, HTTP_ROLE_QUERY, "POST", "/v1/feedback",
                 "{\"match\":\"01\",\"verdict\":\"wrong\"}", IMPRINT_E_PARAMETER_INVALID);
}

static void picture_may_come_in_a_form(void **state)
{
    (void)state;
    fake.answer.view_count = 1;
    fake.answer.quality = 80;
    static const char type[] = "multipart/form-data; boundary=b";
    struct ask ask = {.content_type = type};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "POST", "/v1/match",
                             "--b\r\nContent-Disposition: form-data; name=x; filename=y\r\n\r\n"
                             "JPEG\r\n--b--\r\n"),
                     200);
    assert_string_equal(text_at(&ask, "verdict"), "no_match");
    ask_done(&ask);
    assert_int_equal(fake.job_len, 4);
    expect_error((struct ask){.content_type = type}, HTTP_ROLE_QUERY, "POST", "/v1/match",
                 "--b\r\nContent-Disposition: form-data; name=x\r\n\r\nJPEG\r\n--b--\r\n",
                 IMPRINT_E_BAD_REQUEST);
    expect_error((struct ask){.content_type = type}, HTTP_ROLE_QUERY, "POST", "/v1/match",
                 "--b\r\nContent-Disposition: form-data; name=x; filename=y\r\n\r\n\r\n--b--\r\n",
                 IMPRINT_E_IMAGE_EMPTY);
}

static void status_is_503_until_the_list_is_loaded(void **state)
{
    (void)state;
    struct ask ask = {0};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "GET", "/v1/status", NULL), 200);
    assert_string_equal(text_at(&ask, "status"), "ready");
    assert_string_equal(text_at(&ask, "version"), "1.2.3");
    assert_string_equal(text_at(&ask, "epoch"), "abc");
    ask_done(&ask);
    fake.is_ready = false;
    expect_error((struct ask){0}, HTTP_ROLE_QUERY, "GET", "/v1/status", NULL, IMPRINT_E_LOADING);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "HEAD", "/v1/live", NULL), 200);
    ask_done(&ask);
}

static void list_fields_are_read_and_shown(void **state)
{
    (void)state;
    struct ask ask = {.query = "reason=why"};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "POST", "/v1/lists",
                             "{\"name\":\"ncii\",\"threshold\":63,\"state\":\"shadow\","
                             "\"kind\":\"benign\",\"note\":\"n\",\"source\":\"s\","
                             "\"action\":\"review\",\"quality_floor\":0,\"expiry_days\":30}"),
                     201);
    assert_string_equal(text_at(&ask, "name"), "ncii");
    assert_string_equal(text_at(&ask, "state"), "shadow");
    assert_string_equal(text_at(&ask, "kind"), "benign");
    assert_string_equal(text_at(&ask, "action"), "review");
    assert_int_equal(json_integer_value(json_object_get(ask.json, "threshold")), 63);
    assert_int_equal(json_integer_value(json_object_get(ask.json, "expiry_days")), 30);
    ask_done(&ask);
    static const char *const bad[] = {
        "{\"name\":\"a\",\"threshold\":64}",
        "{\"name\":\"a\",\"threshold\":-1}",
        "{\"name\":\"a\",\"threshold\":\"3\"}",
        "{\"name\":\"a\",\"threshold\":3.5}",
        "{\"name\":\"a\",\"state\":\"on\"}",
        "{\"name\":\"\"}",
        "{\"threshold\":3}",
        "{\"name\":\"a\",\"quality_floor\":101}",
        "{\"name\":\"a\",\"colour\":1}",
        "[]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "POST", "/v1/lists", bad[i],
                     IMPRINT_E_PARAMETER_INVALID);
    }
    static const char *const not_json[] = {
        "",         "{",
        "{}x",      "{\"name\":\"a\",\"name\":\"b\"}",
        "nonsense", "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]",
    };
    for (size_t i = 0; i < sizeof not_json / sizeof not_json[0]; i++) {
        expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "POST", "/v1/lists", not_json[i],
                     IMPRINT_E_JSON_INVALID);
    }
    expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "PATCH", "/v1/lists/a", "{\"name\":\"b\"}",
                 IMPRINT_E_PARAMETER_INVALID);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "PATCH", "/v1/lists/a", "{\"state\":\"off\"}"),
                     200);
    assert_string_equal(text_at(&ask, "state"), "off");
    assert_int_equal(json_integer_value(json_object_get(ask.json, "threshold")), 31);
    ask_done(&ask);
    char query[400] = "reason=";
    memset(query + 7, 'x', 256);
    expect_error((struct ask){.query = query}, HTTP_ROLE_ADMIN, "DELETE", "/v1/lists/a", NULL,
                 IMPRINT_E_PARAMETER_INVALID);
    /* What is not UTF-8 could be kept, but never be shown again. */
    expect_error((struct ask){.query = "reason=a\xff"}, HTTP_ROLE_ADMIN, "DELETE", "/v1/lists/a",
                 NULL, IMPRINT_E_PARAMETER_INVALID);
    expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "GET", "/v1/lists/a\xc3", NULL,
                 IMPRINT_E_ROUTE_NOT_FOUND);
}

static void entry_is_added_shown_and_changed(void **state)
{
    (void)state;
    struct ask ask = {.content_type = "application/json; charset=utf-8"};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "POST", "/v1/lists/ncii/entries",
                             "{\"hash\":\"" HEX "\",\"quality\":null,\"note\":\"x\"}"),
                     201);
    assert_string_equal(text_at(&ask, "hash"), HEX);
    assert_string_equal(text_at(&ask, "list"), "ncii");
    assert_true(json_is_null(json_object_get(ask.json, "quality")));
    assert_true(json_is_null(json_object_get(ask.json, "case")));
    assert_true(json_is_false(json_object_get(ask.json, "duplicate")));
    ask_done(&ask);
    expect_error((struct ask){.content_type = "application/json"}, HTTP_ROLE_ADMIN, "POST",
                 "/v1/lists/ncii/entries", "{\"hash\":\"12\"}", IMPRINT_E_HASH_INVALID);
    /* Any other type is a picture. */
    fake.answer.view_count = 1;
    fake.answer.quality = 77;
    ask.content_type = "image/jpeg";
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "POST", "/v1/lists/ncii/entries", "JPEG"), 201);
    assert_int_equal(json_integer_value(json_object_get(ask.json, "quality")), 77);
    ask_done(&ask);
    assert_int_equal(fake.added, 2);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "PATCH", "/v1/entries/17",
                             "{\"disabled_until\":9223372036854775807}"),
                     200);
    assert_int_equal(json_integer_value(json_object_get(ask.json, "disabled_until")), INT64_MAX);
    ask_done(&ask);
    expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "PATCH", "/v1/entries/17", "{\"expires\":-1}",
                 IMPRINT_E_PARAMETER_INVALID);
    static const char *const ids[] = {"/v1/entries/0", "/v1/entries/x", "/v1/entries/-1",
                                      "/v1/entries/9007199254740992", "/v1/entries/1x"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "GET", ids[i], NULL,
                     IMPRINT_E_ENTRY_NOT_FOUND);
    }
    ask.query = "hash=" HEX;
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/entries", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(ask.json, "entries")), 1);
    ask_done(&ask);
}

static void entries_page_by_id(void **state)
{
    (void)state;
    struct ask ask = {.query = "after=0&limit=3"};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/lists/a/entries", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(ask.json, "entries")), 3);
    assert_int_equal(json_integer_value(json_object_get(ask.json, "next")), 3);
    ask_done(&ask);
    ask.query = "after=3&limit=3";
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/lists/a/entries", NULL), 200);
    assert_int_equal(json_array_size(json_object_get(ask.json, "entries")), 2);
    assert_true(json_is_null(json_object_get(ask.json, "next")));
    ask_done(&ask);
    static const char *const bad[] = {"limit=0", "limit=1001", "limit=x", "limit=", "after=-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_error((struct ask){.query = bad[i]}, HTTP_ROLE_ADMIN, "GET", "/v1/lists/a/entries",
                     NULL, IMPRINT_E_PARAMETER_INVALID);
    }
}

static void batch_adds_every_line_or_names_the_wrong_one(void **state)
{
    (void)state;
    struct ask ask = {0};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "POST", "/v1/lists/a/entries/batch",
                             "{\"hash\":\"" HEX "\"}\r\n\n{\"hash\":\"" HEX "\",\"quality\":80}"),
                     200);
    assert_int_equal(json_integer_value(json_object_get(ask.json, "added")), 2);
    ask_done(&ask);
    assert_int_equal(fake.added, 2);
    ask.query = "atomic=1";
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "POST", "/v1/lists/a/entries/batch",
                             "{\"hash\":\"" HEX "\"}\n{\"hash\":\"" HEX "\",\"x\":1}\n"),
                     400);
    const json_t *error = json_object_get(ask.json, "error");
    assert_non_null(strstr(json_string_value(json_object_get(error, "message")), "line 2"));
    ask_done(&ask);
    assert_int_equal(fake.added, 2);
    expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "POST", "/v1/lists/a/entries/batch", "\n\n",
                 IMPRINT_E_JSON_INVALID);
}

static void cases_come_in_and_are_withdrawn_with_a_reason(void **state)
{
    (void)state;
    expect_error((struct ask){.query = "list=a"}, HTTP_ROLE_ADMIN, "POST", "/v1/cases", "{}",
                 IMPRINT_E_REPORT_INVALID);
    expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "POST", "/v1/cases", "{}",
                 IMPRINT_E_PARAMETER_INVALID);
    expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "GET", "/v1/cases/nonsense", NULL,
                 IMPRINT_E_CASE_NOT_FOUND);
    static const char path[] = "/v1/cases/7ZZZZZZZZZZZZZZZZZZZZZZZZZ/withdraw";
    expect_error((struct ask){.has_no_length = true}, HTTP_ROLE_ADMIN, "POST", path, NULL,
                 IMPRINT_E_PARAMETER_INVALID);
    struct ask ask = {.query = "reason=asked by phone", .has_no_length = true};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "POST", path, NULL), 200);
    assert_string_equal(text_at(&ask, "state"), "withdrawn");
    assert_string_equal(text_at(&ask, "list"), "ncii");
    ask_done(&ask);
    /* A file with a key that does not fit opens nothing. */
    expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "POST", path,
                 "{\"format\":\"imprint-withdrawal/1\",\"case\":{\"id\":"
                 "\"7ZZZZZZZZZZZZZZZZZZZZZZZZZ\"},\"key\":\"" HEX "\"}",
                 IMPRINT_E_CASE_NOT_FOUND);
}

static void audit_and_changes_are_told(void **state)
{
    (void)state;
    struct ask ask = {.query = "after=0"};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/audit", NULL), 200);
    const json_t *record = json_array_get(json_object_get(ask.json, "records"), 0);
    assert_string_equal(json_string_value(json_object_get(record, "verb")), "entry_remove");
    assert_string_equal(json_string_value(json_object_get(record, "object")), "entry 17");
    assert_true(json_is_null(json_object_get(ask.json, "next")));
    ask_done(&ask);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/changes", NULL), 200);
    const json_t *changes = json_object_get(ask.json, "changes");
    static const char *const kinds[] = {"put", "removed", "list_removed"};
    for (size_t i = 0; i < 3; i++) {
        const json_t *change = json_array_get(changes, i);
        assert_string_equal(json_string_value(json_object_get(change, "kind")), kinds[i]);
        assert_int_equal(json_integer_value(json_object_get(change, "seq")), 5 + i);
    }
    ask_done(&ask);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/audit/verify", NULL), 200);
    assert_true(json_is_true(json_object_get(ask.json, "intact")));
    ask_done(&ask);
    fake.error = IMPRINT_E_STORE_DAMAGED;
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/audit/verify", NULL), 200);
    assert_true(json_is_false(json_object_get(ask.json, "intact")));
    assert_int_equal(json_integer_value(json_object_get(ask.json, "bad_seq")), 4);
    ask_done(&ask);
    fake.error = IMPRINT_OK;
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "POST", "/v1/compact", NULL), 200);
    ask_done(&ask);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "POST", "/v1/backup", "{\"path\":\"/b\"}"),
                     201);
    ask_done(&ask);
    expect_error((struct ask){0}, HTTP_ROLE_ADMIN, "POST", "/v1/backup", "{\"path\":\"b/c\"}",
                 IMPRINT_E_PARAMETER_INVALID);
}

static void metrics_count_what_happened(void **state)
{
    (void)state;
    struct ask ask = {.query = "hash=" HEX};
    assert_int_equal(ask_run(&ask, HTTP_ROLE_QUERY, "GET", "/v1/match", NULL), 200);
    ask_done(&ask);
    expect_error((struct ask){0}, HTTP_ROLE_QUERY, "GET", "/nowhere", NULL,
                 IMPRINT_E_ROUTE_NOT_FOUND);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/metrics", NULL), 200);
    char *text = strndup(ask.reply.body, ask.reply.body_len);
    assert_non_null(
        strstr(text, "imprint_http_requests_total{route=\"GET /v1/match\",status=\"200\"} 1\n"));
    assert_non_null(strstr(text, "imprint_http_requests_total{route=\"none\",status=\"404\"} 1\n"));
    assert_non_null(strstr(text, "imprint_verdicts_total{verdict=\"no_match\"} 1\n"));
    assert_non_null(strstr(text, "imprint_worker_ends_total{cause=\"timeout\"} 5\n"));
    assert_non_null(
        strstr(text, "imprint_http_request_seconds_count{route=\"GET /v1/match\"} 1\n"));
    /* Never a hash. */
    assert_null(strstr(text, "d8f8f0ce"));
    free(text);
    ask_done(&ask);
    assert_int_equal(ask_run(&ask, HTTP_ROLE_ADMIN, "GET", "/v1/stats", NULL), 200);
    assert_true(json_is_object(json_object_get(ask.json, "workers")));
    ask_done(&ask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define API_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        API_TEST(query_role_reaches_no_admin_route),
        API_TEST(every_error_has_a_fitting_status),
        API_TEST(wrong_requests_are_refused_before_their_body),
        API_TEST(hash_query_gives_a_verdict),
        API_TEST(distance_is_told_as_configured),
        API_TEST(picture_gives_a_verdict_with_its_quality),
        API_TEST(hash_route_tells_hash_and_picture),
        API_TEST(batch_answers_each_line_in_order),
        API_TEST(feedback_is_taken_about_matches_told_and_no_others),
        API_TEST(picture_may_come_in_a_form),
        API_TEST(status_is_503_until_the_list_is_loaded),
        API_TEST(list_fields_are_read_and_shown),
        API_TEST(entry_is_added_shown_and_changed),
        API_TEST(entries_page_by_id),
        API_TEST(batch_adds_every_line_or_names_the_wrong_one),
        API_TEST(cases_come_in_and_are_withdrawn_with_a_reason),
        API_TEST(audit_and_changes_are_told),
        API_TEST(metrics_count_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
