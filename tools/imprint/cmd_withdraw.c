/* What the code is for: the files that withdraw a case and ask for its state. The code is typed or
 * comes over standard input, never as an argument, where other users could read it. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "ask.h"
#include "companion.h"
#include "report.h"

enum { WITHDRAW_TRIES = 3 };

struct withdraw_secret {
    struct code_root root;
    struct code_key key;
    char typed[128];
};

/* On a terminal there are several tries; from a pipe one line is all there is. */
static bool withdraw_read_code(const struct command_call *call, const struct locale *locale,
                               struct withdraw_secret *secret)
{
    const bool is_hidden = command_value(call, "hide-typing") != NULL;
    const int tries = ask_is_possible() ? WITHDRAW_TRIES : 1;
    bool is_read = false;
    for (int i = 0; i < tries && !is_read; i++) {
        const enum imprint_error error = ask_line(locale_text(locale, LOCALE_CODE_ASK), is_hidden,
                                                  secret->typed, sizeof secret->typed);
        if (error == IMPRINT_E_IO) {
            command_complain(call, "no code was given; it is read from the terminal, or from "
                                   "standard input");
            break;
        }
        is_read = error == IMPRINT_OK &&
                  code_from_text(secret->typed, strlen(secret->typed), &secret->root) == IMPRINT_OK;
        if (!is_read) {
            locale_print(locale, stderr, LOCALE_CODE_WRONG, NULL, 0);
        }
    }
    sodium_memzero(secret->typed, sizeof secret->typed);
    return is_read;
}

static bool withdraw_save(const struct command_call *call, const char *path, const char *format,
                          const struct code_case *id, const struct code_key *key)
{
    struct strbuf text;
    strbuf_init(&text, REPORT_BYTES_MAX);
    const enum imprint_error error = report_write_key(format, id, key, &text);
    bool is_saved = false;
    if (error != IMPRINT_OK) {
        command_complain(call, "%s", imprint_error_text(error));
    } else {
        is_saved = companion_write(call, path, strbuf_get(&text), text.len);
    }
    strbuf_done(&text);
    return is_saved;
}

static bool withdraw_make(const struct command_call *call, const struct locale *locale,
                          enum code_use use, struct withdraw_secret *secret)
{
    const bool is_withdrawal = use == CODE_USE_WITHDRAW;
    const char *path = command_value(call, "output");
    if (path == NULL) {
        path = is_withdrawal ? "withdrawal.json" : "status.json";
    }
    if (companion_output_exists(call, path) || !withdraw_read_code(call, locale, secret)) {
        return false;
    }
    struct code_case id;
    code_case_of(&secret->root, &id);
    code_key_of(&secret->root, use, &secret->key);
    if (!withdraw_save(call, path, is_withdrawal ? "imprint-withdrawal/1" : "imprint-status/1", &id,
                       &secret->key)) {
        return false;
    }
    char number[CODE_CASE_TEXT_LEN + 1];
    code_case_to_text(&id, number);
    if (command_value(call, "json") != NULL) {
        printf("{\"case\":\"%s\"}\n", number);
        return true;
    }
    const struct locale_value values[] = {{"file", path}, {"case", number}};
    locale_print(locale, stderr, is_withdrawal ? LOCALE_WITHDRAW_NEXT : LOCALE_STATUS_NEXT, values,
                 2);
    return true;
}

static enum exit_status withdraw_run(const struct command_call *call, enum code_use use)
{
    struct locale *locale = companion_locale(call);
    struct withdraw_secret *secret = sodium_malloc(sizeof *secret);
    enum exit_status status = EXIT_STATUS_ERROR;
    if (locale != NULL && secret != NULL) {
        sodium_memzero(secret, sizeof *secret);
        status = withdraw_make(call, locale, use, secret) ? EXIT_STATUS_FINE : EXIT_STATUS_ERROR;
    } else if (secret == NULL) {
        command_complain(call, "%s", imprint_error_text(IMPRINT_E_NOMEM));
    }
    sodium_free(secret);
    locale_close(locale);
    return status;
}

enum exit_status companion_withdraw(const struct command_call *call)
{
    return withdraw_run(call, CODE_USE_WITHDRAW);
}

enum exit_status companion_status(const struct command_call *call)
{
    return withdraw_run(call, CODE_USE_STATUS);
}
