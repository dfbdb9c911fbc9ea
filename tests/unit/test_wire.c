/* The messages between pool and worker: whole ones go round unchanged, and every byte of every
 * message is either free to vary by its meaning or refused: each field is set to values outside its
 * range, and each bit is turned in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sandbox.h"
#include "wire.h"

static struct wire_job sample_job(void)
{
    return (struct wire_job){
        .nonce = UINT64_C(0x0123456789abcdef),
        .len = 4096,
        .views = IMPRINT_VIEWS_TURNED | IMPRINT_VIEWS_TRIMMED,
        .policy = IMPRINT_POLICY_FAST,
        .limits = {.bytes_max = 5000,
                   .width_max = 640,
                   .height_max = 480,
                   .pixels_max = 200000,
                   .block_visits_max = 40000000,
                   .memory_max = (size_t)200 << 20},
    };
}

static struct wire_answer sample_answer(void)
{
    struct wire_answer answer = {
        .error = IMPRINT_OK,
        .info = {.format = IMPRINT_FORMAT_PNG,
                 .width = 400,
                 .height = 300,
                 .orientation = 6,
                 .is_truncated = true},
        .quality = 97,
        .view_count = 3,
    };
    for (size_t i = 0; i < answer.view_count; i++) {
        answer.views[i].id = (uint16_t)(i * 300);
        answer.views[i].quality = (uint8_t)(100 - i);
        memset(answer.views[i].hash.bytes, (int)(0x11 * (i + 1)), IMPRINT_HASH_BYTES);
    }
    return answer;
}

static void set_number(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

/* --- Round trips ----------------------------------------------------------------------------- */

static void ready_goes_round(void **state)
{
    (void)state;
    const struct wire_ready ready = {SANDBOX_NO_NEW_PRIVS | SANDBOX_SECCOMP};
    uint8_t bytes[WIRE_READY_BYTES];
    wire_ready_encode(&ready, bytes);
    struct wire_ready again = {0};
    assert_true(wire_ready_decode(bytes, &again));
    assert_int_equal(again.walls, ready.walls);
}

static void job_goes_round(void **state)
{
    (void)state;
    const struct wire_job job = sample_job();
    uint8_t bytes[WIRE_JOB_BYTES];
    wire_job_encode(&job, bytes);
    struct wire_job again;
    memset(&again, 0xff, sizeof again);
    assert_true(wire_job_decode(bytes, &again));
    assert_true(again.nonce == job.nonce && again.len == job.len && again.views == job.views &&
                again.policy == job.policy && again.limits.bytes_max == job.limits.bytes_max &&
                again.limits.width_max == job.limits.width_max &&
                again.limits.height_max == job.limits.height_max &&
                again.limits.pixels_max == job.limits.pixels_max &&
                again.limits.block_visits_max == job.limits.block_visits_max &&
                again.limits.memory_max == job.limits.memory_max);
}

static void assert_answers_equal(const struct wire_answer *a, const struct wire_answer *b)
{
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->info.format, b->info.format);
    assert_int_equal(a->info.width, b->info.width);
    assert_int_equal(a->info.height, b->info.height);
    assert_int_equal(a->info.orientation, b->info.orientation);
    assert_int_equal(a->info.is_truncated, b->info.is_truncated);
    assert_int_equal(a->quality, b->quality);
    assert_int_equal(a->view_count, b->view_count);
    for (size_t i = 0; i < a->view_count; i++) {
        assert_int_equal(a->views[i].id, b->views[i].id);
        assert_int_equal(a->views[i].quality, b->views[i].quality);
        assert_true(imprint_hash_equal(&a->views[i].hash, &b->views[i].hash));
    }
}

static void answer_goes_round_with_any_number_of_views(void **state)
{
    (void)state;
    const struct wire_job job = sample_job();
    for (size_t count = 0; count <= IMPRINT_VIEWS_MAX; count++) {
        struct wire_answer answer = sample_answer();
        answer.view_count = count;
        for (size_t i = 0; i < count; i++) {
            answer.views[i].id = (uint16_t)(65535 - i);
            memset(answer.views[i].hash.bytes, (int)i + 1, IMPRINT_HASH_BYTES);
        }
        uint8_t bytes[WIRE_ANSWER_BYTES];
        wire_answer_encode(&answer, &job, bytes);
        struct wire_answer again;
        assert_true(wire_answer_decode(bytes, &job, &again));
        assert_answers_equal(&answer, &again);
    }
}

/* --- The job --------------------------------------------------------------------------------- */

