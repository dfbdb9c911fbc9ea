#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "companion.h"
#include "picture.h"
#include "strbuf.h"

enum { HASH_LINE_BYTES_MAX = 256 * 1024, HASH_VIEW_NAME_BYTES = 32 };

struct hash_task {
    const struct command_call *call;
    struct imprint_image_options options;
    bool wants_json;
    bool shows_progress;
};

static void hash_add_hex(struct strbuf *line, const struct imprint_hash *hash)
{
    strbuf_add_hex(line, hash->bytes, sizeof hash->bytes);
}

static void hash_add_views_json(struct strbuf *line, const struct picture *picture)
{
    strbuf_add(line, ",\"views\":[");
    for (size_t i = 0; i < picture->view_count; i++) {
        char name[HASH_VIEW_NAME_BYTES];
        imprint_view_name(picture->views[i].id, name, sizeof name);
        strbuf_addf(line, "%s{\"view\":\"%s\",\"hash\":\"", i == 0 ? "" : ",", name);
        hash_add_hex(line, &picture->views[i].hash);
        strbuf_addf(line, "\",\"quality\":%u}", picture->views[i].quality);
    }
    strbuf_add(line, "]");
}

static void hash_print_json(const struct hash_task *task, const char *path,
                            enum imprint_error error, const char *problem,
                            const struct picture *picture)
{
    struct strbuf line;
    strbuf_init(&line, HASH_LINE_BYTES_MAX);
    strbuf_add(&line, "{\"name\":");
    strbuf_add_json(&line, path);
    if (error != IMPRINT_OK) {
        strbuf_addf(&line, ",\"error\":{\"code\":\"%s\",\"message\":", imprint_error_name(error));
        strbuf_add_json(&line, problem);
        strbuf_add(&line, "}");
    } else {
        strbuf_add(&line, ",\"hash\":");
        if (picture->pdq.is_hashable) {
            strbuf_add(&line, "\"");
            hash_add_hex(&line, &picture->pdq.hash);
            strbuf_add(&line, "\"");
        } else {
            strbuf_add(&line, "null");
        }
        strbuf_addf(&line, ",\"quality\":%u,\"format\":\"%s\",\"width\":%u,\"height\":%u",
                    picture->pdq.quality, imprint_format_name(picture->info.format),
                    picture->info.width, picture->info.height);
        strbuf_addf(&line, ",\"truncated\":%s", picture->info.is_truncated ? "true" : "false");
        if (task->options.views != IMPRINT_VIEWS_UPRIGHT) {
            hash_add_views_json(&line, picture);
        }
    }
    strbuf_add(&line, "}");
    puts(strbuf_get(&line));
    strbuf_done(&line);
}

/* "HASH QUALITY NAME", with views "HASH QUALITY VIEW NAME". */
static void hash_print_text(const struct hash_task *task, const char *path,
                            const struct picture *picture)
{
    struct strbuf line;
    strbuf_init(&line, HASH_LINE_BYTES_MAX);
    const bool has_views = task->options.views != IMPRINT_VIEWS_UPRIGHT;
    for (size_t i = 0; i < (has_views ? picture->view_count : 1); i++) {
        const struct imprint_view *view = &picture->views[i];
        char name[HASH_VIEW_NAME_BYTES];
        hash_add_hex(&line, has_views ? &view->hash : &picture->pdq.hash);
        strbuf_addf(&line, " %u ", has_views ? view->quality : picture->pdq.quality);
        if (has_views) {
            imprint_view_name(view->id, name, sizeof name);
            strbuf_addf(&line, "%s ", name);
        }
        strbuf_add_printable(&line, path);
        strbuf_add(&line, "\n");
    }
    fputs(strbuf_get(&line), stdout);
    strbuf_done(&line);
}

static enum exit_status hash_one(const struct hash_task *task, const struct path *file)
{
    const char *path = file->name;
    struct picture picture = {0};
    const enum imprint_error error = picture_hash(path, &task->options, &picture);
    if (paths_is_no_matter(file, error)) {
        return EXIT_STATUS_FINE;
    }
    const char *problem = error != IMPRINT_OK ? picture_problem(error) : "";
    if (task->wants_json) {
        hash_print_json(task, path, error, problem, &picture);
    }
    if (error != IMPRINT_OK) {
        command_complain_file(task->call, path, problem);
        return exit_status_of(error);
    }
    if (picture.info.is_truncated) {
        command_complain_file(task->call, path, "ends early; hashed as far as it goes");
    }
    if (!picture.pdq.is_hashable) {
        command_complain_file(task->call, path, "too small or too plain to be told from others");
        return EXIT_STATUS_UNHASHABLE;
    }
    if (!task->wants_json) {
        hash_print_text(task, path, &picture);
    }
    return EXIT_STATUS_FINE;
}

enum exit_status companion_hash(const struct command_call *call)
{
    struct hash_task task = {
        .call = call,
        .wants_json = command_value(call, "json") != NULL,
        .shows_progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO),
    };
    const char *policy = command_value(call, "policy");
    if (policy != NULL && strcmp(policy, "fast") == 0) {
        task.options.policy = IMPRINT_POLICY_FAST;
    } else if (policy != NULL && strcmp(policy, "exact") != 0) {
        command_complain(call, "--policy is exact or fast");
        return EXIT_STATUS_ERROR;
    }
    if (command_value(call, "views") != NULL) {
        task.options.views = IMPRINT_VIEWS_ALL;
    }
    struct paths paths;
    if (!companion_prepare(call, NULL, &paths)) {
        return EXIT_STATUS_ERROR;
    }
    enum exit_status worst = EXIT_STATUS_FINE;
    for (size_t i = 0; i < paths.count; i++) {
        if (task.shows_progress) {
            fprintf(stderr, "\r%zu / %zu", i + 1, paths.count);
        }
        worst = exit_status_worse(worst, hash_one(&task, &paths.items[i]));
    }
    paths_done(&paths);
    if (task.shows_progress) {
        fputc('\n', stderr);
    }
    return worst;
}
