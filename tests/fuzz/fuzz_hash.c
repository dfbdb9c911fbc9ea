/* Text that is taken for a hash is 64 digits and comes back as the same digits, in lower case;
 * other text changes nothing. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "imprint/hash.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct imprint_hash hash;
    memset(&hash, 0x5a, sizeof hash);
    const struct imprint_hash before = hash;
    if (imprint_hash_from_hex((const char *)data, len, &hash) != IMPRINT_OK) {
        if (memcmp(&hash, &before, sizeof hash) != 0) {
            abort();
        }
        return 0;
    }
    char text[IMPRINT_HASH_HEX + 1];
    imprint_hash_to_hex(&hash, text);
    for (size_t i = 0; i < len; i++) {
        if (tolower(data[i]) != text[i]) {
            abort();
        }
    }
    return 0;
}
