/* JPEG through libjpeg-turbo, from memory, row by row. */
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "image_codec.h"
#include "image_jpeg_scans.h"

struct jpeg_reader {
    struct jpeg_decompress_struct codec;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    struct image_job *job;
    struct image_jpeg_scans scans; /* fast policy: what is left of the file to feed */
    enum imprint_error error;      /* why we jumped */
    uint64_t blocks;               /* of all components: what one scan may visit */
    bool is_past_end;              /* the decoder asked for more bytes than there are */
    bool is_empty;                 /* and that before the first row of blocks was complete */
};

static struct jpeg_reader *reader_of(j_common_ptr codec)
{
    return codec->client_data;
}

/* --- What libjpeg calls ----------------------------------------------------------------------- */

static enum imprint_error error_of_code(int code, bool is_past_end)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY: return IMPRINT_E_NOMEM;
    case JERR_NO_BACKING_STORE: return IMPRINT_E_IMAGE_TOO_COMPLEX;
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW: return IMPRINT_E_IMAGE_TOO_LARGE;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CCIR601_NOTIMPL:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED: return IMPRINT_E_IMAGE_UNSUPPORTED;
    default: return is_past_end ? IMPRINT_E_IMAGE_TRUNCATED : IMPRINT_E_IMAGE_MALFORMED;
    }
}

static void give_up(struct jpeg_reader *reader, enum imprint_error error)
{
    reader->error = error;
    longjmp(reader->failed, 1);
}

static void on_error(j_common_ptr codec)
{
    struct jpeg_reader *reader = reader_of(codec);
    give_up(reader, error_of_code(codec->err->msg_code, reader->is_past_end));
}

/* Warnings say that the data is damaged; what libjpeg makes of it is the picture. */
static void on_message(j_common_ptr codec, int level)
{
    (void)codec;
    (void)level;
}

static void on_output(j_common_ptr codec)
{
    (void)codec;
}

static void on_source_begin(j_decompress_ptr codec)
{
    (void)codec;
}

/* All bytes are there from the start, so this is the end, as a file that ends early is shown; but
 * for the fast policy, which leaves out stretches of the file. */
static boolean on_source_empty(j_decompress_ptr codec)
{
    static const JOCTET end_of_image[2] = {0xff, JPEG_EOI};
    struct jpeg_reader *reader = reader_of((j_common_ptr)codec);
    if (image_jpeg_scans_next(&reader->scans, &codec->src->next_input_byte,
                              &codec->src->bytes_in_buffer)) {
        return TRUE;
    }
    if (!reader->is_past_end) {
        reader->is_past_end = true;
        reader->is_empty = codec->input_iMCU_row == 0 && codec->input_scan_number <= 1 &&
                           codec->total_iMCU_rows > 1;
    }
    codec->src->next_input_byte = end_of_image;
    codec->src->bytes_in_buffer = sizeof end_of_image;
    return TRUE;
}

static void on_source_skip(j_decompress_ptr codec, long count)
{
    const struct jpeg_reader *reader = reader_of((j_common_ptr)codec);
    size_t left = count > 0 ? (size_t)count : 0;
    while (left > codec->src->bytes_in_buffer && !reader->is_past_end) {
        left -= codec->src->bytes_in_buffer;
        (void)on_source_empty(codec);
    }
    if (!reader->is_past_end) {
        codec->src->next_input_byte += left;
        codec->src->bytes_in_buffer -= left;
    }
}

/* Every scan may touch every block, whatever its bytes: a few hundred kilobytes can hold seconds
 * of work. Called at least once a row of blocks. */
static void on_progress(j_common_ptr codec)
{
    struct jpeg_reader *reader = reader_of(codec);
    uint64_t scans = (uint64_t)reader->codec.input_scan_number;
    if (scans * reader->blocks > reader->job->limits.block_visits_max) {
        give_up(reader, IMPRINT_E_IMAGE_TOO_COMPLEX);
    }
}

/* --- The header ------------------------------------------------------------------------------- */

static uint32_t read_be16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* The EXIF block stands before the first scan in an APP1 segment. */
static uint8_t orientation_of_jpeg(const uint8_t *bytes, size_t len)
{
    static const uint8_t signature[6] = "Exif\0";
    size_t at = 2;
    while (len - at >= 4 && bytes[at] == 0xff) {
        uint8_t marker = bytes[at + 1];
        if (marker == 0xff) {
            at++;
            continue;
        }
        size_t size = read_be16(bytes + at + 2);
        if (marker == 0xda || size < 2 || size > len - at - 2) {
            break;
        }
        if (marker == JPEG_APP0 + 1 && size >= 2 + sizeof signature &&
            memcmp(bytes + at + 4, signature, sizeof signature) == 0) {
            return image_orientation_of_tiff(bytes + at + 4 + sizeof signature,
                                             size - 2 - sizeof signature);
        }
        at += 2 + size;
    }
    return 1;
}

