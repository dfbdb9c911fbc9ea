/* Search time, memory, build, merge and pauses of the index, beside FAISS where it was built in;
 * every answer compared with a linear scan. Prints one figure a line, separated by tabs: section
 * entries engine threshold hashes metric value Usage: bench_index [ENTRIES...]   (1000 100000
 * 1000000 10000000) */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench_data.h"
#include "index.h"
#include "index_private.h"
#ifdef BENCH_WITH_FAISS
#include "bench_faiss.h"
#endif

enum {
    SEED = 20,
    VIEWS = 8,
    QUERIES_MAX = 20000,
    CHECKED_MAX = 100, /* queries compared with a linear scan */
    FAISS_HITS_MAX = 65536,
    STORM_CHANGES_A_SECOND = 1000,
    STORM_SECONDS = 5,
    STORM_LAG = 50,
};

static const uint8_t thresholds[] = {15, 31, 47, 63};
#define THRESHOLDS (sizeof thresholds / sizeof *thresholds)

/* A list, its queries, and for each of these what a linear scan found within the widest threshold.
 */
struct found {
    uint64_t entry;
    unsigned distance;
};

struct bench {
    size_t count;
    struct imprint_hash *hashes;
    struct imprint_hash queries[QUERIES_MAX];
    struct found *truth[CHECKED_MAX];
    size_t truth_count[CHECKED_MAX];
    struct index *index;
};

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *must(void *memory)
{
    if (memory == NULL) {
        (void)fprintf(stderr, "bench_index: out of memory\n");
        exit(2);
    }
    return memory;
}

static void must_ok(enum imprint_error error)
{
    if (error != IMPRINT_OK) {
        (void)fprintf(stderr, "bench_index: %s\n", imprint_error_text(error));
        exit(2);
    }
}

static void print(const char *section, size_t entries, const char *engine, unsigned threshold,
                  unsigned hashes, const char *metric, double value)
{
    printf("%s\t%zu\t%s\t%u\t%u\t%s\t%.6g\n", section, entries, engine, threshold, hashes, metric,
           value);
    (void)fflush(stdout);
}

static double resident_bytes(void)
{
    long pages = 0;
    FILE *statm = must(fopen("/proc/self/statm", "r"));
    if (fscanf(statm, "%*d %ld", &pages) != 1) {
        pages = 0;
    }
    (void)fclose(statm);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double *sorted, size_t count, double part)
{
    size_t place = (size_t)((double)count * part);
    return sorted[place < count ? place : count - 1];
}

/* --- Data ------------------------------------------------------------------------------------ */

struct part {
    struct imprint_hash *hashes;
    size_t begin;
    size_t end;
};

static void *fill_part(void *argument)
{
    struct part *part = argument;
    for (size_t i = part->begin; i < part->end; i++) {
        bench_list_hash(SEED, i, &part->hashes[i]);
    }
    return NULL;
}

static void make_hashes(struct imprint_hash *hashes, size_t count)
{
    bench_list_hash(SEED, 0, &hashes[0]); /* fills the generator's table before there are threads */
    struct part parts[2] = {{hashes, 0, count / 2}, {hashes, count / 2, count}};
    pthread_t thread;
    if (pthread_create(&thread, NULL, fill_part, &parts[0]) != 0) {
        exit(2);
    }
    fill_part(&parts[1]);
    pthread_join(thread, NULL);
}

static void find_truth(struct bench *bench, size_t query)
{
    size_t capacity = 0;
    size_t count = 0;
    struct found *found = NULL;
    for (size_t i = 0; i < bench->count; i++) {
        unsigned distance = imprint_hash_distance(&bench->hashes[i], &bench->queries[query]);
        if (distance > INDEX_THRESHOLD_MAX) {
            continue;
        }
        if (count == capacity) {
            capacity = capacity == 0 ? 16 : 2 * capacity;
            found = must(reallocarray(found, capacity, sizeof *found));
        }
        found[count++] = (struct found){i, distance};
    }
    bench->truth[query] = found;
    bench->truth_count[query] = count;
}

