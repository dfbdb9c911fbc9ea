#include "trim.h"

#include <string.h>

/* Luma within this of a colour is that colour: JPEG's noise and a slight shade. */
enum { TOLERANCE = 10 };

/* Cells that the search for rectangles works on. */
/* Lines beside an edge in which both sides are mixed. */
enum { MIXED = 3 };

enum { EDGE_LEAST = 6, EDGE_FULL = 24 }; /* steps of luma between neighbours */

enum { CELL = 8, CELLS_MAX = TRIM_EDGE_MAX / CELL };

struct view {
    const uint8_t *luma;
    uint32_t width;
    uint32_t height;
};

/* x0 <= x < x1, y0 <= y < y1. */
struct box {
    uint32_t x0;
    uint32_t y0;
    uint32_t x1;
    uint32_t y1;
};

static const uint8_t *row_of(const struct view *view, uint32_t y)
{
    return view->luma + (size_t)y * view->width;
}

static int distance(uint8_t a, uint8_t b)
{
    return a > b ? a - b : b - a;
}

static struct box whole(const struct view *view)
{
    return (struct box){0, 0, view->width, view->height};
}

/* --- Colours ---------------------------------------------------------------------------------- */

enum { SHADES = 64 };

struct histogram {
    uint32_t counts[SHADES];
    uint32_t total;
};

static void count(struct histogram *histogram, uint8_t luma)
{
    histogram->counts[luma / (256 / SHADES)]++;
    histogram->total++;
}

/* The commonest shade, and how many are of it or one beside it. */
static uint8_t commonest(const struct histogram *histogram, uint32_t *out_count)
{
    const uint32_t *counts = histogram->counts;
    uint32_t best = 0;
    for (uint32_t i = 1; i < SHADES; i++) {
        best = counts[i] > counts[best] ? i : best;
    }
    *out_count = counts[best] + (best > 0 ? counts[best - 1] : 0) +
                 (best + 1 < SHADES ? counts[best + 1] : 0);
    return (uint8_t)(best * (256 / SHADES) + 128 / SHADES);
}

/* The colour around the picture: the commonest near the frame's edges. */
static uint8_t background(const struct view *view)
{
    struct histogram histogram = {{0}, 0};
    uint32_t margin_x = view->width / 40 + 1;
    uint32_t margin_y = view->height / 10 + 1;
    for (uint32_t y = 0; y < view->height; y++) {
        bool is_outer = y < margin_y || y + margin_y >= view->height;
        for (uint32_t x = 0; x < view->width; x++) {
            if (is_outer || x < margin_x || x + margin_x >= view->width) {
                count(&histogram, row_of(view, y)[x]);
            }
        }
    }
    uint32_t unused;
    return commonest(&histogram, &unused);
}

/* --- Plain bars ------------------------------------------------------------------------------- */

/* Nearly all of a line is one colour. */
static bool is_plain(const struct view *view, const struct box *line)
{
    struct histogram histogram = {{0}, 0};
    for (uint32_t y = line->y0; y < line->y1; y++) {
        for (uint32_t x = line->x0; x < line->x1; x++) {
            count(&histogram, row_of(view, y)[x]);
        }
    }
    uint32_t same;
    (void)commonest(&histogram, &same);
    return same * 50 >= histogram.total * 49;
}

/* The outermost line of a box on each of its sides. */
static struct box side_of(const struct box *box, unsigned side)
{
    switch (side) {
    case 0: return (struct box){box->x0, box->y0, box->x1, box->y0 + 1};
    case 1: return (struct box){box->x0, box->y1 - 1, box->x1, box->y1};
    case 2: return (struct box){box->x0, box->y0, box->x0 + 1, box->y1};
    default: return (struct box){box->x1 - 1, box->y0, box->x1, box->y1};
    }
}

static void shrink(struct box *box, unsigned side)
{
    switch (side) {
    case 0: box->y0++; break;
    case 1: box->y1--; break;
    case 2: box->x0++; break;
    default: box->x1--; break;
    }
}

static bool is_large(const struct box *box)
{
    return box->x1 >= box->x0 + 2 * CELL && box->y1 >= box->y0 + 2 * CELL;
}

/* Without the plain lines on all sides, each side having a colour of its own. A side that had any
 * loses one line more, in which bar and picture are mixed. */
