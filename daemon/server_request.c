/* One request: head looked at and admitted, body collected, handed over, answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "limits.h"
#include "server_impl.h"

#define BODY_BYTES_FIRST ((size_t)256 << 10)
#define LISTED_MAX       16

/* --- What the handler may ask of a request ---------------------------------------------------- */

static const char *lookup(const struct http_request *request, enum MHD_ValueKind kind,
                          const char *name)
{
    const struct connection *connection = request->impl;
    const char *value = NULL;
    if (MHD_lookup_connection_value_n(connection->mhd, kind, name, strlen(name), &value, NULL) !=
        MHD_YES) {
        return NULL;
    }
    return value == NULL ? "" : value;
}

static const char *request_parameter(const struct http_request *request, const char *name)
{
    return lookup(request, MHD_GET_ARGUMENT_KIND, name);
}

static const char *request_header(const struct http_request *request, const char *name)
{
    return lookup(request, MHD_HEADER_KIND, name);
}

struct known {
    const char *const *names;
    unsigned seen; /* one bit a name */
    bool is_broken;
};

static enum MHD_Result check_parameter(void *cls, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    (void)kind;
    (void)value;
    struct known *known = cls;
    for (size_t i = 0; known->names != NULL && known->names[i] != NULL && i < LISTED_MAX; i++) {
        unsigned bit = 1u << i;
        if (strcmp(known->names[i], name) == 0 && (known->seen & bit) == 0) {
            known->seen |= bit;
            return MHD_YES;
        }
    }
    known->is_broken = true;
    return MHD_NO;
}

static bool request_parameters_known(const struct http_request *request, const char *const *names)
{
    const struct connection *connection = request->impl;
    struct known known = {.names = names};
    (void)MHD_get_connection_values(connection->mhd, MHD_GET_ARGUMENT_KIND, check_parameter,
                                    &known);
    return !known.is_broken;
}

/* --- Replies ---------------------------------------------------------------------------------- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* Fails only without memory; the answer then goes out without the header. */
    (void)MHD_add_response_header(response, name, value);
}

static void add_headers(struct MHD_Response *response, const struct http_reply *reply)
{
    if (reply->body_len > 0) {
        add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                   reply->content_type == NULL ? "application/json" : reply->content_type);
    }
    if (reply->retry_after_s > 0) {
        char seconds[16];
        (void)snprintf(seconds, sizeof seconds, "%u", reply->retry_after_s);
        add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (reply->allow != NULL) {
        add_header(response, MHD_HTTP_HEADER_ALLOW, reply->allow);
    }
    if (reply->close) {
        add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
}

/* Sends connection->reply. */
static enum MHD_Result send_reply(struct connection *connection)
{
    struct server *server = connection->listener->server;
    struct http_reply reply = connection->reply;
    connection->reply = (struct http_reply){0};
    server_body_done(server, &connection->body);
    if (!server_enter_phase(connection, PHASE_REPLY)) {
        free(reply.body);
        return MHD_NO;
    }
    reply.close = reply.close || atomic_load_explicit(&server->is_draining, memory_order_relaxed);
    struct MHD_Response *response = MHD_create_response_from_buffer(
        reply.body_len, reply.body,
        reply.body == NULL ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(reply.body);
        return MHD_NO;
    }
    add_headers(response, &reply);
    enum MHD_Result result = MHD_queue_response(connection->mhd, (unsigned)reply.status, response);
    MHD_destroy_response(response);
    return result;
}

static void refuse(struct connection *connection, enum imprint_error error)
{
    struct server *server = connection->listener->server;
    server->handler.refuse(server->handler.ctx, (int)error, &connection->request,
                           &connection->reply);
    connection->is_refused = true;
}

/* The handler has an answer: here, or later on a thread of its own. */
static void answer(struct http_exchange *exchange, struct http_reply *reply)
{
    struct connection *connection =
        (struct connection *)(void *)((char *)exchange - offsetof(struct connection, exchange));
    struct server *server = connection->listener->server;
    struct MHD_Connection *mhd = connection->mhd;
    connection->reply = *reply;
    reply->body = NULL;
    /* From GIVEN on the connection may be gone, unless it is suspended. */
    if (atomic_exchange(&connection->answer, ANSWER_GIVEN) == ANSWER_SUSPENDED) {
        MHD_resume_connection(mhd);
    }
    (void)atomic_fetch_sub(&server->unanswered, 1);
}

/* --- Head ------------------------------------------------------------------------------------- */

struct framing {
    unsigned lengths;
    unsigned encodings;
    bool is_chunked;
    bool expects_continue;
    uint64_t length;
};

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    (void)kind;
    struct framing *framing = cls;
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        framing->lengths++;
        framing->length = value == NULL ? 0 : strtoull(value, NULL, 10);
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        framing->encodings++;
        framing->is_chunked = value != NULL && strcasecmp(value, "chunked") == 0;
    } else if (strcasecmp(name, MHD_HTTP_HEADER_EXPECT) == 0) {
        framing->expects_continue = value != NULL && strcasecmp(value, "100-continue") == 0;
    }
    return MHD_YES;
}

