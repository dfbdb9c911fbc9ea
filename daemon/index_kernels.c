#include "index_kernels.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* Of a long run the first lines are fetched so many runs ahead; the processor does the rest. */
#define PREFETCH_RUNS   16
#define PREFETCH_VALUES 160

static inline void prefetch_run(const struct index_runs *runs, size_t i)
{
    if (i < runs->count && runs->runs[i].end - runs->runs[i].begin > INDEX_RUN_SHORT) {
        index_run_prefetch(&runs->runs[i], PREFETCH_VALUES);
    }
}

/* --- Plain C --------------------------------------------------------------------------------- */

/* Bits in each byte of x. */
static inline uint64_t byte_counts(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    return (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
}

static unsigned plain_distance(const struct index_key *a, const struct index_key *b)
{
    uint64_t bytes = 0; /* at most 32 in each */
    for (size_t i = 0; i < 4; i++) {
        bytes += byte_counts(a->words[i] ^ b->words[i]);
    }
    uint64_t pairs = (bytes & 0x00ff00ff00ff00ffu) + (bytes >> 8 & 0x00ff00ff00ff00ffu);
    return (unsigned)(pairs * 0x0001000100010001u >> 48);
}

static size_t plain_scan_keys(const struct index_key *keys, size_t count,
                              const struct index_key *query, unsigned radius,
                              uint32_t *out_positions)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        out_positions[found] = (uint32_t)i;
        found += plain_distance(&keys[i], query) <= radius;
    }
    return found;
}

/* Eight values at a time; the compiler makes vector instructions of it where there are any. */
typedef uint16_t lanes __attribute__((vector_size(16), aligned(2)));

static inline lanes lane_counts(lanes x)
{
    x -= x >> 1 & 0x5555;
    x = (x & 0x3333) + (x >> 2 & 0x3333);
    x = (x + (x >> 4)) & 0x0f0f;
    return (x + (x >> 8)) & 0x1f;
}

/* Appends those of the first `left` of eight values that are marked in near. */
static size_t append_lanes(lanes near, uint32_t left, struct index_survivor survivor,
                           struct index_survivor *out_survivors)
{
    size_t found = 0;
    for (uint32_t lane = 0; lane < 8 && lane < left; lane++) {
        if (near[lane] != 0) {
            out_survivors[found].position = survivor.position + lane;
            out_survivors[found++].run = survivor.run;
        }
    }
    return found;
}

static size_t plain_scan_runs(struct index_runs *runs, struct index_survivor *out_survivors)
{
    size_t found = 0;
    for (; runs->next < runs->count; runs->next++) {
        struct index_run *run = &runs->runs[runs->next];
        prefetch_run(runs, runs->next + PREFETCH_RUNS);

        for (; run->begin < run->end; run->begin += 8) {
            if (found > INDEX_SURVIVORS_MAX - 8) {
                return found;
            }
            lanes values;
            memcpy(&values, run->values + run->begin, sizeof values);
            lanes near = (lanes)(lane_counts(values ^ run->query) <= run->limit);
            uint64_t any[2];
            memcpy(any, &near, sizeof any);
            if ((any[0] | any[1]) != 0) {
                struct index_survivor here = {run->begin, (uint32_t)runs->next};
                found += append_lanes(near, run->end - run->begin, here, out_survivors + found);
            }
        }
    }
    return found;
}

static const struct index_kernels plain_kernels = {
    .name = "portable",
    .distance = plain_distance,
    .scan_keys = plain_scan_keys,
    .scan_runs = plain_scan_runs,
};

#if defined(__x86_64__) || defined(__aarch64__)

/* Appends the positions of the bits set in near. */
static inline size_t append_bits(uint32_t near, uint32_t position, size_t run,
                                 struct index_survivor *out_survivors)
{
    size_t found = 0;
    for (; near != 0; near &= near - 1) {
        out_survivors[found].position = position + (uint32_t)__builtin_ctz(near);
        out_survivors[found++].run = (uint32_t)run;
    }
    return found;
}

/* The lowest `left` bits. */
static inline uint32_t low_bits(uint32_t left)
{
    return left >= 32 ? UINT32_MAX : ((uint32_t)1 << left) - 1;
}

#endif

#if defined(__x86_64__)

/* --- AVX2 ------------------------------------------------------------------------------------ */

#define TARGET_AVX2 __attribute__((target("avx2,popcnt,bmi,bmi2")))

TARGET_AVX2 static unsigned avx2_distance(const struct index_key *a, const struct index_key *b)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        bits += (uint64_t)_mm_popcnt_u64(a->words[i] ^ b->words[i]);
    }
    return (unsigned)bits;
}

TARGET_AVX2 static size_t avx2_scan_keys(const struct index_key *keys, size_t count,
                                         const struct index_key *query, unsigned radius,
                                         uint32_t *out_positions)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        out_positions[found] = (uint32_t)i;
        found += avx2_distance(&keys[i], query) <= radius;
    }
    return found;
}