static struct box without_bars(const struct view *view, struct box box)
{
    bool is_done = false;
    bool had_bar[4] = {false, false, false, false};
    while (!is_done && is_large(&box)) {
        is_done = true;
        for (unsigned side = 0; side < 4; side++) {
            struct box line = side_of(&box, side);
            while (is_large(&box) && is_plain(view, &line)) {
                shrink(&box, side);
                line = side_of(&box, side);
                had_bar[side] = true;
                is_done = false;
            }
        }
    }
    for (unsigned side = 0; side < 4; side++) {
        if (had_bar[side] && is_large(&box)) {
            shrink(&box, side);
        }
    }
    return box;
}

/* --- What stands out from the background ------------------------------------------------------ */

/* The longest stretch of lines whose share is at least least; gaps up to a fiftieth do not end
 * it. */
static void longest_stretch(const float *shares, uint32_t length, float least, uint32_t *out_first,
                            uint32_t *out_end)
{
    uint32_t gap_max = length / 50 + 1;
    uint32_t first = 0;
    uint32_t end = 0; /* of the stretch being followed; first == end: none */
    *out_first = 0;
    *out_end = 0;
    for (uint32_t i = 0; i < length; i++) {
        if (shares[i] < least) {
            continue;
        }
        if (first == end || i - end >= gap_max) {
            first = i;
        }
        end = i + 1;
        if (end - first > *out_end - *out_first) {
            *out_first = first;
            *out_end = end;
        }
    }
}

/* The share of each line of the box that is not the background: rows, or else columns. */
static void outstanding_shares(const struct view *view, const struct box *box, uint8_t ground,
                               bool is_rows, float shares[TRIM_EDGE_MAX])
{
    uint32_t counts[TRIM_EDGE_MAX] = {0};
    const uint32_t width = box->x1 - box->x0;
    const uint32_t height = box->y1 - box->y0;
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *row = row_of(view, box->y0 + y) + box->x0;
        uint32_t sum = 0;
        for (uint32_t x = 0; x < width; x++) {
            uint32_t stands_out = distance(row[x], ground) > TOLERANCE;
            sum += stands_out;
            counts[x] += is_rows ? 0 : stands_out;
        }
        counts[y] = is_rows ? sum : counts[y];
    }
    for (uint32_t i = 0; i < (is_rows ? height : width); i++) {
        shares[i] = (float)counts[i] / (float)(is_rows ? width : height);
    }
}

static void keep_stretch(const struct view *view, struct box *box, uint8_t ground, bool is_rows,
                         float least)
{
    float shares[TRIM_EDGE_MAX];
    uint32_t first;
    uint32_t end;
    outstanding_shares(view, box, ground, is_rows, shares);
    longest_stretch(shares, is_rows ? box->y1 - box->y0 : box->x1 - box->x0, least, &first, &end);
    if (end <= first) {
        return;
    }
    if (is_rows) {
        box->y1 = box->y0 + end;
        box->y0 += first;
    } else {
        box->x1 = box->x0 + end;
        box->x0 += first;
    }
}

/* Text and icons leave most of their lines to the background; the picture does not. */
static struct box between_writing(const struct view *view, struct box box, uint8_t ground)
{
    keep_stretch(view, &box, ground, true, 0.35F);
    keep_stretch(view, &box, ground, false, 0.5F);
    keep_stretch(view, &box, ground, true, 0.6F);
    keep_stretch(view, &box, ground, false, 0.6F);
    return box;
}

/* --- Rectangles of cells ---------------------------------------------------------------------- */

struct cells {
    uint32_t columns;
    uint32_t rows;
    float values[CELLS_MAX][CELLS_MAX];
};

static void cells_init(struct cells *cells, const struct view *view)
{
    memset(cells, 0, sizeof *cells);
    cells->columns = view->width / CELL;
    cells->rows = view->height / CELL;
}

/* The rectangle with the largest sum: every pair of rows, and along them the best stretch. */
static struct box best_rectangle(const struct cells *cells)
{
    struct box best = {0, 0, 0, 0};
    float best_sum = 0;
    for (uint32_t top = 0; top < cells->rows; top++) {
        float sums[CELLS_MAX] = {0};
        for (uint32_t bottom = top; bottom < cells->rows; bottom++) {
            float sum = 0;
            uint32_t first = 0;
            for (uint32_t x = 0; x < cells->columns; x++) {
                sums[x] += cells->values[bottom][x];
                if (sum <= 0) {
                    sum = 0;
                    first = x;
                }
                sum += sums[x];
                if (sum > best_sum) {
                    best_sum = sum;
                    best = (struct box){first, top, x + 1, bottom + 1};
                }
            }
        }
    }
    return (struct box){best.x0 * CELL, best.y0 * CELL, best.x1 * CELL, best.y1 * CELL};
}

