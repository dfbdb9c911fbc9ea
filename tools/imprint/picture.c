#include "picture.h"

#include <errno.h>
#include <string.h>

#include "file.h"

static enum imprint_error picture_look(const struct imprint_image *image,
                                       const struct imprint_image_options *options,
                                       struct picture *picture)
{
    picture->info = *imprint_image_info(image);
    if (picture->info.is_truncated) {
        return IMPRINT_E_IMAGE_TRUNCATED;
    }
    enum imprint_error error = imprint_pdq(image, &picture->pdq);
    if (error == IMPRINT_OK && options->views != IMPRINT_VIEWS_UPRIGHT) {
        error = imprint_pdq_views(image, picture->views, IMPRINT_VIEWS_MAX, &picture->view_count);
    }
    return error;
}

enum imprint_error picture_hash(const char *path, const struct imprint_image_options *options,
                                struct picture *out_picture)
{
    const size_t bytes_max = options->limits.bytes_max != 0 ? options->limits.bytes_max
                                                            : imprint_limits_default().bytes_max;
    struct file_bytes file = {0};
    enum imprint_error error = file_read(path, bytes_max, IMPRINT_E_IMAGE_TOO_LARGE, &file);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct imprint_image *image = NULL;
    struct picture picture = {0};
    error = imprint_image_open(file.bytes, file.len, options, &image);
    file_free(&file);
    if (error == IMPRINT_OK) {
        error = picture_look(image, options, &picture);
        imprint_image_free(image);
    }
    if (error == IMPRINT_OK) {
        *out_picture = picture;
    }
    return error;
}

const char *picture_problem(enum imprint_error error)
{
    return error == IMPRINT_E_IO ? strerror(errno) : imprint_error_text(error);
}
