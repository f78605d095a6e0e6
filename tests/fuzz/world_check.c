/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world_check.c - the oracles of the world: what the core may say to a target, and what holds after
 * every event. world.h has the list.
 */
#include "common/packet.h"
#include "common/seq.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/world.h"

enum {
	ALL_FLAGS = TCP_FIN | TCP_SYN | TCP_RST | TCP_PSH | TCP_ACK,
	PROBE_LEN = 1,
	FIN_LEN = 1,
	/* What the limit does not bound: tables, the first objects of slabs. */
	TABLES_BYTES = 800 << 10,
};

static struct world_session *session_of(struct world *w, const struct tuple *tuple)
{
	struct tuple response = tuple_reverse(tuple);

	for (size_t i = 0; i < w->session_count; i++)
		if (w->sessions[i].is_registered &&
		    tuple_equal(&w->sessions[i].response, &response))
			return &w->sessions[i];
	return NULL;
}

/* ---- what the target has said ---- */

/* Remembers which acknowledgements and how much data a record allows from now on. */
void world_heard(struct world_session *s, const struct wire_record *r)
{
	uint32_t end = r->seq + r->len_bytes;

	if (s->heard_count + 4 <= WORLD_HEARD_MAX) {
		s->heard[s->heard_count++] = r->seq; /* a challenge may take us back to it */
		s->heard[s->heard_count++] = r->seq + 1;
		s->heard[s->heard_count++] = end;
		s->heard[s->heard_count++] = end + 1;
	}
	/* From ahead of what was heard: it has said something that was not captured. */
	if (r->len_bytes || (r->flags & TCP_FIN) || (s->is_accepted && seq_gt(r->seq, s->first)))
		s->was_answered = true;
	if (!s->is_accepted && (r->flags & TCP_ACK) && !(r->flags & TCP_RST) && s->stale_count < 8)
		s->stale[s->stale_count++] = r->ack;
	if ((r->flags & TCP_SYN) && r->has_window_scale && r->window_scale > s->window_scale)
		s->window_scale = r->window_scale;
	if ((r->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) && s->has_syn &&
	    r->ack == s->iss + 1 && !s->is_accepted) {
		s->is_accepted = true;
		s->first = r->seq + 1;
	}
	if ((r->flags & TCP_ACK) && s->has_syn && r->ack - s->iss <= s->snd_max - s->iss) {
		uint64_t window = (uint64_t)r->window << s->window_scale;
		uint64_t edge;

		if (window > s->window_most)
			s->window_most = window;
		/* An older segment's window does not count, its ACK does: RFC 9293, section 3.10.7.4. */
		if (s->is_accepted && seq_lt(r->seq, s->window_seq))
			window = s->window_most;
		else
			s->window_seq = r->seq;
		edge = r->ack - s->iss + window;
		if (edge > s->edge)
			s->edge = edge;
		if (seq_gt(r->ack, s->acked))
			s->acked = r->ack;
	}
}

static bool was_heard(const struct world_session *s, uint32_t ack)
{
	if (s->heard_count + 4 > WORLD_HEARD_MAX)
		return true; /* more than can be remembered */
	for (size_t i = s->heard_count; i-- > 0;)
		if (s->heard[i] == ack)
			return true;
	return false;
}

static bool was_stale(const struct world_session *s, uint32_t seq)
{
	for (size_t i = 0; i < s->stale_count; i++)
		if (s->stale[i] == seq)
			return true;
	return s->stale_count == 8;
}

/* ---- what we say ---- */

/* Whether the capture has seen these bytes there, and in time for a session that got no answer. */
static bool is_captured(const struct world *w, const struct world_session *s, size_t flow,
			uint32_t seq, const uint8_t *bytes, size_t len)
{
	const struct world_flow *f = &w->flows[flow];
	bool must_wait = s->is_whole && f->is_plain && !s->was_answered;

	while (len) {
		size_t most = 0;

		for (size_t i = 0; i < f->piece_count && most < len; i++) {
			const struct world_piece *p = &f->pieces[i];
			size_t left = p->len_bytes - (seq - p->seq), n;

			if (seq - p->seq >= p->len_bytes || (must_wait && p->had_seen_answers))
				continue;
			n = world_match(bytes, left < len ? left : len, flow, seq, p->variant);
			most = n > most ? n : most;
		}
		if (!most)
			return false;
		seq += (uint32_t)most;
		bytes += most;
		len -= most;
	}
	return true;
}

static bool is_fin_of(const struct world_flow *f, uint32_t seq)
{
	for (size_t i = 0; i < f->fin_count; i++)
		if (f->fins[i] == seq || (f->ends_oddly && seq_gt(seq, f->fins[i])))
			return true;
	return f->fin_count == WORLD_ISNS_MAX;
}

/* Whether all that it has said so far is what this flow's client said from begins on. */
static bool fits(const struct world *w, const struct world_session *s, size_t flow, uint32_t begins)
{
	return is_captured(w, s, flow, begins, s->said, s->said_len) &&
	       (!s->has_fin || is_fin_of(&w->flows[flow], begins + (uint32_t)s->said_len));
}