static uint64_t blocks_of(const struct jpeg_decompress_struct *codec)
{
    uint64_t blocks = 0;
    for (int i = 0; i < codec->num_components; i++) {
        const jpeg_component_info *component = &codec->comp_info[i];
        blocks += (uint64_t)component->width_in_blocks * component->height_in_blocks;
    }
    return blocks;
}

/* How the reference would have it, and more where it gives up. */
static enum image_layout choose_layout(struct jpeg_reader *reader)
{
    struct jpeg_decompress_struct *codec = &reader->codec;
    bool has_luma_plane = codec->jpeg_color_space == JCS_YCbCr;
    switch (codec->num_components) {
    case 1: codec->out_color_space = JCS_GRAYSCALE; return IMAGE_LAYOUT_GRAY;
    case 3:
        if (reader->job->policy == IMPRINT_POLICY_FAST && has_luma_plane) {
            codec->out_color_space = JCS_GRAYSCALE;
            return IMAGE_LAYOUT_GRAY;
        }
        codec->out_color_space = JCS_RGB;
        return IMAGE_LAYOUT_RGB;
    case 4:
        codec->out_color_space = JCS_CMYK;
        return codec->saw_Adobe_marker ? IMAGE_LAYOUT_CMYK_INVERTED : IMAGE_LAYOUT_CMYK;
    default: give_up(reader, IMPRINT_E_IMAGE_UNSUPPORTED); return IMAGE_LAYOUT_GRAY;
    }
}

/* --- Decoding --------------------------------------------------------------------------------- */

static void open_codec(struct jpeg_reader *reader)
{
    struct jpeg_decompress_struct *codec = &reader->codec;
    jpeg_create_decompress(codec);
    reader->progress.progress_monitor = on_progress;
    reader->source = (struct jpeg_source_mgr){
        .init_source = on_source_begin,
        .fill_input_buffer = on_source_empty,
        .skip_input_data = on_source_skip,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = on_source_begin,
    };
    reader->scans = (struct image_jpeg_scans){.bytes = reader->job->bytes, .len = reader->job->len};
    if (reader->job->policy == IMPRINT_POLICY_EXACT) {
        reader->source.next_input_byte = reader->job->bytes;
        reader->source.bytes_in_buffer = reader->job->len;
        reader->scans.at = reader->job->len;
    }
    codec->progress = &reader->progress;
    codec->src = &reader->source;
    size_t memory_max = reader->job->limits.memory_max;
    codec->mem->max_memory_to_use = memory_max > LONG_MAX ? LONG_MAX : (long)memory_max;
}

static void read_rows(struct jpeg_reader *reader, enum image_layout layout)
{
    struct jpeg_decompress_struct *codec = &reader->codec;
    JDIMENSION row_bytes = codec->output_width * (JDIMENSION)codec->output_components;
    JSAMPARRAY rows = codec->mem->alloc_sarray((j_common_ptr)codec, JPOOL_IMAGE, row_bytes, 1);
    struct image_row row = {.pixels = rows[0], .layout = layout, .step = 1};
    while (codec->output_scanline < codec->output_height) {
        row.y = codec->output_scanline;
        if (jpeg_read_scanlines(codec, rows, 1) != 1) {
            give_up(reader, IMPRINT_E_INTERNAL);
        }
        image_job_put_row(reader->job, &row);
    }
    explicit_bzero(rows[0], row_bytes);
}

static void decode(struct jpeg_reader *reader)
{
    struct jpeg_decompress_struct *codec = &reader->codec;
    open_codec(reader);
    (void)jpeg_read_header(codec, TRUE);
    reader->blocks = blocks_of(codec);
    reader->job->info.orientation = orientation_of_jpeg(reader->job->bytes, reader->job->len);
    enum imprint_error error =
        image_job_begin(reader->job, codec->image_width, codec->image_height);
    if (error != IMPRINT_OK) {
        give_up(reader, error);
    }
    enum image_layout layout = choose_layout(reader);
    on_progress((j_common_ptr)codec);
    (void)jpeg_start_decompress(codec);
    read_rows(reader, layout);
    reader->job->info.is_truncated = reader->is_past_end;
    if (reader->is_past_end && reader->is_empty) {
        give_up(reader, IMPRINT_E_IMAGE_TRUNCATED);
    }
}

enum imprint_error image_jpeg_decode(struct image_job *job)
{
    struct jpeg_reader reader = {.job = job};
    reader.codec.err = jpeg_std_error(&reader.errors);
    reader.codec.client_data = &reader;
    reader.errors.error_exit = on_error;
    reader.errors.emit_message = on_message;
    reader.errors.output_message = on_output;
    if (setjmp(reader.failed) == 0) {
        decode(&reader);
    }
    jpeg_destroy_decompress(&reader.codec);
    return reader.error;
}
