/* imprintd: wires the rooms together and decides nothing. */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "catalog.h"
#include "config.h"
#include "log.h"
#include "notify.h"
#include "pool.h"
#include "probe.h"
#include "quota.h"
#include "server.h"
#include "uids.h"

#define SETTINGS_MAX 64
#define EXIT_USAGE   2
#define PATH_BYTES   4096

struct options {
    const char *config_path; /* NULL: none */
    const char *settings[SETTINGS_MAX];
    size_t setting_count;
    const char *data_dir;
    bool is_check;
    bool is_print;
};

struct imprintd {
    const struct options *options;
    struct config config;
    struct pool *pool;
    struct catalog *catalog;
    struct quota *quota;
    struct probe *probe;
    struct api *api;
    struct server *server;
    pthread_t loader;
    bool has_loader;
    atomic_bool is_loaded;
    enum imprint_error load_error;
    char worker_path[PATH_BYTES];
};

/* --- Options ---------------------------------------------------------------------------------- */

static void print_help(void)
{
    (void)puts(
        "Usage: imprintd [OPTION]...\n"
        "Keep a list of image hashes and answer which uploads are on it.\n\n"
        "  --config FILE     read the configuration from FILE\n"
        "  --set KEY=VALUE   set one key; wins over the file; may come several times\n"
        "  --data-dir DIR    the same as --set data_dir=DIR\n"
        "  --check           check the configuration and exit\n"
        "  --print-config    print the configuration in force, explained, and exit\n"
        "  --version         print the version and exit\n"
        "  --help            print this and exit\n\n"
        "With --data-dir alone it needs neither root nor systemd: its sockets are then\n"
        "DIR/query.sock and DIR/admin.sock.\n"
        "SIGHUP reads the configuration again; SIGTERM finishes what is in flight and ends.\n\n"
        "Exit status: 0 ended as asked, 1 could not serve, 2 wrong usage or configuration.");
}

/* 0: go on; 1: done; 2: wrong usage. */
static int read_options(int argc, char **argv, struct options *out_options)
{
    enum { CONFIG = 256, SET, DATA_DIR, CHECK, PRINT, VERSION, HELP };
    static const struct option table[] = {
        {"config", required_argument, NULL, CONFIG},
        {"set", required_argument, NULL, SET},
        {"data-dir", required_argument, NULL, DATA_DIR},
        {"check", no_argument, NULL, CHECK},
        {"print-config", no_argument, NULL, PRINT},
        {"version", no_argument, NULL, VERSION},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (option) {
        case CONFIG: out_options->config_path = optarg; break;
        case DATA_DIR: out_options->data_dir = optarg; break;
        case CHECK: out_options->is_check = true; break;
        case PRINT: out_options->is_print = true; break;
        case SET:
            if (out_options->setting_count == SETTINGS_MAX) {
                return EXIT_USAGE;
            }
            out_options->settings[out_options->setting_count++] = optarg;
            break;
        case VERSION: (void)puts("imprintd " IMPRINT_VERSION); return 1;
        case HELP: print_help(); return 1;
        default: return EXIT_USAGE;
        }
    }
    return optind == argc ? 0 : EXIT_USAGE;
}

static enum imprint_error read_config(const struct options *options, struct config *out_config,
                                      char *problem)
{
    struct config config;
    config_default(&config);
    enum imprint_error error = IMPRINT_OK;
    if (options->config_path != NULL) {
        error = config_read_file(&config, options->config_path, problem);
    }
    for (size_t i = 0; i < options->setting_count && error == IMPRINT_OK; i++) {
        error = config_set_pair(&config, options->settings[i], problem);
    }
    if (error == IMPRINT_OK && options->data_dir != NULL) {
        error = config_set(&config, "data_dir", options->data_dir, problem);
    }
    if (error == IMPRINT_OK) {
        error = config_finish(&config, problem);
    }
    if (error == IMPRINT_OK) {
        *out_config = config;
    }
    return error;
}

/* --- Settings that may change while serving --------------------------------------------------- */

