#include "bombs.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* --- Bytes in a row -------------------------------------------------------------------------- */

struct row {
    uint8_t *bytes;
    size_t len;
    size_t capacity;
};

static void add(struct row *row, const void *bytes, size_t len)
{
    if (row->len + len > row->capacity) {
        row->capacity = (row->len + len) * 2;
        row->bytes = realloc(row->bytes, row->capacity);
        if (row->bytes == NULL) {
            abort();
        }
    }
    if (len > 0) {
        memcpy(row->bytes + row->len, bytes, len);
    }
    row->len += len;
}

static void add_byte(struct row *row, unsigned value)
{
    add(row, &(uint8_t){(uint8_t)value}, 1);
}

static void add_u16(struct row *row, unsigned value)
{
    add_byte(row, value >> 8);
    add_byte(row, value);
}

static void add_u32(struct row *row, uint32_t value)
{
    add_u16(row, value >> 16);
    add_u16(row, value & 0xffff);
}

static struct picture_file to_file(const struct row *row)
{
    return (struct picture_file){row->bytes, row->len};
}

struct picture_file bomb_joined(const void *first, size_t first_len, const void *second,
                                size_t second_len)
{
    struct row row = {0};
    add(&row, first, first_len);
    add(&row, second, second_len);
    return to_file(&row);
}

/* --- PNG ------------------------------------------------------------------------------------- */

static const uint8_t png_start[8] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};

static void add_chunk(struct row *row, const char type[5], const void *content, size_t len)
{
    add_u32(row, (uint32_t)len);
    const size_t start = row->len;
    add(row, type, 4);
    add(row, content, len);
    add_u32(row, (uint32_t)crc32(0, row->bytes + start, (uInt)(row->len - start)));
}

static void add_ihdr(struct row *row, uint32_t width, uint32_t height, const uint8_t rest[5])
{
    struct row header = {0};
    add_u32(&header, width);
    add_u32(&header, height);
    add(&header, rest, 5);
    add(row, png_start, sizeof png_start);
    add_chunk(row, "IHDR", header.bytes, header.len);
    free(header.bytes);
}

/* The zlib stream of that many zeros. */
static void add_zeros_deflated(struct row *row, size_t zeros)
{
    static uint8_t in[1 << 16];
    uint8_t out[1 << 12];
    z_stream stream = {0};
    if (deflateInit(&stream, 6) != Z_OK) {
        abort();
    }
    int result = Z_OK;
    while (result != Z_STREAM_END) {
        if (stream.avail_in == 0 && zeros > 0) {
            stream.next_in = in;
            stream.avail_in = (uInt)(zeros < sizeof in ? zeros : sizeof in);
            zeros -= stream.avail_in;
        }
        stream.next_out = out;
        stream.avail_out = sizeof out;
        result = deflate(&stream, zeros == 0 ? Z_FINISH : Z_NO_FLUSH);
        add(row, out, sizeof out - stream.avail_out);
    }
    deflateEnd(&stream);
}

struct picture_file bomb_png_size(uint32_t width, uint32_t height)
{
    struct row row = {0};
    struct row data = {0};
    add_ihdr(&row, width, height, (const uint8_t[]){8, 2, 0, 0, 0});
    add_zeros_deflated(&data, 1000);
    add_chunk(&row, "IDAT", data.bytes, data.len);
    add_chunk(&row, "IEND", NULL, 0);
    free(data.bytes);
    return to_file(&row);
}

/* Behind IHDR. */
#define CHUNKS_START 33

struct picture_file bomb_png_chunks(const struct picture_file *png, const char type[5],
                                    const void *content, size_t len, unsigned count)
{
    struct row row = {0};
    add(&row, png->bytes, CHUNKS_START);
    for (unsigned i = 0; i < count; i++) {
        add_chunk(&row, type, content, len);
    }
    add(&row, png->bytes + CHUNKS_START, png->len - CHUNKS_START);
    return to_file(&row);
}

struct picture_file bomb_png_inflating(const struct picture_file *png, const char type[5],
                                       size_t zeros)
{
    struct row content = {0};
    add(&content, "a\0", 2);
    if (memcmp(type, "iTXt", 4) == 0) {
        add(&content, "\1\0\0\0", 4); /* compressed, by zlib, no language, no translated keyword */
    } else {
        add(&content, "\0", 1); /* by zlib */
    }
    add_zeros_deflated(&content, zeros);
    struct picture_file file = bomb_png_chunks(png, type, content.bytes, content.len, 1);
    free(content.bytes);
    return file;
}

