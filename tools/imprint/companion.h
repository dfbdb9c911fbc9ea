/* companion.h - the subcommands of imprint, and what several of them do. */
#ifndef IMPRINT_COMPANION_H
#define IMPRINT_COMPANION_H

#include "code.h"
#include "command.h"
#include "locale.h"
#include "paths.h"

/* Opens the texts that --locale or the environment ask for; complains. NULL on failure. */
struct locale *companion_locale(const struct command_call *call);

/* A file is there already and --force was not given: complains and is true. */
bool companion_output_exists(const struct command_call *call, const char *path);

/* Writes the file, complains. */
bool companion_write(const struct command_call *call, const char *path, const char *bytes,
                     size_t len);

/* Turns the arguments into files and shuts the program into its cage; output may be NULL.
 * Complains. */
bool companion_prepare(const struct command_call *call, const char *output,
                       struct paths *out_paths);

command_fn companion_hash;
command_fn companion_report;
command_fn companion_withdraw;
command_fn companion_status;

#endif
