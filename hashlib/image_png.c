/* PNG through libpng, from memory, row by row; interlaced ones too, each sample being taken from
 * the pass that brings it. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "image_codec.h"

struct png_reader {
    png_structp codec;
    png_infop info;
    struct image_job *job;
    size_t at;     /* bytes read */
    size_t memory; /* bytes libpng holds */
    uint8_t *row;
    size_t row_bytes;
    enum imprint_error error;
};

/* --- What libpng calls ------------------------------------------------------------------------ */

/* Stands before each block, as free is not told the size. */
struct block {
    _Alignas(max_align_t) size_t size;
};

static void *on_malloc(png_structp codec, png_alloc_size_t size)
{
    struct png_reader *reader = png_get_mem_ptr(codec);
    size_t memory_max = reader->job->limits.memory_max;
    if (size > memory_max || memory_max - size < reader->memory) {
        reader->error = IMPRINT_E_IMAGE_TOO_COMPLEX;
        return NULL;
    }
    struct block *block = malloc(sizeof *block + size);
    if (block == NULL) {
        reader->error = IMPRINT_E_NOMEM;
        return NULL;
    }
    block->size = size;
    reader->memory += size;
    return block + 1;
}

static void on_free(png_structp codec, void *memory)
{
    if (memory == NULL) {
        return;
    }
    struct png_reader *reader = png_get_mem_ptr(codec);
    struct block *block = (struct block *)memory - 1;
    reader->memory -= block->size;
    explicit_bzero(memory, block->size);
    free(block);
}

static void give_up(struct png_reader *reader, enum imprint_error error)
{
    reader->error = error;
    png_longjmp(reader->codec, 1);
}

static void on_error(png_structp codec, png_const_charp text)
{
    (void)text;
    struct png_reader *reader = png_get_error_ptr(codec);
    if (reader->error == IMPRINT_OK) {
        reader->error = IMPRINT_E_IMAGE_MALFORMED;
    }
    png_longjmp(codec, 1);
}

static void on_warning(png_structp codec, png_const_charp text)
{
    (void)codec;
    (void)text;
}

static void on_read(png_structp codec, png_bytep out_bytes, size_t count)
{
    struct png_reader *reader = png_get_io_ptr(codec);
    if (count > reader->job->len - reader->at) {
        give_up(reader, IMPRINT_E_IMAGE_TRUNCATED);
    }
    memcpy(out_bytes, reader->job->bytes + reader->at, count);
    reader->at += count;
}

/* --- The header ------------------------------------------------------------------------------- */

static uint32_t read_be32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The eXIf chunk stands before the pixels: chunks are length, name, payload, checksum. */
static uint8_t orientation_of_png(const uint8_t *bytes, size_t len)
{
    size_t at = 8;
    while (len - at >= 12) {
        size_t size = read_be32(bytes + at);
        if (size > len - at - 12 || memcmp(bytes + at + 4, "IDAT", 4) == 0) {
            break;
        }
        if (memcmp(bytes + at + 4, "eXIf", 4) == 0) {
            return image_orientation_of_tiff(bytes + at + 8, size);
        }
        at += 12 + size;
    }
    return 1;
}

/* --- Decoding --------------------------------------------------------------------------------- */

static void set_limits(struct png_reader *reader)
{
    /* The size is checked against the caller's limits before anything is allocated for it, with an
     * error of its own; libpng's own limits would only say that the header is bad. */
    png_set_user_limits(reader->codec, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    /* Only IHDR, PLTE, tRNS and IDAT make the picture: everything else is passed over unread,
     * compressed text and profiles above all. */
    png_set_keep_unknown_chunks(reader->codec, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
}

/* Everything to 8 bits; a palette to its colours, never to its indices. */
static void set_transforms(struct png_reader *reader)
{
    png_structp codec = reader->codec;
    png_byte colour = png_get_color_type(codec, reader->info);
    png_byte depth = png_get_bit_depth(codec, reader->info);
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(codec);
    } else if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) {
        png_set_expand_gray_1_2_4_to_8(codec);
    }
    if (png_get_valid(codec, reader->info, PNG_INFO_tRNS) != 0) {
        png_set_tRNS_to_alpha(codec);
    }
    if (depth == 16) {
        png_set_scale_16(codec);
    }
    png_read_update_info(codec, reader->info);
}

