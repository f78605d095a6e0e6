/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/settings.h"

#include "tcpcopy/ledger.h"
#include "tcpcopy/path_mtu.h"
#include "tcpcopy/sampling.h"
#include "tcpcopy/session.h"

enum {
	MS = 1000,
	SECOND = 1000 * MS,
	MB = 1 << 20,
	ACK_DELAY_MAX_US = 150 * MS,
	SESSIONS_PLENTY = 65536,
	MEMORY_PLENTY = 256 * MB,
	MEMORY_A_SESSION = 4096,  /* likewise, where there are more */
	SINGLE_REQUEST_MAX = 500, /* below every stack's MSS, options and all */
};

/* What every client and server may do without anything going wrong or being different. */
enum {
	TRAITS_PLAIN = TRAIT_PIPELINED | TRAIT_GREETING | TRAIT_UPLOAD | TRAIT_LONG_POLL |
		       TRAIT_CONTINUE | TRAIT_PAUSED | TRAIT_HALF_CLOSE | TRAIT_SERVER_FIN |
		       TRAIT_RESETS,
	/* Answers that come otherwise than online: gates may settle. */
	TRAITS_DIFFERENT = TRAIT_PUSH | TRAIT_OTHER_LENGTH | TRAIT_OTHER_TIMES | TRAIT_MISSING |
			   TRAIT_TARGET_CLOSES | TRAIT_TARGET_RESETS | TRAIT_EARLY_RESET |
			   TRAIT_SLOW_READER | TRAIT_SMALL_WINDOW,
	/* After these something that was captured is not delivered, by right. */
	TRAITS_UNDELIVERED = TRAIT_MISSING | TRAIT_TARGET_CLOSES | TRAIT_TARGET_RESETS,
	/* Clients that one meets rarely. */
	TRAITS_ODD = TRAIT_REFUSED | TRAIT_SILENCE | TRAIT_PRECONNECTED | TRAIT_SYN_ONLY,
};

/* ---- TCP stacks ---- */

static void patient(struct tcp_config *c)
{
	c->syn_timeout_us = 0; /* never */
	c->user_timeout_us = 0;
	c->rto_max_us = 20 * (uint64_t)SECOND;
}

static void make_configs(struct tcp_config configs[SIM_CONFIGS], bool is_ipv6)
{
	for (int i = 0; i < SIM_CONFIGS; i++)
		configs[i] = i == 1 ? tcp_config_rfc() : tcp_config_linux();
	configs[2].use_timestamps = false;
	configs[2].use_sack = false;
	configs[3].use_window_scale = false;
	configs[3].mss = 536;
	configs[4].use_mss = false;
	configs[4].ack_every_segments = 1;
	configs[5].rcv_buffer_bytes = 16384;
	configs[5].snd_buffer_bytes = 8192;
	for (int i = 0; i < SIM_CONFIGS; i++) {
		configs[i].default_mss = is_ipv6 ? 1220 : 536;
		if (configs[i].delayed_ack_us > ACK_DELAY_MAX_US) /* below the smallest RTO */
			configs[i].delayed_ack_us = ACK_DELAY_MAX_US;
		patient(&configs[i]);
	}
}

static void make_stacks(struct settings *s)
{
	make_configs(s->online_configs, s->is_ipv6);
	make_configs(s->target_configs, s->target_is_ipv6);
	for (uint32_t i = 0; i < SIM_SLOW; i++) {
		struct tcp_config *c = &s->slow_configs[i];

		*c = tcp_config_linux();
		c->rcv_buffer_bytes = 4096 >> i;
		c->read_chunk_bytes = 1500 >> i;
		c->read_interval_us = (5 + 200 * (uint64_t)i) * MS;
		c->probe_without_data = i == 1;
		patient(c);
	}
}

