/* exchange_native.h - the words of the native format that its reader and its writer share. Inside
 * the room exchange only.
 *
 * Threads: constants only.
 */
#ifndef IMPRINTCTL_EXCHANGE_NATIVE_H
#define IMPRINTCTL_EXCHANGE_NATIVE_H

#define EXCHANGE_NATIVE_FORMAT       "imprint-list"
#define EXCHANGE_NATIVE_VERSION      1
#define EXCHANGE_NATIVE_DIGEST_BYTES 32
/* Signed is this text followed by the digest, so that a signature means nothing elsewhere. */
#define EXCHANGE_NATIVE_SIGNED_TEXT "imprint-list/1\n"

#endif
