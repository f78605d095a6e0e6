/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_fairness.c - who has megabytes to say does not keep others waiting: a session says a quantum in its turn, a batch ends
 * after so many bytes, and neither loses or reorders anything. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/session.h"

enum {
	MSS = 1460,
	CHUNK = 32768,
	BACKLOG = 8 << 20, /* of one client: 8 MiB */
	WINDOW = 65535 << 7,
	OTHERS = 1000,
	HOGS = 16,
	BATCH = 1 << 20,                       /* replay.c: BATCH_MAX_BYTES */
	QUANTUM = SESSION_QUANTUM_BYTES + MSS, /* a quantum ends with a segment */
};

/* What was said, in its order. */
struct said {
	struct fixture *f;
	uint64_t bytes;
	unsigned segments;
	unsigned requests;             /* of the small sessions */
	uint64_t bytes_before_request; /* and the most that was said before one of them */
	size_t hogs;                   /* sessions below this number have a backlog */
	uint32_t next[HOGS];           /* what each is to say next */
	size_t last;                   /* who spoke last */
	uint64_t in_a_row;             /* bytes, and the most ever */
	uint64_t most_in_a_row;
};

static void on_emit(void *ctx, const struct sent *s)
{
	struct said *said = ctx;

	if (!s->len_bytes)
		return;
	if (s->faked < said->hogs) {
		assert_int_equal(s->seq, said->next[s->faked]);
		said->next[s->faked] += s->len_bytes;
	} else {
		said->requests++;
		if (said->bytes > said->bytes_before_request)
			said->bytes_before_request = said->bytes;
	}
	said->in_a_row = s->faked == said->last ? said->in_a_row + s->len_bytes : s->len_bytes;
	said->last = s->faked;
	if (said->in_a_row > said->most_in_a_row)
		said->most_in_a_row = said->in_a_row;
	said->bytes += s->len_bytes;
	said->segments++;
}

static void begin_counting(struct said *said)
{
	said->bytes = said->bytes_before_request = said->in_a_row = said->most_in_a_row = 0;
	said->segments = said->requests = 0;
}

/* Of the session of f->at. */
static void target_acks(struct fixture *f, uint32_t ack, uint16_t window)
{
	struct wire_record r = record_of(f, f->at, ". 1:1(0) ack 1");

	r.ack = ack;
	r.window = window;
	give_record(f, &r);
}

/* As often as a target does, so that the congestion window grows by all of it. */
static void acks_all(struct fixture *f, uint32_t from, uint32_t to)
{
	for (uint32_t ack = from + 2 * MSS; seq_lt(ack, to); ack += 2 * MSS)
		target_acks(f, ack, UINT16_MAX);
	target_acks(f, to, UINT16_MAX);
}

/* A session whose congestion window is wide open, and 8 MiB that wait for the target's. */
static void make_hog(struct fixture *f, struct said *said, size_t number)
{
	uint32_t at = 1;

	be_client(f, (unsigned)number);
	f->mute = false;
	session_established_wide(f);
	f->mute = true;
	f->on_emit = on_emit;
	f->on_emit_ctx = said;
	said->hogs = number + 1;
	said->next[number] = f->faked[number].iss + 1;
	for (; at < BACKLOG; at += CHUNK) {
		client_bytes(f, at, 1, CHUNK);
		acks_all(f, f->faked[number].iss + at, said->next[number]);
	}
	target_acks(f, said->next[number], 0);
	begin_counting(said);
	for (; at < 2 * BACKLOG; at += CHUNK)
		client_bytes(f, at, 1, CHUNK);
	assert_int_equal(said->bytes, 0);
}

static void open_window(struct fixture *f, const struct said *said, size_t number)
{
	f->at = number;
	target_acks(f, said->next[number], UINT16_MAX);
}

static void make_others(struct fixture *f, size_t first, unsigned count)
{
	f->mute = false;
	for (size_t i = first; i < first + count; i++) {
		be_client(f, (unsigned)i);
		session_established(f);
	}
	f->mute = true;
	fixture_forget_sent(f);
}

static void others_ask(struct fixture *f, size_t first, unsigned count)
{
	for (size_t i = first; i < first + count; i++) {
		be_client(f, (unsigned)i);
		client_data(f, 1, 1, "GET /");
	}
}

static struct fixture *world(struct said *said)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.max_memory_bytes = UINT64_C(1) << 30});

	*said = (struct said){.f = f};
	return f;
}

/* The rest of the batch. */
static void release(struct fixture *f)
{
	f->hold = false;
	end_batch(f);
}

