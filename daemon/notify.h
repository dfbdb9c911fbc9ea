/* notify.h - the service manager's two conventions: readiness told, sockets handed over.
 *
 * Source:  sd_notify(3) and sd_listen_fds(3) describe the protocol; it is small enough to do
 * without the library. Threads: main only.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stddef.h>

#define NOTIFY_SOCKETS_MAX 16
#define NOTIFY_NAME_BYTES  32

/* Sends a state such as "READY=1" to the manager, if there is one. */
void notify_send(const char *state);

struct notify_socket {
    int fd; /* close-on-exec is set */
    char name[NOTIFY_NAME_BYTES];
};

/* The sockets handed over to this process, at most NOTIFY_SOCKETS_MAX, and takes the variables out
 * of the environment. Returns their count. */
size_t notify_take_sockets(struct notify_socket out_sockets[NOTIFY_SOCKETS_MAX]);

#endif
