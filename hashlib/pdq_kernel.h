/* pdq_kernel.h - inside hashlib: luma samples to hash, for many pictures of one size.
 *
 * Why:       the reference filters every pixel twice in each direction and then keeps 64x64 of
 *            them. The filter is linear and separable, so here each kept point is one weighted sum
 *            of the samples it depends on; the weights follow from the size alone and are worked
 *            out once. Sums run in index order and nothing is fused, so that every build gives the
 *            same bits.
 *            Where a bit hangs on rounding alone, the reference's own order is taken instead.
 * Ownership: freeing wipes what there is of the picture.
 * Threads:   one kernel by one thread at a time.
 */
#ifndef HASHLIB_PDQ_KERNEL_H
#define HASHLIB_PDQ_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "imprint/pdq.h"

struct pdq_kernel;

/* For pictures of this size, both at least 1. IMPRINT_E_NOMEM. */
IMPRINT_MUST_USE enum imprint_error pdq_kernel_new(uint32_t width, uint32_t height,
                                                   struct pdq_kernel **out_kernel);

struct pdq_size {
    uint32_t width;
    uint32_t height;
};

/* For larger pictures of which only the means over a grid of points are at hand: filtered as the
 * picture itself would be. Point p of an axis is pixels p * picture / points and on. */
IMPRINT_MUST_USE enum imprint_error pdq_kernel_new_surveyed(const struct pdq_size *picture,
                                                            const struct pdq_size *points,
                                                            struct pdq_kernel **out_kernel);
void pdq_kernel_free(struct pdq_kernel *kernel);

/* Samples are finite; rows are stride samples apart. IMPRINT_E_NOMEM. */
IMPRINT_MUST_USE enum imprint_error pdq_kernel_hash(struct pdq_kernel *kernel, const float *luma,
                                                    size_t stride, struct imprint_pdq *out_pdq);

/* All eight turns of the picture, each filtered as that turned picture would be, in the order of
 * their EXIF orientations less one. Rounding may differ from a copy's that was really turned. */
void pdq_kernel_hash_turned(struct pdq_kernel *kernel, const float *luma, size_t stride,
                            struct imprint_pdq out_pdqs[8]);

#endif
