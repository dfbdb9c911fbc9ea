/* Server against real sockets: framing, deadlines, limits, deferred answers, drain. The handler is
 * the test's own, so that every moment of an exchange can be held still; nothing sleeps but the
 * deadlines under test. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "server.h"

#define BODY_MAX ((size_t)4 << 20)

struct fixture {
    char dir[32];
    char query[64];
    char admin[64];
    struct server *server;
};

/* Exchanges put aside by /later. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct http_exchange *held[64];
static size_t held_count;

static void say(struct http_reply *reply, int status, const char *text)
{
    *reply = (struct http_reply){.status = status, .body = strdup(text), .body_len = strlen(text)};
}

static void refuse(void *ctx, int error, const struct http_request *request,
                   struct http_reply *out_reply)
{
    (void)ctx;
    (void)request;
    int status = error == IMPRINT_E_BODY_TOO_LARGE    ? 413
                 : error == IMPRINT_E_REQUEST_TIMEOUT ? 408
                 : error == IMPRINT_E_BUSY            ? 503
                                                      : 400;
    say(out_reply, status, imprint_error_name((enum imprint_error)error));
}

static bool admit(void *ctx, const struct http_request *request, size_t *out_body_bytes_max,
                  struct http_reply *out_reply)
{
    (void)ctx;
    if (strcmp(request->path, "/nowhere") == 0) {
        say(out_reply, 404, "nowhere");
        return false;
    }
    *out_body_bytes_max = strcmp(request->path, "/small") == 0 ? 10 : BODY_MAX;
    return true;
}

static void handle(void *ctx, const struct http_request *request, struct http_exchange *exchange)
{
    (void)ctx;
    struct http_reply reply;
    char text[256];
    if (strcmp(request->path, "/later") == 0) {
        (void)pthread_mutex_lock(&lock);
        held[held_count++] = exchange;
        (void)pthread_cond_broadcast(&changed);
        (void)pthread_mutex_unlock(&lock);
        return;
    }
    unsigned sum = 0;
    for (size_t i = 0; i < request->body_len; i++) {
        sum = sum * 31 + request->body[i];
    }
    const char *name = request->parameter(request, "name");
    const char *const known[] = {"name", NULL};
    (void)snprintf(text, sizeof text, "%s %s role=%d uid=%u body=%zu sum=%u name=%s known=%d",
                   request->method, request->path, (int)request->role, request->uid,
                   request->body_len, sum, name == NULL ? "-" : name,
                   (int)request->parameters_known(request, known));
    say(&reply, 200, text);
    exchange->answer(exchange, &reply);
}

static struct server_options options_of(struct fixture *f, struct server_socket *sockets)
{
    sockets[0] = (struct server_socket){HTTP_ROLE_QUERY, f->query, 0600, NULL, -1};
    sockets[1] = (struct server_socket){HTTP_ROLE_ADMIN, f->admin, 0600, NULL, -1};
    return (struct server_options){
        .sockets = sockets,
        .socket_count = 2,
        .threads = 2,
        .head_timeout_ms = 400,
        .body_timeout_ms = 600,
        .idle_timeout_ms = 60000,
        .connections_max = 1000,
        .body_memory_bytes_max = 2 * BODY_MAX,
        .handler = {.admit = admit, .handle = handle, .refuse = refuse},
    };
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/imprint-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->query, sizeof f->query, "%s/q.sock", f->dir);
    (void)snprintf(f->admin, sizeof f->admin, "%s/a.sock", f->dir);
    struct server_socket sockets[2];
    struct server_options options = options_of(f, sockets);
    held_count = 0;
    assert_int_equal(server_open(&options, &f->server), IMPRINT_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    server_close(f->server);
    assert_int_equal(access(f->query, F_OK), -1);
    assert_int_equal(access(f->admin, F_OK), -1);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

/* --- A client that can misbehave -------------------------------------------------------------- */

