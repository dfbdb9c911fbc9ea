/* http.h - the words server and api exchange: a request as read, a reply to send.
 *
 * Why:       server knows connections, api knows routes; neither includes the other. This is plain
 *            data and a few function pointers, so api is tested without a socket and server without
 *            a list.
 * Ownership: a request and all it points to live until its exchange is answered. A reply's body
 *            passes to whoever receives the reply and is freed there.
 * Threads:   an exchange may be answered by another thread than the one it was handed to.
 */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_role {
    HTTP_ROLE_QUERY = 1, /* upload path and moderation tools */
    HTTP_ROLE_ADMIN = 2, /* list keepers */
};

struct http_request {
    const char *method; /* "GET" */
    const char *path;   /* "/v1/match", decoded, without the query */
    enum http_role role;
    uint32_t uid; /* the peer's, from SO_PEERCRED; UINT32_MAX over TCP */
    const uint8_t *body;
    size_t body_len;

    /* A parameter of the query string, decoded, or NULL. "" for a name without a value. */
    const char *(*parameter)(const struct http_request *request, const char *name);
    /* True: each parameter is one of names (which end in NULL; NULL: none) and none comes twice. */
    bool (*parameters_known)(const struct http_request *request, const char *const *names);
    /* A header by name in any case, or NULL. */
    const char *(*header)(const struct http_request *request, const char *name);
    void *impl; /* server's */
};

struct http_reply {
    int status;
    const char *content_type; /* static text; NULL: application/json */
    char *body;               /* malloc'd, passes on with the reply; NULL: empty */
    size_t body_len;
    unsigned retry_after_s; /* 0: no header */
    const char *allow;      /* static text for 405; NULL: no header */
    bool close;             /* the connection ends after this reply */
};

/* One request being answered. */
struct http_exchange {
    /* Takes over reply->body. Called exactly once, from any thread. */
    void (*answer)(struct http_exchange *exchange, struct http_reply *reply);
};

/* What server asks of whoever answers. */
struct http_handler {
    void *ctx;

    /* The head is there, the body is not (request->body is NULL). True: a body of up to
     * *out_body_bytes_max bytes may follow (0: none). False: *out_reply refuses the request before
     * its body is read. */
    bool (*admit)(void *ctx, const struct http_request *request, size_t *out_body_bytes_max,
                  struct http_reply *out_reply);

    /* The request is complete. Leads to exactly one exchange->answer, now or later. */
    void (*handle)(void *ctx, const struct http_request *request, struct http_exchange *exchange);

    /* A reply for something server itself refuses (timeout, oversized body, full). error is an
     * enum imprint_error. request is NULL where there is none yet. */
    void (*refuse)(void *ctx, int error, const struct http_request *request,
                   struct http_reply *out_reply);
};

#endif
