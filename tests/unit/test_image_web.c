/* WebP and GIF: every kind against a PNG of the pixels it stands for, and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/pdq.h"

#include "pictures.h"

static struct imprint_pdq hash_of(struct picture_file file, unsigned orientation)
{
    struct imprint_image *image = NULL;
    struct imprint_pdq pdq;
    assert_int_equal(imprint_image_open(file.bytes, file.len, NULL, &image), IMPRINT_OK);
    assert_int_equal(imprint_image_info(image)->orientation, orientation);
    assert_int_equal(imprint_pdq(image, &pdq), IMPRINT_OK);
    assert_true(pdq.is_hashable);
    imprint_image_free(image);
    picture_file_done(&file);
    return pdq;
}

/* Between a file and a PNG of a picture. */
static unsigned distance(struct picture_file file, const struct picture *twin)
{
    struct imprint_pdq a = hash_of(file, 1);
    struct imprint_pdq b = hash_of(picture_to_png(twin, NULL), 1);
    return imprint_hash_distance(&a.hash, &b.hash);
}

static void every_kind_of_webp_hashes_as_its_plain_twin(void **state)
{
    (void)state;
    struct picture picture = picture_make(91, 601, 433);
    struct picture over_white = picture_over_white(&picture);
    const struct picture_webp lossy = {.is_lossy = true};
    const struct picture_webp alpha = {.has_alpha = true};
    const struct picture_webp lossy_alpha = {.is_lossy = true, .has_alpha = true};
    const struct picture_webp animated = {.is_animated = true};
    const struct picture_webp animated_alpha = {.is_animated = true, .has_alpha = true};
    assert_int_equal(distance(picture_to_webp(&picture, NULL), &picture), 0);
    assert_in_range(distance(picture_to_webp(&picture, &lossy), &picture), 0, 6);
    assert_int_equal(distance(picture_to_webp(&picture, &alpha), &over_white), 0);
    assert_in_range(distance(picture_to_webp(&picture, &lossy_alpha), &over_white), 0, 6);
    assert_int_equal(distance(picture_to_webp(&picture, &animated), &picture), 0);
    assert_int_equal(distance(picture_to_webp(&picture, &animated_alpha), &over_white), 0);
    picture_done(&over_white);
    picture_done(&picture);
}

static void a_frame_inside_its_canvas_lies_on_white(void **state)
{
    (void)state;
    static const uint8_t white[3] = {255, 255, 255};
    struct picture made = picture_make(92, 500, 300);
    struct picture picture = picture_posterized(&made);
    struct picture framed = picture_framed(&picture, 560, 360, 30, 30, white);
    const struct picture_webp webp = {.is_animated = true, .inset = 30};
    const struct picture_gif gif = {.inset = 30};
    const struct picture_gif interlaced = {.inset = 30, .is_interlaced = true};
    assert_int_equal(distance(picture_to_webp(&picture, &webp), &framed), 0);
    assert_int_equal(distance(picture_to_gif(&picture, &gif), &framed), 0);
    assert_int_equal(distance(picture_to_gif(&picture, &interlaced), &framed), 0);
    picture_done(&framed);
    picture_done(&picture);
    picture_done(&made);
}

static void every_kind_of_gif_hashes_as_its_plain_twin(void **state)
{
    (void)state;
    struct picture made = picture_make(93, 601, 433);
    struct picture picture = picture_posterized(&made);
    struct picture white_for_black = picture_cropped(&picture, 0, 0, 601, 433);
    for (size_t i = 0; i < (size_t)601 * 433; i++) {
        uint8_t *rgb = white_for_black.rgb + 3 * i;
        if (rgb[0] == 0 && rgb[1] == 0 && rgb[2] == 0) {
            memset(rgb, 255, 3);
        }
    }
    const struct picture_gif interlaced = {.is_interlaced = true};
    const struct picture_gif clear = {.is_black_clear = true};
    assert_int_equal(distance(picture_to_gif(&picture, NULL), &picture), 0);
    assert_int_equal(distance(picture_to_gif(&picture, &interlaced), &picture), 0);
    assert_int_equal(distance(picture_to_gif(&picture, &clear), &white_for_black), 0);
    picture_done(&white_for_black);
    picture_done(&picture);
    picture_done(&made);
}

