/* The native format: JSON lines. The first says what is exported, the last how many records there
 * were, their digest and, if anybody vouches for them, a signature; so a cut file is noticed. */
#include "exchange_native.h"

#include <string.h>

#include <sodium.h>

#include "exchange_json.h"

struct exchange_native {
    crypto_generichash_state digest; /* of each line before the last one, and an LF */
    struct exchange_lines lines;
    bool has_header;
    bool has_end;
    uint64_t records;
};

static enum imprint_error exchange_native_wrong(struct exchange_reader *reader,
                                                const struct exchange_lines *lines,
                                                const char *what)
{
    return exchange_fault(reader, IMPRINT_E_JSON_INVALID, lines->line + 1, lines->offset, "%s",
                          what);
}

/* --- First line ------------------------------------------------------------------------------ */

static uint64_t exchange_native_number(const json_t *object, const char *key)
{
    const json_int_t number = json_integer_value(json_object_get(object, key));
    return number > 0 ? (uint64_t)number : 0;
}

static bool exchange_native_is(const json_t *object, const char *key, const char *word)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) && strcmp(json_string_value(value), word) == 0;
}

static enum imprint_error exchange_native_header(struct exchange_reader *reader,
                                                 struct exchange_native *native,
                                                 const json_t *object)
{
    if (!exchange_native_is(object, "format", EXCHANGE_NATIVE_FORMAT)) {
        return exchange_native_wrong(reader, &native->lines,
                                     "the first line does not say \"format\":\"imprint-list\"");
    }
    const json_t *version = json_object_get(object, "version");
    if (!json_is_integer(version) || json_integer_value(version) != EXCHANGE_NATIVE_VERSION) {
        return exchange_native_wrong(reader, &native->lines,
                                     "the file was written by another version of the format");
    }
    struct exchange_page *page = exchange_page_of(reader);
    struct exchange_record texts;
    exchange_record_init(&texts);
    exchange_json_text(&texts, page->list, object, "list");
    exchange_json_text(&texts, page->epoch, object, "epoch");
    page->since = exchange_native_number(object, "since");
    page->seq = exchange_native_number(object, "seq");
    native->has_header = true;
    return IMPRINT_OK;
}

/* --- Records --------------------------------------------------------------------------------- */

static void exchange_native_times(struct exchange_record *record, const json_t *object)
{
    record->seq = exchange_native_number(object, "seq");
    record->updated = json_integer_value(json_object_get(object, "updated"));
    record->expires = json_integer_value(json_object_get(object, "expires"));
    record->disabled_until = json_integer_value(json_object_get(object, "disabled_until"));
}

static void exchange_native_fill(struct exchange_record *record, const json_t *object)
{
    if (exchange_native_is(object, "op", "remove")) {
        record->verb = EXCHANGE_REMOVE;
    } else if (!exchange_native_is(object, "op", "add")) {
        exchange_record_judge(record, EXCHANGE_INVALID, EXCHANGE_REASON_FIELD, "op", 2);
        return;
    }
    exchange_json_text(record, record->id, object, "id");
    exchange_json_text(record, record->name, object, "name");
    exchange_json_text(record, record->tags, object, "tags");
    exchange_json_text(record, record->status, object, "status");
    exchange_native_times(record, object);
    const json_t *hash = json_object_get(object, "hash");
    if (json_is_string(hash)) {
        exchange_record_hex(record, json_string_value(hash), json_string_length(hash));
    } else if (record->verb == EXCHANGE_ADD || record->id[0] == '\0') {
        exchange_record_judge(record, EXCHANGE_INVALID, EXCHANGE_REASON_FIELD, "hash", 4);
    }
    const json_t *quality = json_object_get(object, "quality");
    if (quality == NULL || record->verb == EXCHANGE_INVALID) {
        return;
    }
    const json_int_t value = json_is_integer(quality) ? json_integer_value(quality) : -1;
    if (value < 0 || value > 100) {
        exchange_record_judge(record, EXCHANGE_INVALID, EXCHANGE_REASON_QUALITY, "", 0);
        return;
    }
    record->quality = (uint8_t)value;
}

/* --- Last line ------------------------------------------------------------------------------- */

/* Exactly bytes_len bytes from lower- or upper-case digits under key. */
static bool exchange_native_bytes(const json_t *object, const char *key, uint8_t *out_bytes,
                                  size_t bytes_len)
{
    const json_t *value = json_object_get(object, key);
    size_t len = 0;
    return json_is_string(value) &&
           sodium_hex2bin(out_bytes, bytes_len, json_string_value(value), json_string_length(value),
                          NULL, &len, NULL) == 0 &&
           len == bytes_len;
}

static bool exchange_native_verify(const uint8_t *digest, const uint8_t *signature,
                                   const uint8_t *key)
{
    uint8_t message[sizeof EXCHANGE_NATIVE_SIGNED_TEXT - 1 + EXCHANGE_NATIVE_DIGEST_BYTES];
    const size_t text_len = sizeof EXCHANGE_NATIVE_SIGNED_TEXT - 1;
    memcpy(message, EXCHANGE_NATIVE_SIGNED_TEXT, text_len);
    memcpy(message + text_len, digest, EXCHANGE_NATIVE_DIGEST_BYTES);
    return crypto_sign_verify_detached(signature, message, sizeof message, key) == 0;
}

