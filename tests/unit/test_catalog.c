/* The list: random histories of everything an admin can do, with reopenings in between, against
 * arrays in memory; and the promises about withdrawal, shared commits, kill -9 and damage one by
 * one.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalog.h"
#include "catalog_internal.h"
#include "catalog_model.h"
#include "catalog_tools.h"
#include "log.h"
#include "scratch.h"

/* --- Against the model ---------------------------------------------------------------------------
 */

#define POOL 90

struct history {
    struct model model;
    struct catalog *catalog;
    const char *dir;
    struct imprint_hash pool[POOL];
    uint64_t audit_count;
};

static struct model_list *pick_list(struct history *history)
{
    return &history->model.lists[random_below(MODEL_LISTS)];
}

static void step_list(struct history *history)
{
    struct model_list *slot = pick_list(history);
    struct record_list spec = catalog_list_default();
    snprintf(spec.name, sizeof spec.name, "list-%zu", (size_t)(slot - history->model.lists));
    spec.state = (enum record_list_state)(1 + random_below(5) % 3);
    spec.kind = random_below(8) == 0 ? RECORD_LIST_BENIGN : RECORD_LIST_BLOCK;
    spec.threshold = (uint8_t)random_below(64);
    spec.quality_floor = (uint8_t)random_below(95);
    spec.expiry_days = random_below(3) * 2;
    struct record_list list;
    if (!slot->is_there) {
        assert_int_equal(catalog_list_create(history->catalog, &admin, &spec, &list), IMPRINT_OK);
        *slot = (struct model_list){true, list};
    } else if (random_below(4) > 0) {
        assert_int_equal(
            catalog_list_change(history->catalog, &admin, spec.name, &spec, &slot->list),
            IMPRINT_OK);
    } else {
        assert_int_equal(catalog_list_delete(history->catalog, &admin, spec.name), IMPRINT_OK);
        model_list_delete(&history->model, slot);
    }
    history->audit_count++;
}

static struct record_entry random_spec(struct history *history)
{
    struct record_entry spec = spec_of(history->pool[random_below(POOL)]);
    spec.quality = random_below(6) == 0 ? RECORD_QUALITY_UNKNOWN : (uint8_t)(60 + random_below(41));
    spec.expires = random_below(3) == 0 ? history->model.now + random_below(10) * DAY : 0;
    spec.disabled_until = random_below(4) == 0 ? history->model.now + random_below(4) * DAY : 0;
    snprintf(spec.note, sizeof spec.note, "n%u", random_below(100));
    return spec;
}

static bool all_fit(const struct record_entry *specs, size_t count, uint8_t floor)
{
    for (size_t i = 0; i < count; i++) {
        if (specs[i].quality != RECORD_QUALITY_UNKNOWN && specs[i].quality < floor) {
            return false;
        }
    }
    return true;
}

static void step_add(struct history *history)
{
    enum { MAX = 8 };
    struct model_list *list = pick_list(history);
    struct record_entry specs[MAX];
    struct record_entry out[MAX];
    enum catalog_added added[MAX];
    size_t count = 1 + random_below(MAX);
    for (size_t i = 0; i < count; i++) {
        specs[i] = random_spec(history);
    }
    char name[16];
    snprintf(name, sizeof name, "list-%zu", (size_t)(list - history->model.lists));
    uint64_t seq = atomic_load(&history->catalog->seq);
    enum imprint_error error =
        catalog_entries_add(history->catalog, &admin, name, specs, count, out, added);
    if (!list->is_there || !all_fit(specs, count, list->list.quality_floor)) {
        assert_int_equal(error,
                         list->is_there ? IMPRINT_E_PARAMETER_INVALID : IMPRINT_E_LIST_NOT_FOUND);
        return;
    }
    assert_int_equal(error, IMPRINT_OK);
    history->audit_count += atomic_load(&history->catalog->seq) != seq;
    for (size_t i = 0; i < count; i++) {
        struct model_entry *entry;
        bool is_new = model_hold(&history->model, &list->list, &specs[i], true, 0, &entry);
        assert_int_equal(added[i], is_new ? CATALOG_ADDED_NEW : CATALOG_ADDED_DUPLICATE);
        if (is_new) {
            entry->record.id = out[i].id;
        }
        assert_int_equal(out[i].id, entry->record.id);
        assert_int_equal(out[i].expires, entry->record.expires);
    }
}

