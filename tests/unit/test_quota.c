/* Quotas against a clock of the test's own: bucket arithmetic, debt, connections, exemption, more
 * uids than there are accounts; and the sets of uids of the configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "quota.h"

static const struct uids nobody = {0};

static struct quota *make(uint32_t hashes_per_s, uint32_t burst, uint32_t connections)
{
    const struct quota_settings settings = {
        .per_s = {hashes_per_s, 0}, .burst = {burst, 1}, .connections_max = connections};
    struct quota *quota = NULL;
    assert_int_equal(quota_new(&settings, &nobody, &quota), IMPRINT_OK);
    return quota;
}

/* How many of count are allowed at this moment. */
static unsigned take(struct quota *quota, uint32_t uid, unsigned count, uint64_t now_ms)
{
    unsigned allowed = 0;
    unsigned retry_s = 0;
    for (unsigned i = 0; i < count; i++) {
        allowed += quota_take(quota, uid, QUOTA_HASH, now_ms, &retry_s) ? 1 : 0;
    }
    return allowed;
}

static void a_bucket_gives_its_burst_then_its_rate(void **state)
{
    (void)state;
    struct quota *quota = make(10, 25, 0);
    assert_int_equal(take(quota, 7, 100, 1000), 25);
    assert_int_equal(take(quota, 7, 100, 1099), 0);
    assert_int_equal(take(quota, 7, 100, 1100), 1);
    assert_int_equal(take(quota, 7, 100, 2100), 10);
    assert_int_equal(take(quota, 7, 100, 1000), 0); /* a clock that goes back gives nothing */
    assert_int_equal(take(quota, 7, 100, 1000000), 25);
    struct quota_stats stats;
    quota_stats(quota, &stats);
    assert_int_equal(stats.refused[QUOTA_HASH], 600 - 61);
    quota_free(quota);
}

static void one_uid_does_not_use_up_anothers(void **state)
{
    (void)state;
    struct quota *quota = make(1, 5, 0);
    assert_int_equal(take(quota, 7, 100, 0), 5);
    assert_int_equal(take(quota, 8, 100, 0), 5);
    unsigned retry_s = 0;
    for (unsigned i = 0; i < 100; i++) {
        assert_true(quota_take(quota, 7, QUOTA_IMAGE, 0, &retry_s)); /* rate 0: no limit */
    }
    quota_free(quota);
}

static void debt_is_waited_off_and_retry_says_how_long(void **state)
{
    (void)state;
    struct quota *quota = make(10, 20, 0);
    unsigned retry_s = 0;
    assert_true(quota_take(quota, 7, QUOTA_HASH, 0, &retry_s));
    quota_charge(quota, 7, QUOTA_HASH, 49, 0); /* 20 - 50 */
    assert_false(quota_take(quota, 7, QUOTA_HASH, 0, &retry_s));
    assert_int_equal(retry_s, 4); /* 31 at 10 a second */
    assert_false(quota_take(quota, 7, QUOTA_HASH, 3099, &retry_s));
    assert_int_equal(retry_s, 1);
    assert_true(quota_take(quota, 7, QUOTA_HASH, 3100, &retry_s));
    quota_charge(quota, 7, QUOTA_HASH, UINT64_MAX, 3100);
    assert_false(quota_take(quota, 7, QUOTA_HASH, 3100, &retry_s));
    assert_int_equal(retry_s, 3600);
    quota_free(quota);
}

static void connections_up_to_the_limit_and_not_beyond(void **state)
{
    (void)state;
    struct quota *quota = make(0, 1, 2);
    size_t accounts[3];
    assert_true(quota_connect(quota, 7, 0, &accounts[0]));
    assert_true(quota_connect(quota, 7, 0, &accounts[1]));
    assert_false(quota_connect(quota, 7, 0, &accounts[2]));
    assert_true(quota_connect(quota, 8, 0, &accounts[2]));
    quota_disconnect(quota, accounts[0]);
    assert_true(quota_connect(quota, 7, 0, &accounts[0]));
    struct quota_stats stats;
    quota_stats(quota, &stats);
    assert_int_equal(stats.refused_connections, 1);
    quota_free(quota);
}

