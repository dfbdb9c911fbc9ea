/* catalog_model.h - the list as a few arrays in memory: what catalog must agree with, step by step.
 *
 * Everything is a linear search over what was said to be there. Times, holders and matching follow
 * the header of catalog, not its code.
 */
#ifndef TESTS_SUPPORT_CATALOG_MODEL_H
#define TESTS_SUPPORT_CATALOG_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "catalog.h"

#define MODEL_LISTS   6
#define MODEL_ENTRIES 4000
#define MODEL_CASES   64

struct model_list {
    bool is_there;
    struct record_list list;
};

struct model_entry {
    bool is_there;
    bool is_direct;
    uint64_t cases; /* one bit each */
    struct record_entry record;
};

struct model_case {
    bool is_there;
    struct record_case record;
};

struct model {
    int64_t now;
    int64_t swept; /* the time the last tick or load saw */
    struct model_list lists[MODEL_LISTS];
    struct model_entry entries[MODEL_ENTRIES];
    size_t entry_count; /* of places used */
    struct model_case cases[MODEL_CASES];
};

static inline struct model_entry *model_find(struct model *model, uint32_t list,
                                             const struct imprint_hash *hash)
{
    for (size_t i = 0; i < model->entry_count; i++) {
        struct model_entry *entry = &model->entries[i];
        if (entry->is_there && entry->record.list == list &&
            imprint_hash_equal(&entry->record.hash, hash)) {
            return entry;
        }
    }
    return NULL;
}

static inline struct model_entry *model_entry(struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->entry_count; i++) {
        if (model->entries[i].is_there && model->entries[i].record.id == id) {
            return &model->entries[i];
        }
    }
    return NULL;
}

static inline size_t model_count(const struct model *model, uint32_t list)
{
    size_t count = 0;
    for (size_t i = 0; i < model->entry_count; i++) {
        const struct model_entry *entry = &model->entries[i];
        count += entry->is_there && (list == 0 || entry->record.list == list);
    }
    return count;
}

/* Holds a hash; true: there is an entry more (its id is still to be set). */
static inline bool model_hold(struct model *model, const struct record_list *list,
                              const struct record_entry *spec, bool is_direct, uint64_t case_bit,
                              struct model_entry **out_entry)
{
    int64_t expires = spec->expires;
    if (expires == 0 && list->expiry_days != 0) {
        expires = model->now + (int64_t)list->expiry_days * 86400;
    }
    struct model_entry *entry = model_find(model, list->id, &spec->hash);
    bool is_new = entry == NULL;
    if (is_new) {
        entry = &model->entries[model->entry_count++];
        *entry = (struct model_entry){.is_there = true, .record = *spec};
        entry->record.list = list->id;
        entry->record.expires = expires;
        entry->record.added = model->now;
    } else if (expires == 0 || entry->record.expires == 0) {
        entry->record.expires = 0;
    } else if (expires > entry->record.expires) {
        entry->record.expires = expires;
    }
    entry->is_direct |= is_direct;
    entry->cases |= case_bit;
    *out_entry = entry;
    return is_new;
}

/* Removes what nobody holds any more. */
static inline void model_withdraw(struct model *model, size_t number)
{
    for (size_t i = 0; i < model->entry_count; i++) {
        struct model_entry *entry = &model->entries[i];
        if ((entry->cases >> number & 1) != 0) {
            entry->cases &= ~((uint64_t)1 << number);
            entry->is_there = entry->is_there && (entry->is_direct || entry->cases != 0);
        }
    }
    model->cases[number].record.state = RECORD_CASE_WITHDRAWN;
    model->cases[number].record.withdrawn = model->now;
}

static inline void model_list_delete(struct model *model, struct model_list *list)
{
    for (size_t i = 0; i < model->entry_count; i++) {
        if (model->entries[i].record.list == list->list.id) {
            model->entries[i].is_there = false;
            model->entries[i].cases = 0;
        }
    }
    for (size_t i = 0; i < MODEL_CASES; i++) {
        struct model_case *item = &model->cases[i];
        if (item->record.list == list->list.id && item->record.state == RECORD_CASE_ACTIVE) {
            item->is_there = false;
        }
    }
    list->is_there = false;
}

static inline bool model_matches(const struct model *model, const struct model_entry *entry,
                                 const struct imprint_hash *hash, unsigned *out_distance)
{
    if (!entry->is_there || entry->record.disabled_until > model->swept ||
        (entry->record.expires != 0 && entry->record.expires <= model->swept)) {
        return false;
    }
    for (size_t i = 0; i < MODEL_LISTS; i++) {
        const struct model_list *list = &model->lists[i];
        if (list->is_there && list->list.id == entry->record.list) {
            *out_distance = imprint_hash_distance(&entry->record.hash, hash);
            return list->list.state == RECORD_LIST_ACTIVE && list->list.kind == RECORD_LIST_BLOCK &&
                   *out_distance <= list->list.threshold;
        }
    }
    return false;
}

#endif