void settings_plain(struct settings *s, uint64_t seed, uint32_t sessions)
{
	*s = (struct settings){
		.seed = seed,
		.sessions = sessions,
		.arrival_us = 1 * MS,
		.transfers = 2,
		.copies = 1,
		.second_port_percent = 50,
		.link_delay_us = 100,
		.link_chunk_bytes = 8192,
		.link_buffer_bytes = 1 * MB,
		.ring_us = 1 * MS,
		.busy_us = 20,
		.give_up_us = 600 * (uint64_t)SECOND,
		.keep_alive_us = 7200 * (uint64_t)SECOND,
		.joins = true,
		.max_memory_bytes = MEMORY_PLENTY,
		.max_sessions = SESSIONS_PLENTY,
	};
	if (sessions > SESSIONS_PLENTY / 2) {
		s->max_sessions = 2 * sessions;
		s->max_memory_bytes = (uint64_t)s->max_sessions * MEMORY_A_SESSION;
	}
	for (int i = 0; i < SIM_PORTS; i++)
		s->profiles[i] = (struct script_profile){
			.traits = i ? TRAITS_PLAIN : TRAITS_PLAIN & ~(uint32_t)TRAIT_PIPELINED,
			.turns_max = 16,
			.request_max_bytes = 100000,
			.answer_max_bytes = 100000,
			.think_max_us = 200 * MS,
		};
	for (int i = 0; i < LEGS; i++)
		s->legs[i] = (struct leg_settings){
			.delay_us = 100, .jitter_us = 50, .reorder_us = 20 * MS};
	s->legs[LEG_CLIENT].delay_us = s->legs[LEG_SERVER].delay_us = 2 * MS;
	make_stacks(s);
}

void settings_lie(struct settings *s)
{
	s->lies = true;
	s->rates[LEG_ANSWERS][FAULT_LIE] = 0.1;
	s->give_up_us = 60 * (uint64_t)SECOND;
}

/* The clients rest long enough that a connection outlives a gap: then rejoining has something to join. */
void settings_requests(struct settings *s, uint32_t n)
{
	for (int i = 0; i < SIM_PORTS; i++)
		s->profiles[i] = (struct script_profile){
			.requests = n,
			.turns_max = n,
			.request_max_bytes = SINGLE_REQUEST_MAX,
			.answer_max_bytes = 3000,
			.think_max_us = 1 * SECOND,
		};
}

/* ---- what the seed chooses ---- */

/* In half of the worlds this fault is there, and then it may be rare or heavy. */
static void some(struct rng *r, struct settings *s, enum leg leg, enum fault kind, double most)
{
	double rate = most * rng_below(r, 1000) / 1000;

	if (rng_below(r, 2))
		s->rates[leg][kind] = rng_below(r, 2) ? rate : rate / 10;
}

static void choose_leg(struct rng *r, struct settings *s, enum leg leg, double most)
{
	some(r, s, leg, FAULT_DROP, most);
	some(r, s, leg, FAULT_BURST, most / 50);
	some(r, s, leg, FAULT_DUPLICATE, most);
	some(r, s, leg, FAULT_REORDER, 1.5 * most);
	some(r, s, leg, FAULT_CORRUPT, most / 4);
	s->legs[leg].delay_us = rng_size(r, 20, 50 * MS);
	s->legs[leg].jitter_us = rng_size(r, 1, s->legs[leg].delay_us);
	s->legs[leg].reorder_us = rng_size(r, 100, 300 * MS);
}

static void choose_capture(struct rng *r, struct settings *s)
{
	s->merges = rng_below(r, 3) == 0;
	s->ring_us = rng_size(r, 50, 5 * MS);
	/* Within a round trip: otherwise what answers what cannot be told from it. */
	s->legs[LEG_CAPTURE].reorder_us =
		rng_range(r, 10, s->legs[LEG_CLIENT].delay_us + s->legs[LEG_SERVER].delay_us);
	some(r, s, LEG_CAPTURE, FAULT_DUPLICATE, 0.1);
	some(r, s, LEG_CAPTURE, FAULT_REORDER, 0.2);
	if (rng_below(r, 3))
		return;
	some(r, s, LEG_CAPTURE, FAULT_DROP, 0.03);
	some(r, s, LEG_CAPTURE, FAULT_BURST, 0.002);
	some(r, s, LEG_CAPTURE, FAULT_CORRUPT, 0.01);
	some(r, s, LEG_CAPTURE, FAULT_TRUNCATE, 0.01);
}

static void choose_incidents(struct rng *r, struct settings *s)
{
	if (rng_below(r, 2))
		s->incidents[INCIDENT_SENDER_FULL] = rng_below(r, 4);
	if (rng_below(r, 2))
		return;
	for (int kind = 0; kind < INCIDENTS; kind++)
		if (rng_below(r, 3) == 0)
			s->incidents[kind] = rng_range(r, 1, 3);
}

