#include "strbuf.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRBUF_CAPACITY_FIRST = 256 };

void strbuf_init(struct strbuf *text, size_t len_max)
{
    *text = (struct strbuf){.len_max = len_max};
}

void strbuf_done(struct strbuf *text)
{
    if (text->bytes != NULL) {
        explicit_bzero(text->bytes, text->capacity);
        free(text->bytes);
    }
    *text = (struct strbuf){0};
}

enum imprint_error strbuf_error(const struct strbuf *text)
{
    return text->error;
}

const char *strbuf_get(const struct strbuf *text)
{
    return text->bytes != NULL ? text->bytes : "";
}

/* Makes room for len more bytes and a NUL. realloc would leave the old bytes behind unwiped. */
static bool strbuf_grow(struct strbuf *text, size_t len)
{
    if (text->error != IMPRINT_OK) {
        return false;
    }
    if (len > text->len_max - text->len) {
        text->error = IMPRINT_E_BODY_TOO_LARGE;
        return false;
    }
    const size_t needed = text->len + len + 1;
    if (needed <= text->capacity) {
        return true;
    }
    size_t capacity = text->capacity != 0 ? text->capacity : STRBUF_CAPACITY_FIRST;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *bytes = malloc(capacity);
    if (bytes == NULL) {
        text->error = IMPRINT_E_NOMEM;
        return false;
    }
    if (text->bytes != NULL) {
        memcpy(bytes, text->bytes, text->len);
        explicit_bzero(text->bytes, text->capacity);
        free(text->bytes);
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void strbuf_add_bytes(struct strbuf *text, const void *bytes, size_t len)
{
    if (!strbuf_grow(text, len)) {
        return;
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

void strbuf_add(struct strbuf *text, const char *string)
{
    strbuf_add_bytes(text, string, strlen(string));
}

void strbuf_addf(struct strbuf *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    if (len < 0) {
        text->error = text->error == IMPRINT_OK ? IMPRINT_E_INTERNAL : text->error;
    } else if (strbuf_grow(text, (size_t)len)) {
        vsnprintf(text->bytes + text->len, (size_t)len + 1, format, again);
        text->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

void strbuf_add_fill(struct strbuf *text, char byte, size_t count)
{
    if (!strbuf_grow(text, count)) {
        return;
    }
    memset(text->bytes + text->len, byte, count);
    text->len += count;
    text->bytes[text->len] = '\0';
}

void strbuf_add_hex(struct strbuf *text, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        const char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
        strbuf_add_bytes(text, pair, sizeof pair);
    }
}

/* The length of the UTF-8 sequence at s (a NUL ends it), or 0 where there is none: no overlong
 * form, no surrogate, nothing above U+10FFFF. */
static size_t strbuf_utf8_len(const unsigned char *s)
{
    if (s[0] < 0x80) {
        return 1;
    }
    size_t len = 0;
    uint32_t point = 0;
    uint32_t least = 0;
    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        len = 2, point = s[0] & 0x1fu, least = 0x80;
    } else if ((s[0] & 0xf0) == 0xe0) {
        len = 3, point = s[0] & 0x0fu, least = 0x800;
    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        len = 4, point = s[0] & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        point = point << 6 | (s[i] & 0x3fu);
    }
    const bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < least || point > 0x10ffff || is_surrogate ? 0 : len;
}

void strbuf_add_json(struct strbuf *text, const char *string)
{
    strbuf_add(text, "\"");
    const unsigned char *s = (const unsigned char *)string;
    while (*s != '\0') {
        const size_t len = strbuf_utf8_len(s);
        if (len == 0) {
            strbuf_add(text, "\xef\xbf\xbd");
            s++;
            continue;
        }
        if (*s == '"' || *s == '\\') {
            strbuf_addf(text, "\\%c", *s);
        } else if (*s < 0x20 || *s == 0x7f) {
            strbuf_addf(text, "\\u%04x", *s);
        } else {
            strbuf_add_bytes(text, s, len);
        }
        s += len;
    }
    strbuf_add(text, "\"");
}

/* C1 controls (U+0080..U+009F) are two bytes in UTF-8 and steer terminals too. */
static bool strbuf_is_control(const unsigned char *s, size_t len)
{
    return len == 0 || *s < 0x20 || *s == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);
}

void strbuf_add_printable(struct strbuf *text, const char *string)
{
    const unsigned char *s = (const unsigned char *)string;
    while (*s != '\0') {
        const size_t len = strbuf_utf8_len(s);
        if (strbuf_is_control(s, len)) {
            strbuf_addf(text, "\\x%02x", *s);
            s++;
        } else {
            strbuf_add_bytes(text, s, len);
            s += len;
        }
    }
}

void strbuf_add_percent(struct strbuf *text, const char *string)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *s = string; *s != '\0'; s++) {
        if (strchr(plain, *s) != NULL) {
            strbuf_add_bytes(text, s, 1);
        } else {
            strbuf_addf(text, "%%%02X", (unsigned char)*s);
        }
    }
}
