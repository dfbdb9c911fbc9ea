/* Project VIC's JSON, 1.x and 2.0: media under "value", or cases there with media under "Media". Of
 * a medium's hashes those named PDQ are ours. */
#include <stdio.h>
#include <string.h>

#include "exchange_json.h"

struct exchange_vics {
    struct exchange_json json;
    struct exchange_record record;
};

/* Digits by their length: the format's other perceptual hashes are base64, PDQ's own form is hex.
 */
static void exchange_vics_hash(struct exchange_record *record, const json_t *value)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    const size_t len = strlen(text);
    if (len == 43 || len == 44) {
        exchange_record_base64(record, text, len);
    } else {
        exchange_record_hex(record, text, len);
    }
}

/* Hands on a record for each PDQ hash in an array of { HashName, HashValue }. */
static enum imprint_error exchange_vics_hashes(struct exchange_reader *reader,
                                               const struct exchange_record *medium,
                                               const json_t *hashes, size_t *count)
{
    size_t i;
    const json_t *hash;
    json_array_foreach(hashes, i, hash)
    {
        const json_t *name = json_object_get(hash, "HashName");
        if (!json_is_string(name) ||
            !exchange_text_is_like(json_string_value(name), json_string_length(name), "PDQ")) {
            continue;
        }
        struct exchange_record record = *medium;
        exchange_vics_hash(&record, json_object_get(hash, "HashValue"));
        *count += 1;
        const enum imprint_error error = exchange_emit(reader, &record);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    return IMPRINT_OK;
}

static enum imprint_error exchange_vics_medium(struct exchange_reader *reader,
                                               struct exchange_record *record, json_t *object)
{
    exchange_json_text(record, record->id, object, "MediaID");
    exchange_json_text(record, record->status, object, "Category");
    exchange_json_text(record, record->name, object, "Series");
    exchange_json_text(record, record->tags, object, "Tags");
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const enum imprint_error error = exchange_vics_hashes(reader, record, value, &count);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    if (count > 0) {
        return IMPRINT_OK;
    }
    exchange_record_judge(record, EXCHANGE_SKIP, EXCHANGE_REASON_NO_PDQ, "", 0);
    return exchange_emit(reader, record);
}

static enum imprint_error exchange_vics_piece(struct exchange_reader *reader, void *state,
                                              const struct exchange_json_piece *piece)
{
    struct exchange_vics *vics = state;
    json_t *object = NULL;
    enum imprint_error error = IMPRINT_OK;
    if (piece->level == 0) {
        error = exchange_json_document(reader, piece, "value", &object);
        json_decref(object);
        return error;
    }
    error = exchange_json_object(piece, &vics->record, &object);
    if (error != IMPRINT_OK) {
        return error;
    }
    const bool is_case = piece->level == 1 && json_object_get(object, "Media") != NULL;
    if (object == NULL) {
        error = exchange_emit(reader, &vics->record);
    } else if (!is_case) {
        error = exchange_vics_medium(reader, &vics->record, object);
    } else if (json_array_size(json_object_get(object, "Media")) > 0) {
        error = exchange_fault(reader, IMPRINT_E_JSON_INVALID, piece->line, piece->offset,
                               "the case's media were not recognised");
    }
    json_decref(object);
    return error;
}

static enum imprint_error exchange_vics_open(struct exchange_reader *reader, void *state)
{
    (void)reader;
    struct exchange_vics *vics = state;
    vics->json.keys[0] = "value";
    vics->json.keys[1] = "Media";
    vics->json.on_piece = exchange_vics_piece;
    vics->json.state = vics;
    return exchange_json_open(&vics->json);
}

static enum imprint_error exchange_vics_feed(struct exchange_reader *reader, void *state,
                                             const char *bytes, size_t len)
{
    struct exchange_vics *vics = state;
    return exchange_json_feed(&vics->json, reader, bytes, len);
}

static enum imprint_error exchange_vics_finish(struct exchange_reader *reader, void *state)
{
    struct exchange_vics *vics = state;
    return exchange_json_finish(&vics->json, reader);
}

static void exchange_vics_close(void *state)
{
    struct exchange_vics *vics = state;
    exchange_json_close(&vics->json);
}

static bool exchange_vics_sniff(const char *head, size_t len)
{
    exchange_trim(&head, &len);
    return len > 0 && head[0] == '{' &&
           (exchange_head_has(head, len, "odata.metadata") ||
            exchange_head_has(head, len, "odata.context") ||
            exchange_head_has(head, len, "\"value\""));
}

const struct exchange_format exchange_format_vics = {
    .name = "vics",
    .summary = "Project VIC JSON 1.x and 2.0; hashes named PDQ",
    .sniff = exchange_vics_sniff,
    .state_bytes = sizeof(struct exchange_vics),
    .open = exchange_vics_open,
    .feed = exchange_vics_feed,
    .finish = exchange_vics_finish,
    .close = exchange_vics_close,
};