static void choose_traffic(struct rng *r, struct settings *s)
{
	bool is_strict = rng_below(r, 2);

	for (int i = 0; i < SIM_PORTS; i++) {
		struct script_profile *p = &s->profiles[i];
		bool differs = rng_below(r, 2);

		p->traits = (uint32_t)rng_next(r) & (TRAITS_PLAIN | TRAITS_ODD);
		if (rng_below(r, 8)) /* floods are for few worlds */
			p->traits &= ~(uint32_t)TRAIT_SYN_ONLY;
		if (differs)
			p->traits |= (uint32_t)rng_next(r) & TRAITS_DIFFERENT;
		if (is_strict)
			p->traits &= ~(uint32_t)TRAITS_UNDELIVERED;
		p->turns_max = rng_range(r, 1, SCRIPT_TURNS_MAX);
		p->request_max_bytes = rng_size(r, 100, 100000);
		p->answer_max_bytes = rng_size(r, 100, 100000);
		p->think_max_us = rng_size(r, 100, 3 * SECOND);
	}
	s->arrival_us = rng_size(r, 10, 200 * MS);
	s->reuses_ports = rng_below(r, 2);
}

/* Which connections are copied, and how patiently. */
static void choose_selection(struct rng *r, struct settings *s)
{
	if (rng_below(r, 6) == 0)
		s->sample_ppm = rng_range(r, 1, SAMPLING_ALL_PPM);
	if (rng_below(r, 8) == 0)
		s->gradual_us = rng_size(r, 1 * SECOND, 300 * SECOND);
	if (rng_below(r, 8) == 0)
		s->rate_per_s = rng_size(r, 1, 2000);
	if (rng_below(r, 8) == 0)
		s->rtt_us = rng_size(r, 1 * MS, SESSION_RTT_MAX_US);
	s->rtt_auto = rng_below(r, 8) == 0;
	s->no_wait = rng_below(r, 8) == 0;
	s->waits_for_links = rng_below(r, 6) == 0;
}

/* By chances of its own, so that the rest of a seed's world is as it was without copies. */
static uint32_t choose_copies(uint64_t seed)
{
	struct rng r = rng_of(seed, 0x636f7079);

	return rng_below(&r, 3) ? 1 : rng_range(&r, 2, SIM_COPIES);
}

static bool choose_target_family(uint64_t seed)
{
	struct rng r = rng_of(seed, 0x66616d);

	return rng_below(&r, 2) == 0;
}

/* Likewise. */
static void choose_path(struct settings *s)
{
	struct rng r = rng_of(s->seed, 0x6d7475);

	if (rng_below(&r, 3))
		return;
	s->path_mtu = rng_range(&r, s->target_is_ipv6 ? PATH_MTU_MIN_V6 : PATH_MTU_MIN_V4, 1499);
	s->path_mtu_us = rng_below(&r, 2) ? rng_size(&r, 1, 10 * SECOND) : 0;
	s->path_is_mute = rng_below(&r, 2);
}

/* Mostly so soon that all that can be is packed and woken all the time. */
static uint64_t choose_park_after(uint64_t seed)
{
	struct rng r = rng_of(seed, 0x7061726b);

	return rng_below(&r, 4) ? rng_size(&r, 1, 100 * MS) : 0;
}

