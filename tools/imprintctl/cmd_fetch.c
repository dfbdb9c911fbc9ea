/* imprintctl fetch: follow another organisation's feed, page by page.
 *
 * A page is checked as a whole, then applied, then the place after it is written to the state file;
 * so whatever interrupts, no page is left out, and one that is read again changes nothing. A page
 * that cannot be read is asked for again a few times; if it stays so, the state stays before it. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "apply.h"
#include "ctl.h"
#include "exchange.h"
#include "feed.h"
#include "file.h"
#include "interrupt.h"
#include "summary.h"
#include "web.h"

#define FETCH_PAGE_BYTES_MAX   ((size_t)64 << 20)
#define FETCH_STATE_BYTES_MAX  ((size_t)128 << 20)
#define FETCH_CREDENTIAL_BYTES 1024

enum {
    FETCH_TRIES = 5,
    FETCH_TIMEOUT_S = 120,
    FETCH_RETRY_DELAY_S = 2,
    FETCH_RETRY_DELAY_MAX_S = 300,
};

struct fetch {
    const struct command_call *call;
    const struct feed *feed;
    const char *list;
    const char *base;
    const char *state_path;
    unsigned long retry_delay_s;
    unsigned long pages_max; /* 0: as many as there are */
    uint64_t pages;
    struct feed_state state;
    char epoch[64]; /* of the daemon */
    char credentials[2][FETCH_CREDENTIAL_BYTES];
    char headers[2][FETCH_CREDENTIAL_BYTES + 64];
    struct apply *apply;
    struct exchange_summary counts;
    struct exchange_page page; /* the last one that was read */
    enum exit_status status;
};

static bool fetch_fail(struct fetch *fetch, enum exit_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fetch_fail(struct fetch *fetch, enum exit_status status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    command_complain(fetch->call, "%s: %s", fetch->feed->name, text);
    fetch->status = exit_status_worse(fetch->status, status);
    return false;
}

/* --- Credentials and state ------------------------------------------------------------------- */

/* A JSON object in a file of at most bytes_max; NULL, with errno ENOENT where there is no file. */
static json_t *fetch_load(const char *path, size_t bytes_max)
{
    struct file_bytes file = {0};
    const enum imprint_error error = file_read(path, bytes_max, IMPRINT_E_BODY_TOO_LARGE, &file);
    if (error != IMPRINT_OK) {
        errno = error == IMPRINT_E_IO ? errno : EFBIG;
        return NULL;
    }
    json_t *object = json_loadb((const char *)file.bytes, file.len, JSON_REJECT_DUPLICATES, NULL);
    file_free(&file);
    errno = EINVAL;
    return object;
}

static bool fetch_read_credentials(struct fetch *fetch)
{
    struct stat status;
    const char *path = command_value(fetch->call, "credentials");
    if (path == NULL) {
        return fetch_fail(fetch, EXIT_STATUS_ERROR, "--credentials FILE is needed");
    }
    if (stat(path, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return fetch_fail(fetch, EXIT_STATUS_ERROR, "%s must be its owner's alone: chmod 600",
                          path);
    }
    json_t *object = fetch_load(path, CTL_FILE_BYTES_MAX);
    bool is_fine = object != NULL;
    for (size_t i = 0; i < 2 && is_fine; i++) {
        const char *name = fetch->feed->credential_names[i];
        const char *text = json_string_value(json_object_get(object, name));
        is_fine = text != NULL && strlen(text) < FETCH_CREDENTIAL_BYTES &&
                  text[strcspn(text, "\r\n")] == '\0';
        if (is_fine) {
            memcpy(fetch->credentials[i], text, strlen(text) + 1);
        }
    }
    json_decref(object);
    return is_fine ||
           fetch_fail(fetch, EXIT_STATUS_ERROR,
                      "%s: a JSON object with the texts \"%s\" and \"%s\"", path,
                      fetch->feed->credential_names[0], fetch->feed->credential_names[1]);
}

static bool fetch_is(const json_t *object, const char *key, const char *word)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && strcmp(text, word) == 0;
}

static bool fetch_take_state(struct fetch *fetch, const json_t *object)
{
    const char *next = json_string_value(json_object_get(object, "next"));
    if (!fetch_is(object, "feed", fetch->feed->name) || !fetch_is(object, "url", fetch->base) ||
        !fetch_is(object, "list", fetch->list) || next == NULL ||
        strlen(next) > EXCHANGE_PAGE_BYTES_MAX) {
        return fetch_fail(fetch, EXIT_STATUS_ERROR,
                          "%s belongs to another feed, URL or list, or is no state",
                          fetch->state_path);
    }
    if (!fetch_is(object, "epoch", fetch->epoch)) {
        command_complain(fetch->call, "the daemon's list was restored: reading all of %s again",
                         fetch->feed->name);
        return true;
    }
    fetch->state.from = json_integer_value(json_object_get(object, "from"));
    fetch->state.to = json_integer_value(json_object_get(object, "to"));
    fetch->state.saved = json_integer_value(json_object_get(object, "saved"));
    memcpy(fetch->state.next, next, strlen(next) + 1);
    return apply_plan_from_json(fetch->apply, json_object_get(object, "removed")) ||
           fetch_fail(fetch, EXIT_STATUS_ERROR, "%s is no state", fetch->state_path);
}

static bool fetch_read_state(struct fetch *fetch)
{
    json_t *answer = NULL;
    const struct ctl_request request = {.method = "GET", .target = "/v1/status"};
    fetch->status = ctl_ask(fetch->call, &request, &answer);
    if (fetch->status != EXIT_STATUS_FINE) {
        return false;
    }
    const char *epoch = json_string_value(json_object_get(answer, "epoch"));
    snprintf(fetch->epoch, sizeof fetch->epoch, "%s", epoch != NULL ? epoch : "");
    json_decref(answer);
    json_t *object = fetch_load(fetch->state_path, FETCH_STATE_BYTES_MAX);
    if (object == NULL && errno != ENOENT) {
        return fetch_fail(fetch, EXIT_STATUS_ERROR, "%s: %s", fetch->state_path, strerror(errno));
    }
    const bool is_fine = object == NULL || fetch_take_state(fetch, object);
    json_decref(object);
    fetch->feed->begin(&fetch->state, (int64_t)time(NULL));
    return is_fine;
}

static bool fetch_write_state(struct fetch *fetch, bool with_plan)
{
    fetch->state.saved = (int64_t)time(NULL);
    json_t *removed = with_plan ? apply_plan_to_json(fetch->apply) : json_array();
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:o}", "feed", fetch->feed->name, "url",
                  fetch->base, "list", fetch->list, "epoch", fetch->epoch, "from",
                  (json_int_t)fetch->state.from, "to", (json_int_t)fetch->state.to, "next",
                  fetch->state.next, "saved", (json_int_t)fetch->state.saved, "removed", removed);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    enum imprint_error error = IMPRINT_E_NOMEM;
    errno = ENOMEM;
    if (text != NULL) {
        error = file_write(fetch->state_path, text, strlen(text), FILE_REPLACE);
    }
    const int saved = errno;
    free(text);
    json_decref(object);
    return error == IMPRINT_OK ||
           fetch_fail(fetch, EXIT_STATUS_ERROR, "%s: %s", fetch->state_path, strerror(saved));
}

