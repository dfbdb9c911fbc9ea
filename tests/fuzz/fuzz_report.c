/* Any bytes as a report and as a withdrawal file: what is taken holds what its format promises and
 * means the same when it is written again; what is refused changes nothing and says why. */
#include <stdio.h>
#include <string.h>

#include "imprint/pdq.h"

#include "fuzz.h"
#include "report.h"

#define FUZZ_UNTOUCHED 0x5a

static void fuzz_put_hex(FILE *out, const char *name, const uint8_t bytes[32])
{
    struct imprint_hash hash;
    char hex[IMPRINT_HASH_HEX + 1];
    memcpy(hash.bytes, bytes, sizeof hash.bytes);
    imprint_hash_to_hex(&hash, hex);
    (void)fprintf(out, "\"%s\":\"%s\",", name, hex);
}

static char *fuzz_write(const struct report *report, size_t *out_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_len);
    fuzz_must(out != NULL);
    char id[REPORT_CASE_ID_TEXT_BYTES];
    report_case_id_to_text(&report->header.id, id);
    (void)fprintf(out,
                  "{\"format\":\"imprint-report/1\",\"algorithm\":\"%s\",\"tool\":\"fuzz\","
                  "\"case\":{",
                  IMPRINT_PDQ_ALGORITHM);
    fuzz_put_hex(out, "status_verifier", report->header.status_verifier);
    fuzz_put_hex(out, "withdraw_verifier", report->header.withdraw_verifier);
    fuzz_put_hex(out, "append_verifier", report->header.append_verifier);
    (void)fprintf(out, "\"id\":\"%s\",\"day\":\"2026-01-31\"},\"items\":[", id);
    for (size_t i = 0; i < report->count; i++) {
        (void)fprintf(out, "%s{", i == 0 ? "" : ",");
        fuzz_put_hex(out, "hash", report->items[i].hash.bytes);
        (void)fprintf(out, "\"quality\":%d,\"low_quality\":true}", report->items[i].quality);
    }
    (void)fprintf(out, "],\"statements\":{\"text\":\"t\",\"adult\":true,\"mine\":true,"
                       "\"understood\":true}}");
    fuzz_must(fclose(out) == 0);
    return text;
}

static void fuzz_check_header(const struct record_case *a, const struct record_case *b)
{
    fuzz_must(memcmp(&a->id, &b->id, sizeof a->id) == 0);
    fuzz_must(memcmp(a->status_verifier, b->status_verifier, 32) == 0);
    fuzz_must(memcmp(a->withdraw_verifier, b->withdraw_verifier, 32) == 0);
    fuzz_must(memcmp(a->append_verifier, b->append_verifier, 32) == 0);
}

static void fuzz_check_report(const struct report *report)
{
    fuzz_must(report->count > 0 && report->count <= LIMIT_CASE_ITEMS_MAX);
    size_t len = 0;
    char why[REPORT_WHY_BYTES];
    struct report again;
    char *text = fuzz_write(report, &len);
    fuzz_must(report_read(text, len, &again, why) == IMPRINT_OK);
    fuzz_check_header(&again.header, &report->header);
    fuzz_must(again.count == report->count);
    for (size_t i = 0; i < report->count; i++) {
        fuzz_must(report->items[i].quality <= IMPRINT_QUALITY_MAX);
        fuzz_must(again.items[i].quality == report->items[i].quality);
        fuzz_must(imprint_hash_equal(&again.items[i].hash, &report->items[i].hash));
        for (size_t k = 0; k < i && i < 16; k++) {
            fuzz_must(!imprint_hash_equal(&report->items[k].hash, &report->items[i].hash));
        }
    }
    report_done(&again);
    free(text);
}

static void fuzz_report(const uint8_t *data, size_t len)
{
    char why[REPORT_WHY_BYTES] = "";
    struct report report;
    memset(&report, FUZZ_UNTOUCHED, sizeof report);
    const struct report before = report;
    if (report_read(data, len, &report, why) == IMPRINT_OK) {
        fuzz_check_report(&report);
        report_done(&report);
        return;
    }
    fuzz_must(memcmp(&report, &before, sizeof report) == 0);
    fuzz_must(why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL);
}

static void fuzz_withdrawal(const uint8_t *data, size_t len)
{
    char why[REPORT_WHY_BYTES] = "";
    struct report_withdrawal withdrawal;
    memset(&withdrawal, FUZZ_UNTOUCHED, sizeof withdrawal);
    const struct report_withdrawal before = withdrawal;
    if (report_read_withdrawal(data, len, &withdrawal, why) != IMPRINT_OK) {
        fuzz_must(memcmp(&withdrawal, &before, sizeof withdrawal) == 0);
        fuzz_must(why[0] != '\0' && memchr(why, '\0', sizeof why) != NULL);
        return;
    }
    char id[REPORT_CASE_ID_TEXT_BYTES];
    char text[400];
    report_case_id_to_text(&withdrawal.id, id);
    struct imprint_hash key;
    char hex[IMPRINT_HASH_HEX + 1];
    memcpy(key.bytes, withdrawal.key, sizeof key.bytes);
    imprint_hash_to_hex(&key, hex);
    const int text_len = snprintf(
        text, sizeof text,
        "{\"key\":\"%s\",\"case\":{\"id\":\"%s\"},\"format\":\"imprint-withdrawal/1\"}", hex, id);
    struct report_withdrawal again;
    fuzz_must(report_read_withdrawal(text, (size_t)text_len, &again, why) == IMPRINT_OK);
    fuzz_must(memcmp(&again, &withdrawal, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_report(data, len);
    fuzz_withdrawal(data, len);
    return 0;
}
