/* The kernel against the algorithm as published: the whole picture filtered twice, decimated and
 * transformed in double precision, written down here once more without any shortcut. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/pdq.h"

#include "pictures.h"

/* --- The model -------------------------------------------------------------------------------- */

static void box_1d(const double *in, double *out, size_t count, size_t step, size_t window)
{
    for (size_t i = 0; i < count; i++) {
        size_t end = i + (window + 2) / 2;
        size_t first = end > window ? end - window : 0;
        end = end < count ? end : count;
        double sum = 0;
        for (size_t k = first; k < end; k++) {
            sum += in[k * step];
        }
        out[i * step] = sum / (double)(end - first);
    }
}

static void model_cells(const float *luma, uint32_t width, uint32_t height, double cells[64][64])
{
    size_t count = (size_t)width * height;
    double *a = malloc(count * sizeof *a);
    double *b = malloc(count * sizeof *b);
    assert_non_null(a);
    assert_non_null(b);
    for (size_t i = 0; i < count; i++) {
        a[i] = (double)luma[i];
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t y = 0; y < height; y++) {
            box_1d(a + (size_t)y * width, b + (size_t)y * width, width, 1, (width + 127) / 128);
        }
        for (uint32_t x = 0; x < width; x++) {
            box_1d(b + x, a + x, height, width, (height + 127) / 128);
        }
    }
    for (size_t i = 0; i < 64; i++) {
        for (size_t j = 0; j < 64; j++) {
            size_t y = (size_t)(((double)i + 0.5) * height / 64);
            size_t x = (size_t)(((double)j + 0.5) * width / 64);
            cells[i][j] = a[y * width + x];
        }
    }
    free(a);
    free(b);
}

static int compare(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;
    return (*x > *y) - (*x < *y);
}

static double model_band(double cells[64][64], int u, int v)
{
    const double step = acos(-1.0) / 128;
    double sum = 0;
    for (int i = 0; i < 64; i++) {
        for (int j = 0; j < 64; j++) {
            sum += cells[i][j] * cos(step * u * (2 * i + 1)) * cos(step * v * (2 * j + 1));
        }
    }
    return sum / 32;
}

static struct imprint_hash model_hash(const float *luma, uint32_t width, uint32_t height)
{
    double cells[64][64];
    double bands[256];
    double sorted[256];
    model_cells(luma, width, height, cells);
    for (int i = 0; i < 256; i++) {
        bands[i] = model_band(cells, i / 16 + 1, i % 16 + 1);
    }
    memcpy(sorted, bands, sizeof bands);
    qsort(sorted, 256, sizeof sorted[0], compare);
    struct imprint_hash hash = {{0}};
    for (size_t i = 0; i < 256; i++) {
        if (bands[i] > sorted[127]) {
            hash.bytes[31 - i / 8] |= (uint8_t)(1u << i % 8);
        }
    }
    return hash;
}

