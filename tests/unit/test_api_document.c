/* docs/api.md names every route with its method, every parameter and every error with its status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api.h"

static char *document;

static int load(void **state)
{
    (void)state;
    FILE *file = fopen(API_DOCUMENT, "r");
    assert_non_null(file);
    document = calloc(1, 1 << 20);
    assert_non_null(document);
    size_t len = fread(document, 1, (1 << 20) - 1, file);
    assert_true(len > 1000);
    return fclose(file);
}

static int unload(void **state)
{
    (void)state;
    free(document);
    return 0;
}

/* The text after "`METHOD /path" up to the backquote, or NULL. */
static const char *find_route(const struct api_route_info *info)
{
    char wanted[160];
    int len = snprintf(wanted, sizeof wanted, "`%s %s", info->method, info->path);
    for (const char *at = document; (at = strstr(at, wanted)) != NULL; at += len) {
        if (at[len] == '`' || at[len] == '?') {
            return at + len;
        }
    }
    return NULL;
}

static void every_route_and_parameter_stands_in_the_document(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_route_count(); i++) {
        struct api_route_info info = api_route_info(i);
        const char *found = find_route(&info);
        if (found == NULL) {
            print_message("%s %s\n", info.method, info.path);
            fail();
        }
        size_t len = strcspn(found, "`");
        for (size_t p = 0; info.parameters != NULL && info.parameters[p] != NULL; p++) {
            const char *at = strstr(found, info.parameters[p]);
            if (at == NULL || at > found + len) {
                print_message("%s %s: %s\n", info.method, info.path, info.parameters[p]);
                fail();
            }
        }
    }
}

static void every_error_stands_there_with_its_status(void **state)
{
    (void)state;
    const char *table = strstr(document, "## Errors");
    assert_non_null(table);
    for (int i = 1; i < (int)IMPRINT_ERROR_COUNT; i++) {
        char code[64];
        (void)snprintf(code, sizeof code, "`%s`", imprint_error_name((enum imprint_error)i));
        const char *at = strstr(table, code);
        if (at == NULL) {
            print_message("%s\n", code);
            fail();
        }
        if (i == IMPRINT_E_UNREACHABLE) {
            continue;
        }
        const char *bar = strstr(at, " | ");
        assert_non_null(bar);
        if (strtol(bar + 3, NULL, 10) != api_status_of((enum imprint_error)i)) {
            print_message("%s: status\n", code);
            fail();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_and_parameter_stands_in_the_document),
        cmocka_unit_test(every_error_stands_there_with_its_status),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
