#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "limits.h"
#include "uids.h"

#define FILE_BYTES_MAX ((size_t)64 << 10)
#define KEYS_MAX       64

static const char *const log_levels[] = {"error", "warning", "notice", "info", "debug", NULL};
static const char *const distances[] = {"exact", "coarse", "hidden", NULL};
static const char *const probe_actions[] = {"log", "refuse", NULL};
static const char *const sandboxes[] = {"required", "optional", NULL};
static const char *const policies[] = {"exact", "fast", NULL};

/* One line a kind of key keeps the table below readable. */
#define TEXT(key, text)                                                             \
    .name = #key, .type = CONFIG_TYPE_TEXT, .offset = offsetof(struct config, key), \
    .default_text = (text), .unit = ""
#define NUMBER(key, low, high, value, unit_name)                                      \
    .name = #key, .type = CONFIG_TYPE_NUMBER, .offset = offsetof(struct config, key), \
    .min = (low), .max = (high), .default_number = (value), .unit = (unit_name)
#define BYTES(key, low, high, value)                                                               \
    .name = #key, .type = CONFIG_TYPE_BYTES, .offset = offsetof(struct config, key), .min = (low), \
    .max = (high), .default_number = (value), .unit = "bytes"
#define MODE(key)                                                                                \
    .name = #key, .type = CONFIG_TYPE_MODE, .offset = offsetof(struct config, key), .max = 0777, \
    .default_number = 0, .unit = "octal"
#define CHOICE(key, list, value)                                                      \
    .name = #key, .type = CONFIG_TYPE_CHOICE, .offset = offsetof(struct config, key), \
    .choices = (list), .default_number = (value), .unit = ""

