/* probe.h - notices who walks towards a listed hash by asking.
 *
 * Why:       a peer with a near copy of a listed picture finds the listed hash in some 270 queries
 *            that differ by a few bits, whether it is told distances or only yes and no. To learn a
 *            bit it must turn that bit; to learn all it must turn all.
 * How:       of each uid the latest PROBE_HASHES that matched are kept, and those close to one that
 *            did; whatever is far from the list is not looked at and cannot push anything out. A
 *            query close to a kept one is a step, and steps from one to the next are a run. A run
 *            is probing
 *            - when many of its steps are by an odd number of bits: every PDQ hash of a picture has
 *              as many ones as zeros, so that copies of a picture differ in an even number; or
 *            - when few fine steps have turned many of the 256 bits: copies of one picture differ
 *              in the same few dozen bits again and again.
 *            How many copies come, and how close to the list, says nothing: a picture that goes
 *            round is re-uploaded in hundreds of versions.
 * Limits:    steps that are neither odd nor fine look like copies; a slow walk is forgotten with
 *            its run; several uids are several walks.
 * Ownership: memory is fixed: PROBE_UIDS_MAX uids, the longest silent makes room. Wiped.
 * Threads:   any. The clock is the caller's: milliseconds that never go back.
 * Pure:      no I/O, no log.
 */
#ifndef DAEMON_PROBE_H
#define DAEMON_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/hash.h"

#define PROBE_UIDS_MAX 64
#define PROBE_HASHES   256

struct probe;

enum probe_verdict {
    PROBE_ORDINARY,
    PROBE_FOUND,   /* this query makes its run probing: said once a run */
    PROBE_PROBING, /* a further step of such a run */
};

IMPRINT_MUST_USE enum imprint_error probe_new(struct probe **out_probe);
void probe_free(struct probe *probe);

/* A hash was asked for; is_match: an entry is within its list's threshold. */
enum probe_verdict probe_judge(struct probe *probe, uint32_t uid, const struct imprint_hash *hash,
                               bool is_match, uint64_t now_ms);

#endif
