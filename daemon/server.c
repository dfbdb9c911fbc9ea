/* Life of the server: listeners, connections, and the reaper, which holds every connection to a
 * total deadline; libmicrohttpd's own timeout starts anew with each byte. */
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "limits.h"
#include "log.h"
#include "server_impl.h"

#define TICK_MS_MIN      5
#define TICK_MS_MAX      250
#define TICK_MS_DRAINING 5
#define PHASE_BITS       3
#define RAW_REPLY_BYTES  1024

uint64_t server_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static enum phase phase_of(uint64_t clock)
{
    return (enum phase)(clock & ((1u << PHASE_BITS) - 1));
}

static uint64_t clock_of(enum phase phase)
{
    return server_now_ms() << PHASE_BITS | (uint64_t)phase;
}

bool server_enter_phase(struct connection *connection, enum phase phase)
{
    uint64_t next = clock_of(phase);
    uint64_t seen = atomic_load_explicit(&connection->clock, memory_order_relaxed);
    do {
        if (phase_of(seen) == PHASE_ENDED) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&connection->clock, &seen, next));
    return true;
}

/* --- Ending a connection past libmicrohttpd --------------------------------------------------- */

static void send_raw(struct connection *connection, enum imprint_error error)
{
    struct server *server = connection->listener->server;
    struct http_reply reply = {0};
    server->handler.refuse(server->handler.ctx, (int)error,
                           connection->is_seen ? &connection->request : NULL, &reply);
    char raw[RAW_REPLY_BYTES];
    char retry_after[40] = "";
    if (reply.retry_after_s > 0) {
        (void)snprintf(retry_after, sizeof retry_after, "Retry-After: %u\r\n", reply.retry_after_s);
    }
    int len = snprintf(raw, sizeof raw,
                       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                       "%sConnection: close\r\n\r\n%.*s",
                       reply.status, MHD_get_reason_phrase_for((unsigned)reply.status),
                       reply.content_type == NULL ? "application/json" : reply.content_type,
                       reply.body_len, retry_after, (int)reply.body_len,
                       reply.body == NULL ? "" : reply.body);
    free(reply.body);
    if (len > 0 && (size_t)len < sizeof raw) {
        /* A peer that does not take 1 KiB at once does not get it. */
        ssize_t ignored = send(connection->fd, raw, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)ignored;
    }
}

void server_end_with(struct connection *connection, uint64_t seen, enum imprint_error error)
{
    enum phase phase = phase_of(seen);
    if (phase == PHASE_ENDED ||
        !atomic_compare_exchange_strong(&connection->clock, &seen, clock_of(PHASE_ENDED))) {
        return;
    }
    if (phase == PHASE_HEAD || phase == PHASE_BODY) {
        send_raw(connection, error);
    }
    (void)shutdown(connection->fd, SHUT_RDWR);
}

/* --- Reaper ----------------------------------------------------------------------------------- */

static void reap(struct server *server, struct connection *connection, uint64_t now)
{
    uint64_t seen = atomic_load(&connection->clock);
    enum phase phase = phase_of(seen);
    if (atomic_load(&server->is_draining) && (phase == PHASE_IDLE || phase == PHASE_HEAD)) {
        /* What the peer has already sent is still read and answered; its next write fails, so it
         * knows that nothing was taken. */
        (void)shutdown(connection->fd, SHUT_RD);
    }
    unsigned timeout_ms = server->timeouts_ms[phase];
    if (timeout_ms > 0 && now - (seen >> PHASE_BITS) > timeout_ms) {
        server_end_with(connection, seen, IMPRINT_E_REQUEST_TIMEOUT);
    }
}

static void add_ms(struct timespec *time, unsigned ms)
{
    time->tv_sec += ms / 1000;
    time->tv_nsec += (long)(ms % 1000) * 1000000;
    if (time->tv_nsec >= 1000000000) {
        time->tv_nsec -= 1000000000;
        time->tv_sec++;
    }
}

static unsigned tick_ms(const struct server *server)
{
    unsigned tick = TICK_MS_MAX;
    for (size_t i = 0; i <= PHASE_ENDED; i++) {
        unsigned timeout_ms = server->timeouts_ms[i];
        if (timeout_ms > 0 && timeout_ms / 8 < tick) {
            tick = timeout_ms / 8;
        }
    }
    return tick < TICK_MS_MIN ? TICK_MS_MIN : tick;
}

