/* api_impl.h - what the sources of api share: a call, its answers, the route table's rows.
 *
 * Why:     the handlers stand in a file a subject (api_match.c, api_admin.c, api_case.c ...), the
 *          table and the plumbing in api.c.
 * Threads: a call belongs to whoever handles it. It lives until its handler returns; a handler that
 *          answers later keeps a copy.
 */
#ifndef DAEMON_API_IMPL_H
#define DAEMON_API_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include <jansson.h>

#include "api.h"
#include "fields.h"
#include "limits.h"
#include "log.h"
#include "metrics.h"
#include "text.h"

#define API_CAPTURES_MAX  2
#define API_CAPTURE_BYTES 65
#define API_KEY_BYTES     16

enum api_body {
    API_BODY_NONE,
    API_BODY_OPTIONAL,
    API_BODY_REQUIRED,
};

/* What a request takes from its peer's quota. */
enum api_cost {
    API_COST_NONE,
    API_COST_HASH, /* and the right to ask by hash */
    API_COST_IMAGE,
};

struct api_call;
typedef void api_handler_fn(struct api_call *call);

struct api_route {
    const char *method;
    const char *path; /* {x} takes one segment */
    unsigned roles;   /* of enum http_role */
    enum api_body body;
    size_t body_bytes_max; /* 0: that of an image */
    const char *const *parameters;
    bool is_change;     /* may wait for the disk: runs on the api's threads */
    enum api_cost cost; /* on the query socket */
    api_handler_fn *handle;
};

/* As parameters of a route: any are taken, unknown ones ignored. */
extern const char *const api_any_parameters[];

extern const struct api_route api_routes[];
extern const size_t api_routes_count;

struct api_call {
    struct api *api;
    size_t route; /* api_routes_count: none */
    const struct http_request *request;
    struct http_exchange *exchange;
    char captures[API_CAPTURES_MAX][API_CAPTURE_BYTES];
    uint64_t start_us;
};

struct api_task {
    struct api_task *next;
    void (*run)(struct api_task *task); /* frees the task */
};

/* Tasks that may wait for the disk, and the threads that carry them out. */
struct api_runner {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct api_task *first;
    struct api_task *last;
    size_t count;
    bool is_ending;
    size_t thread_count;
    pthread_t threads[LIMIT_CHANGE_THREADS];
};

#define API_MATCH_ID_SYMBOLS 26

struct api_feedback {
    uint64_t entry;
    uint32_t uid;
    int opinion;
    int64_t time;
};

struct api {
    struct catalog *catalog;
    struct pool *pool;
    struct quota *quota;
    struct probe *probe;
    struct uids hash_query;
    enum imprint_policy policy;
    const char *version;
    _Atomic size_t image_bytes_max;
    _Atomic int distance;
    atomic_bool is_probing_refused;
    _Atomic uint64_t probing_runs;
    _Atomic uint64_t probing_refused;
    _Atomic uint64_t hash_refused;    /* for want of the right */
    uint8_t match_key[API_KEY_BYTES]; /* signs match ids; lives as long as the process */
    struct metrics *metrics;
    char **names; /* of the routes, for metrics */
    char **allow; /* of the routes' paths */
    struct api_runner runner;
    pthread_mutex_t feedback_lock;
    size_t feedback_count;
    struct api_feedback feedback[LIMIT_FEEDBACK_MAX]; /* a ring */
    void (*read_load)(void *ctx, struct api_load *out_load);
    void *load_ctx;
};

/* --- api_call.c: answers ---------------------------------------------------------------------- */

uint64_t api_now_us(void);
/* Each of these ends the call. */
void api_answer(struct api_call *call, struct http_reply *reply);
void api_answer_text(struct api_call *call, int status, const char *content_type,
                     struct text *text);
/* Steals json; NULL (no memory) is answered as such. */
void api_answer_json(struct api_call *call, int status, json_t *json);
void api_fail(struct api_call *call, enum imprint_error error);
/* detail follows the error's text; never something a peer sent. */
void api_fail_with(struct api_call *call, enum imprint_error error, const char *detail);
/* {"error":{"code","message"}}, or empty without memory. The shape is the one of the request's
 * path; request may be NULL. */
void api_make_error(const struct http_request *request, enum imprint_error error,
                    const char *detail, struct http_reply *out_reply);

/* --- api_call.c: reading ---------------------------------------------------------------------- */

/* A whole number in a parameter; absent: fallback. False: the call was failed. */
bool api_read_number(struct api_call *call, const char *name, uint64_t min, uint64_t max,
                     uint64_t fallback, uint64_t *out_number);
