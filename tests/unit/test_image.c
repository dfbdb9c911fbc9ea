/* Files to samples: every odd kind of JPEG and PNG against its plain twin, orientations against
 * really turned copies, limits at the limit and one past it, and damaged files of every sort. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "imprint/pdq.h"

#include "pictures.h"

/* --- Helpers ---------------------------------------------------------------------------------- */

static struct imprint_image *open_file(const struct picture_file *file,
                                       const struct imprint_image_options *options)
{
    struct imprint_image *image = NULL;
    assert_int_equal(imprint_image_open(file->bytes, file->len, options, &image), IMPRINT_OK);
    assert_non_null(image);
    return image;
}

static struct imprint_pdq hash_of(struct picture_file file)
{
    struct imprint_image *image = open_file(&file, NULL);
    struct imprint_pdq pdq;
    assert_int_equal(imprint_pdq(image, &pdq), IMPRINT_OK);
    assert_true(pdq.is_hashable);
    imprint_image_free(image);
    picture_file_done(&file);
    return pdq;
}

static unsigned distance(struct picture_file a, struct picture_file b)
{
    struct imprint_pdq x = hash_of(a);
    struct imprint_pdq y = hash_of(b);
    return imprint_hash_distance(&x.hash, &y.hash);
}

/* Anything but success, and *out_image untouched. */
static enum imprint_error error_of(const void *bytes, size_t len, struct imprint_limits limits)
{
    struct imprint_image_options options = {.limits = limits};
    struct imprint_image *const untouched = (void *)&options;
    struct imprint_image *image = untouched;
    enum imprint_error error = imprint_image_open(bytes, len, &options, &image);
    if (error == IMPRINT_OK) {
        imprint_image_free(image);
    } else {
        assert_ptr_equal(image, untouched);
    }
    return error;
}

static const struct imprint_limits no_limits = {0};

/* --- Kinds of files --------------------------------------------------------------------------- */

static void the_content_tells_the_format(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        enum imprint_format format;
        const char *name;
    } cases[] = {
        {"\xff\xd8\xff\xe0", 4, IMPRINT_FORMAT_JPEG, "jpeg"},
        {"\x89PNG\r\n\x1a\n", 8, IMPRINT_FORMAT_PNG, "png"},
        {"RIFF\1\2\3\4WEBP", 12, IMPRINT_FORMAT_WEBP, "webp"},
        {"GIF87a", 6, IMPRINT_FORMAT_GIF, "gif"},
        {"GIF89a", 6, IMPRINT_FORMAT_GIF, "gif"},
        {"\0\0\0\x18"
         "ftypheic",
         12, IMPRINT_FORMAT_HEIF, "heif"},
        {"\0\0\0\x18"
         "ftypmif1",
         12, IMPRINT_FORMAT_HEIF, "heif"},
        {"\0\0\0\x18"
         "ftypavif",
         12, IMPRINT_FORMAT_AVIF, "avif"},
        {"\xff\xd8", 2, IMPRINT_FORMAT_UNKNOWN, "unknown"},
        {"RIFF\1\2\3\4WAVE", 12, IMPRINT_FORMAT_UNKNOWN, "unknown"},
        {"<svg>", 5, IMPRINT_FORMAT_UNKNOWN, "unknown"},
        {"", 0, IMPRINT_FORMAT_UNKNOWN, "unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum imprint_format format = imprint_image_sniff(cases[i].bytes, cases[i].len);
        assert_int_equal(format, cases[i].format);
        assert_string_equal(imprint_format_name(format), cases[i].name);
    }
}

static void what_is_no_image_is_refused_by_name(void **state)
{
    (void)state;
    assert_int_equal(error_of(NULL, 0, no_limits), IMPRINT_E_IMAGE_EMPTY);
    assert_int_equal(error_of("hello", 5, no_limits), IMPRINT_E_IMAGE_UNKNOWN);
    assert_int_equal(error_of("\0\0\0\x18"
                              "ftypheic",
                              12, no_limits),
                     IMPRINT_E_IMAGE_UNSUPPORTED);
    assert_int_equal(error_of("\xff\xd8\xff", 3, no_limits), IMPRINT_E_IMAGE_TRUNCATED);
    assert_int_equal(error_of("\x89PNG\r\n\x1a\n", 8, no_limits), IMPRINT_E_IMAGE_TRUNCATED);
}

