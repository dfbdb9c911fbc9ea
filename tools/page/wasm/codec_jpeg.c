/* hashlib's JPEG codec with the reason for giving up carried out of the instance. */
#define longjmp(buffer, value) page_jump_jpeg(buffer)

_Noreturn void page_jump_jpeg(int *buffer);

#include "image_jpeg.c"
#include "page.h"

#undef longjmp

_Noreturn void page_jump_jpeg(int *buffer)
{
    const char *reader = (const char *)buffer - offsetof(struct jpeg_reader, failed);
    page_give_up(((const struct jpeg_reader *)(const void *)reader)->error);
}
