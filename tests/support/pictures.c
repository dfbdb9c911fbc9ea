#include "pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>

static void *must_have(void *memory)
{
    if (memory == NULL) {
        fputs("pictures: out of memory\n", stderr);
        abort();
    }
    return memory;
}

static struct picture picture_new(uint32_t width, uint32_t height)
{
    return (struct picture){width, height, must_have(calloc((size_t)width * height, 3))};
}

void picture_done(struct picture *picture)
{
    free(picture->rgb);
    *picture = (struct picture){0};
}

void picture_file_done(struct picture_file *file)
{
    free(file->bytes);
    *file = (struct picture_file){0};
}

static uint8_t *pixel_at(const struct picture *picture, uint32_t x, uint32_t y)
{
    return picture->rgb + ((size_t)y * picture->width + x) * 3;
}

/* --- Making ----------------------------------------------------------------------------------- */

/* A well mixed function of its arguments, 32 bits. */
static uint32_t mix(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t x =
        a * 0x9e3779b1u ^ (b + 0x7f4a7c15u) * 0x85ebca6bu ^ (c + 0x165667b1u) * 0xc2b2ae35u;
    x ^= x >> 15;
    x *= 0x2c1b3c6du;
    x ^= x >> 12;
    x *= 0x297a2d39u;
    return x ^ x >> 15;
}

/* A lattice of random heights, cell units apart, interpolated: 0..65535. All in units of 1/4096
 * of the picture's longer edge. */
static int64_t cloud(uint32_t seed, int64_t cell, int64_t u, int64_t v)
{
    uint32_t i = (uint32_t)(u / cell);
    uint32_t j = (uint32_t)(v / cell);
    int64_t fu = u % cell;
    int64_t fv = v % cell;
    int64_t a = mix(seed, i, j) >> 16;
    int64_t b = mix(seed, i + 1, j) >> 16;
    int64_t c = mix(seed, i, j + 1) >> 16;
    int64_t d = mix(seed, i + 1, j + 1) >> 16;
    int64_t top = a * (cell - fu) + b * fu;
    int64_t bottom = c * (cell - fu) + d * fu;
    return (top * (cell - fv) + bottom * fv) / (cell * cell);
}

/* An ellipse's or a box's share of colour at (u, v), or -1 outside it. */
static int shape(uint32_t seed, uint32_t index, uint32_t channel, int64_t u, int64_t v)
{
    uint32_t place = mix(seed, index, 1000);
    int64_t du = u - (int64_t)(place % 4096);
    int64_t dv = v - (int64_t)(place / 4096 % 4096);
    int64_t ru = 200 + mix(seed, index, 1001) % 700;
    int64_t rv = 200 + mix(seed, index, 1002) % 700;
    bool is_box = place >> 31 != 0;
    bool is_inside = is_box ? du * du < ru * ru / 2 && dv * dv < rv * rv / 2
                            : du * du * rv * rv + dv * dv * ru * ru < ru * ru * rv * rv;
    return is_inside ? (int)(mix(seed, index, 1003 + channel) % 256) : -1;
}

static uint8_t scene(uint32_t seed, uint32_t channel, int64_t u, int64_t v)
{
    static const int64_t cells[] = {1900, 800, 330, 140, 60, 25};
    static const int64_t shares[] = {90, 60, 40, 30, 20, 16};
    int64_t value = 0;
    for (uint32_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        /* Half of each cloud is common to the channels, as light is. */
        int64_t light = cloud(seed + 16 * i, cells[i], u, v);
        int64_t tint = cloud(seed + 16 * i + 1 + channel, cells[i], u, v);
        value += shares[i] * (light + tint) / 2;
    }
    /* Clouds cluster around the middle: spread them over the range. */
    value = (value / 65536 - 128) * 2 + 128;
    for (uint32_t i = 0; i < 12; i++) {
        int colour = shape(seed, i, channel, u, v);
        value = colour < 0 ? value : (value + 2 * colour) / 3;
    }
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

struct picture picture_make(uint32_t seed, uint32_t width, uint32_t height)
{
    struct picture picture = picture_new(width, height);
    uint32_t edge = width > height ? width : height;
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint8_t *pixel = pixel_at(&picture, x, y);
            for (uint32_t channel = 0; channel < 3; channel++) {
                pixel[channel] = scene(seed * 1000003u, channel, (int64_t)x * 4096 / edge,
                                       (int64_t)y * 4096 / edge);
            }
        }
    }
    return picture;
}

