#include "index_readers.h"

#include <assert.h>
#include <sched.h>

void index_readers_init(struct index_readers *readers)
{
    for (size_t i = 0; i < INDEX_READERS_STRIPES; i++) {
        atomic_init(&readers->counters[0][i].count, 0);
        atomic_init(&readers->counters[1][i].count, 0);
    }
    atomic_init(&readers->phase, 0);
    int failed = pthread_mutex_init(&readers->waiting, NULL);
    assert(failed == 0);
}

void index_readers_done(struct index_readers *readers)
{
    pthread_mutex_destroy(&readers->waiting);
}

atomic_size_t *index_readers_enter(struct index_readers *readers)
{
    int processor = sched_getcpu();
    size_t stripe = processor < 0 ? 0 : (size_t)processor % INDEX_READERS_STRIPES;
    unsigned phase = atomic_load(&readers->phase) & 1;
    atomic_size_t *counter = &readers->counters[phase][stripe].count;
    atomic_fetch_add(counter, 1);
    return counter;
}

void index_readers_leave(atomic_size_t *counter)
{
    atomic_fetch_sub_explicit(counter, 1, memory_order_release);
}

void index_readers_wait(struct index_readers *readers)
{
    pthread_mutex_lock(&readers->waiting);
    for (unsigned round = 0; round < 2; round++) {
        unsigned left = atomic_fetch_xor(&readers->phase, 1) & 1;
        for (size_t i = 0; i < INDEX_READERS_STRIPES; i++) {
            while (atomic_load(&readers->counters[left][i].count) != 0) {
                sched_yield();
            }
        }
    }
    pthread_mutex_unlock(&readers->waiting);
}
