/* The list and its disk: a process that dies, a file that is damaged, a disk that is full, a list
 * that is written afresh while it is served, and what is left of removed hashes after that. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalog.h"
#include "catalog_internal.h"
#include "catalog_tools.h"
#include "log.h"
#include "scratch.h"

/* --- Loading, dying, damage ----------------------------------------------------------------------
 */

struct gate {
    pthread_mutex_t lock;
    int64_t now;
};

static int64_t gated_clock(void *ctx)
{
    struct gate *gate = ctx;
    pthread_mutex_lock(&gate->lock);
    int64_t now = gate->now;
    pthread_mutex_unlock(&gate->lock);
    return now;
}

static void nothing_is_answered_before_the_list_is_loaded(void **state)
{
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, 1000};
    const struct catalog_options options = {
        .data_dir = *state, .now = gated_clock, .now_ctx = &gate};
    struct catalog *catalog = NULL;
    pthread_mutex_lock(&gate.lock); /* the loader asks for the time first and gets stuck here */
    assert_int_equal(catalog_open(&options, &catalog), IMPRINT_OK);
    const struct imprint_view view = {.hash = random_hash()};
    struct catalog_matches matches;
    struct record_list list = catalog_list_default();
    assert_int_equal(catalog_match(catalog, &view, 1, NULL, &matches), IMPRINT_E_LOADING);
    assert_int_equal(catalog_list_get(catalog, "l", &list), IMPRINT_E_LOADING);
    memcpy(list.name, "l", 2);
    assert_int_equal(catalog_list_create(catalog, &admin, &list, &list), IMPRINT_E_LOADING);
    struct catalog_status status;
    catalog_status(catalog, &status);
    assert_false(status.is_ready);
    pthread_mutex_unlock(&gate.lock);
    assert_int_equal(catalog_wait_ready(catalog), IMPRINT_OK);
    catalog_status(catalog, &status);
    assert_true(status.is_ready);
    assert_int_equal(strlen(status.epoch), 32);
    catalog_close(catalog);
}

/* Adds until it is killed, telling through the pipe what was acknowledged. */
static void add_until_killed(const char *dir, int pipe_fd, uint64_t seed)
{
    struct catalog *catalog = open_catalog(dir, NULL);
    random_state = seed;
    for (;;) {
        struct imprint_hash hash = random_hash();
        struct record_entry spec = spec_of(hash);
        if (catalog_entries_add(catalog, &admin, "l", &spec, 1, NULL, NULL) != IMPRINT_OK ||
            write(pipe_fd, &hash, sizeof hash) != (ssize_t)sizeof hash) {
            _exit(1);
        }
    }
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    enum { ROUNDS = 6, ADDS = 40 };
    static struct imprint_hash acknowledged[ROUNDS * ADDS * 100];
    size_t count = 0;
    const char *dir = *state;
    struct catalog *catalog = open_catalog(dir, NULL);
    make_list(catalog, "l");
    catalog_close(catalog);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            add_until_killed(dir, ends[1], 77 + round);
        }
        assert_true(child > 0);
        close(ends[1]);
        size_t goal = count + ADDS;
        struct imprint_hash hash;
        while (read(ends[0], &hash, sizeof hash) == (ssize_t)sizeof hash) {
            assert_true(count < sizeof acknowledged / sizeof acknowledged[0]);
            acknowledged[count++] = hash;
            if (count == goal) {
                kill(child, SIGKILL); /* and read on what it had said until then */
            }
        }
        close(ends[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        catalog = open_catalog(dir, NULL);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(count_matches(catalog, acknowledged[i]), 1);
        }
        catalog_close(catalog);
    }
}

static void a_damaged_list_is_not_served(void **state)
{
    const char *dir = *state;
    struct catalog *catalog = open_catalog(dir, NULL);
    make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    add(catalog, "l", hash);
    catalog_close(catalog);
    char path[4200];
    snprintf(path, sizeof path, "%s/list.mdb", dir);
    assert_int_equal(truncate(path, 5000), 0);
    const struct catalog_options options = {.data_dir = dir};
    log_set_level((enum log_level) - 1);
    assert_int_equal(catalog_open(&options, &catalog), IMPRINT_OK);
    assert_int_equal(catalog_wait_ready(catalog), IMPRINT_E_STORE_DAMAGED);
    log_set_level(LOG_LEVEL_ERROR);
    const struct imprint_view view = {.hash = hash};
    struct catalog_matches matches;
    assert_int_equal(catalog_match(catalog, &view, 1, NULL, &matches), IMPRINT_E_STORE_DAMAGED);
    struct catalog_status status;
    catalog_status(catalog, &status);
    assert_false(status.is_ready);
    catalog_close(catalog);
}

/* --- Erasure -------------------------------------------------------------------------------------
 */

