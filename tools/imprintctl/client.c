#include "client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "strbuf.h"

enum { CLIENT_HEAD_BYTES_MAX = 32 * 1024 };

struct client {
    int fd;
    int64_t deadline_ms;
    char *bytes; /* head, then body */
    size_t len;
    size_t capacity;
};

/* --- Time and bytes -------------------------------------------------------------------------- */

static int64_t client_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for events until the deadline. */
static enum imprint_error client_wait(const struct client *client, short events)
{
    for (;;) {
        const int64_t left_ms = client->deadline_ms - client_now_ms();
        if (left_ms <= 0) {
            return IMPRINT_E_REQUEST_TIMEOUT;
        }
        struct pollfd poll_fd = {.fd = client->fd, .events = events};
        const int ready = poll(&poll_fd, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
        if (ready > 0) {
            return IMPRINT_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return IMPRINT_E_UNREACHABLE;
        }
    }
}

static bool client_would_wait(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* A daemon that refuses a body may answer and close before it was all sent: then there is an
 * answer to read, so a broken pipe is not the end. */
static enum imprint_error client_send(const struct client *client, const void *bytes, size_t len,
                                      bool *out_is_cut)
{
    const char *at = bytes;
    while (len != 0) {
        const ssize_t sent = send(client->fd, at, len, MSG_NOSIGNAL);
        if (sent >= 0) {
            at += sent;
            len -= (size_t)sent;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            *out_is_cut = true;
            return IMPRINT_OK;
        } else if (!client_would_wait()) {
            return IMPRINT_E_UNREACHABLE;
        } else {
            const enum imprint_error error = client_wait(client, POLLOUT);
            if (error != IMPRINT_OK) {
                return error;
            }
        }
    }
    return IMPRINT_OK;
}

/* Receives at least one byte more, or says that there are none (*out_is_end). */
static enum imprint_error client_receive(struct client *client, bool *out_is_end)
{
    for (;;) {
        const ssize_t got =
            recv(client->fd, client->bytes + client->len, client->capacity - client->len, 0);
        if (got >= 0) {
            client->len += (size_t)got;
            *out_is_end = got == 0;
            return IMPRINT_OK;
        }
        if (!client_would_wait()) {
            return IMPRINT_E_UNREACHABLE;
        }
        const enum imprint_error error = client_wait(client, POLLIN);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
}

static enum imprint_error client_reserve(struct client *client, size_t capacity)
{
    if (capacity <= client->capacity) {
        return IMPRINT_OK;
    }
    char *bytes = realloc(client->bytes, capacity);
    if (bytes == NULL) {
        return IMPRINT_E_NOMEM;
    }
    client->bytes = bytes;
    client->capacity = capacity;
    return IMPRINT_OK;
}

/* --- Connecting and asking ------------------------------------------------------------------- */

static enum imprint_error client_connect(struct client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t len = strlen(path);
    if (len == 0 || len >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return IMPRINT_E_UNREACHABLE;
    }
    memcpy(address.sun_path, path, len + 1);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0) {
        return IMPRINT_E_UNREACHABLE;
    }
    for (;;) {
        if (connect(client->fd, (const struct sockaddr *)&address, sizeof address) == 0) {
            return IMPRINT_OK;
        }
        /* EAGAIN: the daemon's queue of new connections is full. There is nothing to poll for. */
        if (errno != EAGAIN && errno != EINTR) {
            return IMPRINT_E_UNREACHABLE;
        }
        if (client_now_ms() >= client->deadline_ms) {
            return IMPRINT_E_REQUEST_TIMEOUT;
        }
        const struct timespec pause = {.tv_nsec = 5000000};
        nanosleep(&pause, NULL);
    }
}

static enum imprint_error client_ask(const struct client *client,
                                     const struct client_request *request)
{
    struct strbuf head;
    strbuf_init(&head, CLIENT_HEAD_BYTES_MAX);
    strbuf_addf(&head, "%s %s HTTP/1.1\r\nHost: imprint\r\nAccept: application/json\r\n",
                request->method, request->target);
    strbuf_add(&head, "Connection: close\r\n");
    if (request->content_type != NULL) {
        strbuf_addf(&head, "Content-Type: %s\r\n", request->content_type);
    }
    if (request->body != NULL || strcmp(request->method, "GET") != 0) {
        strbuf_addf(&head, "Content-Length: %zu\r\n", request->body_len);
    }
    strbuf_add(&head, "\r\n");
    enum imprint_error error = strbuf_error(&head);
    bool is_cut = false;
    if (error == IMPRINT_OK) {
        error = client_send(client, head.bytes, head.len, &is_cut);
    }
    if (error == IMPRINT_OK && !is_cut && request->body_len != 0) {
        error = client_send(client, request->body, request->body_len, &is_cut);
    }
    strbuf_done(&head);
    return error;
}

/* --- Reading the answer ---------------------------------------------------------------------- */

/* Receives until the empty line; *out_head_len is all up to and with it. */
static enum imprint_error client_read_head(struct client *client, size_t *out_head_len)
{
    enum imprint_error error = client_reserve(client, CLIENT_HEAD_BYTES_MAX);
    while (error == IMPRINT_OK) {
        const char *end = memmem(client->bytes, client->len, "\r\n\r\n", 4);
        if (end != NULL) {
            *out_head_len = (size_t)(end - client->bytes) + 4;
            return IMPRINT_OK;
        }
        if (client->len == client->capacity) {
            return IMPRINT_E_BAD_REQUEST;
        }
        bool is_end = false;
        error = client_receive(client, &is_end);
        if (error == IMPRINT_OK && is_end) {
            errno = ECONNRESET;
            return client->len == 0 ? IMPRINT_E_UNREACHABLE : IMPRINT_E_BAD_REQUEST;
        }
    }
    return error;
}

/* Digits only, at most max. */
static bool client_number(const char *text, size_t len, size_t max, size_t *out_number)
{
    size_t number = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || number > (max - (size_t)(text[i] - '0')) / 10) {
            return false;
        }
        number = number * 10 + (size_t)(text[i] - '0');
    }
    *out_number = number;
    return len != 0;
}

