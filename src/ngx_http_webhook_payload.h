
/*
 * Copyright (C) the ngx_http_webhook_module authors
 */


/*
 * payload: members of an observation and constants of a webhook -> the JSON
 * text that is sent (design, section 5).  Pure.  Next room: queue.
 */


#ifndef _NGX_HTTP_WEBHOOK_PAYLOAD_H_INCLUDED_
#define _NGX_HTTP_WEBHOOK_PAYLOAD_H_INCLUDED_


#include "ngx_http_webhook.h"
#include "ngx_http_webhook_api.h"
#include "ngx_http_webhook_json.h"


/* "LAUNCHED", ... "PING"; "EXECUTION" or "PING" */

ngx_str_t *ngx_http_webhook_event_name(ngx_uint_t event);
ngx_str_t *ngx_http_webhook_event_type(ngx_uint_t event);

/*
 * The payload of an EXECUTION event as a new json_t object, in the documented
 * order of members: type, event, execution, goal, sender, project, snapshot,
 * organization; what nothing provides is left out.  Members of the webhook
 * ("member", names of these and what is in them) fill in only what the
 * observation lacks, or has as null.  Its values are shared, not changed.
 * NULL: no memory.
 */

json_t *ngx_http_webhook_payload_execution(ngx_uint_t event,
    ngx_http_webhook_observation_t *observation,
    ngx_http_webhook_hook_t *hook);

/*
 * The payload of a PING: type, sender, organization, project, webhookId,
 * webhook, hook_id, hook.  "user": name of who pings by hand, or empty.  NULL:
 * no memory.
 */

json_t *ngx_http_webhook_payload_ping(ngx_http_webhook_hook_t *hook,
    ngx_str_t *user);

/*
 * The webhook's configuration as payloads and the status endpoint show it: id,
 * name, url (without secrets), contentType, events, description, active.
 */

json_t *ngx_http_webhook_payload_hook(ngx_http_webhook_hook_t *hook);

/*
 * Whether a webhook wants an event: active, its events, and for EXECUTION its
 * match lines on the payload.  1 or 0.
 */

ngx_uint_t ngx_http_webhook_payload_wanted(ngx_http_webhook_hook_t *hook,
    ngx_uint_t event, json_t *payload);

/*
 * Whether a scalar's text satisfies one of the values of a match line, and
 * none of its "!" values (alone, they hold for what is absent, too); NULL text:
 * the member is absent or null; text->data NULL: it is an object or a list,
 * which is no text.  Also the rule of "require".
 */

ngx_uint_t ngx_http_webhook_payload_match(ngx_array_t *values,
    ngx_str_t *text);

/*
 * The body as the webhook's content type wants it, appended to "body": the
 * JSON text itself, or "payload=" and its percent-encoded form
 * (application/x-www-form-urlencoded, WHATWG URL 5.2).
 */

void ngx_http_webhook_payload_body(ngx_http_webhook_text_t *body, ngx_uint_t
    form, ngx_str_t *json);


#endif /* _NGX_HTTP_WEBHOOK_PAYLOAD_H_INCLUDED_ */