static void every_coding_of_a_jpeg_gives_the_same_hash(void **state)
{
    (void)state;
    static const struct picture_jpeg codings[] = {
        {.is_progressive = true},
        {.is_arithmetic = true},
        {.is_arithmetic = true, .is_progressive = true},
        {.is_multiscan = true},
        {.restart_rows = 1},
        {.is_progressive = true, .restart_rows = 2},
    };
    struct picture picture = picture_make(11, 700, 521);
    struct imprint_pdq plain = hash_of(picture_to_jpeg(&picture, NULL));
    for (size_t i = 0; i < sizeof codings / sizeof codings[0]; i++) {
        struct imprint_pdq pdq = hash_of(picture_to_jpeg(&picture, &codings[i]));
        assert_true(imprint_hash_equal(&pdq.hash, &plain.hash));
        assert_int_equal(pdq.quality, plain.quality);
    }
    picture_done(&picture);
}

static void every_colour_space_and_sampling_of_a_jpeg_is_read(void **state)
{
    (void)state;
    static const struct picture_jpeg kinds[] = {
        {.sampling_h = 1, .sampling_v = 1},
        {.sampling_h = 2, .sampling_v = 1},
        {.sampling_h = 1, .sampling_v = 2},
        {.sampling_h = 4, .sampling_v = 1},
        {.sampling_h = 3, .sampling_v = 1},
        {.sampling_h = 4, .sampling_v = 2},
        {.colour = PICTURE_RGB},
        {.colour = PICTURE_CMYK},
        {.colour = PICTURE_CMYK_PLAIN},
        {.colour = PICTURE_YCCK},
    };
    struct picture picture = picture_make(12, 601, 433);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct picture_jpeg kind = kinds[i];
        kind.quality = 95;
        unsigned bits = distance(picture_to_jpeg(&picture, &kind), picture_to_png(&picture, NULL));
        assert_in_range(bits, 0, 6);
    }
    struct picture gray = picture_grayed(&picture);
    const struct picture_jpeg kind = {.colour = PICTURE_GRAY, .quality = 95};
    assert_in_range(distance(picture_to_jpeg(&gray, &kind), picture_to_png(&gray, NULL)), 0, 4);
    picture_done(&gray);
    picture_done(&picture);
}

static void every_kind_of_png_hashes_as_its_plain_twin(void **state)
{
    (void)state;
    static const struct picture_png kinds[] = {
        {.type = PICTURE_PNG_RGB},
        {.type = PICTURE_PNG_RGB, .depth = 16},
        {.type = PICTURE_PNG_PALETTE},
        {.type = PICTURE_PNG_RGBA},
        {.type = PICTURE_PNG_RGBA, .depth = 16},
    };
    static const uint32_t sizes[][2] = {{601, 433}, {300, 200}, {700, 90}, {5, 6}};
    for (size_t size = 0; size < 4; size++) {
        struct picture made = picture_make(13, sizes[size][0], sizes[size][1]);
        struct picture picture = picture_posterized(&made);
        struct picture over_white = picture_over_white(&picture);
        for (size_t i = 0; i < 2 * sizeof kinds / sizeof kinds[0]; i++) {
            struct picture_png kind = kinds[i / 2];
            kind.is_interlaced = i % 2 == 1;
            bool has_alpha = kind.type == PICTURE_PNG_RGBA;
            assert_int_equal(distance(picture_to_png(&picture, &kind),
                                      picture_to_png(has_alpha ? &over_white : &picture, NULL)),
                             0);
        }
        picture_done(&over_white);
        picture_done(&picture);
        picture_done(&made);
    }
}

