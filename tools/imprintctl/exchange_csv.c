/* "hash[,quality|name...]": what hashing tools print. With a header its words say what the columns
 * are; without one the second column is a quality where all of the first rows have one there.
 *
 * These tools write a file's name as it is, quotes included, so a row is a line whatever its
 * quotes: a stray one must not swallow the rows after it. */
#include <string.h>

#include "exchange_format.h"

#define EXCHANGE_CSV_COLUMNS_MAX 32
#define EXCHANGE_CSV_HELD_ROWS   64
#define EXCHANGE_CSV_HELD_BYTES  ((size_t)64 << 10)

enum exchange_column {
    EXCHANGE_COLUMN_OTHER, /* read past */
    EXCHANGE_COLUMN_HASH,
    EXCHANGE_COLUMN_QUALITY,
    EXCHANGE_COLUMN_NAME,
    EXCHANGE_COLUMN_ID,
    EXCHANGE_COLUMN_TAGS,
    EXCHANGE_COLUMN_REST, /* a name that takes all that is left of the line */
};

static const struct {
    const char *word;
    enum exchange_column column;
} exchange_csv_words[] = {
    {"hash", EXCHANGE_COLUMN_HASH},       {"pdq", EXCHANGE_COLUMN_HASH},
    {"pdq_hash", EXCHANGE_COLUMN_HASH},   {"pdqhash", EXCHANGE_COLUMN_HASH},
    {"hashvalue", EXCHANGE_COLUMN_HASH},  {"hash_value", EXCHANGE_COLUMN_HASH},
    {"quality", EXCHANGE_COLUMN_QUALITY}, {"pdq_quality", EXCHANGE_COLUMN_QUALITY},
    {"name", EXCHANGE_COLUMN_NAME},       {"filename", EXCHANGE_COLUMN_NAME},
    {"file", EXCHANGE_COLUMN_NAME},       {"path", EXCHANGE_COLUMN_NAME},
    {"url", EXCHANGE_COLUMN_NAME},        {"id", EXCHANGE_COLUMN_ID},
    {"case", EXCHANGE_COLUMN_ID},         {"tags", EXCHANGE_COLUMN_TAGS},
};

struct exchange_held_row {
    uint64_t line;
    uint64_t offset;
    size_t at; /* in held */
    size_t len;
};

struct exchange_csv {
    struct exchange_lines lines;
    char delimiter;  /* NUL: the first row was not seen */
    bool is_decided; /* columns says what the columns are */
    enum exchange_column columns[EXCHANGE_CSV_COLUMNS_MAX];
    size_t column_count;
    struct exchange_held_row rows[EXCHANGE_CSV_HELD_ROWS]; /* until it is decided */
    size_t row_count;
    char held[EXCHANGE_CSV_HELD_BYTES];
    size_t held_len;
    char field[EXCHANGE_LINE_BYTES_MAX];
};

/* --- One row ----------------------------------------------------------------------------------*/

/* Where a row is read: what is left of it, and whether a column begins there. */
struct exchange_row_cursor {
    const char *text;
    size_t len;
    bool has_column;
};

/* The length of a quoted field with its quotes, the content going to out; 0: this is none. */
static size_t exchange_csv_unquote(const char *text, size_t len, char delimiter, char *out,
                                   size_t *out_len)
{
    if (len < 2 || text[0] != '"') {
        return 0;
    }
    size_t count = 0;
    for (size_t i = 1; i < len; i++) {
        if (text[i] == '"' && i + 1 < len && text[i + 1] == '"') {
            i++;
        } else if (text[i] == '"') {
            if (i + 1 < len && text[i + 1] != delimiter) {
                return 0;
            }
            *out_len = count;
            return i + 1;
        }
        out[count++] = text[i];
    }
    return 0;
}

/* Reads a column into csv->field; with takes_rest all that is left is one. */
static size_t exchange_csv_column(struct exchange_csv *csv, struct exchange_row_cursor *cursor,
                                  bool takes_rest)
{
    size_t len = 0;
    size_t used = exchange_csv_unquote(cursor->text, cursor->len, csv->delimiter, csv->field, &len);
    if (used == 0 || (takes_rest && used < cursor->len)) {
        const char *end = takes_rest ? NULL : memchr(cursor->text, csv->delimiter, cursor->len);
        used = end != NULL ? (size_t)(end - cursor->text) : cursor->len;
        memcpy(csv->field, cursor->text, used);
        len = used;
    }
    cursor->has_column = used < cursor->len;
    const size_t step = used + (cursor->has_column ? 1 : 0);
    cursor->text += step;
    cursor->len -= step;
    return len;
}

static void exchange_csv_quality(struct exchange_record *record, const char *text, size_t len)
{
    if (len > 0 && record->verb != EXCHANGE_INVALID &&
        !exchange_quality_from_text(text, len, &record->quality)) {
        exchange_record_judge(record, EXCHANGE_INVALID, EXCHANGE_REASON_QUALITY, text, len);
    }
}

