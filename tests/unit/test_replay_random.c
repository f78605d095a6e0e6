/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_random.c - long random runs against a simple target over lossy paths, in which every
 * byte and both sums are checked.
 */
#include "tests/unit/replay_fixture.h"

enum {
	RUN_CLIENTS = 40,
	RUN_REQUESTS = 15,
	RUN_PORT = 20000,
	RUN_SLOTS = 64, /* milliseconds that something may be under way */
};

static uint32_t request_len(unsigned client, unsigned k)
{
	return 20 + (k * 3790 + client * 97) % 9000;
}

static uint32_t answer_len(unsigned client, unsigned k)
{
	return 1 + (k * 733 + client * 31) % 6000;
}

struct run_client {
	unsigned next; /* request */
	uint64_t act_at_us;
	uint32_t said;
	uint32_t seen;
	enum { RUN_SYN, RUN_ACK, RUN_REQUEST, RUN_END, RUN_GONE } does;
};

/* A server that takes bytes in order only, answers each request at once and repeats itself. */
struct run_target {
	size_t faked;
	bool is_open;
	bool closed;
	bool fin_sent;
	unsigned done; /* requests that are complete, so answered */
	uint32_t rcv;  /* relative: the next byte expected */
	uint32_t snd_una;
	uint32_t snd_nxt;
	uint32_t request_end;
	uint64_t progress_us;
};

struct under_way {
	bool is_record;
	unsigned client;
	struct sent segment;
	struct wire_record record;
};

struct run {
	struct fixture *f;
	unsigned seed;
	unsigned loss_percent;
	bool sender_stalls;
	struct run_client clients[RUN_CLIENTS];
	struct run_target targets[RUN_CLIENTS];
	struct {
		struct under_way *items;
		size_t count;
		size_t room;
	} slots[RUN_SLOTS];
};

static unsigned dice(struct run *r, unsigned sides)
{
	return (unsigned)rand_r(&r->seed) % sides;
}

static void put_under_way(struct run *r, const struct under_way *item)
{
	size_t slot = (r->f->now_us / 1000 + 1 + dice(r, 6)) % RUN_SLOTS;

	if (dice(r, 100) < r->loss_percent) {
		free(item->segment.payload);
		return;
	}
	if (r->slots[slot].count == r->slots[slot].room) {
		r->slots[slot].room = r->slots[slot].room * 2 + 16;
		r->slots[slot].items =
			realloc(r->slots[slot].items, r->slots[slot].room * sizeof(*item));
		assert_non_null(r->slots[slot].items);
	}
	r->slots[slot].items[r->slots[slot].count++] = *item;
}

/* No turn may be said before the target has answered the one before. */
static void check_gates(const struct run *r, unsigned client, uint32_t end)
{
	const struct run_target *t = &r->targets[client];
	uint32_t allowed = 1;

	for (unsigned k = 0; k <= t->done && k < RUN_REQUESTS; k++)
		allowed += request_len(client, k);
	assert_true(end <= allowed);
}

static void on_run_segment(void *ctx, const struct sent *s)
{
	struct run *r = ctx;
	unsigned client = s->tuple.src.port - RUN_PORT;
	uint32_t seq = s->seq - r->f->faked[s->faked].iss;
	struct under_way item = {.client = client, .segment = *s};

	assert_in_range(client, 0, RUN_CLIENTS - 1);
	for (uint32_t i = 0; i < s->len_bytes; i++)
		assert_int_equal(s->payload[i], pattern_byte(seq - 1 + i));
	if (s->len_bytes)
		check_gates(r, client, seq + s->len_bytes);
	r->targets[client].faked = s->faked;
	item.segment.payload = NULL;
	put_under_way(r, &item);
}

static void target_sends(struct run *r, unsigned client, const char *flags, uint32_t seq,
			 uint32_t len)
{
	struct run_target *t = &r->targets[client];
	struct faked *k = &r->f->faked[t->faked];
	struct under_way item = {.is_record = true, .client = client};

	item.record = (struct wire_record){.session_id = k->id,
					   .seq = k->irs + seq,
					   .len_bytes = len,
					   .ack = k->iss + t->rcv,
					   .window = (uint16_t)(20000 + client * 1000),
					   .segments = 1,
					   .flags = build_flags_of(flags)};
	if (item.record.flags & TCP_SYN)
		item.record.has_syn_options = item.record.has_mss = true, item.record.mss = 1460;
	put_under_way(r, &item);
}

