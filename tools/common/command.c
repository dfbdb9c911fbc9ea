#include "command.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "strbuf.h"

enum { COMMAND_HELP_COLUMN = 30, COMMAND_LINE_BYTES_MAX = 64 * 1024 };

/* --- Messages -------------------------------------------------------------------------------- */

void command_complain(const struct command_call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", call->program->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void command_complain_file(const struct command_call *call, const char *path, const char *problem)
{
    struct strbuf name;
    strbuf_init(&name, COMMAND_LINE_BYTES_MAX);
    strbuf_add_printable(&name, path);
    command_complain(call, "%s: %s", strbuf_get(&name), problem);
    strbuf_done(&name);
}

static enum exit_status command_misused(const struct command_call *call)
{
    const char *name = call->command != NULL ? call->command->name : NULL;
    fprintf(stderr, "Try: %s help%s%s\n", call->program->name, name != NULL ? " " : "",
            name != NULL ? name : "");
    return EXIT_STATUS_ERROR;
}

/* --- Help ------------------------------------------------------------------------------------ */

static void command_print_row(const char *left, const char *right)
{
    if (strlen(left) >= COMMAND_HELP_COLUMN) {
        printf("%s\n%*s%s\n", left, COMMAND_HELP_COLUMN, "", right);
    } else {
        printf("%-*s%s\n", COMMAND_HELP_COLUMN, left, right);
    }
}

static void command_print_options(const struct command_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct strbuf left;
        strbuf_init(&left, COMMAND_LINE_BYTES_MAX);
        if (options[i].letter != '\0') {
            strbuf_addf(&left, "  -%c, --%s", options[i].letter, options[i].name);
        } else {
            strbuf_addf(&left, "      --%s", options[i].name);
        }
        if (options[i].argument != NULL) {
            strbuf_addf(&left, " %s", options[i].argument);
        }
        command_print_row(strbuf_get(&left), options[i].help);
        strbuf_done(&left);
    }
}

static void command_print_help(const struct command_program *program, const struct command *command)
{
    printf("Usage: %s %s%s%s%s\n\n%s.\n", program->name, command->name,
           command->option_count + program->option_count != 0 ? " [OPTIONS]" : "",
           *command->synopsis != '\0' ? " " : "", command->synopsis, command->summary);
    if (command->option_count != 0) {
        printf("\nOptions:\n");
        command_print_options(command->options, command->option_count);
    }
    if (program->option_count != 0) {
        printf("\nOptions of every command:\n");
        command_print_options(program->options, program->option_count);
    }
    if (command->details != NULL) {
        printf("\n%s", command->details);
    }
}

static void command_print_program_help(const struct command_program *program)
{
    printf("Usage: %s COMMAND [OPTIONS] [ARGUMENTS]\n\n%s.\n\nCommands:\n", program->name,
           program->summary);
    for (size_t i = 0; i < program->command_count; i++) {
        struct strbuf left;
        strbuf_init(&left, COMMAND_LINE_BYTES_MAX);
        strbuf_addf(&left, "  %s", program->commands[i].name);
        command_print_row(strbuf_get(&left), program->commands[i].summary);
        strbuf_done(&left);
    }
    command_print_row("  help [COMMAND]", "explain a command");
    printf("\nOptions:\n");
    command_print_row("      --help", "this text, or that of a command");
    command_print_row("      --version", "the version");
    command_print_options(program->options, program->option_count);
    if (program->epilogue != NULL) {
        printf("\n%s", program->epilogue);
    }
}

/* --- Finding the command --------------------------------------------------------------------- */

/* How many of words make up the command's name; 0: another command. */
static size_t command_name_words(const char *name, size_t count, char **words)
{
    size_t used = 0;
    while (*name != '\0') {
        const size_t len = strcspn(name, " ");
        if (used == count || strlen(words[used]) != len || memcmp(words[used], name, len) != 0) {
            return 0;
        }
        used++;
        name += len + (name[len] == ' ');
    }
    return used;
}

