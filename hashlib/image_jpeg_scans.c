#include "image_jpeg_scans.h"

#include <string.h>

enum {
    MARKER_TEM = 0x01,
    MARKER_SOF0 = 0xc0,
    MARKER_SOF2 = 0xc2,
    MARKER_DHT = 0xc4,
    MARKER_JPG = 0xc8,
    MARKER_DAC = 0xcc,
    MARKER_SOF15 = 0xcf,
    MARKER_RST0 = 0xd0,
    MARKER_SOI = 0xd8,
    MARKER_EOI = 0xd9,
    MARKER_SOS = 0xda,
};

/* In a smaller picture a cell is the mean of too few samples to even out what is left out, and
 * there is little time to gain. */
static const uint32_t pixels_min = 2000000;

/* A marker segment: its marker, and its payload after the two bytes of length. */
struct segment {
    uint8_t marker;
    const uint8_t *payload;
    size_t len;
    size_t end; /* where the next marker or the scan's data begins */
};

/* The segment at a position; false where there is none or its length does not fit. */
static bool segment_at(const struct image_jpeg_scans *scans, size_t at, struct segment *out_segment)
{
    while (at + 1 < scans->len && scans->bytes[at] == 0xff && scans->bytes[at + 1] == 0xff) {
        at++; /* fill bytes */
    }
    if (scans->len - at < 2 || scans->bytes[at] != 0xff) {
        return false;
    }
    uint8_t marker = scans->bytes[at + 1];
    bool is_alone = marker == MARKER_TEM || (marker >= MARKER_RST0 && marker <= MARKER_SOI);
    if (is_alone) {
        *out_segment = (struct segment){.marker = marker, .end = at + 2};
        return true;
    }
    if (marker == 0 || marker == MARKER_EOI || scans->len - at < 4) {
        return false;
    }
    size_t len = (size_t)scans->bytes[at + 2] << 8 | scans->bytes[at + 3];
    if (len < 2 || len > scans->len - at - 2) {
        return false;
    }
    *out_segment = (struct segment){marker, scans->bytes + at + 4, len - 2, at + 2 + len};
    return true;
}

/* Where the data of a scan ends: at the next marker that is no restart. */
static size_t scan_end(const struct image_jpeg_scans *scans, size_t at)
{
    while (at < scans->len) {
        const uint8_t *found = memchr(scans->bytes + at, 0xff, scans->len - at);
        if (found == NULL) {
            break;
        }
        at = (size_t)(found - scans->bytes) + 1;
        if (at < scans->len) {
            uint8_t next = scans->bytes[at];
            bool is_data = next == 0 || next == 0xff || (next >= MARKER_RST0 && next < MARKER_SOI);
            if (!is_data) {
                return at - 1;
            }
        }
    }
    return scans->len;
}

static bool is_frame(uint8_t marker)
{
    return marker >= MARKER_SOF0 && marker <= MARKER_SOF15 && marker != MARKER_DHT &&
           marker != MARKER_JPG && marker != MARKER_DAC;
}

/* Refinement of the higher frequencies, and any of them of another component than luma. */
static bool is_dispensable(const struct image_jpeg_scans *scans, const struct segment *segment)
{
    if (segment->len != 6 || segment->payload[0] != 1) {
        return false; /* scans of higher frequencies hold one component only */
    }
    uint8_t component = segment->payload[1];
    uint8_t spectral_start = segment->payload[3];
    uint8_t bits_known = segment->payload[5] >> 4;
    return spectral_start > 0 && (bits_known > 0 || component != scans->luma_id);
}

static void note_frame(struct image_jpeg_scans *scans, const struct segment *segment)
{
    const uint8_t *payload = segment->payload;
    if (segment->marker != MARKER_SOF2 || segment->len < 7) {
        return;
    }
    uint32_t height = (uint32_t)payload[1] << 8 | payload[2];
    uint32_t width = (uint32_t)payload[3] << 8 | payload[4];
    scans->is_thinned = height * width >= pixels_min;
    scans->luma_id = payload[6];
}

bool image_jpeg_scans_next(struct image_jpeg_scans *scans, const uint8_t **out_bytes,
                           size_t *out_len)
{
    size_t start = scans->at;
    size_t at = start;
    struct segment segment;
    while (segment_at(scans, at, &segment)) {
        size_t end = segment.end;
        if (is_frame(segment.marker)) {
            note_frame(scans, &segment);
            if (!scans->is_thinned) {
                break;
            }
        } else if (segment.marker == MARKER_SOS) {
            end = scan_end(scans, segment.end);
            if (is_dispensable(scans, &segment) && at > start) {
                scans->at = end;
                *out_bytes = scans->bytes + start;
                *out_len = at - start;
                return true;
            }
            start = is_dispensable(scans, &segment) ? end : start;
        }
        at = end;
    }
    scans->at = scans->len;
    *out_bytes = scans->bytes + start;
    *out_len = scans->len - start;
    return start < scans->len;
}
