/* The index against a plain list that is searched item by item: random histories of changes, merges
 * and searches, with readers beside them, and with every allocation failed in turn. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "index.h"
#include "index_private.h"
#include "index_support.h"

/* --- Allocations that fail on demand (the linker sends the index's calls here) -----------------
 */

static atomic_long allocations_left = -1; /* negative: no limit */

static bool allocation_fails(void)
{
    if (atomic_load(&allocations_left) < 0) {
        return false;
    }
    return atomic_fetch_sub(&allocations_left, 1) <= 0;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_reallocarray(old, count, size);
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return allocation_fails() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__real_mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
    return allocation_fails() ? MAP_FAILED
                              : __real_mmap(address, len, protection, flags, fd, offset);
}

/* --- The model ------------------------------------------------------------------------------- */

#define MODEL_LISTS 4

struct model {
    struct index_item *items;
    size_t count;
};

static size_t model_count_hits(const struct model *model, const struct index_query *query)
{
    size_t hits = 0;
    for (size_t h = 0; h < query->hash_count; h++) {
        for (size_t i = 0; i < model->count; i++) {
            const struct index_item *item = &model->items[i];
            if (item->list < query->list_count && query->thresholds[item->list] != INDEX_LIST_OFF &&
                slow_distance(&item->hash, &query->hashes[h]) <= query->thresholds[item->list]) {
                hits++;
            }
        }
    }
    return hits;
}

static const struct index_item *model_find(const struct model *model, uint64_t entry)
{
    for (size_t i = 0; i < model->count; i++) {
        if (model->items[i].entry == entry) {
            return &model->items[i];
        }
    }
    return NULL;
}

static int compare_hits(const void *a, const void *b)
{
    const struct index_hit *x = a;
    const struct index_hit *y = b;
    if (x->entry != y->entry) {
        return x->entry < y->entry ? -1 : 1;
    }
    return x->hash - y->hash;
}

/* As many hits as the model has, no two the same, each one right: so the sets are equal. */
static void assert_search_agrees(const struct index *index, const struct model *model,
                                 const struct index_query *query)
{
    struct index_hits hits = {0};
    assert_int_equal(index_search(index, query, &hits), IMPRINT_OK);
    assert_int_equal(hits.count, model_count_hits(model, query));
    if (hits.count > 0) {
        qsort(hits.items, hits.count, sizeof *hits.items, compare_hits);
    }
    for (size_t i = 0; i < hits.count; i++) {
        const struct index_hit *hit = &hits.items[i];
        assert_true(i == 0 || compare_hits(&hits.items[i - 1], hit) < 0);
        const struct index_item *item = model_find(model, hit->entry);
        if (item == NULL) {
            fail_msg("entry %llu is not in the model", (unsigned long long)hit->entry);
            return;
        }
        assert_int_equal(hit->list, item->list);
        assert_in_range(hit->hash, 0, query->hash_count - 1);
        assert_int_equal(hit->distance, slow_distance(&item->hash, &query->hashes[hit->hash]));
    }
    index_hits_done(&hits);
}

static void assert_random_search_agrees(uint64_t *state, const struct index *index,
                                        const struct model *model, unsigned centres)
{
    struct imprint_hash hashes[3];
    uint8_t thresholds[MODEL_LISTS];
    size_t hash_count = 1 + below(state, 3);
    for (size_t i = 0; i < hash_count; i++) {
        hashes[i] = near_hash(state, centres, 24);
    }
    for (size_t i = 0; i < MODEL_LISTS; i++) {
        thresholds[i] = (uint8_t)(below(state, 5) == 0 ? INDEX_LIST_OFF : below(state, 64));
    }
    struct index_query query = {.hashes = hashes,
                                .hash_count = hash_count,
                                .thresholds = thresholds,
                                .list_count = 1 + below(state, MODEL_LISTS)};
    assert_search_agrees(index, model, &query);
}

static struct index *new_index(void)
{
    struct index *index = NULL;
    assert_int_equal(index_new(&index), IMPRINT_OK);
    return index;
}

