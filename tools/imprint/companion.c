#include "companion.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cage.h"
#include "file.h"

struct locale *companion_locale(const struct command_call *call)
{
    const char *tag = command_value(call, "locale");
    struct locale *locale = NULL;
    const enum imprint_error error = locale_open(tag, &locale);
    if (error == IMPRINT_E_PARAMETER_INVALID) {
        command_complain(call, "the texts for %s are not complete", tag != NULL ? tag : "LANG");
    } else if (error != IMPRINT_OK) {
        command_complain(call, "the texts for %s: %s", tag != NULL ? tag : "LANG",
                         error == IMPRINT_E_IO ? strerror(errno) : imprint_error_text(error));
    }
    return locale;
}

static bool companion_forces(const struct command_call *call)
{
    return command_value(call, "force") != NULL;
}

bool companion_output_exists(const struct command_call *call, const char *path)
{
    struct stat stat;
    if (companion_forces(call) || lstat(path, &stat) != 0) {
        return false;
    }
    command_complain_file(call, path, "this file exists; choose another name, or add --force");
    return true;
}

bool companion_write(const struct command_call *call, const char *path, const char *bytes,
                     size_t len)
{
    const enum imprint_error error =
        file_write(path, bytes, len, companion_forces(call) ? FILE_REPLACE : FILE_KEEP);
    if (error != IMPRINT_OK) {
        command_complain_file(call, path,
                              error == IMPRINT_E_IO ? strerror(errno) : imprint_error_text(error));
    }
    return error == IMPRINT_OK;
}

bool companion_prepare(const struct command_call *call, const char *output, struct paths *out_paths)
{
    struct paths paths = {0};
    const enum imprint_error error = paths_open(call->arguments, call->argument_count, &paths);
    if (error != IMPRINT_OK) {
        command_complain(call, "%s",
                         error == IMPRINT_E_BODY_TOO_LARGE ? "too many files"
                                                           : imprint_error_text(error));
        return false;
    }
    const struct cage_paths allowed = {
        .readable = call->arguments, .count = call->argument_count, .output = output};
    if (command_value(call, "no-cage") == NULL && cage_enter(&allowed) == CAGE_NOT_HERE) {
        command_complain(call, "this system cannot shut a program into a cage, so a bad picture "
                               "could do harm; --no-cage goes on all the same");
        paths_done(&paths);
        return false;
    }
    *out_paths = paths;
    return true;
}
