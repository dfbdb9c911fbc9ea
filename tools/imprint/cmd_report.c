#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "imprint/pdq.h"

#include "ask.h"
#include "companion.h"
#include "picture.h"
#include "report.h"

#define REPORT_NAME_DEFAULT "report.json"

enum { REPORT_CHECK_SYMBOLS = 4 };

/* What must not leave memory: made by sodium_malloc, so locked, guarded and wiped. */
struct report_secret {
    struct code_root root;
    struct code_key key;
    char code[CODE_TEXT_LEN + 1];
    char typed[64];
};

struct report_task {
    const struct command_call *call;
    const struct locale *locale;
    const char *path;
    bool is_quiet;   /* no guidance: for scripts */
    bool wants_json; /* the code as JSON */
    bool keeps_low_quality;
    size_t broken; /* files that could not be read */
    size_t plain;  /* pictures left out as too plain */
    struct paths paths;
    struct report report;
    struct report_case about;
    struct report_secret *secret;
};

static void report_say(const struct report_task *task, enum locale_key key)
{
    if (!task->is_quiet) {
        locale_print(task->locale, stderr, key, NULL, 0);
        fputc('\n', stderr);
    }
}

static void report_say_number(const struct report_task *task, enum locale_key key, const char *name,
                              size_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", number);
    const struct locale_value value = {name, digits};
    locale_print(task->locale, stderr, key, &value, 1);
}

/* --- Questions ------------------------------------------------------------------------------- */

/* The answer to a question: from its option, else from the person. */
static enum ask_answer report_ask(const struct report_task *task, const char *option,
                                  enum locale_key question, enum locale_key prompt)
{
    const char *value = command_value(task->call, option);
    if (value != NULL) {
        const enum ask_answer answer = ask_parse(value);
        if (answer == ASK_UNCLEAR) {
            command_complain(task->call, "--%s is yes, no or unsure", option);
        }
        return answer;
    }
    if (ask_is_possible()) {
        locale_print(task->locale, stderr, question, NULL, 0);
        fputc('\n', stderr);
        return ask_question(task->locale, prompt, prompt == LOCALE_AGE_PROMPT);
    }
    struct strbuf name;
    strbuf_init(&name, 256);
    strbuf_addf(&name, "--%s yes|no", option);
    const struct locale_value words = {"option", strbuf_get(&name)};
    locale_print(task->locale, stderr, LOCALE_NEEDS_ANSWER, &words, 1);
    strbuf_done(&name);
    return ASK_NOTHING;
}

/* Nobody answered is an error, as a script that forgot an option would want; a no is a decision. */
static enum exit_status report_stop(const struct report_task *task, enum ask_answer answer)
{
    switch (answer) {
    case ASK_YES: return EXIT_STATUS_FINE;
    case ASK_NO:
    case ASK_UNSURE: report_say(task, LOCALE_DECLINED); return EXIT_STATUS_STOPPED;
    case ASK_NOTHING:
    case ASK_UNCLEAR: break;
    }
    return EXIT_STATUS_ERROR;
}

/* Before anything is opened. */
static enum exit_status report_ask_age(const struct report_task *task)
{
    const enum ask_answer answer =
        report_ask(task, "everyone-was-adult", LOCALE_AGE, LOCALE_AGE_PROMPT);
    if (answer == ASK_NO || answer == ASK_UNSURE) {
        /* Said also to a script: whoever runs it must pass it on. */
        locale_print(task->locale, stderr, LOCALE_REFERRAL, NULL, 0);
        return EXIT_STATUS_REFERRED;
    }
    return report_stop(task, answer);
}

static enum exit_status report_ask_consent(const struct report_task *task)
{
    enum exit_status status =
        report_stop(task, report_ask(task, "it-is-me", LOCALE_MINE, LOCALE_YES_NO_PROMPT));
    if (status == EXIT_STATUS_FINE) {
        status = report_stop(
            task, report_ask(task, "i-understand", LOCALE_UNDERSTOOD, LOCALE_YES_NO_PROMPT));
    }
    return status;
}

/* --- Pictures -------------------------------------------------------------------------------- */

static void report_say_broken(const struct report_task *task, size_t number, const char *problem)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", number);
    const struct locale_value values[] = {{"number", digits}, {"problem", problem}};
    locale_print(task->locale, stderr, LOCALE_LEFT_OUT_BROKEN, values, 2);
}

/* Names are not repeated: what is said may be read over a shoulder. */
static enum imprint_error report_take(struct report_task *task, const struct path *path,
                                      size_t number)
{
    struct picture picture;
    const enum imprint_error error = picture_hash_for_report(path->name, &picture);
    if (paths_is_no_matter(path, error)) {
        return IMPRINT_OK;
    }
    if (error != IMPRINT_OK) {
        report_say_broken(task, number, picture_problem(error));
        task->broken++;
        return IMPRINT_OK;
    }
    const bool is_low = picture.pdq.quality < IMPRINT_QUALITY_FLOOR;
    if (!picture.pdq.is_hashable || (is_low && !task->keeps_low_quality)) {
        report_say_number(task,
                          picture.pdq.is_hashable ? LOCALE_LEFT_OUT_LOW : LOCALE_LEFT_OUT_FLAT,
                          "number", number);
        task->plain++;
        return IMPRINT_OK;
    }
    const struct report_item item = {
        .hash = picture.pdq.hash, .quality = picture.pdq.quality, .is_low_quality = is_low};
    return report_add(&task->report, &item);
}

