/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp_receive.c - the octets from the peer: reassembly, the reader, the receive window.
 *
 * One list holds everything that has come and was not read, in the order of its numbers, without
 * overlaps: unread_bytes of it are in order, the rest lies behind holes. What comes in order while
 * the reader keeps up is never put into it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/tcp_private.h"

enum {
	FRAGMENT_ROOM_MIN = 256, /* so that many small segments do not become many pieces */
};

static uint32_t end_of(const struct tcp_fragment *f)
{
	return f->seq + f->len;
}

static void unlink_first(struct tcp *t)
{
	struct tcp_fragment *f = t->fragments;

	t->fragments = f->next;
	if (!t->fragments)
		t->last_fragment = NULL;
	t->fragment_count--;
}

static void free_fragment(struct tcp *t, struct tcp_fragment *f)
{
	t->memory_bytes -= sizeof(*f) + f->room;
	free(f);
}

void tcp_receive_discard(struct tcp *t)
{
	while (t->fragments) {
		struct tcp_fragment *f = t->fragments;

		unlink_first(t);
		free_fragment(t, f);
	}
	t->held_bytes = 0;
	t->unread_bytes = 0;
}

/* Between calls a piece is either unread as a whole or behind a hole as a whole. */
void tcp_receive_drop_unread(struct tcp *t)
{
	while (t->unread_bytes && !t->is_giving) {
		struct tcp_fragment *f = t->fragments;

		t->held_bytes -= f->len;
		t->unread_bytes -= f->len;
		unlink_first(t);
		free_fragment(t, f);
	}
}

/* A piece behind prev (NULL: the first). False: no memory, or too many pieces. */
static bool add_piece(struct tcp *t, struct tcp_fragment *prev, uint32_t seq, const uint8_t *bytes,
		      uint32_t len)
{
	struct tcp_fragment *f = prev;

	if (!prev || end_of(prev) != seq || prev->room - prev->first - prev->len < len) {
		uint32_t room = len > FRAGMENT_ROOM_MIN ? len : FRAGMENT_ROOM_MIN;

		/* what is in order finds its place always, or nothing would ever get better */
		if (t->fragment_count >= TCP_FRAGMENTS_MAX && seq != t->v.rcv_nxt)
			return false;
		f = malloc(sizeof(*f) + room);
		if (!f)
			return false;
		*f = (struct tcp_fragment){
			.next = prev ? prev->next : t->fragments, .seq = seq, .room = room};
		if (prev)
			prev->next = f;
		else
			t->fragments = f;
		if (!f->next)
			t->last_fragment = f;
		t->fragment_count++;
		t->memory_bytes += sizeof(*f) + room;
	}
	memcpy(f->bytes + f->first + f->len, bytes, len);
	f->len += len;
	t->held_bytes += len;
	return true;
}

/* Of what overlaps, the first to come stays; that the second says the same is looked at. */
static bool is_same(const struct tcp_fragment *f, uint32_t seq, const uint8_t *bytes, uint32_t len)
{
	return memcmp(f->bytes + f->first + (seq - f->seq), bytes, len) == 0;
}

static void hold(struct tcp *t, uint32_t seq, const uint8_t *bytes, uint32_t len)
{
	struct tcp_fragment *prev = NULL;
	struct tcp_fragment *next = t->fragments;

	if (t->last_fragment && tcp_not_after(end_of(t->last_fragment), seq)) {
		prev = t->last_fragment;
		next = NULL;
	}
	while (len) {
		uint32_t n = len;

		if (next && tcp_not_after(next->seq, seq)) {
			uint32_t behind = seq - next->seq;

			n = behind < next->len ? tcp_min(next->len - behind, len) : 0;
			if (n && !is_same(next, seq, bytes, n))
				t->v.conflicts++;
			prev = next;
			next = next->next;
		} else {
			if (next)
				n = tcp_min(len, next->seq - seq);
			if (!add_piece(t, prev, seq, bytes, n))
				return;
		}
		seq += n;
		bytes += n;
		len -= n;
	}
}

