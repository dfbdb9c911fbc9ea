/* feed.h - what imprintctl fetch needs to know of each organisation's feed: its addresses, its
 * keys, and how it goes on from page to page.
 *
 * Why:     pure, so that every way a page may lead nowhere is tested without a network.
 * Threads: any; nothing here keeps state.
 */
#ifndef IMPRINTCTL_FEED_H
#define IMPRINTCTL_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

#define FEED_URL_BYTES_MAX 8192

/* Where the reading of a feed stands. Kept between runs. */
struct feed_state {
    int64_t from;                           /* seconds since 1970: changes since then are wanted */
    int64_t to;                             /* ncmec: end of the window being read; 0: none is */
    char next[EXCHANGE_PAGE_BYTES_MAX + 1]; /* the page to ask for; "" for the first one */
    int64_t saved;                          /* when this was written */
};

struct feed {
    const char *name;
    const char *format;   /* of its pages, for exchange_reader_open */
    const char *url;      /* unless another is given */
    bool defers_removals; /* until a window is read to its end, because of its order */
    /* Names of the members of the credentials file, both needed. */
    const char *credential_names[2];
    /* They are sent as user and password, or after these headers' names. */
    const char *credential_headers[2];
    /* Drops what has become too old to go on from. */
    void (*begin)(struct feed_state *state, int64_t now);
    /* False: it does not fit. */
    bool (*address)(const struct feed_state *state, const char *base, char *out_url,
                    size_t capacity);
    /* After a page was applied. NULL, or why the page leads nowhere. *out_is_end: there is no page
     * after it. */
    const char *(*advance)(struct feed_state *state, const struct exchange_page *page,
                           bool *out_is_end);
};

/* NULL for an unknown name. */
const struct feed *feed_find(const char *name);

#endif
