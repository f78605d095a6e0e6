/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.c - see check.h. The sockets are those of the copy itself: what passes here works there.
 * An intercept sees a tcpcopy that connects, says hello and leaves.
 */
#include "tcpcopy/check.h"

#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/findings.h"
#include "common/netdev.h"
#include "common/sender.h"
#include "tcpcopy/capture_latency.h"
#include "tcpcopy/diagnosis.h"
#include "tcpcopy/firewall_advice.h"
#include "tcpcopy/link_socket.h"
#include "tcpcopy/online_capture.h"
#include "tcpcopy/same_host.h"

enum {
	TICK_US = 10 * 1000,
	ADDRESSES_MAX = 4096,
	DEVICES_TEXT_MAX = 320,
};

/* ---- capture ---- */

static void on_frame(void *ctx, int link_type, const uint8_t *frame, size_t captured_len_bytes,
		     size_t wire_len_bytes, uint64_t now_us)
{
	(void)ctx;
	(void)link_type;
	(void)frame;
	(void)captured_len_bytes;
	(void)wire_len_bytes;
	(void)now_us;
}

static void list_devices(const struct online_capture *capture, char text[DEVICES_TEXT_MAX])
{
	const char *name;
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; (name = online_capture_device(capture, i)) != NULL; i++) {
		if (used < DEVICES_TEXT_MAX)
			used += (size_t)snprintf(text + used, DEVICES_TEXT_MAX - used, "%s%s",
						 i ? ", " : "", name);
	}
}

static size_t local_addresses(struct ip_addr addresses[ADDRESSES_MAX])
{
	int count = netdev_local_addresses(NULL, addresses, ADDRESSES_MAX);

	if (count < 0)
		return 0;
	return count < ADDRESSES_MAX ? (size_t)count : ADDRESSES_MAX;
}

static void check_capture(const struct tcpcopy_options *o, struct event_base *base,
			  const struct ip_addr *addresses, size_t address_count, struct findings *f)
{
	const struct online_share share = {.index = 0, .count = o->workers};
	char error[CAPTURE_ERROR_MAX], devices[DEVICES_TEXT_MAX], text[DIAGNOSIS_LINE_MAX];
	struct online_capture *capture;

	capture = online_capture_open(base, o, &share, addresses, address_count, on_frame, NULL,
				      error);
	if (!capture) {
		findings_wrong(f, "capture: %s", error);
		return;
	}
	list_devices(capture, devices);
	findings_ok(f, "packets can be captured on %s", devices);
	if (online_capture_mirrored(capture))
		findings_note(f, "%s",
			      diagnosis_mirror_text(text, sizeof(text),
						    online_capture_mirrored(capture),
						    o->promiscuous));
	online_capture_close(capture);
}

/* Silent where it cannot be told. */
static void check_latency(const struct tcpcopy_options *o, struct findings *f)
{
	uint32_t latency_us = online_capture_latency_us(o->workers);
	char text[CAPTURE_LATENCY_TEXT_MAX];

	if (!latency_us)
		return;
	capture_latency_text(text, sizeof(text), latency_us, online_capture_timeout_ms(o->workers));
	if (capture_latency_is_long(latency_us))
		findings_note(f, "%s", text);
	else
		findings_ok(f, "%s", text);
}

/* ---- targets ---- */

/* Not wrong: the rule may be there. */
static void check_tracking(const struct tcpcopy_options *o, const struct transfer *t,
			   struct findings *f)
{
	struct firewall_facts facts = {
		.targets = &t->target, .target_count = 1, .can_link = o->send == SENDER_IP};
	char text[FIREWALL_TEXT_MAX];

	if (!conntrack_read(&facts.conntrack))
		return;
	firewall_tracking_text(text, sizeof(text), &facts);
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	findings_note(f, "%s", text);
}

