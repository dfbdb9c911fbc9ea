/* Views of one decode: recall of pictures that were framed, captioned, screenshot and turned, the
 * dialects against the filter at full size, and what a report carries of a screenshot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/pdq.h"

#include "edits.h"
#include "pictures.h"

/* PDQ's published threshold: two hashes within it are the same picture. */
#ifdef IMPRINT_SANITIZED
enum { THRESHOLD = 31, PICTURES = 2 };
#else
enum { THRESHOLD = 31, PICTURES = 6 };
#endif

struct seen {
    struct imprint_view views[IMPRINT_VIEWS_MAX];
    size_t count;
    struct imprint_pdq report;
    bool is_framed;
};

static struct seen look(const struct picture *picture, unsigned views)
{
    struct picture_file file = picture_to_png(picture, NULL);
    const struct imprint_image_options options = {.views = views};
    struct imprint_image *image;
    struct seen seen;
    assert_int_equal(imprint_image_open(file.bytes, file.len, &options, &image), IMPRINT_OK);
    assert_int_equal(imprint_pdq_views(image, seen.views, IMPRINT_VIEWS_MAX, &seen.count),
                     IMPRINT_OK);
    assert_int_equal(imprint_pdq_report(image, &seen.report, &seen.is_framed), IMPRINT_OK);
    imprint_image_free(image);
    picture_file_done(&file);
    return seen;
}

static unsigned nearest(const struct seen *seen, const struct imprint_hash *hash)
{
    unsigned best = IMPRINT_HASH_BITS;
    for (size_t i = 0; i < seen->count; i++) {
        unsigned distance = imprint_hash_distance(&seen->views[i].hash, hash);
        best = distance < best ? distance : best;
    }
    return best;
}

/* As varied as photos are: sizes, proportions. */
static struct picture photo(uint32_t seed)
{
    static const uint32_t sizes[][2] = {{900, 700}, {480, 640}, {1000, 563}, {500, 500}};
    return picture_make(seed + 200, sizes[seed % 4][0], sizes[seed % 4][1]);
}

/* --- Recall ----------------------------------------------------------------------------------- */

static void edited_pictures_are_found_again_and_no_others(void **state)
{
    (void)state;
    struct imprint_hash reported[PICTURES];
    unsigned found[GROUP_COUNT] = {0};
    unsigned tried[GROUP_COUNT] = {0};
    unsigned strangers = 0;
    for (uint32_t i = 0; i < PICTURES; i++) {
        struct picture picture = photo(i);
        reported[i] = look(&picture, IMPRINT_VIEWS_UPRIGHT).report.hash;
        picture_done(&picture);
    }
    for (uint32_t i = 0; i < PICTURES; i++) {
        struct picture picture = photo(i);
        for (int edit = 0; edit < EDIT_COUNT; edit++) {
            struct picture upload = picture_edited(&picture, (enum edit)edit, i);
            struct seen seen = look(&upload, IMPRINT_VIEWS_ALL);
            bool is_found = nearest(&seen, &reported[i]) <= THRESHOLD;
            tried[edit_group((enum edit)edit)]++;
            found[edit_group((enum edit)edit)] += is_found;
            for (uint32_t k = 0; k < PICTURES; k++) {
                strangers += k != i && nearest(&seen, &reported[k]) <= THRESHOLD;
            }
            picture_done(&upload);
        }
        picture_done(&picture);
    }
    for (int group = 0; group < GROUP_COUNT; group++) {
        print_message("%s: %u of %u found\n", edit_group_name((enum edit_group)group), found[group],
                      tried[group]);
    }
    assert_int_equal(strangers, 0);
    assert_true(found[GROUP_MILD] * 100 >= tried[GROUP_MILD] * 99);
    assert_true(found[GROUP_TURNED] * 100 >= tried[GROUP_TURNED] * 99);
    assert_true(found[GROUP_FRAMED] * 100 >= tried[GROUP_FRAMED] * 90);
    assert_true(found[GROUP_SHOT] * 100 >= tried[GROUP_SHOT] * 80);
}

/* --- Dialects --------------------------------------------------------------------------------- */

static const struct imprint_view *view_named(const struct seen *seen, const char *wanted)
{
    for (size_t i = 0; i < seen->count; i++) {
        char name[32];
        imprint_view_name(seen->views[i].id, name, sizeof name);
        if (strcmp(name, wanted) == 0) {
            return &seen->views[i];
        }
    }
    return NULL;
}

static struct imprint_pdq full_size_hash(const struct picture *picture)
{
    size_t count = (size_t)picture->width * picture->height;
    float *luma = malloc(count * sizeof *luma);
    assert_non_null(luma);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *rgb = picture->rgb + 3 * i;
        luma[i] = 0.299F * (float)rgb[0] + 0.587F * (float)rgb[1] + 0.114F * (float)rgb[2];
    }
    struct imprint_pdq pdq;
    assert_int_equal(imprint_pdq_luma(luma, picture->width, picture->height, picture->width, &pdq),
                     IMPRINT_OK);
    free(luma);
    return pdq;
}

