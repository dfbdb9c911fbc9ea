/* Any bytes as each message between pool and worker: what is taken is written again as the same
 * bytes and keeps its limits, what is refused changes nothing. The first byte chooses the message
 * ('r'eady, 'j'ob, 'a'nswer, 'u': answer to a job of one view); zeros fill it up. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "wire.h"

#define FUZZ_UNTOUCHED 0x5a

static void fuzz_must_be_untouched(const void *object, size_t size)
{
    const uint8_t *bytes = object;
    for (size_t i = 0; i < size; i++) {
        fuzz_must(bytes[i] == FUZZ_UNTOUCHED);
    }
}

static void fuzz_ready(const uint8_t bytes[WIRE_READY_BYTES])
{
    struct wire_ready ready;
    memset(&ready, FUZZ_UNTOUCHED, sizeof ready);
    if (!wire_ready_decode(bytes, &ready)) {
        fuzz_must_be_untouched(&ready, sizeof ready);
        return;
    }
    uint8_t again[WIRE_READY_BYTES];
    wire_ready_encode(&ready, again);
    fuzz_must(memcmp(again, bytes, sizeof again) == 0);
}

static void fuzz_job(const uint8_t bytes[WIRE_JOB_BYTES])
{
    struct wire_job job;
    memset(&job, FUZZ_UNTOUCHED, sizeof job);
    if (!wire_job_decode(bytes, &job)) {
        fuzz_must_be_untouched(&job, sizeof job);
        return;
    }
    fuzz_must(job.len > 0 && job.len <= WIRE_IMAGE_BYTES_MAX);
    uint8_t again[WIRE_JOB_BYTES];
    wire_job_encode(&job, again);
    fuzz_must(memcmp(again, bytes, sizeof again) == 0);
}

static void fuzz_check_picture(const struct wire_answer *answer, const struct wire_job *job)
{
    fuzz_must(answer->quality <= IMPRINT_QUALITY_MAX);
    fuzz_must(answer->info.width > 0 && answer->info.width <= job->limits.width_max);
    fuzz_must(answer->info.height > 0 && answer->info.height <= job->limits.height_max);
    fuzz_must(answer->info.orientation >= 1 && answer->info.orientation <= 8);
    fuzz_must(answer->view_count <=
              (job->views == IMPRINT_VIEWS_UPRIGHT ? 1 : (size_t)IMPRINT_VIEWS_MAX));
    for (size_t i = 0; i < answer->view_count; i++) {
        fuzz_must(answer->views[i].quality <= IMPRINT_QUALITY_MAX);
        for (size_t k = 0; k < i; k++) {
            fuzz_must(answer->views[i].id != answer->views[k].id);
        }
    }
}

static void fuzz_answer(const uint8_t bytes[WIRE_ANSWER_BYTES], unsigned views)
{
    const struct wire_job job = {
        .nonce = UINT64_C(0x45434e4f4e454854), /* "THENONCE" as it lies in memory */
        .len = 1,
        .views = views,
        .limits = imprint_limits_default(),
    };
    struct wire_answer answer;
    memset(&answer, FUZZ_UNTOUCHED, sizeof answer);
    if (!wire_answer_decode(bytes, &job, &answer)) {
        fuzz_must_be_untouched(&answer, sizeof answer);
        return;
    }
    if (answer.error == IMPRINT_OK) {
        fuzz_check_picture(&answer, &job);
    }
    uint8_t again[WIRE_ANSWER_BYTES];
    wire_answer_encode(&answer, &job, again);
    fuzz_must(memcmp(again, bytes, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0) {
        return 0;
    }
    const size_t size = data[0] == 'r'   ? WIRE_READY_BYTES
                        : data[0] == 'j' ? WIRE_JOB_BYTES
                                         : WIRE_ANSWER_BYTES;
    uint8_t *bytes = calloc(1, size);
    if (bytes == NULL) {
        return 0;
    }
    memcpy(bytes, data + 1, len - 1 < size ? len - 1 : size);
    if (data[0] == 'r') {
        fuzz_ready(bytes);
    } else if (data[0] == 'j') {
        fuzz_job(bytes);
    } else {
        fuzz_answer(bytes, data[0] == 'u' ? IMPRINT_VIEWS_UPRIGHT : IMPRINT_VIEWS_ALL);
    }
    free(bytes);
    return 0;
}
