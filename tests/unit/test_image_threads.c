/* Images are independent: several threads open and hash several files at once, and each gets what
 * a single thread gets. Under ThreadSanitizer this also proves that nothing is shared. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/pdq.h"

#include "pictures.h"

enum { THREADS = 4, FILES = 4, ROUNDS = 12 };

static struct picture_file files[FILES];
static struct imprint_view expected[FILES][IMPRINT_VIEWS_MAX];
static size_t expected_count[FILES];

static enum imprint_error views_of(const struct picture_file *file, struct imprint_view *out_views,
                                   size_t *out_count)
{
    const struct imprint_image_options options = {.views = IMPRINT_VIEWS_ALL};
    struct imprint_image *image;
    enum imprint_error error = imprint_image_open(file->bytes, file->len, &options, &image);
    if (error == IMPRINT_OK) {
        error = imprint_pdq_views(image, out_views, IMPRINT_VIEWS_MAX, out_count);
        imprint_image_free(image);
    }
    return error;
}

/* Returns NULL where every round gave what was expected. */
static void *hash_all(void *start)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t file = (*(size_t *)start + i) % FILES;
        struct imprint_view views[IMPRINT_VIEWS_MAX];
        memset(views, 0, sizeof views);
        size_t count = 0;
        if (views_of(&files[file], views, &count) != IMPRINT_OK || count != expected_count[file] ||
            memcmp(views, expected[file], count * sizeof views[0]) != 0) {
            return start;
        }
    }
    return NULL;
}

static void threads_do_not_meet(void **state)
{
    (void)state;
    struct picture picture = picture_make(81, 640, 400);
    const struct picture_jpeg progressive = {.is_progressive = true};
    const struct picture_png interlaced = {.is_interlaced = true};
    files[0] = picture_to_jpeg(&picture, NULL);
    files[1] = picture_to_jpeg(&picture, &progressive);
    files[2] = picture_to_png(&picture, NULL);
    files[3] = picture_to_png(&picture, &interlaced);
    for (size_t i = 0; i < FILES; i++) {
        assert_int_equal(views_of(&files[i], expected[i], &expected_count[i]), IMPRINT_OK);
        assert_true(expected_count[i] >= 8);
    }
    pthread_t threads[THREADS];
    size_t starts[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        starts[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, hash_all, &starts[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    for (size_t i = 0; i < FILES; i++) {
        picture_file_done(&files[i]);
    }
    picture_done(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
