/* The list on disk: records come back as written after a reopen, everything derived follows an
 * entry, and damage of any kind (each bit of the file is a candidate) is noticed or does no harm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <lmdb.h>
#include <sodium.h>

#include "scratch.h"
#include "store.h"
#include "store_internal.h"

#define LIST_COUNT 3

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

static struct imprint_hash random_hash(void)
{
    struct imprint_hash hash;
    for (size_t i = 0; i < sizeof hash.bytes; i++) {
        hash.bytes[i] = (uint8_t)random_below(256);
    }
    return hash;
}

static struct store *open_at(const char *dir, size_t map_bytes)
{
    const struct store_options options = {.dir = dir, .map_bytes = map_bytes};
    const struct store_visitor nobody = {0};
    struct store *store = NULL;
    char finding[STORE_FINDING_BYTES];
    assert_int_equal(store_open(&options, &store), IMPRINT_OK);
    enum imprint_error error = store_check(store, &nobody, finding);
    assert_string_equal(finding, "");
    assert_int_equal(error, IMPRINT_OK);
    assert_int_equal(store_start(store), IMPRINT_OK);
    return store;
}

static struct store_txn *begin(struct store *store)
{
    struct store_txn *txn = NULL;
    assert_int_equal(store_begin_write(store, 4096, &txn), IMPRINT_OK);
    return txn;
}

static struct record_list list_of(const char *name)
{
    struct record_list list = {.state = RECORD_LIST_ACTIVE,
                               .kind = RECORD_LIST_BLOCK,
                               .threshold = 31,
                               .quality_floor = 50,
                               .expiry_days = 36500,
                               .created = 1700000000,
                               .action = "block",
                               .note = "a note",
                               .source = "a source"};
    snprintf(list.name, sizeof list.name, "%s", name);
    return list;
}

static struct store_entry entry_of(uint32_t list, const struct imprint_hash *hash)
{
    struct store_entry entry = {.is_direct = true};
    entry.record.list = list;
    entry.record.hash = *hash;
    entry.record.quality = 97;
    entry.record.actor = 1000;
    entry.record.added = 1700000001;
    snprintf(entry.record.note, sizeof entry.record.note, "note %u", random_below(1000));
    return entry;
}

static void records_come_back_as_written_after_a_reopen(void **state)
{
    const char *dir = *state;
    struct store *store = open_at(dir, 0);
    struct store_txn *txn = begin(store);
    struct record_list list = list_of("stopncii");
    assert_int_equal(store_list_insert(txn, &list), IMPRINT_OK);
    struct imprint_hash hash = random_hash();
    struct store_entry entry = entry_of(list.id, &hash);
    entry.record.disabled_until = INT64_MAX;
    entry.record.expires = 1800000000;
    memset(entry.record.note, 'n', LIMIT_NOTE_BYTES_MAX);
    assert_int_equal(store_entry_insert(txn, &entry), IMPRINT_OK);
    struct record_audit audit = {.time = 5, .uid = 7, .verb = RECORD_VERB_ENTRIES_ADD, .count = 1};
    memset(audit.reason, 'r', LIMIT_REASON_BYTES_MAX);
    assert_int_equal(store_audit_append(txn, &audit), IMPRINT_OK);
    struct record_case record = {.id = {{1, 2}}, .state = RECORD_CASE_ACTIVE, .items = 9};
    record.append_verifier[31] = 200;
    assert_int_equal(store_case_put(txn, &record), IMPRINT_OK);
    struct store_totals totals = store_totals(txn);
    assert_int_equal(store_commit(txn), IMPRINT_OK);
    store_close(store);

    store = open_at(dir, 0);
    assert_int_equal(store_begin_read(store, &txn), IMPRINT_OK);
    struct store_totals again = store_totals(txn);
    assert_memory_equal(&again, &totals, sizeof totals);
    struct record_list list_again;
    assert_int_equal(store_list_find(txn, "stopncii", &list_again), IMPRINT_OK);
    assert_string_equal(list_again.source, "a source");
    assert_int_equal(list_again.entries, 1);
    assert_int_equal(list_again.expiry_days, 36500);
    struct store_entry entry_again = {0};
    assert_int_equal(store_entry_find(txn, list.id, &hash, &entry_again), IMPRINT_OK);
    assert_memory_equal(&entry_again, &entry, sizeof entry);
    struct record_audit audit_again = {0};
    size_t count;
    assert_int_equal(store_audit(txn, 0, &audit_again, 1, &count), IMPRINT_OK);
    assert_memory_equal(&audit_again, &audit, sizeof audit);
    struct record_case record_again = {0};
    assert_int_equal(store_case_get(txn, &record.id, &record_again), IMPRINT_OK);
    assert_memory_equal(&record_again, &record, sizeof record);
    store_abort(txn);
    store_close(store);
}

static void an_aborted_transaction_leaves_nothing(void **state)
{
    struct store *store = open_at(*state, 0);
    struct store_txn *txn = begin(store);
    struct record_list list = list_of("gone");
    assert_int_equal(store_list_insert(txn, &list), IMPRINT_OK);
    assert_true(store_writes(txn) > 0);
    store_abort(txn);
    assert_int_equal(store_begin_read(store, &txn), IMPRINT_OK);
    assert_int_equal(store_list_find(txn, "gone", &list), IMPRINT_E_LIST_NOT_FOUND);
    assert_int_equal(store_totals(txn).seq, 0);
    store_abort(txn);
    store_close(store);
}

static void directory_and_files_are_the_owners_alone(void **state)
{
    char dir[4200];
    snprintf(dir, sizeof dir, "%s/made", (const char *)*state);
    struct store *store = open_at(dir, 0);
    struct stat status;
    assert_int_equal(stat(dir, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    static const char *const names[] = {"list.mdb", "list.mdb-lock"};
    for (size_t i = 0; i < 2; i++) {
        char path[4300];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    /* The lock file has its blocks: a sparse one would be a SIGBUS on a full disk. */
    assert_true((uint64_t)status.st_blocks * 512 >= (uint64_t)status.st_size);
    store_close(store);
}