static void target_answers(struct run *r, unsigned client)
{
	struct run_target *t = &r->targets[client];

	while (t->done < RUN_REQUESTS && t->rcv >= t->request_end + request_len(client, t->done)) {
		t->request_end += request_len(client, t->done);
		for (uint32_t left = answer_len(client, t->done); left;) {
			uint32_t len = left < 1460 ? left : 1460;

			target_sends(r, client, len == left ? "P." : ".", t->snd_nxt, len);
			t->snd_nxt += len;
			left -= len;
		}
		t->done++;
		t->progress_us = r->f->now_us;
	}
}

static void target_takes(struct run *r, const struct under_way *item)
{
	const struct sent *s = &item->segment;
	struct run_target *t = &r->targets[item->client];
	const struct faked *k = &r->f->faked[s->faked];
	uint32_t seq = s->seq - k->iss;

	if (s->flags & TCP_SYN) {
		t->is_open = true;
		t->rcv = t->request_end = t->snd_una = t->snd_nxt = 1;
		t->progress_us = r->f->now_us;
		target_sends(r, item->client, "S.", 0, 0);
		return;
	}
	if (!t->is_open || t->closed)
		return;
	if (s->flags & TCP_RST) {
		t->closed = seq == t->rcv;
		return;
	}
	if (seq_gt(s->ack - k->irs, t->snd_una)) {
		assert_true(seq_leq(s->ack - k->irs, t->snd_nxt)); /* never what was not sent */
		t->snd_una = s->ack - k->irs;
		t->progress_us = r->f->now_us;
		t->closed = t->fin_sent && t->snd_una == t->snd_nxt;
	}
	if (seq_leq(seq, t->rcv) && seq_gt(seq + s->len_bytes, t->rcv))
		t->rcv = seq + s->len_bytes;
	if ((s->flags & TCP_FIN) && seq + s->len_bytes == t->rcv && !t->fin_sent) {
		t->rcv++;
		target_answers(r, item->client);
		target_sends(r, item->client, "F.", t->snd_nxt++, 0);
		t->fin_sent = true;
		return;
	}
	target_answers(r, item->client);
	if (s->len_bytes || (s->flags & TCP_FIN))
		target_sends(r, item->client, ".", t->snd_nxt, 0);
}

/* What was lost of its answers. */
static void target_repeats(struct run *r, unsigned client)
{
	struct run_target *t = &r->targets[client];
	uint32_t data_end = t->snd_nxt - t->fin_sent;
	uint32_t len = data_end - t->snd_una;

	if (!t->is_open || t->closed || t->snd_una == t->snd_nxt ||
	    r->f->now_us < t->progress_us + 300000)
		return;
	t->progress_us = r->f->now_us;
	if (t->snd_una == data_end)
		target_sends(r, client, "F.", t->snd_una, 0);
	else
		target_sends(r, client, "P.", t->snd_una, len < 1460 ? len : 1460);
}

static void deliver(struct run *r)
{
	size_t slot = r->f->now_us / 1000 % RUN_SLOTS;

	for (size_t i = 0; i < r->slots[slot].count; i++) {
		struct under_way item = r->slots[slot].items[i];

		if (item.is_record)
			give_record(r->f, &item.record);
		else
			target_takes(r, &item);
	}
	r->slots[slot].count = 0;
}

/* A request in pieces, in any order, some twice. */
static void client_requests(struct run *r, unsigned client)
{
	struct run_client *c = &r->clients[client];
	uint32_t len = request_len(client, c->next), pieces = (len + 1459) / 1460;
	uint32_t first = dice(r, pieces);

	for (uint32_t i = 0; i < pieces + dice(r, 2); i++) {
		uint32_t at = (first + i) % pieces * 1460;

		client_bytes(r->f, 1 + c->said + at, 1 + c->seen,
			     len - at < 1460 ? len - at : 1460);
	}
	c->said += len;
	c->seen += answer_len(client, c->next);
	c->next++;
}