static bool client_read_status(const char *line, size_t len, int *out_status)
{
    size_t status = 0;
    /* The analyzer loses sight of what was received. */
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
        line[8] != ' ' || !client_number(line + 9, 3, 599, &status) || status < 200 ||
        (len > 12 && line[12] != ' ')) {
        return false;
    }
    *out_status = (int)status;
    return true;
}

struct client_fields {
    size_t body_len;
    bool has_len;
    unsigned retry_after_s;
};

static bool client_read_field(const char *line, size_t len, struct client_fields *fields)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL || colon == line) {
        return false;
    }
    const size_t name_len = (size_t)(colon - line);
    const char *value = colon + 1;
    size_t value_len = len - name_len - 1;
    while (value_len != 0 && (*value == ' ' || *value == '\t')) {
        value++, value_len--;
    }
    while (value_len != 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t')) {
        value_len--;
    }
    size_t number = 0;
    if (name_len == 14 && strncasecmp(line, "Content-Length", name_len) == 0) {
        if (fields->has_len || !client_number(value, value_len, SIZE_MAX / 2, &number)) {
            return false;
        }
        fields->body_len = number;
        fields->has_len = true;
    } else if (name_len == 17 && strncasecmp(line, "Transfer-Encoding", name_len) == 0) {
        return false; /* the daemon never sends one */
    } else if (name_len == 11 && strncasecmp(line, "Retry-After", name_len) == 0 &&
               client_number(value, value_len, 86400, &number)) {
        fields->retry_after_s = (unsigned)number;
    }
    return true;
}

static bool client_read_fields(const char *head, size_t head_len, int *out_status,
                               struct client_fields *fields)
{
    const char *at = head;
    const char *end = head + head_len - 2; /* the empty line stays out */
    bool is_first = true;
    while (at < end) {
        const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (stop == NULL) {
            return false;
        }
        const size_t len = (size_t)(stop - at);
        if (is_first ? !client_read_status(at, len, out_status)
                     : !client_read_field(at, len, fields)) {
            return false;
        }
        is_first = false;
        at = stop + 2;
    }
    return !is_first;
}

static enum imprint_error client_read_body(struct client *client, size_t head_len, size_t body_len)
{
    memmove(client->bytes, client->bytes + head_len, client->len - head_len);
    client->len -= head_len;
    enum imprint_error error = client_reserve(client, body_len + 1);
    while (error == IMPRINT_OK && client->len < body_len) {
        bool is_end = false;
        error = client_receive(client, &is_end);
        if (error == IMPRINT_OK && is_end) {
            return IMPRINT_E_BAD_REQUEST;
        }
    }
    if (error == IMPRINT_OK && client->len > body_len) {
        return IMPRINT_E_BAD_REQUEST;
    }
    return error;
}

static enum imprint_error client_read_reply(struct client *client, size_t body_bytes_max,
                                            struct client_reply *out_reply)
{
    size_t head_len = 0;
    enum imprint_error error = client_read_head(client, &head_len);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct client_reply reply = {0};
    struct client_fields fields = {0};
    if (!client_read_fields(client->bytes, head_len, &reply.status, &fields) ||
        (!fields.has_len && reply.status != 204 && reply.status != 304)) {
        return IMPRINT_E_BAD_REQUEST;
    }
    if (fields.body_len > body_bytes_max) {
        return IMPRINT_E_BODY_TOO_LARGE;
    }
    error = client_read_body(client, head_len, fields.body_len);
    if (error != IMPRINT_OK) {
        return error;
    }
    reply.retry_after_s = fields.retry_after_s;
    if (fields.body_len != 0) {
        client->bytes[fields.body_len] = '\0';
        reply.body = client->bytes;
        reply.body_len = fields.body_len;
        client->bytes = NULL;
    }
    *out_reply = reply;
    return IMPRINT_OK;
}

enum imprint_error client_exchange(const struct client_request *request,
                                   struct client_reply *out_reply)
{
    struct client client = {.fd = -1, .deadline_ms = client_now_ms() + request->timeout_ms};
    enum imprint_error error = client_connect(&client, request->socket_path);
    if (error == IMPRINT_OK) {
        error = client_ask(&client, request);
    }
    if (error == IMPRINT_OK) {
        error = client_read_reply(&client, request->reply_bytes_max, out_reply);
    }
    const int saved = errno;
    if (client.fd >= 0) {
        close(client.fd);
    }
    free(client.bytes);
    errno = saved;
    return error;
}

void client_reply_done(struct client_reply *reply)
{
    if (reply != NULL) {
        free(reply->body);
        *reply = (struct client_reply){0};
    }
}