static void every_kind_of_gray_png_hashes_as_plain_gray(void **state)
{
    (void)state;
    struct picture made = picture_make(14, 530, 400);
    struct picture picture = picture_grayed(&made);
    struct picture over_white = picture_over_white(&picture);
    const struct picture_png plain = {.type = PICTURE_PNG_GRAY};
    const struct picture_png deep = {.type = PICTURE_PNG_GRAY, .depth = 16};
    const struct picture_png alpha = {.type = PICTURE_PNG_GRAY_ALPHA};
    const struct picture_png deep_alpha = {
        .type = PICTURE_PNG_GRAY_ALPHA, .depth = 16, .is_interlaced = true};
    assert_int_equal(distance(picture_to_png(&picture, &deep), picture_to_png(&picture, &plain)),
                     0);
    assert_int_equal(
        distance(picture_to_png(&picture, &alpha), picture_to_png(&over_white, &plain)), 0);
    assert_int_equal(
        distance(picture_to_png(&picture, &deep_alpha), picture_to_png(&over_white, &plain)), 0);
    /* The same gray as red, green and blue: their weights sum to one but for rounding. */
    assert_in_range(distance(picture_to_png(&picture, &plain), picture_to_png(&picture, NULL)), 0,
                    2);
    picture_done(&over_white);
    picture_done(&picture);
    picture_done(&made);
}

static void few_bits_of_gray_are_spread_over_the_range(void **state)
{
    (void)state;
    struct picture picture = picture_make(15, 530, 400);
    for (int depth = 1; depth <= 4; depth *= 2) {
        struct picture coarse = picture_cropped(&picture, 0, 0, 530, 400);
        for (size_t i = 0; i < (size_t)530 * 400 * 3; i++) {
            coarse.rgb[i] = (uint8_t)((coarse.rgb[i] >> (8 - depth)) * 255 / ((1 << depth) - 1));
        }
        const struct picture_png few = {
            .type = PICTURE_PNG_GRAY, .depth = depth, .is_interlaced = depth == 2};
        const struct picture_png plain = {.type = PICTURE_PNG_GRAY};
        assert_int_equal(distance(picture_to_png(&picture, &few), picture_to_png(&coarse, &plain)),
                         0);
        picture_done(&coarse);
    }
    picture_done(&picture);
}

static void transparent_colours_are_white(void **state)
{
    (void)state;
    struct picture made = picture_make(16, 600, 500);
    struct picture picture = picture_posterized(&made);
    struct picture twin = picture_cropped(&picture, 0, 0, 600, 500);
    for (size_t i = 0; i < (size_t)600 * 500; i++) {
        if (twin.rgb[3 * i] == 0) { /* the first 36 colours of the palette */
            memset(twin.rgb + 3 * i, 255, 3);
        }
    }
    const struct picture_png palette = {.type = PICTURE_PNG_PALETTE_ALPHA};
    assert_int_equal(distance(picture_to_png(&picture, &palette), picture_to_png(&twin, NULL)), 0);
    const struct picture_png key = {.type = PICTURE_PNG_RGB_KEY, .is_interlaced = true};
    assert_int_equal(distance(picture_to_png(&twin, &key), picture_to_png(&twin, NULL)), 0);
    picture_done(&twin);
    picture_done(&picture);
    picture_done(&made);
}

static void tiny_and_flat_pictures_open_but_do_not_hash(void **state)
{
    (void)state;
    struct picture pictures[] = {
        picture_make(1, 4, 4),
        picture_make(1, 1, 1),
        picture_make(1, 400, 4),
        picture_make(1, 4, 500),
        picture_make_flat(700, 600, 12, 200, 77),
        picture_make_flat(64, 64, 255, 255, 255),
    };
    for (size_t i = 0; i < 2 * sizeof pictures / sizeof pictures[0]; i++) {
        struct picture *picture = &pictures[i / 2];
        struct picture_file file =
            i % 2 == 0 ? picture_to_jpeg(picture, NULL) : picture_to_png(picture, NULL);
        const struct imprint_image_options options = {.views = IMPRINT_VIEWS_ALL};
        struct imprint_image *image = open_file(&file, &options);
        struct imprint_pdq pdq;
        assert_int_equal(imprint_pdq(image, &pdq), IMPRINT_OK);
        assert_false(pdq.is_hashable);
        struct imprint_view views[IMPRINT_VIEWS_MAX];
        size_t count = 99;
        assert_int_equal(imprint_pdq_views(image, views, IMPRINT_VIEWS_MAX, &count), IMPRINT_OK);
        assert_int_equal(count, 0);
        imprint_image_free(image);
        picture_file_done(&file);
    }
    for (size_t i = 0; i < sizeof pictures / sizeof pictures[0]; i++) {
        picture_done(&pictures[i]);
    }
}

