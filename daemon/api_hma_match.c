/* The hashing and matching paths of Hasher-Matcher-Actioner. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api_impl.h"

static void say(struct api_call *call, int status, const char *message)
{
    api_answer_json(call, status, json_pack("{s:s}", "message", message));
}

static void hash_told(struct api_image *image)
{
    const struct pool_answer *answer = &image->answer;
    char hex[IMPRINT_HASH_HEX + 1] = "";
    if (answer->view_count > 0 && answer->quality >= IMPRINT_QUALITY_FLOOR) {
        imprint_hash_to_hex(&answer->views[0].hash, hex);
    }
    api_answer_json(&image->call, 200, json_pack("{s:s}", "pdq", hex));
}

void api_hma_post_hash(struct api_call *call)
{
    if (api_hma_check_form(call)) {
        api_hash_image(call, IMPRINT_VIEWS_UPRIGHT, false, hash_told);
    }
}

/* Imprint fetches nothing from anywhere. */
void api_hma_get_hash(struct api_call *call)
{
    say(call, 403, "Hashing is disabled, missing role");
}

/* {"BANK":[{"bank_content_id":17,"distance":"12"}]} */
static json_t *matches_by_bank(const struct api_call *call, const struct catalog_matches *matches)
{
    json_t *banks = json_object();
    for (size_t i = 0; i < matches->count; i++) {
        const struct catalog_match *match = &matches->items[i];
        char bank[LIMIT_LIST_NAME_BYTES_MAX + 1];
        api_hma_bank_of_list(match->list, bank);
        json_t *array = json_object_get(banks, bank);
        if (array == NULL) {
            array = json_array();
            (void)json_object_set_new(banks, bank, array);
        }
        (void)json_array_append_new(array, api_hma_match_to_json(call, match));
    }
    return banks;
}

json_t *api_hma_match_to_json(const struct api_call *call, const struct catalog_match *match)
{
    json_t *json = json_pack("{s:I}", "bank_content_id", (json_int_t)match->entry);
    unsigned distance = 0;
    if (api_told_distance(call, match->distance, &distance)) {
        char text[16];
        (void)snprintf(text, sizeof text, "%u", distance);
        (void)json_object_set_new(json, "distance", json_string(text));
    }
    return json;
}

/* The parameter banks as names of lists, or NULL for all. */
static const char *lists_of_banks(const struct api_call *call, char *out_lists, size_t size)
{
    const char *banks = call->request->parameter(call->request, "banks");
    if (banks == NULL || banks[0] == '\0') {
        return NULL;
    }
    size_t i = 0;
    for (; banks[i] != '\0' && i + 1 < size; i++) {
        out_lists[i] = (char)tolower((unsigned char)banks[i]);
    }
    out_lists[i] = '\0';
    return out_lists;
}

static bool search(struct api_call *call, const struct imprint_view *views, size_t count,
                   struct catalog_matches *out_matches)
{
    char lists[1024];
    *out_matches = (struct catalog_matches){0};
    enum imprint_error error = catalog_match(
        call->api->catalog, views, count, lists_of_banks(call, lists, sizeof lists), out_matches);
    if (error == IMPRINT_OK || error == IMPRINT_E_LIST_NOT_FOUND) {
        return true;
    }
    if (error == IMPRINT_E_LOADING) {
        say(call, 503, "index not yet ready");
    } else {
        api_fail(call, error);
    }
    return false;
}

/* The signal asked for; else the call is answered. */
static bool read_signal(struct api_call *call, struct imprint_view *out_view)
{
    const char *type = call->request->parameter(call->request, "signal_type");
    const char *signal = call->request->parameter(call->request, "signal");
    if (call->request->parameter(call->request, "url") != NULL) {
        say(call, 403, "Hashing is disabled, missing role");
        return false;
    }
    if (type == NULL || strcmp(type, "pdq") != 0) {
        say(call, 400, "No such signal type, only 'pdq'");
        return false;
    }
    *out_view = (struct imprint_view){.quality = IMPRINT_QUALITY_MAX};
    if (signal == NULL ||
        imprint_hash_from_hex(signal, strlen(signal), &out_view->hash) != IMPRINT_OK) {
        say(call, 400, "Invalid pdq signal: 64 hexadecimal digits");
        return false;
    }
    return true;
}

