#include "exit_status.h"

enum exit_status exit_status_of(enum imprint_error error)
{
    switch (error) {
    case IMPRINT_OK: return EXIT_STATUS_FINE;
    case IMPRINT_E_LOADING:
    case IMPRINT_E_BUSY:
    case IMPRINT_E_SHUTTING_DOWN:
    case IMPRINT_E_UNREACHABLE:
    case IMPRINT_E_RATE_LIMITED: return EXIT_STATUS_UNREACHABLE;
    case IMPRINT_E_NOMEM:
    case IMPRINT_E_INTERNAL:
    case IMPRINT_E_IO:
    case IMPRINT_E_IMAGE_EMPTY:
    case IMPRINT_E_IMAGE_UNKNOWN:
    case IMPRINT_E_IMAGE_UNSUPPORTED:
    case IMPRINT_E_IMAGE_MALFORMED:
    case IMPRINT_E_IMAGE_TRUNCATED:
    case IMPRINT_E_IMAGE_TOO_LARGE:
    case IMPRINT_E_IMAGE_TOO_COMPLEX:
    case IMPRINT_E_DECODER_DIED:
    case IMPRINT_E_DECODER_TIMEOUT:
    case IMPRINT_E_BAD_REQUEST:
    case IMPRINT_E_JSON_INVALID:
    case IMPRINT_E_PARAMETER_INVALID:
    case IMPRINT_E_HASH_INVALID:
    case IMPRINT_E_UNAUTHORIZED:
    case IMPRINT_E_FORBIDDEN:
    case IMPRINT_E_ROUTE_NOT_FOUND:
    case IMPRINT_E_METHOD_NOT_ALLOWED:
    case IMPRINT_E_REQUEST_TIMEOUT:
    case IMPRINT_E_LENGTH_REQUIRED:
    case IMPRINT_E_BODY_TOO_LARGE:
    case IMPRINT_E_MEDIA_TYPE:
    case IMPRINT_E_LIST_NOT_FOUND:
    case IMPRINT_E_LIST_EXISTS:
    case IMPRINT_E_ENTRY_NOT_FOUND:
    case IMPRINT_E_CASE_NOT_FOUND:
    case IMPRINT_E_CASE_CONFLICT:
    case IMPRINT_E_CASE_WITHDRAWN:
    case IMPRINT_E_REPORT_INVALID:
    case IMPRINT_E_STORE_FULL:
    case IMPRINT_E_STORE_DAMAGED:
    case IMPRINT_E_STORE_VERSION:
    case IMPRINT_E_CONFIG_INVALID:
    case IMPRINT_E_SANDBOX:
    case IMPRINT_ERROR_COUNT: break;
    }
    return EXIT_STATUS_ERROR;
}

static int exit_status_rank(enum exit_status status)
{
    switch (status) {
    case EXIT_STATUS_FINE: return 0;
    case EXIT_STATUS_UNHASHABLE: return 1;
    case EXIT_STATUS_MATCH: return 2;
    case EXIT_STATUS_STOPPED:
    case EXIT_STATUS_REFERRED: return 3;
    case EXIT_STATUS_ERROR: return 4;
    case EXIT_STATUS_UNREACHABLE: return 5;
    }
    return 4;
}

enum exit_status exit_status_worse(enum exit_status a, enum exit_status b)
{
    return exit_status_rank(a) >= exit_status_rank(b) ? a : b;
}
