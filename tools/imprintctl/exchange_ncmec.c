/* NCMEC's hash sharing API, version 2: the XML of GET /v2/entries. Images with a PDQ fingerprint
 * are ours; a deletedImage has no fingerprint and removes by id, which is member/id. Entries are
 * not in the order of their time, so each carries it.
 *
 * Entities: a document type is refused, so there is nothing to expand. expat keeps every distinct
 * name for the document's length, so their number and length have a maximum. */
#include <string.h>

#include <expat.h>

#include "exchange_format.h"

#define EXCHANGE_NCMEC_DEPTH_MAX      32
#define EXCHANGE_NCMEC_NAMES_MAX      512
#define EXCHANGE_NCMEC_NAME_BYTES_MAX 128
#define EXCHANGE_NCMEC_TEXT_BYTES_MAX 1024
#define EXCHANGE_NCMEC_HASHES_MAX     8
/* One tag or run of text that expat has to gather before it can tell us. */
#define EXCHANGE_NCMEC_TOKEN_BYTES_MAX ((size_t)64 << 10)
#define EXCHANGE_NCMEC_FEED_BYTES      ((size_t)16 << 10)

enum exchange_ncmec_depth {
    EXCHANGE_NCMEC_ROOT = 1, /* queryResult */
    EXCHANGE_NCMEC_GROUP,    /* images, videos, paging */
    EXCHANGE_NCMEC_ENTRY,    /* image, deletedImage, ..., next */
    EXCHANGE_NCMEC_FIELD,    /* member, id, timestamp, classification, fingerprints */
    EXCHANGE_NCMEC_PRINT,    /* md5, sha1, pdna, pdq */
};

enum exchange_ncmec_kind {
    EXCHANGE_NCMEC_NONE,
    EXCHANGE_NCMEC_IMAGE,
    EXCHANGE_NCMEC_DELETED_IMAGE,
    EXCHANGE_NCMEC_OTHER, /* counted, not read: video, deletedVideo and what may come */
};

struct exchange_ncmec_hash {
    char text[IMPRINT_HASH_HEX + 1];
    size_t len; /* as written, may exceed what text holds */
};

struct exchange_ncmec {
    struct exchange_reader *reader;
    XML_Parser parser;
    enum imprint_error error; /* of a handler that stopped the parser */
    uint64_t fed;
    size_t depth;
    uint64_t names[EXCHANGE_NCMEC_NAMES_MAX]; /* digests of the names seen */
    size_t name_count;
    /* The text of the element being read, where it is one of ours. */
    bool is_text;
    char text[EXCHANGE_NCMEC_TEXT_BYTES_MAX];
    size_t text_len; /* as written, may exceed what text holds */
    bool is_entries; /* the group is images or videos */
    bool is_prints;  /* the field is fingerprints */
    enum exchange_ncmec_kind kind;
    struct exchange_record record; /* of the entry being read */
    char member[EXCHANGE_TEXT_BYTES_MAX + 1];
    char entry_id[EXCHANGE_TEXT_BYTES_MAX + 1];
    struct exchange_ncmec_hash hashes[EXCHANGE_NCMEC_HASHES_MAX];
    size_t hash_count;
};

/* --- Stopping -------------------------------------------------------------------------------- */

static void exchange_ncmec_stop(struct exchange_ncmec *ncmec, enum imprint_error error)
{
    if (ncmec->error == IMPRINT_OK) {
        ncmec->error = error;
        XML_StopParser(ncmec->parser, XML_FALSE);
    }
}

static uint64_t exchange_ncmec_line(const struct exchange_ncmec *ncmec)
{
    return (uint64_t)XML_GetCurrentLineNumber(ncmec->parser);
}

static uint64_t exchange_ncmec_offset(const struct exchange_ncmec *ncmec)
{
    const XML_Index index = XML_GetCurrentByteIndex(ncmec->parser);
    return index > 0 ? (uint64_t)index : 0;
}

static void exchange_ncmec_wrong(struct exchange_ncmec *ncmec, const char *what)
{
    exchange_ncmec_stop(ncmec, exchange_fault(ncmec->reader, IMPRINT_E_PARAMETER_INVALID,
                                              exchange_ncmec_line(ncmec),
                                              exchange_ncmec_offset(ncmec), "%s", what));
}

