#include "report.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "imprint/pdq.h"

void report_init(struct report *report)
{
    *report = (struct report){0};
}

void report_done(struct report *report)
{
    if (report->items != NULL) {
        sodium_memzero(report->items, report->capacity * sizeof *report->items);
        free(report->items);
    }
    *report = (struct report){0};
}

/* All the room a report may need, at once: growing would leave copies behind. */
static bool report_reserve(struct report *report)
{
    if (report->items == NULL) {
        report->items = calloc(REPORT_ITEMS_MAX, sizeof *report->items);
        report->capacity = report->items != NULL ? REPORT_ITEMS_MAX : 0;
    }
    return report->items != NULL;
}

enum imprint_error report_add(struct report *report, const struct report_item *item)
{
    if (!report_reserve(report)) {
        return IMPRINT_E_NOMEM;
    }
    for (size_t i = 0; i < report->count; i++) {
        if (imprint_hash_equal(&report->items[i].hash, &item->hash)) {
            return IMPRINT_OK;
        }
    }
    if (report->count == report->capacity) {
        return IMPRINT_E_BODY_TOO_LARGE;
    }
    report->items[report->count++] = *item;
    return IMPRINT_OK;
}

void report_shuffle(struct report *report)
{
    for (size_t i = report->count; i > 1; i--) {
        const size_t j = randombytes_uniform((uint32_t)i);
        const struct report_item held = report->items[i - 1];
        report->items[i - 1] = report->items[j];
        report->items[j] = held;
    }
}

static void report_add_verifier(struct strbuf *text, const char *name,
                                const struct code_verifier *verifier)
{
    strbuf_addf(text, ",\"%s_verifier\":\"", name);
    strbuf_add_hex(text, verifier->bytes, sizeof verifier->bytes);
    strbuf_add(text, "\"");
}

static void report_add_case(struct strbuf *text, const struct report_case *about)
{
    char id[CODE_CASE_TEXT_LEN + 1];
    code_case_to_text(&about->id, id);
    strbuf_addf(text, "\"case\":{\"id\":\"%s\",\"day\":\"%s\"", id, about->day);
    report_add_verifier(text, "status", &about->status);
    report_add_verifier(text, "withdraw", &about->withdraw);
    report_add_verifier(text, "append", &about->append);
    strbuf_add(text, "},\n");
}

static void report_add_items(struct strbuf *text, const struct report *report)
{
    strbuf_add(text, "\"items\":[");
    for (size_t i = 0; i < report->count; i++) {
        const struct report_item *item = &report->items[i];
        strbuf_add(text, i == 0 ? "\n{\"hash\":\"" : ",\n{\"hash\":\"");
        strbuf_add_hex(text, item->hash.bytes, sizeof item->hash.bytes);
        strbuf_addf(text, "\",\"quality\":%u%s}", item->quality,
                    item->is_low_quality ? ",\"low_quality\":true" : "");
    }
    strbuf_add(text, "],\n");
}

enum imprint_error report_write(const struct report *report, const struct report_case *about,
                                struct strbuf *out_text)
{
    static const char end[] = "\"}\n";
    strbuf_add(out_text, "{\"format\":\"" REPORT_FORMAT "\",\n");
    strbuf_addf(out_text, "\"algorithm\":\"%s\",\n\"tool\":", IMPRINT_PDQ_ALGORITHM);
    strbuf_add_json(out_text, about->tool);
    strbuf_add(out_text, ",\n");
    report_add_case(out_text, about);
    strbuf_add(out_text, "\"statements\":{\"text\":");
    strbuf_add_json(out_text, about->statements);
    strbuf_add(out_text, ",\"adult\":true,\"mine\":true,\"understood\":true},\n");
    report_add_items(out_text, report);
    strbuf_add(out_text, "\"padding\":\"");
    const size_t len = out_text->len + sizeof end - 1;
    strbuf_add_fill(out_text, ' ', (REPORT_PAD_BYTES - len % REPORT_PAD_BYTES) % REPORT_PAD_BYTES);
    strbuf_add(out_text, end);
    return strbuf_error(out_text);
}

enum imprint_error report_write_key(const char *format, const struct code_case *id,
                                    const struct code_key *key, struct strbuf *out_text)
{
    char number[CODE_CASE_TEXT_LEN + 1];
    code_case_to_text(id, number);
    strbuf_addf(out_text, "{\"format\":\"%s\",\"case\":{\"id\":\"%s\"},\"key\":\"", format, number);
    strbuf_add_hex(out_text, key->bytes, sizeof key->bytes);
    strbuf_add(out_text, "\"}\n");
    return strbuf_error(out_text);
}
