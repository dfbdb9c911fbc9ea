#include "pdq_kernel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Cells along an edge of the picture, and frequencies along an edge of the hash. */
enum { CELLS = 64, BANDS = 16 };

/* Under this along an edge the reference does not hash. */
enum { EDGE_MIN = 5 };

/* When the cells of a picture differ by less than this in luma, what is left is rounding. */
static const float contrast_min = 1.0F / 64;

/* The largest picture the reference filters; larger ones it has sampled down. */
enum { IMAGE_EDGE_MAX = 512 };

/* A gap between the bands of clear and of set bits that no difference in rounding closes: the
 * largest difference of a band seen between both ways of filtering is 0.007. */
static const float gap_min = 0.03F;

/* For each cell, which samples along one axis it is a weighted sum of. */
struct pdq_axis {
    uint32_t first[CELLS];
    uint32_t count[CELLS];
    float *weights; /* CELLS rows of weights_max */
    uint32_t weights_max;
};

struct pdq_kernel {
    uint32_t width;
    uint32_t height;
    struct pdq_axis x;
    struct pdq_axis y;
    float *row;                /* width samples: one row of cells before its own filtering */
    float basis[BANDS][CELLS]; /* the cosines, and once more transposed */
    float basis_across[CELLS][BANDS];
    float cells[CELLS][CELLS];
    float half[BANDS][CELLS];
    float bands[BANDS * BANDS];
    float memory[];
};

/* --- Set-up ----------------------------------------------------------------------------------- */

/* The box filter's window along an axis: 1/128 of it, rounded up. */
static uint32_t window_of(uint32_t size)
{
    return (uint32_t)(((uint64_t)size + 2 * CELLS - 1) / (2 * CELLS));
}

/* The samples one pass of the box filter averages for position at: first up to end. An even window
 * reaches one further to the right; at the edges it is cut off, not padded. */
static void box_at(uint32_t at, uint32_t size, uint32_t *first, uint32_t *end)
{
    uint32_t window = window_of(size);
    uint32_t right = at + (window + 2) / 2;
    *first = right > window ? right - window : 0;
    *end = right < size ? right : size;
}

/* The position whose filtered value is kept as a cell. */
static uint32_t cell_at(uint32_t cell, uint32_t size)
{
    return (uint32_t)(((uint64_t)2 * cell + 1) * size / (2 * CELLS));
}

/* Both passes of the filter at one position of an axis of size pixels, as one set of weights of its
 * points; where there are fewer points than pixels, each has the weights of its pixels. */
static void axis_cell(struct pdq_axis *axis, uint32_t cell, uint32_t size, uint32_t points)
{
    assert(size > 0);
    uint32_t at = cell_at(cell, size);
    float *weights = axis->weights + (size_t)cell * axis->weights_max;
    uint32_t outer_first;
    uint32_t outer_end;
    uint32_t first;
    uint32_t end;
    box_at(at, size, &outer_first, &outer_end);
    box_at(outer_first, size, &first, &end);
    axis->first[cell] = (uint32_t)((uint64_t)first * points / size);
    for (uint32_t i = outer_first; i < outer_end; i++) {
        box_at(i, size, &first, &end);
        float share = (float)(1.0 / ((double)(outer_end - outer_first) * (double)(end - first)));
        for (uint32_t j = first; j < end; j++) {
            uint32_t point = points == size ? j : (uint32_t)((uint64_t)j * points / size);
            weights[point - axis->first[cell]] += share;
        }
    }
    axis->count[cell] = (uint32_t)((uint64_t)(end - 1) * points / size) + 1 - axis->first[cell];
}

