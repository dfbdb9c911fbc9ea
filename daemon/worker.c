/* worker.c - imprint-worker: decodes and hashes pictures it must expect to be taken over by.
 *
 * Started by the pool with its job socket as descriptor 3, no environment and one argument,
 * "--cage=required:SECONDS" or "--cage=optional:SECONDS" of processor time for its whole life. It
 * steps into its cage, says so, and then takes a picture, answers with hashes and quality, wipes,
 * and takes the next, until the pool hangs up.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "imprint/image.h"
#include "imprint/pdq.h"

#include "arena.h"
#include "sandbox.h"
#include "wire.h"

#define JOB_FD 3

/* Decoding goes deeper into the stack than anything else here; twice what was measured. */
#define STACK_BYTES ((size_t)128 << 10)

/* After so long without work a worker gives memory back that it kept for the next picture. */
#define IDLE_SECONDS 2

#define EXIT_USAGE 64
#define EXIT_WIRE  65

#ifdef IMPRINT_SANITIZED
const char *__asan_default_options(void);
/* Looking for leaks at exit needs system calls and descriptors that the cage took away. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#else
/* The C library's abort sends a signal, which the cage takes for an attack and reports as one.
 * Dying by an illegal instruction needs no system call. Also ends failed assertions. */
__attribute__((visibility("default"))) _Noreturn void abort(void)
{
    __builtin_trap();
}

_Noreturn void __assert_fail(const char *text, const char *file, unsigned line,
                             const char *function);
__attribute__((visibility("default"))) _Noreturn void
__assert_fail(const char *text, const char *file, unsigned line, const char *function)
{
    (void)text;
    (void)file;
    (void)line;
    (void)function;
    abort();
}
#endif

/* False at the end of the stream: the pool wants no more of this worker. */
static bool read_fully(void *out_bytes, size_t len)
{
    uint8_t *at = out_bytes;
    while (len > 0) {
        const ssize_t got = read(JOB_FD, at, len);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        } else if (got < 0 && errno == EAGAIN) {
            arena_shrink(); /* no work for IDLE_SECONDS */
        } else if (got == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool write_fully(const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        const ssize_t put = write(JOB_FD, bytes, len);
        if (put > 0) {
            bytes += put;
            len -= (size_t)put;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static enum imprint_error hash_image(const struct imprint_image *image, struct wire_answer *answer)
{
    answer->info = *imprint_image_info(image);
    struct imprint_pdq upright;
    enum imprint_error error = imprint_pdq(image, &upright);
    if (error != IMPRINT_OK) {
        return error;
    }
    answer->quality = upright.quality;
    return imprint_pdq_views(image, answer->views, IMPRINT_VIEWS_MAX, &answer->view_count);
}

static void hash_bytes(const struct wire_job *job, const uint8_t *bytes,
                       struct wire_answer *out_answer)
{
    struct imprint_image_options options = {
        .limits = job->limits, .policy = job->policy, .views = job->views};
    const size_t room = arena_room();
    if (options.limits.memory_max == 0 || options.limits.memory_max > room) {
        options.limits.memory_max = room;
    }
    struct imprint_image *image = NULL;
    enum imprint_error error = imprint_image_open(bytes, (size_t)job->len, &options, &image);
    if (error == IMPRINT_OK) {
        error = hash_image(image, out_answer);
        imprint_image_free(image);
    }
    /* All memory is this picture's: when it does not suffice, that is the picture's doing. */
    out_answer->error = error == IMPRINT_E_NOMEM ? IMPRINT_E_IMAGE_TOO_COMPLEX : error;
}

/* One picture from the socket, and the answer to it. Everything it leaves in the arena and on the
 * stack is the caller's to wipe. False: the pool hung up. */
__attribute__((noinline)) static bool take_job(uint8_t out_message[WIRE_ANSWER_BYTES])
{
    uint8_t head[WIRE_JOB_BYTES];
    struct wire_job job;
    if (!read_fully(head, sizeof head)) {
        return false;
    }
    if (!wire_job_decode(head, &job)) {
        _exit(EXIT_WIRE);
    }
    uint8_t *bytes = malloc((size_t)job.len);
    if (bytes == NULL) {
        _exit(EXIT_WIRE);
    }
    const bool is_whole = read_fully(bytes, (size_t)job.len);
    if (is_whole) {
        struct wire_answer answer = {.error = IMPRINT_E_INTERNAL};
        hash_bytes(&job, bytes, &answer);
        wire_answer_encode(&answer, &job, out_message);
    }
    free(bytes);
    return is_whole;
}

/* The frames of the calls that are over lie below this one's. */
__attribute__((noinline)) static void wipe_stack(void)
{
#ifndef IMPRINT_TEST_UNWIPED
    uint8_t frames[STACK_BYTES];
    explicit_bzero(frames, sizeof frames);
#endif
}

/* "--cage=required:30" */
static bool parse_cage(const char *argument, bool *out_is_required, unsigned *out_cpu_seconds)
{
    static const char required[] = "--cage=required:";
    static const char optional[] = "--cage=optional:";
    _Static_assert(sizeof required == sizeof optional, "one length serves both");
    const size_t len = sizeof required - 1;
    const bool is_required = strncmp(argument, required, len) == 0;
    if (!is_required && strncmp(argument, optional, len) != 0) {
        return false;
    }
    char *end;
    errno = 0;
    const unsigned long seconds = strtoul(argument + len, &end, 10);
    if (errno != 0 || end == argument + len || *end != '\0' || seconds == 0 || seconds > 86400) {
        return false;
    }
    *out_is_required = is_required;
    *out_cpu_seconds = (unsigned)seconds;
    return true;
}

/* What a first picture would have libraries set up (processor features, tables) is set up here,
 * where system calls are still allowed and before the arena is sealed. */
static void touch_decoders(void)
{
    static const uint8_t starts[][12] = {
        {0xff, 0xd8, 0xff, 0xe0},
        {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a},
        {'R', 'I', 'F', 'F', 4, 0, 0, 0, 'W', 'E', 'B', 'P'},
        {'G', 'I', 'F', '8', '9', 'a', 1, 0, 1, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct imprint_image *image = NULL;
        if (imprint_image_open(starts[i], sizeof starts[i], NULL, &image) == IMPRINT_OK) {
            imprint_image_free(image);
        }
    }
}

int main(int argc, char **argv)
{
    bool is_required;
    unsigned cpu_seconds;
    if (argc != 2 || !parse_cage(argv[1], &is_required, &cpu_seconds)) {
        return EXIT_USAGE;
    }
    /* When a whole control group or terminal is told to end, the pool decides what is finished. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    const struct timeval idle = {.tv_sec = IDLE_SECONDS};
    if (!arena_open() || setsockopt(JOB_FD, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle) != 0) {
        return EXIT_USAGE;
    }
    touch_decoders();
    arena_seal();

    struct wire_ready ready = {sandbox_enter(JOB_FD, cpu_seconds)};
    const unsigned missing = SANDBOX_REQUIRED & ~ready.walls;
    if (missing != 0 && is_required) {
        _exit((int)(WIRE_EXIT_NO_CAGE | missing));
    }
    uint8_t message[WIRE_ANSWER_BYTES];
    wire_ready_encode(&ready, message);
    bool is_wanted = write_fully(message, WIRE_READY_BYTES);
    while (is_wanted && take_job(message)) {
        /* Before the answer, so that a picture that was answered is gone. */
        wipe_stack();
        arena_wipe();
        is_wanted = write_fully(message, WIRE_ANSWER_BYTES);
    }
    _exit(EXIT_SUCCESS);
}