static void a_second_process_is_kept_out(void **state)
{
    const char *dir = *state;
    struct store *store = open_at(dir, 0);
    struct store *second = NULL;
    const struct store_options options = {.dir = dir};
    assert_int_equal(store_open(&options, &second), IMPRINT_E_BUSY);
    assert_null(second);
    store_close(store);
    assert_int_equal(store_open(&options, &second), IMPRINT_OK);
    store_close(second);
}

/* Entries come and go in all the ways there are; store_check at each reopen proves that counts,
 * digests and derived rows followed. */
static void one_random_step(struct store_txn *txn, const uint32_t lists[LIST_COUNT])
{
    struct store_entry found;
    size_t count = 0;
    uint64_t after = random_below(200);
    assert_int_equal(store_entries(txn, 0, after, &found, 1, &count), IMPRINT_OK);
    const struct record_case_id id = {{(uint8_t)(1 + random_below(4))}};
    bool is_new;
    uint32_t dice = random_below(10);
    if (count == 0 || dice < 4) {
        struct imprint_hash hash = random_hash();
        struct store_entry entry = entry_of(lists[random_below(LIST_COUNT)], &hash);
        entry.record.expires = random_below(2) * random_below(100);
        entry.record.disabled_until = random_below(2) * random_below(100);
        assert_int_equal(store_entry_insert(txn, &entry), IMPRINT_OK);
    } else if (dice < 6) {
        struct store_entry next = found;
        next.record.expires = random_below(100);
        next.record.disabled_until = random_below(3) == 0 ? next.record.expires : INT64_MAX;
        assert_int_equal(store_entry_update(txn, &found, &next), IMPRINT_OK);
        assert_true(next.record.seq > found.record.seq);
    } else if (dice < 8) {
        assert_int_equal(store_case_link(txn, &id, &found, &is_new), IMPRINT_OK);
        if (!is_new) {
            assert_int_equal(store_case_unlink(txn, &id, &found), IMPRINT_OK);
        }
    } else {
        assert_int_equal(store_entry_remove(txn, &found), IMPRINT_OK);
        assert_int_equal(store_entry_get(txn, found.record.id, &found), IMPRINT_E_ENTRY_NOT_FOUND);
    }
}

