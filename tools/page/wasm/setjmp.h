/* setjmp.h - stands in for the C library's: WebAssembly has no way back up the stack.
 *
 * Why:     the codecs give up by longjmp. Here that ends the instance (see imprint_page_jump): the
 *          page asks for the reason and makes a new instance for the next picture, so nothing of
 *          the broken one is left either.
 * Threads: one.
 */
#ifndef PAGE_SETJMP_H
#define PAGE_SETJMP_H

typedef int jmp_buf[1];

#define setjmp(buffer) ((void)(buffer), 0)

_Noreturn void longjmp(jmp_buf buffer, int value);

#endif
