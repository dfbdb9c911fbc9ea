/* locale.h - the words of the companion: what it says, asks and whom it refers to.
 *
 * Why:       another language, or another country's helplines, is another text file; no code
 *            changes. A copy of en-GB is part of the program, so it works alone.
 * Ownership: texts live as long as the locale.
 * Errors:    IMPRINT_E_IO with errno, IMPRINT_E_PARAMETER_INVALID for a file that is not one,
 *            IMPRINT_E_NOMEM.
 * Threads:   one.
 */
#ifndef IMPRINT_LOCALE_H
#define IMPRINT_LOCALE_H

#include <stddef.h>
#include <stdio.h>

#include "imprint/error.h"

enum locale_key {
    LOCALE_VERSION,
    LOCALE_SAFETY,
    LOCALE_AGE,
    LOCALE_AGE_PROMPT,
    LOCALE_REFERRAL,
    LOCALE_RULES,
    LOCALE_PROGRESS,
    LOCALE_LEFT_OUT_FLAT,
    LOCALE_LEFT_OUT_BROKEN,
    LOCALE_LEFT_OUT_LOW,
    LOCALE_NOTHING,
    LOCALE_TOO_MANY,
    LOCALE_CONTENTS,
    LOCALE_MINE,
    LOCALE_UNDERSTOOD,
    LOCALE_YES_NO_PROMPT,
    LOCALE_WORDS_YES,
    LOCALE_WORDS_NO,
    LOCALE_WORDS_UNSURE,
    LOCALE_UNCLEAR,
    LOCALE_NEEDS_ANSWER,
    LOCALE_DECLINED,
    LOCALE_CODE_TITLE,
    LOCALE_CODE_CODE,
    LOCALE_CODE_CASE,
    LOCALE_CODE_ABOUT,
    LOCALE_CODE_CHECK,
    LOCALE_CODE_CHECK_RIGHT,
    LOCALE_CODE_CHECK_WRONG,
    LOCALE_NEXT,
    LOCALE_CODE_ASK,
    LOCALE_CODE_WRONG,
    LOCALE_WITHDRAW_NEXT,
    LOCALE_STATUS_NEXT,
    LOCALE_HELP,
    LOCALE_KEY_COUNT
};

struct locale;

/* The built-in texts, and over them those of the file for tag ("cy-GB"); tag NULL: of the
 * environment's language, where there is a file for it. A name in the file that we do not know, or
 * one that is missing, is an error: half a translation must not go unnoticed. */
IMPRINT_MUST_USE enum imprint_error locale_open(const char *tag, struct locale **out_locale);

/* The same from a file's bytes. Pure. */
IMPRINT_MUST_USE enum imprint_error locale_parse(const char *bytes, size_t len,
                                                 struct locale **out_locale);
/* NULL is allowed. */
void locale_close(struct locale *locale);

/* Without a newline at the end. Never NULL. */
const char *locale_text(const struct locale *locale, enum locale_key key);

/* A word to fill in: "{count}" becomes value. */
struct locale_value {
    const char *name;
    const char *value;
};

/* Writes a text with its words filled in, and a newline. */
void locale_print(const struct locale *locale, FILE *stream, enum locale_key key,
                  const struct locale_value *values, size_t value_count);

#endif
