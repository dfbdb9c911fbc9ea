#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "imprint/pdq.h"

#include "fields.h"

#define REPORT_FORMAT     "imprint-report/1"
#define WITHDRAWAL_FORMAT "imprint-withdrawal/1"
#define SYMBOLS           26
#define SHORT_TEXT_MAX    64

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static enum imprint_error refuse(char *out_why, const char *where, const char *what)
{
    (void)snprintf(out_why, REPORT_WHY_BYTES, "%s%s", where, what);
    return IMPRINT_E_REPORT_INVALID;
}

/* --- Case ids --------------------------------------------------------------------------------- */

void report_case_id_to_text(const struct record_case_id *id,
                            char out_text[REPORT_CASE_ID_TEXT_BYTES])
{
    unsigned bits = 0;
    unsigned bit_count = 2; /* 26 symbols hold 130 bits: two zeros lead */
    size_t n = 0;
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        bits = (bits << 8 | id->bytes[i]) & 0xffff;
        bit_count += 8;
        while (bit_count >= 5) {
            bit_count -= 5;
            out_text[n++] = alphabet[bits >> bit_count & 31];
        }
    }
    out_text[n] = '\0';
}

enum imprint_error report_case_id_from_text(const char *text, struct record_case_id *out_id)
{
    if (strlen(text) != SYMBOLS) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    struct record_case_id id = {0};
    unsigned bits = 0;
    unsigned bit_count = 0;
    size_t n = 0;
    for (size_t i = 0; i < SYMBOLS; i++) {
        const char *at = strchr(alphabet, text[i]);
        unsigned value = at == NULL ? 32 : (unsigned)(at - alphabet);
        if (value > (i == 0 ? 7u : 31u)) {
            return IMPRINT_E_PARAMETER_INVALID;
        }
        bits = (bits << 5 | value) & 0xffff;
        bit_count += i == 0 ? 3 : 5;
        if (bit_count >= 8) {
            bit_count -= 8;
            id.bytes[n++] = (uint8_t)(bits >> bit_count & 0xff);
        }
    }
    *out_id = id;
    return IMPRINT_OK;
}

/* --- Report ----------------------------------------------------------------------------------- */

static bool is_day(const char *text)
{
    static const char shape[] = "dddd-dd-dd";
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == 'd' ? !is_digit : text[i] != '-') {
            return false;
        }
    }
    int month = (text[5] - '0') * 10 + (text[6] - '0');
    int day = (text[8] - '0') * 10 + (text[9] - '0');
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static enum imprint_error read_case(json_t *object, struct record_case *out_case, char *out_why)
{
    char id[REPORT_CASE_ID_TEXT_BYTES];
    char day[11];
    const struct field fields[] = {
        {.name = "id", .kind = FIELD_TEXT, .min = SYMBOLS, .max = SYMBOLS, .out = id},
        {.name = "day", .kind = FIELD_TEXT, .min = 10, .max = 10, .out = day},
        {.name = "status_verifier", .kind = FIELD_BYTES32, .out = out_case->status_verifier},
        {.name = "withdraw_verifier", .kind = FIELD_BYTES32, .out = out_case->withdraw_verifier},
        {.name = "append_verifier", .kind = FIELD_BYTES32, .out = out_case->append_verifier},
    };
    const char *wrong = NULL;
    if (!fields_read(object, fields, sizeof fields / sizeof fields[0], &wrong)) {
        return refuse(out_why, "case: ", wrong);
    }
    if (report_case_id_from_text(id, &out_case->id) != IMPRINT_OK) {
        return refuse(out_why, "case: ", "id");
    }
    return is_day(day) ? IMPRINT_OK : refuse(out_why, "case: ", "day");
}

static enum imprint_error read_statements(json_t *object, char *out_why)
{
    char text[SHORT_TEXT_MAX + 1];
    bool is_adult = false;
    bool is_mine = false;
    bool is_understood = false;
    const struct field fields[] = {
        {.name = "text", .kind = FIELD_TEXT, .min = 1, .max = SHORT_TEXT_MAX, .out = text},
        {.name = "adult", .kind = FIELD_BOOL, .out = &is_adult},
        {.name = "mine", .kind = FIELD_BOOL, .out = &is_mine},
        {.name = "understood", .kind = FIELD_BOOL, .out = &is_understood},
    };
    const char *wrong = NULL;
    if (!fields_read(object, fields, sizeof fields / sizeof fields[0], &wrong)) {
        return refuse(out_why, "statements: ", wrong);
    }
    /* Pictures of anyone under 18 are not for this list; other bodies help there. */
    return is_adult ? IMPRINT_OK : refuse(out_why, "statements: ", "adult");
}

