/* Report and withdrawal files: a good one goes in whole; each key missing, doubled, of the wrong
 * type or out of range, and each key too many, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "report.h"

#define HEX_A "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"
#define HEX_B "00f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"
#define CASE  "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"

static const char good[] =
    "{\"format\":\"imprint-report/1\",\"algorithm\":\"pdq/1\",\"tool\":\"imprint 0.1.0\","
    "\"case\":{\"id\":\"" CASE "\",\"day\":\"2026-11-22\",\"status_verifier\":\"" HEX_A
    "\",\"withdraw_verifier\":\"" HEX_B "\",\"append_verifier\":\"" HEX_A "\"},"
    "\"statements\":{\"text\":\"en-GB/1\",\"adult\":true,\"mine\":true,\"understood\":true},"
    "\"items\":[{\"hash\":\"" HEX_A "\",\"quality\":97},{\"hash\":\"" HEX_B
    "\",\"quality\":12,\"low_quality\":true}],\"padding\":\"    \"}";

static enum imprint_error read_json(json_t *root)
{
    char *text = json_dumps(root, 0);
    assert_non_null(text);
    struct report report;
    char why[REPORT_WHY_BYTES] = "";
    enum imprint_error error = report_read(text, strlen(text), &report, why);
    if (error == IMPRINT_OK) {
        report_done(&report);
    } else {
        assert_true(strlen(why) > 0);
    }
    free(text);
    return error;
}

static void good_report_goes_in_whole(void **state)
{
    (void)state;
    struct report report;
    char why[REPORT_WHY_BYTES];
    assert_int_equal(report_read(good, strlen(good), &report, why), IMPRINT_OK);
    assert_int_equal(report.count, 2);
    assert_int_equal(report.items[0].quality, 97);
    assert_int_equal(report.items[0].hash.bytes[0], 0xd8);
    assert_int_equal(report.items[1].quality, 12);
    assert_int_equal(report.header.status_verifier[0], 0xd8);
    assert_int_equal(report.header.withdraw_verifier[0], 0);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(report.header.id.bytes[i], 0xff);
    }
    report_done(&report);
}

/* The objects of a report in which a key may be spoilt. */
static json_t *object_of(json_t *root, size_t i)
{
    switch (i) {
    case 0: return root;
    case 1: return json_object_get(root, "case");
    case 2: return json_object_get(root, "statements");
    default: return json_array_get(json_object_get(root, "items"), 0);
    }
}

static void every_key_missing_or_of_another_type_is_refused(void **state)
{
    (void)state;
    size_t tried = 0;
    for (size_t i = 0; i < 4; i++) {
        json_t *probe = json_loads(good, 0, NULL);
        size_t key_count = json_object_size(object_of(probe, i));
        json_decref(probe);
        for (size_t k = 0; k < key_count; k++) {
            for (int how = 0; how < 5; how++) {
                json_t *root = json_loads(good, 0, NULL);
                json_t *object = object_of(root, i);
                void *at = json_object_iter(object);
                for (size_t skip = 0; skip < k; skip++) {
                    at = json_object_iter_next(object, at);
                }
                char key[64];
                (void)snprintf(key, sizeof key, "%s", json_object_iter_key(at));
                json_t *spoilt = how == 0   ? NULL
                                 : how == 1 ? json_null()
                                 : how == 2 ? json_real(0.5)
                                 : how == 3 ? json_array()
                                            : json_object();
                if (spoilt == NULL) {
                    (void)json_object_del(object, key);
                } else {
                    (void)json_object_set_new(object, key, spoilt);
                }
                bool is_optional = how == 0 && strcmp(key, "padding") == 0;
                enum imprint_error expected = is_optional ? IMPRINT_OK : IMPRINT_E_REPORT_INVALID;
                if (read_json(root) != expected) {
                    print_message("object %zu, key %s, way %d\n", i, key, how);
                    fail();
                }
                json_decref(root);
                tried++;
            }
        }
    }
    assert_int_equal(tried, (7 + 5 + 4 + 2) * 5);
}

static void key_too_many_is_refused_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        json_t *root = json_loads(good, 0, NULL);
        (void)json_object_set_new(object_of(root, i), "file_name", json_string("x.jpg"));
        assert_int_equal(read_json(root), IMPRINT_E_REPORT_INVALID);
        json_decref(root);
    }
}

