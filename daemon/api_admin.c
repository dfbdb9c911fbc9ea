/* Lists: create, show, change, delete. */
#include <stdlib.h>
#include <string.h>

#include "api_impl.h"

#define LIST_PAGE_DEFAULT 100

static const struct field_choice states[] = {{"active", RECORD_LIST_ACTIVE},
                                             {"shadow", RECORD_LIST_SHADOW},
                                             {"off", RECORD_LIST_OFF},
                                             {NULL, 0}};
static const struct field_choice kinds[] = {
    {"block", RECORD_LIST_BLOCK}, {"benign", RECORD_LIST_BENIGN}, {NULL, 0}};

static json_t *list_to_json(const struct record_list *list)
{
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:I}", "id", (json_int_t)list->id,
        "name", list->name, "note", list->note, "source", list->source, "action", list->action,
        "state", fields_choice_name(states, (int)list->state), "kind",
        fields_choice_name(kinds, (int)list->kind), "threshold", (int)list->threshold,
        "quality_floor", (int)list->quality_floor, "expiry_days", (json_int_t)list->expiry_days,
        "created", (json_int_t)list->created, "entries", (json_int_t)list->entries);
}

/* What a body may say of a list; numbers pass through wide ones so that the ranges are checked. */
struct list_spec {
    struct record_list list;
    int64_t threshold;
    int64_t quality_floor;
    int64_t expiry_days;
    int state;
    int kind;
};

static void spec_begin(struct list_spec *spec, const struct record_list *list)
{
    *spec = (struct list_spec){
        .list = *list,
        .threshold = list->threshold,
        .quality_floor = list->quality_floor,
        .expiry_days = list->expiry_days,
        .state = (int)list->state,
        .kind = (int)list->kind,
    };
}

static void spec_end(struct list_spec *spec)
{
    spec->list.threshold = (uint8_t)spec->threshold;
    spec->list.quality_floor = (uint8_t)spec->quality_floor;
    spec->list.expiry_days = (uint32_t)spec->expiry_days;
    spec->list.state = (enum record_list_state)spec->state;
    spec->list.kind = (enum record_list_kind)spec->kind;
}

/* Reads the body over what spec holds. with_name: a name is needed. */
static bool read_spec(struct api_call *call, bool with_name, struct list_spec *spec)
{
    const struct field fields[] = {
        {.name = "name",
         .kind = FIELD_TEXT,
         .min = 1,
         .max = LIMIT_LIST_NAME_BYTES_MAX,
         .out = spec->list.name},
        {.name = "note",
         .kind = FIELD_TEXT,
         .is_optional = true,
         .max = LIMIT_NOTE_BYTES_MAX,
         .out = spec->list.note},
        {.name = "source",
         .kind = FIELD_TEXT,
         .is_optional = true,
         .max = LIMIT_SOURCE_BYTES_MAX,
         .out = spec->list.source},
        {.name = "action",
         .kind = FIELD_TEXT,
         .is_optional = true,
         .max = LIMIT_ACTION_BYTES_MAX,
         .out = spec->list.action},
        {.name = "state",
         .kind = FIELD_CHOICE,
         .is_optional = true,
         .choices = states,
         .out = &spec->state},
        {.name = "kind",
         .kind = FIELD_CHOICE,
         .is_optional = true,
         .choices = kinds,
         .out = &spec->kind},
        {.name = "threshold",
         .kind = FIELD_INTEGER,
         .is_optional = true,
         .max = LIMIT_THRESHOLD_MAX,
         .out = &spec->threshold},
        {.name = "quality_floor",
         .kind = FIELD_INTEGER,
         .is_optional = true,
         .max = IMPRINT_QUALITY_MAX,
         .out = &spec->quality_floor},
        {.name = "expiry_days",
         .kind = FIELD_INTEGER,
         .is_optional = true,
         .max = 36500,
         .out = &spec->expiry_days},
    };
    const size_t count = sizeof fields / sizeof fields[0];
    bool is_fine =
        with_name ? api_read_body(call, fields, count) : api_read_body(call, fields + 1, count - 1);
    if (is_fine) {
        spec_end(spec);
    }
    return is_fine;
}

static void answer_list(struct api_call *call, int status, enum imprint_error error,
                        const struct record_list *list)
{
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    api_answer_json(call, status, list_to_json(list));
}

void api_get_lists(struct api_call *call)
{
    uint64_t after = 0;
    uint64_t limit = 0;
    if (!api_read_number(call, "after", 0, UINT32_MAX, 0, &after) ||
        !api_read_number(call, "limit", 1, LIMIT_PAGE_MAX, LIST_PAGE_DEFAULT, &limit)) {
        return;
    }
    struct record_list *lists = calloc(limit, sizeof *lists);
    size_t count = 0;
    enum imprint_error error =
        lists == NULL ? IMPRINT_E_NOMEM
                      : catalog_lists(call->api->catalog, (uint32_t)after, lists, limit, &count);
    if (error != IMPRINT_OK) {
        free(lists);
        api_fail(call, error);
        return;
    }
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(array, list_to_json(&lists[i]));
    }
    json_t *next = count == limit ? json_integer((json_int_t)lists[count - 1].id) : json_null();
    free(lists);
    api_answer_json(call, 200, json_pack("{s:o, s:o}", "lists", array, "next", next));
}

void api_post_lists(struct api_call *call)
{
    struct catalog_actor actor;
    struct record_list defaults = catalog_list_default();
    struct list_spec spec;
    spec_begin(&spec, &defaults);
    if (!api_read_reason(call, &actor) || !read_spec(call, true, &spec)) {
        return;
    }
    struct record_list list;
    enum imprint_error error = catalog_list_create(call->api->catalog, &actor, &spec.list, &list);
    answer_list(call, 201, error, &list);
}

void api_get_list(struct api_call *call)
{
    struct record_list list;
    enum imprint_error error = catalog_list_get(call->api->catalog, call->captures[0], &list);
    answer_list(call, 200, error, &list);
}

void api_patch_list(struct api_call *call)
{
    struct catalog_actor actor;
    struct record_list list;
    if (!api_read_reason(call, &actor)) {
        return;
    }
    enum imprint_error error = catalog_list_get(call->api->catalog, call->captures[0], &list);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    struct list_spec spec;
    spec_begin(&spec, &list);
    if (!read_spec(call, false, &spec)) {
        return;
    }
    error = catalog_list_change(call->api->catalog, &actor, call->captures[0], &spec.list, &list);
    answer_list(call, 200, error, &list);
}

void api_delete_list(struct api_call *call)
{
    struct catalog_actor actor;
    if (!api_read_reason(call, &actor)) {
        return;
    }
    enum imprint_error error = catalog_list_delete(call->api->catalog, &actor, call->captures[0]);
    if (error != IMPRINT_OK) {
        api_fail(call, error);
        return;
    }
    api_answer_json(call, 200, json_pack("{s:s}", "deleted", call->captures[0]));
}
