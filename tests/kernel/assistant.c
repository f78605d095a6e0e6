/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/assistant.h"

#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "intercept/response.h"
#include "tcpcopy/intercept_link.h"

struct assistant {
	struct response *response;
	struct intercept_link *link;
	assistant_record_fn *record;
	void *ctx;
	int peer; /* of response; -1: not connected */
	bool is_connecting;
	unsigned faults;
};

/* ---- tcpcopy's end ---- */

static int link_connect(void *ctx, const struct endpoint *to, const char **why)
{
	struct assistant *a = ctx;

	(void)to;
	(void)why;
	a->is_connecting = true;
	return 0;
}

static void link_close(void *ctx)
{
	struct assistant *a = ctx;

	a->faults++;
}

static void link_record(void *ctx, const struct wire_record *record, uint64_t now_us)
{
	struct assistant *a = ctx;

	a->record(a->ctx, record, now_us);
}

/* No router stands between the two. */
static void link_path_mtu(void *ctx, const struct wire_path_mtu *m, uint64_t now_us)
{
	struct assistant *a = ctx;

	(void)m;
	(void)now_us;
	a->faults++;
}

static void link_refused(void *ctx, uint32_t session_id, uint64_t now_us)
{
	struct assistant *a = ctx;

	(void)session_id;
	(void)now_us;
	a->faults++;
}

static void link_state(void *ctx, enum intercept_link_state state, const char *why, uint64_t now_us)
{
	(void)ctx;
	(void)state;
	(void)why;
	(void)now_us;
}

static const struct intercept_link_effects link_effects = {
	.connect = link_connect,
	.close = link_close,
	.record = link_record,
	.path_mtu = link_path_mtu,
	.refused = link_refused,
	.link_state = link_state,
};

/* ---- intercept's end ---- */

static void peer_wants_write(void *ctx, unsigned peer)
{
	(void)ctx; /* assistant_run looks at the output anyway */
	(void)peer;
}

static void peer_close(void *ctx, unsigned peer)
{
	struct assistant *a = ctx;

	(void)peer;
	a->faults++;
	a->peer = -1;
}

static void peer_notice(void *ctx, enum response_notice notice, unsigned peer, const char *text)
{
	struct assistant *a = ctx;

	(void)peer;
	(void)text;
	a->faults += notice != RESPONSE_NOTICE_UP;
}

static void peer_registered(void *ctx, unsigned peer, const struct tuple *response)
{
	(void)ctx;
	(void)peer;
	(void)response;
}

static const struct response_effects response_effects = {
	.wants_write = peer_wants_write,
	.close = peer_close,
	.notice = peer_notice,
	.registered = peer_registered,
};

/* ---- both ---- */

static void connect_both(struct assistant *a, uint64_t now_us)
{
	if (!a->is_connecting)
		return;
	a->is_connecting = false;
	a->peer = response_on_peer_connected(a->response, now_us);
	intercept_link_on_connected(a->link, now_us);
}

static bool carry_to_intercept(struct assistant *a, uint64_t now_us)
{
	size_t len;
	const uint8_t *bytes = intercept_link_output(a->link, &len);

	if (!len || a->peer < 0)
		return false;
	response_on_peer_bytes(a->response, (unsigned)a->peer, bytes, len, now_us);
	intercept_link_on_written(a->link, len);
	return true;
}

static bool carry_to_tcpcopy(struct assistant *a, uint64_t now_us)
{
	size_t len, room;
	const uint8_t *bytes;
	uint8_t *to;

	response_flush(a->response, now_us);
	if (a->peer < 0)
		return false;
	bytes = response_output(a->response, (unsigned)a->peer, &len);
	if (!len)
		return false;
	to = intercept_link_input(a->link, &room);
	if (len > room)
		len = room;
	memcpy(to, bytes, len);
	response_output_sent(a->response, (unsigned)a->peer, len);
	intercept_link_on_input(a->link, len, now_us);
	return true;
}

void assistant_run(struct assistant *a, uint64_t now_us)
{
	bool moved = true;

	if (now_us >= intercept_link_next_us(a->link))
		intercept_link_on_time(a->link, now_us);
	if (now_us >= response_next_us(a->response))
		response_on_time(a->response, now_us);
	connect_both(a, now_us);
	while (moved) {
		moved = carry_to_intercept(a, now_us);
		moved |= carry_to_tcpcopy(a, now_us);
	}
	/* No session is older than the link. */
	if (intercept_link_resync_room(a->link))
		intercept_link_resync_done(a->link);
}

struct assistant *assistant_new(assistant_record_fn *record, void *ctx, uint64_t now_us)
{
	struct assistant *a = calloc(1, sizeof(*a));
	const struct response_config config = {
		.key = {5, 6},
		.instance_id = 1,
		.limits = {.routes_max = ROUTER_ROUTES_MAX,
			   .peer_routes_max = ROUTER_PEER_ROUTES_MAX},
	};
	const struct endpoint nowhere = {.addr = ip_addr_v4(0x7f000001), .port = WIRE_PORT_DEFAULT};
	const struct intercept_link_config link = {
		.name = "memory", .addresses = &nowhere, .address_count = 1, .instance_id = 2};

	if (!a)
		return NULL;
	a->record = record;
	a->ctx = ctx;
	a->peer = -1;
	a->response = response_new(&config, &response_effects, a, now_us);
	a->link = intercept_link_new(&link, &link_effects, a, now_us);
	if (!a->response || !a->link) {
		assistant_free(a);
		return NULL;
	}
	assistant_run(a, now_us);
	return a;
}

void assistant_free(struct assistant *a)
{
	if (!a)
		return;
	intercept_link_free(a->link);
	response_free(a->response);
	free(a);
}

void assistant_register(struct assistant *a, uint32_t id, const struct tuple *response)
{
	intercept_link_register(a->link, id, response);
}

void assistant_unregister(struct assistant *a, uint32_t id)
{
	intercept_link_unregister(a->link, id);
}

void assistant_urgency(struct assistant *a, bool urgent)
{
	intercept_link_urgency(a->link, urgent);
}

void assistant_on_packet(struct assistant *a, const uint8_t *packet, size_t len_bytes,
			 uint64_t now_us)
{
	response_on_frame(a->response, PACKET_LINK_RAW, packet, len_bytes, len_bytes, now_us);
}

uint64_t assistant_gather_us(struct assistant *a, uint64_t now_us)
{
	return response_gather_us(a->response, now_us);
}

uint64_t assistant_next_us(const struct assistant *a)
{
	uint64_t link = intercept_link_next_us(a->link);
	uint64_t response = response_next_us(a->response);

	return link < response ? link : response;
}

bool assistant_is_well(const struct assistant *a)
{
	struct intercept_link_stats stats;

	intercept_link_get_stats(a->link, &stats);
	return intercept_link_state(a->link) == INTERCEPT_LINK_UP && stats.connects == 1 &&
	       stats.postponed == 0 && a->faults == 0;
}
