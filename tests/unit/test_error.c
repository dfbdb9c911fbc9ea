/* Every error has a name of its own and a text, and names lead back to their errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/error.h"

static void every_error_has_its_own_name_that_leads_back(void **state)
{
    (void)state;
    for (int i = 0; i < (int)IMPRINT_ERROR_COUNT; i++) {
        const char *name = imprint_error_name((enum imprint_error)i);
        assert_int_equal(imprint_error_from_name(name), i);
        assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz_") == strlen(name));
    }
}

static void every_error_has_a_sentence_without_full_stop(void **state)
{
    (void)state;
    for (int i = 0; i < (int)IMPRINT_ERROR_COUNT; i++) {
        const char *text = imprint_error_text((enum imprint_error)i);
        assert_true(strlen(text) > 5);
        assert_true(text[strlen(text) - 1] != '.');
    }
}

static void values_and_names_outside_the_list_are_internal(void **state)
{
    (void)state;
    assert_string_equal(imprint_error_name(IMPRINT_ERROR_COUNT), "internal");
    assert_int_equal(imprint_error_from_name("no_such_error"), IMPRINT_E_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_own_name_that_leads_back),
        cmocka_unit_test(every_error_has_a_sentence_without_full_stop),
        cmocka_unit_test(values_and_names_outside_the_list_are_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
