/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/replay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/out_of_line.h"
#include "common/packet.h"
#include "common/tcp_option.h"
#include "tcpcopy/replay_private.h"

enum {
	MTU_DEFAULT = 1500,
	MTU_MIN = 576,
	MTU_SLACK = 50,       /* devices may take a little more than they say */
	HURRY_MIN_US = 50000, /* after a link came up: registrations go first */
	HURRY_SPREAD_US = 500000,
	BATCH_MAX_BYTES =
		1 << 20, /* of streams, before packets, records and timers are looked at again */
	URGENCY_LINGER_US = 10000, /* waiting comes and goes: intercept need not hear of each */
	HALF_OPEN_SHARE = 4, /* connections with only a SYN may take this part of the sessions */
	HALF_OPEN_LEAST = 1024,
	HALF_OPEN_FEWEST = 16,         /* connections, however many copies of each there are */
	HALF_OPEN_TRIED_MAX = 8192,    /* SYNs that were copied */
	HALF_OPEN_WAITING_MAX = 65536, /* and that were not */
};

/* ---- creation ---- */

/* Copies follow each other closely, however many they are. */
static uint64_t lag_step_us(unsigned copies)
{
	uint64_t most = copies > 1 ? SESSION_LAG_MAX_US / (copies - 1) : 0;

	return most < SESSION_LAG_US ? most : SESSION_LAG_US;
}

/*
 * Packets have the time at which the capture hands them over, so two of them may seem to be as much farther apart as it holds one
 * back.
 */
static uint64_t boundary_us(uint64_t capture_latency_us)
{
	uint64_t more_us =
		capture_latency_us > ONLINE_CAPTURE_US ? capture_latency_us - ONLINE_CAPTURE_US : 0;

	return ONLINE_BOUNDARY_US + more_us;
}

static void init_env(struct replay *r, const struct replay_config *config,
		     const struct replay_effects *effects, void *ctx, uint64_t now_us)
{
	struct session_env *env = &r->env;

	env->effects = effects;
	env->ctx = ctx;
	env->ledger = &r->ledger;
	env->isn_secret = config->isn_secret;
	env->isn_base = config->isn_base;
	env->lag_step_us = lag_step_us(config->copies);
	env->ts_base = (uint32_t)hash_bytes(&config->isn_secret, "timestamps", 10);
	env->give_up_us = config->give_up_us;
	env->keep_alive_us = config->keep_alive_us;
	env->park_after_us = config->park_after_us ? config->park_after_us : REPLAY_PARK_AFTER_US;
	env->boundary_us = boundary_us(config->capture_latency_us);
	env->rtt_us = config->rtt_auto ? SESSION_RTT_AUTO : config->rtt_us;
	env->mss_bytes = config->mss_bytes;
	env->joins = !config->whole_connections_only;
	env->no_wait = config->no_wait;
	env->waits_for_links = config->without_intercept;
	env->is_deaf = true;
	env->now_us = now_us;
	env->dirty_tail = &env->dirty;
	for (size_t i = 0; i < TRANSFERS_MAX; i++)
		env->mtu_bytes[i] = MTU_DEFAULT;
	env->wheel = timer_wheel_new(now_us);
	env->online_wheel = timer_wheel_new(now_us);
}

/* How many connections of which only the SYN is known may be in the tables, with all their copies. */
static uint32_t half_open_max(const struct replay *r, uint32_t most)
{
	uint32_t part = r->max_sessions / HALF_OPEN_SHARE;

	if (part < HALF_OPEN_LEAST)
		part = HALF_OPEN_LEAST;
	if (part > most)
		part = most;
	part /= r->copies;
	return part < HALF_OPEN_FEWEST ? HALF_OPEN_FEWEST : part;
}

