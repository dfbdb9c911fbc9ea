/* exchange.h - lists of hashes in other organisations' formats, in and out, as a stream of records.
 *
 * Why:       every foreign byte is parsed here, in the admin's own unprivileged process, never in
 * the daemon. Readers and writers know nothing of files, sockets or the daemon: bytes in any split
 * go in, records come out, and the reverse. docs/exchange.md describes the formats. Ownership: a
 * record belongs to whoever made it; a reader's is valid during the call only. Memory:    bounded
 * whatever the input's size: under 4 MiB a reader, nothing kept of a record. Errors:    what is
 * wrong with one record is a record with the verb EXCHANGE_INVALID, and reading goes on. What is
 * wrong with the whole is a value: IMPRINT_E_JSON_INVALID or IMPRINT_E_PARAMETER_INVALID, and
 * exchange_reader_fault says what and where. An input that ends too early is such an error, never a
 * silent end. Threads:   any, one reader or writer each. Needs sodium_init() to have succeeded.
 */
#ifndef IMPRINTCTL_EXCHANGE_H
#define IMPRINTCTL_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/hash.h"

#define EXCHANGE_TEXT_BYTES_MAX \
    255 /* longer texts are cut at a character, and the record says so */
#define EXCHANGE_QUALITY_UNKNOWN 255
#define EXCHANGE_KEY_BYTES       32 /* an Ed25519 public key */
#define EXCHANGE_SECRET_BYTES    64 /* an Ed25519 secret key as libsodium keeps it */
#define EXCHANGE_PAGE_BYTES_MAX  2048
#define EXCHANGE_ISSUES_MAX      20

/* --- Records --------------------------------------------------------------------------------- */

enum exchange_verb {
    EXCHANGE_ADD,     /* the hash is on the source's list: add it, or it is there already */
    EXCHANGE_REMOVE,  /* by hash, or where has_hash is false by id */
    EXCHANGE_SKIP,    /* a proper record that is not for us; reason says why */
    EXCHANGE_INVALID, /* not a proper record; reason says why */
};

enum exchange_reason {
    EXCHANGE_REASON_NONE,
    /* Why a record is skipped. */
    EXCHANGE_REASON_SIGNAL_TYPE, /* a hash of another kind; detail names it */
    EXCHANGE_REASON_NO_PDQ,      /* an entry without a PDQ hash */
    EXCHANGE_REASON_NEGATIVE,    /* the source says that this must not match */
    /* Why a record is invalid. */
    EXCHANGE_REASON_HASH,     /* not 64 hexadecimal digits, or not the base64 of 32 bytes */
    EXCHANGE_REASON_QUALITY,  /* not a whole number from 0 to 100 */
    EXCHANGE_REASON_FIELD,    /* a field is missing or of the wrong kind; detail names it */
    EXCHANGE_REASON_SYNTAX,   /* not JSON, or not a row of as many columns as the header has */
    EXCHANGE_REASON_TOO_LONG, /* longer than any proper record */
    /* What is worth telling about a record that is applied (verb add or remove). */
    EXCHANGE_REASON_UNKNOWN_VALUE, /* a status we do not know was kept; detail names it */
    EXCHANGE_REASON_SHORTENED,     /* a text was cut at EXCHANGE_TEXT_BYTES_MAX; detail names it */
    EXCHANGE_REASON_COUNT
};

struct exchange_record {
    uint64_t line;   /* where the record begins, from 1 */
    uint64_t offset; /* likewise in bytes, from 0 */
    enum exchange_verb verb;
    enum exchange_reason reason;
    bool has_hash;
    struct imprint_hash hash;
    uint8_t quality;        /* 0..100, or EXCHANGE_QUALITY_UNKNOWN */
    int64_t updated;        /* by the source, seconds since 1970 UTC; 0: not said */
    int64_t expires;        /* likewise; native only */
    int64_t disabled_until; /* likewise; native only */
    uint64_t seq;           /* of the exporting daemon; native only */
    /* UTF-8 with a NUL, "" where there is none. */
    char id[EXCHANGE_TEXT_BYTES_MAX + 1];     /* the source's name of the record, or a case of it */
    char name[EXCHANGE_TEXT_BYTES_MAX + 1];   /* a file's or a member's name, a note */
    char tags[EXCHANGE_TEXT_BYTES_MAX + 1];   /* separated by spaces */
    char status[EXCHANGE_TEXT_BYTES_MAX + 1]; /* status, category or classification as written */
    char detail[EXCHANGE_TEXT_BYTES_MAX + 1]; /* belongs to reason */
};

/* An add of no hash yet, without texts, of unknown quality. */
void exchange_record_init(struct exchange_record *record);

/* One English sentence without a full stop. Never NULL. */
const char *exchange_reason_text(enum exchange_reason reason);

/* --- Reading --------------------------------------------------------------------------------- */

/* Takes a record. Anything but IMPRINT_OK ends the reading and is what feed or finish return. */
typedef enum imprint_error exchange_record_fn(void *context, const struct exchange_record *record);

