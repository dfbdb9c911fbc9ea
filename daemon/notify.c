#include "notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path == NULL ? 0 : strlen(path);
    if (len < 2 || len >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    /* A manager that does not listen is no reason to do anything else. */
    ssize_t ignored = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                             (const struct sockaddr *)&address, address_len);
    (void)ignored;
    (void)close(fd);
}

static unsigned long number_in(const char *name)
{
    const char *text = getenv(name);
    return text == NULL ? 0 : strtoul(text, NULL, 10);
}

/* Copies the name that stands before the next colon; returns what follows. */
static const char *take_name(const char *names, char *out_name)
{
    size_t len = strcspn(names, ":");
    (void)snprintf(out_name, NOTIFY_NAME_BYTES, "%.*s",
                   (int)(len < NOTIFY_NAME_BYTES ? len : NOTIFY_NAME_BYTES - 1), names);
    return names[len] == ':' ? names + len + 1 : names + len;
}

size_t notify_take_sockets(struct notify_socket out_sockets[NOTIFY_SOCKETS_MAX])
{
    unsigned long pid = number_in("LISTEN_PID");
    unsigned long count = number_in("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    if (pid != (unsigned long)getpid() || count == 0) {
        return 0;
    }
    if (count > NOTIFY_SOCKETS_MAX) {
        count = NOTIFY_SOCKETS_MAX;
    }
    names = names == NULL ? "" : names;
    for (unsigned long i = 0; i < count; i++) {
        out_sockets[i].fd = FIRST_FD + (int)i;
        (void)fcntl(out_sockets[i].fd, F_SETFD, FD_CLOEXEC);
        names = take_name(names, out_sockets[i].name);
    }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
    return count;
}