/* Cosines of a quarter turn in steps of 1/256 turn, times sqrt(2/64), rounded once to float. */
static float basis_at(uint32_t frequency, uint32_t cell)
{
    static const float quarter[CELLS + 1] = {
        0.176776692F,  0.17672345F,   0.176563755F,   0.176297709F,   0.175925463F,  0.175447255F,
        0.174863353F,  0.17417413F,   0.173379973F,   0.172481388F,   0.171478912F,  0.170373142F,
        0.169164747F,  0.167854458F,  0.16644305F,    0.164931387F,   0.163320363F,  0.161610976F,
        0.15980424F,   0.157901242F,  0.155903131F,   0.153811097F,   0.151626423F,  0.14935042F,
        0.146984443F,  0.144529939F,  0.141988367F,   0.139361277F,   0.136650234F,  0.133856878F,
        0.130982891F,  0.128030002F,  0.125F,         0.121894695F,   0.118715972F,  0.115465738F,
        0.112145945F,  0.108758606F,  0.105305754F,   0.101789467F,   0.0982118696F, 0.0945751071F,
        0.0908813849F, 0.0871329084F, 0.0833319575F,  0.0794808045F,  0.0755817741F, 0.0716372207F,
        0.0676495135F, 0.0636210516F, 0.0595542751F,  0.0554516204F,  0.0513155647F, 0.0471486002F,
        0.0429532342F, 0.0387319922F, 0.0344874226F,  0.0302220769F,  0.0259385277F, 0.0216393545F,
        0.0173271466F, 0.0130045004F, 0.00867402088F, 0.00433831709F, 0.0F,
    };
    uint32_t step = frequency * (2 * cell + 1) % (4 * CELLS);
    step = step > 2 * CELLS ? 4 * CELLS - step : step;
    return step > CELLS ? -quarter[2 * CELLS - step] : quarter[step];
}

static void fill_basis(struct pdq_kernel *kernel)
{
    for (uint32_t band = 0; band < BANDS; band++) {
        for (uint32_t cell = 0; cell < CELLS; cell++) {
            kernel->basis[band][cell] = basis_at(band + 1, cell);
            kernel->basis_across[cell][band] = kernel->basis[band][cell];
        }
    }
}

static void axis_init(struct pdq_axis *axis, uint32_t size, uint32_t points, float *weights,
                      uint32_t weights_max)
{
    axis->weights = weights;
    axis->weights_max = weights_max;
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        axis_cell(axis, cell, size, points);
    }
}

/* The most points a cell depends on. */
static uint32_t weights_max_of(uint32_t size, uint32_t points)
{
    uint32_t pixels = 2 * window_of(size) - 1;
    return points == size ? pixels : (uint32_t)((uint64_t)pixels * points / size) + 2;
}

enum imprint_error pdq_kernel_new_surveyed(const struct pdq_size *picture,
                                           const struct pdq_size *points,
                                           struct pdq_kernel **out_kernel)
{
    uint32_t max_x = weights_max_of(picture->width, points->width);
    uint32_t max_y = weights_max_of(picture->height, points->height);
    size_t floats = (size_t)CELLS * max_x + (size_t)CELLS * max_y + points->width;
    struct pdq_kernel *kernel = calloc(1, sizeof *kernel + floats * sizeof(float));
    if (kernel == NULL) {
        return IMPRINT_E_NOMEM;
    }
    kernel->width = points->width;
    kernel->height = points->height;
    float *weights_y = kernel->memory + (size_t)CELLS * max_x;
    axis_init(&kernel->x, picture->width, points->width, kernel->memory, max_x);
    axis_init(&kernel->y, picture->height, points->height, weights_y, max_y);
    kernel->row = weights_y + (size_t)CELLS * max_y;
    fill_basis(kernel);
    *out_kernel = kernel;
    return IMPRINT_OK;
}

enum imprint_error pdq_kernel_new(uint32_t width, uint32_t height, struct pdq_kernel **out_kernel)
{
    const struct pdq_size size = {width, height};
    return pdq_kernel_new_surveyed(&size, &size, out_kernel);
}

void pdq_kernel_free(struct pdq_kernel *kernel)
{
    if (kernel == NULL) {
        return;
    }
    explicit_bzero(kernel->row, kernel->width * sizeof(float));
    explicit_bzero(kernel->cells, sizeof kernel->cells);
    explicit_bzero(kernel->half, sizeof kernel->half);
    explicit_bzero(kernel->bands, sizeof kernel->bands);
    free(kernel);
}

/* --- Filtering -------------------------------------------------------------------------------- */