static void model_init(struct model *model, size_t capacity)
{
    model->items = calloc(capacity, sizeof *model->items);
    model->count = 0;
    assert_non_null(model->items);
}

static struct index_item random_item(uint64_t *state, uint64_t entry, unsigned centres)
{
    return (struct index_item){.entry = entry,
                               .list = (uint16_t)below(state, MODEL_LISTS),
                               .hash = near_hash(state, centres, 60)};
}

static void add_to_both(struct index *index, struct model *model, const struct index_item *item)
{
    assert_int_equal(index_reserve(index, 1), IMPRINT_OK);
    index_add(index, item);
    model->items[model->count++] = *item;
}

static void remove_from_both(struct index *index, struct model *model, size_t place)
{
    struct index_item item = model->items[place];
    assert_true(index_remove(index, item.entry, &item.hash));
    assert_false(index_remove(index, item.entry, &item.hash));
    model->items[place] = model->items[--model->count];
}

/* --- Histories ------------------------------------------------------------------------------- */

enum { HISTORY_CAPACITY = 4096 };

struct history {
    uint64_t state;
    uint64_t next_entry;
    struct index *index;
    struct model model;
    unsigned centres;
};

static void reload(struct history *history)
{
    struct model *model = &history->model;
    model->count = below(&history->state, HISTORY_CAPACITY / 2);
    for (size_t i = 0; i < model->count; i++) {
        model->items[i] = random_item(&history->state, history->next_entry++, history->centres);
    }
    assert_int_equal(index_load(history->index, model->items, model->count), IMPRINT_OK);
}

static void take_step(struct history *history)
{
    struct model *model = &history->model;
    size_t dice = below(&history->state, 1000);
    if (dice < 5) {
        reload(history);
    } else if (dice < 15) {
        assert_int_equal(index_merge(history->index), IMPRINT_OK);
    } else if (dice < 500 && model->count < HISTORY_CAPACITY) {
        struct index_item item =
            random_item(&history->state, history->next_entry++, history->centres);
        add_to_both(history->index, model, &item);
    } else if (dice < 850 && model->count > 0) {
        remove_from_both(history->index, model, below(&history->state, model->count));
    } else {
        assert_random_search_agrees(&history->state, history->index, model, history->centres);
    }
    assert_int_equal(index_count(history->index), model->count);
}

static void random_histories_agree_with_a_linear_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct history history = {.state = seed, .next_entry = 1, .centres = 1 + (unsigned)seed};
        history.index = new_index();
        model_init(&history.model, HISTORY_CAPACITY);
        const struct index_kernels *kernels = index_kernels_at(seed % 3);
        if (kernels != NULL) {
            index_use_kernels(history.index, kernels);
        }
        for (unsigned step = 0; step < 2000; step++) {
            take_step(&history);
        }
        index_free(history.index);
        free(history.model.items);
    }
}

/* --- Queries --------------------------------------------------------------------------------- */

static void each_list_has_its_own_threshold(void **state)
{
    (void)state;
    struct index *index = new_index();
    struct index_item items[3] = {
        {.entry = 10, .list = 0}, {.entry = 11, .list = 1}, {.entry = 12, .list = 2}};
    for (size_t i = 0; i < 3; i++) {
        items[i].hash.bytes[0] = 0xff; /* 8 bits from the query */
    }
    assert_int_equal(index_load(index, items, 3), IMPRINT_OK);
    const struct imprint_hash hash = {{0}};
    const uint8_t thresholds[3] = {7, 8, INDEX_LIST_OFF};
    struct index_query query = {&hash, 1, thresholds, 3};
    struct index_hits hits = {0};
    assert_int_equal(index_search(index, &query, &hits), IMPRINT_OK);
    assert_int_equal(hits.count, 1);
    assert_int_equal(hits.items[0].entry, 11);
    assert_int_equal(hits.items[0].distance, 8);
    /* A further search appends. */
    query.list_count = 1;
    const uint8_t eight = 8;
    query.thresholds = &eight;
    assert_int_equal(index_search(index, &query, &hits), IMPRINT_OK);
    assert_int_equal(hits.count, 2);
    assert_int_equal(hits.items[1].entry, 10);
    index_hits_done(&hits);
    index_free(index);
}