static void replaced(const char *what, const char *with, enum imprint_error expected)
{
    char text[4096];
    const char *at = strstr(good, what);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, with, at + strlen(what));
    struct report report;
    char why[REPORT_WHY_BYTES] = "";
    enum imprint_error error = report_read(text, strlen(text), &report, why);
    if (error == IMPRINT_OK) {
        report_done(&report);
    }
    if (error != expected) {
        print_message("%s -> %s: %s (%s)\n", what, with, imprint_error_name(error), why);
        fail();
    }
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    const enum imprint_error bad = IMPRINT_E_REPORT_INVALID;
    replaced("imprint-report/1", "imprint-report/2", bad);
    replaced("pdq/1", "pdq/2", bad);
    replaced("imprint 0.1.0", "", bad);
    replaced(CASE, "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", bad); /* 129 bits */
    replaced(CASE, "7ZZZZZZZZZZZZZZZZZZZZZZZZ", bad);
    replaced(CASE, "7ZZZZZZZZZZZZZZZZZZZZZZZZZZ", bad);
    replaced(CASE, "7zzzzzzzzzzzzzzzzzzzzzzzzz", bad);
    replaced(CASE, "7ZZZZZZZZZZZZZZZZZZZZZZZZU", bad);
    replaced("2026-11-22", "2026-13-22", bad);
    replaced("2026-11-22", "2026-11-00", bad);
    replaced("2026-11-22", "2026/11/22", bad);
    replaced("2026-11-22", "22.11.2026", bad);
    replaced("\"adult\":true", "\"adult\":false", bad);
    replaced("\"adult\":true", "\"adult\":\"true\"", bad);
    replaced("\"mine\":true", "\"mine\":false", IMPRINT_OK);
    replaced("\"quality\":97", "\"quality\":101", bad);
    replaced("\"quality\":97", "\"quality\":-1", bad);
    replaced("\"quality\":97", "\"quality\":50", IMPRINT_OK);
    replaced("\"quality\":97", "\"quality\":49", bad);
    replaced("\"quality\":12,\"low_quality\":true", "\"quality\":12,\"low_quality\":false", bad);
    replaced("\"quality\":12,\"low_quality\":true", "\"quality\":12", bad);
    replaced("\"    \"", "\"  x \"", bad);
    replaced("\"    \"", "\"\"", IMPRINT_OK);
    replaced(HEX_A "\",\"quality\"", HEX_B "\",\"quality\"", bad); /* twice the same */
    replaced("{\"hash\"", "{\"hash\":\"" HEX_A "\",\"hash\"", bad);
    replaced("{\"format\"", "{\"format\":1,\"format\"", bad);
    replaced("\"padding\":\"    \"}", "\"padding\":\"\"}x", bad);
    replaced("\"padding\":\"    \"}", "\"padding\":\"\"", bad);
    replaced("en-GB/1", "a\\u0000b", bad);
    replaced("en-GB/1", "a\xff", bad);
}

static void items_up_to_the_limit_and_not_beyond(void **state)
{
    (void)state;
    const struct {
        size_t count;
        enum imprint_error error;
    } cases[] = {{0, IMPRINT_E_REPORT_INVALID},
                 {1, IMPRINT_OK},
                 {LIMIT_CASE_ITEMS_MAX, IMPRINT_OK},
                 {LIMIT_CASE_ITEMS_MAX + 1, IMPRINT_E_REPORT_INVALID}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *root = json_loads(good, 0, NULL);
        json_t *items = json_array();
        for (size_t n = 0; n < cases[i].count; n++) {
            char hex[65];
            (void)snprintf(hex, sizeof hex, "%064zx", n + 1);
            (void)json_array_append_new(items, json_pack("{s:s,s:i}", "hash", hex, "quality", 80));
        }
        (void)json_object_set_new(root, "items", items);
        assert_int_equal(read_json(root), cases[i].error);
        json_decref(root);
    }
}

static void bytes_up_to_the_limit_and_not_beyond(void **state)
{
    (void)state;
    char *text = malloc(LIMIT_REPORT_BYTES_MAX + 2);
    assert_non_null(text);
    memset(text, ' ', LIMIT_REPORT_BYTES_MAX + 1);
    memcpy(text, good, strlen(good));
    struct report report;
    char why[REPORT_WHY_BYTES];
    assert_int_equal(report_read(text, LIMIT_REPORT_BYTES_MAX, &report, why), IMPRINT_OK);
    report_done(&report);
    assert_int_equal(report_read(text, LIMIT_REPORT_BYTES_MAX + 1, &report, why),
                     IMPRINT_E_REPORT_INVALID);
    free(text);
    assert_int_equal(report_read(NULL, 0, &report, why), IMPRINT_E_REPORT_INVALID);
    /* Deeper than the parser should recurse. */
    char deep[4096];
    memset(deep, '[', sizeof deep);
    assert_int_equal(report_read(deep, sizeof deep, &report, why), IMPRINT_E_REPORT_INVALID);
}

