/* Probing against walks that find the hash they look for when nobody stops them, and against
 * ordinary traffic: copies of a picture, unrelated pictures, repeated questions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../daemon/limits.h"
#include "probe.h"

static uint64_t seed;

static unsigned draw(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 20) % below);
}

static void turn(struct imprint_hash *hash, unsigned bit)
{
    hash->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static bool has(const struct imprint_hash *hash, unsigned bit)
{
    return (hash->bytes[bit / 8] >> bit % 8 & 1) != 0;
}

/* Turns a one and a zero, which keeps the number of ones. */
static void turn_pair(struct imprint_hash *hash, unsigned a, unsigned b)
{
    if (has(hash, a) != has(hash, b)) {
        turn(hash, a);
        turn(hash, b);
    }
}

/* As every hash of a picture: 128 ones. */
static struct imprint_hash make_hash(void)
{
    struct imprint_hash hash = {0};
    for (unsigned ones = 0; ones < 128;) {
        unsigned bit = draw(256);
        if (!has(&hash, bit)) {
            turn(&hash, bit);
            ones++;
        }
    }
    return hash;
}

static void shuffled(unsigned bits[256])
{
    for (unsigned i = 0; i < 256; i++) {
        unsigned j = draw(i + 1);
        bits[i] = bits[j];
        bits[j] = i;
    }
}

/* --- Somebody who asks, until told that this is probing ----------------------------------------
 */

struct asker {
    struct probe *probe;
    struct imprint_hash listed;
    uint64_t now_ms;
    unsigned asked;
    bool is_stopped;
};

static struct asker begin(void)
{
    struct asker asker = {.listed = make_hash()};
    assert_int_equal(probe_new(&asker.probe), IMPRINT_OK);
    return asker;
}

/* The distance, or 256 when that is over the threshold. */
static unsigned ask(struct asker *asker, const struct imprint_hash *hash)
{
    const unsigned distance = imprint_hash_distance(hash, &asker->listed);
    const bool is_match = distance <= LIMIT_THRESHOLD_DEFAULT;
    if (!asker->is_stopped) {
        asker->asked++;
        asker->is_stopped =
            probe_judge(asker->probe, 7, hash, is_match, asker->now_ms) != PROBE_ORDINARY;
    }
    return is_match ? distance : 256;
}

static struct imprint_hash near_copy(const struct asker *asker, unsigned pairs)
{
    struct imprint_hash hash = asker->listed;
    while (imprint_hash_distance(&hash, &asker->listed) < 2 * pairs) {
        turn_pair(&hash, draw(256), draw(256));
    }
    return hash;
}

/* Turns one bit after the other and keeps what comes nearer. */
static void climb(struct asker *asker)
{
    struct imprint_hash hash = near_copy(asker, 10);
    unsigned bits[256];
    shuffled(bits);
    unsigned best = ask(asker, &hash);
    for (unsigned i = 0; i < 256; i++) {
        turn(&hash, bits[i]);
        unsigned distance = ask(asker, &hash);
        if (distance < best) {
            best = distance;
        } else {
            turn(&hash, bits[i]);
        }
    }
    assert_int_equal(best, 0);
}

/* Walks to the edge of the threshold, where every bit answers with yes or no. */
static void feel_the_edge(struct asker *asker)
{
    struct imprint_hash edge = near_copy(asker, 10);
    struct imprint_hash found;
    unsigned bits[256];
    shuffled(bits);
    unsigned i = 0;
    while (ask(asker, &edge) <= LIMIT_THRESHOLD_DEFAULT) {
        turn(&edge, bits[i++]);
    }
    turn(&edge, bits[i - 1]); /* the last that matched: one bit further does not */
    found = edge;
    for (unsigned bit = 0; bit < 256; bit++) {
        struct imprint_hash hash = edge;
        turn(&hash, bit);
        if (ask(asker, &hash) <= LIMIT_THRESHOLD_DEFAULT) {
            turn(&found, bit); /* came nearer: this bit was wrong */
        }
    }
    assert_int_equal(imprint_hash_distance(&found, &asker->listed), 0);
}

/* As climb, with a one and a zero at a time, so that the hash could be a picture's. */
static void climb_in_pairs(struct asker *asker)
{
    struct imprint_hash hash = near_copy(asker, 10);
    unsigned bits[256];
    shuffled(bits);
    unsigned best = ask(asker, &hash);
    for (unsigned i = 0; i < 256; i++) {
        for (unsigned j = i + 1; j < 256; j++) {
            if (has(&hash, bits[i]) == has(&hash, bits[j])) {
                continue;
            }
            struct imprint_hash next = hash;
            turn(&next, bits[i]);
            turn(&next, bits[j]);
            unsigned distance = ask(asker, &next);
            if (distance < best) {
                best = distance;
                hash = next;
            }
            bits[j] = bits[255]; /* asked about; another takes its place */
            break;
        }
    }
}

static void walks_are_noticed_before_a_hundred_steps(void **state)
{
    (void)state;
    void (*const walks[])(struct asker *) = {climb, feel_the_edge, climb_in_pairs};
    for (size_t w = 0; w < 3; w++) {
        for (unsigned i = 0; i < 50; i++) {
            seed = 1000 * w + i + 1;
            struct asker asker = begin();
            walks[w](&asker);
            assert_true(asker.is_stopped);
            assert_in_range(asker.asked, LIMIT_PROBE_STEPS, 99);
            probe_free(asker.probe);
        }
    }
}

