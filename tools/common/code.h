/* code.h - the one code a person keeps, and what is derived from it.
 *
 * Why:     whoever holds the code can ask for a case's state, withdraw it and add to it; whoever
 *          holds the report or the daemon's list can do none of that. The algorithms are written
 *          down in docs/formats.md.
 * Shape:   a root of 16 random bytes. As text: the 128 bits as one number in 26 base32 symbols
 *          (Crockford's alphabet, no I L O U), then that number modulo 1021 in two more, all in
 *          seven groups of four. 1021 is a prime above 32, so every single wrong symbol and every
 *          swap of neighbours is noticed.
 * Owner:   all memory is the caller's, who wipes it. Needs sodium_init() to have succeeded.
 * Threads: any; no state.
 */
#ifndef TOOLS_CODE_H
#define TOOLS_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#define CODE_ROOT_BYTES     16
#define CODE_TEXT_LEN       34 /* 28 symbols and six hyphens */
#define CODE_CASE_BYTES     16
#define CODE_CASE_TEXT_LEN  26
#define CODE_KEY_BYTES      32
#define CODE_VERIFIER_BYTES 32

struct code_root {
    uint8_t bytes[CODE_ROOT_BYTES];
};

struct code_case {
    uint8_t bytes[CODE_CASE_BYTES];
};

struct code_key {
    uint8_t bytes[CODE_KEY_BYTES];
};

struct code_verifier {
    uint8_t bytes[CODE_VERIFIER_BYTES];
};

enum code_use {
    CODE_USE_STATUS,
    CODE_USE_WITHDRAW,
    CODE_USE_APPEND,
};

void code_to_text(const struct code_root *root, char out_text[CODE_TEXT_LEN + 1]);

/* Reads a code as people write it: either case, hyphens and spaces anywhere, I and L for 1, O for
 * 0. IMPRINT_E_PARAMETER_INVALID when it is no code or has a typing mistake. */
IMPRINT_MUST_USE enum imprint_error code_from_text(const char *text, size_t len,
                                                   struct code_root *out_root);

/* The case the code belongs to. One-way: the case id says nothing about the code. */
void code_case_of(const struct code_root *root, struct code_case *out_case);

void code_case_to_text(const struct code_case *id, char out_text[CODE_CASE_TEXT_LEN + 1]);

/* As tolerant as code_from_text. A case id has no check symbols. */
IMPRINT_MUST_USE enum imprint_error code_case_from_text(const char *text, size_t len,
                                                        struct code_case *out_id);

/* "status", "withdraw", "append": also the words that go into the derivation. */
const char *code_use_name(enum code_use use);

void code_key_of(const struct code_root *root, enum code_use use, struct code_key *out_key);

void code_verifier_of(const struct code_case *id, enum code_use use, const struct code_key *key,
                      struct code_verifier *out_verifier);

#endif
