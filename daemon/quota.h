/* quota.h - how much one uid may ask: token buckets for queries, a number of connections.
 *
 * Why:       one peer of the query socket must not use up what the others need. A bucket fills at
 *            a rate up to its burst; a request is allowed while there is something in it, and what
 *            it takes beyond that (a batch counts each hash) is a debt that is waited off.
 * Ownership: memory is fixed. The first QUOTA_UIDS_MAX uids are counted each for itself; when there
 *            are more, one that has no connection and full buckets makes room, else the newcomers
 *            share one account, so that many uids do not help.
 * Threads:   any. The clock is the caller's: milliseconds that never go back.
 * Pure:      no I/O, no log.
 */
#ifndef DAEMON_QUOTA_H
#define DAEMON_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#include "uids.h"

#define QUOTA_UIDS_MAX 256

enum quota_kind {
    QUOTA_HASH,  /* a hash */
    QUOTA_IMAGE, /* a picture */
    QUOTA_KIND_COUNT
};

/* May change while serving. */
struct quota_settings {
    uint32_t per_s[QUOTA_KIND_COUNT]; /* 0: no limit */
    uint32_t burst[QUOTA_KIND_COUNT]; /* what a full bucket holds; at least 1 */
    uint32_t connections_max;         /* of one uid; 0: no limit */
};

struct quota;

/* exempt uids are never limited. It is copied. */
IMPRINT_MUST_USE enum imprint_error quota_new(const struct quota_settings *settings,
                                              const struct uids *exempt, struct quota **out_quota);
void quota_free(struct quota *quota);
void quota_change_settings(struct quota *quota, const struct quota_settings *settings);

/* Takes one from the uid's bucket. False: it is empty, nothing was taken, and *out_retry_s says
 * when there will be something in it again (1 to 3600). */
bool quota_take(struct quota *quota, uint32_t uid, enum quota_kind kind, uint64_t now_ms,
                unsigned *out_retry_s);

/* Takes count whatever the bucket holds: what a request that was allowed turned out to ask. */
void quota_charge(struct quota *quota, uint32_t uid, enum quota_kind kind, uint64_t count,
                  uint64_t now_ms);

/* A connection of this uid begins. False: it has as many as it may. *out_account is for
 * quota_disconnect, which every connection that was allowed owes. */
bool quota_connect(struct quota *quota, uint32_t uid, uint64_t now_ms, size_t *out_account);
void quota_disconnect(struct quota *quota, size_t account);

struct quota_stats {
    uint64_t refused[QUOTA_KIND_COUNT];
    uint64_t refused_connections;
};
void quota_stats(struct quota *quota, struct quota_stats *out_stats);

#endif