static void unrelated_questions_between_steps_hide_nothing(void **state)
{
    (void)state;
    seed = 5;
    struct asker asker = begin();
    struct imprint_hash hash = near_copy(&asker, 5);
    unsigned steps = 0;
    (void)ask(&asker, &hash);
    for (; steps < 200 && !asker.is_stopped; steps++) {
        struct imprint_hash next = hash;
        turn(&next, steps);
        (void)ask(&asker, &next);
        for (unsigned i = 0; i < 300; i++) {
            struct imprint_hash other = make_hash();
            assert_int_equal(probe_judge(asker.probe, 7, &other, false, 0), PROBE_ORDINARY);
        }
    }
    assert_in_range(steps, LIMIT_PROBE_STEPS, 99);
    probe_free(asker.probe);
}

static void a_refused_step_stays_refused_and_a_known_answer_stays_known(void **state)
{
    (void)state;
    seed = 6;
    struct asker asker = begin();
    const struct imprint_hash copy = near_copy(&asker, 5);
    (void)ask(&asker, &copy);
    struct imprint_hash last = copy;
    for (unsigned bit = 0; !asker.is_stopped; bit++) {
        last = copy;
        turn(&last, bit);
        (void)ask(&asker, &last);
    }
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(probe_judge(asker.probe, 7, &last, true, 0), PROBE_PROBING);
        assert_int_equal(probe_judge(asker.probe, 7, &copy, true, 0), PROBE_ORDINARY);
        /* Neither another uid nor another part of the list is concerned. */
        assert_int_equal(probe_judge(asker.probe, 8, &last, true, 0), PROBE_ORDINARY);
        const struct imprint_hash other = make_hash();
        assert_int_equal(probe_judge(asker.probe, 7, &other, true, 0), PROBE_ORDINARY);
    }
    /* Nor is it held against the uid for ever. */
    assert_int_equal(probe_judge(asker.probe, 7, &last, true, LIMIT_PROBE_FORGET_MS + 1),
                     PROBE_ORDINARY);
    probe_free(asker.probe);
}

/* A bit that an edit turns: some of a picture's bits are turned again and again, others rarely.
 * Steps of copies made like this turn new bits about as fast as those of photos (limits.h). */
static unsigned draw_unstable(const unsigned bits[256])
{
    unsigned below = 256;
    for (unsigned i = 0; i < 5; i++) {
        below = draw(below) + 1;
    }
    return bits[below - 1];
}

static void a_picture_that_goes_round_is_no_probing(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        seed = 100 + round;
        struct asker asker = begin();
        const struct imprint_hash original = near_copy(&asker, 12 + round % 4);
        unsigned bits[256];
        shuffled(bits);
        for (unsigned i = 0; i < 4000; i++) {
            struct imprint_hash hash = original;
            for (unsigned pairs = draw(25); pairs > 0; pairs--) {
                turn_pair(&hash, draw_unstable(bits), draw_unstable(bits));
            }
            (void)ask(&asker, &hash);
        }
        assert_false(asker.is_stopped);
        probe_free(asker.probe);
    }
}

static void unrelated_pictures_and_repeated_questions_are_no_probing(void **state)
{
    (void)state;
    seed = 9;
    struct asker asker = begin();
    for (unsigned i = 0; i < 3000; i++) {
        struct imprint_hash hash = make_hash();
        for (unsigned again = 0; again < 3; again++) {
            assert_int_equal(probe_judge(asker.probe, 7, &hash, i % 3 == 0, i), PROBE_ORDINARY);
        }
    }
    const struct imprint_hash copy = near_copy(&asker, 4);
    for (unsigned i = 0; i < 3000; i++) {
        (void)ask(&asker, &copy);
    }
    assert_false(asker.is_stopped);
    probe_free(asker.probe);
}

/* Who never touches the list learns nothing, however close the questions. */
static void steps_far_from_the_list_are_no_probing(void **state)
{
    (void)state;
    seed = 10;
    struct asker asker = begin();
    struct imprint_hash hash = make_hash();
    for (unsigned i = 0; i < 1000; i++) {
        turn(&hash, draw(256));
        (void)ask(&asker, &hash);
    }
    assert_false(asker.is_stopped);
    probe_free(asker.probe);
}

static void more_uids_than_fit_push_out_the_longest_silent(void **state)
{
    (void)state;
    seed = 11;
    struct asker asker = begin();
    for (uint32_t uid = 0; uid < 3 * PROBE_UIDS_MAX; uid++) {
        const struct imprint_hash hash = make_hash();
        assert_int_equal(probe_judge(asker.probe, 100 + uid, &hash, true, uid), PROBE_ORDINARY);
    }
    asker.now_ms = 1000;
    climb(&asker);
    assert_in_range(asker.asked, LIMIT_PROBE_STEPS, 99);
    probe_free(asker.probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_are_noticed_before_a_hundred_steps),
        cmocka_unit_test(unrelated_questions_between_steps_hide_nothing),
        cmocka_unit_test(a_refused_step_stays_refused_and_a_known_answer_stays_known),
        cmocka_unit_test(a_picture_that_goes_round_is_no_probing),
        cmocka_unit_test(unrelated_pictures_and_repeated_questions_are_no_probing),
        cmocka_unit_test(steps_far_from_the_list_are_no_probing),
        cmocka_unit_test(more_uids_than_fit_push_out_the_longest_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
