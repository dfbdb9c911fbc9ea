#include "page.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imprint/pdq.h"

#include "code.h"
#include "image_codec.h"

#define EXPORT(name) __attribute__((export_name(name)))

void __wasm_call_ctors(void);

/* What the page reads after a call; its layout is known to worker.js. */
struct page_picture {
    uint32_t error; /* enum imprint_error */
    uint32_t format;
    uint32_t quality;
    uint32_t is_hashable;
    char hash[IMPRINT_HASH_HEX + 1];
};

struct page_code {
    uint32_t error;
    char code[CODE_TEXT_LEN + 1];
    char case_id[CODE_CASE_TEXT_LEN + 1];
    char keys[3][2 * CODE_KEY_BYTES + 1];
    char verifiers[3][2 * CODE_VERIFIER_BYTES + 1];
};

static enum imprint_error page_error;
static struct page_picture page_picture;
static struct page_code page_code;
static uint8_t *page_input;
static size_t page_input_len;

_Noreturn void page_give_up(enum imprint_error error)
{
    page_error = error;
    __builtin_trap();
}

EXPORT("_initialize") void page_initialize(void)
{
    __wasm_call_ctors();
}

/* Why the instance ended, or IMPRINT_OK where it ended by a trap nobody meant. */
EXPORT("failure") uint32_t page_failure(void)
{
    return page_error;
}

/* The code's name in the house's own words, such as "image_too_large". */
EXPORT("error_name") const char *page_error_name(uint32_t error)
{
    return imprint_error_name((enum imprint_error)error);
}

/* Memory for len bytes from the page; NULL where there is none. */
EXPORT("take") uint8_t *page_take(size_t len)
{
    free(page_input);
    page_input = malloc(len > 0 ? len : 1);
    page_input_len = page_input != NULL ? len : 0;
    return page_input;
}

/* --- Pictures --------------------------------------------------------------------------------- */

static void finish_picture(struct imprint_image *image, enum imprint_error error)
{
    struct imprint_pdq pdq;
    if (error == IMPRINT_OK) {
        /* The hash of half a picture would protect nobody. */
        error = image->info.is_truncated ? IMPRINT_E_IMAGE_TRUNCATED : imprint_pdq(image, &pdq);
    }
    page_picture.error = error;
    if (error != IMPRINT_OK) {
        return;
    }
    page_picture.quality = pdq.quality;
    page_picture.is_hashable = pdq.is_hashable;
    imprint_hash_to_hex(&pdq.hash, page_picture.hash);
}

/* Hashes the file that was taken. */
EXPORT("hash") const struct page_picture *page_hash(void)
{
    struct imprint_image *image = NULL;
    enum imprint_error error = imprint_image_open(page_input, page_input_len, NULL, &image);
    if (error == IMPRINT_OK) {
        page_picture.format = imprint_image_info(image)->format;
    }
    finish_picture(image, error);
    return &page_picture;
}

EXPORT("sniff") uint32_t page_sniff(void)
{
    return imprint_image_sniff(page_input, page_input_len);
}

/* Hashes width x height pixels of RGBA that were taken: what the browser has decoded, upright. */
EXPORT("hash_pixels")
const struct page_picture *page_hash_pixels(uint32_t width, uint32_t height)
{
    struct image_job job = {.limits = imprint_limits_default(), .info.orientation = 1};
    if ((uint64_t)width * height * 4 != page_input_len) {
        page_give_up(IMPRINT_E_INTERNAL);
    }
    enum imprint_error error = image_job_begin(&job, width, height);
    for (uint32_t y = 0; error == IMPRINT_OK && y < height; y++) {
        const struct image_row row = {.pixels = page_input + (size_t)y * width * 4,
                                      .layout = IMAGE_LAYOUT_RGBA,
                                      .y = y,
                                      .step = 1};
        image_job_put_row(&job, &row);
    }
    struct imprint_image image = {
        .info = job.info, .upright = image_turn_of(1), .sampler = job.sampler};
    finish_picture(&image, error);
    return &page_picture;
}

/* --- The code --------------------------------------------------------------------------------- */

static void hex_of(const uint8_t *bytes, size_t len, char *out_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out_text[2 * i] = digits[bytes[i] >> 4];
        out_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    out_text[2 * len] = '\0';
}

static void describe_code(const struct code_root *root)
{
    static const enum code_use uses[3] = {CODE_USE_STATUS, CODE_USE_WITHDRAW, CODE_USE_APPEND};
    struct code_case id;
    code_case_of(root, &id);
    code_to_text(root, page_code.code);
    code_case_to_text(&id, page_code.case_id);
    for (size_t i = 0; i < 3; i++) {
        struct code_key key;
        struct code_verifier verifier;
        code_key_of(root, uses[i], &key);
        code_verifier_of(&id, uses[i], &key, &verifier);
        hex_of(key.bytes, sizeof key.bytes, page_code.keys[i]);
        hex_of(verifier.bytes, sizeof verifier.bytes, page_code.verifiers[i]);
    }
}

/* A new code from the 16 random bytes that were taken. */
EXPORT("make_code") const struct page_code *page_make_code(void)
{
    struct code_root root;
    if (page_input_len != sizeof root.bytes) {
        page_give_up(IMPRINT_E_INTERNAL);
    }
    memcpy(root.bytes, page_input, sizeof root.bytes);
    describe_code(&root);
    page_code.error = IMPRINT_OK;
    return &page_code;
}

/* The code a person typed, as text that was taken. */
EXPORT("read_code") const struct page_code *page_read_code(void)
{
    struct code_root root;
    page_code.error = code_from_text((const char *)page_input, page_input_len, &root);
    if (page_code.error == IMPRINT_OK) {
        describe_code(&root);
    }
    return &page_code;
}
