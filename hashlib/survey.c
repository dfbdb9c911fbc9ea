#include "survey.h"

#include <stdlib.h>
#include <string.h>

#include "image_codec.h"
#include "luma.h"

/* So many samples along an axis are enough for a mean; more would only cost time. */
enum { SAMPLES_A_POINT = 3 };

/* --- Geometry --------------------------------------------------------------------------------- */

static uint32_t step_of(uint32_t picture, uint32_t points)
{
    uint32_t step = picture / (points * SAMPLES_A_POINT);
    return step > 0 ? step : 1;
}

static uint32_t point_of(uint32_t pixel, uint32_t picture, uint32_t points)
{
    return (uint32_t)((uint64_t)pixel * points / picture);
}

/* The first pixel looked at of a point. */
static uint32_t first_of(uint32_t point, uint32_t picture, uint32_t points, uint32_t step)
{
    uint64_t pixel = ((uint64_t)point * picture + points - 1) / points;
    return (uint32_t)((pixel + step - 1) / step * step);
}

static uint32_t samples_of(uint32_t point, uint32_t picture, uint32_t points, uint32_t step)
{
    uint32_t first = first_of(point, picture, points, step);
    uint32_t end = first_of(point + 1, picture, points, step);
    end = end < picture ? end : picture;
    return (end - first + step - 1) / step;
}

enum imprint_error survey_init(struct survey *survey, uint32_t picture_width,
                               uint32_t picture_height)
{
    uint64_t longer = picture_width > picture_height ? picture_width : picture_height;
    *survey = (struct survey){
        .width = picture_width,
        .height = picture_height,
        .picture_width = picture_width,
        .picture_height = picture_height,
    };
    if (longer > SURVEY_EDGE_MAX) {
        survey->width = (uint32_t)((picture_width * SURVEY_EDGE_MAX + longer - 1) / longer);
        survey->height = (uint32_t)((picture_height * SURVEY_EDGE_MAX + longer - 1) / longer);
    }
    survey->step_x = step_of(picture_width, survey->width);
    survey->step_y = step_of(picture_height, survey->height);
    for (uint32_t x = 0; x < survey->width; x++) {
        uint32_t end = first_of(x + 1, picture_width, survey->width, survey->step_x);
        survey->column_ends[x] = end < picture_width ? end : picture_width;
    }
    survey->luma = calloc((size_t)survey->width * survey->height, sizeof *survey->luma);
    return survey->luma == NULL ? IMPRINT_E_NOMEM : IMPRINT_OK;
}

void survey_done(struct survey *survey)
{
    if (survey->luma != NULL) {
        explicit_bzero(survey->luma, (size_t)survey->width * survey->height * sizeof(float));
        free(survey->luma);
    }
    *survey = (struct survey){0};
}

/* --- Rows ------------------------------------------------------------------------------------- */

bool survey_wants_row(const struct survey *survey, uint32_t y)
{
    return survey->luma != NULL && y % survey->step_y == 0;
}

/* A layout known where this is inlined makes a plain loop of it. */
static inline void add_row(const struct survey *survey, const uint8_t *pixels,
                           enum image_layout layout, float *sums)
{
    const size_t bytes = layout_bytes(layout);
    uint32_t x = 0;
    for (uint32_t point = 0; point < survey->width; point++) {
        float sum = 0;
        for (; x < survey->column_ends[point]; x += survey->step_x) {
            sum += luma_of(layout, pixels + bytes * x);
        }
        sums[point] += sum;
    }
}

/* Some columns of an interlaced row. */
static void add_some(const struct survey *survey, const struct image_row *row, float *sums)
{
    const uint8_t *pixel = row->pixels;
    for (uint32_t x = row->first; x < survey->picture_width; x += row->step) {
        if (x % survey->step_x == 0) {
            sums[point_of(x, survey->picture_width, survey->width)] += luma_of(row->layout, pixel);
        }
        pixel += layout_bytes(row->layout);
    }
}

void survey_put_row(struct survey *survey, const struct image_row *row)
{
    uint32_t point = point_of(row->y, survey->picture_height, survey->height);
    float *sums = survey->luma + (size_t)point * survey->width;
    if (row->step != 1) {
        add_some(survey, row, sums);
    } else if (row->layout == IMAGE_LAYOUT_RGB) {
        add_row(survey, row->pixels, IMAGE_LAYOUT_RGB, sums);
    } else if (row->layout == IMAGE_LAYOUT_GRAY) {
        add_row(survey, row->pixels, IMAGE_LAYOUT_GRAY, sums);
    } else {
        add_row(survey, row->pixels, row->layout, sums);
    }
}

void survey_finish(struct survey *survey)
{
    if (survey->luma == NULL) {
        return;
    }
    uint32_t columns[SURVEY_EDGE_MAX];
    for (uint32_t x = 0; x < survey->width; x++) {
        columns[x] = samples_of(x, survey->picture_width, survey->width, survey->step_x);
    }
    for (uint32_t y = 0; y < survey->height; y++) {
        uint32_t rows = samples_of(y, survey->picture_height, survey->height, survey->step_y);
        float *luma = survey->luma + (size_t)y * survey->width;
        for (uint32_t x = 0; x < survey->width; x++) {
            luma[x] /= (float)(rows * columns[x]);
        }
    }
}

void survey_round(const struct survey *survey, uint8_t *out_luma)
{
    size_t count = (size_t)survey->width * survey->height;
    for (size_t i = 0; i < count; i++) {
        float luma = survey->luma[i] + 0.5F;
        out_luma[i] = (uint8_t)(luma < 255 ? luma : 255);
    }
}

/* --- Stretching ------------------------------------------------------------------------------- */

/* Where a point of the stretched axis lies: between position and the next. */
struct place {
    uint32_t position;
    float share; /* of the next */
};

static struct place place_of(uint32_t point, uint32_t size, uint32_t length)
{
    float at = ((float)point + 0.5F) * (float)length / (float)size - 0.5F;
    at = at < 0 ? 0 : at;
    uint32_t position = (uint32_t)at;
    if (position + 1 >= length) {
        return (struct place){length - 1, 0};
    }
    return (struct place){position, at - (float)position};
}

void survey_stretch(const struct survey *survey, uint32_t size, float *out_luma)
{
    struct place columns[SURVEY_EDGE_MAX];
    size = size < SURVEY_EDGE_MAX ? size : SURVEY_EDGE_MAX;
    for (uint32_t x = 0; x < size; x++) {
        columns[x] = place_of(x, size, survey->width);
    }
    for (uint32_t y = 0; y < size; y++) {
        struct place row = place_of(y, size, survey->height);
        const float *above = survey->luma + (size_t)row.position * survey->width;
        const float *below = row.share > 0 ? above + survey->width : above;
        for (uint32_t x = 0; x < size; x++) {
            uint32_t left = columns[x].position;
            uint32_t right = columns[x].share > 0 ? left + 1 : left;
            float top = above[left] + (above[right] - above[left]) * columns[x].share;
            float bottom = below[left] + (below[right] - below[left]) * columns[x].share;
            out_luma[(size_t)y * size + x] = top + (bottom - top) * row.share;
        }
    }
}
