#include "apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "strbuf.h"

/* A batch is one transaction; more in one gains little and holds up other changes longer. */
#define APPLY_BATCH 1000
/* A line holds 64 digits, five numbers and a note whose bytes may each become six. */
#define APPLY_BODY_BYTES_MAX ((size_t)4 << 20)
#define APPLY_PAGE           1000
/* Removals by id that one file may ask for: 24 bytes each. */
#define APPLY_PLAN_MAX ((size_t)1 << 20)
#define APPLY_ID_BYTES 16
/* An id that fits into a note beside some status; a longer one is kept by its digest. */
#define APPLY_ID_TEXT_MAX 160
/* In a note, what comes before the time at which the source changed the entry. */
#define APPLY_NOTE_AT "; at:"

struct apply_id {
    uint8_t bytes[APPLY_ID_BYTES];
};

struct apply_tombstone {
    struct apply_id id;
    int64_t updated;
    bool was_there;
};

struct apply_add {
    struct imprint_hash hash;
    uint8_t quality;
    int64_t expires;
    int64_t disabled_until;
    char note[EXCHANGE_TEXT_BYTES_MAX + 1];
};

struct apply {
    struct apply_options options;
    char target[CTL_TARGET_BYTES_MAX]; /* of a batch */
    json_int_t quality_floor;
    enum exit_status status;
    struct apply_counts counts;
    struct apply_tombstone *plan;
    bool is_plan_sorted;
    size_t plan_count;
    size_t plan_capacity;
    size_t add_count;
    size_t remove_count;
    struct imprint_hash removes[APPLY_BATCH];
    struct apply_add adds[APPLY_BATCH];
};

static enum imprint_error apply_fail(struct apply *apply, enum exit_status status)
{
    apply->status = exit_status_worse(apply->status, status);
    return IMPRINT_E_IO;
}

/* --- Notes and ids --------------------------------------------------------------------------- */

/* A piece of a note, without control characters; the first piece has no semicolon, which ends it.
 */
static void apply_note_add(char *note, size_t capacity, const char *before, const char *text)
{
    size_t len = strlen(note);
    const size_t before_len = strlen(before);
    const size_t text_len = strlen(text);
    if (text_len == 0 || len + before_len + text_len >= capacity) {
        return;
    }
    memcpy(note + len, before, before_len + 1);
    len += before_len;
    for (size_t i = 0; i <= text_len; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool is_odd = c < 0x20 || c == 0x7f || (c == ';' && len == before_len);
        note[len + i] = c != 0 && is_odd ? ' ' : text[i];
    }
}

static void apply_note_id(const char *id, char *note, size_t capacity)
{
    if (strlen(id) <= APPLY_ID_TEXT_MAX) {
        apply_note_add(note, capacity, "id:", id);
        return;
    }
    uint8_t digest[APPLY_ID_BYTES];
    char digits[2 * APPLY_ID_BYTES + 1];
    crypto_generichash(digest, sizeof digest, (const unsigned char *)id, strlen(id), NULL, 0);
    sodium_bin2hex(digits, sizeof digits, digest, sizeof digest);
    apply_note_add(note, capacity, "id#", digits);
}

void apply_note(const struct exchange_record *record, char out_note[EXCHANGE_TEXT_BYTES_MAX + 1])
{
    const size_t capacity = EXCHANGE_TEXT_BYTES_MAX + 1;
    out_note[0] = '\0';
    apply_note_id(record->id, out_note, capacity);
    if (out_note[0] != '\0' && record->updated > 0) {
        char digits[24];
        snprintf(digits, sizeof digits, "%" PRId64, record->updated);
        apply_note_add(out_note, capacity, APPLY_NOTE_AT, digits);
    }
    if (record->seq > 0) {
        apply_note_add(out_note, capacity, out_note[0] != '\0' ? "; note:" : "", record->name);
        return;
    }
    apply_note_add(out_note, capacity,
                   out_note[0] != '\0' ? "; status:" : "status:", record->status);
    apply_note_add(out_note, capacity, out_note[0] != '\0' ? "; tags:" : "tags:", record->tags);
}