static size_t count_times(struct store_txn *txn)
{
    static struct store_time times[4096];
    size_t count;
    assert_int_equal(store_times(txn, (struct store_time){0, 0}, INT64_MAX, times, 4096, &count),
                     IMPRINT_OK);
    for (size_t i = 1; i < count; i++) {
        assert_true(times[i - 1].time <= times[i].time);
    }
    return count;
}

static void expect_consistent(struct store_txn *txn)
{
    static struct store_entry entries[2000];
    static struct record_change changes[4000];
    size_t count;
    size_t change_count;
    assert_int_equal(store_entries(txn, 0, 0, entries, 2000, &count), IMPRINT_OK);
    assert_int_equal(store_changes(txn, 0, changes, 4000, &change_count), IMPRINT_OK);
    assert_int_equal(store_totals(txn).entries, count);
    size_t times = 0;
    size_t puts = 0;
    for (size_t i = 0; i < count; i++) {
        const struct record_entry *record = &entries[i].record;
        struct store_entry found;
        assert_int_equal(store_entry_find(txn, record->list, &record->hash, &found), IMPRINT_OK);
        assert_int_equal(found.record.id, record->id);
        times += record->expires > 0 && record->expires != record->disabled_until;
        times += record->disabled_until > 0 && record->disabled_until < INT64_MAX;
    }
    for (size_t i = 0; i < change_count; i++) {
        struct store_entry found;
        bool is_put = changes[i].kind == RECORD_CHANGE_PUT;
        puts += is_put;
        assert_int_equal(store_entry_get(txn, changes[i].entry, &found),
                         is_put ? IMPRINT_OK : IMPRINT_E_ENTRY_NOT_FOUND);
        assert_true(!is_put || found.record.seq == changes[i].seq);
    }
    assert_int_equal(puts, count);
    assert_int_equal(count_times(txn), times);
}

static void make_lists(struct store *store, uint32_t out_lists[LIST_COUNT])
{
    struct store_txn *txn = begin(store);
    for (size_t i = 0; i < LIST_COUNT; i++) {
        char name[8];
        snprintf(name, sizeof name, "l%zu", i);
        struct record_list list = list_of(name);
        assert_int_equal(store_list_insert(txn, &list), IMPRINT_OK);
        out_lists[i] = list.id;
    }
    assert_int_equal(store_commit(txn), IMPRINT_OK);
}

static void derived_rows_follow_their_entry_through_random_histories(void **state)
{
    const char *dir = *state;
    struct store *store = open_at(dir, 0);
    uint32_t lists[LIST_COUNT];
    make_lists(store, lists);
    struct store_txn *txn;
    for (int round = 0; round < 8; round++) {
        for (int commit = 0; commit < 4; commit++) {
            txn = begin(store);
            for (int step = 0; step < 40; step++) {
                one_random_step(txn, lists);
            }
            assert_int_equal(store_commit(txn), IMPRINT_OK);
        }
        store_close(store);
        store = open_at(dir, 0);
        assert_int_equal(store_begin_read(store, &txn), IMPRINT_OK);
        expect_consistent(txn);
        store_abort(txn);
    }
    store_close(store);
}

static enum imprint_error ignore_removed(void *ctx, const struct record_entry *entry)
{
    (void)entry;
    ++*(size_t *)ctx;
    return IMPRINT_OK;
}

