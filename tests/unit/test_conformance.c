/* The same bits as the C++ reference. Generated pictures with the hashes it gave for them (Debian
 * 12's libjpeg-turbo and libpng) are always compared; where golden files are at hand
 * (IMPRINT_GOLDEN in the environment, or as configured), those too, without EXIF orientation as it
 * knows none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/pdq.h"

#include "pictures.h"

/* Distances to the reference, gathered over a set. */
struct tally {
    const char *title;
    unsigned count;
    unsigned worst;
    unsigned sum;
    unsigned quality_differs;
};

static void tally_add(struct tally *tally, const struct imprint_pdq *pdq, const char *hex,
                      int quality)
{
    struct imprint_hash reference;
    assert_int_equal(imprint_hash_from_hex(hex, strlen(hex), &reference), IMPRINT_OK);
    unsigned distance = imprint_hash_distance(&pdq->hash, &reference);
    tally->count++;
    tally->sum += distance;
    tally->worst = distance > tally->worst ? distance : tally->worst;
    tally->quality_differs += pdq->quality != quality;
}

static void tally_print(const struct tally *tally)
{
    print_message("%s: %u pictures, distance worst %u, mean %.3f, quality differs in %u\n",
                  tally->title, tally->count, tally->worst,
                  tally->count == 0 ? 0.0 : (double)tally->sum / tally->count,
                  tally->quality_differs);
}

static struct imprint_pdq hash_of(const void *bytes, size_t len, enum imprint_policy policy)
{
    const struct imprint_image_options options = {.policy = policy, .ignore_orientation = true};
    struct imprint_image *image;
    struct imprint_pdq pdq;
    assert_int_equal(imprint_image_open(bytes, len, &options, &image), IMPRINT_OK);
    assert_int_equal(imprint_pdq(image, &pdq), IMPRINT_OK);
    imprint_image_free(image);
    return pdq;
}

/* --- Generated pictures ----------------------------------------------------------------------- */

struct recorded {
    uint32_t seed;
    uint32_t width;
    uint32_t height;
    bool is_jpeg;
    int quality;
    const char *hex;
};

static const struct recorded recorded[] = {
    {1, 5, 5, false, 76, "31ccc4f1ce333b0e6cdb64d931c89b269b26c4f131ccc4f1ce333b0e64d964d9"},
    {2, 5, 5, true, 69, "64d97c1f9b2693e0a1e896a561d8694ade376c1b64d97c1f9b2693e421c896a5"},
    {3, 7, 300, false, 90, "1e70398c6d696e716ed5c0df9782645dc47b1e70b18ec6d36ad5952a218cc18f"},
    {4, 7, 300, true, 91, "909ee06f6ec1979293266b25c4dbc4dbc18f3b343b103e6064ed3d38692de12f"},
    {5, 64, 64, false, 100, "3ef54bfd4cbe2c0f51ab971905e1a1743d1fedd238ce8d0e34708351b0d016d9"},
    {6, 64, 64, true, 100, "be747b53b6d4bea24c278734aed87346b49692b419256501d2515c403736f9cf"},
    {7, 65, 63, false, 100, "09279296bfb50161e156fe2e90ad209ca1bab532ae9d5c166e4aac1ed3fc0f39"},
    {8, 65, 63, true, 100, "efe21ce3c932463b220f64545f2d91fdf3cc3e508af2442b2dd2532b3c72bc44"},
    {9, 96, 128, false, 100, "c9741683d20e59f090c6752184dfecdb4714930727e4b414db9868efbd66e87b"},
    {10, 96, 128, true, 100, "8e23b31d1166b0c3e22d30534bbb888993c6d7e74329917645586baf5837679f"},
    {11, 128, 128, false, 100, "ba3cb87601005542ffe17a439d415e433f6389e00abf62ed99bfb52b7007f883"},
    {12, 128, 128, true, 100, "596683b6e24f796618cf654e9fb13bc33b20cc7b35a9103a8fc36eb491938185"},
    {13, 129, 127, false, 100, "0217dec16e1aa8f24c9dd4265c0d0ee1ba1e05f958c7f3139cf97b11f127c17c"},
    {14, 129, 127, true, 100, "77a40fdd487a1d69c67371ec9966a6dca5e1c4e8343f683df23406c8438b496c"},
    {15, 200, 333, false, 100, "f04b5f70fe3da286c2d2547d1b756725690c65f31a7592a9832d8b4f31835c52"},
    {16, 200, 333, true, 100, "a25961712cfdb2b629b6aacfaa0f2da2c00a5621763b562b7cae1d92d34ca3dc"},
    {17, 256, 256, false, 100, "6742f898768a43dc23fbbe8238b8bdc1c1b580b5c146e3b4de435fdc3aac1c45"},
    {18, 256, 256, true, 100, "31d3e7efe0ffc059c35d83ef838f9f407cd280fe3d93043d8a3afae12401880a"},
    {19, 384, 385, false, 100, "a4dc5a9ab4f8c83a86fcd4036b2c6695d5292cec189ecec8b9b3ee4799613c49"},
    {20, 384, 385, true, 100, "8655dcf3c662277c4d76e2cd3c63263531397a3628c793491a829df2f34c60c7"},
    {21, 300, 511, false, 100, "07aa06f93913695cab4085065abd5ad54813cac95c1db4adb475b63d3a6fcd4b"},
    {22, 300, 511, true, 100, "954a456e708abeed2a2540ad319ca79cd573866215eb4a17d2d33b99238c9deb"},
    {23, 512, 512, false, 100, "b015bbe2c79946e0e6a1f6060b8119c604d8e67c7f24679b727b85bac8c6de8d"},
    {24, 512, 512, true, 100, "3a723cb9086fd2241842a4ed99b87ef6f23e4f0558e6a7996748c9cdb49d4b42"},
    {25, 513, 512, false, 100, "96697869d669e661e07085f30b4cdfc1bdcf03047e16f9c48db6082697e5d623"},
    {26, 513, 512, true, 100, "b69652d5c3fd9c6490acfe0d22b1e398ad6019ed259d01f6288c48695f6357f3"},
    {27, 100, 600, false, 78, "082f1fbc5f9ce870a852608b45eb85e33abc7eac414241d0dfd73e1f3a8fa1d0"},
    {28, 100, 600, true, 100, "07e08ce2fc7fe01bf17e07b007d8f007e0ff0b022dd10fc2f01ff81f07e025e7"},
    {29, 640, 480, false, 100, "f3ee650e870b3de61c01314e3e5a648f01f68e246a0b7c68eb831d8e673cb0f7"},
    {30, 640, 480, true, 100, "c37833efe70fc0801b402e1ba6b967707b3905c128cb347f99e0f9f83e07bc07"},
    {31, 1000, 1500, false, 100,
     "2236ad5280b34aa7a253456bd5eacab4cf7677762a358733c4713b0b3914aa57"},
    {32, 1000, 1500, true, 100, "c9f11f45c77017c104b10a4a9fa5c522ce49c3e33e4b771f29787f83b11e21de"},
    {33, 1023, 767, false, 100, "ee39286fcafb42ad035dfc95454950a82e8c6537d5884682fc1fab0fa2f74c92"},
    {34, 1023, 767, true, 100, "18bf905aaf751c6ef6674809683dba1d106b8e6198384a5da5fb71a492d72c5b"},
};

