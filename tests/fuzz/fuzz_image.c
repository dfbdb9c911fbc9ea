/* Any bytes as an image, by every codec, policy and view: an error or views that hold together. */
#include <assert.h>
#include <string.h>

#include "imprint/pdq.h"

#include "fuzz.h"

/* Small enough that one input costs milliseconds, whatever it declares. */
static const struct imprint_limits limits = {
    .pixels_max = 300000,
    .block_visits_max = 100000,
    .memory_max = 16 << 20,
};

static void check_views(const struct imprint_image *image)
{
    struct imprint_view views[IMPRINT_VIEWS_MAX];
    size_t count = 0;
    enum imprint_error error = imprint_pdq_views(image, views, IMPRINT_VIEWS_MAX, &count);
    assert(error == IMPRINT_OK && count <= IMPRINT_VIEWS_MAX);
    for (size_t i = 0; i < count; i++) {
        char name[32];
        imprint_view_name(views[i].id, name, sizeof name);
        assert(views[i].quality <= IMPRINT_QUALITY_MAX && strlen(name) < sizeof name - 1);
    }
    struct imprint_pdq pdq;
    bool is_framed;
    assert(imprint_pdq(image, &pdq) == IMPRINT_OK);
    assert(!pdq.is_hashable || imprint_hash_equal(&pdq.hash, &views[0].hash));
    assert(imprint_pdq_report(image, &pdq, &is_framed) == IMPRINT_OK);
}

static void check(const uint8_t *data, size_t len, enum imprint_policy policy, unsigned views)
{
    const struct imprint_image_options options = {
        .limits = limits, .policy = policy, .views = views};
    struct imprint_image *image = NULL;
    enum imprint_error error = imprint_image_open(data, len, &options, &image);
    if (error != IMPRINT_OK) {
        assert(image == NULL && error >= IMPRINT_E_NOMEM && error <= IMPRINT_E_IMAGE_TOO_COMPLEX);
        return;
    }
    const struct imprint_image_info *info = imprint_image_info(image);
    assert((uint64_t)info->width * info->height <= limits.pixels_max);
    assert(info->orientation >= 1 && info->orientation <= 8);
    check_views(image);
    imprint_image_free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    check(data, len, IMPRINT_POLICY_EXACT, IMPRINT_VIEWS_ALL);
    check(data, len, IMPRINT_POLICY_FAST, IMPRINT_VIEWS_UPRIGHT);
    return 0;
}