static enum image_layout layout_of(const struct png_reader *reader)
{
    switch (png_get_color_type(reader->codec, reader->info)) {
    case PNG_COLOR_TYPE_GRAY: return IMAGE_LAYOUT_GRAY;
    case PNG_COLOR_TYPE_GRAY_ALPHA: return IMAGE_LAYOUT_GRAY_ALPHA;
    case PNG_COLOR_TYPE_RGB_ALPHA: return IMAGE_LAYOUT_RGBA;
    default: return IMAGE_LAYOUT_RGB;
    }
}

static void read_rows(struct png_reader *reader, enum image_layout layout)
{
    struct image_row row = {.pixels = reader->row, .layout = layout, .step = 1};
    for (row.y = 0; row.y < reader->job->info.height; row.y++) {
        png_read_row(reader->codec, reader->row, NULL);
        image_job_put_row(reader->job, &row);
    }
}

/* Adam7: which columns and rows each pass brings. */
struct png_pass {
    uint8_t first_column;
    uint8_t column_step;
    uint8_t first_row;
    uint8_t row_step;
};

static void read_passes(struct png_reader *reader, enum image_layout layout)
{
    static const struct png_pass passes[] = {
        {0, 8, 0, 8}, {4, 8, 0, 8}, {0, 4, 4, 8}, {2, 4, 0, 4},
        {0, 2, 2, 4}, {1, 2, 0, 2}, {0, 1, 1, 2},
    };
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        const struct png_pass *pass = &passes[i];
        struct image_row row = {
            .pixels = reader->row,
            .layout = layout,
            .first = pass->first_column,
            .step = pass->column_step,
        };
        if (pass->first_column >= reader->job->info.width) {
            continue; /* libpng has no rows for a pass without columns */
        }
        for (row.y = pass->first_row; row.y < reader->job->info.height; row.y += pass->row_step) {
            png_read_row(reader->codec, reader->row, NULL);
            image_job_put_row(reader->job, &row);
        }
    }
}

static void decode(struct png_reader *reader)
{
    png_structp codec = reader->codec;
    png_set_read_fn(codec, reader, on_read);
    set_limits(reader);
    png_read_info(codec, reader->info);
    reader->job->info.orientation = orientation_of_png(reader->job->bytes, reader->job->len);
    enum imprint_error error =
        image_job_begin(reader->job, png_get_image_width(codec, reader->info),
                        png_get_image_height(codec, reader->info));
    if (error != IMPRINT_OK) {
        give_up(reader, error);
    }
    set_transforms(reader);
    reader->row_bytes = png_get_rowbytes(codec, reader->info);
    reader->row = png_malloc(codec, reader->row_bytes);
    enum image_layout layout = layout_of(reader);
    if (png_get_interlace_type(codec, reader->info) == PNG_INTERLACE_NONE) {
        read_rows(reader, layout);
    } else {
        read_passes(reader, layout);
    }
    /* png_read_end is not called: what follows the pixels is none of our business. */
}

enum imprint_error image_png_decode(struct image_job *job)
{
    struct png_reader reader = {.job = job};
    reader.codec = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning,
                                            &reader, on_malloc, on_free);
    if (reader.codec == NULL) {
        return IMPRINT_E_NOMEM;
    }
    reader.info = png_create_info_struct(reader.codec);
    if (reader.info == NULL) {
        reader.error = IMPRINT_E_NOMEM;
    } else if (setjmp(png_jmpbuf(reader.codec)) == 0) {
        decode(&reader);
    }
    png_free(reader.codec, reader.row);
    png_destroy_read_struct(&reader.codec, &reader.info, NULL);
    return reader.error;
}