/* The digest of a note's first piece, if that is an id. */
static bool apply_note_digest(const char *note, struct apply_id *out_id)
{
    if (strncmp(note, "id:", 3) != 0 && strncmp(note, "id#", 3) != 0) {
        return false;
    }
    crypto_generichash(out_id->bytes, sizeof out_id->bytes, (const unsigned char *)note,
                       strcspn(note, ";"), NULL, 0);
    return true;
}

static void apply_id_digest(const char *id, struct apply_id *out_id)
{
    char note[EXCHANGE_TEXT_BYTES_MAX + 1] = "";
    apply_note_id(id, note, sizeof note);
    (void)apply_note_digest(note, out_id);
}

/* --- Opening --------------------------------------------------------------------------------- */

struct apply *apply_open(const struct apply_options *options, enum exit_status *out_status)
{
    char target[CTL_TARGET_BYTES_MAX];
    *out_status = EXIT_STATUS_ERROR;
    struct apply *apply = calloc(1, sizeof *apply);
    if (apply == NULL) {
        command_complain(options->call, "%s", imprint_error_text(IMPRINT_E_NOMEM));
        return NULL;
    }
    apply->options = *options;
    json_t *answer = NULL;
    if (ctl_target(options->call, apply->target, sizeof apply->target, "/v1/lists/", options->list,
                   "/entries/batch?atomic=1", NULL, NULL) &&
        ctl_target(options->call, target, sizeof target, "/v1/lists/", options->list, "", NULL,
                   NULL)) {
        const struct ctl_request request = {.method = "GET", .target = target};
        *out_status = ctl_ask(options->call, &request, &answer);
    }
    if (*out_status != EXIT_STATUS_FINE) {
        apply_close(apply);
        return NULL;
    }
    apply->quality_floor = json_integer_value(json_object_get(answer, "quality_floor"));
    json_decref(answer);
    return apply;
}

void apply_close(struct apply *apply)
{
    if (apply != NULL) {
        free(apply->plan);
        free(apply);
    }
}

const struct apply_counts *apply_counts(const struct apply *apply)
{
    return &apply->counts;
}

enum exit_status apply_status(const struct apply *apply)
{
    return apply->status;
}

/* --- Entries --------------------------------------------------------------------------------- */

static enum imprint_error apply_remove_entry(struct apply *apply, const json_t *entry)
{
    char before[64];
    char target[CTL_TARGET_BYTES_MAX];
    if (json_is_string(json_object_get(entry, "case"))) {
        apply->counts.of_cases++;
        return IMPRINT_OK;
    }
    const json_int_t id = json_integer_value(json_object_get(entry, "id"));
    snprintf(before, sizeof before, "/v1/entries/%" JSON_INTEGER_FORMAT, id);
    if (!ctl_target(apply->options.call, target, sizeof target, before, "", "", "reason",
                    apply->options.source)) {
        return apply_fail(apply, EXIT_STATUS_ERROR);
    }
    const struct ctl_request request = {.method = "DELETE", .target = target};
    const enum exit_status status = ctl_ask(apply->options.call, &request, NULL);
    if (status != EXIT_STATUS_FINE) {
        return apply_fail(apply, status);
    }
    apply->options.summary->removed++;
    return IMPRINT_OK;
}

static enum imprint_error apply_remove_hash(struct apply *apply, const struct imprint_hash *hash)
{
    char hex[IMPRINT_HASH_HEX + 1];
    char target[128];
    imprint_hash_to_hex(hash, hex);
    snprintf(target, sizeof target, "/v1/entries?hash=%s", hex);
    const struct ctl_request request = {.method = "GET", .target = target};
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(apply->options.call, &request, &answer);
    if (status != EXIT_STATUS_FINE) {
        return apply_fail(apply, status);
    }
    enum imprint_error error = IMPRINT_OK;
    bool was_there = false;
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(answer, "entries"), i, entry)
    {
        const char *list = json_string_value(json_object_get(entry, "list"));
        if (list != NULL && strcmp(list, apply->options.list) == 0 && error == IMPRINT_OK) {
            was_there = true;
            error = apply_remove_entry(apply, entry);
        }
    }
    json_decref(answer);
    apply->options.summary->duplicate += was_there ? 0 : 1;
    return error;
}

/* --- Removals by id -------------------------------------------------------------------------- */