struct picture picture_make_flat(uint32_t width, uint32_t height, uint8_t r, uint8_t g, uint8_t b)
{
    struct picture picture = picture_new(width, height);
    for (size_t i = 0; i < (size_t)width * height; i++) {
        picture.rgb[3 * i] = r;
        picture.rgb[3 * i + 1] = g;
        picture.rgb[3 * i + 2] = b;
    }
    return picture;
}

/* --- Edits ------------------------------------------------------------------------------------ */

struct picture picture_stored_as(const struct picture *picture, unsigned orientation)
{
    /* By the definition in EXIF: which edge of the scene the stored row 0 and column 0 are. */
    bool is_transposed = orientation >= 5;
    bool is_bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    bool is_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    struct picture stored = is_transposed ? picture_new(picture->height, picture->width)
                                          : picture_new(picture->width, picture->height);
    for (uint32_t y = 0; y < picture->height; y++) {
        for (uint32_t x = 0; x < picture->width; x++) {
            uint32_t from_top = is_bottom ? picture->height - 1 - y : y;
            uint32_t from_left = is_right ? picture->width - 1 - x : x;
            uint8_t *to = is_transposed ? pixel_at(&stored, from_top, from_left)
                                        : pixel_at(&stored, from_left, from_top);
            memcpy(to, pixel_at(picture, x, y), 3);
        }
    }
    return stored;
}

struct picture picture_upright(const struct picture *stored, unsigned orientation)
{
    /* Only the two quarter turns are not their own reverse. */
    unsigned reverse = orientation == 6 ? 8 : orientation == 8 ? 6 : orientation;
    return picture_stored_as(stored, reverse);
}

static uint8_t area_mean(const struct picture *picture, uint32_t channel, const uint32_t box[4])
{
    uint64_t sum = 0;
    for (uint32_t y = box[1]; y < box[3]; y++) {
        for (uint32_t x = box[0]; x < box[2]; x++) {
            sum += pixel_at(picture, x, y)[channel];
        }
    }
    uint64_t count = (uint64_t)(box[2] - box[0]) * (box[3] - box[1]);
    return (uint8_t)((sum + count / 2) / count);
}

struct picture picture_scaled(const struct picture *picture, uint32_t width, uint32_t height)
{
    struct picture scaled = picture_new(width, height);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint32_t box[4] = {
                (uint32_t)((uint64_t)x * picture->width / width),
                (uint32_t)((uint64_t)y * picture->height / height),
                (uint32_t)(((uint64_t)x + 1) * picture->width / width),
                (uint32_t)(((uint64_t)y + 1) * picture->height / height),
            };
            box[2] = box[2] > box[0] ? box[2] : box[0] + 1;
            box[3] = box[3] > box[1] ? box[3] : box[1] + 1;
            for (uint32_t channel = 0; channel < 3; channel++) {
                pixel_at(&scaled, x, y)[channel] = area_mean(picture, channel, box);
            }
        }
    }
    return scaled;
}

struct picture picture_cropped(const struct picture *picture, uint32_t x, uint32_t y,
                               uint32_t width, uint32_t height)
{
    struct picture cropped = picture_new(width, height);
    for (uint32_t i = 0; i < height; i++) {
        memcpy(pixel_at(&cropped, 0, i), pixel_at(picture, x, y + i), (size_t)width * 3);
    }
    return cropped;
}

struct picture picture_framed(const struct picture *picture, uint32_t width, uint32_t height,
                              uint32_t x, uint32_t y, const uint8_t rgb[3])
{
    struct picture framed = picture_make_flat(width, height, rgb[0], rgb[1], rgb[2]);
    for (uint32_t i = 0; i < picture->height; i++) {
        memcpy(pixel_at(&framed, x, y + i), pixel_at(picture, 0, i), (size_t)picture->width * 3);
    }
    return framed;
}

/* Each pixel through a function. */
typedef void pixel_fn(const struct picture *picture, uint32_t x, uint32_t y, uint8_t pixel[3]);

static struct picture picture_mapped(const struct picture *picture, pixel_fn *map)
{
    struct picture mapped = picture_cropped(picture, 0, 0, picture->width, picture->height);
    for (uint32_t y = 0; y < picture->height; y++) {
        for (uint32_t x = 0; x < picture->width; x++) {
            map(picture, x, y, pixel_at(&mapped, x, y));
        }
    }
    return mapped;
}

static void gray(const struct picture *picture, uint32_t x, uint32_t y, uint8_t pixel[3])
{
    (void)picture;
    (void)x;
    (void)y;
    pixel[1] = pixel[0];
    pixel[2] = pixel[0];
}

