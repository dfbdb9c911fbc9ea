/* server.h - HTTP over Unix sockets: who is there, how much, how long.
 *
 * Why:       the only room that knows sockets and libmicrohttpd. It enforces what does not depend
 *            on the route: peer credentials, total deadlines for head and body, the size the
 *            handler admits, one length for a body, the memory all bodies may take together.
 * Ownership: bodies live in memory mapped for them alone, wiped and unmapped when answered.
 * Threads:   server_open, _drain, _close by one thread; the handler is called on server's threads.
 * Errors:    IMPRINT_E_IO when a socket cannot be made (the log says why), IMPRINT_E_NOMEM.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include <stddef.h>

#include "imprint/error.h"

#include "http.h"
#include "quota.h"

struct server;

struct server_socket {
    enum http_role role;
    const char *path;  /* made by us, replacing a stale one; ignored when fd is given */
    unsigned mode;     /* file mode, such as 0660 */
    const char *group; /* NULL or "": leave it */
    int fd;            /* a listening socket handed over by systemd, or -1 */
};

struct server_options {
    const struct server_socket *sockets;
    size_t socket_count;
    unsigned threads; /* that serve each query socket; 0: one a core */
    unsigned head_timeout_ms;
    unsigned body_timeout_ms;
    unsigned idle_timeout_ms;
    unsigned connections_max; /* a socket; more wait to be accepted */
    size_t body_memory_bytes_max;
    struct quota *quota; /* of connections to query sockets; borrowed; NULL: none */
    struct http_handler handler;
};

IMPRINT_MUST_USE enum imprint_error server_open(const struct server_options *options,
                                                struct server **out_server);

/* Accepts no more connections, lets idle ones go and waits until the requests in flight are
 * answered, at most timeout_ms. */
void server_drain(struct server *server, unsigned timeout_ms);

/* Ends what is left and removes the sockets it made. Every exchange handed to the handler must be
 * answered by then or be about to be: it waits for them. NULL is allowed. */
void server_close(struct server *server);

struct server_stats {
    size_t connections;       /* open now */
    size_t requests;          /* in flight now */
    size_t body_memory_bytes; /* mapped for bodies now */
};
void server_stats(const struct server *server, struct server_stats *out_stats);

#endif
