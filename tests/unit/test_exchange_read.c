/* Reading other organisations' formats: each hand-made file of tests/data/exchange gives the
 * records written down beside it, however the input is split; a document that is cut anywhere is an
 * error; hostile shapes are errors too, and cost bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <sodium.h>

#include "exchange_dump.h"

#define HASH_A "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"

static const struct {
    const char *name;
    const char *format;
    bool is_document; /* has an end of its own: any shorter input is an error */
} goldens[] = {
    {"hex.list", "hex", false},
    {"pdq.list", "pdq", false},
    {"base64.list", "base64", false},
    {"csv_quality.csv", "csv", false},
    {"csv_name.csv", "csv", false},
    {"csv_header.csv", "csv", false},
    {"tx.csv", "tx", false},
    {"stopncii.json", "stopncii", true},
    {"stopncii_pages.json", "stopncii", false}, /* its first page is whole by itself */
    {"ncmec.xml", "ncmec", true},
    {"ncmec_empty.xml", "ncmec", true},
    {"vics_1.json", "vics", true},
    {"vics_2.json", "vics", true},
    {"native_signed.jsonl", "imprint", true},
    {"native_odd.jsonl", "imprint", true},
};

#define GOLDEN_COUNT (sizeof goldens / sizeof goldens[0])

static size_t length_without_blanks(const uint8_t *bytes, size_t len)
{
    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r' || bytes[len - 1] == ' ')) {
        len--;
    }
    return len;
}

/* --- Golden files ---------------------------------------------------------------------------- */

static void each_file_gives_the_records_written_down_beside_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s.records", goldens[i].name);
        size_t len;
        size_t expected_len;
        uint8_t *bytes = exchange_dump_file(IMPRINT_TEST_DATA, goldens[i].name, &len);
        uint8_t *expected = exchange_dump_file(IMPRINT_TEST_DATA, name, &expected_len);
        expected[expected_len] = '\0';
        struct exchange_dump dump;
        exchange_dump_read(&dump, NULL, NULL, bytes, len, len);
        assert_string_equal(dump.text, (const char *)expected);
        exchange_dump_done(&dump);
        free(expected);
        free(bytes);
    }
}

static void every_split_gives_the_same_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        size_t len;
        uint8_t *bytes = exchange_dump_file(IMPRINT_TEST_DATA, goldens[i].name, &len);
        struct exchange_dump whole;
        exchange_dump_read(&whole, goldens[i].format, NULL, bytes, len, len);
        for (size_t step = 1; step < len; step += step < 70 ? 1 : 97) {
            struct exchange_dump split;
            exchange_dump_read(&split, goldens[i].format, NULL, bytes, len, step);
            assert_string_equal(split.text, whole.text);
            exchange_dump_done(&split);
        }
        exchange_dump_done(&whole);
        free(bytes);
    }
}

static void a_document_cut_anywhere_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        size_t len;
        uint8_t *bytes = exchange_dump_file(IMPRINT_TEST_DATA, goldens[i].name, &len);
        const size_t end = goldens[i].is_document ? length_without_blanks(bytes, len) : 0;
        for (size_t cut = 0; cut < end; cut++) {
            struct exchange_dump dump;
            exchange_dump_read(&dump, goldens[i].format, NULL, bytes, cut, len);
            if (dump.error == IMPRINT_OK) {
                fail_msg("%s cut at %zu was read as whole", goldens[i].name, cut);
            }
            exchange_dump_done(&dump);
        }
        free(bytes);
    }
}

static void a_changed_byte_of_a_native_file_is_an_error(void **state)
{
    (void)state;
    size_t len;
    uint8_t *bytes = exchange_dump_file(IMPRINT_TEST_DATA, "native_signed.jsonl", &len);
    for (size_t at = 0; at + 1 < len; at++) {
        const uint8_t before = bytes[at];
        bytes[at] = before == '1' ? '2' : '1';
        struct exchange_dump dump;
        exchange_dump_read(&dump, "imprint", NULL, bytes, len, len);
        if (dump.error == IMPRINT_OK) {
            fail_msg("byte %zu changed without notice", at);
        }
        exchange_dump_done(&dump);
        bytes[at] = before;
    }
    free(bytes);
}

/* --- Signatures ------------------------------------------------------------------------------ */

