/* metrics.h - what is counted while serving, and its Prometheus text.
 *
 * Why:     requests are counted on many threads millions of times and read once in a while: relaxed
 *          atomics, no lock. What other rooms count themselves comes in as plain gauges on reading.
 * Threads: any.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#include "text.h"

struct metrics;

/* names[i] labels route i, such as "GET /v1/match". They must outlive the metrics. */
IMPRINT_MUST_USE enum imprint_error metrics_new(const char *const *names, size_t count,
                                                struct metrics **out_metrics);
void metrics_free(struct metrics *metrics);

/* route: index into names, or count for a request of no route. */
void metrics_count_request(struct metrics *metrics, size_t route, int status, uint64_t duration_us);

enum metrics_verdict {
    METRICS_VERDICT_MATCH,
    METRICS_VERDICT_NO_MATCH,
    METRICS_VERDICT_UNHASHABLE,
    METRICS_VERDICT_COUNT
};
void metrics_count_verdict(struct metrics *metrics, enum metrics_verdict verdict);

/* One sample of something counted elsewhere. type is "gauge" or "counter"; label may be NULL, else
 * it is a whole label such as "reason=\"timeout\"". Samples of one name follow one another. */
struct metrics_sample {
    const char *name;
    const char *type;
    const char *help;
    const char *label;
    double value;
};

/* Appends everything in the Prometheus text format, version 0.0.4. */
void metrics_write(const struct metrics *metrics, const struct metrics_sample *samples,
                   size_t count, struct text *out_text);

#endif
