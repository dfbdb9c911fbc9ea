/* survey.h - inside hashlib: the whole picture, small.
 *
 * Why:       views that are no orientation of the 512x512 sample points (the other PDQs in
 *            circulation, the picture without what was put around it) need averages over areas. A
 *            survey is the picture's luma averaged to at most 640x640 while its rows stream by.
 * Ownership: the image's; wiped with it.
 * Threads:   as image.h.
 */
#ifndef HASHLIB_SURVEY_H
#define HASHLIB_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

struct image_row;

/* Of its longer edge. */
#define SURVEY_EDGE_MAX 640u

/* Zeroed: not wanted. */
struct survey {
    uint32_t width; /* of the survey, along the picture's stored axes */
    uint32_t height;
    uint32_t picture_width;
    uint32_t picture_height;
    uint32_t step_x; /* every so many pixels are looked at */
    uint32_t step_y;
    uint32_t column_ends[SURVEY_EDGE_MAX]; /* of each point: the first pixel that is not its own */
    float *luma;                           /* sums while rows come, means after survey_finish */
};

/* IMPRINT_E_NOMEM; then survey_done is still due. */
IMPRINT_MUST_USE enum imprint_error survey_init(struct survey *survey, uint32_t picture_width,
                                                uint32_t picture_height);
void survey_done(struct survey *survey);

bool survey_wants_row(const struct survey *survey, uint32_t y);

/* Every pixel once, in any order of rows. */
void survey_put_row(struct survey *survey, const struct image_row *row);

void survey_finish(struct survey *survey);

/* The finished survey in whole levels; width x height bytes. */
void survey_round(const struct survey *survey, uint8_t *out_luma);

/* The survey with its axes stretched to size x size points (at most SURVEY_EDGE_MAX), between which
 * it is interpolated: what a browser's canvas makes of the picture. */
void survey_stretch(const struct survey *survey, uint32_t size, float *out_luma);

#endif
