/* The listening sockets: handed over by systemd, or made here. A socket file is replaced only when
 * nobody listens on it. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "server_impl.h"

#define BACKLOG 4096

static int fail(const char *path, const char *what)
{
    log_error("server: %s: %s: %s", path, what, strerror(errno));
    return -1;
}

static bool is_listened_on(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return true;
    }
    int result = connect(fd, (const struct sockaddr *)address, sizeof *address);
    /* A full backlog (EAGAIN) has a listener too; whatever is not a plain refusal is left alone. */
    bool is_alive = result == 0 || errno != ECONNREFUSED;
    (void)close(fd);
    return is_alive;
}

/* Takes a stale socket file away. */
static int clear_path(const struct sockaddr_un *address)
{
    const char *path = address->sun_path;
    struct stat status;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? 0 : fail(path, "cannot be looked at");
    }
    if (!S_ISSOCK(status.st_mode)) {
        log_error("server: %s: exists and is not a socket", path);
        return -1;
    }
    if (is_listened_on(address)) {
        log_error("server: %s: another process listens there", path);
        return -1;
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return fail(path, "cannot remove the stale socket");
    }
    return 0;
}

static int set_group(const char *path, const char *name)
{
    char buffer[4096];
    struct group group;
    struct group *found = NULL;
    int error = getgrnam_r(name, &group, buffer, sizeof buffer, &found);
    if (error != 0 || found == NULL) {
        log_error("server: %s: there is no group '%s'", path, name);
        return -1;
    }
    if (chown(path, (uid_t)-1, found->gr_gid) != 0) {
        return fail(path, "cannot set the group");
    }
    return 0;
}

/* The file first belongs to its owner alone and opens up when everything is in place. */
static int bind_path(int fd, const struct sockaddr_un *address, const struct server_socket *options)
{
    const char *path = address->sun_path;
    if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        return fail(path, "cannot bind");
    }
    if (options->group != NULL && options->group[0] != '\0' &&
        set_group(path, options->group) != 0) {
        return -1;
    }
    if (chmod(path, options->mode & 0777) != 0) {
        return fail(path, "cannot set the mode");
    }
    if (listen(fd, BACKLOG) != 0) {
        return fail(path, "cannot listen");
    }
    return 0;
}

static enum imprint_error make_socket(const struct server_socket *options,
                                      struct listener *listener)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(options->path);
    if (len == 0 || len >= sizeof address.sun_path) {
        log_error("server: %s: a socket's path has 1 to %zu bytes", options->path,
                  sizeof address.sun_path - 1);
        return IMPRINT_E_IO;
    }
    memcpy(address.sun_path, options->path, len + 1);
    if (clear_path(&address) != 0) {
        return IMPRINT_E_IO;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        (void)fail(options->path, "cannot make a socket");
        return IMPRINT_E_IO;
    }
    char *path = strdup(options->path);
    struct stat status = {0};
    if (path == NULL || bind_path(fd, &address, options) != 0 || lstat(path, &status) != 0) {
        enum imprint_error error = path == NULL ? IMPRINT_E_NOMEM : IMPRINT_E_IO;
        free(path);
        (void)close(fd);
        return error;
    }
    listener->fd = fd;
    listener->path = path;
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    return IMPRINT_OK;
}

static enum imprint_error adopt_socket(int fd, struct listener *listener)
{
    int is_listening = 0;
    socklen_t len = sizeof is_listening;
    int flags = fcntl(fd, F_GETFL);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0 || !is_listening ||
        flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        log_error("server: descriptor %d is not a listening socket", fd);
        return IMPRINT_E_IO;
    }
    listener->fd = fd;
    return IMPRINT_OK;
}

enum imprint_error server_socket_open(const struct server_socket *socket, struct listener *listener)
{
    listener->fd = -1;
    listener->role = socket->role;
    return socket->fd >= 0 ? adopt_socket(socket->fd, listener) : make_socket(socket, listener);
}

void server_socket_remove(struct listener *listener)
{
    struct stat status;
    if (listener->path != NULL && lstat(listener->path, &status) == 0 &&
        status.st_dev == listener->device && status.st_ino == listener->inode) {
        (void)unlink(listener->path);
    }
    free(listener->path);
    listener->path = NULL;
}
