/* Many hashes in one request, and what moderators say of matches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api_impl.h"

#define RECORD_BYTES      16
#define BATCH_REPLY_BYTES ((size_t)64 << 20)

enum input { INPUT_TEXT, INPUT_JSON, INPUT_BINARY };

struct batch {
    struct api_call *call;
    const char *lists;
    struct text text;
    bool is_binary_out;
    size_t hash_count;        /* asked for */
    enum imprint_error error; /* ends the batch */
};

/* --- One hash --------------------------------------------------------------------------------- */

static void put_little_endian(uint8_t *out_bytes, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++) {
        out_bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

/* entry u64, distance u16, verdict u8, 0, matches u32: docs/api.md. */
static void put_record(struct batch *batch, const struct catalog_matches *matches)
{
    uint8_t record[RECORD_BYTES] = {0};
    if (matches->count > 0) {
        unsigned distance = UINT16_MAX;
        (void)api_told_distance(batch->call, matches->items[0].distance, &distance);
        put_little_endian(record, 8, matches->items[0].entry);
        put_little_endian(record + 8, 2, distance);
        record[10] = 1;
        put_little_endian(record + 12, 4, matches->count);
    }
    metrics_count_verdict(batch->call->api->metrics,
                          matches->count > 0 ? METRICS_VERDICT_MATCH : METRICS_VERDICT_NO_MATCH);
    text_put_bytes(&batch->text, record, sizeof record);
}

/* A line that is wrong or refused has an answer of its own, so that the others keep theirs. */
static void answer_wrong(struct batch *batch, enum imprint_error error, const char *id)
{
    if (batch->is_binary_out) {
        uint8_t record[RECORD_BYTES] = {0};
        record[10] = UINT8_MAX;
        text_put_bytes(&batch->text, record, sizeof record);
        return;
    }
    text_put(&batch->text, "{");
    if (id != NULL) {
        text_printf(&batch->text, "\"id\":%s,", id);
    }
    text_printf(&batch->text, "\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n",
                imprint_error_name(error), imprint_error_text(error));
}

static void answer_hash(struct batch *batch, const struct imprint_hash *hash, const char *id)
{
    const struct imprint_view view = {.quality = IMPRINT_QUALITY_MAX, .hash = *hash};
    struct catalog_matches matches = {0};
    batch->error = catalog_match(batch->call->api->catalog, &view, 1, batch->lists, &matches);
    if (batch->error != IMPRINT_OK) {
        return;
    }
    batch->hash_count++;
    if (!api_may_answer_hash(batch->call, hash, matches.count > 0)) {
        answer_wrong(batch, IMPRINT_E_RATE_LIMITED, id);
    } else if (batch->is_binary_out) {
        put_record(batch, &matches);
    } else {
        api_put_verdict(batch->call, -1, id, &matches, &batch->text);
    }
    catalog_matches_done(&matches);
}

/* --- Lines ------------------------------------------------------------------------------------ */

static void answer_text_line(struct batch *batch, const char *line, size_t len)
{
    struct imprint_hash hash;
    enum imprint_error error = imprint_hash_from_hex(line, len, &hash);
    if (error != IMPRINT_OK) {
        answer_wrong(batch, error, NULL);
    } else {
        answer_hash(batch, &hash, NULL);
    }
}

static void answer_json_line(struct batch *batch, const char *line, size_t len)
{
    json_t *json = fields_parse(line, len, 2);
    struct imprint_hash hash;
    json_t *id = NULL;
    const struct field fields[] = {
        {.name = "hash", .kind = FIELD_BYTES32, .out = hash.bytes},
        {.name = "id", .kind = FIELD_ANY, .is_optional = true, .out = &id},
    };
    const char *wrong = NULL;
    bool is_fine = json != NULL && fields_read(json, fields, 2, &wrong) &&
                   (id == NULL || json_is_string(id) || json_is_integer(id));
    char *id_text = is_fine && id != NULL ? json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    if (is_fine) {
        answer_hash(batch, &hash, id_text);
    } else {
        bool is_hash = wrong != NULL && strcmp(wrong, "hash") == 0;
        answer_wrong(batch, is_hash ? IMPRINT_E_HASH_INVALID : IMPRINT_E_JSON_INVALID, NULL);
    }
    free(id_text);
    json_decref(json);
}

static void answer_lines(struct batch *batch, enum input input)
{
    if (batch->call->request->body_len == 0) {
        return; /* and body may be NULL */
    }
    const char *at = (const char *)batch->call->request->body;
    const char *end = at + batch->call->request->body_len;
    while (at < end && batch->error == IMPRINT_OK && !batch->text.is_failed) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;
        size_t len = (size_t)(stop - at);
        if (len > 0 && at[len - 1] == '\r') {
            len--;
        }
        if (len > 0 && input == INPUT_TEXT) {
            answer_text_line(batch, at, len);
        } else if (len > 0) {
            answer_json_line(batch, at, len);
        }
        at = stop + 1;
    }
}