static void *run_reaper(void *arg)
{
    struct server *server = arg;
    unsigned tick = tick_ms(server);
    (void)pthread_mutex_lock(&server->lock);
    while (!server->is_ending) {
        uint64_t now = server_now_ms();
        for (struct connection *c = server->connections; c != NULL; c = c->next) {
            reap(server, c, now);
        }
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        add_ms(&until, atomic_load(&server->is_draining) ? TICK_MS_DRAINING : tick);
        (void)pthread_cond_timedwait(&server->changed, &server->lock, &until);
    }
    (void)pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* --- Connections ------------------------------------------------------------------------------ */

static uint32_t peer_uid(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof peer) {
        return UINT32_MAX;
    }
    return peer.uid;
}

/* Too many of one uid: answered whatever is asked, and gone. */
static void count_connection(struct server *server, struct connection *connection)
{
    connection->is_counted =
        quota_connect(server->quota, connection->uid, server_now_ms(), &connection->account);
    if (!connection->is_counted) {
        server_end_with(connection, atomic_load(&connection->clock), IMPRINT_E_RATE_LIMITED);
    }
}

static void connection_began(struct listener *listener, struct MHD_Connection *mhd, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *connection = calloc(1, sizeof *connection);
    *context = connection;
    if (connection == NULL || info == NULL) {
        free(connection);
        *context = NULL;
        return;
    }
    connection->listener = listener;
    connection->mhd = mhd;
    connection->fd = info->connect_fd;
    connection->uid = peer_uid(connection->fd);
    atomic_init(&connection->clock, clock_of(PHASE_HEAD));
    struct server *server = listener->server;
    (void)pthread_mutex_lock(&server->lock);
    connection->next = server->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    server->connections = connection;
    server->connection_count++;
    (void)pthread_mutex_unlock(&server->lock);
    if (server->quota != NULL && listener->role == HTTP_ROLE_QUERY) {
        count_connection(server, connection);
    }
}

static void connection_ended(struct server *server, struct connection *connection)
{
    (void)pthread_mutex_lock(&server->lock);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        server->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    server->connection_count--;
    if (atomic_load(&server->is_draining)) {
        (void)pthread_cond_broadcast(&server->changed);
    }
    (void)pthread_mutex_unlock(&server->lock);
    if (connection->is_counted) {
        quota_disconnect(server->quota, connection->account);
    }
    free(connection);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct listener *listener = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        connection_began(listener, mhd, context);
    } else if (*context != NULL) {
        connection_ended(listener->server, *context);
        *context = NULL;
    }
}

/* --- Start and end ---------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void on_log(void *cls, const char *format,
                                                         va_list arguments)
{
    (void)cls;
    char line[256];
    (void)vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\r\n")] = '\0';
    log_debug("server: libmicrohttpd: %s", line);
}

static unsigned core_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > LIMIT_THREADS_MAX ? LIMIT_THREADS_MAX : (unsigned)count;
}

static enum imprint_error start_listener(const struct server_options *options,
                                         struct listener *listener)
{
    unsigned threads = options->threads == 0 ? core_count() : options->threads;
    if (listener->role == HTTP_ROLE_ADMIN || options->connections_max < threads) {
        threads = 1;
    }
    /* A pool of one thread is refused by libmicrohttpd; 0 means no pool, one thread. */
    unsigned pool_size = threads > 1 ? threads : 0;
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        server_on_request, listener, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, listener->fd, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        listener, MHD_OPTION_NOTIFY_COMPLETED, server_on_completed, listener,
        MHD_OPTION_URI_LOG_CALLBACK, server_on_target, listener, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        LIMIT_CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_LIMIT, options->connections_max,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_THREAD_POOL_SIZE, pool_size, MHD_OPTION_END);
    if (listener->daemon == NULL) {
        log_error("server: cannot start serving a socket: %s", strerror(errno));
        return IMPRINT_E_IO;
    }
    return IMPRINT_OK;
}

