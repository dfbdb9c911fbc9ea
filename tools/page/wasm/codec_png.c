/* hashlib's PNG codec with the reason for giving up carried out of the instance. */
#include <png.h>

#define png_longjmp(codec, value) page_jump_png(codec)

_Noreturn void page_jump_png(png_structp codec);

#include "image_png.c"
#include "page.h"

#undef png_longjmp

_Noreturn void page_jump_png(png_structp codec)
{
    const struct png_reader *reader = png_get_error_ptr(codec);
    page_give_up(reader->error);
}
