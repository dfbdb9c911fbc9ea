/* Any bytes as a report and as a withdrawal file. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct report report;
    struct report_withdrawal withdrawal;
    char why[REPORT_WHY_BYTES];
    if (report_read(data, len, &report, why) == IMPRINT_OK) {
        if (report.count == 0 || report.count > LIMIT_CASE_ITEMS_MAX) {
            abort();
        }
        report_done(&report);
    }
    if (report_read_withdrawal(data, len, &withdrawal, why) == IMPRINT_OK) {
        char text[REPORT_CASE_ID_TEXT_BYTES];
        report_case_id_to_text(&withdrawal.id, text);
    }
    return 0;
}
