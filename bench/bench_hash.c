/* Decoding and hashing, beside what the codec itself needs for the same file in the same run: rows
 * read and thrown away. CPU time of one core, the best of some rounds; peak memory of each in a
 * child of its own. Pictures are made here; nothing is read but, where given, files named. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>
#include <png.h>
#include <webp/decode.h>

#include "imprint/pdq.h"

#include "pictures.h"

static double cpu_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void *must(void *memory)
{
    if (memory == NULL) {
        fputs("bench_hash: no memory\n", stderr);
        exit(1);
    }
    return memory;
}

/* --- The floors ------------------------------------------------------------------------------- */

typedef void work_fn(const struct picture_file *file);

static void jpeg_rows(const struct picture_file *file, J_COLOR_SPACE space)
{
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    codec.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&codec);
    jpeg_mem_src(&codec, file->bytes, file->len);
    (void)jpeg_read_header(&codec, TRUE);
    codec.out_color_space = space;
    (void)jpeg_start_decompress(&codec);
    JSAMPROW row = must(malloc((size_t)codec.output_width * 4));
    while (codec.output_scanline < codec.output_height) {
        (void)jpeg_read_scanlines(&codec, &row, 1);
    }
    free(row);
    jpeg_destroy_decompress(&codec);
}

static void floor_jpeg_rgb(const struct picture_file *file)
{
    jpeg_rows(file, JCS_RGB);
}

static void floor_jpeg_luma(const struct picture_file *file)
{
    jpeg_rows(file, JCS_GRAYSCALE);
}

static void read_png(png_structp codec, png_bytep bytes, size_t count)
{
    struct picture_file *rest = png_get_io_ptr(codec);
    count = count < rest->len ? count : rest->len;
    memcpy(bytes, rest->bytes, count);
    rest->bytes += count;
    rest->len -= count;
}

static void floor_png(const struct picture_file *file)
{
    struct picture_file rest = *file;
    png_structp codec = must(png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL));
    png_infop info = must(png_create_info_struct(codec));
    png_set_read_fn(codec, &rest, read_png);
    png_read_info(codec, info);
    png_bytep row = must(malloc(png_get_rowbytes(codec, info)));
    for (png_uint_32 y = 0; y < png_get_image_height(codec, info); y++) {
        png_read_row(codec, row, NULL);
    }
    free(row);
    png_destroy_read_struct(&codec, &info, NULL);
}

static void floor_webp(const struct picture_file *file)
{
    int width;
    int height;
    WebPFree(must(WebPDecodeRGB(file->bytes, file->len, &width, &height)));
}

/* --- Ours ------------------------------------------------------------------------------------- */

static void hash_with(const struct picture_file *file, enum imprint_policy policy, unsigned views)
{
    const struct imprint_image_options options = {.policy = policy, .views = views};
    struct imprint_image *image;
    struct imprint_view out[IMPRINT_VIEWS_MAX];
    size_t count;
    if (imprint_image_open(file->bytes, file->len, &options, &image) != IMPRINT_OK ||
        imprint_pdq_views(image, out, IMPRINT_VIEWS_MAX, &count) != IMPRINT_OK) {
        fputs("bench_hash: a picture cannot be hashed\n", stderr);
        exit(1);
    }
    imprint_image_free(image);
}

static void hash_exact(const struct picture_file *file)
{
    hash_with(file, IMPRINT_POLICY_EXACT, IMPRINT_VIEWS_UPRIGHT);
}

static void hash_fast(const struct picture_file *file)
{
    hash_with(file, IMPRINT_POLICY_FAST, IMPRINT_VIEWS_UPRIGHT);
}

static void hash_views(const struct picture_file *file)
{
    hash_with(file, IMPRINT_POLICY_EXACT, IMPRINT_VIEWS_ALL);
}

/* --- Measuring -------------------------------------------------------------------------------- */

/* The kilobytes a child's memory grew by at most while it did the work once. */
static long peak_kb(work_fn *work, const struct picture_file *file)
{
    int ends[2];
    long grown = -1;
    if (pipe(ends) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        struct rusage before;
        struct rusage after;
        (void)getrusage(RUSAGE_SELF, &before);
        work(file);
        (void)getrusage(RUSAGE_SELF, &after);
        grown = after.ru_maxrss - before.ru_maxrss;
        _exit(write(ends[1], &grown, sizeof grown) == sizeof grown ? 0 : 1);
    }
    close(ends[1]);
    if (read(ends[0], &grown, sizeof grown) != sizeof grown) {
        grown = -1;
    }
    close(ends[0]);
    (void)waitpid(child, NULL, 0);
    return grown;
}

struct measured {
    const char *name;
    work_fn *work;
    double best_ms;
};

/* All side by side in each round, so that they share the machine's moods. */
static void measure(struct measured *works, size_t count, const struct picture_file *file,
                    int rounds)
{
    for (size_t i = 0; i < count; i++) {
        works[i].best_ms = 1e9;
    }
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            double start = cpu_ms();
            works[i].work(file);
            double ms = cpu_ms() - start;
            works[i].best_ms = ms < works[i].best_ms ? ms : works[i].best_ms;
        }
    }
}

struct format {
    const char *name;
    work_fn *floors[2];
    const char *floor_names[2];
    bool has_fast;
};

