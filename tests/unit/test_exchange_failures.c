/* Every allocation of the readers and of jansson is failed in turn: each failure is out of memory
 * and nothing else, never a record less; what was taken is given back (the sanitizer's build
 * looks). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "exchange_dump.h"

static const char *const files[] = {
    "hex.list",
    "pdq.list",
    "base64.list",
    "csv_quality.csv",
    "tx.csv",
    "vics_1.json",
    "stopncii_pages.json",
    "vics_2.json",
    "native_signed.jsonl",
    "ncmec.xml",
};

static long allocations_left; /* the one after these fails; negative: none does */
static bool is_watching;
static bool has_failed;

static bool allocation_fails(void)
{
    if (!is_watching || allocations_left < 0) {
        return false;
    }
    if (allocations_left-- > 0) {
        return false;
    }
    has_failed = true;
    return true;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return allocation_fails() ? NULL : __real_aligned_alloc(alignment, size);
}

static enum imprint_error count_record(void *context, const struct exchange_record *record)
{
    (void)record;
    *(uint64_t *)context += 1;
    return IMPRINT_OK;
}

static enum imprint_error read_watched(const uint8_t *bytes, size_t len, uint64_t *out_records)
{
    *out_records = 0;
    const struct exchange_reader_options options = {.on_record = count_record,
                                                    .context = out_records};
    struct exchange_reader *reader = NULL;
    is_watching = true;
    enum imprint_error error = exchange_reader_open(&options, &reader);
    if (error == IMPRINT_OK) {
        error = exchange_reader_feed(reader, bytes, len);
    }
    if (error == IMPRINT_OK) {
        error = exchange_reader_finish(reader);
    }
    exchange_reader_close(reader);
    is_watching = false;
    return error;
}

static void each_failed_allocation_is_out_of_memory(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t len;
        uint64_t all;
        uint64_t records;
        uint8_t *bytes = exchange_dump_file(IMPRINT_TEST_DATA, files[i], &len);
        allocations_left = -1;
        assert_int_equal(read_watched(bytes, len, &all), IMPRINT_OK);
        for (long n = 0;; n++) {
            allocations_left = n;
            has_failed = false;
            const enum imprint_error error = read_watched(bytes, len, &records);
            if (!has_failed) {
                assert_int_equal(error, IMPRINT_OK);
                assert_int_equal(records, all);
                break;
            }
            if (error != IMPRINT_E_NOMEM) {
                fail_msg("%s: allocation %ld failed and %s came of it", files[i], n,
                         imprint_error_name(error));
            }
            failures++;
        }
        free(bytes);
    }
    print_message("%zu allocations failed\n", failures);
    assert_true(failures > 20);
}

static enum imprint_error write_nothing(void *context, const void *bytes, size_t len)
{
    (void)context;
    (void)bytes;
    (void)len;
    return IMPRINT_OK;
}

static void a_writer_that_has_no_memory_says_so(void **state)
{
    (void)state;
    struct exchange_writer *writer = NULL;
    const struct exchange_writer_options options = {.format = "hex", .write = write_nothing};
    allocations_left = 0;
    is_watching = true;
    const enum imprint_error error = exchange_writer_open(&options, &writer);
    is_watching = false;
    assert_int_equal(error, IMPRINT_E_NOMEM);
    assert_null(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failed_allocation_is_out_of_memory),
        cmocka_unit_test(a_writer_that_has_no_memory_says_so),
    };
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