static void clearing_a_list_leaves_one_change_and_the_withdrawn_cases(void **state)
{
    const char *dir = *state;
    struct store *store = open_at(dir, 0);
    uint32_t lists[LIST_COUNT];
    make_lists(store, lists);
    struct store_txn *txn = begin(store);
    for (int i = 0; i < 300; i++) {
        struct imprint_hash hash = random_hash();
        struct store_entry entry = entry_of(lists[i % 2], &hash);
        assert_int_equal(store_entry_insert(txn, &entry), IMPRINT_OK);
    }
    for (uint8_t i = 0; i < 20; i++) {
        struct record_case record = {.id = {{i}}, .list = lists[i % 2]};
        record.state = i < 10 ? RECORD_CASE_ACTIVE : RECORD_CASE_WITHDRAWN;
        assert_int_equal(store_case_put(txn, &record), IMPRINT_OK);
    }
    struct record_list list;
    assert_int_equal(store_list_get(txn, lists[0], &list), IMPRINT_OK);
    size_t removed = 0;
    assert_int_equal(store_list_clear(txn, &list, ignore_removed, &removed), IMPRINT_OK);
    assert_int_equal(removed, 150);
    assert_int_equal(store_list_remove(txn, &list), IMPRINT_OK);
    assert_int_equal(store_totals(txn).cases, 15);
    assert_int_equal(store_commit(txn), IMPRINT_OK);
    store_close(store);

    store = open_at(dir, 0);
    assert_int_equal(store_begin_read(store, &txn), IMPRINT_OK);
    static struct record_change changes[400];
    size_t count;
    assert_int_equal(store_changes(txn, 0, changes, 400, &count), IMPRINT_OK);
    assert_int_equal(count, 151);
    assert_int_equal(changes[150].kind, RECORD_CHANGE_LIST_REMOVED);
    assert_int_equal(changes[150].list, lists[0]);
    store_abort(txn);
    store_close(store);
}

static void the_map_grows_as_the_list_does(void **state)
{
    struct store *store = open_at(*state, (size_t)8 << 20);
    uint32_t lists[LIST_COUNT];
    make_lists(store, lists);
    for (int round = 0; round < 10; round++) {
        struct store_txn *txn = begin(store);
        for (int i = 0; i < 5000; i++) {
            struct imprint_hash hash = random_hash();
            struct store_entry entry = entry_of(lists[0], &hash);
            assert_int_equal(store_entry_insert(txn, &entry), IMPRINT_OK);
        }
        assert_int_equal(store_commit(txn), IMPRINT_OK);
    }
    uint64_t file_bytes;
    uint64_t used_bytes;
    store_size(store, &file_bytes, &used_bytes);
    assert_true(used_bytes > (uint64_t)8 << 20);
    store_close(store);
    /* A map smaller than the file is no obstacle either. */
    store = open_at(*state, (size_t)1 << 20);
    store_close(store);
}

static void a_full_map_changes_nothing_and_goes_on_after_growing(void **state)
{
    struct store *store = open_at(*state, (size_t)8 << 20);
    uint32_t lists[LIST_COUNT];
    make_lists(store, lists);
    struct store_txn *txn = begin(store);
    enum imprint_error error = IMPRINT_OK;
    for (int i = 0; i < 100000 && error == IMPRINT_OK; i++) {
        struct imprint_hash hash = random_hash();
        struct store_entry entry = entry_of(lists[0], &hash);
        error = store_entry_insert(txn, &entry);
    }
    assert_int_equal(error, IMPRINT_E_STORE_FULL);
    store_abort(txn);
    assert_true(store_grow(store));
    assert_false(store_grow(store));
    txn = begin(store);
    assert_int_equal(store_totals(txn).entries, 0);
    store_abort(txn);
    store_close(store);
}

/* As somebody would who knows the checksum key, but not that the chain covers the record. */
static void alter_audit_uid(struct store_txn *txn, uint64_t seq, uint32_t uid)
{
    struct store_row row;
    struct store_view view;
    store_row_init(&row, STORE_DB_AUDIT);
    store_row_key_number(&row, seq, 8);
    assert_int_equal(store_row_get(txn, &row, IMPRINT_E_INTERNAL, &view), IMPRINT_OK);
    uint8_t value[STORE_ROW_VALUE_MAX];
    memcpy(value, view.value, view.value_len);
    store_put_le(value + 4, uid, 4);
    store_row_bytes(&row, value, view.value_len);
    assert_int_equal(store_row_put(txn, &row), IMPRINT_OK);
}