static void report_show_progress(const struct report_task *task, size_t number)
{
    if (task->is_quiet || !isatty(STDERR_FILENO)) {
        return;
    }
    char digits[2][24];
    snprintf(digits[0], sizeof digits[0], "%zu", number);
    snprintf(digits[1], sizeof digits[1], "%zu", task->paths.count);
    const struct locale_value values[] = {{"number", digits[0]}, {"count", digits[1]}};
    locale_print(task->locale, stderr, LOCALE_PROGRESS, values, 2);
}

static enum exit_status report_take_all(struct report_task *task)
{
    for (size_t i = 0; i < task->paths.count; i++) {
        report_show_progress(task, i + 1);
        const enum imprint_error error = report_take(task, &task->paths.items[i], i + 1);
        if (error == IMPRINT_E_BODY_TOO_LARGE) {
            report_say_number(task, LOCALE_TOO_MANY, "count", REPORT_ITEMS_MAX);
            return EXIT_STATUS_ERROR;
        }
        if (error != IMPRINT_OK) {
            command_complain(task->call, "%s", imprint_error_text(error));
            return EXIT_STATUS_ERROR;
        }
    }
    if (task->report.count == 0) {
        locale_print(task->locale, stderr, LOCALE_NOTHING, NULL, 0);
        return task->broken != 0 ? EXIT_STATUS_ERROR : EXIT_STATUS_UNHASHABLE;
    }
    report_shuffle(&task->report);
    return EXIT_STATUS_FINE;
}

/* --- The code and the file ------------------------------------------------------------------- */

static bool report_make_case(struct report_task *task)
{
    struct report_case *about = &task->about;
    struct report_secret *secret = task->secret;
    const time_t now = time(NULL);
    struct tm day;
    if (gmtime_r(&now, &day) == NULL ||
        strftime(about->day, sizeof about->day, "%Y-%m-%d", &day) != REPORT_DAY_LEN) {
        return false;
    }
    const char *version = locale_text(task->locale, LOCALE_VERSION);
    if (strlen(version) > REPORT_WORDS_MAX) {
        return false;
    }
    memcpy(about->statements, version, strlen(version) + 1);
    about->tool = "imprint " IMPRINT_VERSION;
    randombytes_buf(secret->root.bytes, sizeof secret->root.bytes);
    code_to_text(&secret->root, secret->code);
    code_case_of(&secret->root, &about->id);
    const struct {
        enum code_use use;
        struct code_verifier *verifier;
    } rows[] = {{CODE_USE_STATUS, &about->status},
                {CODE_USE_WITHDRAW, &about->withdraw},
                {CODE_USE_APPEND, &about->append}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        code_key_of(&secret->root, rows[i].use, &secret->key);
        code_verifier_of(&about->id, rows[i].use, &secret->key, rows[i].verifier);
    }
    sodium_memzero(&secret->key, sizeof secret->key);
    return true;
}

static bool report_save(struct report_task *task)
{
    struct strbuf text;
    strbuf_init(&text, REPORT_BYTES_MAX);
    const enum imprint_error error = report_write(&task->report, &task->about, &text);
    bool is_saved = false;
    if (error != IMPRINT_OK) {
        command_complain(task->call, "%s", imprint_error_text(error));
    } else {
        is_saved = companion_write(task->call, task->path, strbuf_get(&text), text.len);
    }
    strbuf_done(&text);
    return is_saved;
}

