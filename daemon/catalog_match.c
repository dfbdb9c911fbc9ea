/* Queries: the table of lists as it is at this moment, one search, one answer an entry. */
#include <stdlib.h>

#include "catalog_internal.h"

/* --- The table ---------------------------------------------------------------------------------
 */

struct catalog_table *catalog_table_new(size_t capacity)
{
    struct catalog_table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    table->thresholds = malloc(capacity + 1);
    table->slots = calloc(capacity + 1, sizeof *table->slots);
    table->capacity = capacity;
    if (table->thresholds == NULL || table->slots == NULL) {
        catalog_table_free(table);
        return NULL;
    }
    return table;
}

void catalog_table_free(struct catalog_table *table)
{
    if (table != NULL) {
        free(table->thresholds);
        free(table->slots);
        free(table);
    }
}

void catalog_table_copy(struct catalog_table *to, const struct catalog_table *from)
{
    to->count = from->count;
    memcpy(to->thresholds, from->thresholds, from->count);
    memcpy(to->slots, from->slots, from->count * sizeof *from->slots);
}

uint16_t catalog_table_slot(const struct catalog_table *table, uint32_t list)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->slots[i].list == list) {
            return (uint16_t)i;
        }
    }
    return UINT16_MAX;
}

void catalog_table_set(struct catalog_table *table, const struct record_list *list)
{
    size_t at = catalog_table_slot(table, list->id);
    if (at == UINT16_MAX && table->count < table->capacity && table->count < CATALOG_SLOTS_MAX) {
        at = table->count++;
    } else if (at == UINT16_MAX) {
        at = catalog_table_slot(table, 0);
    }
    struct catalog_slot *slot = &table->slots[at];
    *slot = (struct catalog_slot){.list = list->id, .state = list->state, .kind = list->kind};
    memcpy(slot->name, list->name, sizeof slot->name);
    memcpy(slot->action, list->action, sizeof slot->action);
    bool is_searched = list->kind == RECORD_LIST_BLOCK && list->state != RECORD_LIST_OFF;
    table->thresholds[at] = is_searched ? list->threshold : INDEX_LIST_OFF;
}

void catalog_table_remove(struct catalog_table *table, uint32_t list)
{
    uint16_t at = catalog_table_slot(table, list);
    if (at != UINT16_MAX) {
        table->slots[at] = (struct catalog_slot){.list = 0};
        table->thresholds[at] = INDEX_LIST_OFF;
    }
}

struct catalog_table *catalog_table_acquire(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->table_lock);
    struct catalog_table *table = catalog->table;
    table->refs++;
    pthread_mutex_unlock(&catalog->table_lock);
    return table;
}

void catalog_table_release(struct catalog *catalog, struct catalog_table *table)
{
    pthread_mutex_lock(&catalog->table_lock);
    bool is_last = --table->refs == 0;
    pthread_mutex_unlock(&catalog->table_lock);
    if (is_last) {
        catalog_table_free(table);
    }
}

/* --- Which lists -------------------------------------------------------------------------------
 */