static enum imprint_error read_item(json_t *object, size_t number, struct record_entry *out_item,
                                    char *out_why)
{
    int64_t quality = 0;
    bool is_low = false;
    const struct field fields[] = {
        {.name = "hash", .kind = FIELD_BYTES32, .out = out_item->hash.bytes},
        {.name = "quality", .kind = FIELD_INTEGER, .max = IMPRINT_QUALITY_MAX, .out = &quality},
        {.name = "low_quality", .kind = FIELD_BOOL, .is_optional = true, .out = &is_low},
    };
    const char *wrong = NULL;
    char where[48];
    (void)snprintf(where, sizeof where, "items[%zu]: ", number);
    if (!fields_read(object, fields, sizeof fields / sizeof fields[0], &wrong)) {
        return refuse(out_why, where, wrong);
    }
    /* A flat picture's hash is near many others': it is taken only from someone who was told. */
    if (quality < IMPRINT_QUALITY_FLOOR && !is_low) {
        return refuse(out_why, where, "quality");
    }
    out_item->quality = (uint8_t)quality;
    return IMPRINT_OK;
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct imprint_hash));
}

static enum imprint_error check_distinct(const struct record_entry *items, size_t count,
                                         char *out_why)
{
    struct imprint_hash *hashes = calloc(count, sizeof *hashes);
    if (hashes == NULL) {
        return IMPRINT_E_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        hashes[i] = items[i].hash;
    }
    qsort(hashes, count, sizeof *hashes, compare_hashes);
    enum imprint_error error = IMPRINT_OK;
    for (size_t i = 1; i < count && error == IMPRINT_OK; i++) {
        if (imprint_hash_equal(&hashes[i - 1], &hashes[i])) {
            error = refuse(out_why, "items: ", "a hash comes twice");
        }
    }
    free(hashes);
    return error;
}

static enum imprint_error read_items(const json_t *array, struct record_entry **out_items,
                                     char *out_why)
{
    size_t count = json_array_size(array);
    struct record_entry *items = calloc(count, sizeof *items);
    if (items == NULL) {
        return IMPRINT_E_NOMEM;
    }
    enum imprint_error error = IMPRINT_OK;
    for (size_t i = 0; i < count && error == IMPRINT_OK; i++) {
        error = read_item(json_array_get(array, i), i, &items[i], out_why);
    }
    if (error == IMPRINT_OK) {
        error = check_distinct(items, count, out_why);
    }
    if (error != IMPRINT_OK) {
        free(items);
        return error;
    }
    *out_items = items;
    return IMPRINT_OK;
}

struct envelope {
    char format[SHORT_TEXT_MAX + 1];
    char algorithm[SHORT_TEXT_MAX + 1];
    char tool[SHORT_TEXT_MAX + 1];
    json_t *header;
    json_t *statements;
    json_t *items;
    json_t *padding;
};

static bool is_padding(const json_t *value)
{
    const char *text = json_string_value(value);
    return value == NULL || (text != NULL && strspn(text, " ") == json_string_length(value));
}

static enum imprint_error read_envelope(json_t *root, struct envelope *envelope, char *out_why)
{
    const struct field fields[] = {
        {.name = "format", .kind = FIELD_TEXT, .max = SHORT_TEXT_MAX, .out = envelope->format},
        {.name = "algorithm",
         .kind = FIELD_TEXT,
         .max = SHORT_TEXT_MAX,
         .out = envelope->algorithm},
        {.name = "tool",
         .kind = FIELD_TEXT,
         .min = 1,
         .max = SHORT_TEXT_MAX,
         .out = envelope->tool},
        {.name = "case", .kind = FIELD_OBJECT, .out = &envelope->header},
        {.name = "statements", .kind = FIELD_OBJECT, .out = &envelope->statements},
        {.name = "items",
         .kind = FIELD_ARRAY,
         .min = 1,
         .max = LIMIT_CASE_ITEMS_MAX,
         .out = &envelope->items},
        {.name = "padding", .kind = FIELD_ANY, .is_optional = true, .out = &envelope->padding},
    };
    const char *wrong = NULL;
    if (!fields_read(root, fields, sizeof fields / sizeof fields[0], &wrong)) {
        return refuse(out_why, "", wrong);
    }
    if (strcmp(envelope->format, REPORT_FORMAT) != 0) {
        return refuse(out_why, "", "format");
    }
    if (strcmp(envelope->algorithm, IMPRINT_PDQ_ALGORITHM) != 0) {
        return refuse(out_why, "", "algorithm");
    }
    return is_padding(envelope->padding) ? IMPRINT_OK : refuse(out_why, "", "padding");
}