static enum imprint_error apply_plan_add(struct apply *apply, const struct apply_id *id,
                                         int64_t updated)
{
    if (apply->plan_count == APPLY_PLAN_MAX) {
        command_complain(apply->options.call, "too many removals by id at once");
        return apply_fail(apply, EXIT_STATUS_ERROR);
    }
    if (apply->plan_count == apply->plan_capacity) {
        const size_t capacity = apply->plan_capacity > 0 ? 2 * apply->plan_capacity : 256;
        struct apply_tombstone *plan = realloc(apply->plan, capacity * sizeof *plan);
        if (plan == NULL) {
            command_complain(apply->options.call, "%s", imprint_error_text(IMPRINT_E_NOMEM));
            return apply_fail(apply, EXIT_STATUS_ERROR);
        }
        apply->plan = plan;
        apply->plan_capacity = capacity;
    }
    apply->plan[apply->plan_count++] = (struct apply_tombstone){.id = *id, .updated = updated};
    apply->is_plan_sorted = false;
    return IMPRINT_OK;
}

enum imprint_error apply_plan(struct apply *apply, const struct exchange_record *record)
{
    if (record->verb != EXCHANGE_REMOVE || record->has_hash) {
        return IMPRINT_OK;
    }
    struct apply_id id;
    apply_id_digest(record->id, &id);
    return apply_plan_add(apply, &id, record->updated);
}

json_t *apply_plan_to_json(struct apply *apply)
{
    json_t *plan = json_array();
    for (size_t i = 0; i < apply->plan_count; i++) {
        char digits[2 * APPLY_ID_BYTES + 1];
        sodium_bin2hex(digits, sizeof digits, apply->plan[i].id.bytes, APPLY_ID_BYTES);
        json_t *pair = json_pack("[s, I]", digits, (json_int_t)apply->plan[i].updated);
        if (json_array_append_new(plan, pair) != 0) {
            json_decref(plan);
            return NULL;
        }
    }
    return plan;
}

bool apply_plan_from_json(struct apply *apply, const json_t *plan)
{
    for (size_t i = 0; i < json_array_size(plan); i++) {
        const json_t *pair = json_array_get(plan, i);
        const char *digits = json_string_value(json_array_get(pair, 0));
        struct apply_id id;
        size_t len = 0;
        if (digits == NULL ||
            sodium_hex2bin(id.bytes, sizeof id.bytes, digits, strlen(digits), NULL, &len, NULL) !=
                0 ||
            len != sizeof id.bytes ||
            apply_plan_add(apply, &id, json_integer_value(json_array_get(pair, 1))) != IMPRINT_OK) {
            return false;
        }
    }
    return plan == NULL || json_is_array(plan);
}

/* By id, the newest first. */
static int apply_tombstone_order(const void *a, const void *b)
{
    const struct apply_tombstone *x = a;
    const struct apply_tombstone *y = b;
    const int order = memcmp(&x->id, &y->id, sizeof x->id);
    return order != 0 ? order : (x->updated < y->updated) - (x->updated > y->updated);
}

static int apply_tombstone_find(const void *key, const void *member)
{
    return memcmp(key, &((const struct apply_tombstone *)member)->id, sizeof(struct apply_id));
}

/* One tombstone an id, the newest. */
static void apply_plan_sort(struct apply *apply)
{
    size_t count = 0;
    if (apply->is_plan_sorted) {
        return;
    }
    apply->is_plan_sorted = true;
    if (apply->plan_count > 0) {
        qsort(apply->plan, apply->plan_count, sizeof apply->plan[0], apply_tombstone_order);
    }
    for (size_t i = 0; i < apply->plan_count; i++) {
        const bool is_known = count > 0 && memcmp(&apply->plan[count - 1].id, &apply->plan[i].id,
                                                  sizeof(struct apply_id)) == 0;
        if (is_known) {
            apply->options.summary->duplicate++;
        } else {
            apply->plan[count++] = apply->plan[i];
        }
    }
    apply->plan_count = count;
}

static struct apply_tombstone *apply_planned_for(struct apply *apply, const struct apply_id *id)
{
    apply_plan_sort(apply);
    return apply->plan_count == 0 ? NULL
                                  : bsearch(id, apply->plan, apply->plan_count,
                                            sizeof apply->plan[0], apply_tombstone_find);
}

