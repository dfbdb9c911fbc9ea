/* The CSV of `tx dataset --csv`: signal_type,signal_str,collab,category,tags, quoted as RFC 4180
 * says, so that a field may hold separators and line ends. */
#include <string.h>

#include "exchange_format.h"

#define EXCHANGE_TX_COLUMNS_MAX 16

enum exchange_tx_column {
    EXCHANGE_TX_TYPE,
    EXCHANGE_TX_VALUE,
    EXCHANGE_TX_COLLAB,
    EXCHANGE_TX_CATEGORY,
    EXCHANGE_TX_TAGS,
    EXCHANGE_TX_COLUMN_COUNT
};

static const char *const exchange_tx_words[EXCHANGE_TX_COLUMN_COUNT] = {
    "signal_type", "signal_str", "collab", "category", "tags",
};

enum exchange_tx_position {
    EXCHANGE_TX_FIELD_START,
    EXCHANGE_TX_PLAIN,
    EXCHANGE_TX_QUOTED,
    EXCHANGE_TX_QUOTE, /* one in a quoted field: its end, or the first of two */
};

struct exchange_tx {
    enum exchange_tx_position position;
    bool was_cr;
    bool is_too_long;
    bool is_misquoted;
    uint64_t line; /* ends of lines seen */
    uint64_t offset;
    uint64_t row_line; /* where the row begins */
    uint64_t row_offset;
    uint64_t quote_line;               /* where the quoted field begins */
    char row[EXCHANGE_LINE_BYTES_MAX]; /* the fields, one after the other */
    size_t row_len;
    size_t ends[EXCHANGE_TX_COLUMNS_MAX]; /* of the fields in row */
    size_t field_count;
    size_t header_count;                     /* columns of the header; 0: it was not seen */
    size_t places[EXCHANGE_TX_COLUMN_COUNT]; /* of our columns in a row */
    bool has_column[EXCHANGE_TX_COLUMN_COUNT];
};

/* --- A row ----------------------------------------------------------------------------------- */

static const char *exchange_tx_field(const struct exchange_tx *tx, size_t index, size_t *out_len)
{
    const size_t begin = index > 0 ? tx->ends[index - 1] : 0;
    *out_len = tx->ends[index] - begin;
    return tx->row + begin;
}

static enum imprint_error exchange_tx_header(struct exchange_tx *tx, struct exchange_reader *reader)
{
    for (size_t i = 0; i < tx->field_count; i++) {
        size_t len;
        const char *text = exchange_tx_field(tx, i, &len);
        exchange_trim(&text, &len);
        for (size_t word = 0; word < EXCHANGE_TX_COLUMN_COUNT; word++) {
            if (exchange_text_is_like(text, len, exchange_tx_words[word])) {
                tx->places[word] = i;
                tx->has_column[word] = true;
            }
        }
    }
    if (tx->is_too_long || tx->is_misquoted || !tx->has_column[EXCHANGE_TX_TYPE] ||
        !tx->has_column[EXCHANGE_TX_VALUE]) {
        return exchange_fault(reader, IMPRINT_E_PARAMETER_INVALID, tx->row_line + 1, tx->row_offset,
                              "the first row does not name the columns signal_type and signal_str");
    }
    tx->header_count = tx->field_count;
    return IMPRINT_OK;
}

static const char *exchange_tx_column(const struct exchange_tx *tx, enum exchange_tx_column column,
                                      size_t *out_len)
{
    *out_len = 0;
    return tx->has_column[column] ? exchange_tx_field(tx, tx->places[column], out_len) : "";
}

static void exchange_tx_category(struct exchange_record *record)
{
    static const char *const known[] = {"", "POSITIVE_CLASS", "INVESTIGATION_SEED", "DISPUTED"};
    const size_t len = strlen(record->status);
    if (strcmp(record->status, "NEGATIVE_CLASS") == 0) {
        exchange_record_judge(record, EXCHANGE_SKIP, EXCHANGE_REASON_NEGATIVE, record->status, len);
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(record->status, known[i]) == 0) {
            return;
        }
    }
    exchange_record_note(record, EXCHANGE_REASON_UNKNOWN_VALUE, record->status, len);
}

static void exchange_tx_fill(const struct exchange_tx *tx, struct exchange_record *record)
{
    size_t len;
    const char *text = exchange_tx_column(tx, EXCHANGE_TX_TYPE, &len);
    exchange_trim(&text, &len);
    if (!exchange_text_is_like(text, len, "pdq")) {
        exchange_record_judge(record, EXCHANGE_SKIP, EXCHANGE_REASON_SIGNAL_TYPE, text, len);
        return;
    }
    text = exchange_tx_column(tx, EXCHANGE_TX_VALUE, &len);
    exchange_trim(&text, &len);
    exchange_record_hex(record, text, len);
    if (!record->has_hash) {
        return;
    }
    text = exchange_tx_column(tx, EXCHANGE_TX_COLLAB, &len);
    exchange_record_text(record, record->name, "collab", text, len);
    text = exchange_tx_column(tx, EXCHANGE_TX_TAGS, &len);
    exchange_record_text(record, record->tags, "tags", text, len);
    text = exchange_tx_column(tx, EXCHANGE_TX_CATEGORY, &len);
    exchange_trim(&text, &len);
    exchange_record_text(record, record->status, "category", text, len);
    exchange_tx_category(record);
}

static void exchange_tx_end_field(struct exchange_tx *tx)
{
    if (tx->field_count < EXCHANGE_TX_COLUMNS_MAX) {
        tx->ends[tx->field_count++] = tx->row_len;
    } else {
        tx->is_misquoted = true;
    }
    tx->position = EXCHANGE_TX_FIELD_START;
}