static void every_field_of_a_job_is_checked(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        size_t bytes;
        uint64_t value;
    } wrongs[] = {
        {0, 8, 0},                         /* magic */
        {8, 4, WIRE_VERSION + 1},          /* version */
        {12, 4, IMPRINT_VIEWS_ALL + 1},    /* views */
        {24, 8, 0},                        /* len */
        {24, 8, 5001},                     /* len over limits.bytes_max */
        {24, 8, WIRE_IMAGE_BYTES_MAX + 1}, /* len */
        {24, 8, UINT64_MAX},               /* len */
        {32, 4, IMPRINT_POLICY_FAST + 1},  /* policy */
        {32, 4, UINT32_MAX},               /* policy */
        {44, 4, 1},                        /* unused */
    };
    const struct wire_job job = sample_job();
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        uint8_t bytes[WIRE_JOB_BYTES];
        wire_job_encode(&job, bytes);
        set_number(bytes + wrongs[i].offset, wrongs[i].value, wrongs[i].bytes);
        struct wire_job untouched = {.nonce = 42};
        assert_false(wire_job_decode(bytes, &untouched));
        assert_int_equal(untouched.nonce, 42);
    }
}

static void the_longest_job_is_taken_when_the_limits_leave_it_open(void **state)
{
    (void)state;
    struct wire_job job = sample_job();
    job.limits.bytes_max = 0;
    job.len = WIRE_IMAGE_BYTES_MAX;
    uint8_t bytes[WIRE_JOB_BYTES];
    wire_job_encode(&job, bytes);
    assert_true(wire_job_decode(bytes, &job));
    set_number(bytes + 24, WIRE_IMAGE_BYTES_MAX + 1, 8);
    assert_false(wire_job_decode(bytes, &job));
}

/* --- Ready ----------------------------------------------------------------------------------- */

static void every_bit_of_ready_counts(void **state)
{
    (void)state;
    const struct wire_ready ready = {SANDBOX_ALL};
    for (size_t bit = 0; bit < (size_t)WIRE_READY_BYTES * 8; bit++) {
        uint8_t bytes[WIRE_READY_BYTES];
        wire_ready_encode(&ready, bytes);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct wire_ready again = {0};
        const bool is_taken = wire_ready_decode(bytes, &again);
        /* Only another set of walls may come through, and as that. */
        assert_int_equal(is_taken, bit >= 96 && bit < 96 + 7);
        assert_true(!is_taken || again.walls != ready.walls);
    }
}

/* --- The answer ------------------------------------------------------------------------------ */

#define FIRST_VIEW 48

static void every_field_of_an_answer_is_checked(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        size_t bytes;
        uint64_t value;
    } wrongs[] = {
        {0, 8, 0},                                /* magic */
        {8, 4, WIRE_VERSION + 1},                 /* version */
        {12, 4, IMPRINT_E_DECODER_DIED},          /* a status that is not a worker's to give */
        {12, 4, IMPRINT_E_BUSY},                  /* the same */
        {12, 4, IMPRINT_ERROR_COUNT},             /* no status at all */
        {12, 4, UINT32_MAX},                      /* no status at all */
        {12, 4, IMPRINT_E_IMAGE_MALFORMED},       /* an error with fields of a picture */
        {16, 8, 0},                               /* nonce */
        {24, 4, 0},                               /* width */
        {24, 4, 641},                             /* width over the limit */
        {24, 4, UINT32_MAX},                      /* width */
        {28, 4, 0},                               /* height */
        {28, 4, 481},                             /* height over the limit */
        {24, 8, 640 | UINT64_C(480) << 32},       /* pixels over the limit */
        {32, 4, IMPRINT_FORMAT_UNKNOWN},          /* format */
        {32, 4, IMPRINT_FORMAT_AVIF + 1},         /* format */
        {36, 1, 0},                               /* orientation */
        {36, 1, 9},                               /* orientation */
        {37, 1, 2},                               /* truncated */
        {38, 1, 101},                             /* quality */
        {39, 1, 1},                               /* unused */
        {40, 4, IMPRINT_VIEWS_MAX + 1},           /* views */
        {40, 4, UINT32_MAX},                      /* views */
        {40, 4, 2},                               /* a view beyond the count */
        {40, 4, 5},                               /* two empty views have one id */
        {44, 4, 1},                               /* unused */
        {FIRST_VIEW + 2, 1, 101},                 /* quality */
        {FIRST_VIEW + 3, 1, 1},                   /* unused */
        {FIRST_VIEW, 2, 300},                     /* the second view's id */
        {WIRE_ANSWER_BYTES - 1, 1, 1},            /* unused */
        {FIRST_VIEW + 3 * WIRE_VIEW_BYTES, 1, 1}, /* unused */
    };
    const struct wire_job job = sample_job();
    const struct wire_answer answer = sample_answer();
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        uint8_t bytes[WIRE_ANSWER_BYTES];
        wire_answer_encode(&answer, &job, bytes);
        set_number(bytes + wrongs[i].offset, wrongs[i].value, wrongs[i].bytes);
        struct wire_answer untouched = {.quality = 42};
        assert_false(wire_answer_decode(bytes, &job, &untouched));
        assert_int_equal(untouched.quality, 42);
    }
}

