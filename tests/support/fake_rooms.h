/* fake_rooms.h - a catalog and a pool that answer what a test tells them.
 *
 * Why: api is tested without list and workers. Linked instead of the real rooms.
 */
#ifndef FAKE_ROOMS_H
#define FAKE_ROOMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalog.h"
#include "pool.h"

struct fake_rooms {
    enum imprint_error error; /* of every catalog function */
    struct catalog_match match;
    size_t match_count;
    size_t views_asked;
    char lists_asked[64];
    bool is_ready;
    struct pool_answer answer;
    enum imprint_error submit_error;
    size_t added;
    size_t job_len;
    char reason[300]; /* the last one given for a change */
};

extern struct fake_rooms fake;

#endif