/* --- Orientation ------------------------------------------------------------------------------ */

static const uint32_t turned_sizes[][2] = {{700, 530}, {530, 700}, {300, 200}, {800, 111}, {9, 7}};

static void exif_orientation_hashes_as_the_turned_copy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof turned_sizes / sizeof turned_sizes[0]; i++) {
        struct picture stored = picture_make(21, turned_sizes[i][0], turned_sizes[i][1]);
        for (unsigned orientation = 1; orientation <= 8; orientation++) {
            const struct picture_jpeg kind = {.orientation = orientation};
            struct picture_file file = picture_to_jpeg(&stored, &kind);
            struct picture decoded = picture_from_jpeg(&file);
            struct picture upright = picture_upright(&decoded, orientation);
            struct imprint_image *image = open_file(&file, NULL);
            const struct imprint_image_info *info = imprint_image_info(image);
            assert_int_equal(info->orientation, orientation);
            assert_int_equal(info->width, stored.width);
            assert_int_equal(info->height, stored.height);
            assert_int_equal(info->format, IMPRINT_FORMAT_JPEG);
            assert_false(info->is_truncated);
            imprint_image_free(image);
            assert_int_equal(distance(file, picture_to_png(&upright, NULL)), 0);
            picture_done(&upright);
            picture_done(&decoded);
        }
        picture_done(&stored);
    }
}

static void orientation_is_ignored_on_request(void **state)
{
    (void)state;
    struct picture picture = picture_make(22, 640, 530);
    const struct picture_jpeg kind = {.orientation = 6};
    struct picture_file turned = picture_to_jpeg(&picture, &kind);
    const struct imprint_image_options options = {.ignore_orientation = true};
    struct imprint_image *image = open_file(&turned, &options);
    struct imprint_pdq pdq;
    assert_int_equal(imprint_pdq(image, &pdq), IMPRINT_OK);
    struct imprint_pdq plain = hash_of(picture_to_jpeg(&picture, NULL));
    assert_true(imprint_hash_equal(&pdq.hash, &plain.hash));
    assert_int_equal(imprint_image_info(image)->orientation, 6);
    imprint_image_free(image);
    picture_file_done(&turned);
    picture_done(&picture);
}

static void each_turned_view_is_the_hash_of_that_turned_copy(void **state)
{
    (void)state;
    static const char *const names[] = {"upright",   "mirror", "turn180",    "flip",
                                        "transpose", "turn90", "transverse", "turn270"};
    for (size_t i = 0; i < sizeof turned_sizes / sizeof turned_sizes[0]; i++) {
        struct picture upright = picture_make(23, turned_sizes[i][0], turned_sizes[i][1]);
        struct picture_file file = picture_to_png(&upright, NULL);
        const struct imprint_image_options options = {.views = IMPRINT_VIEWS_TURNED |
                                                               IMPRINT_VIEWS_NEGATIVE};
        struct imprint_image *image = open_file(&file, &options);
        struct imprint_view views[IMPRINT_VIEWS_MAX];
        size_t count;
        assert_int_equal(imprint_pdq_views(image, views, IMPRINT_VIEWS_MAX, &count), IMPRINT_OK);
        assert_int_equal(count, 16);
        for (unsigned turn = 0; turn < 8; turn++) {
            struct picture turned = picture_upright(&upright, turn + 1);
            struct imprint_pdq pdq = hash_of(picture_to_png(&turned, NULL));
            char name[32];
            imprint_view_name(views[turn].id, name, sizeof name);
            assert_string_equal(name, names[turn]);
            assert_int_equal(views[turn].quality, pdq.quality);
            assert_int_equal(imprint_hash_distance(&views[turn].hash, &pdq.hash), 0);
            assert_int_equal(imprint_hash_distance(&views[turn + 8].hash, &pdq.hash), 256);
            picture_done(&turned);
        }
        imprint_image_free(image);
        picture_file_done(&file);
        picture_done(&upright);
    }
}