static void step_entry(struct history *history)
{
    struct model *model = &history->model;
    if (model->entry_count == 0) {
        return;
    }
    struct model_entry *entry = &model->entries[random_below((uint32_t)model->entry_count)];
    struct record_entry out;
    struct record_entry spec = random_spec(history);
    bool is_removal = random_below(3) == 0;
    enum imprint_error error =
        is_removal ? catalog_entry_remove(history->catalog, &admin, entry->record.id)
                   : catalog_entry_change(history->catalog, &admin, entry->record.id, &spec, &out);
    assert_int_equal(error, entry->is_there ? IMPRINT_OK : IMPRINT_E_ENTRY_NOT_FOUND);
    if (!entry->is_there) {
        return;
    }
    history->audit_count++;
    if (is_removal) {
        entry->is_there = false;
        entry->cases = 0;
    } else {
        entry->record.expires = spec.expires;
        entry->record.disabled_until = spec.disabled_until;
        memcpy(entry->record.note, spec.note, sizeof spec.note);
    }
}

static void model_accept(struct history *history, struct model_list *list, size_t number,
                         const struct record_entry *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct record_entry spec = {.hash = items[i].hash, .quality = items[i].quality};
        struct model_entry *entry;
        if (model_hold(&history->model, &list->list, &spec, false, (uint64_t)1 << number, &entry)) {
            struct record_entry found[MODEL_LISTS];
            size_t found_count;
            assert_int_equal(
                catalog_entry_find(history->catalog, &spec.hash, found, MODEL_LISTS, &found_count),
                IMPRINT_OK);
            for (size_t f = 0; f < found_count; f++) {
                if (found[f].list == list->list.id) {
                    entry->record.id = found[f].id;
                }
            }
            assert_int_not_equal(entry->record.id, 0);
        }
    }
}

static void step_accept(struct history *history)
{
    enum { MAX = 6 };
    struct model_list *list = pick_list(history);
    size_t number = random_below(MODEL_CASES);
    struct model_case *known = &history->model.cases[number];
    struct record_case spec = case_of((uint8_t)number);
    bool is_other = random_below(8) == 0;
    spec.append_verifier[5] ^= is_other;
    struct record_entry items[MAX];
    size_t count = 1 + random_below(MAX);
    for (size_t i = 0; i < count; i++) {
        items[i] = random_spec(history);
    }
    char name[16];
    snprintf(name, sizeof name, "list-%zu", (size_t)(list - history->model.lists));
    struct record_case out;
    bool is_new;
    enum imprint_error error =
        catalog_case_accept(history->catalog, &admin, name, &spec, items, count, &out, &is_new);
    if (known->is_there) {
        bool is_same = memcmp(known->record.append_verifier, spec.append_verifier, 32) == 0;
        assert_int_equal(error, !is_same ? IMPRINT_E_CASE_CONFLICT
                                : known->record.state == RECORD_CASE_ACTIVE
                                    ? IMPRINT_OK
                                    : IMPRINT_E_CASE_WITHDRAWN);
        assert_true(error != IMPRINT_OK || !is_new);
    } else if (!list->is_there) {
        assert_int_equal(error, IMPRINT_E_LIST_NOT_FOUND);
    } else if (!all_fit(items, count, list->list.quality_floor)) {
        assert_int_equal(error, IMPRINT_E_PARAMETER_INVALID);
    } else {
        assert_int_equal(error, IMPRINT_OK);
        assert_true(is_new);
        *known = (struct model_case){true, out};
        model_accept(history, list, number, items, count);
        history->audit_count++;
    }
}

static void step_withdraw(struct history *history)
{
    size_t number = random_below(MODEL_CASES);
    struct model_case *known = &history->model.cases[number];
    struct record_case spec = case_of((uint8_t)number);
    struct record_case out;
    enum imprint_error error = catalog_case_withdraw(history->catalog, &admin, &spec.id, &out);
    assert_int_equal(error, known->is_there ? IMPRINT_OK : IMPRINT_E_CASE_NOT_FOUND);
    if (known->is_there && known->record.state == RECORD_CASE_ACTIVE) {
        model_withdraw(&history->model, number);
        history->audit_count++;
    }
    if (known->is_there) {
        assert_int_equal(out.state, RECORD_CASE_WITHDRAWN);
        assert_int_equal(out.withdrawn, known->record.withdrawn);
    }
}

