/* The growing text: its maximum holds, failure sticks, and names of files and texts of strangers
 * become harmless JSON, terminal lines and request targets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "strbuf.h"

static void the_maximum_is_reached_and_not_passed(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 1000);
    for (unsigned i = 0; i < 100; i++) {
        strbuf_add(&text, "0123456789");
    }
    assert_int_equal(strbuf_error(&text), IMPRINT_OK);
    assert_int_equal(text.len, 1000);
    strbuf_add(&text, "x");
    assert_int_equal(strbuf_error(&text), IMPRINT_E_BODY_TOO_LARGE);
    strbuf_addf(&text, "%d", 1);
    strbuf_add_fill(&text, ' ', 0);
    assert_int_equal(text.len, 1000);
    assert_int_equal(strlen(strbuf_get(&text)), 1000);
    strbuf_done(&text);
    assert_string_equal(strbuf_get(&text), "");
}

static void assert_built(void (*add)(struct strbuf *, const char *), const char *in,
                         const char *expected)
{
    struct strbuf text;
    strbuf_init(&text, 1000);
    add(&text, in);
    assert_string_equal(strbuf_get(&text), expected);
    strbuf_done(&text);
}

static void json_strings_escape_what_they_must(void **state)
{
    (void)state;
    assert_built(strbuf_add_json, "plain.jpg", "\"plain.jpg\"");
    assert_built(strbuf_add_json, "a\"b\\c\n\x1f\x7f", "\"a\\\"b\\\\c\\u000a\\u001f\\u007f\"");
    assert_built(strbuf_add_json, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
                 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
    (void)state;
    assert_built(strbuf_add_json, "\xff", "\"\xef\xbf\xbd\"");
    assert_built(strbuf_add_json, "\xc3", "\"\xef\xbf\xbd\"");
    assert_built(strbuf_add_json, "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    /* Overlong slash, a surrogate, above U+10FFFF. */
    assert_built(strbuf_add_json, "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_built(strbuf_add_json, "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_built(strbuf_add_json, "\xf4\x90\x80\x80",
                 "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void a_name_cannot_steer_the_terminal(void **state)
{
    (void)state;
    assert_built(strbuf_add_printable, "a\033[2J\nb", "a\\x1b[2J\\x0ab");
    assert_built(strbuf_add_printable,
                 "\xc2\x9b"
                 "5m",
                 "\\xc2\\x9b5m");
    assert_built(strbuf_add_printable, "caf\xc3\xa9 \xff", "caf\xc3\xa9 \\xff");
}

static void a_target_segment_is_percent_encoded(void **state)
{
    (void)state;
    assert_built(strbuf_add_percent, "a-Z_0.~", "a-Z_0.~");
    assert_built(strbuf_add_percent, "../x?y=1 \r\n%\xc3", "..%2Fx%3Fy%3D1%20%0D%0A%25%C3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_maximum_is_reached_and_not_passed),
        cmocka_unit_test(json_strings_escape_what_they_must),
        cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
        cmocka_unit_test(a_name_cannot_steer_the_terminal),
        cmocka_unit_test(a_target_segment_is_percent_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
