/* Makes the pictures that the page's tests choose, and asks the native library about each.
 *
 * usage: page_pictures whole|broken FOLDER
 *
 * FOLDER/whole.tsv or broken.tsv then has a line a file: name, error name ("ok" for none), quality,
 * hash. On damaged data libjpeg-turbo's vector code overflows otherwise than its plain code, which
 * is what the page has; so the broken ones are to be asked about with JSIMD_FORCENONE=1. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "imprint/error.h"
#include "imprint/image.h"
#include "imprint/pdq.h"

#include "pictures.h"

enum { MUTATED_PER_FILE = 500, NAME_MAX_BYTES = 80 };

struct folder {
    const char *path;
    FILE *expected;
};

_Noreturn static void fail(const char *what)
{
    (void)fprintf(stderr, "page_pictures: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* As the companion sees it: a picture that ends early is an error. */
static enum imprint_error ask_library(const struct picture_file *file, struct imprint_pdq *out_pdq)
{
    struct imprint_image *image = NULL;
    enum imprint_error error = imprint_image_open(file->bytes, file->len, NULL, &image);
    if (error != IMPRINT_OK) {
        return error;
    }
    error = imprint_image_info(image)->is_truncated ? IMPRINT_E_IMAGE_TRUNCATED
                                                    : imprint_pdq(image, out_pdq);
    imprint_image_free(image);
    return error;
}

static void put_file(const struct folder *folder, const char *name, const struct picture_file *file)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *out = len > 0 && (size_t)len < sizeof path ? fopen(path, "wb") : NULL;
    if (out == NULL || fwrite(file->bytes, 1, file->len, out) != file->len || fclose(out) != 0) {
        fail(name);
    }
    struct imprint_pdq pdq = {0};
    enum imprint_error error = ask_library(file, &pdq);
    char hex[IMPRINT_HASH_HEX + 1];
    imprint_hash_to_hex(&pdq.hash, hex);
    if (fprintf(folder->expected, "%s\t%s\t%u\t%s\n", name,
                error == IMPRINT_OK ? "ok" : imprint_error_name(error), pdq.quality, hex) < 0) {
        fail(name);
    }
}

static void put_and_free(const struct folder *folder, const char *name, struct picture_file file)
{
    put_file(folder, name, &file);
    picture_file_done(&file);
}

/* --- Whole pictures --------------------------------------------------------------------------- */

static const struct picture_jpeg jpegs[] = {
    {.colour = PICTURE_YCC},
    {.colour = PICTURE_YCC, .sampling_h = 1, .sampling_v = 1},
    {.colour = PICTURE_YCC, .sampling_h = 2, .sampling_v = 1},
    {.colour = PICTURE_YCC, .sampling_h = 1, .sampling_v = 2},
    {.colour = PICTURE_YCC, .quality = 30, .is_progressive = true},
    {.colour = PICTURE_YCC, .is_arithmetic = true},
    {.colour = PICTURE_YCC, .is_multiscan = true},
    {.colour = PICTURE_YCC, .restart_rows = 2},
    {.colour = PICTURE_GRAY},
    {.colour = PICTURE_RGB},
    {.colour = PICTURE_CMYK},
    {.colour = PICTURE_YCCK},
    {.colour = PICTURE_CMYK_PLAIN},
    {.orientation = 2},
    {.orientation = 3},
    {.orientation = 4},
    {.orientation = 5},
    {.orientation = 6},
    {.orientation = 7},
    {.orientation = 8},
};

static const struct picture_png pngs[] = {
    {.type = PICTURE_PNG_RGB},
    {.type = PICTURE_PNG_RGB, .is_interlaced = true},
    {.type = PICTURE_PNG_RGB, .depth = 16},
    {.type = PICTURE_PNG_RGB, .compression = 9},
    {.type = PICTURE_PNG_GRAY},
    {.type = PICTURE_PNG_GRAY, .depth = 1},
    {.type = PICTURE_PNG_GRAY, .depth = 4},
    {.type = PICTURE_PNG_RGBA},
    {.type = PICTURE_PNG_GRAY_ALPHA, .is_interlaced = true},
    {.type = PICTURE_PNG_PALETTE},
    {.type = PICTURE_PNG_PALETTE_ALPHA},
    {.type = PICTURE_PNG_RGB_KEY},
    {.type = PICTURE_PNG_RGB, .orientation = 6},
};

static const uint32_t sizes[][2] = {{1, 1},     {4, 40},    {5, 5},      {64, 64},
                                    {511, 513}, {512, 300}, {1200, 800}, {90, 1700}};

static void put_kinds(const struct folder *folder)
{
    char name[NAME_MAX_BYTES];
    struct picture picture = picture_make(7, 640, 431);
    for (size_t i = 0; i < sizeof jpegs / sizeof jpegs[0]; i++) {
        (void)snprintf(name, sizeof name, "kind-%zu.jpg", i);
        put_and_free(folder, name, picture_to_jpeg(&picture, &jpegs[i]));
    }
    struct picture few = picture_posterized(&picture);
    for (size_t i = 0; i < sizeof pngs / sizeof pngs[0]; i++) {
        (void)snprintf(name, sizeof name, "kind-%zu.png", i);
        put_and_free(folder, name, picture_to_png(&few, &pngs[i]));
    }
    picture_done(&few);
    picture_done(&picture);
}

