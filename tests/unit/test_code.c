/* The holder's code: goes round as text, notices every single wrong symbol and every swap of
 * neighbours (all of them, on many codes), and derives what docs/formats.md says, against values
 * computed apart from this code with Python's hashlib. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "code.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum { CODES = 200, HYPHENS = 6 };

/* Zero, all ones, single bits, then codes of a generator that repeats itself. */
static struct code_root root_number(unsigned n)
{
    struct code_root root = {{0}};
    if (n == 1) {
        memset(root.bytes, 0xff, sizeof root.bytes);
    } else if (n >= 2 && n < 130) {
        root.bytes[(n - 2) / 8] = (uint8_t)(1u << (n - 2) % 8);
    } else if (n >= 130) {
        unsigned char seed[randombytes_SEEDBYTES] = {(unsigned char)n};
        randombytes_buf_deterministic(root.bytes, sizeof root.bytes, seed);
    }
    return root;
}

static enum imprint_error read_code(const char *text, struct code_root *out_root)
{
    return code_from_text(text, strlen(text), out_root);
}

static void text_goes_round(void **state)
{
    (void)state;
    for (unsigned n = 0; n < CODES; n++) {
        const struct code_root root = root_number(n);
        char text[CODE_TEXT_LEN + 1];
        code_to_text(&root, text);
        assert_int_equal(strlen(text), CODE_TEXT_LEN);
        for (size_t i = 4; i < CODE_TEXT_LEN; i += 5) {
            assert_int_equal(text[i], '-');
        }
        struct code_root again;
        assert_int_equal(read_code(text, &again), IMPRINT_OK);
        assert_memory_equal(&again, &root, sizeof root);
    }
}

static void known_code_is_written_as_documented(void **state)
{
    (void)state;
    struct code_root root;
    for (size_t i = 0; i < sizeof root.bytes; i++) {
        root.bytes[i] = (uint8_t)i;
    }
    char text[CODE_TEXT_LEN + 1];
    code_to_text(&root, text);
    assert_string_equal(text, "0004-1061-050R-3GG2-8A1C-60T3-GF5E");
    const struct code_root zero = {{0}};
    code_to_text(&zero, text);
    assert_string_equal(text, "0000-0000-0000-0000-0000-0000-0000");
}

static void every_single_wrong_symbol_is_noticed(void **state)
{
    (void)state;
    for (unsigned n = 0; n < CODES; n++) {
        const struct code_root root = root_number(n);
        char text[CODE_TEXT_LEN + 1];
        code_to_text(&root, text);
        for (size_t i = 0; i < CODE_TEXT_LEN; i++) {
            const char right = text[i];
            for (const char *wrong = alphabet; right != '-' && *wrong != '\0'; wrong++) {
                struct code_root again;
                text[i] = *wrong;
                assert_int_equal(read_code(text, &again),
                                 *wrong == right ? IMPRINT_OK : IMPRINT_E_PARAMETER_INVALID);
            }
            text[i] = right;
        }
    }
}

static void every_swap_of_neighbours_is_noticed(void **state)
{
    (void)state;
    unsigned swaps = 0;
    for (unsigned n = 0; n < CODES; n++) {
        const struct code_root root = root_number(n);
        char text[CODE_TEXT_LEN + 1];
        code_to_text(&root, text);
        for (size_t i = 0; i + 1 < CODE_TEXT_LEN; i++) {
            const size_t next = text[i + 1] == '-' ? i + 2 : i + 1;
            if (text[i] == '-' || text[i] == text[next]) {
                continue;
            }
            const char held = text[i];
            text[i] = text[next];
            text[next] = held;
            struct code_root again;
            assert_int_equal(read_code(text, &again), IMPRINT_E_PARAMETER_INVALID);
            text[next] = text[i];
            text[i] = held;
            swaps++;
        }
    }
    assert_true(swaps > 1000);
}

static void reading_forgives_what_people_do(void **state)
{
    (void)state;
    const struct code_root root = root_number(150);
    char text[CODE_TEXT_LEN + 1];
    code_to_text(&root, text);
    char sloppy[4 * CODE_TEXT_LEN];
    size_t n = 0;
    for (size_t i = 0; i < CODE_TEXT_LEN; i++) {
        char c = text[i];
        c = (char)(c == '1' ? (i % 2 ? 'l' : 'I') : c == '0' ? (i % 2 ? 'o' : 'O') : c);
        sloppy[n++] = (char)(c >= 'A' && c <= 'Z' && i % 3 ? c + 32 : c);
        sloppy[n++] = ' ';
    }
    struct code_root again;
    assert_int_equal(code_from_text(sloppy, n, &again), IMPRINT_OK);
    assert_memory_equal(&again, &root, sizeof root);
}

