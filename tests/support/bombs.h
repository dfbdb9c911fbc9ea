/* bombs.h - files that are small and dear, or not what they say, made from their formats' rules.
 *
 * Ownership: the caller's, released by picture_file_done.
 */
#ifndef TESTS_BOMBS_H
#define TESTS_BOMBS_H

#include "pictures.h"

/* A PNG header that promises this size, and hardly any data. */
struct picture_file bomb_png_size(uint32_t width, uint32_t height);
/* The file with count chunks of that type and content put before its first IDAT. */
struct picture_file bomb_png_chunks(const struct picture_file *png, const char type[5],
                                    const void *content, size_t len, unsigned count);
/* The file with a text or profile chunk (iTXt, zTXt, iCCP) that inflates to that many zeros. */
struct picture_file bomb_png_inflating(const struct picture_file *png, const char type[5],
                                       size_t zeros);
/* A black RGBA picture of 16 bits a channel, followed in its IDAT by that many zeros more. */
struct picture_file bomb_png_black(uint32_t side, bool is_interlaced, size_t excess);

/* A JPEG header that promises this size, and no data. */
struct picture_file bomb_jpeg_size(uint16_t width, uint16_t height);
/* A progressive JPEG of so many scans, each of which visits all blocks in a few bytes. */
struct picture_file bomb_jpeg_scans(uint16_t side, unsigned scans);
/* The file with count segments of that marker and length put behind its start. */
struct picture_file bomb_jpeg_segments(const struct picture_file *jpeg, uint8_t marker,
                                       uint16_t len, unsigned count);
/* The file with that many fill bytes (0xff) put behind its start. */
struct picture_file bomb_jpeg_fill(const struct picture_file *jpeg, size_t len);

/* One file behind the other. */
struct picture_file bomb_joined(const void *first, size_t first_len, const void *second,
                                size_t second_len);

#endif
