/* The few functions of the C library and of libsodium that would bring files or the system with
 * them. */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"

_Noreturn void sodium_misuse(void);
void sodium_memzero(void *memory, size_t len);
int sodium_runtime_has_avx2(void);
int sodium_runtime_has_sse41(void);
int sodium_runtime_has_ssse3(void);

/* --- Text ------------------------------------------------------------------------------------- */

struct writer {
    char *out;
    size_t capacity;
    size_t len; /* also of what did not fit */
};

static void writer_put(struct writer *writer, char byte)
{
    if (writer->len < writer->capacity) {
        writer->out[writer->len] = byte;
    }
    writer->len++;
}

static void writer_put_text(struct writer *writer, const char *text)
{
    for (; *text != '\0'; text++) {
        writer_put(writer, *text);
    }
}

static void writer_put_number(struct writer *writer, unsigned number)
{
    unsigned power = 1;
    while (number / power >= 10) {
        power *= 10;
    }
    for (; power > 0; power /= 10) {
        writer_put(writer, (char)('0' + number / power % 10));
    }
}

/* Named by the codecs, never written to. */
#undef stderr
FILE *const stderr = NULL;

_Noreturn void abort(void)
{
    page_give_up(IMPRINT_E_INTERNAL);
}

_Noreturn void exit(int status)
{
    (void)status;
    page_give_up(IMPRINT_E_INTERNAL);
}

_Noreturn void longjmp(jmp_buf buffer, int value)
{
    (void)buffer;
    (void)value;
    page_give_up(IMPRINT_E_IMAGE_MALFORMED);
}

_Noreturn void __assert_fail(const char *text, const char *file, int line, const char *function)
{
    (void)text;
    (void)file;
    (void)line;
    (void)function;
    page_give_up(IMPRINT_E_INTERNAL);
}

_Noreturn void sodium_misuse(void)
{
    page_give_up(IMPRINT_E_INTERNAL);
}

char *getenv(const char *name)
{
    (void)name;
    return NULL;
}

/* What strbuf_addf needs: %s and %u. Anything else is our own bug. */
int vsnprintf(char *restrict out, size_t capacity, const char *restrict format, va_list args)
{
    struct writer writer = {.out = out, .capacity = capacity};
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%') {
            writer_put(&writer, *at);
        } else if (*++at == 's') {
            writer_put_text(&writer, va_arg(args, const char *));
        } else if (*at == 'u') {
            writer_put_number(&writer, va_arg(args, unsigned));
        } else {
            page_give_up(IMPRINT_E_INTERNAL);
        }
    }
    if (capacity > 0) {
        out[writer.len < capacity ? writer.len : capacity - 1] = '\0';
    }
    return (int)writer.len;
}

/* The codecs' messages, which nobody reads. */
int snprintf(char *restrict out, size_t capacity, const char *restrict format, ...)
{
    (void)format;
    if (capacity > 0) {
        out[0] = '\0';
    }
    return 0;
}

int fprintf(FILE *restrict file, const char *restrict format, ...)
{
    (void)file;
    (void)format;
    return 0;
}

int sscanf(const char *restrict text, const char *restrict format, ...)
{
    (void)text;
    (void)format;
    return 0;
}

/* explicit_bzero is what the compiler may not take away. */
void sodium_memzero(void *memory, size_t len)
{
    explicit_bzero(memory, len);
}

int sodium_runtime_has_avx2(void)
{
    return 0;
}

int sodium_runtime_has_sse41(void)
{
    return 0;
}

int sodium_runtime_has_ssse3(void)
{
    return 0;
}
