/* A holder's code and case id as people write them: what is taken is written again as the same
 * symbols, what is refused changes nothing. Any sixteen bytes make a code that is read back, in
 * which one wrong symbol or two swapped neighbours are noticed, and whose keys the daemon takes. */
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "code.h"
#include "fuzz.h"
#include "report.h"

static const char fuzz_symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The symbols of a text without its blanks and hyphens, as they are written officially. */
static size_t fuzz_normalise(const char *text, size_t len, char *out_symbols, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < len && count < capacity; i++) {
        const char c = (char)toupper((unsigned char)text[i]);
        if (c != '-' && c != ' ' && c != '\t') {
            out_symbols[count++] = c == 'I' || c == 'L' ? '1' : c == 'O' ? '0' : c;
        }
    }
    return count;
}

static void fuzz_same_symbols(const char *text, size_t len, const char *written)
{
    char given[CODE_TEXT_LEN + 1];
    char again[CODE_TEXT_LEN + 1];
    const size_t given_len = fuzz_normalise(text, len, given, sizeof given);
    const size_t again_len = fuzz_normalise(written, strlen(written), again, sizeof again);
    fuzz_must(given_len == again_len && memcmp(given, again, given_len) == 0);
}

static void fuzz_read(const char *text, size_t len)
{
    struct code_root root;
    memset(&root, 0x5a, sizeof root);
    const struct code_root root_before = root;
    if (code_from_text(text, len, &root) == IMPRINT_OK) {
        char written[CODE_TEXT_LEN + 1];
        code_to_text(&root, written);
        fuzz_same_symbols(text, len, written);
    } else {
        fuzz_must(memcmp(&root, &root_before, sizeof root) == 0);
    }
    struct code_case id;
    memset(&id, 0x5a, sizeof id);
    const struct code_case id_before = id;
    if (code_case_from_text(text, len, &id) == IMPRINT_OK) {
        char written[CODE_CASE_TEXT_LEN + 1];
        code_case_to_text(&id, written);
        fuzz_same_symbols(text, len, written);
    } else {
        fuzz_must(memcmp(&id, &id_before, sizeof id) == 0);
    }
}

/* The other symbol and where it goes come from the input. */
static void fuzz_mistype(const char *text, uint8_t place, uint8_t symbol)
{
    char wrong[CODE_TEXT_LEN + 1];
    struct code_root root;
    memcpy(wrong, text, sizeof wrong);
    const size_t at = place % CODE_TEXT_LEN;
    if (wrong[at] != '-' && wrong[at] != fuzz_symbols[symbol % 32]) {
        wrong[at] = fuzz_symbols[symbol % 32];
        fuzz_must(code_from_text(wrong, CODE_TEXT_LEN, &root) != IMPRINT_OK);
    }
    memcpy(wrong, text, sizeof wrong);
    if (at + 1 < CODE_TEXT_LEN) {
        const char kept = wrong[at];
        wrong[at] = wrong[at + 1];
        wrong[at + 1] = kept;
        const bool is_other = kept != wrong[at] && kept != '-' && wrong[at] != '-';
        fuzz_must((code_from_text(wrong, CODE_TEXT_LEN, &root) != IMPRINT_OK) == is_other);
    }
}

/* The companion and the daemon have each their own writing of case ids and verifiers. */
static void fuzz_both_sides(const struct code_root *root)
{
    struct code_case id;
    struct code_key key;
    struct code_verifier verifier;
    code_case_of(root, &id);
    char text[CODE_CASE_TEXT_LEN + 1];
    code_case_to_text(&id, text);
    struct record_case_id daemons;
    fuzz_must(report_case_id_from_text(text, &daemons) == IMPRINT_OK);
    fuzz_must(memcmp(&daemons, &id, sizeof id) == 0);
    char daemons_text[REPORT_CASE_ID_TEXT_BYTES];
    report_case_id_to_text(&daemons, daemons_text);
    fuzz_must(strcmp(daemons_text, text) == 0);
    for (int use = CODE_USE_STATUS; use <= CODE_USE_APPEND; use++) {
        code_key_of(root, (enum code_use)use, &key);
        code_verifier_of(&id, (enum code_use)use, &key, &verifier);
        const char *name = code_use_name((enum code_use)use);
        fuzz_must(report_key_fits(&daemons, name, key.bytes, verifier.bytes));
        key.bytes[root->bytes[0] % CODE_KEY_BYTES] ^= 1;
        fuzz_must(!report_key_fits(&daemons, name, key.bytes, verifier.bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_must(sodium_init() >= 0);
    fuzz_read((const char *)data, len);
    if (len >= CODE_ROOT_BYTES + 2) {
        struct code_root root;
        struct code_root again;
        memcpy(root.bytes, data, sizeof root.bytes);
        char text[CODE_TEXT_LEN + 1];
        code_to_text(&root, text);
        fuzz_must(strlen(text) == CODE_TEXT_LEN);
        fuzz_must(code_from_text(text, CODE_TEXT_LEN, &again) == IMPRINT_OK);
        fuzz_must(memcmp(&again, &root, sizeof root) == 0);
        fuzz_mistype(text, data[CODE_ROOT_BYTES], data[CODE_ROOT_BYTES + 1]);
        fuzz_both_sides(&root);
    }
    return 0;
}