static const struct config_key keys[] = {
    {TEXT(data_dir, "/var/lib/imprint"), .help = "directory of the list; made with mode 0700"},
    {TEXT(query_socket, ""), .help = "socket of the upload path; default: query.sock in data_dir"},
    {MODE(query_socket_mode), .help = "its file mode; 0: 0660 with a group, 0600 without"},
    {TEXT(query_socket_group, ""), .help = "its group; empty: that of the process"},
    {TEXT(admin_socket, ""),
     .help = "socket of the list's keepers; default: admin.sock in data_dir"},
    {MODE(admin_socket_mode), .help = "its file mode; 0: 0660 with a group, 0600 without"},
    {TEXT(admin_socket_group, ""), .help = "its group; empty: that of the process"},
    {NUMBER(threads, 0, LIMIT_THREADS_MAX, 0, "threads"),
     .help = "that serve the query socket; 0: one a core"},
    {NUMBER(workers, 0, LIMIT_WORKERS_MAX, 0, "processes"),
     .help = "that decode pictures; 0: one a core"},
    {TEXT(worker_path, ""),
     .help = "the imprint-worker executable; default: beside imprintd, else in libexec"},
    {CHOICE(sandbox, sandboxes, CONFIG_SANDBOX_REQUIRED),
     .help = "optional: run a worker without its cage where the kernel offers none"},
    {CHOICE(policy, policies, 0),
     .help = "exact: bit-identical to the reference; fast: within 10 bits, quicker on JPEG"},
    {NUMBER(queue_max, 1, LIMIT_QUEUE_CEILING, LIMIT_QUEUE_MAX, "jobs"),
     .help = "pictures waiting for a worker; more are answered busy"},
    {NUMBER(decode_timeout_ms, 100, 60000, LIMIT_DECODE_TIMEOUT_MS, "ms"),
     .help = "for one picture; a worker that is late is killed"},
    {NUMBER(head_timeout_ms, 100, 600000, LIMIT_HEAD_TIMEOUT_MS, "ms"),
     .help = "in total for a request's head"},
    {NUMBER(body_timeout_ms, 100, 600000, LIMIT_BODY_TIMEOUT_MS, "ms"),
     .help = "in total for a request's body, and for taking the answer"},
    {NUMBER(idle_timeout_ms, 100, 86400000, LIMIT_IDLE_TIMEOUT_MS, "ms"),
     .help = "between two requests of a connection"},
    {NUMBER(drain_timeout_ms, 0, 600000, LIMIT_DRAIN_TIMEOUT_MS, "ms"),
     .help = "for requests in flight when the daemon ends"},
    {NUMBER(connections_max, 4, 65536, LIMIT_CONNECTIONS_MAX, "connections"),
     .help = "a socket; more wait to be accepted"},
    {NUMBER(connections_per_uid_max, 0, LIMIT_CONNECTIONS_PER_UID_MAX, LIMIT_CONNECTIONS_PER_UID,
            "connections"),
     .is_reloadable = true, .help = "of one uid to the query socket; 0: no limit"},
    {BYTES(body_memory_bytes_max, 1 << 20, (uint64_t)1 << 40, LIMIT_BODY_MEMORY_BYTES_MAX),
     .help = "of all request bodies together; more are answered busy"},
    {BYTES(image_bytes_max, 1 << 10, (uint64_t)1 << 30, LIMIT_IMAGE_BYTES_MAX),
     .is_reloadable = true, .help = "of one picture's file"},
    {NUMBER(image_width_max, 0, 65535, 0, "pixels"), .help = "0: the library's default"},
    {NUMBER(image_height_max, 0, 65535, 0, "pixels"), .help = "0: the library's default"},
    {NUMBER(image_pixels_max, 0, (uint64_t)1 << 32, 0, "pixels"),
     .help = "width x height; 0: the library's default"},
    {TEXT(hash_query_uids, "all"),
     .help = "peers of the query socket that may ask by hash: all, none, or uids"},
    {TEXT(quota_exempt_uids, "none"), .help = "peers without quotas: all, none, or uids"},
    {NUMBER(hashes_per_s, 0, LIMIT_HASHES_PER_S_MAX, LIMIT_HASHES_PER_S, "a second"),
     .is_reloadable = true, .help = "hashes one uid may ask for; 0: no limit"},
    {NUMBER(hash_burst, 1, LIMIT_HASH_BURST_MAX, LIMIT_HASH_BURST, "hashes"), .is_reloadable = true,
     .help = "it may ask for at once after a pause"},
    {NUMBER(images_per_s, 0, LIMIT_IMAGES_PER_S_MAX, LIMIT_IMAGES_PER_S, "a second"),
     .is_reloadable = true, .help = "pictures one uid may send; 0: no limit"},
    {NUMBER(image_burst, 1, LIMIT_IMAGE_BURST_MAX, LIMIT_IMAGE_BURST, "pictures"),
     .is_reloadable = true, .help = "it may send at once after a pause"},
    {CHOICE(probe_action, probe_actions, CONFIG_PROBE_LOG), .is_reloadable = true,
     .help = "on steps towards a listed hash; refuse: answer them rate_limited"},
    {CHOICE(distance, distances, CONFIG_DISTANCE_EXACT), .is_reloadable = true,
     .help = "what the query socket says of it; coarse: rounded up to multiples of 8 bits"},
    {CHOICE(log_level, log_levels, 2), .is_reloadable = true, .help = "lines above it are dropped"},
};

#define KEY_COUNT (sizeof keys / sizeof keys[0])
_Static_assert(KEY_COUNT <= KEYS_MAX, "config_read keeps one bit a key");

const struct config_key *config_keys(size_t *out_count)
{
    *out_count = KEY_COUNT;
    return keys;
}

static char *text_of(struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

static const char *text_in(const struct config *config, const struct config_key *key)
{
    return (const char *)config + key->offset;
}

static uint64_t number_in(const struct config *config, const struct config_key *key)
{
    uint64_t value;
    memcpy(&value, (const char *)config + key->offset, sizeof value);
    return value;
}

static void set_number(struct config *config, const struct config_key *key, uint64_t value)
{
    memcpy((char *)config + key->offset, &value, sizeof value);
}

void config_default(struct config *out_config)
{
    *out_config = (struct config){0};
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].type == CONFIG_TYPE_TEXT) {
            (void)snprintf(text_of(out_config, &keys[i]), CONFIG_TEXT_BYTES, "%s",
                           keys[i].default_text);
        } else {
            set_number(out_config, &keys[i], keys[i].default_number);
        }
    }
}

