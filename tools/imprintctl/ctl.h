/* ctl.h - what every subcommand of imprintctl does: ask the daemon, show the answer, end with the
 * right status. It also names the subcommands. */
#ifndef IMPRINTCTL_CTL_H
#define IMPRINTCTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "command.h"
#include "table.h"

/* The longest request target and reason we build. */
#define CTL_TARGET_BYTES_MAX 8192
/* The largest answer: a page of a thousand entries is about 300 kB. */
#define CTL_REPLY_BYTES_MAX ((size_t)16 << 20)
#define CTL_IMAGE_BYTES_MAX ((size_t)32 << 20)
#define CTL_FILE_BYTES_MAX  ((size_t)1 << 20)

struct ctl_request {
    const char *method;
    const char *target;
    const char *content_type; /* NULL without a body */
    const void *body;
    size_t body_len;
};

/* Asks; complains about whatever goes wrong. With EXIT_STATUS_FINE *out_answer is the caller's
 * (json_decref), or NULL for an answer without a body; with anything else it is NULL. out_answer
 * may be NULL. */
enum exit_status ctl_ask(const struct command_call *call, const struct ctl_request *request,
                         json_t **out_answer);

/* The same with a JSON body, which is released. */

/* A file to be sent as it is. */
struct ctl_upload {
    const char *path; /* - for standard input */
    const char *content_type;
    size_t bytes_max;
    enum imprint_error too_large; /* what a larger file is */
};
/* POSTs the file; complains where it cannot be read. */
enum exit_status ctl_ask_file(const struct command_call *call, const char *target,
                              const struct ctl_upload *upload, json_t **out_answer);
enum exit_status ctl_ask_json(const struct command_call *call, const char *method,
                              const char *target, json_t *body, json_t **out_answer);

/* --json was given. */
bool ctl_wants_json(const struct command_call *call);

/* One line of compact JSON on standard output. */
void ctl_print_json(const json_t *json);

/* An object for a person: "key: value" lines; nested values as JSON. NULL prints nothing. */
void ctl_print_object(const json_t *object);

/* Shows an answer as JSON or for a person, releases it (NULL is allowed), gives status back. */
enum exit_status ctl_show_answer(const struct command_call *call, enum exit_status status,
                                 json_t *answer);

/* A member as text for a table cell, written into out_text: strings as they are, numbers in
 * decimal, null and missing as "-". */
void ctl_cell(const json_t *object, const char *key, char *out_text, size_t capacity);

/* Rows of objects in columns by key. False after complaining. */
bool ctl_print_rows(const struct command_call *call, const json_t *rows, const char *const *keys,
                    const char *const *heads, size_t count);

/* The array under key, or NULL after complaining that the answer is not as documented. */
const json_t *ctl_array(const struct command_call *call, const json_t *answer, const char *key);

/* "/v1/lists/{segment}" and then "?reason=..." where a reason is given. */
bool ctl_target(const struct command_call *call, char *out_target, size_t capacity,
                const char *before, const char *segment, const char *after, const char *parameter,
                const char *value);

/* An entry's id on the command line. */
bool ctl_entry_id(const struct command_call *call, const char *text, uint64_t *out_id);

/* A day (YYYY-MM-DD, its first second in UTC), or +N days from now; seconds since 1970. */
bool ctl_time(const struct command_call *call, const char *what, const char *text,
              int64_t *out_time);

command_fn ctl_list_create;
command_fn ctl_list_show;
command_fn ctl_list_change;
command_fn ctl_list_delete;
command_fn ctl_entry_add;
command_fn ctl_entry_show;
command_fn ctl_entry_find;
command_fn ctl_entry_list;
command_fn ctl_entry_disable;
command_fn ctl_entry_enable;
command_fn ctl_entry_expire;
command_fn ctl_entry_remove;
command_fn ctl_report_accept;
command_fn ctl_case_show;
command_fn ctl_case_withdraw;
command_fn ctl_import;
command_fn ctl_export;
command_fn ctl_fetch;
command_fn ctl_match;
command_fn ctl_scan;
command_fn ctl_status;
command_fn ctl_stats;
command_fn ctl_audit;
command_fn ctl_audit_verify;
command_fn ctl_compact;
command_fn ctl_backup;

#endif