static void exchange_csv_set(struct exchange_record *record, enum exchange_column column,
                             const char *text, size_t len)
{
    exchange_trim(&text, &len);
    switch (column) {
    case EXCHANGE_COLUMN_HASH: exchange_record_hex(record, text, len); break;
    case EXCHANGE_COLUMN_QUALITY: exchange_csv_quality(record, text, len); break;
    case EXCHANGE_COLUMN_NAME:
    case EXCHANGE_COLUMN_REST: exchange_record_text(record, record->name, "name", text, len); break;
    case EXCHANGE_COLUMN_ID: exchange_record_text(record, record->id, "id", text, len); break;
    case EXCHANGE_COLUMN_TAGS: exchange_record_text(record, record->tags, "tags", text, len); break;
    case EXCHANGE_COLUMN_OTHER: break;
    }
}

static enum imprint_error exchange_csv_row(struct exchange_csv *csv, struct exchange_reader *reader,
                                           const struct exchange_held_row *row, const char *text)
{
    struct exchange_record record;
    exchange_record_init(&record);
    record.line = row->line;
    record.offset = row->offset;
    struct exchange_row_cursor cursor = {.text = text, .len = row->len, .has_column = true};
    for (size_t i = 0; i < csv->column_count && cursor.has_column; i++) {
        const size_t len =
            exchange_csv_column(csv, &cursor, csv->columns[i] == EXCHANGE_COLUMN_REST);
        exchange_csv_set(&record, csv->columns[i], csv->field, len);
    }
    if (!record.has_hash && record.verb != EXCHANGE_INVALID) {
        exchange_record_judge(&record, EXCHANGE_INVALID, EXCHANGE_REASON_FIELD, "hash", 4);
    }
    return exchange_emit(reader, &record);
}

/* --- Which column is which ------------------------------------------------------------------- */

static enum exchange_column exchange_csv_word(const char *text, size_t len)
{
    exchange_trim(&text, &len);
    for (size_t i = 0; i < sizeof exchange_csv_words / sizeof exchange_csv_words[0]; i++) {
        if (exchange_text_is_like(text, len, exchange_csv_words[i].word)) {
            return exchange_csv_words[i].column;
        }
    }
    return EXCHANGE_COLUMN_OTHER;
}

/* The character after the first column, where it is one that separates columns. */
static char exchange_csv_delimiter(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ',' || text[i] == ';' || text[i] == '\t') {
            return text[i];
        }
    }
    return ',';
}

/* Takes the first row as a header if one of its words means a hash. */
static bool exchange_csv_header(struct exchange_csv *csv, const char *text, size_t len)
{
    struct exchange_row_cursor cursor = {.text = text, .len = len, .has_column = true};
    bool has_hash = false;
    size_t count = 0;
    while (cursor.has_column && count < EXCHANGE_CSV_COLUMNS_MAX) {
        const size_t field_len = exchange_csv_column(csv, &cursor, false);
        csv->columns[count] = exchange_csv_word(csv->field, field_len);
        has_hash = has_hash || csv->columns[count] == EXCHANGE_COLUMN_HASH;
        count++;
    }
    if (has_hash) {
        csv->column_count = count;
        csv->is_decided = true;
    }
    return has_hash;
}

/* The second column of a held row, trimmed; its length is 0 where there is none. */
static const char *exchange_csv_second(struct exchange_csv *csv,
                                       const struct exchange_held_row *row, size_t *out_len)
{
    struct exchange_row_cursor cursor = {
        .text = csv->held + row->at, .len = row->len, .has_column = true};
    (void)exchange_csv_column(csv, &cursor, false);
    *out_len = cursor.has_column ? exchange_csv_column(csv, &cursor, false) : 0;
    const char *text = csv->field;
    exchange_trim(&text, out_len);
    return text;
}

/* Whether the held rows have nothing but small numbers in the second column, and qualities in most
 * of those: one wrong quality is a wrong row, not a name. */
static bool exchange_csv_has_qualities(struct exchange_csv *csv)
{
    size_t numbers = 0;
    size_t qualities = 0;
    for (size_t i = 0; i < csv->row_count; i++) {
        size_t len;
        const char *text = exchange_csv_second(csv, &csv->rows[i], &len);
        size_t digits = 0;
        while (digits < len && text[digits] >= '0' && text[digits] <= '9') {
            digits++;
        }
        if (digits < len || len > 3) {
            return false;
        }
        uint8_t quality;
        numbers += len > 0;
        qualities += exchange_quality_from_text(text, len, &quality);
    }
    return 2 * qualities > numbers;
}

/* Decides from the held rows and lets them go. */
static enum imprint_error exchange_csv_decide(struct exchange_csv *csv,
                                              struct exchange_reader *reader)
{
    csv->columns[csv->column_count++] = EXCHANGE_COLUMN_HASH;
    if (exchange_csv_has_qualities(csv)) {
        csv->columns[csv->column_count++] = EXCHANGE_COLUMN_QUALITY;
    }
    csv->columns[csv->column_count++] = EXCHANGE_COLUMN_REST;
    csv->is_decided = true;
    enum imprint_error error = IMPRINT_OK;
    for (size_t i = 0; i < csv->row_count && error == IMPRINT_OK; i++) {
        error = exchange_csv_row(csv, reader, &csv->rows[i], csv->held + csv->rows[i].at);
    }
    return error;
}

