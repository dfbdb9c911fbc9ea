/* summary.h - shows what became of an exchange file, to a person or as JSON.
 *
 * Threads: one.
 */
#ifndef IMPRINTCTL_SUMMARY_H
#define IMPRINTCTL_SUMMARY_H

#include "apply.h"
#include "exchange.h"

struct summary_context {
    const char *list;
    const char *source; /* file or feed */
    const char *format; /* NULL: it was not found out */
    bool is_dry;        /* nothing was changed */
    bool is_complete;   /* everything that was to be done was done */
    const struct exchange_summary *counts;
    const struct apply_counts *applied;
    const struct exchange_page *page;
};

/* On standard output; the issues of a person's summary on standard error. */
void summary_show(const struct command_call *call, const struct summary_context *context);

#endif
