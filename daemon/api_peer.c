/* Who of the query socket's peers may ask what, how often, and whether they are probing. Peers of
 * the admin socket have every right and no quota. */
#include "api_impl.h"

static uint64_t now_ms(void)
{
    return api_now_us() / 1000;
}

static bool refuse_rate(const struct http_request *request, enum quota_kind kind, unsigned retry_s,
                        struct http_reply *out_reply)
{
    api_make_error(request, IMPRINT_E_RATE_LIMITED, kind == QUOTA_HASH ? "hashes" : "pictures",
                   out_reply);
    out_reply->retry_after_s = retry_s;
    return false;
}

bool api_admit_peer(struct api *api, const struct http_request *request, enum api_cost cost,
                    struct http_reply *out_reply)
{
    if (cost == API_COST_NONE || request->role == HTTP_ROLE_ADMIN) {
        return true;
    }
    if (cost == API_COST_HASH && !uids_has(&api->hash_query, request->uid)) {
        api_make_error(request, IMPRINT_E_FORBIDDEN, "this peer may ask by picture only",
                       out_reply);
        (void)atomic_fetch_add(&api->hash_refused, 1);
        return false;
    }
    const enum quota_kind kind = cost == API_COST_HASH ? QUOTA_HASH : QUOTA_IMAGE;
    unsigned retry_s = 1;
    return api->quota == NULL || quota_take(api->quota, request->uid, kind, now_ms(), &retry_s) ||
           refuse_rate(request, kind, retry_s, out_reply);
}

void api_charge_hashes(const struct api_call *call, size_t count)
{
    if (call->api->quota != NULL && call->request->role == HTTP_ROLE_QUERY && count > 0) {
        quota_charge(call->api->quota, call->request->uid, QUOTA_HASH, count, now_ms());
    }
}

bool api_may_answer_hash(const struct api_call *call, const struct imprint_hash *hash,
                         bool is_match)
{
    struct api *api = call->api;
    if (api->probe == NULL || call->request->role == HTTP_ROLE_ADMIN) {
        return true;
    }
    const uint32_t uid = call->request->uid;
    const enum probe_verdict verdict = probe_judge(api->probe, uid, hash, is_match, now_ms());
    if (verdict == PROBE_ORDINARY) {
        return true;
    }
    const bool is_refused = atomic_load(&api->is_probing_refused);
    if (verdict == PROBE_FOUND) {
        (void)atomic_fetch_add(&api->probing_runs, 1);
        log_warning("api: a peer walks towards a listed hash: its steps are %s (uid %u)",
                    is_refused ? "refused" : "answered all the same", uid);
    }
    if (is_refused) {
        (void)atomic_fetch_add(&api->probing_refused, 1);
    }
    return !is_refused;
}