static float *luma_of(const struct picture *picture)
{
    size_t count = (size_t)picture->width * picture->height;
    float *luma = malloc(count * sizeof *luma);
    assert_non_null(luma);
    for (size_t i = 0; i < count; i++) {
        luma[i] = picture->rgb[3 * i];
    }
    return luma;
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void every_size_hashes_as_the_full_filter_does(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {
        {5, 5},     {6, 9},     {63, 64},   {64, 64},   {64, 65},   {127, 129},
        {128, 128}, {255, 257}, {384, 385}, {512, 512}, {512, 300}, {513, 64},
        {640, 481}, {1023, 70}, {1024, 5},  {900, 700}, {31, 511},  {2000, 130},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct picture picture = picture_make((uint32_t)i + 50, sizes[i][0], sizes[i][1]);
        float *luma = luma_of(&picture);
        struct imprint_pdq pdq;
        assert_int_equal(imprint_pdq_luma(luma, picture.width, picture.height, picture.width, &pdq),
                         IMPRINT_OK);
        assert_true(pdq.is_hashable);
        struct imprint_hash model = model_hash(luma, picture.width, picture.height);
        /* Single precision may tip a band that lies on the median, and its partner. */
        assert_in_range(imprint_hash_distance(&pdq.hash, &model), 0, 2);
        free(luma);
        picture_done(&picture);
    }
}

static void rows_may_lie_apart(void **state)
{
    (void)state;
    struct picture picture = picture_make(3, 200, 150);
    struct picture part = picture_cropped(&picture, 40, 30, 100, 90);
    float *luma = luma_of(&picture);
    float *part_luma = luma_of(&part);
    struct imprint_pdq inside;
    struct imprint_pdq alone;
    assert_int_equal(imprint_pdq_luma(luma + 30 * 200 + 40, 100, 90, 200, &inside), IMPRINT_OK);
    assert_int_equal(imprint_pdq_luma(part_luma, 100, 90, 100, &alone), IMPRINT_OK);
    assert_true(imprint_hash_equal(&inside.hash, &alone.hash));
    assert_int_equal(inside.quality, alone.quality);
    free(luma);
    free(part_luma);
    picture_done(&picture);
    picture_done(&part);
}

static void under_five_pixels_or_flat_is_unhashable_and_no_error(void **state)
{
    (void)state;
    float luma[64 * 64];
    for (size_t i = 0; i < 64 * 64; i++) {
        luma[i] = (float)(i * 37 % 251);
    }
    struct imprint_pdq pdq;
    assert_int_equal(imprint_pdq_luma(luma, 4, 64, 64, &pdq), IMPRINT_OK);
    assert_false(pdq.is_hashable);
    assert_int_equal(imprint_pdq_luma(luma, 64, 4, 64, &pdq), IMPRINT_OK);
    assert_false(pdq.is_hashable);
    assert_int_equal(imprint_pdq_luma(luma, 5, 5, 64, &pdq), IMPRINT_OK);
    assert_true(pdq.is_hashable);
    for (size_t i = 0; i < 64 * 64; i++) {
        luma[i] = 77.3F;
    }
    memset(&pdq, 0xff, sizeof pdq);
    assert_int_equal(imprint_pdq_luma(luma, 64, 60, 64, &pdq), IMPRINT_OK);
    assert_false(pdq.is_hashable);
    assert_int_equal(pdq.quality, 0);
    const struct imprint_hash none = {{0}};
    assert_true(imprint_hash_equal(&pdq.hash, &none));
}

static void samples_that_are_no_luma_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const float bad[] = {-1.0F, 256.0F, 1e30F, NAN, INFINITY, -INFINITY};
    float luma[8 * 8] = {0};
    struct imprint_pdq pdq;
    memset(&pdq, 0x5a, sizeof pdq);
    const struct imprint_pdq before = pdq;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        luma[63] = bad[i];
        assert_int_equal(imprint_pdq_luma(luma, 8, 8, 8, &pdq), IMPRINT_E_PARAMETER_INVALID);
    }
    luma[63] = 255.0F;
    assert_int_equal(imprint_pdq_luma(luma, 0, 8, 8, &pdq), IMPRINT_E_PARAMETER_INVALID);
    assert_int_equal(imprint_pdq_luma(luma, 8, 0, 8, &pdq), IMPRINT_E_PARAMETER_INVALID);
    assert_int_equal(imprint_pdq_luma(luma, 8, 8, 7, &pdq), IMPRINT_E_PARAMETER_INVALID);
    assert_memory_equal(&pdq, &before, sizeof pdq);
    assert_int_equal(imprint_pdq_luma(luma, 8, 8, 8, &pdq), IMPRINT_OK);
}

static void negative_luma_gives_the_complement(void **state)
{
    (void)state;
    struct picture picture = picture_make(9, 512, 512);
    float *luma = luma_of(&picture);
    struct imprint_pdq positive;
    struct imprint_pdq negative;
    assert_int_equal(imprint_pdq_luma(luma, 512, 512, 512, &positive), IMPRINT_OK);
    for (size_t i = 0; i < (size_t)512 * 512; i++) {
        luma[i] = 255 - luma[i];
    }
    assert_int_equal(imprint_pdq_luma(luma, 512, 512, 512, &negative), IMPRINT_OK);
    assert_int_equal(positive.quality, negative.quality);
    assert_in_range(imprint_hash_distance(&positive.hash, &negative.hash), 255, 256);
    free(luma);
    picture_done(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_hashes_as_the_full_filter_does),
        cmocka_unit_test(rows_may_lie_apart),
        cmocka_unit_test(under_five_pixels_or_flat_is_unhashable_and_no_error),
        cmocka_unit_test(samples_that_are_no_luma_are_refused_and_change_nothing),
        cmocka_unit_test(negative_luma_gives_the_complement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
