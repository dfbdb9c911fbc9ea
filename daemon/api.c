/* The route table, and the way from a request to its row. */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api_impl.h"

#define QUERY ((unsigned)HTTP_ROLE_QUERY | (unsigned)HTTP_ROLE_ADMIN)
#define ADMIN ((unsigned)HTTP_ROLE_ADMIN)

const char *const api_any_parameters[] = {NULL};
#define ANY api_any_parameters

static const char *const p_match[] = {"hash", "lists", NULL};
static const char *const p_lists[] = {"lists", NULL};
static const char *const p_page[] = {"after", "limit", NULL};
static const char *const p_reason[] = {"reason", NULL};
static const char *const p_hash[] = {"hash", NULL};
static const char *const p_batch[] = {"atomic", NULL};
static const char *const p_list[] = {"list", NULL};

/* A row a route: method, path, roles, body, its limit, parameters, change?, cost, handler. What is
 * asked most often stands first. */
const struct api_route api_routes[] = {
    {"GET", "/v1/match", QUERY, API_BODY_NONE, 0, p_match, false, API_COST_HASH, api_get_match},
    {"POST", "/v1/match", QUERY, API_BODY_REQUIRED, 0, p_lists, false, API_COST_IMAGE,
     api_post_match},
    {"POST", "/v1/match/batch", QUERY, API_BODY_REQUIRED, LIMIT_BULK_BYTES_MAX, p_lists, true,
     API_COST_HASH, api_post_match_batch},
    {"POST", "/v1/feedback", QUERY, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, NULL, false,
     API_COST_NONE, api_post_feedback},
    {"POST", "/v1/hash", QUERY, API_BODY_REQUIRED, 0, NULL, false, API_COST_IMAGE, api_post_hash},
    {"GET", "/v1/status", QUERY, API_BODY_NONE, 0, NULL, false, API_COST_NONE, api_get_status},
    {"GET", "/v1/live", QUERY, API_BODY_NONE, 0, NULL, false, API_COST_NONE, api_get_live},

    {"GET", "/v1/lists", ADMIN, API_BODY_NONE, 0, p_page, false, API_COST_NONE, api_get_lists},
    {"POST", "/v1/lists", ADMIN, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, p_reason, true,
     API_COST_NONE, api_post_lists},
    {"GET", "/v1/lists/{name}", ADMIN, API_BODY_NONE, 0, NULL, false, API_COST_NONE, api_get_list},
    {"PATCH", "/v1/lists/{name}", ADMIN, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, p_reason, true,
     API_COST_NONE, api_patch_list},
    {"DELETE", "/v1/lists/{name}", ADMIN, API_BODY_NONE, 0, p_reason, true, API_COST_NONE,
     api_delete_list},

    {"POST", "/v1/lists/{name}/entries", ADMIN, API_BODY_REQUIRED, 0, p_reason, true, API_COST_NONE,
     api_post_entries},
    {"GET", "/v1/lists/{name}/entries", ADMIN, API_BODY_NONE, 0, p_page, false, API_COST_NONE,
     api_get_list_entries},
    {"POST", "/v1/lists/{name}/entries/batch", ADMIN, API_BODY_REQUIRED, LIMIT_BULK_BYTES_MAX,
     p_batch, true, API_COST_NONE, api_post_entries_batch},
    {"GET", "/v1/entries", ADMIN, API_BODY_NONE, 0, p_hash, false, API_COST_NONE, api_find_entries},
    {"GET", "/v1/entries/{id}", ADMIN, API_BODY_NONE, 0, NULL, false, API_COST_NONE, api_get_entry},
    {"PATCH", "/v1/entries/{id}", ADMIN, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, p_reason, true,
     API_COST_NONE, api_patch_entry},
    {"DELETE", "/v1/entries/{id}", ADMIN, API_BODY_NONE, 0, p_reason, true, API_COST_NONE,
     api_delete_entry},

    {"POST", "/v1/cases", ADMIN, API_BODY_REQUIRED, LIMIT_REPORT_BYTES_MAX, p_list, true,
     API_COST_NONE, api_post_cases},
    {"GET", "/v1/cases/{id}", ADMIN, API_BODY_NONE, 0, NULL, false, API_COST_NONE, api_get_case},
    {"POST", "/v1/cases/{id}/withdraw", ADMIN, API_BODY_OPTIONAL, LIMIT_JSON_BYTES_MAX, p_reason,
     true, API_COST_NONE, api_withdraw_case},

    {"GET", "/v1/feedback", ADMIN, API_BODY_NONE, 0, NULL, false, API_COST_NONE, api_get_feedback},
    {"GET", "/v1/audit", ADMIN, API_BODY_NONE, 0, p_page, false, API_COST_NONE, api_get_audit},
    {"GET", "/v1/audit/verify", ADMIN, API_BODY_NONE, 0, NULL, true, API_COST_NONE,
     api_verify_audit},
    {"GET", "/v1/changes", ADMIN, API_BODY_NONE, 0, p_page, false, API_COST_NONE, api_get_changes},
    {"POST", "/v1/compact", ADMIN, API_BODY_NONE, 0, p_reason, true, API_COST_NONE, api_compact},
    {"POST", "/v1/backup", ADMIN, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, NULL, true,
     API_COST_NONE, api_backup},

    {"GET", "/v1/stats", ADMIN, API_BODY_NONE, 0, NULL, false, API_COST_NONE, api_get_stats},
    {"GET", "/metrics", ADMIN, API_BODY_NONE, 0, NULL, false, API_COST_NONE, api_get_metrics},

    {"GET", "/status", QUERY, API_BODY_NONE, 0, ANY, false, API_COST_NONE, api_hma_status},
    {"GET", "/status/live", QUERY, API_BODY_NONE, 0, ANY, false, API_COST_NONE, api_hma_live},
    {"GET", "/site-map", QUERY, API_BODY_NONE, 0, ANY, false, API_COST_NONE, api_hma_site_map},
    {"POST", "/h/hash", QUERY, API_BODY_REQUIRED, 0, ANY, false, API_COST_IMAGE, api_hma_post_hash},
    {"GET", "/h/hash", QUERY, API_BODY_NONE, 0, ANY, false, API_COST_NONE, api_hma_get_hash},
    {"GET", "/m/lookup", QUERY, API_BODY_NONE, 0, ANY, false, API_COST_HASH, api_hma_get_lookup},
    {"POST", "/m/lookup", QUERY, API_BODY_REQUIRED, 0, ANY, false, API_COST_IMAGE,
     api_hma_post_lookup},
    {"GET", "/m/raw_lookup", QUERY, API_BODY_NONE, 0, ANY, false, API_COST_HASH,
     api_hma_raw_lookup},
    {"POST", "/m/compare", QUERY, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, ANY, false,
     API_COST_NONE, api_hma_compare},
    {"GET", "/m/index/status", QUERY, API_BODY_NONE, 0, ANY, false, API_COST_NONE,
     api_hma_index_status},
    {"GET", "/c/banks", ADMIN, API_BODY_NONE, 0, ANY, false, API_COST_NONE, api_hma_get_banks},
    {"POST", "/c/banks", ADMIN, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, ANY, true, API_COST_NONE,
     api_hma_post_banks},
    {"GET", "/c/bank/{name}", ADMIN, API_BODY_NONE, 0, ANY, false, API_COST_NONE, api_hma_get_bank},
    {"PUT", "/c/bank/{name}", ADMIN, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, ANY, true,
     API_COST_NONE, api_hma_put_bank},
    {"DELETE", "/c/bank/{name}", ADMIN, API_BODY_NONE, 0, ANY, true, API_COST_NONE,
     api_hma_delete_bank},
    {"POST", "/c/bank/{name}/content", ADMIN, API_BODY_OPTIONAL, 0, ANY, true, API_COST_NONE,
     api_hma_post_content},
    {"POST", "/c/bank/{name}/signal", ADMIN, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, ANY, true,
     API_COST_NONE, api_hma_post_signal},
    {"GET", "/c/bank/{name}/content/{id}", ADMIN, API_BODY_NONE, 0, ANY, false, API_COST_NONE,
     api_hma_get_content},
    {"PUT", "/c/bank/{name}/content/{id}", ADMIN, API_BODY_REQUIRED, LIMIT_JSON_BYTES_MAX, ANY,
     true, API_COST_NONE, api_hma_put_content},
    {"DELETE", "/c/bank/{name}/content/{id}", ADMIN, API_BODY_NONE, 0, ANY, true, API_COST_NONE,
     api_hma_delete_content},
    {"GET", "/c/signal_type", ADMIN, API_BODY_NONE, 0, ANY, false, API_COST_NONE,
     api_hma_signal_types},
    {"GET", "/c/content_type", ADMIN, API_BODY_NONE, 0, ANY, false, API_COST_NONE,
     api_hma_content_types},
    {"GET", "/c/exchanges/apis", ADMIN, API_BODY_NONE, 0, ANY, false, API_COST_NONE,
     api_hma_exchange_apis},
    {"GET", "/c/exchange/{name}", ADMIN, API_BODY_NONE, 0, ANY, false, API_COST_NONE,
     api_hma_get_exchange},
};
const size_t api_routes_count = sizeof api_routes / sizeof api_routes[0];