static bool place_at(const struct world *w, struct world_session *s, size_t flow, uint32_t begins)
{
	if (!fits(w, s, flow, begins))
		return false;
	s->is_placed = true;
	s->flow = flow;
	s->begins = begins;
	return true;
}

/* Behind a SYN, or, for one that joins, where some packet begins or ends. */
static bool place_in(const struct world *w, struct world_session *s, size_t flow)
{
	const struct world_flow *f = &w->flows[flow];

	for (size_t i = 0; i < f->isn_count; i++)
		if (place_at(w, s, flow, f->isns[i] + 1))
			return true;
	for (size_t i = 0; i < f->piece_count && !s->is_whole; i++)
		if (place_at(w, s, flow, f->pieces[i].seq) ||
		    place_at(w, s, flow, f->pieces[i].seq + f->pieces[i].len_bytes))
			return true;
	return false;
}

static bool place(const struct world *w, struct world_session *s)
{
	s->is_placed = false;
	if (s->is_whole)
		return place_in(w, s, s->flow);
	for (size_t flow = 0; flow < WORLD_FLOWS; flow++)
		if (place_in(w, s, flow))
			return true;
	return false;
}

static void remember_said(struct world_session *s, const uint8_t *payload, size_t len)
{
	if (s->said_len + len > s->said_room) {
		s->said_room = 2 * (s->said_len + len);
		s->said = realloc(s->said, s->said_room);
		fuzz_check(s->said != NULL);
	}
	if (len)
		memcpy(s->said + s->said_len, payload, len);
	s->said_len += len;
}

/* Payload and FIN: the same as before, and as captured. */
static void check_stream(const struct world *w, struct world_session *s, const struct segment *seg,
			 const uint8_t *payload)
{
	size_t len = seg->payload_len_bytes, off = seg->seq - (s->iss + 1), again;
	bool fin = seg->flags & TCP_FIN;

	if (!len && !fin)
		return;
	fuzz_check(off <= s->said_len);
	again = s->said_len - off < len ? s->said_len - off : len;
	fuzz_check(again == 0 || !memcmp(s->said + off, payload, again));
	fuzz_check(!s->has_fin || again == len); /* nothing goes behind the FIN */
	fuzz_check(!fin || off + len >= s->said_len);
	remember_said(s, payload + again, len - again);
	if (again == len && s->has_fin == fin && s->is_placed)
		return;
	s->has_fin |= fin;
	if (!s->is_placed ||
	    !is_captured(w, s, s->flow, s->begins + (uint32_t)(off + again), payload + again,
			 len - again) ||
	    (fin && !is_fin_of(&w->flows[s->flow], s->begins + (uint32_t)s->said_len)))
		fuzz_check(place(w, s));
}

static uint32_t gather(uint8_t *payload, const struct segment *seg)
{
	uint32_t at = 0;

	fuzz_check(seg->iov_count <= SEGMENT_IOV_MAX);
	fuzz_check(seg->payload_len_bytes <= WORLD_PAYLOAD_MAX);
	for (size_t i = 0; i < seg->iov_count; i++) {
		fuzz_check(seg->iov[i].iov_len <= seg->payload_len_bytes - at);
		memcpy(payload + at, seg->iov[i].iov_base, seg->iov[i].iov_len);
		at += (uint32_t)seg->iov[i].iov_len;
	}
	fuzz_check(at == seg->payload_len_bytes);
	return at;
}

static void check_syn(struct world_session *s, const struct segment *seg)
{
	fuzz_check((seg->flags & ALL_FLAGS) == TCP_SYN && seg->payload_len_bytes == 0);
	fuzz_check(!s->has_syn || s->iss == seg->seq);
	fuzz_check(!s->is_accepted);
	if (!s->has_syn)
		s->iss = s->acked = s->snd_max = seg->seq;
	s->offers_timestamps = seg->options.has_timestamps;
	s->has_syn = true;
}

static void check_rst(const struct world_session *s, const struct segment *seg)
{
	fuzz_check(seg->payload_len_bytes == 0);
	fuzz_check(s->has_syn);
	fuzz_check(seg->seq - s->iss <= s->snd_max - s->iss ||
		   (!s->is_accepted && was_stale(s, seg->seq)));
}

/* RFC 9293, section 3.8: what is sent follows what was sent, and fits what was offered. */
static void check_numbers(const struct world_session *s, const struct segment *seg)
{
	uint32_t end = seg->seq - s->iss + seg->payload_len_bytes;

	fuzz_check(s->is_accepted);
	fuzz_check(seg->flags & TCP_ACK);
	/* A question to the target is a segment before all that it waits for. */
	fuzz_check(seg->seq - s->iss >= (seg->payload_len_bytes ? 1 : 0));
	fuzz_check(seg->seq - s->iss <= s->snd_max - s->iss);
	fuzz_check(!seg->payload_len_bytes || end <= s->edge + PROBE_LEN);
	fuzz_check(was_heard(s, seg->ack));
}