/* --- Names ----------------------------------------------------------------------------------- */

/* Counts a name unless it was seen (FNV-1a; two names taken for one cost nothing). */
static void exchange_ncmec_meet(struct exchange_ncmec *ncmec, const char *name)
{
    uint64_t digest = 0xcbf29ce484222325u;
    size_t len = 0;
    for (; name[len] != '\0'; len++) {
        digest = (digest ^ (unsigned char)name[len]) * 0x100000001b3u;
    }
    for (size_t i = 0; i < ncmec->name_count; i++) {
        if (ncmec->names[i] == digest) {
            return;
        }
    }
    if (ncmec->name_count == EXCHANGE_NCMEC_NAMES_MAX || len > EXCHANGE_NCMEC_NAME_BYTES_MAX) {
        exchange_ncmec_wrong(ncmec, "too many different names, or too long ones");
        return;
    }
    ncmec->names[ncmec->name_count++] = digest;
}

/* The name without its namespace's prefix. */
static const char *exchange_ncmec_local(const char *name)
{
    const char *colon = strchr(name, ':');
    return colon != NULL ? colon + 1 : name;
}

static const char *exchange_ncmec_attribute(const char **attributes, const char *name)
{
    for (size_t i = 0; attributes[i] != NULL; i += 2) {
        if (strcmp(attributes[i], name) == 0) {
            return attributes[i + 1];
        }
    }
    return NULL;
}

/* --- Elements begin -------------------------------------------------------------------------- */

static void exchange_ncmec_group(struct exchange_ncmec *ncmec, const char *name,
                                 const char **attributes)
{
    ncmec->is_entries = strcmp(name, "images") == 0 || strcmp(name, "videos") == 0;
    const char *text = exchange_ncmec_attribute(attributes, "maxTimestamp");
    int64_t when;
    if (ncmec->is_entries && text != NULL && exchange_time_from_text(text, strlen(text), &when)) {
        struct exchange_page *page = exchange_page_of(ncmec->reader);
        page->checkpoint = when > page->checkpoint ? when : page->checkpoint;
    }
}

static void exchange_ncmec_entry(struct exchange_ncmec *ncmec, const char *name)
{
    ncmec->kind = EXCHANGE_NCMEC_NONE;
    if (!ncmec->is_entries) {
        ncmec->is_text = strcmp(name, "next") == 0;
        return;
    }
    ncmec->kind = strcmp(name, "image") == 0          ? EXCHANGE_NCMEC_IMAGE
                  : strcmp(name, "deletedImage") == 0 ? EXCHANGE_NCMEC_DELETED_IMAGE
                                                      : EXCHANGE_NCMEC_OTHER;
    exchange_record_init(&ncmec->record);
    ncmec->record.line = exchange_ncmec_line(ncmec);
    ncmec->record.offset = exchange_ncmec_offset(ncmec);
    ncmec->member[0] = '\0';
    ncmec->entry_id[0] = '\0';
    ncmec->hash_count = 0;
}

static void exchange_ncmec_field(struct exchange_ncmec *ncmec, const char *name,
                                 const char **attributes)
{
    ncmec->is_prints = strcmp(name, "fingerprints") == 0;
    ncmec->is_text = strcmp(name, "id") == 0 || strcmp(name, "timestamp") == 0 ||
                     strcmp(name, "classification") == 0 || strcmp(name, "member") == 0;
    const char *id = exchange_ncmec_attribute(attributes, "id");
    if (strcmp(name, "member") == 0 && id != NULL) {
        exchange_record_text(&ncmec->record, ncmec->member, "member", id, strlen(id));
    }
}

