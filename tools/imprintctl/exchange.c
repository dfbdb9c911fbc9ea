#include "exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange_format.h"

/* In the order in which they are guessed: the telling ones first. */
static const struct exchange_format *const exchange_formats[] = {
    &exchange_format_native, &exchange_format_stopncii, &exchange_format_vics,
    &exchange_format_ncmec,  &exchange_format_tx,       &exchange_format_hex,
    &exchange_format_pdq,    &exchange_format_base64,   &exchange_format_csv,
};

#define EXCHANGE_FORMAT_COUNT (sizeof exchange_formats / sizeof exchange_formats[0])

/* libsodium's running digests stand on cache lines. */
#define EXCHANGE_STATE_ALIGN ((size_t)64)

/* Of a format that was named only a byte order mark is awaited. */
#define EXCHANGE_MARK_BYTES 3

struct exchange_reader {
    struct exchange_reader_options options;
    const struct exchange_format *format; /* NULL: not known yet */
    void *state;                          /* NULL: not opened yet */
    enum imprint_error error;             /* sticky */
    struct exchange_fault fault;
    struct exchange_page page;
    size_t head_len;
    char head[EXCHANGE_HEAD_BYTES];
};

/* --- The table ------------------------------------------------------------------------------- */

const char *exchange_format_name(size_t index)
{
    return index < EXCHANGE_FORMAT_COUNT ? exchange_formats[index]->name : NULL;
}

const char *exchange_format_summary(size_t index)
{
    return index < EXCHANGE_FORMAT_COUNT ? exchange_formats[index]->summary : NULL;
}

static const struct exchange_format *exchange_format_find(const char *name)
{
    for (size_t i = 0; i < EXCHANGE_FORMAT_COUNT; i++) {
        if (strcmp(exchange_formats[i]->name, name) == 0) {
            return exchange_formats[i];
        }
    }
    return NULL;
}

static const struct exchange_format *exchange_format_guess(const char *head, size_t len)
{
    for (size_t i = 0; i < EXCHANGE_FORMAT_COUNT; i++) {
        if (exchange_formats[i]->sniff(head, len)) {
            return exchange_formats[i];
        }
    }
    return NULL;
}

/* --- Towards the formats --------------------------------------------------------------------- */

enum imprint_error exchange_emit(struct exchange_reader *reader,
                                 const struct exchange_record *record)
{
    return reader->options.on_record(reader->options.context, record);
}

enum imprint_error exchange_fault(struct exchange_reader *reader, enum imprint_error error,
                                  uint64_t line, uint64_t offset, const char *format, ...)
{
    reader->fault = (struct exchange_fault){.error = error, .line = line, .offset = offset};
    va_list args;
    va_start(args, format);
    vsnprintf(reader->fault.text, sizeof reader->fault.text, format, args);
    va_end(args);
    return error;
}

struct exchange_page *exchange_page_of(struct exchange_reader *reader)
{
    return &reader->page;
}

const uint8_t *exchange_trusted_key(const struct exchange_reader *reader)
{
    return reader->options.trusted_key;
}

/* --- The reader ------------------------------------------------------------------------------ */

enum imprint_error exchange_reader_open(const struct exchange_reader_options *options,
                                        struct exchange_reader **out_reader)
{
    const struct exchange_format *format = NULL;
    if (options->format != NULL) {
        format = exchange_format_find(options->format);
        if (format == NULL) {
            return IMPRINT_E_PARAMETER_INVALID;
        }
    }
    struct exchange_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return IMPRINT_E_NOMEM;
    }
    reader->options = *options;
    reader->format = format;
    *out_reader = reader;
    return IMPRINT_OK;
}

void exchange_reader_close(struct exchange_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->state != NULL) {
        if (reader->format->close != NULL) {
            reader->format->close(reader->state);
        }
        free(reader->state);
    }
    free(reader);
}

/* Drops a byte order mark: Windows programs put one before JSON and CSV alike. */
static enum imprint_error exchange_reader_strip_mark(struct exchange_reader *reader)
{
    static const char utf8_mark[] = "\xef\xbb\xbf";
    if (reader->head_len >= 3 && memcmp(reader->head, utf8_mark, 3) == 0) {
        reader->head_len -= 3;
        memmove(reader->head, reader->head + 3, reader->head_len);
    }
    if (reader->head_len >= 2 && reader->format != &exchange_format_ncmec &&
        (memcmp(reader->head, "\xff\xfe", 2) == 0 || memcmp(reader->head, "\xfe\xff", 2) == 0)) {
        return exchange_fault(reader, IMPRINT_E_PARAMETER_INVALID, 1, 0,
                              "the file is UTF-16 text; save it as UTF-8");
    }
    return IMPRINT_OK;
}

/* The head is there: finds the format and gives it the head. */
static enum imprint_error exchange_reader_begin(struct exchange_reader *reader)
{
    enum imprint_error error = exchange_reader_strip_mark(reader);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (reader->format == NULL) {
        reader->format = exchange_format_guess(reader->head, reader->head_len);
    }
    if (reader->format == NULL) {
        return exchange_fault(reader, IMPRINT_E_PARAMETER_INVALID, 1, 0,
                              reader->head_len == 0 ? "the file is empty"
                                                    : "the format cannot be told from the file's "
                                                      "beginning; name it");
    }
    const size_t state_bytes = (reader->format->state_bytes + EXCHANGE_STATE_ALIGN - 1) /
                               EXCHANGE_STATE_ALIGN * EXCHANGE_STATE_ALIGN;
    reader->state = aligned_alloc(EXCHANGE_STATE_ALIGN, state_bytes);
    if (reader->state == NULL) {
        return IMPRINT_E_NOMEM;
    }
    memset(reader->state, 0, state_bytes);
    error = reader->format->open(reader, reader->state);
    if (error == IMPRINT_OK) {
        error = reader->format->feed(reader, reader->state, reader->head, reader->head_len);
    }
    return error;
}

