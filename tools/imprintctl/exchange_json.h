/* exchange_json.h - cuts a JSON document of any size into pieces small enough to be parsed whole.
 * Inside the room exchange only.
 *
 * Why:       a feed or a case file is one object around one array of millions of records. The
 * cutter finds where the records begin and end, by brackets and quotes alone; each record and the
 *            object around them (its array emptied) then goes through jansson, which decides
 * whether it is JSON. So memory is bounded by the largest record, and there is no second opinion
 *            about what JSON is.
 * Ownership: a piece's bytes are the cutter's, during the call.
 * Threads:   one cutter, one thread.
 */
#ifndef IMPRINTCTL_EXCHANGE_JSON_H
#define IMPRINTCTL_EXCHANGE_JSON_H

#include <jansson.h>

#include "exchange_format.h"

#define EXCHANGE_JSON_LEVELS             3 /* the document, its records, records in those */
#define EXCHANGE_JSON_DEPTH_MAX          32
#define EXCHANGE_JSON_DOCUMENT_BYTES_MAX ((size_t)64 << 10)
#define EXCHANGE_JSON_RECORD_BYTES_MAX   ((size_t)1 << 20)

struct exchange_json_piece {
    unsigned level; /* 0: the document, without the records; after them */
    const char *bytes;
    size_t len;
    bool is_too_long; /* bytes is its beginning only */
    uint64_t line;    /* where it begins, from 1 */
    uint64_t offset;
};

typedef enum imprint_error exchange_json_fn(struct exchange_reader *reader, void *state,
                                            const struct exchange_json_piece *piece);

struct exchange_json_level {
    char *bytes;
    size_t capacity;
    size_t len;
    bool is_too_long;
    uint64_t line;
    uint64_t offset;
    size_t depth; /* of the brackets around it */
};

struct exchange_json {
    /* Key of the array whose elements are cut out of level i; NULL: there is none. */
    const char *keys[EXCHANGE_JSON_LEVELS - 1];
    exchange_json_fn *on_piece;
    void *state; /* handed to on_piece */
    struct exchange_json_level levels[EXCHANGE_JSON_LEVELS];
    size_t level;
    char frames[EXCHANGE_JSON_DEPTH_MAX]; /* open brackets; a small letter: an array cut into */
    size_t depth;
    size_t string_at; /* the last string of the level, without quotes */
    size_t string_len;
    bool in_string;
    bool is_escaped;
    bool has_key; /* a colon followed that string */
    uint64_t documents;
    uint64_t line;
    uint64_t offset;
};

IMPRINT_MUST_USE enum imprint_error exchange_json_open(struct exchange_json *json);
IMPRINT_MUST_USE enum imprint_error exchange_json_feed(struct exchange_json *json,
                                                       struct exchange_reader *reader,
                                                       const char *bytes, size_t len);
/* A fault unless at least one document was there and none is unfinished. */
IMPRINT_MUST_USE enum imprint_error exchange_json_finish(struct exchange_json *json,
                                                         struct exchange_reader *reader);
void exchange_json_close(struct exchange_json *json);

/* A piece as an object, to be released with json_decref. With the piece too long or no JSON object,
 * *out_object is NULL and the record says so. */
IMPRINT_MUST_USE enum imprint_error exchange_json_object(const struct exchange_json_piece *piece,
                                                         struct exchange_record *out_record,
                                                         json_t **out_object);
/* The document itself, whose array under key must be there; a fault otherwise. */
IMPRINT_MUST_USE enum imprint_error exchange_json_document(struct exchange_reader *reader,
                                                           const struct exchange_json_piece *piece,
                                                           const char *key, json_t **out_object);
/* Copies a string or a whole number under key into a field of the record; anything else is "". */
void exchange_json_text(struct exchange_record *record, char field[EXCHANGE_TEXT_BYTES_MAX + 1],
                        const json_t *object, const char *key);

#endif