static void client_acts(struct run *r, unsigned client)
{
	struct run_client *c = &r->clients[client];
	struct line l = {.flags = ".", .seq = 1 + c->said, .ack = 1 + c->seen};

	if (c->does == RUN_GONE || r->f->now_us < c->act_at_us)
		return;
	snprintf(r->f->client_text, sizeof(r->f->client_text), "10.9.0.1:%u", RUN_PORT + client);
	r->f->client = r->f->client_text;
	r->f->client_isn = UINT32_MAX - 3000 * client;
	c->act_at_us = r->f->now_us + 1000 * (1 + dice(r, 40));
	switch (c->does) {
	case RUN_SYN:
		client_says(r->f, "S 0:0(0) <mss 1460>");
		c->does = RUN_ACK;
		break;
	case RUN_ACK:
		client_packet(r->f, &l, NULL);
		c->does = RUN_REQUEST;
		break;
	case RUN_REQUEST:
		client_requests(r, client);
		if (c->next == RUN_REQUESTS)
			c->does = RUN_END;
		break;
	case RUN_END:
		memcpy(l.flags, dice(r, 4) ? "F." : "R.", 3);
		client_packet(r->f, &l, NULL);
		c->does = RUN_GONE;
		break;
	case RUN_GONE:
		break;
	}
}

static void run_ms(struct run *r, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		r->f->emit_room = r->sender_stalls && dice(r, 3) == 0 ? (long)dice(r, 3) : -1;
		pass_us(r->f, 1000 - r->f->now_us % 1000);
		deliver(r);
		for (unsigned c = 0; c < RUN_CLIENTS; c++) {
			client_acts(r, c);
			target_repeats(r, c);
		}
		end_batch(r->f);
	}
}

static void random_run(unsigned seed, unsigned loss_percent)
{
	struct run *r = calloc(1, sizeof(*r));
	const struct ledger_stream *s;
	uint64_t bytes = 0;

	assert_non_null(r);
	r->f = fixture_new(&(struct fixture_config){0});
	r->seed = seed;
	r->loss_percent = loss_percent;
	r->sender_stalls = true;
	r->f->mute = true;
	r->f->on_emit = on_run_segment;
	r->f->on_emit_ctx = r;
	run_ms(r, 5000);
	r->loss_percent = 0; /* faults stop: now all must end well */
	r->sender_stalls = false;
	run_ms(r, 70000);
	s = stream(r->f);
	for (unsigned c = 0; c < RUN_CLIENTS; c++) {
		assert_int_equal(r->clients[c].does, RUN_GONE);
		assert_int_equal(r->targets[c].done, RUN_REQUESTS);
		bytes += r->clients[c].said;
	}
	assert_int_equal(s->captured.bytes, bytes);
	assert_int_equal(s->delivered.bytes, bytes);
	assert_int_equal(s->delivered.requests, RUN_CLIENTS * RUN_REQUESTS);
	assert_int_equal(s->in_flight.bytes, 0);
	assert_int_equal(fixture_registered(r->f), 0);
	assert_int_equal(replay_connections(r->f->replay), 0);
	assert_false(r->f->urgent);
	for (size_t i = 0; i < RUN_SLOTS; i++)
		free(r->slots[i].items);
	fixture_free(r->f);
	free(r);
}

static void random_run_without_loss(void **state)
{
	(void)state;
	random_run(1, 0);
}

static void random_run_with_5_percent_lost(void **state)
{
	(void)state;
	random_run(2, 5);
}

static void random_run_with_25_percent_lost(void **state)
{
	(void)state;
	random_run(3, 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_run_without_loss),
		cmocka_unit_test(random_run_with_5_percent_lost),
		cmocka_unit_test(random_run_with_25_percent_lost),
	};

	return cmocka_run_group_tests_name("replay, random runs", tests, NULL, NULL);
}