static void a_query_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct index *index = new_index();
    const struct imprint_hash hash = {{0}};
    uint8_t threshold = 64;
    struct index_query query = {&hash, 1, &threshold, 1};
    struct index_hits hits = {0};
    assert_int_equal(index_search(index, &query, &hits), IMPRINT_E_PARAMETER_INVALID);
    threshold = 63;
    assert_int_equal(index_search(index, &query, &hits), IMPRINT_OK);
    query.hash_count = 0;
    assert_int_equal(index_search(index, &query, &hits), IMPRINT_E_PARAMETER_INVALID);
    assert_int_equal(hits.count, 0);
    index_free(index);
    index_free(NULL);
    index_hits_done(NULL);
}

static void the_same_hash_in_several_entries_is_several_hits(void **state)
{
    (void)state;
    struct index *index = new_index();
    struct model model;
    model_init(&model, 2000);
    for (uint64_t i = 0; i < 2000; i++) {
        struct index_item item = {.entry = i, .list = (uint16_t)(i % MODEL_LISTS)};
        add_to_both(index, &model, &item);
    }
    const struct imprint_hash hash = {{0}};
    const uint8_t thresholds[MODEL_LISTS] = {0, 31, 63, INDEX_LIST_OFF};
    struct index_query query = {&hash, 1, thresholds, MODEL_LISTS};
    for (unsigned round = 0; round < 3; round++) {
        assert_search_agrees(index, &model, &query);
        remove_from_both(index, &model, 5 * round);
        assert_search_agrees(index, &model, &query);
        assert_int_equal(index_merge(index), IMPRINT_OK);
    }
    index_free(index);
    free(model.items);
}

/* --- Difficult lists ------------------------------------------------------------------------- */

enum { HARD_COUNT = 40000 };

/* Sanitizers make everything ten times slower; they look at the code, not at each threshold. */
#ifdef IMPRINT_SANITIZED
#define THRESHOLD_STEP 9
#else
#define THRESHOLD_STEP 1
#endif

static void give_list(struct index_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i].entry = i;
        items[i].list = (uint16_t)(i % MODEL_LISTS);
    }
}

/* As many hits as expected, each entry once and at its distance. */
static void assert_hits_right(const struct index_hits *hits, const uint16_t *distances,
                              size_t expected)
{
    static bool is_seen[HARD_COUNT];
    memset(is_seen, 0, sizeof is_seen);
    assert_int_equal(hits->count, expected);
    size_t faults = 0;
    for (size_t i = 0; i < hits->count; i++) {
        const struct index_hit *hit = &hits->items[i];
        faults += is_seen[hit->entry] || hit->distance != distances[hit->entry];
        is_seen[hit->entry] = true;
    }
    assert_int_equal(faults, 0);
}

/* One query at every threshold, with every set of instructions, against distances counted once. */
static void assert_all_thresholds_agree(struct index *index, const struct index_item *items,
                                        const struct imprint_hash *hash)
{
    static uint16_t distances[HARD_COUNT];
    size_t at_distance[IMPRINT_HASH_BITS + 1] = {0};
    for (size_t i = 0; i < HARD_COUNT; i++) {
        distances[i] = (uint16_t)slow_distance(&items[i].hash, hash);
        at_distance[distances[i]]++;
    }
    for (uint8_t threshold = 0; threshold <= INDEX_THRESHOLD_MAX; threshold += THRESHOLD_STEP) {
        size_t expected = 0;
        for (unsigned i = 0; i <= threshold; i++) {
            expected += at_distance[i];
        }
        const uint8_t thresholds[MODEL_LISTS] = {threshold, threshold, threshold, threshold};
        struct index_query query = {hash, 1, thresholds, MODEL_LISTS};
        for (size_t rank = 0; index_kernels_at(rank) != NULL; rank++) {
            index_use_kernels(index, index_kernels_at(rank));
            struct index_hits hits = {0};
            assert_int_equal(index_search(index, &query, &hits), IMPRINT_OK);
            assert_hits_right(&hits, distances, expected);
            index_hits_done(&hits);
        }
    }
}

