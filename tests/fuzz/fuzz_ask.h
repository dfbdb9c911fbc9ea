/* fuzz_ask.h - one request to the api, without a socket.
 *
 * Why:       the targets of the api's JSON, forms and batches share the way there: admitted as by
 *            server, handled, and answered once. Catalog and pool are the fakes of fake_rooms.h,
 *            which never fail here.
 * Ownership: what a request points to is freed at the very moment it is answered, so that a handler
 *            that looks at it later is caught. The reply is freed by fuzz_ask_done.
 * Threads:   one.
 */
#ifndef FUZZ_FUZZ_ASK_H
#define FUZZ_FUZZ_ASK_H

#include "fuzz.h"
#include "http.h"

struct fuzz_ask {
    const char *method;
    const char *target; /* "/v1/match?hash=a&lists=b", nothing in it encoded */
    enum http_role role;
    const char *content_type; /* NULL: none */
    const char *accept;
    const uint8_t *body;
    size_t body_len;
};

/* Aborts unless there is exactly one answer. */
void fuzz_ask(const struct fuzz_ask *ask, struct http_reply *out_reply);
void fuzz_ask_done(struct http_reply *reply);

#endif
