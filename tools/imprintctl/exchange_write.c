/* The formats that are written: native JSON lines, bare digits, tx CSV, StopNCII feedback. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "exchange.h"
#include "exchange_format.h"
#include "exchange_native.h"

/* One record: five texts, of which each byte may become \uNNNN, and what is around them. */
#define EXCHANGE_OUT_BYTES_MAX ((size_t)5 * 6 * EXCHANGE_TEXT_BYTES_MAX + 2048)

struct exchange_writer;

struct exchange_output {
    const char *name;
    enum imprint_error (*open)(struct exchange_writer *writer);
    /* False: the format has no words for this record. */
    bool (*put)(struct exchange_writer *writer, const struct exchange_record *record);
    enum imprint_error (*finish)(struct exchange_writer *writer);
};

struct exchange_writer {
    crypto_generichash_state digest;
    struct exchange_writer_options options;
    const struct exchange_output *output;
    enum imprint_error error; /* sticky */
    uint64_t records;
    uint64_t left_out;
    bool is_too_long;
    size_t len;
    char bytes[EXCHANGE_OUT_BYTES_MAX];
};

/* --- Building a line ------------------------------------------------------------------------- */

static void exchange_out_bytes(struct exchange_writer *writer, const char *bytes, size_t len)
{
    if (len > sizeof writer->bytes - writer->len) {
        writer->is_too_long = true;
        return;
    }
    memcpy(writer->bytes + writer->len, bytes, len);
    writer->len += len;
}

static void exchange_out(struct exchange_writer *writer, const char *text)
{
    exchange_out_bytes(writer, text, strlen(text));
}

static void exchange_out_number(struct exchange_writer *writer, const char *before, uint64_t number)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    exchange_out(writer, before);
    exchange_out(writer, digits);
}

static void exchange_out_hash(struct exchange_writer *writer, const struct imprint_hash *hash)
{
    char text[IMPRINT_HASH_HEX + 1];
    imprint_hash_to_hex(hash, text);
    exchange_out(writer, text);
}

/* A JSON string with its quotes. Texts of records are UTF-8; the list's name may be anything. */
static void exchange_out_json(struct exchange_writer *writer, const char *text)
{
    struct exchange_record clean;
    exchange_record_init(&clean);
    exchange_record_text(&clean, clean.name, "", text, strlen(text));
    exchange_out(writer, "\"");
    for (const char *c = clean.name; *c != '\0'; c++) {
        char escaped[8];
        if (*c == '"' || *c == '\\') {
            snprintf(escaped, sizeof escaped, "\\%c", *c);
            exchange_out(writer, escaped);
        } else if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)(unsigned char)*c);
            exchange_out(writer, escaped);
        } else {
            exchange_out_bytes(writer, c, 1);
        }
    }
    exchange_out(writer, "\"");
}

static void exchange_out_member(struct exchange_writer *writer, const char *before,
                                const char *text)
{
    if (text != NULL && text[0] != '\0') {
        exchange_out(writer, before);
        exchange_out_json(writer, text);
    }
}

/* Quoted as RFC 4180 says, where it must be. */
static void exchange_out_csv(struct exchange_writer *writer, const char *text)
{
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        exchange_out(writer, text);
        return;
    }
    exchange_out(writer, "\"");
    for (const char *c = text; *c != '\0'; c++) {
        exchange_out_bytes(writer, c, 1);
        if (*c == '"') {
            exchange_out(writer, "\"");
        }
    }
    exchange_out(writer, "\"");
}

static enum imprint_error exchange_out_flush(struct exchange_writer *writer)
{
    const size_t len = writer->len;
    writer->len = 0;
    if (writer->is_too_long) {
        return IMPRINT_E_INTERNAL;
    }
    return len > 0 ? writer->options.write(writer->options.context, writer->bytes, len)
                   : IMPRINT_OK;
}

/* --- Native ---------------------------------------------------------------------------------- */

