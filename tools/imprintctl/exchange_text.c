/* Pieces of records that several formats read: texts, hashes, qualities, times. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <sodium.h>

#include "exchange_format.h"

static const char exchange_replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

void exchange_record_init(struct exchange_record *record)
{
    record->line = 0;
    record->offset = 0;
    record->verb = EXCHANGE_ADD;
    record->reason = EXCHANGE_REASON_NONE;
    record->has_hash = false;
    memset(&record->hash, 0, sizeof record->hash);
    record->quality = EXCHANGE_QUALITY_UNKNOWN;
    record->updated = 0;
    record->expires = 0;
    record->disabled_until = 0;
    record->seq = 0;
    record->id[0] = '\0';
    record->name[0] = '\0';
    record->tags[0] = '\0';
    record->status[0] = '\0';
    record->detail[0] = '\0';
}

/* --- Texts ----------------------------------------------------------------------------------- */

/* The length of the UTF-8 character at s of at most len bytes; 0: there is none, as of NUL, an
 * overlong form, a surrogate or a value above U+10FFFF. */
static size_t exchange_utf8_len(const unsigned char *s, size_t len)
{
    if (s[0] < 0x80) {
        return s[0] != 0;
    }
    const size_t size = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || size > len) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool is_overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    const bool is_outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return is_overlong || is_outside ? 0 : size;
}

/* Appends to a text of used bytes. False: something did not fit; what is there is whole
 * characters. */
static bool exchange_text_append(char field[EXCHANGE_TEXT_BYTES_MAX + 1], size_t used,
                                 const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        const unsigned char *s = (const unsigned char *)text + at;
        const size_t size = exchange_utf8_len(s, len - at);
        const char *source = size != 0 ? text + at : exchange_replacement;
        const size_t count = size != 0 ? size : sizeof exchange_replacement - 1;
        if (used + count > EXCHANGE_TEXT_BYTES_MAX) {
            break;
        }
        memcpy(field + used, source, count);
        used += count;
        at += size != 0 ? size : 1;
    }
    field[used] = '\0';
    return at == len;
}

void exchange_record_judge(struct exchange_record *record, enum exchange_verb verb,
                           enum exchange_reason reason, const char *detail, size_t len)
{
    record->verb = verb;
    record->reason = reason;
    (void)exchange_text_append(record->detail, 0, detail, len);
}

void exchange_record_note(struct exchange_record *record, enum exchange_reason reason,
                          const char *detail, size_t len)
{
    if (record->reason == EXCHANGE_REASON_NONE) {
        exchange_record_judge(record, record->verb, reason, detail, len);
    }
}

void exchange_record_text(struct exchange_record *record, char field[EXCHANGE_TEXT_BYTES_MAX + 1],
                          const char *field_name, const char *text, size_t len)
{
    if (!exchange_text_append(field, 0, text, len)) {
        exchange_record_note(record, EXCHANGE_REASON_SHORTENED, field_name, strlen(field_name));
    }
}

void exchange_record_append(struct exchange_record *record, char field[EXCHANGE_TEXT_BYTES_MAX + 1],
                            const char *field_name, const char *text, size_t len)
{
    size_t used = strlen(field);
    if (used > 0 && used < EXCHANGE_TEXT_BYTES_MAX) {
        field[used++] = ' ';
    }
    if (!exchange_text_append(field, used, text, len)) {
        exchange_record_note(record, EXCHANGE_REASON_SHORTENED, field_name, strlen(field_name));
    }
}

static bool exchange_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void exchange_trim(const char **text, size_t *len)
{
    while (*len > 0 && exchange_is_blank((*text)[0])) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && exchange_is_blank((*text)[*len - 1])) {
        (*len)--;
    }
}