static void generated_pictures_hash_as_the_reference_does(void **state)
{
    (void)state;
    struct tally tally = {.title = "generated"};
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
        const struct recorded *row = &recorded[i];
        struct picture picture = picture_make(row->seed, row->width, row->height);
        struct picture_file file =
            row->is_jpeg ? picture_to_jpeg(&picture, NULL) : picture_to_png(&picture, NULL);
        struct imprint_pdq pdq = hash_of(file.bytes, file.len, IMPRINT_POLICY_EXACT);
        tally_add(&tally, &pdq, row->hex, row->quality);
        picture_file_done(&file);
        picture_done(&picture);
    }
    tally_print(&tally);
    assert_int_equal(tally.worst, 0);
    assert_int_equal(tally.quality_differs, 0);
}

/* Half of the bits of these lie on rounding; only the reference's own order of sums gives them. */
static const struct recorded recorded_symmetric[] = {
    {101, 512, 512, false, 100, "7a1ae9a061a7285e96a1e817595e57a0bf9b855f87a068677a051f6169799565"},
    {102, 300, 201, false, 100, "ddf842817ff87d92d36f75c24249f944570d34c7de78160e96882996864de278"},
    {103, 128, 128, false, 100, "595a53c5aa8a9de61597a88595851995a7a29586fe802c1efa79797959d96256"},
    {104, 65, 64, false, 100, "5b56269d62ec99566a1b626ea0bc9922f77d967547655876cc11ce624a74248f"},
    {105, 511, 400, false, 100, "c65d7168a39585e688485a1a51aa8e6161e970699a7aa796ddf875991d9d5579"},
    {106, 1024, 700, false, 100,
     "7ea5aaa0859da9ad11e26059649605e619846659877157e17ac797e567f9b19a"},
};

static void symmetric_pictures_hash_as_the_reference_does(void **state)
{
    (void)state;
    struct tally tally = {.title = "generated, symmetric"};
    for (size_t i = 0; i < sizeof recorded_symmetric / sizeof recorded_symmetric[0]; i++) {
        const struct recorded *row = &recorded_symmetric[i];
        struct picture picture = picture_make(row->seed, row->width, row->height);
        struct picture symmetric = picture_symmetric(&picture);
        struct picture_file file = picture_to_png(&symmetric, NULL);
        struct imprint_pdq pdq = hash_of(file.bytes, file.len, IMPRINT_POLICY_EXACT);
        tally_add(&tally, &pdq, row->hex, row->quality);
        picture_file_done(&file);
        picture_done(&symmetric);
        picture_done(&picture);
    }
    tally_print(&tally);
    assert_int_equal(tally.worst, 0);
    assert_int_equal(tally.quality_differs, 0);
}

/* --- Golden files ----------------------------------------------------------------------------- */