/* Ends the line that is in the buffer and counts it into the digest. */
static void exchange_native_end_line(struct exchange_writer *writer)
{
    exchange_out(writer, "}\n");
    crypto_generichash_update(&writer->digest, (const unsigned char *)writer->bytes, writer->len);
}

static enum imprint_error exchange_native_begin(struct exchange_writer *writer)
{
    const struct exchange_writer_options *options = &writer->options;
    crypto_generichash_init(&writer->digest, NULL, 0, EXCHANGE_NATIVE_DIGEST_BYTES);
    exchange_out(writer, "{\"format\":\"" EXCHANGE_NATIVE_FORMAT "\"");
    exchange_out_number(writer, ",\"version\":", EXCHANGE_NATIVE_VERSION);
    exchange_out_member(writer, ",\"list\":", options->list);
    exchange_out_member(writer, ",\"epoch\":", options->epoch);
    exchange_out_number(writer, ",\"since\":", options->since);
    exchange_out_number(writer, ",\"seq\":", options->seq);
    exchange_out_number(writer,
                        ",\"created\":", options->created > 0 ? (uint64_t)options->created : 0);
    exchange_native_end_line(writer);
    return IMPRINT_OK;
}

static void exchange_native_time(struct exchange_writer *writer, const char *before, int64_t when)
{
    if (when > 0) {
        exchange_out_number(writer, before, (uint64_t)when);
    }
}

static bool exchange_native_put(struct exchange_writer *writer,
                                const struct exchange_record *record)
{
    exchange_out(writer, record->verb == EXCHANGE_ADD ? "{\"op\":\"add\"" : "{\"op\":\"remove\"");
    if (record->has_hash) {
        exchange_out(writer, ",\"hash\":\"");
        exchange_out_hash(writer, &record->hash);
        exchange_out(writer, "\"");
    }
    if (record->quality <= 100) {
        exchange_out_number(writer, ",\"quality\":", record->quality);
    }
    exchange_out_member(writer, ",\"id\":", record->id);
    exchange_out_member(writer, ",\"name\":", record->name);
    exchange_out_member(writer, ",\"tags\":", record->tags);
    exchange_out_member(writer, ",\"status\":", record->status);
    exchange_native_time(writer, ",\"updated\":", record->updated);
    exchange_native_time(writer, ",\"expires\":", record->expires);
    exchange_native_time(writer, ",\"disabled_until\":", record->disabled_until);
    if (record->seq > 0) {
        exchange_out_number(writer, ",\"seq\":", record->seq);
    }
    exchange_native_end_line(writer);
    return true;
}

static void exchange_native_bytes_out(struct exchange_writer *writer, const char *before,
                                      const uint8_t *bytes, size_t len)
{
    char digits[2 * crypto_sign_BYTES + 1];
    sodium_bin2hex(digits, sizeof digits, bytes, len);
    exchange_out(writer, before);
    exchange_out(writer, digits);
    exchange_out(writer, "\"");
}

static enum imprint_error exchange_native_finish_out(struct exchange_writer *writer)
{
    uint8_t message[sizeof EXCHANGE_NATIVE_SIGNED_TEXT - 1 + EXCHANGE_NATIVE_DIGEST_BYTES];
    uint8_t *digest = message + sizeof EXCHANGE_NATIVE_SIGNED_TEXT - 1;
    memcpy(message, EXCHANGE_NATIVE_SIGNED_TEXT, sizeof EXCHANGE_NATIVE_SIGNED_TEXT - 1);
    crypto_generichash_final(&writer->digest, digest, EXCHANGE_NATIVE_DIGEST_BYTES);
    exchange_out_number(writer, "{\"end\":{\"records\":", writer->records);
    exchange_native_bytes_out(writer, ",\"digest\":\"", digest, EXCHANGE_NATIVE_DIGEST_BYTES);
    if (writer->options.secret_key != NULL) {
        uint8_t key[EXCHANGE_KEY_BYTES];
        uint8_t signature[crypto_sign_BYTES];
        crypto_sign_ed25519_sk_to_pk(key, writer->options.secret_key);
        crypto_sign_detached(signature, NULL, message, sizeof message, writer->options.secret_key);
        exchange_native_bytes_out(writer, ",\"key\":\"", key, sizeof key);
        exchange_native_bytes_out(writer, ",\"signature\":\"", signature, sizeof signature);
    }
    exchange_out(writer, "}}\n");
    return IMPRINT_OK;
}