/* Cut anywhere, a report is no report; no cut or flipped bit does harm. */
static void cut_or_flipped_reports_do_no_harm(void **state)
{
    (void)state;
    size_t len = strlen(good);
    char why[REPORT_WHY_BYTES];
    struct report report;
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(report_read(good, cut, &report, why), IMPRINT_E_REPORT_INVALID);
    }
    char text[sizeof good];
    for (size_t bit = 0; bit < len * 8; bit++) {
        memcpy(text, good, sizeof good);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        if (report_read(text, len, &report, why) == IMPRINT_OK) {
            report_done(&report);
        }
    }
}

static void case_ids_go_round(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 128; i++) {
        struct record_case_id id = {{0}};
        id.bytes[i / 8] = (uint8_t)(1u << i % 8);
        char text[REPORT_CASE_ID_TEXT_BYTES];
        report_case_id_to_text(&id, text);
        assert_int_equal(strlen(text), 26);
        struct record_case_id again;
        assert_int_equal(report_case_id_from_text(text, &again), IMPRINT_OK);
        assert_memory_equal(&again, &id, sizeof id);
    }
}

static void withdrawal_is_read_and_its_key_checked(void **state)
{
    (void)state;
    assert_true(sodium_init() >= 0);
    static const char text[] = "{\"format\":\"imprint-withdrawal/1\",\"case\":{\"id\":\"" CASE
                               "\"},\"key\":\"" HEX_A "\"}";
    struct report_withdrawal withdrawal;
    char why[REPORT_WHY_BYTES];
    assert_int_equal(report_read_withdrawal(text, strlen(text), &withdrawal, why), IMPRINT_OK);
    /* The verifier as docs/formats.md defines it, put together by hand. */
    uint8_t message[19 + 8 + 16 + 32];
    memcpy(message, "imprint-verifier/1/", 19);
    memcpy(message + 19, "withdraw", 8);
    memcpy(message + 27, withdrawal.id.bytes, 16);
    memcpy(message + 43, withdrawal.key, 32);
    uint8_t verifier[32];
    assert_int_equal(crypto_generichash(verifier, 32, message, sizeof message, NULL, 0), 0);
    assert_true(report_key_fits(&withdrawal.id, "withdraw", withdrawal.key, verifier));
    assert_false(report_key_fits(&withdrawal.id, "status", withdrawal.key, verifier));
    withdrawal.key[31] ^= 1;
    assert_false(report_key_fits(&withdrawal.id, "withdraw", withdrawal.key, verifier));

    static const char *const bad[] = {
        "{}",
        "{\"format\":\"imprint-withdrawal/2\",\"case\":{\"id\":\"" CASE "\"},\"key\":\"" HEX_A
        "\"}",
        "{\"format\":\"imprint-withdrawal/1\",\"case\":{\"id\":\"" CASE
        "\",\"x\":1},\"key\":\"" HEX_A "\"}",
        "{\"format\":\"imprint-withdrawal/1\",\"case\":{\"id\":\"\"},\"key\":\"" HEX_A "\"}",
        "{\"format\":\"imprint-withdrawal/1\",\"case\":{\"id\":\"" CASE "\"},\"key\":\"12\"}",
        "{\"format\":\"imprint-withdrawal/1\",\"case\":{\"id\":\"" CASE "\"},\"key\":\"" HEX_A
        "\",\"reason\":\"x\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(report_read_withdrawal(bad[i], strlen(bad[i]), &withdrawal, why),
                         IMPRINT_E_REPORT_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_report_goes_in_whole),
        cmocka_unit_test(every_key_missing_or_of_another_type_is_refused),
        cmocka_unit_test(key_too_many_is_refused_everywhere),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(items_up_to_the_limit_and_not_beyond),
        cmocka_unit_test(bytes_up_to_the_limit_and_not_beyond),
        cmocka_unit_test(cut_or_flipped_reports_do_no_harm),
        cmocka_unit_test(case_ids_go_round),
        cmocka_unit_test(withdrawal_is_read_and_its_key_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
