/* Formats of one hash a line: bare digits, "pdq <digits>", base64. */
#include <ctype.h>
#include <string.h>

#include "exchange_format.h"

/* --- Lines ----------------------------------------------------------------------------------- */

void exchange_lines_record(const struct exchange_lines *lines, struct exchange_record *out_record)
{
    exchange_record_init(out_record);
    out_record->line = lines->line + 1;
    out_record->offset = lines->offset;
}

static enum imprint_error exchange_lines_end(struct exchange_lines *lines,
                                             struct exchange_reader *reader, void *state,
                                             exchange_line_fn *on_line)
{
    const enum imprint_error error = on_line(reader, state, lines);
    lines->line++;
    lines->offset = lines->bytes_seen;
    lines->len = 0;
    lines->is_too_long = false;
    return error;
}

/* Adds a piece that holds no end of a line. */
static void exchange_lines_add(struct exchange_lines *lines, const char *bytes, size_t len)
{
    const size_t room = sizeof lines->bytes - lines->len;
    const size_t taken = len < room ? len : room;
    memcpy(lines->bytes + lines->len, bytes, taken);
    lines->len += taken;
    lines->bytes_seen += len;
    lines->is_too_long = lines->is_too_long || taken < len;
}

enum imprint_error exchange_lines_feed(struct exchange_lines *lines, struct exchange_reader *reader,
                                       void *state, exchange_line_fn *on_line, const char *bytes,
                                       size_t len)
{
    size_t at = 0;
    while (at < len) {
        const char c = bytes[at];
        if (c == '\n' && lines->was_cr) {
            lines->was_cr = false;
            lines->offset++;
            lines->bytes_seen++;
            at++;
            continue;
        }
        lines->was_cr = c == '\r';
        if (c == '\n' || c == '\r') {
            lines->bytes_seen++;
            at++;
            const enum imprint_error error = exchange_lines_end(lines, reader, state, on_line);
            if (error != IMPRINT_OK) {
                return error;
            }
            continue;
        }
        size_t piece = 1;
        while (at + piece < len && bytes[at + piece] != '\n' && bytes[at + piece] != '\r') {
            piece++;
        }
        exchange_lines_add(lines, bytes + at, piece);
        at += piece;
    }
    return IMPRINT_OK;
}

enum imprint_error exchange_lines_finish(struct exchange_lines *lines,
                                         struct exchange_reader *reader, void *state,
                                         exchange_line_fn *on_line)
{
    return lines->len > 0 ? exchange_lines_end(lines, reader, state, on_line) : IMPRINT_OK;
}

/* --- Digits, with or without their kind ------------------------------------------------------- */

static enum imprint_error exchange_line_open(struct exchange_reader *reader, void *state)
{
    (void)reader;
    (void)state;
    return IMPRINT_OK;
}

static size_t exchange_word_len(const char *text, size_t len)
{
    size_t count = 0;
    while (count < len && text[count] != ' ' && text[count] != '\t') {
        count++;
    }
    return count;
}

/* "pdq", "video_md5": a kind of hash rather than a broken hash. */
static bool exchange_is_signal_type(const char *text, size_t len)
{
    if (len == 0 || len > 32 || !isalpha((unsigned char)text[0])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '-') {
            return false;
        }
    }
    return true;
}

/* "<hex>", "<hex> <name>", "pdq <hex>", "<other kind> <value>". */
static void exchange_hex_parse(struct exchange_record *record, const char *text, size_t len)
{
    const size_t word = exchange_word_len(text, len);
    const char *rest = text + word;
    size_t rest_len = len - word;
    exchange_trim(&rest, &rest_len);
    if (rest_len > 0 && exchange_text_is_like(text, word, "pdq")) {
        const size_t digits = exchange_word_len(rest, rest_len);
        exchange_record_hex(record, rest, digits);
        rest += digits;
        rest_len -= digits;
        exchange_trim(&rest, &rest_len);
    } else if (rest_len > 0 && word != IMPRINT_HASH_HEX && exchange_is_signal_type(text, word)) {
        exchange_record_judge(record, EXCHANGE_SKIP, EXCHANGE_REASON_SIGNAL_TYPE, text, word);
        return;
    } else {
        exchange_record_hex(record, text, word);
    }
    if (record->has_hash && rest_len > 0) {
        exchange_record_text(record, record->name, "name", rest, rest_len);
    }
}