/* libmicrohttpd takes the first of several lengths and prefers chunks to a length; a proxy before
 * us may choose otherwise, and then a body's tail becomes the next request. */
static bool is_framing_sound(const struct framing *framing)
{
    return framing->lengths <= 1 && framing->encodings <= 1 &&
           framing->lengths + framing->encodings <= 1 &&
           (framing->encodings == 0 || framing->is_chunked);
}

static bool has_body(const struct framing *framing)
{
    return framing->is_chunked || framing->length > 0;
}

/* Answers before the body, if any, was read: the connection cannot go on after it. */
static enum MHD_Result refuse_at_once(struct connection *connection)
{
    connection->reply.close = true;
    return send_reply(connection);
}

static enum MHD_Result begin_refused(struct connection *connection, const struct framing *framing)
{
    bool is_small = framing->is_chunked || framing->length <= LIMIT_DISCARD_BYTES_MAX;
    if (has_body(framing) && (framing->expects_continue || !is_small)) {
        return refuse_at_once(connection);
    }
    connection->body_max = LIMIT_DISCARD_BYTES_MAX;
    return MHD_YES;
}

static void describe(struct connection *connection, const char *url, const char *method)
{
    connection->request = (struct http_request){
        .method = method,
        .path = url,
        .role = connection->listener->role,
        .uid = connection->uid,
        .parameter = request_parameter,
        .parameters_known = request_parameters_known,
        .header = request_header,
        .impl = connection,
    };
    connection->exchange.answer = answer;
}

static enum MHD_Result begin(struct connection *connection, const char *url, const char *method)
{
    struct server *server = connection->listener->server;
    connection->is_seen = true;
    (void)atomic_fetch_add(&server->in_flight, 1);
    describe(connection, url, method);
    if (!server_enter_phase(connection, PHASE_BODY)) {
        return MHD_NO;
    }
    struct framing framing = {0};
    (void)MHD_get_connection_values(connection->mhd, MHD_HEADER_KIND, look_at_header, &framing);
    if (!is_framing_sound(&framing) || connection->has_nul) {
        refuse(connection, IMPRINT_E_BAD_REQUEST);
        return refuse_at_once(connection);
    }
    size_t body_max = 0;
    if (!server->handler.admit(server->handler.ctx, &connection->request, &body_max,
                               &connection->reply)) {
        connection->is_refused = true;
        return begin_refused(connection, &framing);
    }
    if (framing.length > body_max) {
        refuse(connection, IMPRINT_E_BODY_TOO_LARGE);
        return begin_refused(connection, &framing);
    }
    connection->body_max = body_max;
    connection->body_hint = framing.is_chunked ? body_max : (size_t)framing.length;
    return MHD_YES;
}

/* --- Body ------------------------------------------------------------------------------------- */

/* Room for more bytes: doubling, so that a peer that declares much and sends little takes little.
 */