struct replay *replay_new(const struct replay_config *config, const struct replay_effects *effects,
			  void *ctx, uint64_t now_us)
{
	struct mapping_config mapping = {
		.key = config->key,
		.pool = config->client_pool,
		.pool_count = config->client_pool_count,
		.first_port = config->first_port ? config->first_port : REPLAY_FIRST_PORT,
		.last_port = config->first_port ? config->last_port : REPLAY_LAST_PORT,
		.localhost_ip4 = config->localhost_ip4,
		.localhost_ip6 = config->localhost_ip6,
		.port_shift = config->port_shift,
	};
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	assert(config->transfer_count && config->transfer_count <= TRANSFERS_MAX);
	assert(config->copies && config->copies <= COPIES_MAX);
	memcpy(r->transfers, config->transfers, config->transfer_count * sizeof(r->transfers[0]));
	r->transfer_count = config->transfer_count;
	r->copies = config->copies;
	r->key = config->key;
	r->max_memory_bytes = config->max_memory_bytes;
	r->max_sessions = config->max_sessions < SESSIONS_MAX ? config->max_sessions : SESSIONS_MAX;
	r->share = config->share;
	r->check_checksums = config->check_checksums;
	r->online_mtu_bytes = config->online_mtu_bytes;
	init_env(r, config, effects, ctx, now_us);
	r->parked_wheel = timer_wheel_new(now_us);
	r->mapping = mapping_new(&mapping);
	if (ledger_init(&r->ledger, config->transfer_count, config->copies) ||
	    session_table_init(&r->table, &config->key, config->max_sessions, &r->slabs) ||
	    half_open_init(&r->tried, half_open_max(r, HALF_OPEN_TRIED_MAX)) ||
	    half_open_init(&r->waiting, half_open_max(r, HALF_OPEN_WAITING_MAX)) ||
	    replay_init_left_out(r, config, now_us) || !r->mapping || !r->env.wheel ||
	    !r->env.online_wheel || !r->parked_wheel || replay_memory_init(r)) {
		replay_free(r);
		errno = ENOMEM;
		return NULL;
	}
	return r;
}

static void fini_onlines(struct replay *r)
{
	uint32_t limit = r->table.onlines ? slab_limit(r->table.onlines) : 0;

	for (uint32_t i = 0; i < limit; i++) {
		struct online *o = slab_find(r->table.onlines, i);

		if (o)
			online_fini(o, &r->env);
	}
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	fini_onlines(r);
	replay_memory_fini(r);
	session_table_fini(&r->table);
	half_open_fini(&r->tried);
	half_open_fini(&r->waiting);
	left_out_free(r->left_out);
	ledger_fini(&r->ledger);
	mapping_free(r->mapping);
	timer_wheel_free(r->env.wheel);
	timer_wheel_free(r->env.online_wheel);
	timer_wheel_free(r->parked_wheel);
	free(r->local);
	free(r);
}

int replay_set_local_addresses(struct replay *r, const struct ip_addr *addresses, size_t count)
{
	struct ip_addr *copy = NULL;

	if (count) {
		copy = malloc(count * sizeof(*copy));
		if (!copy)
			return -1;
		memcpy(copy, addresses, count * sizeof(*copy));
	}
	free(r->local);
	r->local = copy;
	r->local_count = count;
	return 0;
}

void replay_set_mtu(struct replay *r, size_t target, int mtu_bytes)
{
	assert(target < r->transfer_count);
	r->env.mtu_bytes[target] = mtu_bytes < MTU_MIN ? MTU_MIN : mtu_bytes;
}

void replay_set_cutting(struct replay *r, size_t target, bool cuts)
{
	assert(target < r->transfer_count);
	r->env.cuts[target] = cuts;
}

void replay_set_online_mtu(struct replay *r, int mtu_bytes)
{
	r->online_mtu_bytes = mtu_bytes;
}

/* ---- which traffic is ours ---- */

bool replay_is_local(const struct replay *r, const struct ip_addr *a)
{
	for (size_t i = 0; i < r->local_count; i++)
		if (ip_addr_equal(&r->local[i], a))
			return true;
	return false;
}

