/* A worker that does as its picture says, for tests of the pool: the picture is a word such as
 * "crash". It speaks the wire format from the pool's own code and stands in no cage. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox.h"
#include "wire.h"

#define JOB_FD 3

/* Twice the timeout of the pool's tests. */
#ifdef IMPRINT_SANITIZED
#define ANSWER_LATE_MS 600
#else
#define ANSWER_LATE_MS 200
#endif

static uint8_t message[WIRE_ANSWER_BYTES];

static void read_fully(void *out_bytes, size_t len)
{
    uint8_t *at = out_bytes;
    while (len > 0) {
        const ssize_t got = read(JOB_FD, at, len);
        if (got <= 0) {
            _exit(0);
        }
        at += got;
        len -= (size_t)got;
    }
}

static void write_fully(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        const ssize_t put = write(JOB_FD, at, len);
        if (put <= 0) {
            _exit(0);
        }
        at += put;
        len -= (size_t)put;
    }
}

static void hang(void)
{
    for (;;) {
        pause();
    }
}

static void crash(void)
{
    signal(SIGSEGV, SIG_DFL); /* sanitizers would explain it at length */
    raise(SIGSEGV);
}

static void violate(void)
{
    raise(SIGSYS);
}

static void leave(void)
{
    _exit(0);
}

static void hang_up_and_stay(void)
{
    close(JOB_FD);
    hang();
}

static void answer_half_and_hang(void)
{
    write_fully(message, WIRE_ANSWER_BYTES / 2);
    hang();
}

static void answer_half_and_leave(void)
{
    write_fully(message, WIRE_ANSWER_BYTES / 2);
    _exit(0);
}

static void answer_garbage(void)
{
    memset(message, 0xa5, sizeof message);
    write_fully(message, sizeof message);
}

static void answer_wrong_nonce(void)
{
    message[16] ^= 1;
    write_fully(message, sizeof message);
}

static void answer_out_of_range(void)
{
    message[38] = 101;
    write_fully(message, sizeof message);
}

static void answer_twice(void)
{
    write_fully(message, sizeof message);
    write_fully(message, sizeof message);
}

static void answer_and_die(void)
{
    write_fully(message, sizeof message);
    _exit(1);
}

/* Without using the processor. */
static void answer_late(void)
{
    (void)poll(NULL, 0, ANSWER_LATE_MS);
    write_fully(message, sizeof message);
}

/* The child keeps the socket open and outlives its parent, if it is let. */
static void fork_and_die(void)
{
    if (fork() == 0) {
        hang();
    }
    _exit(1);
}

static void spin(void)
{
    for (volatile unsigned i = 0;; i++) {
    }
}

static const struct {
    const char *word;
    void (*act)(void);
} acts[] = {
    {"crash", crash},
    {"violate", violate},
    {"leave", leave},
    {"hang", hang},
    {"spin", spin},
    {"hang up and stay", hang_up_and_stay},
    {"answer half and hang", answer_half_and_hang},
    {"answer half and leave", answer_half_and_leave},
    {"answer garbage", answer_garbage},
    {"answer with a wrong nonce", answer_wrong_nonce},
    {"answer out of range", answer_out_of_range},
    {"answer twice", answer_twice},
    {"answer and die", answer_and_die},
    {"answer late", answer_late},
    {"fork and die", fork_and_die},
};

static void prepare_answer(const struct wire_job *job, const char *word)
{
    struct wire_answer answer = {
        .error = strcmp(word, "malformed") == 0 ? IMPRINT_E_IMAGE_MALFORMED : IMPRINT_OK,
        .info = {.format = IMPRINT_FORMAT_PNG, .width = 8, .height = 8, .orientation = 1},
        .quality = 100,
        .view_count = 1};
    memset(answer.views[0].hash.bytes, word[0], IMPRINT_HASH_BYTES);
    wire_answer_encode(&answer, job, message);
}

static void serve_job(void)
{
    uint8_t head[WIRE_JOB_BYTES];
    struct wire_job job;
    char word[64] = "";
    read_fully(head, sizeof head);
    if (!wire_job_decode(head, &job)) {
        _exit(2);
    }
    read_fully(word, sizeof word < job.len ? sizeof word - 1 : (size_t)job.len);
    if (strcmp(word, "take no more") == 0) {
        hang();
    }
    prepare_answer(&job, word);
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(word, acts[i].word) == 0) {
            acts[i].act();
            return;
        }
    }
    write_fully(message, sizeof message);
}

int main(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    const struct wire_ready ready = {SANDBOX_ALL};
    wire_ready_encode(&ready, message);
    write_fully(message, WIRE_READY_BYTES);
    for (;;) {
        serve_job();
    }
}