/* Trims a line; false: it is empty or a comment, and stands for nothing. */
static bool exchange_line_begin(const struct exchange_lines *lines,
                                struct exchange_record *out_record, const char **out_text,
                                size_t *out_len)
{
    *out_text = lines->bytes;
    *out_len = lines->len;
    exchange_trim(out_text, out_len);
    exchange_lines_record(lines, out_record);
    return lines->is_too_long || (*out_len > 0 && (*out_text)[0] != '#');
}

static enum imprint_error exchange_hex_line(struct exchange_reader *reader, void *state,
                                            const struct exchange_lines *lines)
{
    (void)state;
    struct exchange_record record;
    const char *text;
    size_t len;
    if (!exchange_line_begin(lines, &record, &text, &len)) {
        return IMPRINT_OK;
    }
    if (lines->is_too_long) {
        exchange_record_judge(&record, EXCHANGE_INVALID, EXCHANGE_REASON_TOO_LONG, "", 0);
    } else {
        exchange_hex_parse(&record, text, len);
    }
    return exchange_emit(reader, &record);
}

static enum imprint_error exchange_hex_feed(struct exchange_reader *reader, void *state,
                                            const char *bytes, size_t len)
{
    return exchange_lines_feed(state, reader, state, exchange_hex_line, bytes, len);
}

static enum imprint_error exchange_hex_finish(struct exchange_reader *reader, void *state)
{
    return exchange_lines_finish(state, reader, state, exchange_hex_line);
}

static bool exchange_is_hex(const char *text, size_t len)
{
    struct imprint_hash hash;
    return imprint_hash_from_hex(text, len, &hash) == IMPRINT_OK;
}

static bool exchange_hex_sniff(const char *head, size_t len)
{
    const char *line;
    size_t line_len;
    exchange_head_line(head, len, &line, &line_len);
    return exchange_is_hex(line, exchange_word_len(line, line_len));
}

static bool exchange_pdq_sniff(const char *head, size_t len)
{
    const char *line;
    size_t line_len;
    exchange_head_line(head, len, &line, &line_len);
    const size_t word = exchange_word_len(line, line_len);
    return word < line_len && exchange_is_signal_type(line, word) &&
           memchr(line, ',', line_len) == NULL;
}

const struct exchange_format exchange_format_hex = {
    .name = "hex",
    .summary = "one hash of 64 hexadecimal digits a line",
    .sniff = exchange_hex_sniff,
    .state_bytes = sizeof(struct exchange_lines),
    .open = exchange_line_open,
    .feed = exchange_hex_feed,
    .finish = exchange_hex_finish,
};

const struct exchange_format exchange_format_pdq = {
    .name = "pdq",
    .summary = "\"pdq <hash>\" a line, as tx hash prints it",
    .sniff = exchange_pdq_sniff,
    .state_bytes = sizeof(struct exchange_lines),
    .open = exchange_line_open,
    .feed = exchange_hex_feed,
    .finish = exchange_hex_finish,
};

/* --- Base64 ---------------------------------------------------------------------------------- */

static enum imprint_error exchange_base64_line(struct exchange_reader *reader, void *state,
                                               const struct exchange_lines *lines)
{
    (void)state;
    struct exchange_record record;
    const char *text;
    size_t len;
    if (!exchange_line_begin(lines, &record, &text, &len)) {
        return IMPRINT_OK;
    }
    if (lines->is_too_long) {
        exchange_record_judge(&record, EXCHANGE_INVALID, EXCHANGE_REASON_TOO_LONG, "", 0);
    } else {
        exchange_record_base64(&record, text, len);
    }
    return exchange_emit(reader, &record);
}

static enum imprint_error exchange_base64_feed(struct exchange_reader *reader, void *state,
                                               const char *bytes, size_t len)
{
    return exchange_lines_feed(state, reader, state, exchange_base64_line, bytes, len);
}

static enum imprint_error exchange_base64_finish(struct exchange_reader *reader, void *state)
{
    return exchange_lines_finish(state, reader, state, exchange_base64_line);
}

static bool exchange_base64_sniff(const char *head, size_t len)
{
    const char *line;
    size_t line_len;
    exchange_head_line(head, len, &line, &line_len);
    struct exchange_record record;
    exchange_record_init(&record);
    exchange_record_base64(&record, line, line_len);
    return record.has_hash;
}

const struct exchange_format exchange_format_base64 = {
    .name = "base64",
    .summary = "one hash in base64 a line",
    .sniff = exchange_base64_sniff,
    .state_bytes = sizeof(struct exchange_lines),
    .open = exchange_line_open,
    .feed = exchange_base64_feed,
    .finish = exchange_base64_finish,
};
