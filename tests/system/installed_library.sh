#!/bin/sh
# The shared library exports what its headers promise and nothing else, and a program that knows
# nothing but pkg-config builds against an installed copy and runs.
# Usage: installed_library.sh BUILD_DIR SOURCE_DIR C_COMPILER
set -eu
build=$1
source=$2
cc=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

DESTDIR=$root cmake --install "$build" >"$root/log" || { cat "$root/log"; exit 1; }
library=$(find "$root" -name 'libimprint.so')
pc=$(find "$root" -name imprint.pc)

nm -D --defined-only "$library" | awk '{print $3}' | sort >"$root/exported"
# A declaration runs from IMPRINT_API to the first name that a parenthesis follows.
cat "$source"/include/imprint/*.h | tr '\n' ' ' | sed 's/IMPRINT_API/\n&/g' |
    sed -nE 's/^IMPRINT_API[^(;]*[ *](imprint_[a-z0-9_]+)\(.*/\1/p' | sort >"$root/promised"
test -s "$root/promised"
diff "$root/promised" "$root/exported" || { echo "exports differ from the headers"; exit 1; }
readelf -d "$library" | grep -q 'SONAME.*libimprint\.so\.1' || { echo "wrong soname"; exit 1; }

cat >"$root/program.c" <<'END'
#include <imprint/pdq.h>
#include <stdio.h>
int main(void)
{
    float luma[64 * 64];
    for (int i = 0; i < 64 * 64; i++) {
        luma[i] = (float)(i * 7919 % 256);
    }
    struct imprint_pdq pdq;
    char text[IMPRINT_HASH_HEX + 1];
    if (imprint_pdq_luma(luma, 64, 64, 64, &pdq) != IMPRINT_OK) {
        return 1;
    }
    imprint_hash_to_hex(&pdq.hash, text);
    return puts(text) < 0 || !pdq.is_hashable;
}
END
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$root"
# shellcheck disable=SC2046
"$cc" -Wall -Werror "$root/program.c" -o "$root/program" $(pkg-config --cflags --libs imprint)
LD_LIBRARY_PATH=${library%/*} "$root/program" | grep -Eq '^[0-9a-f]{64}$'
