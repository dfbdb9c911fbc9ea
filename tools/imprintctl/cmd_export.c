/* imprintctl export: a list in a format that others read.
 *
 * Case numbers stay here, and notes unless they are asked for: a partner needs the hash. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "ctl.h"
#include "exchange.h"
#include "interrupt.h"
#include "key.h"
#include "strbuf.h"

#define EXPORT_PAGE           1000
#define EXPORT_PATH_BYTES_MAX 4096

struct export
{
    const struct command_call *call;
    const char *list;
    const char *format;
    const char *path; /* NULL: standard output */
    bool with_notes;
    bool is_native; /* can say that an entry is disabled, or that it was removed */
    int64_t now;
    json_int_t since; /* -1: the whole list */
    json_int_t seq;   /* changes up to this one */
    json_int_t list_id;
    char epoch[64];
    char temporary[EXPORT_PATH_BYTES_MAX]; /* "" while there is none */
    FILE *file;
    struct exchange_writer *writer;
    uint64_t exported;
    uint64_t left_out; /* expired or disabled */
    enum exit_status status;
};

static bool export_complain(struct export *export, const char *problem)
{
    command_complain_file(export->call, export->path != NULL ? export->path : "standard output",
                          problem);
    export->status = exit_status_worse(export->status, EXIT_STATUS_ERROR);
    return false;
}

/* --- The file -------------------------------------------------------------------------------- */

static enum imprint_error export_write(void *context, const void *bytes, size_t len)
{
    struct export *export = context;
    return fwrite(bytes, 1, len, export->file) == len ? IMPRINT_OK : IMPRINT_E_IO;
}

static bool export_open_file(struct export *export)
{
    if (export->path == NULL) {
        export->file = stdout;
        return true;
    }
    char temporary[EXPORT_PATH_BYTES_MAX];
    const int len = snprintf(temporary, sizeof temporary, "%s.XXXXXX", export->path);
    if (len < 0 || (size_t)len >= sizeof temporary) {
        return export_complain(export, strerror(ENAMETOOLONG));
    }
    if (access(export->path, F_OK) == 0 && command_value(export->call, "force") == NULL) {
        return export_complain(export, "it exists; --force replaces it");
    }
    const int fd = mkostemp(temporary, O_CLOEXEC); /* mode 0600 */
    if (fd < 0) {
        return export_complain(export, strerror(errno));
    }
    memcpy(export->temporary, temporary, sizeof temporary);
    export->file = fdopen(fd, "w");
    if (export->file == NULL) {
        close(fd);
        return export_complain(export, strerror(errno));
    }
    return true;
}

/* The name is given once everything is on the disk. */
static bool export_keep_file(struct export *export)
{
    if (fflush(export->file) != 0 || (export->path != NULL && fsync(fileno(export->file)) != 0)) {
        return export_complain(export, strerror(errno));
    }
    if (export->path == NULL) {
        return true;
    }
    if (rename(export->temporary, export->path) != 0) {
        return export_complain(export, strerror(errno));
    }
    export->temporary[0] = '\0';
    return true;
}

static void export_close_file(struct export *export)
{
    if (export->file != NULL && export->path != NULL) {
        fclose(export->file);
    }
    if (export->temporary[0] != '\0') {
        unlink(export->temporary);
    }
}

/* --- Entries --------------------------------------------------------------------------------- */

/* What a follower knows the entry by: its number never comes again while the epoch lasts. */
static void export_name(const struct export *export, const json_t *object,
                        struct exchange_record *record)
{
    if (export->is_native) {
        snprintf(record->id, sizeof record->id, "%.8s/%" JSON_INTEGER_FORMAT, export->epoch,
                 json_integer_value(json_object_get(object, "id")));
    }
}

static bool export_record(struct export *export, const json_t *entry,
                          struct exchange_record *out_record)
{
    exchange_record_init(out_record);
    const json_t *hash = json_object_get(entry, "hash");
    const json_t *quality = json_object_get(entry, "quality");
    const char *note = json_string_value(json_object_get(entry, "note"));
    if (!json_is_string(hash) ||
        imprint_hash_from_hex(json_string_value(hash), json_string_length(hash),
                              &out_record->hash) != IMPRINT_OK) {
        command_complain(export->call, "the daemon's answer has an entry without a hash");
        export->status = EXIT_STATUS_ERROR;
        return false;
    }
    out_record->has_hash = true;
    if (json_is_integer(quality) && json_integer_value(quality) <= 100) {
        out_record->quality = (uint8_t)json_integer_value(quality);
    }
    if (export->with_notes && note != NULL) {
        snprintf(out_record->name, sizeof out_record->name, "%s", note);
    }
    export_name(export, entry, out_record);
    out_record->seq = (uint64_t)json_integer_value(json_object_get(entry, "seq"));
    out_record->updated = json_integer_value(json_object_get(entry, "added"));
    out_record->expires = json_integer_value(json_object_get(entry, "expires"));
    out_record->disabled_until = json_integer_value(json_object_get(entry, "disabled_until"));
    return true;
}

