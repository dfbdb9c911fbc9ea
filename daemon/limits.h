/* limits.h - every limit and default of the daemon in one place, with its unit and its reason.
 *
 * Those an admin may change are keys of config.c, which takes its default and its range from here.
 * Limits of the image decoders themselves live with the library (imprint_limits_default).
 */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

/* --- Requests -------------------------------------------------------------------------------- */

/* Phone pictures are 2 to 12 MB; 32 MiB takes every camera JPEG and a 12 MP PNG. */
#define LIMIT_IMAGE_BYTES_MAX ((size_t)32 << 20)
/* A request of JSON describes one thing; a report is at most 1 MiB by its format. */
#define LIMIT_JSON_BYTES_MAX   ((size_t)64 << 10)
#define LIMIT_REPORT_BYTES_MAX ((size_t)1 << 20)
/* One chunk of a bulk add or a batch query: about 100,000 lines. */
#define LIMIT_BULK_BYTES_MAX ((size_t)8 << 20)
/* All bodies being received or waiting for a worker, together: more is answered "busy". */
#define LIMIT_BODY_MEMORY_BYTES_MAX ((size_t)256 << 20)
/* JSON nests three levels in our formats. */
#define LIMIT_JSON_DEPTH_MAX 16

/* Total time from the first byte, not idle time: one byte a second must not hold a connection. */
#define LIMIT_HEAD_TIMEOUT_MS 5000
#define LIMIT_BODY_TIMEOUT_MS 20000
/* Between two requests of one connection: clients keep pools of idle connections. */
#define LIMIT_IDLE_TIMEOUT_MS 120000

/* HTTP head: method, path, query and headers. Over 32 KiB libmicrohttpd maps the memory and gives
 * it back after the connection, so that no byte of a picture stays in the heap. */
#define LIMIT_CONNECTION_MEMORY_BYTES ((size_t)64 << 10)
#define LIMIT_CONNECTIONS_MAX         4096

/* --- Workers --------------------------------------------------------------------------------- */

/* The slowest legitimate picture measured (12 MP progressive, arithmetic) needs half a second. */
#define LIMIT_DECODE_TIMEOUT_MS 2000
#define LIMIT_WORKERS_MAX       64
/* Jobs waiting for a worker; at 20 ms each and two workers the last one waits 0.6 s. */
#define LIMIT_QUEUE_MAX 64

/* --- The list -------------------------------------------------------------------------------- */

#define LIMIT_LISTS_MAX           1024
#define LIMIT_LIST_NAME_BYTES_MAX 64
#define LIMIT_NOTE_BYTES_MAX      255
#define LIMIT_ACTION_BYTES_MAX    32
#define LIMIT_SOURCE_BYTES_MAX    64
#define LIMIT_REASON_BYTES_MAX    255
#define LIMIT_CASE_ITEMS_MAX      2000
/* PDQ's published threshold; 63 is a quarter of the bits and no longer a near copy. */
#define LIMIT_THRESHOLD_DEFAULT 31
#define LIMIT_THRESHOLD_MAX     63
/* One answer names at most this many entries, nearest first. */
#define LIMIT_MATCHES_MAX 1000
#define LIMIT_PAGE_MAX    1000
/* One add is one transaction; a larger import comes in chunks, so that nobody waits long. */
#define LIMIT_ENTRIES_ADD_MAX 200000

/* --- The store ------------------------------------------------------------------------------- */

/* Address space, not disk: 40 million entries fit before it grows the first time. */
#define LIMIT_STORE_MAP_BYTES ((size_t)16 << 30)
/* Disk kept back, so that a withdrawal still commits when the disk is full. */
#define LIMIT_STORE_RESERVE_BYTES ((size_t)4 << 20)
/* The file is lengthened by at least this much at a time. */
#define LIMIT_STORE_EXTEND_BYTES ((size_t)4 << 20)
/* Reading transactions at a time: each serving thread has one for the length of a request. */
#define LIMIT_STORE_READERS_MAX 512
/* Changes of several callers that share one transaction: bounds the wait of the first. */
#define LIMIT_STORE_BATCH_MAX 256

#endif
