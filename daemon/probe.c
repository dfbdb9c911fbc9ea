#include "probe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

#define WORDS (IMPRINT_HASH_BITS / 64)

struct bits {
    uint64_t words[WORDS];
};

struct run {
    unsigned hash_count; /* kept ones that belong to it; 0: free */
    uint64_t began_ms;
    unsigned odd_steps;
    unsigned fine_steps;
    struct bits odd;  /* turned by odd steps */
    struct bits fine; /* turned by fine steps */
    bool is_probing;
};

struct kept {
    struct bits hash;
    uint16_t run;
    bool is_match;
};

/* There are as many runs as hashes, so one is always free for a hash that replaces another. */
struct peer {
    uint32_t uid;
    uint64_t seen_ms;
    unsigned count;
    unsigned next; /* to be replaced, once count is full */
    struct kept kept[PROBE_HASHES];
    struct run runs[PROBE_HASHES];
};

struct probe {
    atomic_uint peer_count; /* none yet: nothing to look up for who matches nothing */
    pthread_mutex_t lock;
    struct peer *peers[PROBE_UIDS_MAX];
};

enum imprint_error probe_new(struct probe **out_probe)
{
    struct probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL) {
        return IMPRINT_E_NOMEM;
    }
    (void)pthread_mutex_init(&probe->lock, NULL);
    *out_probe = probe;
    return IMPRINT_OK;
}

void probe_free(struct probe *probe)
{
    if (probe == NULL) {
        return;
    }
    for (size_t i = 0; i < PROBE_UIDS_MAX; i++) {
        if (probe->peers[i] != NULL) {
            explicit_bzero(probe->peers[i], sizeof *probe->peers[i]);
            free(probe->peers[i]);
        }
    }
    (void)pthread_mutex_destroy(&probe->lock);
    free(probe);
}

/* --- Bits ------------------------------------------------------------------------------------- */

static unsigned count_bits(const struct bits *bits)
{
    unsigned count = 0;
    for (size_t i = 0; i < WORDS; i++) {
        count += (unsigned)__builtin_popcountll(bits->words[i]);
    }
    return count;
}

static struct bits difference(const struct bits *a, const struct bits *b)
{
    struct bits bits;
    for (size_t i = 0; i < WORDS; i++) {
        bits.words[i] = a->words[i] ^ b->words[i];
    }
    return bits;
}

static void add_bits(struct bits *bits, const struct bits *more)
{
    for (size_t i = 0; i < WORDS; i++) {
        bits->words[i] |= more->words[i];
    }
}

/* --- Peers ------------------------------------------------------------------------------------ */

/* NULL: not known, and not to be made, or no memory to. */
static struct peer *find_peer(struct probe *probe, uint32_t uid, bool may_make)
{
    const unsigned count = atomic_load_explicit(&probe->peer_count, memory_order_relaxed);
    size_t silent = 0;
    for (size_t i = 0; i < count; i++) {
        if (probe->peers[i]->uid == uid) {
            return probe->peers[i];
        }
        if (probe->peers[i]->seen_ms < probe->peers[silent]->seen_ms) {
            silent = i;
        }
    }
    if (!may_make) {
        return NULL;
    }
    struct peer *peer = NULL;
    if (count == PROBE_UIDS_MAX) {
        peer = probe->peers[silent];
        explicit_bzero(peer, sizeof *peer);
    } else {
        peer = calloc(1, sizeof *peer);
        if (peer == NULL) {
            return NULL;
        }
        probe->peers[count] = peer;
        atomic_store(&probe->peer_count, count + 1);
    }
    peer->uid = uid;
    return peer;
}

/* --- Hashes and runs -------------------------------------------------------------------------- */

struct nearest {
    unsigned distance; /* of any kept hash; over LIMIT_PROBE_NEAR_BITS: none is near */
    const struct kept *kept;
    bool is_near_match; /* one that matched is near */
};

static struct nearest find_nearest(const struct peer *peer, const struct bits *hash)
{
    struct nearest nearest = {.distance = LIMIT_PROBE_NEAR_BITS + 1};
    for (size_t i = 0; i < peer->count; i++) {
        const struct kept *kept = &peer->kept[i];
        /* Most are far away in their first quarter already. */
        if (__builtin_popcountll(kept->hash.words[0] ^ hash->words[0]) > LIMIT_PROBE_NEAR_BITS) {
            continue;
        }
        const struct bits turned = difference(&kept->hash, hash);
        const unsigned distance = count_bits(&turned);
        if (distance <= LIMIT_PROBE_NEAR_BITS) {
            nearest.is_near_match = nearest.is_near_match || kept->is_match;
            if (distance < nearest.distance) {
                nearest.distance = distance;
                nearest.kept = kept;
            }
        }
    }
    return nearest;
}

