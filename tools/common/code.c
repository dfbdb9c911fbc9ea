#include "code.h"

#include <stdbool.h>
#include <string.h>

#include <sodium.h>

enum {
    CODE_VALUE_SYMBOLS = 26, /* 130 bits, the first two of them zero */
    CODE_CHECK_SYMBOLS = 2,
    CODE_SYMBOLS = CODE_VALUE_SYMBOLS + CODE_CHECK_SYMBOLS,
    CODE_GROUP_SYMBOLS = 4,
    CODE_MODULUS = 1021,
};

static const char code_alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* 16 bytes, most significant first, to 26 symbols of five bits. */
static void code_symbols_of(const uint8_t bytes[16], uint8_t out_symbols[CODE_VALUE_SYMBOLS])
{
    unsigned bits = 0;
    unsigned bit_count = 2;
    size_t n = 0;
    for (size_t i = 0; i < 16; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffffu;
        bit_count += 8;
        while (bit_count >= 5) {
            bit_count -= 5;
            out_symbols[n++] = (uint8_t)(bits >> bit_count & 31u);
        }
    }
}

/* False when the symbols hold more than 128 bits. */
static bool code_bytes_of(const uint8_t symbols[CODE_VALUE_SYMBOLS], uint8_t out_bytes[16])
{
    if (symbols[0] > 7) {
        return false;
    }
    unsigned bits = 0;
    unsigned bit_count = 0;
    size_t n = 0;
    for (size_t i = 0; i < CODE_VALUE_SYMBOLS; i++) {
        bits = (bits << 5 | symbols[i]) & 0xffffu;
        bit_count += i == 0 ? 3 : 5;
        if (bit_count >= 8) {
            bit_count -= 8;
            out_bytes[n++] = (uint8_t)(bits >> bit_count & 0xffu);
        }
    }
    return true;
}

static unsigned code_check_of(const uint8_t symbols[CODE_VALUE_SYMBOLS])
{
    unsigned rest = 0;
    for (size_t i = 0; i < CODE_VALUE_SYMBOLS; i++) {
        rest = (rest * 32 + symbols[i]) % CODE_MODULUS;
    }
    return rest;
}

/* The value of a symbol as people write it, or -1. */
static int code_symbol_value(char c)
{
    if (c >= 'a' && c <= 'z') {
        c = (char)(c - 'a' + 'A');
    }
    if (c == 'I' || c == 'L') {
        return 1;
    }
    if (c == 'O') {
        return 0;
    }
    const char *at = c != '\0' ? strchr(code_alphabet, c) : NULL;
    return at != NULL ? (int)(at - code_alphabet) : -1;
}

/* Exactly count symbols among hyphens and blanks; false otherwise. */
static bool code_symbols_read(const char *text, size_t len, uint8_t *out_symbols, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-' || text[i] == ' ' || text[i] == '\t') {
            continue;
        }
        const int value = code_symbol_value(text[i]);
        if (value < 0 || n == count) {
            return false;
        }
        out_symbols[n++] = (uint8_t)value;
    }
    return n == count;
}

void code_to_text(const struct code_root *root, char out_text[CODE_TEXT_LEN + 1])
{
    uint8_t symbols[CODE_SYMBOLS];
    code_symbols_of(root->bytes, symbols);
    const unsigned check = code_check_of(symbols);
    symbols[CODE_VALUE_SYMBOLS] = (uint8_t)(check >> 5);
    symbols[CODE_VALUE_SYMBOLS + 1] = (uint8_t)(check & 31u);
    size_t n = 0;
    for (size_t i = 0; i < CODE_SYMBOLS; i++) {
        if (i != 0 && i % CODE_GROUP_SYMBOLS == 0) {
            out_text[n++] = '-';
        }
        out_text[n++] = code_alphabet[symbols[i]];
    }
    out_text[n] = '\0';
    sodium_memzero(symbols, sizeof symbols);
}

enum imprint_error code_from_text(const char *text, size_t len, struct code_root *out_root)
{
    uint8_t symbols[CODE_SYMBOLS];
    struct code_root root;
    enum imprint_error error = IMPRINT_E_PARAMETER_INVALID;
    if (code_symbols_read(text, len, symbols, CODE_SYMBOLS)) {
        const unsigned check = symbols[CODE_VALUE_SYMBOLS] * 32u + symbols[CODE_VALUE_SYMBOLS + 1];
        if (check == code_check_of(symbols) && code_bytes_of(symbols, root.bytes)) {
            *out_root = root;
            error = IMPRINT_OK;
        }
    }
    sodium_memzero(symbols, sizeof symbols);
    sodium_memzero(&root, sizeof root);
    return error;
}

void code_case_of(const struct code_root *root, struct code_case *out_case)
{
    static const char label[] = "imprint/1/case";
    crypto_generichash(out_case->bytes, sizeof out_case->bytes, (const unsigned char *)label,
                       sizeof label - 1, root->bytes, sizeof root->bytes);
}

void code_case_to_text(const struct code_case *id, char out_text[CODE_CASE_TEXT_LEN + 1])
{
    uint8_t symbols[CODE_VALUE_SYMBOLS];
    code_symbols_of(id->bytes, symbols);
    for (size_t i = 0; i < CODE_VALUE_SYMBOLS; i++) {
        out_text[i] = code_alphabet[symbols[i]];
    }
    out_text[CODE_VALUE_SYMBOLS] = '\0';
}

enum imprint_error code_case_from_text(const char *text, size_t len, struct code_case *out_id)
{
    uint8_t symbols[CODE_VALUE_SYMBOLS];
    struct code_case id;
    if (!code_symbols_read(text, len, symbols, CODE_VALUE_SYMBOLS) ||
        !code_bytes_of(symbols, id.bytes)) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    *out_id = id;
    return IMPRINT_OK;
}

const char *code_use_name(enum code_use use)
{
    switch (use) {
    case CODE_USE_STATUS: return "status";
    case CODE_USE_WITHDRAW: return "withdraw";
    case CODE_USE_APPEND: return "append";
    }
    return "";
}

void code_key_of(const struct code_root *root, enum code_use use, struct code_key *out_key)
{
    static const char label[] = "imprint/1/";
    const char *name = code_use_name(use);
    crypto_generichash_state state;
    crypto_generichash_init(&state, root->bytes, sizeof root->bytes, sizeof out_key->bytes);
    crypto_generichash_update(&state, (const unsigned char *)label, sizeof label - 1);
    crypto_generichash_update(&state, (const unsigned char *)name, strlen(name));
    crypto_generichash_final(&state, out_key->bytes, sizeof out_key->bytes);
    sodium_memzero(&state, sizeof state);
}

void code_verifier_of(const struct code_case *id, enum code_use use, const struct code_key *key,
                      struct code_verifier *out_verifier)
{
    static const char label[] = "imprint-verifier/1/";
    const char *name = code_use_name(use);
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof out_verifier->bytes);
    crypto_generichash_update(&state, (const unsigned char *)label, sizeof label - 1);
    crypto_generichash_update(&state, (const unsigned char *)name, strlen(name));
    crypto_generichash_update(&state, id->bytes, sizeof id->bytes);
    crypto_generichash_update(&state, key->bytes, sizeof key->bytes);
    crypto_generichash_final(&state, out_verifier->bytes, sizeof out_verifier->bytes);
    sodium_memzero(&state, sizeof state);
}