static struct box widened(const struct view *view, struct box box)
{
    box.x0 = box.x0 > CELL ? box.x0 - CELL : 0;
    box.y0 = box.y0 > CELL ? box.y0 - CELL : 0;
    box.x1 = box.x1 + CELL < view->width ? box.x1 + CELL : view->width;
    box.y1 = box.y1 + CELL < view->height ? box.y1 + CELL : view->height;
    return box;
}

/* The rectangle of which more than a share, and as much of it as can be, is not the ground. */
static struct box around_outstanding(const struct view *view, uint8_t ground, float share)
{
    struct cells cells;
    cells_init(&cells, view);
    for (uint32_t y = 0; y < cells.rows * CELL; y++) {
        const uint8_t *row = row_of(view, y);
        for (uint32_t x = 0; x < cells.columns; x++, row += CELL) {
            uint32_t ground_pixels = 0;
            for (uint32_t i = 0; i < CELL; i++) {
                ground_pixels += distance(row[i], ground) <= TOLERANCE;
            }
            cells.values[y / CELL][x] += (1 - share) * CELL - (float)ground_pixels;
        }
    }
    struct box box = widened(view, best_rectangle(&cells));
    keep_stretch(view, &box, ground, true, 0.5F);
    keep_stretch(view, &box, ground, false, 0.5F);
    return box;
}

/* How much neighbours differ within each cell, in both directions. */
static void cells_of_detail(struct cells *cells, const struct view *view)
{
    cells_init(cells, view);
    for (uint32_t y = 0; y + 1 < view->height && y < cells->rows * CELL; y++) {
        const uint8_t *row = row_of(view, y);
        const uint8_t *below = row_of(view, y + 1);
        for (uint32_t x = 0; x < cells->columns; x++) {
            int sum = 0;
            uint32_t end = (x + 1) * CELL < view->width ? (x + 1) * CELL : view->width - 1;
            for (uint32_t i = x * CELL; i < end; i++) {
                sum += distance(row[i + 1], row[i]) + distance(below[i], row[i]);
            }
            cells->values[y / CELL][x] += (float)sum;
        }
    }
}

/* --- Edges ------------------------------------------------------------------------------------ */

/* What a step between neighbours counts as an edge: so that of two lines the sharper wins. */
static uint32_t edge_of(uint8_t a, uint8_t b)
{
    int step = distance(a, b);
    return (uint32_t)(step > EDGE_FULL ? EDGE_FULL : step > EDGE_LEAST ? step : 0);
}

/* How much of the line before each column (or row) is an edge, over the box. */
static void edge_shares(const struct view *view, const struct box *box, bool is_rows,
                        float shares[TRIM_EDGE_MAX])
{
    uint32_t sums[TRIM_EDGE_MAX] = {0};
    for (uint32_t y = box->y0 + (is_rows ? 1 : 0); y < box->y1; y++) {
        const uint8_t *row = row_of(view, y);
        const uint8_t *before = is_rows ? row - view->width : row - 1;
        uint32_t sum = 0;
        for (uint32_t x = box->x0 + (is_rows ? 0 : 1); x < box->x1; x++) {
            uint32_t edge = edge_of(row[x], before[x]);
            sum += edge;
            sums[x] += is_rows ? 0 : edge;
        }
        sums[y] = is_rows ? sum : sums[y];
    }
    uint32_t length = is_rows ? box->x1 - box->x0 : box->y1 - box->y0;
    for (uint32_t i = 0; i < TRIM_EDGE_MAX; i++) {
        shares[i] = (float)sums[i] / (float)(length * EDGE_FULL);
    }
}

/* The strongest edge in a range; fallback where none spans enough of it. */
static uint32_t strongest(const float *shares, uint32_t first, uint32_t end, float least,
                          uint32_t fallback)
{
    uint32_t best = fallback;
    for (uint32_t i = first; i < end; i++) {
        if (shares[i] > least) {
            least = shares[i];
            best = i;
        }
    }
    return best;
}