static void step_clock(struct history *history)
{
    struct model *model = &history->model;
    model->now += random_below(8) == 0 ? -(int64_t)random_below(3 * DAY) : random_below(DAY);
    if (random_below(2) == 0) {
        assert_int_equal(catalog_tick(history->catalog), IMPRINT_OK);
        model->swept = model->now;
    }
}

static void expect_matches(struct history *history)
{
    struct model *model = &history->model;
    struct imprint_view view = {.id = 3};
    view.hash = near(history->pool[random_below(POOL)], random_below(70));
    struct catalog_matches matches = {0};
    assert_int_equal(catalog_match(history->catalog, &view, 1, NULL, &matches), IMPRINT_OK);
    size_t expected = 0;
    for (size_t i = 0; i < model->entry_count; i++) {
        unsigned distance;
        if (!model_matches(model, &model->entries[i], &view.hash, &distance)) {
            continue;
        }
        expected++;
        size_t at = 0;
        while (at < matches.count && matches.items[at].entry != model->entries[i].record.id) {
            at++;
        }
        assert_true(at < matches.count);
        assert_int_equal(matches.items[at].distance, distance);
        assert_int_equal(matches.items[at].view, 3);
    }
    assert_int_equal(matches.count, expected);
    catalog_matches_done(&matches);
}

static void expect_records(struct history *history)
{
    static struct record_entry page[MODEL_ENTRIES];
    struct model *model = &history->model;
    size_t count;
    assert_int_equal(catalog_entries(history->catalog, 0, 0, page, MODEL_ENTRIES, &count),
                     IMPRINT_OK);
    assert_int_equal(count, model_count(model, 0));
    for (size_t i = 0; i < count; i++) {
        const struct model_entry *entry = model_entry(model, page[i].id);
        if (entry == NULL) {
            fail_msg("an entry nobody put there");
            return;
        }
        assert_memory_equal(&page[i].hash, &entry->record.hash, sizeof page[i].hash);
        assert_int_equal(page[i].list, entry->record.list);
        assert_int_equal(page[i].expires, entry->record.expires);
        assert_int_equal(page[i].disabled_until, entry->record.disabled_until);
        assert_string_equal(page[i].note, entry->record.note);
        assert_int_equal(page[i].case_id.bytes[1], entry->cases != 0 ? 7 : 0);
    }
    for (size_t i = 0; i < MODEL_LISTS; i++) {
        struct record_list list;
        char name[16];
        snprintf(name, sizeof name, "list-%zu", i);
        enum imprint_error error = catalog_list_get(history->catalog, name, &list);
        assert_int_equal(error, model->lists[i].is_there ? IMPRINT_OK : IMPRINT_E_LIST_NOT_FOUND);
        assert_true(error != IMPRINT_OK || list.entries == model_count(model, list.id));
    }
}

static void expect_audit(struct history *history)
{
    uint64_t count;
    uint64_t bad;
    assert_int_equal(catalog_audit_verify(history->catalog, &count, &bad), IMPRINT_OK);
    assert_int_equal(count, history->audit_count);
}

static void step(struct history *history)
{
    uint32_t dice = random_below(100);
    if (dice < 6) {
        step_list(history);
    } else if (dice < 40) {
        step_add(history);
    } else if (dice < 60) {
        step_entry(history);
    } else if (dice < 75) {
        step_accept(history);
    } else if (dice < 82) {
        step_withdraw(history);
    } else if (dice < 98) {
        step_clock(history);
    } else {
        catalog_close(history->catalog);
        history->catalog = open_catalog(history->dir, &history->model.now);
        history->model.swept = history->model.now;
        expect_records(history);
    }
}

static void agrees_with_a_list_in_memory_through_random_histories(void **state)
{
    static struct history history;
    for (int round = 0; round < 3; round++) {
        char dir[4200];
        snprintf(dir, sizeof dir, "%s/%d", (const char *)*state, round);
        history = (struct history){.dir = dir};
        history.model.now = history.model.swept = 1000 * DAY;
        for (size_t i = 0; i < POOL; i++) {
            /* Families of near copies, so that thresholds matter. */
            history.pool[i] =
                i % 6 == 0 ? random_hash() : near(history.pool[i - 1], 4 + (unsigned)(i % 6) * 4);
        }
        history.catalog = open_catalog(dir, &history.model.now);
        for (int i = 0; i < 700 && history.model.entry_count < MODEL_ENTRIES - 16; i++) {
            step(&history);
            expect_matches(&history);
        }
        expect_records(&history);
        expect_audit(&history);
        catalog_close(history.catalog);
    }
}