static void only_the_trusted_key_is_trusted(void **state)
{
    (void)state;
    uint8_t seed[crypto_sign_SEEDBYTES];
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    uint8_t key[EXCHANGE_KEY_BYTES];
    uint8_t secret[EXCHANGE_SECRET_BYTES];
    crypto_sign_seed_keypair(key, secret, seed);
    size_t len;
    uint8_t *bytes = exchange_dump_file(IMPRINT_TEST_DATA, "native_signed.jsonl", &len);
    struct exchange_dump dump;
    exchange_dump_read(&dump, "imprint", key, bytes, len, len);
    assert_int_equal(dump.error, IMPRINT_OK);
    exchange_dump_done(&dump);
    key[0] ^= 1;
    exchange_dump_read(&dump, "imprint", key, bytes, len, len);
    assert_non_null(strstr(dump.text, "another key than the trusted one"));
    exchange_dump_done(&dump);
    free(bytes);
    bytes = exchange_dump_file(IMPRINT_TEST_DATA, "native_odd.jsonl", &len);
    exchange_dump_read(&dump, "imprint", key, bytes, len, len);
    assert_non_null(strstr(dump.text, "the file is not signed"));
    exchange_dump_done(&dump);
    free(bytes);
}

/* --- Hostile and odd shapes ------------------------------------------------------------------ */

static void assert_reading_says(const char *format, const char *text, size_t len, const char *said)
{
    struct exchange_dump dump;
    exchange_dump_read(&dump, format, NULL, (const uint8_t *)text, len, len > 0 ? len : 1);
    if (strstr(dump.text, said) == NULL) {
        fail_msg("not said: %s\nbut: %s", said, dump.text);
    }
    exchange_dump_done(&dump);
}

static void what_is_no_list_is_said_to_be_none(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        const char *text;
        const char *said;
    } cases[] = {
        {NULL, "", "the file is empty"},
        {NULL, "Dear partner, please find attached", "cannot be told"},
        {NULL,
         "\xff\xfe"
         "d\0008",
         "UTF-16"},
        {"hex", "", "hex whole"},
        {"tx", "", "names the columns is missing"},
        {"tx", "signal_str\n", "does not name the columns"},
        {"tx", "signal_type,signal_str\npdq,\"d8", "a quoted field begins here and does not end"},
        {"stopncii", "[]", "a JSON object does not begin here"},
        {"stopncii", "{}", "no array \"hashRecords\""},
        {"stopncii", "{\"hashRecords\":[1]}", "a record that is an object is missing"},
        {"stopncii", "{\"hashRecords\":[{},]}", "a record that is an object is missing"},
        {"stopncii", "{\"hashRecords\":[{}{}]}", "a record that is an object is missing"},
        {"stopncii", "{\"hashRecords\":[,]}", "a record that is an object is missing"},
        {"stopncii", "{\"hash\\u0052ecords\":[{}]}", "no array \"hashRecords\""},
        {"stopncii", "{\"hashRecords\":[],\"hashRecords\":[]}", "not JSON: duplicate"},
        {"stopncii", "{\"a\":{\"hashRecords\":[{}]}}", "no array \"hashRecords\""},
        {"stopncii", "{\"hashRecords\":[]}}", "a JSON object does not begin here"},
        {"stopncii", "{\"hashRecords\":[}", "is missing here"},
        {"stopncii", "{\"a\":[}", "a bracket is closed that was not opened"},
        {"stopncii", "{\"hashRecords\":[{}]:[1]}", "not JSON"},
        {"stopncii", "{\"hashRecords\":[{\"signalType\":1}]} x", "does not begin here"},
        {"stopncii", "{\"hashRecords\":[]} {\"hashRecords\":[", "ends within a JSON document"},
        {"vics", "{\"value\":[{\"\\u004dedia\":[{}]}]}", "media were not recognised"},
        {"ncmec", "<status/>", "not a queryResult"},
        {"ncmec", "<queryResult></images>", "not XML, or not all of it"},
        {"ncmec", "<!DOCTYPE a [<!ENTITY b \"c\">]><queryResult>&b;</queryResult>", "refused"},
        {"ncmec", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><queryResult/>", "refused"},
        {"imprint", "{\"format\":\"imprint-list\",\"version\":2}\n", "another version"},
        {"imprint", "{\"format\":\"other\"}\n", "does not say"},
        {"imprint", "\n", "does not say"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t len = strncmp(cases[i].text, "\xff\xfe", 2) == 0 ? 4 : strlen(cases[i].text);
        assert_reading_says(cases[i].format, cases[i].text, len, cases[i].said);
    }
}

/* begin, then middle again and again up to len bytes, then end. */
static char *repeated(const char *begin, const char *middle, const char *end, size_t len)
{
    char *text = malloc(len + strlen(begin) + strlen(middle) + strlen(end) + 1);
    assert_non_null(text);
    size_t at = strlen(begin);
    memcpy(text, begin, at);
    while (at < len) {
        memcpy(text + at, middle, strlen(middle));
        at += strlen(middle);
    }
    memcpy(text + at, end, strlen(end) + 1);
    return text;
}

static void assert_repetition_says(const char *format, const char *begin, const char *middle,
                                   const char *end, size_t len, const char *said)
{
    char *text = repeated(begin, middle, end, len);
    assert_reading_says(format, text, strlen(text), said);
    free(text);
}

static void what_is_too_long_or_too_deep_is_refused(void **state)
{
    (void)state;
    const size_t much = (size_t)3 << 20;
    assert_repetition_says("hex", "", "ab", "\n" HASH_A "\n", much, "1 invalid: longer than");
    assert_repetition_says("hex", "", "ab", "\n" HASH_A "\n", much, "2 add " HASH_A);
    assert_repetition_says("csv", HASH_A ",1\n", "ab", "\n" HASH_A "\n", much, "3 add " HASH_A);
    assert_repetition_says("tx", "signal_type,signal_str\npdq,\"", "ab\n", "", much,
                           "line 2, byte 23: a quoted field begins here");
    assert_repetition_says("tx", "signal_type,signal_str\npdq,", "ab", "\npdq," HASH_A, much,
                           "3 add " HASH_A);
    assert_repetition_says("stopncii", "{\"hashRecords\":[{\"a\":\"", "ab", "\"}]}", much,
                           "1 invalid: longer than");
    assert_repetition_says("stopncii", "{\"a\":\"", "ab", "\",\"hashRecords\":[]}", much,
                           "around its records is too long");
    assert_repetition_says("stopncii", "{\"hashRecords\":[{\"a\":", "[", "", 1000, "too deeply");
    assert_repetition_says("ncmec", "<queryResult>", "<a>", "", 1000, "too deeply");
    assert_repetition_says("ncmec", "<queryResult a=\"", "ab", "\"/>", much, "a tag is longer");
    assert_repetition_says("ncmec", "<queryResult><images><image><id>", "ab",
                           "</id><member id=\"1\"/></image></images></queryResult>", much,
                           "longer than any proper record =[id]");
    assert_repetition_says("imprint", "", "ab", "", much, "a line is longer");
}

static void different_names_are_limited(void **state)
{
    (void)state;
    char *text = malloc((size_t)1 << 16);
    assert_non_null(text);
    size_t len = (size_t)snprintf(text, 64, "<queryResult>");
    for (int i = 0; i < 600; i++) {
        len += (size_t)snprintf(text + len, 64, "<a%d b%d=\"\"/>", i, i);
    }
    assert_reading_says("ncmec", text, len, "too many different names");
    free(text);
}

static enum imprint_error stop_at_once(void *context, const struct exchange_record *record)
{
    (void)record;
    *(int *)context += 1;
    return IMPRINT_E_BUSY;
}

static void the_callers_error_ends_the_reading(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOLDEN_COUNT; i++) {
        size_t len;
        uint8_t *bytes = exchange_dump_file(IMPRINT_TEST_DATA, goldens[i].name, &len);
        int calls = 0;
        const struct exchange_reader_options options = {.on_record = stop_at_once,
                                                        .context = &calls};
        struct exchange_reader *reader;
        assert_int_equal(exchange_reader_open(&options, &reader), IMPRINT_OK);
        enum imprint_error error = exchange_reader_feed(reader, bytes, len);
        if (error == IMPRINT_OK) {
            error = exchange_reader_finish(reader);
        }
        const bool has_records = strcmp(goldens[i].name, "ncmec_empty.xml") != 0;
        assert_int_equal(error, has_records ? IMPRINT_E_BUSY : IMPRINT_OK);
        assert_int_equal(calls, has_records ? 1 : 0);
        if (has_records) {
            assert_int_equal(exchange_reader_feed(reader, bytes, len), error);
        }
        exchange_reader_close(reader);
        free(bytes);
    }
}

