/* guard.h - what the companion does to itself before it sees anything private.
 *
 * Why:     what it holds in memory must not reach a core file, another program's debugger or, as
 *          far as the system allows, swap.
 * Threads: one, at the start.
 */
#ifndef IMPRINT_GUARD_H
#define IMPRINT_GUARD_H

#include <stdbool.h>

/* False when core files cannot be switched off: then nothing private should be opened. */
bool guard_enter(void);

#endif
