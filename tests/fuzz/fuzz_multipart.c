/* Any bytes as a form: the first line is the content type, the rest the body. The parts of a form
 * that is taken lie in the body, one after the other, and say the same when they are written as a
 * form again; a form that is refused changes nothing. */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "multipart.h"

#define FUZZ_UNTOUCHED 0x5a
/* A mark the parts' bytes cannot hold: it is longer than any of theirs was allowed to be, and the
 * writer looks. */
#define FUZZ_TYPE "multipart/form-data; boundary=fuzz-again-fuzz-again"
#define FUZZ_MARK "--fuzz-again-fuzz-again"

struct fuzz_form {
    struct multipart_part parts[MULTIPART_PARTS_MAX];
    size_t count;
};

static void fuzz_put(FILE *out, const void *bytes, size_t len)
{
    fuzz_must(len == 0 || fwrite(bytes, 1, len, out) == len);
}

/* NULL where the parts cannot be told from the mark. */
static char *fuzz_write(const struct fuzz_form *form, size_t *out_len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, out_len);
    fuzz_must(out != NULL);
    bool is_plain = true;
    for (size_t i = 0; i < form->count; i++) {
        const struct multipart_part *part = &form->parts[i];
        is_plain = is_plain && strchr(part->name, '"') == NULL &&
                   memmem(part->bytes, part->len, FUZZ_MARK, strlen(FUZZ_MARK)) == NULL;
        (void)fprintf(out, FUZZ_MARK "\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n",
                      part->name, part->is_file ? "; filename=\"f\"" : "");
        fuzz_put(out, part->bytes, part->len);
        (void)fprintf(out, "\r\n");
    }
    (void)fprintf(out, FUZZ_MARK "--\r\n");
    fuzz_must(fclose(out) == 0);
    if (!is_plain) {
        free(text);
        return NULL;
    }
    return text;
}

static void fuzz_check_same(const struct fuzz_form *form)
{
    size_t len = 0;
    char *text = fuzz_write(form, &len);
    if (text == NULL) {
        return;
    }
    struct fuzz_form again = {.count = 0};
    fuzz_must(multipart_read(FUZZ_TYPE, text, len, again.parts, &again.count) == IMPRINT_OK);
    fuzz_must(again.count == form->count);
    for (size_t i = 0; i < form->count; i++) {
        const struct multipart_part *a = &form->parts[i];
        const struct multipart_part *b = &again.parts[i];
        fuzz_must(strcmp(a->name, b->name) == 0 && a->is_file == b->is_file && a->len == b->len);
        fuzz_must(a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0);
    }
    free(text);
}

static void fuzz_check_inside(const struct fuzz_form *form, const uint8_t *body, size_t len)
{
    const uint8_t *at = body;
    fuzz_must(form->count > 0 && form->count <= MULTIPART_PARTS_MAX);
    for (size_t i = 0; i < form->count; i++) {
        const struct multipart_part *part = &form->parts[i];
        fuzz_must(part->name[0] != '\0' && memchr(part->name, '\0', sizeof part->name) != NULL);
        fuzz_must(part->bytes >= at && part->len <= (size_t)(body + len - part->bytes));
        at = part->bytes + part->len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *newline = len == 0 ? NULL : memchr(data, '\n', len);
    const size_t head = newline == NULL ? 0 : (size_t)(newline - data);
    char content_type[256];
    (void)snprintf(content_type, sizeof content_type, "%.*s", (int)(head > 255 ? 255 : head),
                   (const char *)data);
    const uint8_t *body = newline == NULL ? data : newline + 1;
    const size_t body_len = newline == NULL ? len : len - head - 1;
    struct fuzz_form form;
    memset(&form, FUZZ_UNTOUCHED, sizeof form);
    const struct fuzz_form before = form;
    if (multipart_read(content_type, body, body_len, form.parts, &form.count) == IMPRINT_OK) {
        fuzz_check_inside(&form, body, body_len);
        fuzz_check_same(&form);
    } else {
        fuzz_must(memcmp(&form, &before, sizeof form) == 0);
    }
    return 0;
}
