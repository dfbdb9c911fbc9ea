#include "multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_BYTES_MAX 70
#define HEAD_BYTES_MAX     4096

struct cursor {
    const char *at;
    const char *end;
};

static bool is_boundary_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static bool starts_with(const struct cursor *cursor, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(cursor->end - cursor->at) >= len && memcmp(cursor->at, text, len) == 0;
}

static bool skip(struct cursor *cursor, const char *text)
{
    if (!starts_with(cursor, text)) {
        return false;
    }
    cursor->at += strlen(text);
    return true;
}

/* "--" and the boundary, as they stand before each part. */
static bool read_boundary(const char *content_type, char out_mark[BOUNDARY_BYTES_MAX + 3])
{
    static const char type[] = "multipart/form-data";
    if (content_type == NULL || strncasecmp(content_type, type, sizeof type - 1) != 0) {
        return false;
    }
    const char *at = strcasestr(content_type + sizeof type - 1, "boundary=");
    if (at == NULL || (at[-1] != ';' && at[-1] != ' ')) {
        return false;
    }
    at += strlen("boundary=");
    bool is_quoted = *at == '"';
    at += is_quoted ? 1 : 0;
    size_t len = strcspn(at, is_quoted ? "\"" : "; ");
    if (len == 0 || len > BOUNDARY_BYTES_MAX || (is_quoted && at[len] != '"')) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_boundary_char(at[i])) {
            return false;
        }
    }
    (void)snprintf(out_mark, BOUNDARY_BYTES_MAX + 3, "--%.*s", (int)len, at);
    return true;
}

/* Reads ; key="value" from a disposition. Backslashes are refused: clients disagree about them. */
static bool read_parameter(struct cursor *line, struct multipart_part *part)
{
    char key[32];
    size_t len = 0;
    while (line->at < line->end && *line->at != '=' && len < sizeof key - 1) {
        key[len++] = *line->at++;
    }
    key[len] = '\0';
    if (!skip(line, "=")) {
        return false;
    }
    bool is_quoted = skip(line, "\"");
    const char *value = line->at;
    while (line->at < line->end && *line->at != (is_quoted ? '"' : ';')) {
        if (*line->at == '\\' && strcmp(key, "name") == 0) {
            return false;
        }
        line->at++;
    }
    size_t value_len = (size_t)(line->at - value);
    if (is_quoted && !skip(line, "\"")) {
        return false;
    }
    if (strcasecmp(key, "name") == 0) {
        if (value_len == 0 || value_len >= sizeof part->name || part->name[0] != '\0' ||
            memchr(value, '\0', value_len) != NULL) {
            return false;
        }
        memcpy(part->name, value, value_len);
        part->name[value_len] = '\0';
    }
    part->is_file = part->is_file || strncasecmp(key, "filename", strlen("filename")) == 0;
    return true;
}

static bool read_disposition(struct cursor line, struct multipart_part *part)
{
    while (skip(&line, " ")) {
    }
    if (!skip(&line, "form-data")) {
        return false;
    }
    while (line.at < line.end) {
        if (!skip(&line, ";")) {
            return false;
        }
        while (skip(&line, " ")) {
        }
        if (!read_parameter(&line, part)) {
            return false;
        }
    }
    return part->name[0] != '\0';
}

/* The header lines of a part up to the empty one. */
static bool read_head(struct cursor *cursor, struct multipart_part *part)
{
    static const char name[] = "content-disposition:";
    const char *limit =
        cursor->end - cursor->at > HEAD_BYTES_MAX ? cursor->at + HEAD_BYTES_MAX : cursor->end;
    bool has_disposition = false;
    while (!skip(cursor, "\r\n")) {
        const char *stop = memmem(cursor->at, (size_t)(limit - cursor->at), "\r\n", 2);
        if (stop == NULL || *cursor->at == ' ' || *cursor->at == '\t') {
            return false;
        }
        if ((size_t)(stop - cursor->at) >= sizeof name - 1 &&
            strncasecmp(cursor->at, name, sizeof name - 1) == 0) {
            struct cursor line = {cursor->at + sizeof name - 1, stop};
            if (has_disposition || !read_disposition(line, part)) {
                return false;
            }
            has_disposition = true;
        }
        cursor->at = stop + 2;
        if (cursor->at > limit) {
            return false;
        }
    }
    return has_disposition;
}

/* The bytes up to CRLF and the next mark, which is left standing. */
static bool read_content(struct cursor *cursor, const char *mark, struct multipart_part *part)
{
    char delimiter[BOUNDARY_BYTES_MAX + 5];
    int len = snprintf(delimiter, sizeof delimiter, "\r\n%s", mark);
    const char *stop =
        memmem(cursor->at, (size_t)(cursor->end - cursor->at), delimiter, (size_t)len);
    if (stop == NULL) {
        return false;
    }
    part->bytes = (const uint8_t *)cursor->at;
    part->len = (size_t)(stop - cursor->at);
    cursor->at = stop + 2;
    return true;
}

/* All parts up to the mark that ends the form, behind which only a line break may stand. */
static bool read_parts(struct cursor *cursor, const char *mark,
                       struct multipart_part parts[MULTIPART_PARTS_MAX], size_t *out_count)
{
    size_t count = 0;
    while (skip(cursor, mark)) {
        if (skip(cursor, "--")) {
            (void)skip(cursor, "\r\n");
            *out_count = count;
            return cursor->at == cursor->end && count > 0;
        }
        if (count == MULTIPART_PARTS_MAX || !skip(cursor, "\r\n") ||
            !read_head(cursor, &parts[count]) || !read_content(cursor, mark, &parts[count])) {
            return false;
        }
        count++;
    }
    return false;
}

enum imprint_error multipart_read(const char *content_type, const void *body, size_t len,
                                  struct multipart_part out_parts[MULTIPART_PARTS_MAX],
                                  size_t *out_count)
{
    char mark[BOUNDARY_BYTES_MAX + 3];
    if (!read_boundary(content_type, mark)) {
        return IMPRINT_E_MEDIA_TYPE;
    }
    if (body == NULL) {
        return IMPRINT_E_BAD_REQUEST;
    }
    struct cursor cursor = {body, (const char *)body + len};
    struct multipart_part parts[MULTIPART_PARTS_MAX] = {0};
    size_t count = 0;
    if (!read_parts(&cursor, mark, parts, &count)) {
        return IMPRINT_E_BAD_REQUEST;
    }
    memcpy(out_parts, parts, count * sizeof parts[0]);
    *out_count = count;
    return IMPRINT_OK;
}
