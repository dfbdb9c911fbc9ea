/* Nothing of a picture stays in a worker that has answered: its whole memory is searched for the
 * picture's metadata, compressed bytes and pixels. A worker built without wiping is searched in the
 * same way, where they must be found, so that the search is known to see. Only root may look. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "asking.h"
#include "pictures.h"

#define NEEDLE_BYTES 24
#define CHUNK_BYTES  ((size_t)1 << 20)

enum needle_kind { METADATA, EARLY_BYTES, LATE_BYTES, PIXELS, NEEDLE_COUNT };

struct needles {
    uint8_t bytes[NEEDLE_COUNT][NEEDLE_BYTES];
};

struct finds {
    unsigned count[NEEDLE_COUNT];
};

/* --- Searching ------------------------------------------------------------------------------- */

static void search(const uint8_t *bytes, size_t len, const struct needles *needles,
                   struct finds *finds)
{
    for (size_t i = 0; i < NEEDLE_COUNT; i++) {
        const uint8_t *at = bytes;
        while ((at = memmem(at, len - (size_t)(at - bytes), needles->bytes[i], NEEDLE_BYTES))) {
            finds->count[i]++;
            at++;
        }
    }
}

/* Chunks overlap by a needle less one byte. */
static void search_region(int memory, uint64_t start, uint64_t end, const struct needles *needles,
                          struct finds *finds)
{
    static uint8_t chunk[CHUNK_BYTES + NEEDLE_BYTES];
    for (uint64_t at = start; at < end; at += CHUNK_BYTES) {
        const uint64_t left = end - at;
        const size_t want =
            left < CHUNK_BYTES + NEEDLE_BYTES - 1 ? (size_t)left : CHUNK_BYTES + NEEDLE_BYTES - 1;
        const ssize_t got = pread(memory, chunk, want, (off_t)at);
        if (got <= 0) {
            return; /* the kernel's own pages */
        }
        search(chunk, (size_t)got, needles, finds);
    }
}

