/* A case: its code, its report, and the files that use the code. The same sources write the
 * program's files. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "imprint/pdq.h"
#include "imprint/report.h" /* of tools/imprint */

#include "code.h"
#include "page.h"
#include "strbuf.h"

enum { ITEM_BYTES = IMPRINT_HASH_BYTES + 2 }; /* the hash, its quality, whether it is low */

/* What the page reads; its layout is known to worker.js. */
struct page_case {
    uint32_t error; /* enum imprint_error */
    uint32_t len;   /* of the file */
    const char *file;
    char code[CODE_TEXT_LEN + 1];
    char number[CODE_CASE_TEXT_LEN + 1];
};

static struct code_root case_root;
static struct page_case page_case;
static struct strbuf case_file;

/* --- Random numbers, from the page's own source ----------------------------------------------- */

static uint8_t *random_pool;
static size_t random_left;

/* What was taken is the pool from now on. */
EXPORT("seed") void page_seed(void)
{
    free(random_pool);
    random_pool = page_input;
    random_left = page_input_len;
    page_input = NULL;
    page_input_len = 0;
}

void randombytes_buf(void *const out, const size_t len)
{
    if (len > random_left) {
        page_give_up(IMPRINT_E_INTERNAL);
    }
    random_left -= len;
    memcpy(out, random_pool + random_left, len);
    explicit_bzero(random_pool + random_left, len);
}

uint32_t randombytes_uniform(const uint32_t upper_bound)
{
    if (upper_bound < 2) {
        return 0;
    }
    /* The lowest values are thrown away so that the rest is a multiple of the bound. */
    const uint32_t least = (0U - upper_bound) % upper_bound;
    uint32_t value;
    do {
        randombytes_buf(&value, sizeof value);
    } while (value < least);
    return value % upper_bound;
}

/* --- The code --------------------------------------------------------------------------------- */

static const struct page_case *describe_case(enum imprint_error error)
{
    page_case.error = error;
    if (error == IMPRINT_OK) {
        struct code_case id;
        code_case_of(&case_root, &id);
        code_to_text(&case_root, page_case.code);
        code_case_to_text(&id, page_case.number);
    }
    return &page_case;
}

/* A new code. */
EXPORT("make_code") const struct page_case *page_make_code(void)
{
    randombytes_buf(case_root.bytes, sizeof case_root.bytes);
    return describe_case(IMPRINT_OK);
}

/* The code a person typed, as text that was taken. */
EXPORT("read_code") const struct page_case *page_read_code(void)
{
    return describe_case(code_from_text((const char *)page_input, page_input_len, &case_root));
}

/* --- Files ------------------------------------------------------------------------------------ */

static const struct page_case *give_file(enum imprint_error error)
{
    page_case.error = error;
    page_case.file = error == IMPRINT_OK ? strbuf_get(&case_file) : NULL;
    page_case.len = error == IMPRINT_OK ? (uint32_t)case_file.len : 0;
    return &page_case;
}

static enum imprint_error add_items(struct report *report, const uint8_t *bytes, size_t len)
{
    enum imprint_error error = IMPRINT_OK;
    for (size_t at = 0; at < len && error == IMPRINT_OK; at += ITEM_BYTES) {
        struct report_item item = {.quality = bytes[at + IMPRINT_HASH_BYTES],
                                   .is_low_quality = bytes[at + IMPRINT_HASH_BYTES + 1] != 0};
        memcpy(item.hash.bytes, bytes + at, sizeof item.hash.bytes);
        error = item.quality <= IMPRINT_QUALITY_MAX ? report_add(report, &item)
                                                    : IMPRINT_E_PARAMETER_INVALID;
    }
    return error;
}

static void verifier_of(const struct code_case *id, enum code_use use,
                        struct code_verifier *out_verifier)
{
    struct code_key key;
    code_key_of(&case_root, use, &key);
    code_verifier_of(id, use, &key, out_verifier);
    sodium_memzero(&key, sizeof key);
}

/* A text of at most capacity - 1 bytes that ends with a NUL in the input; NULL when there is none.
 */
static const char *next_text(const char **at, size_t *left, size_t capacity)
{
    const char *text = *at;
    const char *end = memchr(text, '\0', *left);
    if (end == NULL || (size_t)(end - text) >= capacity) {
        return NULL;
    }
    *left -= (size_t)(end - text) + 1;
    *at = end + 1;
    return text;
}

/* The day, the version of the statements and the tool, each with a NUL, then the items. */
static enum imprint_error read_report(struct report *report, struct report_case *about)
{
    const char *at = (const char *)page_input;
    size_t left = page_input_len;
    const char *day = next_text(&at, &left, sizeof about->day);
    const char *words = day != NULL ? next_text(&at, &left, sizeof about->statements) : NULL;
    about->tool = words != NULL ? next_text(&at, &left, left) : NULL;
    if (about->tool == NULL || left == 0 || left % ITEM_BYTES != 0) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    memcpy(about->day, day, strlen(day) + 1);
    memcpy(about->statements, words, strlen(words) + 1);
    return add_items(report, (const uint8_t *)at, left);
}

/* The report of the code made before. */
EXPORT("write_report") const struct page_case *page_write_report(void)
{
    struct report report;
    struct report_case about = {0};
    report_init(&report);
    enum imprint_error error = read_report(&report, &about);
    if (error == IMPRINT_OK) {
        code_case_of(&case_root, &about.id);
        verifier_of(&about.id, CODE_USE_STATUS, &about.status);
        verifier_of(&about.id, CODE_USE_WITHDRAW, &about.withdraw);
        verifier_of(&about.id, CODE_USE_APPEND, &about.append);
        report_shuffle(&report);
        strbuf_done(&case_file);
        strbuf_init(&case_file, REPORT_BYTES_MAX);
        error = report_write(&report, &about, &case_file);
    }
    report_done(&report);
    return give_file(error);
}

/* A withdrawal, or else a status request, of the code read before. */
EXPORT("write_key") const struct page_case *page_write_key(uint32_t is_withdrawal)
{
    struct code_case id;
    struct code_key key;
    code_case_of(&case_root, &id);
    code_key_of(&case_root, is_withdrawal != 0 ? CODE_USE_WITHDRAW : CODE_USE_STATUS, &key);
    strbuf_done(&case_file);
    strbuf_init(&case_file, REPORT_BYTES_MAX);
    enum imprint_error error = report_write_key(
        is_withdrawal != 0 ? "imprint-withdrawal/1" : "imprint-status/1", &id, &key, &case_file);
    sodium_memzero(&key, sizeof key);
    return give_file(error);
}

/* The page also drops the instance; its memory may live on for a while. */
EXPORT("forget") void page_forget(void)
{
    strbuf_done(&case_file);
    explicit_bzero(random_pool, random_left);
    random_left = 0;
    explicit_bzero(page_input, page_input_len);
    explicit_bzero(&case_root, sizeof case_root);
    explicit_bzero(&page_case, sizeof page_case);
}
