/* GIF through giflib: the first frame on its canvas, clear parts over white, row by row. */
#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>

#include "image_codec.h"

enum { NOTHING_CLEAR = -1 };

struct gif_reader {
    struct image_job *job;
    GifFileType *codec;
    size_t at;           /* bytes read */
    bool is_past_end;    /* giflib asked for more bytes than there are */
    int clear;           /* the palette index that is transparent, or NOTHING_CLEAR */
    GifPixelType *line;  /* a row of the frame, as palette indices */
    uint8_t *canvas_row; /* RGBA */
};

static int on_read(GifFileType *codec, GifByteType *out_bytes, int count)
{
    struct gif_reader *reader = codec->UserData;
    size_t left = reader->job->len - reader->at;
    size_t wanted = count > 0 ? (size_t)count : 0;
    if (wanted > left) {
        reader->is_past_end = true;
        wanted = left;
    }
    memcpy(out_bytes, reader->job->bytes + reader->at, wanted);
    reader->at += wanted;
    return (int)wanted;
}

static enum imprint_error error_of(const struct gif_reader *reader, int code)
{
    /* Of a screen description that is all there, only memory for its palette can be missing. */
    bool has_no_memory = code == D_GIF_ERR_NO_SCRN_DSCR && !reader->is_past_end;
    if (code == D_GIF_ERR_NOT_ENOUGH_MEM || has_no_memory) {
        return IMPRINT_E_NOMEM;
    }
    return reader->is_past_end ? IMPRINT_E_IMAGE_TRUNCATED : IMPRINT_E_IMAGE_MALFORMED;
}

/* Reads an extension block; a graphics control block tells which colour is clear. */
static bool read_extension(struct gif_reader *reader)
{
    int code;
    GifByteType *block;
    if (DGifGetExtension(reader->codec, &code, &block) == GIF_ERROR) {
        return false;
    }
    while (block != NULL) {
        if (code == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4) {
            reader->clear = (block[1] & 1) != 0 ? block[4] : NOTHING_CLEAR;
        }
        if (DGifGetExtensionNext(reader->codec, &block) == GIF_ERROR) {
            return false;
        }
    }
    return true;
}

/* Up to the first frame's pixels. */
static enum imprint_error find_frame(struct gif_reader *reader)
{
    for (;;) {
        GifRecordType type;
        bool is_read = DGifGetRecordType(reader->codec, &type) != GIF_ERROR;
        if (is_read && type == IMAGE_DESC_RECORD_TYPE) {
            is_read = DGifGetImageDesc(reader->codec) != GIF_ERROR;
            return is_read ? IMPRINT_OK : error_of(reader, reader->codec->Error);
        }
        if (is_read && type == EXTENSION_RECORD_TYPE) {
            is_read = read_extension(reader);
        } else if (is_read) {
            return IMPRINT_E_IMAGE_MALFORMED; /* it ends without a frame */
        }
        if (!is_read) {
            return error_of(reader, reader->codec->Error);
        }
    }
}

static const ColorMapObject *palette_of(const GifFileType *codec)
{
    return codec->Image.ColorMap != NULL ? codec->Image.ColorMap : codec->SColorMap;
}

static void put_line(struct gif_reader *reader, const ColorMapObject *palette, uint32_t y)
{
    const GifImageDesc *frame = &reader->codec->Image;
    uint8_t *to = reader->canvas_row + (size_t)frame->Left * 4;
    for (size_t x = 0; x < (size_t)frame->Width; x++, to += 4) {
        int index = reader->line[x];
        GifColorType colour = {0, 0, 0};
        if (index < palette->ColorCount) {
            colour = palette->Colors[index];
        }
        to[0] = colour.Red;
        to[1] = colour.Green;
        to[2] = colour.Blue;
        to[3] = index == reader->clear ? 0 : 255;
    }
    const struct image_row row = {
        .pixels = reader->canvas_row, .layout = IMAGE_LAYOUT_RGBA, .y = y, .step = 1};
    image_job_put_row(reader->job, &row);
}

/* The frame's rows in the order of the file. */
static enum imprint_error read_lines(struct gif_reader *reader)
{
    static const uint32_t first[] = {0, 4, 2, 1};
    static const uint32_t step[] = {8, 8, 4, 2};
    const GifImageDesc *frame = &reader->codec->Image;
    const ColorMapObject *palette = palette_of(reader->codec);
    if (palette == NULL) {
        return IMPRINT_E_IMAGE_MALFORMED;
    }
    size_t passes = frame->Interlace ? 4 : 1;
    for (size_t pass = 0; pass < passes; pass++) {
        uint32_t by = frame->Interlace ? step[pass] : 1;
        for (uint32_t y = frame->Interlace ? first[pass] : 0; y < (uint32_t)frame->Height;
             y += by) {
            if (DGifGetLine(reader->codec, reader->line, frame->Width) == GIF_ERROR) {
                return error_of(reader, reader->codec->Error);
            }
            put_line(reader, palette, (uint32_t)frame->Top + y);
        }
    }
    return IMPRINT_OK;
}

/* What the frame does not cover is clear, and so white. */
static void clear_canvas(struct gif_reader *reader)
{
    uint32_t top = (uint32_t)reader->codec->Image.Top;
    uint32_t height = (uint32_t)reader->codec->Image.Height;
    struct image_row row = {.pixels = reader->canvas_row, .layout = IMAGE_LAYOUT_RGBA, .step = 1};
    for (row.y = 0; row.y < reader->job->info.height; row.y++) {
        bool is_covered = row.y >= top && row.y - top < height;
        if (!is_covered && image_job_wants_row(reader->job, row.y)) {
            image_job_put_row(reader->job, &row);
        }
    }
}

static enum imprint_error decode(struct gif_reader *reader)
{
    int code = 0;
    reader->codec = DGifOpen(reader, on_read, &code);
    if (reader->codec == NULL) {
        return error_of(reader, code);
    }
    enum imprint_error error = find_frame(reader);
    if (error != IMPRINT_OK) {
        return error;
    }
    /* A canvas too small for its first frame grows, as in browsers. All four are 16-bit values. */
    const GifImageDesc *frame = &reader->codec->Image;
    int right = frame->Left + frame->Width;
    int bottom = frame->Top + frame->Height;
    int width = reader->codec->SWidth > right ? reader->codec->SWidth : right;
    int height = reader->codec->SHeight > bottom ? reader->codec->SHeight : bottom;
    if (frame->Width <= 0 || frame->Height <= 0) {
        return IMPRINT_E_IMAGE_MALFORMED;
    }
    error = image_job_begin(reader->job, (uint32_t)width, (uint32_t)height);
    if (error != IMPRINT_OK) {
        return error;
    }
    reader->line = malloc((size_t)frame->Width);
    reader->canvas_row = calloc((size_t)width, 4);
    if (reader->line == NULL || reader->canvas_row == NULL) {
        return IMPRINT_E_NOMEM;
    }
    clear_canvas(reader);
    return read_lines(reader);
}

enum imprint_error image_gif_decode(struct image_job *job)
{
    struct gif_reader reader = {.job = job, .clear = NOTHING_CLEAR};
    enum imprint_error error = decode(&reader);
    if (reader.line != NULL) {
        explicit_bzero(reader.line, (size_t)reader.codec->Image.Width);
        free(reader.line);
    }
    if (reader.canvas_row != NULL) {
        explicit_bzero(reader.canvas_row, (size_t)job->info.width * 4);
        free(reader.canvas_row);
    }
    if (reader.codec != NULL) {
        int code;
        (void)DGifCloseFile(reader.codec, &code);
    }
    return error;
}