/* RCV.NXT over octets in order. The right edge stays, so the window closes by as much. */
static void arrive(struct tcp *t, const uint8_t *bytes, uint32_t len)
{
	t->v.rcv_nxt += len;
	t->v.rcv_wnd -= len;
	t->v.arrived_bytes += len;
	t->unacked_bytes += len;
	if (t->setup.calls->arrived)
		t->setup.calls->arrived(t->setup.ctx, bytes, len);
}

static bool reads_at_once(const struct tcp *t)
{
	return t->is_abandoned || (t->is_reading && !t->read_interval_us && !t->is_giving);
}

/* The common case: in order, nothing held, a reader that keeps up. */
static void pass_through(struct tcp *t, const uint8_t *bytes, uint32_t len)
{
	arrive(t, bytes, len);
	if (t->is_abandoned)
		return;
	t->v.read_bytes += len;
	t->is_giving = true;
	t->setup.calls->data(t->setup.ctx, bytes, len);
	t->is_giving = false;
}

static void fin_arrived(struct tcp *t)
{
	t->is_fin_arrived = true;
	t->v.rcv_nxt++;
	t->v.rcv_wnd--;
	t->ack_now = true;
	switch ((enum tcp_state)t->state) {
	case TCP_STATE_ESTABLISHED:
		tcp_set_state(t, TCP_STATE_CLOSE_WAIT);
		break;
	case TCP_STATE_FIN_WAIT_1: /* our FIN is not acknowledged, or this were FIN-WAIT-2 */
		tcp_set_state(t, TCP_STATE_CLOSING);
		break;
	case TCP_STATE_FIN_WAIT_2:
		tcp_start_time_wait(t);
		break;
	case TCP_STATE_CLOSED:
	case TCP_STATE_LISTEN:
	case TCP_STATE_SYN_SENT:
	case TCP_STATE_SYN_RECEIVED:
	case TCP_STATE_CLOSE_WAIT:
	case TCP_STATE_CLOSING:
	case TCP_STATE_LAST_ACK:
	case TCP_STATE_TIME_WAIT:
	case TCP_STATE_COUNT:
		assert(!"a FIN is only taken where text is");
	}
}

static bool takes_text(const struct tcp *t)
{
	return t->state == TCP_STATE_ESTABLISHED || t->state == TCP_STATE_FIN_WAIT_1 ||
	       t->state == TCP_STATE_FIN_WAIT_2;
}

void tcp_receive_advance(struct tcp *t)
{
	if (!takes_text(t))
		return;
	for (struct tcp_fragment *f = t->fragments; f && t->held_bytes > t->unread_bytes;
	     f = f->next) {
		uint32_t known = t->v.rcv_nxt - f->seq; /* meaningless before a hole */

		if (tcp_before(t->v.rcv_nxt, f->seq))
			break;
		if (known < f->len) {
			t->unread_bytes += f->len - known;
			arrive(t, f->bytes + f->first + known, f->len - known);
		}
	}
	if (t->is_abandoned)
		tcp_receive_drop_unread(t);
	tcp_receive_read(t);
	if (takes_text(t) && t->is_fin_known && t->v.rcv_nxt == t->rcv_fin_seq) {
		fin_arrived(t);
		tcp_receive_read(t);
	}
}

/* What lies outside of the window, or behind a FIN, is cut off (RFC 9293, section 3.10.7.4). */
static uint32_t cut_text(struct tcp *t, uint32_t seq, uint32_t len, bool *has_fin)
{
	uint32_t edge = t->v.rcv_nxt + t->v.rcv_wnd;

	if (tcp_before(edge, seq + len + *has_fin)) {
		*has_fin = false;
		len = tcp_before(edge, seq + len) ? edge - seq : len;
		t->ack_now = true;
	}
	if (*has_fin && !t->is_fin_known) {
		t->is_fin_known = true;
		t->rcv_fin_seq = seq + len;
	}
	if (t->is_fin_known &&
	    (tcp_before(t->rcv_fin_seq, seq + len) || (*has_fin && t->rcv_fin_seq != seq + len))) {
		t->v.conflicts++;
		len = tcp_before(t->rcv_fin_seq, seq) ? 0 : tcp_min(len, t->rcv_fin_seq - seq);
	}
	return len;
}