static void unknown_formats_are_refused_and_known_ones_listed(void **state)
{
    (void)state;
    struct exchange_reader *reader = NULL;
    const struct exchange_reader_options options = {.format = "docx", .on_record = stop_at_once};
    assert_int_equal(exchange_reader_open(&options, &reader), IMPRINT_E_PARAMETER_INVALID);
    assert_null(reader);
    exchange_reader_close(NULL);
    size_t count = 0;
    while (exchange_format_name(count) != NULL) {
        assert_non_null(exchange_format_summary(count));
        count++;
    }
    assert_int_equal(count, 9);
}

static void a_long_text_is_cut_at_a_character_and_the_record_says_so(void **state)
{
    (void)state;
    /* 255 bytes do not hold a whole number of two-byte characters. */
    char *text = repeated(HASH_A " ", "\xc3\xa9", "\n", 64 + 1 + 300);
    struct exchange_dump dump;
    exchange_dump_read(&dump, "hex", NULL, (const uint8_t *)text, strlen(text), 1000);
    assert_non_null(strstr(dump.text, "\xa9]: kept, with a text that was cut short =[name]"));
    assert_int_equal(dump.summary.adds, 1);
    assert_int_equal(dump.summary.noted, 1);
    exchange_dump_done(&dump);
    free(text);
}