/* How far two hashes are apart, and how many chunks of 16 bits are within one bit: what decides
 * about the cost of a search. */
static void print_shape(const struct bench *bench)
{
    enum { PAIRS = 1000000 };
    double sum = 0;
    double squares = 0;
    size_t near = 0;
    uint64_t state = 5;
    for (size_t i = 0; i < PAIRS; i++) {
        const struct imprint_hash *a = &bench->hashes[bench_random(&state) % bench->count];
        const struct imprint_hash *b = &bench->queries[1 + 2 * (i % (QUERIES_MAX / 2))];
        unsigned distance = imprint_hash_distance(a, b);
        sum += distance;
        squares += (double)distance * distance;
        for (size_t byte = 0; byte < IMPRINT_HASH_BYTES; byte += 2) {
            unsigned x = (unsigned)(a->bytes[byte] ^ b->bytes[byte]);
            unsigned y = (unsigned)(a->bytes[byte + 1] ^ b->bytes[byte + 1]);
            near += __builtin_popcount(x) + __builtin_popcount(y) <= 1;
        }
    }
    double mean = sum / PAIRS;
    print("shape", bench->count, "data", 0, 0, "mean_bits", mean);
    print("shape", bench->count, "data", 0, 0, "variance_bits", squares / PAIRS - mean * mean);
    print("shape", bench->count, "data", 0, 0, "near_chunks_percent", 100.0 * (double)near / PAIRS);
}

static void make_data(struct bench *bench, size_t count)
{
    memset(bench, 0, sizeof *bench);
    bench->count = count;
    bench->hashes = must(calloc(count, sizeof *bench->hashes));
    make_hashes(bench->hashes, count);
    for (uint64_t i = 0; i < QUERIES_MAX; i++) {
        bench_query_hash(SEED, i, count, &bench->queries[i]);
    }
    for (size_t i = 0; i < CHECKED_MAX; i++) {
        find_truth(bench, i);
    }
    print_shape(bench);
}

static void bench_done(struct bench *bench)
{
    index_free(bench->index);
    for (size_t i = 0; i < CHECKED_MAX; i++) {
        free(bench->truth[i]);
    }
    free(bench->hashes);
}

/* --- Answers --------------------------------------------------------------------------------- */

struct tally {
    size_t expected;
    size_t right;
    size_t wrong;
};

static void tally_add(const struct bench *bench, size_t query, unsigned threshold,
                      const uint64_t *entries, size_t count, struct tally *tally)
{
    for (size_t i = 0; i < bench->truth_count[query]; i++) {
        tally->expected += bench->truth[query][i].distance <= threshold;
    }
    for (size_t i = 0; i < count; i++) {
        const struct imprint_hash *hash = &bench->hashes[entries[i]];
        bool is_right = imprint_hash_distance(hash, &bench->queries[query]) <= threshold;
        tally->right += is_right;
        tally->wrong += !is_right;
    }
}

static void tally_print(const struct bench *bench, const char *engine, unsigned threshold,
                        const struct tally *tally)
{
    double recall = tally->expected == 0 ? 1 : (double)tally->right / (double)tally->expected;
    print("recall", bench->count, engine, threshold, 1, "recall", recall);
    print("recall", bench->count, engine, threshold, 1, "wrong", (double)tally->wrong);
    print("recall", bench->count, engine, threshold, 1, "expected", (double)tally->expected);
}

/* --- The index ------------------------------------------------------------------------------- */

static void build_index(struct bench *bench)
{
    struct index_item *items = must(calloc(bench->count, sizeof *items));
    for (size_t i = 0; i < bench->count; i++) {
        items[i] = (struct index_item){.entry = i, .hash = bench->hashes[i]};
    }
    must_ok(index_new(&bench->index));
    double before = resident_bytes();
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    must_ok(index_load(bench->index, items, bench->count));
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    double bytes = resident_bytes() - before;
    free(items);
    print("build", bench->count, "imprint", 0, 0, "cpu_s", cpu);
    print("build", bench->count, "imprint", 0, 0, "resident_bytes_an_entry",
          bytes / (double)bench->count);
    print("build", bench->count, "imprint", 0, 0, "counted_bytes_an_entry",
          (double)index_memory(bench->index) / (double)bench->count);
}

