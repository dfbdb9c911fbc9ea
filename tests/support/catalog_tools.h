/* catalog_tools.h - what the tests of catalog do in one line each. */
#ifndef TESTS_SUPPORT_CATALOG_TOOLS_H
#define TESTS_SUPPORT_CATALOG_TOOLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "catalog.h"
#include "catalog_internal.h"

#define DAY 86400

static uint64_t random_state;

static inline uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % bound;
}

static inline struct imprint_hash random_hash(void)
{
    struct imprint_hash hash;
    for (size_t i = 0; i < sizeof hash.bytes; i++) {
        hash.bytes[i] = (uint8_t)random_below(256);
    }
    return hash;
}

static inline struct imprint_hash near(struct imprint_hash hash, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++) {
        hash.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    return hash;
}

static inline int64_t clock_of(void *ctx)
{
    return *(const int64_t *)ctx;
}

static const struct catalog_actor admin = {.uid = 1000, .reason = "test"};

static inline struct catalog *open_catalog(const char *dir, int64_t *now)
{
    const struct catalog_options options = {
        .data_dir = dir, .now = now != NULL ? clock_of : NULL, .now_ctx = now};
    struct catalog *catalog = NULL;
    assert_int_equal(catalog_open(&options, &catalog), IMPRINT_OK);
    assert_int_equal(catalog_wait_ready(catalog), IMPRINT_OK);
    return catalog;
}

static inline struct record_list make_list(struct catalog *catalog, const char *name)
{
    struct record_list list = catalog_list_default();
    snprintf(list.name, sizeof list.name, "%s", name);
    assert_int_equal(catalog_list_create(catalog, &admin, &list, &list), IMPRINT_OK);
    return list;
}

static inline struct record_entry spec_of(struct imprint_hash hash)
{
    return (struct record_entry){.hash = hash, .quality = 90};
}

static inline uint64_t add(struct catalog *catalog, const char *list, struct imprint_hash hash)
{
    struct record_entry entry = spec_of(hash);
    assert_int_equal(catalog_entries_add(catalog, &admin, list, &entry, 1, &entry, NULL),
                     IMPRINT_OK);
    return entry.id;
}

/* How many entries a query of one hash is answered with. */
static inline size_t count_matches(struct catalog *catalog, struct imprint_hash hash)
{
    const struct imprint_view view = {.hash = hash};
    struct catalog_matches matches = {0};
    assert_int_equal(catalog_match(catalog, &view, 1, NULL, &matches), IMPRINT_OK);
    size_t count = matches.count;
    catalog_matches_done(&matches);
    return count;
}

static inline struct record_case case_of(uint8_t number)
{
    struct record_case record = {.id = {{number, 7}}};
    memset(record.status_verifier, number, 32);
    memset(record.withdraw_verifier, number + 1, 32);
    memset(record.append_verifier, number + 2, 32);
    return record;
}

#endif