enum imprint_error report_read(const void *bytes, size_t len, struct report *out_report,
                               char out_why[REPORT_WHY_BYTES])
{
    if (len > LIMIT_REPORT_BYTES_MAX) {
        return refuse(out_why, "", "over 1 MiB");
    }
    json_t *root = fields_parse(bytes, len, LIMIT_JSON_DEPTH_MAX);
    if (root == NULL) {
        return refuse(out_why, "", "not JSON");
    }
    struct envelope envelope = {0};
    struct report report = {0};
    enum imprint_error error = read_envelope(root, &envelope, out_why);
    if (error == IMPRINT_OK) {
        error = read_case(envelope.header, &report.header, out_why);
    }
    if (error == IMPRINT_OK) {
        error = read_statements(envelope.statements, out_why);
    }
    if (error == IMPRINT_OK) {
        report.count = json_array_size(envelope.items);
        error = read_items(envelope.items, &report.items, out_why);
    }
    if (error == IMPRINT_OK) {
        *out_report = report;
    }
    json_decref(root);
    return error;
}

void report_done(struct report *report)
{
    free(report->items);
    *report = (struct report){0};
}

/* --- Withdrawal ------------------------------------------------------------------------------- */

static enum imprint_error read_withdrawal(json_t *root, struct report_withdrawal *withdrawal,
                                          char *out_why)
{
    char format[SHORT_TEXT_MAX + 1] = "";
    char id[REPORT_CASE_ID_TEXT_BYTES] = "";
    json_t *header = NULL;
    const struct field fields[] = {
        {.name = "format", .kind = FIELD_TEXT, .max = SHORT_TEXT_MAX, .out = format},
        {.name = "case", .kind = FIELD_OBJECT, .out = &header},
        {.name = "key", .kind = FIELD_BYTES32, .out = withdrawal->key},
    };
    const struct field case_fields[] = {
        {.name = "id", .kind = FIELD_TEXT, .min = SYMBOLS, .max = SYMBOLS, .out = id},
    };
    const char *wrong = NULL;
    if (!fields_read(root, fields, sizeof fields / sizeof fields[0], &wrong)) {
        return refuse(out_why, "", wrong);
    }
    if (strcmp(format, WITHDRAWAL_FORMAT) != 0) {
        return refuse(out_why, "", "format");
    }
    if (!fields_read(header, case_fields, 1, &wrong) ||
        report_case_id_from_text(id, &withdrawal->id) != IMPRINT_OK) {
        return refuse(out_why, "case: ", "id");
    }
    return IMPRINT_OK;
}

enum imprint_error report_read_withdrawal(const void *bytes, size_t len,
                                          struct report_withdrawal *out_withdrawal,
                                          char out_why[REPORT_WHY_BYTES])
{
    json_t *root = fields_parse(bytes, len, LIMIT_JSON_DEPTH_MAX);
    if (root == NULL) {
        return refuse(out_why, "", "not JSON");
    }
    struct report_withdrawal withdrawal;
    enum imprint_error error = read_withdrawal(root, &withdrawal, out_why);
    if (error == IMPRINT_OK) {
        *out_withdrawal = withdrawal;
    }
    sodium_memzero(&withdrawal, sizeof withdrawal);
    json_decref(root);
    return error;
}

bool report_key_fits(const struct record_case_id *id, const char *use,
                     const uint8_t key[REPORT_KEY_BYTES], const uint8_t verifier[32])
{
    static const char label[] = "imprint-verifier/1/";
    uint8_t made[32];
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, sizeof made);
    (void)crypto_generichash_update(&state, (const unsigned char *)label, sizeof label - 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)use, strlen(use));
    (void)crypto_generichash_update(&state, id->bytes, sizeof id->bytes);
    (void)crypto_generichash_update(&state, key, REPORT_KEY_BYTES);
    (void)crypto_generichash_final(&state, made, sizeof made);
    bool fits = sodium_memcmp(made, verifier, sizeof made) == 0;
    sodium_memzero(&state, sizeof state);
    return fits;
}
