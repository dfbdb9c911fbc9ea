#!/bin/sh
# The worker links codecs, zlib and the C library, and nothing that knows the list or the network.
# usage: worker_links.sh WORKER
set -eu
worker=$1

needed=$(objdump -p "$worker" | awk '$1 == "NEEDED" { print $2 }')
test -n "$needed"
for library in $needed; do
    case $library in
    libjpeg.so.* | libpng16.so.* | libwebp*.so.* | libgif.so.* | libz.so.* | libm.so.* | libc.so.* | ld-linux*) ;;
    *) echo "the worker links $library"; exit 1 ;;
    esac
done

if nm -a "$worker" | grep -E ' (mdb_|MHD_|json_|sodium_|crypto_|log_line|pool_|catalog_|index_|store_)'; then
    echo "the worker has symbols of the daemon"
    exit 1
fi
# The same search finds what is there, so that it can fail.
nm -a "$worker" | grep -qE ' (wire_|sandbox_)'
if nm -D "$worker" | grep -E ' U (socket|connect|bind|open|fopen|creat|exec[a-z]*|fork|system|popen)(@|$)'; then
    echo "the worker calls what its cage would kill it for"
    exit 1
fi
nm -D "$worker" | grep -qE ' U read(@|$)'