static void exempt_uids_are_never_limited(void **state)
{
    (void)state;
    const struct quota_settings settings = {.per_s = {1, 1}, .burst = {1, 1}, .connections_max = 1};
    const struct uids exempt = {.count = 1, .items = {7}};
    struct quota *quota = NULL;
    assert_int_equal(quota_new(&settings, &exempt, &quota), IMPRINT_OK);
    size_t account;
    assert_int_equal(take(quota, 7, 50, 0), 50);
    quota_charge(quota, 7, QUOTA_HASH, 1000, 0);
    assert_int_equal(take(quota, 7, 50, 0), 50);
    assert_int_equal(take(quota, 8, 50, 0), 1);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(quota_connect(quota, 7, 0, &account));
    }
    quota_free(quota);
}

static void many_uids_share_what_is_left(void **state)
{
    (void)state;
    struct quota *quota = make(1, 5, 0);
    for (uint32_t uid = 0; uid < QUOTA_UIDS_MAX; uid++) {
        assert_int_equal(take(quota, uid, 6, 0), 5);
    }
    /* No account is free: all the others together have one. */
    assert_int_equal(take(quota, 1000, 3, 0), 3);
    assert_int_equal(take(quota, 1001, 3, 0), 2);
    assert_int_equal(take(quota, 1002, 3, 0), 0);
    /* In time the first are full again and make room, but not one that is connected. */
    size_t account = 0;
    assert_true(quota_connect(quota, 0, 4000, &account));
    assert_int_equal(take(quota, 1002, 6, 5000), 5);
    assert_int_equal(take(quota, 1003, 6, 5000), 5);
    quota_disconnect(quota, account);
    quota_free(quota);
}

static void settings_change_while_serving(void **state)
{
    (void)state;
    struct quota *quota = make(10, 100, 0);
    assert_int_equal(take(quota, 7, 10, 0), 10);
    const struct quota_settings tight = {.per_s = {1, 0}, .burst = {3, 1}};
    quota_change_settings(quota, &tight);
    assert_int_equal(take(quota, 7, 10, 0), 3);
    const struct quota_settings off = {.burst = {1, 1}};
    quota_change_settings(quota, &off);
    assert_int_equal(take(quota, 7, 10, 0), 10);
    quota_free(quota);
}

static void sets_of_uids_are_read_strictly(void **state)
{
    (void)state;
    struct uids uids = {0};
    assert_true(uids_read("all", &uids) && uids_has(&uids, 0) && uids_has(&uids, UINT32_MAX));
    assert_true(uids_read("none", &uids) && !uids_has(&uids, 0));
    assert_true(uids_read("0, 33\t1001 4294967294", &uids));
    assert_true(uids.count == 4 && uids_has(&uids, 33) && uids_has(&uids, 4294967294u));
    assert_false(uids_has(&uids, 34));
    static const char *const wrong[] = {"",   " ",      ",",   "-1",         "1;2",         "www",
                                        "1x", "none 1", "All", "4294967295", "99999999999", "0x10"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(uids_read(wrong[i], &uids));
    }
    assert_int_equal(uids.count, 4);
    char many[(UIDS_MAX + 1) * 4 + 1] = "";
    for (unsigned i = 0; i < UIDS_MAX; i++) {
        (void)snprintf(many + strlen(many), 5, "%u ", 100 + i);
    }
    assert_true(uids_read(many, &uids) && uids.count == UIDS_MAX);
    (void)snprintf(many + strlen(many), 5, "%u ", 99u);
    assert_false(uids_read(many, &uids));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_its_burst_then_its_rate),
        cmocka_unit_test(one_uid_does_not_use_up_anothers),
        cmocka_unit_test(debt_is_waited_off_and_retry_says_how_long),
        cmocka_unit_test(connections_up_to_the_limit_and_not_beyond),
        cmocka_unit_test(exempt_uids_are_never_limited),
        cmocka_unit_test(many_uids_share_what_is_left),
        cmocka_unit_test(settings_change_while_serving),
        cmocka_unit_test(sets_of_uids_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