static const struct config_key *find_key(const char *name)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    return NULL;
}

/* Says what a key allows, such as "0 to 64 processes". */
static void describe_allowed(const struct config_key *key, char *out_text, size_t size)
{
    switch (key->type) {
    case CONFIG_TYPE_TEXT:
        (void)snprintf(out_text, size, "at most %d bytes of text without control characters",
                       CONFIG_TEXT_BYTES - 1);
        return;
    case CONFIG_TYPE_MODE:
        (void)snprintf(out_text, size, "an octal file mode of at most 0777");
        return;
    case CONFIG_TYPE_NUMBER:
    case CONFIG_TYPE_BYTES:
        (void)snprintf(out_text, size, "%llu to %llu %s", (unsigned long long)key->min,
                       (unsigned long long)key->max, key->unit);
        return;
    case CONFIG_TYPE_CHOICE: break;
    }
    size_t len = 0;
    out_text[0] = '\0';
    for (size_t i = 0; key->choices[i] != NULL && len < size; i++) {
        int more =
            snprintf(out_text + len, size - len, "%s%s", i == 0 ? "" : ", ", key->choices[i]);
        len += more > 0 ? (size_t)more : 0;
    }
}

static bool parse_digits(const char *value, int base, uint64_t *out_number, const char **out_end)
{
    if (value[0] < '0' || value[0] > '9') {
        return false;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, base);
    if (errno != 0) {
        return false;
    }
    *out_number = number;
    *out_end = end;
    return true;
}

static bool parse_number(const struct config_key *key, const char *value, uint64_t *out_number)
{
    uint64_t number = 0;
    const char *end = value;
    if (!parse_digits(value, key->type == CONFIG_TYPE_MODE ? 8 : 10, &number, &end)) {
        return false;
    }
    unsigned shift = 0;
    if (key->type == CONFIG_TYPE_BYTES && *end != '\0') {
        shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
        end += shift > 0 ? 1 : 0;
    }
    if (*end != '\0' || number > UINT64_MAX >> shift) {
        return false;
    }
    number <<= shift;
    if (number < key->min || number > key->max) {
        return false;
    }
    *out_number = number;
    return true;
}

static bool parse_choice(const struct config_key *key, const char *value, uint64_t *out_number)
{
    for (size_t i = 0; key->choices[i] != NULL; i++) {
        if (strcmp(key->choices[i], value) == 0) {
            *out_number = i;
            return true;
        }
    }
    return false;
}

/* A line break in --set would not survive being printed as a file. */
static bool is_printable(const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool set_value(struct config *config, const struct config_key *key, const char *value)
{
    uint64_t number = 0;
    switch (key->type) {
    case CONFIG_TYPE_TEXT:
        if (strlen(value) >= CONFIG_TEXT_BYTES || !is_printable(value)) {
            return false;
        }
        (void)snprintf(text_of(config, key), CONFIG_TEXT_BYTES, "%s", value);
        return true;
    case CONFIG_TYPE_NUMBER:
    case CONFIG_TYPE_BYTES:
    case CONFIG_TYPE_MODE:
        if (!parse_number(key, value, &number)) {
            return false;
        }
        break;
    case CONFIG_TYPE_CHOICE:
        if (!parse_choice(key, value, &number)) {
            return false;
        }
        break;
    }
    set_number(config, key, number);
    return true;
}

enum imprint_error config_set(struct config *config, const char *name, const char *value,
                              char *problem)
{
    const struct config_key *key = find_key(name);
    if (key == NULL) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "%.64s: there is no such key", name);
        return IMPRINT_E_CONFIG_INVALID;
    }
    if (!set_value(config, key, value)) {
        char allowed[200];
        describe_allowed(key, allowed, sizeof allowed);
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "%s: '%.64s' is not allowed, only %s", name,
                       value, allowed);
        return IMPRINT_E_CONFIG_INVALID;
    }
    return IMPRINT_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts blanks off both ends of text[0..len) and copies the rest with a NUL; false: too long. */