static void views_of_a_stored_orientation_start_from_the_upright_picture(void **state)
{
    (void)state;
    struct picture stored = picture_make(24, 530, 90);
    for (unsigned orientation = 1; orientation <= 8; orientation++) {
        const struct picture_jpeg kind = {.orientation = orientation};
        struct picture_file file = picture_to_jpeg(&stored, &kind);
        struct picture decoded = picture_from_jpeg(&file);
        struct picture upright = picture_upright(&decoded, orientation);
        const struct imprint_image_options options = {.views = IMPRINT_VIEWS_TURNED};
        struct imprint_image *image = open_file(&file, &options);
        struct imprint_view views[IMPRINT_VIEWS_MAX];
        size_t count;
        assert_int_equal(imprint_pdq_views(image, views, IMPRINT_VIEWS_MAX, &count), IMPRINT_OK);
        assert_int_equal(count, 8);
        for (unsigned turn = 0; turn < 8; turn++) {
            struct picture turned = picture_upright(&upright, turn + 1);
            struct imprint_pdq pdq = hash_of(picture_to_png(&turned, NULL));
            assert_int_equal(imprint_hash_distance(&views[turn].hash, &pdq.hash), 0);
            picture_done(&turned);
        }
        imprint_image_free(image);
        picture_done(&upright);
        picture_done(&decoded);
        picture_file_done(&file);
    }
    picture_done(&stored);
}

static void views_fill_no_more_than_their_room(void **state)
{
    (void)state;
    struct picture picture = picture_make(25, 100, 100);
    struct picture_file file = picture_to_png(&picture, NULL);
    const struct imprint_image_options options = {.views = IMPRINT_VIEWS_ALL};
    struct imprint_image *image = open_file(&file, &options);
    struct imprint_view views[4];
    memset(views, 0x5a, sizeof views);
    size_t count;
    assert_int_equal(imprint_pdq_views(image, views, 3, &count), IMPRINT_OK);
    assert_int_equal(count, 3);
    assert_int_equal(views[0].id, 0);
    assert_int_equal(views[3].id, 0x5a5a);
    assert_int_equal(imprint_pdq_views(image, views, 0, &count), IMPRINT_OK);
    assert_int_equal(count, 0);
    imprint_image_free(image);
    picture_file_done(&file);
    picture_done(&picture);
}

/* --- Limits ----------------------------------------------------------------------------------- */

static void check_limits(const struct picture_file *file)
{
    struct imprint_limits at = {
        .bytes_max = file->len, .width_max = 120, .height_max = 80, .pixels_max = 9600};
    assert_int_equal(error_of(file->bytes, file->len, at), IMPRINT_OK);
    struct imprint_limits past = at;
    past.bytes_max--;
    assert_int_equal(error_of(file->bytes, file->len, past), IMPRINT_E_IMAGE_TOO_LARGE);
    past = at;
    past.width_max--;
    assert_int_equal(error_of(file->bytes, file->len, past), IMPRINT_E_IMAGE_TOO_LARGE);
    past = at;
    past.height_max--;
    assert_int_equal(error_of(file->bytes, file->len, past), IMPRINT_E_IMAGE_TOO_LARGE);
    past = at;
    past.pixels_max--;
    assert_int_equal(error_of(file->bytes, file->len, past), IMPRINT_E_IMAGE_TOO_LARGE);
}

static void limits_hold_at_the_limit_and_not_beyond(void **state)
{
    (void)state;
    struct picture picture = picture_make(31, 120, 80);
    struct picture_file jpeg = picture_to_jpeg(&picture, NULL);
    struct picture_file png = picture_to_png(&picture, NULL);
    check_limits(&jpeg);
    check_limits(&png);
    picture_file_done(&jpeg);
    picture_file_done(&png);
    picture_done(&picture);
}