/* --- One page -------------------------------------------------------------------------------- */

static enum imprint_error fetch_check(void *context, const struct exchange_record *record)
{
    (void)context;
    (void)record;
    return IMPRINT_OK;
}

static enum imprint_error fetch_record(void *context, const struct exchange_record *record)
{
    struct fetch *fetch = context;
    exchange_summary_count(&fetch->counts, record);
    const enum imprint_error error = apply_plan(fetch->apply, record);
    return error == IMPRINT_OK ? apply_record(fetch->apply, record) : error;
}

/* Reads a page through; out_fault says what is wrong with it. */
static bool fetch_read_page(struct fetch *fetch, const struct strbuf *body,
                            exchange_record_fn *on_record, struct exchange_fault *out_fault)
{
    const struct exchange_reader_options options = {
        .format = fetch->feed->format, .on_record = on_record, .context = fetch};
    struct exchange_reader *reader;
    *out_fault = (struct exchange_fault){.error = IMPRINT_E_NOMEM};
    if (exchange_reader_open(&options, &reader) != IMPRINT_OK) {
        return false;
    }
    enum imprint_error error = exchange_reader_feed(reader, body->bytes, body->len);
    if (error == IMPRINT_OK) {
        error = exchange_reader_finish(reader);
    }
    *out_fault = *exchange_reader_fault(reader);
    fetch->page = *exchange_reader_page(reader);
    exchange_reader_close(reader);
    return error == IMPRINT_OK;
}

enum fetch_outcome {
    FETCH_DONE,
    FETCH_AGAIN, /* may be better a little later */
    FETCH_REFUSED,
};