/* Sides moved to the strongest edges of their halves. */
static struct box between_edges(const struct view *view, struct box box, float least)
{
    float shares[TRIM_EDGE_MAX];
    for (unsigned i = 0; i < 3; i++) {
        bool is_rows = i % 2 == 0;
        uint32_t low = is_rows ? box.y0 : box.x0;
        uint32_t high = is_rows ? box.y1 : box.x1;
        uint32_t middle = (low + high) / 2;
        edge_shares(view, &box, is_rows, shares);
        uint32_t first = strongest(shares, low + 2, middle, least, low);
        uint32_t end = strongest(shares, middle, high - 1, least, high);
        if (is_rows) {
            box.y0 = first;
            box.y1 = end;
        } else {
            box.x0 = first;
            box.x1 = end;
        }
        if (!is_large(&box)) {
            break;
        }
    }
    return box;
}

/* Each side of a rough box moved to the strongest edge near it. */
static struct box snapped(const struct view *view, struct box rough)
{
    const uint32_t reach = 2 * CELL;
    struct box box = rough;
    float shares[TRIM_EDGE_MAX];
    struct box outer = widened(view, widened(view, rough));
    edge_shares(view, &(struct box){rough.x0, outer.y0, rough.x1, outer.y1}, true, shares);
    box.y0 = strongest(shares, outer.y0 + 1, rough.y0 + reach, 0.3F, rough.y0);
    box.y1 = strongest(shares, rough.y1 - reach, outer.y1, 0.3F, rough.y1);
    edge_shares(view, &(struct box){outer.x0, rough.y0, outer.x1, rough.y1}, false, shares);
    box.x0 = strongest(shares, outer.x0 + 1, rough.x0 + reach, 0.3F, rough.x0);
    box.x1 = strongest(shares, rough.x1 - reach, outer.x1, 0.3F, rough.x1);
    return box;
}

/* A picture on a blurred copy of itself: only the picture has detail. */
static struct box around_detail(const struct view *view)
{
    struct cells cells;
    cells_of_detail(&cells, view);
    float sum = 0;
    for (uint32_t y = 0; y < cells.rows; y++) {
        for (uint32_t x = 0; x < cells.columns; x++) {
            sum += cells.values[y][x];
        }
    }
    float mean = sum / (float)(cells.rows * cells.columns);
    for (uint32_t y = 0; y < cells.rows; y++) {
        for (uint32_t x = 0; x < cells.columns; x++) {
            cells.values[y][x] = cells.values[y][x] > mean / 2 ? 1 : -1;
        }
    }
    struct box box = best_rectangle(&cells);
    return is_large(&box) ? snapped(view, box) : box;
}

/* --- The doors -------------------------------------------------------------------------------- */

static uint32_t apart(uint32_t a, uint32_t b)
{
    return a > b ? a - b : b - a;
}

/* Sides within two pixels hash alike. */
static bool is_alike(const struct box *a, const struct box *b)
{
    return apart(a->x0, b->x0) <= 1 && apart(a->x1, b->x1) <= 1 && apart(a->y0, b->y0) <= 1 &&
           apart(a->y1, b->y1) <= 1;
}

struct candidates {
    const struct view *view;
    struct box boxes[TRIM_RECTANGLES_MAX];
    size_t count;
};

/* Under a fifth of an edge too little of the frame is the picture to be sure of anything. */
static void propose(struct candidates *candidates, struct box box)
{
    const struct view *view = candidates->view;
    struct box full = whole(view);
    if (box.x1 < box.x0 + 4 * CELL || box.y1 < box.y0 + 4 * CELL ||
        (box.x1 - box.x0) * 5 < view->width || (box.y1 - box.y0) * 5 < view->height ||
        is_alike(&box, &full) || candidates->count == TRIM_RECTANGLES_MAX) {
        return;
    }
    for (size_t i = 0; i < candidates->count; i++) {
        if (is_alike(&box, &candidates->boxes[i])) {
            return;
        }
    }
    candidates->boxes[candidates->count++] = box;
}

