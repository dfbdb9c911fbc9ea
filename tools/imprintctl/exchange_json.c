#include "exchange_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may come next in an array that is cut into. */
enum {
    EXCHANGE_JSON_FIRST = 'f', /* an element or the end */
    EXCHANGE_JSON_NEXT = 'n',  /* an element */
    EXCHANGE_JSON_COMMA = 'c', /* a comma or the end */
};

enum imprint_error exchange_json_open(struct exchange_json *json)
{
    for (size_t i = 0; i < EXCHANGE_JSON_LEVELS; i++) {
        if (i > 0 && json->keys[i - 1] == NULL) {
            break;
        }
        json->levels[i].capacity =
            i == 0 ? EXCHANGE_JSON_DOCUMENT_BYTES_MAX : EXCHANGE_JSON_RECORD_BYTES_MAX;
        json->levels[i].bytes = malloc(json->levels[i].capacity);
        if (json->levels[i].bytes == NULL) {
            return IMPRINT_E_NOMEM;
        }
    }
    return IMPRINT_OK;
}

void exchange_json_close(struct exchange_json *json)
{
    for (size_t i = 0; i < EXCHANGE_JSON_LEVELS; i++) {
        free(json->levels[i].bytes);
    }
}

/* --- Cutting --------------------------------------------------------------------------------- */

static enum imprint_error exchange_json_wrong(struct exchange_json *json,
                                              struct exchange_reader *reader, const char *what)
{
    return exchange_fault(reader, IMPRINT_E_JSON_INVALID, json->line + 1, json->offset, "%s", what);
}

static bool exchange_json_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void exchange_json_add(struct exchange_json *json, char c)
{
    struct exchange_json_level *level = &json->levels[json->level];
    if (level->len < level->capacity) {
        level->bytes[level->len++] = c;
    } else {
        level->is_too_long = true;
    }
}

static enum imprint_error exchange_json_push(struct exchange_json *json,
                                             struct exchange_reader *reader, char frame)
{
    if (json->depth == EXCHANGE_JSON_DEPTH_MAX) {
        return exchange_json_wrong(json, reader, "the document is nested too deeply");
    }
    json->frames[json->depth++] = frame;
    return IMPRINT_OK;
}

/* Another level's buffer is current from now on: the last string is none of its. */
static void exchange_json_forget_key(struct exchange_json *json)
{
    json->has_key = false;
    json->string_at = 0;
    json->string_len = 0;
}

static enum imprint_error exchange_json_begin(struct exchange_json *json,
                                              struct exchange_reader *reader, size_t level)
{
    struct exchange_json_level *piece = &json->levels[level];
    json->level = level;
    piece->len = 0;
    piece->is_too_long = false;
    piece->line = json->line + 1;
    piece->offset = json->offset;
    piece->depth = json->depth;
    exchange_json_forget_key(json);
    exchange_json_add(json, '{');
    return exchange_json_push(json, reader, '{');
}

/* The piece's last bracket was closed. */
static enum imprint_error exchange_json_end(struct exchange_json *json,
                                            struct exchange_reader *reader)
{
    const struct exchange_json_level *level = &json->levels[json->level];
    const struct exchange_json_piece piece = {
        .level = (unsigned)json->level,
        .bytes = level->bytes,
        .len = level->len,
        .is_too_long = level->is_too_long,
        .line = level->line,
        .offset = level->offset,
    };
    if (json->level > 0) {
        json->level--;
        json->frames[json->depth - 1] = EXCHANGE_JSON_COMMA;
    } else {
        json->documents++;
    }
    exchange_json_forget_key(json);
    return json->on_piece(reader, json->state, &piece);
}

/* Whether an array that begins now is one to be cut into: under its key, in the piece itself. */
static bool exchange_json_is_cut(const struct exchange_json *json)
{
    const struct exchange_json_level *level = &json->levels[json->level];
    const char *key = json->level + 1 < EXCHANGE_JSON_LEVELS ? json->keys[json->level] : NULL;
    return key != NULL && json->has_key && !level->is_too_long && json->depth == level->depth + 1 &&
           exchange_text_is(level->bytes + json->string_at, json->string_len, key);
}

static enum imprint_error exchange_json_close_bracket(struct exchange_json *json,
                                                      struct exchange_reader *reader, char opened)
{
    if (json->frames[json->depth - 1] != opened) {
        return exchange_json_wrong(json, reader, "a bracket is closed that was not opened");
    }
    json->depth--;
    json->has_key = false;
    return json->depth == json->levels[json->level].depth ? exchange_json_end(json, reader)
                                                          : IMPRINT_OK;
}

static void exchange_json_string(struct exchange_json *json, char c)
{
    exchange_json_add(json, c);
    if (json->is_escaped) {
        json->is_escaped = false;
    } else if (c == '\\') {
        json->is_escaped = true;
    } else if (c == '"') {
        json->in_string = false;
        json->string_len = json->levels[json->level].len - 1 - json->string_at;
    }
}

/* In a piece, outside strings. */
static enum imprint_error exchange_json_token(struct exchange_json *json,
                                              struct exchange_reader *reader, char c)
{
    const bool is_cut = c == '[' && exchange_json_is_cut(json);
    exchange_json_add(json, c);
    switch (c) {
    case '"':
        json->in_string = true;
        json->has_key = false;
        json->string_at = json->levels[json->level].len;
        return IMPRINT_OK;
    case ':': json->has_key = true; return IMPRINT_OK;
    case ',': json->has_key = false; return IMPRINT_OK;
    case '[':
    case '{':
        json->has_key = false;
        return exchange_json_push(json, reader, is_cut ? (char)EXCHANGE_JSON_FIRST : c);
    case ']': return exchange_json_close_bracket(json, reader, '[');
    case '}': return exchange_json_close_bracket(json, reader, '{');
    default: return IMPRINT_OK;
    }
}

