/* Which edits of a picture are still recognised at PDQ's threshold, by strategy, and what is
 * recognised wrongly. Pictures are made here; how photos fare is another question.
 *
 * usage: bench_recall [PICTURES | JPEG FILE...] */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imprint/pdq.h"

#include "edits.h"
#include "pictures.h"

enum { THRESHOLD = 31, PICTURES_MAX = 1000 };

enum strategy {
    PLAIN,   /* hash against hash */
    TURNED,  /* the query in eight orientations and as a negative */
    TRIMMED, /* and trimmed, and in the other dialects */
    STRATEGY_COUNT
};

static const char *const strategy_names[STRATEGY_COUNT] = {"plain", "turned", "trimmed"};

struct seen {
    struct imprint_view views[IMPRINT_VIEWS_MAX];
    size_t count;
    struct imprint_pdq report;
    bool is_framed;
};

static void look(const struct picture *picture, struct seen *out_seen)
{
    const struct picture_jpeg kind = {.quality = 90};
    struct picture_file file = picture_to_jpeg(picture, &kind);
    const struct imprint_image_options options = {.views = IMPRINT_VIEWS_ALL};
    struct imprint_image *image;
    if (imprint_image_open(file.bytes, file.len, &options, &image) != IMPRINT_OK ||
        imprint_pdq_views(image, out_seen->views, IMPRINT_VIEWS_MAX, &out_seen->count) !=
            IMPRINT_OK ||
        imprint_pdq_report(image, &out_seen->report, &out_seen->is_framed) != IMPRINT_OK) {
        fputs("bench_recall: a picture cannot be hashed\n", stderr);
        exit(1);
    }
    imprint_image_free(image);
    picture_file_done(&file);
}

/* The nearest of the views a strategy looks at: the first 1, 16 or all. */
static unsigned nearest(const struct seen *seen, const struct imprint_hash *hash,
                        enum strategy strategy)
{
    size_t count = strategy == PLAIN ? 1 : strategy == TURNED ? 16 : seen->count;
    unsigned best = IMPRINT_HASH_BITS;
    for (size_t i = 0; i < count && i < seen->count; i++) {
        unsigned distance = imprint_hash_distance(&seen->views[i].hash, hash);
        best = distance < best ? distance : best;
    }
    return best;
}

/* The files to take photos from; none: pictures are made. */
static char **photo_paths;

/* A JPEG, scaled to a thousand pixels, as photos are when they are shared. */
static struct picture photo_from(const char *path)
{
    struct picture_file file = {NULL, 0};
    FILE *from = fopen(path, "rb");
    long len = -1;
    if (from != NULL && fseek(from, 0, SEEK_END) == 0) {
        len = ftell(from);
        rewind(from);
    }
    file.bytes = len > 0 ? malloc((size_t)len) : NULL;
    if (file.bytes == NULL || fread(file.bytes, 1, (size_t)len, from) != (size_t)len ||
        imprint_image_sniff(file.bytes, (size_t)len) != IMPRINT_FORMAT_JPEG) {
        fprintf(stderr, "bench_recall: %s is no JPEG\n", path);
        exit(1);
    }
    (void)fclose(from);
    file.len = (size_t)len;
    struct picture whole = picture_from_jpeg(&file);
    uint32_t longer = whole.width > whole.height ? whole.width : whole.height;
    uint32_t edge = longer < 1000 ? longer : 1000;
    struct picture picture =
        picture_scaled(&whole, whole.width * edge / longer, whole.height * edge / longer);
    picture_done(&whole);
    picture_file_done(&file);
    return picture;
}

static struct picture photo(uint32_t seed)
{
    if (photo_paths != NULL) {
        return photo_from(photo_paths[seed]);
    }
    static const uint32_t sizes[][2] = {{900, 700}, {480, 640}, {1000, 563}, {500, 500}};
    return picture_make(seed + 5000, sizes[seed % 4][0], sizes[seed % 4][1]);
}

/* --- Recall ----------------------------------------------------------------------------------- */

struct recall {
    unsigned found[EDIT_COUNT][STRATEGY_COUNT];
    unsigned wrong[STRATEGY_COUNT];
    unsigned pairs;
};

static void try_edit(enum edit edit, uint32_t index, const struct imprint_hash *reported,
                     uint32_t count, struct recall *recall)
{
    static struct seen seen;
    struct picture picture = photo(index);
    struct picture upload = picture_edited(&picture, edit, index);
    look(&upload, &seen);
    for (int strategy = 0; strategy < STRATEGY_COUNT; strategy++) {
        enum strategy s = (enum strategy)strategy;
        recall->found[edit][s] += nearest(&seen, &reported[index], s) <= THRESHOLD;
        for (uint32_t k = 0; k < count; k++) {
            recall->wrong[s] += k != index && nearest(&seen, &reported[k], s) <= THRESHOLD;
        }
    }
    recall->pairs += count - 1;
    picture_done(&upload);
    picture_done(&picture);
}

