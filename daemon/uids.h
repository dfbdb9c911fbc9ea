/* uids.h - a set of peers named in the configuration: "all", "none", or uids.
 *
 * Pure. Ownership: plain data of fixed size.
 */
#ifndef DAEMON_UIDS_H
#define DAEMON_UIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UIDS_MAX 64

struct uids {
    bool is_all;
    size_t count;
    uint32_t items[UIDS_MAX];
};

/* Reads "all", "none" or up to UIDS_MAX decimal uids with blanks or commas between them. False:
 * anything else, and *out_uids is untouched. */
bool uids_read(const char *text, struct uids *out_uids);
bool uids_has(const struct uids *uids, uint32_t uid);

#endif
