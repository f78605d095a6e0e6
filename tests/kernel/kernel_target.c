/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel_target.c - the cores of tcpcopy and intercept against Linux's own TCP, in real time: so
 * that engine and simulator cannot share a misreading of TCP.
 *
 *	clients --frames--> replay --segments--> lane --packets--> TUN --> Linux's TCP, server
 *	                      ^                                     |
 *	                      +-- link <-- response <-- lane <------+
 *
 * One thread, one loop. It runs in a network namespace of its own whose TUN device has the target's
 * address and a route for the faked clients (run.sh). Judges are the server, which compares every
 * byte (target_server.h), and the ledger. Prints the sums, with a line for each kind of forged
 * record; exit 0 if every session got all and ended as it should, 1 if not.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/packet.h"
#include "common/seq.h"
#include "tcpcopy/replay.h"
#include "tests/kernel/assistant.h"
#include "tests/kernel/clients.h"
#include "tests/kernel/flow.h"
#include "tests/kernel/forger.h"
#include "tests/kernel/ip_packet.h"
#include "tests/kernel/lane.h"
#include "tests/kernel/settings.h"
#include "tests/kernel/target_server.h"

enum {
	TARGET_ADDRESS = 10 << 24 | 92 << 16 | 1, /* as run.sh gives it to the device */
	TARGET_PORT = 8080,
	ONLINE_ADDRESS = 10 << 24 | 90 << 16 | 20,
	ONLINE_PORT = 80,
	FAKED_FIRST = 10 << 24 | 91 << 16 | 1,
	FAKED_LAST = 10 << 24 | 91 << 16 | 0xfffe,
	READS_MAX = 256,        /* packets a turn of the loop */
	GIVE_UP_US = 600000000, /* later than any --limit: stuck is stuck */
	MEMORY_MAX = 512 << 20,
	SHOWN_MAX = 5,
	FLOWS_MAX = 4, /* connections a session, on average */
	LOST_SHARE =
		200, /* one of so many turns may meet a close that the wire ate, and be repeated into it */
	EARLY_SHARE = 50,   /* one of so many turns may settle wrongly, under loss */
	ONE_FLIGHT = 10000, /* so short an answer comes without a pause that could settle */
};

struct world {
	struct settings set;
	struct replay *replay;
	struct clients *clients;
	struct target_server *server;
	struct assistant *assistant;
	struct flows *flows;
	struct forger *forger;
	struct lane to_linux;
	struct lane from_linux;
	int tun_fd;
	uint64_t now_us;
	uint64_t started_us;
	uint64_t ended_us;
	uint64_t read_after_us;
	uint64_t silenced;
	uint64_t sums_checked;
	uint64_t sums_wrong;
	uint8_t packet[IP_PACKET_MAX];
};

