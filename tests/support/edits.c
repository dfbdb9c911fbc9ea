#include "edits.h"

#include <string.h>

/* --- Drawing ---------------------------------------------------------------------------------- */

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void fill(struct picture *on, const uint32_t box[4], const uint8_t rgb[3])
{
    for (uint32_t y = box[1]; y < box[3] && y < on->height; y++) {
        for (uint32_t x = box[0]; x < box[2] && x < on->width; x++) {
            memcpy(on->rgb + ((size_t)y * on->width + x) * 3, rgb, 3);
        }
    }
}

static void paste(struct picture *on, const struct picture *picture, uint32_t x, uint32_t y)
{
    for (uint32_t i = 0; i < picture->height && y + i < on->height; i++) {
        uint32_t width = x + picture->width > on->width ? on->width - x : picture->width;
        memcpy(on->rgb + ((size_t)(y + i) * on->width + x) * 3,
               picture->rgb + (size_t)i * picture->width * 3, (size_t)width * 3);
    }
}

/* Words of strokes: lines of text between x0 and x1. */
static void write_lines(struct picture *on, const uint32_t box[4], uint32_t size,
                        const uint8_t rgb[3], uint32_t *seed)
{
    for (uint32_t y = box[1]; y + size <= box[3]; y += size * 2) {
        uint32_t end = box[2] - next(seed) % ((box[2] - box[0]) / 3 + 1);
        for (uint32_t x = box[0]; x + size / 2 < end; x += size / 2 + 2 + next(seed) % (size / 2)) {
            uint32_t top = y + next(seed) % (size / 3 + 1);
            fill(on, (uint32_t[]){x, top, x + size / 8 + 1, y + size}, rgb);
            fill(on, (uint32_t[]){x, top, x + size / 2, top + size / 8 + 1}, rgb);
            x += next(seed) % 5 == 0 ? size / 2 : 0;
        }
    }
}

static void draw_icons(struct picture *on, uint32_t y, uint32_t size, uint32_t count,
                       const uint8_t rgb[3])
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t x = on->width * (2 * i + 1) / (2 * count) - size / 2;
        fill(on, (uint32_t[]){x, y, x + size, y + size / 6 + 1}, rgb);
        fill(on, (uint32_t[]){x, y, x + size / 6 + 1, y + size}, rgb);
        fill(on, (uint32_t[]){x + size / 2, y + size / 2, x + size, y + size}, rgb);
    }
}

/* --- Frames ----------------------------------------------------------------------------------- */

static const uint8_t white[3] = {255, 255, 255};
static const uint8_t black[3] = {0, 0, 0};
static const uint8_t dark[3] = {18, 18, 20};
static const uint8_t light[3] = {235, 238, 240};
static const uint8_t ink[3] = {40, 40, 44};
static const uint8_t chalk[3] = {225, 225, 228};
static const uint8_t bubble[3] = {205, 232, 200};

static struct picture on_canvas(const struct picture *picture, uint32_t left, uint32_t top,
                                uint32_t right, uint32_t bottom, const uint8_t rgb[3])
{
    return picture_framed(picture, left + picture->width + right, top + picture->height + bottom,
                          left, top, rgb);
}

static struct picture captioned(const struct picture *picture, bool is_both, uint32_t *seed)
{
    uint32_t band = picture->height / 5;
    struct picture made = on_canvas(picture, 0, band, 0, is_both ? band : 0, white);
    uint32_t margin = picture->width / 20;
    write_lines(&made, (uint32_t[]){margin, band / 6, picture->width - margin, band * 5 / 6},
                band / 4, ink, seed);
    if (is_both) {
        uint32_t y = band + picture->height;
        write_lines(&made,
                    (uint32_t[]){margin, y + band / 6, picture->width - margin, y + band * 5 / 6},
                    band / 4, ink, seed);
    }
    return made;
}

/* The picture on a blurred, enlarged copy of itself. */
static struct picture blurred_fill(const struct picture *picture)
{
    uint32_t height = picture->width * 16 / 9 > picture->height ? picture->width * 16 / 9
                                                                : picture->height * 5 / 4;
    struct picture tiny = picture_scaled(picture, 9, 9);
    struct picture made = picture_make_flat(picture->width, height, 0, 0, 0);
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < made.width; x++) {
            uint32_t u = x * 8 * 256 / made.width;
            uint32_t v = y * 8 * 256 / height;
            const uint8_t *a = tiny.rgb + ((v >> 8) * 9 + (u >> 8)) * 3;
            for (uint32_t i = 0; i < 3; i++) {
                uint32_t top = a[i] * (256 - (u & 255)) + a[i + 3] * (u & 255);
                uint32_t bottom = a[i + 27] * (256 - (u & 255)) + a[i + 30] * (u & 255);
                made.rgb[((size_t)y * made.width + x) * 3 + i] =
                    (uint8_t)((top * (256 - (v & 255)) + bottom * (v & 255)) >> 16);
            }
        }
    }
    paste(&made, picture, 0, (height - picture->height) / 2);
    picture_done(&tiny);
    return made;
}

