/* Any bytes as a batch query of each kind: the first byte chooses text ('t'), NDJSON ('j') or
 * binary, in capitals with binary answers. There is one answer a line, in order, and a line is
 * taken exactly when it is a hash: counted here once more, the slow way. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "imprint/hash.h"

#include "fuzz_ask.h"

#define FUZZ_RECORD_BYTES 16

static bool fuzz_is_hex(const char *text, size_t len)
{
    bool is_hex = len == IMPRINT_HASH_HEX;
    for (size_t i = 0; i < len && is_hex; i++) {
        is_hex = isxdigit((unsigned char)text[i]) != 0;
    }
    return is_hex;
}

/* Sets out_id to the line's id, or NULL. */
static bool fuzz_is_query(const char *line, size_t len, json_t **out_id)
{
    *out_id = NULL;
    json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *hash = json_object_get(json, "hash");
    json_t *id = json_object_get(json, "id");
    const bool is_fine = json_is_string(hash) &&
                         fuzz_is_hex(json_string_value(hash), json_string_length(hash)) &&
                         (id == NULL || json_is_string(id) || json_is_integer(id)) &&
                         json_object_size(json) == (id == NULL ? 1 : 2);
    *out_id = is_fine ? json_incref(id) : NULL;
    json_decref(json);
    return is_fine;
}

/* What is left of the answers. */
struct fuzz_answers {
    const char *at;
    const char *end;
};

static void fuzz_check_record(struct fuzz_answers *answers, bool is_fine)
{
    static const uint8_t match[FUZZ_RECORD_BYTES] = {0x3b, 0x3f, 1, 0, 0, 0, 0, 0,
                                                     6,    0,    1, 0, 1, 0, 0, 0};
    static const uint8_t wrong[FUZZ_RECORD_BYTES] = {[10] = UINT8_MAX};
    fuzz_must((size_t)(answers->end - answers->at) >= FUZZ_RECORD_BYTES);
    fuzz_must(memcmp(answers->at, is_fine ? match : wrong, FUZZ_RECORD_BYTES) == 0);
    answers->at += FUZZ_RECORD_BYTES;
}

static void fuzz_check_line(struct fuzz_answers *answers, bool is_fine, const json_t *id)
{
    const char *newline = answers->at == answers->end
                              ? NULL
                              : memchr(answers->at, '\n', (size_t)(answers->end - answers->at));
    fuzz_must(newline != NULL);
    json_t *json =
        json_loadb(answers->at, (size_t)(newline - answers->at), JSON_REJECT_DUPLICATES, NULL);
    const char *verdict = json_string_value(json_object_get(json, "verdict"));
    fuzz_must((json_object_get(json, "error") == NULL) == is_fine);
    fuzz_must(is_fine ? verdict != NULL && strcmp(verdict, "match") == 0 : verdict == NULL);
    fuzz_must(id == NULL ? json_object_get(json, "id") == NULL
                         : json_equal(id, json_object_get(json, "id")));
    json_decref(json);
    answers->at = newline + 1;
}

static void fuzz_check_input_line(struct fuzz_answers *answers, char kind, const char *line,
                                  size_t len)
{
    json_t *id = NULL;
    const bool is_fine =
        tolower(kind) == 't' ? fuzz_is_hex(line, len) : fuzz_is_query(line, len, &id);
    if (isupper(kind)) {
        fuzz_check_record(answers, is_fine);
    } else {
        fuzz_check_line(answers, is_fine, id);
    }
    json_decref(id);
}

static void fuzz_check_lines(struct fuzz_answers *answers, char kind, const char *at,
                             const char *end)
{
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline;
        size_t len = (size_t)(stop - at);
        len -= len > 0 && at[len - 1] == '\r' ? 1 : 0;
        if (len > 0) {
            fuzz_check_input_line(answers, kind, at, len);
        }
        at = stop + 1;
    }
}

static void fuzz_check_hashes(struct fuzz_answers *answers, char kind, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (isupper(kind)) {
            fuzz_check_record(answers, true);
        } else {
            fuzz_check_line(answers, true, NULL);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2) {
        return 0;
    }
    const char kind = (char)data[0];
    const bool is_text = kind == 't' || kind == 'T';
    const bool is_json = kind == 'j' || kind == 'J';
    const struct fuzz_ask ask = {
        .method = "POST",
        .target = "/v1/match/batch",
        .role = HTTP_ROLE_QUERY,
        .content_type = is_text   ? "text/plain; charset=utf-8"
                        : is_json ? "application/x-ndjson"
                                  : "application/octet-stream",
        .accept = isupper(kind) ? "application/octet-stream" : NULL,
        .body = data + 1,
        .body_len = len - 1,
    };
    struct http_reply reply = {0};
    fuzz_ask(&ask, &reply);
    const bool is_cut = !is_text && !is_json && (len - 1) % IMPRINT_HASH_BYTES != 0;
    fuzz_must(reply.status == (is_cut ? 400 : 200));
    const char *body = reply.body_len == 0 ? "" : reply.body;
    struct fuzz_answers answers = {body, body + reply.body_len};
    if (is_text || is_json) {
        fuzz_check_lines(&answers, kind, (const char *)ask.body, (const char *)ask.body + len - 1);
    } else if (!is_cut) {
        fuzz_check_hashes(&answers, kind, (len - 1) / IMPRINT_HASH_BYTES);
    }
    fuzz_must(is_cut || answers.at == answers.end);
    fuzz_ask_done(&reply);
    return 0;
}
