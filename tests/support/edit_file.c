/* Writes a test picture, plain or edited as somebody else's app would, as a JPEG file.
 *
 * usage: edit_file SEED EDIT|plain FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edits.h"

static int write_file(const char *path, const struct picture *picture)
{
    struct picture_file file = picture_to_jpeg(picture, NULL);
    FILE *out = fopen(path, "wb");
    int status = EXIT_FAILURE;
    if (out != NULL) {
        status = fwrite(file.bytes, 1, file.len, out) == file.len ? EXIT_SUCCESS : EXIT_FAILURE;
        status = fclose(out) == 0 ? status : EXIT_FAILURE;
    }
    picture_file_done(&file);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fputs("usage: edit_file SEED EDIT|plain FILE\n", stderr);
        return EXIT_FAILURE;
    }
    const uint32_t seed = (uint32_t)strtoul(argv[1], NULL, 10);
    struct picture plain = picture_make(seed, 900, 700);
    int status = EXIT_FAILURE;
    if (strcmp(argv[2], "plain") == 0) {
        status = write_file(argv[3], &plain);
    }
    for (int edit = 0; edit < EDIT_COUNT; edit++) {
        if (strcmp(argv[2], edit_name((enum edit)edit)) == 0) {
            struct picture edited = picture_edited(&plain, (enum edit)edit, seed);
            status = write_file(argv[3], &edited);
            picture_done(&edited);
        }
    }
    picture_done(&plain);
    return status;
}