/* Adds rows in their order; four at a time, as the sums otherwise wait for memory. */
static void add_rows(const float *weights, uint32_t count, const float *row, size_t stride,
                     uint32_t width, float *restrict sums)
{
    uint32_t k = 0;
    for (; k + 4 <= count; k += 4, row += 4 * stride) {
        const float *b = row + stride;
        const float *c = b + stride;
        const float *d = c + stride;
        const float *w = weights + k;
        for (uint32_t i = 0; i < width; i++) {
            sums[i] = sums[i] + w[0] * row[i] + w[1] * b[i] + w[2] * c[i] + w[3] * d[i];
        }
    }
    for (; k < count; k++, row += stride) {
        for (uint32_t i = 0; i < width; i++) {
            sums[i] = sums[i] + weights[k] * row[i];
        }
    }
}

static void weigh_rows(const struct pdq_axis *axis, uint32_t cell, const float *luma, size_t stride,
                       uint32_t width, float *out_row)
{
    const float *weights = axis->weights + (size_t)cell * axis->weights_max;
    memset(out_row, 0, width * sizeof *out_row);
    add_rows(weights, axis->count[cell], luma + axis->first[cell] * stride, stride, width, out_row);
}

static void weigh_columns(const struct pdq_axis *axis, const float *row, float out_cells[CELLS])
{
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        const float *weights = axis->weights + (size_t)cell * axis->weights_max;
        const float *samples = row + axis->first[cell];
        float sum = 0;
        for (uint32_t k = 0; k < axis->count[cell]; k++) {
            sum += weights[k] * samples[k];
        }
        out_cells[cell] = sum;
    }
}

static void fill_cells(struct pdq_kernel *kernel, const float *luma, size_t stride)
{
    for (uint32_t i = 0; i < CELLS; i++) {
        weigh_rows(&kernel->y, i, luma, stride, kernel->width, kernel->row);
        weigh_columns(&kernel->x, kernel->row, kernel->cells[i]);
    }
}

/* --- The reference's own order of operations ---------------------------------------------------
 */

/* One pass along one axis as running sums, with exactly the additions and subtractions, and so the
 * rounding, of the reference. */
static void box_pass(const float *in, float *out, uint32_t count, size_t step, uint32_t window)
{
    uint32_t ahead = (window + 2) / 2 - 1;
    uint32_t right = 0;
    uint32_t left = 0;
    float sum = 0;
    for (; right < ahead; right++) {
        sum += in[right * step];
    }
    for (uint32_t i = 0; i < count; i++) {
        if (right < count) {
            sum += in[right * step];
            right++;
        }
        if (right - left > window || i + ahead >= count) {
            sum -= in[left * step];
            left++;
        }
        out[i * step] = sum / (float)(right - left);
    }
}

/* The cells from the whole picture filtered. IMPRINT_E_NOMEM. */
static enum imprint_error fill_cells_as_reference(struct pdq_kernel *kernel, const float *luma,
                                                  size_t stride)
{
    const size_t width = kernel->width;
    const size_t bytes = 2 * width * kernel->height * sizeof(float);
    float *a = malloc(bytes);
    if (a == NULL) {
        return IMPRINT_E_NOMEM;
    }
    float *b = a + width * kernel->height;
    for (size_t y = 0; y < kernel->height; y++) {
        memcpy(a + y * width, luma + y * stride, width * sizeof *a);
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t y = 0; y < kernel->height; y++) {
            box_pass(a + y * width, b + y * width, kernel->width, 1, window_of(kernel->width));
        }
        for (size_t x = 0; x < width; x++) {
            box_pass(b + x, a + x, kernel->height, width, window_of(kernel->height));
        }
    }
    for (uint32_t i = 0; i < CELLS; i++) {
        for (uint32_t j = 0; j < CELLS; j++) {
            kernel->cells[i][j] = a[cell_at(i, kernel->height) * width + cell_at(j, kernel->width)];
        }
    }
    explicit_bzero(a, bytes);
    free(a);
    return IMPRINT_OK;
}

/* --- Quality ---------------------------------------------------------------------------------- */

/* How far two neighbours differ, in whole percent of the range, fractions dropped. */
static inline int32_t gradient(float a, float b)
{
    int32_t percent = (int32_t)((a - b) * 100.0F / 255.0F);
    return percent < 0 ? -percent : percent;
}

