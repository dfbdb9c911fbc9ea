/* Any bytes as imprintctl's answer from a daemon: the first chooses how the connection behaves, the
 * others are what it brings. No socket is opened: the client's calls end here (the linker's
 * --wrap). An answer that is taken is within its bounds, is the end of the input, and is the same
 * however it was split; after an error the reply is untouched. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"
#include "fuzz.h"

#define FUZZ_FD        1000000
#define FUZZ_BODY_MAX  ((size_t)3000)
#define FUZZ_UNTOUCHED 0x5a

enum {
    FUZZ_ENDS_IN_RESET = 1,
    FUZZ_REFUSES_BODY = 2, /* closes while the request is being sent */
    FUZZ_INTERRUPTS = 4,   /* EAGAIN and EINTR before each byte */
};

/* The daemon's side of the one connection. */
static struct fuzz_peer {
    const uint8_t *bytes;
    size_t len;
    size_t at;
    size_t chunk;
    unsigned ways;
    unsigned calls;
    bool is_open;
} fuzz_peer;

int __wrap_socket(int domain, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_close(int fd);
int __real_close(int fd);

int __wrap_socket(int domain, int type, int protocol)
{
    (void)type;
    (void)protocol;
    fuzz_must(domain == AF_UNIX && !fuzz_peer.is_open);
    fuzz_peer.is_open = true;
    return FUZZ_FD;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    fuzz_must(fd == FUZZ_FD && address->sa_family == AF_UNIX && len > sizeof address->sa_family);
    return 0;
}

/* True: this call fails with errno set, the next one will not. */
static bool fuzz_interrupts(void)
{
    if ((fuzz_peer.ways & FUZZ_INTERRUPTS) == 0 || fuzz_peer.calls++ % 2 != 0) {
        return false;
    }
    errno = fuzz_peer.calls % 4 == 1 ? EAGAIN : EINTR;
    return true;
}

ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags)
{
    fuzz_must(fd == FUZZ_FD && bytes != NULL && len > 0 && (flags & MSG_NOSIGNAL) != 0);
    if (fuzz_interrupts()) {
        return -1;
    }
    if ((fuzz_peer.ways & FUZZ_REFUSES_BODY) != 0) {
        errno = EPIPE;
        return -1;
    }
    return (ssize_t)(len > 1 ? len / 2 : len);
}

ssize_t __wrap_recv(int fd, void *bytes, size_t len, int flags)
{
    (void)flags;
    fuzz_must(fd == FUZZ_FD && len > 0);
    if (fuzz_interrupts()) {
        return -1;
    }
    size_t count = fuzz_peer.len - fuzz_peer.at;
    if (count == 0 && (fuzz_peer.ways & FUZZ_ENDS_IN_RESET) != 0) {
        errno = ECONNRESET;
        return -1;
    }
    count = count < fuzz_peer.chunk ? count : fuzz_peer.chunk;
    count = count < len ? count : len;
    if (count > 0) {
        memcpy(bytes, fuzz_peer.bytes + fuzz_peer.at, count);
    }
    fuzz_peer.at += count;
    return (ssize_t)count;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    fuzz_must(count == 1 && fds->fd == FUZZ_FD && timeout > 0);
    fds->revents = fds->events;
    return 1;
}

int __wrap_close(int fd)
{
    if (fd != FUZZ_FD) {
        return __real_close(fd);
    }
    fuzz_must(fuzz_peer.is_open);
    fuzz_peer.is_open = false;
    return 0;
}

static enum imprint_error fuzz_ask(const uint8_t *bytes, size_t len, size_t chunk, unsigned ways,
                                   struct client_reply *out_reply)
{
    static const char body[] = "{\"name\":\"a\"}";
    const struct client_request request = {
        .socket_path = "/run/imprint/admin.sock",
        .timeout_ms = 3600000,
        .method = "POST",
        .target = "/v1/lists",
        .content_type = "application/json",
        .body = body,
        .body_len = sizeof body - 1,
        .reply_bytes_max = FUZZ_BODY_MAX,
    };
    fuzz_peer = (struct fuzz_peer){.bytes = bytes, .len = len, .chunk = chunk, .ways = ways};
    memset(out_reply, FUZZ_UNTOUCHED, sizeof *out_reply);
    const struct client_reply before = *out_reply;
    const enum imprint_error error = client_exchange(&request, out_reply);
    fuzz_must(!fuzz_peer.is_open);
    if (error != IMPRINT_OK) {
        fuzz_must(error == IMPRINT_E_BAD_REQUEST || error == IMPRINT_E_UNREACHABLE ||
                  error == IMPRINT_E_BODY_TOO_LARGE);
        fuzz_must(memcmp(out_reply, &before, sizeof before) == 0);
    }
    return error;
}

static void fuzz_check_reply(const struct client_reply *reply, const uint8_t *bytes)
{
    fuzz_must(reply->status >= 200 && reply->status <= 599 && reply->retry_after_s <= 86400);
    fuzz_must(reply->body_len <= FUZZ_BODY_MAX && (reply->body == NULL) == (reply->body_len == 0));
    if (reply->body != NULL) {
        const uint8_t *end = bytes + fuzz_peer.at;
        fuzz_must(memcmp(end - reply->body_len, reply->body, reply->body_len) == 0);
        fuzz_must(reply->body[reply->body_len] == '\0');
    }
}

static void fuzz_check_same(const struct client_reply *a, const struct client_reply *b)
{
    fuzz_must(a->status == b->status && a->retry_after_s == b->retry_after_s);
    fuzz_must(a->body_len == b->body_len);
    fuzz_must(a->body_len == 0 || memcmp(a->body, b->body, a->body_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    const unsigned ways = data[0];
    struct client_reply split;
    struct client_reply whole;
    const enum imprint_error error = fuzz_ask(data + 1, len - 1, 1, ways, &split);
    if (error == IMPRINT_OK) {
        fuzz_check_reply(&split, data + 1);
        /* A byte too many is noticed only where it came along with the rest. */
        const size_t taken = fuzz_peer.at;
        fuzz_must(fuzz_ask(data + 1, taken, taken, 0, &whole) == IMPRINT_OK);
        fuzz_check_reply(&whole, data + 1);
        fuzz_check_same(&split, &whole);
        client_reply_done(&whole);
        client_reply_done(&split);
        if (taken < len - 1) {
            fuzz_must(fuzz_ask(data + 1, len - 1, len - 1, 0, &whole) == IMPRINT_E_BAD_REQUEST);
        }
        return 0;
    }
    const enum imprint_error whole_error =
        fuzz_ask(data + 1, len - 1, len, ways & FUZZ_ENDS_IN_RESET, &whole);
    fuzz_must(whole_error == error);
    return 0;
}