static void put_sizes(const struct folder *folder)
{
    char name[NAME_MAX_BYTES];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct picture picture = picture_make(100 + (uint32_t)i, sizes[i][0], sizes[i][1]);
        (void)snprintf(name, sizeof name, "size-%ux%u.jpg", picture.width, picture.height);
        put_and_free(folder, name, picture_to_jpeg(&picture, NULL));
        (void)snprintf(name, sizeof name, "size-%ux%u.png", picture.width, picture.height);
        put_and_free(folder, name, picture_to_png(&picture, NULL));
        picture_done(&picture);
    }
}

/* A phone's picture, for the time it takes. */
static void put_phone(const struct folder *folder)
{
    struct picture scene = picture_make(12, 2016, 1512);
    struct picture picture = picture_scaled(&scene, 4032, 3024);
    put_and_free(folder, "phone.jpg", picture_to_jpeg(&picture, NULL));
    picture_done(&picture);
    picture_done(&scene);
}

/* Too plain to be told from others, though there is something in it. */
static void put_plain(const struct folder *folder)
{
    const uint8_t white[3] = {255, 255, 255};
    struct picture flat = picture_make_flat(300, 200, 90, 120, 150);
    struct picture dot = picture_make_flat(40, 40, 0, 0, 0);
    struct picture plain = picture_framed(&dot, 300, 200, 70, 60, white);
    put_and_free(folder, "flat.png", picture_to_png(&flat, NULL));
    put_and_free(folder, "plain.png", picture_to_png(&plain, NULL));
    picture_done(&plain);
    picture_done(&dot);
    picture_done(&flat);
}

/* --- Broken ones ------------------------------------------------------------------------------ */

static void put_no_pictures(const struct folder *folder)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } files[] = {
        {"empty.jpg", "", 0},
        {"text.jpg", "this is no picture", 18},
        {"header-only.heic",
         "\0\0\0\x18"
         "ftypheic",
         12},
        {"header-only.jpg", "\xff\xd8\xff\xe0", 4},
        {"header-only.png", "\x89PNG\r\n\x1a\n", 8},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        uint8_t bytes[32];
        memcpy(bytes, files[i].bytes, files[i].len);
        put_file(folder, files[i].name,
                 &(struct picture_file){.bytes = bytes, .len = files[i].len});
    }
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Flips a few bytes, or cuts the end off. */
static void put_mutated(const struct folder *folder, const char *suffix, struct picture_file file)
{
    char name[NAME_MAX_BYTES];
    uint32_t state = 0x9e3779b9u;
    for (unsigned i = 0; i < MUTATED_PER_FILE; i++) {
        struct picture_file bad = {.bytes = malloc(file.len), .len = file.len};
        if (bad.bytes == NULL) {
            fail("memory");
        }
        memcpy(bad.bytes, file.bytes, file.len);
        if (i % 8 == 7) {
            bad.len = 1 + next_random(&state) % (file.len - 1);
        }
        for (unsigned flips = 1 + next_random(&state) % 12; flips > 0; flips--) {
            /* Half of them in the header, where they hurt most. */
            size_t range = flips % 2 == 0 ? bad.len : bad.len < 700 ? bad.len : 700;
            bad.bytes[next_random(&state) % range] = (uint8_t)next_random(&state);
        }
        (void)snprintf(name, sizeof name, "mutated-%u-%s", i, suffix);
        put_and_free(folder, name, bad);
    }
    picture_file_done(&file);
}

static void put_broken(const struct folder *folder)
{
    struct picture picture = picture_make(21, 120, 90);
    const struct picture_jpeg progressive = {.is_progressive = true};
    const struct picture_png interlaced = {.type = PICTURE_PNG_RGBA, .is_interlaced = true};
    put_mutated(folder, "baseline.jpg", picture_to_jpeg(&picture, NULL));
    put_mutated(folder, "progressive.jpg", picture_to_jpeg(&picture, &progressive));
    put_mutated(folder, "plain.png", picture_to_png(&picture, NULL));
    put_mutated(folder, "interlaced.png", picture_to_png(&picture, &interlaced));
    picture_done(&picture);
}

static void put_whole(const struct folder *folder)
{
    put_kinds(folder);
    put_sizes(folder);
    put_phone(folder);
    put_plain(folder);
    put_no_pictures(folder);
}

int main(int argc, char **argv)
{
    const bool is_broken = argc == 3 && strcmp(argv[1], "broken") == 0;
    if (argc != 3 || (!is_broken && strcmp(argv[1], "whole") != 0)) {
        (void)fprintf(stderr, "usage: page_pictures whole|broken FOLDER\n");
        return 2;
    }
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s.tsv", argv[2], argv[1]);
    if (mkdir(argv[2], 0777) != 0 && errno != EEXIST) {
        fail(argv[2]);
    }
    struct folder folder = {.path = argv[2], .expected = fopen(path, "w")};
    if (folder.expected == NULL) {
        fail(path);
    }
    if (is_broken) {
        put_broken(&folder);
    } else {
        put_whole(&folder);
    }
    return fclose(folder.expected) == 0 ? 0 : 1;
}
