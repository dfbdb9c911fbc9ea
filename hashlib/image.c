#include "imprint/image.h"

#include <stdlib.h>
#include <string.h>

#include "image_codec.h"

/* --- Formats ---------------------------------------------------------------------------------- */

/* What a file of the format begins with; '?' in the pattern stands for any byte. */
struct image_format {
    enum imprint_format format;
    const char *name;
    const char *pattern;
    size_t pattern_len;
    image_decode_fn *decode; /* NULL: recognised only, to say "unsupported" rather than "unknown" */
};

/* The companion page, the one build for WebAssembly, goes without the libraries of these. */
#ifdef __wasm__
#define DECODE_WEBP NULL
#define DECODE_GIF  NULL
#else
#define DECODE_WEBP image_webp_decode
#define DECODE_GIF  image_gif_decode
#endif

#define PATTERN(text) (text), sizeof(text) - 1

static const struct image_format formats[] = {
    {IMPRINT_FORMAT_JPEG, "jpeg", PATTERN("\xff\xd8\xff"), image_jpeg_decode},
    {IMPRINT_FORMAT_PNG, "png", PATTERN("\x89PNG\r\n\x1a\n"), image_png_decode},
    {IMPRINT_FORMAT_WEBP, "webp", PATTERN("RIFF????WEBP"), DECODE_WEBP},
    {IMPRINT_FORMAT_GIF, "gif", PATTERN("GIF87a"), DECODE_GIF},
    {IMPRINT_FORMAT_GIF, "gif", PATTERN("GIF89a"), DECODE_GIF},
    {IMPRINT_FORMAT_AVIF, "avif", PATTERN("????ftypavif"), NULL},
    {IMPRINT_FORMAT_AVIF, "avif", PATTERN("????ftypavis"), NULL},
    {IMPRINT_FORMAT_HEIF, "heif", PATTERN("????ftyphei"), NULL},
    {IMPRINT_FORMAT_HEIF, "heif", PATTERN("????ftyphev"), NULL},
    {IMPRINT_FORMAT_HEIF, "heif", PATTERN("????ftypmif1"), NULL},
    {IMPRINT_FORMAT_HEIF, "heif", PATTERN("????ftypmsf1"), NULL},
};

static bool begins_with(const uint8_t *bytes, size_t len, const struct image_format *format)
{
    if (len < format->pattern_len) {
        return false;
    }
    for (size_t i = 0; i < format->pattern_len; i++) {
        if (format->pattern[i] != '?' && (uint8_t)format->pattern[i] != bytes[i]) {
            return false;
        }
    }
    return true;
}

static const struct image_format *format_of(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (begins_with(bytes, len, &formats[i])) {
            return &formats[i];
        }
    }
    return NULL;
}

enum imprint_format imprint_image_sniff(const void *bytes, size_t len)
{
    const struct image_format *format = format_of(bytes, len);
    return format == NULL ? IMPRINT_FORMAT_UNKNOWN : format->format;
}

/* --- Limits ----------------------------------------------------------------------------------- */

struct imprint_limits imprint_limits_default(void)
{
    return (struct imprint_limits){
        /* A 200 MP phone picture is about 50 MB as JPEG. */
        .bytes_max = (size_t)64 << 20,
        /* JPEG itself ends at 65,535. */
        .width_max = 65535,
        .height_max = 65535,
        /* Phones make up to 200 MP; rows are streamed, so this bounds time, not memory. */
        .pixels_max = 210000000,
        /* Two seconds of decoding; a 24 MP progressive picture of 10 scans needs 6 million. */
        .block_visits_max = 40000000,
        /* A progressive JPEG is held as coefficients: 24 MP take 72 MB to 144 MB. */
        .memory_max = (size_t)256 << 20,
    };
}

static struct imprint_limits limits_or_default(const struct imprint_limits *wanted)
{
    struct imprint_limits limits = imprint_limits_default();
    limits.bytes_max = wanted->bytes_max != 0 ? wanted->bytes_max : limits.bytes_max;
    limits.width_max = wanted->width_max != 0 ? wanted->width_max : limits.width_max;
    limits.height_max = wanted->height_max != 0 ? wanted->height_max : limits.height_max;
    limits.pixels_max = wanted->pixels_max != 0 ? wanted->pixels_max : limits.pixels_max;
    limits.block_visits_max =
        wanted->block_visits_max != 0 ? wanted->block_visits_max : limits.block_visits_max;
    limits.memory_max = wanted->memory_max != 0 ? wanted->memory_max : limits.memory_max;
    return limits;
}

/* --- Opening ---------------------------------------------------------------------------------- */

static void sampler_done(struct image_sampler *sampler)
{
    size_t bytes = (size_t)sampler->columns * sampler->rows * sizeof(float);
    for (size_t i = 0; i < 4; i++) {
        if (sampler->planes[i] != NULL) {
            explicit_bzero(sampler->planes[i], bytes);
            free(sampler->planes[i]);
            sampler->planes[i] = NULL;
        }
    }
}

static enum imprint_error image_from_job(const struct image_job *job,
                                         struct imprint_image **out_image)
{
    struct imprint_image *image = malloc(sizeof *image);
    if (image == NULL) {
        return IMPRINT_E_NOMEM;
    }
    image->info = job->info;
    image->upright = image_turn_of(job->ignore_orientation ? 1 : job->info.orientation);
    image->views = job->views;
    image->sampler = job->sampler;
    image->survey = job->survey;
    survey_finish(&image->survey);
    *out_image = image;
    return IMPRINT_OK;
}

enum imprint_error imprint_image_open(const void *bytes, size_t len,
                                      const struct imprint_image_options *options,
                                      struct imprint_image **out_image)
{
    static const struct imprint_image_options plain = {.policy = IMPRINT_POLICY_EXACT};
    if (options == NULL) {
        options = &plain;
    }
    if (len == 0) {
        return IMPRINT_E_IMAGE_EMPTY;
    }
    struct image_job job = {
        .bytes = bytes,
        .len = len,
        .limits = limits_or_default(&options->limits),
        .policy = options->policy,
        .ignore_orientation = options->ignore_orientation,
        .views = options->views,
        .info.orientation = 1,
    };
    const struct image_format *format = format_of(bytes, len);
    if (format == NULL) {
        return IMPRINT_E_IMAGE_UNKNOWN;
    }
    if (len > job.limits.bytes_max) {
        return IMPRINT_E_IMAGE_TOO_LARGE;
    }
    if (format->decode == NULL) {
        return IMPRINT_E_IMAGE_UNSUPPORTED;
    }
    job.info.format = format->format;
    enum imprint_error error = format->decode(&job);
    if (error == IMPRINT_OK) {
        error = image_from_job(&job, out_image);
    }
    if (error != IMPRINT_OK) {
        sampler_done(&job.sampler);
        survey_done(&job.survey);
    }
    return error;
}

const struct imprint_image_info *imprint_image_info(const struct imprint_image *image)
{
    return &image->info;
}

void imprint_image_free(struct imprint_image *image)
{
    if (image == NULL) {
        return;
    }
    sampler_done(&image->sampler);
    survey_done(&image->survey);
    free(image);
}