/* The options refuse targets that are sources; an address may come to this host later. */
static bool is_target(const struct replay *r, const struct endpoint *server)
{
	for (size_t i = 0; i < r->transfer_count; i++)
		if (endpoint_equal(&r->transfers[i].target, server))
			return true;
	return false;
}

bool replay_matches_source(const struct replay *r, const struct transfer *t,
			   const struct endpoint *server)
{
	if (t->source.port != server->port)
		return false;
	if (ip_addr_is_unspecified(&t->source.addr))
		return replay_is_local(r, &server->addr) && !is_target(r, server);
	return ip_addr_equal(&t->source.addr, &server->addr);
}

static bool is_source(const struct replay *r, const struct endpoint *server)
{
	for (size_t i = 0; i < r->transfer_count; i++)
		if (replay_matches_source(r, &r->transfers[i], server))
			return true;
	return false;
}

/*
 * A packet of the client of a connection that is not followed: left out, or without room even to follow it. Then its bytes are
 * counted as they come, repetitions too.
 */
static enum packet_fate count_unfollowed(struct replay *r, const struct packet *p)
{
	const struct ledger_amount amount = {.bytes = p->payload_wire_len_bytes};
	struct left_out_entry *e = replay_find_left_out(r, p);

	if (e)
		return replay_on_left_out(r, e, p);
	replay_account_dropped(r, &p->tuple.dst, DROP_LIMIT, &amount);
	return PACKET_FATE_USED;
}

/* ---- online packets ---- */

/*
 * Why the connection of this, its first packet, can never be copied: DROP_CAUSES if it can. Nobody has an address of -c
 * but copies: two tcpcopies that feed each other would go on for ever.
 */
static enum drop_cause refusal(const struct replay *r, const struct packet *first)
{
	struct tcp_options opt;

	if (mapping_fakes(r->mapping, &first->tuple.src.addr))
		return DROP_FAKED_CLIENT;
	tcp_options_parse(&opt, first->options, first->options_len_bytes);
	return opt.has_mptcp ? DROP_NOT_REPLAYABLE : DROP_CAUSES;
}

/* The tuple belongs to a newer connection now; this one finishes what it has. */
static void displace(struct replay *r, struct online *o)
{
	session_table_unmap_online(&r->table, o);
	if (o->state == ONLINE_OPENING || o->state == ONLINE_OPEN)
		online_cut(o, &r->env);
	o->state = ONLINE_ENDED;
	online_arm(o, &r->env);
}

/* TCP Fast Open: the request comes with the SYN. To the target it goes as ordinary data. */
static void take_syn_payload(struct replay *r, const struct packet *p)
{
	struct online *o = replay_find_online(r, &p->tuple);
	struct packet data = *p;

	data.flags &= (uint8_t)~TCP_SYN;
	data.seq++;
	if (!o)
		count_unfollowed(r, &data);
	else if (online_has_live_session(
			 o)) /* otherwise it would be copied, past the half-open budget */
		online_on_syn_payload(o, &r->env, &data);
}

static enum packet_fate on_first_syn(struct replay *r, const struct packet *p)
{
	struct session_offer offer;

	online_offer(&offer, p);
	replay_begin(r, &p->tuple, p->seq, true, &offer, refusal(r, p));
	if (p->payload_wire_len_bytes)
		take_syn_payload(r, p);
	return PACKET_FATE_USED;
}

/*
 * A SYN for a tuple that has a connection: a retransmission, or the client took its port again. A live one is
 * given up only for proof: something in the new sequence space (design: a forged SYN ends nothing).
 */
static enum packet_fate on_syn_again(struct replay *r, struct online *o, const struct packet *p)
{
	if (p->seq == o->isn) /* also of one that has ended: whoever comes back takes another ISN */
		return PACKET_FATE_DUPLICATE;
	if (o->state == ONLINE_ENDED || !online_has_live_session(o)) {
		displace(r, o);
		return on_first_syn(r, p);
	}
	o->has_reuse = true;
	o->reuse.isn = p->seq;
	o->reuse.refusal = (uint8_t)refusal(r, p);
	online_offer(&o->reuse.offer, p);
	return PACKET_FATE_USED;
}