/* Straight to the descriptor, so that no buffer of the C library keeps the code. */
static bool report_put(const char *text, size_t len)
{
    while (len != 0) {
        const ssize_t put = write(STDOUT_FILENO, text, len);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        text += put > 0 ? put : 0;
        len -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

static bool report_put_text(const char *text)
{
    return report_put(text, strlen(text));
}

static bool report_show_code(const struct report_task *task)
{
    char number[CODE_CASE_TEXT_LEN + 1];
    char count[24];
    code_case_to_text(&task->about.id, number);
    snprintf(count, sizeof count, "%zu", task->report.count);
    if (fflush(stdout) != 0) {
        return false;
    }
    if (task->wants_json) {
        return report_put_text("{\"case\":\"") && report_put_text(number) &&
               report_put_text("\",\"code\":\"") && report_put_text(task->secret->code) &&
               report_put_text("\",\"pictures\":") && report_put_text(count) &&
               report_put_text("}\n");
    }
    report_say(task, LOCALE_CODE_TITLE);
    return report_put_text(locale_text(task->locale, LOCALE_CODE_CODE)) && report_put_text(" ") &&
           report_put_text(task->secret->code) && report_put_text("\n") &&
           report_put_text(locale_text(task->locale, LOCALE_CODE_CASE)) && report_put_text(" ") &&
           report_put_text(number) && report_put_text("\n");
}

/* Letters and digits of the code's last group against what was typed. */
static bool report_is_last_group(const struct report_secret *secret)
{
    const char *last = secret->code + CODE_TEXT_LEN - REPORT_CHECK_SYMBOLS;
    size_t n = 0;
    for (const char *c = secret->typed; *c != '\0'; c++) {
        const char upper = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
        if (upper == ' ' || upper == '-') {
            continue;
        }
        if (n == REPORT_CHECK_SYMBOLS || upper != last[n++]) {
            return false;
        }
    }
    return n == REPORT_CHECK_SYMBOLS;
}

/* A person may check what they wrote down; nobody must. */
static void report_check_code(const struct report_task *task)
{
    if (task->is_quiet || task->wants_json || !ask_is_possible() || !isatty(STDOUT_FILENO)) {
        return;
    }
    struct report_secret *secret = task->secret;
    for (int i = 0; i < 3; i++) {
        if (ask_line(locale_text(task->locale, LOCALE_CODE_CHECK), false, secret->typed,
                     sizeof secret->typed) != IMPRINT_OK ||
            secret->typed[0] == '\0') {
            break;
        }
        if (report_is_last_group(secret)) {
            report_say(task, LOCALE_CODE_CHECK_RIGHT);
            break;
        }
        report_say(task, LOCALE_CODE_CHECK_WRONG);
        if (!report_put_text(secret->code) || !report_put_text("\n")) {
            break;
        }
    }
    sodium_memzero(secret->typed, sizeof secret->typed);
}

static void report_farewell(const struct report_task *task)
{
    if (task->is_quiet) {
        return;
    }
    const struct locale_value value = {"file", task->path};
    fputc('\n', stderr);
    report_say(task, LOCALE_CODE_ABOUT);
    report_check_code(task);
    locale_print(task->locale, stderr, LOCALE_NEXT, &value, 1);
    fputc('\n', stderr);
    report_say(task, LOCALE_HELP);
}

/* Saved first, shown then: a code without a report would be a false comfort, and a report whose
 * code nobody saw could never be taken back. */
static enum exit_status report_finish(struct report_task *task)
{
    if (!report_make_case(task)) {
        command_complain(task->call, "%s", imprint_error_text(IMPRINT_E_INTERNAL));
        return EXIT_STATUS_ERROR;
    }
    if (!report_save(task)) {
        return EXIT_STATUS_ERROR;
    }
    if (!report_show_code(task)) {
        command_complain(task->call, "the code could not be shown, so the report is removed");
        unlink(task->path);
        return EXIT_STATUS_ERROR;
    }
    report_farewell(task);
    if (task->broken != 0) {
        return EXIT_STATUS_ERROR;
    }
    return task->plain != 0 ? EXIT_STATUS_UNHASHABLE : EXIT_STATUS_FINE;
}

/* --- The way through ------------------------------------------------------------------------- */

static enum exit_status report_run(struct report_task *task)
{
    report_say(task, LOCALE_SAFETY);
    enum exit_status status = report_ask_age(task);
    if (status != EXIT_STATUS_FINE) {
        return status;
    }
    if (companion_output_exists(task->call, task->path)) {
        return EXIT_STATUS_ERROR;
    }
    report_say(task, LOCALE_RULES);
    if (!companion_prepare(task->call, task->path, &task->paths)) {
        return EXIT_STATUS_ERROR;
    }
    status = report_take_all(task);
    if (status != EXIT_STATUS_FINE) {
        return status;
    }
    if (!task->is_quiet) {
        report_say_number(task, LOCALE_CONTENTS, "count", task->report.count);
        fputc('\n', stderr);
    }
    status = report_ask_consent(task);
    return status == EXIT_STATUS_FINE ? report_finish(task) : status;
}

enum exit_status companion_report(const struct command_call *call)
{
    const char *path = command_value(call, "output");
    struct locale *locale = companion_locale(call);
    if (locale == NULL) {
        return EXIT_STATUS_ERROR;
    }
    struct report_task task = {
        .call = call,
        .locale = locale,
        .path = path != NULL ? path : REPORT_NAME_DEFAULT,
        .is_quiet = command_value(call, "quiet") != NULL,
        .wants_json = command_value(call, "json") != NULL,
        .keeps_low_quality = command_value(call, "include-low-quality") != NULL,
        .secret = sodium_malloc(sizeof(struct report_secret)),
    };
    report_init(&task.report);
    enum exit_status status = EXIT_STATUS_ERROR;
    if (task.secret == NULL) {
        command_complain(call, "%s", imprint_error_text(IMPRINT_E_NOMEM));
    } else {
        sodium_memzero(task.secret, sizeof *task.secret);
        status = report_run(&task);
    }
    paths_done(&task.paths);
    report_done(&task.report);
    sodium_free(task.secret);
    locale_close(locale);
    return status;
}
