/* Any bytes as any format: the reader neither fails nor overreaches, and one byte at a time says
 * what all at once says. The first byte chooses the format, so that the mutator meets all of them;
 * a letter no format has lets it be guessed from the rest. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "exchange_dump.h"
#include "fuzz.h"

static const char *fuzz_format(uint8_t choice)
{
    size_t count = 0;
    while (exchange_format_name(count) != NULL) {
        count++;
    }
    return choice < count ? exchange_format_name(choice) : NULL;
}

/* expat may notice an error a token later, so its place is not compared. */
static bool fuzz_same(const struct exchange_dump *a, const struct exchange_dump *b)
{
    const bool is_same = a->error == b->error && a->records_len == b->records_len &&
                         (a->records_len == 0 || memcmp(a->text, b->text, a->records_len) == 0);
    return is_same && (a->error != IMPRINT_OK || strcmp(a->text, b->text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0 || sodium_init() < 0) {
        return 0;
    }
    /* A corpus file begins as files of its format do: then nothing is taken away from it. */
    const char *format = fuzz_format(data[0]);
    const size_t skip = format != NULL ? 1 : 0;
    struct exchange_dump whole;
    struct exchange_dump split;
    exchange_dump_read(&whole, format, NULL, data + skip, len - skip, len);
    exchange_dump_read(&split, format, NULL, data + skip, len - skip, 1);
    if (!fuzz_same(&whole, &split)) {
        abort();
    }
    exchange_dump_done(&whole);
    exchange_dump_done(&split);
    return 0;
}
