#include "locale.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "locale_builtin.h"
#include "strbuf.h"

enum { LOCALE_BYTES_MAX = 64 * 1024, LOCALE_TAG_LEN_MAX = 15, LOCALE_PATH_LEN_MAX = 512 };

struct locale {
    char *texts[LOCALE_KEY_COUNT];
};

static const char *const locale_names[LOCALE_KEY_COUNT] = {
    [LOCALE_VERSION] = "version",
    [LOCALE_SAFETY] = "safety",
    [LOCALE_AGE] = "age",
    [LOCALE_AGE_PROMPT] = "age.prompt",
    [LOCALE_REFERRAL] = "referral",
    [LOCALE_RULES] = "rules",
    [LOCALE_PROGRESS] = "progress",
    [LOCALE_LEFT_OUT_FLAT] = "left_out.flat",
    [LOCALE_LEFT_OUT_BROKEN] = "left_out.broken",
    [LOCALE_LEFT_OUT_LOW] = "left_out.low",
    [LOCALE_NOTHING] = "nothing",
    [LOCALE_TOO_MANY] = "too_many",
    [LOCALE_CONTENTS] = "contents",
    [LOCALE_MINE] = "mine",
    [LOCALE_UNDERSTOOD] = "understood",
    [LOCALE_YES_NO_PROMPT] = "yes_no.prompt",
    [LOCALE_WORDS_YES] = "words.yes",
    [LOCALE_WORDS_NO] = "words.no",
    [LOCALE_WORDS_UNSURE] = "words.unsure",
    [LOCALE_UNCLEAR] = "unclear",
    [LOCALE_NEEDS_ANSWER] = "needs_answer",
    [LOCALE_DECLINED] = "declined",
    [LOCALE_CODE_TITLE] = "code.title",
    [LOCALE_CODE_CODE] = "code.code",
    [LOCALE_CODE_CASE] = "code.case",
    [LOCALE_CODE_ABOUT] = "code.about",
    [LOCALE_CODE_CHECK] = "code.check",
    [LOCALE_CODE_CHECK_RIGHT] = "code.check.right",
    [LOCALE_CODE_CHECK_WRONG] = "code.check.wrong",
    [LOCALE_NEXT] = "next",
    [LOCALE_CODE_ASK] = "code.ask",
    [LOCALE_CODE_WRONG] = "code.wrong",
    [LOCALE_WITHDRAW_NEXT] = "withdraw.next",
    [LOCALE_STATUS_NEXT] = "status.next",
    [LOCALE_HELP] = "help",
};

/* --- Reading --------------------------------------------------------------------------------- */

static int locale_key_of(const char *name, size_t len)
{
    for (int i = 0; i < LOCALE_KEY_COUNT; i++) {
        if (strlen(locale_names[i]) == len && memcmp(locale_names[i], name, len) == 0) {
            return i;
        }
    }
    return -1;
}

/* A line's length without its newline; *out_next is where the next begins. */
static size_t locale_line(const char *at, const char *end, const char **out_next)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *out_next = newline != NULL ? newline + 1 : end;
    return (size_t)((newline != NULL ? newline : end) - at);
}

static bool locale_is_heading(const char *line, size_t len)
{
    return len > 2 && line[0] == '[' && line[len - 1] == ']';
}

/* Where the text that begins at `at` ends: before the next heading, without blank lines. */
static const char *locale_text_end(const char *at, const char *end)
{
    const char *last = at;
    while (at < end) {
        const char *next = NULL;
        const size_t len = locale_line(at, end, &next);
        if (locale_is_heading(at, len)) {
            break;
        }
        last = len != 0 ? at + len : last;
        at = next;
    }
    return last;
}

static enum imprint_error locale_take(struct locale *locale, int key, const char *from,
                                      const char *to)
{
    if (key < 0 || locale->texts[key] != NULL || to == from ||
        memchr(from, '\0', (size_t)(to - from)) != NULL) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    locale->texts[key] = strndup(from, (size_t)(to - from));
    return locale->texts[key] != NULL ? IMPRINT_OK : IMPRINT_E_NOMEM;
}

static enum imprint_error locale_fill(struct locale *locale, const char *at, const char *end)
{
    while (at < end) {
        const char *next = NULL;
        const size_t len = locale_line(at, end, &next);
        if (locale_is_heading(at, len)) {
            const char *stop = locale_text_end(next, end);
            const enum imprint_error error =
                locale_take(locale, locale_key_of(at + 1, len - 2), next, stop);
            if (error != IMPRINT_OK) {
                return error;
            }
            next = stop;
        }
        at = next;
    }
    for (int i = 0; i < LOCALE_KEY_COUNT; i++) {
        if (locale->texts[i] == NULL) {
            return IMPRINT_E_PARAMETER_INVALID;
        }
    }
    return IMPRINT_OK;
}