static void scans_count_against_the_block_limit(void **state)
{
    (void)state;
    struct picture picture = picture_make(32, 128, 128);
    const struct picture_jpeg kind = {.is_progressive = true};
    struct picture_file progressive = picture_to_jpeg(&picture, &kind);
    struct picture_file baseline = picture_to_jpeg(&picture, NULL);
    /* 16x16 blocks of luma and twice 8x8 of chroma; ten scans. */
    struct imprint_limits limits = {.block_visits_max = 384};
    assert_int_equal(error_of(baseline.bytes, baseline.len, limits), IMPRINT_OK);
    assert_int_equal(error_of(progressive.bytes, progressive.len, limits),
                     IMPRINT_E_IMAGE_TOO_COMPLEX);
    limits.block_visits_max = 383;
    assert_int_equal(error_of(baseline.bytes, baseline.len, limits), IMPRINT_E_IMAGE_TOO_COMPLEX);
    limits.block_visits_max = 3840;
    assert_int_equal(error_of(progressive.bytes, progressive.len, limits), IMPRINT_OK);
    limits.block_visits_max = 3839;
    assert_int_equal(error_of(progressive.bytes, progressive.len, limits),
                     IMPRINT_E_IMAGE_TOO_COMPLEX);
    picture_file_done(&progressive);
    picture_file_done(&baseline);
    picture_done(&picture);
}

static void memory_is_refused_beyond_the_limit(void **state)
{
    (void)state;
    struct picture picture = picture_make(33, 1000, 700);
    const struct picture_jpeg kind = {.is_progressive = true};
    struct picture_file progressive = picture_to_jpeg(&picture, &kind);
    /* 700,000 samples and half as many again of chroma, two bytes each. */
    struct imprint_limits limits = {.memory_max = 1 << 20};
    assert_int_equal(error_of(progressive.bytes, progressive.len, limits),
                     IMPRINT_E_IMAGE_TOO_COMPLEX);
    limits.memory_max = 4 << 20;
    assert_int_equal(error_of(progressive.bytes, progressive.len, limits), IMPRINT_OK);
    struct picture_file png = picture_to_png(&picture, NULL);
    limits.memory_max = 10000;
    assert_int_equal(error_of(png.bytes, png.len, limits), IMPRINT_E_IMAGE_TOO_COMPLEX);
    limits.memory_max = 200000;
    assert_int_equal(error_of(png.bytes, png.len, limits), IMPRINT_OK);
    picture_file_done(&png);
    picture_file_done(&progressive);
    picture_done(&picture);
}

/* --- Damage ----------------------------------------------------------------------------------- */

static bool is_image_error(enum imprint_error error)
{
    return error >= IMPRINT_E_IMAGE_EMPTY && error <= IMPRINT_E_IMAGE_TOO_COMPLEX;
}

static void check_cut(const struct picture_file *file, size_t len, enum imprint_policy policy)
{
    const struct imprint_image_options options = {.policy = policy};
    /* A copy of that very length, so that the sanitizer sees a read beyond it. */
    uint8_t *bytes = malloc(len == 0 ? 1 : len);
    assert_non_null(bytes);
    memcpy(bytes, file->bytes, len);
    struct imprint_image *image;
    enum imprint_error error = imprint_image_open(bytes, len, &options, &image);
    if (error != IMPRINT_OK) {
        assert_true(is_image_error(error));
    } else {
        struct imprint_pdq pdq;
        assert_int_equal(imprint_pdq(image, &pdq), IMPRINT_OK);
        bool is_complete = len + 16 >= file->len;
        assert_true(imprint_image_info(image)->is_truncated || is_complete);
        imprint_image_free(image);
    }
    free(bytes);
}

static void a_file_cut_anywhere_is_an_error_or_says_so(void **state)
{
    (void)state;
    struct picture picture = picture_make(41, 24, 40);
    static const struct picture_jpeg kinds[] = {
        {.quality = 60, .orientation = 6},
        {.quality = 60, .is_progressive = true},
        {.quality = 60, .is_arithmetic = true},
        {.quality = 60, .restart_rows = 1, .colour = PICTURE_YCCK},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct picture_file file = picture_to_jpeg(&picture, &kinds[i]);
        for (size_t len = 0; len < file.len; len++) {
            check_cut(&file, len, IMPRINT_POLICY_EXACT);
            check_cut(&file, len, IMPRINT_POLICY_FAST);
        }
        picture_file_done(&file);
    }
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        const struct picture_png kind = {.is_interlaced = interlaced == 1};
        struct picture_file file = picture_to_png(&picture, &kind);
        for (size_t len = 0; len < file.len; len++) {
            check_cut(&file, len, IMPRINT_POLICY_EXACT);
        }
        picture_file_done(&file);
    }
    picture_done(&picture);
}