static void backlog_does_not_hold_up_the_others_of_its_batch(void **state)
{
	struct said said;
	struct fixture *f = world(&said);

	(void)state;
	make_hog(f, &said, 0);
	make_others(f, 1, OTHERS);
	f->hold = true;
	open_window(f, &said, 0); /* it is the first to speak */
	others_ask(f, 1, OTHERS);
	begin_counting(&said);
	release(f);
	assert_int_equal(said.requests, OTHERS);
	assert_in_range(said.bytes_before_request, SESSION_QUANTUM_BYTES,
			QUANTUM + OTHERS * strlen("GET /"));
	assert_in_range(said.bytes, BATCH, BATCH + QUANTUM);
	fixture_free(f);
}

/* In turns of the loop that follow each other at once, without a gap and in order. */
static void backlog_is_said_in_batches_until_its_end(void **state)
{
	struct said said;
	struct fixture *f = world(&said);
	unsigned batches = 1;
	uint64_t before;

	(void)state;
	make_hog(f, &said, 0);
	open_window(f, &said, 0);
	for (; replay_next_us(f->replay) == f->now_us; batches++) {
		before = said.bytes;
		end_batch(f);
		assert_in_range(said.bytes - before, 1, BATCH + QUANTUM);
	}
	assert_in_range(said.bytes, 7 * BATCH, WINDOW);
	assert_int_equal(batches, 8);
	target_acks(f, said.next[0], UINT16_MAX);
	assert_int_equal(said.bytes, BACKLOG);
	assert_int_equal(account_of(f, 0)->traffic.retransmitted, 0);
	fixture_free(f);
}

static void request_that_comes_meanwhile_waits_for_a_quantum(void **state)
{
	struct said said;
	struct fixture *f = world(&said);

	(void)state;
	make_hog(f, &said, 0);
	make_others(f, 1, 1);
	open_window(f, &said, 0);
	begin_counting(&said);
	others_ask(f, 1, 1);
	assert_int_equal(said.requests, 1);
	assert_in_range(said.bytes_before_request, 1, QUANTUM);
	fixture_free(f);
}

/* Each of them a quantum, and then the small one, whoever was first. */
static void backlogs_share(void **state)
{
	struct said said;
	struct fixture *f = world(&said);

	(void)state;
	for (size_t i = 0; i < HOGS; i++)
		make_hog(f, &said, i);
	make_others(f, HOGS, 1);
	begin_counting(&said);
	f->hold = true;
	for (size_t i = 0; i < HOGS; i++)
		open_window(f, &said, i);
	others_ask(f, HOGS, 1);
	f->hold = false;
	while (!said.requests)
		end_batch(f);
	assert_in_range(said.bytes_before_request, HOGS * SESSION_QUANTUM_BYTES, HOGS * QUANTUM);
	assert_in_range(said.most_in_a_row, SESSION_QUANTUM_BYTES, QUANTUM);
	fixture_free(f);
}

/* A sender that is full in the middle of a quantum: nothing is said twice, and others are not forgotten. */
static void full_sender_in_a_quantum_loses_nothing(void **state)
{
	struct said said;
	struct fixture *f = world(&said);

	(void)state;
	make_hog(f, &said, 0);
	make_others(f, 1, OTHERS);
	f->hold = true;
	open_window(f, &said, 0);
	others_ask(f, 1, OTHERS);
	begin_counting(&said);
	f->hold = false;
	for (unsigned batch = 0; said.requests < OTHERS; batch++) {
		assert_in_range(batch, 0, 100);
		f->emit_room = 20;
		end_batch(f);
		assert_true(replay_is_blocked(f->replay));
	}
	assert_in_range(said.bytes_before_request, 1, QUANTUM + OTHERS * strlen("GET /"));
	f->emit_room = -1;
	while (replay_next_us(f->replay) == f->now_us || replay_is_blocked(f->replay))
		end_batch(f);
	assert_in_range(said.bytes, 7 * BATCH, WINDOW);
	assert_int_equal(account_of(f, 0)->traffic.retransmitted, 0);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backlog_does_not_hold_up_the_others_of_its_batch),
		cmocka_unit_test(backlog_is_said_in_batches_until_its_end),
		cmocka_unit_test(request_that_comes_meanwhile_waits_for_a_quantum),
		cmocka_unit_test(backlogs_share),
		cmocka_unit_test(full_sender_in_a_quantum_loses_nothing),
	};

	return cmocka_run_group_tests_name("fairness", tests, NULL, NULL);
}
