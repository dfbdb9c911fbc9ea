/* command.h - a program made of subcommands: one table, from which parsing, help and usage come.
 *
 * Why:       an option that is parsed but not explained cannot exist, and both tools behave alike:
 *            --name VALUE or --name=VALUE, options and files in any order, "--" ends the options.
 * Ownership: tables are static; values and arguments point into argv.
 * Threads:   one.
 */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "exit_status.h"

#define COMMAND_OPTIONS_MAX   24 /* of a command, without the program's */
#define COMMAND_ARGUMENTS_ANY ((size_t)-1)

struct command_option {
    const char *name;     /* "list", given as --list */
    char letter;          /* 'l', given as -l; NUL: none */
    const char *argument; /* "NAME" in the help; NULL: the option takes none */
    const char *help;
};

struct command_program;

/* One call of a subcommand. values[i] belongs to command->options[i], program_values[i] to
 * program->options[i]: NULL when not given, "" for an option without an argument. */
struct command_call {
    const struct command_program *program;
    const struct command *command;
    const char *values[COMMAND_OPTIONS_MAX];
    const char *program_values[COMMAND_OPTIONS_MAX];
    char **arguments;
    size_t argument_count;
};

typedef enum exit_status command_fn(const struct command_call *call);

struct command {
    const char *name;     /* "hash", or two words: "list create" */
    const char *synopsis; /* the arguments: "FILE..." */
    const char *summary;  /* one line */
    const char *details;  /* further help: paragraphs and examples; may be NULL */
    const struct command_option *options;
    size_t option_count;
    size_t arguments_min;
    size_t arguments_max; /* COMMAND_ARGUMENTS_ANY: as many as there are */
    command_fn *run;
};

struct command_program {
    const char *name;
    const char *version;
    const char *summary;
    const char *epilogue; /* after the list of commands: exit statuses, files, examples */
    const struct command_option *options; /* every command takes these */
    size_t option_count;
    const struct command *commands;
    size_t command_count;
};

/* Finds the command, parses, runs. Answers help, --help and --version itself; what is not
 * understood is explained on standard error and ends with EXIT_STATUS_ERROR. */
enum exit_status command_main(const struct command_program *program, int argc, char **argv);

/* The value of an option by name, of the command or of the program; NULL when not given. Asking
 * for an option that neither has is our own bug. */
const char *command_value(const struct command_call *call, const char *name);

/* A decimal number in low..high. Otherwise explains on standard error, naming what, and is
 * false. */
bool command_number(const struct command_call *call, const char *what, const char *text,
                    unsigned long low, unsigned long high, unsigned long *out_number);

/* "imprint: ...\n" on standard error. */
void command_complain(const struct command_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same about a file, whose name is made harmless for a terminal. */
void command_complain_file(const struct command_call *call, const char *path, const char *problem);

#endif