static void the_python_view_is_the_filter_at_full_size(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{900, 700}, {1501, 1000}, {2100, 300}, {641, 640}};
    for (size_t i = 0; i < 4; i++) {
        struct picture picture = picture_make((uint32_t)i + 300, sizes[i][0], sizes[i][1]);
        struct seen seen = look(&picture, IMPRINT_VIEWS_DIALECTS | IMPRINT_VIEWS_TURNED);
        for (unsigned turn = 0; turn < 8; turn += 5) {
            struct picture turned = picture_upright(&picture, turn + 1);
            struct imprint_pdq full = full_size_hash(&turned);
            const struct imprint_view *view =
                view_named(&seen, turn == 0 ? "python" : "python+turn90");
            assert_non_null(view);
            assert_in_range(imprint_hash_distance(&view->hash, &full.hash), 0, 8);
            picture_done(&turned);
        }
        assert_non_null(view_named(&seen, "browser"));
        assert_non_null(view_named(&seen, "browser+turn270"));
        picture_done(&picture);
    }
    struct picture small = picture_make(310, 512, 400);
    struct seen seen = look(&small, IMPRINT_VIEWS_DIALECTS);
    assert_null(view_named(&seen, "python")); /* the same as the upright one */
    assert_non_null(view_named(&seen, "browser"));
    picture_done(&small);
}

/* --- Reports ---------------------------------------------------------------------------------- */

/* Different pictures in one app's screen must not be taken for one another by what was reported. */
static void a_report_of_a_screenshot_carries_the_picture_in_it(void **state)
{
    (void)state;
    static const enum edit shots[] = {EDIT_SHOT_FEED, EDIT_SHOT_FEED_DARK, EDIT_SHOT_BROWSER,
                                      EDIT_SHOT_STORY};
    unsigned framed = 0;
    unsigned near = 0;
    for (uint32_t i = 0; i < PICTURES; i++) {
        struct picture picture = photo(i);
        struct seen plain = look(&picture, IMPRINT_VIEWS_TRIMMED);
        assert_false(plain.is_framed);
        assert_true(imprint_hash_equal(&plain.report.hash, &plain.views[0].hash));
        struct picture shot = picture_edited(&picture, shots[i % 4], 1);
        struct seen seen = look(&shot, IMPRINT_VIEWS_TRIMMED);
        framed += seen.is_framed;
        near += seen.is_framed &&
                imprint_hash_distance(&seen.report.hash, &plain.report.hash) <= THRESHOLD;
        picture_done(&shot);
        picture_done(&picture);
    }
    print_message("%u of %d screenshots seen as such, %u with the picture's own hash\n", framed,
                  PICTURES, near);
    assert_true(framed * 100 >= PICTURES * 80);
    assert_int_equal(near, framed);
}

static void bars_and_borders_are_no_screenshot(void **state)
{
    (void)state;
    static const enum edit edits[] = {EDIT_BORDER_WHITE, EDIT_LETTERBOX, EDIT_POLAROID,
                                      EDIT_BLURRED_FILL};
    for (uint32_t i = 0; i < 4; i++) {
        struct picture picture = photo(i);
        struct picture edited = picture_edited(&picture, edits[i], 1);
        struct seen seen = look(&edited, IMPRINT_VIEWS_TRIMMED);
        assert_false(seen.is_framed);
        picture_done(&edited);
        picture_done(&picture);
    }
}

/* --- From a hash alone ------------------------------------------------------------------------ */

static void a_hash_is_turned_without_its_picture(void **state)
{
    (void)state;
    unsigned sum = 0;
    for (uint32_t i = 0; i < PICTURES; i++) {
        struct picture picture = photo(i);
        struct seen seen = look(&picture, IMPRINT_VIEWS_TURNED);
        for (unsigned turn = 0; turn < 8; turn++) {
            struct imprint_hash turned;
            imprint_hash_turn(&seen.views[0].hash, turn, &turned);
            unsigned distance = imprint_hash_distance(&turned, &seen.views[turn].hash);
            assert_in_range(distance, 0, THRESHOLD);
            sum += distance;
        }
        picture_done(&picture);
    }
    print_message("turned by bits: mean distance %.1f\n", (double)sum / (PICTURES * 8));
    assert_true(sum < 14 * PICTURES * 8);
}

static void views_have_names_of_their_own(void **state)
{
    (void)state;
    struct picture picture = photo(0);
    struct picture shot = picture_edited(&picture, EDIT_SHOT_FEED, 1);
    struct seen seen = look(&shot, IMPRINT_VIEWS_ALL);
    assert_in_range(seen.count, 40, IMPRINT_VIEWS_MAX);
    for (size_t i = 0; i < seen.count; i++) {
        char name[32];
        imprint_view_name(seen.views[i].id, name, sizeof name);
        assert_in_range(strlen(name), 4, 31);
        for (size_t k = i + 1; k < seen.count; k++) {
            char other[32];
            imprint_view_name(seen.views[k].id, other, sizeof other);
            assert_string_not_equal(name, other);
        }
    }
    assert_non_null(view_named(&seen, "trim1+mirror"));
    picture_done(&shot);
    picture_done(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edited_pictures_are_found_again_and_no_others),
        cmocka_unit_test(the_python_view_is_the_filter_at_full_size),
        cmocka_unit_test(a_report_of_a_screenshot_carries_the_picture_in_it),
        cmocka_unit_test(bars_and_borders_are_no_screenshot),
        cmocka_unit_test(a_hash_is_turned_without_its_picture),
        cmocka_unit_test(views_have_names_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