size_t api_route_count(void)
{
    return api_routes_count;
}

struct api_route_info api_route_info(size_t i)
{
    const struct api_route *route = &api_routes[i];
    return (struct api_route_info){
        .method = route->method,
        .path = route->path,
        .is_for_query = (route->roles & (unsigned)HTTP_ROLE_QUERY) != 0,
        .has_body = route->body != API_BODY_NONE,
        .parameters = route->parameters,
    };
}

/* --- Finding the row -------------------------------------------------------------------------- */

/* Does the path fit the pattern? Takes the segments at {x} along; captures may be NULL. */
static bool path_fits(const char *pattern, const char *path, char (*captures)[API_CAPTURE_BYTES])
{
    size_t taken = 0;
    while (*pattern != '\0') {
        if (*pattern != '{') {
            if (*pattern++ != *path++) {
                return false;
            }
            continue;
        }
        size_t len = strcspn(path, "/");
        if (len == 0 || len >= API_CAPTURE_BYTES || taken == API_CAPTURES_MAX) {
            return false;
        }
        if (captures != NULL) {
            memcpy(captures[taken], path, len);
            captures[taken][len] = '\0';
        }
        taken++;
        path += len;
        pattern = strchr(pattern, '}') + 1;
    }
    return *path == '\0';
}

