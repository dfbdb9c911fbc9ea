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
void pdq_kernel_free(struct pdq_kernel *kernel);

/* Samples are finite; rows are stride samples apart. IMPRINT_E_NOMEM. */
IMPRINT_MUST_USE enum imprint_error pdq_kernel_hash(struct pdq_kernel *kernel, const float *luma,
                                                    size_t stride, struct imprint_pdq *out_pdq);

#endif