/* Asks once; problem says what went wrong, for a person. */
static enum fetch_outcome fetch_ask(struct fetch *fetch, struct web_answer *answer, char *problem,
                                    size_t capacity)
{
    char url[FEED_URL_BYTES_MAX];
    struct exchange_fault fault;
    if (!fetch->feed->address(&fetch->state, fetch->base, url, sizeof url)) {
        snprintf(problem, capacity, "the address is too long");
        return FETCH_REFUSED;
    }
    const bool has_headers = fetch->feed->credential_headers[0] != NULL;
    const struct web_request request = {
        .url = url,
        .user = has_headers ? NULL : fetch->credentials[0],
        .password = has_headers ? NULL : fetch->credentials[1],
        .headers = {has_headers ? fetch->headers[0] : NULL, has_headers ? fetch->headers[1] : NULL},
        .timeout_s = FETCH_TIMEOUT_S,
        .body_bytes_max = FETCH_PAGE_BYTES_MAX,
    };
    const enum imprint_error error = web_get(&request, answer);
    if (error != IMPRINT_OK) {
        snprintf(problem, capacity, "%s", answer->problem);
        return error == IMPRINT_E_UNREACHABLE ? FETCH_AGAIN : FETCH_REFUSED;
    }
    if (answer->status != 200) {
        snprintf(problem, capacity, "HTTP status %ld", answer->status);
        return answer->status == 429 || answer->status >= 500 ? FETCH_AGAIN : FETCH_REFUSED;
    }
    if (!fetch_read_page(fetch, &answer->body, fetch_check, &fault)) {
        snprintf(problem, capacity,
                 "the page cannot be read: line %" PRIu64 ", byte %" PRIu64 ": %s", fault.line,
                 fault.offset, fault.text);
        return FETCH_AGAIN;
    }
    return FETCH_DONE;
}

/* Waits before the next try: what the answer asks for, or twice as long each time. */
static void fetch_wait(const struct fetch *fetch, unsigned try, long retry_after_s)
{
    long seconds = (long)fetch->retry_delay_s << try;
    if (retry_after_s > seconds && fetch->retry_delay_s > 0) {
        seconds = retry_after_s;
    }
    if (seconds > FETCH_RETRY_DELAY_MAX_S) {
        seconds = FETCH_RETRY_DELAY_MAX_S;
    }
    const struct timespec wait = {.tv_sec = seconds};
    (void)nanosleep(&wait, NULL); /* a signal ends it, and the caller looks */
}

/* A page's token may have become too old: the page is then found again from its beginning. */
static bool fetch_forget_token(struct fetch *fetch, long status)
{
    if (fetch->state.next[0] == '\0' || status < 400 || status >= 500 || status == 401 ||
        status == 403) {
        return false;
    }
    command_complain(fetch->call, "%s: the next page is no longer known, reading from %" PRId64,
                     fetch->feed->name, fetch->state.from);
    fetch->state.next[0] = '\0';
    return true;
}

/* Asks until there is a page that can be read. */
static bool fetch_get(struct fetch *fetch, struct web_answer *answer)
{
    char problem[512] = "";
    bool may_forget = true;
    for (unsigned try = 0; try < FETCH_TRIES; try++) {
        const enum fetch_outcome outcome = fetch_ask(fetch, answer, problem, sizeof problem);
        if (outcome == FETCH_DONE) {
            return true;
        }
        const long status = answer->status;
        const long retry_after_s = answer->retry_after_s;
        web_done(answer);
        if (outcome == FETCH_REFUSED && may_forget && fetch_forget_token(fetch, status)) {
            may_forget = false;
            continue;
        }
        if (outcome == FETCH_REFUSED) {
            return fetch_fail(fetch, EXIT_STATUS_ERROR, "%s", problem);
        }
        command_complain(fetch->call, "%s: %s%s", fetch->feed->name, problem,
                         try + 1 < FETCH_TRIES ? "; trying again" : "");
        if (try + 1 < FETCH_TRIES) {
            fetch_wait(fetch, try, retry_after_s);
        }
        if (interrupt_came()) {
            return fetch_fail(fetch, EXIT_STATUS_ERROR, "interrupted");
        }
    }
    return fetch_fail(fetch, EXIT_STATUS_UNREACHABLE,
                      "gave up; nothing was skipped, the next fetch begins at this page");
}

static bool fetch_apply(struct fetch *fetch, const struct web_answer *answer)
{
    struct exchange_fault fault;
    if (!fetch_read_page(fetch, &answer->body, fetch_record, &fault) ||
        apply_flush(fetch->apply) != IMPRINT_OK) {
        fetch->status = exit_status_worse(fetch->status, apply_status(fetch->apply));
        return fetch->status != EXIT_STATUS_FINE
                   ? false
                   : fetch_fail(fetch, EXIT_STATUS_ERROR, "%s", fault.text);
    }
    return true;
}