#define NEEDLE_BYTES 16 /* half a hash is too much already */

struct needles {
    struct imprint_hash hashes[400];
    size_t count;
};

static size_t needles_in_file(const struct needles *needles, const char *path)
{
    struct stat status;
    size_t found = 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &status), 0);
    size_t len = (size_t)status.st_size;
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, len, file), len);
    fclose(file);
    for (size_t i = 0; i < needles->count; i++) {
        const uint8_t *hash = needles->hashes[i].bytes;
        found += memmem(bytes, len, hash, NEEDLE_BYTES) != NULL ||
                 memmem(bytes, len, hash + NEEDLE_BYTES, NEEDLE_BYTES) != NULL;
    }
    free(bytes);
    return found;
}

static size_t needles_in_dir(const struct needles *needles, const char *dir)
{
    size_t found = 0;
    DIR *entries = opendir(dir);
    assert_non_null(entries);
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        char path[4600];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        found += entry->d_name[0] != '.' ? needles_in_file(needles, path) : 0;
    }
    closedir(entries);
    return found;
}

/* 300 hashes that stay and 300 that leave in each of the three ways there are. */
static struct needles plant(struct catalog *catalog, struct imprint_hash *out_kept)
{
    struct needles needles = {.count = 0};
    struct record_entry specs[300];
    struct record_entry out[300];
    make_list(catalog, "keep");
    make_list(catalog, "drop");
    for (size_t i = 0; i < 300; i++) {
        specs[i] = spec_of(random_hash());
        add(catalog, "keep", random_hash());
    }
    *out_kept = random_hash();
    add(catalog, "keep", *out_kept);
    assert_int_equal(catalog_entries_add(catalog, &admin, "keep", specs, 100, out, NULL),
                     IMPRINT_OK);
    assert_int_equal(catalog_entries_add(catalog, &admin, "drop", specs + 100, 100, NULL, NULL),
                     IMPRINT_OK);
    struct record_case record = case_of(1);
    bool is_new;
    assert_int_equal(
        catalog_case_accept(catalog, &admin, "keep", &record, specs + 200, 100, &record, &is_new),
        IMPRINT_OK);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(catalog_entry_remove(catalog, &admin, out[i].id), IMPRINT_OK);
    }
    assert_int_equal(catalog_list_delete(catalog, &admin, "drop"), IMPRINT_OK);
    assert_int_equal(catalog_case_withdraw(catalog, &admin, &record.id, &record), IMPRINT_OK);
    for (size_t i = 0; i < 300; i++) {
        needles.hashes[needles.count++] = specs[i].hash;
    }
    return needles;
}

struct querier {
    struct catalog *catalog;
    struct imprint_hash hash;
    atomic_bool is_over;
    atomic_uint answers;
    bool is_wrong;
    pthread_t thread;
};

static void *querier_thread(void *ctx)
{
    struct querier *querier = ctx;
    const struct imprint_view view = {.hash = querier->hash};
    while (!atomic_load(&querier->is_over)) {
        struct catalog_matches matches = {0};
        enum imprint_error error = catalog_match(querier->catalog, &view, 1, NULL, &matches);
        querier->is_wrong |= error != IMPRINT_OK || matches.count != 1;
        catalog_matches_done(&matches);
        atomic_fetch_add(&querier->answers, 1);
    }
    return NULL;
}

static void no_removed_hash_is_left_after_compaction_while_serving(void **state)
{
    const char *dir = *state;
    struct catalog *catalog = open_catalog(dir, NULL);
    struct querier querier = {.catalog = catalog};
    const struct needles needles = plant(catalog, &querier.hash);
    /* The test has teeth: before, they are there. */
    assert_true(needles_in_dir(&needles, dir) > 100);
    assert_int_equal(pthread_create(&querier.thread, NULL, querier_thread, &querier), 0);
    while (atomic_load(&querier.answers) == 0) {
        sched_yield();
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(catalog_compact(catalog, &admin), IMPRINT_OK);
        assert_int_equal(needles_in_dir(&needles, dir), 0);
    }
    unsigned answers = atomic_load(&querier.answers);
    while (atomic_load(&querier.answers) == answers) {
        sched_yield();
    }
    atomic_store(&querier.is_over, true);
    pthread_join(querier.thread, NULL);
    assert_false(querier.is_wrong);
    uint64_t added = add(catalog, "keep", random_hash());
    assert_int_equal(needles_in_dir(&needles, dir), 0);
    uint64_t count;
    uint64_t bad;
    assert_int_equal(catalog_audit_verify(catalog, &count, &bad), IMPRINT_OK);
    catalog_close(catalog);

    catalog = open_catalog(dir, NULL);
    struct record_entry entry;
    struct catalog_status status;
    assert_int_equal(catalog_entry_get(catalog, added, &entry), IMPRINT_OK);
    catalog_status(catalog, &status);
    assert_int_equal(status.entries, 302);
    assert_int_equal(count_matches(catalog, querier.hash), 1);
    catalog_close(catalog);
}

