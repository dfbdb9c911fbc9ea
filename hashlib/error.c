#include "imprint/error.h"

#include <string.h>

const char *imprint_error_name(enum imprint_error error)
{
    switch (error) {
    case IMPRINT_OK: return "ok";
    case IMPRINT_E_NOMEM: return "out_of_memory";
    case IMPRINT_E_INTERNAL: return "internal";
    case IMPRINT_E_IO: return "io";
    case IMPRINT_E_IMAGE_EMPTY: return "image_empty";
    case IMPRINT_E_IMAGE_UNKNOWN: return "image_unknown";
    case IMPRINT_E_IMAGE_UNSUPPORTED: return "image_unsupported";
    case IMPRINT_E_IMAGE_MALFORMED: return "image_malformed";
    case IMPRINT_E_IMAGE_TRUNCATED: return "image_truncated";
    case IMPRINT_E_IMAGE_TOO_LARGE: return "image_too_large";
    case IMPRINT_E_IMAGE_TOO_COMPLEX: return "image_too_complex";
    case IMPRINT_E_DECODER_DIED: return "decoder_died";
    case IMPRINT_E_DECODER_TIMEOUT: return "decoder_timeout";
    case IMPRINT_E_BAD_REQUEST: return "bad_request";
    case IMPRINT_E_JSON_INVALID: return "json_invalid";
    case IMPRINT_E_PARAMETER_INVALID: return "parameter_invalid";
    case IMPRINT_E_HASH_INVALID: return "hash_invalid";
    case IMPRINT_E_UNAUTHORIZED: return "unauthorized";
    case IMPRINT_E_FORBIDDEN: return "forbidden";
    case IMPRINT_E_ROUTE_NOT_FOUND: return "route_not_found";
    case IMPRINT_E_METHOD_NOT_ALLOWED: return "method_not_allowed";
    case IMPRINT_E_REQUEST_TIMEOUT: return "request_timeout";
    case IMPRINT_E_LENGTH_REQUIRED: return "length_required";
    case IMPRINT_E_BODY_TOO_LARGE: return "body_too_large";
    case IMPRINT_E_MEDIA_TYPE: return "media_type";
    case IMPRINT_E_RATE_LIMITED: return "rate_limited";
    case IMPRINT_E_LIST_NOT_FOUND: return "list_not_found";
    case IMPRINT_E_LIST_EXISTS: return "list_exists";
    case IMPRINT_E_ENTRY_NOT_FOUND: return "entry_not_found";
    case IMPRINT_E_CASE_NOT_FOUND: return "case_not_found";
    case IMPRINT_E_CASE_CONFLICT: return "case_conflict";
    case IMPRINT_E_CASE_WITHDRAWN: return "case_withdrawn";
    case IMPRINT_E_REPORT_INVALID: return "report_invalid";
    case IMPRINT_E_STORE_FULL: return "store_full";
    case IMPRINT_E_STORE_DAMAGED: return "store_damaged";
    case IMPRINT_E_STORE_VERSION: return "store_version";
    case IMPRINT_E_LOADING: return "loading";
    case IMPRINT_E_BUSY: return "busy";
    case IMPRINT_E_SHUTTING_DOWN: return "shutting_down";
    case IMPRINT_E_UNREACHABLE: return "unreachable";
    case IMPRINT_E_CONFIG_INVALID: return "config_invalid";
    case IMPRINT_E_SANDBOX: return "sandbox";
    case IMPRINT_ERROR_COUNT: break;
    }
    return "internal";
}

