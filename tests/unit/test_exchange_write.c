/* Writing: each format is the bytes of a hand-made file, the signed one made with other programs
 * than libsodium; what was written reads as the same records; a full disk is an error, not a silent
 * end. */
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

struct output {
    char bytes[1 << 16];
    size_t len;
    size_t room; /* an error from there on */
};

static enum imprint_error output_write(void *context, const void *bytes, size_t len)
{
    struct output *output = context;
    if (len > output->room - output->len) {
        return IMPRINT_E_IO;
    }
    memcpy(output->bytes + output->len, bytes, len);
    output->len += len;
    return IMPRINT_OK;
}

static void record_text(char *field, const char *text)
{
    snprintf(field, EXCHANGE_TEXT_BYTES_MAX + 1, "%s", text);
}

static struct exchange_record record_make(enum exchange_verb verb, const char *hex)
{
    struct exchange_record record;
    exchange_record_init(&record);
    record.verb = verb;
    if (hex != NULL) {
        record.has_hash = true;
        assert_int_equal(imprint_hash_from_hex(hex, strlen(hex), &record.hash), IMPRINT_OK);
    }
    return record;
}

#define HASH_A "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"
#define HASH_B "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"
#define HASH_C "9c151c3af838278e3ef57c180c7d031c07aefd12f2ccc1e18f2a1e1c7d0ff163"

/* The records of native_signed.jsonl. */
static size_t records_make(struct exchange_record records[4])
{
    records[0] = record_make(EXCHANGE_ADD, HASH_A);
    records[0].quality = 97;
    records[0].updated = 1690000000;
    records[0].expires = 1800000000;
    records[0].disabled_until = 1710000000;
    records[0].seq = 9;
    record_text(records[0].id, "case-1");
    record_text(records[0].name, "she said \"no\"");
    record_text(records[0].tags, "one two");
    record_text(records[0].status, "Active");
    records[1] = record_make(EXCHANGE_REMOVE, HASH_B);
    records[1].seq = 10;
    records[2] = record_make(EXCHANGE_REMOVE, NULL);
    records[2].seq = 11;
    record_text(records[2].id, "42/image4");
    records[3] = record_make(EXCHANGE_ADD, HASH_C);
    records[3].seq = 12;
    record_text(records[3].name, "caf\xc3\xa9\n");
    return 4;
}

static enum imprint_error write_records(const struct exchange_writer_options *options,
                                        const struct exchange_record *records, size_t count,
                                        uint64_t *out_left_out)
{
    struct exchange_writer *writer;
    enum imprint_error error = exchange_writer_open(options, &writer);
    if (error != IMPRINT_OK) {
        return error;
    }
    for (size_t i = 0; i < count && error == IMPRINT_OK; i++) {
        error = exchange_writer_put(writer, &records[i]);
    }
    if (error == IMPRINT_OK) {
        error = exchange_writer_finish(writer);
    }
    *out_left_out = exchange_writer_left_out(writer);
    exchange_writer_close(writer);
    return error;
}

static void assert_is_file(const struct output *output, const char *name)
{
    size_t len;
    uint8_t *bytes = exchange_dump_file(IMPRINT_TEST_DATA, name, &len);
    assert_int_equal(output->len, len);
    assert_memory_equal(output->bytes, bytes, len);
    free(bytes);
}

static void secret_of_seed(uint8_t secret[EXCHANGE_SECRET_BYTES])
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    uint8_t key[EXCHANGE_KEY_BYTES];
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    crypto_sign_seed_keypair(key, secret, seed);
}

static struct exchange_writer_options native_options(struct output *output, const uint8_t *secret)
{
    return (struct exchange_writer_options){
        .format = "imprint",
        .write = output_write,
        .context = output,
        .list = "ncii",
        .epoch = "0123456789abcdef0123456789abcdef",
        .since = 7,
        .seq = 12,
        .created = 1700000000,
        .secret_key = secret,
    };
}

static void native_is_byte_for_byte_what_other_programs_sign(void **state)
{
    (void)state;
    static struct output output = {.room = sizeof output.bytes};
    uint8_t secret[EXCHANGE_SECRET_BYTES];
    secret_of_seed(secret);
    const struct exchange_writer_options options = native_options(&output, secret);
    struct exchange_record records[4];
    const size_t count = records_make(records);
    uint64_t left_out;
    assert_int_equal(write_records(&options, records, count, &left_out), IMPRINT_OK);
    assert_int_equal(left_out, 0);
    assert_is_file(&output, "native_signed.jsonl");
}