static void what_an_interrupted_compaction_left_is_overwritten(void **state)
{
    const char *dir = *state;
    struct catalog *catalog = open_catalog(dir, NULL);
    make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    add(catalog, "l", hash);
    catalog_close(catalog);
    char list[4200];
    char old[4200];
    char new[4200];
    snprintf(list, sizeof list, "%s/list.mdb", dir);
    snprintf(old, sizeof old, "%s/list.mdb.old", dir);
    snprintf(new, sizeof new, "%s/list.mdb.new", dir);
    /* Died after the second name was made and before the new file took the first. */
    assert_int_equal(link(list, old), 0);
    FILE *file = fopen(new, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(&hash, sizeof hash, 1, file), 1);
    fclose(file);
    FILE *witness = fopen(new, "rb");
    assert_non_null(witness);
    catalog = open_catalog(dir, NULL);
    assert_int_equal(count_matches(catalog, hash), 1);
    assert_int_equal(access(old, F_OK), -1);
    assert_int_equal(access(new, F_OK), -1);
    struct imprint_hash left;
    assert_int_equal(fread(&left, sizeof left, 1, witness), 1);
    fclose(witness);
    static const struct imprint_hash zero = {{0}};
    assert_memory_equal(&left, &zero, sizeof zero);
    catalog_close(catalog);
}