static void an_audit_record_that_is_altered_breaks_the_chain(void **state)
{
    struct store *store = open_at(*state, 0);
    struct store_txn *txn = begin(store);
    for (uint32_t i = 0; i < 50; i++) {
        struct record_audit audit = {.uid = i, .verb = RECORD_VERB_ENTRY_REMOVE, .entry = i};
        snprintf(audit.reason, sizeof audit.reason, "reason %u", i);
        assert_int_equal(store_audit_append(txn, &audit), IMPRINT_OK);
    }
    uint64_t count;
    uint64_t bad;
    assert_int_equal(store_audit_verify(txn, &count, &bad), IMPRINT_OK);
    assert_int_equal(count, 50);
    alter_audit_uid(txn, 20, 4711);
    assert_int_equal(store_audit_verify(txn, &count, &bad), IMPRINT_E_STORE_DAMAGED);
    assert_int_equal(count, 19);
    assert_int_equal(bad, 20);
    store_abort(txn);
    store_close(store);
}

/* --- The document --------------------------------------------------------------------------------
 */

static MDB_val raw_get(MDB_txn *txn, const char *name, const void *key, size_t key_len)
{
    MDB_dbi dbi;
    MDB_val wanted = {key_len, (void *)(uintptr_t)key};
    MDB_val value = {0, NULL};
    assert_int_equal(mdb_dbi_open(txn, name, 0, &dbi), 0);
    assert_int_equal(mdb_get(txn, dbi, &wanted, &value), 0);
    return value;
}

static void expect_raw(MDB_txn *txn, uint8_t number, const char *name, const uint8_t *key,
                       size_t key_len, const uint8_t *bytes, size_t len)
{
    uint8_t covered[512];
    uint8_t sum[8];
    MDB_val secret = raw_get(txn, "meta", "key", 3);
    MDB_val value = raw_get(txn, name, key, key_len);
    assert_int_equal(value.mv_size, len + 8);
    assert_memory_equal(value.mv_data, bytes, len);
    covered[0] = number;
    memcpy(covered + 1, key, key_len);
    memcpy(covered + 1 + key_len, bytes, len);
    crypto_shorthash(sum, covered, 1 + key_len + len, (const uint8_t *)secret.mv_data + 1);
    assert_memory_equal((const uint8_t *)value.mv_data + len, sum, 8);
}

