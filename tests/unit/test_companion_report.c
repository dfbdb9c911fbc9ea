/* The report writer: the file's bytes against a golden copy, its size against the padding rule for
 * every number of items, duplicates and the maximum, and that shuffling loses nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "report.h"

static struct report_item item_number(unsigned n)
{
    struct report_item item = {.quality = (uint8_t)(n % 101)};
    item.hash.bytes[0] = (uint8_t)(n >> 8);
    item.hash.bytes[31] = (uint8_t)n;
    return item;
}

static struct report_case golden_case(void)
{
    struct report_case about = {
        .tool = "imprint 0.1.0", .day = "2026-11-22", .statements = "en-GB/1"};
    memset(about.id.bytes, 0xff, sizeof about.id.bytes);
    memset(about.status.bytes, 0x11, sizeof about.status.bytes);
    memset(about.withdraw.bytes, 0x22, sizeof about.withdraw.bytes);
    memset(about.append.bytes, 0x33, sizeof about.append.bytes);
    return about;
}

#define SIXTEEN(pair) \
    pair pair pair pair pair pair pair pair pair pair pair pair pair pair pair pair

static const char golden[] =
    "{\"format\":\"imprint-report/1\",\n"
    "\"algorithm\":\"pdq/1\",\n"
    "\"tool\":\"imprint 0.1.0\",\n"
    "\"case\":{\"id\":\"7ZZZZZZZZZZZZZZZZZZZZZZZZZ\",\"day\":\"2026-11-22\","
    "\"status_verifier\":\"" SIXTEEN("1111") "\",\"withdraw_verifier\":\"" SIXTEEN(
        "2222") "\","
                "\"append_verifier\":\"" SIXTEEN(
                    "3333") "\"},\n"
                            "\"statements\":{\"text\":\"en-GB/"
                            "1\",\"adult\":true,\"mine\":true,\"understood\":true},\n"
                            "\"items\":[\n"
                            "{\"hash\":"
                            "\"0000000000000000000000000000000000000000000000000000000000000062\","
                            "\"quality\":98},\n"
                            "{\"hash\":"
                            "\"0000000000000000000000000000000000000000000000000000000000000007\","
                            "\"quality\":7,"
                            "\"low_quality\":true}],\n"
                            "\"padding\":\"";

static void the_file_is_the_golden_one(void **state)
{
    (void)state;
    struct report report;
    report_init(&report);
    struct report_item item = item_number(98);
    assert_int_equal(report_add(&report, &item), IMPRINT_OK);
    item = item_number(7);
    item.is_low_quality = true;
    assert_int_equal(report_add(&report, &item), IMPRINT_OK);
    const struct report_case about = golden_case();
    struct strbuf text;
    strbuf_init(&text, REPORT_BYTES_MAX);
    assert_int_equal(report_write(&report, &about, &text), IMPRINT_OK);
    assert_memory_equal(strbuf_get(&text), golden, sizeof golden - 1);
    assert_int_equal(text.len, REPORT_PAD_BYTES);
    assert_int_equal(strspn(strbuf_get(&text) + sizeof golden - 1, " "),
                     text.len - (sizeof golden - 1) - 3);
    assert_string_equal(strbuf_get(&text) + text.len - 3, "\"}\n");
    strbuf_done(&text);
    report_done(&report);
}

static void every_size_is_padded_and_fits(void **state)
{
    (void)state;
    struct report report;
    report_init(&report);
    const struct report_case about = golden_case();
    for (unsigned n = 0; n < REPORT_ITEMS_MAX; n++) {
        struct report_item item = item_number(n);
        item.is_low_quality = true; /* the longest item */
        assert_int_equal(report_add(&report, &item), IMPRINT_OK);
        if (n % 37 != 0 && n + 1 != REPORT_ITEMS_MAX) {
            continue;
        }
        struct strbuf text;
        strbuf_init(&text, REPORT_BYTES_MAX);
        assert_int_equal(report_write(&report, &about, &text), IMPRINT_OK);
        assert_int_equal(text.len % REPORT_PAD_BYTES, 0);
        const char *padding = strstr(strbuf_get(&text), "\"padding\":\"");
        assert_non_null(padding);
        assert_true(strlen(padding) < REPORT_PAD_BYTES + sizeof "\"padding\":\"\"}\n" - 1);
        strbuf_done(&text);
    }
    report_done(&report);
}

static void a_hash_comes_once_and_the_maximum_holds(void **state)
{
    (void)state;
    struct report report;
    report_init(&report);
    for (unsigned n = 0; n < REPORT_ITEMS_MAX; n++) {
        const struct report_item item = item_number(n);
        assert_int_equal(report_add(&report, &item), IMPRINT_OK);
        assert_int_equal(report_add(&report, &item), IMPRINT_OK);
        assert_int_equal(report.count, n + 1);
    }
    const struct report_item known = item_number(5);
    const struct report_item more = item_number(REPORT_ITEMS_MAX);
    assert_int_equal(report_add(&report, &known), IMPRINT_OK);
    assert_int_equal(report_add(&report, &more), IMPRINT_E_BODY_TOO_LARGE);
    assert_int_equal(report.count, REPORT_ITEMS_MAX);
    report_done(&report);
}

static void shuffling_keeps_every_item(void **state)
{
    (void)state;
    struct report report;
    report_init(&report);
    report_shuffle(&report);
    for (unsigned n = 0; n < 256; n++) {
        const struct report_item item = item_number(n);
        assert_int_equal(report_add(&report, &item), IMPRINT_OK);
    }
    report_shuffle(&report);
    unsigned seen[256] = {0};
    unsigned moved = 0;
    for (unsigned n = 0; n < 256; n++) {
        seen[report.items[n].hash.bytes[31]]++;
        moved += report.items[n].hash.bytes[31] != n;
        assert_int_equal(report.items[n].quality, report.items[n].hash.bytes[31] % 101);
    }
    for (unsigned n = 0; n < 256; n++) {
        assert_int_equal(seen[n], 1);
    }
    assert_true(moved > 200);
    report_done(&report);
}

static void a_key_file_names_format_case_and_key(void **state)
{
    (void)state;
    const struct report_case about = golden_case();
    struct code_key key;
    memset(key.bytes, 0xab, sizeof key.bytes);
    struct strbuf text;
    strbuf_init(&text, REPORT_BYTES_MAX);
    assert_int_equal(report_write_key("imprint-withdrawal/1", &about.id, &key, &text), IMPRINT_OK);
    assert_string_equal(strbuf_get(&text),
                        "{\"format\":\"imprint-withdrawal/1\",\"case\":{\"id\":"
                        "\"7ZZZZZZZZZZZZZZZZZZZZZZZZZ\"},\"key\":\"" SIXTEEN("abab") "\"}\n");
    strbuf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_the_golden_one),
        cmocka_unit_test(every_size_is_padded_and_fits),
        cmocka_unit_test(a_hash_comes_once_and_the_maximum_holds),
        cmocka_unit_test(shuffling_keeps_every_item),
        cmocka_unit_test(a_key_file_names_format_case_and_key),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
