#include "exchange_dump.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void exchange_dump_die(const char *what)
{
    fprintf(stderr, "exchange_dump: %s\n", what);
    abort();
}

static void exchange_dump_add(struct exchange_dump *dump, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void exchange_dump_add(struct exchange_dump *dump, const char *format, ...)
{
    if (dump->capacity - dump->len < 8192) {
        dump->capacity = dump->capacity * 2 + 16384;
        dump->text = realloc(dump->text, dump->capacity);
        if (dump->text == NULL) {
            exchange_dump_die("no memory");
        }
    }
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(dump->text + dump->len, 8192, format, args);
    va_end(args);
    if (len < 0 || len >= 8192) {
        exchange_dump_die("a text too long");
    }
    dump->len += (size_t)len;
}

static void exchange_dump_field(struct exchange_dump *dump, const char *name, const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    exchange_dump_add(dump, " %s=[", name);
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        exchange_dump_add(dump, c < 0x20 || c == 0x7f ? "\\x%02x" : "%c", c);
    }
    exchange_dump_add(dump, "]");
}

static void exchange_dump_number(struct exchange_dump *dump, const char *name, int64_t number)
{
    if (number != 0) {
        exchange_dump_add(dump, " %s=%" PRId64, name, number);
    }
}

static enum imprint_error exchange_dump_record(void *context, const struct exchange_record *record)
{
    static const char *const verbs[] = {"add", "remove", "skip", "invalid"};
    struct exchange_dump *dump = context;
    exchange_summary_count(&dump->summary, record);
    exchange_dump_add(dump, "%" PRIu64 " %s", record->line, verbs[record->verb]);
    if (record->has_hash) {
        char hex[IMPRINT_HASH_HEX + 1];
        imprint_hash_to_hex(&record->hash, hex);
        exchange_dump_add(dump, " %s", hex);
    }
    if (record->quality != EXCHANGE_QUALITY_UNKNOWN) {
        exchange_dump_add(dump, " quality=%u", record->quality);
    }
    exchange_dump_number(dump, "updated", record->updated);
    exchange_dump_number(dump, "expires", record->expires);
    exchange_dump_number(dump, "disabled_until", record->disabled_until);
    exchange_dump_number(dump, "seq", (int64_t)record->seq);
    exchange_dump_field(dump, "id", record->id);
    exchange_dump_field(dump, "name", record->name);
    exchange_dump_field(dump, "tags", record->tags);
    exchange_dump_field(dump, "status", record->status);
    if (record->reason != EXCHANGE_REASON_NONE) {
        exchange_dump_add(dump, ": %s", exchange_reason_text(record->reason));
        exchange_dump_field(dump, "", record->detail);
    }
    exchange_dump_add(dump, "\n");
    return IMPRINT_OK;
}

static void exchange_dump_end(struct exchange_dump *dump, const struct exchange_reader *reader)
{
    const char *format = exchange_reader_format(reader);
    const struct exchange_page *page = exchange_reader_page(reader);
    exchange_dump_add(dump, "%s", format != NULL ? format : "no format");
    if (dump->error != IMPRINT_OK) {
        const struct exchange_fault *fault = exchange_reader_fault(reader);
        exchange_dump_add(dump, ": %s at line %" PRIu64 ", byte %" PRIu64 ": %s\n",
                          imprint_error_name(dump->error), fault->line, fault->offset, fault->text);
        return;
    }
    exchange_dump_add(dump, page->has_more ? " more" : " whole");
    exchange_dump_field(dump, "next", page->next);
    exchange_dump_number(dump, "checkpoint", page->checkpoint);
    exchange_dump_number(dump, "since", (int64_t)page->since);
    exchange_dump_number(dump, "seq", (int64_t)page->seq);
    exchange_dump_field(dump, "list", page->list);
    exchange_dump_field(dump, "epoch", page->epoch);
    exchange_dump_add(dump, page->is_signed ? " signed\n" : "\n");
}

void exchange_dump_read(struct exchange_dump *out_dump, const char *format,
                        const uint8_t *trusted_key, const uint8_t *bytes, size_t len, size_t step)
{
    *out_dump = (struct exchange_dump){.error = IMPRINT_OK};
    const struct exchange_reader_options options = {
        .format = format,
        .on_record = exchange_dump_record,
        .context = out_dump,
        .trusted_key = trusted_key,
    };
    struct exchange_reader *reader = NULL;
    if (exchange_reader_open(&options, &reader) != IMPRINT_OK) {
        exchange_dump_die("the reader does not open");
    }
    for (size_t at = 0; at < len && out_dump->error == IMPRINT_OK; at += step) {
        out_dump->error =
            exchange_reader_feed(reader, bytes + at, step < len - at ? step : len - at);
    }
    if (out_dump->error == IMPRINT_OK) {
        out_dump->error = exchange_reader_finish(reader);
    }
    out_dump->records_len = out_dump->len;
    exchange_dump_end(out_dump, reader);
    exchange_reader_close(reader);
}

void exchange_dump_done(struct exchange_dump *dump)
{
    free(dump->text);
}

uint8_t *exchange_dump_file(const char *folder, const char *name, size_t *out_len)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc((size_t)1 << 20);
    if (file == NULL || bytes == NULL) {
        exchange_dump_die(path);
    }
    *out_len = fread(bytes, 1, (size_t)1 << 20, file);
    fclose(file);
    return bytes;
}