static enum imprint_error exchange_native_signature(struct exchange_reader *reader,
                                                    struct exchange_native *native,
                                                    const json_t *end, const uint8_t *digest)
{
    const uint8_t *trusted = exchange_trusted_key(reader);
    struct exchange_page *page = exchange_page_of(reader);
    if (json_object_get(end, "signature") == NULL && json_object_get(end, "key") == NULL) {
        return trusted == NULL
                   ? IMPRINT_OK
                   : exchange_native_wrong(reader, &native->lines, "the file is not signed");
    }
    uint8_t signature[crypto_sign_BYTES];
    uint8_t key[EXCHANGE_KEY_BYTES];
    if (!exchange_native_bytes(end, "signature", signature, sizeof signature) ||
        !exchange_native_bytes(end, "key", key, sizeof key) ||
        !exchange_native_verify(digest, signature, key)) {
        return exchange_native_wrong(reader, &native->lines, "the signature is wrong");
    }
    if (trusted != NULL && sodium_memcmp(trusted, key, sizeof key) != 0) {
        return exchange_native_wrong(reader, &native->lines,
                                     "the file is signed with another key than the trusted one");
    }
    memcpy(page->signer, key, sizeof key);
    page->is_signed = true;
    return IMPRINT_OK;
}

static enum imprint_error exchange_native_end(struct exchange_reader *reader,
                                              struct exchange_native *native, const json_t *end)
{
    uint8_t digest[EXCHANGE_NATIVE_DIGEST_BYTES];
    uint8_t stated[EXCHANGE_NATIVE_DIGEST_BYTES];
    crypto_generichash_final(&native->digest, digest, sizeof digest);
    const json_t *records = json_object_get(end, "records");
    if (!json_is_integer(records) || json_integer_value(records) < 0 ||
        (uint64_t)json_integer_value(records) != native->records) {
        return exchange_native_wrong(reader, &native->lines,
                                     "the last line counts other records than there are");
    }
    if (!exchange_native_bytes(end, "digest", stated, sizeof stated) ||
        memcmp(stated, digest, sizeof digest) != 0) {
        return exchange_native_wrong(reader, &native->lines,
                                     "the digest is wrong: the file was changed");
    }
    native->has_end = true;
    return exchange_native_signature(reader, native, end, digest);
}

/* --- The stream ------------------------------------------------------------------------------ */

static enum imprint_error exchange_native_object(struct exchange_reader *reader,
                                                 struct exchange_native *native,
                                                 struct exchange_record *record,
                                                 const json_t *object)
{
    if (native->has_header && json_object_get(object, "end") != NULL) {
        return exchange_native_end(reader, native, json_object_get(object, "end"));
    }
    const struct exchange_lines *lines = &native->lines;
    crypto_generichash_update(&native->digest, (const unsigned char *)lines->bytes, lines->len);
    crypto_generichash_update(&native->digest, (const unsigned char *)"\n", 1);
    if (!native->has_header) {
        return exchange_native_header(reader, native, object);
    }
    native->records++;
    if (object != NULL) {
        exchange_native_fill(record, object);
    }
    return exchange_emit(reader, record);
}

static enum imprint_error exchange_native_line(struct exchange_reader *reader, void *state,
                                               const struct exchange_lines *lines)
{
    struct exchange_native *native = state;
    if (lines->is_too_long) {
        return exchange_native_wrong(reader, lines, "a line is longer than any of this format");
    }
    if (native->has_end) {
        return lines->len == 0
                   ? IMPRINT_OK
                   : exchange_native_wrong(reader, lines, "there is more after the last line");
    }
    const struct exchange_json_piece piece = {
        .bytes = lines->bytes,
        .len = lines->len,
        .line = lines->line + 1,
        .offset = lines->offset,
    };
    struct exchange_record record;
    json_t *object;
    enum imprint_error error = exchange_json_object(&piece, &record, &object);
    if (error == IMPRINT_OK) {
        error = exchange_native_object(reader, native, &record, object);
        json_decref(object);
    }
    return error;
}

static enum imprint_error exchange_native_open(struct exchange_reader *reader, void *state)
{
    (void)reader;
    struct exchange_native *native = state;
    crypto_generichash_init(&native->digest, NULL, 0, EXCHANGE_NATIVE_DIGEST_BYTES);
    return IMPRINT_OK;
}

static enum imprint_error exchange_native_feed(struct exchange_reader *reader, void *state,
                                               const char *bytes, size_t len)
{
    struct exchange_native *native = state;
    return exchange_lines_feed(&native->lines, reader, native, exchange_native_line, bytes, len);
}

static enum imprint_error exchange_native_finish(struct exchange_reader *reader, void *state)
{
    struct exchange_native *native = state;
    const enum imprint_error error =
        exchange_lines_finish(&native->lines, reader, native, exchange_native_line);
    if (error != IMPRINT_OK || native->has_end) {
        return error;
    }
    return exchange_native_wrong(reader, &native->lines,
                                 "the file ends before its last line: it is not whole");
}

static bool exchange_native_sniff(const char *head, size_t len)
{
    const char *line;
    size_t line_len;
    exchange_head_line(head, len, &line, &line_len);
    return line_len > 0 && line[0] == '{' &&
           exchange_head_has(line, line_len, "\"" EXCHANGE_NATIVE_FORMAT "\"");
}

const struct exchange_format exchange_format_native = {
    .name = "imprint",
    .summary = "Imprint's own JSON lines, with digest and signature",
    .sniff = exchange_native_sniff,
    .state_bytes = sizeof(struct exchange_native),
    .open = exchange_native_open,
    .feed = exchange_native_feed,
    .finish = exchange_native_finish,
};
