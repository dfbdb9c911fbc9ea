/* Numbers for whoever operates it: /v1/stats as JSON, /metrics for Prometheus. */
#include <string.h>

#include "api_impl.h"

struct numbers {
    struct catalog_status status;
    struct pool_stats pool;
    struct api_load load;
    struct quota_stats quota;
};

static void read_numbers(struct api *api, struct numbers *out_numbers)
{
    *out_numbers = (struct numbers){0};
    catalog_status(api->catalog, &out_numbers->status);
    pool_stats(api->pool, &out_numbers->pool);
    if (api->quota != NULL) {
        quota_stats(api->quota, &out_numbers->quota);
    }
    if (api->read_load != NULL) {
        api->read_load(api->load_ctx, &out_numbers->load);
    }
}

void api_get_stats(struct api_call *call)
{
    struct numbers n;
    read_numbers(call->api, &n);
    json_t *list = json_pack("{s:b, s:f, s:I, s:I, s:I, s:s}", "ready", (int)n.status.is_ready,
                             "progress", n.status.progress, "entries", (json_int_t)n.status.entries,
                             "lists", (json_int_t)n.status.lists, "seq", (json_int_t)n.status.seq,
                             "epoch", n.status.epoch);
    json_t *workers =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "alive", (json_int_t)n.pool.workers,
                  "queued", (json_int_t)n.pool.queued, "jobs", (json_int_t)n.pool.jobs, "restarts",
                  (json_int_t)n.pool.restarts, "deaths", (json_int_t)n.pool.deaths, "timeouts",
                  (json_int_t)n.pool.timeouts, "violations", (json_int_t)n.pool.violations,
                  "nonsense", (json_int_t)n.pool.nonsense);
    json_t *server = json_pack("{s:I, s:I}", "connections", (json_int_t)n.load.connections,
                               "body_memory_bytes", (json_int_t)n.load.body_memory_bytes);
    api_answer_json(call, 200,
                    json_pack("{s:s, s:o, s:o, s:o}", "version", call->api->version, "list", list,
                              "workers", workers, "server", server));
}

void api_get_metrics(struct api_call *call)
{
    struct numbers n;
    read_numbers(call->api, &n);
    static const char ends[] = "imprint_worker_ends_total";
    static const char ends_help[] = "Workers that were lost, by cause.";
    static const char refused[] = "imprint_refused_total";
    static const char refused_help[] = "Peers of the query socket refused, by reason.";
    const struct quota_stats *quota = &n.quota;
    struct api *api = call->api;
    const struct metrics_sample samples[] = {
        {"imprint_ready", "gauge", "1 when the list is loaded.", NULL, n.status.is_ready ? 1 : 0},
        {"imprint_entries", "gauge", "Live entries of all lists.", NULL, (double)n.status.entries},
        {"imprint_lists", "gauge", "Lists.", NULL, (double)n.status.lists},
        {"imprint_seq", "counter", "Number of the last change.", NULL, (double)n.status.seq},
        {"imprint_workers", "gauge", "Decoding processes alive.", NULL, (double)n.pool.workers},
        {"imprint_queue", "gauge", "Pictures waiting for a worker.", NULL, (double)n.pool.queued},
        {"imprint_jobs_total", "counter", "Pictures answered.", NULL, (double)n.pool.jobs},
        {"imprint_worker_restarts_total", "counter", "Workers replaced for any reason.", NULL,
         (double)n.pool.restarts},
        {ends, "counter", ends_help, "cause=\"death\"", (double)n.pool.deaths},
        {ends, "counter", ends_help, "cause=\"timeout\"", (double)n.pool.timeouts},
        {ends, "counter", ends_help, "cause=\"violation\"", (double)n.pool.violations},
        {ends, "counter", ends_help, "cause=\"nonsense\"", (double)n.pool.nonsense},
        {refused, "counter", refused_help, "reason=\"hash_quota\"",
         (double)quota->refused[QUOTA_HASH]},
        {refused, "counter", refused_help, "reason=\"image_quota\"",
         (double)quota->refused[QUOTA_IMAGE]},
        {refused, "counter", refused_help, "reason=\"connections\"",
         (double)quota->refused_connections},
        {refused, "counter", refused_help, "reason=\"hash_right\"", (double)api->hash_refused},
        {refused, "counter", refused_help, "reason=\"probing\"", (double)api->probing_refused},
        {"imprint_probing_runs_total", "counter", "Walks towards a listed hash noticed.", NULL,
         (double)api->probing_runs},
        {"imprint_connections", "gauge", "Open connections.", NULL, (double)n.load.connections},
        {"imprint_body_memory_bytes", "gauge", "Memory that holds request bodies.", NULL,
         (double)n.load.body_memory_bytes},
    };
    struct text text;
    text_init(&text, LIMIT_REPLY_BYTES_MAX);
    metrics_write(call->api->metrics, samples, sizeof samples / sizeof samples[0], &text);
    api_answer_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
}
