/* page.h - what is inside the page's WebAssembly module.
 *
 * Why:     one instance hashes one picture and is thrown away; a decoder that gives up or breaks
 *          takes only that instance with it. Another instance makes or reads the code. The module
 *          imports nothing: it cannot reach a file, a socket, a clock or the page.
 * Owner:   the page writes into memory that the exports hand out and reads results from there.
 * Threads: one.
 */
#ifndef PAGE_H
#define PAGE_H

#include "imprint/error.h"

/* Ends the instance. The page then asks page_failure() why. */
_Noreturn void page_give_up(enum imprint_error error);

#endif
