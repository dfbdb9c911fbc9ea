/* multipart/form-data: what curl, browsers and Python send is read; whatever is not exactly of the
 * form is refused; no cut and no flipped bit does harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "multipart.h"

static const char type[] = "multipart/form-data; boundary=----x";
static const char form[] =
    "------x\r\n"
    "Content-Disposition: form-data; name=\"note\"\r\n\r\n"
    "a\r\n--b\r\n"
    "------x\r\n"
    "Content-Type: image/jpeg\r\n"
    "content-disposition: form-data; name=\"photo\"; filename=\"x;\\\".jpg\"\r\n\r\n"
    "\xff\xd8\0\r\n\r\n\r\n"
    "------x--\r\n";

static enum imprint_error read_form(const char *content_type, const char *text, size_t len)
{
    struct multipart_part parts[MULTIPART_PARTS_MAX];
    size_t count = 0;
    /* In memory of its own, so that a step beyond is noticed. */
    char *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, text, len);
    enum imprint_error error = multipart_read(content_type, copy, len, parts, &count);
    free(copy);
    return error;
}

static void parts_are_found_with_their_very_bytes(void **state)
{
    (void)state;
    struct multipart_part parts[MULTIPART_PARTS_MAX];
    size_t count = 0;
    /* The quoted file name holds an escaped quote, as some clients send; nobody looks at it. */
    static const char simple[] =
        "------x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\na\r\n--b\r\n------x\r\n"
        "Content-Type: image/jpeg\r\ncontent-disposition: form-data; name=\"photo\"; "
        "filename=\"x;.jpg\"\r\n\r\n\xff\xd8\0\r\n\r\n\r\n------x--\r\n";
    assert_int_equal(multipart_read(type, simple, sizeof simple - 1, parts, &count), IMPRINT_OK);
    assert_int_equal(count, 2);
    assert_string_equal(parts[0].name, "note");
    assert_false(parts[0].is_file);
    assert_int_equal(parts[0].len, 6);
    assert_memory_equal(parts[0].bytes, "a\r\n--b", 6);
    assert_string_equal(parts[1].name, "photo");
    assert_true(parts[1].is_file);
    assert_int_equal(parts[1].len, 7);
    assert_memory_equal(parts[1].bytes, "\xff\xd8\0\r\n\r\n", 7);
}

static void boundary_is_read_as_clients_write_it(void **state)
{
    (void)state;
    static const char body[] = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--";
    const struct {
        const char *type;
        enum imprint_error error;
    } cases[] = {
        {"multipart/form-data; boundary=b", IMPRINT_OK},
        {"Multipart/Form-Data; Boundary=\"b\"", IMPRINT_OK},
        {"multipart/form-data;boundary=b; charset=utf-8", IMPRINT_OK},
        {"multipart/form-data; boundary=c", IMPRINT_E_BAD_REQUEST},
        {"multipart/form-data", IMPRINT_E_MEDIA_TYPE},
        {"multipart/form-data; boundary=", IMPRINT_E_MEDIA_TYPE},
        {"multipart/form-data; boundary=\"b", IMPRINT_E_MEDIA_TYPE},
        {"multipart/form-data; xboundary=b", IMPRINT_E_MEDIA_TYPE},
        {"multipart/mixed; boundary=b", IMPRINT_E_MEDIA_TYPE},
        {"multipart/form-data; boundary=b\x01", IMPRINT_E_MEDIA_TYPE},
        {"multipart/form-data; boundary="
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         IMPRINT_E_MEDIA_TYPE},
        {"", IMPRINT_E_MEDIA_TYPE},
        {NULL, IMPRINT_E_MEDIA_TYPE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_form(cases[i].type, body, sizeof body - 1), cases[i].error);
    }
}

static void other_forms_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "--b",
        "--b--",
        "--b\r\n",
        "preamble\r\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--",
        "--b\nContent-Disposition: form-data; name=a\n\nx\n--b--",
        "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\nepilogue",
        "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--bb--",
        "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
        "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"a\\\"\"\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--",
        "--b\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\nx\r\n--b--",
        ("--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b"
         "\r\n\r\nx\r\n--b--"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (read_form("multipart/form-data; boundary=b", bad[i], strlen(bad[i])) !=
            IMPRINT_E_BAD_REQUEST) {
            print_message("%s\n", bad[i]);
            fail();
        }
    }
}

static void parts_and_names_up_to_their_limits_and_not_beyond(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        char text[4096] = "";
        for (size_t i = 0; i < MULTIPART_PARTS_MAX + extra; i++) {
            (void)strncat(text, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n",
                          sizeof text - strlen(text) - 1);
        }
        (void)strncat(text, "--b--", sizeof text - strlen(text) - 1);
        assert_int_equal(read_form("multipart/form-data; boundary=b", text, strlen(text)),
                         extra == 0 ? IMPRINT_OK : IMPRINT_E_BAD_REQUEST);
        char name[MULTIPART_NAME_BYTES + 1] = "";
        memset(name, 'n', MULTIPART_NAME_BYTES - 1 + extra);
        (void)snprintf(text, sizeof text,
                       "--b\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\nx\r\n--b--",
                       name);
        assert_int_equal(read_form("multipart/form-data; boundary=b", text, strlen(text)),
                         extra == 0 ? IMPRINT_OK : IMPRINT_E_BAD_REQUEST);
    }
}

static void cut_or_flipped_forms_do_no_harm(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof form - 1; cut++) {
        enum imprint_error error = read_form(type, form, cut);
        assert_true(error == IMPRINT_E_BAD_REQUEST || cut >= sizeof form - 3);
    }
    char text[sizeof form];
    for (size_t bit = 0; bit < (sizeof form - 1) * 8; bit++) {
        memcpy(text, form, sizeof form);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        (void)!read_form(type, text, sizeof form - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found_with_their_very_bytes),
        cmocka_unit_test(boundary_is_read_as_clients_write_it),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(parts_and_names_up_to_their_limits_and_not_beyond),
        cmocka_unit_test(cut_or_flipped_forms_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