/* False where this process may not look. */
static bool search_process(pid_t pid, const struct needles *needles, struct finds *out_finds)
{
    char path[64];
    char line[512];
    struct finds finds = {{0}};
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    const int memory = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    uint64_t searched = 0;
    while (memory >= 0 && maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        char *end;
        const uint64_t start = strtoull(line, &end, 16);
        const uint64_t stop = strtoull(end + 1, &end, 16);
        if (end[1] == 'r') {
            search_region(memory, start, stop, needles, &finds);
            searched += stop - start;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    if (memory >= 0) {
        close(memory);
    }
    *out_finds = finds;
    return searched > ((uint64_t)256 << 20); /* the arena was among it */
}

/* --- Pictures with needles ------------------------------------------------------------------- */

static const uint8_t metadata[NEEDLE_BYTES + 1] = "needle: W3rLdQm7xKp0Zs9a";

/* Puts bytes into the file. */
static void insert(struct picture_file *file, size_t offset, const uint8_t *bytes, size_t len)
{
    uint8_t *larger = malloc(file->len + len);
    assert_non_null(larger);
    memcpy(larger, file->bytes, offset);
    memcpy(larger + offset, bytes, len);
    memcpy(larger + offset + len, file->bytes + offset, file->len - offset);
    free(file->bytes);
    file->bytes = larger;
    file->len += len;
}

/* A COM segment behind the start of the image, or a tEXt chunk behind IHDR. Its CRC is wrong, which
 * is nothing to a decoder that skips it. */
static void insert_metadata(struct picture_file *file)
{
    uint8_t comment[4 + NEEDLE_BYTES] = {0xff, 0xfe, 0, 2 + NEEDLE_BYTES};
    uint8_t text[12 + NEEDLE_BYTES] = {0, 0, 0, NEEDLE_BYTES, 't', 'E', 'X', 't'};
    memcpy(comment + 4, metadata, NEEDLE_BYTES);
    memcpy(text + 8, metadata, NEEDLE_BYTES);
    if (file->bytes[0] == 0xff) {
        insert(file, 2, comment, sizeof comment);
    } else {
        insert(file, 33, text, sizeof text);
    }
}

/* Of the last row, which stays longest in a decoder's buffers. A gray picture's samples lie there
 * one by one. */
static struct needles needles_of(const struct picture *picture, const struct picture_file *file,
                                 bool is_gray)
{
    struct needles needles;
    const size_t row = (size_t)picture->width * 3;
    const uint8_t *middle = picture->rgb + (picture->height - 1) * row + picture->width / 2 * 3;
    memcpy(needles.bytes[METADATA], metadata, NEEDLE_BYTES);
    memcpy(needles.bytes[EARLY_BYTES], file->bytes + file->len / 8, NEEDLE_BYTES);
    memcpy(needles.bytes[LATE_BYTES], file->bytes + file->len - 200, NEEDLE_BYTES);
    for (size_t i = 0; i < NEEDLE_BYTES; i++) {
        needles.bytes[PIXELS][i] = middle[is_gray ? 3 * i : i];
    }
    return needles;
}

struct sample {
    const char *name;
    struct picture_jpeg jpeg;
    struct picture_png png;
    bool is_png;
    uint32_t width;
    uint32_t height;
};

static const struct sample samples[] = {
    {"small png", {0}, {.compression = 6}, true, 300, 200},
    {"large png", {0}, {.is_interlaced = false}, true, 1400, 1000},
    {"small jpeg", {.quality = 95}, {0}, false, 300, 200},
    {"gray jpeg", {.quality = 95, .colour = PICTURE_GRAY}, {0}, false, 500, 400},
    {"progressive jpeg", {.is_progressive = true}, {0}, false, 1400, 1000},
};

/* What is left of a sample in a worker that answered it. */
static bool find_left_over(const char *worker_path, const struct sample *sample,
                           struct finds *out_finds)
{
    struct pool *pool = ask_open_pool(worker_path, 1, 0);
    assert_non_null(pool);
    struct picture picture = picture_make(11, sample->width, sample->height);
    struct picture_file file = sample->is_png ? picture_to_png(&picture, &sample->png)
                                              : picture_to_jpeg(&picture, &sample->jpeg);
    insert_metadata(&file);
    if (!sample->is_png) {
        struct picture decoded = picture_from_jpeg(&file);
        picture_done(&picture);
        picture = decoded;
    }
    const bool is_gray = !sample->is_png && sample->jpeg.colour == PICTURE_GRAY;
    const struct needles needles = needles_of(&picture, &file, is_gray);
    const struct pool_answer answer = ask_pool(pool, file.bytes, file.len, IMPRINT_VIEWS_ALL);
    assert_int_equal(answer.error, IMPRINT_OK);
    const bool is_allowed = search_process(ask_worker_pid(), &needles, out_finds);
    picture_file_done(&file);
    picture_done(&picture);
    pool_close(pool);
    return is_allowed;
}

/* --- Tests ----------------------------------------------------------------------------------- */

static void nothing_of_a_picture_is_left_in_a_worker(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct finds finds;
        if (!find_left_over(IMPRINT_WORKER, &samples[i], &finds)) {
            print_message("skipped: only root may search a worker's memory\n");
            skip();
        }
        for (size_t kind = 0; kind < NEEDLE_COUNT; kind++) {
            if (finds.count[kind] != 0) {
                fail_msg("%s: needle %zu left %u times", samples[i].name, kind, finds.count[kind]);
            }
        }
    }
}

static void the_same_search_finds_what_an_unwiped_worker_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct finds finds;
        if (!find_left_over(UNWIPED_WORKER, &samples[i], &finds)) {
            print_message("skipped: only root may search a worker's memory\n");
            skip();
        }
        print_message("%s, unwiped: metadata %u, early bytes %u, late bytes %u, pixels %u\n",
                      samples[i].name, finds.count[METADATA], finds.count[EARLY_BYTES],
                      finds.count[LATE_BYTES], finds.count[PIXELS]);
        assert_true(finds.count[METADATA] > 0);
        assert_true(finds.count[EARLY_BYTES] > 0);
        assert_true(finds.count[LATE_BYTES] > 0);
    }
}

/* The library wipes its samples itself, and what libjpeg leaves is soon written over, so that the
 * unwiped worker shows no pixels. That the search would see them is shown here, where they are. */
static void the_same_search_finds_pixels_where_they_are(void **state)
{
    (void)state;
    struct picture picture = picture_make(11, 300, 200);
    struct picture_file file = picture_to_png(&picture, NULL);
    insert_metadata(&file);
    const struct needles needles = needles_of(&picture, &file, false);
    struct finds finds;
    (void)search_process(getpid(), &needles, &finds);
    for (size_t kind = 0; kind < NEEDLE_COUNT; kind++) {
        assert_true(finds.count[kind] >= 2); /* in the picture or file, and in the needles */
    }
    picture_file_done(&file);
    picture_done(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_a_picture_is_left_in_a_worker),
        cmocka_unit_test(the_same_search_finds_what_an_unwiped_worker_leaves),
        cmocka_unit_test(the_same_search_finds_pixels_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
