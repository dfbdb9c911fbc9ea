/* Any bytes as a configuration file, and its first line as --set: what is taken prints as a file
 * that means the same, what is refused changes nothing and says why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "fuzz.h"

static char *fuzz_print(const struct config *config, bool explain, size_t *out_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_len);
    fuzz_must(out != NULL);
    config_print(config, explain, out);
    fuzz_must(fclose(out) == 0);
    return text;
}

/* Each key given once with the value it has: the file of a running daemon's configuration. */
static void fuzz_check_printed(const struct config *config, bool explain)
{
    size_t len = 0;
    char *text = fuzz_print(config, explain, &len);
    struct config again;
    char problem[CONFIG_PROBLEM_BYTES];
    config_default(&again);
    fuzz_must(config_read(&again, "printed", text, len, problem) == IMPRINT_OK);
    size_t again_len = 0;
    char *again_text = fuzz_print(&again, explain, &again_len);
    fuzz_must(again_len == len && memcmp(again_text, text, len) == 0);
    free(again_text);
    free(text);
}

static void fuzz_check_taken(const struct config *config)
{
    fuzz_check_printed(config, false);
    fuzz_check_printed(config, true);
    struct config finished = *config;
    char problem[CONFIG_PROBLEM_BYTES] = "";
    if (config_finish(&finished, problem) == IMPRINT_OK) {
        fuzz_must(finished.query_socket[0] != '\0' && finished.admin_socket[0] != '\0');
        fuzz_must(strcmp(finished.query_socket, finished.admin_socket) != 0);
        fuzz_check_printed(&finished, false);
    } else {
        fuzz_must(problem[0] != '\0');
    }
    struct config running;
    config_default(&running);
    const char *needs_restart = config_reload(&running, config);
    const struct config reloaded = running;
    fuzz_must(config_reload(&running, config) == needs_restart);
    fuzz_must(memcmp(&running, &reloaded, sizeof running) == 0);
}

static void fuzz_check(const struct config *config, const struct config *before,
                       enum imprint_error error, const char *problem)
{
    if (error == IMPRINT_OK) {
        fuzz_check_taken(config);
        return;
    }
    fuzz_must(memcmp(config, before, sizeof *config) == 0);
    fuzz_must(problem[0] != '\0' && strlen(problem) < CONFIG_PROBLEM_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct config before;
    config_default(&before);
    struct config config = before;
    char problem[CONFIG_PROBLEM_BYTES] = "";
    enum imprint_error error = config_read(&config, "file", (const char *)data, len, problem);
    fuzz_check(&config, &before, error, problem);

    char *pair = strndup(len == 0 ? "" : (const char *)data, len);
    fuzz_must(pair != NULL);
    config = before;
    error = config_set_pair(&config, pair, problem);
    fuzz_check(&config, &before, error, problem);
    free(pair);
    return 0;
}