static bool fetch_page(struct fetch *fetch, bool *out_is_end)
{
    struct web_answer answer = {0};
    bool is_fine = fetch_get(fetch, &answer) && fetch_apply(fetch, &answer);
    web_done(&answer);
    if (!is_fine) {
        return false;
    }
    fetch->pages++;
    const char *problem = fetch->feed->advance(&fetch->state, &fetch->page, out_is_end);
    if (problem != NULL) {
        return fetch_fail(fetch, EXIT_STATUS_ERROR, "%s", problem);
    }
    if (*out_is_end && fetch->feed->defers_removals && apply_planned(fetch->apply) != IMPRINT_OK) {
        fetch->status = exit_status_worse(fetch->status, apply_status(fetch->apply));
        return false;
    }
    return fetch_write_state(fetch, fetch->feed->defers_removals && !*out_is_end);
}

/* --- The command ----------------------------------------------------------------------------- */

static void fetch_show_progress(const struct fetch *fetch)
{
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r%" PRIu64 " pages, %" PRIu64 " records", fetch->pages,
                fetch->counts.records);
    }
}

static bool fetch_pages(struct fetch *fetch)
{
    bool is_end = false;
    while (!is_end) {
        if (!fetch_page(fetch, &is_end)) {
            return false;
        }
        fetch_show_progress(fetch);
        if (interrupt_came()) {
            return is_end || fetch_fail(fetch, EXIT_STATUS_ERROR, "interrupted after a page");
        }
        if (fetch->pages == fetch->pages_max) {
            return is_end;
        }
    }
    return true;
}

static bool fetch_options(struct fetch *fetch)
{
    const struct command_call *call = fetch->call;
    const char *delay = command_value(call, "retry-delay");
    const char *pages = command_value(call, "max-pages");
    const char *url = command_value(call, "url");
    fetch->base = url != NULL ? url : fetch->feed->url;
    fetch->list = command_value(call, "list");
    fetch->state_path = command_value(call, "state");
    fetch->retry_delay_s = FETCH_RETRY_DELAY_S;
    if (fetch->list == NULL || fetch->state_path == NULL) {
        return fetch_fail(fetch, EXIT_STATUS_ERROR, "--list NAME and --state FILE are needed");
    }
    if ((delay != NULL && !command_number(call, "--retry-delay", delay, 0, FETCH_RETRY_DELAY_MAX_S,
                                          &fetch->retry_delay_s)) ||
        (pages != NULL &&
         !command_number(call, "--max-pages", pages, 1, UINT32_MAX, &fetch->pages_max))) {
        fetch->status = EXIT_STATUS_ERROR;
        return false;
    }
    if (!fetch_read_credentials(fetch)) {
        return false;
    }
    for (size_t i = 0; i < 2 && fetch->feed->credential_headers[i] != NULL; i++) {
        snprintf(fetch->headers[i], sizeof fetch->headers[i], "%s: %s",
                 fetch->feed->credential_headers[i], fetch->credentials[i]);
    }
    return true;
}

static void fetch_run(struct fetch *fetch)
{
    if (!fetch_options(fetch)) {
        return;
    }
    const struct apply_options options = {
        .call = fetch->call,
        .list = fetch->list,
        .source = fetch->feed->name,
        .summary = &fetch->counts,
    };
    fetch->apply = apply_open(&options, &fetch->status);
    if (fetch->apply == NULL || !fetch_read_state(fetch)) {
        return;
    }
    interrupt_watch();
    const bool is_complete = fetch_pages(fetch);
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K");
    }
    const struct summary_context context = {
        .list = fetch->list,
        .source = fetch->feed->name,
        .format = fetch->feed->format,
        .is_complete = is_complete,
        .counts = &fetch->counts,
        .applied = apply_counts(fetch->apply),
    };
    summary_show(fetch->call, &context);
}

enum exit_status ctl_fetch(const struct command_call *call)
{
    const struct feed *feed = feed_find(call->arguments[0]);
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (feed == NULL || fetch == NULL) {
        command_complain(call, "%s",
                         feed == NULL ? "the feeds are stopncii and ncmec"
                                      : imprint_error_text(IMPRINT_E_NOMEM));
        free(fetch);
        return EXIT_STATUS_ERROR;
    }
    fetch->call = call;
    fetch->feed = feed;
    fetch_run(fetch);
    const enum exit_status status = fetch->status;
    apply_close(fetch->apply);
    sodium_memzero(fetch, sizeof *fetch);
    free(fetch);
    return status;
}
