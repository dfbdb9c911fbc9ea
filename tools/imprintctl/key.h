/* key.h - Ed25519 keys of exchange files, as people keep them: hexadecimal digits in a file or on
 * the command line.
 *
 * Errors:  complained about; the functions are then false.
 * Threads: one.
 */
#ifndef IMPRINTCTL_KEY_H
#define IMPRINTCTL_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "exchange.h"

/* 64 digits, or the name of a file that holds them. */
bool key_read_public(const struct command_call *call, const char *text,
                     uint8_t out_key[EXCHANGE_KEY_BYTES]);
/* A file with the 64 digits of the seed: any 32 random bytes are one. It must not be readable by
 * others. The caller wipes the secret. */
bool key_read_secret(const struct command_call *call, const char *path,
                     uint8_t out_secret[EXCHANGE_SECRET_BYTES]);

#endif