typedef void (*fill_fn)(uint64_t *random, struct index_item *items, size_t count);

static void assert_list_is_searched_right(fill_fn fill)
{
    uint64_t random = 11;
    struct index_item *items = calloc(HARD_COUNT, sizeof *items);
    assert_non_null(items);
    fill(&random, items, HARD_COUNT);
    give_list(items, HARD_COUNT);
    struct index *index = new_index();
    assert_int_equal(index_load(index, items, HARD_COUNT), IMPRINT_OK);
    for (unsigned round = 0; round < 2; round++) {
        struct imprint_hash hash = items[below(&random, HARD_COUNT)].hash;
        flip_bits(&random, &hash, 20 * round);
        assert_all_thresholds_agree(index, items, &hash);
    }
    index_free(index);
    free(items);
}

static void fill_all_equal(uint64_t *random, struct index_item *items, size_t count)
{
    struct imprint_hash hash = near_hash(random, 1, 0);
    for (size_t i = 0; i < count; i++) {
        items[i].hash = hash;
    }
}

/* All share fifteen of sixteen chunks with their neighbours: the bucket of everybody is one. */
static void fill_one_bucket(uint64_t *random, struct index_item *items, size_t count)
{
    struct imprint_hash centre = near_hash(random, 1, 0);
    for (size_t i = 0; i < count; i++) {
        items[i].hash = centre;
        for (size_t byte = 0; byte < 8; byte++) {
            items[i].hash.bytes[byte] = (uint8_t)next_random(random);
        }
    }
}

static void fill_clusters(uint64_t *random, struct index_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i].hash = near_hash(random, 50, 90);
    }
}

/* Spreads a distance around the bound over the chunks as evenly and as unevenly as it goes. The
 * bits of a chunk are found by asking the permutation. */
static void fill_at_the_bound(uint64_t *random, struct index_item *items, size_t count)
{
    static struct index_permutation permutation;
    uint16_t bits[INDEX_CHUNKS][INDEX_CHUNK_BITS];
    unsigned found[INDEX_CHUNKS] = {0};
    index_permutation_init(&permutation);
    for (uint16_t bit = 0; bit < IMPRINT_HASH_BITS; bit++) {
        struct imprint_hash hash = {{0}};
        hash.bytes[bit / 8] = (uint8_t)(1u << bit % 8);
        struct index_key key;
        index_permutation_apply(&permutation, &hash, &key);
        for (unsigned chunk = 0; chunk < INDEX_CHUNKS; chunk++) {
            if (index_key_chunk(&key, chunk) != 0) {
                bits[chunk][found[chunk]++] = bit;
            }
        }
    }
    struct imprint_hash centre = near_hash(random, 1, 0);
    for (size_t i = 0; i < count; i++) {
        items[i].hash = centre;
        size_t budget = below(random, 66);
        for (size_t chunk = below(random, INDEX_CHUNKS), spent; budget > 0; chunk++) {
            size_t most = i % 2 == 0 ? 1 + i / 2 % 4 : below(random, 1 + INDEX_CHUNK_BITS);
            for (spent = 0; spent < most && budget > 0; spent++, budget--) {
                uint16_t bit = bits[chunk % INDEX_CHUNKS][below(random, INDEX_CHUNK_BITS)];
                items[i].hash.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            }
        }
    }
}

static void equal_hashes_are_found_once_each(void **state)
{
    (void)state;
    assert_list_is_searched_right(fill_all_equal);
}

static void hashes_of_one_bucket_are_told_apart(void **state)
{
    (void)state;
    assert_list_is_searched_right(fill_one_bucket);
}

static void clusters_are_searched_right_at_every_threshold(void **state)
{
    (void)state;
    assert_list_is_searched_right(fill_clusters);
}

static void distances_at_the_bound_in_every_chunk_are_found(void **state)
{
    (void)state;
    assert_list_is_searched_right(fill_at_the_bound);
}

/* --- Failing allocations --------------------------------------------------------------------- */