static bool method_fits(const char *wanted, const char *method)
{
    return strcmp(wanted, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(wanted, "GET") == 0);
}

/* IMPRINT_OK and the row; else the error and, where there is one, a row of the same path. */
static enum imprint_error find_route(const struct http_request *request, size_t *out_route,
                                     char (*captures)[API_CAPTURE_BYTES])
{
    enum imprint_error error = IMPRINT_E_ROUTE_NOT_FOUND;
    *out_route = api_routes_count;
    /* No name has other bytes, and an answer that repeats them could not be told in JSON. */
    if (!text_is_utf8(request->path)) {
        return error;
    }
    for (size_t i = 0; i < api_routes_count; i++) {
        if (!path_fits(api_routes[i].path, request->path, captures)) {
            continue;
        }
        if ((api_routes[i].roles & (unsigned)request->role) == 0) {
            error = error == IMPRINT_E_ROUTE_NOT_FOUND ? IMPRINT_E_FORBIDDEN : error;
            continue;
        }
        *out_route = i;
        if (method_fits(api_routes[i].method, request->method)) {
            return IMPRINT_OK;
        }
        error = IMPRINT_E_METHOD_NOT_ALLOWED;
    }
    return error;
}

/* --- What server asks ------------------------------------------------------------------------- */

static void refuse(void *ctx, int error, const struct http_request *request,
                   struct http_reply *out_reply)
{
    struct api *api = ctx;
    api_make_error(request, (enum imprint_error)error, NULL, out_reply);
    metrics_count_request(api->metrics, api_routes_count, out_reply->status, 0);
}

static bool has_length(const struct http_request *request)
{
    return request->header(request, "Content-Length") != NULL ||
           request->header(request, "Transfer-Encoding") != NULL;
}

static enum imprint_error check_request(const struct http_request *request, size_t *out_route)
{
    enum imprint_error error = find_route(request, out_route, NULL);
    if (error != IMPRINT_OK) {
        return error;
    }
    const struct api_route *route = &api_routes[*out_route];
    if (route->parameters != api_any_parameters &&
        !request->parameters_known(request, route->parameters)) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    if (route->body == API_BODY_REQUIRED && !has_length(request)) {
        return IMPRINT_E_LENGTH_REQUIRED;
    }
    return IMPRINT_OK;
}

static bool admit(void *ctx, const struct http_request *request, size_t *out_body_bytes_max,
                  struct http_reply *out_reply)
{
    struct api *api = ctx;
    size_t route = api_routes_count;
    enum imprint_error error = check_request(request, &route);
    if (error != IMPRINT_OK) {
        api_make_error(request, error, NULL, out_reply);
        out_reply->allow = error == IMPRINT_E_METHOD_NOT_ALLOWED ? api->allow[route] : NULL;
        metrics_count_request(api->metrics, route, out_reply->status, 0);
        return false;
    }
    if (!api_admit_peer(api, request, api_routes[route].cost, out_reply)) {
        metrics_count_request(api->metrics, route, out_reply->status, 0);
        return false;
    }
    size_t image_bytes_max = atomic_load_explicit(&api->image_bytes_max, memory_order_relaxed);
    size_t limit = api_routes[route].body_bytes_max;
    *out_body_bytes_max = api_routes[route].body == API_BODY_NONE ? 0
                          : limit == 0                            ? image_bytes_max
                                                                  : limit;
    return true;
}

struct change {
    struct api_task task;
    struct api_call call;
};