static uint16_t begin_run(struct peer *peer, uint64_t now_ms)
{
    uint16_t i = 0;
    while (peer->runs[i].hash_count > 0) {
        i++;
    }
    peer->runs[i] = (struct run){.began_ms = now_ms};
    return i;
}

/* run: PROBE_HASHES for one of its own. */
static void keep(struct peer *peer, const struct bits *hash, uint16_t run, bool is_match,
                 uint64_t now_ms)
{
    struct kept *kept = &peer->kept[peer->next];
    if (run < PROBE_HASHES) {
        peer->runs[run].hash_count++;
    }
    if (peer->count == PROBE_HASHES) {
        peer->runs[kept->run].hash_count--;
    } else {
        peer->count++;
    }
    if (run == PROBE_HASHES) {
        run = begin_run(peer, now_ms);
        peer->runs[run].hash_count++;
    }
    *kept = (struct kept){.hash = *hash, .run = run, .is_match = is_match};
    peer->next = (peer->next + 1) % PROBE_HASHES;
}

static bool is_probing(const struct run *run)
{
    const bool is_odd = run->odd_steps >= LIMIT_PROBE_STEPS;
    const bool is_fine =
        run->fine_steps >= LIMIT_PROBE_STEPS && run->fine_steps <= LIMIT_PROBE_FINE_STEPS_MAX;
    return (is_odd && count_bits(&run->odd) >= LIMIT_PROBE_ODD_BITS) ||
           (is_fine && count_bits(&run->fine) >= LIMIT_PROBE_FINE_BITS);
}

static enum probe_verdict step(struct run *run, const struct bits *turned, unsigned distance,
                               uint64_t now_ms)
{
    if (now_ms - run->began_ms > LIMIT_PROBE_FORGET_MS) {
        *run = (struct run){.hash_count = run->hash_count, .began_ms = now_ms};
    }
    if (run->is_probing) {
        return PROBE_PROBING;
    }
    if (distance % 2 == 1) {
        run->odd_steps++;
        add_bits(&run->odd, turned);
    }
    if (distance <= LIMIT_PROBE_FINE_STEP) {
        run->fine_steps++;
        add_bits(&run->fine, turned);
    }
    run->is_probing = is_probing(run);
    return run->is_probing ? PROBE_FOUND : PROBE_ORDINARY;
}

static enum probe_verdict judge(struct peer *peer, const struct bits *hash, bool is_match,
                                uint64_t now_ms)
{
    const struct nearest nearest = find_nearest(peer, hash);
    if (nearest.distance == 0) {
        return PROBE_ORDINARY; /* the same question has the same answer: nothing is learnt */
    }
    if (nearest.kept == NULL) {
        if (is_match) {
            keep(peer, hash, PROBE_HASHES, true, now_ms);
        }
        return PROBE_ORDINARY;
    }
    const uint16_t run = nearest.kept->run;
    const struct bits turned = difference(&nearest.kept->hash, hash);
    if (is_match || nearest.is_near_match) {
        const enum probe_verdict verdict =
            step(&peer->runs[run], &turned, nearest.distance, now_ms);
        /* A step that may be refused is not kept, or asking it again would be "the same". */
        if (verdict == PROBE_ORDINARY) {
            keep(peer, hash, run, is_match, now_ms);
        }
        return verdict;
    }
    return PROBE_ORDINARY;
}

enum probe_verdict probe_judge(struct probe *probe, uint32_t uid, const struct imprint_hash *hash,
                               bool is_match, uint64_t now_ms)
{
    if (!is_match && atomic_load_explicit(&probe->peer_count, memory_order_relaxed) == 0) {
        return PROBE_ORDINARY;
    }
    struct bits bits;
    memcpy(bits.words, hash->bytes, sizeof bits.words);
    enum probe_verdict verdict = PROBE_ORDINARY;
    (void)pthread_mutex_lock(&probe->lock);
    struct peer *peer = find_peer(probe, uid, is_match);
    if (peer != NULL) {
        peer->seen_ms = now_ms;
        verdict = judge(peer, &bits, is_match, now_ms);
    }
    (void)pthread_mutex_unlock(&probe->lock);
    return verdict;
}
