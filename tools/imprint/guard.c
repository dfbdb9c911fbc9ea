#include "guard.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Locks all memory where that cannot make an allocation fail later: root and those without a
 * limit. Everybody else has the limit raised as far as it goes; files and codes are then locked
 * one by one. */
static void guard_lock_memory(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_max == RLIM_INFINITY) {
        (void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    }
}

bool guard_enter(void)
{
    const struct rlimit none = {0, 0};
    umask(S_IRWXG | S_IRWXO);
    if (setrlimit(RLIMIT_CORE, &none) != 0) {
        return false;
    }
#ifndef IMPRINT_SANITIZED
    /* The leak checker attaches as a debugger does, so it could not run. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return false;
    }
    guard_lock_memory();
#else
    (void)guard_lock_memory;
#endif
    return true;
}
