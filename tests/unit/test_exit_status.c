/* What a script learns from a program's end: every error has one of the documented statuses, and
 * of several the gravest is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exit_status.h"

static void only_success_is_zero(void **state)
{
    (void)state;
    assert_int_equal(exit_status_of(IMPRINT_OK), 0);
    for (int error = 1; error < IMPRINT_ERROR_COUNT; error++) {
        const enum exit_status status = exit_status_of((enum imprint_error)error);
        assert_true(status == EXIT_STATUS_ERROR || status == EXIT_STATUS_UNREACHABLE);
    }
    assert_int_equal(exit_status_of((enum imprint_error)9999), EXIT_STATUS_ERROR);
}

static void what_may_pass_by_itself_asks_to_try_again(void **state)
{
    (void)state;
    static const enum imprint_error passing[] = {IMPRINT_E_LOADING, IMPRINT_E_BUSY,
                                                 IMPRINT_E_SHUTTING_DOWN, IMPRINT_E_UNREACHABLE,
                                                 IMPRINT_E_RATE_LIMITED};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        assert_int_equal(exit_status_of(passing[i]), EXIT_STATUS_UNREACHABLE);
    }
    assert_int_equal(exit_status_of(IMPRINT_E_STORE_FULL), EXIT_STATUS_ERROR);
}

static void the_graver_of_two_wins_whatever_the_order(void **state)
{
    (void)state;
    static const enum exit_status rising[] = {EXIT_STATUS_FINE, EXIT_STATUS_UNHASHABLE,
                                              EXIT_STATUS_MATCH, EXIT_STATUS_ERROR,
                                              EXIT_STATUS_UNREACHABLE};
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = i; j < 5; j++) {
            assert_int_equal(exit_status_worse(rising[i], rising[j]), rising[j]);
            assert_int_equal(exit_status_worse(rising[j], rising[i]), rising[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_success_is_zero),
        cmocka_unit_test(what_may_pass_by_itself_asks_to_try_again),
        cmocka_unit_test(the_graver_of_two_wins_whatever_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
