/* Configuration: every key of the table at its limits and one past, files with every kind of wrong
 * line, and that a refused file changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

static enum imprint_error read_text(struct config *config, const char *text, char *problem)
{
    return config_read(config, "test.conf", text, strlen(text), problem);
}

static void defaults_are_allowed_values_of_every_key(void **state)
{
    (void)state;
    size_t count = 0;
    const struct config_key *keys = config_keys(&count);
    assert_true(count > 20);
    struct config config;
    config_default(&config);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(keys[i].help) > 5);
        if (keys[i].type == CONFIG_TYPE_NUMBER || keys[i].type == CONFIG_TYPE_BYTES) {
            assert_true(keys[i].default_number >= keys[i].min);
            assert_true(keys[i].default_number <= keys[i].max);
        }
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(keys[i].name, keys[j].name);
        }
    }
    char problem[CONFIG_PROBLEM_BYTES];
    assert_int_equal(config_finish(&config, problem), IMPRINT_OK);
}

static void numbers_up_to_their_limits_and_not_beyond(void **state)
{
    (void)state;
    size_t count = 0;
    const struct config_key *keys = config_keys(&count);
    char problem[CONFIG_PROBLEM_BYTES];
    for (size_t i = 0; i < count; i++) {
        if (keys[i].type != CONFIG_TYPE_NUMBER && keys[i].type != CONFIG_TYPE_BYTES) {
            continue;
        }
        struct config config;
        config_default(&config);
        const struct {
            unsigned long long value;
            enum imprint_error error;
        } cases[] = {
            {keys[i].min, IMPRINT_OK},
            {keys[i].max, IMPRINT_OK},
            {keys[i].max + 1, IMPRINT_E_CONFIG_INVALID},
            {keys[i].min - 1, IMPRINT_E_CONFIG_INVALID}, /* 0 - 1 is over the maximum */
        };
        for (size_t j = 0; j < 4; j++) {
            char value[32];
            (void)snprintf(value, sizeof value, "%llu", cases[j].value);
            assert_int_equal(config_set(&config, keys[i].name, value, problem), cases[j].error);
        }
        assert_non_null(strstr(problem, keys[i].name));
    }
}

static void values_of_the_wrong_kind_are_refused_with_what_is_allowed(void **state)
{
    (void)state;
    const struct {
        const char *pair;
        const char *said;
    } cases[] = {
        {"workers=many", "0 to 64 processes"},
        {"workers=-1", "0 to 64 processes"},
        {"workers= ", "0 to 64 processes"},
        {"workers=1 2", "0 to 64 processes"},
        {"workers=0x10", "0 to 64 processes"},
        {"workers=2K", "0 to 64 processes"},
        {"workers=99999999999999999999999", "0 to 64 processes"},
        {"image_bytes_max=1T", "bytes"},
        {"image_bytes_max=9999999999999999G", "bytes"},
        {"query_socket_mode=0888", "octal"},
        {"query_socket_mode=1777", "octal"},
        {"log_level=loud", "error, warning, notice, info, debug"},
        {"distance=", "exact, coarse, hidden"},
        {"data_dir=/a\nworkers = 1", "control characters"},
        {"data_dir=/a\x7f", "control characters"},
        {"colour=red", "no such key"},
        {"colour", "not key=value"},
        {"=red", "not key=value"},
    };
    struct config before;
    config_default(&before);
    struct config config = before;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char problem[CONFIG_PROBLEM_BYTES] = "";
        assert_int_equal(config_set_pair(&config, cases[i].pair, problem),
                         IMPRINT_E_CONFIG_INVALID);
        if (strstr(problem, cases[i].said) == NULL) {
            print_message("%s: %s\n", cases[i].pair, problem);
            fail();
        }
    }
    assert_memory_equal(&config, &before, sizeof config);
}

static void file_is_read_with_comments_blanks_and_units(void **state)
{
    (void)state;
    struct config config;
    config_default(&config);
    char problem[CONFIG_PROBLEM_BYTES] = "";
    assert_int_equal(read_text(&config,
                               "# comment\n\n   # another\n data_dir =  /a b \r\n"
                               "image_bytes_max=2M\n\tquery_socket_mode = 0640\n"
                               "log_level = debug\nquery_socket_group = users",
                               problem),
                     IMPRINT_OK);
    assert_string_equal(config.data_dir, "/a b");
    assert_int_equal(config.image_bytes_max, 2 << 20);
    assert_int_equal(config.query_socket_mode, 0640);
    assert_int_equal(config.log_level, 4);
    assert_int_equal(config_finish(&config, problem), IMPRINT_OK);
    assert_string_equal(config.query_socket, "/a b/query.sock");
    assert_string_equal(config.admin_socket, "/a b/admin.sock");
    assert_int_equal(config.query_socket_mode, 0640);
    assert_int_equal(config.admin_socket_mode, 0600);
}