/* What a callback returned has no fault of its own. */
static enum imprint_error exchange_reader_settle(struct exchange_reader *reader,
                                                 enum imprint_error error)
{
    reader->error = error;
    if (error != IMPRINT_OK && reader->fault.error == IMPRINT_OK) {
        return exchange_fault(reader, error, 0, 0, "%s", imprint_error_text(error));
    }
    return error;
}

enum imprint_error exchange_reader_feed(struct exchange_reader *reader, const void *bytes,
                                        size_t len)
{
    if (reader->error != IMPRINT_OK || len == 0) {
        return reader->error;
    }
    const char *rest = bytes;
    if (reader->state == NULL) {
        const size_t goal = reader->format != NULL ? EXCHANGE_MARK_BYTES : sizeof reader->head;
        const size_t room = goal - reader->head_len;
        const size_t taken = len < room ? len : room;
        memcpy(reader->head + reader->head_len, rest, taken);
        reader->head_len += taken;
        rest += taken;
        len -= taken;
        if (reader->head_len < goal) {
            return IMPRINT_OK;
        }
        if (exchange_reader_settle(reader, exchange_reader_begin(reader)) != IMPRINT_OK) {
            return reader->error;
        }
    }
    if (len == 0) {
        return IMPRINT_OK;
    }
    return exchange_reader_settle(reader, reader->format->feed(reader, reader->state, rest, len));
}

enum imprint_error exchange_reader_finish(struct exchange_reader *reader)
{
    if (reader->error == IMPRINT_OK && reader->state == NULL) {
        (void)exchange_reader_settle(reader, exchange_reader_begin(reader));
    }
    if (reader->error != IMPRINT_OK) {
        return reader->error;
    }
    return exchange_reader_settle(reader, reader->format->finish(reader, reader->state));
}

const struct exchange_fault *exchange_reader_fault(const struct exchange_reader *reader)
{
    return &reader->fault;
}

const struct exchange_page *exchange_reader_page(const struct exchange_reader *reader)
{
    return &reader->page;
}

const char *exchange_reader_format(const struct exchange_reader *reader)
{
    return reader->format != NULL ? reader->format->name : NULL;
}

/* --- Reasons and counts ---------------------------------------------------------------------- */

const char *exchange_reason_text(enum exchange_reason reason)
{
    switch (reason) {
    case EXCHANGE_REASON_NONE: return "nothing to remark";
    case EXCHANGE_REASON_SIGNAL_TYPE: return "a hash of another kind than PDQ";
    case EXCHANGE_REASON_NO_PDQ: return "an entry without a PDQ hash";
    case EXCHANGE_REASON_NEGATIVE: return "marked by its source as not to be matched";
    case EXCHANGE_REASON_HASH: return "not a PDQ hash";
    case EXCHANGE_REASON_QUALITY: return "a quality is a whole number from 0 to 100";
    case EXCHANGE_REASON_FIELD: return "a field is missing or of the wrong kind";
    case EXCHANGE_REASON_SYNTAX: return "not a record of this format";
    case EXCHANGE_REASON_TOO_LONG: return "longer than any proper record";
    case EXCHANGE_REASON_UNKNOWN_VALUE: return "kept, with a value that is not known here";
    case EXCHANGE_REASON_SHORTENED: return "kept, with a text that was cut short";
    case EXCHANGE_REASON_COUNT: break;
    }
    return "nothing to remark";
}

/* Invalid records push out noted ones: nobody should miss an error behind twenty remarks. */
static void exchange_summary_keep(struct exchange_summary *summary,
                                  const struct exchange_record *record)
{
    size_t place = summary->issue_count;
    if (record->verb == EXCHANGE_INVALID && place == EXCHANGE_ISSUES_MAX) {
        while (place > 0 && summary->issues[place - 1].reason < EXCHANGE_REASON_UNKNOWN_VALUE) {
            place--;
        }
        if (place == 0) {
            return;
        }
        place--;
        const size_t after = EXCHANGE_ISSUES_MAX - 1 - place;
        memmove(&summary->issues[place], &summary->issues[place + 1],
                after * sizeof summary->issues[0]);
        place = EXCHANGE_ISSUES_MAX - 1;
    } else if (place == EXCHANGE_ISSUES_MAX) {
        return;
    } else {
        summary->issue_count++;
    }
    struct exchange_issue *issue = &summary->issues[place];
    issue->line = record->line;
    issue->reason = record->reason;
    memcpy(issue->detail, record->detail, sizeof issue->detail);
}

void exchange_summary_count(struct exchange_summary *summary, const struct exchange_record *record)
{
    summary->records++;
    summary->by_reason[record->reason]++;
    switch (record->verb) {
    case EXCHANGE_ADD: summary->adds++; break;
    case EXCHANGE_REMOVE: summary->removes++; break;
    case EXCHANGE_SKIP: summary->skipped++; return;
    case EXCHANGE_INVALID:
        summary->invalid++;
        exchange_summary_keep(summary, record);
        return;
    }
    if (record->reason != EXCHANGE_REASON_NONE) {
        summary->noted++;
        exchange_summary_keep(summary, record);
    }
}