/* The saved SYN was meant: the newer connection takes the tuple. */
static struct online *confirm_reuse(struct replay *r, struct online *o)
{
	struct online_syn syn = o->reuse;
	struct tuple tuple = o->tuple;

	displace(r, o);
	replay_begin(r, &tuple, syn.isn, true, &syn.offer, syn.refusal);
	return replay_find_online(r, &tuple);
}

/* It may be one of those that there was no room to follow: they are not remembered. */
static bool may_be_unfollowed(const struct replay *r)
{
	return r->unfollowed_us && r->env.now_us < r->unfollowed_us + ONLINE_IDLE_US;
}

/* Data of a connection whose beginning was not captured: counted, not copied. */
static enum packet_fate on_unknown(struct replay *r, const struct packet *p)
{
	/* Its SYN was not seen: ours offers what every kernel understands. */
	static const struct session_offer common = {
		.mss = 1460,
		.window_scale = 7,
		.has_window_scale = true,
		.has_timestamps = true,
	};
	enum drop_cause cause = refusal(r, p);
	struct online *o;

	if (!p->payload_wire_len_bytes)
		return PACKET_FATE_DUPLICATE; /* says nothing that would count */
	if (cause == DROP_CAUSES)
		cause = may_be_unfollowed(r) ? DROP_LIMIT : DROP_BEFORE_JOIN;
	replay_begin(r, &p->tuple, p->seq - 1, false, &common, cause);
	o = replay_find_online(r, &p->tuple);
	if (!o)
		return count_unfollowed(r, p);
	online_on_client(o, &r->env, p);
	online_arm(o, &r->env); /* that may have been its end */
	return PACKET_FATE_USED;
}

/* It is not known, or was left out by choice. */
static enum packet_fate on_new_client(struct replay *r, const struct packet *p)
{
	struct left_out_entry *left_out = replay_find_left_out(r, p);

	if (left_out)
		return replay_on_left_out(r, left_out, p);
	return (p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN ? on_first_syn(r, p) : on_unknown(r, p);
}

static enum packet_fate on_client(struct replay *r, struct online *o, const struct packet *p)
{
	enum packet_fate fate;

