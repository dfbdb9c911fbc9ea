/* imprintctl import: a file of another organisation into a list.
 *
 * The file is read twice, once to check all of it and once to carry it out, so that a damaged file,
 * a wrong signature or a broken line is known before anything changes. Importing the same file
 * again changes nothing, which is also how to go on after an interruption. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "apply.h"
#include "ctl.h"
#include "exchange.h"
#include "interrupt.h"
#include "key.h"
#include "summary.h"

#define IMPORT_CHUNK_BYTES ((size_t)64 << 10)
/* Standard input cannot be read twice, so it is kept in memory for the second time. */
#define IMPORT_STDIN_BYTES_MAX ((uint64_t)1 << 30)

struct import {
    const struct command_call *call;
    const char *path;
    int fd;
    uint64_t size;
    bool is_dry;
    bool keeps_going;
    bool has_key;
    uint8_t key[EXCHANGE_KEY_BYTES];
    struct apply *apply; /* NULL in a dry run */
    bool is_second;      /* of the two rounds */
    const char *format;
    uint64_t done; /* bytes of this round */
    struct exchange_summary counts;
    struct exchange_page page;
    char chunk[IMPORT_CHUNK_BYTES];
    uint8_t digests[2][crypto_generichash_BYTES]; /* of the file, in each round */
};

/* --- The file -------------------------------------------------------------------------------- */

static bool import_complain(const struct import *import, const char *problem)
{
    command_complain_file(import->call, import->path, problem);
    return false;
}

/* Copies standard input into memory that has a descriptor. */
static bool import_gather(struct import *import)
{
    import->fd = memfd_create("imprintctl import", MFD_CLOEXEC);
    if (import->fd < 0) {
        return import_complain(import, strerror(errno));
    }
    for (;;) {
        const ssize_t got = read(STDIN_FILENO, import->chunk, sizeof import->chunk);
        if (got == 0) {
            return true;
        }
        if (got < 0 || interrupt_came()) {
            return import_complain(import, strerror(got < 0 ? errno : EINTR));
        }
        import->size += (uint64_t)got;
        if (import->size > IMPORT_STDIN_BYTES_MAX) {
            return import_complain(import, "too much for standard input: give it as a file");
        }
        if (write(import->fd, import->chunk, (size_t)got) != got) {
            return import_complain(import, strerror(errno));
        }
    }
}