static const struct command *command_find(const struct command_program *program, size_t count,
                                          char **words, size_t *out_used)
{
    for (size_t i = 0; i < program->command_count; i++) {
        const size_t used = command_name_words(program->commands[i].name, count, words);
        if (used != 0) {
            *out_used = used;
            return &program->commands[i];
        }
    }
    return NULL;
}

/* "list" alone is half a command: say which there are. */
static bool command_explain_half(const struct command_program *program, const char *word)
{
    bool found = false;
    const size_t len = strlen(word);
    for (size_t i = 0; i < program->command_count; i++) {
        const char *name = program->commands[i].name;
        if (len != 0 && strncmp(name, word, len) == 0 && name[len] == ' ') {
            fprintf(stderr, "%s%s %s", found ? "\n" : "", program->name, name);
            found = true;
        }
    }
    if (found) {
        fputc('\n', stderr);
    }
    return found;
}

static enum exit_status command_unknown(const struct command_call *call, const char *word)
{
    struct strbuf name;
    strbuf_init(&name, COMMAND_LINE_BYTES_MAX);
    strbuf_add_printable(&name, word);
    command_complain(call, "there is no command \"%s\"", strbuf_get(&name));
    strbuf_done(&name);
    if (command_explain_half(call->program, word)) {
        return EXIT_STATUS_ERROR;
    }
    return command_misused(call);
}

static enum exit_status command_help(const struct command_call *call, size_t count, char **words)
{
    if (count == 0) {
        command_print_program_help(call->program);
        return EXIT_STATUS_FINE;
    }
    size_t used = 0;
    const struct command *command = command_find(call->program, count, words, &used);
    if (command == NULL) {
        return command_unknown(call, words[0]);
    }
    command_print_help(call->program, command);
    return EXIT_STATUS_FINE;
}

/* --- Parsing --------------------------------------------------------------------------------- */

/* The option named by the first len bytes of name, or by the letter; -1 where there is none. */
static int command_option_find(const struct command_option *options, size_t count, const char *name,
                               size_t len, char letter)
{
    for (size_t i = 0; i < count; i++) {
        const bool is_named = name != NULL && strlen(options[i].name) == len &&
                              memcmp(options[i].name, name, len) == 0;
        if (is_named || (name == NULL && options[i].letter == letter && letter != '\0')) {
            return (int)i;
        }
    }
    return -1;
}

/* Reads the option at argv[*at]; moves *at to the last word used. */
static bool command_parse_option(struct command_call *call, char **words, size_t count, size_t *at)
{
    const char *word = words[*at];
    const bool is_long = word[1] == '-';
    const char *name = is_long ? word + 2 : NULL;
    const size_t len = is_long ? strcspn(name, "=") : 0;
    const char *inline_value = is_long && name[len] == '=' ? name + len + 1 : NULL;
    if (!is_long && word[2] != '\0') {
        inline_value = word + 2;
    }
    const struct command_option *options = call->command->options;
    const char **values = call->values;
    int i = command_option_find(options, call->command->option_count, name, len, word[1]);
    if (i < 0) {
        options = call->program->options;
        values = call->program_values;
        i = command_option_find(options, call->program->option_count, name, len, word[1]);
    }
    if (i < 0) {
        command_complain_file(call, word, "no such option");
        return false;
    }
    assert(options != NULL);
    if (options[i].argument == NULL) {
        if (inline_value != NULL) {
            command_complain(call, "--%s takes no value", options[i].name);
            return false;
        }
        values[i] = "";
        return true;
    }
    if (inline_value == NULL && *at + 1 == count) {
        command_complain(call, "--%s needs a value: %s", options[i].name, options[i].argument);
        return false;
    }
    values[i] = inline_value != NULL ? inline_value : words[++*at];
    return true;
}

