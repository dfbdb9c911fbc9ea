#include "picture.h"

#include <errno.h>
#include <string.h>

#include "file.h"

typedef enum imprint_error picture_look_fn(const struct imprint_image *image,
                                           struct picture *picture);

static enum imprint_error look_plainly(const struct imprint_image *image, struct picture *picture)
{
    enum imprint_error error = imprint_pdq(image, &picture->pdq);
    if (error == IMPRINT_OK) {
        error = imprint_pdq_views(image, picture->views, IMPRINT_VIEWS_MAX, &picture->view_count);
    }
    return error;
}

static enum imprint_error look_for_report(const struct imprint_image *image,
                                          struct picture *picture)
{
    if (picture->info.is_truncated) {
        return IMPRINT_E_IMAGE_TRUNCATED;
    }
    return imprint_pdq_report(image, &picture->pdq, &picture->is_framed);
}

static enum imprint_error picture_read(const char *path,
                                       const struct imprint_image_options *options,
                                       picture_look_fn *look, struct picture *out_picture)
{
    const size_t bytes_max = options->limits.bytes_max != 0 ? options->limits.bytes_max
                                                            : imprint_limits_default().bytes_max;
    struct file_bytes file = {0};
    enum imprint_error error = file_read(path, bytes_max, IMPRINT_E_IMAGE_TOO_LARGE, &file);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct imprint_image *image = NULL;
    error = imprint_image_open(file.bytes, file.len, options, &image);
    file_free(&file);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct picture picture = {.info = *imprint_image_info(image)};
    error = look(image, &picture);
    imprint_image_free(image);
    if (error == IMPRINT_OK) {
        *out_picture = picture;
    }
    return error;
}

enum imprint_error picture_hash(const char *path, const struct imprint_image_options *options,
                                struct picture *out_picture)
{
    return picture_read(path, options, look_plainly, out_picture);
}

enum imprint_error picture_hash_for_report(const char *path, struct picture *out_picture)
{
    const struct imprint_image_options options = {.views = IMPRINT_VIEWS_TRIMMED};
    return picture_read(path, &options, look_for_report, out_picture);
}

const char *picture_problem(enum imprint_error error)
{
    return error == IMPRINT_E_IO ? strerror(errno) : imprint_error_text(error);
}
