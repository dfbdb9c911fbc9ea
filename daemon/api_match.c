/* The query socket's questions: is this picture, or this hash, one that somebody reported? */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "api_impl.h"
#include "multipart.h"

#define COARSE_BITS    8
#define MATCH_ID_TIME  5 /* bytes: seconds since 1970 */
#define MATCH_ID_ENTRY 6
#define MATCH_ID_MAC   5
#define MATCH_ID_BYTES (MATCH_ID_TIME + MATCH_ID_ENTRY + MATCH_ID_MAC)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* --- Match ids -------------------------------------------------------------------------------- */

static void put_big_endian(uint8_t *out_bytes, size_t count, uint64_t value)
{
    for (size_t i = 0; i < count; i++) {
        out_bytes[i] = (uint8_t)(value >> 8 * (count - 1 - i));
    }
}

/* Fills in the keyed checksum over what stands before it. */
static void sign_match_id(const struct api *api, uint8_t bytes[MATCH_ID_BYTES])
{
    uint8_t mac[crypto_shorthash_BYTES];
    (void)crypto_shorthash(mac, bytes, MATCH_ID_TIME + MATCH_ID_ENTRY, api->match_key);
    memcpy(bytes + MATCH_ID_TIME + MATCH_ID_ENTRY, mac, MATCH_ID_MAC);
}

/* Time, entry and a keyed checksum: sortable, and feedback about a match nobody was told of is
 * noticed without remembering any. */
static void make_match_id(const struct api *api, uint64_t entry, int64_t now,
                          char out_text[API_MATCH_ID_SYMBOLS + 1])
{
    uint8_t bytes[MATCH_ID_BYTES];
    put_big_endian(bytes, MATCH_ID_TIME, (uint64_t)now);
    put_big_endian(bytes + MATCH_ID_TIME, MATCH_ID_ENTRY, entry);
    sign_match_id(api, bytes);
    unsigned bits = 0;
    unsigned bit_count = 2; /* 26 symbols hold 130 bits: two zeros lead */
    size_t n = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffff;
        bit_count += 8;
        while (bit_count >= 5) {
            bit_count -= 5;
            out_text[n++] = alphabet[bits >> bit_count & 31];
        }
    }
    out_text[n] = '\0';
}

bool api_read_match_id(const struct api *api, const char *text, uint64_t *out_entry)
{
    uint8_t bytes[MATCH_ID_BYTES] = {0};
    unsigned bits = 0;
    unsigned bit_count = 0;
    size_t n = 0;
    for (size_t i = 0; i < API_MATCH_ID_SYMBOLS; i++) {
        const char *at = text[i] == '\0' ? NULL : strchr(alphabet, text[i]);
        unsigned value = at == NULL ? 32 : (unsigned)(at - alphabet);
        if (value > (i == 0 ? 7u : 31u)) {
            return false;
        }
        bits = (bits << 5 | value) & 0xffff;
        bit_count += i == 0 ? 3 : 5;
        if (bit_count >= 8) {
            bit_count -= 8;
            bytes[n++] = (uint8_t)(bits >> bit_count & 0xff);
        }
    }
    uint8_t right[MATCH_ID_BYTES];
    memcpy(right, bytes, sizeof right);
    sign_match_id(api, right);
    if (sodium_memcmp(right, bytes, sizeof right) != 0) {
        return false;
    }
    uint64_t entry = 0;
    for (size_t i = 0; i < MATCH_ID_ENTRY; i++) {
        entry = entry << 8 | bytes[MATCH_ID_TIME + i];
    }
    *out_entry = entry;
    return true;
}

/* --- Verdicts --------------------------------------------------------------------------------- */

bool api_told_distance(const struct api_call *call, unsigned distance, unsigned *out_distance)
{
    enum api_distance policy = (enum api_distance)atomic_load(&call->api->distance);
    if (call->request->role == HTTP_ROLE_ADMIN) {
        policy = API_DISTANCE_EXACT;
    }
    switch (policy) {
    case API_DISTANCE_HIDDEN: return false;
    case API_DISTANCE_COARSE:
        *out_distance = (distance + COARSE_BITS - 1) / COARSE_BITS * COARSE_BITS;
        return true;
    case API_DISTANCE_EXACT: break;
    }
    *out_distance = distance;
    return true;
}