static size_t slot_by_name(const struct catalog_table *table, const char *name, size_t len)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct catalog_slot *slot = &table->slots[i];
        if (slot->list != 0 && strlen(slot->name) == len && memcmp(slot->name, name, len) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* The thresholds of the named lists alone; to be freed. */
static enum imprint_error choose(const struct catalog_table *table, const char *names,
                                 uint8_t **out_thresholds)
{
    uint8_t *thresholds = malloc(table->count + 1);
    if (thresholds == NULL) {
        return IMPRINT_E_NOMEM;
    }
    memset(thresholds, INDEX_LIST_OFF, table->count + 1);
    for (const char *name = names;; name++) {
        size_t len = strcspn(name, ",");
        size_t slot = slot_by_name(table, name, len);
        if (slot == SIZE_MAX) {
            free(thresholds);
            return IMPRINT_E_LIST_NOT_FOUND;
        }
        thresholds[slot] = table->thresholds[slot];
        name += len;
        if (*name == '\0') {
            break;
        }
    }
    *out_thresholds = thresholds;
    return IMPRINT_OK;
}

/* --- The answer --------------------------------------------------------------------------------
 */

static int by_entry(const void *a, const void *b)
{
    const struct index_hit *x = a;
    const struct index_hit *y = b;
    if (x->entry != y->entry) {
        return x->entry < y->entry ? -1 : 1;
    }
    if (x->distance != y->distance) {
        return x->distance < y->distance ? -1 : 1;
    }
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int by_distance(const void *a, const void *b)
{
    const struct index_hit *x = a;
    const struct index_hit *y = b;
    if (x->distance != y->distance) {
        return x->distance < y->distance ? -1 : 1;
    }
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* Keeps the best hit of each entry that is to be answered, nearest first, and counts both kinds. */
static size_t hits_reduce(struct catalog *catalog, const struct catalog_table *table,
                          struct index_hits *hits)
{
    if (hits->count == 0) {
        return 0;
    }
    qsort(hits->items, hits->count, sizeof *hits->items, by_entry);
    size_t count = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < hits->count; i++) {
        struct index_hit hit = hits->items[i];
        if (hit.entry == last) {
            continue;
        }
        last = hit.entry;
        if (table->slots[hit.list].state == RECORD_LIST_ACTIVE) {
            atomic_fetch_add_explicit(&catalog->matches[hit.list], 1, memory_order_relaxed);
            hits->items[count++] = hit;
        } else {
            atomic_fetch_add_explicit(&catalog->shadow_hits[hit.list], 1, memory_order_relaxed);
        }
    }
    qsort(hits->items, count, sizeof *hits->items, by_distance);
    return count;
}

static enum imprint_error answer(const struct catalog_table *table,
                                 const struct imprint_view *views, const struct index_hits *hits,
                                 size_t count, struct catalog_matches *matches)
{
    matches->is_truncated = count > LIMIT_MATCHES_MAX;
    matches->count = matches->is_truncated ? LIMIT_MATCHES_MAX : count;
    if (count == 0) {
        return IMPRINT_OK;
    }
    matches->items = calloc(matches->count, sizeof *matches->items);
    if (matches->items == NULL) {
        return IMPRINT_E_NOMEM;
    }
    for (size_t i = 0; i < matches->count; i++) {
        const struct index_hit *hit = &hits->items[i];
        const struct catalog_slot *slot = &table->slots[hit->list];
        struct catalog_match *match = &matches->items[i];
        match->entry = hit->entry;
        match->distance = hit->distance;
        match->view = views[hit->hash].id;
        memcpy(match->list, slot->name, sizeof match->list);
        memcpy(match->action, slot->action, sizeof match->action);
    }
    return IMPRINT_OK;
}

/* Leaves out views too flat to tell one picture from another, such as a rectangle of sky; the first
 * one, which is the picture as it came, is searched all the same. */
static size_t choose_views(const struct imprint_view *views, size_t count,
                           struct imprint_view out_views[IMPRINT_VIEWS_MAX],
                           struct imprint_hash out_hashes[IMPRINT_VIEWS_MAX])
{
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || views[i].quality >= IMPRINT_QUALITY_FLOOR) {
            out_views[chosen] = views[i];
            out_hashes[chosen++] = views[i].hash;
        }
    }
    return chosen;
}

enum imprint_error catalog_match(struct catalog *catalog, const struct imprint_view *views,
                                 size_t count, const char *lists,
                                 struct catalog_matches *out_matches)
{
    enum imprint_error error = catalog_ready(catalog);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (count == 0 || count > IMPRINT_VIEWS_MAX) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    struct imprint_view searched[IMPRINT_VIEWS_MAX];
    struct imprint_hash hashes[IMPRINT_VIEWS_MAX];
    count = choose_views(views, count, searched, hashes);
    struct catalog_matches matches = {.seq = atomic_load(&catalog->seq)};
    struct index_hits hits = {0};
    uint8_t *chosen = NULL;
    struct catalog_table *table = catalog_table_acquire(catalog);
    if (lists != NULL) {
        error = choose(table, lists, &chosen);
    }
    if (error == IMPRINT_OK) {
        const struct index_query query = {.hashes = hashes,
                                          .hash_count = count,
                                          .thresholds = chosen != NULL ? chosen : table->thresholds,
                                          .list_count = table->count};
        error = index_search(catalog->index, &query, &hits);
    }
    if (error == IMPRINT_OK) {
        error = answer(table, searched, &hits, hits_reduce(catalog, table, &hits), &matches);
    }
    catalog_table_release(catalog, table);
    index_hits_done(&hits);
    free(chosen);
    if (error == IMPRINT_OK) {
        *out_matches = matches;
    }
    return error;
}

void catalog_matches_done(struct catalog_matches *matches)
{
    free(matches->items);
    *matches = (struct catalog_matches){0};
}