/* RFC 9293, section 3.8.6.3: every second full segment, the others within the delay. */
static void acknowledge_later(struct tcp *t, uint32_t segment_len)
{
	const struct tcp_config *config = tcp_config_of(t);

	if (segment_len > t->rcv_mss)
		t->rcv_mss = segment_len;
	if (t->quick_left) {
		t->quick_left--;
		t->ack_now = true;
	} else if (!config->delayed_ack_us || config->ack_every_segments <= 1 ||
		   t->unacked_bytes >= config->ack_every_segments * t->rcv_mss) {
		t->ack_now = true;
	} else if (t->ack_at == TCP_NEVER) {
		t->ack_at = t->now_us + config->delayed_ack_us;
	}
}

void tcp_receive(struct tcp *t, uint32_t seq, const uint8_t *bytes, uint32_t len, bool has_fin)
{
	bool had_holes = t->held_bytes > t->unread_bytes;
	uint32_t rcv_nxt = t->v.rcv_nxt;

	if (tcp_before(seq, rcv_nxt)) {
		uint32_t old = tcp_min(rcv_nxt - seq, len);

		/* Part of it is a repetition, so an ACK of ours was lost or late. */
		t->ack_now = true;
		seq += old;
		bytes += old;
		len -= old;
	}
	len = cut_text(t, seq, len, &has_fin);
	if (seq == rcv_nxt && len && !t->held_bytes && reads_at_once(t) && takes_text(t)) {
		pass_through(t, bytes, len);
	} else if (len) {
		hold(t, seq, bytes, len);
		t->last_held = seq;
	}
	tcp_receive_advance(t);
	/* RFC 5681, section 4.2: at once out of order, and when a hole is filled. */
	if (had_holes || t->v.rcv_nxt == rcv_nxt)
		t->ack_now = true;
	else
		acknowledge_later(t, len);
}

/* Detached before it is given: data may do what it likes to us. */
static uint32_t give_first(struct tcp *t, size_t max_bytes)
{
	struct tcp_fragment *f = t->fragments;
	uint32_t ready = tcp_min(f->len, t->unread_bytes);
	uint32_t n = ready < max_bytes ? ready : (uint32_t)max_bytes;
	const uint8_t *bytes = f->bytes + f->first;
	bool is_whole = n == f->len;

	f->first += n;
	f->seq += n;
	f->len -= n;
	t->held_bytes -= n;
	t->unread_bytes -= n;
	t->v.read_bytes += n;
	if (is_whole)
		unlink_first(t);
	t->setup.calls->data(t->setup.ctx, bytes, n);
	if (is_whole)
		free_fragment(t, f);
	return n;
}

size_t tcp_receive_give(struct tcp *t, size_t max_bytes)
{
	size_t given = 0;

	if (t->is_giving)
		return 0;
	t->is_giving = true;
	while (t->unread_bytes && given < max_bytes && !t->is_failed && !t->is_abandoned)
		given += give_first(t, max_bytes - given);
	t->is_giving = false;
	if (t->is_abandoned) /* by data itself, just now */
		tcp_receive_drop_unread(t);
	return given;
}

static void tell_peer_closed(struct tcp *t)
{
	if (t->is_fin_arrived && !t->unread_bytes && !t->is_told_peer_closed && !t->is_giving) {
		t->is_told_peer_closed = true;
		tcp_tell(t, TCP_EVENT_PEER_CLOSED);
	}
}

void tcp_receive_flush(struct tcp *t)
{
	if (!t->is_failed) {
		tcp_receive_give(t, SIZE_MAX);
		tell_peer_closed(t);
	}
	tcp_receive_discard(t);
}