static uint8_t quality_of(float (*cells)[CELLS])
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < CELLS; i++) {
        for (uint32_t j = 0; j + 1 < CELLS; j++) {
            sum += gradient(cells[i][j], cells[i][j + 1]);
        }
    }
    for (uint32_t i = 0; i + 1 < CELLS; i++) {
        for (uint32_t j = 0; j < CELLS; j++) {
            sum += gradient(cells[i][j], cells[i + 1][j]);
        }
    }
    int32_t quality = sum / 90;
    return (uint8_t)(quality > IMPRINT_QUALITY_MAX ? IMPRINT_QUALITY_MAX : quality);
}

static bool has_contrast(float (*cells)[CELLS])
{
    float low = cells[0][0];
    float high = cells[0][0];
    for (uint32_t i = 0; i < CELLS; i++) {
        for (uint32_t j = 0; j < CELLS; j++) {
            low = cells[i][j] < low ? cells[i][j] : low;
            high = cells[i][j] > high ? cells[i][j] : high;
        }
    }
    return high - low >= contrast_min;
}

/* --- Bits ------------------------------------------------------------------------------------- */

/* The 16x16 lowest frequencies of the DCT but the first row and column. Each sum runs over the
 * cells in order, like the reference's, but many sums side by side. */
static void fill_bands(struct pdq_kernel *kernel)
{
    for (uint32_t i = 0; i < BANDS; i++) {
        float *restrict out = kernel->half[i];
        memset(out, 0, sizeof kernel->half[i]);
        for (uint32_t k = 0; k < CELLS; k++) {
            const float weight = kernel->basis[i][k];
            for (uint32_t j = 0; j < CELLS; j++) {
                out[j] += weight * kernel->cells[k][j];
            }
        }
    }
    for (uint32_t i = 0; i < BANDS; i++) {
        float *restrict out = kernel->bands + (size_t)i * BANDS;
        memset(out, 0, BANDS * sizeof *out);
        for (uint32_t k = 0; k < CELLS; k++) {
            const float value = kernel->half[i][k];
            for (uint32_t j = 0; j < BANDS; j++) {
                out[j] += value * kernel->basis_across[k][j];
            }
        }
    }
}

/* A float's bits as an integer that orders the same way, and back. */
static inline int32_t ordered(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? (int32_t)((uint32_t)INT32_MIN - (uint32_t)bits) : bits;
}