static void search_index(const struct bench *bench, size_t query, unsigned threshold,
                         size_t hash_count, struct index_hits *hits)
{
    uint8_t limit = (uint8_t)threshold;
    struct index_query request = {.hashes = &bench->queries[query],
                                  .hash_count = hash_count,
                                  .thresholds = &limit,
                                  .list_count = 1};
    hits->count = 0;
    must_ok(index_search(bench->index, &request, hits));
}

static void check_index(const struct bench *bench, const char *engine, unsigned threshold)
{
    struct tally tally = {0};
    struct index_hits hits = {0};
    for (size_t query = 0; query < CHECKED_MAX; query++) {
        search_index(bench, query, threshold, 1, &hits);
        uint64_t *entries = must(calloc(hits.count + 1, sizeof *entries));
        for (size_t i = 0; i < hits.count; i++) {
            entries[i] = hits.items[i].entry;
        }
        tally_add(bench, query, threshold, entries, hits.count, &tally);
        free(entries);
    }
    index_hits_done(&hits);
    tally_print(bench, engine, threshold, &tally);
}

static void time_index(const struct bench *bench, const char *engine, unsigned threshold,
                       unsigned hash_count)
{
    static double times[QUERIES_MAX];
    struct index_hits hits = {0};
    size_t most = QUERIES_MAX / VIEWS * VIEWS / hash_count;
    size_t count = 0;
    double last = seconds(CLOCK_MONOTONIC);
    double end = last + 0.3;
    for (size_t query = most; last < end; last = seconds(CLOCK_MONOTONIC)) {
        query = query == 0 ? most - 1 : query - 1;
        search_index(bench, query * hash_count, threshold, hash_count, &hits);
    }
    double start_cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    last = seconds(CLOCK_MONOTONIC);
    end = last + 1;
    for (; count < most && (count < 100 || last < end); count++) {
        search_index(bench, count * hash_count, threshold, hash_count, &hits);
        double now = seconds(CLOCK_MONOTONIC);
        times[count] = now - last;
        last = now;
    }
    double cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - start_cpu;
    index_hits_done(&hits);
    qsort(times, count, sizeof *times, compare_doubles);
    print("search", bench->count, engine, threshold, hash_count, "cpu_us",
          1e6 * cpu / (double)count);
    print("search", bench->count, engine, threshold, hash_count, "p50_us",
          1e6 * percentile(times, count, 0.5));
    print("search", bench->count, engine, threshold, hash_count, "p99_us",
          1e6 * percentile(times, count, 0.99));
}

static void bench_searches(const struct bench *bench)
{
    for (size_t rank = 0; index_kernels_at(rank) != NULL; rank++) {
        const struct index_kernels *kernels = index_kernels_at(rank);
        index_use_kernels(bench->index, kernels);
        for (size_t i = 0; i < THRESHOLDS; i++) {
            check_index(bench, kernels->name, thresholds[i]);
            time_index(bench, kernels->name, thresholds[i], 1);
            time_index(bench, kernels->name, thresholds[i], VIEWS);
        }
    }
    index_use_kernels(bench->index, index_kernels_at(0));
}

/* --- Merging and changing beside searches ------------------------------------------------------
 */

struct storm {
    const struct bench *bench;
    atomic_bool is_over;
    atomic_bool is_merging; /* merges run one after another */
    atomic_ulong merges;
    atomic_ulong changes;
    double peak_resident;
    size_t peak_counted;
};

static struct index_item storm_item(uint64_t i)
{
    struct index_item item = {.entry = (uint64_t)1 << 40 | i};
    bench_list_hash(SEED + 7, i, &item.hash);
    return item;
}

