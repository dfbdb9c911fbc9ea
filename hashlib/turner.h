/* turner.h - inside hashlib: an opened image's planes, hashed turned this way and that.
 *
 * Why:       kernels and the scratch plane that several turns of one picture share are made when
 * the first turn that needs them comes along. Ownership: the sampler stays the caller's;
 * turner_done wipes and frees the rest. Threads:   one turner by one thread.
 */
#ifndef HASHLIB_TURNER_H
#define HASHLIB_TURNER_H

#include "image_codec.h"
#include "pdq_kernel.h"

/* Zeroed but for the sampler to begin with. */
struct turner {
    const struct image_sampler *sampler;
    struct pdq_kernel *kernel[2]; /* [is_transposed] */
    float *transposed;
};

/* The hash of the stored picture turned so. IMPRINT_E_NOMEM. */
IMPRINT_MUST_USE enum imprint_error turner_hash(struct turner *turner, struct image_turn turn,
                                                struct imprint_pdq *out_pdq);
void turner_done(struct turner *turner);

#endif