void tcp_receive_read(struct tcp *t)
{
	/* data may stop the reading and start it again */
	while (t->unread_bytes && reads_at_once(t) && !t->is_abandoned)
		if (!tcp_receive_give(t, t->unread_bytes))
			break;
	if (!t->unread_bytes || !t->is_reading)
		t->read_at = TCP_NEVER;
	else if (t->read_interval_us && t->read_at == TCP_NEVER)
		t->read_at = t->now_us + t->read_interval_us;
	tell_peer_closed(t);
	tcp_receive_check_window(t);
}

void tcp_receive_on_time(struct tcp *t)
{
	t->read_at = TCP_NEVER;
	tcp_receive_give(t, t->read_chunk_bytes);
	tcp_receive_read(t);
}

static uint32_t room_of(const struct tcp *t, uint8_t shift)
{
	uint32_t room =
		t->rcv_buffer_bytes > t->unread_bytes ? t->rcv_buffer_bytes - t->unread_bytes : 0;

	return tcp_min(room, UINT32_C(65535) << shift);
}

/* RFC 9293, section 3.8.6.2.2: the edge moves by so much or not at all. */
static uint32_t least_step(const struct tcp *t)
{
	return tcp_min(t->rcv_buffer_bytes / 2, tcp_config_of(t)->mss);
}

/* An ACK for its own sake only if the peer may be waiting for it: data moves the edge anyway. */
void tcp_receive_check_window(struct tcp *t)
{
	uint32_t room = room_of(t, t->v.rcv_wind_shift);
	uint32_t low = tcp_min(t->rcv_buffer_bytes / 2, 2 * (uint32_t)tcp_config_of(t)->mss);

	if (!takes_text(t) || t->is_fin_arrived)
		return;
	if (room > t->v.rcv_wnd && room - t->v.rcv_wnd >= least_step(t) && t->v.rcv_wnd <= low)
		t->ack_now = true;
}

/*
 * The edge is not taken back (RFC 9293, section 3.8.6). Scaling rounds it down; then RCV.WND stays
 * what it was, for the peer may know the larger one (RFC 7323, section 2.4).
 */
uint16_t tcp_receive_window(struct tcp *t, bool is_syn)
{
	uint8_t shift = is_syn ? 0 : t->v.rcv_wind_shift;
	uint32_t room = room_of(t, shift);
	uint32_t window = t->v.rcv_wnd;
	uint32_t field;

	if (room < window)
		window = tcp_config_of(t)->may_shrink_window ? room : window;
	else if (room - window >= least_step(t))
		window = room;
	field = tcp_min(window >> shift, UINT16_MAX);
	if (field << shift > t->v.rcv_wnd || window < t->v.rcv_wnd)
		t->v.rcv_wnd = field << shift;
	return (uint16_t)field;
}

static bool is_within(const struct tcp_sack_block *b, uint32_t seq)
{
	return tcp_not_after(b->left, seq) && tcp_before(seq, b->right);
}

/* RFC 2018, section 4: the block of the latest segment first. */
uint8_t tcp_receive_sack(const struct tcp *t, struct tcp_sack_block *blocks, uint8_t max)
{
	const struct tcp_fragment *f = t->fragments;
	uint8_t count = 1;
	bool has_last = false;

	while (f && max) {
		struct tcp_sack_block b = {f->seq, end_of(f)};

		for (f = f->next; f && f->seq == b.right; f = f->next)
			b.right = end_of(f);
		if (!tcp_before(t->v.rcv_nxt, b.left))
			continue;
		if (is_within(&b, t->last_held)) {
			blocks[0] = b;
			has_last = true;
		} else if (count < max) {
			blocks[count++] = b;
		}
	}
	if (has_last || !max)
		return max ? count : 0;
	count--;
	memmove(blocks, blocks + 1, count * sizeof(*blocks));
	return count;
}
