#include "table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "strbuf.h"

enum { TABLE_CELL_BYTES_MAX = 4096, TABLE_GAP = 2 };

void table_init(struct table *table, const char *const *heads, size_t column_count)
{
    assert(column_count <= TABLE_COLUMNS_MAX);
    *table = (struct table){.heads = heads, .column_count = column_count};
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    *table = (struct table){0};
}

static bool table_reserve(struct table *table)
{
    if (table->cell_count < table->capacity) {
        return true;
    }
    const size_t capacity = table->capacity != 0 ? table->capacity * 2 : 64;
    char **cells = realloc(table->cells, capacity * sizeof *cells);
    if (cells == NULL) {
        return false;
    }
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void table_add(struct table *table, const char *text)
{
    struct strbuf cell;
    strbuf_init(&cell, TABLE_CELL_BYTES_MAX);
    strbuf_add_printable(&cell, text);
    char *copy = strdup(strbuf_get(&cell));
    strbuf_done(&cell);
    if (copy == NULL || !table_reserve(table)) {
        free(copy);
        table->is_broken = true;
        return;
    }
    table->cells[table->cell_count++] = copy;
}

void table_addf(struct table *table, const char *format, ...)
{
    char cell[256];
    va_list args;
    va_start(args, format);
    vsnprintf(cell, sizeof cell, format, args);
    va_end(args);
    table_add(table, cell);
}

/* Characters, near enough: bytes that begin one. */
static size_t table_width(const char *text)
{
    size_t width = 0;
    for (const char *c = text; *c != '\0'; c++) {
        width += ((unsigned char)*c & 0xc0) != 0x80;
    }
    return width;
}

bool table_is_coloured(void)
{
    const char *no_color = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && (no_color == NULL || *no_color == '\0');
}

static void table_print_row(const struct table *table, const char *const *row, const size_t *widths)
{
    for (size_t c = 0; c < table->column_count; c++) {
        const bool is_last = c + 1 == table->column_count;
        const size_t pad = widths[c] - table_width(row[c]) + TABLE_GAP;
        printf("%s%*s", row[c], is_last ? 0 : (int)pad, "");
    }
    putchar('\n');
}

bool table_print(const struct table *table)
{
    if (table->is_broken) {
        return false;
    }
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = table_width(table->heads[c]);
        for (size_t i = c; i < table->cell_count; i += table->column_count) {
            const size_t width = table_width(table->cells[i]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    const bool is_coloured = table_is_coloured();
    fputs(is_coloured ? "\033[1m" : "", stdout);
    table_print_row(table, table->heads, widths);
    fputs(is_coloured ? "\033[0m" : "", stdout);
    for (size_t i = 0; i + table->column_count <= table->cell_count; i += table->column_count) {
        table_print_row(table, (const char *const *)table->cells + i, widths);
    }
    return true;
}
