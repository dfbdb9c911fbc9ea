/* bench_faiss.h - FAISS as its users configure it, behind C. Benchmarks only. */
#ifndef BENCH_FAISS_H
#define BENCH_FAISS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_faiss;

/* IndexBinaryFlat, or IndexBinaryMultiHash(256, 16, 16) behind IndexBinaryIDMap2 as in Meta's
 * matcher; one thread. hashes: 32 bytes each. */
struct bench_faiss *bench_faiss_new(int is_multi_hash, const uint8_t *hashes, size_t count);
void bench_faiss_free(struct bench_faiss *faiss);

/* Entries within threshold of one hash: at most capacity of their numbers, and how many there are.
 */
size_t bench_faiss_search(struct bench_faiss *faiss, const uint8_t *hash, unsigned threshold,
                          uint64_t *out_entries, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