/* A phone's screen, 540 wide: status line, bar of the app, the picture somewhere, text below. */
struct screen {
    uint32_t width; /* of the picture on it */
    uint32_t x;     /* of the picture */
    bool is_dark;
    bool has_bubble;     /* the picture lies in a coloured one */
    uint32_t text_above; /* lines */
    uint32_t text_below;
    uint32_t icons; /* in the bar at the bottom */
};

static struct picture screenshot(const struct picture *picture, const struct screen *screen,
                                 uint32_t *seed)
{
    const uint8_t *ground = screen->is_dark ? dark : screen->has_bubble ? light : white;
    const uint8_t *text = screen->is_dark ? chalk : ink;
    struct picture made = picture_make_flat(540, 1100, ground[0], ground[1], ground[2]);
    uint32_t height = (uint32_t)((uint64_t)picture->height * screen->width / picture->width);
    struct picture shown = picture_scaled(picture, screen->width, height < 800 ? height : 800);
    write_lines(&made, (uint32_t[]){20, 8, 120, 26}, 14, text, seed);
    write_lines(&made, (uint32_t[]){440, 8, 530, 26}, 14, text, seed);
    write_lines(&made, (uint32_t[]){60, 50, 300, 80}, 22, text, seed);
    uint32_t y = 100;
    write_lines(&made, (uint32_t[]){24, y, 510, y + screen->text_above * 32}, 16, text, seed);
    y += screen->text_above * 32 + 20;
    if (screen->has_bubble) {
        fill(&made,
             (uint32_t[]){screen->x - 8, y - 8, screen->x + shown.width + 8, y + shown.height + 40},
             bubble);
    }
    paste(&made, &shown, screen->x, y);
    y += shown.height + (screen->has_bubble ? 70 : 30);
    uint32_t end = y + screen->text_below * 36 < 1010 ? y + screen->text_below * 36 : 1010;
    write_lines(&made, (uint32_t[]){24, y, 500, end}, 18, text, seed);
    if (screen->icons > 0) {
        draw_icons(&made, 1045, 30, screen->icons, text);
    }
    picture_done(&shown);
    return made;
}

/* --- Edits ------------------------------------------------------------------------------------ */