	if (online_on_usual(o, &r->env, p))
		return PACKET_FATE_USED;
	if ((p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return on_syn_again(r, o, p);
	if (o->has_reuse && p->seq == o->reuse.isn + 1) {
		o = confirm_reuse(r, o);
		if (!o)
			return count_unfollowed(r, p);
	}
	fate = online_on_client(o, &r->env, p);
	if (o->state >= ONLINE_ENDED)
		online_arm(o, &r->env);
	return fate;
}

static enum packet_fate on_server(struct replay *r, struct online *o, const struct packet *p)
{
	enum packet_fate fate;

	if (o->has_reuse && (p->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) &&
	    p->ack == o->reuse.isn + 1) {
		o = confirm_reuse(r, o);
		if (!o)
			return PACKET_FATE_USED;
	}
	fate = online_on_server(o, &r->env, p);
	if (o->state >= ONLINE_ENDED)
		online_arm(o, &r->env);
	return fate;
}

/* The packet itself counts, not the frame: a tunnel's headers make it no super-packet. */
static bool is_corrupt(const struct replay *r, const struct packet *p)
{
	size_t ip_len_bytes = (size_t)(p->payload - p->ip) + p->payload_wire_len_bytes;

	return r->check_checksums && ip_len_bytes <= (size_t)r->online_mtu_bytes + MTU_SLACK &&
	       !packet_checksum_ok(p);
}

static void tell_once(struct replay *r, bool *told, enum replay_notice what)
{
	if (!*told)
		replay_notice(r, what, 0);
	*told = true;
}

/* Of a server, or of a client whose connection is not known. */
static OUT_OF_LINE enum packet_fate on_no_known_client(struct replay *r, const struct packet *p)
{
	struct tuple reverse = tuple_reverse(&p->tuple);
	bool is_rare = p->flags & (TCP_SYN | TCP_FIN | TCP_RST);

	if (is_rare) {
		struct online *o = replay_find_online(r, &reverse);

		if (o)
			return on_server(r, o, p);
	}
	if (is_source(r, &p->tuple.dst))
		return on_new_client(r, p);
	if (!is_source(r, &p->tuple.src))
		return PACKET_FATE_NOT_OURS;
	return is_rare ? replay_on_left_out_server(r, &reverse, p) : PACKET_FATE_DUPLICATE;
}

/* Our direction first: one look-up for what clients send, which is nearly everything. */
static enum packet_fate dispatch(struct replay *r, const struct packet *p)
{
	struct online *o = replay_find_online(r, &p->tuple);

	return o ? on_client(r, o, p) : on_no_known_client(r, p);
}

/* What packet_parse makes nothing of. */
static OUT_OF_LINE enum packet_fate fate_of_unread(struct replay *r, enum packet_result result,
						   int link_type)
{
	switch (result) {
	case PACKET_OK:
	case PACKET_NOT_TCP:
		break;
	case PACKET_FRAGMENT:
		tell_once(r, &r->told_fragment,
			  link_type & PACKET_LINK_MIRRORED ? REPLAY_NOTICE_MIRROR_FRAGMENTS
							   : REPLAY_NOTICE_FRAGMENT);
		return PACKET_FATE_FRAGMENT;
	case PACKET_MALFORMED:
	case PACKET_UNKNOWN_LINK:
		return PACKET_FATE_MALFORMED;
	}
	return PACKET_FATE_NOT_OURS;
}

static enum packet_fate fate_of(struct replay *r, int link_type, const uint8_t *frame,
				size_t captured_len_bytes, size_t wire_len_bytes)
{
	struct packet p;
	enum packet_result result =
		packet_parse(&p, link_type, frame, captured_len_bytes, wire_len_bytes);

	if (p.is_cut)
		tell_once(r, &r->told_cut, REPLAY_NOTICE_CUT);
	if (result != PACKET_OK)
		return fate_of_unread(r, result, link_type);
	if (!online_share_takes(&r->share, &p.tuple))
		return PACKET_FATE_NOT_OURS;
	if (is_corrupt(r, &p))
		return PACKET_FATE_CORRUPT;
	return dispatch(r, &p);
}

void replay_on_frame(struct replay *r, int link_type, const uint8_t *frame,
		     size_t captured_len_bytes, size_t wire_len_bytes, uint64_t now_us)
{
	r->env.now_us = now_us;
	ledger_packet(&r->ledger, fate_of(r, link_type, frame, captured_len_bytes, wire_len_bytes));
	if (!replay_has_plenty(r))
		replay_relieve(r);
}

/*
 * The breaker opened: whoever waits for an answer to its SYN asks again within a second, so that one
 * of them tries each second. It closed: all of them go on at once.
 */
static void hurry_handshakes(struct replay *r, size_t target, uint64_t delay_us)
{
	uint32_t limit = slab_limit(r->table.sessions);

	for (uint32_t i = 0; i < limit; i++) {
		struct session *s = slab_find(r->table.sessions, i);

		if (s && s->state == SESSION_SYN_SENT && s->target_index == target)
			session_retry_syn(s, &r->env, delay_us);
	}
}

/* ---- the link ---- */

void replay_on_record(struct replay *r, const struct wire_record *record, uint64_t now_us)
{
	const struct breaker *breaker;
	struct session *s;
	bool was_paused;

	r->env.now_us = now_us;
	s = replay_find_session(r, record->session_id);
	if (!s) {
		r->ledger.targets[0].traffic.records_ignored++;
		return;
	}
	breaker = &r->env.breakers[s->target_index];
	was_paused = breaker->was_told;
	session_on_target(s, &r->env, record);
	if (was_paused && !breaker->was_told) {
		replay_notice(r, REPLAY_NOTICE_RESUMED, s->target_index);
		hurry_handshakes(r, s->target_index, 0);
	}
}

void replay_on_path_mtu(struct replay *r, const struct wire_path_mtu *m, uint64_t now_us)
{
	struct session *s;

	r->env.now_us = now_us;
	s = replay_find_session(r, m->session_id);
	if (s)
		session_on_path_mtu(s, &r->env, m);
	else
		r->ledger.targets[0].traffic.too_big_ignored++;
}

void replay_on_register_refused(struct replay *r, uint32_t session_id, uint64_t now_us)
{
	struct session *s;

	r->env.now_us = now_us;
	s = replay_find_session(r, session_id);
	if (!s || !session_is_live(s))
		return;
	r->ledger.targets[s->target_index].traffic.register_refused++;
	if (s->state == SESSION_SYN_SENT) {
		replay_remap(r, s);
		return;
	}
	if (s->state == SESSION_TIME_WAIT) {
		session_close(s, &r->env, DROP_SHUTDOWN);
		return;
	}
	if (s->state == SESSION_JOINING) {
		s->rst_due = false;
		return;
	}
	/*
	 * Intercept has come back, and another was faster; or two intercepts disagree. What was not
	 * said yet goes on elsewhere. The RST ends our own connection only: no other expects its number.
	 */
	r->ledger.targets[s->target_index].sessions.ended_by_us++;
	session_leave(s, &r->env, DROP_NO_TUPLE, false);
	s->rst_due = true;
}

/* What the targets said meanwhile is lost. Spread over half a second, by which time the sessions are registered again. */
static void hurry_sessions(struct replay *r)
{
	uint32_t limit = slab_limit(r->table.sessions);

	for (uint32_t i = 0; i < limit; i++) {
		struct session *s = slab_find(r->table.sessions, i);

		if (s)
			session_hurry(s, &r->env,
				      HURRY_MIN_US + (uint64_t)i * 7919 % HURRY_SPREAD_US);
	}
}

void replay_on_links(struct replay *r, unsigned up, uint64_t now_us)
{
	r->env.now_us = now_us;
	if (!r->links_up) {
		r->env.heard_us = now_us;
		for (size_t i = 0; i < r->transfer_count; i++)
			breaker_begin_anew(&r->env.breakers[i]);
	}
	r->env.is_deaf = up == 0;
	if (up > r->links_up)
		hurry_sessions(r);
	if (up) /* what is captured before goes nowhere: the target is to see the ramp from its beginning */
		sampling_begin(&r->sampling, now_us);
	r->links_up = up;
	if (r->is_urgent) /* a new link has not heard of it */
		r->env.effects->urgency(r->env.ctx, true);
}

bool replay_each_session(struct replay *r, uint32_t *cursor, size_t max,
			 void (*fn)(void *ctx, uint32_t session_id, const struct tuple *response),
			 void *ctx)
{
	uint32_t limit = session_table_limit(&r->table);
	struct session s;

	for (size_t n = 0; *cursor < limit && n < max; ++*cursor) {
		struct tuple response;

		if (!session_table_look(&r->table, *cursor, &s) || !s.has_tuple)
			continue;
		response = tuple_reverse(&s.tuple);
		fn(ctx, s.id, &response);
		n++;
	}
	return *cursor < limit;
}

/* ---- time and output ---- */

/* A target has answered by link: then it is not the sender's fault that another does not. */
static bool any_answered_by_link(const struct replay *r)
{
	for (size_t i = 0; i < r->transfer_count; i++)
		if (r->env.breakers[i].was_answered && !r->env.breakers[i].is_by_ip)
			return true;
	return false;
}

static void check_breaker(struct replay *r, size_t target)
{
	for (;;) {
		switch (breaker_check(&r->env.breakers[target], r->env.now_us)) {
		case BREAKER_NOTHING:
			return;
		case BREAKER_TRY_IP:
			if (any_answered_by_link(r))
				break;
			replay_notice(r, REPLAY_NOTICE_TRY_IP, target);
			if (!r->env.breakers[target].is_open)
				hurry_handshakes(r, target, 0);
			break;
		case BREAKER_TRY_LINK:
			replay_notice(r, REPLAY_NOTICE_TRY_LINK, target);
			break;
		case BREAKER_UNANSWERED:
			replay_notice(r, REPLAY_NOTICE_UNANSWERED, target);
			break;
		case BREAKER_OPENED:
			hurry_handshakes(r, target, SESSION_PROBE_HELD_US);
			replay_notice(r, REPLAY_NOTICE_PAUSED, target);
			break;
		}
	}
}

/* Without a link no answer can come. */
static void check_breakers(struct replay *r)
{
	if (r->env.is_deaf)
		return;
	for (size_t i = 0; i < r->transfer_count; i++)
		check_breaker(r, i);
}

/* Tells intercept to hurry while somebody is late for want of its records, and a little longer. */
static void update_urgency(struct replay *r)
{
	if (r->env.late) {
		if (!r->is_urgent)
			r->env.effects->urgency(r->env.ctx, true);
		r->is_urgent = true;
		r->calm_at_us = 0;
	} else if (r->is_urgent && !r->calm_at_us) {
		r->calm_at_us = r->env.now_us + URGENCY_LINGER_US;
	} else if (r->is_urgent && r->env.now_us >= r->calm_at_us) {
		r->is_urgent = false;
		r->calm_at_us = 0;
		r->env.effects->urgency(r->env.ctx, false);
	}
}

void replay_on_time(struct replay *r, uint64_t now_us)
{
	struct timer *t;

	r->env.now_us = now_us;
	replay_wake_due(r);
	while ((t = timer_wheel_pop(r->env.wheel, now_us)))
		session_on_timer((struct session *)t, &r->env);
	while ((t = timer_wheel_pop(r->env.online_wheel, now_us))) {
		struct online *o = (struct online *)t;

		if (online_on_timer(o, &r->env))
			replay_forget_online(r, o);
		else
			replay_park_if_idle(r, o);
	}
	check_breakers(r);
}

/* The first of those that have something to say. */
static struct session *take_first(struct session_env *env)
{
	struct session *s = env->dirty;

	env->dirty = s->next_dirty;
	if (!env->dirty)
		env->dirty_tail = &env->dirty;
	return s;
}

static void queue_up(struct waiting_line *line, struct session *s)
{
	s->next_dirty = NULL;
	if (line->first)
		line->last->next_dirty = s;
	else
		line->first = s;
	line->last = s;
}

/* It has spoken; what it has left comes behind all others. */
static void pass_turn(struct replay *r, struct session *s)
{
	s->is_dirty = false;
	if (r->env.has_more)
		session_mark_dirty(s, &r->env);
	if (s->state != SESSION_ESTABLISHED) /* which asks nothing */
		replay_settle_session(r, s);
}

static bool speak(struct session *s, struct session_env *env)
{
	env->has_more = false;
	return session_output(s, env);
}

/* Those in line speak in their order, as far as the sender takes it, until so many bytes are said in this batch. */
static void serve_line(struct replay *r, struct waiting_line *line, uint32_t until_bytes)
{
	struct session_env *env = &r->env;

	while (line->first && env->said_bytes < until_bytes) {
		struct session *s = line->first;
		uint32_t before = env->said_bytes;
		bool is_done = speak(s, env);

		if (!is_done && env->said_bytes == before)
			return;
		line->first = s->next_dirty;
		if (!is_done) {
			queue_up(line, s);
			return;
		}
		pass_turn(r, s);
	}
}

/*
 * Targets have senders of their own: one that takes nothing holds nobody up but who speaks to it. When it takes something again,
 * those who waited for it share half of the batch.
 */
static void serve_lines(struct replay *r)
{
	uint32_t each_bytes, count = 0;

	for (uint64_t targets = r->full_senders; targets; targets &= targets - 1)
		count++;
	each_bytes = BATCH_MAX_BYTES / 2 / count;
	for (uint64_t targets = r->full_senders; targets; targets &= targets - 1) {
		unsigned target = (unsigned)__builtin_ctzll(targets);
		struct waiting_line *line = &r->lines[target];

		serve_line(r, line, r->env.said_bytes + each_bytes);
		if (!line->first)
			r->full_senders &= ~(UINT64_C(1) << target);
	}
}

void replay_end_batch(struct replay *r, uint64_t now_us)
{
	struct session_env *env = &r->env;

	env->now_us = now_us;
	env->said_bytes = 0;
	if (r->full_senders)
		serve_lines(r);
	while (env->dirty && env->said_bytes < BATCH_MAX_BYTES) {
		struct session *s = take_first(env);
		uint64_t target = UINT64_C(1) << s->target_index;

		/* What it marks meanwhile is itself, and that it is already. */
		if (!(r->full_senders & target) && speak(s, env)) {
			pass_turn(r, s);
		} else {
			r->full_senders |= target;
			queue_up(&r->lines[s->target_index], s);
		}
	}
	check_breakers(r);
	update_urgency(r);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t replay_next_us(const struct replay *r)
{
	uint64_t at =
		sooner(timer_wheel_next_us(r->env.wheel), timer_wheel_next_us(r->env.online_wheel));

	at = sooner(at, timer_wheel_next_us(r->parked_wheel));
	if (r->env.dirty)
		return r->env.now_us; /* what a breaker hurried after the batch */
	for (size_t i = 0; i < r->transfer_count && !r->env.is_deaf; i++)
		at = sooner(at, breaker_next_us(&r->env.breakers[i]));
	if (r->calm_at_us)
		at = sooner(at, r->calm_at_us);
	return at;
}

bool replay_is_silent(const struct replay *r, size_t target)
{
	const struct breaker *b = &r->env.breakers[target];

	return b->first_unanswered_us && r->env.heard_by_us[target] < b->first_unanswered_us;
}

bool replay_is_blocked(const struct replay *r)
{
	return r->full_senders != 0;
}

uint64_t replay_take_doubts(struct replay *r)
{
	uint64_t targets = r->env.doubted_targets;

	r->env.doubted_targets = 0;
	return targets;
}

void replay_shutdown(struct replay *r, uint64_t now_us)
{
	uint32_t limit = slab_limit(r->table.sessions);

	r->env.now_us = now_us;
	for (uint32_t i = 0; i < limit; i++) {
		struct session *s = slab_find(r->table.sessions, i);

		if (!s || !session_is_live(s))
			continue;
		if (s->state == SESSION_TIME_WAIT)
			session_close(s, &r->env, DROP_SHUTDOWN);
		else
			session_abort(s, &r->env, DROP_SHUTDOWN);
	}
	replay_end_batch(r, now_us);
	replay_end_all_parked(r);
}

/* ---- reports ---- */

const struct ledger *replay_ledger(const struct replay *r)
{
	return &r->ledger;
}

int replay_path_mtu(const struct replay *r, size_t target)
{
	return path_mtu_now(&r->env.paths[target], r->env.mtu_bytes[target], r->env.now_us);
}

bool replay_is_paused(const struct replay *r)
{
	for (size_t i = 0; i < r->transfer_count; i++)
		if (r->env.breakers[i].is_open)
			return true;
	return false;
}

uint32_t replay_sample_ppm(const struct replay *r)
{
	return sampling_share_ppm(&r->sampling, r->env.now_us);
}

size_t replay_connections(const struct replay *r)
{
	return tuple_map_count(r->table.by_tuple);
}