static void put_match(const struct api_call *call, const struct catalog_match *match, int64_t now,
                      struct text *text)
{
    char id[API_MATCH_ID_SYMBOLS + 1];
    char view[32];
    make_match_id(call->api, match->entry, now, id);
    imprint_view_name(match->view, view, sizeof view);
    text_put(text, "{\"match\":\"");
    text_put_bytes(text, id, API_MATCH_ID_SYMBOLS);
    text_put(text, "\",\"list\":");
    text_put_json(text, match->list);
    text_put(text, ",\"entry\":");
    text_put_u64(text, match->entry);
    unsigned distance = 0;
    if (api_told_distance(call, match->distance, &distance)) {
        text_put(text, ",\"distance\":");
        text_put_u64(text, distance);
    }
    text_put(text, ",\"view\":");
    text_put_json(text, view);
    text_put(text, ",\"action\":");
    text_put_json(text, match->action);
    text_put(text, "}");
}

void api_put_verdict(const struct api_call *call, int quality, const char *id,
                     const struct catalog_matches *matches, struct text *text)
{
    bool is_flat = quality >= 0 && quality < IMPRINT_QUALITY_FLOOR;
    enum metrics_verdict verdict = matches->count > 0 ? METRICS_VERDICT_MATCH
                                   : is_flat          ? METRICS_VERDICT_UNHASHABLE
                                                      : METRICS_VERDICT_NO_MATCH;
    static const char *const names[] = {"match", "no_match", "unhashable"};
    metrics_count_verdict(call->api->metrics, verdict);
    text_put(text, "{");
    if (id != NULL) {
        text_put(text, "\"id\":");
        text_put(text, id);
        text_put(text, ",");
    }
    text_put(text, "\"verdict\":\"");
    text_put(text, names[verdict]);
    text_put(text, "\",\"quality\":");
    if (quality < 0) {
        text_put(text, "null");
    } else {
        text_put_u64(text, (uint64_t)quality);
    }
    text_put(text, ",\"seq\":");
    text_put_u64(text, matches->seq);
    text_put(text, ",\"matches\":[");
    int64_t now = matches->count > 0 ? (int64_t)time(NULL) : 0;
    for (size_t i = 0; i < matches->count; i++) {
        text_put(text, i == 0 ? "" : ",");
        put_match(call, &matches->items[i], now, text);
    }
    text_put(text, matches->is_truncated ? "],\"truncated\":true}\n" : "]}\n");
}

static void fail_probing(struct api_call *call)
{
    struct http_reply reply;
    api_make_error(call->request, IMPRINT_E_RATE_LIMITED, "too many questions like this one",
                   &reply);
    reply.retry_after_s = LIMIT_PROBE_RETRY_S;
    api_answer(call, &reply);
}

/* quality below 0: asked by hash. */
static void answer_verdict(struct api_call *call, int quality, const struct imprint_view *views,
                           size_t view_count)
{
    const char *lists = call->request->parameter(call->request, "lists");
    struct catalog_matches matches = {0};
    enum imprint_error error =
        catalog_match(call->api->catalog, views, view_count, lists, &matches);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    if (quality < 0 && !api_may_answer_hash(call, &views[0].hash, matches.count > 0)) {
        catalog_matches_done(&matches);
        fail_probing(call);
        return;
    }
    struct text text;
    text_init(&text, LIMIT_REPLY_BYTES_MAX);
    api_put_verdict(call, quality, NULL, &matches, &text);
    catalog_matches_done(&matches);
    api_answer_text(call, 200, NULL, &text);
}

void api_get_match(struct api_call *call)
{
    struct imprint_view view = {.quality = IMPRINT_QUALITY_MAX};
    if (api_read_hash(call, "hash", &view.hash)) {
        answer_verdict(call, -1, &view, 1);
    }
}

/* --- Pictures --------------------------------------------------------------------------------- */

static void run_image(struct api_task *task)
{
    struct api_image *image =
        (struct api_image *)(void *)((char *)task - offsetof(struct api_image, task));
    image->then(image);
    free(image);
}

static void image_hashed(void *ctx, const struct pool_answer *answer)
{
    struct api_image *image = ctx;
    if (answer->error != IMPRINT_OK) {
        api_fail(&image->call, answer->error);
        free(image);
        return;
    }
    image->answer = *answer;
    if (image->is_change) {
        (void)api_runner_add(&image->call.api->runner, &image->task, 0);
    } else {
        run_image(&image->task);
    }
}