static void die(const char *what)
{
	fprintf(stderr, "kernel_target: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- what the engine does to the world ---- */

static int emit(void *ctx, const struct segment *s)
{
	struct world *w = ctx;
	struct flow *flow = flows_of_segment(w->flows, s);

	if (!flow) {
		fprintf(stderr, "kernel_target: a segment on a tuple that is not registered\n");
		exit(1);
	}
	flow_on_segment(flow, s, &w->set.talk);
	forger_on_sent(w->forger, flow, w->now_us);
	if (w->set.is_silent && flow_is_ignored_by_old_linux(flow, s)) {
		w->silenced++;
		return 0;
	}
	lane_put(&w->to_linux, w->packet, ip_packet_write(w->packet, s), w->now_us);
	return 0;
}

static void register_session(void *ctx, uint32_t id, const struct tuple *response)
{
	struct world *w = ctx;

	flows_register(w->flows, id, response);
	assistant_register(w->assistant, id, response);
}

static void unregister_session(void *ctx, uint32_t id)
{
	struct world *w = ctx;

	flows_unregister(w->flows, id);
	assistant_unregister(w->assistant, id);
}

static void urgency(void *ctx, bool urgent)
{
	struct world *w = ctx;

	assistant_urgency(w->assistant, urgent);
}

static void notice(void *ctx, enum replay_notice what, size_t target)
{
	(void)ctx;
	(void)target;
	fprintf(stderr, "kernel_target: notice %d\n", (int)what);
}

static const struct replay_effects effects = {
	.emit = emit,
	.register_session = register_session,
	.unregister_session = unregister_session,
	.urgency = urgency,
	.notice = notice,
};

static void on_client_frame(void *ctx, const uint8_t *packet, size_t len_bytes)
{
	struct world *w = ctx;

	replay_on_frame(w->replay, PACKET_LINK_RAW, packet, len_bytes, len_bytes, w->now_us);
}

static void on_record(void *ctx, const struct wire_record *record, uint64_t now_us)
{
	struct world *w = ctx;

	replay_on_record(w->replay, record, now_us);
}

/* ---- Linux ---- */

static int open_tun(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die("/dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request))
		die(name);
	return fd;
}

static void write_packets(struct world *w)
{
	struct lane_packet *p;

	while ((p = lane_take(&w->to_linux, w->now_us))) {
		if (write(w->tun_fd, p->data, p->len_bytes) != (ssize_t)p->len_bytes)
			die("writing to the TUN device");
		free(p);
	}
}

static void read_packets(struct world *w)
{
	struct packet parsed;
	struct flow *flow;

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(w->tun_fd, w->packet, sizeof(w->packet));

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			die("reading from the TUN device");
		if (packet_parse(&parsed, PACKET_LINK_RAW, w->packet, (size_t)n, (size_t)n))
			continue; /* ICMPv6 of the device */
		flow = flows_of_answer(w->flows, &parsed);
		if (flow)
			flow_on_answer(flow, &parsed);
		lane_put(&w->from_linux, w->packet, (size_t)n, w->now_us);
	}
}

static void report_packets(struct world *w)
{
	struct lane_packet *p = lane_take(&w->from_linux, w->now_us);
	uint64_t gather_us;

	if (!p)
		return;
	for (; p; p = lane_take(&w->from_linux, w->now_us)) {
		assistant_on_packet(w->assistant, p->data, p->len_bytes, w->now_us);
		free(p);
	}
	gather_us = assistant_gather_us(w->assistant, w->now_us);
	w->read_after_us = gather_us ? w->now_us + gather_us : 0;
}

/* ---- the loop ---- */

static uint32_t begun_max(const struct world *w)
{
	return target_server_ended(w->server) + w->set.concurrency;
}

static void check_sums(struct world *w)
{
	const struct ledger *l = replay_ledger(w->replay);

	w->sums_checked++;
	if (!ledger_packets_add_up(l) || !ledger_stream_adds_up(&l->targets[0].stream) ||
	    l->packets.captured != clients_packets(w->clients))
		w->sums_wrong++;
}

static void forge(struct world *w)
{
	struct wire_record record;

	while (forger_next(w->forger, w->flows, &record, w->now_us))
		replay_on_record(w->replay, &record, w->now_us);
}

static void take_turn(struct world *w)
{
	w->now_us = clock_now_us();
	clients_run(w->clients, begun_max(w), w->now_us);
	if (w->now_us >= w->read_after_us)
		read_packets(w);
	report_packets(w);
	assistant_run(w->assistant, w->now_us);
	if (w->now_us >= replay_next_us(w->replay))
		replay_on_time(w->replay, w->now_us);
	replay_end_batch(w->replay, w->now_us);
	forge(w);
	replay_end_batch(w->replay, w->now_us);
	assistant_run(w->assistant, w->now_us); /* registrations go before packets */
	write_packets(w);
	target_server_run(w->server, w->now_us);
	check_sums(w);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void wait_for_news(struct world *w)
{
	struct pollfd fds[] = {{.fd = target_server_fd(w->server), .events = POLLIN},
			       {.fd = w->tun_fd, .events = POLLIN}};
	bool may_read = w->read_after_us <= w->now_us;
	uint64_t at = may_read ? w->started_us + w->set.limit_us : w->read_after_us;
	struct timespec t;

	at = sooner(at, clients_next_us(w->clients, begun_max(w)));
	at = sooner(at, lane_next_us(&w->to_linux));
	at = sooner(at, lane_next_us(&w->from_linux));
	at = sooner(at, assistant_next_us(w->assistant));
	at = sooner(at, replay_next_us(w->replay));
	at = sooner(at, forger_next_us(w->forger));
	at = sooner(at, target_server_next_us(w->server));
	at = at > w->now_us ? at - w->now_us : 0;
	t = (struct timespec){.tv_sec = (time_t)(at / 1000000),
			      .tv_nsec = (long)(at % 1000000) * 1000};
	if (ppoll(fds, may_read ? 2 : 1, &t, NULL) < 0 && errno != EINTR)
		die("ppoll");
}

static bool is_over(struct world *w)
{
	uint32_t sessions = w->set.talk.sessions;

	return w->now_us >= w->started_us + w->set.limit_us ||
	       (target_server_ended(w->server) == sessions && flows_registered(w->flows) == 0 &&
		clients_next_us(w->clients, sessions) == UINT64_MAX);
}

static void run(struct world *w)
{
	do {
		take_turn(w);
		wait_for_news(w);
	} while (!is_over(w));
	w->ended_us = w->now_us;
}

/* ---- the verdict ---- */

struct verdict {
	uint64_t delivered; /* requests */
	uint64_t wanted;
	uint32_t stuck;
	uint32_t wrong;
	uint32_t early;
	uint32_t again;
	uint64_t unended;
	uint64_t lost;       /* by a close that the wire ate: the ledger must name as many */
	uint32_t told;       /* a lie */
	uint64_t slowest_us; /* from the lie to the end */
};

static void judge(const struct world *w, uint32_t session, struct verdict *v)
{
	const struct target_server_account *a = target_server_account(w->server, session);
	uint64_t told_us = forger_done_us(w->forger, session);

	v->delivered += a->turns;
	v->lost += a->lost;
	v->wanted += talk_turns_wanted(&w->set.talk, session);
	v->early += a->early;
	v->again += a->again;
	v->wrong += a->is_wrong;
	v->stuck += !a->is_done && !a->is_wrong;
	v->told += told_us != 0;
	if (told_us && a->is_done && a->done_us > told_us && a->done_us - told_us > v->slowest_us)
		v->slowest_us = a->done_us - told_us;
}

static void show_session(struct world *w, uint32_t session)
{
	const struct target_server_account *a = target_server_account(w->server, session);
	const struct flow *f = flows_of_session(w->flows, session);

	printf("session %u (%s, %s): %u of %u turns, %u early; ", session,
	       talk_manner_name(talk_manner_of(&w->set.talk, session)),
	       forgery_name(forger_forgery_of(w->forger, session)), a->turns,
	       talk_turns_wanted(&w->set.talk, session), a->early);
	if (a->is_wrong || !f || !f->is_registered)
		printf("%s%s\n", a->is_wrong ? "wrong: " : "", a->why);
	else
		printf("%u bytes not acknowledged, our ACK is %+d of what Linux has sent; %s\n",
		       f->snd_max - f->linux_ack, seq_diff(f->said_ack, f->linux_nxt), a->why);
}

static void show_stuck(struct world *w)
{
	uint32_t shown = 0;

	for (uint32_t i = 0; i < w->set.talk.sessions; i++) {
		const struct target_server_account *a = target_server_account(w->server, i);

		if (a->is_done && !a->is_wrong && !(w->set.is_verbose && a->early))
			continue;
		if (shown++ < SHOWN_MAX || w->set.is_verbose)
			show_session(w, i);
	}
}

static void show_forgeries(const struct world *w)
{
	for (int kind = 0; kind < FORGERIES; kind++) {
		struct verdict v = {0};
		uint32_t sessions = 0;

		for (uint32_t i = 0; i < w->set.talk.sessions; i++) {
			if (forger_forgery_of(w->forger, i) != (enum forgery)kind)
				continue;
			sessions++;
			judge(w, i, &v);
		}
		if (sessions)
			printf("bogus %s: sessions %u, told %u, requests %" PRIu64
			       ", delivered %" PRIu64 ", stuck %u, wrong %u, slowest %.2f s\n",
			       forgery_name((enum forgery)kind), sessions, v.told, v.wanted,
			       v.delivered, v.stuck, v.wrong, (double)v.slowest_us / 1e6);
	}
}

/* Whether sessions go on with another connection because the server ends the first. */
static uint64_t rejoins_wanted(const struct world *w)
{
	uint64_t wanted = 0;

	for (uint32_t i = 0; i < w->set.talk.sessions && !w->set.talk.is_whole; i++)
		wanted += talk_turns_answered(&w->set.talk, i) < w->set.talk.turns;
	return wanted;
}

/*
 * Whether exactly the lost turns were dropped, and, on connections that are not joined anew, what
 * the clients said behind the server's close (beyond). If the wire ate its FIN, the first of these
 * met a RST.
 */
static bool drops_are_right(const struct world *w, const struct ledger_stream *stream,
			    uint64_t beyond, uint64_t lost)
{
	uint64_t reset = stream->dropped[DROP_TARGET_RESET].requests;
	uint64_t closed = stream->dropped[DROP_TARGET_CLOSED].requests;

	for (size_t cause = 0; cause < DROP_CAUSES; cause++)
		if (cause != DROP_TARGET_RESET && cause != DROP_TARGET_CLOSED &&
		    stream->dropped[cause].bytes)
			return false;
	if (!w->set.talk.is_whole)
		return reset == lost && !closed;
	return reset >= lost && reset + closed <= beyond + lost;
}

/* What the ledger must say when every session got all. */
static bool ledger_is_right(const struct world *w, uint64_t lost)
{
	const struct ledger_target *t = &replay_ledger(w->replay)->targets[0];
	uint64_t requests = (uint64_t)w->set.talk.sessions * w->set.talk.turns;
	uint64_t delivered = 0;

	for (uint32_t i = 0; i < w->set.talk.sessions; i++)
		delivered += talk_turns_wanted(&w->set.talk, i);
	if (w->sums_wrong || t->stream.captured.requests != requests || t->stream.in_flight.bytes ||
	    t->stream.in_flight.requests || flows_registered(w->flows) ||
	    t->sessions.started != w->set.talk.sessions + t->sessions.rejoined)
		return false;
	/* A server that has closed may acknowledge one more, which it never reads. */
	return t->stream.delivered.requests + lost >= delivered &&
	       drops_are_right(w, &t->stream, requests - delivered, lost) &&
	       (delivered != requests || lost ||
		t->stream.delivered.bytes == t->stream.captured.bytes);
}

static void print_sums(const struct world *w, const struct verdict *v, bool ledger_right)
{
	const struct ledger_target *l = &replay_ledger(w->replay)->targets[0];
	const struct ledger_traffic *t = &l->traffic;

	printf("sessions %u, requests %" PRIu64 ", delivered %" PRIu64
	       ", stuck %u, wrong %u, strangers %u, unended %" PRIu64 ", early %u, again %u\n",
	       w->set.talk.sessions, v->wanted, v->delivered, v->stuck, v->wrong,
	       target_server_strangers(w->server), v->unended, v->early, v->again);
	printf("segments %" PRIu64 ", retransmitted %" PRIu64 ", timeouts %" PRIu64
	       ", fast %" PRIu64 ", probes %" PRIu64 ", corrections %" PRIu64 ", rejoined %" PRIu64
	       ", gates by answer %" PRIu64 ", settling %" PRIu64 ", close %" PRIu64 "\n",
	       t->segments_sent, t->retransmitted, t->retransmit_timeouts, t->fast_retransmits,
	       t->zero_window_probes, t->corrections, l->sessions.rejoined, t->gates_by_answer,
	       t->gates_by_settle, t->gates_by_close);
	printf("lost %" PRIu64 " and %" PRIu64 ", late %" PRIu64 " and %" PRIu64 ", twice %" PRIu64
	       " and %" PRIu64 ", silenced %" PRIu64 "; ledger %s, sums checked %" PRIu64
	       "; link %s; %.2f s\n",
	       w->to_linux.lost, w->from_linux.lost, w->to_linux.delayed, w->from_linux.delayed,
	       w->to_linux.doubled, w->from_linux.doubled, w->silenced,
	       ledger_right ? "right" : "wrong", w->sums_checked,
	       assistant_is_well(w->assistant) ? "well" : "lost",
	       (double)(w->ended_us - w->started_us) / 1e6);
	for (size_t cause = 0; cause < DROP_CAUSES; cause++)
		if (l->stream.dropped[cause].bytes)
			printf("dropped as %s: %" PRIu64 " requests\n",
			       drop_cause_name((enum drop_cause)cause),
			       l->stream.dropped[cause].requests);
}

/*
 * Whether every turn waited for the answer before it. What settles (docs/session-states.md) may be
 * wrong: where answers pause, because they are long or a part of them was lost.
 */
static bool gates_held(const struct world *w, const struct verdict *v)
{
	if (w->set.talk.differ || w->set.talk.answer_bytes > ONE_FLIGHT)
		return true;
	return w->to_linux.lost ? v->early <= v->wanted / EARLY_SHARE : !v->early;
}

/* A forged record may cost a connection anew, a turn before its time or twice; nothing else may. */
static bool is_spotless(const struct world *w, const struct verdict *v)
{
	const struct ledger_target *l = &replay_ledger(w->replay)->targets[0];
	bool is_fine = !w->to_linux.lost && !w->to_linux.delayed;

	return w->set.forgery != FORGERY_NONE ||
	       (gates_held(w, v) && !v->again && l->sessions.rejoined == rejoins_wanted(w) &&
		(!is_fine || !l->traffic.corrections));
}

/* Whether all that the options ask for came to pass. */
static bool was_hard(const struct world *w, const struct verdict *v)
{
	const struct ledger_traffic *t = &replay_ledger(w->replay)->targets[0].traffic;
	const struct lane_faults *f = &w->set.faults;

	return (!w->set.receive_buffer_bytes || t->zero_window_probes) &&
	       (!f->loss || (w->to_linux.lost && w->from_linux.lost)) &&
	       (!f->reorder || (w->to_linux.delayed && w->from_linux.delayed)) &&
	       (!f->dup || (w->to_linux.doubled && w->from_linux.doubled)) &&
	       (w->set.forgery == FORGERY_NONE ||
		(v->told == w->set.talk.sessions && (!w->set.is_silent || w->silenced)));
}

/* True if good; otherwise says what was not. */
static bool demand(bool good, const char *what)
{
	if (!good)
		printf("failed: %s\n", what);
	return good;
}

static bool report(struct world *w)
{
	struct verdict v = {.unended = flows_registered(w->flows)};
	bool ledger_right, good;

	for (uint32_t i = 0; i < w->set.talk.sessions; i++)
		judge(w, i, &v);
	show_stuck(w);
	if (w->set.forgery != FORGERY_NONE)
		show_forgeries(w);
	replay_shutdown(w->replay, w->now_us);
	check_sums(w);
	ledger_right = ledger_is_right(w, v.lost);
	print_sums(w, &v, ledger_right);
	good = demand(v.lost <= v.wanted / LOST_SHARE, "a reset cost too much");
	good &= demand(!v.stuck && !v.wrong && !v.unended && v.delivered >= v.wanted,
		       "not everything was delivered, rightly and to its end");
	good &= demand(ledger_right, "the ledger does not say what happened");
	good &= demand(assistant_is_well(w->assistant), "the link was lost");
	good &= demand(is_spotless(w, &v), "said too early, twice, or on more connections than "
					   "needed");
	good &= demand(was_hard(w, &v), "the faults that were asked for did not all happen");
	good &= demand(!target_server_strangers(w->server), "the target has met strangers");
	return good;
}

/* ---- beginning and end ---- */

static struct replay *open_replay(struct world *w)
{
	const struct endpoint online = {ip_addr_v4(ONLINE_ADDRESS), ONLINE_PORT};
	const struct endpoint target = {ip_addr_v4(TARGET_ADDRESS), TARGET_PORT};
	const struct transfer transfer = {.source = online, .target = target};
	const struct addr_range pool = {ip_addr_v4(FAKED_FIRST), ip_addr_v4(FAKED_LAST)};
	const struct replay_config config = {
		.transfers = &transfer,
		.transfer_count = 1,
		.client_pool = &pool,
		.client_pool_count = 1,
		.key = {w->set.talk.seed, 2},
		.isn_secret = {w->set.talk.seed, 4},
		.give_up_us = GIVE_UP_US,
		.keep_alive_us = GIVE_UP_US,
		.whole_connections_only = w->set.talk.is_whole,
		.copies = 1,
		.max_memory_bytes = MEMORY_MAX,
		.max_sessions = CLIENTS_MAX * 2,
		.check_checksums = true,
		.online_mtu_bytes = 1500,
	};

	return replay_new(&config, &effects, w, w->now_us);
}

static void open_world(struct world *w)
{
	const struct clients_config clients = {
		.talk = &w->set.talk,
		.server = {ip_addr_v4(ONLINE_ADDRESS), ONLINE_PORT},
		.pace_us = w->set.pace_us,
		.start_gap_us = w->set.start_gap_us,
		.frame = on_client_frame,
		.ctx = w,
	};
	const struct target_server_config server = {
		.talk = &w->set.talk,
		.listen = {ip_addr_v4(TARGET_ADDRESS), TARGET_PORT},
		.congestion = w->set.congestion,
		.receive_buffer_bytes = w->set.receive_buffer_bytes,
		.may_lose_resets = w->set.faults.loss > 0,
	};
	const struct forger_config forger = {
		.talk = &w->set.talk,
		.forgery = w->set.forgery,
		.may_acknowledge_all = w->set.faults.loss == 0,
	};

	w->tun_fd = open_tun(w->set.device);
	w->server = target_server_open(&server);
	w->now_us = w->started_us = clock_now_us();
	lane_init(&w->to_linux, &w->set.faults, w->set.talk.seed);
	lane_init(&w->from_linux, &w->set.faults, w->set.talk.seed + 1000000);
	w->flows = flows_new(w->set.talk.sessions * FLOWS_MAX);
	w->forger = forger_new(&forger);
	w->clients = clients_new(&clients, w->now_us);
	w->replay = open_replay(w);
	w->assistant = assistant_new(on_record, w, w->now_us);
	if (!w->flows || !w->forger || !w->clients || !w->replay || !w->assistant)
		die("memory");
	replay_on_links(w->replay, 1, w->now_us);
}

static void close_world(struct world *w)
{
	assistant_free(w->assistant);
	replay_free(w->replay);
	clients_free(w->clients);
	forger_free(w->forger);
	flows_free(w->flows);
	lane_fini(&w->from_linux);
	lane_fini(&w->to_linux);
	target_server_close(w->server);
	close(w->tun_fd);
}

int main(int argc, char **argv)
{
	struct world *w = calloc(1, sizeof(*w));
	bool is_well;

	if (!w)
		die("memory");
	settings_parse(&w->set, argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	open_world(w);
	run(w);
	is_well = report(w);
	close_world(w);
	free(w);
	return is_well ? 0 : 1;
}
