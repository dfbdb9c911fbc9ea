/* client.h - one HTTP/1.1 request over a Unix socket, one answer.
 *
 * Why:       imprintctl needs nothing a big HTTP library offers, and everything here has a bound:
 *            time in all, bytes of head and body, one length for the body.
 * Ownership: the reply's body is the caller's until client_reply_done.
 * Errors:    IMPRINT_E_UNREACHABLE: there is nobody, or it went away before answering (errno says
 *            more); IMPRINT_E_REQUEST_TIMEOUT; IMPRINT_E_BAD_REQUEST: the answer is not HTTP as we
 *            know it; IMPRINT_E_BODY_TOO_LARGE, IMPRINT_E_NOMEM. An HTTP status is never an error
 *            here.
 * Threads:   any; no state.
 */
#ifndef IMPRINTCTL_CLIENT_H
#define IMPRINTCTL_CLIENT_H

#include <stddef.h>

#include "imprint/error.h"

struct client_request {
    const char *socket_path;
    unsigned timeout_ms; /* for all of it */
    const char *method;
    const char *target;       /* "/v1/lists?after=3", encoded */
    const char *content_type; /* NULL without a body */
    const void *body;
    size_t body_len;
    size_t reply_bytes_max;
};

struct client_reply {
    int status;
    unsigned retry_after_s; /* 0: not said */
    char *body;             /* with a NUL after it; NULL when empty */
    size_t body_len;
};

IMPRINT_MUST_USE enum imprint_error client_exchange(const struct client_request *request,
                                                    struct client_reply *out_reply);

/* NULL or a zeroed struct is allowed. */
void client_reply_done(struct client_reply *reply);

#endif
