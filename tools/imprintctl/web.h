/* web.h - one GET over HTTPS, for feeds of other organisations.
 *
 * Why:       keys travel with every request, so only https is spoken (http to this machine alone,
 * for tests and proxies), redirects are not followed, and nothing has more than a maximum of bytes
 * or time. Ownership: the answer's body is the caller's, to be freed with web_done. Errors:
 * IMPRINT_E_UNREACHABLE: no whole answer came; out_answer->problem says why.
 *            IMPRINT_E_BODY_TOO_LARGE, IMPRINT_E_NOMEM, IMPRINT_E_PARAMETER_INVALID: not a URL we
 *            take. An HTTP status is never an error here.
 * Threads:   one.
 */
#ifndef IMPRINTCTL_WEB_H
#define IMPRINTCTL_WEB_H

#include <stddef.h>

#include "imprint/error.h"

#include "strbuf.h"

#define WEB_HEADERS_MAX 4

struct web_request {
    const char *url;
    const char *user; /* NULL: no basic authentication */
    const char *password;
    const char *headers[WEB_HEADERS_MAX]; /* "name: value", NULL where there is none */
    unsigned timeout_s;                   /* for all of it */
    size_t body_bytes_max;
};

struct web_answer {
    long status;
    long retry_after_s; /* 0: not said */
    struct strbuf body;
    char problem[256];
};

IMPRINT_MUST_USE enum imprint_error web_get(const struct web_request *request,
                                            struct web_answer *out_answer);
/* A zeroed answer is allowed. */
void web_done(struct web_answer *answer);

#endif