static void expect_documented_bytes(const char *path, const struct imprint_hash *hash)
{
    MDB_env *env;
    MDB_txn *txn;
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    const uint8_t id[] = {0, 0, 0, 0, 0, 0, 0, 1};
    uint8_t entry[83] = {1, 1, 97, 3, 1, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0, 0, 0,
                         2, 1, 0,  0, 0, 0, 0, 0, 3,    1, 0, 0, 0, 0, 0, 0,
                         4, 1, 0,  0, 0, 0, 0, 0, 1,    0, 0, 0, 0, 0, 0, 0};
    memcpy(entry + 48, hash->bytes, 32);
    memcpy(entry + 80, "abc", 3);
    expect_raw(txn, 3, "entries", id, 8, entry, sizeof entry);
    uint8_t place[36] = {0};
    memcpy(place, hash->bytes, 32);
    place[35] = 1;
    const uint8_t target[] = {1, 1, 0, 0, 0, 0, 0, 0};
    expect_raw(txn, 4, "hashes", place, 36, target, 8);
    const uint8_t expiry[] = {0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 1};
    const uint8_t mark[] = {1};
    expect_raw(txn, 5, "times", expiry, 16, mark, 1);
    const uint8_t change[] = {1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
    expect_raw(txn, 9, "changes", id, 8, change, sizeof change);
    const uint8_t name[] = {1, 1, 0, 0, 0};
    expect_raw(txn, 2, "names", (const uint8_t *)"l0", 2, name, sizeof name);
    const uint8_t format[] = {1, 1, 0, 0, 0};
    expect_raw(txn, 0, "meta", (const uint8_t *)"format", 6, format, sizeof format);
    mdb_txn_abort(txn);
    mdb_env_close(env);
}

static void the_file_is_as_documented(void **state)
{
    struct store *store = open_at(*state, 0);
    uint32_t lists[LIST_COUNT];
    make_lists(store, lists);
    struct imprint_hash hash = random_hash();
    struct store_entry entry = {.is_direct = true};
    entry.record = (struct record_entry){.list = lists[0],
                                         .hash = hash,
                                         .quality = 97,
                                         .actor = 1000,
                                         .added = 0x102,
                                         .disabled_until = 0x103,
                                         .expires = 0x104,
                                         .note = "abc"};
    struct store_txn *txn = begin(store);
    assert_int_equal(store_entry_insert(txn, &entry), IMPRINT_OK);
    assert_int_equal(store_commit(txn), IMPRINT_OK);
    store_close(store);
    char path[4200];
    snprintf(path, sizeof path, "%s/list.mdb", (const char *)*state);
    expect_documented_bytes(path, &hash);
}

static void each_database_stands_in_the_document(void **state)
{
    (void)state;
    static char text[1 << 16];
    FILE *file = fopen(IMPRINT_DOCS "/formats.md", "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    for (int db = 0; db < STORE_DB_COUNT; db++) {
        char row[64];
        snprintf(row, sizeof row, "| %d | `%s` |", db, store_db_names[db]);
        assert_non_null(strstr(text, row));
    }
}

/* --- Damage --------------------------------------------------------------------------------------
 */

struct image {
    char path[4300];
    uint8_t *bytes;
    size_t len; /* of the pages in use */
};

static struct image image_take(const char *dir, size_t used)
{
    struct image image = {.len = used};
    snprintf(image.path, sizeof image.path, "%s/list.mdb", dir);
    image.bytes = malloc(used);
    assert_non_null(image.bytes);
    FILE *file = fopen(image.path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(image.bytes, 1, used, file), used);
    fclose(file);
    return image;
}

/* Puts the file back as it was, but for one bit (none where at is beyond the end). */
static void image_put(const struct image *image, size_t at, unsigned bit)
{
    FILE *file = fopen(image->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fwrite(image->bytes, 1, image->len, file), image->len);
    if (at < image->len) {
        uint8_t byte = image->bytes[at] ^ (uint8_t)(1u << bit);
        fseek(file, (long)at, SEEK_SET);
        assert_int_equal(fwrite(&byte, 1, 1, file), 1);
    }
    fclose(file);
}

/* Everything the list holds, as one digest that does not know the order of pages. */
static uint64_t fingerprint(struct store_txn *txn)
{
    static struct store_entry entries[4000];
    static struct record_audit audit[400];
    static struct record_change changes[8000];
    uint64_t sum = 14695981039346656037u;
    size_t counts[3];
    memset(entries, 0, sizeof entries);
    memset(audit, 0, sizeof audit);
    assert_int_equal(store_entries(txn, 0, 0, entries, 4000, &counts[0]), IMPRINT_OK);
    assert_int_equal(store_audit(txn, 0, audit, 400, &counts[1]), IMPRINT_OK);
    assert_int_equal(store_changes(txn, 0, changes, 8000, &counts[2]), IMPRINT_OK);
    const struct {
        const void *bytes;
        size_t len;
    } parts[] = {{entries, counts[0] * sizeof entries[0]},
                 {audit, counts[1] * sizeof audit[0]},
                 {changes, counts[2] * sizeof changes[0]}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t at = 0; at < parts[i].len; at++) {
            sum = (sum ^ ((const uint8_t *)parts[i].bytes)[at]) * 1099511628211u;
        }
    }
    return sum;
}

/* Whether the damage is noticed. If not, the list must read as it did, take further changes, and
 * verify after them. */