bool api_read_id(struct api_call *call, size_t capture, uint64_t *out_id);
bool api_read_hash(struct api_call *call, const char *name, struct imprint_hash *out_hash);
bool api_read_reason(struct api_call *call, struct catalog_actor *out_actor);
/* Reads the body as a JSON object of these fields. */
bool api_read_body(struct api_call *call, const struct field *fields, size_t count);
/* "" when there is none. */
const char *api_content_type(const struct http_request *request);
bool api_content_type_is(const struct http_request *request, const char *type);

/* --- api_peer.c: quotas and rights of the query socket's peers -------------------------------- */

/* False: *out_reply refuses the request. */
bool api_admit_peer(struct api *api, const struct http_request *request, enum api_cost cost,
                    struct http_reply *out_reply);
/* Counts the further hashes of a request that was admitted. */
void api_charge_hashes(const struct api_call *call, size_t count);
/* False: the question is a step of a probing run, and such are refused. */
bool api_may_answer_hash(const struct api_call *call, const struct imprint_hash *hash,
                         bool is_match);

/* --- api_run.c -------------------------------------------------------------------------------- */

IMPRINT_MUST_USE enum imprint_error api_runner_start(struct api_runner *runner);
void api_runner_stop(struct api_runner *runner);
/* count_max bounds the queue; 0: no bound (the task was bounded before). False: full. */
bool api_runner_add(struct api_runner *runner, struct api_task *task, size_t count_max);

/* --- api_match.c ------------------------------------------------------------------------------ */

/* A picture being hashed by a worker. */
struct api_image {
    struct api_task task;
    struct api_call call;
    enum imprint_error error;
    struct pool_answer answer;
    void (*then)(struct api_image *image); /* answers the call */
    bool is_change;                        /* then may wait for the disk */
};

/* Has body hashed and then called; ends the call itself on errors. */
void api_hash_image(struct api_call *call, unsigned views, bool is_change,
                    void (*then)(struct api_image *image));

/* A verdict as a line of JSON. quality below 0: not known. id: JSON, or NULL. */
void api_put_verdict(const struct api_call *call, int quality, const char *id,
                     const struct catalog_matches *matches, struct text *text);
/* The distance as this peer may know it; false: not at all, and *out_distance is untouched. */
bool api_told_distance(const struct api_call *call, unsigned distance, unsigned *out_distance);
/* The entry a match id speaks of. False: it was not made by this process. */
bool api_read_match_id(const struct api *api, const char *text, uint64_t *out_entry);

api_handler_fn api_get_match, api_post_match, api_post_hash, api_get_status, api_get_live;

/* --- api_admin.c, api_entry.c, api_case.c, api_stats.c ---------------------------------------- */

api_handler_fn api_get_lists, api_post_lists, api_get_list, api_patch_list, api_delete_list;
api_handler_fn api_post_entries, api_post_entries_batch, api_get_list_entries, api_find_entries,
    api_get_entry, api_patch_entry, api_delete_entry;
api_handler_fn api_post_cases, api_get_case, api_withdraw_case;
api_handler_fn api_get_metrics, api_get_stats;

/* --- api_batch.c ------------------------------------------------------------------------------ */

api_handler_fn api_post_match_batch, api_post_feedback, api_get_feedback;

/* --- api_hma.c, api_hma_match.c: the paths of Hasher-Matcher-Actioner ------------------------- */

/* Is it one of those paths? Their errors have another shape. */
bool api_is_hma(const struct http_request *request);
void api_hma_bank_of_list(const char *list, char out_bank[LIMIT_LIST_NAME_BYTES_MAX + 1]);
/* A form whose one file is named "photo"; else the call is answered. */
bool api_hma_check_form(struct api_call *call);
json_t *api_hma_match_to_json(const struct api_call *call, const struct catalog_match *match);

api_handler_fn api_hma_status, api_hma_live, api_hma_site_map;
api_handler_fn api_hma_post_hash, api_hma_get_hash, api_hma_get_lookup, api_hma_post_lookup,
    api_hma_raw_lookup, api_hma_compare, api_hma_index_status;
api_handler_fn api_hma_get_banks, api_hma_post_banks, api_hma_get_bank, api_hma_put_bank,
    api_hma_delete_bank, api_hma_post_content, api_hma_post_signal, api_hma_get_content,
    api_hma_put_content, api_hma_delete_content;
api_handler_fn api_hma_signal_types, api_hma_content_types, api_hma_exchange_apis,
    api_hma_get_exchange;

/* --- api_audit.c ------------------------------------------------------------------------------ */

api_handler_fn api_get_audit, api_verify_audit, api_get_changes, api_compact, api_backup;
/* An entry as answers show it. list: the name, where the caller knows it; else it is looked up. */
json_t *api_entry_to_json(struct api *api, const struct record_entry *entry, const char *list);

#endif
