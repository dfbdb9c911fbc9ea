#include "wire.h"

#include <assert.h>
#include <string.h>

#include "sandbox.h"

/* "IMPREADY", "IMPRNJOB", "IMPRANSW" as they lie in memory. */
#define READY_MAGIC  UINT64_C(0x5944414552504d49)
#define JOB_MAGIC    UINT64_C(0x424f4a4e52504d49)
#define ANSWER_MAGIC UINT64_C(0x57534e4152504d49)

_Static_assert(WIRE_VIEW_BYTES == 2 + 1 + 1 + IMPRINT_HASH_BYTES, "a view is id, quality, 0, hash");
_Static_assert(WIRE_ANSWER_BYTES == 3504, "the answer has one size");
_Static_assert(sizeof(size_t) == 8, "sizes travel as 64 bits");

/* A place in a message; the callers know the sizes, so nothing is counted here. */
struct writer {
    uint8_t *at;
};

struct reader {
    const uint8_t *at;
};

static void put(struct writer *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        *out->at++ = (uint8_t)(value >> 8 * i);
    }
}

static uint64_t take(struct reader *in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)*in->at++ << 8 * i;
    }
    return value;
}

static uint32_t take_u32(struct reader *in)
{
    return (uint32_t)take(in, 4);
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

/* --- Ready ----------------------------------------------------------------------------------- */

void wire_ready_encode(const struct wire_ready *ready, uint8_t out_bytes[WIRE_READY_BYTES])
{
    struct writer out = {out_bytes};
    put(&out, READY_MAGIC, 8);
    put(&out, WIRE_VERSION, 4);
    put(&out, ready->walls, 4);
    put(&out, 0, 8);
    assert(out.at == out_bytes + WIRE_READY_BYTES);
}

bool wire_ready_decode(const uint8_t bytes[WIRE_READY_BYTES], struct wire_ready *out_ready)
{
    struct reader in = {bytes};
    const bool is_ours = take(&in, 8) == READY_MAGIC && take_u32(&in) == WIRE_VERSION;
    const uint32_t walls = take_u32(&in);
    if (!is_ours || (walls & ~SANDBOX_ALL) != 0 || take(&in, 8) != 0) {
        return false;
    }
    out_ready->walls = walls;
    return true;
}

/* --- Job ------------------------------------------------------------------------------------- */

void wire_job_encode(const struct wire_job *job, uint8_t out_bytes[WIRE_JOB_BYTES])
{
    struct writer out = {out_bytes};
    put(&out, JOB_MAGIC, 8);
    put(&out, WIRE_VERSION, 4);
    put(&out, job->views, 4);
    put(&out, job->nonce, 8);
    put(&out, job->len, 8);
    put(&out, (uint64_t)job->policy, 4);
    put(&out, job->limits.width_max, 4);
    put(&out, job->limits.height_max, 4);
    put(&out, 0, 4);
    put(&out, job->limits.bytes_max, 8);
    put(&out, job->limits.pixels_max, 8);
    put(&out, job->limits.block_visits_max, 8);
    put(&out, job->limits.memory_max, 8);
    assert(out.at == out_bytes + WIRE_JOB_BYTES);
}

bool wire_job_decode(const uint8_t bytes[WIRE_JOB_BYTES], struct wire_job *out_job)
{
    struct reader in = {bytes};
    const bool is_ours = take(&in, 8) == JOB_MAGIC && take_u32(&in) == WIRE_VERSION;
    struct wire_job job = {.views = take_u32(&in)};
    job.nonce = take(&in, 8);
    job.len = take(&in, 8);
    const uint32_t policy = take_u32(&in);
    job.limits.width_max = take_u32(&in);
    job.limits.height_max = take_u32(&in);
    const uint32_t unused = take_u32(&in);
    job.limits.bytes_max = take(&in, 8);
    job.limits.pixels_max = take(&in, 8);
    job.limits.block_visits_max = take(&in, 8);
    job.limits.memory_max = take(&in, 8);
    if (!is_ours || unused != 0 || (job.views & ~IMPRINT_VIEWS_ALL) != 0 ||
        policy > IMPRINT_POLICY_FAST) {
        return false;
    }
    if (job.len == 0 || job.len > WIRE_IMAGE_BYTES_MAX ||
        (job.limits.bytes_max != 0 && job.len > job.limits.bytes_max)) {
        return false;
    }
    job.policy = (enum imprint_policy)policy;
    *out_job = job;
    return true;
}

/* --- Answer ---------------------------------------------------------------------------------- */

void wire_answer_encode(const struct wire_answer *answer, const struct wire_job *job,
                        uint8_t out_bytes[WIRE_ANSWER_BYTES])
{
    assert(answer->view_count <= IMPRINT_VIEWS_MAX);
    memset(out_bytes, 0, WIRE_ANSWER_BYTES);
    struct writer out = {out_bytes};
    put(&out, ANSWER_MAGIC, 8);
    put(&out, WIRE_VERSION, 4);
    put(&out, (uint64_t)answer->error, 4);
    put(&out, job->nonce, 8);
    if (answer->error != IMPRINT_OK) {
        return;
    }
    put(&out, answer->info.width, 4);
    put(&out, answer->info.height, 4);
    put(&out, (uint64_t)answer->info.format, 4);
    put(&out, answer->info.orientation, 1);
    put(&out, answer->info.is_truncated ? 1 : 0, 1);
    put(&out, answer->quality, 1);
    put(&out, 0, 1);
    put(&out, answer->view_count, 4);
    put(&out, 0, 4);
    for (size_t i = 0; i < answer->view_count; i++) {
        put(&out, answer->views[i].id, 2);
        put(&out, answer->views[i].quality, 1);
        put(&out, 0, 1);
        memcpy(out.at, answer->views[i].hash.bytes, IMPRINT_HASH_BYTES);
        out.at += IMPRINT_HASH_BYTES;
    }
}

/* What a worker may say of a picture; all else is the pool's to say. */
static bool is_decoder_error(uint32_t status)
{
    switch (status) {
    case IMPRINT_E_NOMEM:
    case IMPRINT_E_INTERNAL:
    case IMPRINT_E_IMAGE_EMPTY:
    case IMPRINT_E_IMAGE_UNKNOWN:
    case IMPRINT_E_IMAGE_UNSUPPORTED:
    case IMPRINT_E_IMAGE_MALFORMED:
    case IMPRINT_E_IMAGE_TRUNCATED:
    case IMPRINT_E_IMAGE_TOO_LARGE:
    case IMPRINT_E_IMAGE_TOO_COMPLEX: return true;
    default: return false;
    }
}

static bool is_size_within(const struct imprint_image_info *info,
                           const struct imprint_limits *limits)
{
    const uint32_t side_max = INT32_MAX; /* no format has longer sides */
    const uint32_t width_max = limits->width_max != 0 ? limits->width_max : side_max;
    const uint32_t height_max = limits->height_max != 0 ? limits->height_max : side_max;
    const uint64_t pixels = (uint64_t)info->width * info->height;
    return info->width > 0 && info->width <= width_max && info->height > 0 &&
           info->height <= height_max && (limits->pixels_max == 0 || pixels <= limits->pixels_max);
}

/* The fields between nonce and views. */
static bool take_picture(struct reader *in, const struct wire_job *job, struct wire_answer *answer)
{
    answer->info.width = take_u32(in);
    answer->info.height = take_u32(in);
    const uint32_t format = take_u32(in);
    answer->info.orientation = (uint8_t)take(in, 1);
    const uint8_t truncated = (uint8_t)take(in, 1);
    answer->quality = (uint8_t)take(in, 1);
    const uint8_t unused = (uint8_t)take(in, 1);
    answer->view_count = take_u32(in);
    if (unused != 0 || take(in, 4) != 0 || truncated > 1 || answer->quality > IMPRINT_QUALITY_MAX ||
        answer->info.orientation < 1 || answer->info.orientation > 8) {
        return false;
    }
    if (format <= IMPRINT_FORMAT_UNKNOWN || format > IMPRINT_FORMAT_AVIF) {
        return false;
    }
    answer->info.format = (enum imprint_format)format;
    answer->info.is_truncated = truncated == 1;
    const size_t views_max = job->views == IMPRINT_VIEWS_UPRIGHT ? 1 : IMPRINT_VIEWS_MAX;
    return answer->view_count <= views_max && is_size_within(&answer->info, &job->limits);
}

static bool is_id_new(const struct wire_answer *answer, size_t count, uint16_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (answer->views[i].id == id) {
            return false;
        }
    }
    return true;
}

