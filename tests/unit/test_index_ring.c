/* What the index rests on: the bound on every spread of distances over small rings, and all sets of
 * instructions against a plain count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "index_kernels.h"
#include "index_ring.h"
#include "index_support.h"

/* --- The bound ------------------------------------------------------------------------------- */

/* All ways to spread distances over a ring of `chunks` chunks of `bits` bits. */
static void assert_ring_misses_nothing(unsigned chunks, unsigned bits)
{
    size_t ways = 1;
    for (unsigned i = 0; i < chunks; i++) {
        ways *= bits + 1;
    }
    for (unsigned radius = 0; radius < chunks * bits; radius++) {
        int8_t limits[INDEX_CHUNKS];
        int sum = 0;
        index_ring_limits(radius, chunks, limits);
        for (unsigned i = 0; i < chunks; i++) {
            assert_in_range(limits[i] + 1, 0, bits + 1);
            sum += limits[i] + 1;
        }
        assert_int_equal(sum, radius + 1);
        for (size_t way = 0; way < ways; way++) {
            uint8_t distances[INDEX_CHUNKS];
            unsigned total = 0;
            size_t rest = way;
            for (unsigned i = 0; i < chunks; i++, rest /= bits + 1) {
                distances[i] = (uint8_t)(rest % (bits + 1));
                total += distances[i];
            }
            assert_true(total > radius || index_ring_first_start(distances, limits, chunks) >= 0);
        }
    }
}

static void every_spread_of_a_distance_over_the_ring_has_a_start(void **state)
{
    (void)state;
    assert_ring_misses_nothing(2, 16);
    assert_ring_misses_nothing(3, 8);
    assert_ring_misses_nothing(4, 4);
    assert_ring_misses_nothing(5, 4);
    assert_ring_misses_nothing(6, 3);
    assert_ring_misses_nothing(8, 2);
    assert_ring_misses_nothing(12, 1);
}

static void flips_are_all_values_of_few_bits_once(void **state)
{
    (void)state;
    struct index_flips flips;
    index_flips_init(&flips);
    static bool seen[65536];
    memset(seen, 0, sizeof seen);
    for (int bits = 0; bits <= INDEX_LIMIT_MAX; bits++) {
        for (unsigned i = index_flips_within(bits - 1); i < index_flips_within(bits); i++) {
            assert_int_equal(__builtin_popcount(flips.values[i]), bits);
            assert_false(seen[flips.values[i]]);
            seen[flips.values[i]] = true;
        }
    }
    assert_int_equal(index_flips_within(0), 1);
    assert_int_equal(index_flips_within(1), 1 + 16);
    assert_int_equal(index_flips_within(2), 1 + 16 + 120);
    assert_int_equal(index_flips_within(3), 1 + 16 + 120 + 560);
}

static void the_permutation_moves_each_bit_to_a_place_of_its_own(void **state)
{
    (void)state;
    struct index_permutation permutation;
    index_permutation_init(&permutation);
    struct index_key all = {{0}};
    for (unsigned bit = 0; bit < IMPRINT_HASH_BITS; bit++) {
        struct imprint_hash hash = {{0}};
        hash.bytes[bit / 8] = (uint8_t)(1u << bit % 8);
        struct index_key key;
        index_permutation_apply(&permutation, &hash, &key);
        unsigned ones = 0;
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(all.words[i] & key.words[i], 0);
            all.words[i] |= key.words[i];
            ones += (unsigned)__builtin_popcountll(key.words[i]);
        }
        assert_int_equal(ones, 1);
    }
}

/* --- Kernels --------------------------------------------------------------------------------- */

static void random_keys(uint64_t *random, struct index_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct imprint_hash hash = near_hash(random, 1, 64);
        memcpy(&keys[i], &hash, sizeof keys[i]);
    }
}

