#include "imprint/pdq.h"

#include <stdlib.h>
#include <string.h>

#include "image_codec.h"
#include "pdq_kernel.h"
#include "turner.h"

/* --- One plane, turned ------------------------------------------------------------------------ */

void turner_done(struct turner *turner)
{
    pdq_kernel_free(turner->kernel[0]);
    pdq_kernel_free(turner->kernel[1]);
    if (turner->transposed != NULL) {
        const struct image_sampler *sampler = turner->sampler;
        explicit_bzero(turner->transposed,
                       (size_t)sampler->columns * sampler->rows * sizeof(float));
        free(turner->transposed);
    }
}

static enum imprint_error turner_prepare(struct turner *turner, bool is_transposed)
{
    const struct image_sampler *sampler = turner->sampler;
    if (is_transposed && turner->transposed == NULL) {
        turner->transposed = malloc((size_t)sampler->columns * sampler->rows * sizeof(float));
        if (turner->transposed == NULL) {
            return IMPRINT_E_NOMEM;
        }
    }
    if (turner->kernel[is_transposed] != NULL) {
        return IMPRINT_OK;
    }
    uint32_t width = is_transposed ? sampler->rows : sampler->columns;
    uint32_t height = is_transposed ? sampler->columns : sampler->rows;
    return pdq_kernel_new(width, height, &turner->kernel[is_transposed]);
}

/* In tiles, as a column of a plane has each sample in a cache line of its own. */
static void transpose(const float *plane, uint32_t columns, uint32_t rows, float *out_plane)
{
    enum { TILE = 16 };
    for (uint32_t top = 0; top < rows; top += TILE) {
        uint32_t bottom = top + TILE < rows ? top + TILE : rows;
        for (uint32_t x = 0; x < columns; x++) {
            for (uint32_t y = top; y < bottom; y++) {
                out_plane[(size_t)x * rows + y] = plane[(size_t)y * columns + x];
            }
        }
    }
}

enum imprint_error turner_hash(struct turner *turner, struct image_turn turn,
                               struct imprint_pdq *out_pdq)
{
    enum imprint_error error = turner_prepare(turner, turn.is_transposed);
    if (error != IMPRINT_OK) {
        return error;
    }
    const struct image_sampler *sampler = turner->sampler;
    const float *plane =
        sampler->planes[(turn.is_mirrored_x ? 1 : 0) + (turn.is_mirrored_y ? 2 : 0)];
    size_t stride = sampler->columns;
    if (turn.is_transposed) {
        transpose(plane, sampler->columns, sampler->rows, turner->transposed);
        plane = turner->transposed;
        stride = sampler->rows;
    }
    return pdq_kernel_hash(turner->kernel[turn.is_transposed], plane, stride, out_pdq);
}

/* --- The doors -------------------------------------------------------------------------------- */

enum imprint_error imprint_pdq(const struct imprint_image *image, struct imprint_pdq *out_pdq)
{
    struct turner turner = {.sampler = &image->sampler};
    enum imprint_error error = turner_hash(&turner, image->upright, out_pdq);
    turner_done(&turner);
    return error;
}

enum imprint_error imprint_pdq_luma(const float *luma, uint32_t width, uint32_t height,
                                    size_t stride, struct imprint_pdq *out_pdq)
{
    if (width == 0 || height == 0 || stride < width) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            float value = luma[y * stride + x];
            /* Not a number compares false. A float sum of white may end a little over 255. */
            if (!(value >= 0 && value < 256)) {
                return IMPRINT_E_PARAMETER_INVALID;
            }
        }
    }
    struct pdq_kernel *kernel;
    enum imprint_error error = pdq_kernel_new(width, height, &kernel);
    if (error == IMPRINT_OK) {
        error = pdq_kernel_hash(kernel, luma, stride, out_pdq);
        pdq_kernel_free(kernel);
    }
    return error;
}