static void report(const struct format *format, double megapixels, const struct picture_file *file)
{
    struct measured works[5];
    size_t count = 0;
    for (size_t i = 0; i < 2 && format->floors[i] != NULL; i++) {
        works[count++] = (struct measured){format->floor_names[i], format->floors[i], 0};
    }
    size_t floors = count;
    works[count++] = (struct measured){"exact", hash_exact, 0};
    if (format->has_fast) {
        works[count++] = (struct measured){"fast", hash_fast, 0};
    }
    works[count++] = (struct measured){"exact, all views", hash_views, 0};
    measure(works, count, file, megapixels > 5 ? 5 : 15);
    for (size_t i = floors; i < count; i++) {
        printf("%-17s %5.1f MP  %-17s %8.2f ms", format->name, megapixels, works[i].name,
               works[i].best_ms);
        for (size_t k = 0; k < floors; k++) {
            printf("  %5.2fx %s (%.2f ms)", works[i].best_ms / works[k].best_ms, works[k].name,
                   works[k].best_ms);
        }
        printf("  +%ld kB\n", peak_kb(works[i].work, file));
    }
}

/* The time of the hash alone, from a plane in memory. */
static void report_kernel(void)
{
    enum { EDGE = 512, ROUNDS = 300 };
    struct picture picture = picture_make(1, EDGE, EDGE);
    float *luma = must(malloc(sizeof *luma * EDGE * EDGE));
    for (size_t i = 0; i < (size_t)EDGE * EDGE; i++) {
        luma[i] = picture.rgb[3 * i];
    }
    double best = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        struct imprint_pdq pdq;
        double start = cpu_ms();
        if (imprint_pdq_luma(luma, EDGE, EDGE, EDGE, &pdq) != IMPRINT_OK) {
            exit(1);
        }
        double ms = cpu_ms() - start;
        best = ms < best ? ms : best;
    }
    printf("hash of a 512x512 plane, its check and set-up included: %.1f us\n", best * 1e3);
    free(luma);
    picture_done(&picture);
}

/* --- The table -------------------------------------------------------------------------------- */

static const struct format jpeg = {
    "JPEG 4:2:0", {floor_jpeg_rgb, floor_jpeg_luma}, {"RGB decode", "luma decode"}, true};
static const struct format progressive = {
    "JPEG progressive", {floor_jpeg_rgb, floor_jpeg_luma}, {"RGB decode", "luma decode"}, true};
static const struct format png = {"PNG RGB", {floor_png}, {"libpng rows"}, false};
static const struct format webp = {"WebP lossy", {floor_webp}, {"RGB decode"}, false};

static void report_size(uint32_t width, uint32_t height)
{
    /* Detail as fine as a photo's at any size: a scene of 1000 pixels, repeated in scale. */
    struct picture scene = picture_make(7, 1000, 750);
    struct picture picture = picture_scaled(&scene, width, height);
    double megapixels = (double)width * height / 1e6;
    struct picture_file file = picture_to_jpeg(&picture, NULL);
    report(&jpeg, megapixels, &file);
    struct picture_file again = picture_jpeg_to_progressive(file.bytes, file.len);
    report(&progressive, megapixels, &again);
    picture_file_done(&again);
    picture_file_done(&file);
    file = picture_to_png(&picture, NULL);
    report(&png, megapixels, &file);
    picture_file_done(&file);
    if (megapixels < 4) {
        const struct picture_webp lossy = {.is_lossy = true};
        file = picture_to_webp(&picture, &lossy);
        report(&webp, megapixels, &file);
        picture_file_done(&file);
    }
    picture_done(&picture);
    picture_done(&scene);
}

/* A photo from a file: real detail, where made pictures are smoother. */
static void report_file(const char *path)
{
    FILE *from = fopen(path, "rb");
    if (from == NULL || fseek(from, 0, SEEK_END) != 0) {
        fprintf(stderr, "bench_hash: cannot read %s\n", path);
        exit(1);
    }
    long len = ftell(from);
    struct picture_file file = {must(malloc((size_t)len)), (size_t)len};
    rewind(from);
    bool is_read = fread(file.bytes, 1, file.len, from) == file.len;
    (void)fclose(from);
    struct imprint_image *image;
    if (!is_read || imprint_image_sniff(file.bytes, file.len) != IMPRINT_FORMAT_JPEG ||
        imprint_image_open(file.bytes, file.len, NULL, &image) != IMPRINT_OK) {
        fprintf(stderr, "bench_hash: %s is no JPEG\n", path);
        exit(1);
    }
    const struct imprint_image_info *info = imprint_image_info(image);
    double megapixels = (double)info->width * info->height / 1e6;
    imprint_image_free(image);
    printf("# %s\n", path);
    report(&jpeg, megapixels, &file);
    picture_file_done(&file);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[][2] = {
        {520, 390}, {1160, 870}, {2000, 1500}, {4000, 3000}, {5660, 4240}};
    report_kernel();
    for (int i = 1; i < argc; i++) {
        report_file(argv[i]);
    }
    for (size_t i = 0; argc == 1 && i < sizeof sizes / sizeof sizes[0]; i++) {
        report_size(sizes[i][0], sizes[i][1]);
    }
    return 0;
}
