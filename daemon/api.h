/* api.h - the socket contract: routes, roles, body limits, and what each request means.
 *
 * Why:       one table says which paths there are, who may use them and how large a body may be;
 *            one switch turns an error into a status. docs/api.md is the contract in words.
 * Ownership: the api borrows catalog, pool, quota and probe; they must outlive it.
 * Threads:   any for handling; _new and _free by one. Changes of the list run on a few threads of
 *            the api's own, so that no socket waits for a disk and changes share a sync.
 */
#ifndef DAEMON_API_H
#define DAEMON_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/image.h"

#include "catalog.h"
#include "http.h"
#include "pool.h"
#include "probe.h"
#include "quota.h"

struct api;

/* What the query socket says of a match's distance: an exact one helps whoever probes. */
enum api_distance {
    API_DISTANCE_EXACT,
    API_DISTANCE_COARSE, /* rounded up to a multiple of 8 bits */
    API_DISTANCE_HIDDEN,
};

/* May change while serving. */
struct api_settings {
    size_t image_bytes_max;
    enum api_distance distance;
    bool is_probing_refused; /* else it is told in the log and counted */
};

/* What server counts, for /metrics; api does not know server. */
struct api_load {
    size_t connections;
    size_t body_memory_bytes;
};

struct api_options {
    struct catalog *catalog;
    struct pool *pool;
    struct quota *quota;           /* of the query socket's peers; NULL: none */
    struct probe *probe;           /* NULL: nobody looks */
    const struct uids *hash_query; /* who may ask by hash on the query socket; NULL: all */
    enum imprint_policy policy;
    const char *version; /* static text */
    struct api_settings settings;
};

IMPRINT_MUST_USE enum imprint_error api_new(const struct api_options *options,
                                            struct api **out_api);
/* Finishes the changes it has. Nothing may be handed to it any more. NULL is allowed. */
void api_free(struct api *api);

struct http_handler api_handler(struct api *api);
void api_change_settings(struct api *api, const struct api_settings *settings);
/* read is called on serving threads. */
void api_watch_load(struct api *api, void (*read)(void *ctx, struct api_load *out_load), void *ctx);

/* The status that goes with an error. */
int api_status_of(enum imprint_error error);

/* The route table, for documents and tests. */
struct api_route_info {
    const char *method;
    const char *path;  /* "/v1/lists/{name}" */
    bool is_for_query; /* the query socket has it; the admin socket has every route */
    bool has_body;
    const char *const *parameters; /* ends in NULL; NULL: none */
};
size_t api_route_count(void);
struct api_route_info api_route_info(size_t i);

#endif
