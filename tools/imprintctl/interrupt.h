/* interrupt.h - Ctrl-C between two steps rather than within one.
 *
 * Why:     what an interrupted import or fetch has done is then counted and told.
 * Threads: one. A second signal ends the program at once.
 */
#ifndef IMPRINTCTL_INTERRUPT_H
#define IMPRINTCTL_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM are remembered. */
void interrupt_watch(void);
bool interrupt_came(void);

#endif
