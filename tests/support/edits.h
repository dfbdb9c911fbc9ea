/* edits.h - what people and apps do to a picture before it is uploaded again.
 *
 * Why:       tests of recall and the benchmark draw the same things.
 * Ownership: the caller's, released by picture_done.
 */
#ifndef TESTS_EDITS_H
#define TESTS_EDITS_H

#include "pictures.h"

enum edit {
    EDIT_JPEG_50,
    EDIT_HALF_SIZE,
    EDIT_BRIGHTER,
    EDIT_MIRROR,
    EDIT_TURN_90,
    EDIT_TURN_180,
    EDIT_NEGATIVE,
    EDIT_BORDER_WHITE,
    EDIT_BORDER_BLACK,
    EDIT_LETTERBOX,
    EDIT_PILLARBOX,
    EDIT_POLAROID,
    EDIT_CAPTION_ABOVE,
    EDIT_CAPTIONS_BOTH,
    EDIT_BLURRED_FILL,
    EDIT_SHOT_FEED,
    EDIT_SHOT_FEED_DARK,
    EDIT_SHOT_CHAT,
    EDIT_SHOT_GALLERY,
    EDIT_SHOT_BROWSER,
    EDIT_SHOT_STORY,
    EDIT_SHOT_MIRRORED,
    EDIT_CROP_3,
    EDIT_CROP_10,
    EDIT_COUNT
};

enum edit_group { GROUP_MILD, GROUP_TURNED, GROUP_FRAMED, GROUP_SHOT, GROUP_CROP, GROUP_COUNT };

const char *edit_name(enum edit edit);
enum edit_group edit_group(enum edit edit);
const char *edit_group_name(enum edit_group group);

/* Text and icons come from the seed. The result has been through JPEG once, as an upload has. */
struct picture picture_edited(const struct picture *picture, enum edit edit, uint32_t seed);

#endif
