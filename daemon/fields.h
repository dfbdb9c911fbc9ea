/* fields.h - strict reading of JSON objects: a closed list of fields, each with type and range.
 *
 * Why:       every body and file Imprint takes has a closed key list; a typing mistake in a key
 * must not silently mean "not given". The lists are tables. Ownership: outputs are the caller's and
 * are written as fields are met: use them only when the whole object was fine. Texts are copied
 * with a NUL. Threads:   any; no state. Pure.
 */
#ifndef DAEMON_FIELDS_H
#define DAEMON_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "imprint/error.h"

enum field_kind {
    FIELD_TEXT,    /* out: char[max + 1]; min..max bytes */
    FIELD_INTEGER, /* out: int64_t; min..max */
    FIELD_BOOL,    /* out: bool */
    FIELD_BYTES32, /* out: uint8_t[32], of 64 hexadecimal digits */
    FIELD_CHOICE,  /* out: int; one of choices */
    FIELD_OBJECT,  /* out: json_t *, borrowed */
    FIELD_ARRAY,   /* out: json_t *, borrowed; min..max elements */
    FIELD_ANY,     /* out: json_t *, borrowed */
};

struct field_choice {
    const char *name; /* NULL ends the list */
    int value;
};

struct field {
    const char *name;
    enum field_kind kind;
    bool is_optional;
    bool is_nullable; /* null is taken as absent */
    int64_t min;
    int64_t max;
    const struct field_choice *choices;
    void *out;
    bool *out_is_given; /* may be NULL */
};

/* Parses len bytes as one JSON value nesting at most depth_max deep, duplicate keys refused. NULL
 * when they are not that. */
json_t *fields_parse(const void *bytes, size_t len, unsigned depth_max);

/* Reads an object whose keys are all among fields. False: *out_wrong is the name of the first
 * field that is missing, of the wrong type or out of range, or "an unknown field". */
bool fields_read(json_t *object, const struct field *fields, size_t count, const char **out_wrong);

/* The name of a value, or "". */
const char *fields_choice_name(const struct field_choice *choices, int value);

#endif
