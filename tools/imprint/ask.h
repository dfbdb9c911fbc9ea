/* ask.h - questions to the person at the terminal.
 *
 * Why:     whoever is asked can always leave; an answer given as an option is taken instead; what
 *          is typed may be a secret, so it is read byte by byte into the caller's memory and
 *          passes through no other buffer.
 * Threads: one; standard input and standard error.
 */
#ifndef IMPRINT_ASK_H
#define IMPRINT_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "imprint/error.h"

#include "locale.h"

enum ask_answer {
    ASK_YES,
    ASK_NO,
    ASK_UNSURE,
    ASK_NOTHING, /* input ended, or there is nobody to ask */
    ASK_UNCLEAR, /* the option's value is none of yes, no, unsure */
};

/* An answer as an option gives it: "yes", "no", "unsure", in every language. */
enum ask_answer ask_parse(const char *value);

/* Asks until the answer is clear: yes and no, and not sure where allowed. Without a terminal:
 * ASK_NOTHING. */
enum ask_answer ask_question(const struct locale *locale, enum locale_key prompt,
                             bool allows_unsure);

/* Standard input and standard error are terminals: somebody can be asked. */
bool ask_is_possible(void);

/* Says prompt where there is somebody to read it, then reads a line from standard input, without
 * its newline, into out_line with a NUL. A line that is too long is IMPRINT_E_PARAMETER_INVALID and
 * read to its end; no line at all is IMPRINT_E_IO. is_hidden: what is typed is not shown. */
IMPRINT_MUST_USE enum imprint_error ask_line(const char *prompt, bool is_hidden, char *out_line,
                                             size_t capacity);

#endif