static void limits_are_taken_up_to_their_value(void **state)
{
    (void)state;
    struct wire_job job = sample_job();
    struct wire_answer answer = sample_answer();
    uint8_t bytes[WIRE_ANSWER_BYTES];
    answer.info.width = 640;
    answer.info.height = 312; /* 199,680 pixels */
    wire_answer_encode(&answer, &job, bytes);
    assert_true(wire_answer_decode(bytes, &job, &answer));
    answer.info.height = 313; /* 200,320 pixels */
    wire_answer_encode(&answer, &job, bytes);
    assert_false(wire_answer_decode(bytes, &job, &answer));
    job.limits = (struct imprint_limits){0};
    assert_true(wire_answer_decode(bytes, &job, &answer));
}

static void a_job_for_the_upright_view_gets_one_view_at_most(void **state)
{
    (void)state;
    struct wire_job job = sample_job();
    job.views = IMPRINT_VIEWS_UPRIGHT;
    struct wire_answer answer = sample_answer();
    uint8_t bytes[WIRE_ANSWER_BYTES];
    answer.view_count = 1;
    wire_answer_encode(&answer, &job, bytes);
    assert_true(wire_answer_decode(bytes, &job, &answer));
    answer.view_count = 2;
    wire_answer_encode(&answer, &job, bytes);
    assert_false(wire_answer_decode(bytes, &job, &answer));
}

static bool is_workers_to_say(enum imprint_error error)
{
    return error == IMPRINT_E_NOMEM || error == IMPRINT_E_INTERNAL ||
           (error >= IMPRINT_E_IMAGE_EMPTY && error <= IMPRINT_E_IMAGE_TOO_COMPLEX);
}

static void an_error_is_a_decoders_and_carries_nothing(void **state)
{
    (void)state;
    const struct wire_job job = sample_job();
    for (int i = 1; i < (int)IMPRINT_ERROR_COUNT; i++) {
        struct wire_answer answer = sample_answer();
        answer.error = (enum imprint_error)i;
        uint8_t bytes[WIRE_ANSWER_BYTES];
        wire_answer_encode(&answer, &job, bytes);
        struct wire_answer again = {.quality = 42};
        assert_int_equal(wire_answer_decode(bytes, &job, &again), is_workers_to_say(answer.error));
        if (is_workers_to_say(answer.error)) {
            assert_int_equal(again.error, i);
            assert_int_equal(again.quality, 0);
            assert_int_equal(again.view_count, 0);
        }
    }
}

static void an_answer_to_another_job_is_refused(void **state)
{
    (void)state;
    const struct wire_job job = sample_job();
    struct wire_job other = job;
    struct wire_answer answer = sample_answer();
    uint8_t bytes[WIRE_ANSWER_BYTES];
    wire_answer_encode(&answer, &job, bytes);
    for (unsigned bit = 0; bit < 64; bit++) {
        other.nonce = job.nonce ^ UINT64_C(1) << bit;
        assert_false(wire_answer_decode(bytes, &other, &answer));
    }
}

/* A bit that is turned either is refused or is seen by whoever reads the answer: none is ignored.
 */
static void no_bit_of_an_answer_is_ignored(void **state)
{
    (void)state;
    const struct wire_job job = sample_job();
    const struct wire_answer answer = sample_answer();
    uint8_t bytes[WIRE_ANSWER_BYTES];
    wire_answer_encode(&answer, &job, bytes);
    for (size_t bit = 0; bit < (size_t)WIRE_ANSWER_BYTES * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct wire_answer again;
        if (wire_answer_decode(bytes, &job, &again)) {
            uint8_t seen[WIRE_ANSWER_BYTES];
            wire_answer_encode(&again, &job, seen);
            assert_memory_equal(seen, bytes, sizeof seen);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_goes_round),
        cmocka_unit_test(job_goes_round),
        cmocka_unit_test(answer_goes_round_with_any_number_of_views),
        cmocka_unit_test(every_field_of_a_job_is_checked),
        cmocka_unit_test(the_longest_job_is_taken_when_the_limits_leave_it_open),
        cmocka_unit_test(every_bit_of_ready_counts),
        cmocka_unit_test(every_field_of_an_answer_is_checked),
        cmocka_unit_test(limits_are_taken_up_to_their_value),
        cmocka_unit_test(a_job_for_the_upright_view_gets_one_view_at_most),
        cmocka_unit_test(an_error_is_a_decoders_and_carries_nothing),
        cmocka_unit_test(an_answer_to_another_job_is_refused),
        cmocka_unit_test(no_bit_of_an_answer_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
