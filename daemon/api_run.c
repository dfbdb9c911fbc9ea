/* A few threads for what may wait for the disk. */
#include <stdlib.h>

#include "api_impl.h"

static void *run(void *arg)
{
    struct api_runner *runner = arg;
    (void)pthread_mutex_lock(&runner->lock);
    for (;;) {
        while (runner->first == NULL && !runner->is_ending) {
            (void)pthread_cond_wait(&runner->changed, &runner->lock);
        }
        struct api_task *task = runner->first;
        if (task == NULL) {
            break;
        }
        runner->first = task->next;
        if (runner->first == NULL) {
            runner->last = NULL;
        }
        runner->count--;
        (void)pthread_mutex_unlock(&runner->lock);
        task->run(task);
        (void)pthread_mutex_lock(&runner->lock);
    }
    (void)pthread_mutex_unlock(&runner->lock);
    return NULL;
}

enum imprint_error api_runner_start(struct api_runner *runner)
{
    (void)pthread_mutex_init(&runner->lock, NULL);
    (void)pthread_cond_init(&runner->changed, NULL);
    while (runner->thread_count < LIMIT_CHANGE_THREADS) {
        if (pthread_create(&runner->threads[runner->thread_count], NULL, run, runner) != 0) {
            return IMPRINT_E_NOMEM;
        }
        runner->thread_count++;
    }
    return IMPRINT_OK;
}

void api_runner_stop(struct api_runner *runner)
{
    (void)pthread_mutex_lock(&runner->lock);
    runner->is_ending = true;
    (void)pthread_cond_broadcast(&runner->changed);
    (void)pthread_mutex_unlock(&runner->lock);
    for (size_t i = 0; i < runner->thread_count; i++) {
        (void)pthread_join(runner->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&runner->changed);
    (void)pthread_mutex_destroy(&runner->lock);
}

bool api_runner_add(struct api_runner *runner, struct api_task *task, size_t count_max)
{
    (void)pthread_mutex_lock(&runner->lock);
    bool has_room = count_max == 0 || runner->count < count_max;
    if (has_room) {
        task->next = NULL;
        if (runner->last == NULL) {
            runner->first = task;
        } else {
            runner->last->next = task;
        }
        runner->last = task;
        runner->count++;
        (void)pthread_cond_signal(&runner->changed);
    }
    (void)pthread_mutex_unlock(&runner->lock);
    return has_room;
}
