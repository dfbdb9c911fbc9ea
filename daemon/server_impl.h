/* server_impl.h - what the sources of server share: connections, bodies, listening sockets.
 *
 * Why:     server.c (life of the server, deadlines), server_request.c (one request) and
 *          server_socket.c (files and descriptors) are one room in three files.
 * Threads: a connection's fields belong to the libmicrohttpd thread that serves it, except clock,
 *          which the reaper reads and claims, and the links, which the server's lock guards.
 */
#ifndef DAEMON_SERVER_IMPL_H
#define DAEMON_SERVER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include <microhttpd.h>

#include "server.h"

/* What a connection is waiting for, and so which deadline holds. */
enum phase {
    PHASE_HEAD, /* from the first connection or the request line on */
    PHASE_BODY,
    PHASE_WORK, /* the handler's; no deadline of ours */
    PHASE_REPLY,
    PHASE_IDLE,
    PHASE_ENDED, /* shut down by the reaper; nothing may be answered any more */
};

/* Bytes of a request in memory of their own. */
struct body {
    uint8_t *bytes;
    size_t len;
    size_t capacity; /* mapped */
};

enum answer_state {
    ANSWER_PENDING,
    ANSWER_SUSPENDED, /* pending, and libmicrohttpd has been told to wait */
    ANSWER_GIVEN,
};

struct listener {
    struct server *server;
    struct MHD_Daemon *daemon;
    enum http_role role;
    int fd; /* ours to close before the daemon starts and after it was quiesced */
    bool is_quiesced;
    char *path; /* of the socket file we made; NULL: handed over */
    dev_t device;
    ino_t inode;
};

struct connection {
    struct connection *previous;
    struct connection *next;
    struct listener *listener;
    struct MHD_Connection *mhd;
    int fd;
    uint32_t uid;
    bool is_counted; /* in account of the server's quota */
    size_t account;
    _Atomic uint64_t clock; /* phase in the low 3 bits, since when (ms) above */

    /* The request being served; reset for each. */
    bool is_seen;     /* the head has been looked at */
    bool has_nul;     /* the target holds %00 */
    bool is_refused;  /* reply is ready; the body is read and dropped */
    bool is_handed;   /* to the handler */
    size_t body_max;  /* admitted by the handler, or to be dropped */
    size_t body_hint; /* the declared length, at most body_max */
    size_t dropped;
    struct body body;
    struct http_request request;
    struct http_exchange exchange;
    struct http_reply reply;
    _Atomic int answer;
};

struct server {
    struct http_handler handler;
    struct quota *quota;
    unsigned timeouts_ms[PHASE_ENDED + 1]; /* by phase; 0: none */
    size_t body_memory_bytes_max;
    _Atomic size_t body_memory_bytes;
    _Atomic size_t in_flight;  /* requests whose head has been seen */
    _Atomic size_t unanswered; /* exchanges handed to the handler */
    atomic_bool is_draining;

    pthread_mutex_t lock; /* the list of connections, is_ending */
    pthread_cond_t changed;
    struct connection *connections;
    size_t connection_count;
    bool is_ending;
    bool has_reaper;
    pthread_t reaper;

    size_t listener_count;
    struct listener listeners[];
};

/* --- server.c ------------------------------------------------------------------------------------
 */

uint64_t server_now_ms(void);
/* Moves the connection to another phase. False: it was ended. */
bool server_enter_phase(struct connection *connection, enum phase phase);
/* Refuses what cannot be answered through libmicrohttpd any more (or not yet): writes the answer
 * past it and shuts the connection down. Does nothing unless clock is still seen. */
void server_end_with(struct connection *connection, uint64_t seen, enum imprint_error error);

/* --- server_request.c ----------------------------------------------------------------------------
 */

/* The callbacks of libmicrohttpd. */
void *server_on_target(void *cls, const char *target, struct MHD_Connection *mhd);
enum MHD_Result server_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **con_cls);
void server_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode code);

/* --- server_body.c -------------------------------------------------------------------------------
 */

/* Room for capacity bytes, within what all bodies may take together. IMPRINT_E_BUSY,
 * IMPRINT_E_NOMEM. */
IMPRINT_MUST_USE enum imprint_error server_body_reserve(struct server *server, struct body *body,
                                                        size_t capacity);
/* Wipes and gives back. */
void server_body_done(struct server *server, struct body *body);

/* --- server_socket.c -----------------------------------------------------------------------------
 */

IMPRINT_MUST_USE enum imprint_error server_socket_open(const struct server_socket *socket,
                                                       struct listener *listener);
/* Removes the socket file if it is still the one we made. */
void server_socket_remove(struct listener *listener);

#endif