const char *imprint_error_text(enum imprint_error error)
{
    switch (error) {
    case IMPRINT_OK: return "no error";
    case IMPRINT_E_NOMEM: return "there is not enough memory, try again later";
    case IMPRINT_E_INTERNAL: return "an internal error, please report it";
    case IMPRINT_E_IO: return "reading or writing failed";
    case IMPRINT_E_IMAGE_EMPTY: return "the image has no bytes";
    case IMPRINT_E_IMAGE_UNKNOWN: return "the bytes are not an image of a known format";
    case IMPRINT_E_IMAGE_UNSUPPORTED: return "this kind of image cannot be read here";
    case IMPRINT_E_IMAGE_MALFORMED: return "the image is damaged and cannot be decoded";
    case IMPRINT_E_IMAGE_TRUNCATED: return "the image ends before anything could be decoded";
    case IMPRINT_E_IMAGE_TOO_LARGE:
        return "the image has more bytes or pixels than the limits allow";
    case IMPRINT_E_IMAGE_TOO_COMPLEX:
        return "decoding the image would cost more than the limits allow";
    case IMPRINT_E_DECODER_DIED: return "the decoder failed on this image";
    case IMPRINT_E_DECODER_TIMEOUT: return "decoding the image took too long";
    case IMPRINT_E_BAD_REQUEST: return "the request is not valid HTTP";
    case IMPRINT_E_JSON_INVALID: return "the body is not JSON of the documented shape";
    case IMPRINT_E_PARAMETER_INVALID: return "a parameter is missing, unknown or out of range";
    case IMPRINT_E_HASH_INVALID: return "a hash is 64 hexadecimal digits";
    case IMPRINT_E_UNAUTHORIZED: return "a bearer token is needed";
    case IMPRINT_E_FORBIDDEN: return "this peer may not do that";
    case IMPRINT_E_ROUTE_NOT_FOUND: return "there is no such path";
    case IMPRINT_E_METHOD_NOT_ALLOWED: return "the path does not take this method";
    case IMPRINT_E_REQUEST_TIMEOUT: return "the request did not arrive in time";
    case IMPRINT_E_LENGTH_REQUIRED: return "the request needs a Content-Length";
    case IMPRINT_E_BODY_TOO_LARGE: return "the body has more bytes than this path accepts";
    case IMPRINT_E_MEDIA_TYPE: return "the path does not take this content type";
    case IMPRINT_E_RATE_LIMITED: return "too many requests, wait before the next";
    case IMPRINT_E_LIST_NOT_FOUND: return "there is no list of this name";
    case IMPRINT_E_LIST_EXISTS: return "there is a list of this name already";
    case IMPRINT_E_ENTRY_NOT_FOUND: return "there is no entry with this id";
    case IMPRINT_E_CASE_NOT_FOUND: return "there is no such case, or the code is wrong";
    case IMPRINT_E_CASE_CONFLICT: return "another report has this case id";
    case IMPRINT_E_CASE_WITHDRAWN: return "the case was withdrawn and cannot be added again";
    case IMPRINT_E_REPORT_INVALID: return "the file is not an Imprint report";
    case IMPRINT_E_STORE_FULL: return "the disk is full, nothing was changed";
    case IMPRINT_E_STORE_DAMAGED: return "the list on disk is damaged, restore a backup";
    case IMPRINT_E_STORE_VERSION: return "the list was written by a newer version of Imprint";
    case IMPRINT_E_LOADING: return "the list is still being loaded, try again in a moment";
    case IMPRINT_E_BUSY: return "too much is going on, try again in a moment";
    case IMPRINT_E_SHUTTING_DOWN: return "the daemon is ending, try again in a moment";
    case IMPRINT_E_UNREACHABLE: return "the daemon cannot be reached, is imprintd running?";
    case IMPRINT_E_CONFIG_INVALID: return "the configuration is not valid";
    case IMPRINT_E_SANDBOX: return "the sandbox could not be set up, so nothing was started";
    case IMPRINT_ERROR_COUNT: break;
    }
    return "an internal error, please report it";
}

enum imprint_error imprint_error_from_name(const char *name)
{
    for (int i = 0; i < (int)IMPRINT_ERROR_COUNT; i++) {
        if (strcmp(name, imprint_error_name((enum imprint_error)i)) == 0) {
            return (enum imprint_error)i;
        }
    }
    return IMPRINT_E_INTERNAL;
}