/* Runs call with the 1st, 2nd, ... allocation failing until none fails any more; after each failure
 * the index must answer as before. */
typedef enum imprint_error (*call_fn)(struct index *index);

static void assert_failures_change_nothing(struct index *index, const struct model *model,
                                           call_fn call)
{
    uint64_t state = 77;
    for (long allowed = 0;; allowed++) {
        size_t count = index_count(index);
        atomic_store(&allocations_left, allowed);
        enum imprint_error error = call(index);
        atomic_store(&allocations_left, -1);
        if (error == IMPRINT_OK) {
            assert_true(allowed > 0);
            return;
        }
        assert_int_equal(error, IMPRINT_E_NOMEM);
        assert_int_equal(index_count(index), count);
        assert_random_search_agrees(&state, index, model, 2);
    }
}

static struct index_item load_items[5000];

static enum imprint_error call_load(struct index *index)
{
    return index_load(index, load_items, sizeof load_items / sizeof *load_items);
}

static enum imprint_error call_reserve(struct index *index)
{
    return index_reserve(index, 20000);
}

static enum imprint_error call_search(struct index *index)
{
    const struct imprint_hash hash = load_items[0].hash;
    const uint8_t thresholds[MODEL_LISTS] = {63, 63, 63, 63};
    struct index_query query = {&hash, 1, thresholds, MODEL_LISTS};
    struct index_hits hits = {0};
    enum imprint_error error = index_search(index, &query, &hits);
    if (error != IMPRINT_OK) {
        assert_int_equal(hits.count, 0);
    }
    index_hits_done(&hits);
    return error;
}

static void a_failed_allocation_changes_nothing(void **state)
{
    (void)state;
    struct index *index = NULL;
    for (long allowed = 0; index == NULL; allowed++) {
        atomic_store(&allocations_left, allowed);
        enum imprint_error error = index_new(&index);
        atomic_store(&allocations_left, -1);
        assert_true(error == IMPRINT_E_NOMEM || (error == IMPRINT_OK && allowed > 0));
    }
    uint64_t random = 5;
    struct model model;
    model_init(&model, 6000);
    for (uint64_t entry = 0; entry < 1000; entry++) {
        struct index_item item = random_item(&random, entry, 2);
        add_to_both(index, &model, &item);
        if (entry % 7 == 0) {
            remove_from_both(index, &model, below(&random, model.count));
        }
    }
    for (size_t i = 0; i < 5000; i++) {
        load_items[i] = random_item(&random, 1000 + i, 2);
    }
    assert_failures_change_nothing(index, &model, index_merge);
    assert_failures_change_nothing(index, &model, call_search);
    assert_failures_change_nothing(index, &model, call_reserve);
    for (uint64_t entry = 0; entry < 500; entry++) {
        struct index_item item = random_item(&random, 10000 + entry, 2);
        add_to_both(index, &model, &item);
    }
    assert_failures_change_nothing(index, &model, index_merge);
    assert_failures_change_nothing(index, &model, call_load);
    memcpy(model.items, load_items, sizeof load_items);
    model.count = 5000;
    assert_random_search_agrees(&random, index, &model, 2);
    index_free(index);
    free(model.items);
}

/* --- Readers beside a writer and a merger ----------------------------------------------------- */

enum { STORM_ENTRIES = 512, STORM_CHANGES = 10000, STORM_READERS = 2 };

/* version % 4: 0 absent, 1 being added, 2 there, 3 being removed. */
struct storm {
    struct index *index;
    struct index_item items[STORM_ENTRIES];
    atomic_uint versions[STORM_ENTRIES];
    atomic_bool is_over;
    atomic_ulong checks;
    atomic_ulong merges;
    atomic_ulong faults;
};