static enum imprint_error grow(struct connection *connection, size_t more)
{
    struct body *body = &connection->body;
    if (more > connection->body_max - body->len) {
        return IMPRINT_E_BODY_TOO_LARGE;
    }
    size_t needed = body->len + more;
    if (needed <= body->capacity) {
        return IMPRINT_OK;
    }
    size_t capacity = body->capacity == 0 ? BODY_BYTES_FIRST : body->capacity * 2;
    if (capacity > connection->body_hint) {
        capacity = connection->body_hint;
    }
    if (capacity < needed) {
        capacity = needed;
    }
    return server_body_reserve(connection->listener->server, body, capacity);
}

/* Nothing can be said through libmicrohttpd in the middle of a body. */
static enum MHD_Result give_up(struct connection *connection, enum imprint_error error)
{
    server_end_with(connection, atomic_load(&connection->clock), error);
    return MHD_NO;
}

static enum MHD_Result take(struct connection *connection, const char *bytes, size_t *len)
{
    if (connection->is_refused) {
        connection->dropped += *len;
        if (connection->dropped > connection->body_max) {
            return give_up(connection, IMPRINT_E_BODY_TOO_LARGE);
        }
        *len = 0;
        return MHD_YES;
    }
    enum imprint_error error = grow(connection, *len);
    if (error != IMPRINT_OK) {
        return give_up(connection, error);
    }
    memcpy(connection->body.bytes + connection->body.len, bytes, *len);
    connection->body.len += *len;
    *len = 0;
    return MHD_YES;
}

static enum MHD_Result hand_over(struct connection *connection)
{
    struct server *server = connection->listener->server;
    if (!server_enter_phase(connection, PHASE_WORK)) {
        return MHD_NO;
    }
    connection->is_handed = true;
    connection->request.body = connection->body.bytes;
    connection->request.body_len = connection->body.len;
    atomic_store(&connection->answer, ANSWER_PENDING);
    (void)atomic_fetch_add(&server->unanswered, 1);
    server->handler.handle(server->handler.ctx, &connection->request, &connection->exchange);
    if (atomic_load(&connection->answer) == ANSWER_GIVEN) {
        return send_reply(connection);
    }
    MHD_suspend_connection(connection->mhd);
    int pending = ANSWER_PENDING;
    if (!atomic_compare_exchange_strong(&connection->answer, &pending, ANSWER_SUSPENDED)) {
        MHD_resume_connection(connection->mhd);
    }
    return MHD_YES;
}

/* --- Callbacks -------------------------------------------------------------------------------- */

void *server_on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    (void)cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info == NULL ? NULL : info->socket_context;
    if (connection == NULL) {
        return NULL;
    }
    connection->is_seen = false;
    connection->is_refused = false;
    connection->is_handed = false;
    connection->body_max = 0;
    connection->body_hint = 0;
    connection->dropped = 0;
    connection->has_nul = strstr(target, "%00") != NULL;
    (void)server_enter_phase(connection, PHASE_HEAD);
    return connection;
}

enum MHD_Result server_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **con_cls)
{
    (void)cls;
    (void)mhd;
    (void)version;
    struct connection *connection = *con_cls;
    if (connection == NULL) {
        return MHD_NO;
    }
    if (!connection->is_seen) {
        return begin(connection, url, method);
    }
    if (*upload_data_size > 0) {
        return take(connection, upload_data, upload_data_size);
    }
    if (connection->is_refused || connection->is_handed) {
        return send_reply(connection);
    }
    return hand_over(connection);
}

void server_on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    (void)mhd;
    (void)code;
    struct listener *listener = cls;
    struct connection *connection = *con_cls;
    *con_cls = NULL;
    if (connection == NULL) {
        return;
    }
    server_body_done(listener->server, &connection->body);
    free(connection->reply.body);
    connection->reply = (struct http_reply){0};
    if (connection->is_seen) {
        connection->is_seen = false;
        (void)atomic_fetch_sub(&listener->server->in_flight, 1);
    }
    (void)server_enter_phase(connection, PHASE_IDLE);
}
