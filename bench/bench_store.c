/* The list at size: import while queries go on, single adds from several callers, start,
 * compaction, backup. Usage: bench_store [ENTRIES [DIRECTORY]]; one million entries below $TMPDIR
 * otherwise.
 *
 * Wall times are of this machine's disk and neighbours; CPU times and counts are the steadier
 * figures.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "catalog.h"
#include "log.h"

#define CHUNK       10000
#define LATENCY_MAX 2000000
/* Above this the import is sorted by hash: in random order each commit rewrites the whole tree. */
#define SORTED_FROM 2000000

static const struct catalog_actor admin = {.uid = 0, .reason = "benchmark"};

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static struct imprint_hash random_hash(uint64_t *state)
{
    struct imprint_hash hash;
    for (size_t i = 0; i < sizeof hash.bytes; i += 8) {
        uint64_t word = next_random(state);
        memcpy(hash.bytes + i, &word, sizeof word);
    }
    return hash;
}

/* Hashes in ascending order, as a sorted import brings them. */
static void hash_place(struct imprint_hash *hash, uint64_t place)
{
    for (size_t i = 0; i < 8; i++) {
        hash->bytes[i] = (uint8_t)(place >> (56 - 8 * i));
    }
}

static double wall(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static double cpu(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void check(enum imprint_error error, const char *what)
{
    if (error != IMPRINT_OK) {
        fprintf(stderr, "%s: %s\n", what, imprint_error_text(error));
        exit(1);
    }
}

static void print_machine(void)
{
    char line[256];
    struct utsname system;
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "model name", 10) == 0) {
            printf("machine: %s", strchr(line, ':') + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    uname(&system);
    printf("         %ld cores, %s %s\n", sysconf(_SC_NPROCESSORS_ONLN), system.sysname,
           system.release);
}

static struct catalog *open_catalog(const char *dir)
{
    const struct catalog_options options = {.data_dir = dir};
    struct catalog *catalog;
    check(catalog_open(&options, &catalog), "open");
    check(catalog_wait_ready(catalog), "load");
    return catalog;
}

/* --- Import while queries go on ------------------------------------------------------------------
 */

struct querier {
    struct catalog *catalog;
    atomic_bool is_over;
    float *latencies; /* microseconds */
    size_t count;
    pthread_t thread;
};

static void *query_thread(void *ctx)
{
    struct querier *querier = ctx;
    uint64_t seed = 99;
    const struct timespec pause = {0, 500000};
    while (!atomic_load(&querier->is_over) && querier->count < LATENCY_MAX) {
        const struct imprint_view view = {.hash = random_hash(&seed)};
        struct catalog_matches matches = {0};
        double start = wall();
        check(catalog_match(querier->catalog, &view, 1, NULL, &matches), "match");
        querier->latencies[querier->count++] = (float)((wall() - start) * 1e6);
        catalog_matches_done(&matches);
        nanosleep(&pause, NULL); /* a platform's steady traffic, not a race for the core */
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void print_latencies(struct querier *querier)
{
    if (querier->count == 0) {
        return;
    }
    qsort(querier->latencies, querier->count, sizeof *querier->latencies, by_value);
    printf(
        "         queries meanwhile: %zu, p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.0f us\n",
        querier->count, (double)querier->latencies[querier->count / 2],
        (double)querier->latencies[querier->count * 99 / 100],
        (double)querier->latencies[querier->count * 999 / 1000],
        (double)querier->latencies[querier->count - 1]);
}

static void import(struct catalog *catalog, size_t entries)
{
    struct record_entry *specs = calloc(CHUNK, sizeof *specs);
    struct querier querier = {.catalog = catalog,
                              .latencies = calloc(LATENCY_MAX, sizeof *querier.latencies)};
    if (specs == NULL || querier.latencies == NULL ||
        pthread_create(&querier.thread, NULL, query_thread, &querier) != 0) {
        check(IMPRINT_E_NOMEM, "import");
    }
    uint64_t seed = 1;
    bool is_sorted = entries > SORTED_FROM;
    double start = wall();
    double start_cpu = cpu(RUSAGE_SELF);
    for (size_t done = 0; done < entries; done += CHUNK) {
        size_t count = entries - done < CHUNK ? entries - done : CHUNK;
        for (size_t i = 0; i < count; i++) {
            specs[i].hash = random_hash(&seed);
            if (is_sorted) {
                hash_place(&specs[i].hash, (done + i) * (UINT64_MAX / entries));
            }
            specs[i].quality = 90;
        }
        check(catalog_entries_add(catalog, &admin, "bench", specs, count, NULL, NULL), "add");
    }
    double took = wall() - start;
    double took_cpu = cpu(RUSAGE_SELF) - start_cpu;
    atomic_store(&querier.is_over, true);
    pthread_join(querier.thread, NULL);
    printf("import:  %zu entries in chunks of %d: %.1f s, %.0f durable adds/s; CPU %.1f s\n",
           entries, CHUNK, took, (double)entries / took, took_cpu);
    print_latencies(&querier);
    free(querier.latencies);
    free(specs);
}

/* --- Single adds ---------------------------------------------------------------------------------
 */

#define SINGLE_SECONDS 2.0

struct adder {
    struct catalog *catalog;
    uint64_t seed;
    size_t count;
    pthread_t thread;
};

static void *add_thread(void *ctx)
{
    struct adder *adder = ctx;
    double end = wall() + SINGLE_SECONDS;
    while (wall() < end) {
        struct record_entry spec = {.hash = random_hash(&adder->seed), .quality = 90};
        check(catalog_entries_add(adder->catalog, &admin, "bench", &spec, 1, NULL, NULL), "add");
        adder->count++;
    }
    return NULL;
}

static void single_adds(struct catalog *catalog, unsigned threads)
{
    struct adder adders[64] = {0};
    struct catalog_stats before;
    struct catalog_stats after;
    catalog_stats(catalog, &before);
    for (unsigned i = 0; i < threads; i++) {
        adders[i] = (struct adder){.catalog = catalog, .seed = (uint64_t)threads * 1000 + i};
        if (pthread_create(&adders[i].thread, NULL, add_thread, &adders[i]) != 0) {
            check(IMPRINT_E_NOMEM, "thread");
        }
    }
    size_t count = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(adders[i].thread, NULL);
        count += adders[i].count;
    }
    catalog_stats(catalog, &after);
    printf("singles: %2u callers: %.0f durable adds/s, %.1f of them a commit\n", threads,
           (double)count / SINGLE_SECONDS,
           (double)count / (double)(after.commits - before.commits));
}

/* --- Start, compaction, backup -------------------------------------------------------------------
 */

static void forget_file(const char *dir)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/list.mdb", dir);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) {
        fprintf(stderr, "%s stays in the page cache\n", path);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static struct catalog *restart(struct catalog *catalog, const char *dir, bool is_cold)
{
    catalog_close(catalog);
    if (is_cold) {
        forget_file(dir);
    }
    double start = wall();
    double self = cpu(RUSAGE_SELF);
    double children = cpu(RUSAGE_CHILDREN);
    catalog = open_catalog(dir);
    double took = wall() - start;
    self = cpu(RUSAGE_SELF) - self;
    children = cpu(RUSAGE_CHILDREN) - children;
    struct catalog_stats stats;
    catalog_stats(catalog, &stats);
    printf("start:   %s, %" PRIu64 " entries: ready after %.2f s; CPU verifying %.2f s, building "
           "beside it %.2f s; index %.0f MB\n",
           is_cold ? "cold" : "warm", stats.matchable, took, children, self,
           (double)stats.index_bytes / 1e6);
    return catalog;
}

static void compact(struct catalog *catalog)
{
    struct catalog_stats before;
    struct catalog_stats after;
    catalog_stats(catalog, &before);
    double start = wall();
    double start_cpu = cpu(RUSAGE_SELF);
    check(catalog_compact(catalog, &admin), "compact");
    catalog_stats(catalog, &after);
    printf("compact: %.0f MB to %.0f MB in %.2f s; CPU %.2f s\n", (double)before.used_bytes / 1e6,
           (double)after.used_bytes / 1e6, wall() - start, cpu(RUSAGE_SELF) - start_cpu);
}

static void backup(struct catalog *catalog, const char *dir)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/backup.mdb", dir);
    double start = wall();
    check(catalog_backup(catalog, path), "backup");
    printf("backup:  written and verified in %.2f s\n", wall() - start);
    unlink(path);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

int main(int argc, char **argv)
{
    size_t entries = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    const char *base = argc > 2 ? argv[2] : getenv("TMPDIR");
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/imprint-bench-XXXXXX", base != NULL ? base : "/tmp");
    if (entries == 0 || mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: bench_store [ENTRIES [DIRECTORY]]\n");
        return 2;
    }
    log_set_level(LOG_LEVEL_ERROR);
    setvbuf(stdout, NULL, _IOLBF, 0);
    print_machine();
    struct catalog *catalog = open_catalog(dir);
    struct record_list list = catalog_list_default();
    memcpy(list.name, "bench", sizeof "bench");
    check(catalog_list_create(catalog, &admin, &list, &list), "list");
    import(catalog, entries);
    catalog = restart(catalog, dir, true);
    catalog = restart(catalog, dir, false);
    static const unsigned callers[] = {1, 4, 16};
    for (size_t i = 0; i < sizeof callers / sizeof callers[0]; i++) {
        single_adds(catalog, callers[i]);
    }
    backup(catalog, dir);
    compact(catalog);
    catalog = restart(catalog, dir, true);
    catalog_close(catalog);
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}
