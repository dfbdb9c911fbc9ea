/* WebP through libwebp: lossy, lossless, with alpha, and the first frame of an animation. libwebp
 * has no rows to stream, so the whole frame is held, under the caller's memory limit. */
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>

#include "image_codec.h"

enum {
    RIFF_HEAD_BYTES = 12,
    CHUNK_HEAD_BYTES = 8,
    VP8X_BYTES = 10,
    VP8X_IS_ANIMATED = 2,
    ANMF_HEAD_BYTES = 16,
};

struct webp_reader {
    struct image_job *job;
    const uint8_t *frame; /* the first: what libwebp takes as an image of its own */
    size_t frame_len;
    uint32_t frame_x; /* on the canvas */
    uint32_t frame_y;
    uint32_t canvas_width; /* 0: as the frame */
    uint32_t canvas_height;
    WebPBitstreamFeatures head; /* of the frame */
    uint8_t *pixels;            /* of the frame: RGBA, or RGB where it has no alpha */
    size_t pixels_bytes;
    uint8_t *canvas_row; /* RGBA, where the frame does not fill the canvas */
};

/* --- The container ---------------------------------------------------------------------------- */

static uint32_t read_le(const uint8_t *bytes, size_t count)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value |= (uint32_t)bytes[i] << 8 * i;
    }
    return value;
}

/* The first chunk of that name; false where there is none. What the file holds of its payload may
 * be less than its length says. */
static bool find_chunk(const struct image_job *job, const char *name, const uint8_t **out_payload,
                       size_t *out_size)
{
    size_t at = RIFF_HEAD_BYTES;
    while (job->len - at >= CHUNK_HEAD_BYTES) {
        size_t size = read_le(job->bytes + at + 4, 4);
        if (memcmp(job->bytes + at, name, 4) == 0) {
            *out_payload = job->bytes + at + CHUNK_HEAD_BYTES;
            *out_size = size;
            return true;
        }
        size_t rest = job->len - at - CHUNK_HEAD_BYTES;
        if (size + size % 2 > rest) {
            break;
        }
        at += CHUNK_HEAD_BYTES + size + size % 2;
    }
    return false;
}

static bool is_whole(const struct image_job *job, const uint8_t *payload, size_t size)
{
    return size <= job->len - (size_t)(payload - job->bytes);
}

static uint8_t orientation_of_webp(const struct image_job *job)
{
    static const uint8_t prefix[6] = "Exif\0"; /* not foreseen, but written by some */
    const uint8_t *bytes;
    size_t len;
    if (!find_chunk(job, "EXIF", &bytes, &len) || !is_whole(job, bytes, len)) {
        return 1;
    }
    if (len >= sizeof prefix && memcmp(bytes, prefix, sizeof prefix) == 0) {
        bytes += sizeof prefix;
        len -= sizeof prefix;
    }
    return image_orientation_of_tiff(bytes, len);
}

/* The first frame of an animation, as an image of its own. */
static enum imprint_error find_frame(struct webp_reader *reader)
{
    const uint8_t *payload;
    size_t size;
    if (!find_chunk(reader->job, "ANMF", &payload, &size) ||
        !is_whole(reader->job, payload, size)) {
        return IMPRINT_E_IMAGE_TRUNCATED;
    }
    if (size <= ANMF_HEAD_BYTES) {
        return IMPRINT_E_IMAGE_MALFORMED;
    }
    reader->frame_x = 2 * read_le(payload, 3);
    reader->frame_y = 2 * read_le(payload + 3, 3);
    reader->frame = payload + ANMF_HEAD_BYTES;
    reader->frame_len = size - ANMF_HEAD_BYTES;
    return IMPRINT_OK;
}

static enum imprint_error read_container(struct webp_reader *reader)
{
    const struct image_job *job = reader->job;
    reader->frame = job->bytes;
    reader->frame_len = job->len;
    const uint8_t *payload;
    size_t size;
    if (!find_chunk(job, "VP8X", &payload, &size)) {
        return IMPRINT_OK;
    }
    if (size < VP8X_BYTES) {
        return IMPRINT_E_IMAGE_MALFORMED;
    }
    if (!is_whole(job, payload, size)) {
        return IMPRINT_E_IMAGE_TRUNCATED;
    }
    reader->canvas_width = read_le(payload + 4, 3) + 1;
    reader->canvas_height = read_le(payload + 7, 3) + 1;
    return (payload[0] & VP8X_IS_ANIMATED) != 0 ? find_frame(reader) : IMPRINT_OK;
}

/* --- The frame -------------------------------------------------------------------------------- */

static enum imprint_error error_of_status(VP8StatusCode status)
{
    switch (status) {
    case VP8_STATUS_OK: return IMPRINT_OK;
    case VP8_STATUS_OUT_OF_MEMORY: return IMPRINT_E_NOMEM;
    case VP8_STATUS_UNSUPPORTED_FEATURE: return IMPRINT_E_IMAGE_UNSUPPORTED;
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return IMPRINT_E_IMAGE_TRUNCATED;
    case VP8_STATUS_INVALID_PARAM:
    case VP8_STATUS_BITSTREAM_ERROR:
    case VP8_STATUS_USER_ABORT: break;
    }
    return IMPRINT_E_IMAGE_MALFORMED;
}