static bool take_views(struct reader *in, struct wire_answer *answer)
{
    for (size_t i = 0; i < answer->view_count; i++) {
        struct imprint_view *view = &answer->views[i];
        view->id = (uint16_t)take(in, 2);
        view->quality = (uint8_t)take(in, 1);
        const uint8_t unused = (uint8_t)take(in, 1);
        memcpy(view->hash.bytes, in->at, IMPRINT_HASH_BYTES);
        in->at += IMPRINT_HASH_BYTES;
        if (unused != 0 || view->quality > IMPRINT_QUALITY_MAX || !is_id_new(answer, i, view->id)) {
            return false;
        }
    }
    return true;
}

bool wire_answer_decode(const uint8_t bytes[WIRE_ANSWER_BYTES], const struct wire_job *job,
                        struct wire_answer *out_answer)
{
    struct reader in = {bytes};
    const bool is_ours = take(&in, 8) == ANSWER_MAGIC && take_u32(&in) == WIRE_VERSION;
    const uint32_t status = take_u32(&in);
    if (!is_ours || take(&in, 8) != job->nonce) {
        return false;
    }
    struct wire_answer answer = {.error = IMPRINT_OK};
    if (status == IMPRINT_OK) {
        if (!take_picture(&in, job, &answer) || !take_views(&in, &answer)) {
            return false;
        }
    } else if (is_decoder_error(status)) {
        answer.error = (enum imprint_error)status;
    } else {
        return false;
    }
    if (!is_zero(in.at, (size_t)(bytes + WIRE_ANSWER_BYTES - in.at))) {
        return false;
    }
    *out_answer = answer;
    return true;
}
