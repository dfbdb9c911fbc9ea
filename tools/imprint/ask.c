#include "ask.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { ASK_LINE_LEN = 64, ASK_TRIES = 10, ASK_CTRL_C = 0x03 };

bool ask_is_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

enum ask_answer ask_parse(const char *value)
{
    if (strcmp(value, "yes") == 0) {
        return ASK_YES;
    }
    if (strcmp(value, "no") == 0) {
        return ASK_NO;
    }
    return strcmp(value, "unsure") == 0 ? ASK_UNSURE : ASK_UNCLEAR;
}

/* --- Lines ----------------------------------------------------------------------------------- */

/* A line ends with a newline, or with Ctrl-C where that arrives as a byte. */
static enum imprint_error ask_read(char *out_line, size_t capacity, bool *out_is_interrupted)
{
    size_t len = 0;
    bool is_begun = false;
    bool is_too_long = false;
    for (;;) {
        char byte = '\0';
        const ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 || (got == 0 && !is_begun)) {
            return IMPRINT_E_IO;
        }
        *out_is_interrupted = byte == ASK_CTRL_C;
        if (got == 0 || byte == '\n' || byte == ASK_CTRL_C) {
            break;
        }
        is_begun = true;
        is_too_long = is_too_long || len + 1 == capacity || byte == '\0';
        if (!is_too_long) {
            out_line[len++] = byte;
        }
    }
    while (len != 0 && out_line[len - 1] == '\r') {
        len--;
    }
    out_line[len] = '\0';
    return is_too_long ? IMPRINT_E_PARAMETER_INVALID : IMPRINT_OK;
}

/* Signals wait while the terminal hides what is typed, so that it is never left so. Ctrl-C still
 * ends: without ISIG it arrives as a byte. */
static enum imprint_error ask_read_hidden(const char *prompt, char *out_line, size_t capacity,
                                          bool *out_is_interrupted)
{
    struct termios before;
    if (tcgetattr(STDIN_FILENO, &before) != 0) {
        return ask_read(out_line, capacity, out_is_interrupted);
    }
    struct termios hidden = before;
    hidden.c_lflag &= (tcflag_t)~ECHO;
    sigset_t block;
    sigset_t old;
    sigemptyset(&block);
    sigaddset(&block, SIGINT);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGHUP);
    sigaddset(&block, SIGTSTP);
    sigaddset(&block, SIGQUIT);
    sigprocmask(SIG_BLOCK, &block, &old);
    hidden.c_cc[VEOL] = ASK_CTRL_C;
    hidden.c_lflag &= (tcflag_t)~ISIG;
    enum imprint_error error = IMPRINT_E_IO;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden) == 0) {
        fprintf(stderr, "%s ", prompt);
        error = ask_read(out_line, capacity, out_is_interrupted);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    fputc('\n', stderr);
    return error;
}

enum imprint_error ask_line(const char *prompt, bool is_hidden, char *out_line, size_t capacity)
{
    bool is_interrupted = false;
    enum imprint_error error = IMPRINT_OK;
    if (is_hidden && ask_is_possible()) {
        error = ask_read_hidden(prompt, out_line, capacity, &is_interrupted);
    } else {
        if (ask_is_possible()) {
            fprintf(stderr, "%s ", prompt);
        }
        error = ask_read(out_line, capacity, &is_interrupted);
    }
    if (is_interrupted) {
        raise(SIGINT);
        return IMPRINT_E_IO;
    }
    return error;
}

/* --- Questions ------------------------------------------------------------------------------- */

/* Lower case, without blanks around and a full stop behind. */
static void ask_simplify(char *line)
{
    size_t len = strlen(line);
    while (len != 0 && (isspace((unsigned char)line[len - 1]) || line[len - 1] == '.')) {
        line[--len] = '\0';
    }
    const size_t lead = strspn(line, " \t");
    memmove(line, line + lead, len - (lead < len ? lead : len) + 1);
    for (char *c = line; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
}

/* line is one of the words, which "|" separates. */
static bool ask_is_word(const char *line, const char *words)
{
    const size_t len = strlen(line);
    while (len != 0) {
        const size_t word = strcspn(words, "|");
        if (word == len && memcmp(words, line, len) == 0) {
            return true;
        }
        if (words[word] == '\0') {
            return false;
        }
        words += word + 1;
    }
    return false;
}

enum ask_answer ask_question(const struct locale *locale, enum locale_key prompt,
                             bool allows_unsure)
{
    for (int i = 0; i < ASK_TRIES && ask_is_possible(); i++) {
        char line[ASK_LINE_LEN];
        const enum imprint_error error =
            ask_line(locale_text(locale, prompt), false, line, sizeof line);
        if (error == IMPRINT_E_IO) {
            fputc('\n', stderr);
            return ASK_NOTHING;
        }
        if (error != IMPRINT_OK) {
            line[0] = '\0';
        }
        ask_simplify(line);
        if (ask_is_word(line, locale_text(locale, LOCALE_WORDS_YES))) {
            return ASK_YES;
        }
        if (ask_is_word(line, locale_text(locale, LOCALE_WORDS_NO))) {
            return ASK_NO;
        }
        if (allows_unsure && ask_is_word(line, locale_text(locale, LOCALE_WORDS_UNSURE))) {
            return ASK_UNSURE;
        }
        fprintf(stderr, "%s\n", locale_text(locale, LOCALE_UNCLEAR));
    }
    return ASK_NOTHING;
}