/* 16 values: ones where at most limit bits are set. */
TARGET_AVX2 static inline __m256i avx2_within(__m256i x, __m256i limit)
{
    const __m256i nibble_counts =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i low = _mm256_shuffle_epi8(nibble_counts, _mm256_and_si256(x, nibble));
    __m256i high =
        _mm256_shuffle_epi8(nibble_counts, _mm256_and_si256(_mm256_srli_epi16(x, 4), nibble));
    __m256i counts = _mm256_maddubs_epi16(_mm256_add_epi8(low, high), _mm256_set1_epi8(1));
    return _mm256_cmpgt_epi16(limit, counts);
}

TARGET_AVX2 static size_t avx2_scan_runs(struct index_runs *runs,
                                         struct index_survivor *out_survivors)
{
    size_t found = 0;
    for (; runs->next < runs->count; runs->next++) {
        struct index_run *run = &runs->runs[runs->next];
        prefetch_run(runs, runs->next + PREFETCH_RUNS);
        const __m256i query = _mm256_set1_epi16((short)run->query);
        const __m256i limit = _mm256_set1_epi16((short)(run->limit + 1));
        for (; run->begin < run->end; run->begin += 32) {
            if (found > INDEX_SURVIVORS_MAX - 32) {
                return found;
            }
            const __m256i *values = (const __m256i *)(const void *)(run->values + run->begin);
            __m256i low = avx2_within(_mm256_xor_si256(_mm256_loadu_si256(values), query), limit);
            __m256i high =
                avx2_within(_mm256_xor_si256(_mm256_loadu_si256(values + 1), query), limit);
            __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);
            uint32_t near =
                (uint32_t)_mm256_movemask_epi8(packed) & low_bits(run->end - run->begin);
            found += append_bits(near, run->begin, runs->next, out_survivors + found);
        }
    }
    return found;
}

static const struct index_kernels avx2_kernels = {
    .name = "avx2",
    .distance = avx2_distance,
    .scan_keys = avx2_scan_keys,
    .scan_runs = avx2_scan_runs,
};

/* --- AVX-512 --------------------------------------------------------------------------------- */

#define TARGET_AVX512 \
    __attribute__((   \
        target("avx512f,avx512bw,avx512vl,avx512vpopcntdq,avx512bitalg,popcnt,bmi,bmi2")))

/* The four word counts of two keys, of which only the first `words` words are read. */
TARGET_AVX512 static inline __m512i avx512_counts(const struct index_key *keys, size_t words,
                                                  __m512i query)
{
    __mmask8 mask = (__mmask8)(words >= 8 ? 0xffu : (1u << words) - 1u);
    return _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_maskz_loadu_epi64(mask, keys), query));
}

/* One bit a key, of eight keys within radius. The counts of pairs 0 to 3 go side by side into
 * 16-bit lanes, so that two additions across give the sums of all eight: those of even keys in the
 * low, those of odd keys in the high half. */
TARGET_AVX512 static inline unsigned avx512_within(const struct index_key *keys, size_t count,
                                                   __m512i query, __m512i radius)
{
    size_t words = 4 * count;
    __m512i sum = avx512_counts(keys, words, query);
    for (unsigned pair = 1; pair < 4; pair++) {
        size_t left = words > 8 * pair ? words - 8 * pair : 0;
        __m512i counts = avx512_counts(keys + 2 * pair, left, query);
        sum = _mm512_or_si512(sum, _mm512_slli_epi64(counts, 16 * pair));
    }
    sum = _mm512_add_epi16(sum, _mm512_shuffle_epi32(sum, _MM_PERM_BADC));
    sum = _mm512_add_epi16(sum, _mm512_permutex_epi64(sum, _MM_SHUFFLE(1, 0, 3, 2)));
    unsigned near = _mm512_cmple_epu16_mask(sum, radius);
    unsigned all = count >= 8 ? 0xffu : (1u << count) - 1;
    return (_pdep_u32(near, 0x55) | _pdep_u32(near >> 16, 0xaa)) & all;
}

TARGET_AVX512 static size_t avx512_scan_keys(const struct index_key *keys, size_t count,
                                             const struct index_key *query, unsigned radius,
                                             uint32_t *out_positions)
{
    __m512i wide_query =
        _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)query));
    __m512i wide_radius = _mm512_set1_epi16((short)radius);
    size_t found = 0;
    for (size_t i = 0; i < count; i += 8) {
        size_t left = count - i < 8 ? count - i : 8;
        for (unsigned near = avx512_within(keys + i, left, wide_query, wide_radius); near != 0;
             near &= near - 1) {
            out_positions[found++] = (uint32_t)i + (uint32_t)__builtin_ctz(near);
        }
    }
    return found;
}