static bool copy_trimmed(const char *text, size_t len, char *out_text, size_t size)
{
    while (len > 0 && is_blank(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && is_blank(text[len - 1])) {
        len--;
    }
    if (len >= size || memchr(text, '\0', len) != NULL) {
        return false;
    }
    memcpy(out_text, text, len);
    out_text[len] = '\0';
    return true;
}

/* Splits "key = value"; the key must not be empty. */
static bool split_pair(const char *line, size_t len, char *out_name, char *out_value)
{
    const char *equals = memchr(line, '=', len);
    if (equals == NULL) {
        return false;
    }
    size_t name_len = (size_t)(equals - line);
    return copy_trimmed(line, name_len, out_name, CONFIG_TEXT_BYTES) &&
           copy_trimmed(equals + 1, len - name_len - 1, out_value, CONFIG_TEXT_BYTES) &&
           out_name[0] != '\0';
}

enum imprint_error config_set_pair(struct config *config, const char *pair, char *problem)
{
    char name[CONFIG_TEXT_BYTES];
    char value[CONFIG_TEXT_BYTES];
    if (!split_pair(pair, strlen(pair), name, value)) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "'%.64s' is not key=value", pair);
        return IMPRINT_E_CONFIG_INVALID;
    }
    return config_set(config, name, value, problem);
}

/* One line of a file. seen has one bit a key. */
static enum imprint_error read_line(struct config *config, const char *line, size_t len,
                                    uint64_t *seen, char *problem)
{
    while (len > 0 && is_blank(line[0])) {
        line++;
        len--;
    }
    if (len == 0 || line[0] == '#' || (len == 1 && line[0] == '\r')) {
        return IMPRINT_OK;
    }
    char name[CONFIG_TEXT_BYTES];
    char value[CONFIG_TEXT_BYTES];
    if (!split_pair(line, len, name, value)) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "not a line of the form key = value");
        return IMPRINT_E_CONFIG_INVALID;
    }
    const struct config_key *key = find_key(name);
    if (key != NULL) {
        uint64_t bit = (uint64_t)1 << (size_t)(key - keys);
        if ((*seen & bit) != 0) {
            (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "%s: given twice", key->name);
            return IMPRINT_E_CONFIG_INVALID;
        }
        *seen |= bit;
    }
    return config_set(config, name, value, problem);
}

enum imprint_error config_read(struct config *config, const char *name, const char *text,
                               size_t len, char *problem)
{
    struct config next = *config;
    uint64_t seen = 0;
    unsigned line_number = 1;
    for (size_t start = 0; start < len; line_number++) {
        const char *end = memchr(text + start, '\n', len - start);
        size_t line_len = end == NULL ? len - start : (size_t)(end - text) - start;
        char why[CONFIG_PROBLEM_BYTES];
        enum imprint_error error = read_line(&next, text + start, line_len, &seen, why);
        if (error != IMPRINT_OK) {
            (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "%.128s:%u: %.360s", name, line_number,
                           why);
            return error;
        }
        start += line_len + 1;
    }
    *config = next;
    return IMPRINT_OK;
}

static enum imprint_error read_all(int fd, char *buffer, size_t size, size_t *out_len)
{
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(fd, buffer + len, size - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return IMPRINT_E_IO;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    *out_len = len;
    return IMPRINT_OK;
}

enum imprint_error config_read_file(struct config *config, const char *path, char *problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "%.128s: %s", path, strerror(errno));
        return IMPRINT_E_IO;
    }
    enum imprint_error error = IMPRINT_E_NOMEM;
    size_t len = 0;
    char *buffer = malloc(FILE_BYTES_MAX + 1);
    if (buffer == NULL) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "%.128s: no memory", path);
        goto done;
    }
    error = read_all(fd, buffer, FILE_BYTES_MAX + 1, &len);
    if (error != IMPRINT_OK) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "%.128s: %s", path, strerror(errno));
        goto done;
    }
    if (len > FILE_BYTES_MAX) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "%.128s: over %zu bytes", path,
                       FILE_BYTES_MAX);
        error = IMPRINT_E_CONFIG_INVALID;
        goto done;
    }
    error = config_read(config, path, buffer, len, problem);
