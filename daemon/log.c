#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Longer lines are cut: a line must fit one write, so that threads never mix within it. */
#define LINE_BYTES_MAX 1024

static atomic_int current_level = LOG_LEVEL_NOTICE;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

/* The prefix of sd-daemon(3), understood by journald. On a terminal it would only be noise. */
static const char *prefix(enum log_level level)
{
    if (getenv("JOURNAL_STREAM") == NULL) {
        return "";
    }
    switch (level) {
    case LOG_LEVEL_ERROR: return "<3>";
    case LOG_LEVEL_WARNING: return "<4>";
    case LOG_LEVEL_NOTICE: return "<5>";
    case LOG_LEVEL_INFO: return "<6>";
    case LOG_LEVEL_DEBUG: return "<7>";
    }
    return "";
}

void log_line(enum log_level level, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&current_level, memory_order_relaxed)) {
        return;
    }
    char line[LINE_BYTES_MAX];
    int start = snprintf(line, sizeof line, "%s", prefix(level));
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(line + start, sizeof line - (size_t)start - 1, format, arguments);
    va_end(arguments);
    if (written < 0) {
        return;
    }
    size_t len = (size_t)start + (size_t)written;
    if (len > sizeof line - 2) {
        len = sizeof line - 2;
    }
    line[len] = '\n';
    /* Nothing can be done about a log that does not take a line. */
    ssize_t ignored = write(STDERR_FILENO, line, len + 1);
    (void)ignored;
}
