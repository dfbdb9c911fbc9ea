/* exchange_format.h - what a format is to the reader, and what the formats share. Inside the room
 * exchange only.
 *
 * Why:     exchange.c holds the table, the first bytes and the fault; a format holds its grammar.
 * Threads: one reader each.
 * Errors:  as exchange.h says; a format reports a fault once, with exchange_fault.
 */
#ifndef IMPRINTCTL_EXCHANGE_FORMAT_H
#define IMPRINTCTL_EXCHANGE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

/* The first bytes, without a byte order mark, from which a format is found out. */
#define EXCHANGE_HEAD_BYTES 4096
/* A line or row of text: a hash, a quality and long names. */
#define EXCHANGE_LINE_BYTES_MAX ((size_t)16 << 10)

struct exchange_reader;

/* A format's state is state_bytes of zeroed memory that it owns between open and close. Only feed
 * and finish are called with a reader that has had no error. */
struct exchange_format {
    const char *name;
    const char *summary;
    bool (*sniff)(const char *head, size_t len); /* NULL: never guessed */
    size_t state_bytes;
    enum imprint_error (*open)(struct exchange_reader *reader, void *state);
    enum imprint_error (*feed)(struct exchange_reader *reader, void *state, const char *bytes,
                               size_t len);
    enum imprint_error (*finish)(struct exchange_reader *reader, void *state);
    void (*close)(void *state); /* NULL: nothing but the memory */
};

extern const struct exchange_format exchange_format_hex;
extern const struct exchange_format exchange_format_pdq;
extern const struct exchange_format exchange_format_base64;
extern const struct exchange_format exchange_format_csv;
extern const struct exchange_format exchange_format_tx;
extern const struct exchange_format exchange_format_stopncii;
extern const struct exchange_format exchange_format_ncmec;
extern const struct exchange_format exchange_format_vics;
extern const struct exchange_format exchange_format_native;

/* --- Towards the reader ---------------------------------------------------------------------- */

/* Hands a record on. What it returns ends the reading. */
IMPRINT_MUST_USE enum imprint_error exchange_emit(struct exchange_reader *reader,
                                                  const struct exchange_record *record);
/* Remembers what is wrong with the whole and returns error. line 0: no place to name. */
IMPRINT_MUST_USE enum imprint_error exchange_fault(struct exchange_reader *reader,
                                                   enum imprint_error error, uint64_t line,
                                                   uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
struct exchange_page *exchange_page_of(struct exchange_reader *reader);
/* NULL: none is demanded. */
const uint8_t *exchange_trusted_key(const struct exchange_reader *reader);

/* --- Pieces of records ------------------------------------------------------------------------ */

/* Sets verb and reason, and detail from len bytes of text. */
void exchange_record_judge(struct exchange_record *record, enum exchange_verb verb,
                           enum exchange_reason reason, const char *detail, size_t len);
/* The same, for a record that is applied; the first note stays. */
void exchange_record_note(struct exchange_record *record, enum exchange_reason reason,
                          const char *detail, size_t len);
/* Copies text into a field of the record, as UTF-8: bytes that are none become U+FFFD. A text that
 * is cut is noted under the field's name. */
void exchange_record_text(struct exchange_record *record, char field[EXCHANGE_TEXT_BYTES_MAX + 1],
                          const char *field_name, const char *text, size_t len);
/* Appends it after a space. */
void exchange_record_append(struct exchange_record *record, char field[EXCHANGE_TEXT_BYTES_MAX + 1],
                            const char *field_name, const char *text, size_t len);
/* Sets the hash from hexadecimal digits, or makes the record invalid. */
void exchange_record_hex(struct exchange_record *record, const char *text, size_t len);
/* The same from 43 or 44 characters of base64. */
void exchange_record_base64(struct exchange_record *record, const char *text, size_t len);
/* A whole number from 0 to 100 into out_quality; false: it is none. */
bool exchange_quality_from_text(const char *text, size_t len, uint8_t *out_quality);
/* "2017-10-24T15:00:00Z", with or without a fraction, into seconds since 1970 UTC. */
bool exchange_time_from_text(const char *text, size_t len, int64_t *out_time);
/* Without blanks at both ends. */
void exchange_trim(const char **text, size_t *len);
bool exchange_text_is(const char *text, size_t len, const char *word);      /* exactly */
bool exchange_text_is_like(const char *text, size_t len, const char *word); /* in either case */
/* Whether head holds the text, as far as head goes. */
bool exchange_head_has(const char *head, size_t len, const char *text);
/* The first line of head that is neither empty nor a comment (#), without its end. */
void exchange_head_line(const char *head, size_t len, const char **out_line, size_t *out_len);

/* --- Lines ------------------------------------------------------------------------------------ */

/* Cuts a stream into lines. LF, CR LF and CR end a line; the last one may lack its end. */
struct exchange_lines {
    char bytes[EXCHANGE_LINE_BYTES_MAX];
    size_t len;
    bool is_too_long; /* the rest of the line is dropped */
    bool was_cr;      /* the last byte ended a line as CR: an LF now is part of that end */
    uint64_t line;    /* of the line being gathered, from 0 */
    uint64_t offset;  /* of its first byte */
    uint64_t bytes_seen;
};

/* One line without its end. is_too_long: bytes holds its beginning only. */
typedef enum imprint_error exchange_line_fn(struct exchange_reader *reader, void *state,
                                            const struct exchange_lines *lines);

IMPRINT_MUST_USE enum imprint_error exchange_lines_feed(struct exchange_lines *lines,
                                                        struct exchange_reader *reader, void *state,
                                                        exchange_line_fn *on_line,
                                                        const char *bytes, size_t len);
IMPRINT_MUST_USE enum imprint_error exchange_lines_finish(struct exchange_lines *lines,
                                                          struct exchange_reader *reader,
                                                          void *state, exchange_line_fn *on_line);
/* A record that begins where the line does. */
void exchange_lines_record(const struct exchange_lines *lines, struct exchange_record *out_record);

#endif
