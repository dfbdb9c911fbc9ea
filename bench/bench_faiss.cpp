#include "bench_faiss.h"

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHash.h>
#include <faiss/IndexIDMap.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <memory>
#include <omp.h>
#include <vector>

/* Its name moved between releases. */
using idx = decltype(faiss::IndexBinary::ntotal);

struct bench_faiss {
    std::unique_ptr<faiss::IndexBinary> inner;
    std::unique_ptr<faiss::IndexBinaryIDMap2> outer;
    faiss::IndexBinaryMultiHash *multi = nullptr;
};

struct bench_faiss *bench_faiss_new(int is_multi_hash, const uint8_t *hashes, size_t count)
{
    omp_set_num_threads(1);
    auto faiss = std::make_unique<bench_faiss>();
    if (is_multi_hash) {
        auto multi = std::make_unique<faiss::IndexBinaryMultiHash>(256, 16, 16);
        faiss->multi = multi.get();
        faiss->inner = std::move(multi);
    } else {
        faiss->inner = std::make_unique<faiss::IndexBinaryFlat>(256);
    }
    faiss->outer = std::make_unique<faiss::IndexBinaryIDMap2>(faiss->inner.get());
    std::vector<idx> ids(count);
    for (size_t i = 0; i < count; i++) {
        ids[i] = static_cast<idx>(i);
    }
    faiss->outer->add_with_ids(static_cast<idx>(count), hashes, ids.data());
    return faiss.release();
}

void bench_faiss_free(struct bench_faiss *faiss)
{
    delete faiss;
}

size_t bench_faiss_search(struct bench_faiss *faiss, const uint8_t *hash, unsigned threshold,
                          uint64_t *out_entries, size_t capacity)
{
    if (faiss->multi != nullptr) {
        faiss->multi->nflip = static_cast<int>(threshold / 16);
    }
    faiss::RangeSearchResult result(1);
    faiss->outer->range_search(1, hash, static_cast<int>(threshold) + 1, &result);
    size_t count = result.lims[1];
    for (size_t i = 0; i < count && i < capacity; i++) {
        out_entries[i] = static_cast<uint64_t>(result.labels[i]);
    }
    return count;
}