/* Whether a removal is about what its source changed then; one without a time is about all. */
static bool apply_is_over(const struct apply_tombstone *tombstone, int64_t updated)
{
    return tombstone->updated == 0 || updated <= tombstone->updated;
}

/* When the source changed the entry; 0: the note does not say. */
static int64_t apply_note_time(const char *note)
{
    const char *at = strstr(note, APPLY_NOTE_AT);
    return at != NULL ? strtoll(at + sizeof APPLY_NOTE_AT - 1, NULL, 10) : 0;
}

static enum imprint_error apply_planned_page(struct apply *apply, const json_t *entries)
{
    enum imprint_error error = IMPRINT_OK;
    for (size_t i = 0; i < json_array_size(entries) && error == IMPRINT_OK; i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *note = json_string_value(json_object_get(entry, "note"));
        struct apply_id id;
        struct apply_tombstone *tombstone = NULL;
        if (note != NULL && apply_note_digest(note, &id)) {
            tombstone = apply_planned_for(apply, &id);
        }
        if (tombstone != NULL && apply_is_over(tombstone, apply_note_time(note))) {
            tombstone->was_there = true;
            error = apply_remove_entry(apply, entry);
        }
    }
    return error;
}

enum imprint_error apply_planned(struct apply *apply)
{
    const struct command_call *call = apply->options.call;
    enum imprint_error error = IMPRINT_OK;
    json_int_t after = 0;
    bool has_more = apply->plan_count > 0;
    while (has_more && error == IMPRINT_OK) {
        char query[96];
        char target[CTL_TARGET_BYTES_MAX];
        json_t *answer = NULL;
        snprintf(query, sizeof query, "/entries?after=%" JSON_INTEGER_FORMAT "&limit=%d", after,
                 APPLY_PAGE);
        if (!ctl_target(call, target, sizeof target, "/v1/lists/", apply->options.list, query, NULL,
                        NULL)) {
            return apply_fail(apply, EXIT_STATUS_ERROR);
        }
        const struct ctl_request request = {.method = "GET", .target = target};
        const enum exit_status status = ctl_ask(call, &request, &answer);
        if (status != EXIT_STATUS_FINE) {
            return apply_fail(apply, status);
        }
        error = apply_planned_page(apply, json_object_get(answer, "entries"));
        const json_t *next = json_object_get(answer, "next");
        has_more = json_integer_value(next) > after;
        after = json_integer_value(next);
        json_decref(answer);
    }
    for (size_t i = 0; i < apply->plan_count && error == IMPRINT_OK; i++) {
        apply->options.summary->duplicate += apply->plan[i].was_there ? 0 : 1;
    }
    return error;
}

/* --- Adds ------------------------------------------------------------------------------------ */

static void apply_line(struct strbuf *body, const struct apply_add *add)
{
    strbuf_add(body, "{\"hash\":\"");
    strbuf_add_hex(body, add->hash.bytes, sizeof add->hash.bytes);
    strbuf_add(body, "\"");
    if (add->quality <= 100) {
        strbuf_addf(body, ",\"quality\":%u", add->quality);
    }
    if (add->expires > 0) {
        strbuf_addf(body, ",\"expires\":%" PRId64, add->expires);
    }
    if (add->disabled_until > 0) {
        strbuf_addf(body, ",\"disabled_until\":%" PRId64, add->disabled_until);
    }
    if (add->note[0] != '\0') {
        strbuf_add(body, ",\"note\":");
        strbuf_add_json(body, add->note);
    }
    strbuf_add(body, "}\n");
}

static enum imprint_error apply_send(struct apply *apply, const struct strbuf *body)
{
    const struct ctl_request request = {
        .method = "POST",
        .target = apply->target,
        .content_type = "application/x-ndjson",
        .body = body->bytes,
        .body_len = body->len,
    };
    json_t *answer = NULL;
    const enum exit_status status = ctl_ask(apply->options.call, &request, &answer);
    if (status != EXIT_STATUS_FINE) {
        return apply_fail(apply, status);
    }
    struct exchange_summary *summary = apply->options.summary;
    const json_int_t added = json_integer_value(json_object_get(answer, "added"));
    const json_int_t duplicates = json_integer_value(json_object_get(answer, "duplicates"));
    json_decref(answer);
    if (added < 0 || duplicates < 0 || (size_t)(added + duplicates) != apply->add_count) {
        command_complain(apply->options.call, "the daemon counted other entries than were sent");
        return apply_fail(apply, EXIT_STATUS_ERROR);
    }
    summary->added += (uint64_t)added;
    summary->duplicate += (uint64_t)duplicates;
    return IMPRINT_OK;
}