static void check_target(const struct tcpcopy_options *o, const struct transfer *t,
			 struct findings *f)
{
	const struct sender_target target = options_sender_target(t);
	const char *device = o->output_device;
	const struct sender_config config = {
		.mode = *device ? SENDER_LINK : o->send,
		.device = *device ? device : NULL,
		.targets = &target,
		.target_count = 1,
	};
	char error[SENDER_ERROR_MAX], text[ENDPOINT_TEXT_MAX];
	struct sender *sender;
	const char *why = "";
	bool by_ip;

	endpoint_format(text, sizeof(text), &t->target);
	sender = sender_open(&config, error);
	if (!sender) {
		findings_wrong(f, "target %s: %s", text, error);
		return;
	}
	by_ip = sender_mode_of(sender, &target.addr, &why) == SENDER_IP;
	if (sender_has_way(sender, &target.addr) &&
	    !sender_next_hop_is_silent(sender, &target.addr))
		findings_ok(f, "target %s: packets leave by %s (%s)", text, by_ip ? "ip" : "link",
			    why);
	else
		findings_wrong(f,
			       "target %s: no packet arrives before its next hop is found (%s); is "
			       "it up, and on this network?",
			       text, why);
	if (by_ip)
		check_tracking(o, t, f);
	if (by_ip && options_has_mac(t))
		findings_note(f,
			      "target %s: the MAC given in -x is not used, as packets leave by ip",
			      text);
	sender_close(sender);
}

static void tell_same_host(void *ctx, bool is_sure, const char *text)
{
	if (is_sure)
		findings_wrong(ctx, "%s", text);
	else
		findings_note(ctx, "%s", text);
}

/* ---- intercepts ---- */

struct intercept_check {
	struct link_socket *socket;
	size_t address_count;
	char why[INTERCEPT_LINK_WHY_MAX]; /* of the last failure */
};

struct link_check {
	struct event_base *base;
	struct intercept_check intercepts[OPTIONS_INTERCEPTS_MAX];
	size_t count;
};

/* Up, or refused at each of its addresses. */
static bool is_decided(const struct intercept_check *c)
{
	struct intercept_link_stats stats;

	intercept_link_get_stats(link_socket_link(c->socket), &stats);
	return stats.connects > 0 || stats.failures >= c->address_count;
}

static void on_record(void *ctx, const struct wire_record *record, uint64_t now_us)
{
	(void)ctx;
	(void)record;
	(void)now_us;
}

static void on_refused(void *ctx, uint32_t session_id, uint64_t now_us)
{
	(void)ctx;
	(void)session_id;
	(void)now_us;
}

static void on_link_state(void *ctx, struct intercept_link *link, enum intercept_link_state state,
			  const char *why, uint64_t now_us)
{
	struct link_check *check = ctx;
	size_t open = 0;

	(void)now_us;
	for (size_t i = 0; i < check->count; i++) {
		struct intercept_check *c = &check->intercepts[i];

		if (link_socket_link(c->socket) == link && state == INTERCEPT_LINK_IDLE && *why)
			snprintf(c->why, sizeof(c->why), "%s", why);
		open += !is_decided(c);
	}
	if (open == 0)
		event_base_loopbreak(check->base);
}