static void a_backup_is_a_list_of_its_own_without_removed_hashes(void **state)
{
    char dir[4100];
    char backup[4200];
    char restored[4200];
    snprintf(dir, sizeof dir, "%s/a", (const char *)*state);
    snprintf(backup, sizeof backup, "%s/b", (const char *)*state);
    snprintf(restored, sizeof restored, "%s/b/list.mdb", (const char *)*state);
    struct catalog *catalog = open_catalog(dir, NULL);
    struct imprint_hash kept;
    const struct needles needles = plant(catalog, &kept);
    assert_int_equal(mkdir(backup, 0700), 0);
    assert_int_equal(catalog_backup(catalog, restored), IMPRINT_OK);
    assert_int_equal(needles_in_dir(&needles, backup), 0);
    struct stat status;
    assert_int_equal(stat(restored, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(catalog_backup(catalog, restored), IMPRINT_E_IO);
    add(catalog, "keep", random_hash());
    catalog_close(catalog);
    catalog = open_catalog(backup, NULL);
    assert_int_equal(count_matches(catalog, kept), 1);
    struct catalog_status after;
    catalog_status(catalog, &after);
    assert_int_equal(after.entries, 301);
    catalog_close(catalog);
}

/* --- Following -----------------------------------------------------------------------------------
 */

struct replica {
    struct record_entry entries[600];
    size_t count;
    uint64_t seq;
};

static void replica_drop(struct replica *replica, uint64_t entry, uint32_t list)
{
    for (size_t i = 0; i < replica->count;) {
        const struct record_entry *known = &replica->entries[i];
        if (known->id == entry || (entry == 0 && known->list == list)) {
            replica->entries[i] = replica->entries[--replica->count];
        } else {
            i++;
        }
    }
}

static void replica_follow(struct replica *replica, struct catalog *catalog)
{
    enum { PAGE = 7 };
    struct catalog_change changes[PAGE];
    size_t count;
    do {
        assert_int_equal(catalog_changes(catalog, replica->seq, changes, PAGE, &count), IMPRINT_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(changes[i].change.seq > replica->seq);
            replica->seq = changes[i].change.seq;
            replica_drop(replica, changes[i].change.entry, changes[i].change.list);
            if (changes[i].change.kind == RECORD_CHANGE_PUT) {
                assert_true(replica->count < 600);
                replica->entries[replica->count++] = changes[i].entry;
            }
        }
    } while (count == PAGE);
}

static void who_follows_the_changes_has_the_list(void **state)
{
    static struct replica replica;
    struct catalog *catalog = open_catalog(*state, NULL);
    struct record_list lists[2] = {make_list(catalog, "a"), make_list(catalog, "b")};
    uint64_t ids[300];
    for (size_t i = 0; i < 300; i++) {
        ids[i] = add(catalog, lists[i % 2].name, random_hash());
        struct record_entry spec = {.expires = 4000000000};
        struct record_entry out;
        uint64_t other = ids[random_below((uint32_t)i + 1)];
        if (random_below(3) == 0) {
            enum imprint_error error = catalog_entry_remove(catalog, &admin, other);
            assert_true(error == IMPRINT_OK || error == IMPRINT_E_ENTRY_NOT_FOUND);
        } else {
            enum imprint_error error = catalog_entry_change(catalog, &admin, other, &spec, &out);
            assert_true(error == IMPRINT_OK || error == IMPRINT_E_ENTRY_NOT_FOUND);
        }
        if (i == 200) {
            assert_int_equal(catalog_list_delete(catalog, &admin, "a"), IMPRINT_OK);
            lists[0] = make_list(catalog, "a");
        }
        if (i % 50 == 0 || i == 299) {
            replica_follow(&replica, catalog);
            struct record_entry entries[600];
            size_t count;
            assert_int_equal(catalog_entries(catalog, 0, 0, entries, 600, &count), IMPRINT_OK);
            assert_int_equal(count, replica.count);
            for (size_t e = 0; e < count; e++) {
                size_t at = 0;
                while (at < replica.count && replica.entries[at].id != entries[e].id) {
                    at++;
                }
                assert_true(at < replica.count);
                assert_int_equal(replica.entries[at].seq, entries[e].seq);
                assert_int_equal(replica.entries[at].expires, entries[e].expires);
            }
        }
    }
    catalog_close(catalog);
}

/* --- A full disk ---------------------------------------------------------------------------------
 */

static enum imprint_error add_until_full(struct catalog *catalog, uint64_t *out_last)
{
    enum { CHUNK = 200 };
    struct record_entry specs[CHUNK];
    struct record_entry out[CHUNK];
    for (;;) {
        for (size_t i = 0; i < CHUNK; i++) {
            specs[i] = spec_of(random_hash());
        }
        enum imprint_error error =
            catalog_entries_add(catalog, &admin, "l", specs, CHUNK, out, NULL);
        if (error != IMPRINT_OK) {
            return error;
        }
        *out_last = out[CHUNK - 1].id;
    }
}

/* Takes what the file system has left. */
static void fill(const char *dir)
{
    static const char block[4096] = {1};
    char path[4200];
    snprintf(path, sizeof path, "%s/filler", dir);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    while (fwrite(block, sizeof block, 1, file) == 1 && fflush(file) == 0) {
    }
    fclose(file);
}

static void a_full_disk_refuses_adds_and_takes_removals(void **state)
{
    const char *dir = *state;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", dir, "tmpfs", 0, "size=16m") != 0) {
        print_message("skipped: a file system of its own needs root\n");
        skip();
    }
    char data[4200];
    snprintf(data, sizeof data, "%s/data", dir);
    struct catalog *catalog = open_catalog(data, NULL);
    make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    const struct record_entry item = spec_of(hash);
    struct record_case record = case_of(1);
    bool is_new;
    assert_int_equal(catalog_case_accept(catalog, &admin, "l", &record, &item, 1, &record, &is_new),
                     IMPRINT_OK);
    uint64_t last = 0;
    assert_int_equal(add_until_full(catalog, &last), IMPRINT_E_STORE_FULL);
    fill(dir);
    struct catalog_status before;
    struct catalog_status status;
    catalog_status(catalog, &before);
    assert_int_equal(count_matches(catalog, hash), 1);
    assert_int_equal(catalog_compact(catalog, &admin), IMPRINT_E_STORE_FULL);
    catalog_close(catalog);

    /* Starting on a full disk is no different. */
    catalog = open_catalog(data, NULL);
    catalog_status(catalog, &status);
    assert_int_equal(status.entries, before.entries);
    assert_int_equal(status.seq, before.seq);
    uint64_t ignored;
    assert_int_equal(add_until_full(catalog, &ignored), IMPRINT_E_STORE_FULL);
    assert_int_equal(catalog_case_withdraw(catalog, &admin, &record.id, &record), IMPRINT_OK);
    assert_int_equal(count_matches(catalog, hash), 0);
    for (uint64_t id = last; id > last - 1000; id--) {
        assert_int_equal(catalog_entry_remove(catalog, &admin, id), IMPRINT_OK);
    }
    catalog_status(catalog, &status);
    assert_int_equal(status.entries, before.entries - 1001);
    catalog_close(catalog);
    assert_int_equal(umount(dir), 0);
}

int main(void)
{
    random_state = 20260103;
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        scratch_test(nothing_is_answered_before_the_list_is_loaded),
        scratch_test(what_was_acknowledged_survives_kill_9),
        scratch_test(a_damaged_list_is_not_served),
        scratch_test(no_removed_hash_is_left_after_compaction_while_serving),
        scratch_test(what_an_interrupted_compaction_left_is_overwritten),
        scratch_test(a_backup_is_a_list_of_its_own_without_removed_hashes),
        scratch_test(who_follows_the_changes_has_the_list),
        scratch_test(a_full_disk_refuses_adds_and_takes_removals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