/* --- Bare digits ----------------------------------------------------------------------------- */

static enum imprint_error exchange_out_nothing(struct exchange_writer *writer)
{
    (void)writer;
    return IMPRINT_OK;
}

static bool exchange_hex_put(struct exchange_writer *writer, const struct exchange_record *record)
{
    if (record->verb != EXCHANGE_ADD || !record->has_hash) {
        return false;
    }
    exchange_out_hash(writer, &record->hash);
    exchange_out(writer, "\n");
    return true;
}

/* --- tx CSV ---------------------------------------------------------------------------------- */

static const char *exchange_word_of(const char *word, const char *const *words)
{
    for (size_t i = 0; word != NULL && words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            return words[i];
        }
    }
    return NULL;
}

static const char *const exchange_tx_categories[] = {
    "NEGATIVE_CLASS", "INVESTIGATION_SEED", "POSITIVE_CLASS", "DISPUTED", NULL,
};

static enum imprint_error exchange_tx_begin(struct exchange_writer *writer)
{
    /* Nobody has looked at a reported picture unless the record says so. */
    if (writer->options.default_status == NULL) {
        writer->options.default_status = "INVESTIGATION_SEED";
    }
    if (exchange_word_of(writer->options.default_status, exchange_tx_categories) == NULL) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    exchange_out(writer, "signal_type,signal_str,collab,category,tags\r\n");
    return IMPRINT_OK;
}

static bool exchange_tx_put(struct exchange_writer *writer, const struct exchange_record *record)
{
    if (record->verb != EXCHANGE_ADD || !record->has_hash) {
        return false;
    }
    const char *category = exchange_word_of(record->status, exchange_tx_categories);
    exchange_out(writer, "pdq,");
    exchange_out_hash(writer, &record->hash);
    exchange_out(writer, ",");
    exchange_out_csv(writer, writer->options.list != NULL ? writer->options.list : "");
    exchange_out(writer, ",");
    exchange_out_csv(writer, category != NULL ? category : writer->options.default_status);
    exchange_out(writer, ",");
    exchange_out_csv(writer, record->tags);
    exchange_out(writer, "\r\n");
    return true;
}

/* --- StopNCII feedback ----------------------------------------------------------------------- */

static const char *const exchange_feedback_values[] = {
    "None",       "QualityUnknown", "PendingReview", "Blocked",
    "NotBlocked", "Withdrawn",      "Deleted",       NULL,
};

static enum imprint_error exchange_feedback_begin(struct exchange_writer *writer)
{
    const char *value = writer->options.default_status;
    if (value != NULL && exchange_word_of(value, exchange_feedback_values) == NULL) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    exchange_out(writer, "{\"hashFeedbacks\":[");
    return IMPRINT_OK;
}

/* What a platform says of a match ("confirmed", "wrong") in the feed's words. */
static const char *exchange_feedback_value(const struct exchange_writer *writer, const char *status)
{
    if (strcmp(status, "confirmed") == 0) {
        return "Blocked";
    }
    if (strcmp(status, "wrong") == 0) {
        return "NotBlocked";
    }
    const char *value = exchange_word_of(status, exchange_feedback_values);
    return value != NULL ? value : writer->options.default_status;
}

static void exchange_feedback_tags(struct exchange_writer *writer, const char *tags)
{
    char tag[EXCHANGE_TEXT_BYTES_MAX + 1];
    bool is_first = true;
    while (*tags != '\0') {
        const size_t len = strcspn(tags, " ");
        if (len > 0 && len < sizeof tag) {
            memcpy(tag, tags, len);
            tag[len] = '\0';
            exchange_out(writer, is_first ? "" : ",");
            exchange_out_json(writer, tag);
            is_first = false;
        }
        tags += len + (tags[len] == ' ');
    }
}