bool exchange_text_is(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

bool exchange_text_is_like(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

bool exchange_head_has(const char *head, size_t len, const char *text)
{
    return memmem(head, len, text, strlen(text)) != NULL;
}

void exchange_head_line(const char *head, size_t len, const char **out_line, size_t *out_len)
{
    size_t at = 0;
    const char *line = head;
    size_t line_len = 0;
    while (at < len) {
        line = head + at;
        line_len = 0;
        while (at + line_len < len && line[line_len] != '\n' && line[line_len] != '\r') {
            line_len++;
        }
        at += line_len + 1;
        exchange_trim(&line, &line_len);
        if (line_len > 0 && line[0] != '#') {
            break;
        }
        line_len = 0;
    }
    *out_line = line;
    *out_len = line_len;
}

/* --- Values ---------------------------------------------------------------------------------- */

/* Says what was there without showing it: a broken hash is still most of a hash. */
static void exchange_record_no_hash(struct exchange_record *record, size_t len)
{
    char detail[48];
    const int count = snprintf(detail, sizeof detail, "%zu characters", len);
    exchange_record_judge(record, EXCHANGE_INVALID, EXCHANGE_REASON_HASH, detail, (size_t)count);
}

void exchange_record_hex(struct exchange_record *record, const char *text, size_t len)
{
    record->has_hash = imprint_hash_from_hex(text, len, &record->hash) == IMPRINT_OK;
    if (!record->has_hash) {
        exchange_record_no_hash(record, len);
    }
}

void exchange_record_base64(struct exchange_record *record, const char *text, size_t len)
{
    const int variant =
        len == 43 ? sodium_base64_VARIANT_ORIGINAL_NO_PADDING : sodium_base64_VARIANT_ORIGINAL;
    size_t count = 0;
    const char *end = text;
    record->has_hash = (len == 43 || len == 44) &&
                       sodium_base642bin(record->hash.bytes, sizeof record->hash.bytes, text, len,
                                         NULL, &count, &end, variant) == 0 &&
                       count == IMPRINT_HASH_BYTES && end == text + len;
    if (!record->has_hash) {
        exchange_record_no_hash(record, len);
    }
}

/* At most digits_max decimal digits, all of len. */
static bool exchange_number_from_text(const char *text, size_t len, size_t digits_max,
                                      unsigned *out_number)
{
    if (len == 0 || len > digits_max) {
        return false;
    }
    unsigned number = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    *out_number = number;
    return true;
}

bool exchange_quality_from_text(const char *text, size_t len, uint8_t *out_quality)
{
    unsigned number;
    if (!exchange_number_from_text(text, len, 3, &number) || number > 100) {
        return false;
    }
    *out_quality = (uint8_t)number;
    return true;
}

bool exchange_time_from_text(const char *text, size_t len, int64_t *out_time)
{
    static const struct {
        size_t at, len;
        unsigned low, high;
    } parts[] = {
        {0, 4, 1970, 9999}, {5, 2, 1, 12},  {8, 2, 1, 31},
        {11, 2, 0, 23},     {14, 2, 0, 59}, {17, 2, 0, 60},
    };
    static const char shape[] = "0000-00-00T00:00:00";
    if (len < sizeof shape || text[len - 1] != 'Z') {
        return false;
    }
    for (size_t i = 0; i + 1 < sizeof shape; i++) {
        if (shape[i] != '0' && text[i] != shape[i]) {
            return false;
        }
    }
    unsigned values[sizeof parts / sizeof parts[0]];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!exchange_number_from_text(text + parts[i].at, parts[i].len, 4, &values[i]) ||
            values[i] < parts[i].low || values[i] > parts[i].high) {
            return false;
        }
    }
    const size_t fraction = len - sizeof shape; /* without the Z */
    if (fraction > 0 && (text[sizeof shape - 1] != '.' || fraction == 1 ||
                         strspn(text + sizeof shape, "0123456789") < fraction - 1)) {
        return false;
    }
    struct tm when = {
        .tm_year = (int)values[0] - 1900,
        .tm_mon = (int)values[1] - 1,
        .tm_mday = (int)values[2],
        .tm_hour = (int)values[3],
        .tm_min = (int)values[4],
        .tm_sec = (int)values[5],
    };
    *out_time = timegm(&when);
    return true;
}
