#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupt_seen;

static void interrupt_remember(int signal_number)
{
    (void)signal_number;
    interrupt_seen = 1;
}

void interrupt_watch(void)
{
    struct sigaction action = {.sa_handler = interrupt_remember, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_came(void)
{
    return interrupt_seen != 0;
}