/* The links ask for nothing but to be told the time now and then. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct link_check *check = arg;
	uint64_t now_us = clock_now_us();

	(void)fd;
	(void)what;
	for (size_t i = 0; i < check->count; i++) {
		intercept_link_on_time(link_socket_link(check->intercepts[i].socket), now_us);
		link_socket_write(check->intercepts[i].socket, now_us);
	}
}

static const struct link_socket_handlers link_handlers = {
	.record = on_record,
	.refused = on_refused,
	.link_state = on_link_state,
};

static void tell_intercept(const struct tcpcopy_options *o, const struct intercept_check *c,
			   struct findings *f)
{
	const struct intercept_link *link = link_socket_link(c->socket);
	char at[ENDPOINT_TEXT_MAX];

	endpoint_format(at, sizeof(at), intercept_link_address(link));
	if (intercept_link_state(link) == INTERCEPT_LINK_UP)
		findings_ok(f, "intercept %s answers (%s)", intercept_link_name(link), at);
	else if (o->without_intercept)
		findings_note(f, "intercept %s (%s) does not answer: %s; -L goes on without it",
			      intercept_link_name(link), at,
			      *c->why ? c->why : "nothing came back within 3 s");
	else
		findings_wrong(f,
			       "intercept %s (%s) does not answer: %s; start intercept there, and "
			       "let a firewall pass TCP port %u",
			       intercept_link_name(link), at,
			       *c->why ? c->why : "nothing came back within 3 s",
			       (unsigned)intercept_link_address(link)->port);
}

static void check_intercepts(const struct tcpcopy_options *o, struct event_base *base,
			     struct findings *f)
{
	const struct timeval limit = {.tv_sec = CHECK_INTERCEPT_S}, often = {.tv_usec = TICK_US};
	struct link_check check = {.base = base};
	struct event *tick = event_new(base, -1, EV_PERSIST, on_tick, &check);
	uint64_t instance_id = 0;

	/* Not that of a copy which runs: its connection would be taken for a broken one. */
	if (getrandom(&instance_id, sizeof(instance_id), 0) != (ssize_t)sizeof(instance_id))
		instance_id = clock_now_us();
	for (size_t i = 0; i < o->intercept_count; i++) {
		const struct intercept_link_config config = {
			.name = o->intercepts[i].text,
			.addresses = o->intercepts[i].endpoints,
			.address_count = o->intercepts[i].endpoint_count,
			.instance_id = instance_id,
		};
		struct intercept_check *c = &check.intercepts[check.count];

		c->address_count = config.address_count;
		c->socket = link_socket_new(base, &config, &link_handlers, &check, clock_now_us());
		if (c->socket)
			check.count++;
		else
			findings_wrong(f, "intercept %s: no memory", config.name);
	}
	if (tick && event_add(tick, &often) == 0 && event_base_loopexit(base, &limit) == 0)
		event_base_dispatch(base);
	if (tick)
		event_free(tick);
	for (size_t i = 0; i < check.count; i++) {
		tell_intercept(o, &check.intercepts[i], f);
		link_socket_free(check.intercepts[i].socket);
	}
}

/* ---- the whole ---- */

static void tell_notes(const struct tcpcopy_options *o, const struct ip_addr *addresses,
		       size_t address_count, struct findings *f)
{
	char note[PARSE_ERROR_MAX];

	if (!o->client_range_count)
		findings_note(f,
			      "without -c the target must route the real clients' addresses to "
			      "the assistant; -c %s avoids that",
			      tcpcopy_options_example_clients(o));
	if (tcpcopy_options_leaves_out(o, addresses, address_count, note))
		findings_note(f, "%s", note);
	if (o->session_pool_kb)
		findings_note(f, "-U %u does nothing", o->session_pool_kb);
}

unsigned tcpcopy_check(const struct tcpcopy_options *o, FILE *out)
{
	static struct ip_addr addresses[ADDRESSES_MAX];
	size_t address_count = local_addresses(addresses);
	struct event_base *base = event_base_new();
	struct findings f = {.out = out};

	findings_ok(&f, "the options are right");
	tell_notes(o, addresses, address_count, &f);
	if (base) {
		check_capture(o, base, addresses, address_count, &f);
		check_latency(o, &f);
		for (size_t i = 0; i < o->transfer_count; i++)
			check_target(o, &o->transfers[i], &f);
		same_host_check(o, &same_host_view_real, tell_same_host, &f);
		check_intercepts(o, base, &f);
		event_base_free(base);
	} else {
		findings_wrong(&f, "no memory, or no descriptors");
	}
	findings_check_log(&f, "tcpcopy", o->log_file, o->daemon);
	findings_check_pid_file(&f, o->pid_file);
	findings_check_stats_file(&f, o->stats_file);
	return f.wrong_count;
}
