/* Pages of StopNCII's FetchHashes. Each record is a whole snapshot of one hash, the latest replaces
 * what was there. A hash may belong to several cases: it goes when the last of them has gone. */
#include <string.h>

#include "exchange_json.h"

enum exchange_life {
    EXCHANGE_LIFE_ON,
    EXCHANGE_LIFE_OVER,
    EXCHANGE_LIFE_UNKNOWN,
};

static const struct {
    const char *word;
    enum exchange_life life;
} exchange_stopncii_statuses[] = {
    {"Unknown", EXCHANGE_LIFE_ON},   {"Received", EXCHANGE_LIFE_ON},
    {"Active", EXCHANGE_LIFE_ON},    {"Withdrawn", EXCHANGE_LIFE_OVER},
    {"Deleted", EXCHANGE_LIFE_OVER},
};

static const char *const exchange_stopncii_feedbacks[] = {
    "Unknown", "None",       "QualityUnknown", "PendingReview",
    "Blocked", "NotBlocked", "Withdrawn",      "Deleted",
};

static enum exchange_life exchange_stopncii_life(const char *status)
{
    for (size_t i = 0; i < sizeof exchange_stopncii_statuses / sizeof exchange_stopncii_statuses[0];
         i++) {
        if (strcmp(status, exchange_stopncii_statuses[i].word) == 0) {
            return exchange_stopncii_statuses[i].life;
        }
    }
    return EXCHANGE_LIFE_UNKNOWN;
}

/* --- A record -------------------------------------------------------------------------------- */

static void exchange_stopncii_field(struct exchange_record *record, const char *name)
{
    exchange_record_judge(record, EXCHANGE_INVALID, EXCHANGE_REASON_FIELD, name, strlen(name));
}

/* A status that we do not know keeps the hash: whoever introduced it did not ask us to forget. */
static enum exchange_life exchange_stopncii_status(struct exchange_record *record,
                                                   const json_t *value)
{
    if (!json_is_string(value)) {
        exchange_stopncii_field(record, "status");
        return EXCHANGE_LIFE_ON;
    }
    const enum exchange_life life = exchange_stopncii_life(json_string_value(value));
    if (life == EXCHANGE_LIFE_UNKNOWN) {
        exchange_record_note(record, EXCHANGE_REASON_UNKNOWN_VALUE, json_string_value(value),
                             json_string_length(value));
        return EXCHANGE_LIFE_ON;
    }
    return life;
}

/* The cases decide where there are any, the record's own status otherwise. */
static void exchange_stopncii_judge(struct exchange_record *record, const json_t *object)
{
    const json_t *status = json_object_get(object, "hashStatus");
    const enum exchange_life own = exchange_stopncii_status(record, status);
    json_t *cases = json_object_get(object, "caseNumbers");
    if (cases != NULL && !json_is_null(cases) && !json_is_object(cases)) {
        exchange_stopncii_field(record, "caseNumbers");
    }
    bool has_case = false;
    bool has_live_case = false;
    const char *number;
    json_t *value;
    json_object_foreach(cases, number, value)
    {
        const bool is_live = exchange_stopncii_status(record, value) == EXCHANGE_LIFE_ON;
        if (!has_case || (is_live && !has_live_case)) {
            exchange_record_text(record, record->id, "caseNumbers", number, strlen(number));
        }
        has_case = true;
        has_live_case = has_live_case || is_live;
    }
    const bool is_live = has_case ? has_live_case : own == EXCHANGE_LIFE_ON;
    if (record->verb != EXCHANGE_INVALID) {
        record->verb = is_live ? EXCHANGE_ADD : EXCHANGE_REMOVE;
    }
}

static void exchange_stopncii_tags(struct exchange_record *record, const json_t *feedback)
{
    const json_t *tags = json_object_get(feedback, "tags");
    size_t i;
    const json_t *tag;
    json_array_foreach(tags, i, tag)
    {
        if (json_is_string(tag)) {
            exchange_record_append(record, record->tags, "tags", json_string_value(tag),
                                   json_string_length(tag));
        }
    }
}

static void exchange_stopncii_feedback(struct exchange_record *record, const json_t *feedback)
{
    const json_t *value = json_object_get(feedback, "feedbackValue");
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    bool is_known = false;
    for (size_t i = 0;
         i < sizeof exchange_stopncii_feedbacks / sizeof exchange_stopncii_feedbacks[0]; i++) {
        is_known = is_known || strcmp(text, exchange_stopncii_feedbacks[i]) == 0;
    }
    if (!is_known) {
        exchange_record_note(record, EXCHANGE_REASON_UNKNOWN_VALUE, text, strlen(text));
    }
    exchange_stopncii_tags(record, feedback);
}

