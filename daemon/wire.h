/* wire.h - the three fixed-size messages between the pool and a worker process.
 *
 * Why:     the worker decodes hostile bytes and must be taken for hostile itself. A message of one
 *          size with every field checked leaves nothing to parse. After "ready" the pool sends a
 * job head and job.len bytes of picture, the worker one answer, again and again. Format:  little
 * endian, explicit widths, unused bytes zero. Both ends are of one build, so another version is
 * refused, never converted. Threads: any; nothing here keeps state or does I/O.
 */
#ifndef DAEMON_WIRE_H
#define DAEMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/image.h"
#include "imprint/pdq.h"

#define WIRE_VERSION 1u

#define WIRE_READY_BYTES  24
#define WIRE_JOB_BYTES    80
#define WIRE_VIEW_BYTES   36
#define WIRE_ANSWER_BYTES (48 + IMPRINT_VIEWS_MAX * WIRE_VIEW_BYTES)

/* No picture is longer, whatever the configuration says: a worker has 256 MiB for all it does. */
#define WIRE_IMAGE_BYTES_MAX ((size_t)128 << 20)

/* A worker that could not build its cage exits with this plus the walls that are missing
 * (sandbox.h), without a word on the socket. */
#define WIRE_EXIT_NO_CAGE 0x80

/* Sent once, from inside the cage. */
struct wire_ready {
    uint32_t walls; /* SANDBOX_*: the walls that stand */
};

struct wire_job {
    uint64_t nonce; /* unpredictable; the answer must carry it */
    uint64_t len;   /* bytes of picture that follow, 1..WIRE_IMAGE_BYTES_MAX */
    unsigned views; /* IMPRINT_VIEWS_* */
    enum imprint_policy policy;
    struct imprint_limits limits;
};

struct wire_answer {
    enum imprint_error error; /* IMPRINT_OK or what a decoder may say; then all else is zero */
    struct imprint_image_info info;
    uint8_t quality;
    size_t view_count;
    struct imprint_view views[IMPRINT_VIEWS_MAX];
};

void wire_ready_encode(const struct wire_ready *ready, uint8_t out_bytes[WIRE_READY_BYTES]);

/* Each decoder gives false, and leaves its output untouched, unless every field verifies. */
IMPRINT_MUST_USE bool wire_ready_decode(const uint8_t bytes[WIRE_READY_BYTES],
                                        struct wire_ready *out_ready);

void wire_job_encode(const struct wire_job *job, uint8_t out_bytes[WIRE_JOB_BYTES]);

IMPRINT_MUST_USE bool wire_job_decode(const uint8_t bytes[WIRE_JOB_BYTES],
                                      struct wire_job *out_job);

/* Both need the job that is answered: for its nonce, and to hold the answer against its limits and
 * the views it asked for. */
void wire_answer_encode(const struct wire_answer *answer, const struct wire_job *job,
                        uint8_t out_bytes[WIRE_ANSWER_BYTES]);

IMPRINT_MUST_USE bool wire_answer_decode(const uint8_t bytes[WIRE_ANSWER_BYTES],
                                         const struct wire_job *job,
                                         struct wire_answer *out_answer);

#endif
