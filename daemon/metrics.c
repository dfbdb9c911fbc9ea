#include "metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Every status we answer; the last stands for any other. */
static const int statuses[] = {200, 201, 204, 400, 401, 403, 404, 405, 408, 409,
                               410, 411, 413, 415, 422, 429, 500, 503, 507, 0};
#define STATUS_COUNT (sizeof statuses / sizeof statuses[0])

/* Upper bounds in microseconds: a hash query takes some, a picture thousands. */
static const uint64_t bounds_us[] = {10,     25,     50,     100,     250,    500,
                                     1000,   2500,   5000,   10000,   25000,  50000,
                                     100000, 250000, 500000, 1000000, 2500000};
#define BOUND_COUNT (sizeof bounds_us / sizeof bounds_us[0])

struct route_counts {
    _Atomic uint64_t by_status[STATUS_COUNT];
    _Atomic uint64_t by_bound[BOUND_COUNT + 1]; /* the last: above all bounds */
    _Atomic uint64_t total_us;
};

struct metrics {
    const char *const *names;
    size_t route_count;
    _Atomic uint64_t verdicts[METRICS_VERDICT_COUNT];
    struct route_counts routes[];
};

enum imprint_error metrics_new(const char *const *names, size_t count, struct metrics **out_metrics)
{
    struct metrics *metrics = calloc(1, sizeof *metrics + (count + 1) * sizeof metrics->routes[0]);
    if (metrics == NULL) {
        return IMPRINT_E_NOMEM;
    }
    metrics->names = names;
    metrics->route_count = count;
    *out_metrics = metrics;
    return IMPRINT_OK;
}

void metrics_free(struct metrics *metrics)
{
    free(metrics);
}

static void add(_Atomic uint64_t *counter, uint64_t amount)
{
    (void)atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static size_t status_index(int status)
{
    size_t i = 0;
    while (i < STATUS_COUNT - 1 && statuses[i] != status) {
        i++;
    }
    return i;
}

static size_t bound_index(uint64_t duration_us)
{
    size_t i = 0;
    while (i < BOUND_COUNT && duration_us > bounds_us[i]) {
        i++;
    }
    return i;
}

void metrics_count_request(struct metrics *metrics, size_t route, int status, uint64_t duration_us)
{
    struct route_counts *counts =
        &metrics->routes[route < metrics->route_count ? route : metrics->route_count];
    add(&counts->by_status[status_index(status)], 1);
    add(&counts->by_bound[bound_index(duration_us)], 1);
    add(&counts->total_us, duration_us);
}

void metrics_count_verdict(struct metrics *metrics, enum metrics_verdict verdict)
{
    add(&metrics->verdicts[verdict], 1);
}

static const char *route_name(const struct metrics *metrics, size_t route)
{
    return route < metrics->route_count ? metrics->names[route] : "none";
}

static void write_head(struct text *text, const char *name, const char *type, const char *help)
{
    text_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_requests(const struct metrics *metrics, struct text *text)
{
    write_head(text, "imprint_http_requests_total", "counter", "Requests answered.");
    for (size_t r = 0; r <= metrics->route_count; r++) {
        for (size_t s = 0; s < STATUS_COUNT; s++) {
            uint64_t count = get(&metrics->routes[r].by_status[s]);
            if (count > 0) {
                text_printf(text, "imprint_http_requests_total{route=\"%s\",status=\"%d\"} %llu\n",
                            route_name(metrics, r), statuses[s], (unsigned long long)count);
            }
        }
    }
}

static void write_histogram(const char *name, const struct route_counts *counts, struct text *text)
{
    uint64_t total = 0;
    for (size_t b = 0; b <= BOUND_COUNT; b++) {
        total += get(&counts->by_bound[b]);
    }
    if (total == 0) {
        return;
    }
    uint64_t below = 0;
    for (size_t b = 0; b < BOUND_COUNT; b++) {
        below += get(&counts->by_bound[b]);
        text_printf(text, "imprint_http_request_seconds_bucket{route=\"%s\",le=\"%g\"} %llu\n",
                    name, (double)bounds_us[b] / 1e6, (unsigned long long)below);
    }
    below += get(&counts->by_bound[BOUND_COUNT]);
    text_printf(text,
                "imprint_http_request_seconds_bucket{route=\"%s\",le=\"+Inf\"} %llu\n"
                "imprint_http_request_seconds_sum{route=\"%s\"} %.6f\n"
                "imprint_http_request_seconds_count{route=\"%s\"} %llu\n",
                name, (unsigned long long)below, name, (double)get(&counts->total_us) / 1e6, name,
                (unsigned long long)below);
}

static void write_verdicts(const struct metrics *metrics, struct text *text)
{
    static const char *const names[] = {"match", "no_match", "unhashable"};
    write_head(text, "imprint_verdicts_total", "counter", "Verdicts given.");
    for (size_t i = 0; i < METRICS_VERDICT_COUNT; i++) {
        text_printf(text, "imprint_verdicts_total{verdict=\"%s\"} %llu\n", names[i],
                    (unsigned long long)get(&metrics->verdicts[i]));
    }
}

static void write_samples(const struct metrics_sample *samples, size_t count, struct text *text)
{
    const char *last = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(samples[i].name, last) != 0) {
            write_head(text, samples[i].name, samples[i].type, samples[i].help);
            last = samples[i].name;
        }
        text_put(text, samples[i].name);
        if (samples[i].label != NULL) {
            text_printf(text, "{%s}", samples[i].label);
        }
        text_printf(text, " %.17g\n", samples[i].value);
    }
}

void metrics_write(const struct metrics *metrics, const struct metrics_sample *samples,
                   size_t count, struct text *out_text)
{
    write_requests(metrics, out_text);
    write_head(out_text, "imprint_http_request_seconds", "histogram",
               "Time from the complete request to its answer.");
    for (size_t r = 0; r <= metrics->route_count; r++) {
        write_histogram(route_name(metrics, r), &metrics->routes[r], out_text);
    }
    write_verdicts(metrics, out_text);
    write_samples(samples, count, out_text);
}