static bool is_noticed(const char *dir, uint64_t expected)
{
    const struct store_options options = {.dir = dir, .reserve = 4096};
    const struct store_visitor nobody = {0};
    char finding[STORE_FINDING_BYTES];
    struct store *store = NULL;
    assert_int_equal(store_open(&options, &store), IMPRINT_OK);
    enum imprint_error error = store_check(store, &nobody, finding);
    if (error != IMPRINT_OK) {
        assert_int_equal(error, IMPRINT_E_STORE_DAMAGED);
        assert_true(finding[0] != '\0');
        store_close(store);
        return true;
    }
    assert_int_equal(store_start(store), IMPRINT_OK);
    struct store_txn *txn = begin(store);
    assert_true(fingerprint(txn) == expected);
    static struct store_entry entries[20];
    size_t count;
    assert_int_equal(store_entries(txn, 0, 0, entries, 20, &count), IMPRINT_OK);
    for (size_t i = 0; i < count; i++) {
        struct imprint_hash hash = random_hash();
        struct store_entry entry = entry_of(entries[i].record.list, &hash);
        assert_int_equal(store_entry_insert(txn, &entry), IMPRINT_OK);
        assert_int_equal(store_entry_remove(txn, &entries[i]), IMPRINT_OK);
    }
    assert_int_equal(store_commit(txn), IMPRINT_OK);
    assert_int_equal(store_check(store, &nobody, finding), IMPRINT_OK);
    store_close(store);
    return false;
}

/* A list with all kinds of records, branches in its trees and pages in its free list. */
static uint64_t make_rich_list(const char *dir, size_t *out_used)
{
    struct store *store = open_at(dir, 0);
    uint32_t lists[LIST_COUNT];
    make_lists(store, lists);
    struct store_txn *txn;
    for (int round = 0; round < 12; round++) {
        txn = begin(store);
        for (int step = 0; step < 60; step++) {
            one_random_step(txn, lists);
        }
        struct record_audit audit = {.verb = RECORD_VERB_ENTRIES_ADD, .count = 60};
        assert_int_equal(store_audit_append(txn, &audit), IMPRINT_OK);
        assert_int_equal(store_commit(txn), IMPRINT_OK);
    }
    assert_int_equal(store_begin_read(store, &txn), IMPRINT_OK);
    uint64_t sum = fingerprint(txn);
    store_abort(txn);
    uint64_t file_bytes;
    uint64_t used_bytes;
    store_size(store, &file_bytes, &used_bytes);
    *out_used = used_bytes;
    store_close(store);
    return sum;
}

static void a_flipped_bit_is_noticed_or_harmless(void **state)
{
    enum { META_BYTES = 152, FLIPS = 4500 };
    const char *dir = *state;
    size_t used;
    uint64_t expected = make_rich_list(dir, &used);
    struct image image = image_take(dir, used);
    size_t noticed = 0;
    for (size_t i = 0; i < FLIPS; i++) {
        /* Each bit of both meta pages, then bits anywhere. */
        size_t bit = i < 2u * META_BYTES * 8 ? i % (META_BYTES * 8) : random_below(8 * 4096);
        size_t page =
            i < 2u * META_BYTES * 8 ? i / (META_BYTES * 8) : random_below((uint32_t)(used / 4096));
        image_put(&image, page * 4096 + bit / 8, bit % 8);
        noticed += is_noticed(dir, expected);
    }
    image_put(&image, SIZE_MAX, 0);
    assert_false(is_noticed(dir, expected));
    print_message("%zu of %d flips noticed, the others harmless\n", noticed, FLIPS);
    /* Half of the pages hold nothing, most of a meta page is looked at by nobody. */
    assert_true(noticed > FLIPS / 4);
    free(image.bytes);
}