/* The picture in the body: the body itself, or the one file of a form. */
static enum imprint_error find_picture(const struct http_request *request,
                                       const uint8_t **out_bytes, size_t *out_len)
{
    *out_bytes = request->body;
    *out_len = request->body_len;
    if (!api_content_type_is(request, "multipart/form-data")) {
        return request->body_len == 0 ? IMPRINT_E_IMAGE_EMPTY : IMPRINT_OK;
    }
    struct multipart_part parts[MULTIPART_PARTS_MAX];
    size_t count = 0;
    enum imprint_error error =
        multipart_read(api_content_type(request), request->body, request->body_len, parts, &count);
    if (error != IMPRINT_OK) {
        return error;
    }
    size_t files = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].is_file) {
            files++;
            *out_bytes = parts[i].bytes;
            *out_len = parts[i].len;
        }
    }
    if (files != 1) {
        return IMPRINT_E_BAD_REQUEST;
    }
    return *out_len == 0 ? IMPRINT_E_IMAGE_EMPTY : IMPRINT_OK;
}

void api_hash_image(struct api_call *call, unsigned views, bool is_change,
                    void (*then)(struct api_image *image))
{
    const uint8_t *bytes = NULL;
    size_t len = 0;
    enum imprint_error error = find_picture(call->request, &bytes, &len);
    if (error != IMPRINT_OK) {
        api_fail_with(call, error,
                      error == IMPRINT_E_BAD_REQUEST ? "a form with exactly one file is wanted"
                                                     : NULL);
        return;
    }
    struct api_image *image = calloc(1, sizeof *image);
    if (image == NULL) {
        api_fail(call, IMPRINT_E_NOMEM);
        return;
    }
    image->task.run = run_image;
    image->call = *call;
    image->then = then;
    image->is_change = is_change;
    const struct pool_job job = {
        .bytes = bytes,
        .len = len,
        .views = views,
        .policy = call->api->policy,
        .done = image_hashed,
        .ctx = image,
    };
    error = pool_submit(call->api->pool, &job);
    if (error != IMPRINT_OK) {
        free(image);
        api_fail(call, error);
    }
}

static void match_image(struct api_image *image)
{
    const struct pool_answer *answer = &image->answer;
    if (answer->view_count == 0) {
        struct catalog_status status;
        catalog_status(image->call.api->catalog, &status);
        struct catalog_matches none = {.seq = status.seq};
        struct text text;
        text_init(&text, LIMIT_REPLY_BYTES_MAX);
        api_put_verdict(&image->call, 0, NULL, &none, &text);
        api_answer_text(&image->call, 200, NULL, &text);
        return;
    }
    answer_verdict(&image->call, answer->quality, answer->views, answer->view_count);
}

void api_post_match(struct api_call *call)
{
    api_hash_image(call, IMPRINT_VIEWS_ALL, false, match_image);
}

static void answer_hash(struct api_image *image)
{
    const struct pool_answer *answer = &image->answer;
    json_t *hash = json_null();
    if (answer->view_count > 0) {
        char hex[IMPRINT_HASH_HEX + 1];
        imprint_hash_to_hex(&answer->views[0].hash, hex);
        hash = json_string(hex);
    }
    api_answer_json(&image->call, 200,
                    json_pack("{s:o, s:i, s:I, s:I, s:s, s:b}", "hash", hash, "quality",
                              (int)answer->quality, "width", (json_int_t)answer->info.width,
                              "height", (json_int_t)answer->info.height, "format",
                              imprint_format_name(answer->info.format), "truncated",
                              (int)answer->info.is_truncated));
}

void api_post_hash(struct api_call *call)
{
    api_hash_image(call, IMPRINT_VIEWS_UPRIGHT, false, answer_hash);
}

/* --- Status ----------------------------------------------------------------------------------- */

static void answer_loading(struct api_call *call, const struct catalog_status *status)
{
    struct http_reply error;
    api_make_error(call->request, IMPRINT_E_LOADING, NULL, &error);
    json_t *json = json_pack("{s:s, s:f, s:s, s:{s:s, s:s}}", "status", "loading", "progress",
                             status->progress, "version", call->api->version, "error", "code",
                             imprint_error_name(IMPRINT_E_LOADING), "message",
                             imprint_error_text(IMPRINT_E_LOADING));
    free(error.body);
    error.body = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    error.body_len = error.body == NULL ? 0 : strlen(error.body);
    json_decref(json);
    api_answer(call, &error);
}

void api_get_status(struct api_call *call)
{
    struct catalog_status status;
    catalog_status(call->api->catalog, &status);
    if (!status.is_ready) {
        answer_loading(call, &status);
        return;
    }
    api_answer_json(call, 200,
                    json_pack("{s:s, s:I, s:I, s:I, s:s, s:s}", "status", "ready", "entries",
                              (json_int_t)status.entries, "lists", (json_int_t)status.lists, "seq",
                              (json_int_t)status.seq, "epoch", status.epoch, "version",
                              call->api->version));
}

void api_get_live(struct api_call *call)
{
    api_answer_json(call, 200, json_pack("{s:s}", "status", "live"));
}