static void a_jpeg_cut_in_the_middle_is_hashed_from_what_is_there(void **state)
{
    (void)state;
    struct picture picture = picture_make(42, 800, 600);
    struct picture_file file = picture_to_jpeg(&picture, NULL);
    struct picture_file half = {file.bytes, file.len * 9 / 10};
    struct imprint_image *image = open_file(&half, NULL);
    struct imprint_pdq pdq;
    assert_int_equal(imprint_pdq(image, &pdq), IMPRINT_OK);
    assert_true(imprint_image_info(image)->is_truncated);
    assert_true(pdq.is_hashable);
    imprint_image_free(image);
    /* Of a picture cut before its second row of blocks nothing is worth a hash. */
    assert_int_equal(error_of(file.bytes, 700, no_limits), IMPRINT_E_IMAGE_TRUNCATED);
    picture_file_done(&file);
    picture_done(&picture);
}

static void flip_bits(struct picture_file file, size_t step)
{
    for (size_t bit = 0; bit < file.len * 8; bit += step) {
        file.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct imprint_image *image;
        /* A flipped size may be large: bounded, so that the test is quick. */
        const struct imprint_image_options options = {
            .limits.pixels_max = 100000,
            .policy = bit / step % 2 == 0 ? IMPRINT_POLICY_EXACT : IMPRINT_POLICY_FAST,
            .views = bit % 16 == 0 ? IMPRINT_VIEWS_ALL : IMPRINT_VIEWS_UPRIGHT};
        enum imprint_error error = imprint_image_open(file.bytes, file.len, &options, &image);
        if (error == IMPRINT_OK) {
            struct imprint_view views[IMPRINT_VIEWS_MAX];
            size_t count;
            assert_int_equal(imprint_pdq_views(image, views, IMPRINT_VIEWS_MAX, &count),
                             IMPRINT_OK);
            imprint_image_free(image);
        } else {
            assert_true(is_image_error(error));
        }
        file.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    picture_file_done(&file);
}

/* Nothing may be printed either: stderr goes to a file that must stay empty. */
static void flipped_bits_never_crash_nor_print(void **state)
{
    (void)state;
    FILE *captured = tmpfile();
    assert_non_null(captured);
    int saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);

    struct picture picture = picture_make(43, 24, 33);
    const struct picture_jpeg progressive = {.quality = 50, .is_progressive = true};
    const struct picture_jpeg arithmetic = {.quality = 50, .is_arithmetic = true};
    const struct picture_jpeg cmyk = {.quality = 50, .colour = PICTURE_CMYK, .orientation = 3};
    const struct picture_png interlaced = {.type = PICTURE_PNG_RGBA, .is_interlaced = true};
    const struct picture_png palette = {.type = PICTURE_PNG_PALETTE_ALPHA};
    flip_bits(picture_to_jpeg(&picture, NULL), 3);
    flip_bits(picture_to_jpeg(&picture, &progressive), 5);
    flip_bits(picture_to_jpeg(&picture, &arithmetic), 5);
    flip_bits(picture_to_jpeg(&picture, &cmyk), 5);
    flip_bits(picture_to_png(&picture, NULL), 7);
    flip_bits(picture_to_png(&picture, &interlaced), 11);
    flip_bits(picture_to_png(&picture, &palette), 7);
    picture_done(&picture);

    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    assert_int_equal(lseek(fileno(captured), 0, SEEK_END), 0);
    (void)fclose(captured);
}