static enum api_distance distance_of(const struct config *config)
{
    switch ((enum config_distance)config->distance) {
    case CONFIG_DISTANCE_EXACT: return API_DISTANCE_EXACT;
    case CONFIG_DISTANCE_COARSE: return API_DISTANCE_COARSE;
    case CONFIG_DISTANCE_HIDDEN: return API_DISTANCE_HIDDEN;
    }
    return API_DISTANCE_HIDDEN;
}

static struct api_settings settings_of(const struct config *config)
{
    return (struct api_settings){.image_bytes_max = (size_t)config->image_bytes_max,
                                 .distance = distance_of(config),
                                 .is_probing_refused = config->probe_action == CONFIG_PROBE_REFUSE};
}

static struct quota_settings quotas_of(const struct config *config)
{
    return (struct quota_settings){
        .per_s = {(uint32_t)config->hashes_per_s, (uint32_t)config->images_per_s},
        .burst = {(uint32_t)config->hash_burst, (uint32_t)config->image_burst},
        .connections_max = (uint32_t)config->connections_per_uid_max,
    };
}

static void reload(struct imprintd *daemon)
{
    struct config next;
    char problem[CONFIG_PROBLEM_BYTES] = "";
    notify_send("RELOADING=1");
    if (read_config(daemon->options, &next, problem) != IMPRINT_OK) {
        log_error("main: configuration kept as it was: %s", problem);
    } else {
        const char *restart = config_reload(&daemon->config, &next);
        log_set_level((enum log_level)daemon->config.log_level);
        const struct api_settings settings = settings_of(&daemon->config);
        api_change_settings(daemon->api, &settings);
        const struct quota_settings quotas = quotas_of(&daemon->config);
        quota_change_settings(daemon->quota, &quotas);
        log_notice("main: configuration reloaded");
        if (restart != NULL) {
            log_warning("main: %s takes effect after a restart", restart);
        }
    }
    notify_send("READY=1");
}

/* --- Start ------------------------------------------------------------------------------------ */

/* Pictures pass through this process's memory: no core file, no ptrace by the same user. */
static void close_up(void)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)umask(0077);
}

