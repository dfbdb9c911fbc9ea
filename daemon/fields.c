#include "fields.h"

#include <string.h>

#include "imprint/hash.h"

/* The parser recurses as deep as the text nests; this looks first, without recursion. */
static bool is_shallow(const char *text, size_t len, unsigned depth_max)
{
    unsigned depth = 0;
    bool is_in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (is_in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                is_in_string = false;
            }
            continue;
        }
        if (c == '"') {
            is_in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > depth_max) {
                return false;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

json_t *fields_parse(const void *bytes, size_t len, unsigned depth_max)
{
    if (bytes == NULL || len == 0 || !is_shallow(bytes, len, depth_max)) {
        return NULL;
    }
    return json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
}

static bool read_text(const json_t *value, const struct field *field)
{
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len < (size_t)field->min || len > (size_t)field->max) {
        return false;
    }
    memcpy(field->out, json_string_value(value), len + 1);
    return true;
}

static bool read_integer(const json_t *value, const struct field *field)
{
    int64_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < field->min || number > field->max) {
        return false;
    }
    memcpy(field->out, &number, sizeof number);
    return true;
}

static bool read_bytes32(const json_t *value, const struct field *field)
{
    struct imprint_hash hash;
    if (!json_is_string(value) ||
        imprint_hash_from_hex(json_string_value(value), json_string_length(value), &hash) !=
            IMPRINT_OK) {
        return false;
    }
    memcpy(field->out, hash.bytes, sizeof hash.bytes);
    return true;
}

static bool read_choice(const json_t *value, const struct field *field)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && field->choices[i].name != NULL; i++) {
        if (strcmp(field->choices[i].name, name) == 0) {
            memcpy(field->out, &field->choices[i].value, sizeof field->choices[i].value);
            return true;
        }
    }
    return false;
}

static bool read_value(json_t *value, const struct field *field)
{
    switch (field->kind) {
    case FIELD_TEXT: return read_text(value, field);
    case FIELD_INTEGER: return read_integer(value, field);
    case FIELD_BOOL:
        if (!json_is_boolean(value)) {
            return false;
        }
        *(bool *)field->out = json_is_true(value);
        return true;
    case FIELD_BYTES32: return read_bytes32(value, field);
    case FIELD_CHOICE: return read_choice(value, field);
    case FIELD_OBJECT: *(json_t **)field->out = value; return json_is_object(value);
    case FIELD_ANY: *(json_t **)field->out = value; return true;
    case FIELD_ARRAY:
        *(json_t **)field->out = value;
        return json_is_array(value) && json_array_size(value) >= (size_t)field->min &&
               json_array_size(value) <= (size_t)field->max;
    }
    return false;
}

bool fields_read(json_t *object, const struct field *fields, size_t count, const char **out_wrong)
{
    if (!json_is_object(object)) {
        *out_wrong = "an object";
        return false;
    }
    size_t met = 0;
    for (size_t i = 0; i < count; i++) {
        json_t *value = json_object_get(object, fields[i].name);
        bool is_given = value != NULL && !(fields[i].is_nullable && json_is_null(value));
        met += value != NULL ? 1 : 0;
        if (is_given ? !read_value(value, &fields[i]) : !fields[i].is_optional) {
            *out_wrong = fields[i].name;
            return false;
        }
        if (fields[i].out_is_given != NULL) {
            *fields[i].out_is_given = is_given;
        }
    }
    if (met != json_object_size(object)) {
        *out_wrong = "an unknown field";
        return false;
    }
    return true;
}

const char *fields_choice_name(const struct field_choice *choices, int value)
{
    for (size_t i = 0; choices[i].name != NULL; i++) {
        if (choices[i].value == value) {
            return choices[i].name;
        }
    }
    return "";
}
