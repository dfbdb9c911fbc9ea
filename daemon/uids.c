#include "uids.h"

#include <string.h>

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* One number at *at, which moves behind it. UINT32_MAX means "no uid" to the kernel. */
static bool read_uid(const char **at, uint32_t *out_uid)
{
    uint64_t uid = 0;
    const char *start = *at;
    while (**at >= '0' && **at <= '9' && uid < UINT32_MAX) {
        uid = uid * 10 + (uint64_t)(**at - '0');
        (*at)++;
    }
    if (*at == start || uid >= UINT32_MAX || (**at != '\0' && !is_separator(**at))) {
        return false;
    }
    *out_uid = (uint32_t)uid;
    return true;
}

bool uids_read(const char *text, struct uids *out_uids)
{
    struct uids uids = {.is_all = strcmp(text, "all") == 0};
    const char *at = text;
    bool is_word = uids.is_all || strcmp(text, "none") == 0;
    while (!is_word && *at != '\0') {
        if (is_separator(*at)) {
            at++;
        } else if (uids.count == UIDS_MAX || !read_uid(&at, &uids.items[uids.count])) {
            return false;
        } else {
            uids.count++;
        }
    }
    if (!is_word && uids.count == 0) {
        return false;
    }
    *out_uids = uids;
    return true;
}

bool uids_has(const struct uids *uids, uint32_t uid)
{
    bool has = uids->is_all;
    for (size_t i = 0; !has && i < uids->count; i++) {
        has = uids->items[i] == uid;
    }
    return has;
}