static void what_is_no_code_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "0000",
        "0000-0000-0000-0000-0000-0000-000",
        "0000-0000-0000-0000-0000-0000-0000-0",
        "0000-0000-0000-0000-0000-0000-000U",
        "0000-0000-0000-0000-0000-0000-000*",
        "8000-0000-0000-0000-0000-0000-0000",
        "0000-0000-0000-0000-0000-0000-00ZZ",
        ("\xc3\xa9"
         "000-0000-0000-0000-0000-0000-0000"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct code_root root;
        memset(&root, 0x5a, sizeof root);
        const struct code_root before = root;
        assert_int_equal(read_code(wrong[i], &root), IMPRINT_E_PARAMETER_INVALID);
        assert_memory_equal(&root, &before, sizeof root);
    }
    struct code_root root;
    assert_int_equal(code_from_text("0000-0000-0000-0000-0000-0000-0000", 20, &root),
                     IMPRINT_E_PARAMETER_INVALID);
    /* The first symbol holds three bits: 128 bits more than there are stay out. */
    assert_int_equal(read_code("Z000-0000-0000-0000-0000-0000-0000", &root),
                     IMPRINT_E_PARAMETER_INVALID);
}

static void a_case_number_goes_round(void **state)
{
    (void)state;
    for (unsigned n = 0; n < CODES; n++) {
        struct code_case id;
        const struct code_root root = root_number(n);
        memcpy(id.bytes, root.bytes, sizeof id.bytes);
        char text[CODE_CASE_TEXT_LEN + 1];
        code_case_to_text(&id, text);
        assert_int_equal(strlen(text), CODE_CASE_TEXT_LEN);
        struct code_case again;
        assert_int_equal(code_case_from_text(text, strlen(text), &again), IMPRINT_OK);
        assert_memory_equal(&again, &id, sizeof id);
    }
    struct code_case id;
    assert_int_equal(code_case_from_text("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", 26, &id),
                     IMPRINT_E_PARAMETER_INVALID);
    assert_int_equal(code_case_from_text("0", 1, &id), IMPRINT_E_PARAMETER_INVALID);
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *expected)
{
    char hex[129];
    assert_non_null(sodium_bin2hex(hex, sizeof hex, bytes, len));
    assert_string_equal(hex, expected);
}

static void derivation_is_the_documented_one(void **state)
{
    (void)state;
    struct code_root root;
    for (size_t i = 0; i < sizeof root.bytes; i++) {
        root.bytes[i] = (uint8_t)i;
    }
    struct code_case id;
    code_case_of(&root, &id);
    assert_hex(id.bytes, sizeof id.bytes, "08c862b785f74384a942e21d553bf828");
    static const struct {
        enum code_use use;
        const char *name;
        const char *key;
        const char *verifier;
    } rows[] = {
        {CODE_USE_STATUS, "status",
         "72843ed448ae31b3c42d077161af1008b01b5860460ac4617dcf00cc238f7fd0",
         "80cd61309fb97b5f8f124bd4ad8600fd470723a8ee9acc4e6c7842d24882da86"},
        {CODE_USE_WITHDRAW, "withdraw",
         "0cfc3ed9141fbd7b335490e946dd522885adc1b6f7f6aabec28ed431dcbabd50",
         "7ff1b26d6d9148f71df4e83f29ca0bd78f09efb40bfb6f31eb8353581a382fe5"},
        {CODE_USE_APPEND, "append",
         "9e4eb79942b09719d3ec650d6a83747749215937477a9ef758b8b48026cea660",
         "a4d9ef531cf1683b1c932fd5e6899eb222623ef571ca97df12fb4371212fa1d7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct code_key key;
        struct code_verifier verifier;
        assert_string_equal(code_use_name(rows[i].use), rows[i].name);
        code_key_of(&root, rows[i].use, &key);
        assert_hex(key.bytes, sizeof key.bytes, rows[i].key);
        code_verifier_of(&id, rows[i].use, &key, &verifier);
        assert_hex(verifier.bytes, sizeof verifier.bytes, rows[i].verifier);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_goes_round),
        cmocka_unit_test(known_code_is_written_as_documented),
        cmocka_unit_test(every_single_wrong_symbol_is_noticed),
        cmocka_unit_test(every_swap_of_neighbours_is_noticed),
        cmocka_unit_test(reading_forgives_what_people_do),
        cmocka_unit_test(what_is_no_code_is_refused_and_changes_nothing),
        cmocka_unit_test(a_case_number_goes_round),
        cmocka_unit_test(derivation_is_the_documented_one),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