static enum imprint_error exchange_tx_row(struct exchange_tx *tx, struct exchange_reader *reader)
{
    if (tx->header_count == 0) {
        return exchange_tx_header(tx, reader);
    }
    struct exchange_record record;
    exchange_record_init(&record);
    record.line = tx->row_line + 1;
    record.offset = tx->row_offset;
    if (tx->is_too_long) {
        exchange_record_judge(&record, EXCHANGE_INVALID, EXCHANGE_REASON_TOO_LONG, "", 0);
    } else if (tx->is_misquoted || tx->field_count != tx->header_count) {
        exchange_record_judge(&record, EXCHANGE_INVALID, EXCHANGE_REASON_SYNTAX, "", 0);
    } else {
        exchange_tx_fill(tx, &record);
    }
    return exchange_emit(reader, &record);
}

static enum imprint_error exchange_tx_end_row(struct exchange_tx *tx,
                                              struct exchange_reader *reader)
{
    const bool is_empty =
        tx->field_count == 0 && tx->row_len == 0 && tx->position == EXCHANGE_TX_FIELD_START;
    enum imprint_error error = IMPRINT_OK;
    if (!is_empty) {
        exchange_tx_end_field(tx);
        error = exchange_tx_row(tx, reader);
    }
    tx->row_len = 0;
    tx->field_count = 0;
    tx->is_too_long = false;
    tx->is_misquoted = false;
    tx->position = EXCHANGE_TX_FIELD_START;
    tx->row_line = tx->line;
    tx->row_offset = tx->offset;
    return error;
}

/* --- The stream ------------------------------------------------------------------------------ */

static void exchange_tx_add(struct exchange_tx *tx, char c)
{
    if (tx->row_len < sizeof tx->row) {
        tx->row[tx->row_len++] = c;
    } else {
        tx->is_too_long = true;
    }
}

/* A quoted field that does not end would swallow all rows after it, so it is no row's matter. */
static enum imprint_error exchange_tx_unended(struct exchange_tx *tx,
                                              struct exchange_reader *reader)
{
    return exchange_fault(reader, IMPRINT_E_PARAMETER_INVALID, tx->quote_line + 1, tx->row_offset,
                          "a quoted field begins here and does not end");
}

static enum imprint_error exchange_tx_plain(struct exchange_tx *tx, struct exchange_reader *reader,
                                            char c)
{
    if (c == '\n' || c == '\r') {
        return exchange_tx_end_row(tx, reader);
    }
    if (c == ',') {
        exchange_tx_end_field(tx);
    } else if (c == '"' && tx->position == EXCHANGE_TX_FIELD_START) {
        tx->position = EXCHANGE_TX_QUOTED;
        tx->quote_line = tx->line;
    } else if (c == '"' && tx->position == EXCHANGE_TX_QUOTE) {
        tx->position = EXCHANGE_TX_QUOTED;
        exchange_tx_add(tx, c);
    } else {
        tx->is_misquoted = tx->is_misquoted || c == '"' || tx->position == EXCHANGE_TX_QUOTE;
        tx->position = EXCHANGE_TX_PLAIN;
        exchange_tx_add(tx, c);
    }
    return IMPRINT_OK;
}

static enum imprint_error exchange_tx_byte(struct exchange_tx *tx, struct exchange_reader *reader,
                                           char c)
{
    tx->offset++;
    if (c == '\n' && tx->was_cr && tx->position != EXCHANGE_TX_QUOTED) {
        tx->was_cr = false;
        tx->row_offset = tx->offset;
        return IMPRINT_OK;
    }
    if (c == '\r' || (c == '\n' && !tx->was_cr)) {
        tx->line++;
    }
    tx->was_cr = c == '\r';
    if (tx->position != EXCHANGE_TX_QUOTED) {
        return exchange_tx_plain(tx, reader, c);
    }
    if (c == '"') {
        tx->position = EXCHANGE_TX_QUOTE;
        return IMPRINT_OK;
    }
    exchange_tx_add(tx, c);
    return tx->is_too_long ? exchange_tx_unended(tx, reader) : IMPRINT_OK;
}

static enum imprint_error exchange_tx_open(struct exchange_reader *reader, void *state)
{
    (void)reader;
    (void)state;
    return IMPRINT_OK;
}

static enum imprint_error exchange_tx_feed(struct exchange_reader *reader, void *state,
                                           const char *bytes, size_t len)
{
    enum imprint_error error = IMPRINT_OK;
    for (size_t i = 0; i < len && error == IMPRINT_OK; i++) {
        error = exchange_tx_byte(state, reader, bytes[i]);
    }
    return error;
}

static enum imprint_error exchange_tx_finish(struct exchange_reader *reader, void *state)
{
    struct exchange_tx *tx = state;
    if (tx->position == EXCHANGE_TX_QUOTED) {
        return exchange_tx_unended(tx, reader);
    }
    const enum imprint_error error = exchange_tx_end_row(tx, reader);
    if (error == IMPRINT_OK && tx->header_count == 0) {
        return exchange_fault(reader, IMPRINT_E_PARAMETER_INVALID, 1, 0,
                              "the row that names the columns is missing");
    }
    return error;
}

static bool exchange_tx_sniff(const char *head, size_t len)
{
    const char *line;
    size_t line_len;
    exchange_head_line(head, len, &line, &line_len);
    return exchange_head_has(line, line_len, "signal_type") &&
           exchange_head_has(line, line_len, "signal_str") && line[0] != '{';
}

const struct exchange_format exchange_format_tx = {
    .name = "tx",
    .summary = "the CSV of python-threatexchange (tx dataset --csv)",
    .sniff = exchange_tx_sniff,
    .state_bytes = sizeof(struct exchange_tx),
    .open = exchange_tx_open,
    .feed = exchange_tx_feed,
    .finish = exchange_tx_finish,
};