/* Threads inherit the mask, so that signals come to main's loop alone. */
static void block_signals(sigset_t *out_signals)
{
    (void)sigemptyset(out_signals);
    (void)sigaddset(out_signals, SIGTERM);
    (void)sigaddset(out_signals, SIGINT);
    (void)sigaddset(out_signals, SIGHUP);
    (void)sigaddset(out_signals, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, out_signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Beside this executable, as in a build directory; else where it is installed. */
static void find_worker(const struct config *config, char *out_path, size_t size)
{
    if (config->worker_path[0] != '\0') {
        (void)snprintf(out_path, size, "%s", config->worker_path);
        return;
    }
    char self[PATH_BYTES - 32];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) {
        self[len] = '\0';
        char *slash = strrchr(self, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
        (void)snprintf(out_path, size, "%s/imprint-worker", self);
        if (access(out_path, X_OK) == 0) {
            return;
        }
    }
    (void)snprintf(out_path, size, "%s/imprint-worker", IMPRINT_LIBEXEC_DIR);
}

static enum imprint_error open_pool(struct imprintd *daemon)
{
    const struct config *config = &daemon->config;
    find_worker(config, daemon->worker_path, sizeof daemon->worker_path);
    /* Zero is the library's default. */
    const struct imprint_limits limits = {
        .bytes_max = (size_t)config->image_bytes_max,
        .width_max = (uint32_t)config->image_width_max,
        .height_max = (uint32_t)config->image_height_max,
        .pixels_max = config->image_pixels_max,
    };
    const struct pool_options options = {
        .worker_path = daemon->worker_path,
        .workers = (unsigned)config->workers,
        .queue_max = (unsigned)config->queue_max,
        .decode_timeout_ms = (unsigned)config->decode_timeout_ms,
        .limits = limits,
        .is_sandbox_required = config->sandbox == CONFIG_SANDBOX_REQUIRED,
    };
    return pool_open(&options, &daemon->pool);
}

static void *wait_loaded(void *arg)
{
    struct imprintd *daemon = arg;
    daemon->load_error = catalog_wait_ready(daemon->catalog);
    atomic_store(&daemon->is_loaded, true);
    (void)kill(getpid(), SIGUSR1);
    return NULL;
}

static enum imprint_error open_catalog(struct imprintd *daemon)
{
    const struct catalog_options options = {.data_dir = daemon->config.data_dir};
    enum imprint_error error = catalog_open(&options, &daemon->catalog);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (pthread_create(&daemon->loader, NULL, wait_loaded, daemon) != 0) {
        return IMPRINT_E_NOMEM;
    }
    daemon->has_loader = true;
    return IMPRINT_OK;
}

/* config_finish has read both sets before. */
static enum imprint_error open_guards(struct imprintd *daemon)
{
    struct uids exempt = {0};
    const struct quota_settings quotas = quotas_of(&daemon->config);
    if (!uids_read(daemon->config.quota_exempt_uids, &exempt)) {
        return IMPRINT_E_CONFIG_INVALID;
    }
    enum imprint_error error = quota_new(&quotas, &exempt, &daemon->quota);
    return error == IMPRINT_OK ? probe_new(&daemon->probe) : error;
}

static enum imprint_error open_api(struct imprintd *daemon)
{
    struct uids hash_query = {0};
    if (!uids_read(daemon->config.hash_query_uids, &hash_query)) {
        return IMPRINT_E_CONFIG_INVALID;
    }
    const struct api_options options = {
        .catalog = daemon->catalog,
        .pool = daemon->pool,
        .quota = daemon->quota,
        .probe = daemon->probe,
        .hash_query = &hash_query,
        .policy = (enum imprint_policy)daemon->config.policy,
        .version = IMPRINT_VERSION,
        .settings = settings_of(&daemon->config),
    };
    return api_new(&options, &daemon->api);
}

static void read_load(void *ctx, struct api_load *out_load)
{
    struct server_stats stats;
    server_stats(ctx, &stats);
    out_load->connections = stats.connections;
    out_load->body_memory_bytes = stats.body_memory_bytes;
}

/* Gives sockets handed over by the manager to the roles they are named after. */
static enum imprint_error adopt_sockets(struct server_socket *query, struct server_socket *admin)
{
    struct notify_socket handed[NOTIFY_SOCKETS_MAX];
    size_t count = notify_take_sockets(handed);
    for (size_t i = 0; i < count; i++) {
        struct server_socket *taker = strcmp(handed[i].name, "query") == 0   ? query
                                      : strcmp(handed[i].name, "admin") == 0 ? admin
                                                                             : NULL;
        if (taker == NULL || taker->fd >= 0) {
            log_error("main: a socket named '%s' was handed over; wanted are one query, one admin",
                      handed[i].name);
            return IMPRINT_E_CONFIG_INVALID;
        }
        taker->fd = handed[i].fd;
    }
    return IMPRINT_OK;
}

static enum imprint_error open_server(struct imprintd *daemon)
{
    const struct config *config = &daemon->config;
    struct server_socket sockets[] = {
        {HTTP_ROLE_QUERY, config->query_socket, (unsigned)config->query_socket_mode,
         config->query_socket_group, -1},
        {HTTP_ROLE_ADMIN, config->admin_socket, (unsigned)config->admin_socket_mode,
         config->admin_socket_group, -1},
    };
    enum imprint_error error = adopt_sockets(&sockets[0], &sockets[1]);
    if (error != IMPRINT_OK) {
        return error;
    }
    const struct server_options options = {
        .sockets = sockets,
        .socket_count = sizeof sockets / sizeof sockets[0],
        .threads = (unsigned)config->threads,
        .head_timeout_ms = (unsigned)config->head_timeout_ms,
        .body_timeout_ms = (unsigned)config->body_timeout_ms,
        .idle_timeout_ms = (unsigned)config->idle_timeout_ms,
        .connections_max = (unsigned)config->connections_max,
        .body_memory_bytes_max = (size_t)config->body_memory_bytes_max,
        .quota = daemon->quota,
        .handler = api_handler(daemon->api),
    };
    error = server_open(&options, &daemon->server);
    if (error == IMPRINT_OK) {
        api_watch_load(daemon->api, read_load, daemon->server);
    }
    return error;
}

/* Workers first: they start from a process that holds no list yet. */
static enum imprint_error start(struct imprintd *daemon)
{
    enum imprint_error error = open_pool(daemon);
    if (error == IMPRINT_OK) {
        error = open_catalog(daemon);
    }
    if (error == IMPRINT_OK) {
        error = open_guards(daemon);
    }
    if (error == IMPRINT_OK) {
        error = open_api(daemon);
    }
    if (error == IMPRINT_OK) {
        error = open_server(daemon);
    }
    return error;
}

/* --- Life ------------------------------------------------------------------------------------- */

static enum imprint_error say_loaded(struct imprintd *daemon)
{
    if (daemon->load_error != IMPRINT_OK) {
        log_error("main: the list cannot be served: %s", imprint_error_text(daemon->load_error));
        return daemon->load_error;
    }
    struct catalog_status status;
    catalog_status(daemon->catalog, &status);
    log_notice("main: ready: %llu entries in %u lists", (unsigned long long)status.entries,
               status.lists);
    notify_send("READY=1");
    return IMPRINT_OK;
}

static enum imprint_error serve(struct imprintd *daemon, const sigset_t *signals)
{
    bool is_told = false;
    for (;;) {
        int number = sigwaitinfo(signals, NULL);
        if (number == SIGTERM || number == SIGINT) {
            return IMPRINT_OK;
        }
        if (number == SIGHUP) {
            reload(daemon);
        }
        if (number == SIGUSR1 && !is_told && atomic_load(&daemon->is_loaded)) {
            is_told = true;
            enum imprint_error error = say_loaded(daemon);
            if (error != IMPRINT_OK) {
                return error;
            }
        }
    }
}

/* The order matters: no more requests, then no more pictures, then no more changes. */
static void finish(struct imprintd *daemon)
{
    notify_send("STOPPING=1");
    if (daemon->server != NULL) {
        server_drain(daemon->server, (unsigned)daemon->config.drain_timeout_ms);
    }
    pool_close(daemon->pool);
    server_close(daemon->server);
    api_free(daemon->api);
    probe_free(daemon->probe);
    quota_free(daemon->quota);
    if (daemon->has_loader) {
        (void)pthread_join(daemon->loader, NULL);
    }
    catalog_close(daemon->catalog);
}

static int run(const struct options *options, const struct config *config)
{
    struct imprintd *daemon = calloc(1, sizeof *daemon);
    if (daemon == NULL) {
        return EXIT_FAILURE;
    }
    daemon->options = options;
    daemon->config = *config;
    log_set_level((enum log_level)config->log_level);
    sigset_t signals;
    block_signals(&signals);
    close_up();
    enum imprint_error error = start(daemon);
    if (error == IMPRINT_OK) {
        error = serve(daemon, &signals);
    } else {
        log_error("main: cannot start: %s", imprint_error_text(error));
    }
    finish(daemon);
    free(daemon);
    log_notice("main: ended");
    return error == IMPRINT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int outcome = read_options(argc, argv, &options);
    if (outcome == EXIT_USAGE) {
        (void)fputs("imprintd: wrong usage, see imprintd --help\n", stderr);
        return EXIT_USAGE;
    }
    if (outcome != 0) {
        return EXIT_SUCCESS;
    }
    struct config config;
    char problem[CONFIG_PROBLEM_BYTES] = "";
    if (read_config(&options, &config, problem) != IMPRINT_OK) {
        (void)fprintf(stderr, "imprintd: %s\n", problem);
        return EXIT_USAGE;
    }
    if (options.is_print) {
        config_print(&config, true, stdout);
        return EXIT_SUCCESS;
    }
    return options.is_check ? EXIT_SUCCESS : run(&options, &config);
}