/* Large enough for the fast policy to leave out scans; the markers are at the front of each. */
static void a_damaged_progressive_file_is_read_fast_or_refused(void **state)
{
    (void)state;
    struct picture small = picture_make(45, 100, 100);
    struct picture picture = picture_scaled(&small, 1600, 1300);
    const struct picture_jpeg kind = {.is_progressive = true, .quality = 30};
    struct picture_file file = picture_to_jpeg(&picture, &kind);
    const struct imprint_image_options options = {.policy = IMPRINT_POLICY_FAST};
    unsigned read = 0;
    for (size_t i = 1; i < 80; i++) {
        size_t at = file.len * i / 80;
        const uint8_t kept = file.bytes[at];
        file.bytes[at] = 0xff; /* makes a marker of what follows, or hides one */
        struct picture_file cut = {file.bytes, i % 2 == 0 ? file.len : at + 2};
        struct imprint_image *image;
        enum imprint_error error = imprint_image_open(cut.bytes, cut.len, &options, &image);
        if (error == IMPRINT_OK) {
            read++;
            imprint_image_free(image);
        } else {
            assert_true(is_image_error(error));
        }
        file.bytes[at] = kept;
    }
    assert_true(read > 0);
    picture_file_done(&file);
    picture_done(&picture);
    picture_done(&small);
}

static void a_png_is_complete_without_what_follows_its_pixels(void **state)
{
    (void)state;
    struct picture picture = picture_make(44, 600, 70);
    struct picture_file file = picture_to_png(&picture, NULL);
    struct imprint_pdq whole = hash_of(picture_to_png(&picture, NULL));
    file.len -= 12; /* IEND */
    struct imprint_pdq cut = hash_of(file);
    assert_true(imprint_hash_equal(&cut.hash, &whole.hash));
    picture_done(&picture);
}

/* Whatever a profile says, partners hash the numbers as they stand; and a compressed profile or
 * text must cost nothing. Here neither its payload nor its checksum would hold. */
static void profiles_and_texts_are_passed_over_unread(void **state)
{
    (void)state;
    static const char *const names[] = {"iCCP", "gAMA", "cHRM", "sRGB", "zTXt", "iTXt", "prVt"};
    struct picture picture = picture_make(46, 600, 70);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct picture_file plain = picture_to_png(&picture, NULL);
        struct picture_file file = {malloc(plain.len + 20), plain.len + 20};
        assert_non_null(file.bytes);
        memcpy(file.bytes, plain.bytes, 33); /* signature and IHDR */
        memcpy(file.bytes + 33, "\0\0\0\10----nonsense----", 20);
        memcpy(file.bytes + 37, names[i], 4);
        memcpy(file.bytes + 53, plain.bytes + 33, plain.len - 33);
        assert_int_equal(distance(file, plain), 0);
    }
    picture_done(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_content_tells_the_format),
        cmocka_unit_test(what_is_no_image_is_refused_by_name),
        cmocka_unit_test(every_coding_of_a_jpeg_gives_the_same_hash),
        cmocka_unit_test(every_colour_space_and_sampling_of_a_jpeg_is_read),
        cmocka_unit_test(every_kind_of_png_hashes_as_its_plain_twin),
        cmocka_unit_test(every_kind_of_gray_png_hashes_as_plain_gray),
        cmocka_unit_test(few_bits_of_gray_are_spread_over_the_range),
        cmocka_unit_test(transparent_colours_are_white),
        cmocka_unit_test(tiny_and_flat_pictures_open_but_do_not_hash),
        cmocka_unit_test(exif_orientation_hashes_as_the_turned_copy),
        cmocka_unit_test(orientation_is_ignored_on_request),
        cmocka_unit_test(each_turned_view_is_the_hash_of_that_turned_copy),
        cmocka_unit_test(views_of_a_stored_orientation_start_from_the_upright_picture),
        cmocka_unit_test(views_fill_no_more_than_their_room),
        cmocka_unit_test(limits_hold_at_the_limit_and_not_beyond),
        cmocka_unit_test(scans_count_against_the_block_limit),
        cmocka_unit_test(memory_is_refused_beyond_the_limit),
        cmocka_unit_test(a_file_cut_anywhere_is_an_error_or_says_so),
        cmocka_unit_test(a_jpeg_cut_in_the_middle_is_hashed_from_what_is_there),
        cmocka_unit_test(flipped_bits_never_crash_nor_print),
        cmocka_unit_test(a_damaged_progressive_file_is_read_fast_or_refused),
        cmocka_unit_test(profiles_and_texts_are_passed_over_unread),
        cmocka_unit_test(a_png_is_complete_without_what_follows_its_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