done:
    free(buffer);
    (void)close(fd);
    return error;
}

/* A socket's path and mode where they were not given. */
static bool finish_socket(const struct config *config, const char *name, const char *group,
                          char *path, uint64_t *mode)
{
    if (path[0] == '\0') {
        int len = snprintf(path, CONFIG_TEXT_BYTES, "%s/%s", config->data_dir, name);
        if (len < 0 || len >= CONFIG_TEXT_BYTES) {
            return false;
        }
    }
    if (*mode == 0) {
        *mode = group[0] == '\0' ? 0600 : 0660;
    }
    return true;
}

enum imprint_error config_finish(struct config *config, char *problem)
{
    if (config->data_dir[0] == '\0') {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "data_dir: must not be empty");
        return IMPRINT_E_CONFIG_INVALID;
    }
    if (!finish_socket(config, "query.sock", config->query_socket_group, config->query_socket,
                       &config->query_socket_mode) ||
        !finish_socket(config, "admin.sock", config->admin_socket_group, config->admin_socket,
                       &config->admin_socket_mode)) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES, "data_dir: too long");
        return IMPRINT_E_CONFIG_INVALID;
    }
    if (strcmp(config->query_socket, config->admin_socket) == 0) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES,
                       "admin_socket: must differ from query_socket");
        return IMPRINT_E_CONFIG_INVALID;
    }
    struct uids uids;
    if (!uids_read(config->hash_query_uids, &uids) ||
        !uids_read(config->quota_exempt_uids, &uids)) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES,
                       "hash_query_uids, quota_exempt_uids: only all, none, or up to %d uids",
                       UIDS_MAX);
        return IMPRINT_E_CONFIG_INVALID;
    }
    if (config->body_memory_bytes_max < config->image_bytes_max) {
        (void)snprintf(problem, CONFIG_PROBLEM_BYTES,
                       "body_memory_bytes_max: must hold at least one image_bytes_max");
        return IMPRINT_E_CONFIG_INVALID;
    }
    return IMPRINT_OK;
}

static void print_value(const struct config *config, const struct config_key *key, FILE *out)
{
    switch (key->type) {
    case CONFIG_TYPE_TEXT: (void)fprintf(out, "%s", text_in(config, key)); return;
    case CONFIG_TYPE_MODE:
        (void)fprintf(out, "%04llo", (unsigned long long)number_in(config, key));
        return;
    case CONFIG_TYPE_NUMBER:
    case CONFIG_TYPE_BYTES:
        (void)fprintf(out, "%llu", (unsigned long long)number_in(config, key));
        return;
    case CONFIG_TYPE_CHOICE: (void)fprintf(out, "%s", key->choices[number_in(config, key)]); return;
    }
}

void config_print(const struct config *config, bool explain, FILE *out)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (explain) {
            char allowed[200];
            describe_allowed(&keys[i], allowed, sizeof allowed);
            (void)fprintf(out, "%s# %s\n# %s%s\n", i == 0 ? "" : "\n", keys[i].help, allowed,
                          keys[i].is_reloadable ? "; taken over on reload" : "");
        }
        (void)fprintf(out, "%s = ", keys[i].name);
        print_value(config, &keys[i], out);
        (void)fputc('\n', out);
    }
}

static bool is_same(const struct config *a, const struct config *b, const struct config_key *key)
{
    if (key->type == CONFIG_TYPE_TEXT) {
        return strcmp(text_in(a, key), text_in(b, key)) == 0;
    }
    return number_in(a, key) == number_in(b, key);
}

const char *config_reload(struct config *config, const struct config *next)
{
    const char *needs_restart = NULL;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (is_same(config, next, &keys[i])) {
            continue;
        }
        if (keys[i].is_reloadable) {
            assert(keys[i].type != CONFIG_TYPE_TEXT);
            set_number(config, &keys[i], number_in(next, &keys[i]));
        } else if (needs_restart == NULL) {
            needs_restart = keys[i].name;
        }
    }
    return needs_restart;
}