static void exchange_stopncii_fill(struct exchange_record *record, const json_t *object)
{
    const json_t *type = json_object_get(object, "signalType");
    const json_t *hash = json_object_get(object, "hashValue");
    if (!json_is_string(type)) {
        exchange_stopncii_field(record, "signalType");
        return;
    }
    if (strcmp(json_string_value(type), "ImagePDQ") != 0) {
        exchange_record_judge(record, EXCHANGE_SKIP, EXCHANGE_REASON_SIGNAL_TYPE,
                              json_string_value(type), json_string_length(type));
        return;
    }
    if (!json_is_string(hash)) {
        exchange_stopncii_field(record, "hashValue");
        return;
    }
    exchange_record_hex(record, json_string_value(hash), json_string_length(hash));
    if (!record->has_hash) {
        return;
    }
    record->updated = json_integer_value(json_object_get(object, "lastModtimestamp"));
    exchange_json_text(record, record->status, object, "hashStatus");
    exchange_stopncii_judge(record, object);
    size_t i;
    const json_t *feedback;
    json_array_foreach(json_object_get(object, "CSPFeedbacks"), i, feedback)
    {
        exchange_stopncii_feedback(record, feedback);
    }
}

/* --- A page ---------------------------------------------------------------------------------- */

static enum imprint_error exchange_stopncii_page(struct exchange_reader *reader,
                                                 const struct exchange_json_piece *piece)
{
    json_t *object;
    enum imprint_error error = exchange_json_document(reader, piece, "hashRecords", &object);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct exchange_page *page = exchange_page_of(reader);
    page->has_more = json_is_true(json_object_get(object, "hasMoreRecords"));
    page->checkpoint = json_integer_value(json_object_get(object, "nextSetTimestamp"));
    page->next[0] = '\0';
    const json_t *next = json_object_get(object, "nextPageToken");
    const size_t len = json_string_length(next);
    if (len > EXCHANGE_PAGE_BYTES_MAX) {
        error = exchange_fault(reader, IMPRINT_E_JSON_INVALID, piece->line, piece->offset,
                               "the token of the next page is too long");
    } else if (len > 0) {
        memcpy(page->next, json_string_value(next), len + 1);
    }
    json_decref(object);
    return error;
}

static enum imprint_error exchange_stopncii_piece(struct exchange_reader *reader, void *state,
                                                  const struct exchange_json_piece *piece)
{
    (void)state;
    if (piece->level == 0) {
        return exchange_stopncii_page(reader, piece);
    }
    struct exchange_record record;
    json_t *object;
    const enum imprint_error error = exchange_json_object(piece, &record, &object);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (object != NULL) {
        exchange_stopncii_fill(&record, object);
        json_decref(object);
    }
    return exchange_emit(reader, &record);
}

static enum imprint_error exchange_stopncii_open(struct exchange_reader *reader, void *state)
{
    (void)reader;
    struct exchange_json *json = state;
    json->keys[0] = "hashRecords";
    json->on_piece = exchange_stopncii_piece;
    return exchange_json_open(json);
}

static enum imprint_error exchange_stopncii_feed(struct exchange_reader *reader, void *state,
                                                 const char *bytes, size_t len)
{
    return exchange_json_feed(state, reader, bytes, len);
}

static enum imprint_error exchange_stopncii_finish(struct exchange_reader *reader, void *state)
{
    return exchange_json_finish(state, reader);
}

static void exchange_stopncii_close(void *state)
{
    exchange_json_close(state);
}

static bool exchange_stopncii_sniff(const char *head, size_t len)
{
    exchange_trim(&head, &len);
    return len > 0 && head[0] == '{' &&
           (exchange_head_has(head, len, "\"hashRecords\"") ||
            exchange_head_has(head, len, "\"nextSetTimestamp\""));
}

const struct exchange_format exchange_format_stopncii = {
    .name = "stopncii",
    .summary = "JSON pages of StopNCII's FetchHashes, one or several after each other",
    .sniff = exchange_stopncii_sniff,
    .state_bytes = sizeof(struct exchange_json),
    .open = exchange_stopncii_open,
    .feed = exchange_stopncii_feed,
    .finish = exchange_stopncii_finish,
    .close = exchange_stopncii_close,
};
