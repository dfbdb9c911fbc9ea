#include "index_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

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

static const struct index_kernels plain_kernels = {
    .name = "portable",
    .distance = plain_distance,
    .scan_keys = plain_scan_keys,
};

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

static const struct index_kernels avx2_kernels = {
    .name = "avx2",
    .distance = avx2_distance,
    .scan_keys = avx2_scan_keys,
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

static const struct index_kernels avx512_kernels = {
    .name = "avx512",
    .distance = avx2_distance,
    .scan_keys = avx512_scan_keys,
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

static const struct index_kernels neon_kernels = {
    .name = "neon",
    .distance = neon_distance,
    .scan_keys = neon_scan_keys,
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
