#include "web.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

static bool web_begins(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Plain http for this machine only: the host, then a port or the path. */
static const char *web_protocols(const char *url)
{
    static const char *const here[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
        const char after = web_begins(url, here[i]) ? url[strlen(here[i])] : 'x';
        if (after == ':' || after == '/' || after == '\0') {
            return "http,https";
        }
    }
    return "https";
}

static size_t web_take(char *bytes, size_t size, size_t count, void *context)
{
    struct strbuf *body = context;
    strbuf_add_bytes(body, bytes, size * count);
    return strbuf_error(body) == IMPRINT_OK ? size * count : 0;
}

static bool web_options(CURL *curl, const struct web_request *request, struct curl_slist *headers,
                        struct web_answer *answer)
{
    bool is_fine =
        curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, web_protocols(request->url)) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)request->timeout_s) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 20L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, web_take) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, answer->problem) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    if (is_fine && request->user != NULL) {
        is_fine = curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_USERNAME, request->user) == CURLE_OK &&
                  curl_easy_setopt(curl, CURLOPT_PASSWORD, request->password) == CURLE_OK;
    }
    return is_fine;
}

static enum imprint_error web_perform(CURL *curl, struct web_answer *answer)
{
    const CURLcode code = curl_easy_perform(curl);
    curl_off_t retry_after = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    answer->retry_after_s = (long)retry_after;
    if (strbuf_error(&answer->body) != IMPRINT_OK) {
        snprintf(answer->problem, sizeof answer->problem, "the answer is too long");
        return strbuf_error(&answer->body);
    }
    if (code == CURLE_OK) {
        return IMPRINT_OK;
    }
    if (answer->problem[0] == '\0') {
        snprintf(answer->problem, sizeof answer->problem, "%s", curl_easy_strerror(code));
    }
    return code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT
               ? IMPRINT_E_PARAMETER_INVALID
               : IMPRINT_E_UNREACHABLE;
}

enum imprint_error web_get(const struct web_request *request, struct web_answer *out_answer)
{
    _Static_assert(sizeof out_answer->problem >= CURL_ERROR_SIZE, "libcurl writes so much");
    *out_answer = (struct web_answer){0};
    strbuf_init(&out_answer->body, request->body_bytes_max);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    enum imprint_error error = curl != NULL ? IMPRINT_OK : IMPRINT_E_NOMEM;
    for (size_t i = 0; i < WEB_HEADERS_MAX && error == IMPRINT_OK; i++) {
        struct curl_slist *longer =
            request->headers[i] != NULL ? curl_slist_append(headers, request->headers[i]) : headers;
        error = longer == NULL && request->headers[i] != NULL ? IMPRINT_E_NOMEM : IMPRINT_OK;
        headers = longer != NULL ? longer : headers;
    }
    if (error == IMPRINT_OK && !web_options(curl, request, headers, out_answer)) {
        snprintf(out_answer->problem, sizeof out_answer->problem, "not a URL we take");
        error = IMPRINT_E_PARAMETER_INVALID;
    }
    if (error == IMPRINT_OK) {
        error = web_perform(curl, out_answer);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return error;
}

void web_done(struct web_answer *answer)
{
    strbuf_done(&answer->body);
}