/* In an array that is cut into, between its elements. */
static enum imprint_error exchange_json_between(struct exchange_json *json,
                                                struct exchange_reader *reader, char c)
{
    char *frame = &json->frames[json->depth - 1];
    if (exchange_json_is_blank(c)) {
        return IMPRINT_OK;
    }
    if (c == '{' && *frame != EXCHANGE_JSON_COMMA) {
        return exchange_json_begin(json, reader, json->level + 1);
    }
    if (c == ',' && *frame == EXCHANGE_JSON_COMMA) {
        *frame = EXCHANGE_JSON_NEXT;
        return IMPRINT_OK;
    }
    if (c == ']' && *frame != EXCHANGE_JSON_NEXT) {
        json->depth--;
        exchange_json_add(json, c);
        return IMPRINT_OK;
    }
    return exchange_json_wrong(json, reader, "a record that is an object is missing here");
}

static enum imprint_error exchange_json_byte(struct exchange_json *json,
                                             struct exchange_reader *reader, char c)
{
    if (json->depth == 0) {
        if (exchange_json_is_blank(c)) {
            return IMPRINT_OK;
        }
        return c == '{' ? exchange_json_begin(json, reader, 0)
                        : exchange_json_wrong(json, reader, "a JSON object does not begin here");
    }
    if (json->in_string) {
        exchange_json_string(json, c);
        return IMPRINT_OK;
    }
    const char frame = json->frames[json->depth - 1];
    return frame == '{' || frame == '[' ? exchange_json_token(json, reader, c)
                                        : exchange_json_between(json, reader, c);
}

enum imprint_error exchange_json_feed(struct exchange_json *json, struct exchange_reader *reader,
                                      const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const enum imprint_error error = exchange_json_byte(json, reader, bytes[i]);
        if (error != IMPRINT_OK) {
            return error;
        }
        json->line += bytes[i] == '\n';
        json->offset++;
    }
    return IMPRINT_OK;
}

enum imprint_error exchange_json_finish(struct exchange_json *json, struct exchange_reader *reader)
{
    if (json->depth > 0) {
        return exchange_json_wrong(json, reader, "the file ends within a JSON document");
    }
    return json->documents > 0 ? IMPRINT_OK
                               : exchange_json_wrong(json, reader, "there is no JSON document");
}

/* --- Pieces ---------------------------------------------------------------------------------- */

static json_t *exchange_json_load(const struct exchange_json_piece *piece, json_error_t *error)
{
    return json_loadb(piece->bytes, piece->len, JSON_REJECT_DUPLICATES, error);
}

/* jansson says nothing at all where a value could not be made. */
static bool exchange_json_lacks_memory(const json_error_t *error)
{
    return json_error_code(error) == json_error_out_of_memory || error->text[0] == '\0';
}

enum imprint_error exchange_json_object(const struct exchange_json_piece *piece,
                                        struct exchange_record *out_record, json_t **out_object)
{
    exchange_record_init(out_record);
    out_record->line = piece->line;
    out_record->offset = piece->offset;
    *out_object = NULL;
    if (piece->is_too_long) {
        exchange_record_judge(out_record, EXCHANGE_INVALID, EXCHANGE_REASON_TOO_LONG, "", 0);
        return IMPRINT_OK;
    }
    json_error_t error;
    *out_object = exchange_json_load(piece, &error);
    if (*out_object != NULL) {
        return IMPRINT_OK;
    }
    if (exchange_json_lacks_memory(&error)) {
        return IMPRINT_E_NOMEM;
    }
    exchange_record_judge(out_record, EXCHANGE_INVALID, EXCHANGE_REASON_SYNTAX, "", 0);
    return IMPRINT_OK;
}

enum imprint_error exchange_json_document(struct exchange_reader *reader,
                                          const struct exchange_json_piece *piece, const char *key,
                                          json_t **out_object)
{
    if (piece->is_too_long) {
        return exchange_fault(reader, IMPRINT_E_JSON_INVALID, piece->line, piece->offset,
                              "the document around its records is too long");
    }
    json_error_t error;
    json_t *object = exchange_json_load(piece, &error);
    if (object == NULL && exchange_json_lacks_memory(&error)) {
        return IMPRINT_E_NOMEM;
    }
    if (object == NULL) {
        return exchange_fault(reader, IMPRINT_E_JSON_INVALID, piece->line, piece->offset,
                              "the document around its records is not JSON: %s", error.text);
    }
    /* An array that is not empty was not recognised: its key was written with escapes. */
    const json_t *array = json_object_get(object, key);
    if (!json_is_array(array) || json_array_size(array) > 0) {
        json_decref(object);
        return exchange_fault(reader, IMPRINT_E_JSON_INVALID, piece->line, piece->offset,
                              "the document has no array \"%s\"", key);
    }
    *out_object = object;
    return IMPRINT_OK;
}

void exchange_json_text(struct exchange_record *record, char field[EXCHANGE_TEXT_BYTES_MAX + 1],
                        const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value)) {
        exchange_record_text(record, field, key, json_string_value(value),
                             json_string_length(value));
    } else if (json_is_integer(value)) {
        char digits[32];
        const int len =
            snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        exchange_record_text(record, field, key, digits, (size_t)len);
    }
}
