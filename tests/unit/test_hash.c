/* The hash as a value: distance against a bit-by-bit count, text form in both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/hash.h"

static const char sample[] = "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22";

static void distance_counts_the_differing_bits(void **state)
{
    (void)state;
    struct imprint_hash a = {{0}};
    struct imprint_hash b = {{0}};
    assert_int_equal(imprint_hash_distance(&a, &b), 0);
    for (unsigned bit = 0; bit < IMPRINT_HASH_BITS; bit++) {
        b.bytes[bit / 8] |= (uint8_t)(1u << bit % 8);
        assert_int_equal(imprint_hash_distance(&a, &b), bit + 1);
        assert_int_equal(imprint_hash_distance(&b, &a), bit + 1);
    }
}

static void text_form_goes_round_in_either_case(void **state)
{
    (void)state;
    struct imprint_hash hash;
    assert_int_equal(imprint_hash_from_hex(sample, 64, &hash), IMPRINT_OK);
    assert_int_equal(hash.bytes[0], 0xd8);
    assert_int_equal(hash.bytes[31], 0x22);
    char text[IMPRINT_HASH_HEX + 1];
    imprint_hash_to_hex(&hash, text);
    assert_string_equal(text, sample);

    char upper[IMPRINT_HASH_HEX + 1];
    for (size_t i = 0; i <= IMPRINT_HASH_HEX; i++) {
        upper[i] = (char)(sample[i] >= 'a' ? sample[i] - 32 : sample[i]);
    }
    struct imprint_hash again;
    assert_int_equal(imprint_hash_from_hex(upper, 64, &again), IMPRINT_OK);
    assert_true(imprint_hash_equal(&hash, &again));
}

static void anything_but_64_digits_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct imprint_hash hash;
    memset(&hash, 0x5a, sizeof hash);
    const struct imprint_hash before = hash;
    assert_int_equal(imprint_hash_from_hex(sample, 63, &hash), IMPRINT_E_HASH_INVALID);
    assert_int_equal(imprint_hash_from_hex(sample, 65, &hash), IMPRINT_E_HASH_INVALID);
    assert_int_equal(imprint_hash_from_hex("", 0, &hash), IMPRINT_E_HASH_INVALID);
    char text[IMPRINT_HASH_HEX + 1];
    const char outside[] = {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\n', '-'};
    for (size_t i = 0; i < sizeof outside; i++) {
        memcpy(text, sample, sizeof text);
        text[i * 7 % 64] = outside[i];
        assert_int_equal(imprint_hash_from_hex(text, 64, &hash), IMPRINT_E_HASH_INVALID);
    }
    assert_memory_equal(&hash, &before, sizeof hash);
}

static void negative_is_256_bits_away(void **state)
{
    (void)state;
    struct imprint_hash hash;
    assert_int_equal(imprint_hash_from_hex(sample, 64, &hash), IMPRINT_OK);
    struct imprint_hash negative;
    imprint_hash_negative(&hash, &negative);
    assert_int_equal(imprint_hash_distance(&hash, &negative), 256);
    imprint_hash_negative(&negative, &negative);
    assert_true(imprint_hash_equal(&hash, &negative));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_the_differing_bits),
        cmocka_unit_test(text_form_goes_round_in_either_case),
        cmocka_unit_test(anything_but_64_digits_is_refused_and_changes_nothing),
        cmocka_unit_test(negative_is_256_bits_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
