#include "page.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "imprint/pdq.h"

#include "image_codec.h"

void __wasm_call_ctors(void);

/* What the page reads after a call; its layout is known to worker.js. */
struct page_picture {
    uint32_t error; /* enum imprint_error */
    uint32_t format;
    uint32_t quality;
    uint32_t is_hashable;
    char hash[IMPRINT_HASH_HEX + 1];
};

static enum imprint_error page_error;
static struct page_picture page_picture;
uint8_t *page_input;
size_t page_input_len;

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