static void wrong_file_is_named_with_its_line_and_changes_nothing(void **state)
{
    (void)state;
    const struct {
        const char *text;
        const char *said;
    } cases[] = {
        {"workers = 3\n\nworkers = 4\n", "test.conf:3: workers: given twice"},
        {"workers = 3\nqueue_max = 0\n", "test.conf:2: queue_max: '0' is not allowed"},
        {"workers = 3\nworker", "test.conf:2: not a line"},
        {"workers = 3\nfoo = 1", "test.conf:2: foo: there is no such key"},
    };
    struct config before;
    config_default(&before);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config config = before;
        char problem[CONFIG_PROBLEM_BYTES] = "";
        assert_int_equal(read_text(&config, cases[i].text, problem), IMPRINT_E_CONFIG_INVALID);
        assert_non_null(strstr(problem, cases[i].said));
        assert_memory_equal(&config, &before, sizeof config);
    }
    struct config config = before;
    char problem[CONFIG_PROBLEM_BYTES] = "";
    assert_int_equal(config_read(&config, "test.conf", "workers = \0003\n", 13, problem),
                     IMPRINT_E_CONFIG_INVALID);
    char text[2200] = "data_dir = ";
    memset(text + 11, 'x', 2000);
    assert_int_equal(read_text(&config, text, problem), IMPRINT_E_CONFIG_INVALID);
    assert_int_equal(config_read_file(&config, "/nonexistent/x.conf", problem), IMPRINT_E_IO);
    assert_non_null(strstr(problem, "/nonexistent/x.conf"));
    assert_memory_equal(&config, &before, sizeof config);
}

static void keys_are_checked_together(void **state)
{
    (void)state;
    const char *const texts[] = {
        "data_dir =\n",
        "query_socket = /a\nadmin_socket = /a\n",
        "body_memory_bytes_max = 1M\nimage_bytes_max = 2M\n",
        "hash_query_uids = www-data\n",
        "quota_exempt_uids = -1\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config config;
        config_default(&config);
        char problem[CONFIG_PROBLEM_BYTES] = "";
        assert_int_equal(read_text(&config, texts[i], problem), IMPRINT_OK);
        assert_int_equal(config_finish(&config, problem), IMPRINT_E_CONFIG_INVALID);
        assert_true(strlen(problem) > 10);
    }
}

static void printed_configuration_reads_back_the_same(void **state)
{
    (void)state;
    struct config config;
    config_default(&config);
    char problem[CONFIG_PROBLEM_BYTES] = "";
    assert_int_equal(config_set(&config, "distance", "coarse", problem), IMPRINT_OK);
    assert_int_equal(config_finish(&config, problem), IMPRINT_OK);
    for (int explain = 0; explain < 2; explain++) {
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        config_print(&config, explain == 1, out);
        assert_int_equal(fclose(out), 0);
        struct config again;
        config_default(&again);
        assert_int_equal(config_read(&again, "printed", text, len, problem), IMPRINT_OK);
        assert_memory_equal(&again, &config, sizeof config);
        free(text);
    }
}

static void reload_takes_reloadable_keys_and_names_the_others(void **state)
{
    (void)state;
    struct config config;
    config_default(&config);
    struct config next = config;
    char problem[CONFIG_PROBLEM_BYTES] = "";
    assert_int_equal(config_set(&next, "log_level", "debug", problem), IMPRINT_OK);
    assert_null(config_reload(&config, &next));
    assert_int_equal(config.log_level, 4);
    assert_int_equal(config_set(&next, "log_level", "error", problem), IMPRINT_OK);
    assert_int_equal(config_set(&next, "workers", "7", problem), IMPRINT_OK);
    assert_string_equal(config_reload(&config, &next), "workers");
    assert_int_equal(config.log_level, 0);
    assert_int_equal(config.workers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_allowed_values_of_every_key),
        cmocka_unit_test(numbers_up_to_their_limits_and_not_beyond),
        cmocka_unit_test(values_of_the_wrong_kind_are_refused_with_what_is_allowed),
        cmocka_unit_test(file_is_read_with_comments_blanks_and_units),
        cmocka_unit_test(wrong_file_is_named_with_its_line_and_changes_nothing),
        cmocka_unit_test(keys_are_checked_together),
        cmocka_unit_test(printed_configuration_reads_back_the_same),
        cmocka_unit_test(reload_takes_reloadable_keys_and_names_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