static bool import_open(struct import *import)
{
    if (strcmp(import->path, "-") == 0) {
        return import_gather(import);
    }
    struct stat status;
    import->fd = open(import->path, O_RDONLY | O_CLOEXEC);
    if (import->fd < 0 || fstat(import->fd, &status) != 0) {
        return import_complain(import, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return import_complain(import, "not a regular file; standard input is -");
    }
    import->size = (uint64_t)status.st_size;
    return true;
}

/* --- One round ------------------------------------------------------------------------------- */

static enum imprint_error import_record(void *context, const struct exchange_record *record)
{
    struct import *import = context;
    if (import->is_second) {
        return apply_record(import->apply, record);
    }
    exchange_summary_count(&import->counts, record);
    return import->apply != NULL ? apply_plan(import->apply, record) : IMPRINT_OK;
}

static void import_show_progress(const struct import *import, bool is_last)
{
    if (!isatty(STDERR_FILENO)) {
        return;
    }
    if (is_last) {
        fprintf(stderr, "\r\033[K");
        return;
    }
    const uint64_t percent = import->size > 0 ? import->done * 100 / import->size : 100;
    fprintf(stderr, "\r%s %3" PRIu64 " %%", import->is_second ? "importing" : "checking ",
            percent > 100 ? 100 : percent);
    fflush(stderr);
}

static bool import_complain_fault(const struct import *import, const struct exchange_reader *reader,
                                  enum imprint_error error)
{
    const struct exchange_fault *fault = exchange_reader_fault(reader);
    char text[300];
    if (import->apply != NULL && apply_status(import->apply) != EXIT_STATUS_FINE) {
        return false; /* it was complained about where it happened */
    }
    if (fault->line > 0) {
        snprintf(text, sizeof text, "line %" PRIu64 ", byte %" PRIu64 ": %s", fault->line,
                 fault->offset, fault->text);
    } else {
        snprintf(text, sizeof text, "%s", imprint_error_text(error));
    }
    return import_complain(import, text);
}

/* Reads the file through; false after complaining. */
static bool import_feed(struct import *import, struct exchange_reader *reader)
{
    crypto_generichash_state digest;
    crypto_generichash_init(&digest, NULL, 0, crypto_generichash_BYTES);
    import->done = 0;
    enum imprint_error error = IMPRINT_OK;
    while (error == IMPRINT_OK) {
        import_show_progress(import, false);
        const ssize_t got =
            pread(import->fd, import->chunk, sizeof import->chunk, (off_t)import->done);
        if (interrupt_came()) {
            return import_complain(import, "interrupted; import it again to go on");
        }
        if (got < 0) {
            return import_complain(import, strerror(errno));
        }
        if (got == 0) {
            error = exchange_reader_finish(reader);
            break;
        }
        import->done += (uint64_t)got;
        crypto_generichash_update(&digest, (const unsigned char *)import->chunk, (size_t)got);
        error = exchange_reader_feed(reader, import->chunk, (size_t)got);
    }
    crypto_generichash_final(&digest, import->digests[import->is_second], crypto_generichash_BYTES);
    return error == IMPRINT_OK || import_complain_fault(import, reader, error);
}

static const char *import_format_name(const char *name)
{
    for (size_t i = 0; name != NULL && exchange_format_name(i) != NULL; i++) {
        if (strcmp(exchange_format_name(i), name) == 0) {
            return exchange_format_name(i);
        }
    }
    return NULL;
}

static bool import_round(struct import *import)
{
    const struct exchange_reader_options options = {
        .format = import->format,
        .on_record = import_record,
        .context = import,
        .trusted_key = import->has_key ? import->key : NULL,
    };
    struct exchange_reader *reader;
    const enum imprint_error error = exchange_reader_open(&options, &reader);
    if (error != IMPRINT_OK) {
        return import_complain(import, imprint_error_text(error));
    }
    bool is_fine = import_feed(import, reader);
    import->format = import_format_name(exchange_reader_format(reader));
    import->page = *exchange_reader_page(reader);
    exchange_reader_close(reader);
    import_show_progress(import, true);
    if (is_fine && import->has_key && !import->page.is_signed) {
        is_fine = import_complain(import, "only Imprint's own format is signed");
    }
    return is_fine;
}

/* --- The command ----------------------------------------------------------------------------- */

/* The second round: what was planned, then everything in order. */
static bool import_carry_out(struct import *import)
{
    import->is_second = true;
    if (apply_planned(import->apply) != IMPRINT_OK || !import_round(import) ||
        apply_flush(import->apply) != IMPRINT_OK) {
        return false;
    }
    if (memcmp(import->digests[0], import->digests[1], sizeof import->digests[0]) != 0) {
        return import_complain(import, "the file changed while it was read; import it again");
    }
    return true;
}

static bool import_run(struct import *import)
{
    if (!import_open(import) || !import_round(import)) {
        return false;
    }
    if (import->counts.invalid > 0 && !import->keeps_going) {
        return import_complain(import, "it has invalid records, so nothing was changed; "
                                       "--keep-going imports the others");
    }
    return import->is_dry || import_carry_out(import);
}

static bool import_options(struct import *import)
{
    const struct command_call *call = import->call;
    const char *format = command_value(call, "format");
    const char *key = command_value(call, "trust");
    import->format = import_format_name(format);
    if (format != NULL && import->format == NULL) {
        command_complain(call, "unknown format: %s", format);
        return false;
    }
    if (command_value(call, "keep-going") != NULL &&
        command_value(call, "all-or-nothing") != NULL) {
        command_complain(call, "--keep-going and --all-or-nothing exclude each other");
        return false;
    }
    import->has_key = key != NULL;
    return key == NULL || key_read_public(call, key, import->key);
}

static enum exit_status import_and_show(struct import *import)
{
    static const struct apply_counts none;
    interrupt_watch();
    const bool is_complete = import_run(import);
    const struct summary_context context = {
        .list = command_value(import->call, "list"),
        .source = import->path,
        .format = import->format,
        .is_dry = import->is_dry || !import->is_second,
        .is_complete = is_complete,
        .counts = &import->counts,
        .applied = import->apply != NULL ? apply_counts(import->apply) : &none,
        .page = &import->page,
    };
    summary_show(import->call, &context);
    if (is_complete) {
        return EXIT_STATUS_FINE;
    }
    const enum exit_status status =
        import->apply != NULL ? apply_status(import->apply) : EXIT_STATUS_ERROR;
    return status != EXIT_STATUS_FINE ? status : EXIT_STATUS_ERROR;
}

enum exit_status ctl_import(const struct command_call *call)
{
    const char *list = command_value(call, "list");
    struct import *import = calloc(1, sizeof *import);
    if (import == NULL || list == NULL) {
        command_complain(call, "%s",
                         list == NULL ? "import needs --list NAME"
                                      : imprint_error_text(IMPRINT_E_NOMEM));
        free(import);
        return EXIT_STATUS_ERROR;
    }
    import->call = call;
    import->path = call->arguments[0];
    import->fd = -1;
    import->is_dry = command_value(call, "dry-run") != NULL;
    import->keeps_going = command_value(call, "keep-going") != NULL;
    enum exit_status status = import_options(import) ? EXIT_STATUS_FINE : EXIT_STATUS_ERROR;
    if (status == EXIT_STATUS_FINE && !import->is_dry) {
        const struct apply_options options = {
            .call = call,
            .list = list,
            .source = "import",
            .summary = &import->counts,
        };
        import->apply = apply_open(&options, &status);
    }
    if (status == EXIT_STATUS_FINE) {
        status = import_and_show(import);
    }
    apply_close(import->apply);
    if (import->fd >= 0) {
        close(import->fd);
    }
    free(import);
    return status;
}
