/* records.h - what the list is made of: the plain records that store keeps, catalog governs and
 * api shows.
 *
 * Why:       one vocabulary for three rooms; no behaviour.
 * Times are seconds since 1970 UTC; 0 means "never" or "not set". Texts are UTF-8 with a NUL.
 */
#ifndef DAEMON_RECORDS_H
#define DAEMON_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "imprint/hash.h"

#include "limits.h"

/* Values of every enum here are stored: never renumber. */
enum record_list_state {
    RECORD_LIST_ACTIVE = 1, /* matches are answered */
    RECORD_LIST_SHADOW = 2, /* matches are recorded, not answered */
    RECORD_LIST_OFF = 3,    /* not searched */
};

enum record_list_kind {
    RECORD_LIST_BLOCK = 1,  /* hashes of reported pictures */
    RECORD_LIST_BENIGN = 2, /* hashes that must never block */
};

struct record_list {
    uint32_t id;                              /* 1.. ; never used again */
    char name[LIMIT_LIST_NAME_BYTES_MAX + 1]; /* [a-z0-9][a-z0-9._-]*, unique, case kept out */
    char note[LIMIT_NOTE_BYTES_MAX + 1];
    char source[LIMIT_SOURCE_BYTES_MAX + 1]; /* who the hashes come from; free text */
    char action[LIMIT_ACTION_BYTES_MAX + 1]; /* what a match asks a platform to do: "block" */
    enum record_list_state state;
    enum record_list_kind kind;
    uint8_t threshold;     /* 0..63 bits */
    uint8_t quality_floor; /* 0..100: entries below it are refused */
    uint32_t expiry_days;  /* of new entries; 0: none */
    int64_t created;
    uint64_t entries; /* filled in on reading */
};

struct record_case_id {
    uint8_t bytes[16];
};

struct record_entry {
    uint64_t id;   /* 1.. < 2^53; never used again */
    uint32_t list; /* record_list.id */
    struct imprint_hash hash;
    uint8_t quality; /* 0..100; 255: not known (a bare hash from a partner) */
    uint32_t actor;  /* uid that added it */
    int64_t added;
    int64_t disabled_until;        /* not matched before; INT64_MAX: until enabled */
    int64_t expires;               /* not matched from then on */
    uint64_t seq;                  /* of the change that last touched it */
    struct record_case_id case_id; /* all zero: of no case */
    char note[LIMIT_NOTE_BYTES_MAX + 1];
};

#define RECORD_QUALITY_UNKNOWN 255

enum record_case_state {
    RECORD_CASE_ACTIVE = 1,
    RECORD_CASE_WITHDRAWN = 2,
};

/* A report as accepted. Verifiers are one-way values of the holder's code (docs/formats.md): who
 * reads this can neither withdraw nor look up. */
struct record_case {
    struct record_case_id id;
    enum record_case_state state;
    uint32_t list;
    uint32_t actor;
    int64_t accepted;
    int64_t withdrawn;
    uint32_t items; /* hashes the report carried */
    uint8_t status_verifier[32];
    uint8_t withdraw_verifier[32];
    uint8_t append_verifier[32];
};

/* What was done, in the audit. */
enum record_verb {
    RECORD_VERB_LIST_CREATE = 1,
    RECORD_VERB_LIST_CHANGE = 2,
    RECORD_VERB_LIST_DELETE = 3, /* count: entries that went with it */
    RECORD_VERB_ENTRIES_ADD = 4, /* entry: the first new one; count: new ones */
    RECORD_VERB_ENTRY_CHANGE = 5,
    RECORD_VERB_ENTRY_REMOVE = 6,
    RECORD_VERB_CASE_ACCEPT = 7,   /* count: hashes the report carried */
    RECORD_VERB_CASE_WITHDRAW = 8, /* count: entries that left the list */
    RECORD_VERB_COMPACT = 9,
};

#define RECORD_CHAIN_BYTES 32

/* One change, as the audit keeps it: numbers and a reason, never a hash. What does not apply is 0.
 */
struct record_audit {
    uint64_t seq; /* the last one the change took; records are in this order, with gaps */
    int64_t time;
    uint32_t uid;
    enum record_verb verb;
    uint32_t list;
    uint64_t entry;
    uint64_t count;
    struct record_case_id case_id;
    char reason[LIMIT_REASON_BYTES_MAX + 1];
    uint8_t chain[RECORD_CHAIN_BYTES]; /* over the record before and this one */
};

enum record_change_kind {
    RECORD_CHANGE_PUT = 1,          /* the entry is there, new or changed */
    RECORD_CHANGE_REMOVED = 2,      /* the entry is gone; its hash is not kept */
    RECORD_CHANGE_LIST_REMOVED = 3, /* the list and all its entries are gone; entry is 0 */
};

/* The latest change of an entry, for who follows a list: older ones are forgotten. */
struct record_change {
    uint64_t seq; /* of its own; ascending, with gaps */
    enum record_change_kind kind;
    uint32_t list;
    uint64_t entry;
};

#endif