static void exchange_ncmec_start(void *context, const char *full_name, const char **attributes)
{
    struct exchange_ncmec *ncmec = context;
    exchange_ncmec_meet(ncmec, full_name);
    for (size_t i = 0; attributes[i] != NULL; i += 2) {
        exchange_ncmec_meet(ncmec, attributes[i]);
    }
    const char *name = exchange_ncmec_local(full_name);
    ncmec->depth++;
    ncmec->text_len = 0;
    ncmec->is_text = false;
    if (ncmec->depth > EXCHANGE_NCMEC_DEPTH_MAX) {
        exchange_ncmec_wrong(ncmec, "the document is nested too deeply");
    } else if (ncmec->depth == EXCHANGE_NCMEC_ROOT && strcmp(name, "queryResult") != 0) {
        exchange_ncmec_wrong(ncmec, "the document is not a queryResult");
    } else if (ncmec->depth == EXCHANGE_NCMEC_GROUP) {
        exchange_ncmec_group(ncmec, name, attributes);
    } else if (ncmec->depth == EXCHANGE_NCMEC_ENTRY) {
        exchange_ncmec_entry(ncmec, name);
    } else if (ncmec->depth == EXCHANGE_NCMEC_FIELD && ncmec->kind != EXCHANGE_NCMEC_NONE) {
        exchange_ncmec_field(ncmec, name, attributes);
    } else if (ncmec->depth == EXCHANGE_NCMEC_PRINT && ncmec->is_prints) {
        ncmec->is_text = exchange_text_is_like(name, strlen(name), "pdq");
    }
}

/* --- Elements end ---------------------------------------------------------------------------- */

static void exchange_ncmec_text(void *context, const char *text, int len)
{
    struct exchange_ncmec *ncmec = context;
    if (!ncmec->is_text || len <= 0) {
        return;
    }
    if (ncmec->text_len < sizeof ncmec->text) {
        const size_t room = sizeof ncmec->text - ncmec->text_len;
        memcpy(ncmec->text + ncmec->text_len, text, (size_t)len < room ? (size_t)len : room);
    }
    ncmec->text_len += (size_t)len;
}

static void exchange_ncmec_next(struct exchange_ncmec *ncmec, const char *text, size_t len)
{
    if (len > EXCHANGE_PAGE_BYTES_MAX || ncmec->text_len > sizeof ncmec->text) {
        exchange_ncmec_wrong(ncmec, "the address of the next page is too long");
        return;
    }
    struct exchange_page *page = exchange_page_of(ncmec->reader);
    memcpy(page->next, text, len);
    page->next[len] = '\0';
    page->has_more = len > 0;
}

static void exchange_ncmec_field_end(struct exchange_ncmec *ncmec, const char *name,
                                     const char *text, size_t len)
{
    struct exchange_record *record = &ncmec->record;
    if (strcmp(name, "member") == 0) {
        exchange_record_text(record, record->name, "member", text, len);
    } else if (strcmp(name, "id") == 0) {
        exchange_record_text(record, ncmec->entry_id, "id", text, len);
    } else if (strcmp(name, "classification") == 0) {
        exchange_record_text(record, record->status, "classification", text, len);
    } else if (strcmp(name, "timestamp") == 0 &&
               !exchange_time_from_text(text, len, &record->updated)) {
        exchange_record_note(record, EXCHANGE_REASON_UNKNOWN_VALUE, text, len);
    }
}

static void exchange_ncmec_print_end(struct exchange_ncmec *ncmec, const char *text, size_t len)
{
    if (len == 0) {
        return; /* by reference only: the entry counts as one without PDQ */
    }
    if (ncmec->hash_count == EXCHANGE_NCMEC_HASHES_MAX) {
        exchange_ncmec_wrong(ncmec, "an entry has too many PDQ fingerprints");
        return;
    }
    struct exchange_ncmec_hash *hash = &ncmec->hashes[ncmec->hash_count++];
    hash->len = ncmec->text_len > sizeof ncmec->text ? ncmec->text_len : len;
    memcpy(hash->text, text, len < sizeof hash->text ? len : sizeof hash->text);
}

static void exchange_ncmec_hand_on(struct exchange_ncmec *ncmec)
{
    const enum imprint_error error = exchange_emit(ncmec->reader, &ncmec->record);
    if (error != IMPRINT_OK) {
        exchange_ncmec_stop(ncmec, error);
    }
}