enum imprint_error locale_parse(const char *bytes, size_t len, struct locale **out_locale)
{
    struct locale *locale = calloc(1, sizeof *locale);
    if (locale == NULL) {
        return IMPRINT_E_NOMEM;
    }
    const enum imprint_error error = locale_fill(locale, bytes, bytes + len);
    if (error != IMPRINT_OK) {
        locale_close(locale);
        return error;
    }
    *out_locale = locale;
    return IMPRINT_OK;
}

void locale_close(struct locale *locale)
{
    if (locale == NULL) {
        return;
    }
    for (int i = 0; i < LOCALE_KEY_COUNT; i++) {
        free(locale->texts[i]);
    }
    free(locale);
}

/* --- Choosing -------------------------------------------------------------------------------- */

/* "cy_GB.UTF-8" to "cy-GB". False for anything that is not letters, digits and one kind of
 * hyphen: the tag becomes part of a file name. */
static bool locale_tag(const char *from, char out_tag[LOCALE_TAG_LEN_MAX + 1])
{
    size_t len = 0;
    for (; from[len] != '\0' && from[len] != '.' && from[len] != '@'; len++) {
        if (len == LOCALE_TAG_LEN_MAX ||
            (!isalnum((unsigned char)from[len]) && from[len] != '_' && from[len] != '-')) {
            return false;
        }
        out_tag[len] = (char)(from[len] == '_' ? '-' : from[len]);
    }
    out_tag[len] = '\0';
    return len != 0;
}

static const char *locale_environment(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0') {
            return value;
        }
    }
    return "";
}

static enum imprint_error locale_read(const char *tag, struct locale **out_locale)
{
    const char *folder = getenv("IMPRINT_LOCALE_DIR");
    char path[LOCALE_PATH_LEN_MAX];
    const int n = snprintf(path, sizeof path, "%s/%s.txt",
                           folder != NULL && *folder != '\0' ? folder : IMPRINT_LOCALE_DIR, tag);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return IMPRINT_E_IO;
    }
    struct file_bytes file = {0};
    enum imprint_error error =
        file_read(path, LOCALE_BYTES_MAX, IMPRINT_E_PARAMETER_INVALID, &file);
    if (error == IMPRINT_OK) {
        error = locale_parse((const char *)file.bytes, file.len, out_locale);
        file_free(&file);
    }
    return error;
}

enum imprint_error locale_open(const char *tag, struct locale **out_locale)
{
    char name[LOCALE_TAG_LEN_MAX + 1];
    if (tag != NULL && !locale_tag(tag, name)) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    if (tag != NULL || locale_tag(locale_environment(), name)) {
        const enum imprint_error error = locale_read(name, out_locale);
        const bool is_missing = error == IMPRINT_E_IO && errno == ENOENT;
        const bool is_builtin = strcmp(name, LOCALE_BUILTIN_TAG) == 0;
        if (!is_missing || (tag != NULL && !is_builtin)) {
            return error;
        }
    }
    return locale_parse(locale_builtin, sizeof locale_builtin - 1, out_locale);
}

/* --- Saying ---------------------------------------------------------------------------------- */

const char *locale_text(const struct locale *locale, enum locale_key key)
{
    return locale->texts[key];
}

static const struct locale_value *
locale_value_of(const char *name, size_t len, const struct locale_value *values, size_t value_count)
{
    for (size_t i = 0; i < value_count; i++) {
        if (strlen(values[i].name) == len && memcmp(values[i].name, name, len) == 0) {
            return &values[i];
        }
    }
    return NULL;
}

void locale_print(const struct locale *locale, FILE *stream, enum locale_key key,
                  const struct locale_value *values, size_t value_count)
{
    const char *at = locale_text(locale, key);
    while (*at != '\0') {
        const size_t plain = strcspn(at, "{");
        fwrite(at, 1, plain, stream);
        at += plain;
        const size_t len = *at == '{' ? strcspn(at, "}") : 0;
        const struct locale_value *value =
            len != 0 ? locale_value_of(at + 1, len - 1, values, value_count) : NULL;
        if (value != NULL && at[len] == '}') {
            struct strbuf word;
            strbuf_init(&word, LOCALE_BYTES_MAX);
            strbuf_add_printable(&word, value->value);
            fputs(strbuf_get(&word), stream);
            strbuf_done(&word);
            at += len + 1;
        } else if (*at == '{') {
            fputc(*at++, stream);
        }
    }
    fputc('\n', stream);
}