static struct picture levels(const struct picture *picture, int gain, int offset)
{
    struct picture made = picture_cropped(picture, 0, 0, picture->width, picture->height);
    for (size_t i = 0; i < (size_t)made.width * made.height * 3; i++) {
        int value = made.rgb[i] * gain / 100 + offset;
        made.rgb[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    return made;
}

static struct picture cropped(const struct picture *picture, uint32_t percent)
{
    uint32_t x = picture->width * percent / 200;
    uint32_t y = picture->height * percent / 200;
    return picture_cropped(picture, x, y, picture->width - 2 * x, picture->height - 2 * y);
}

static struct picture shot_mirrored(const struct picture *picture, uint32_t *seed)
{
    struct picture mirrored = picture_upright(picture, 2);
    struct picture made = screenshot(
        &mirrored, &(struct screen){.width = 540, .text_above = 1, .text_below = 5, .icons = 5},
        seed);
    picture_done(&mirrored);
    return made;
}

static struct picture edited(const struct picture *p, enum edit edit, uint32_t *seed)
{
    uint32_t w = p->width;
    uint32_t h = p->height;
    switch (edit) {
    case EDIT_JPEG_50:
    case EDIT_COUNT: break;
    case EDIT_HALF_SIZE: return picture_scaled(p, w / 2, h / 2);
    case EDIT_BRIGHTER: return levels(p, 110, 12);
    case EDIT_MIRROR: return picture_upright(p, 2);
    case EDIT_TURN_90: return picture_upright(p, 6);
    case EDIT_TURN_180: return picture_upright(p, 3);
    case EDIT_NEGATIVE: return levels(p, -100, 255);
    case EDIT_BORDER_WHITE: return on_canvas(p, w / 12, w / 12, w / 12, w / 12, white);
    case EDIT_BORDER_BLACK: return on_canvas(p, w / 20, w / 20, w / 20, w / 20, black);
    case EDIT_LETTERBOX: return on_canvas(p, 0, h / 5, 0, h / 5, black);
    case EDIT_PILLARBOX: return on_canvas(p, w / 4, 0, w / 4, 0, dark);
    case EDIT_POLAROID: return on_canvas(p, w / 15, w / 15, w / 15, w / 4, light);
    case EDIT_CAPTION_ABOVE: return captioned(p, false, seed);
    case EDIT_CAPTIONS_BOTH: return captioned(p, true, seed);
    case EDIT_BLURRED_FILL: return blurred_fill(p);
    case EDIT_SHOT_FEED:
        return screenshot(
            p, &(struct screen){.width = 540, .text_above = 2, .text_below = 6, .icons = 5}, seed);
    case EDIT_SHOT_FEED_DARK:
        return screenshot(p,
                          &(struct screen){.width = 480,
                                           .x = 30,
                                           .is_dark = true,
                                           .text_above = 3,
                                           .text_below = 8,
                                           .icons = 4},
                          seed);
    case EDIT_SHOT_CHAT:
        return screenshot(
            p,
            &(struct screen){
                .width = 340, .x = 180, .has_bubble = true, .text_above = 4, .text_below = 5},
            seed);
    case EDIT_SHOT_GALLERY:
        return screenshot(p, &(struct screen){.width = 540, .is_dark = true, .icons = 4}, seed);
    case EDIT_SHOT_BROWSER:
        return screenshot(
            p,
            &(struct screen){.width = 420, .x = 24, .text_above = 6, .text_below = 12, .icons = 3},
            seed);
    case EDIT_SHOT_STORY:
        return screenshot(
            p, &(struct screen){.width = 500, .x = 20, .is_dark = true, .text_below = 2}, seed);
    case EDIT_SHOT_MIRRORED: return shot_mirrored(p, seed);
    case EDIT_CROP_3: return cropped(p, 3);
    case EDIT_CROP_10: return cropped(p, 10);
    }
    return picture_cropped(p, 0, 0, w, h);
}

struct picture picture_edited(const struct picture *picture, enum edit edit, uint32_t seed)
{
    struct picture made = edited(picture, edit, &seed);
    const struct picture_jpeg options = {.quality = edit == EDIT_JPEG_50 ? 50 : 85};
    struct picture_file file = picture_to_jpeg(&made, &options);
    picture_done(&made);
    made = picture_from_jpeg(&file);
    picture_file_done(&file);
    return made;
}

/* --- Names ------------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum edit_group group;
} rows[EDIT_COUNT] = {
    [EDIT_JPEG_50] = {"JPEG quality 50", GROUP_MILD},
    [EDIT_HALF_SIZE] = {"half size", GROUP_MILD},
    [EDIT_BRIGHTER] = {"brighter", GROUP_MILD},
    [EDIT_MIRROR] = {"mirrored", GROUP_TURNED},
    [EDIT_TURN_90] = {"turned by 90 degrees", GROUP_TURNED},
    [EDIT_TURN_180] = {"turned by 180 degrees", GROUP_TURNED},
    [EDIT_NEGATIVE] = {"negative", GROUP_TURNED},
    [EDIT_BORDER_WHITE] = {"white border", GROUP_FRAMED},
    [EDIT_BORDER_BLACK] = {"black border", GROUP_FRAMED},
    [EDIT_LETTERBOX] = {"letterbox", GROUP_FRAMED},
    [EDIT_PILLARBOX] = {"pillarbox", GROUP_FRAMED},
    [EDIT_POLAROID] = {"polaroid", GROUP_FRAMED},
    [EDIT_CAPTION_ABOVE] = {"caption above", GROUP_FRAMED},
    [EDIT_CAPTIONS_BOTH] = {"captions above and below", GROUP_FRAMED},
    [EDIT_BLURRED_FILL] = {"on a blurred copy", GROUP_FRAMED},
    [EDIT_SHOT_FEED] = {"screenshot: feed", GROUP_SHOT},
    [EDIT_SHOT_FEED_DARK] = {"screenshot: dark feed", GROUP_SHOT},
    [EDIT_SHOT_CHAT] = {"screenshot: chat", GROUP_SHOT},
    [EDIT_SHOT_GALLERY] = {"screenshot: gallery", GROUP_SHOT},
    [EDIT_SHOT_BROWSER] = {"screenshot: browser", GROUP_SHOT},
    [EDIT_SHOT_STORY] = {"screenshot: story", GROUP_SHOT},
    [EDIT_SHOT_MIRRORED] = {"screenshot: feed, mirrored", GROUP_SHOT},
    [EDIT_CROP_3] = {"cropped by 3 %", GROUP_CROP},
    [EDIT_CROP_10] = {"cropped by 10 %", GROUP_CROP},
};

const char *edit_name(enum edit edit)
{
    return rows[edit].name;
}

enum edit_group edit_group(enum edit edit)
{
    return rows[edit].group;
}

const char *edit_group_name(enum edit_group group)
{
    static const char *const names[GROUP_COUNT] = {"mild", "turned", "framed", "screenshot",
                                                   "cropped"};
    return names[group];
}