/* An id is unique among its member's entries only. */
static void exchange_ncmec_name(struct exchange_ncmec *ncmec)
{
    struct exchange_record *record = &ncmec->record;
    if (ncmec->entry_id[0] == '\0' || ncmec->member[0] == '\0') {
        exchange_record_judge(record, EXCHANGE_INVALID, EXCHANGE_REASON_FIELD, "id", 2);
        return;
    }
    char id[2 * EXCHANGE_TEXT_BYTES_MAX + 2];
    const size_t member = strlen(ncmec->member);
    const size_t entry = strlen(ncmec->entry_id);
    memcpy(id, ncmec->member, member);
    id[member] = '/';
    memcpy(id + member + 1, ncmec->entry_id, entry);
    exchange_record_text(record, record->id, "id", id, member + 1 + entry);
    if (record->reason == EXCHANGE_REASON_SHORTENED) {
        /* A cut id could be another entry's. */
        exchange_record_judge(record, EXCHANGE_INVALID, EXCHANGE_REASON_TOO_LONG, "id", 2);
    }
}

static void exchange_ncmec_image_end(struct exchange_ncmec *ncmec)
{
    struct exchange_record *record = &ncmec->record;
    if (ncmec->hash_count == 0) {
        exchange_record_judge(record, EXCHANGE_SKIP, EXCHANGE_REASON_NO_PDQ, "", 0);
        exchange_ncmec_hand_on(ncmec);
        return;
    }
    const struct exchange_record each = *record;
    for (size_t i = 0; i < ncmec->hash_count && ncmec->error == IMPRINT_OK; i++) {
        *record = each;
        exchange_record_hex(record, ncmec->hashes[i].text, ncmec->hashes[i].len);
        exchange_ncmec_hand_on(ncmec);
    }
}

static void exchange_ncmec_entry_end(struct exchange_ncmec *ncmec, const char *name)
{
    struct exchange_record *record = &ncmec->record;
    switch (ncmec->kind) {
    case EXCHANGE_NCMEC_NONE: return;
    case EXCHANGE_NCMEC_OTHER:
        exchange_record_judge(record, EXCHANGE_SKIP, EXCHANGE_REASON_SIGNAL_TYPE, name,
                              strlen(name));
        exchange_ncmec_hand_on(ncmec);
        break;
    case EXCHANGE_NCMEC_IMAGE:
    case EXCHANGE_NCMEC_DELETED_IMAGE:
        exchange_ncmec_name(ncmec);
        if (record->verb == EXCHANGE_INVALID) {
            exchange_ncmec_hand_on(ncmec);
        } else if (ncmec->kind == EXCHANGE_NCMEC_IMAGE) {
            exchange_ncmec_image_end(ncmec);
        } else {
            record->verb = EXCHANGE_REMOVE;
            exchange_ncmec_hand_on(ncmec);
        }
        break;
    }
    ncmec->kind = EXCHANGE_NCMEC_NONE;
}

static void exchange_ncmec_end(void *context, const char *full_name)
{
    struct exchange_ncmec *ncmec = context;
    const char *name = exchange_ncmec_local(full_name);
    const char *text = ncmec->text;
    size_t len = ncmec->text_len < sizeof ncmec->text ? ncmec->text_len : sizeof ncmec->text;
    exchange_trim(&text, &len);
    if (ncmec->is_text && ncmec->depth == EXCHANGE_NCMEC_FIELD) {
        exchange_ncmec_field_end(ncmec, name, text, len);
    } else if (ncmec->is_text && ncmec->depth == EXCHANGE_NCMEC_PRINT) {
        exchange_ncmec_print_end(ncmec, text, len);
    } else if (ncmec->is_text && ncmec->depth == EXCHANGE_NCMEC_ENTRY) {
        exchange_ncmec_next(ncmec, text, len);
    } else if (ncmec->depth == EXCHANGE_NCMEC_ENTRY) {
        exchange_ncmec_entry_end(ncmec, name);
    }
    ncmec->is_prints = ncmec->is_prints && ncmec->depth > EXCHANGE_NCMEC_FIELD;
    ncmec->is_entries = ncmec->is_entries && ncmec->depth > EXCHANGE_NCMEC_GROUP;
    ncmec->is_text = false;
    ncmec->depth--;
}