/* The free list names pages in use: LMDB would hand them out and overwrite a record. */
static void a_free_list_that_names_a_page_in_use_is_noticed(void **state)
{
    const char *dir = *state;
    size_t used;
    uint64_t expected = make_rich_list(dir, &used);
    struct image image = image_take(dir, used);
    size_t altered = 0;
    size_t newest =
        store_get_le(image.bytes + 144, 8) > store_get_le(image.bytes + 4096 + 144, 8) ? 0 : 4096;
    uint8_t *page = image.bytes + store_get_le(image.bytes + newest + 80, 8) * 4096;
    assert_int_equal(store_get_le(page + 10, 2), 2); /* the free list is a single leaf */
    size_t count = (store_get_le(page + 12, 2) - 16) / 2;
    for (size_t i = 0; i < count; i++) {
        uint8_t *node = page + store_get_le(page + 16 + 2 * i, 2);
        uint8_t *list = node + 8 + store_get_le(node + 6, 2);
        for (uint64_t n = 1; n <= store_get_le(list, 8); n++, altered++) {
            uint64_t was = store_get_le(list + 8 * n, 8);
            store_put_le(list + 8 * n, store_get_le(image.bytes + newest + 128, 8), 8);
            image_put(&image, SIZE_MAX, 0);
            assert_true(is_noticed(dir, expected));
            store_put_le(list + 8 * n, was, 8);
        }
    }
    assert_true(altered > 0);
    image_put(&image, SIZE_MAX, 0);
    assert_false(is_noticed(dir, expected));
    free(image.bytes);
}

static void a_file_cut_short_anywhere_is_noticed(void **state)
{
    const char *dir = *state;
    size_t used;
    uint64_t expected = make_rich_list(dir, &used);
    struct image image = image_take(dir, used);
    for (size_t len = 0; len < used; len += 1777) {
        assert_int_equal(truncate(image.path, (off_t)len), 0);
        assert_true(is_noticed(dir, expected));
        image_put(&image, SIZE_MAX, 0);
    }
    assert_false(is_noticed(dir, expected));
    free(image.bytes);
}

static void a_file_of_something_else_is_no_list(void **state)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/list.mdb", (const char *)*state);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 20000; i++) {
        fputc((int)random_below(256), file);
    }
    fclose(file);
    assert_true(is_noticed(*state, 0));
}

static bool visit_and_die(void *ctx, const struct record_list *list)
{
    (void)ctx;
    (void)list;
    abort();
}

static void a_process_that_dies_of_the_list_is_the_finding(void **state)
{
    size_t used;
    (void)make_rich_list(*state, &used);
    const struct store_options options = {.dir = *state};
    const struct store_visitor deadly = {.list = visit_and_die};
    const struct store_visitor nobody = {0};
    char finding[STORE_FINDING_BYTES];
    struct store *store = NULL;
    assert_int_equal(store_open(&options, &store), IMPRINT_OK);
    assert_int_equal(store_verify(store, &deadly, finding), IMPRINT_E_STORE_DAMAGED);
    assert_non_null(strstr(finding, "died"));
    assert_int_equal(store_verify(store, &nobody, finding), IMPRINT_OK);
    assert_string_equal(finding, "");
    store_close(store);
}

int main(void)
{
    random_state = 20260101;
    const struct CMUnitTest tests[] = {
        scratch_test(records_come_back_as_written_after_a_reopen),
        scratch_test(an_aborted_transaction_leaves_nothing),
        scratch_test(directory_and_files_are_the_owners_alone),
        scratch_test(a_second_process_is_kept_out),
        scratch_test(derived_rows_follow_their_entry_through_random_histories),
        scratch_test(clearing_a_list_leaves_one_change_and_the_withdrawn_cases),
        scratch_test(the_map_grows_as_the_list_does),
        scratch_test(a_full_map_changes_nothing_and_goes_on_after_growing),
        scratch_test(an_audit_record_that_is_altered_breaks_the_chain),
        scratch_test(the_file_is_as_documented),
        scratch_test(each_database_stands_in_the_document),
        scratch_test_fast(a_flipped_bit_is_noticed_or_harmless),
        scratch_test_fast(a_free_list_that_names_a_page_in_use_is_noticed),
        scratch_test_fast(a_file_cut_short_anywhere_is_noticed),
        scratch_test(a_file_of_something_else_is_no_list),
        scratch_test(a_process_that_dies_of_the_list_is_the_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