static void webp_and_png_are_turned_as_their_exif_says(void **state)
{
    (void)state;
    struct picture stored = picture_make(94, 600, 90);
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        struct picture upright = picture_upright(&stored, orientation);
        const struct picture_webp webp = {.orientation = orientation};
        const struct picture_png png = {.orientation = orientation};
        struct imprint_pdq plain = hash_of(picture_to_png(&upright, NULL), 1);
        struct imprint_pdq a = hash_of(picture_to_webp(&stored, &webp), orientation);
        struct imprint_pdq b = hash_of(picture_to_png(&stored, &png), orientation);
        assert_int_equal(imprint_hash_distance(&a.hash, &plain.hash), 0);
        assert_int_equal(imprint_hash_distance(&b.hash, &plain.hash), 0);
        picture_done(&upright);
    }
    picture_done(&stored);
}

/* --- Limits and damage ------------------------------------------------------------------------ */

static enum imprint_error open_under(const struct picture_file *file, struct imprint_limits limits)
{
    const struct imprint_image_options options = {.limits = limits, .views = IMPRINT_VIEWS_TURNED};
    struct imprint_image *image;
    enum imprint_error error = imprint_image_open(file->bytes, file->len, &options, &image);
    if (error == IMPRINT_OK) {
        imprint_image_free(image);
    }
    return error;
}

static void limits_hold_at_the_limit_and_not_beyond(void **state)
{
    (void)state;
    struct picture picture = picture_make(95, 120, 80);
    const struct picture_webp animated = {.is_animated = true};
    struct picture_file files[] = {
        picture_to_webp(&picture, NULL),
        picture_to_webp(&picture, &animated),
        picture_to_gif(&picture, NULL),
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const struct imprint_limits at = {
            .width_max = 120, .height_max = 80, .pixels_max = 9600, .memory_max = 9600 * 7};
        assert_int_equal(open_under(&files[i], at), IMPRINT_OK);
        struct imprint_limits past = at;
        past.width_max--;
        assert_int_equal(open_under(&files[i], past), IMPRINT_E_IMAGE_TOO_LARGE);
        past = at;
        past.height_max--;
        assert_int_equal(open_under(&files[i], past), IMPRINT_E_IMAGE_TOO_LARGE);
        past = at;
        past.pixels_max--;
        assert_int_equal(open_under(&files[i], past), IMPRINT_E_IMAGE_TOO_LARGE);
    }
    const struct imprint_limits little = {.memory_max = 9600 * 7 - 1};
    assert_int_equal(open_under(&files[0], little), IMPRINT_E_IMAGE_TOO_COMPLEX);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        picture_file_done(&files[i]);
    }
    picture_done(&picture);
}

static void check_damaged(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    const struct picture_file file = {copy, len};
    const struct imprint_limits limits = {.pixels_max = 100000};
    enum imprint_error error = open_under(&file, limits);
    assert_true(error == IMPRINT_OK ||
                (error >= IMPRINT_E_IMAGE_EMPTY && error <= IMPRINT_E_IMAGE_TOO_COMPLEX));
    free(copy);
}

static void cut_or_flipped_files_never_crash(void **state)
{
    (void)state;
    struct picture made = picture_make(96, 30, 24);
    struct picture picture = picture_posterized(&made);
    const struct picture_webp lossy = {.is_lossy = true, .has_alpha = true, .orientation = 6};
    const struct picture_webp animated = {.is_animated = true, .inset = 2};
    const struct picture_gif interlaced = {.is_interlaced = true, .inset = 1};
    struct picture_file files[] = {
        picture_to_webp(&picture, NULL),
        picture_to_webp(&picture, &lossy),
        picture_to_webp(&picture, &animated),
        picture_to_gif(&picture, &interlaced),
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct picture_file *file = &files[i];
        for (size_t len = 0; len < file->len; len++) {
            check_damaged(file->bytes, len);
        }
        const struct imprint_limits none = {0};
        const struct picture_file half = {file->bytes, file->len / 3};
        assert_int_equal(open_under(&half, none), IMPRINT_E_IMAGE_TRUNCATED);
        for (size_t bit = 0; bit < file->len * 8; bit += 3) {
            file->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            check_damaged(file->bytes, file->len);
            file->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        picture_file_done(file);
    }
    picture_done(&picture);
    picture_done(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_webp_hashes_as_its_plain_twin),
        cmocka_unit_test(a_frame_inside_its_canvas_lies_on_white),
        cmocka_unit_test(every_kind_of_gif_hashes_as_its_plain_twin),
        cmocka_unit_test(webp_and_png_are_turned_as_their_exif_says),
        cmocka_unit_test(limits_hold_at_the_limit_and_not_beyond),
        cmocka_unit_test(cut_or_flipped_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