struct picture_file bomb_png_black(uint32_t side, bool is_interlaced, size_t excess)
{
    struct row row = {0};
    struct row data = {0};
    add_ihdr(&row, side, side, (const uint8_t[]){16, 6, 0, 0, is_interlaced ? 1 : 0});
    /* Interlacing has seven smaller pictures: at most as many bytes and a few filter bytes more. */
    add_zeros_deflated(&data, (size_t)side * side * 8 + (size_t)side * 3 + excess);
    add_chunk(&row, "IDAT", data.bytes, data.len);
    add_chunk(&row, "IEND", NULL, 0);
    free(data.bytes);
    return to_file(&row);
}

/* --- JPEG ------------------------------------------------------------------------------------ */

static void add_jpeg_start(struct row *row, uint8_t frame_marker, uint16_t width, uint16_t height)
{
    add(row, "\xff\xd8", 2);
    add(row, "\xff\xdb\0\x43\0", 5);
    for (unsigned i = 0; i < 64; i++) {
        add_byte(row, 1);
    }
    add_byte(row, 0xff);
    add_byte(row, frame_marker);
    add_u16(row, 11);
    add_byte(row, 8);
    add_u16(row, height);
    add_u16(row, width);
    add(row, "\1\1\x11\0", 4); /* one component */
}

struct picture_file bomb_jpeg_size(uint16_t width, uint16_t height)
{
    struct row row = {0};
    add_jpeg_start(&row, 0xc0, width, height);
    add(&row, "\xff\xda\0\x08\1\1\0\0\x3f\0\0\0\xff\xd9", 14);
    return to_file(&row);
}

/* A Huffman table whose one symbol is the code 0. */
static void add_table_of_one(struct row *row, uint8_t id, uint8_t symbol)
{
    add(row, "\xff\xc4\0\x14", 4);
    add_byte(row, id);
    add_byte(row, 1);
    for (unsigned i = 0; i < 15; i++) {
        add_byte(row, 0);
    }
    add_byte(row, symbol);
}

/* DC 0 for every block is one bit each. AC "nothing in these 16,384 blocks" is 15 bits:
 * the code 0 and 14 bits of zero, so that no byte is 0xff; the last run may end beyond the last
 * block.
 */
struct picture_file bomb_jpeg_scans(uint16_t side, unsigned scans)
{
    const size_t across = ((size_t)side + 7) / 8;
    const size_t blocks = across * across;
    struct row row = {0};
    add_jpeg_start(&row, 0xc2, side, side);
    add_table_of_one(&row, 0x00, 0);
    add_table_of_one(&row, 0x10, 0xe0);
    add(&row, "\xff\xda\0\x08\1\1\0\0\0\0", 10);
    for (size_t i = 0; i < (blocks + 7) / 8; i++) {
        add_byte(&row, 0);
    }
    for (unsigned scan = 1; scan < scans; scan++) {
        add(&row, "\xff\xda\0\x08\1\1\0\1\x3f\0", 10);
        for (size_t i = 0; i * 8 < blocks / 16384 + 1; i++) { /* eight runs are 15 bytes */
            add(&row, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
        }
    }
    add(&row, "\xff\xd9", 2);
    return to_file(&row);
}

#define SEGMENTS_START 2

struct picture_file bomb_jpeg_segments(const struct picture_file *jpeg, uint8_t marker,
                                       uint16_t len, unsigned count)
{
    struct row row = {0};
    add(&row, jpeg->bytes, SEGMENTS_START);
    for (unsigned i = 0; i < count; i++) {
        add_byte(&row, 0xff);
        add_byte(&row, marker);
        add_u16(&row, len);
        for (unsigned k = 2; k < len; k++) {
            add_byte(&row, marker == 0xdb ? (k == 2 ? 0 : 1) : k & 0x7f);
        }
    }
    add(&row, jpeg->bytes + SEGMENTS_START, jpeg->len - SEGMENTS_START);
    return to_file(&row);
}

struct picture_file bomb_jpeg_fill(const struct picture_file *jpeg, size_t len)
{
    struct row row = {0};
    add(&row, jpeg->bytes, SEGMENTS_START);
    for (size_t i = 0; i < len; i++) {
        add_byte(&row, 0xff);
    }
    add(&row, jpeg->bytes + SEGMENTS_START, jpeg->len - SEGMENTS_START);
    return to_file(&row);
}