static void run_change(struct api_task *task)
{
    struct change *change = (struct change *)(void *)task;
    api_routes[change->call.route].handle(&change->call);
    free(change);
}

static void put_off(struct api_call *call)
{
    struct change *change = malloc(sizeof *change);
    if (change == NULL) {
        api_fail(call, IMPRINT_E_NOMEM);
        return;
    }
    *change = (struct change){.task.run = run_change, .call = *call};
    if (!api_runner_add(&call->api->runner, &change->task, LIMIT_CHANGES_MAX)) {
        free(change);
        api_fail(call, IMPRINT_E_BUSY);
    }
}

static void handle(void *ctx, const struct http_request *request, struct http_exchange *exchange)
{
    struct api_call call = {
        .api = ctx, .request = request, .exchange = exchange, .start_us = api_now_us()};
    enum imprint_error error = find_route(request, &call.route, call.captures);
    if (error != IMPRINT_OK) {
        api_fail(&call, error);
    } else if (api_routes[call.route].is_change) {
        put_off(&call);
    } else {
        api_routes[call.route].handle(&call);
    }
}

struct http_handler api_handler(struct api *api)
{
    return (struct http_handler){.ctx = api, .admit = admit, .handle = handle, .refuse = refuse};
}

/* --- Life ------------------------------------------------------------------------------------- */

/* "GET, HEAD, POST" for each row's path. */
static char *make_allow(const char *path)
{
    struct text text;
    text_init(&text, 256);
    for (size_t i = 0; i < api_routes_count; i++) {
        if (strcmp(api_routes[i].path, path) == 0) {
            text_put(&text, text.len == 0 ? "" : ", ");
            text_put(&text, api_routes[i].method);
            text_put(&text, strcmp(api_routes[i].method, "GET") == 0 ? ", HEAD" : "");
        }
    }
    char *allow = NULL;
    size_t len = 0;
    return text_take(&text, &allow, &len) == IMPRINT_OK ? allow : NULL;
}

static enum imprint_error make_names(struct api *api)
{
    api->names = calloc(api_routes_count, sizeof *api->names);
    api->allow = calloc(api_routes_count, sizeof *api->allow);
    if (api->names == NULL || api->allow == NULL) {
        return IMPRINT_E_NOMEM;
    }
    for (size_t i = 0; i < api_routes_count; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s %s", api_routes[i].method, api_routes[i].path);
        api->names[i] = strdup(name);
        api->allow[i] = make_allow(api_routes[i].path);
        if (api->names[i] == NULL || api->allow[i] == NULL) {
            return IMPRINT_E_NOMEM;
        }
    }
    return metrics_new((const char *const *)api->names, api_routes_count, &api->metrics);
}

void api_change_settings(struct api *api, const struct api_settings *settings)
{
    atomic_store(&api->image_bytes_max, settings->image_bytes_max);
    atomic_store(&api->distance, (int)settings->distance);
    atomic_store(&api->is_probing_refused, settings->is_probing_refused);
}

void api_watch_load(struct api *api, void (*read)(void *ctx, struct api_load *out_load), void *ctx)
{
    api->load_ctx = ctx;
    api->read_load = read;
}

enum imprint_error api_new(const struct api_options *options, struct api **out_api)
{
    struct api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        return IMPRINT_E_NOMEM;
    }
    api->catalog = options->catalog;
    api->pool = options->pool;
    api->quota = options->quota;
    api->probe = options->probe;
    api->hash_query =
        options->hash_query == NULL ? (struct uids){.is_all = true} : *options->hash_query;
    api->policy = options->policy;
    api->version = options->version;
    api_change_settings(api, &options->settings);
    (void)pthread_mutex_init(&api->feedback_lock, NULL);
    enum imprint_error error = api_runner_start(&api->runner);
    if (error == IMPRINT_OK &&
        getrandom(api->match_key, sizeof api->match_key, 0) != (ssize_t)sizeof api->match_key) {
        error = IMPRINT_E_IO;
    }
    if (error == IMPRINT_OK) {
        error = make_names(api);
    }
    if (error != IMPRINT_OK) {
        api_free(api);
        return error;
    }
    *out_api = api;
    return IMPRINT_OK;
}

static void free_texts(char **texts)
{
    for (size_t i = 0; texts != NULL && i < api_routes_count; i++) {
        free(texts[i]);
    }
    free(texts);
}

void api_free(struct api *api)
{
    if (api == NULL) {
        return;
    }
    api_runner_stop(&api->runner);
    (void)pthread_mutex_destroy(&api->feedback_lock);
    metrics_free(api->metrics);
    free_texts(api->names);
    free_texts(api->allow);
    explicit_bzero(api->match_key, sizeof api->match_key);
    free(api);
}
