#include "key.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "file.h"

#define KEY_FILE_BYTES_MAX 4096

static bool key_from_hex(const char *text, size_t len, uint8_t out_key[EXCHANGE_KEY_BYTES])
{
    size_t count = 0;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' ')) {
        len--;
    }
    return sodium_hex2bin(out_key, EXCHANGE_KEY_BYTES, text, len, NULL, &count, NULL) == 0 &&
           count == EXCHANGE_KEY_BYTES;
}

static bool key_read_file(const struct command_call *call, const char *path,
                          uint8_t out_key[EXCHANGE_KEY_BYTES])
{
    struct file_bytes file = {0};
    const enum imprint_error error =
        file_read(path, KEY_FILE_BYTES_MAX, IMPRINT_E_BODY_TOO_LARGE, &file);
    if (error == IMPRINT_E_IO) {
        command_complain_file(call, path, strerror(errno));
        return false;
    }
    const bool is_key =
        error == IMPRINT_OK && key_from_hex((const char *)file.bytes, file.len, out_key);
    file_free(&file);
    if (!is_key) {
        command_complain_file(call, path, "a key is 64 hexadecimal digits");
    }
    return is_key;
}

bool key_read_public(const struct command_call *call, const char *text,
                     uint8_t out_key[EXCHANGE_KEY_BYTES])
{
    return key_from_hex(text, strlen(text), out_key) || key_read_file(call, text, out_key);
}

bool key_read_secret(const struct command_call *call, const char *path,
                     uint8_t out_secret[EXCHANGE_SECRET_BYTES])
{
    struct stat status;
    uint8_t seed[EXCHANGE_KEY_BYTES];
    uint8_t public_key[EXCHANGE_KEY_BYTES];
    if (stat(path, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        command_complain_file(call, path, "a secret key must be its owner's alone: chmod 600");
        return false;
    }
    if (!key_read_file(call, path, seed)) {
        return false;
    }
    crypto_sign_seed_keypair(public_key, out_secret, seed);
    sodium_memzero(seed, sizeof seed);
    return true;
}