static void the_summary_keeps_invalid_records_before_noted_ones(void **state)
{
    (void)state;
    struct exchange_summary *summary = calloc(1, sizeof *summary);
    assert_non_null(summary);
    struct exchange_record record;
    exchange_record_init(&record);
    for (uint64_t line = 1; line <= 60; line++) {
        record.line = line;
        record.verb = line <= 30 ? EXCHANGE_ADD : EXCHANGE_INVALID;
        record.reason = line <= 30 ? EXCHANGE_REASON_SHORTENED : EXCHANGE_REASON_HASH;
        exchange_summary_count(summary, &record);
        if (line == 31) {
            assert_int_equal(summary->issues[EXCHANGE_ISSUES_MAX - 1].line, 31);
            assert_int_equal(summary->issues[0].line, 1);
        }
    }
    assert_int_equal(summary->invalid, 30);
    assert_int_equal(summary->noted, 30);
    assert_int_equal(summary->by_reason[EXCHANGE_REASON_HASH], 30);
    assert_int_equal(summary->issue_count, EXCHANGE_ISSUES_MAX);
    for (size_t i = 0; i < EXCHANGE_ISSUES_MAX; i++) {
        assert_int_equal(summary->issues[i].line, 31 + i);
    }
    free(summary);
}

/* --- Memory ---------------------------------------------------------------------------------- */

static enum imprint_error count_adds(void *context, const struct exchange_record *record)
{
    *(uint64_t *)context += record->verb == EXCHANGE_ADD;
    return IMPRINT_OK;
}

/* begin once, then record a million times in pieces of a thousand, then end. */
static void assert_a_million(const char *format, const char *begin, const char *record,
                             const char *end)
{
    uint64_t adds = 0;
    const struct exchange_reader_options options = {
        .format = format, .on_record = count_adds, .context = &adds};
    struct exchange_reader *reader;
    assert_int_equal(exchange_reader_open(&options, &reader), IMPRINT_OK);
    assert_int_equal(exchange_reader_feed(reader, begin, strlen(begin)), IMPRINT_OK);
    char *block = repeated("", record, "", 1000 * strlen(record));
    for (int i = 0; i < 1000; i++) {
        /* A JSON list has no comma after its last record. */
        const bool is_last = i == 999 && record[strlen(record) - 1] == ',';
        assert_int_equal(exchange_reader_feed(reader, block, strlen(block) - (is_last ? 1 : 0)),
                         IMPRINT_OK);
    }
    free(block);
    assert_int_equal(exchange_reader_feed(reader, end, strlen(end)), IMPRINT_OK);
    assert_int_equal(exchange_reader_finish(reader), IMPRINT_OK);
    exchange_reader_close(reader);
    assert_int_equal(adds, 1000000);
}

static void a_million_records_take_less_than_64_mib(void **state)
{
    (void)state;
    assert_a_million(NULL, "", HASH_A "\n", "");
    assert_a_million(NULL, "", HASH_A ",97,a.jpg\n", "");
    assert_a_million(NULL, "signal_type,signal_str\n", "pdq," HASH_A "\n", "");
    assert_a_million(
        NULL, "{\"hashRecords\":[",
        "{\"signalType\":\"ImagePDQ\",\"hashStatus\":\"Active\",\"hashValue\":\"" HASH_A "\"},",
        "],\"count\":1000000}");
    assert_a_million(NULL, "<queryResult><images>",
                     "<image><member id=\"1\"/><id>2</id><fingerprints><pdq>" HASH_A
                     "</pdq></fingerprints></image>",
                     "</images></queryResult>");
#ifndef IMPRINT_SANITIZED
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    print_message("peak memory: %ld KiB\n", usage.ru_maxrss);
    assert_true(usage.ru_maxrss < 64L * 1024);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_file_gives_the_records_written_down_beside_it),
        cmocka_unit_test(every_split_gives_the_same_records),
        cmocka_unit_test(a_document_cut_anywhere_is_an_error),
        cmocka_unit_test(a_changed_byte_of_a_native_file_is_an_error),
        cmocka_unit_test(only_the_trusted_key_is_trusted),
        cmocka_unit_test(what_is_no_list_is_said_to_be_none),
        cmocka_unit_test(what_is_too_long_or_too_deep_is_refused),
        cmocka_unit_test(different_names_are_limited),
        cmocka_unit_test(the_callers_error_ends_the_reading),
        cmocka_unit_test(unknown_formats_are_refused_and_known_ones_listed),
        cmocka_unit_test(a_long_text_is_cut_at_a_character_and_the_record_says_so),
        cmocka_unit_test(the_summary_keeps_invalid_records_before_noted_ones),
        cmocka_unit_test(a_million_records_take_less_than_64_mib),
    };
    if (sodium_init() < 0) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