static void print_recall(const struct recall *recall, uint32_t count)
{
    unsigned sums[GROUP_COUNT][STRATEGY_COUNT] = {{0}};
    unsigned tried[GROUP_COUNT] = {0};
    printf("%-28s %10s %10s %10s  %% within %d of the reported hash, %u pictures\n", "edit",
           strategy_names[PLAIN], strategy_names[TURNED], strategy_names[TRIMMED], THRESHOLD,
           (unsigned)count);
    for (int edit = 0; edit < EDIT_COUNT; edit++) {
        enum edit_group group = edit_group((enum edit)edit);
        printf("%-28s", edit_name((enum edit)edit));
        for (int s = 0; s < STRATEGY_COUNT; s++) {
            printf(" %10.1f", 100.0 * recall->found[edit][s] / count);
            sums[group][s] += recall->found[edit][s];
        }
        tried[group] += count;
        printf("\n");
    }
    for (int group = 0; group < GROUP_COUNT; group++) {
        printf("all %-24s", edit_group_name((enum edit_group)group));
        for (int s = 0; s < STRATEGY_COUNT; s++) {
            printf(" %10.1f", 100.0 * sums[group][s] / tried[group]);
        }
        printf("\n");
    }
    printf("%-28s %10u %10u %10u  of %u pairs\n", "taken for another picture", recall->wrong[PLAIN],
           recall->wrong[TURNED], recall->wrong[TRIMMED], recall->pairs);
}

/* --- One app's screen, different pictures ----------------------------------------------------- */

static void print_template(enum edit edit, uint32_t count)
{
    static struct imprint_hash full[PICTURES_MAX];
    static struct imprint_hash reported[PICTURES_MAX];
    static struct seen seen;
    unsigned framed = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct picture picture = photo(i);
        struct picture shot = picture_edited(&picture, edit, 1); /* the same text each time */
        look(&shot, &seen);
        full[i] = seen.views[0].hash;
        reported[i] = seen.report.hash;
        framed += seen.is_framed;
        picture_done(&shot);
        picture_done(&picture);
    }
    unsigned least[2] = {IMPRINT_HASH_BITS, IMPRINT_HASH_BITS};
    unsigned near[2] = {0, 0};
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            unsigned distances[2] = {imprint_hash_distance(&full[i], &full[k]),
                                     imprint_hash_distance(&reported[i], &reported[k])};
            for (int side = 0; side < 2; side++) {
                least[side] = distances[side] < least[side] ? distances[side] : least[side];
                near[side] += distances[side] <= 63;
            }
        }
    }
    printf("%-28s %10u %10u %10u %10u %9u%%\n", edit_name(edit), least[0], near[0], least[1],
           near[1], 100 * framed / count);
}

int main(int argc, char **argv)
{
    char *end = argv[0];
    long wanted = argc > 1 ? strtol(argv[1], &end, 10) : 40;
    if (argc > 1 && *end != '\0') {
        photo_paths = argv + 1;
        wanted = argc - 1;
    }
    if (wanted < 2 || wanted > PICTURES_MAX) {
        fprintf(stderr, "usage: bench_recall [PICTURES | JPEG FILE...], 2 to %d\n", PICTURES_MAX);
        return 2;
    }
    uint32_t count = (uint32_t)wanted;
    static struct imprint_hash reported[PICTURES_MAX];
    static struct recall recall;
    static struct seen seen;
    for (uint32_t i = 0; i < count; i++) {
        struct picture picture = photo(i);
        look(&picture, &seen);
        reported[i] = seen.report.hash;
        picture_done(&picture);
    }
    for (int edit = 0; edit < EDIT_COUNT; edit++) {
        for (uint32_t i = 0; i < count; i++) {
            try_edit((enum edit)edit, i, reported, count, &recall);
        }
    }
    print_recall(&recall, count);
    printf("\ndifferent pictures in one layout: least distance and pairs within 63, of full frames"
           " and of what a report carries\n%-28s %10s %10s %10s %10s %10s\n",
           "layout", "full", "pairs", "report", "pairs", "recognised");
    for (int edit = EDIT_SHOT_FEED; edit <= EDIT_SHOT_STORY; edit++) {
        print_template((enum edit)edit, count);
    }
    return 0;
}
