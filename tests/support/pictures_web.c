/* WebP and GIF files. The WebP container is put together here, chunk by chunk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>
#include <webp/encode.h>

#include "pictures.h"

static void must(bool is_true)
{
    if (!is_true) {
        fputs("pictures: a test picture cannot be made\n", stderr);
        abort();
    }
}

static void append(struct picture_file *file, const void *bytes, size_t len)
{
    file->bytes = realloc(file->bytes, file->len + len + 1);
    must(file->bytes != NULL);
    memcpy(file->bytes + file->len, bytes, len);
    file->len += len;
}

/* --- WebP ------------------------------------------------------------------------------------- */

static void append_le(struct picture_file *file, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        append(file, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
    }
}

static void append_chunk(struct picture_file *file, const char *name, const void *payload,
                         size_t len)
{
    append(file, name, 4);
    append_le(file, (uint32_t)len, 4);
    append(file, payload, len);
    append(file, "", len % 2);
}

/* The pixels as libwebp encodes them, in a container of its own. */
static struct picture_file encode(const struct picture *picture, const struct picture_webp *options)
{
    uint8_t *rgba = malloc((size_t)picture->width * picture->height * 4);
    must(rgba != NULL);
    for (size_t i = 0; i < (size_t)picture->width * picture->height; i++) {
        memcpy(rgba + 4 * i, picture->rgb + 3 * i, 3);
        rgba[4 * i + 3] = options->has_alpha
                              ? picture_alpha_at(picture, (uint32_t)(i % picture->width),
                                                 (uint32_t)(i / picture->width))
                              : 255;
    }
    WebPConfig config;
    WebPPicture source;
    WebPMemoryWriter writer;
    must(WebPConfigPreset(&config, WEBP_PRESET_PHOTO, 90) != 0 && WebPPictureInit(&source) != 0);
    config.lossless = !options->is_lossy;
    config.exact = 1;
    config.method = 1;
    source.use_argb = !options->is_lossy;
    source.width = (int)picture->width;
    source.height = (int)picture->height;
    must(WebPPictureImportRGBA(&source, rgba, (int)picture->width * 4) != 0);
    WebPMemoryWriterInit(&writer);
    source.writer = WebPMemoryWrite;
    source.custom_ptr = &writer;
    must(WebPEncode(&config, &source) != 0);
    struct picture_file file = {0};
    append(&file, writer.mem, writer.size);
    WebPMemoryWriterClear(&writer);
    WebPPictureFree(&source);
    free(rgba);
    return file;
}

/* The chunks of a frame's pixels: what follows RIFF's and, where there is one, VP8X's head. */
static struct picture_file pixel_chunks(const struct picture_file *file)
{
    size_t at = memcmp(file->bytes + 12, "VP8X", 4) == 0 ? 30 : 12;
    struct picture_file chunks = {0};
    append(&chunks, file->bytes + at, file->len - at);
    return chunks;
}

static void append_frame(struct picture_file *file, const struct picture *picture,
                         const struct picture_webp *options)
{
    struct picture_file encoded = encode(picture, options);
    struct picture_file chunks = pixel_chunks(&encoded);
    struct picture_file frame = {0};
    append_le(&frame, options->inset / 2, 3);
    append_le(&frame, options->inset / 2, 3);
    append_le(&frame, picture->width - 1, 3);
    append_le(&frame, picture->height - 1, 3);
    append_le(&frame, 100, 3);
    append_le(&frame, 0, 1);
    append(&frame, chunks.bytes, chunks.len);
    append_chunk(file, "ANMF", frame.bytes, frame.len);
    picture_file_done(&frame);
    picture_file_done(&chunks);
    picture_file_done(&encoded);
}

static void append_frames(struct picture_file *file, const struct picture *picture,
                          const struct picture_webp *options)
{
    if (!options->is_animated) {
        struct picture_file encoded = encode(picture, options);
        struct picture_file chunks = pixel_chunks(&encoded);
        append(file, chunks.bytes, chunks.len);
        picture_file_done(&chunks);
        picture_file_done(&encoded);
        return;
    }
    struct picture gray = picture_grayed(picture);
    append_chunk(file, "ANIM", "\0\0\0\0\0\0", 6);
    append_frame(file, picture, options);
    append_frame(file, &gray, options);
    picture_done(&gray);
}