static void check_one_search(struct storm *storm, uint64_t *random)
{
    size_t target = below(random, STORM_ENTRIES);
    unsigned before = atomic_load(&storm->versions[target]);
    const uint8_t thresholds[MODEL_LISTS] = {40, 40, 40, 40};
    struct imprint_hash hash = storm->items[target].hash;
    struct index_query query = {&hash, 1, thresholds, MODEL_LISTS};
    struct index_hits hits = {0};
    if (index_search(storm->index, &query, &hits) != IMPRINT_OK) {
        atomic_fetch_add(&storm->faults, 1);
        return;
    }
    unsigned after = atomic_load(&storm->versions[target]);
    size_t seen = 0;
    for (size_t i = 0; i < hits.count; i++) {
        const struct index_item *item = &storm->items[hits.items[i].entry % STORM_ENTRIES];
        seen += hits.items[i].entry % STORM_ENTRIES == target;
        if (hits.items[i].distance != slow_distance(&item->hash, &hash) ||
            hits.items[i].list != item->list) {
            atomic_fetch_add(&storm->faults, 1);
        }
    }
    if (before == after && before % 2 == 0) {
        atomic_fetch_add(&storm->checks, 1);
        if (seen != (before % 4 == 2 ? 1u : 0u)) {
            atomic_fetch_add(&storm->faults, 1);
        }
    }
    index_hits_done(&hits);
}

static void *storm_reader(void *argument)
{
    struct storm *storm = argument;
    uint64_t random = (uintptr_t)&random;
    while (!atomic_load(&storm->is_over)) {
        check_one_search(storm, &random);
    }
    return NULL;
}

static void *storm_merger(void *argument)
{
    struct storm *storm = argument;
    while (!atomic_load(&storm->is_over)) {
        if (index_merge(storm->index) != IMPRINT_OK) {
            atomic_fetch_add(&storm->faults, 1);
        }
        atomic_fetch_add(&storm->merges, 1);
    }
    return NULL;
}

/* Each comeback of an entry has a new number, as in the catalog. */
static void storm_change(struct storm *storm, size_t target)
{
    struct index_item item = storm->items[target];
    unsigned version = atomic_load(&storm->versions[target]);
    item.entry = target + (uint64_t)STORM_ENTRIES * (version / 4);
    atomic_store(&storm->versions[target], version + 1);
    if (version % 4 == 0) {
        assert_int_equal(index_reserve(storm->index, 1), IMPRINT_OK);
        index_add(storm->index, &item);
    } else {
        assert_true(index_remove(storm->index, item.entry, &item.hash));
    }
    atomic_store(&storm->versions[target], version + 2);
}

static void readers_see_every_finished_change_and_no_half_one(void **state)
{
    (void)state;
    static struct storm storm;
    uint64_t random = 99;
    storm.index = new_index();
    for (size_t i = 0; i < STORM_ENTRIES; i++) {
        storm.items[i] = random_item(&random, i, 40);
    }
    pthread_t threads[STORM_READERS + 1];
    for (size_t i = 0; i < STORM_READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, storm_reader, &storm), 0);
    }
    assert_int_equal(pthread_create(&threads[STORM_READERS], NULL, storm_merger, &storm), 0);
    for (unsigned i = 0; i < STORM_CHANGES; i++) {
        storm_change(&storm, below(&random, STORM_ENTRIES));
    }
    /* Also where one processor serves all: go on until the others had their turn. */
    while (atomic_load(&storm.checks) < 200 || atomic_load(&storm.merges) < 3) {
        storm_change(&storm, below(&random, STORM_ENTRIES));
        sched_yield();
    }
    atomic_store(&storm.is_over, true);
    for (size_t i = 0; i <= STORM_READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&storm.faults), 0);
    index_free(storm.index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_agree_with_a_linear_model),
        cmocka_unit_test(each_list_has_its_own_threshold),
        cmocka_unit_test(a_query_that_makes_no_sense_is_refused),
        cmocka_unit_test(the_same_hash_in_several_entries_is_several_hits),
        cmocka_unit_test(a_failed_allocation_changes_nothing),
        cmocka_unit_test(readers_see_every_finished_change_and_no_half_one),
        cmocka_unit_test(equal_hashes_are_found_once_each),
        cmocka_unit_test(hashes_of_one_bucket_are_told_apart),
        cmocka_unit_test(clusters_are_searched_right_at_every_threshold),
        cmocka_unit_test(distances_at_the_bound_in_every_chunk_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
