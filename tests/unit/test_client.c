/* The HTTP client against a peer that says exactly what the test wants, byte by byte where it
 * matters: good answers are read, everything else is a named error within its deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <threads.h>
#include <unistd.h>

#include <cmocka.h>

#include "client.h"

struct peer {
    char folder[64];
    char path[108];
    int listener;
    const char *answer; /* what it says after the head of the request */
    size_t chunk;       /* bytes a send; 0: all at once */
    bool stays_silent;  /* keeps the connection, says nothing */
    char request[4096]; /* what it heard */
    thrd_t thread;
};

static void peer_hear(struct peer *peer, int fd)
{
    size_t len = 0;
    while (len + 1 < sizeof peer->request && strstr(peer->request, "\r\n\r\n") == NULL) {
        const ssize_t got = recv(fd, peer->request + len, sizeof peer->request - 1 - len, 0);
        if (got <= 0) {
            return;
        }
        len += (size_t)got;
        peer->request[len] = '\0';
    }
}

static int peer_run(void *ctx)
{
    struct peer *peer = ctx;
    const int fd = accept(peer->listener, NULL, NULL);
    if (fd < 0) {
        return 1;
    }
    peer_hear(peer, fd);
    size_t left = peer->stays_silent ? 0 : strlen(peer->answer);
    const char *at = peer->answer;
    while (left != 0) {
        const size_t chunk = peer->chunk != 0 && peer->chunk < left ? peer->chunk : left;
        if (send(fd, at, chunk, MSG_NOSIGNAL) < 0) {
            break;
        }
        at += chunk;
        left -= chunk;
    }
    if (peer->stays_silent) {
        char byte;
        (void)!recv(fd, &byte, 1, 0); /* until the client gives up */
    }
    close(fd);
    return 0;
}

static void peer_start(struct peer *peer)
{
    snprintf(peer->folder, sizeof peer->folder, "/tmp/imprint-client-XXXXXX");
    assert_non_null(mkdtemp(peer->folder));
    snprintf(peer->path, sizeof peer->path, "%s/s", peer->folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, peer->path, sizeof peer->path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->listener >= 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer->listener, 1), 0);
    assert_int_equal(thrd_create(&peer->thread, peer_run, peer), thrd_success);
}

static void peer_end(struct peer *peer)
{
    thrd_join(peer->thread, NULL);
    close(peer->listener);
    unlink(peer->path);
    rmdir(peer->folder);
}

static struct client_request request_to(const char *path)
{
    return (struct client_request){.socket_path = path,
                                   .timeout_ms = 5000,
                                   .method = "POST",
                                   .target = "/v1/match",
                                   .content_type = "application/octet-stream",
                                   .body = "picture",
                                   .body_len = 7,
                                   .reply_bytes_max = 100};
}

/* One exchange with a peer that gives this answer. */
static enum imprint_error exchange(const char *answer, size_t chunk, struct client_reply *reply)
{
    struct peer peer = {.answer = answer, .chunk = chunk};
    peer_start(&peer);
    const struct client_request request = request_to(peer.path);
    *reply = (struct client_reply){0};
    const enum imprint_error error = client_exchange(&request, reply);
    peer_end(&peer);
    assert_non_null(strstr(peer.request, "POST /v1/match HTTP/1.1\r\n"));
    assert_non_null(strstr(peer.request, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(peer.request, "\r\nConnection: close\r\n"));
    return error;
}

static void an_answer_is_read_however_it_is_cut(void **state)
{
    (void)state;
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nDate: x\r\ncontent-length:  13 \r\n\r\n{\"verdict\":1}";
    for (size_t chunk = 0; chunk < 12; chunk += 3) {
        struct client_reply reply;
        assert_int_equal(exchange(answer, chunk, &reply), IMPRINT_OK);
        assert_int_equal(reply.status, 200);
        assert_int_equal(reply.body_len, 13);
        assert_string_equal(reply.body, "{\"verdict\":1}");
        client_reply_done(&reply);
    }
}

static void a_status_is_no_error_and_retry_after_is_kept(void **state)
{
    (void)state;
    struct client_reply reply;
    assert_int_equal(
        exchange("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}", 0, &reply),
        IMPRINT_OK);
    assert_int_equal(reply.status, 503);
    assert_int_equal(reply.retry_after_s, 7);
    client_reply_done(&reply);
    assert_int_equal(exchange("HTTP/1.1 204 \r\n\r\n", 0, &reply), IMPRINT_OK);
    assert_int_equal(reply.status, 204);
    assert_null(reply.body);
}

static void what_is_not_the_http_we_know_is_refused(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}trailing",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct client_reply reply;
        assert_int_equal(exchange(answers[i], 0, &reply), IMPRINT_E_BAD_REQUEST);
        assert_null(reply.body);
    }
}

static void too_long_a_body_and_too_long_a_head_are_refused(void **state)
{
    (void)state;
    struct client_reply reply;
    assert_int_equal(exchange("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", 0, &reply),
                     IMPRINT_E_BODY_TOO_LARGE);
    char *head = malloc(70000);
    assert_non_null(head);
    snprintf(head, 70000, "HTTP/1.1 200 OK\r\nX: %060000d\r\n\r\n", 0);
    assert_int_equal(exchange(head, 0, &reply), IMPRINT_E_BAD_REQUEST);
    free(head);
}

static void a_silent_daemon_costs_no_more_than_the_deadline(void **state)
{
    (void)state;
    struct peer peer = {.answer = "", .stays_silent = true};
    peer_start(&peer);
    struct client_request request = request_to(peer.path);
    request.timeout_ms = 50;
    struct client_reply reply = {0};
    assert_int_equal(client_exchange(&request, &reply), IMPRINT_E_REQUEST_TIMEOUT);
    peer_end(&peer);
}

static void nobody_there_is_unreachable(void **state)
{
    (void)state;
    struct client_reply reply = {0};
    struct client_request request = request_to("/nonexistent/socket");
    assert_int_equal(client_exchange(&request, &reply), IMPRINT_E_UNREACHABLE);
    char path[200];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    request.socket_path = path;
    assert_int_equal(client_exchange(&request, &reply), IMPRINT_E_UNREACHABLE);
    assert_int_equal(exchange("", 0, &reply), IMPRINT_E_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_read_however_it_is_cut),
        cmocka_unit_test(a_status_is_no_error_and_retry_after_is_kept),
        cmocka_unit_test(what_is_not_the_http_we_know_is_refused),
        cmocka_unit_test(too_long_a_body_and_too_long_a_head_are_refused),
        cmocka_unit_test(a_silent_daemon_costs_no_more_than_the_deadline),
        cmocka_unit_test(nobody_there_is_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