static bool export_entry(struct export *export, const json_t *entry)
{
    struct exchange_record record;
    if (!export_record(export, entry, &record)) {
        return false;
    }
    const bool is_over = record.expires > 0 && record.expires <= export->now;
    const bool is_disabled = record.disabled_until > export->now && !export->is_native;
    if (is_over || is_disabled) {
        export->left_out++;
        return true;
    }
    if (exchange_writer_put(export->writer, &record) != IMPRINT_OK) {
        return export_complain(export, strerror(errno));
    }
    export->exported++;
    return true;
}

/* One page; *after is the last entry's id, or 0 after the last page. */
static bool export_page(struct export *export, json_int_t *after)
{
    char query[96];
    char target[CTL_TARGET_BYTES_MAX];
    json_t *answer = NULL;
    snprintf(query, sizeof query, "/entries?after=%" JSON_INTEGER_FORMAT "&limit=%d", *after,
             EXPORT_PAGE);
    if (!ctl_target(export->call, target, sizeof target, "/v1/lists/", export->list, query, NULL,
                    NULL)) {
        export->status = EXIT_STATUS_ERROR;
        return false;
    }
    const struct ctl_request request = {.method = "GET", .target = target};
    export->status = ctl_ask(export->call, &request, &answer);
    const json_t *entries =
        export->status == EXIT_STATUS_FINE ? ctl_array(export->call, answer, "entries") : NULL;
    bool is_fine = entries != NULL;
    for (size_t i = 0; is_fine && i < json_array_size(entries); i++) {
        is_fine = export_entry(export, json_array_get(entries, i));
    }
    const json_int_t next = json_integer_value(json_object_get(answer, "next"));
    *after = next > *after ? next : 0;
    json_decref(answer);
    return is_fine;
}

static bool export_change(struct export *export, const json_t *change)
{
    const char *kind = json_string_value(json_object_get(change, "kind"));
    const json_int_t seq = json_integer_value(json_object_get(change, "seq"));
    const bool is_ours =
        json_integer_value(json_object_get(change, "list_id")) == export->list_id &&
        seq <= export->seq && kind != NULL;
    if (is_ours && strcmp(kind, "put") == 0) {
        return export_entry(export, json_object_get(change, "entry"));
    }
    if (!is_ours || strcmp(kind, "removed") != 0) {
        return true;
    }
    struct exchange_record record;
    exchange_record_init(&record);
    record.verb = EXCHANGE_REMOVE;
    record.seq = (uint64_t)seq;
    export_name(export, change, &record);
    export->exported++;
    return exchange_writer_put(export->writer, &record) == IMPRINT_OK ||
           export_complain(export, strerror(errno));
}

/* One page of changes; *after is the last one's number, or 0 after the last page. */
static bool export_changes(struct export *export, json_int_t *after)
{
    char target[96];
    json_t *answer = NULL;
    snprintf(target, sizeof target, "/v1/changes?after=%" JSON_INTEGER_FORMAT "&limit=%d", *after,
             EXPORT_PAGE);
    const struct ctl_request request = {.method = "GET", .target = target};
    export->status = ctl_ask(export->call, &request, &answer);
    const json_t *changes =
        export->status == EXIT_STATUS_FINE ? ctl_array(export->call, answer, "changes") : NULL;
    bool is_fine = changes != NULL;
    const char *epoch = json_string_value(json_object_get(answer, "epoch"));
    if (is_fine && (epoch == NULL || strcmp(epoch, export->epoch) != 0)) {
        is_fine = export_complain(export, "the list was restored meanwhile");
    }
    for (size_t i = 0; is_fine && i < json_array_size(changes); i++) {
        is_fine = export_change(export, json_array_get(changes, i));
    }
    const json_int_t next = json_integer_value(json_object_get(answer, "next"));
    *after = next > *after && next <= export->seq ? next : 0;
    json_decref(answer);
    return is_fine;
}

static bool export_entries(struct export *export)
{
    json_int_t after = export->since > 0 ? export->since : 0;
    do {
        if (!(export->since >= 0 ? export_changes(export, &after) : export_page(export, &after))) {
            return false;
        }
        if (interrupt_came()) {
            return export_complain(export, "interrupted");
        }
    } while (after != 0);
    if (exchange_writer_finish(export->writer) != IMPRINT_OK) {
        return export_complain(export, strerror(errno));
    }
    return true;
}

