/* What the cage costs: the same pictures decoded and hashed in this process, by a caged worker
 * asked directly, and through the pool with its threads, in turn within one run. The differences
 * are taken pair by pair, so that a machine busy with other things blurs them least.
 *
 *   bench_pool WORKER [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "imprint/pdq.h"

#include "asking.h"
#include "child.h"
#include "log.h"
#include "pictures.h"

#define ROUNDS_MAX 20000

struct ways {
    struct pool *pool;
    struct child child;
    clockid_t pool_clock; /* of the pool's worker */
    clockid_t child_clock;
};

/* Microseconds, by the clock and of the processor. */
struct moment {
    double clock_us;
    double cpu_us;
};

static double read_us(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct moment now(clockid_t worker_clock)
{
    return (struct moment){read_us(CLOCK_MONOTONIC),
                           read_us(CLOCK_PROCESS_CPUTIME_ID) + read_us(worker_clock)};
}

static struct moment since(const struct moment *start, const struct moment *end)
{
    return (struct moment){end->clock_us - start->clock_us, end->cpu_us - start->cpu_us};
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_pool: %s\n", what);
    exit(1);
}

static void hash_here(const struct picture_file *file)
{
    struct imprint_image *image;
    struct imprint_pdq pdq;
    if (imprint_image_open(file->bytes, file->len, NULL, &image) != IMPRINT_OK ||
        imprint_pdq(image, &pdq) != IMPRINT_OK) {
        fail("the picture is not hashed here");
    }
    imprint_image_free(image);
}

static void hash_in_child(const struct child *child, const struct picture_file *file)
{
    static uint64_t nonce;
    const struct wire_job job = {.nonce = ++nonce, .len = file->len};
    struct wire_answer answer;
    if (child_ask(child, &job, file->bytes, 10000, &answer) != CHILD_FINE ||
        answer.error != IMPRINT_OK) {
        fail("the picture is not hashed by the worker");
    }
}

static void hash_in_pool(struct pool *pool, const struct picture_file *file)
{
    if (ask_pool(pool, file->bytes, file->len, 0).error != IMPRINT_OK) {
        fail("the picture is not hashed by the pool");
    }
}

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof values[0], compare);
    return values[count / 2];
}

/* The median of what the way costs over doing it here. */
static double over(const struct moment *way, const struct moment *here, size_t rounds, bool is_cpu)
{
    static double differences[ROUNDS_MAX];
    for (size_t i = 0; i < rounds; i++) {
        differences[i] = is_cpu ? way[i].cpu_us : way[i].clock_us;
        if (here != NULL) {
            differences[i] -= is_cpu ? here[i].cpu_us : here[i].clock_us;
        }
    }
    return median(differences, rounds);
}

static void measure(const struct ways *ways, const char *name, const struct picture_file *file,
                    size_t rounds)
{
    static struct moment here[ROUNDS_MAX];
    static struct moment child[ROUNDS_MAX];
    static struct moment pool[ROUNDS_MAX];
    for (size_t i = 0; i < rounds; i++) {
        const struct moment start = now(ways->child_clock);
        hash_here(file);
        const struct moment after_here = now(ways->child_clock);
        hash_in_child(&ways->child, file);
        const struct moment after_child = now(ways->child_clock);
        const struct moment before_pool = now(ways->pool_clock);
        hash_in_pool(ways->pool, file);
        const struct moment after_pool = now(ways->pool_clock);
        here[i] = since(&start, &after_here);
        child[i] = since(&after_here, &after_child);
        pool[i] = since(&before_pool, &after_pool);
    }
    printf(
        "%-15s %7zu B  clock: here %6.0f us, worker %+5.0f, pool %+5.0f  processor: here %6.0f us, "
        "worker %+5.0f, pool %+5.0f\n",
        name, file->len, over(here, NULL, rounds, false), over(child, here, rounds, false),
        over(pool, here, rounds, false), over(here, NULL, rounds, true),
        over(child, here, rounds, true), over(pool, here, rounds, true));
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fail("usage: bench_pool WORKER [ROUNDS]");
    }
    const size_t wanted = argc > 2 ? strtoul(argv[2], NULL, 10) : 500;
    const size_t rounds = wanted > 0 && wanted <= ROUNDS_MAX ? wanted : ROUNDS_MAX;
    log_set_level(LOG_LEVEL_ERROR);
    const struct child_options options = {.path = argv[1],
                                          .is_sandbox_required = true,
                                          .cpu_seconds = 3600,
                                          .start_timeout_ms = 10000};
    struct ways ways = {.pool = ask_open_pool(argv[1], 1, 1000000)};
    struct child_end end;
    if (ways.pool == NULL || clock_getcpuclockid(ask_worker_pid(), &ways.pool_clock) != 0 ||
        child_start(&options, &ways.child, &end) != IMPRINT_OK ||
        clock_getcpuclockid(ways.child.pid, &ways.child_clock) != 0) {
        fail("no worker");
    }
    static const uint32_t sizes[][2] = {{256, 256}, {512, 512}, {1920, 1080}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char name[32];
        struct picture picture = picture_make((uint32_t)i + 1, sizes[i][0], sizes[i][1]);
        struct picture_file file = picture_to_jpeg(&picture, NULL);
        snprintf(name, sizeof name, "jpeg %ux%u", sizes[i][0], sizes[i][1]);
        measure(&ways, name, &file, rounds);
        picture_file_done(&file);
        picture_done(&picture);
    }
    child_stop(&ways.child, true, &end);
    pool_close(ways.pool);
    return 0;
}
