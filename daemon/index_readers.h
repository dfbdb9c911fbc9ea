/* index_readers.h - who is reading, so that what was replaced is freed neither too early nor under
 * a lock.
 *
 * Private to the index. A reader adds one to a counter, loads the pointer to what it reads, and
 * takes the one away when it is done: two atomic additions, no loop, no lock, no registration.
 * Whoever replaced the pointer calls index_readers_wait before it frees the old target.
 *
 * Why that is enough. All operations named here are sequentially consistent. A reader that got the
 * old pointer loaded it before it was replaced, so its increment came before the replacement too.
 * A counter is never below the number of readers that stand in it. So when each counter has been
 * seen at zero once, at any time after the replacement, every reader of the old target has left;
 * the decrement (release) and the zero seen (acquire) order its reads before the freeing.
 *
 * Why it ends. New readers could keep a counter above zero for ever. Therefore there are two sets
 * of counters and a phase that says which one newcomers take: the waiter turns them away from one
 * set, waits until it is empty, then does the same with the other. Only the readers of that moment
 * are waited for. Several stripes a set, chosen by processor, keep readers off each other's cache
 * lines; which one a reader takes matters for speed only.
 */
#ifndef DAEMON_INDEX_READERS_H
#define DAEMON_INDEX_READERS_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

#define INDEX_READERS_STRIPES 16

struct index_readers_counter {
    alignas(64) atomic_size_t count;
};

struct index_readers {
    struct index_readers_counter counters[2][INDEX_READERS_STRIPES];
    atomic_uint phase;
    pthread_mutex_t waiting; /* one waiter at a time turns the phase */
};

void index_readers_init(struct index_readers *readers);
void index_readers_done(struct index_readers *readers);

/* Before the pointer is loaded. What it returns goes to _leave. */
atomic_size_t *index_readers_enter(struct index_readers *readers);
void index_readers_leave(atomic_size_t *counter);

/* Returns when all readers that entered before the call have left. Yields meanwhile. */
void index_readers_wait(struct index_readers *readers);

#endif
