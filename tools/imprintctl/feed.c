#include "feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "strbuf.h"

enum {
    FEED_STOPNCII_START = 10, /* where a first reading begins, as the API documents */
    FEED_STOPNCII_PAGE = 800,
    FEED_STOPNCII_TOKEN_AGE_S = 1800,           /* page tokens are short-lived */
    FEED_STOPNCII_STATE_AGE_S = 30 * 24 * 3600, /* removals are not told for longer */
    FEED_NCMEC_OVERLAP_S = 600,                 /* entries may appear a little late */
};

static bool feed_fits(struct strbuf *url, char *out_url, size_t capacity)
{
    const bool fits = strbuf_error(url) == IMPRINT_OK && url->len < capacity;
    if (fits) {
        memcpy(out_url, strbuf_get(url), url->len + 1);
    }
    strbuf_done(url);
    return fits;
}

/* --- StopNCII -------------------------------------------------------------------------------- */

static void feed_stopncii_begin(struct feed_state *state, int64_t now)
{
    if (state->from == 0 || now - state->saved > FEED_STOPNCII_STATE_AGE_S) {
        *state = (struct feed_state){.from = FEED_STOPNCII_START};
    }
    if (now - state->saved > FEED_STOPNCII_TOKEN_AGE_S) {
        state->next[0] = '\0';
    }
}

static bool feed_stopncii_address(const struct feed_state *state, const char *base, char *out_url,
                                  size_t capacity)
{
    struct strbuf url;
    strbuf_init(&url, capacity);
    strbuf_addf(&url, "%s/FetchHashes?startTimestamp=%" PRId64 "&pageSize=%d", base, state->from,
                (int)FEED_STOPNCII_PAGE);
    if (state->next[0] != '\0') {
        strbuf_add(&url, "&nextPageToken=");
        strbuf_add_percent(&url, state->next);
    }
    return feed_fits(&url, out_url, capacity);
}

static const char *feed_stopncii_advance(struct feed_state *state, const struct exchange_page *page,
                                         bool *out_is_end)
{
    if (page->has_more && page->next[0] == '\0') {
        return "the page says that there are more, but not where";
    }
    if (page->has_more && strcmp(page->next, state->next) == 0) {
        return "the page leads to itself";
    }
    if (!page->has_more && page->checkpoint != 0 && page->checkpoint < state->from) {
        return "the page says to ask again from an earlier time";
    }
    *out_is_end = !page->has_more;
    if (page->has_more) {
        memcpy(state->next, page->next, sizeof state->next);
    } else {
        state->next[0] = '\0';
        state->from = page->checkpoint != 0 ? page->checkpoint : state->from;
    }
    return NULL;
}

/* --- NCMEC ----------------------------------------------------------------------------------- */

static void feed_ncmec_begin(struct feed_state *state, int64_t now)
{
    if (state->to == 0) {
        state->to = now;
        state->next[0] = '\0';
    }
}

/* In UTC, as the Z says. */
static void feed_ncmec_time(int64_t seconds, char *out_text, size_t capacity)
{
    const time_t time = (time_t)seconds;
    struct tm parts;
    out_text[0] = '\0';
    if (gmtime_r(&time, &parts) != NULL) {
        (void)strftime(out_text, capacity, "%Y-%m-%dT%H%%3A%M%%3A%SZ", &parts);
    }
}

static bool feed_ncmec_address(const struct feed_state *state, const char *base, char *out_url,
                               size_t capacity)
{
    struct strbuf url;
    char from[40];
    char to[40];
    strbuf_init(&url, capacity);
    strbuf_add(&url, base);
    if (state->next[0] != '\0') {
        strbuf_add(&url, state->next);
    } else {
        feed_ncmec_time(state->from, from, sizeof from);
        feed_ncmec_time(state->to, to, sizeof to);
        strbuf_addf(&url, "/v2/entries?from=%s&to=%s", from, to);
    }
    return feed_fits(&url, out_url, capacity);
}

/* The time moves on only when the window was read to its end: its entries are in no order. */
static const char *feed_ncmec_advance(struct feed_state *state, const struct exchange_page *page,
                                      bool *out_is_end)
{
    static const char path[] = "/v2/entries?";
    if (page->has_more && strncmp(page->next, path, sizeof path - 1) != 0) {
        return "the page leads to another address than its own";
    }
    if (page->has_more && strcmp(page->next, state->next) == 0) {
        return "the page leads to itself";
    }
    *out_is_end = !page->has_more;
    if (page->has_more) {
        memcpy(state->next, page->next, sizeof state->next);
        return NULL;
    }
    state->next[0] = '\0';
    state->from = state->to > FEED_NCMEC_OVERLAP_S ? state->to - FEED_NCMEC_OVERLAP_S : 0;
    state->to = 0;
    return NULL;
}

/* --- The table ------------------------------------------------------------------------------- */

static const struct feed feeds[] = {
    {
        .name = "stopncii",
        .format = "stopncii",
        .url = "https://api.stopncii.org/v1",
        .credential_names = {"function_key", "subscription_key"},
        .credential_headers = {"x-functions-key", "Ocp-Apim-Subscription-Key"},
        .begin = feed_stopncii_begin,
        .address = feed_stopncii_address,
        .advance = feed_stopncii_advance,
    },
    {
        .name = "ncmec",
        .format = "ncmec",
        .url = "https://report.cybertip.org/hashsharing",
        .defers_removals = true,
        .credential_names = {"user", "password"},
        .begin = feed_ncmec_begin,
        .address = feed_ncmec_address,
        .advance = feed_ncmec_advance,
    },
};

const struct feed *feed_find(const char *name)
{
    for (size_t i = 0; i < sizeof feeds / sizeof feeds[0]; i++) {
        if (strcmp(feeds[i].name, name) == 0) {
            return &feeds[i];
        }
    }
    return NULL;
}