static const char *golden_directory(void)
{
    const char *directory = getenv("IMPRINT_GOLDEN");
    return directory != NULL ? directory : IMPRINT_GOLDEN_DIR;
}

static void *read_file(const char *path, size_t *out_len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long len = ftell(file);
    assert_true(len > 0);
    rewind(file);
    void *bytes = malloc((size_t)len);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)len, file), (size_t)len);
    (void)fclose(file);
    *out_len = (size_t)len;
    return bytes;
}

/* How a folder of golden files is hashed. */
struct golden {
    enum imprint_policy policy;
    int quality_min;
    bool is_made_progressive; /* JPEGs only */
};

static void add_golden_file(const char *path, const struct golden *golden, const char *hex,
                            int quality, struct tally *tally)
{
    size_t len;
    void *bytes = read_file(path, &len);
    if (golden->is_made_progressive && imprint_image_sniff(bytes, len) == IMPRINT_FORMAT_JPEG) {
        struct picture_file file = picture_jpeg_to_progressive(bytes, len);
        free(bytes);
        bytes = file.bytes;
        len = file.len;
    }
    struct imprint_pdq pdq = hash_of(bytes, len, golden->policy);
    tally_add(tally, &pdq, hex, quality);
    free(bytes);
}

/* Every picture of one folder's golden.tsv: file, hash, quality. False: there is no such folder. */
static bool add_golden(const char *folder, const struct golden *golden, struct tally *tally)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s/golden.tsv", golden_directory(), folder);
    FILE *table = fopen(path, "r");
    if (table == NULL) {
        print_message("skipped: no %s\n", path);
        return false;
    }
    char line[1024];
    while (fgets(line, sizeof line, table) != NULL) {
        char name[512];
        char hex[65];
        int quality;
        if (sscanf(line, "%511[^\t]\t%64s\t%d", name, hex, &quality) != 3 ||
            quality < golden->quality_min) {
            continue; /* the head line, and what the reference cannot read */
        }
        (void)snprintf(path, sizeof path, "%s/%s/%s", golden_directory(), folder, name);
        add_golden_file(path, golden, hex, quality, tally);
    }
    (void)fclose(table);
    return true;
}

static void golden_files_hash_as_the_reference_does(void **state)
{
    (void)state;
    struct tally tally = {.title = "golden, exact"};
    const struct golden golden = {.policy = IMPRINT_POLICY_EXACT};
    bool is_there = add_golden("conformance", &golden, &tally);
    is_there = add_golden("photos", &golden, &tally) || is_there;
    tally_print(&tally);
    assert_int_equal(tally.worst, 0);
    assert_int_equal(tally.quality_differs, 0);
    assert_true(!is_there || tally.count > 0);
}

static void fast_stays_within_ten_bits_of_the_reference(void **state)
{
    (void)state;
    struct tally tally = {.title = "golden, fast, quality 80 and more"};
    const struct golden golden = {.policy = IMPRINT_POLICY_FAST, .quality_min = 80};
    (void)add_golden("conformance", &golden, &tally);
    (void)add_golden("photos", &golden, &tally);
    tally_print(&tally);
    assert_in_range(tally.worst, 0, 10);
    assert_true(2 * tally.sum <= tally.count);
}

static void fast_stays_within_ten_bits_of_a_progressive_file_in_full(void **state)
{
    (void)state;
    struct tally tally = {.title = "golden made progressive, fast, quality 80 and more"};
    const struct golden golden = {
        .policy = IMPRINT_POLICY_FAST, .quality_min = 80, .is_made_progressive = true};
    (void)add_golden("conformance", &golden, &tally);
    (void)add_golden("photos", &golden, &tally);
    for (uint32_t seed = 61; seed < 65; seed++) {
        struct picture small = picture_make(seed, 900, 700);
        struct picture picture = picture_scaled(&small, 1800, 1400);
        struct picture_file file = picture_to_jpeg(&picture, NULL);
        struct picture_file progressive = picture_jpeg_to_progressive(file.bytes, file.len);
        struct imprint_pdq full = hash_of(file.bytes, file.len, IMPRINT_POLICY_EXACT);
        struct imprint_pdq pdq = hash_of(progressive.bytes, progressive.len, IMPRINT_POLICY_EXACT);
        assert_true(imprint_hash_equal(&full.hash, &pdq.hash));
        char hex[IMPRINT_HASH_HEX + 1];
        imprint_hash_to_hex(&full.hash, hex);
        pdq = hash_of(progressive.bytes, progressive.len, IMPRINT_POLICY_FAST);
        tally_add(&tally, &pdq, hex, full.quality);
        picture_file_done(&progressive);
        picture_file_done(&file);
        picture_done(&picture);
        picture_done(&small);
    }
    tally_print(&tally);
    assert_in_range(tally.worst, 1, 10); /* 0: nothing was left out */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_pictures_hash_as_the_reference_does),
        cmocka_unit_test(symmetric_pictures_hash_as_the_reference_does),
        cmocka_unit_test(golden_files_hash_as_the_reference_does),
        cmocka_unit_test(fast_stays_within_ten_bits_of_the_reference),
        cmocka_unit_test(fast_stays_within_ten_bits_of_a_progressive_file_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