static void take(struct world *w, struct world_session *s, const struct segment *seg)
{
	static uint8_t payload[WORLD_PAYLOAD_MAX];
	uint32_t len;

	w->segments++;
	world_trace_segment(w, s, seg);
	len = gather(payload, seg);
	fuzz_check((seg->flags & ~ALL_FLAGS) == 0);
	if (seg->flags & TCP_SYN) {
		check_syn(s, seg);
	} else if (seg->flags & TCP_RST) {
		check_rst(s, seg);
	} else {
		check_numbers(s, seg);
		check_stream(w, s, seg, payload);
	}
	len += (seg->flags & (TCP_SYN | TCP_FIN)) ? FIN_LEN : 0;
	if (!(seg->flags & TCP_RST) && seq_gt(seg->seq + len, s->snd_max))
		s->snd_max = seg->seq + len;
}

static int on_emit(void *ctx, const struct segment *seg)
{
	struct world *w = ctx;
	struct world_session *s = session_of(w, &seg->tuple);
	bool core = world_memory_of_core(false);

	fuzz_check(!w->is_over);
	fuzz_check(s != NULL); /* answers must find their way back */
	if (w->emit_room != 0)
		take(w, s, seg);
	world_memory_of_core(core);
	if (w->emit_room == 0)
		return -1;
	if (w->emit_room > 0)
		w->emit_room--;
	return 0;
}

/* ---- registrations ---- */

/* A free place; the longest gone first, so that late records still find whom they meant. */
static struct world_session *new_session(struct world *w)
{
	static size_t next;

	if (w->session_count < WORLD_SESSIONS_MAX)
		return &w->sessions[w->session_count++];
	for (size_t i = 0; i < WORLD_SESSIONS_MAX; i++) {
		next = (next + 1) % WORLD_SESSIONS_MAX;
		if (!w->sessions[next].is_registered)
			return &w->sessions[next];
	}
	fuzz_check(!"more sessions than were allowed");
	return NULL;
}

static void begin_session(struct world_session *s, uint32_t id, const struct tuple *response)
{
	/* Not the whole of it: heard is large, said is kept. */
	s->id = id;
	s->response = *response;
	s->is_registered = true;
	s->has_syn = s->is_accepted = s->was_answered = s->offers_timestamps = false;
	s->window_scale = 0;
	s->iss = s->snd_max = s->acked = 0;
	s->edge = 0;
	s->window_most = 0;
	s->irs = s->snd_nxt = 0xfffff000u;
	s->heard_count = s->stale_count = 0;
	s->is_placed = s->has_fin = false;
	s->said_len = 0;
}

static void on_register(void *ctx, uint32_t id, const struct tuple *response)
{
	struct world *w = ctx;
	const struct world_session *moving = w->moving;
	bool is_whole = moving ? moving->is_whole : w->speaking < WORLD_FLOWS;
	size_t flow = moving ? moving->flow : w->speaking;
	struct world_session *s;

	fuzz_check(!w->is_over);
	for (size_t i = 0; i < w->session_count; i++) {
		const struct world_session *other = &w->sessions[i];

		fuzz_check(!other->is_registered ||
			   (other->id != id && !tuple_equal(&other->response, response)));
	}
	s = new_session(w);
	begin_session(s, id, response);
	s->is_whole = is_whole;
	s->flow = flow;
}

static void on_unregister(void *ctx, uint32_t id)
{
	struct world *w = ctx;

	for (size_t i = 0; i < w->session_count; i++) {
		if (w->sessions[i].is_registered && w->sessions[i].id == id) {
			w->sessions[i].is_registered = false;
			return;
		}
	}
	fuzz_check(!"an id is unregistered that was registered");
}

static void on_urgency(void *ctx, bool urgent)
{
	struct world *w = ctx;

	w->urgent = urgent;
}

static void on_notice(void *ctx, enum replay_notice notice, size_t target)
{
	const struct world *w = ctx;

	fuzz_check(target < w->targets && notice < REPLAY_NOTICES);
}

const struct replay_effects world_effects = {
	.emit = on_emit,
	.register_session = on_register,
	.unregister_session = on_unregister,
	.urgency = on_urgency,
	.notice = on_notice,
};

/* ---- what always holds ---- */

static size_t registered(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->session_count; i++)
		n += w->sessions[i].is_registered;
	return n;
}

void world_check(struct world *w)
{
	const struct ledger *l = replay_ledger(w->replay);
	uint64_t limit = w->config.max_memory_bytes;
	uint64_t active = 0;

	fuzz_check(ledger_packets_add_up(l));
	fuzz_check(l->packets.captured == w->frames);
	for (size_t i = 0; i < w->targets; i++) {
		fuzz_check(ledger_stream_adds_up(&l->targets[i].stream));
		active += l->targets[i].sessions.active;
	}
	fuzz_check(active == registered(w));
	fuzz_check(replay_memory(w->replay) <= limit + limit / 4 + TABLES_BYTES);
}