static enum imprint_error apply_flush_adds(struct apply *apply)
{
    if (apply->add_count == 0) {
        return IMPRINT_OK;
    }
    struct strbuf body;
    strbuf_init(&body, APPLY_BODY_BYTES_MAX);
    for (size_t i = 0; i < apply->add_count; i++) {
        apply_line(&body, &apply->adds[i]);
    }
    enum imprint_error error = strbuf_error(&body);
    if (error == IMPRINT_OK) {
        error = apply_send(apply, &body);
    } else {
        command_complain(apply->options.call, "%s", imprint_error_text(error));
        error = apply_fail(apply, EXIT_STATUS_ERROR);
    }
    strbuf_done(&body);
    apply->add_count = 0;
    return error;
}

enum imprint_error apply_flush(struct apply *apply)
{
    enum imprint_error error = apply_flush_adds(apply);
    for (size_t i = 0; i < apply->remove_count && error == IMPRINT_OK; i++) {
        error = apply_remove_hash(apply, &apply->removes[i]);
    }
    apply->remove_count = 0;
    return error;
}

/* --- Records --------------------------------------------------------------------------------- */

/* What waits about one hash is undone by what comes after it, so adds and removals never meet in a
 * batch and their order there does not matter. */
static void apply_forget_add(struct apply *apply, const struct imprint_hash *hash)
{
    for (size_t i = 0; i < apply->add_count; i++) {
        if (imprint_hash_equal(&apply->adds[i].hash, hash)) {
            apply->adds[i--] = apply->adds[--apply->add_count];
            apply->options.summary->duplicate++;
        }
    }
}

static void apply_forget_remove(struct apply *apply, const struct imprint_hash *hash)
{
    for (size_t i = 0; i < apply->remove_count; i++) {
        if (imprint_hash_equal(&apply->removes[i], hash)) {
            apply->removes[i--] = apply->removes[--apply->remove_count];
            apply->options.summary->duplicate++;
        }
    }
}

static bool apply_is_superseded(struct apply *apply, const struct exchange_record *record)
{
    struct apply_id id;
    if (apply->plan_count == 0 || record->id[0] == '\0') {
        return false;
    }
    apply_id_digest(record->id, &id);
    const struct apply_tombstone *tombstone = apply_planned_for(apply, &id);
    return tombstone != NULL && apply_is_over(tombstone, record->updated);
}

static void apply_wait_add(struct apply *apply, const struct exchange_record *record)
{
    if (record->quality <= 100 && record->quality < apply->quality_floor) {
        apply->counts.below_floor++;
        return;
    }
    if (apply_is_superseded(apply, record)) {
        apply->counts.superseded++;
        return;
    }
    apply_forget_remove(apply, &record->hash);
    struct apply_add *add = &apply->adds[apply->add_count++];
    *add = (struct apply_add){
        .hash = record->hash,
        .quality = record->quality,
        .expires = record->expires,
        .disabled_until = record->disabled_until,
    };
    apply_note(record, add->note);
}

enum imprint_error apply_record(struct apply *apply, const struct exchange_record *record)
{
    if (!record->has_hash) {
        return IMPRINT_OK;
    }
    if (record->verb == EXCHANGE_ADD) {
        apply_wait_add(apply, record);
    } else if (record->verb == EXCHANGE_REMOVE) {
        apply_forget_add(apply, &record->hash);
        apply_forget_remove(apply, &record->hash);
        apply->removes[apply->remove_count++] = record->hash;
    }
    const bool is_full = apply->add_count == APPLY_BATCH || apply->remove_count == APPLY_BATCH;
    return is_full ? apply_flush(apply) : IMPRINT_OK;
}