static void answer_records(struct batch *batch)
{
    const uint8_t *at = batch->call->request->body;
    size_t count = batch->call->request->body_len / IMPRINT_HASH_BYTES;
    for (size_t i = 0; i < count && batch->error == IMPRINT_OK && !batch->text.is_failed; i++) {
        struct imprint_hash hash;
        memcpy(hash.bytes, at + i * IMPRINT_HASH_BYTES, sizeof hash.bytes);
        answer_hash(batch, &hash, NULL);
    }
}

static bool read_input(const struct http_request *request, enum input *out_input)
{
    static const struct {
        const char *type;
        enum input input;
    } types[] = {{"text/plain", INPUT_TEXT},
                 {"application/x-ndjson", INPUT_JSON},
                 {"application/octet-stream", INPUT_BINARY}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (api_content_type_is(request, types[i].type)) {
            *out_input = types[i].input;
            return true;
        }
    }
    return false;
}

void api_post_match_batch(struct api_call *call)
{
    const struct http_request *request = call->request;
    enum input input = INPUT_TEXT;
    if (!read_input(request, &input)) {
        api_fail_with(call, IMPRINT_E_MEDIA_TYPE,
                      "text/plain, application/x-ndjson or application/octet-stream");
        return;
    }
    if (input == INPUT_BINARY && request->body_len % IMPRINT_HASH_BYTES != 0) {
        api_fail_with(call, IMPRINT_E_HASH_INVALID, "32 bytes each in this form");
        return;
    }
    const char *accept = request->header(request, "Accept");
    struct batch batch = {
        .call = call,
        .lists = request->parameter(request, "lists"),
        .is_binary_out = accept != NULL && strcmp(accept, "application/octet-stream") == 0,
    };
    text_init(&batch.text, BATCH_REPLY_BYTES);
    if (input == INPUT_BINARY) {
        answer_records(&batch);
    } else {
        answer_lines(&batch, input);
    }
    /* Admitting the request took the first. */
    api_charge_hashes(call, batch.hash_count > 0 ? batch.hash_count - 1 : 0);
    if (batch.error != IMPRINT_OK || batch.text.is_failed) {
        text_done(&batch.text);
        api_fail_with(call, batch.error != IMPRINT_OK ? batch.error : IMPRINT_E_BODY_TOO_LARGE,
                      batch.error != IMPRINT_OK ? NULL : "the answers do not fit, ask for fewer");
        return;
    }
    api_answer_text(call, 200,
                    batch.is_binary_out ? "application/octet-stream" : "application/x-ndjson",
                    &batch.text);
}

/* --- Feedback --------------------------------------------------------------------------------- */

static const struct field_choice opinions[] = {{"confirmed", 1}, {"wrong", 2}, {NULL, 0}};

static void keep(struct api *api, const struct api_feedback *feedback)
{
    (void)pthread_mutex_lock(&api->feedback_lock);
    api->feedback[api->feedback_count % LIMIT_FEEDBACK_MAX] = *feedback;
    api->feedback_count++;
    (void)pthread_mutex_unlock(&api->feedback_lock);
}

void api_post_feedback(struct api_call *call)
{
    char match[API_MATCH_ID_SYMBOLS + 1] = "";
    int opinion = 0;
    const struct field fields[] = {
        {.name = "match",
         .kind = FIELD_TEXT,
         .min = API_MATCH_ID_SYMBOLS,
         .max = API_MATCH_ID_SYMBOLS,
         .out = match},
        {.name = "verdict", .kind = FIELD_CHOICE, .choices = opinions, .out = &opinion},
    };
    if (!api_read_body(call, fields, 2)) {
        return;
    }
    struct api_feedback feedback = {
        .uid = call->request->uid, .opinion = opinion, .time = (int64_t)time(NULL)};
    if (!api_read_match_id(call->api, match, &feedback.entry)) {
        api_fail_with(call, IMPRINT_E_PARAMETER_INVALID, "match (not one this daemon answered)");
        return;
    }
    keep(call->api, &feedback);
    log_notice("api: feedback: %s (entry %llu, uid %u)", fields_choice_name(opinions, opinion),
               (unsigned long long)feedback.entry, feedback.uid);
    struct http_reply reply = {.status = 204};
    api_answer(call, &reply);
}

void api_get_feedback(struct api_call *call)
{
    struct api *api = call->api;
    json_t *array = json_array();
    (void)pthread_mutex_lock(&api->feedback_lock);
    size_t kept =
        api->feedback_count < LIMIT_FEEDBACK_MAX ? api->feedback_count : LIMIT_FEEDBACK_MAX;
    for (size_t i = 1; i <= kept; i++) {
        const struct api_feedback *feedback =
            &api->feedback[(api->feedback_count - i) % LIMIT_FEEDBACK_MAX];
        (void)json_array_append_new(
            array, json_pack("{s:I, s:s, s:I, s:I}", "entry", (json_int_t)feedback->entry,
                             "verdict", fields_choice_name(opinions, feedback->opinion), "uid",
                             (json_int_t)feedback->uid, "time", (json_int_t)feedback->time));
    }
    (void)pthread_mutex_unlock(&api->feedback_lock);
    api_answer_json(call, 200, json_pack("{s:o}", "feedback", array));
}
