#include "quota.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* Tokens are counted in thousandths: a rate a second is then one a millisecond, without remainder.
 */
#define MILLI 1000

struct account {
    uint32_t uid;
    uint32_t connections;
    int64_t tokens[QUOTA_KIND_COUNT]; /* thousandths; below zero: debt */
    uint64_t filled_ms;               /* when tokens were true */
};

struct quota {
    pthread_mutex_t lock;
    struct quota_settings settings;
    struct uids exempt;
    struct quota_stats stats;
    size_t count;
    struct account accounts[QUOTA_UIDS_MAX + 1]; /* the last: whoever has none of its own */
};

static int64_t full(const struct quota *quota, size_t kind)
{
    return (int64_t)quota->settings.burst[kind] * MILLI;
}

static void open_account(const struct quota *quota, struct account *account, uint32_t uid,
                         uint64_t now_ms)
{
    *account = (struct account){.uid = uid, .filled_ms = now_ms};
    for (size_t i = 0; i < QUOTA_KIND_COUNT; i++) {
        account->tokens[i] = full(quota, i);
    }
}

static void fill(const struct quota *quota, struct account *account, uint64_t now_ms)
{
    if (now_ms <= account->filled_ms) {
        return;
    }
    const uint64_t passed = now_ms - account->filled_ms;
    account->filled_ms = now_ms;
    for (size_t i = 0; i < QUOTA_KIND_COUNT; i++) {
        const int64_t missing = full(quota, i) - account->tokens[i];
        const uint64_t rate = quota->settings.per_s[i];
        if (missing <= 0 || (rate > 0 && passed > (uint64_t)missing / rate)) {
            account->tokens[i] = full(quota, i);
        } else {
            account->tokens[i] += (int64_t)(passed * rate);
        }
    }
}

/* Nothing would be forgotten with it. */
static bool is_spare(const struct quota *quota, const struct account *account)
{
    bool spare = account->connections == 0;
    for (size_t i = 0; i < QUOTA_KIND_COUNT; i++) {
        spare = spare && (quota->settings.per_s[i] == 0 || account->tokens[i] >= full(quota, i));
    }
    return spare;
}

static struct account *find_account(struct quota *quota, uint32_t uid, uint64_t now_ms)
{
    for (size_t i = 0; i < quota->count; i++) {
        if (quota->accounts[i].uid == uid) {
            fill(quota, &quota->accounts[i], now_ms);
            return &quota->accounts[i];
        }
    }
    if (quota->count < QUOTA_UIDS_MAX) {
        struct account *account = &quota->accounts[quota->count++];
        open_account(quota, account, uid, now_ms);
        return account;
    }
    for (size_t i = 0; i < QUOTA_UIDS_MAX; i++) {
        struct account *account = &quota->accounts[i];
        fill(quota, account, now_ms);
        if (is_spare(quota, account)) {
            open_account(quota, account, uid, now_ms);
            return account;
        }
    }
    fill(quota, &quota->accounts[QUOTA_UIDS_MAX], now_ms);
    return &quota->accounts[QUOTA_UIDS_MAX];
}

enum imprint_error quota_new(const struct quota_settings *settings, const struct uids *exempt,
                             struct quota **out_quota)
{
    struct quota *quota = calloc(1, sizeof *quota);
    if (quota == NULL) {
        return IMPRINT_E_NOMEM;
    }
    (void)pthread_mutex_init(&quota->lock, NULL);
    quota->settings = *settings;
    quota->exempt = *exempt;
    open_account(quota, &quota->accounts[QUOTA_UIDS_MAX], UINT32_MAX, 0);
    *out_quota = quota;
    return IMPRINT_OK;
}

void quota_free(struct quota *quota)
{
    if (quota != NULL) {
        (void)pthread_mutex_destroy(&quota->lock);
        free(quota);
    }
}

void quota_change_settings(struct quota *quota, const struct quota_settings *settings)
{
    (void)pthread_mutex_lock(&quota->lock);
    quota->settings = *settings;
    for (size_t i = 0; i <= QUOTA_UIDS_MAX; i++) {
        for (size_t k = 0; k < QUOTA_KIND_COUNT; k++) {
            if (quota->accounts[i].tokens[k] > full(quota, k)) {
                quota->accounts[i].tokens[k] = full(quota, k);
            }
        }
    }
    (void)pthread_mutex_unlock(&quota->lock);
}

/* Whole seconds until the bucket holds a token. */
static unsigned wait_s(int64_t tokens, uint32_t per_s)
{
    const uint64_t missing = (uint64_t)(MILLI - tokens);
    const uint64_t a_second = (uint64_t)per_s * MILLI;
    const uint64_t seconds = (missing + a_second - 1) / a_second;
    return seconds > 3600 ? 3600 : seconds == 0 ? 1 : (unsigned)seconds;
}

bool quota_take(struct quota *quota, uint32_t uid, enum quota_kind kind, uint64_t now_ms,
                unsigned *out_retry_s)
{
    if (uids_has(&quota->exempt, uid)) {
        return true;
    }
    bool is_allowed = true;
    (void)pthread_mutex_lock(&quota->lock);
    const uint32_t per_s = quota->settings.per_s[kind];
    if (per_s > 0) {
        struct account *account = find_account(quota, uid, now_ms);
        is_allowed = account->tokens[kind] >= MILLI;
        if (is_allowed) {
            account->tokens[kind] -= MILLI;
        } else {
            *out_retry_s = wait_s(account->tokens[kind], per_s);
            quota->stats.refused[kind]++;
        }
    }
    (void)pthread_mutex_unlock(&quota->lock);
    return is_allowed;
}

void quota_charge(struct quota *quota, uint32_t uid, enum quota_kind kind, uint64_t count,
                  uint64_t now_ms)
{
    if (uids_has(&quota->exempt, uid)) {
        return;
    }
    (void)pthread_mutex_lock(&quota->lock);
    if (quota->settings.per_s[kind] > 0) {
        struct account *account = find_account(quota, uid, now_ms);
        const int64_t taken = (int64_t)(count > UINT32_MAX ? UINT32_MAX : count) * MILLI;
        account->tokens[kind] -= taken;
    }
    (void)pthread_mutex_unlock(&quota->lock);
}

bool quota_connect(struct quota *quota, uint32_t uid, uint64_t now_ms, size_t *out_account)
{
    (void)pthread_mutex_lock(&quota->lock);
    struct account *account = find_account(quota, uid, now_ms);
    const uint32_t most = quota->settings.connections_max;
    bool is_allowed = most == 0 || account->connections < most || uids_has(&quota->exempt, uid);
    if (is_allowed) {
        account->connections++;
        *out_account = (size_t)(account - quota->accounts);
    } else {
        quota->stats.refused_connections++;
    }
    (void)pthread_mutex_unlock(&quota->lock);
    return is_allowed;
}

void quota_disconnect(struct quota *quota, size_t account)
{
    (void)pthread_mutex_lock(&quota->lock);
    assert(account <= QUOTA_UIDS_MAX && quota->accounts[account].connections > 0);
    quota->accounts[account].connections--;
    (void)pthread_mutex_unlock(&quota->lock);
}

void quota_stats(struct quota *quota, struct quota_stats *out_stats)
{
    (void)pthread_mutex_lock(&quota->lock);
    *out_stats = quota->stats;
    (void)pthread_mutex_unlock(&quota->lock);
}
