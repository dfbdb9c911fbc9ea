/* page.h - what is inside the page's WebAssembly module.
 *
 * Why:     one instance hashes one picture and is thrown away; a decoder that gives up or breaks
 *          takes only that instance with it. Another instance holds a case: the code and the
 *          report. The module imports nothing: it cannot reach a file, a socket, a clock, a source
 *          of random numbers or the page.
 * Owner:   the page writes into memory that take() hands out and reads results from the structs
 *          whose addresses it is given.
 * Errors:  what the page can cause is answered as enum imprint_error; a breach of these rules ends
 *          the instance.
 * Threads: one.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

#define EXPORT(name) __attribute__((export_name(name)))

/* What the page put in with take(). */
extern uint8_t *page_input;
extern size_t page_input_len;

/* Ends the instance. The page then asks failure() why. */
_Noreturn void page_give_up(enum imprint_error error);

#endif
