#include "summary.h"

#include <inttypes.h>
#include <stdio.h>

#include <sodium.h>

#include "strbuf.h"

struct summary_row {
    const char *name;
    uint64_t count;
    bool is_shown_empty; /* to a person */
    bool is_of_applying; /* says nothing of a dry run */
};

#define SUMMARY_ROWS 11

static void summary_rows(const struct summary_context *context,
                         struct summary_row rows[SUMMARY_ROWS])
{
    const struct exchange_summary *counts = context->counts;
    const struct apply_counts *applied = context->applied;
    const struct summary_row all[SUMMARY_ROWS] = {
        {"records", counts->records, true, false},
        {"adds", counts->adds, false, false},
        {"removes", counts->removes, false, false},
        {"added", counts->added, true, true},
        {"removed", counts->removed, true, true},
        {"duplicate", counts->duplicate, true, true},
        {"skipped", counts->skipped, true, false},
        {"invalid", counts->invalid, true, false},
        {"below_floor", applied->below_floor, false, true},
        {"superseded", applied->superseded, false, true},
        {"kept_for_cases", applied->of_cases, false, true},
    };
    for (size_t i = 0; i < SUMMARY_ROWS; i++) {
        rows[i] = all[i];
    }
}

static json_t *summary_issues(const struct exchange_summary *counts)
{
    json_t *issues = json_array();
    for (size_t i = 0; i < counts->issue_count; i++) {
        const struct exchange_issue *issue = &counts->issues[i];
        (void)json_array_append_new(
            issues, json_pack("{s:I, s:s, s:s}", "line", (json_int_t)issue->line, "reason",
                              exchange_reason_text(issue->reason), "detail", issue->detail));
    }
    return issues;
}

static void summary_show_json(const struct summary_context *context)
{
    struct summary_row rows[SUMMARY_ROWS];
    json_t *object = json_pack("{s:s, s:s, s:s?, s:b, s:b}", "list", context->list, "source",
                               context->source, "format", context->format, "dry_run",
                               context->is_dry, "complete", context->is_complete);
    summary_rows(context, rows);
    for (size_t i = 0; i < SUMMARY_ROWS; i++) {
        (void)json_object_set_new(object, rows[i].name, json_integer((json_int_t)rows[i].count));
    }
    if (context->page != NULL && context->page->is_signed) {
        char key[2 * EXCHANGE_KEY_BYTES + 1];
        sodium_bin2hex(key, sizeof key, context->page->signer, sizeof context->page->signer);
        (void)json_object_set_new(object, "signed_by", json_string(key));
    }
    json_t *reasons = json_object();
    for (int i = EXCHANGE_REASON_NONE + 1; i < EXCHANGE_REASON_COUNT; i++) {
        if (context->counts->by_reason[i] > 0) {
            (void)json_object_set_new(reasons, exchange_reason_text((enum exchange_reason)i),
                                      json_integer((json_int_t)context->counts->by_reason[i]));
        }
    }
    (void)json_object_set_new(object, "reasons", reasons);
    (void)json_object_set_new(object, "issues", summary_issues(context->counts));
    ctl_print_json(object);
    json_decref(object);
}

static void summary_show_issue(const struct exchange_issue *issue)
{
    struct strbuf line;
    strbuf_init(&line, 4096);
    strbuf_addf(&line, "line %" PRIu64 ": %s", issue->line, exchange_reason_text(issue->reason));
    if (issue->detail[0] != '\0') {
        strbuf_add(&line, " (");
        strbuf_add_printable(&line, issue->detail);
        strbuf_add(&line, ")");
    }
    fprintf(stderr, "%s\n", strbuf_get(&line));
    strbuf_done(&line);
}

static void summary_show_person(const struct summary_context *context)
{
    struct summary_row rows[SUMMARY_ROWS];
    const struct exchange_summary *counts = context->counts;
    summary_rows(context, rows);
    for (size_t i = 0; i < counts->issue_count; i++) {
        summary_show_issue(&counts->issues[i]);
    }
    const uint64_t issues = counts->invalid + counts->noted;
    if (issues > counts->issue_count) {
        fprintf(stderr, "and %" PRIu64 " more\n", issues - counts->issue_count);
    }
    printf("%-15s %s\n", "format:", context->format != NULL ? context->format : "-");
    for (size_t i = 0; i < SUMMARY_ROWS; i++) {
        const bool is_shown = rows[i].count > 0 || rows[i].is_shown_empty;
        if (is_shown && !(context->is_dry && rows[i].is_of_applying)) {
            printf("%-14s: %" PRIu64 "\n", rows[i].name, rows[i].count);
        }
    }
    for (int i = EXCHANGE_REASON_NONE + 1; i < EXCHANGE_REASON_COUNT; i++) {
        if (counts->by_reason[i] > 0) {
            printf("  %" PRIu64 " %s\n", counts->by_reason[i],
                   exchange_reason_text((enum exchange_reason)i));
        }
    }
    if (context->page != NULL && context->page->is_signed) {
        char key[2 * EXCHANGE_KEY_BYTES + 1];
        sodium_bin2hex(key, sizeof key, context->page->signer, sizeof context->page->signer);
        printf("signed by     : %s\n", key);
    }
    if (context->is_dry) {
        printf("nothing was changed%s\n", context->is_complete ? ": this was a dry run" : "");
    }
}

void summary_show(const struct command_call *call, const struct summary_context *context)
{
    if (ctl_wants_json(call)) {
        summary_show_json(context);
    } else {
        summary_show_person(context);
    }
}
