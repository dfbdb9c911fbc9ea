/* error.h - the one list of things that can go wrong in Imprint.
 *
 * Why:     a code exists only where some caller acts differently on it; detail goes to the log.
 *          Names are part of the socket contract ("code" in an error answer) and never change.
 * Threads: any.
 */
#ifndef IMPRINT_ERROR_H
#define IMPRINT_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define IMPRINT_MUST_USE __attribute__((warn_unused_result))
#define IMPRINT_API      __attribute__((visibility("default")))
#else
#define IMPRINT_MUST_USE
#define IMPRINT_API
#endif

enum imprint_error {
    IMPRINT_OK = 0,

    /* The process itself. */
    IMPRINT_E_NOMEM,    /* memory could not be had; nothing was changed */
    IMPRINT_E_INTERNAL, /* our own bug, noticed */
    IMPRINT_E_IO,       /* a file or socket operation failed */

    /* Images. */
    IMPRINT_E_IMAGE_EMPTY,       /* no bytes at all */
    IMPRINT_E_IMAGE_UNKNOWN,     /* the bytes are of no image format we know */
    IMPRINT_E_IMAGE_UNSUPPORTED, /* a known format, or a variant of one, that this build cannot read
                                  */
    IMPRINT_E_IMAGE_MALFORMED,   /* the decoder rejects the bytes */
    IMPRINT_E_IMAGE_TRUNCATED,   /* the bytes end before anything worth hashing was decoded */
    IMPRINT_E_IMAGE_TOO_LARGE,   /* more bytes, width, height or pixels than the limits allow */
    IMPRINT_E_IMAGE_TOO_COMPLEX, /* small, but dearer to decode than the limits allow */
    IMPRINT_E_DECODER_DIED,      /* the decoding process was lost on this image */
    IMPRINT_E_DECODER_TIMEOUT,   /* decoding did not end before its deadline */

    /* Requests. */
    IMPRINT_E_BAD_REQUEST,        /* not the HTTP we speak */
    IMPRINT_E_JSON_INVALID,       /* the body is not JSON, or not of the documented shape */
    IMPRINT_E_PARAMETER_INVALID,  /* a parameter or field is missing, unknown or out of range */
    IMPRINT_E_HASH_INVALID,       /* not 64 hexadecimal digits */
    IMPRINT_E_UNAUTHORIZED,       /* no valid bearer token (TCP only) */
    IMPRINT_E_FORBIDDEN,          /* this peer or socket may not do that */
    IMPRINT_E_ROUTE_NOT_FOUND,    /* no such path */
    IMPRINT_E_METHOD_NOT_ALLOWED, /* the path exists, the method does not */
    IMPRINT_E_REQUEST_TIMEOUT,    /* the request did not arrive in time */
    IMPRINT_E_LENGTH_REQUIRED,    /* a body without a length where one is needed */
    IMPRINT_E_BODY_TOO_LARGE,     /* more bytes than this route accepts */
    IMPRINT_E_MEDIA_TYPE,         /* the route does not take this content type */
    IMPRINT_E_RATE_LIMITED,       /* this peer's quota is used up for now */

    /* The list. */
    IMPRINT_E_LIST_NOT_FOUND,
    IMPRINT_E_LIST_EXISTS,
    IMPRINT_E_ENTRY_NOT_FOUND,
    IMPRINT_E_CASE_NOT_FOUND,
    IMPRINT_E_CASE_CONFLICT,  /* the case id is taken by a case with other verifiers */
    IMPRINT_E_CASE_WITHDRAWN, /* a withdrawn case does not come back */
    IMPRINT_E_REPORT_INVALID, /* the report file is not of the documented format */
    IMPRINT_E_STORE_FULL,     /* the disk has no room for the change; nothing was changed */
    IMPRINT_E_STORE_DAMAGED,  /* the list on disk does not verify */
    IMPRINT_E_STORE_VERSION,  /* the list was written by a newer Imprint */

    /* The service. */
    IMPRINT_E_LOADING,       /* the list is not loaded yet */
    IMPRINT_E_BUSY,          /* queues are full: try again after a moment */
    IMPRINT_E_SHUTTING_DOWN, /* the daemon is ending */
    IMPRINT_E_UNREACHABLE,   /* a client could not reach the daemon */
    IMPRINT_E_CONFIG_INVALID,
    IMPRINT_E_SANDBOX, /* the cage could not be built, so nothing was started */

    IMPRINT_ERROR_COUNT
};

/* The code's name in the socket contract, such as "image_too_large". Never NULL; a value outside
 * the enum gives "internal". */
IMPRINT_API const char *imprint_error_name(enum imprint_error error);

/* One English sentence for a person, without a full stop, saying what is wrong and, where there is
 * something to do, what. Never NULL. */
IMPRINT_API const char *imprint_error_text(enum imprint_error error);

/* The reverse of imprint_error_name. An unknown name gives IMPRINT_E_INTERNAL. */
IMPRINT_API enum imprint_error imprint_error_from_name(const char *name);

#ifdef __cplusplus
}
#endif

#endif