void settings_mix(struct settings *s, uint64_t seed, uint32_t sessions)
{
	struct rng r = rng_of(seed, 0x6d6978);

	settings_plain(s, seed, sessions);
	s->is_ipv6 = rng_below(&r, 4) == 0;
	s->transfers = rng_range(&r, 1, SIM_TRANSFERS);
	s->second_port_percent = s->transfers > 1 ? 50 : 0;
	s->copies = choose_copies(seed);
	s->uses_pool = rng_below(&r, 4) == 0;
	s->target_is_ipv6 = s->uses_pool ? choose_target_family(seed) : s->is_ipv6;
	make_stacks(s);
	s->wraps = rng_below(&r, 3) == 0;
	s->busy_us = rng_size(&r, 1, 10 * MS);
	s->link_delay_us = rng_size(&r, 20, 20 * MS);
	s->link_chunk_bytes = rng_below(&r, 2) ? rng_size(&r, 1, 20000) : 0;
	s->link_buffer_bytes = rng_size(&r, 1000, 1 * MB);
	s->give_up_us = rng_range(&r, 300, 900) * (uint64_t)SECOND;
	s->keep_alive_us = rng_range(&r, 130, 7200) * (uint64_t)SECOND;
	s->park_after_us = choose_park_after(seed);
	s->joins = rng_below(&r, 4) > 0;
	if (rng_below(&r, 8) == 0)
		s->max_sessions = rng_range(&r, 2, 40);
	if (rng_below(&r, 8) == 0)
		s->max_memory_bytes = rng_range(&r, 700, 4000) * UINT64_C(1000);
	if (rng_below(&r, 8) == 0)
		s->rates[LEG_CAPTURE][FAULT_ALLOCATION] = 0.2 * rng_below(&r, 1000) / 1000;
	choose_traffic(&r, s);
	choose_leg(&r, s, LEG_CLIENT, 0.1);
	choose_leg(&r, s, LEG_SERVER, 0.1);
	choose_leg(&r, s, LEG_TARGET, 0.3);
	choose_leg(&r, s, LEG_ANSWERS, 0.3);
	some(&r, s, LEG_TARGET, FAULT_FULL, 0.3);
	choose_capture(&r, s);
	choose_incidents(&r, s);
	choose_selection(&r, s);
	choose_path(s);
}

bool settings_target_is_clean(const struct settings *s)
{
	for (int kind = 0; kind < FAULTS; kind++)
		if (s->rates[LEG_TARGET][kind] > 0 || s->rates[LEG_ANSWERS][kind] > 0)
			return false;
	for (int kind = 0; kind < INCIDENTS; kind++)
		if (s->incidents[kind])
			return false;
	return !s->lies && !s->path_mtu;
}

static bool leg_loses(const struct settings *s, enum leg leg)
{
	return s->rates[leg][FAULT_DROP] > 0 || s->rates[leg][FAULT_BURST] > 0 ||
	       s->rates[leg][FAULT_CORRUPT] > 0 || s->rates[leg][FAULT_MISS] > 0;
}

bool settings_online_loses(const struct settings *s)
{
	return leg_loses(s, LEG_CLIENT) || leg_loses(s, LEG_SERVER);
}

bool settings_samples(const struct settings *s, const struct endpoint *client)
{
	return !s->sample_ppm || sampling_place_ppm(client, false) < s->sample_ppm;
}

bool settings_end_unheard(const struct settings *s)
{
	uint32_t traits = s->profiles[0].traits | s->profiles[1].traits;

	return (traits & (TRAIT_SILENCE | TRAIT_SYN_ONLY)) ||
	       (leg_loses(s, LEG_CLIENT) && (traits & (TRAIT_RESETS | TRAIT_EARLY_RESET)));
}

bool settings_ends_blurred(const struct settings *s, enum script_end end)
{
	bool resets = end == END_CLIENT_RST || end == END_CLIENT_RST_EARLY || end == END_SERVER_RST;

	return resets && (leg_loses(s, LEG_CLIENT) || s->rates[LEG_CLIENT][FAULT_REORDER] > 0 ||
			  s->rates[LEG_CAPTURE][FAULT_REORDER] > 0);
}

bool settings_capture_is_clean(const struct settings *s)
{
	return !leg_loses(s, LEG_CAPTURE) && s->rates[LEG_CAPTURE][FAULT_TRUNCATE] <= 0 &&
	       s->rates[LEG_CAPTURE][FAULT_REORDER] <= 0 &&
	       s->rates[LEG_CAPTURE][FAULT_ALLOCATION] <= 0;
}

/* Only plain worlds have such conversations: but for loss nothing befalls what tcpcopy captures there. */
bool settings_misses_are_known(const struct settings *s)
{
	return s->profiles[0].requests && s->copies == 1 && !s->lies;
}

bool settings_is_exact(const struct settings *s, unsigned transfer)
{
	uint32_t traits = s->profiles[transfer % SIM_PORTS].traits;

	return settings_target_is_clean(s) && settings_capture_is_clean(s) &&
	       !(traits & (TRAITS_DIFFERENT | TRAIT_PIPELINED));
}

