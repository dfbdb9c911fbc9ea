/* All views of one decode. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imprint/pdq.h"

#include "image_codec.h"
#include "pdq_kernel.h"
#include "trim.h"
#include "turner.h"

/* --- Names ------------------------------------------------------------------------------------ */

/* A view's id: the turn, the negative, which trimmed rectangle (from 1), which dialect. */
enum {
    VIEW_TURN_MASK = 0x007,
    VIEW_NEGATIVE = 0x008,
    VIEW_TRIM_SHIFT = 4,
    VIEW_TRIM_MASK = 0x070,
    VIEW_FULL_SIZE = 0x080,
    VIEW_BROWSER = 0x100,
};

/* By how the view's picture is turned, in EXIF's order. */
static const char *const turn_names[IMAGE_TURNS] = {
    "upright", "mirror", "turn180", "flip", "transpose", "turn90", "transverse", "turn270",
};

void imprint_view_name(uint16_t id, char *out_name, size_t capacity)
{
    char trim[8] = "";
    if ((id & VIEW_TRIM_MASK) != 0) {
        (void)snprintf(trim, sizeof trim, "trim%d", (id & VIEW_TRIM_MASK) >> VIEW_TRIM_SHIFT);
    }
    const char *parts[] = {
        (id & VIEW_FULL_SIZE) != 0 ? "python" : "",
        (id & VIEW_BROWSER) != 0 ? "browser" : "",
        trim,
        (id & VIEW_NEGATIVE) != 0 ? "negative" : "",
        (id & VIEW_TURN_MASK) != 0 ? turn_names[id & VIEW_TURN_MASK] : "",
    };
    char name[64] = "";
    size_t len = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (*parts[i] != '\0') {
            len += (size_t)snprintf(name + len, sizeof name - len, "%s%s", len > 0 ? "+" : "",
                                    parts[i]);
        }
    }
    (void)snprintf(out_name, capacity, "%s", len > 0 ? name : turn_names[0]);
}

/* --- The list --------------------------------------------------------------------------------- */

struct view_list {
    const struct imprint_image *image;
    struct imprint_view *views;
    size_t capacity;
    size_t count;
    unsigned turns; /* 1 or 8 */
};

static void list_add(struct view_list *list, unsigned id, const struct imprint_pdq *pdq)
{
    if (pdq->is_hashable && list->count < list->capacity) {
        list->views[list->count++] =
            (struct imprint_view){.id = (uint16_t)id, .quality = pdq->quality, .hash = pdq->hash};
    }
}

/* The stored picture's turn, among eight in EXIF's order, that shows the upright one turned. */
static unsigned stored_turn(const struct imprint_image *image, unsigned turn)
{
    struct image_turn wanted = image_turn_compose(image->upright, image_turn_of(turn + 1));
    unsigned i = 0;
    for (; i < IMAGE_TURNS - 1; i++) {
        struct image_turn candidate = image_turn_of(i + 1);
        if (candidate.is_mirrored_x == wanted.is_mirrored_x &&
            candidate.is_mirrored_y == wanted.is_mirrored_y &&
            candidate.is_transposed == wanted.is_transposed) {
            break;
        }
    }
    return i;
}

/* A plane along the stored axes, in all wanted turns. Takes the kernel. */
static void list_add_plane(struct view_list *list, unsigned id, struct pdq_kernel *kernel,
                           const float *luma, size_t stride)
{
    struct imprint_pdq pdqs[IMAGE_TURNS];
    pdq_kernel_hash_turned(kernel, luma, stride, pdqs);
    pdq_kernel_free(kernel);
    for (unsigned turn = 0; turn < list->turns; turn++) {
        list_add(list, id | turn, &pdqs[stored_turn(list->image, turn)]);
    }
}

/* --- Kinds of views --------------------------------------------------------------------------- */

/* From the very sample points that a turned copy has. */
static enum imprint_error add_exact(struct view_list *list)
{
    const struct imprint_image *image = list->image;
    struct turner turner = {.sampler = &image->sampler};
    enum imprint_error error = IMPRINT_OK;
    for (unsigned i = 0; i < list->turns && error == IMPRINT_OK; i++) {
        struct imprint_pdq pdq;
        error =
            turner_hash(&turner, image_turn_compose(image->upright, image_turn_of(i + 1)), &pdq);
        if (error == IMPRINT_OK) {
            list_add(list, i, &pdq);
        }
    }
    turner_done(&turner);
    return error;
}

/* The complement of every view so far. */
static void add_negatives(struct view_list *list)
{
    size_t count = list->count;
    for (size_t i = 0; i < count; i++) {
        struct imprint_pdq pdq = {.quality = list->views[i].quality, .is_hashable = true};
        imprint_hash_negative(&list->views[i].hash, &pdq.hash);
        list_add(list, list->views[i].id | VIEW_NEGATIVE, &pdq);
    }
}

/* As the Python binding computes it: never sampled down, so no other than the exact one where that
 * is not either. */
static enum imprint_error add_full_size(struct view_list *list)
{
    const struct survey *survey = &list->image->survey;
    if (survey->picture_width <= IMAGE_SAMPLES_MAX && survey->picture_height <= IMAGE_SAMPLES_MAX) {
        return IMPRINT_OK;
    }
    const struct pdq_size picture = {survey->picture_width, survey->picture_height};
    const struct pdq_size points = {survey->width, survey->height};
    struct pdq_kernel *kernel;
    enum imprint_error error = pdq_kernel_new_surveyed(&picture, &points, &kernel);
    if (error == IMPRINT_OK) {
        list_add_plane(list, VIEW_FULL_SIZE, kernel, survey->luma, survey->width);
    }
    return error;
}