/* --- Holders -------------------------------------------------------------------------------------
 */

static void a_hash_stays_until_its_last_holder_lets_go(void **state)
{
    struct catalog *catalog = open_catalog(*state, NULL);
    make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    const struct record_entry item = spec_of(hash);
    struct record_case one = case_of(1);
    struct record_case two = case_of(2);
    struct record_case out;
    bool is_new;
    assert_int_equal(catalog_case_accept(catalog, &admin, "l", &one, &item, 1, &out, &is_new),
                     IMPRINT_OK);
    assert_int_equal(catalog_case_accept(catalog, &admin, "l", &two, &item, 1, &out, &is_new),
                     IMPRINT_OK);
    uint64_t id = add(catalog, "l", hash);
    assert_int_equal(catalog_case_withdraw(catalog, &admin, &one.id, &out), IMPRINT_OK);
    assert_int_equal(count_matches(catalog, hash), 1);
    assert_int_equal(catalog_case_withdraw(catalog, &admin, &two.id, &out), IMPRINT_OK);
    assert_int_equal(count_matches(catalog, hash), 1);
    struct record_entry entry;
    assert_int_equal(catalog_entry_get(catalog, id, &entry), IMPRINT_OK);
    static const struct record_case_id none = {{0}};
    assert_memory_equal(&entry.case_id, &none, sizeof none);
    assert_int_equal(catalog_entry_remove(catalog, &admin, id), IMPRINT_OK);
    assert_int_equal(count_matches(catalog, hash), 0);
    catalog_close(catalog);
}

static void a_withdrawn_case_does_not_come_back(void **state)
{
    struct catalog *catalog = open_catalog(*state, NULL);
    make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    const struct record_entry item = spec_of(hash);
    struct record_case spec = case_of(1);
    struct record_case out;
    bool is_new = false;
    assert_int_equal(catalog_case_accept(catalog, &admin, "l", &spec, &item, 1, &out, &is_new),
                     IMPRINT_OK);
    assert_true(is_new);
    assert_int_equal(catalog_case_accept(catalog, &admin, "l", &spec, &item, 1, &out, &is_new),
                     IMPRINT_OK);
    assert_false(is_new);
    assert_int_equal(catalog_case_withdraw(catalog, &admin, &spec.id, &out), IMPRINT_OK);
    assert_int_equal(count_matches(catalog, hash), 0);
    catalog_close(catalog);
    catalog = open_catalog(*state, NULL);
    assert_int_equal(catalog_case_accept(catalog, &admin, "l", &spec, &item, 1, &out, &is_new),
                     IMPRINT_E_CASE_WITHDRAWN);
    assert_int_equal(count_matches(catalog, hash), 0);
    assert_int_equal(catalog_case_withdraw(catalog, &admin, &spec.id, &out), IMPRINT_OK);
    catalog_close(catalog);
}

/* --- Lists ---------------------------------------------------------------------------------------
 */

static void a_change_of_a_list_counts_from_the_next_query(void **state)
{
    struct catalog *catalog = open_catalog(*state, NULL);
    struct record_list list = make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    add(catalog, "l", hash);
    assert_int_equal(count_matches(catalog, near(hash, 31)), 1);
    assert_int_equal(count_matches(catalog, near(hash, 32)), 0);
    list.threshold = 40;
    assert_int_equal(catalog_list_change(catalog, &admin, "l", &list, &list), IMPRINT_OK);
    assert_int_equal(count_matches(catalog, near(hash, 40)), 1);
    list.state = RECORD_LIST_OFF;
    assert_int_equal(catalog_list_change(catalog, &admin, "l", &list, &list), IMPRINT_OK);
    assert_int_equal(count_matches(catalog, hash), 0);
    struct catalog_list_stats stats;
    assert_int_equal(catalog_list_stats(catalog, "l", &stats), IMPRINT_OK);
    assert_int_equal(stats.matches, 2);
    assert_int_equal(stats.shadow_hits, 0);
    list.state = RECORD_LIST_SHADOW;
    assert_int_equal(catalog_list_change(catalog, &admin, "l", &list, &list), IMPRINT_OK);
    assert_int_equal(count_matches(catalog, hash), 0);
    assert_int_equal(catalog_list_stats(catalog, "l", &stats), IMPRINT_OK);
    assert_int_equal(stats.shadow_hits, 1);
    catalog_close(catalog);
}