/* Adds one, removes the one added fifty steps earlier. */
static void *storm_writer(void *argument)
{
    struct storm *storm = argument;
    struct index *index = storm->bench->index;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (uint64_t i = 0; !atomic_load(&storm->is_over); i++) {
        struct index_item item = storm_item(i);
        must_ok(index_reserve(index, 1));
        index_add(index, &item);
        if (i >= STORM_LAG) {
            item = storm_item(i - STORM_LAG);
            must_ok(index_remove(index, item.entry, &item.hash) ? IMPRINT_OK : IMPRINT_E_INTERNAL);
        }
        atomic_fetch_add(&storm->changes, i >= STORM_LAG ? 2 : 1);
        double resident = resident_bytes();
        size_t counted = index_memory(index);
        storm->peak_resident = resident > storm->peak_resident ? resident : storm->peak_resident;
        storm->peak_counted = counted > storm->peak_counted ? counted : storm->peak_counted;
        next.tv_nsec += 2 * (1000000000 / STORM_CHANGES_A_SECOND);
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    return NULL;
}

static void *storm_merger(void *argument)
{
    struct storm *storm = argument;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
    while (!atomic_load(&storm->is_over)) {
        double start = seconds(CLOCK_MONOTONIC);
        double start_cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
        must_ok(index_merge(storm->bench->index));
        if (atomic_fetch_add(&storm->merges, 1) == 0) {
            print("merge", storm->bench->count, "imprint", 0, 0, "first_wall_s",
                  seconds(CLOCK_MONOTONIC) - start);
            print("merge", storm->bench->count, "imprint", 0, 0, "first_cpu_s",
                  seconds(CLOCK_THREAD_CPUTIME_ID) - start_cpu);
        }
    }
    return NULL;
}

static void print_times(const struct bench *bench, const char *state, const char *kind,
                        double *times, size_t count)
{
    static const struct {
        const char *name;
        double part;
    } parts[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
    qsort(times, count, sizeof *times, compare_doubles);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char metric[32];
        (void)snprintf(metric, sizeof metric, "%s_%s_us", parts[i].name, kind);
        print("pauses", bench->count, state, 31, 1, metric,
              1e6 * percentile(times, count, parts[i].part));
    }
}

/* Searches for so many seconds, one after another as a server under load does. Wall time holds what
 * the scheduler gives to others; processor time does not, but neither would it show a wait: so the
 * times the thread gave up its processor of its own accord are counted, too. */
static void time_reader(const struct bench *bench, const char *state, double *times,
                        size_t capacity)
{
    double *walls = times;
    double *cpus = times + capacity / 2;
    size_t count = 0;
    struct index_hits hits = {0};
    struct rusage before;
    struct rusage after;
    double end = seconds(CLOCK_MONOTONIC) + STORM_SECONDS;
    getrusage(RUSAGE_THREAD, &before);
    double now = 0;
    while (now < end && count < capacity / 2) {
        double start_cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
        double start = seconds(CLOCK_MONOTONIC);
        search_index(bench, count % QUERIES_MAX, 31, 1, &hits);
        now = seconds(CLOCK_MONOTONIC);
        walls[count] = now - start;
        cpus[count++] = seconds(CLOCK_THREAD_CPUTIME_ID) - start_cpu;
    }
    getrusage(RUSAGE_THREAD, &after);
    index_hits_done(&hits);
    print_times(bench, state, "wall", walls, count);
    print_times(bench, state, "cpu", cpus, count);
    print("pauses", bench->count, state, 31, 1, "searches", (double)count);
    print("pauses", bench->count, state, 31, 1, "waits",
          (double)(after.ru_nvcsw - before.ru_nvcsw));
}

static void bench_storm(struct bench *bench)
{
    enum { TIMES_MAX = 4000000 };
    double *times = must(malloc(TIMES_MAX * sizeof *times));
    memset(times, 1, TIMES_MAX * sizeof *times); /* so that it is resident from the start */
    time_reader(bench, "quiet", times, TIMES_MAX);
    struct storm storm = {.bench = bench};
    double steady = (double)index_memory(bench->index);
    double resident = resident_bytes();
    pthread_t writer;
    pthread_t merger;
    if (pthread_create(&writer, NULL, storm_writer, &storm) != 0 ||
        pthread_create(&merger, NULL, storm_merger, &storm) != 0) {
        exit(2);
    }
    time_reader(bench, "storm", times, TIMES_MAX);
    atomic_store(&storm.is_over, true);
    pthread_join(writer, NULL);
    pthread_join(merger, NULL);
    print("merge", bench->count, "imprint", 0, 0, "merges", (double)atomic_load(&storm.merges));
    print("merge", bench->count, "imprint", 0, 0, "changes", (double)atomic_load(&storm.changes));
    print("merge", bench->count, "imprint", 0, 0, "peak_counted_ratio",
          (double)storm.peak_counted / steady);
    print("merge", bench->count, "imprint", 0, 0, "peak_resident_ratio",
          1 + (storm.peak_resident - resident) / steady);
    free(times);
}

/* --- FAISS ----------------------------------------------------------------------------------- */

#ifdef BENCH_WITH_FAISS
static void time_faiss(const struct bench *bench, const char *engine, struct bench_faiss *faiss,
                       unsigned threshold)
{
    static double times[CHECKED_MAX];
    uint64_t *entries = must(calloc(FAISS_HITS_MAX, sizeof *entries));
    struct tally tally = {0};
    double cpu = 0;
    size_t count = 0;
    double limit = seconds(CLOCK_MONOTONIC) + 10;
    for (; count < CHECKED_MAX && (count < 3 || seconds(CLOCK_MONOTONIC) < limit); count++) {
        double start_cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
        double start = seconds(CLOCK_MONOTONIC);
        size_t found = bench_faiss_search(faiss, bench->queries[count].bytes, threshold, entries,
                                          FAISS_HITS_MAX);
        times[count] = seconds(CLOCK_MONOTONIC) - start;
        cpu += seconds(CLOCK_THREAD_CPUTIME_ID) - start_cpu;
        tally_add(bench, count, threshold, entries, found < FAISS_HITS_MAX ? found : FAISS_HITS_MAX,
                  &tally);
    }
    free(entries);
    qsort(times, count, sizeof *times, compare_doubles);
    print("search", bench->count, engine, threshold, 1, "cpu_us", 1e6 * cpu / (double)count);
    print("search", bench->count, engine, threshold, 1, "p50_us",
          1e6 * percentile(times, count, 0.5));
    print("search", bench->count, engine, threshold, 1, "p99_us",
          1e6 * percentile(times, count, 0.99));
    tally_print(bench, engine, threshold, &tally);
}

static void bench_faiss(const struct bench *bench, const char *engine, int is_multi_hash)
{
    double before = resident_bytes();
    double start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    struct bench_faiss *faiss =
        bench_faiss_new(is_multi_hash, bench->hashes[0].bytes, bench->count);
    print("build", bench->count, engine, 0, 0, "cpu_s", seconds(CLOCK_PROCESS_CPUTIME_ID) - start);
    print("build", bench->count, engine, 0, 0, "resident_bytes_an_entry",
          (resident_bytes() - before) / (double)bench->count);
    for (size_t i = 0; i < THRESHOLDS; i++) {
        time_faiss(bench, engine, faiss, thresholds[i]);
    }
    bench_faiss_free(faiss);
}
#endif

static void run(size_t count)
{
    static struct bench bench;
    make_data(&bench, count);
    build_index(&bench);
    bench_searches(&bench);
    if (count >= 100000) {
        bench_storm(&bench);
    }
#ifdef BENCH_WITH_FAISS
    bench_faiss(&bench, "faiss-multihash", 1);
    bench_faiss(&bench, "faiss-flat", 0);
#else
    (void)fprintf(stderr, "bench_index: FAISS was not there at build time, left out\n");
#endif
    bench_done(&bench);
}

int main(int argument_count, char **arguments)
{
    static const size_t sizes[] = {1000, 100000, 1000000, 10000000};
    for (int i = 1; i < argument_count; i++) {
        size_t count = strtoul(arguments[i], NULL, 10);
        if (count < 10 || count > 100000000) {
            (void)fprintf(stderr, "usage: bench_index [ENTRIES...], 10 to 100000000 each\n");
            return 2;
        }
        run(count);
    }
    for (size_t i = 0; argument_count < 2 && i < sizeof sizes / sizeof *sizes; i++) {
        run(sizes[i]);
    }
    return 0;
}
