/* Writes pictures that can be recognised in memory and files, each with the bytes to look for.
 *
 * usage: needle_pictures DIRECTORY
 * NAME.EXT is the picture; NAME.needles has a line "kind hex" each: metadata, early and late bytes
 * of the file, and samples of the last row (a gray picture's one by one), which stays longest in a
 * decoder's buffers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pictures.h"

#define NEEDLE_BYTES 24

static const uint8_t metadata[NEEDLE_BYTES + 1] = "needle: H8vTqZ2mLr5Ww0Yc";

static void insert(struct picture_file *file, size_t offset, const uint8_t *bytes, size_t len)
{
    uint8_t *larger = malloc(file->len + len);
    if (larger == NULL) {
        abort();
    }
    memcpy(larger, file->bytes, offset);
    memcpy(larger + offset, bytes, len);
    memcpy(larger + offset + len, file->bytes + offset, file->len - offset);
    free(file->bytes);
    file->bytes = larger;
    file->len += len;
}

/* A COM segment behind the start of the image, or a tEXt chunk behind IHDR. Its CRC is wrong, which
 * is nothing to a decoder that skips it. */
static void insert_metadata(struct picture_file *file)
{
    uint8_t comment[4 + NEEDLE_BYTES] = {0xff, 0xfe, 0, 2 + NEEDLE_BYTES};
    uint8_t text[12 + NEEDLE_BYTES] = {0, 0, 0, NEEDLE_BYTES, 't', 'E', 'X', 't'};
    memcpy(comment + 4, metadata, NEEDLE_BYTES);
    memcpy(text + 8, metadata, NEEDLE_BYTES);
    if (file->bytes[0] == 0xff) {
        insert(file, 2, comment, sizeof comment);
    } else {
        insert(file, 33, text, sizeof text);
    }
}

static FILE *open_file(const char *directory, const char *name, const char *ending)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s.%s", directory, name, ending);
    FILE *out = fopen(path, "wb");
    if (out == NULL) {
        perror(path);
        exit(1);
    }
    return out;
}

static void put_needle(FILE *out, const char *kind, const uint8_t *bytes, size_t step)
{
    (void)fprintf(out, "%s ", kind);
    for (size_t i = 0; i < NEEDLE_BYTES; i++) {
        (void)fprintf(out, "%02x", bytes[i * step]);
    }
    (void)fputc('\n', out);
}

static void write_picture(const char *directory, const char *name, const struct picture *pixels,
                          struct picture_file *file, bool is_gray)
{
    insert_metadata(file);
    FILE *out = open_file(directory, name, file->bytes[0] == 0xff ? "jpg" : "png");
    bool is_written = fwrite(file->bytes, 1, file->len, out) == file->len;
    is_written = fclose(out) == 0 && is_written;
    const size_t row = (size_t)pixels->width * 3;
    FILE *needles = open_file(directory, name, "needles");
    put_needle(needles, "metadata", metadata, 1);
    put_needle(needles, "early", file->bytes + file->len / 8, 1);
    put_needle(needles, "late", file->bytes + file->len - 200, 1);
    put_needle(needles, "pixels", pixels->rgb + (pixels->height - 1) * row + row / 2 / 3 * 3,
               is_gray ? 3 : 1);
    if (fclose(needles) != 0 || !is_written) {
        exit(1);
    }
}

static void write_jpeg(const char *directory, const char *name, uint32_t seed,
                       const struct picture_jpeg *options)
{
    struct picture picture = picture_make(seed, 700, 500);
    struct picture_file file = picture_to_jpeg(&picture, options);
    struct picture decoded = picture_from_jpeg(&file);
    write_picture(directory, name, &decoded, &file, options->colour == PICTURE_GRAY);
    picture_done(&decoded);
    picture_file_done(&file);
    picture_done(&picture);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    const struct picture_jpeg plain = {.quality = 95};
    const struct picture_jpeg gray = {.quality = 95, .colour = PICTURE_GRAY};
    const struct picture_jpeg progressive = {.quality = 95, .is_progressive = true};
    write_jpeg(argv[1], "plain", 21, &plain);
    write_jpeg(argv[1], "gray", 22, &gray);
    write_jpeg(argv[1], "progressive", 23, &progressive);
    struct picture picture = picture_make(24, 700, 500);
    struct picture_file file = picture_to_png(&picture, NULL);
    write_picture(argv[1], "png", &picture, &file, false);
    picture_file_done(&file);
    picture_done(&picture);
    return 0;
}
