/* exit_status.h - what a program's end says to a script; the same numbers in imprint and
 * imprintctl, those virus scanners use. */
#ifndef TOOLS_EXIT_STATUS_H
#define TOOLS_EXIT_STATUS_H

#include "imprint/error.h"

enum exit_status {
    EXIT_STATUS_FINE = 0,        /* done; of a search: nothing found */
    EXIT_STATUS_MATCH = 1,       /* a picture is on the list */
    EXIT_STATUS_ERROR = 2,       /* something failed, or the command was not understood */
    EXIT_STATUS_UNHASHABLE = 3,  /* a picture is too small or too flat to tell */
    EXIT_STATUS_UNREACHABLE = 4, /* the daemon is not there or too busy: try again */
    EXIT_STATUS_REFERRED = 5,    /* somebody may be under 18: stopped before any picture */
    EXIT_STATUS_STOPPED = 6,     /* the person said no to a question; nothing was made */
};

enum exit_status exit_status_of(enum imprint_error error);

/* The graver of two, for a program that works through many files: unreachable, error, match,
 * unhashable, fine. */
enum exit_status exit_status_worse(enum exit_status a, enum exit_status b);

#endif