/* Sorts words into options and arguments; arguments are moved to the front of words. */
static bool command_parse(struct command_call *call, size_t count, char **words, bool *out_help)
{
    bool is_over = false;
    call->arguments = words;
    for (size_t at = 0; at < count; at++) {
        char *word = words[at];
        if (is_over || word[0] != '-' || word[1] == '\0') {
            call->arguments[call->argument_count++] = word;
        } else if (strcmp(word, "--") == 0) {
            is_over = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            *out_help = true;
            return true;
        } else if (!command_parse_option(call, words, count, &at)) {
            return false;
        }
    }
    return true;
}

static bool command_check_arguments(const struct command_call *call)
{
    const struct command *command = call->command;
    if (call->argument_count < command->arguments_min) {
        command_complain(call, "%s needs %s", command->name, command->synopsis);
        return false;
    }
    if (call->argument_count > command->arguments_max) {
        command_complain_file(call, call->arguments[command->arguments_max],
                              "one argument too many");
        return false;
    }
    return true;
}

/* Options of the program may stand before the command too. */
static bool command_parse_leading(struct command_call *call, size_t count, char **words, size_t *at)
{
    static const struct command none = {.name = "", .synopsis = "", .summary = ""};
    call->command = &none;
    while (*at < count && words[*at][0] == '-' && words[*at][1] != '\0') {
        if (!command_parse_option(call, words, count, at)) {
            call->command = NULL;
            return false;
        }
        ++*at;
    }
    call->command = NULL;
    return true;
}

static enum exit_status command_flushed(const struct command_call *call, enum exit_status status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        command_complain(call, "standard output: %s", strerror(errno));
        return exit_status_worse(status, EXIT_STATUS_ERROR);
    }
    return status;
}

static enum exit_status command_dispatch(struct command_call *call, size_t count, char **words)
{
    size_t used = 0;
    call->command = command_find(call->program, count, words, &used);
    if (call->command == NULL) {
        return command_unknown(call, words[0]);
    }
    bool wants_help = false;
    if (!command_parse(call, count - used, words + used, &wants_help)) {
        return command_misused(call);
    }
    if (wants_help) {
        command_print_help(call->program, call->command);
        return EXIT_STATUS_FINE;
    }
    if (!command_check_arguments(call)) {
        return command_misused(call);
    }
    return call->command->run(call);
}

enum exit_status command_main(const struct command_program *program, int argc, char **argv)
{
    struct command_call call = {.program = program};
    const size_t count = argc > 0 ? (size_t)argc : 0;
    if (count < 2) {
        command_complain(&call, "a command is needed");
        return command_misused(&call);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", program->name, program->version);
        return command_flushed(&call, EXIT_STATUS_FINE);
    }
    const bool is_help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
                         strcmp(argv[1], "help") == 0;
    if (is_help) {
        return command_flushed(&call, command_help(&call, count - 2, argv + 2));
    }
    size_t at = 1;
    if (!command_parse_leading(&call, count, argv, &at)) {
        return command_misused(&call);
    }
    if (at == count) {
        command_complain(&call, "a command is needed");
        return command_misused(&call);
    }
    return command_flushed(&call, command_dispatch(&call, count - at, argv + at));
}

/* --- For commands ---------------------------------------------------------------------------- */

const char *command_value(const struct command_call *call, const char *name)
{
    const struct command *command = call->command;
    int i = command_option_find(command->options, command->option_count, name, strlen(name), 0);
    if (i >= 0) {
        return call->values[i];
    }
    i = command_option_find(call->program->options, call->program->option_count, name, strlen(name),
                            0);
    assert(i >= 0);
    return call->program_values[i];
}

bool command_number(const struct command_call *call, const char *what, const char *text,
                    unsigned long low, unsigned long high, unsigned long *out_number)
{
    char *end = NULL;
    errno = 0;
    const unsigned long number = strtoul(text, &end, 10);
    const bool is_number = text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
    if (!is_number || number < low || number > high) {
        command_complain(call, "%s is a whole number from %lu to %lu", what, low, high);
        return false;
    }
    *out_number = number;
    return true;
}