static inline float unordered(int32_t bits)
{
    float value;
    bits = bits < 0 ? (int32_t)((uint32_t)INT32_MIN - (uint32_t)bits) : bits;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The lower median: the 128th of the 256 values in ascending order, found by halving the range. */
static int32_t median_of(const int32_t values[BANDS * BANDS])
{
    int64_t low = INT32_MIN;
    int64_t high = INT32_MAX;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const int32_t bound = (int32_t)middle;
        int32_t count = 0;
        for (size_t i = 0; i < BANDS * BANDS; i++) {
            count += values[i] <= bound;
        }
        if (count >= BANDS * BANDS / 2) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return (int32_t)low;
}

/* How far the lowest value of a set bit lies above the highest of a clear one. */
static float gap_above(const int32_t values[BANDS * BANDS], int32_t median)
{
    int32_t next = INT32_MAX;
    int32_t count = 0;
    for (size_t i = 0; i < BANDS * BANDS; i++) {
        next = values[i] > median && values[i] < next ? values[i] : next;
        count += values[i] <= median;
    }
    return count == BANDS * BANDS / 2 ? unordered(next) - unordered(median) : 0;
}

/* The last band's bits come first. Returns the gap between clear and set bits. */
static float bits_of(const float bands[BANDS * BANDS], struct imprint_hash *out_hash)
{
    int32_t values[BANDS * BANDS];
    for (size_t i = 0; i < BANDS * BANDS; i++) {
        values[i] = ordered(bands[i]);
    }
    const int32_t median = median_of(values);
    memset(out_hash, 0, sizeof *out_hash);
    for (size_t i = 0; i < BANDS * BANDS; i++) {
        if (values[i] > median) {
            out_hash->bytes[IMPRINT_HASH_BYTES - 1 - i / 8] |= (uint8_t)(1u << i % 8);
        }
    }
    float gap = gap_above(values, median);
    explicit_bzero(values, sizeof values);
    return gap;
}

/* Everything that follows from the cells. Returns the gap, as above. */
static float hash_cells(struct pdq_kernel *kernel, struct imprint_pdq *out_pdq)
{
    *out_pdq = (struct imprint_pdq){.quality = quality_of(kernel->cells)};
    out_pdq->is_hashable = has_contrast(kernel->cells);
    if (!out_pdq->is_hashable) {
        return gap_min;
    }
    fill_bands(kernel);
    return bits_of(kernel->bands, &out_pdq->hash);
}

/* --- The door --------------------------------------------------------------------------------- */

/* Where the bits might turn on rounding, the reference's rounding decides: symmetric drawings have
 * many bands of nothing else. Planes over 512, which it never filters itself, are left alone. */
static bool is_doubtful(const struct pdq_kernel *kernel, float gap)
{
    bool is_plain_copy = kernel->width == CELLS && kernel->height == CELLS;
    return gap < gap_min && !is_plain_copy && kernel->width <= IMAGE_EDGE_MAX &&
           kernel->height <= IMAGE_EDGE_MAX;
}

enum imprint_error pdq_kernel_hash(struct pdq_kernel *kernel, const float *luma, size_t stride,
                                   struct imprint_pdq *out_pdq)
{
    struct imprint_pdq pdq = {.quality = 0};
    if (kernel->width >= EDGE_MIN && kernel->height >= EDGE_MIN) {
        fill_cells(kernel, luma, stride);
        float gap = hash_cells(kernel, &pdq);
        if (is_doubtful(kernel, gap)) {
            enum imprint_error error = fill_cells_as_reference(kernel, luma, stride);
            if (error != IMPRINT_OK) {
                return error;
            }
            (void)hash_cells(kernel, &pdq);
        }
    }
    *out_pdq = pdq;
    return IMPRINT_OK;
}

/* --- All turns -------------------------------------------------------------------------------- */

/* To the axis of the mirrored picture in terms of this one's samples, or back. */
static void axis_mirror(struct pdq_axis *axis, uint32_t size)
{
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        float *weights = axis->weights + (size_t)cell * axis->weights_max;
        uint32_t count = axis->count[cell];
        for (uint32_t k = 0; k < count / 2; k++) {
            float weight = weights[k];
            weights[k] = weights[count - 1 - k];
            weights[count - 1 - k] = weight;
        }
        axis->first[cell] = size - axis->first[cell] - count;
    }
}

/* Exchanging the picture's axes exchanges those of its bands. */
static void transpose_bands(float bands[BANDS * BANDS])
{
    for (size_t i = 0; i < BANDS; i++) {
        for (size_t j = 0; j < i; j++) {
            float value = bands[i * BANDS + j];
            bands[i * BANDS + j] = bands[j * BANDS + i];
            bands[j * BANDS + i] = value;
        }
    }
}

void pdq_kernel_hash_turned(struct pdq_kernel *kernel, const float *luma, size_t stride,
                            struct imprint_pdq out_pdqs[8])
{
    /* Not mirrored, in x, in both, in y; each as it is and with its axes exchanged. */
    static const uint8_t turns[4][2] = {{0, 4}, {1, 7}, {2, 6}, {3, 5}};
    memset(out_pdqs, 0, 8 * sizeof *out_pdqs);
    if (kernel->width < EDGE_MIN || kernel->height < EDGE_MIN) {
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        fill_cells(kernel, luma, stride);
        struct imprint_pdq *pdq = &out_pdqs[turns[i][0]];
        (void)hash_cells(kernel, pdq);
        out_pdqs[turns[i][1]] = *pdq;
        if (pdq->is_hashable) {
            transpose_bands(kernel->bands);
            (void)bits_of(kernel->bands, &out_pdqs[turns[i][1]].hash);
        }
        if (i % 2 == 0) {
            axis_mirror(&kernel->x, kernel->width);
        } else {
            axis_mirror(&kernel->y, kernel->height);
        }
    }
}