static void only_the_named_lists_are_searched(void **state)
{
    struct catalog *catalog = open_catalog(*state, NULL);
    make_list(catalog, "a");
    make_list(catalog, "bb");
    make_list(catalog, "c");
    struct imprint_view view = {.hash = random_hash()};
    add(catalog, "a", view.hash);
    add(catalog, "bb", near(view.hash, 3));
    add(catalog, "c", near(view.hash, 2));
    struct catalog_matches matches = {0};
    assert_int_equal(catalog_match(catalog, &view, 1, "bb,a", &matches), IMPRINT_OK);
    assert_int_equal(matches.count, 2);
    assert_string_equal(matches.items[0].list, "a");
    assert_string_equal(matches.items[1].list, "bb");
    assert_string_equal(matches.items[1].action, "block");
    assert_int_equal(matches.items[1].distance, 3);
    catalog_matches_done(&matches);
    static const char *const unknown[] = {"a,nope", "", "a,", "b", "a,,c"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(catalog_match(catalog, &view, 1, unknown[i], &matches),
                         IMPRINT_E_LIST_NOT_FOUND);
    }
    catalog_close(catalog);
}

static void an_entry_is_answered_once_with_its_nearest_view(void **state)
{
    struct catalog *catalog = open_catalog(*state, NULL);
    make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    uint64_t first = add(catalog, "l", hash);
    uint64_t second = add(catalog, "l", near(hash, 12));
    const struct imprint_view views[3] = {{.id = 10, .quality = 90, .hash = near(hash, 9)},
                                          {.id = 11, .quality = 90, .hash = near(hash, 2)},
                                          {.id = 12, .quality = 90, .hash = near(hash, 20)}};
    struct catalog_matches matches = {0};
    assert_int_equal(catalog_match(catalog, views, 3, NULL, &matches), IMPRINT_OK);
    assert_int_equal(matches.count, 2);
    assert_int_equal(matches.items[0].entry, first);
    assert_int_equal(matches.items[0].distance, 2);
    assert_int_equal(matches.items[0].view, 11);
    assert_int_equal(matches.items[1].entry, second);
    assert_int_equal(matches.items[1].distance, 3);
    assert_int_equal(matches.items[1].view, 10);
    catalog_matches_done(&matches);
    assert_int_equal(catalog_match(catalog, views, 0, NULL, &matches), IMPRINT_E_PARAMETER_INVALID);
    catalog_close(catalog);
}