static void exchange_ncmec_doctype(void *context, const char *name, const char *system_id,
                                   const char *public_id, int has_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_subset;
    exchange_ncmec_wrong(context, "the document brings a document type, which is refused");
}

/* --- The stream ------------------------------------------------------------------------------ */

static enum imprint_error exchange_ncmec_open(struct exchange_reader *reader, void *state)
{
    struct exchange_ncmec *ncmec = state;
    ncmec->reader = reader;
    ncmec->parser = XML_ParserCreate(NULL);
    if (ncmec->parser == NULL) {
        return IMPRINT_E_NOMEM;
    }
    XML_SetUserData(ncmec->parser, ncmec);
    XML_SetElementHandler(ncmec->parser, exchange_ncmec_start, exchange_ncmec_end);
    XML_SetCharacterDataHandler(ncmec->parser, exchange_ncmec_text);
    XML_SetStartDoctypeDeclHandler(ncmec->parser, exchange_ncmec_doctype);
    return IMPRINT_OK;
}

static enum imprint_error exchange_ncmec_parse(struct exchange_ncmec *ncmec, const char *bytes,
                                               size_t len, bool is_last)
{
    if (XML_Parse(ncmec->parser, bytes, (int)len, is_last) != XML_STATUS_ERROR) {
        return IMPRINT_OK;
    }
    if (ncmec->error != IMPRINT_OK) {
        return ncmec->error;
    }
    const enum XML_Error code = XML_GetErrorCode(ncmec->parser);
    if (code == XML_ERROR_NO_MEMORY) {
        return IMPRINT_E_NOMEM;
    }
    return exchange_fault(ncmec->reader, IMPRINT_E_PARAMETER_INVALID, exchange_ncmec_line(ncmec),
                          exchange_ncmec_offset(ncmec),
                          is_last && code == XML_ERROR_UNCLOSED_TOKEN
                              ? "the file ends within the XML document (%s)"
                              : "the file is not XML, or not all of it (%s)",
                          XML_ErrorString(code));
}

static enum imprint_error exchange_ncmec_feed(struct exchange_reader *reader, void *state,
                                              const char *bytes, size_t len)
{
    (void)reader;
    struct exchange_ncmec *ncmec = state;
    while (len > 0) {
        const size_t piece = len < EXCHANGE_NCMEC_FEED_BYTES ? len : EXCHANGE_NCMEC_FEED_BYTES;
        const enum imprint_error error = exchange_ncmec_parse(ncmec, bytes, piece, false);
        if (error != IMPRINT_OK) {
            return error;
        }
        bytes += piece;
        len -= piece;
        ncmec->fed += piece;
        if (ncmec->fed - exchange_ncmec_offset(ncmec) >
            EXCHANGE_NCMEC_TOKEN_BYTES_MAX + EXCHANGE_NCMEC_FEED_BYTES) {
            exchange_ncmec_wrong(ncmec, "a tag is longer than any of this format");
            return ncmec->error;
        }
    }
    return IMPRINT_OK;
}

static enum imprint_error exchange_ncmec_finish(struct exchange_reader *reader, void *state)
{
    (void)reader;
    return exchange_ncmec_parse(state, "", 0, true);
}

static void exchange_ncmec_close(void *state)
{
    struct exchange_ncmec *ncmec = state;
    if (ncmec->parser != NULL) {
        XML_ParserFree(ncmec->parser);
    }
}

static bool exchange_ncmec_sniff(const char *head, size_t len)
{
    exchange_trim(&head, &len);
    return len > 0 && head[0] == '<';
}

const struct exchange_format exchange_format_ncmec = {
    .name = "ncmec",
    .summary = "XML of NCMEC's hash sharing API, version 2",
    .sniff = exchange_ncmec_sniff,
    .state_bytes = sizeof(struct exchange_ncmec),
    .open = exchange_ncmec_open,
    .feed = exchange_ncmec_feed,
    .finish = exchange_ncmec_finish,
    .close = exchange_ncmec_close,
};