/* As pages compute it that draw the picture on a canvas of 512x512 first. */
static enum imprint_error add_browser(struct view_list *list)
{
    const uint32_t size = IMAGE_SAMPLES_MAX;
    const size_t bytes = (size_t)size * size * sizeof(float);
    float *canvas = malloc(bytes);
    if (canvas == NULL) {
        return IMPRINT_E_NOMEM;
    }
    survey_stretch(&list->image->survey, size, canvas);
    struct pdq_kernel *kernel;
    enum imprint_error error = pdq_kernel_new(size, size, &kernel);
    if (error == IMPRINT_OK) {
        list_add_plane(list, VIEW_BROWSER, kernel, canvas, size);
    }
    explicit_bzero(canvas, bytes);
    free(canvas);
    return error;
}

static enum imprint_error add_rectangle(struct view_list *list, size_t index,
                                        const struct trim_rectangle *rectangle)
{
    const struct survey *survey = &list->image->survey;
    const float *luma = survey->luma + (size_t)rectangle->y * survey->width + rectangle->x;
    unsigned id = (unsigned)(index + 1) << VIEW_TRIM_SHIFT;
    struct pdq_kernel *kernel;
    enum imprint_error error = pdq_kernel_new(rectangle->width, rectangle->height, &kernel);
    if (error == IMPRINT_OK) {
        list_add_plane(list, id, kernel, luma, survey->width);
    }
    return error;
}

/* The rectangles of an image's survey, and which of them an app is drawn around. */
struct trims {
    struct trim_rectangle rectangles[TRIM_RECTANGLES_MAX];
    bool is_drawn_around[TRIM_RECTANGLES_MAX];
    size_t count;
};

static enum imprint_error trims_find(const struct survey *survey, struct trims *out_trims)
{
    size_t bytes = (size_t)survey->width * survey->height;
    uint8_t *luma = malloc(bytes);
    if (luma == NULL) {
        return IMPRINT_E_NOMEM;
    }
    survey_round(survey, luma);
    out_trims->count = trim_find(luma, survey->width, survey->height, out_trims->rectangles);
    for (size_t i = 0; i < out_trims->count; i++) {
        out_trims->is_drawn_around[i] =
            trim_is_drawn_around(luma, survey->width, survey->height, &out_trims->rectangles[i]);
    }
    explicit_bzero(luma, bytes);
    free(luma);
    return IMPRINT_OK;
}

static enum imprint_error add_trimmed(struct view_list *list)
{
    struct trims trims;
    enum imprint_error error = trims_find(&list->image->survey, &trims);
    for (size_t i = 0; error == IMPRINT_OK && i < trims.count; i++) {
        error = add_rectangle(list, i, &trims.rectangles[i]);
    }
    return error;
}

/* --- The doors -------------------------------------------------------------------------------- */

/* An upright picture without contrast has no views at all. */
static enum imprint_error add_all(struct view_list *list, unsigned wanted)
{
    enum imprint_error error = add_exact(list);
    if (error != IMPRINT_OK || list->count == 0) {
        return error;
    }
    if ((wanted & IMPRINT_VIEWS_NEGATIVE) != 0) {
        add_negatives(list);
    }
    if ((wanted & IMPRINT_VIEWS_DIALECTS) != 0) {
        error = add_full_size(list);
        if (error == IMPRINT_OK) {
            error = add_browser(list);
        }
    }
    if (error == IMPRINT_OK && (wanted & IMPRINT_VIEWS_TRIMMED) != 0) {
        error = add_trimmed(list);
    }
    return error;
}

enum imprint_error imprint_pdq_views(const struct imprint_image *image,
                                     struct imprint_view *out_views, size_t capacity,
                                     size_t *out_count)
{
    struct view_list list = {
        .image = image,
        .views = out_views,
        .capacity = capacity,
        .turns = (image->views & IMPRINT_VIEWS_TURNED) != 0 ? IMAGE_TURNS : 1,
    };
    enum imprint_error error = add_all(&list, image->views);
    if (error == IMPRINT_OK) {
        *out_count = list.count;
    }
    return error;
}

enum imprint_error imprint_pdq_report(const struct imprint_image *image,
                                      struct imprint_pdq *out_pdq, bool *out_is_framed)
{
    struct imprint_pdq pdq;
    struct trims trims = {.count = 0};
    bool is_framed = false;
    enum imprint_error error = imprint_pdq(image, &pdq);
    if (error == IMPRINT_OK && (image->views & IMPRINT_VIEWS_TRIMMED) != 0) {
        error = trims_find(&image->survey, &trims);
    }
    for (size_t i = 0; error == IMPRINT_OK && i < trims.count && !is_framed; i++) {
        struct imprint_view view;
        struct view_list list = {.image = image, .views = &view, .capacity = 1, .turns = 1};
        if (trims.is_drawn_around[i]) {
            error = add_rectangle(&list, i, &trims.rectangles[i]);
        }
        if (list.count == 1 && view.quality >= IMPRINT_QUALITY_FLOOR) {
            is_framed = true;
            pdq = (struct imprint_pdq){view.hash, view.quality, true};
        }
    }
    if (error == IMPRINT_OK) {
        *out_pdq = pdq;
        *out_is_framed = is_framed;
    }
    return error;
}