static void a_flat_view_is_searched_only_as_the_first(void **state)
{
    struct catalog *catalog = open_catalog(*state, NULL);
    make_list(catalog, "l");
    const struct imprint_hash hash = random_hash();
    add(catalog, "l", hash);
    const struct imprint_view other = {.id = 1, .quality = 100, .hash = random_hash()};
    const struct imprint_view flat = {.id = 2, .quality = 49, .hash = hash};
    const struct imprint_view rich = {.id = 3, .quality = 50, .hash = hash};
    const struct {
        struct imprint_view views[2];
        size_t expected;
    } cases[] = {{{other, flat}, 0}, {{other, rich}, 1}, {{flat, other}, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct catalog_matches matches = {0};
        assert_int_equal(catalog_match(catalog, cases[i].views, 2, NULL, &matches), IMPRINT_OK);
        assert_int_equal(matches.count, cases[i].expected);
        if (matches.count == 1) {
            assert_int_equal(matches.items[0].view, i == 1 ? 3 : 2);
        }
        catalog_matches_done(&matches);
    }
    catalog_close(catalog);
}

static void parameters_out_of_range_change_nothing(void **state)
{
    struct catalog *catalog = open_catalog(*state, NULL);
    struct record_list list = make_list(catalog, "good");
    struct record_list out;
    static const char *const names[] = {"", "UPPER", "a b", "-a", ".a", "a/b", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct record_list spec = catalog_list_default();
        snprintf(spec.name, sizeof spec.name, "%s", names[i]);
        assert_int_equal(catalog_list_create(catalog, &admin, &spec, &out),
                         IMPRINT_E_PARAMETER_INVALID);
    }
    assert_int_equal(catalog_list_create(catalog, &admin, &list, &out), IMPRINT_E_LIST_EXISTS);
    struct record_list wrong = list;
    wrong.threshold = 64;
    assert_int_equal(catalog_list_change(catalog, &admin, "good", &wrong, &out),
                     IMPRINT_E_PARAMETER_INVALID);
    wrong = list;
    memset(wrong.note, 'x', sizeof wrong.note);
    assert_int_equal(catalog_list_change(catalog, &admin, "good", &wrong, &out),
                     IMPRINT_E_PARAMETER_INVALID);
    struct record_entry specs[2] = {spec_of(random_hash()), spec_of(random_hash())};
    specs[1].quality = 49;
    assert_int_equal(catalog_entries_add(catalog, &admin, "good", specs, 2, NULL, NULL),
                     IMPRINT_E_PARAMETER_INVALID);
    specs[1].quality = 101;
    assert_int_equal(catalog_entries_add(catalog, &admin, "good", specs, 2, NULL, NULL),
                     IMPRINT_E_PARAMETER_INVALID);
    assert_int_equal(catalog_entries_add(catalog, &admin, "good", specs, 0, NULL, NULL),
                     IMPRINT_E_PARAMETER_INVALID);
    struct catalog_status status;
    catalog_status(catalog, &status);
    assert_int_equal(status.entries, 0);
    assert_int_equal(status.seq, 1);
    catalog_close(catalog);
}

/* --- Time ----------------------------------------------------------------------------------------
 */

static void entries_are_matched_from_enabling_to_expiry(void **state)
{
    int64_t now = 1000;
    struct catalog *catalog = open_catalog(*state, &now);
    make_list(catalog, "l");
    struct record_entry spec = spec_of(random_hash());
    spec.disabled_until = 1010;
    spec.expires = 1020;
    assert_int_equal(catalog_entries_add(catalog, &admin, "l", &spec, 1, NULL, NULL), IMPRINT_OK);
    /* Forwards, and backwards as a clock that is set back. */
    static const int64_t path[] = {1000, 1009, 1010, 1019, 1020, 5000, 1015, 1000, 1030, 1010};
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++) {
        now = path[i];
        assert_int_equal(catalog_tick(catalog), IMPRINT_OK);
        assert_int_equal(count_matches(catalog, spec.hash), now >= 1010 && now < 1020);
        catalog_close(catalog);
        catalog = open_catalog(*state, &now);
        assert_int_equal(count_matches(catalog, spec.hash), now >= 1010 && now < 1020);
    }
    catalog_close(catalog);
}

/* --- Shared commits ------------------------------------------------------------------------------
 */

struct adder {
    struct catalog *catalog;
    const char *list;
    struct imprint_hash hash;
    uint8_t quality;
    pthread_t thread;
    enum imprint_error result;
};

static void *adder_thread(void *ctx)
{
    struct adder *adder = ctx;
    struct record_entry spec = spec_of(adder->hash);
    spec.quality = adder->quality;
    adder->result = catalog_entries_add(adder->catalog, &admin, adder->list, &spec, 1, NULL, NULL);
    return NULL;
}

static size_t waiting(struct catalog *catalog, bool *out_has_leader)
{
    pthread_mutex_lock(&catalog->queue_lock);
    size_t count = catalog->queue_count;
    *out_has_leader = catalog->has_leader;
    pthread_mutex_unlock(&catalog->queue_lock);
    return count;
}

static void changes_that_wait_share_one_commit_and_not_their_failures(void **state)
{
    enum { ADDERS = 9 };
    struct catalog *catalog = open_catalog(*state, NULL);
    make_list(catalog, "l");
    struct adder adders[ADDERS];
    uint64_t commits = atomic_load(&catalog->commits);
    pthread_mutex_lock(&catalog->writer); /* the first one leads and gets stuck here */
    for (size_t i = 0; i < ADDERS; i++) {
        adders[i] = (struct adder){.catalog = catalog, .list = "l", .quality = 90};
        adders[i].list = i == 3 ? "nope" : "l";
        adders[i].quality = i == 5 ? 10 : 90;
        adders[i].hash = random_hash();
        assert_int_equal(pthread_create(&adders[i].thread, NULL, adder_thread, &adders[i]), 0);
        bool has_leader = false;
        while (waiting(catalog, &has_leader) != i || !has_leader) {
            sched_yield();
        }
    }
    pthread_mutex_unlock(&catalog->writer);
    for (size_t i = 0; i < ADDERS; i++) {
        pthread_join(adders[i].thread, NULL);
        enum imprint_error expected = i == 3   ? IMPRINT_E_LIST_NOT_FOUND
                                      : i == 5 ? IMPRINT_E_PARAMETER_INVALID
                                               : IMPRINT_OK;
        assert_int_equal(adders[i].result, expected);
        assert_int_equal(count_matches(catalog, adders[i].hash), expected == IMPRINT_OK);
    }
    assert_int_equal(atomic_load(&catalog->commits), commits + 2);
    catalog_close(catalog);
}

