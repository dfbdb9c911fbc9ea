/* The few functions of the C library and of libsodium that the codecs name and that would bring
 * files or the system with them. Whatever writes text writes none: nobody reads a codec's words. */
#include <assert.h>
#include <setjmp.h>
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
