/* Text that grows: the maximum holds, trouble is sticky, JSON strings are well-formed UTF-8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static void other_bytes_are_told_from_utf8(void **state)
{
    (void)state;
    assert_true(text_is_utf8(""));
    assert_true(text_is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82\x7f"));
    static const char *const wrong[] = {"\xff",      "a\xc3",        "\x80",
                                        "\xc0\x80",  "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                        "\xe2\x82(", "\xe0\x80\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(text_is_utf8(wrong[i]));
    }
}

static void pieces_are_joined(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 1000);
    text_put(&text, "a=");
    text_put_u64(&text, UINT64_MAX);
    text_put(&text, " b=");
    text_put_i64(&text, INT64_MIN);
    text_printf(&text, " c=%03d", 7);
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(text_take(&text, &bytes, &len), IMPRINT_OK);
    assert_string_equal(bytes, "a=18446744073709551615 b=-9223372036854775808 c=007");
    assert_int_equal(len, strlen(bytes));
    free(bytes);
}

static void up_to_the_maximum_and_not_beyond(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        struct text text;
        text_init(&text, 600);
        for (size_t i = 0; i < 600 + extra; i++) {
            text_put_bytes(&text, "x", 1);
        }
        char *bytes = NULL;
        size_t len = 0;
        assert_int_equal(text_take(&text, &bytes, &len), extra == 0 ? IMPRINT_OK : IMPRINT_E_NOMEM);
        free(bytes);
    }
    struct text text;
    text_init(&text, 5);
    text_printf(&text, "%d", 123456);
    text_put(&text, "1");
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(text_take(&text, &bytes, &len), IMPRINT_E_NOMEM);
}

static void json_strings_are_escaped_and_well_formed(void **state)
{
    (void)state;
    const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"plain", "\"plain\""},
        {"", "\"\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\n\x1f\x7f", "\"\\u000a\\u001f\\u007f\""},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82",
         "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82\""},
        /* Cut, overlong, a surrogate, beyond U+10FFFF, a stray continuation. */
        {"\xc3", "\"\xef\xbf\xbd\""},
        {"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xe0\x80\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\x80x", "\"\xef\xbf\xbdx\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text text;
        text_init(&text, 1000);
        text_put_json(&text, cases[i].in);
        char *bytes = NULL;
        size_t len = 0;
        assert_int_equal(text_take(&text, &bytes, &len), IMPRINT_OK);
        assert_string_equal(bytes, cases[i].out);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_bytes_are_told_from_utf8),
        cmocka_unit_test(pieces_are_joined),
        cmocka_unit_test(up_to_the_maximum_and_not_beyond),
        cmocka_unit_test(json_strings_are_escaped_and_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
