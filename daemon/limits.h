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
/* A request that is refused before its body is read: up to this much of it is read and dropped, so
 * that clients which only listen after they have sent everything see the answer and may go on. */
#define LIMIT_DISCARD_BYTES_MAX ((size_t)1 << 20)
/* Threads of one socket. */
#define LIMIT_THREADS_MAX 64
/* When the daemon ends: longer than the slowest picture and its answer may take. */
#define LIMIT_DRAIN_TIMEOUT_MS 30000
/* Changes of the list waiting for a thread; each is one request of an admin. */
#define LIMIT_CHANGES_MAX 256
/* Threads that carry out changes: several, so that they share a disk sync. */
#define LIMIT_CHANGE_THREADS 4
/* What moderators said of matches, the latest kept in memory; the log has them all. */
#define LIMIT_FEEDBACK_MAX 1000
/* One transaction of a bulk add. */
#define LIMIT_BULK_CHUNK 1000
/* A reply: a page of LIMIT_PAGE_MAX entries, each under 1 KiB. */
#define LIMIT_REPLY_BYTES_MAX ((size_t)4 << 20)

/* --- Peers of the query socket --------------------------------------------------------------- */

/* These must never slow an upload path down by accident, so they lie above what any machine
 * answers; they stop a loop gone wild on the largest. Set them lower where several peers share a
 * socket. 0: off. */
/* One request a hash makes some 100,000 a second on two cores. */
#define LIMIT_HASHES_PER_S     200000
#define LIMIT_HASHES_PER_S_MAX 10000000
/* Twice the largest batch (8 MiB of 32 bytes). */
#define LIMIT_HASH_BURST     524288
#define LIMIT_HASH_BURST_MAX 100000000
/* 64 workers, the most there may be, at 3 ms for a small picture. */
#define LIMIT_IMAGES_PER_S     20000
#define LIMIT_IMAGES_PER_S_MAX 1000000
#define LIMIT_IMAGE_BURST      40000
#define LIMIT_IMAGE_BURST_MAX  10000000
/* Three quarters of LIMIT_CONNECTIONS_MAX: clients keep pools of 2,000, and others get in. */
#define LIMIT_CONNECTIONS_PER_UID     3072
#define LIMIT_CONNECTIONS_PER_UID_MAX 65536

/* Probing (probe.h). Measured: 24,000 edited copies of 24 photos (JPEG quality, size, light, crops,
 * bars). Every hash had 128 ones, so no two were an odd number of bits apart. Steps of up to 4 bits
 * had turned 48 different bits of a photo after 67 such steps at the earliest, 96 after 436. */
/* Queries this close belong together. */
#define LIMIT_PROBE_NEAR_BITS 16
#define LIMIT_PROBE_FINE_STEP 4
/* So few steps are never probing. */
#define LIMIT_PROBE_STEPS 32
/* A walk turns one new bit a query and is noticed after as many; 256 make a hash. */
#define LIMIT_PROBE_ODD_BITS 48
/* A walk that keeps the number of ones turns two new bits a query; copies turn the same ones again
 * and again, and have made more steps than this by then. */
#define LIMIT_PROBE_FINE_BITS      96
#define LIMIT_PROBE_FINE_STEPS_MAX 192
/* A run is forgotten a day after it began. */
#define LIMIT_PROBE_FORGET_MS 86400000
/* When to ask again, told to who was refused for it. */
#define LIMIT_PROBE_RETRY_S 3600

/* --- Workers --------------------------------------------------------------------------------- */

/* The slowest legitimate picture measured (12 MP progressive, arithmetic) needs half a second. */
#define LIMIT_DECODE_TIMEOUT_MS     2000
#define LIMIT_DECODE_TIMEOUT_MS_MAX 60000
/* The timeout counts a worker's processor time, so that a busy machine refuses no good picture; by
 * the clock a worker gets this many times as long. */
#define LIMIT_DECODE_WALL_FACTOR 4
#define LIMIT_WORKERS_MAX        64
/* Jobs waiting for a worker; at 20 ms each and two workers the last one waits 0.6 s. */
#define LIMIT_QUEUE_MAX     64
#define LIMIT_QUEUE_CEILING 4096
/* A job that waited longer is answered "busy": its client has other plans by now. */
#define LIMIT_QUEUE_WAIT_MS 5000
/* A worker is replaced after so many pictures, so that one that was taken over unnoticed does not
 * judge other people's pictures for long. A fresh one costs about 1.5 ms. */
#define LIMIT_WORKER_PICTURES 1000
/* And after so much work: it bounds the processor time of a worker's life, which the kernel holds
 * as a backstop (it cannot count anew for each picture). */
#define LIMIT_WORKER_BUSY_MS 30000
/* Time for a worker to start and build its cage; a millisecond or two unless the machine is very
 * busy. */
#define LIMIT_WORKER_START_TIMEOUT_MS 10000
/* A lost worker is replaced at once so many times in a row, then after a pause that doubles. The
 * pause stays short where pictures did it (or they could switch the service off) and grows where
 * workers do not even start. An answer ends the row. */
#define LIMIT_RESTARTS_AT_ONCE           5
#define LIMIT_RESTART_PAUSE_MIN_MS       50
#define LIMIT_RESTART_PAUSE_LOST_MAX_MS  200
#define LIMIT_RESTART_PAUSE_START_MAX_MS 5000

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
/* A hundred years; longer is "never". */
#define LIMIT_EXPIRY_DAYS_MAX 36525
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
