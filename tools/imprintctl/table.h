/* table.h - rows for a person: columns as wide as they need to be, a bold head on a terminal.
 *
 * Ownership: cells are copied. table_init and table_done enclose the use.
 * Errors:    sticky; table_print says so by returning false.
 * Threads:   one.
 */
#ifndef IMPRINTCTL_TABLE_H
#define IMPRINTCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS_MAX 12

struct table {
    const char *const *heads;
    size_t column_count;
    char **cells; /* row after row */
    size_t cell_count;
    size_t capacity;
    bool is_broken; /* memory ran out */
};

void table_init(struct table *table, const char *const *heads, size_t column_count);
void table_done(struct table *table);

/* The next cell; control characters are made harmless. */
void table_add(struct table *table, const char *text);
void table_addf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes head and rows to standard output. False when memory had run out. */
bool table_print(const struct table *table);

/* Standard output is a terminal and NO_COLOR is not set. */
bool table_is_coloured(void);

#endif