struct exchange_reader_options {
    const char *format; /* a name of exchange_format_name; NULL: found out from the first bytes */
    exchange_record_fn *on_record;
    void *context;
    /* Native format only: the public key that must have signed. NULL: a signature is checked
     * against the key it names, and its absence is no error. */
    const uint8_t *trusted_key;
};

/* What is wrong with the whole. */
struct exchange_fault {
    enum imprint_error error; /* IMPRINT_OK: nothing */
    uint64_t line;
    uint64_t offset;
    char text[200];
};

/* What the input says about itself, once it was read to its end. */
struct exchange_page {
    bool has_more;                          /* there is a page after this one ... */
    char next[EXCHANGE_PAGE_BYTES_MAX + 1]; /* ... its token or URL */
    int64_t checkpoint;                     /* seconds since 1970 UTC to ask from; 0: not said */
    uint64_t since;                         /* native: changes after this one ... */
    uint64_t seq;                           /* ... up to this one */
    char list[EXCHANGE_TEXT_BYTES_MAX + 1]; /* native: name of the exported list */
    char epoch[EXCHANGE_TEXT_BYTES_MAX + 1];
    bool is_signed; /* native: and the signature is right; by signer */
    uint8_t signer[EXCHANGE_KEY_BYTES];
};

struct exchange_reader;

/* IMPRINT_E_PARAMETER_INVALID for an unknown format, IMPRINT_E_NOMEM. */
IMPRINT_MUST_USE enum imprint_error
exchange_reader_open(const struct exchange_reader_options *options,
                     struct exchange_reader **out_reader);
/* Any split of the input gives the same records. After an error every further call returns it. */
IMPRINT_MUST_USE enum imprint_error exchange_reader_feed(struct exchange_reader *reader,
                                                         const void *bytes, size_t len);
/* The input is at its end: says whether it was whole. */
IMPRINT_MUST_USE enum imprint_error exchange_reader_finish(struct exchange_reader *reader);
void exchange_reader_close(struct exchange_reader *reader);

const struct exchange_fault *exchange_reader_fault(const struct exchange_reader *reader);
const struct exchange_page *exchange_reader_page(const struct exchange_reader *reader);
/* The format's name; NULL while it is not known. */
const char *exchange_reader_format(const struct exchange_reader *reader);

/* The formats that can be read: name and one line about it for index 0, 1, ...; NULL after the last
 * one. */
const char *exchange_format_name(size_t index);
const char *exchange_format_summary(size_t index);

/* --- Counting -------------------------------------------------------------------------------- */

struct exchange_issue {
    uint64_t line;
    enum exchange_reason reason;
    char detail[EXCHANGE_TEXT_BYTES_MAX + 1];
};

struct exchange_summary {
    uint64_t records; /* of every verb */
    uint64_t adds;    /* asked for by the input */
    uint64_t removes;
    uint64_t skipped;
    uint64_t invalid;
    uint64_t noted;     /* adds and removes with a reason */
    uint64_t added;     /* these four are what came of it, counted by whoever applies records */
    uint64_t updated;   /* known with other particulars */
    uint64_t removed;   /* */
    uint64_t duplicate; /* adds of what was there, removes of what was not */
    uint64_t by_reason[EXCHANGE_REASON_COUNT];
    struct exchange_issue issues[EXCHANGE_ISSUES_MAX]; /* the first invalid ones, then noted ones */
    size_t issue_count;
};

/* Counts a record by its verb and reason, and keeps the first invalid and noted ones. */
void exchange_summary_count(struct exchange_summary *summary, const struct exchange_record *record);

/* --- Writing --------------------------------------------------------------------------------- */

/* Takes len bytes of output, all of them or an error, which the writer then returns. */
typedef enum imprint_error exchange_write_fn(void *context, const void *bytes, size_t len);

struct exchange_writer_options {
    const char *format; /* "imprint", "hex", "tx", "stopncii-feedback" */
    exchange_write_fn *write;
    void *context;
    const char *list;           /* native, tx: name of the list */
    const char *epoch;          /* native */
    uint64_t since;             /* native: changes after this one; 0: the whole list */
    uint64_t seq;               /* native: ... up to this one */
    int64_t created;            /* native: time of the export */
    const char *default_status; /* tx: category, feedback: value, of records without; NULL: ours */
    const uint8_t *secret_key;  /* native: EXCHANGE_SECRET_BYTES to sign with; NULL: unsigned */
};

struct exchange_writer;

/* IMPRINT_E_PARAMETER_INVALID for an unknown format or default_status, IMPRINT_E_NOMEM. */
IMPRINT_MUST_USE enum imprint_error
exchange_writer_open(const struct exchange_writer_options *options,
                     struct exchange_writer **out_writer);
/* Writes a record with the verb add or remove. Others, and what the format has no words for (a
 * removal in hex or tx), are counted as left out. */
IMPRINT_MUST_USE enum imprint_error exchange_writer_put(struct exchange_writer *writer,
                                                        const struct exchange_record *record);
/* Without it the output is not whole. */
IMPRINT_MUST_USE enum imprint_error exchange_writer_finish(struct exchange_writer *writer);
uint64_t exchange_writer_left_out(const struct exchange_writer *writer);
void exchange_writer_close(struct exchange_writer *writer);

#endif