/* --- Memory that runs out ------------------------------------------------------------------------
 */

/* Allocations of our own code that still succeed; negative: all of them. LMDB's are its own affair.
 */
static atomic_int allowance = -1;

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_reallocarray(void *memory, size_t count, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_reallocarray(void *memory, size_t count, size_t len);

static bool is_refused(void)
{
    if (atomic_load(&allowance) < 0) {
        return false;
    }
    return atomic_load(&allowance) == 0 || atomic_fetch_sub(&allowance, 1) == 0;
}

void *__wrap_malloc(size_t len)
{
    return is_refused() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return is_refused() ? NULL : __real_calloc(count, len);
}

void *__wrap_reallocarray(void *memory, size_t count, size_t len)
{
    return is_refused() ? NULL : __real_reallocarray(memory, count, len);
}

static enum imprint_error accept_one(struct catalog *catalog, struct imprint_hash hash)
{
    const struct record_entry items[2] = {spec_of(hash), spec_of(near(hash, 100))};
    struct record_case record = case_of(9);
    bool is_new;
    return catalog_case_accept(catalog, &admin, "l", &record, items, 2, &record, &is_new);
}

static enum imprint_error delete_list(struct catalog *catalog, struct imprint_hash hash)
{
    (void)hash;
    return catalog_list_delete(catalog, &admin, "l");
}

static enum imprint_error create_list(struct catalog *catalog, struct imprint_hash hash)
{
    (void)hash;
    struct record_list list = catalog_list_default();
    memcpy(list.name, "other", sizeof "other");
    return catalog_list_create(catalog, &admin, &list, &list);
}

static enum imprint_error match_one(struct catalog *catalog, struct imprint_hash hash)
{
    const struct imprint_view view = {.hash = hash};
    struct catalog_matches matches = {0};
    enum imprint_error error = catalog_match(catalog, &view, 1, "l", &matches);
    catalog_matches_done(&matches);
    return error;
}

static void a_failed_allocation_changes_nothing(void **state)
{
    enum imprint_error (*const steps[])(struct catalog *, struct imprint_hash) = {
        accept_one, create_list, match_one, delete_list};
    int64_t now = 1000; /* no thread of its own that allocates meanwhile */
    struct catalog *catalog = open_catalog(*state, &now);
    make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    unsigned failures = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum imprint_error error = IMPRINT_E_NOMEM;
        for (int n = 0; error != IMPRINT_OK; n++) {
            struct catalog_status before;
            struct catalog_status after;
            size_t matches = count_matches(catalog, hash);
            catalog_status(catalog, &before);
            atomic_store(&allowance, n);
            error = steps[i](catalog, hash);
            atomic_store(&allowance, -1);
            catalog_status(catalog, &after);
            if (error != IMPRINT_OK) {
                failures++;
                assert_int_equal(error, IMPRINT_E_NOMEM);
                assert_memory_equal(&after, &before, sizeof before);
                assert_int_equal(count_matches(catalog, hash), matches);
            }
        }
    }
    assert_true(failures >= 8);
    catalog_close(catalog);
    catalog = open_catalog(*state, &now);
    assert_int_equal(count_matches(catalog, hash), 0);
    catalog_close(catalog);
}

int main(void)
{
    random_state = 20260102;
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        scratch_test_fast(agrees_with_a_list_in_memory_through_random_histories),
        scratch_test(a_hash_stays_until_its_last_holder_lets_go),
        scratch_test(a_withdrawn_case_does_not_come_back),
        scratch_test(a_change_of_a_list_counts_from_the_next_query),
        scratch_test(only_the_named_lists_are_searched),
        scratch_test(an_entry_is_answered_once_with_its_nearest_view),
        scratch_test(a_flat_view_is_searched_only_as_the_first),
        scratch_test(parameters_out_of_range_change_nothing),
        scratch_test(entries_are_matched_from_enabling_to_expiry),
        scratch_test(a_failed_allocation_changes_nothing),
        scratch_test(changes_that_wait_share_one_commit_and_not_their_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
