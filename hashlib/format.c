/* Names of formats, apart from the decoders: a program that only shows names links none of them. */
#include "imprint/image.h"

const char *imprint_format_name(enum imprint_format format)
{
    switch (format) {
    case IMPRINT_FORMAT_UNKNOWN: break;
    case IMPRINT_FORMAT_JPEG: return "jpeg";
    case IMPRINT_FORMAT_PNG: return "png";
    case IMPRINT_FORMAT_WEBP: return "webp";
    case IMPRINT_FORMAT_GIF: return "gif";
    case IMPRINT_FORMAT_HEIF: return "heif";
    case IMPRINT_FORMAT_AVIF: return "avif";
    }
    return "unknown";
}
