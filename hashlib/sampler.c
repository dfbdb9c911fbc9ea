/* Which points of a picture PDQ looks at, and their luma. */
#include <stdlib.h>
#include <string.h>

#include "imprint/pdq.h"

#include "image_codec.h"
#include "luma.h"

/* The first sample that lies at or after stored position at, of count samples over size. */
static uint32_t sample_at(uint64_t at, uint32_t count, uint32_t size)
{
    return (uint32_t)((at * count + size - 1) / size);
}

static void place_samples(struct image_sampler *sampler, uint32_t width, uint32_t height)
{
    bool is_sampled = width > IMAGE_SAMPLES_MAX || height > IMAGE_SAMPLES_MAX;
    sampler->width = width;
    sampler->height = height;
    sampler->columns = is_sampled ? IMAGE_SAMPLES_MAX : width;
    sampler->rows = is_sampled ? IMAGE_SAMPLES_MAX : height;
    for (uint32_t i = 0; i < sampler->columns; i++) {
        uint32_t column = (uint32_t)((uint64_t)i * width / sampler->columns);
        sampler->column_at[0][i] = column;
        sampler->column_at[1][i] = width - 1 - column;
    }
}

static enum imprint_error check_limits(const struct imprint_limits *limits, uint32_t width,
                                       uint32_t height)
{
    if (width == 0 || height == 0) {
        return IMPRINT_E_IMAGE_MALFORMED;
    }
    if (width > limits->width_max || height > limits->height_max ||
        (uint64_t)width * height > limits->pixels_max) {
        return IMPRINT_E_IMAGE_TOO_LARGE;
    }
    return IMPRINT_OK;
}

/* The planes kept: the upright one, or with turned views all four. */
static bool wants_plane(const struct image_job *job, size_t plane)
{
    if ((job->views & IMPRINT_VIEWS_TURNED) != 0) {
        return true;
    }
    unsigned orientation = job->ignore_orientation ? 1 : job->info.orientation;
    struct image_turn upright = image_turn_of(orientation);
    return plane == (upright.is_mirrored_x ? 1u : 0u) + (upright.is_mirrored_y ? 2u : 0u);
}

enum imprint_error image_job_begin(struct image_job *job, uint32_t width, uint32_t height)
{
    job->info.width = width;
    job->info.height = height;
    enum imprint_error error = check_limits(&job->limits, width, height);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct image_sampler *sampler = &job->sampler;
    place_samples(sampler, width, height);
    for (size_t i = 0; i < 4; i++) {
        if (wants_plane(job, i)) {
            sampler->planes[i] = calloc((size_t)sampler->columns * sampler->rows, sizeof(float));
            if (sampler->planes[i] == NULL) {
                return IMPRINT_E_NOMEM;
            }
        }
    }
    bool is_surveyed = (job->views & (IMPRINT_VIEWS_DIALECTS | IMPRINT_VIEWS_TRIMMED)) != 0;
    return is_surveyed ? survey_init(&job->survey, width, height) : IMPRINT_OK;
}

/* The samples of a plane that lie in stored row y: rows *first up to *end. */
static void rows_at(const struct image_sampler *sampler, bool is_mirrored_y, uint32_t y,
                    uint32_t *first, uint32_t *end)
{
    uint64_t at = is_mirrored_y ? sampler->height - 1 - y : y;
    *first = sample_at(at, sampler->rows, sampler->height);
    *end = sample_at(at + 1, sampler->rows, sampler->height);
}

bool image_job_wants_row(const struct image_job *job, uint32_t y)
{
    const struct image_sampler *sampler = &job->sampler;
    if (survey_wants_row(&job->survey, y)) {
        return true;
    }
    for (size_t flip = 0; flip < 2; flip++) {
        if (sampler->planes[2 * flip] != NULL || sampler->planes[2 * flip + 1] != NULL) {
            uint32_t first;
            uint32_t end;
            rows_at(sampler, flip == 1, y, &first, &end);
            if (first < end) {
                return true;
            }
        }
    }
    return false;
}

/* A whole row: the layout is decided once, so that each loop is a plain gather. */
static void gather_row(const struct image_row *row, const uint32_t *column_at, uint32_t count,
                       float *out_luma)
{
    const uint8_t *p = row->pixels;
    if (row->layout == IMAGE_LAYOUT_RGB) {
        for (uint32_t i = 0; i < count; i++) {
            out_luma[i] = luma_of(IMAGE_LAYOUT_RGB, p + 3 * (size_t)column_at[i]);
        }
    } else if (row->layout == IMAGE_LAYOUT_GRAY) {
        for (uint32_t i = 0; i < count; i++) {
            out_luma[i] = (float)p[column_at[i]];
        }
    } else {
        size_t bytes = layout_bytes(row->layout);
        for (uint32_t i = 0; i < count; i++) {
            out_luma[i] = luma_of(row->layout, p + bytes * column_at[i]);
        }
    }
}

/* A row of which only some columns are there yet (interlaced): the others stay as they are. */
static void gather_some(const struct image_row *row, const uint32_t *column_at, uint32_t count,
                        float *out_luma)
{
    size_t bytes = layout_bytes(row->layout);
    for (uint32_t i = 0; i < count; i++) {
        if (column_at[i] >= row->first && (column_at[i] - row->first) % row->step == 0) {
            size_t at = (column_at[i] - row->first) / row->step;
            out_luma[i] = luma_of(row->layout, row->pixels + bytes * at);
        }
    }
}

void image_job_put_row(struct image_job *job, const struct image_row *row)
{
    struct image_sampler *sampler = &job->sampler;
    if (survey_wants_row(&job->survey, row->y)) {
        survey_put_row(&job->survey, row);
    }
    for (size_t plane = 0; plane < 4; plane++) {
        uint32_t first;
        uint32_t end;
        rows_at(sampler, plane >= 2, row->y, &first, &end);
        if (sampler->planes[plane] == NULL || first == end) {
            continue;
        }
        const uint32_t *column_at = sampler->column_at[plane % 2];
        float *luma = sampler->planes[plane] + (size_t)first * sampler->columns;
        if (row->step == 1) {
            gather_row(row, column_at, sampler->columns, luma);
        } else {
            gather_some(row, column_at, sampler->columns, luma);
        }
        for (uint32_t i = first + 1; i < end; i++) {
            memcpy(luma + (size_t)(i - first) * sampler->columns, luma,
                   sampler->columns * sizeof *luma);
        }
    }
}
