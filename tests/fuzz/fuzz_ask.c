#include "fuzz_ask.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../../daemon/limits.h"
#include "api.h"
#include "fake_rooms.h"

#define FUZZ_PARAMETERS_MAX 8

struct fuzz_parameter {
    char *name;
    char *value;
};

/* All that a handler may look at until it has answered. */
struct fuzz_request {
    struct http_request request;
    char *path;
    char *content_type;
    char *accept;
    uint8_t *body;
    struct fuzz_parameter parameters[FUZZ_PARAMETERS_MAX];
    size_t parameter_count;
};

struct fuzz_exchange {
    struct http_exchange exchange; /* first: answer casts back */
    struct fuzz_request *request;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned answers;
    struct http_reply reply;
};

/* --- The request ------------------------------------------------------------------------------ */

static char *fuzz_text(const char *text, size_t len)
{
    char *copy = strndup(text, len);
    fuzz_must(copy != NULL);
    return copy;
}

static const char *fuzz_find_parameter(const struct http_request *request, const char *name)
{
    const struct fuzz_request *fuzzed = request->impl;
    for (size_t i = 0; i < fuzzed->parameter_count; i++) {
        if (strcmp(fuzzed->parameters[i].name, name) == 0) {
            return fuzzed->parameters[i].value;
        }
    }
    return NULL;
}

static bool fuzz_is_among(const char *name, const char *const *names)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool fuzz_parameters_known(const struct http_request *request, const char *const *names)
{
    const struct fuzz_request *fuzzed = request->impl;
    for (size_t i = 0; i < fuzzed->parameter_count; i++) {
        const char *name = fuzzed->parameters[i].name;
        const bool is_second = fuzz_find_parameter(request, name) != fuzzed->parameters[i].value;
        if (is_second || !fuzz_is_among(name, names)) {
            return false;
        }
    }
    return true;
}

static const char *fuzz_header(const struct http_request *request, const char *name)
{
    const struct fuzz_request *fuzzed = request->impl;
    if (strcasecmp(name, "Content-Type") == 0) {
        return fuzzed->content_type;
    }
    if (strcasecmp(name, "Accept") == 0) {
        return fuzzed->accept;
    }
    return strcasecmp(name, "Content-Length") == 0 ? "1" : NULL;
}

static void fuzz_split_query(struct fuzz_request *request, const char *query)
{
    while (*query != '\0' && request->parameter_count < FUZZ_PARAMETERS_MAX) {
        const size_t len = strcspn(query, "&");
        const size_t name_len = strcspn(query, "=&");
        struct fuzz_parameter *parameter = &request->parameters[request->parameter_count++];
        parameter->name = fuzz_text(query, name_len);
        parameter->value = name_len == len ? fuzz_text("", 0)
                                           : fuzz_text(query + name_len + 1, len - name_len - 1);
        query += len + (query[len] == '&' ? 1 : 0);
    }
}

static struct fuzz_request *fuzz_request_new(const struct fuzz_ask *ask)
{
    struct fuzz_request *request = calloc(1, sizeof *request);
    fuzz_must(request != NULL);
    const size_t path_len = strcspn(ask->target, "?");
    request->path = fuzz_text(ask->target, path_len);
    if (ask->target[path_len] == '?') {
        fuzz_split_query(request, ask->target + path_len + 1);
    }
    request->content_type =
        ask->content_type == NULL ? NULL : fuzz_text(ask->content_type, strlen(ask->content_type));
    request->accept = ask->accept == NULL ? NULL : fuzz_text(ask->accept, strlen(ask->accept));
    request->request = (struct http_request){
        .method = ask->method,
        .path = request->path,
        .role = ask->role,
        .uid = 1000,
        .parameter = fuzz_find_parameter,
        .parameters_known = fuzz_parameters_known,
        .header = fuzz_header,
        .impl = request,
    };
    return request;
}

static void fuzz_request_take_body(struct fuzz_request *request, const struct fuzz_ask *ask)
{
    if (ask->body_len > 0) {
        request->body = malloc(ask->body_len);
        fuzz_must(request->body != NULL);
        memcpy(request->body, ask->body, ask->body_len);
    }
    request->request.body = request->body;
    request->request.body_len = ask->body_len;
}

static void fuzz_request_free(struct fuzz_request *request)
{
    for (size_t i = 0; i < request->parameter_count; i++) {
        free(request->parameters[i].name);
        free(request->parameters[i].value);
    }
    free(request->path);
    free(request->content_type);
    free(request->accept);
    free(request->body);
    free(request);
}

/* --- The answer ------------------------------------------------------------------------------- */

static void fuzz_answer(struct http_exchange *exchange, struct http_reply *reply)
{
    struct fuzz_exchange *fuzzed = (struct fuzz_exchange *)(void *)exchange;
    fuzz_request_free(fuzzed->request);
    (void)pthread_mutex_lock(&fuzzed->lock);
    fuzzed->answers++;
    fuzzed->reply = *reply;
    (void)pthread_cond_signal(&fuzzed->changed);
    (void)pthread_mutex_unlock(&fuzzed->lock);
}

static struct api *fuzz_api(void)
{
    static struct api *api;
    if (api == NULL) {
        fake.is_ready = true;
        fake.match = (struct catalog_match){.entry = 81723, .distance = 6};
        (void)snprintf(fake.match.list, sizeof fake.match.list, "ncii");
        (void)snprintf(fake.match.action, sizeof fake.match.action, "block");
        fake.match_count = 1;
        fake.answer = (struct pool_answer){.quality = 97, .view_count = 1};
        fake.answer.info.format = IMPRINT_FORMAT_JPEG;
        const struct api_options options = {
            .version = "1.2.3",
            .settings = {.image_bytes_max = LIMIT_IMAGE_BYTES_MAX},
        };
        fuzz_must(api_new(&options, &api) == IMPRINT_OK);
    }
    return api;
}

void fuzz_ask(const struct fuzz_ask *ask, struct http_reply *out_reply)
{
    struct fuzz_exchange exchange = {
        .exchange.answer = fuzz_answer,
        .request = fuzz_request_new(ask),
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };
    const struct http_handler handler = api_handler(fuzz_api());
    struct http_request *request = &exchange.request->request;
    size_t body_bytes_max = 0;
    if (!handler.admit(handler.ctx, request, &body_bytes_max, &exchange.reply)) {
        fuzz_request_free(exchange.request);
    } else if (ask->body_len > body_bytes_max) {
        handler.refuse(handler.ctx, IMPRINT_E_BODY_TOO_LARGE, request, &exchange.reply);
        fuzz_request_free(exchange.request);
    } else {
        fuzz_request_take_body(exchange.request, ask);
        handler.handle(handler.ctx, request, &exchange.exchange);
        (void)pthread_mutex_lock(&exchange.lock);
        while (exchange.answers == 0) {
            (void)pthread_cond_wait(&exchange.changed, &exchange.lock);
        }
        fuzz_must(exchange.answers == 1);
        (void)pthread_mutex_unlock(&exchange.lock);
    }
    *out_reply = exchange.reply;
}

void fuzz_ask_done(struct http_reply *reply)
{
    free(reply->body);
    *reply = (struct http_reply){0};
}
