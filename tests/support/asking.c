#include "asking.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
    struct pool_answer answer;
};

static void note(void *ctx, const struct pool_answer *answer)
{
    struct waiting *waiting = ctx;
    pthread_mutex_lock(&waiting->lock);
    waiting->answer = *answer;
    waiting->is_done = true;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

struct pool_answer ask_pool(struct pool *pool, const void *bytes, size_t len, unsigned views)
{
    struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, {0}};
    const struct pool_job job = {.bytes = bytes,
                                 .len = len,
                                 .views = views,
                                 .policy = IMPRINT_POLICY_EXACT,
                                 .done = note,
                                 .ctx = &waiting};
    const enum imprint_error error = pool_submit(pool, &job);
    if (error != IMPRINT_OK) {
        return (struct pool_answer){.error = error};
    }
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.is_done) {
        pthread_cond_wait(&waiting.changed, &waiting.lock);
    }
    pthread_mutex_unlock(&waiting.lock);
    return waiting.answer;
}

struct pool *ask_open_pool(const char *worker_path, unsigned workers, unsigned worker_pictures)
{
    const struct pool_options options = {.worker_path = worker_path,
                                         .workers = workers,
                                         .queue_max = 64,
                                         .decode_timeout_ms = 2000,
                                         .is_sandbox_required = true,
                                         .worker_pictures = worker_pictures};
    struct pool *pool = NULL;
    return pool_open(&options, &pool) == IMPRINT_OK ? pool : NULL;
}

static pid_t parent_of(const char *pid)
{
    char path[300];
    char line[512] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    const char *after = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    fclose(file);
    /* ") S 123": state, parent */
    return after != NULL && strlen(after) > 4 ? (pid_t)strtol(after + 4, NULL, 10) : 0;
}

pid_t ask_worker_pid(void)
{
    pid_t found = 0;
    unsigned count = 0;
    DIR *processes = opendir("/proc");
    if (processes == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            parent_of(entry->d_name) == getpid()) {
            found = (pid_t)strtol(entry->d_name, NULL, 10);
            count++;
        }
    }
    closedir(processes);
    return count == 1 ? found : 0;
}
