/* Writes a small picture of every kind the codecs read, and each cut short, into a folder.
 *
 * usage: make_image_corpus FOLDER */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pictures.h"

static const char *folder;

static void put(const char *name, struct picture_file file, size_t len)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *to = fopen(path, "wb");
    if (to == NULL || fwrite(file.bytes, 1, len, to) != len || fclose(to) != 0) {
        perror(path);
        exit(1);
    }
}

static void put_both(const char *name, struct picture_file file)
{
    char cut[256];
    (void)snprintf(cut, sizeof cut, "%s.cut", name);
    put(name, file, file.len);
    put(cut, file, file.len * 2 / 3);
    picture_file_done(&file);
}

static void put_jpegs(const struct picture *picture)
{
    static const struct {
        const char *name;
        struct picture_jpeg kind;
    } jpegs[] = {
        {"jpeg", {.orientation = 6}},
        {"jpeg_444", {.sampling_h = 1, .sampling_v = 1}},
        {"jpeg_progressive", {.is_progressive = true}},
        {"jpeg_arithmetic", {.is_arithmetic = true, .is_progressive = true}},
        {"jpeg_multiscan", {.is_multiscan = true}},
        {"jpeg_restarts", {.restart_rows = 1}},
        {"jpeg_gray", {.colour = PICTURE_GRAY}},
        {"jpeg_rgb", {.colour = PICTURE_RGB}},
        {"jpeg_cmyk", {.colour = PICTURE_CMYK}},
        {"jpeg_ycck", {.colour = PICTURE_YCCK, .sampling_h = 2, .sampling_v = 1}},
    };
    for (size_t i = 0; i < sizeof jpegs / sizeof jpegs[0]; i++) {
        put_both(jpegs[i].name, picture_to_jpeg(picture, &jpegs[i].kind));
    }
}

static void put_pngs(const struct picture *picture)
{
    static const struct {
        const char *name;
        struct picture_png kind;
    } pngs[] = {
        {"png", {.orientation = 8}},
        {"png_interlaced", {.is_interlaced = true, .type = PICTURE_PNG_RGBA}},
        {"png_16", {.depth = 16}},
        {"png_gray_alpha", {.type = PICTURE_PNG_GRAY_ALPHA}},
        {"png_bits", {.type = PICTURE_PNG_GRAY, .depth = 1, .is_interlaced = true}},
        {"png_palette", {.type = PICTURE_PNG_PALETTE_ALPHA}},
        {"png_key", {.type = PICTURE_PNG_RGB_KEY}},
    };
    for (size_t i = 0; i < sizeof pngs / sizeof pngs[0]; i++) {
        put_both(pngs[i].name, picture_to_png(picture, &pngs[i].kind));
    }
}

static void put_webs(const struct picture *picture)
{
    const struct picture_webp lossy = {.is_lossy = true, .has_alpha = true, .orientation = 3};
    const struct picture_webp animated = {.is_animated = true, .inset = 4};
    const struct picture_gif interlaced = {
        .is_interlaced = true, .is_black_clear = true, .inset = 3};
    put_both("webp", picture_to_webp(picture, NULL));
    put_both("webp_lossy", picture_to_webp(picture, &lossy));
    put_both("webp_animated", picture_to_webp(picture, &animated));
    put_both("gif", picture_to_gif(picture, NULL));
    put_both("gif_interlaced", picture_to_gif(picture, &interlaced));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: make_image_corpus FOLDER\n", stderr);
        return 2;
    }
    folder = argv[1];
    (void)mkdir(folder, 0777);
    struct picture made = picture_make(1, 61, 47);
    struct picture picture = picture_posterized(&made);
    put_jpegs(&picture);
    put_pngs(&picture);
    put_webs(&picture);
    picture_done(&picture);
    picture_done(&made);
    return 0;
}