TARGET_AVX512 static size_t avx512_scan_runs(struct index_runs *runs,
                                             struct index_survivor *out_survivors)
{
    size_t found = 0;
    for (; runs->next < runs->count; runs->next++) {
        struct index_run *run = &runs->runs[runs->next];
        prefetch_run(runs, runs->next + PREFETCH_RUNS);
        const __m512i query = _mm512_set1_epi16((short)run->query);
        const __m512i limit = _mm512_set1_epi16((short)run->limit);
        for (; run->begin < run->end; run->begin += 32) {
            if (found > INDEX_SURVIVORS_MAX - 32) {
                return found;
            }
            __m512i values = _mm512_loadu_si512(run->values + run->begin);
            __m512i counts = _mm512_popcnt_epi16(_mm512_xor_si512(values, query));
            uint32_t near =
                _mm512_cmple_epu16_mask(counts, limit) & low_bits(run->end - run->begin);
            found += append_bits(near, run->begin, runs->next, out_survivors + found);
        }
    }
    return found;
}

static const struct index_kernels avx512_kernels = {
    .name = "avx512",
    .distance = avx2_distance,
    .scan_keys = avx512_scan_keys,
    .scan_runs = avx512_scan_runs,
};

#elif defined(__aarch64__)

/* --- NEON ------------------------------------------------------------------------------------ */

static unsigned neon_distance(const struct index_key *a, const struct index_key *b)
{
    const uint8_t *x = (const uint8_t *)a->words;
    const uint8_t *y = (const uint8_t *)b->words;
    uint8x16_t low = vcntq_u8(veorq_u8(vld1q_u8(x), vld1q_u8(y)));
    uint8x16_t high = vcntq_u8(veorq_u8(vld1q_u8(x + 16), vld1q_u8(y + 16)));
    return vaddlvq_u8(vaddq_u8(low, high));
}

static size_t neon_scan_keys(const struct index_key *keys, size_t count,
                             const struct index_key *query, unsigned radius,
                             uint32_t *out_positions)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        out_positions[found] = (uint32_t)i;
        found += neon_distance(&keys[i], query) <= radius;
    }
    return found;
}

/* 8 values as 16-bit ones where at most limit bits differ, narrowed to a byte each. */
static inline uint8x8_t neon_within(const uint16_t *values, uint16x8_t query, uint16x8_t limit)
{
    uint8x16_t bytes = vcntq_u8(vreinterpretq_u8_u16(veorq_u16(vld1q_u16(values), query)));
    return vmovn_u16(vcleq_u16(vpaddlq_u8(bytes), limit));
}

static size_t neon_scan_runs(struct index_runs *runs, struct index_survivor *out_survivors)
{
    size_t found = 0;
    for (; runs->next < runs->count; runs->next++) {
        struct index_run *run = &runs->runs[runs->next];
        prefetch_run(runs, runs->next + PREFETCH_RUNS);
        const uint16x8_t query = vdupq_n_u16(run->query);
        const uint16x8_t limit = vdupq_n_u16(run->limit);
        for (; run->begin < run->end; run->begin += 16) {
            if (found > INDEX_SURVIVORS_MAX - 16) {
                return found;
            }
            const uint16_t *values = run->values + run->begin;
            uint8x16_t near = vcombine_u8(neon_within(values, query, limit),
                                          neon_within(values + 8, query, limit));
            /* Four bits a value; one of them is kept. */
            uint64_t nibbles =
                vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(near), 4)), 0);
            if (nibbles != 0) {
                uint32_t bits = 0;
                for (unsigned lane = 0; lane < 16; lane++) {
                    bits |= (uint32_t)(nibbles >> 4 * lane & 1) << lane;
                }
                bits &= low_bits(run->end - run->begin);
                found += append_bits(bits, run->begin, runs->next, out_survivors + found);
            }
        }
    }
    return found;
}

static const struct index_kernels neon_kernels = {
    .name = "neon",
    .distance = neon_distance,
    .scan_keys = neon_scan_keys,
    .scan_runs = neon_scan_runs,
};

#endif

/* --- Choice ---------------------------------------------------------------------------------- */

const struct index_kernels *index_kernels_at(size_t rank)
{
    const struct index_kernels *known[3] = {&plain_kernels};
    size_t count = 1;
#if defined(__x86_64__)
    count = 0;
    if (__builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512bitalg") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("bmi2")) {
        known[count++] = &avx512_kernels;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt") &&
        __builtin_cpu_supports("bmi2")) {
        known[count++] = &avx2_kernels;
    }
    known[count++] = &plain_kernels;
#elif defined(__aarch64__)
    known[0] = &neon_kernels;
    known[1] = &plain_kernels;
    count = 2;
#endif
    return rank < count ? known[rank] : NULL;
}