static int dial(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    const struct timeval limit = {.tv_sec = 20};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* Reads one reply (by its Content-Length) or to the end; returns the status, 0 at the end. */
static int get(int fd, char *out_text, size_t size)
{
    size_t len = 0;
    size_t wanted = SIZE_MAX;
    out_text[0] = '\0';
    while (len < wanted && len + 1 < size) {
        /* Byte by byte: what follows belongs to the next reply. */
        ssize_t got = recv(fd, out_text + len, 1, 0);
        if (got <= 0) {
            break;
        }
        len++;
        out_text[len] = '\0';
        const char *end = strstr(out_text, "\r\n\r\n");
        if (wanted == SIZE_MAX && end != NULL) {
            const char *length = strcasestr(out_text, "content-length:");
            size_t head = (size_t)(end - out_text) + 4;
            bool is_interim = strncmp(out_text, "HTTP/1.1 100", 12) == 0;
            wanted = head + (length == NULL || is_interim ? 0 : strtoul(length + 15, NULL, 10));
        }
    }
    return len < 12 ? 0 : (int)strtol(out_text + 9, NULL, 10);
}

static bool is_closed(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static int ask(const char *path, const char *request, char *out_text, size_t size)
{
    int fd = dial(path);
    put(fd, request);
    int status = get(fd, out_text, size);
    (void)close(fd);
    return status;
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void wait_held(size_t count)
{
    (void)pthread_mutex_lock(&lock);
    while (held_count < count) {
        (void)pthread_cond_wait(&changed, &lock);
    }
    (void)pthread_mutex_unlock(&lock);
}

static void answer_held(size_t i, const char *text)
{
    struct http_reply reply;
    say(&reply, 200, text);
    held[i]->answer(held[i], &reply);
}

/* Until nothing is in flight: the server notices a client's end on its own threads. */
static void wait_quiet(struct server *server)
{
    struct server_stats stats;
    do {
        (void)poll(NULL, 0, 1);
        server_stats(server, &stats);
    } while (stats.requests > 0 || stats.body_memory_bytes > 0);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void role_uid_path_and_parameters_reach_the_handler(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    char expected[128];
    assert_int_equal(
        ask(f->query, "GET /a%20b?name=x%2Fy HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text), 200);
    (void)snprintf(expected, sizeof expected,
                   "GET /a b role=1 uid=%u body=0 sum=0 name=x/y known=1", getuid());
    assert_non_null(strstr(text, expected));
    assert_int_equal(
        ask(f->admin, "GET /?name=x&name=y HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text), 200);
    assert_non_null(strstr(text, "role=2"));
    assert_non_null(strstr(text, "known=0"));
    assert_int_equal(ask(f->query, "GET /?other HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text),
                     200);
    assert_non_null(strstr(text, "name=- known=0"));
    assert_int_equal(ask(f->query, "GET /live%00x HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text),
                     400);
}

static void head_is_get_without_a_body(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    int fd = dial(f->query);
    put(fd, "HEAD /x HTTP/1.1\r\nHost: l\r\nConnection: close\r\n\r\n");
    ssize_t got = 0;
    size_t len = 0;
    while ((got = recv(fd, text + len, sizeof text - len - 1, 0)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    assert_non_null(strstr(text, "200 OK"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
    (void)close(fd);
}

static void ambiguous_lengths_are_refused_and_the_connection_ends(void **state)
{
    struct fixture *f = *state;
    const char *const requests[] = {
        "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        ("POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
         "3\r\nabc\r\n0\r\n\r\n"),
        "POST /x HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: -1\r\n\r\n",
        "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 3x\r\n\r\nabc",
        "POST /x HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        char text[2048];
        int fd = dial(f->query);
        put(fd, requests[i]);
        int status = get(fd, text, sizeof text);
        if (status != 400 && !(i == 7 && status == 0)) {
            print_message("request %zu: %d %s\n", i, status, text);
            fail();
        }
        /* libmicrohttpd says 400 twice to some; nothing else may come. */
        while (status != 0) {
            assert_int_equal(status, 400);
            status = get(fd, text, sizeof text);
        }
        (void)close(fd);
    }
}

static void bodies_arrive_whole_by_length_and_by_chunks(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    assert_int_equal(ask(f->query, "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\n\r\nabc",
                         text, sizeof text),
                     200);
    assert_non_null(strstr(text, "body=3 sum=96354 "));
    assert_int_equal(ask(f->query,
                         "POST /x HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
                         text, sizeof text),
                     200);
    assert_non_null(strstr(text, "body=3 sum=96354 "));
}

/* As large as may be, so that the mapping grows several times. */
static void body_up_to_the_limit_and_not_beyond(void **state)
{
    struct fixture *f = *state;
    char *bytes = malloc(BODY_MAX);
    assert_non_null(bytes);
    unsigned sum = 0;
    for (size_t i = 0; i < BODY_MAX; i++) {
        bytes[i] = (char)(i * 7 % 251);
        sum = sum * 31 + (uint8_t)bytes[i];
    }
    char text[2048];
    char expected[64];
    int fd = dial(f->query);
    (void)snprintf(text, sizeof text, "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: %zu\r\n\r\n",
                   BODY_MAX);
    put(fd, text);
    assert_int_equal(send(fd, bytes, BODY_MAX, MSG_NOSIGNAL), BODY_MAX);
    assert_int_equal(get(fd, text, sizeof text), 200);
    (void)snprintf(expected, sizeof expected, "body=%zu sum=%u ", BODY_MAX, sum);
    assert_non_null(strstr(text, expected));
    (void)close(fd);

    (void)snprintf(text, sizeof text, "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: %zu\r\n\r\n",
                   BODY_MAX + 1);
    assert_int_equal(ask(f->query, text, text, sizeof text), 413);

    /* Without a declared length it is noticed on the way. */
    fd = dial(f->query);
    put(fd, "POST /small HTTP/1.1\r\nHost: l\r\nTransfer-Encoding: chunked\r\n\r\n"
            "b\r\nabcdefghijk\r\n0\r\n\r\n");
    assert_int_equal(get(fd, text, sizeof text), 413);
    assert_true(is_closed(fd));
    (void)close(fd);
    free(bytes);
    wait_quiet(f->server);
}

static void refusal_comes_before_the_body_or_after_a_small_one(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    int fd = dial(f->query);
    /* Announced: answered at once. */
    put(fd,
        "POST /nowhere HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(get(fd, text, sizeof text), 404);
    assert_true(is_closed(fd));
    (void)close(fd);
    /* Large: answered at once. */
    fd = dial(f->query);
    put(fd, "POST /nowhere HTTP/1.1\r\nHost: l\r\nContent-Length: 99999999\r\n\r\n");
    assert_int_equal(get(fd, text, sizeof text), 404);
    assert_true(is_closed(fd));
    (void)close(fd);
    /* Small: read, dropped, answered; the connection goes on. */
    fd = dial(f->query);
    put(fd, "POST /nowhere HTTP/1.1\r\nHost: l\r\nContent-Length: 5\r\n\r\nhelloGET /x HTTP/1.1\r\n"
            "Host: l\r\n\r\n");
    assert_int_equal(get(fd, text, sizeof text), 404);
    assert_int_equal(get(fd, text, sizeof text), 200);
    (void)close(fd);
    fd = dial(f->query);
    put(fd, "POST /small HTTP/1.1\r\nHost: l\r\nContent-Length: 11\r\n\r\nhello hello"
            "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
    assert_int_equal(get(fd, text, sizeof text), 413);
    assert_int_equal(get(fd, text, sizeof text), 200);
    (void)close(fd);
}

static void expectation_is_met_with_100_continue(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    int fd = dial(f->query);
    put(fd, "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(get(fd, text, sizeof text), 100);
    put(fd, "abc");
    assert_int_equal(get(fd, text, sizeof text), 200);
    (void)close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    char requests[4096] = "";
    for (int i = 0; i < 20; i++) {
        size_t len = strlen(requests);
        (void)snprintf(requests + len, sizeof requests - len,
                       "POST /p%d HTTP/1.1\r\nHost: l\r\nContent-Length: 2\r\n\r\n%02d", i, i);
    }
    int fd = dial(f->query);
    put(fd, requests);
    for (int i = 0; i < 20; i++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "POST /p%d role=1", i);
        assert_int_equal(get(fd, text, sizeof text), 200);
        assert_non_null(strstr(text, expected));
        assert_non_null(strstr(text, "body=2"));
    }
    (void)close(fd);
}

/* A byte now and then keeps no connection: the deadline is a total. */
static void drip(struct fixture *f, const char *head, const char *rest, double at_most_s)
{
    int fd = dial(f->query);
    double start = now_s();
    put(fd, head);
    size_t sent = 0;
    struct pollfd reader = {.fd = fd, .events = POLLIN};
    while (poll(&reader, 1, 50) == 0 && now_s() - start < 10) {
        (void)send(fd, rest + sent++ % strlen(rest), 1, MSG_NOSIGNAL);
    }
    char text[2048];
    assert_int_equal(get(fd, text, sizeof text), 408);
    assert_non_null(strstr(text, "request_timeout"));
    assert_true(is_closed(fd));
    double took = now_s() - start;
    if (took < 0.3 || took > at_most_s) {
        print_message("ended after %.2f s\n", took);
        fail();
    }
    (void)close(fd);
}

static void slow_head_and_slow_body_end_at_a_total_deadline(void **state)
{
    struct fixture *f = *state;
    drip(f, "GET /x HTTP/1.1\r\nHost: l\r\nX: ", "abcdefgh", 3);
    drip(f, "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 1000000\r\n\r\n", "abcdefgh", 3);
    wait_quiet(f->server);
}

static void answer_from_another_thread_later(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    int fd = dial(f->query);
    put(fd, "POST /later HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\n\r\nabc");
    wait_held(1);
    /* Others are served meanwhile, on every thread. */
    for (int i = 0; i < 8; i++) {
        assert_int_equal(ask(f->query, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text),
                         200);
    }
    answer_held(0, "at last");
    assert_int_equal(get(fd, text, sizeof text), 200);
    assert_non_null(strstr(text, "at last"));
    put(fd, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
    assert_int_equal(get(fd, text, sizeof text), 200);
    (void)close(fd);
}

static void client_gone_in_the_middle_of_a_job_harms_nobody(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    for (size_t i = 0; i < 16; i++) {
        int fd = dial(f->query);
        put(fd, "POST /later HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\n\r\nabc");
        wait_held(i + 1);
        (void)close(fd);
    }
    assert_int_equal(ask(f->query, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text), 200);
    for (size_t i = 0; i < 16; i++) {
        answer_held(i, "nobody there");
    }
    wait_quiet(f->server);
    /* Gone in the middle of a body: its memory comes back. */
    int fd = dial(f->query);
    put(fd, "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 1000\r\n\r\nabc");
    (void)close(fd);
    wait_quiet(f->server);
    assert_int_equal(ask(f->query, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text), 200);
}

static void bodies_share_a_budget_of_memory(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    char *bytes = calloc(1, BODY_MAX);
    assert_non_null(bytes);
    int fds[2];
    for (size_t i = 0; i < 2; i++) {
        fds[i] = dial(f->query);
        (void)snprintf(text, sizeof text,
                       "POST /later HTTP/1.1\r\nHost: l\r\nContent-Length: %zu\r\n\r\n", BODY_MAX);
        put(fds[i], text);
        assert_int_equal(send(fds[i], bytes, BODY_MAX, MSG_NOSIGNAL), BODY_MAX);
    }
    wait_held(2);
    assert_int_equal(ask(f->query, "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 1\r\n\r\na",
                         text, sizeof text),
                     503);
    answer_held(0, "one");
    answer_held(1, "two");
    assert_int_equal(get(fds[0], text, sizeof text), 200);
    assert_int_equal(get(fds[1], text, sizeof text), 200);
    assert_int_equal(ask(f->query, "POST /x HTTP/1.1\r\nHost: l\r\nContent-Length: 1\r\n\r\na",
                         text, sizeof text),
                     200);
    (void)close(fds[0]);
    (void)close(fds[1]);
    free(bytes);
}

static void hundreds_of_idle_connections_stay_usable(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 200 };
    int fds[COUNT];
    char text[2048];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            if (round == 0) {
                fds[i] = dial(f->query);
            }
            put(fds[i], "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
            assert_int_equal(get(fds[i], text, sizeof text), 200);
        }
        /* Longer than the deadline of a head, which must not count between requests. */
        (void)poll(NULL, 0, round == 0 ? 700 : 0);
    }
    for (size_t i = 0; i < COUNT; i++) {
        (void)close(fds[i]);
    }
}

struct closer {
    struct server *server;
    unsigned timeout_ms;
};

static void *run_drain(void *arg)
{
    struct closer *closer = arg;
    server_drain(closer->server, closer->timeout_ms);
    return NULL;
}

static void drain_answers_what_is_in_flight_and_lets_idle_ones_go(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    int idle = dial(f->query);
    put(idle, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
    assert_int_equal(get(idle, text, sizeof text), 200);
    int busy = dial(f->query);
    put(busy, "POST /later HTTP/1.1\r\nHost: l\r\nContent-Length: 3\r\n\r\nabc");
    wait_held(1);
    struct closer closer = {f->server, 10000};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_drain, &closer), 0);
    assert_true(is_closed(idle));
    assert_int_equal(dial(f->query), -1);
    answer_held(0, "in time");
    assert_int_equal(get(busy, text, sizeof text), 200);
    assert_non_null(strstr(text, "in time"));
    assert_non_null(strcasestr(text, "connection: close"));
    assert_true(is_closed(busy));
    double start = now_s();
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(now_s() - start < 5);
    (void)close(idle);
    (void)close(busy);
}

/* A request that was written before the daemon began to end is answered. */
static void drain_loses_no_request_already_sent(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 100 };
    int fds[COUNT];
    char text[2048];
    for (size_t i = 0; i < COUNT; i++) {
        fds[i] = dial(f->query);
        put(fds[i], "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
        assert_int_equal(get(fds[i], text, sizeof text), 200);
    }
    for (size_t i = 0; i < COUNT; i++) {
        put(fds[i], "GET /x HTTP/1.1\r\nHost: l\r\n\r\n");
    }
    server_drain(f->server, 5000);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(get(fds[i], text, sizeof text), 200);
        (void)close(fds[i]);
    }
}

static void socket_files_are_replaced_only_when_nobody_listens(void **state)
{
    struct fixture *f = *state;
    struct server_socket sockets[2];
    struct server_options options = options_of(f, sockets);
    struct server *second = NULL;
    char text[2048];
    assert_int_equal(server_open(&options, &second), IMPRINT_E_IO);
    assert_int_equal(ask(f->query, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text), 200);

    /* A stale one: bound, never listened on again. */
    char stale[64];
    (void)snprintf(stale, sizeof stale, "%s/s.sock", f->dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", stale);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
    sockets[0].path = stale;
    sockets[0].mode = 0640;
    options.socket_count = 1;
    assert_int_equal(server_open(&options, &second), IMPRINT_OK);
    assert_int_equal(ask(stale, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text), 200);
    struct stat status;
    assert_int_equal(stat(stale, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    server_close(second);
    assert_int_equal(access(stale, F_OK), -1);

    /* Not a socket: not ours to remove. */
    fd = open(stale, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(server_open(&options, &second), IMPRINT_E_IO);
    assert_int_equal(unlink(stale), 0);
    sockets[0].group = "no-such-group-here";
    assert_int_equal(server_open(&options, &second), IMPRINT_E_IO);
    (void)unlink(stale);
}

static void handed_over_socket_is_served_and_left_in_place(void **state)
{
    struct fixture *f = *state;
    char path[64];
    char text[2048];
    (void)snprintf(path, sizeof path, "%s/h.sock", f->dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    int kept = dup(fd);
    struct server_socket sockets[2];
    struct server_options options = options_of(f, sockets);
    sockets[0].fd = fd;
    options.socket_count = 1;
    struct server *second = NULL;
    assert_int_equal(server_open(&options, &second), IMPRINT_OK);
    assert_int_equal(ask(path, "GET /x HTTP/1.1\r\nHost: l\r\n\r\n", text, sizeof text), 200);
    server_close(second);
    assert_int_equal(access(path, F_OK), 0);
    /* The socket lives on in whoever keeps it: a client waits, it is not refused. */
    int client = dial(path);
    assert_true(client >= 0);
    (void)close(client);
    (void)close(kept);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define SERVER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        SERVER_TEST(role_uid_path_and_parameters_reach_the_handler),
        SERVER_TEST(head_is_get_without_a_body),
        SERVER_TEST(ambiguous_lengths_are_refused_and_the_connection_ends),
        SERVER_TEST(bodies_arrive_whole_by_length_and_by_chunks),
        SERVER_TEST(body_up_to_the_limit_and_not_beyond),
        SERVER_TEST(refusal_comes_before_the_body_or_after_a_small_one),
        SERVER_TEST(expectation_is_met_with_100_continue),
        SERVER_TEST(pipelined_requests_are_answered_in_order),
        SERVER_TEST(slow_head_and_slow_body_end_at_a_total_deadline),
        SERVER_TEST(answer_from_another_thread_later),
        SERVER_TEST(client_gone_in_the_middle_of_a_job_harms_nobody),
        SERVER_TEST(bodies_share_a_budget_of_memory),
        SERVER_TEST(hundreds_of_idle_connections_stay_usable),
        SERVER_TEST(drain_answers_what_is_in_flight_and_lets_idle_ones_go),
        SERVER_TEST(drain_loses_no_request_already_sent),
        SERVER_TEST(socket_files_are_replaced_only_when_nobody_listens),
        SERVER_TEST(handed_over_socket_is_served_and_left_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