/* --- The stream ------------------------------------------------------------------------------ */

static void exchange_csv_hold(struct exchange_csv *csv, const struct exchange_held_row *row,
                              const char *text)
{
    struct exchange_held_row *held = &csv->rows[csv->row_count++];
    *held = *row;
    held->at = csv->held_len;
    memcpy(csv->held + csv->held_len, text, row->len);
    csv->held_len += row->len;
}

static enum imprint_error exchange_csv_take(struct exchange_csv *csv,
                                            struct exchange_reader *reader,
                                            const struct exchange_held_row *row, const char *text)
{
    if (csv->delimiter == '\0') {
        csv->delimiter = exchange_csv_delimiter(text, row->len);
        if (exchange_csv_header(csv, text, row->len)) {
            return IMPRINT_OK;
        }
    }
    if (!csv->is_decided) {
        if (csv->row_count < EXCHANGE_CSV_HELD_ROWS &&
            row->len <= EXCHANGE_CSV_HELD_BYTES - csv->held_len) {
            exchange_csv_hold(csv, row, text);
            return IMPRINT_OK;
        }
        const enum imprint_error error = exchange_csv_decide(csv, reader);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    return exchange_csv_row(csv, reader, row, text);
}

/* A row too long to be held must not overtake those that are. */
static enum imprint_error exchange_csv_too_long(struct exchange_csv *csv,
                                                struct exchange_reader *reader,
                                                const struct exchange_lines *lines)
{
    if (!csv->is_decided && csv->row_count > 0) {
        const enum imprint_error error = exchange_csv_decide(csv, reader);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    struct exchange_record record;
    exchange_lines_record(lines, &record);
    exchange_record_judge(&record, EXCHANGE_INVALID, EXCHANGE_REASON_TOO_LONG, "", 0);
    return exchange_emit(reader, &record);
}

static enum imprint_error exchange_csv_line(struct exchange_reader *reader, void *state,
                                            const struct exchange_lines *lines)
{
    struct exchange_csv *csv = state;
    if (lines->is_too_long) {
        return exchange_csv_too_long(csv, reader, lines);
    }
    const char *text = lines->bytes;
    size_t len = lines->len;
    exchange_trim(&text, &len);
    if (len == 0 || text[0] == '#') {
        return IMPRINT_OK;
    }
    const struct exchange_held_row row = {
        .line = lines->line + 1, .offset = lines->offset, .at = 0, .len = len};
    return exchange_csv_take(csv, reader, &row, text);
}

static enum imprint_error exchange_csv_open(struct exchange_reader *reader, void *state)
{
    (void)reader;
    (void)state;
    return IMPRINT_OK;
}

static enum imprint_error exchange_csv_feed(struct exchange_reader *reader, void *state,
                                            const char *bytes, size_t len)
{
    struct exchange_csv *csv = state;
    return exchange_lines_feed(&csv->lines, reader, csv, exchange_csv_line, bytes, len);
}

static enum imprint_error exchange_csv_finish(struct exchange_reader *reader, void *state)
{
    struct exchange_csv *csv = state;
    const enum imprint_error error =
        exchange_lines_finish(&csv->lines, reader, csv, exchange_csv_line);
    if (error != IMPRINT_OK || csv->is_decided || csv->row_count == 0) {
        return error;
    }
    return exchange_csv_decide(csv, reader);
}

static bool exchange_csv_sniff(const char *head, size_t len)
{
    const char *line;
    size_t line_len;
    exchange_head_line(head, len, &line, &line_len);
    const char delimiter = exchange_csv_delimiter(line, line_len);
    bool is_csv = false;
    while (line_len > 0 && !is_csv) {
        const char *end = memchr(line, delimiter, line_len);
        size_t field_len = end != NULL ? (size_t)(end - line) : line_len;
        const size_t step = field_len < line_len ? field_len + 1 : field_len;
        const char *field = line;
        if (field_len >= 2 && field[0] == '"' && field[field_len - 1] == '"') {
            field++;
            field_len -= 2;
        }
        struct imprint_hash hash;
        is_csv = exchange_csv_word(field, field_len) == EXCHANGE_COLUMN_HASH ||
                 imprint_hash_from_hex(field, field_len, &hash) == IMPRINT_OK;
        line += step;
        line_len -= step;
    }
    return is_csv;
}

const struct exchange_format exchange_format_csv = {
    .name = "csv",
    .summary = "hash[,quality|name...] a line, with or without a header",
    .sniff = exchange_csv_sniff,
    .state_bytes = sizeof(struct exchange_csv),
    .open = exchange_csv_open,
    .feed = exchange_csv_feed,
    .finish = exchange_csv_finish,
};