#define MAY(cause) (1U << DROP_##cause)

static uint32_t drops_of_incidents(const struct settings *s)
{
	static const uint32_t drops[INCIDENTS] = {
		[INCIDENT_CAPTURE_GAP] = MAY(CAPTURE_GAP) | MAY(BEFORE_JOIN),
		[INCIDENT_LINK_CUT] = MAY(NO_INTERCEPT) | MAY(BEFORE_JOIN) | MAY(PAUSED),
		[INCIDENT_LINK_STALL] = MAY(NO_INTERCEPT) | MAY(BEFORE_JOIN) | MAY(PAUSED),
		[INCIDENT_INTERCEPT_RESTART] = MAY(NO_INTERCEPT) | MAY(BEFORE_JOIN) | MAY(PAUSED),
		[INCIDENT_TARGET_RESTART] =
			MAY(TARGET_RESET) | MAY(TARGET_CLOSED) | MAY(TIMED_OUT) | MAY(JOIN_REFUSED),
		[INCIDENT_TARGET_REFUSES] = MAY(TARGET_REFUSED) | MAY(BEFORE_JOIN),
		[INCIDENT_TARGET_SILENT] = MAY(PAUSED) | MAY(BEFORE_JOIN),
		[INCIDENT_CLOCK_JUMP] = /* SYNs that are out seem to be unanswered for hours */
		MAY(TIMED_OUT) | MAY(CAPTURE_GAP) | MAY(BEFORE_JOIN) | MAY(NO_INTERCEPT) |
		MAY(PAUSED),
		[INCIDENT_TCPCOPY_RESTART] = MAY(BEFORE_JOIN) | MAY(NO_INTERCEPT),
		[INCIDENT_RIVAL] = MAY(NO_TUPLE),
	};
	uint32_t mask = 0;

	for (int kind = 0; kind < INCIDENTS; kind++)
		if (s->incidents[kind])
			mask |= drops[kind];
	return mask;
}

static uint32_t drops_of_traits(uint32_t traits)
{
	uint32_t mask = 0;

	if (traits & TRAIT_MISSING)
		mask |= MAY(TIMED_OUT);
	if (traits & (TRAIT_TARGET_CLOSES | TRAIT_TARGET_RESETS))
		mask |= MAY(TARGET_CLOSED) | MAY(TARGET_RESET) | MAY(JOIN_REFUSED);
	if (traits & TRAIT_TARGET_RESETS) /* which may be lost, or come before the SYN-ACK */
		mask |= MAY(TARGET_REFUSED) | MAY(TIMED_OUT);
	if (traits & TRAIT_SYN_ONLY)
		mask |= MAY(LIMIT);
	return mask;
}

uint32_t settings_drops(const struct settings *s)
{
	uint32_t traits = s->profiles[0].traits | s->profiles[1].traits;
	uint32_t mask = drops_of_incidents(s) | drops_of_traits(traits);

	if (leg_loses(s, LEG_CAPTURE) || s->rates[LEG_CAPTURE][FAULT_TRUNCATE] > 0)
		mask |= MAY(CAPTURE_GAP) | MAY(BEFORE_JOIN);
	if (s->max_sessions < SESSIONS_PLENTY || s->max_memory_bytes < MEMORY_PLENTY ||
	    s->rates[LEG_CAPTURE][FAULT_ALLOCATION] > 0)
		mask |= MAY(LIMIT) | MAY(BACKLOG) | MAY(BEFORE_JOIN) | MAY(CAPTURE_GAP);
	if (s->rates[LEG_CAPTURE][FAULT_ALLOCATION] > 0) /* intercept's too */
		mask |= MAY(NO_INTERCEPT) | MAY(NO_TUPLE) | MAY(PAUSED);
	if (s->sample_ppm)
		mask |= MAY(SAMPLED_OUT);
	if (s->gradual_us) /* what its small table forgets is joined later */
		mask |= MAY(SAMPLED_OUT) | MAY(BEFORE_JOIN);
	if (s->rate_per_s)
		mask |= MAY(RATE) | MAY(BEFORE_JOIN);
	return s->lies ? ~0U : mask;
}

bool settings_delivers_all(const struct settings *s)
{
	return (settings_drops(s) & ~MAY(SAMPLED_OUT)) == 0;
}