/* --- The command ----------------------------------------------------------------------------- */

/* The list as it is at this change at least: later changes may be in it or not. */
static bool export_read_state(struct export *export)
{
    json_t *answer = NULL;
    const struct ctl_request request = {.method = "GET", .target = "/v1/status"};
    export->status = ctl_ask(export->call, &request, &answer);
    const char *epoch = json_string_value(json_object_get(answer, "epoch"));
    snprintf(export->epoch, sizeof export->epoch, "%s", epoch != NULL ? epoch : "");
    export->seq = json_integer_value(json_object_get(answer, "seq"));
    json_decref(answer);
    if (export->status != EXIT_STATUS_FINE || export->since < 0) {
        return export->status == EXIT_STATUS_FINE;
    }
    if (export->since > export->seq) {
        return export_complain(export, "--since is later than the daemon's last change");
    }
    char target[CTL_TARGET_BYTES_MAX];
    if (!ctl_target(export->call, target, sizeof target, "/v1/lists/", export->list, "", NULL,
                    NULL)) {
        export->status = EXIT_STATUS_ERROR;
        return false;
    }
    const struct ctl_request list = {.method = "GET", .target = target};
    export->status = ctl_ask(export->call, &list, &answer);
    export->list_id = json_integer_value(json_object_get(answer, "id"));
    json_decref(answer);
    return export->status == EXIT_STATUS_FINE;
}

static bool export_open_writer(struct export *export, const uint8_t *secret)
{
    if (!export_read_state(export)) {
        return false;
    }
    const struct exchange_writer_options options = {
        .format = export->format,
        .write = export_write,
        .context = export,
        .list = export->list,
        .epoch = export->epoch,
        .since = export->since > 0 ? (uint64_t) export->since : 0,
        .seq = (uint64_t) export->seq,
        .created = export->now,
        .default_status = command_value(export->call, "status"),
        .secret_key = secret,
    };
    const enum imprint_error error = exchange_writer_open(&options, &export->writer);
    if (error == IMPRINT_E_PARAMETER_INVALID) {
        command_complain(export->call, "unknown --format or --status");
        export->status = EXIT_STATUS_ERROR;
    } else if (error != IMPRINT_OK) {
        return export_complain(export, imprint_error_text(error));
    }
    return error == IMPRINT_OK;
}

static void export_show(const struct export *export)
{
    const uint64_t left_out = export->left_out + exchange_writer_left_out(export->writer);
    const uint64_t exported = export->exported - exchange_writer_left_out(export->writer);
    if (ctl_wants_json(export->call) && export->path != NULL) {
        json_t *summary =
            json_pack("{s:s, s:s, s:I, s:I}", "list", export->list, "format", export->format,
                      "exported", (json_int_t)exported, "left_out", (json_int_t)left_out);
        ctl_print_json(summary);
        json_decref(summary);
        return;
    }
    fprintf(stderr, "%" PRIu64 " exported, %" PRIu64 " left out\n", exported, left_out);
}

static void export_run(struct export *export, const uint8_t *secret)
{
    if (export_open_file(export) && export_open_writer(export, secret) && export_entries(export) &&
        export_keep_file(export)) {
        export_show(export);
    }
    exchange_writer_close(export->writer);
    export_close_file(export);
}

static bool export_options(struct export *export)
{
    const struct command_call *call = export->call;
    const char *format = command_value(call, "format");
    const char *since = command_value(call, "since");
    unsigned long number = 0;
    export->list = command_value(call, "list");
    export->format = format != NULL ? format : "imprint";
    export->path = command_value(call, "output");
    export->with_notes = command_value(call, "notes") != NULL;
    export->is_native = strcmp(export->format, "imprint") == 0;
    export->now = (int64_t)time(NULL);
    export->since = -1;
    if (export->list == NULL) {
        command_complain(call, "export needs --list NAME");
        return false;
    }
    if (!export->is_native && (since != NULL || command_value(call, "sign") != NULL)) {
        command_complain(call, "only the format imprint tells changes and is signed");
        return false;
    }
    if (since != NULL) {
        if (!command_number(call, "--since", since, 0, (1UL << 53) - 1, &number)) {
            return false;
        }
        export->since = (json_int_t)number;
    }
    return true;
}

enum exit_status ctl_export(const struct command_call *call)
{
    const char *sign = command_value(call, "sign");
    uint8_t secret[EXCHANGE_SECRET_BYTES];
    struct export export = {.call = call};
    if (!export_options(&export) || (sign != NULL && !key_read_secret(call, sign, secret))) {
        return EXIT_STATUS_ERROR;
    }
    interrupt_watch();
    export_run(&export, sign != NULL ? secret : NULL);
    sodium_memzero(secret, sizeof secret);
    return export.status;
}
