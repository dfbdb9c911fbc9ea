/* config.h - the daemon's configuration: one table of keys, and everything that reads the table.
 *
 * Why:       a key exists in one place, with its type, range, default, unit and help; the parser,
 *            --print-config, --help and the documents' tests all read that table.
 * File:      lines "key = value"; # starts a comment line; later sources (--set) win over the file,
 *            a key twice in one file is an error.
 * Ownership: struct config is plain data of fixed size.
 * Threads:   none; main keeps the one that is in force.
 * Errors:    IMPRINT_E_CONFIG_INVALID with a sentence that names file, line, key and what is
 *            allowed; IMPRINT_E_IO when the file cannot be read. The config is unchanged then.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "imprint/error.h"

#define CONFIG_TEXT_BYTES    1024
#define CONFIG_PROBLEM_BYTES 512

enum config_distance {
    CONFIG_DISTANCE_EXACT,
    CONFIG_DISTANCE_COARSE, /* rounded up to multiples of 8 bits */
    CONFIG_DISTANCE_HIDDEN,
};

enum config_sandbox {
    CONFIG_SANDBOX_REQUIRED,
    CONFIG_SANDBOX_OPTIONAL,
};

enum config_probe_action {
    CONFIG_PROBE_LOG,
    CONFIG_PROBE_REFUSE,
};

struct config {
    char data_dir[CONFIG_TEXT_BYTES];
    char query_socket[CONFIG_TEXT_BYTES];
    uint64_t query_socket_mode;
    char query_socket_group[CONFIG_TEXT_BYTES];
    char admin_socket[CONFIG_TEXT_BYTES];
    uint64_t admin_socket_mode;
    char admin_socket_group[CONFIG_TEXT_BYTES];
    uint64_t threads;

    uint64_t workers;
    char worker_path[CONFIG_TEXT_BYTES];
    uint64_t sandbox; /* enum config_sandbox */
    uint64_t policy;  /* enum imprint_policy */
    uint64_t queue_max;
    uint64_t decode_timeout_ms;

    uint64_t head_timeout_ms;
    uint64_t body_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t drain_timeout_ms;
    uint64_t connections_max;
    uint64_t connections_per_uid_max;
    uint64_t body_memory_bytes_max;

    uint64_t image_bytes_max;
    uint64_t image_width_max;
    uint64_t image_height_max;
    uint64_t image_pixels_max;

    char hash_query_uids[CONFIG_TEXT_BYTES];   /* as uids_read takes it */
    char quota_exempt_uids[CONFIG_TEXT_BYTES]; /* likewise */
    uint64_t hashes_per_s;
    uint64_t hash_burst;
    uint64_t images_per_s;
    uint64_t image_burst;
    uint64_t probe_action; /* enum config_probe_action */

    uint64_t distance;  /* enum config_distance */
    uint64_t log_level; /* enum log_level */
};

enum config_type {
    CONFIG_TYPE_TEXT,
    CONFIG_TYPE_NUMBER,
    CONFIG_TYPE_BYTES,  /* a number; K, M or G may follow */
    CONFIG_TYPE_MODE,   /* octal */
    CONFIG_TYPE_CHOICE, /* one of choices; stored as its position */
};

struct config_key {
    const char *name;
    enum config_type type;
    size_t offset; /* in struct config */
    uint64_t min;
    uint64_t max;
    uint64_t default_number;
    const char *default_text;
    const char *const *choices; /* ends in NULL */
    const char *unit;           /* "" where there is none */
    bool is_reloadable;
    const char *help;
};

const struct config_key *config_keys(size_t *out_count);

void config_default(struct config *out_config);

/* problem has CONFIG_PROBLEM_BYTES and is written on errors only. */
IMPRINT_MUST_USE enum imprint_error config_set(struct config *config, const char *name,
                                               const char *value, char *problem);
/* "key=value", as after --set. */
IMPRINT_MUST_USE enum imprint_error config_set_pair(struct config *config, const char *pair,
                                                    char *problem);
/* name is the file's, for the problem. */
IMPRINT_MUST_USE enum imprint_error config_read(struct config *config, const char *name,
                                                const char *text, size_t len, char *problem);
IMPRINT_MUST_USE enum imprint_error config_read_file(struct config *config, const char *path,
                                                     char *problem);
/* Fills in what follows from other keys (sockets inside data_dir) and checks them together. */
IMPRINT_MUST_USE enum imprint_error config_finish(struct config *config, char *problem);

/* Every key with its value, in the file's format; comments with help where explain is true. */
void config_print(const struct config *config, bool explain, FILE *out);

/* Takes the reloadable keys of next over into config. Returns the name of the first other key that
 * differs (it needs a restart), or NULL. */
const char *config_reload(struct config *config, const struct config *next);

#endif
