/* pictures.h - test pictures, made from a number, and the files they come in.
 *
 * Why:       tests must not need pictures from elsewhere, and a hash recorded for one of these must
 *            hold on every machine: the maker uses integers only.
 * Ownership: the caller's, released by picture_done and picture_file_done.
 * Errors:    none; what a test cannot make ends the test program.
 */
#ifndef TESTS_PICTURES_H
#define TESTS_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 8-bit RGB, row after row without gaps. */
struct picture {
    uint32_t width;
    uint32_t height;
    uint8_t *rgb;
};

/* A scene of shapes and clouds over several scales, as rich as a photo: PDQ quality 100 from about
 * 64x64 on. Different seeds are unrelated pictures. */
struct picture picture_make(uint32_t seed, uint32_t width, uint32_t height);
/* One colour all over. */
struct picture picture_make_flat(uint32_t width, uint32_t height, uint8_t r, uint8_t g, uint8_t b);
void picture_done(struct picture *picture);

/* --- Edits; each gives a new picture ---------------------------------------------------------- */

/* The pixels as a camera would store them whose EXIF orientation (1..8) brings this one upright. */
struct picture picture_stored_as(const struct picture *picture, unsigned orientation);
/* The upright scene of pixels stored with that orientation: the reverse. */
struct picture picture_upright(const struct picture *stored, unsigned orientation);
/* Averages over the area of each new pixel (down) or repeats (up). */
struct picture picture_scaled(const struct picture *picture, uint32_t width, uint32_t height);
struct picture picture_cropped(const struct picture *picture, uint32_t x, uint32_t y,
                               uint32_t width, uint32_t height);
/* Puts the picture on a canvas of one colour. */
struct picture picture_framed(const struct picture *picture, uint32_t width, uint32_t height,
                              uint32_t x, uint32_t y, const uint8_t rgb[3]);
/* r, g and b set to the same value. */
struct picture picture_grayed(const struct picture *picture);
/* Six levels a channel, so that 216 colours hold it exactly. */
struct picture picture_posterized(const struct picture *picture);
/* The left half mirrored onto the right: every other band of its DCT is nothing but rounding. */
struct picture picture_symmetric(const struct picture *picture);
/* Composited over white with picture_alpha_at. */
struct picture picture_over_white(const struct picture *picture);
/* The alpha that PNG files with alpha get: opaque, clear and half-clear regions. */
uint8_t picture_alpha_at(const struct picture *picture, uint32_t x, uint32_t y);

/* --- Files ------------------------------------------------------------------------------------ */

struct picture_file {
    uint8_t *bytes;
    size_t len;
};
void picture_file_done(struct picture_file *file);

enum picture_colour {
    PICTURE_YCC,  /* as nearly every JPEG */
    PICTURE_GRAY, /* the red channel only */
    PICTURE_RGB,
    PICTURE_CMYK, /* inverted, with Adobe's marker, as everybody writes it */
    PICTURE_YCCK,
    PICTURE_CMYK_PLAIN, /* without the marker and not inverted */
};

struct picture_jpeg {
    enum picture_colour colour;
    int quality;         /* 0: 90 */
    int sampling_h;      /* of luma over chroma; 0: 2 */
    int sampling_v;      /* 0: 2 */
    bool is_progressive; /* libjpeg's usual ten scans */
    bool is_arithmetic;
    bool is_multiscan;    /* sequential, a scan a component */
    int restart_rows;     /* MCU rows between restart markers; 0: none */
    unsigned orientation; /* EXIF; 0: no EXIF block */
};
/* options NULL: YCbCr 4:2:0, quality 90. */
struct picture_file picture_to_jpeg(const struct picture *picture,
                                    const struct picture_jpeg *options);

/* The pixels libjpeg makes of a file that is not CMYK. */
struct picture picture_from_jpeg(const struct picture_file *file);

/* The same coefficients as a progressive file: decoded in full, no pixel differs. */
struct picture_file picture_jpeg_to_progressive(const void *bytes, size_t len);

enum picture_png_type {
    PICTURE_PNG_RGB,
    PICTURE_PNG_GRAY, /* the red channel only */
    PICTURE_PNG_RGBA,
    PICTURE_PNG_GRAY_ALPHA,
    PICTURE_PNG_PALETTE,       /* of a posterized picture */
    PICTURE_PNG_PALETTE_ALPHA, /* with the palette's darkest entries clear (tRNS) */
    PICTURE_PNG_RGB_KEY,       /* white is clear (tRNS) */
};

struct picture_png {
    enum picture_png_type type;
    int depth; /* bits a channel; 0: 8. Under 8 for gray only, where the high bits are kept */
    bool is_interlaced;
    int compression;      /* zlib level; 0: 1 */
    unsigned orientation; /* eXIf; 0: none */
};
/* options NULL: 8-bit RGB. */
struct picture_file picture_to_png(const struct picture *picture,
                                   const struct picture_png *options);

struct picture_webp {
    bool is_lossy; /* quality 90; else every pixel as it is */
    bool has_alpha;
    bool is_animated;     /* this picture as the first of two frames, the second gray */
    unsigned inset;       /* animated: the frame lies this far (even) inside a clear canvas */
    unsigned orientation; /* EXIF; 0: none */
};
/* options NULL: lossless. */
struct picture_file picture_to_webp(const struct picture *picture,
                                    const struct picture_webp *options);

struct picture_gif {
    bool is_interlaced;
    bool is_black_clear;
    unsigned inset; /* the frame lies this far inside a clear canvas */
};
/* Of a posterized picture. options NULL: neither. */
struct picture_file picture_to_gif(const struct picture *picture,
                                   const struct picture_gif *options);

#endif