static bool exchange_feedback_put(struct exchange_writer *writer,
                                  const struct exchange_record *record)
{
    const char *value = exchange_feedback_value(writer, record->status);
    if (record->verb != EXCHANGE_ADD || !record->has_hash || value == NULL) {
        return false;
    }
    exchange_out(writer, writer->records == 0 ? "\n" : ",\n");
    exchange_out(writer, "{\"hashValue\":\"");
    exchange_out_hash(writer, &record->hash);
    exchange_out(writer, "\",\"feedbackValue\":");
    exchange_out_json(writer, value);
    exchange_out(writer, ",\"tags\":[");
    exchange_feedback_tags(writer, record->tags);
    exchange_out(writer, "]}");
    return true;
}

static enum imprint_error exchange_feedback_finish(struct exchange_writer *writer)
{
    exchange_out_number(writer, "\n],\"count\":", writer->records);
    exchange_out(writer, "}\n");
    return IMPRINT_OK;
}

/* --- The writer ------------------------------------------------------------------------------ */

static const struct exchange_output exchange_outputs[] = {
    {"imprint", exchange_native_begin, exchange_native_put, exchange_native_finish_out},
    {"hex", exchange_out_nothing, exchange_hex_put, exchange_out_nothing},
    {"tx", exchange_tx_begin, exchange_tx_put, exchange_out_nothing},
    {"stopncii-feedback", exchange_feedback_begin, exchange_feedback_put, exchange_feedback_finish},
};

static const struct exchange_output *exchange_output_find(const char *name)
{
    for (size_t i = 0; i < sizeof exchange_outputs / sizeof exchange_outputs[0]; i++) {
        if (strcmp(exchange_outputs[i].name, name) == 0) {
            return &exchange_outputs[i];
        }
    }
    return NULL;
}

enum imprint_error exchange_writer_open(const struct exchange_writer_options *options,
                                        struct exchange_writer **out_writer)
{
    const struct exchange_output *output = exchange_output_find(options->format);
    if (output == NULL) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    /* libsodium's running digest stands on cache lines, and so the size is a multiple of one. */
    struct exchange_writer *writer = aligned_alloc(64, sizeof *writer);
    if (writer == NULL) {
        return IMPRINT_E_NOMEM;
    }
    memset(writer, 0, sizeof *writer);
    writer->options = *options;
    writer->output = output;
    enum imprint_error error = output->open(writer);
    if (error == IMPRINT_OK) {
        error = exchange_out_flush(writer);
    }
    if (error != IMPRINT_OK) {
        exchange_writer_close(writer);
        return error;
    }
    *out_writer = writer;
    return IMPRINT_OK;
}

enum imprint_error exchange_writer_put(struct exchange_writer *writer,
                                       const struct exchange_record *record)
{
    if (writer->error != IMPRINT_OK) {
        return writer->error;
    }
    const bool is_change = record->verb == EXCHANGE_ADD || record->verb == EXCHANGE_REMOVE;
    if (!is_change || !writer->output->put(writer, record)) {
        writer->left_out++;
        return IMPRINT_OK;
    }
    writer->records++;
    writer->error = exchange_out_flush(writer);
    return writer->error;
}

enum imprint_error exchange_writer_finish(struct exchange_writer *writer)
{
    if (writer->error == IMPRINT_OK) {
        writer->error = writer->output->finish(writer);
    }
    if (writer->error == IMPRINT_OK) {
        writer->error = exchange_out_flush(writer);
    }
    return writer->error;
}

uint64_t exchange_writer_left_out(const struct exchange_writer *writer)
{
    return writer->left_out;
}

void exchange_writer_close(struct exchange_writer *writer)
{
    free(writer);
}