static void posterize(const struct picture *picture, uint32_t x, uint32_t y, uint8_t pixel[3])
{
    (void)picture;
    (void)x;
    (void)y;
    for (size_t i = 0; i < 3; i++) {
        pixel[i] = (uint8_t)((pixel[i] + 25) / 51 * 51);
    }
}

static void blend_with_white(const struct picture *picture, uint32_t x, uint32_t y,
                             uint8_t pixel[3])
{
    unsigned alpha = picture_alpha_at(picture, x, y);
    for (size_t i = 0; i < 3; i++) {
        pixel[i] = (uint8_t)((pixel[i] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
}

struct picture picture_grayed(const struct picture *picture)
{
    return picture_mapped(picture, gray);
}

struct picture picture_posterized(const struct picture *picture)
{
    return picture_mapped(picture, posterize);
}

static void mirror_right_half(const struct picture *picture, uint32_t x, uint32_t y,
                              uint8_t pixel[3])
{
    if (x > picture->width - 1 - x) {
        memcpy(pixel, pixel_at(picture, picture->width - 1 - x, y), 3);
    }
}

struct picture picture_symmetric(const struct picture *picture)
{
    return picture_mapped(picture, mirror_right_half);
}

struct picture picture_over_white(const struct picture *picture)
{
    return picture_mapped(picture, blend_with_white);
}

uint8_t picture_alpha_at(const struct picture *picture, uint32_t x, uint32_t y)
{
    if (x < picture->width / 4) {
        return 0;
    }
    return y < picture->height / 3 ? 100 : 255;
}

/* --- JPEG ------------------------------------------------------------------------------------- */

/* A TIFF block that holds an orientation and nothing else. */
static size_t put_exif(unsigned orientation, uint8_t out_bytes[32])
{
    static const uint8_t block[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0,
                                    3,   0,   0, 0,  1, 0, 0, 0, 0, 0, 0,    0,    0};
    memcpy(out_bytes, block, sizeof block);
    out_bytes[19] = (uint8_t)orientation;
    return sizeof block;
}

static void set_colour(struct jpeg_compress_struct *codec, const struct picture_jpeg *options)
{
    switch (options->colour) {
    case PICTURE_YCC:
    case PICTURE_RGB:
        codec->in_color_space = JCS_RGB;
        codec->input_components = 3;
        break;
    case PICTURE_GRAY:
        codec->in_color_space = JCS_GRAYSCALE;
        codec->input_components = 1;
        break;
    case PICTURE_CMYK:
    case PICTURE_YCCK:
    case PICTURE_CMYK_PLAIN:
        codec->in_color_space = JCS_CMYK;
        codec->input_components = 4;
        break;
    }
    jpeg_set_defaults(codec);
    if (options->colour == PICTURE_RGB) {
        jpeg_set_colorspace(codec, JCS_RGB);
    } else if (options->colour == PICTURE_YCCK) {
        jpeg_set_colorspace(codec, JCS_YCCK);
    } else if (options->colour == PICTURE_CMYK || options->colour == PICTURE_CMYK_PLAIN) {
        codec->write_Adobe_marker = options->colour == PICTURE_CMYK;
    }
    if (options->colour == PICTURE_YCC || options->colour == PICTURE_YCCK) {
        codec->comp_info[0].h_samp_factor = options->sampling_h == 0 ? 2 : options->sampling_h;
        codec->comp_info[0].v_samp_factor = options->sampling_v == 0 ? 2 : options->sampling_v;
    }
}

static void set_scans(struct jpeg_compress_struct *codec, const struct picture_jpeg *options,
                      jpeg_scan_info scans[4])
{
    jpeg_set_quality(codec, options->quality == 0 ? 90 : options->quality, TRUE);
    codec->arith_code = options->is_arithmetic;
    codec->restart_in_rows = options->restart_rows;
    if (options->is_progressive) {
        jpeg_simple_progression(codec);
    } else if (options->is_multiscan) {
        for (int i = 0; i < codec->num_components; i++) {
            scans[i] = (jpeg_scan_info){.comps_in_scan = 1, .component_index = {i}, .Se = 63};
        }
        codec->scan_info = scans;
        codec->num_scans = codec->num_components;
    }
}

static void put_pixel(uint8_t *to, const uint8_t *rgb, enum picture_colour colour)
{
    uint8_t black = rgb[0] > rgb[1] ? rgb[0] : rgb[1];
    black = black > rgb[2] ? black : rgb[2];
    switch (colour) {
    case PICTURE_YCC:
    case PICTURE_RGB: memcpy(to, rgb, 3); break;
    case PICTURE_GRAY: to[0] = rgb[0]; break;
    case PICTURE_CMYK:
    case PICTURE_YCCK:
    case PICTURE_CMYK_PLAIN:
        for (size_t i = 0; i < 3; i++) {
            to[i] = (uint8_t)(black == 0 ? 255 : (rgb[i] * 255 + black / 2) / black);
        }
        to[3] = black;
        for (size_t i = 0; i < 4 && colour == PICTURE_CMYK_PLAIN; i++) {
            to[i] = (uint8_t)(255 - to[i]);
        }
        break;
    }
}

struct picture_file picture_to_jpeg(const struct picture *picture,
                                    const struct picture_jpeg *options)
{
    static const struct picture_jpeg plain = {0};
    options = options == NULL ? &plain : options;
    struct jpeg_compress_struct codec;
    struct jpeg_error_mgr errors;
    jpeg_scan_info scans[4];
    unsigned char *bytes = NULL;
    unsigned long len = 0;
    codec.err = jpeg_std_error(&errors);
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &bytes, &len);
    codec.image_width = picture->width;
    codec.image_height = picture->height;
    set_colour(&codec, options);
    set_scans(&codec, options, scans);
    jpeg_start_compress(&codec, TRUE);
    if (options->orientation != 0) {
        uint8_t exif[40] = "Exif\0";
        size_t exif_len = 6 + put_exif(options->orientation, exif + 6);
        jpeg_write_marker(&codec, JPEG_APP0 + 1, exif, (unsigned)exif_len);
    }
    JSAMPROW row = must_have(malloc((size_t)picture->width * 4));
    while (codec.next_scanline < codec.image_height) {
        for (uint32_t x = 0; x < picture->width; x++) {
            put_pixel(row + (size_t)x * (size_t)codec.input_components,
                      pixel_at(picture, x, codec.next_scanline), options->colour);
        }
        (void)jpeg_write_scanlines(&codec, &row, 1);
    }
    free(row);
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    return (struct picture_file){must_have(bytes), len};
}

struct picture picture_from_jpeg(const struct picture_file *file)
{
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    codec.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&codec);
    jpeg_mem_src(&codec, file->bytes, file->len);
    (void)jpeg_read_header(&codec, TRUE);
    codec.out_color_space = JCS_RGB;
    (void)jpeg_start_decompress(&codec);
    struct picture picture = picture_new(codec.output_width, codec.output_height);
    while (codec.output_scanline < codec.output_height) {
        JSAMPROW row = pixel_at(&picture, 0, codec.output_scanline);
        (void)jpeg_read_scanlines(&codec, &row, 1);
    }
    jpeg_destroy_decompress(&codec);
    return picture;
}

struct picture_file picture_jpeg_to_progressive(const void *bytes, size_t len)
{
    struct jpeg_decompress_struct from;
    struct jpeg_compress_struct to;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long out_len = 0;
    from.err = jpeg_std_error(&errors);
    to.err = &errors;
    jpeg_create_decompress(&from);
    jpeg_create_compress(&to);
    jpeg_mem_src(&from, bytes, len);
    jpeg_mem_dest(&to, &out, &out_len);
    (void)jpeg_read_header(&from, TRUE);
    jvirt_barray_ptr *coefficients = jpeg_read_coefficients(&from);
    jpeg_copy_critical_parameters(&from, &to);
    jpeg_simple_progression(&to);
    jpeg_write_coefficients(&to, coefficients);
    jpeg_finish_compress(&to);
    jpeg_destroy_compress(&to);
    jpeg_destroy_decompress(&from);
    return (struct picture_file){must_have(out), out_len};
}

/* --- PNG -------------------------------------------------------------------------------------- */

static void append_bytes(png_structp codec, png_bytep bytes, size_t count)
{
    struct picture_file *file = png_get_io_ptr(codec);
    file->bytes = must_have(realloc(file->bytes, file->len + count));
    memcpy(file->bytes + file->len, bytes, count);
    file->len += count;
}

static void append_nothing(png_structp codec)
{
    (void)codec;
}

static int png_colour_of(enum picture_png_type type)
{
    switch (type) {
    case PICTURE_PNG_RGB:
    case PICTURE_PNG_RGB_KEY: break;
    case PICTURE_PNG_GRAY: return PNG_COLOR_TYPE_GRAY;
    case PICTURE_PNG_RGBA: return PNG_COLOR_TYPE_RGB_ALPHA;
    case PICTURE_PNG_GRAY_ALPHA: return PNG_COLOR_TYPE_GRAY_ALPHA;
    case PICTURE_PNG_PALETTE:
    case PICTURE_PNG_PALETTE_ALPHA: return PNG_COLOR_TYPE_PALETTE;
    }
    return PNG_COLOR_TYPE_RGB;
}

static void put_palette(png_structp codec, png_infop info, bool has_alpha)
{
    png_color palette[216];
    png_byte alpha[216];
    for (int i = 0; i < 216; i++) {
        palette[i].red = (png_byte)(i / 36 * 51);
        palette[i].green = (png_byte)(i / 6 % 6 * 51);
        palette[i].blue = (png_byte)(i % 6 * 51);
        alpha[i] = i < 36 ? 0 : 255;
    }
    png_set_PLTE(codec, info, palette, 216);
    if (has_alpha) {
        png_set_tRNS(codec, info, alpha, 216, NULL);
    }
}

/* The channels of one pixel at 8 bits; returns how many. */
static size_t channels_of(const struct picture *picture, uint32_t x, uint32_t y,
                          enum picture_png_type type, uint8_t out[4])
{
    const uint8_t *rgb = pixel_at(picture, x, y);
    memcpy(out, rgb, 3);
    switch (type) {
    case PICTURE_PNG_RGB:
    case PICTURE_PNG_RGB_KEY: return 3;
    case PICTURE_PNG_GRAY: return 1;
    case PICTURE_PNG_RGBA: out[3] = picture_alpha_at(picture, x, y); return 4;
    case PICTURE_PNG_GRAY_ALPHA: out[1] = picture_alpha_at(picture, x, y); return 2;
    case PICTURE_PNG_PALETTE:
    case PICTURE_PNG_PALETTE_ALPHA:
        out[0] = (uint8_t)(rgb[0] / 51 * 36 + rgb[1] / 51 * 6 + rgb[2] / 51);
        return 1;
    }
    return 0;
}

static void put_channels(uint8_t *row, size_t index, uint8_t value, int depth)
{
    if (depth == 16) {
        row[2 * index] = value;
        row[2 * index + 1] = value;
    } else if (depth == 8) {
        row[index] = value;
    } else {
        size_t bit = index * (size_t)depth;
        int shift = 8 - depth - (int)(bit % 8);
        row[bit / 8] = (uint8_t)(row[bit / 8] | (value >> (8 - depth)) << shift);
    }
}

static void put_rows(png_structp codec, const struct picture *picture, enum picture_png_type type,
                     int depth, int passes)
{
    uint8_t *row = must_have(malloc((size_t)picture->width * 8));
    for (int pass = 0; pass < passes; pass++) {
        for (uint32_t y = 0; y < picture->height; y++) {
            memset(row, 0, (size_t)picture->width * 8);
            for (uint32_t x = 0; x < picture->width; x++) {
                uint8_t values[4];
                size_t count = channels_of(picture, x, y, type, values);
                for (size_t i = 0; i < count; i++) {
                    put_channels(row, x * count + i, values[i], depth);
                }
            }
            png_write_row(codec, row);
        }
    }
    free(row);
}

struct picture_file picture_to_png(const struct picture *picture, const struct picture_png *options)
{
    static const struct picture_png plain = {0};
    options = options == NULL ? &plain : options;
    int depth = options->depth == 0 ? 8 : options->depth;
    struct picture_file file = {0};
    png_structp codec = must_have(png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL));
    png_infop info = must_have(png_create_info_struct(codec));
    png_set_write_fn(codec, &file, append_bytes, append_nothing);
    png_set_IHDR(codec, info, picture->width, picture->height, depth, png_colour_of(options->type),
                 options->is_interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(codec, options->compression == 0 ? 1 : options->compression);
    if (png_colour_of(options->type) == PNG_COLOR_TYPE_PALETTE) {
        put_palette(codec, info, options->type == PICTURE_PNG_PALETTE_ALPHA);
    }
    if (options->type == PICTURE_PNG_RGB_KEY) {
        png_color_16 white = {.red = depth == 16 ? 65535 : 255};
        white.green = white.red;
        white.blue = white.red;
        png_set_tRNS(codec, info, NULL, 0, &white);
    }
    if (options->orientation != 0) {
        uint8_t exif[32];
        png_set_eXIf_1(codec, info, (png_uint_32)put_exif(options->orientation, exif), exif);
    }
    png_write_info(codec, info);
    put_rows(codec, picture, options->type, depth, png_set_interlace_handling(codec));
    png_write_end(codec, NULL);
    png_destroy_write_struct(&codec, &info);
    return file;
}
