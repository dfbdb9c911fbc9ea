/* Requests a second over a Unix socket, and what each costs imprintd's CPU.
 *
 * usage: bench_socket SOCKET PID CONNECTIONS SECONDS [batch]
 *
 * One thread keeps CONNECTIONS keep-alive connections busy with one request each (GET
 * /v1/match?hash=, a random hash each time), or with batches of 65,536 hashes. The server's CPU
 * time comes from /proc/PID/stat: on a shared machine it says more than the rate.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define BATCH_HASHES    ((size_t)65536)
#define REPLY_BYTES     ((size_t)2 << 20)

struct peer {
    int fd;
    size_t got;
    size_t wanted; /* 0: the head is not complete */
    char head[1024];
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double server_cpu_s(long pid)
{
    char path[64];
    char line[1024] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    (void)fclose(file);
    unsigned long user = 0;
    unsigned long system = 0;
    const char *after = strrchr(line, ')');
    if (after == NULL || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                                &user, &system) != 2) {
        exit(EXIT_FAILURE);
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return fd;
}

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void ask(const struct peer *peer)
{
    char request[256];
    int len =
        snprintf(request, sizeof request,
                 "GET /v1/match?hash=%016llx%016llx%016llx%016llx HTTP/1.1\r\nHost: l\r\n\r\n",
                 (unsigned long long)next_random(), (unsigned long long)next_random(),
                 (unsigned long long)next_random(), (unsigned long long)next_random());
    if (send(peer->fd, request, (size_t)len, MSG_NOSIGNAL) != len) {
        perror("send");
        exit(EXIT_FAILURE);
    }
}

/* True when the reply is whole. */
static bool take(struct peer *peer)
{
    ssize_t got = recv(peer->fd, peer->head + peer->got, sizeof peer->head - 1 - peer->got, 0);
    if (got <= 0) {
        (void)fprintf(stderr, "connection lost\n");
        exit(EXIT_FAILURE);
    }
    peer->got += (size_t)got;
    peer->head[peer->got] = '\0';
    const char *end = strstr(peer->head, "\r\n\r\n");
    const char *length = strstr(peer->head, "Content-Length: ");
    if (end == NULL || length == NULL) {
        return false;
    }
    if (strncmp(peer->head, "HTTP/1.1 200", 12) != 0) {
        (void)fprintf(stderr, "%s\n", peer->head);
        exit(EXIT_FAILURE);
    }
    peer->wanted = (size_t)(end + 4 - peer->head) + strtoul(length + 16, NULL, 10);
    return peer->got == peer->wanted;
}

static uint64_t run_queries(const char *path, size_t count, double seconds)
{
    static struct peer peers[CONNECTIONS_MAX];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < count; i++) {
        peers[i].fd = dial(path);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &peers[i]};
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, peers[i].fd, &event);
        ask(&peers[i]);
    }
    uint64_t answers = 0;
    double end = now_s() + seconds;
    while (now_s() < end) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, 1000);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = events[i].data.ptr;
            if (take(peer)) {
                answers++;
                peer->got = 0;
                ask(peer);
            }
        }
    }
    (void)close(epoll);
    return answers;
}

static void send_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            perror("send");
            exit(EXIT_FAILURE);
        }
        at += sent;
        len -= (size_t)sent;
    }
}

static uint64_t run_batches(const char *path, double seconds)
{
    uint64_t *hashes = malloc(BATCH_HASHES * 32);
    char *reply = malloc(REPLY_BYTES);
    if (hashes == NULL || reply == NULL) {
        exit(EXIT_FAILURE);
    }
    int fd = dial(path);
    uint64_t answers = 0;
    double end = now_s() + seconds;
    while (now_s() < end) {
        for (size_t i = 0; i < BATCH_HASHES * 4; i++) {
            hashes[i] = next_random();
        }
        char head[256];
        int len = snprintf(head, sizeof head,
                           "POST /v1/match/batch HTTP/1.1\r\nHost: l\r\nContent-Length: %zu\r\n"
                           "Content-Type: application/octet-stream\r\n"
                           "Accept: application/octet-stream\r\n\r\n",
                           BATCH_HASHES * 32);
        send_all(fd, head, (size_t)len);
        send_all(fd, hashes, BATCH_HASHES * 32);
        size_t got = 0;
        size_t wanted = BATCH_HASHES * 16;
        while (got < wanted) {
            ssize_t more = recv(fd, reply + got, REPLY_BYTES - got, 0);
            if (more <= 0) {
                exit(EXIT_FAILURE);
            }
            const char *body = got == 0 ? memmem(reply, (size_t)more, "\r\n\r\n", 4) : NULL;
            got += (size_t)more;
            wanted += body == NULL ? 0 : (size_t)(body + 4 - reply);
        }
        answers += BATCH_HASHES;
    }
    (void)close(fd);
    free(hashes);
    free(reply);
    return answers;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        (void)fprintf(stderr, "usage: bench_socket SOCKET PID CONNECTIONS SECONDS [batch]\n");
        return EXIT_FAILURE;
    }
    long pid = strtol(argv[2], NULL, 10);
    size_t count = strtoul(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    if (count == 0 || count > CONNECTIONS_MAX || seconds <= 0 || seconds > 60) {
        (void)fprintf(stderr, "1 to %d connections, up to 60 seconds\n", CONNECTIONS_MAX);
        return EXIT_FAILURE;
    }
    double cpu = server_cpu_s(pid);
    double start = now_s();
    uint64_t answers =
        argc > 5 ? run_batches(argv[1], seconds) : run_queries(argv[1], count, seconds);
    double took = now_s() - start;
    cpu = server_cpu_s(pid) - cpu;
    (void)printf("%llu answers, %.0f/s, %.2f us of server CPU each\n", (unsigned long long)answers,
                 (double)answers / took, cpu * 1e6 / (double)answers);
    return EXIT_SUCCESS;
}