struct picture_file picture_to_webp(const struct picture *picture,
                                    const struct picture_webp *options)
{
    static const struct picture_webp plain = {0};
    options = options == NULL ? &plain : options;
    if (!options->is_animated && options->orientation == 0) {
        return encode(picture, options);
    }
    struct picture_file body = {0};
    append(&body, "WEBP", 4);
    struct picture_file head = {0};
    bool is_clear = options->has_alpha || options->inset > 0;
    append_le(&head,
              (is_clear ? 16u : 0u) | (options->orientation != 0 ? 8u : 0u) |
                  (options->is_animated ? 2u : 0u),
              4);
    append_le(&head, picture->width + 2 * options->inset - 1, 3);
    append_le(&head, picture->height + 2 * options->inset - 1, 3);
    append_chunk(&body, "VP8X", head.bytes, head.len);
    append_frames(&body, picture, options);
    if (options->orientation != 0) {
        uint8_t exif[26] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0};
        exif[18] = (uint8_t)options->orientation;
        append_chunk(&body, "EXIF", exif, sizeof exif);
    }
    struct picture_file file = {0};
    append_chunk(&file, "RIFF", body.bytes, body.len);
    picture_file_done(&head);
    picture_file_done(&body);
    return file;
}

/* --- GIF -------------------------------------------------------------------------------------- */

static int append_gif(GifFileType *codec, const GifByteType *bytes, int len)
{
    append(codec->UserData, bytes, (size_t)len);
    return len;
}

static ColorMapObject *make_palette(void)
{
    GifColorType colours[256] = {{0, 0, 0}};
    for (int i = 0; i < 216; i++) {
        colours[i].Red = (GifByteType)(i / 36 * 51);
        colours[i].Green = (GifByteType)(i / 6 % 6 * 51);
        colours[i].Blue = (GifByteType)(i % 6 * 51);
    }
    ColorMapObject *palette = GifMakeMapObject(256, colours);
    must(palette != NULL);
    return palette;
}

static void put_gif_row(GifFileType *codec, const struct picture *picture, uint32_t y)
{
    GifPixelType *line = malloc(picture->width);
    must(line != NULL);
    for (uint32_t x = 0; x < picture->width; x++) {
        const uint8_t *rgb = picture->rgb + ((size_t)y * picture->width + x) * 3;
        line[x] = (GifPixelType)(rgb[0] / 51 * 36 + rgb[1] / 51 * 6 + rgb[2] / 51);
    }
    must(EGifPutLine(codec, line, (int)picture->width) != GIF_ERROR);
    free(line);
}

static void put_gif_rows(GifFileType *codec, const struct picture *picture, bool is_interlaced)
{
    static const uint32_t first[] = {0, 4, 2, 1};
    static const uint32_t step[] = {8, 8, 4, 2};
    for (size_t pass = 0; pass < (is_interlaced ? 4 : 1); pass++) {
        uint32_t by = is_interlaced ? step[pass] : 1;
        for (uint32_t y = is_interlaced ? first[pass] : 0; y < picture->height; y += by) {
            put_gif_row(codec, picture, y);
        }
    }
}

struct picture_file picture_to_gif(const struct picture *picture, const struct picture_gif *options)
{
    static const struct picture_gif plain = {0};
    options = options == NULL ? &plain : options;
    struct picture_file file = {0};
    int error;
    int inset = (int)options->inset;
    int width = (int)picture->width;
    int height = (int)picture->height;
    GifFileType *codec = EGifOpen(&file, append_gif, &error);
    must(codec != NULL);
    EGifSetGifVersion(codec, true);
    ColorMapObject *palette = make_palette();
    must(EGifPutScreenDesc(codec, width + 2 * inset, height + 2 * inset, 8, 0, palette) !=
         GIF_ERROR);
    GraphicsControlBlock control = {.TransparentColor = options->is_black_clear ? 0 : -1};
    GifByteType block[4];
    size_t len = EGifGCBToExtension(&control, block);
    must(EGifPutExtension(codec, GRAPHICS_EXT_FUNC_CODE, (int)len, block) != GIF_ERROR);
    must(EGifPutImageDesc(codec, inset, inset, width, height, options->is_interlaced, NULL) !=
         GIF_ERROR);
    put_gif_rows(codec, picture, options->is_interlaced);
    must(EGifCloseFile(codec, &error) != GIF_ERROR);
    GifFreeMapObject(palette);
    return file;
}