static void all_kernels_give_the_same(void **state)
{
    (void)state;
    uint64_t random = 3;
    size_t ranks = 0;
    while (index_kernels_at(ranks) != NULL) {
        ranks++;
    }
    const struct index_kernels *plain = index_kernels_at(ranks - 1);
    assert_string_equal(plain->name, "portable");
    struct index_key keys[INDEX_SURVIVORS_MAX + 1];
    for (unsigned round = 0; round < 400; round++) {
        random_keys(&random, keys, INDEX_SURVIVORS_MAX + 1);
        const struct index_key *query = &keys[INDEX_SURVIVORS_MAX];
        size_t count = below(&random, INDEX_SURVIVORS_MAX + 1);
        unsigned radius = (unsigned)below(&random, 70);
        if (round == 0) {
            radius = 255; /* opposite keys are 256 apart: the sum must not wrap round */
            for (size_t i = 0; i < 4; i++) {
                keys[1].words[i] = ~query->words[i];
            }
        }
        uint32_t expected[INDEX_SURVIVORS_MAX];
        size_t expected_count = 0;
        for (size_t i = 0; i < count; i++) {
            struct imprint_hash a;
            struct imprint_hash b;
            memcpy(&a, &keys[i], sizeof a);
            memcpy(&b, query, sizeof b);
            unsigned distance = slow_distance(&a, &b);
            for (size_t rank = 0; rank < ranks; rank++) {
                assert_int_equal(index_kernels_at(rank)->distance(&keys[i], query), distance);
            }
            if (distance <= radius) {
                expected[expected_count++] = (uint32_t)i;
            }
        }
        for (size_t rank = 0; rank < ranks; rank++) {
            uint32_t got[INDEX_SURVIVORS_MAX];
            assert_int_equal(index_kernels_at(rank)->scan_keys(keys, count, query, radius, got),
                             expected_count);
            assert_memory_equal(got, expected, expected_count * sizeof *got);
        }
    }
}

static void all_kernels_scan_runs_alike(void **state)
{
    (void)state;
    uint64_t random = 4;
    static uint16_t values[4096 + INDEX_RUN_SLACK];
    for (unsigned round = 0; round < 200; round++) {
        struct index_run runs[40];
        for (size_t i = 0; i < 4096; i++) {
            values[i] = (uint16_t)(next_random(&random) & next_random(&random));
        }
        for (size_t i = 0; i < 40; i++) {
            uint32_t begin = (uint32_t)below(&random, 4096);
            uint32_t end = begin + (uint32_t)below(&random, 1 + (4096 - begin) / (1 + i % 4));
            runs[i] = (struct index_run){.values = values,
                                         .begin = begin,
                                         .end = end,
                                         .query = (uint16_t)next_random(&random),
                                         .limit = (uint8_t)below(&random, i % 8 == 0 ? 17 : 8)};
        }
        for (size_t rank = 0; index_kernels_at(rank) != NULL; rank++) {
            struct index_run copy[40];
            memcpy(copy, runs, sizeof copy);
            struct index_runs cursor = {.runs = copy, .count = 40};
            struct index_survivor got[INDEX_SURVIVORS_MAX];
            size_t got_count = 0;
            size_t got_next = 0;
            for (uint32_t run = 0; run < 40; run++) {
                for (uint32_t i = runs[run].begin; i < runs[run].end; i++) {
                    if (__builtin_popcount(values[i] ^ runs[run].query) > runs[run].limit) {
                        continue;
                    }
                    if (got_next == got_count) {
                        got_count = index_kernels_at(rank)->scan_runs(&cursor, got);
                        got_next = 0;
                        assert_in_range(got_count, 1, INDEX_SURVIVORS_MAX);
                    }
                    assert_int_equal(got[got_next].run, run);
                    assert_int_equal(got[got_next++].position, i);
                }
            }
            assert_int_equal(got_next, got_count);
            assert_int_equal(index_kernels_at(rank)->scan_runs(&cursor, got), 0);
            assert_int_equal(cursor.next, cursor.count);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spread_of_a_distance_over_the_ring_has_a_start),
        cmocka_unit_test(flips_are_all_values_of_few_bits_once),
        cmocka_unit_test(the_permutation_moves_each_bit_to_a_place_of_its_own),
        cmocka_unit_test(all_kernels_give_the_same),
        cmocka_unit_test(all_kernels_scan_runs_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