static enum imprint_error start_reaper(struct server *server)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&server->reaper, NULL, run_reaper, server) != 0) {
        return IMPRINT_E_NOMEM;
    }
    server->has_reaper = true;
    return IMPRINT_OK;
}

enum imprint_error server_open(const struct server_options *options, struct server **out_server)
{
    struct server *server =
        calloc(1, sizeof *server + options->socket_count * sizeof server->listeners[0]);
    if (server == NULL) {
        return IMPRINT_E_NOMEM;
    }
    server->handler = options->handler;
    server->quota = options->quota;
    server->body_memory_bytes_max = options->body_memory_bytes_max;
    server->timeouts_ms[PHASE_HEAD] = options->head_timeout_ms;
    server->timeouts_ms[PHASE_BODY] = options->body_timeout_ms;
    server->timeouts_ms[PHASE_REPLY] = options->body_timeout_ms;
    server->timeouts_ms[PHASE_IDLE] = options->idle_timeout_ms;
    enum imprint_error error = start_reaper(server);
    for (size_t i = 0; error == IMPRINT_OK && i < options->socket_count; i++) {
        struct listener *listener = &server->listeners[i];
        listener->server = server;
        error = server_socket_open(&options->sockets[i], listener);
        if (error == IMPRINT_OK) {
            server->listener_count++;
        }
    }
    for (size_t i = 0; error == IMPRINT_OK && i < server->listener_count; i++) {
        error = start_listener(options, &server->listeners[i]);
    }
    if (error != IMPRINT_OK) {
        server_close(server);
        return error;
    }
    *out_server = server;
    return IMPRINT_OK;
}

static void quiesce(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        struct listener *listener = &server->listeners[i];
        server_socket_remove(listener);
        if (listener->daemon != NULL && !listener->is_quiesced) {
            /* The descriptor comes back to us and is closed when the daemon has stopped. */
            listener->is_quiesced = MHD_quiesce_daemon(listener->daemon) != MHD_INVALID_SOCKET;
        }
    }
}

void server_drain(struct server *server, unsigned timeout_ms)
{
    quiesce(server);
    atomic_store(&server->is_draining, true);
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    add_ms(&until, timeout_ms);
    (void)pthread_mutex_lock(&server->lock);
    (void)pthread_cond_broadcast(&server->changed);
    int result = 0;
    while (server->connection_count > 0 && result != ETIMEDOUT) {
        result = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    }
    size_t left = server->connection_count;
    (void)pthread_mutex_unlock(&server->lock);
    if (left > 0) {
        log_warning("server: %zu connections were still busy after %u ms", left, timeout_ms);
    }
}

static void wait_answered(struct server *server)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (atomic_load(&server->unanswered) > 0) {
        (void)nanosleep(&pause, NULL);
    }
}

static void stop_listener(struct listener *listener)
{
    server_socket_remove(listener);
    if (listener->daemon != NULL) {
        MHD_stop_daemon(listener->daemon);
    }
    /* libmicrohttpd closes a descriptor it still listens on. */
    if (listener->fd >= 0 && (listener->daemon == NULL || listener->is_quiesced)) {
        (void)close(listener->fd);
    }
}

void server_close(struct server *server)
{
    if (server == NULL) {
        return;
    }
    quiesce(server);
    atomic_store(&server->is_draining, true);
    wait_answered(server);
    for (size_t i = 0; i < server->listener_count; i++) {
        stop_listener(&server->listeners[i]);
    }
    if (server->has_reaper) {
        (void)pthread_mutex_lock(&server->lock);
        server->is_ending = true;
        (void)pthread_cond_broadcast(&server->changed);
        (void)pthread_mutex_unlock(&server->lock);
        (void)pthread_join(server->reaper, NULL);
    }
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->lock);
    free(server);
}

void server_stats(const struct server *server, struct server_stats *out_stats)
{
    struct server *unlocked = (struct server *)(uintptr_t)server;
    (void)pthread_mutex_lock(&unlocked->lock);
    out_stats->connections = server->connection_count;
    (void)pthread_mutex_unlock(&unlocked->lock);
    out_stats->requests = atomic_load(&server->in_flight);
    out_stats->body_memory_bytes = atomic_load(&server->body_memory_bytes);
}
