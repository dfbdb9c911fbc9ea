#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_init(struct text *text, size_t bytes_max)
{
    *text = (struct text){.bytes_max = bytes_max};
}

void text_done(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

/* Room for len more bytes and a NUL. */
static bool make_room(struct text *text, size_t len)
{
    if (text->is_failed || len > text->bytes_max || text->len > text->bytes_max - len) {
        text->is_failed = true;
        return false;
    }
    size_t needed = text->len + len + 1;
    if (needed <= text->capacity) {
        return true;
    }
    size_t capacity = text->capacity == 0 ? 256 : text->capacity * 2;
    if (capacity < needed) {
        capacity = needed;
    }
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        text->is_failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_put_bytes(struct text *text, const void *bytes, size_t len)
{
    if (!make_room(text, len)) {
        return;
    }
    if (len > 0) {
        memcpy(text->data + text->len, bytes, len);
    }
    text->len += len;
    text->data[text->len] = '\0';
}

void text_put(struct text *text, const char *string)
{
    text_put_bytes(text, string, strlen(string));
}

void text_put_u64(struct text *text, uint64_t value)
{
    char digits[20];
    size_t start = sizeof digits;
    do {
        digits[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    text_put_bytes(text, digits + start, sizeof digits - start);
}

void text_put_i64(struct text *text, int64_t value)
{
    if (value < 0) {
        text_put(text, "-");
        text_put_u64(text, 0 - (uint64_t)value);
        return;
    }
    text_put_u64(text, (uint64_t)value);
}

/* Length of the well-formed UTF-8 sequence at s, or 0. */
static size_t utf8_len(const unsigned char *s)
{
    if (s[0] < 0x80) {
        return 1;
    }
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool is_overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool is_outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return is_overlong || is_outside ? 0 : len;
}

bool text_is_utf8(const char *string)
{
    const unsigned char *s = (const unsigned char *)string;
    while (*s != '\0') {
        size_t len = utf8_len(s);
        if (len == 0) {
            return false;
        }
        s += len;
    }
    return true;
}

static void put_escaped(struct text *text, unsigned char byte)
{
    if (byte == '"' || byte == '\\') {
        const char pair[2] = {'\\', (char)byte};
        text_put_bytes(text, pair, sizeof pair);
    } else {
        text_printf(text, "\\u%04x", byte);
    }
}

void text_put_json(struct text *text, const char *string)
{
    text_put_bytes(text, "\"", 1);
    const unsigned char *s = (const unsigned char *)string;
    while (*s != '\0') {
        size_t plain = 0;
        while (s[plain] >= 0x20 && s[plain] < 0x7f && s[plain] != '"' && s[plain] != '\\') {
            plain++;
        }
        text_put_bytes(text, s, plain);
        s += plain;
        if (*s == '\0') {
            break;
        }
        size_t len = utf8_len(s);
        if (len > 1) {
            text_put_bytes(text, s, len);
        } else if (len == 1) {
            put_escaped(text, *s);
        } else {
            text_put_bytes(text, "\xef\xbf\xbd", 3);
        }
        s += len == 0 ? 1 : len;
    }
    text_put_bytes(text, "\"", 1);
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (len < 0 || !make_room(text, (size_t)len)) {
        text->is_failed = true;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text->data + text->len, (size_t)len + 1, format, arguments);
    va_end(arguments);
    text->len += (size_t)len;
}

enum imprint_error text_take(struct text *text, char **out_bytes, size_t *out_len)
{
    if (text->is_failed) {
        text_done(text);
        return IMPRINT_E_NOMEM;
    }
    *out_bytes = text->data;
    *out_len = text->len;
    text->data = NULL;
    text_done(text);
    return IMPRINT_OK;
}