/* The frame's pixels. Lossless coding holds them once more inside libwebp. */
static enum imprint_error decode_frame(struct webp_reader *reader)
{
    const WebPBitstreamFeatures *head = &reader->head;
    size_t channels = head->has_alpha != 0 ? 4 : 3;
    uint64_t pixels = (uint64_t)head->width * (uint64_t)head->height;
    if (pixels * (channels + 4) > reader->job->limits.memory_max) {
        return IMPRINT_E_IMAGE_TOO_COMPLEX;
    }
    reader->pixels_bytes = pixels * channels;
    reader->pixels = malloc(reader->pixels_bytes);
    reader->canvas_row = calloc(reader->job->info.width, 4);
    if (reader->pixels == NULL || reader->canvas_row == NULL) {
        return IMPRINT_E_NOMEM;
    }
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0) {
        return IMPRINT_E_INTERNAL;
    }
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = reader->pixels;
    config.output.u.RGBA.stride = head->width * (int)channels;
    config.output.u.RGBA.size = reader->pixels_bytes;
    return error_of_status(WebPDecode(reader->frame, reader->frame_len, &config));
}

/* A row of the canvas: clear but for the frame. */
static void compose_row(struct webp_reader *reader, uint32_t y)
{
    size_t width = (size_t)reader->head.width;
    uint8_t *row = reader->canvas_row;
    memset(row, 0, (size_t)reader->job->info.width * 4);
    if (y < reader->frame_y || y - reader->frame_y >= (uint32_t)reader->head.height) {
        return;
    }
    size_t channels = reader->head.has_alpha != 0 ? 4 : 3;
    const uint8_t *from = reader->pixels + (y - reader->frame_y) * width * channels;
    uint8_t *to = row + (size_t)reader->frame_x * 4;
    for (size_t x = 0; x < width; x++, to += 4, from += channels) {
        memcpy(to, from, 3);
        to[3] = channels == 4 ? from[3] : 255;
    }
}

static void put_rows(struct webp_reader *reader)
{
    struct image_job *job = reader->job;
    const WebPBitstreamFeatures *head = &reader->head;
    bool fills_canvas =
        (uint32_t)head->width == job->info.width && (uint32_t)head->height == job->info.height;
    size_t channels = head->has_alpha != 0 ? 4 : 3;
    struct image_row row = {.step = 1};
    for (row.y = 0; row.y < job->info.height; row.y++) {
        if (!image_job_wants_row(job, row.y)) {
            continue;
        }
        if (fills_canvas) {
            row.layout = channels == 4 ? IMAGE_LAYOUT_RGBA : IMAGE_LAYOUT_RGB;
            row.pixels = reader->pixels + (size_t)row.y * (size_t)head->width * channels;
        } else {
            compose_row(reader, row.y);
            row.layout = IMAGE_LAYOUT_RGBA;
            row.pixels = reader->canvas_row;
        }
        image_job_put_row(job, &row);
    }
}

/* The canvas to fill, checked to hold the frame. */
static enum imprint_error begin(struct webp_reader *reader)
{
    uint32_t width = (uint32_t)reader->head.width;
    uint32_t height = (uint32_t)reader->head.height;
    if (reader->canvas_width != 0) {
        if ((uint64_t)reader->frame_x + width > reader->canvas_width ||
            (uint64_t)reader->frame_y + height > reader->canvas_height) {
            return IMPRINT_E_IMAGE_MALFORMED;
        }
        width = reader->canvas_width;
        height = reader->canvas_height;
    }
    reader->job->info.orientation = orientation_of_webp(reader->job);
    return image_job_begin(reader->job, width, height);
}

static enum imprint_error decode(struct webp_reader *reader)
{
    enum imprint_error error = read_container(reader);
    if (error == IMPRINT_OK) {
        error = error_of_status(WebPGetFeatures(reader->frame, reader->frame_len, &reader->head));
    }
    if (error == IMPRINT_OK) {
        error = begin(reader);
    }
    if (error == IMPRINT_OK) {
        error = decode_frame(reader);
    }
    if (error == IMPRINT_OK) {
        put_rows(reader);
    }
    return error;
}

enum imprint_error image_webp_decode(struct image_job *job)
{
    struct webp_reader reader = {.job = job};
    enum imprint_error error = decode(&reader);
    if (reader.pixels != NULL) {
        explicit_bzero(reader.pixels, reader.pixels_bytes);
        free(reader.pixels);
    }
    if (reader.canvas_row != NULL) {
        explicit_bzero(reader.canvas_row, (size_t)job->info.width * 4);
        free(reader.canvas_row);
    }
    return error;
}