size_t trim_find(const uint8_t *luma, uint32_t width, uint32_t height,
                 struct trim_rectangle out_rectangles[TRIM_RECTANGLES_MAX])
{
    const struct view view = {luma, width, height};
    if (width < 4 * CELL || height < 4 * CELL || width > TRIM_EDGE_MAX || height > TRIM_EDGE_MAX) {
        return 0;
    }
    struct candidates candidates = {.view = &view};
    uint8_t ground = background(&view);
    struct box bare = without_bars(&view, whole(&view));
    propose(&candidates, bare);
    propose(&candidates, without_bars(&view, between_writing(&view, whole(&view), ground)));
    propose(&candidates, without_bars(&view, around_outstanding(&view, ground, 0.6F)));
    propose(&candidates, between_edges(&view, whole(&view), 0.55F));
    propose(&candidates, around_detail(&view));
    struct box full = whole(&view);
    if (is_large(&bare) && !is_alike(&bare, &full)) {
        propose(&candidates, between_edges(&view, bare, 0.55F));
    }
    propose(&candidates, without_bars(&view, around_outstanding(&view, ground, 0.8F)));
    for (size_t i = 0; i < candidates.count; i++) {
        const struct box *box = &candidates.boxes[i];
        out_rectangles[i] =
            (struct trim_rectangle){box->x0, box->y0, box->x1 - box->x0, box->y1 - box->y0};
    }
    return candidates.count;
}

static struct histogram shades_of(const struct view *view, const struct box *box)
{
    struct histogram histogram = {{0}, 0};
    for (uint32_t y = box->y0; y < box->y1; y++) {
        for (uint32_t x = box->x0; x < box->x1; x++) {
            count(&histogram, row_of(view, y)[x]);
        }
    }
    return histogram;
}

/* Outside a plain line, inside mostly another colour. */
static bool is_sharp(const struct view *view, const struct box *inside, const struct box *outside)
{
    struct histogram shades = shades_of(view, outside);
    uint32_t same;
    uint8_t ground = commonest(&shades, &same);
    if (same * 20 < shades.total * 17) {
        return false;
    }
    uint32_t grounded = 0;
    for (uint32_t y = inside->y0; y < inside->y1; y++) {
        for (uint32_t x = inside->x0; x < inside->x1; x++) {
            grounded += distance(row_of(view, y)[x], ground) <= TOLERANCE;
        }
    }
    return grounded * 2 <= (inside->x1 - inside->x0) * (inside->y1 - inside->y0);
}

/* On every side that is not the frame's own, the ground ends and the picture begins along a
 * straight line; and on two sides at least. */
static bool has_sharp_sides(const struct view *view, const struct box *box)
{
    const uint32_t near = MIXED;
    unsigned sides = 0;
    for (unsigned side = 0; side < 4; side++) {
        struct box inside = *box;
        struct box outside = *box;
        bool is_at_edge = side == 0   ? box->y0 < near
                          : side == 1 ? box->y1 + near > view->height
                          : side == 2 ? box->x0 < near
                                      : box->x1 + near > view->width;
        if (is_at_edge) {
            continue;
        }
        outside.y0 -= side == 0 ? near : 0;
        outside.y1 += side == 1 ? near : 0;
        outside.x0 -= side == 2 ? near : 0;
        outside.x1 += side == 3 ? near : 0;
        for (uint32_t i = 0; i + 1 < near; i++) {
            shrink(&inside, side);
        }
        struct box line_in = side_of(&inside, side);
        struct box line_out = side_of(&outside, side);
        if (!is_sharp(view, &line_in, &line_out)) {
            return false;
        }
        sides++;
    }
    return sides >= 2;
}

bool trim_is_drawn_around(const uint8_t *luma, uint32_t width, uint32_t height,
                          const struct trim_rectangle *rectangle)
{
    const struct view view = {luma, width, height};
    const struct box box = {rectangle->x, rectangle->y, rectangle->x + rectangle->width,
                            rectangle->y + rectangle->height};
    struct histogram outside = {{0}, 0};
    for (uint32_t y = 0; y < height; y++) {
        bool is_beside = y + MIXED >= box.y0 && y < box.y1 + MIXED;
        for (uint32_t x = 0; x < width; x++) {
            if (!is_beside || x + MIXED < box.x0 || x >= box.x1 + MIXED) {
                count(&outside, row_of(&view, y)[x]);
            }
        }
    }
    uint32_t ground;
    (void)commonest(&outside, &ground);
    uint32_t written = outside.total - ground;
    return outside.total * 8 >= width * height && ground * 2 >= outside.total &&
           written * 100 >= outside.total && has_sharp_sides(&view, &box);
}