static void native_reads_as_the_records_that_were_written(void **state)
{
    (void)state;
    static struct output output = {.room = sizeof output.bytes};
    const struct exchange_writer_options options = native_options(&output, NULL);
    struct exchange_record record = record_make(EXCHANGE_ADD, HASH_A);
    memset(record.name, 1, EXCHANGE_TEXT_BYTES_MAX);
    record.name[EXCHANGE_TEXT_BYTES_MAX] = '\0';
    memcpy(record.id, record.name, sizeof record.id);
    memcpy(record.tags, record.name, sizeof record.tags);
    memcpy(record.status, record.name, sizeof record.status);
    uint64_t left_out;
    assert_int_equal(write_records(&options, &record, 1, &left_out), IMPRINT_OK);
    struct exchange_dump dump;
    exchange_dump_read(&dump, NULL, NULL, (const uint8_t *)output.bytes, output.len, output.len);
    assert_int_equal(dump.error, IMPRINT_OK);
    assert_int_equal(dump.summary.adds, 1);
    assert_int_equal(dump.summary.noted, 0);
    assert_null(strstr(dump.text, "signed"));
    exchange_dump_done(&dump);
}

static void the_plain_formats_leave_out_what_they_cannot_say(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        const char *file;
        uint64_t left_out;
    } cases[] = {
        {"hex", "out.list", 2},
        {"tx", "out.csv", 2},
        {"stopncii-feedback", "out_feedback.json", 4},
    };
    struct exchange_record records[6];
    size_t count = records_make(records);
    records[count] = record_make(EXCHANGE_ADD, HASH_B);
    record_text(records[count].status, "DISPUTED");
    record_text(records[count++].tags, "a,\"b\"");
    records[count] = record_make(EXCHANGE_ADD, HASH_C);
    record_text(records[count].status, "wrong");
    record_text(records[count++].tags, " two  tags ");
    record_text(records[3].status, "confirmed");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct output output;
        output = (struct output){.room = sizeof output.bytes};
        const struct exchange_writer_options options = {
            .format = cases[i].format,
            .write = output_write,
            .context = &output,
            .list = "partner, one",
        };
        uint64_t left_out;
        assert_int_equal(write_records(&options, records, count, &left_out), IMPRINT_OK);
        assert_int_equal(left_out, cases[i].left_out);
        assert_is_file(&output, cases[i].file);
    }
}

static void records_that_are_no_change_are_left_out(void **state)
{
    (void)state;
    static struct output output = {.room = sizeof output.bytes};
    const struct exchange_writer_options options = native_options(&output, NULL);
    const struct exchange_record records[2] = {
        record_make(EXCHANGE_SKIP, HASH_A),
        record_make(EXCHANGE_INVALID, HASH_B),
    };
    uint64_t left_out;
    assert_int_equal(write_records(&options, records, 2, &left_out), IMPRINT_OK);
    assert_int_equal(left_out, 2);
    assert_null(memmem(output.bytes, output.len, HASH_A, 64));
}

static void a_full_disk_is_an_error_wherever_it_fills(void **state)
{
    (void)state;
    static struct output output;
    uint8_t secret[EXCHANGE_SECRET_BYTES];
    secret_of_seed(secret);
    struct exchange_record records[4];
    const size_t count = records_make(records);
    const struct exchange_writer_options options = native_options(&output, secret);
    uint64_t left_out;
    output = (struct output){.room = sizeof output.bytes};
    assert_int_equal(write_records(&options, records, count, &left_out), IMPRINT_OK);
    const size_t needed = output.len;
    for (size_t room = 0; room < needed; room += 13) {
        output = (struct output){.room = room};
        assert_int_equal(write_records(&options, records, count, &left_out), IMPRINT_E_IO);
    }
}

static void unknown_formats_and_values_are_refused(void **state)
{
    (void)state;
    static struct output output = {.room = sizeof output.bytes};
    struct exchange_writer_options options = native_options(&output, NULL);
    struct exchange_writer *writer = NULL;
    options.format = "xlsx";
    assert_int_equal(exchange_writer_open(&options, &writer), IMPRINT_E_PARAMETER_INVALID);
    options.format = "tx";
    options.default_status = "Blocked";
    assert_int_equal(exchange_writer_open(&options, &writer), IMPRINT_E_PARAMETER_INVALID);
    options.format = "stopncii-feedback";
    options.default_status = "DISPUTED";
    assert_int_equal(exchange_writer_open(&options, &writer), IMPRINT_E_PARAMETER_INVALID);
    assert_null(writer);
    exchange_writer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(native_is_byte_for_byte_what_other_programs_sign),
        cmocka_unit_test(native_reads_as_the_records_that_were_written),
        cmocka_unit_test(the_plain_formats_leave_out_what_they_cannot_say),
        cmocka_unit_test(records_that_are_no_change_are_left_out),
        cmocka_unit_test(a_full_disk_is_an_error_wherever_it_fills),
        cmocka_unit_test(unknown_formats_and_values_are_refused),
    };
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