/* As search, for a question by hash, which may be a step of a walk towards a listed one. */
static bool search_signal(struct api_call *call, const struct imprint_view *view,
                          struct catalog_matches *out_matches)
{
    if (!search(call, view, 1, out_matches)) {
        return false;
    }
    if (api_may_answer_hash(call, &view->hash, out_matches->count > 0)) {
        return true;
    }
    catalog_matches_done(out_matches);
    say(call, 429, "too many questions like this one");
    return false;
}

void api_hma_get_lookup(struct api_call *call)
{
    struct imprint_view view;
    struct catalog_matches matches;
    if (!read_signal(call, &view) || !search_signal(call, &view, &matches)) {
        return;
    }
    json_t *banks = matches_by_bank(call, &matches);
    catalog_matches_done(&matches);
    api_answer_json(call, 200, banks);
}

static void lookup_image(struct api_image *image)
{
    struct catalog_matches matches;
    if (image->answer.view_count == 0) {
        say(&image->call, 400, "the picture is too flat to look up");
        return;
    }
    if (!search(&image->call, image->answer.views, image->answer.view_count, &matches)) {
        return;
    }
    json_t *banks = matches_by_bank(&image->call, &matches);
    catalog_matches_done(&matches);
    api_answer_json(&image->call, 200, json_pack("{s:o}", "pdq", banks));
}

void api_hma_post_lookup(struct api_call *call)
{
    if (api_hma_check_form(call)) {
        api_hash_image(call, IMPRINT_VIEWS_ALL, false, lookup_image);
    }
}

void api_hma_raw_lookup(struct api_call *call)
{
    struct imprint_view view;
    struct catalog_matches matches;
    if (!read_signal(call, &view) || !search_signal(call, &view, &matches)) {
        return;
    }
    const char *wants = call->request->parameter(call->request, "include_distance");
    bool with_distance =
        wants != NULL && (strcasecmp(wants, "true") == 0 || strcmp(wants, "1") == 0);
    json_t *array = json_array();
    for (size_t i = 0; i < matches.count; i++) {
        (void)json_array_append_new(array, with_distance
                                               ? api_hma_match_to_json(call, &matches.items[i])
                                               : json_integer((json_int_t)matches.items[i].entry));
    }
    catalog_matches_done(&matches);
    api_answer_json(call, 200, json_pack("{s:o}", "matches", array));
}

void api_hma_compare(struct api_call *call)
{
    json_t *body = fields_parse(call->request->body, call->request->body_len, LIMIT_JSON_DEPTH_MAX);
    const json_t *pair = json_object_get(body, "pdq");
    struct imprint_hash hashes[2];
    bool is_fine = json_array_size(pair) == 2;
    for (size_t i = 0; i < 2 && is_fine; i++) {
        const json_t *text = json_array_get(pair, i);
        is_fine = json_is_string(text) &&
                  imprint_hash_from_hex(json_string_value(text), json_string_length(text),
                                        &hashes[i]) == IMPRINT_OK;
    }
    json_decref(body);
    if (!is_fine) {
        say(call, 400, "two pdq signals are wanted");
        return;
    }
    unsigned distance = imprint_hash_distance(&hashes[0], &hashes[1]);
    api_answer_json(call, 200,
                    json_pack("{s:[b, {s:i}]}", "pdq", distance <= LIMIT_THRESHOLD_DEFAULT,
                              "distance", (int)distance));
}

void api_hma_index_status(struct api_call *call)
{
    struct catalog_status status;
    catalog_status(call->api->catalog, &status);
    json_int_t now = status.is_ready ? (json_int_t)time(NULL) : -1;
    api_answer_json(call, 200,
                    json_pack("{s:{s:b, s:I, s:I}}", "pdq", "present", (int)status.is_ready,
                              "built_to", now, "size",
                              status.is_ready ? (json_int_t)status.entries : (json_int_t)0));
}

/* --- What there is ---------------------------------------------------------------------------- */

void api_hma_signal_types(struct api_call *call)
{
    api_answer_json(call, 200, json_pack("[{s:s, s:f}]", "name", "pdq", "enabled_ratio", 1.0));
}

void api_hma_content_types(struct api_call *call)
{
    api_answer_json(call, 200, json_pack("[{s:s, s:b}]", "name", "photo", "enabled", 1));
}

void api_hma_exchange_apis(struct api_call *call)
{
    api_answer_json(call, 200, json_array());
}

void api_hma_get_exchange(struct api_call *call)
{
    say(call, 404, "there are no exchanges");
}
