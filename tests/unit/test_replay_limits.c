/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_limits.c - who is turned away when memory is short, and what sessions cost that are
 * over: nothing. In virtual time, through replay.h.
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/segment_queue.h"

enum {
	MB = 1 << 20,
	LIMIT_BYTES = 16 * MB,
	PIECE = 60000,
};

static const struct fixture_config small = {.max_memory_bytes = LIMIT_BYTES};

static uint64_t dropped(const struct fixture *f, enum drop_cause cause)
{
	return stream(f)->dropped[cause].bytes;
}

/* Client n connects; its target takes the connection, and nothing else. Its place among the faked. */
static size_t connect_client(struct fixture *f, unsigned n)
{
	size_t before = f->faked_count;

	be_client(f, n);
	client_says(f, "S 0:0(0) <mss 1460>");
	if (f->faked_count > before) {
		f->at = before;
		target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	}
	ignore_sent(f);
	return before;
}

/* And says so much in all; at is where it goes on. */
static void say(struct fixture *f, unsigned n, uint32_t *at, uint32_t bytes)
{
	be_client(f, n);
	for (uint32_t end = *at + bytes; *at < end;) {
		uint32_t piece = end - *at < PIECE ? end - *at : PIECE;

		client_bytes(f, *at, 1, piece);
		*at += piece;
		assert_true(replay_memory(f->replay) <= LIMIT_BYTES);
	}
	ignore_sent(f);
}

/* design: admission stops at nine tenths, the rest is for those that are there already. */
static void last_tenth_of_the_memory_is_not_for_new_connections(void **state)
{
	struct fixture *f = fixture_new(&small);
	uint32_t at = 1;

	(void)state;
	connect_client(f, 0);
	say(f, 0, &at, LIMIT_BYTES / 100 * 87);
	connect_client(f, 1);
	assert_int_equal(fixture_registered(f), 2);
	say(f, 0, &at, LIMIT_BYTES / 100 * 4);
	connect_client(f, 2);
	assert_int_equal(fixture_registered(f), 2);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_LIMIT], 1);
	say(f, 0, &at, LIMIT_BYTES / 100);
	assert_int_equal(stream(f)->in_flight.bytes, at - 1);
	fixture_free(f);
}

/* Nobody is shed for a connection that is not even copied, and there is no bound to how many of those may come. */
static void what_is_not_followed_costs_nothing_and_is_counted(void **state)
{
	struct fixture *f = fixture_new(&small);
	uint32_t at = 1;
	size_t before;

	(void)state;
	connect_client(f, 0);
	say(f, 0, &at, LIMIT_BYTES / 1000 * 920);
	before = replay_connections(f->replay);
	for (unsigned n = 1; n <= 5000; n++) {
		connect_client(f, n);
		client_data(f, 1, 1, "GET /");
	}
	assert_in_range(replay_connections(f->replay), before + 50, before + 1000);
	assert_int_equal(dropped(f, DROP_LIMIT), 5000 * 5);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_LIMIT], 5000);
	assert_int_equal(f->notice_count, 1);
	assert_int_equal(f->notices[0],
			 REPLAY_NOTICE_TABLE_FULL); /* nothing that was begun is shed */
	assert_in_range(stream(f)->dropped[DROP_LIMIT].requests, 50, 1000);
	fixture_free(f);
}

/* Once there is room it is followed, and joined; it is still one that memory had been too short for. */
static void what_was_not_followed_is_joined_later(void **state)
{
	struct fixture *f = fixture_new(&small);
	uint32_t at = 1;

	(void)state;
	connect_client(f, 0);
	say(f, 0, &at, LIMIT_BYTES / 1000 * 929);
	connect_client(f, 1);
	be_client(f, 0);
	client_says(f, "R. 1:1(0) ack 1");
	f->at = 0;
	target_says(f, "R. 1:1(0) ack 1");
	ignore_sent(f);
	be_client(f, 1);
	client_data(f, 1, 1, "GET /1");
	client_data(f, 7, 301, "GET /2");
	expect_segment(f, "S 0:0(0)");
	assert_int_equal(dropped(f, DROP_LIMIT), 6);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_LIMIT], 1);
	assert_int_equal(account_of(f, 0)->sessions.joined, 1);
	fixture_free(f);
}

static void largest_backlog_goes_not_the_one_that_asks(void **state)
{
	static const uint32_t tenths[] = {1, 4, 2};
	struct fixture *f = fixture_new(&small);
	uint32_t at[3] = {1, 1, 1};
	size_t faked[3];

	(void)state;
	for (unsigned n = 0; n < 3; n++)
		faked[n] = connect_client(f, n);
	for (unsigned n = 0; n < 3; n++)
		say(f, n, &at[n], LIMIT_BYTES / 10 * tenths[n]);
	while (!dropped(f, DROP_LIMIT))
		say(f, 0, &at[0], PIECE); /* from a tenth to three */
	assert_true(f->faked[faked[0]].is_registered);
	assert_false(f->faked[faked[1]].is_registered);
	assert_true(f->faked[faked[2]].is_registered);
	assert_int_equal(dropped(f, DROP_LIMIT), at[1] - 1);
	assert_in_range(at[0], LIMIT_BYTES / 100 * 28, LIMIT_BYTES / 100 * 38);
	assert_int_equal(f->notice_count, 1);
	assert_int_equal(f->notices[0], REPLAY_NOTICE_MEMORY);
	fixture_free(f);
}

/* None holds more than the others: the newest connections go, all of them. */
static void newest_go_where_all_are_small(void **state)
{
	struct fixture *f = fixture_new(&small);
	size_t gone;
	unsigned n = 0;

	(void)state;
	while (n == fixture_registered(f)) {
		connect_client(f, n++);
		client_bytes(f, 1, 1, 1000);
		assert_true(n < 10000);
	}
	assert_int_equal(f->notice_count, 0); /* admission has stopped */
	for (unsigned i = 0; f->faked[n - 2].is_registered; i++) {
		be_client(f, i);
		client_bytes(f, 1001, 1, 1000); /* another block, and a node */
		ignore_sent(f);
		assert_true(i < n - 2);
		assert_true(replay_memory(f->replay) <= LIMIT_BYTES);
	}
	assert_int_equal(f->notice_count, 1);
	assert_int_equal(f->notices[0], REPLAY_NOTICE_MEMORY);
	gone = n - 1 - fixture_registered(f);
	assert_in_range(gone, 1, 64);
	for (size_t i = 0; i < f->faked_count; i++)
		assert_int_equal(f->faked[i].is_registered, i < f->faked_count - gone);
	fixture_free(f);
}

/* Of two targets one does not read: it is that one's copy that holds the memory. */
static void copy_to_the_target_that_reads_is_kept(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:8080"},
		.max_memory_bytes = LIMIT_BYTES / 2});
	char text[64];

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460,wscale 7>");
	f->at = 0;
	target_says(f, "S. 0:0(0) ack 1 <mss 8960,wscale 7>");
	target_says(f, ". 1:1(0) ack 1");
	ignore_sent(f);
	for (uint32_t at = 1; at < LIMIT_BYTES; at += PIECE) {
		client_bytes(f, at, 1, PIECE);
		while (f->expected < f->sent_count) {
			const struct sent *s = take_sent(f);

			if (s->faked != 0 || !s->len_bytes)
				continue;
			snprintf(text, sizeof(text), ". 1:1(0) ack %u",
				 s->seq + s->len_bytes - f->faked[0].iss);
			target_says(f, text);
		}
		ignore_sent(f);
	}
	assert_int_equal(stream(f)->dropped[DROP_LIMIT].bytes, 0);
	assert_int_equal(stream(f)->delivered.bytes, stream(f)->captured.bytes);
	assert_true(account_of(f, 1)->stream.dropped[DROP_LIMIT].bytes > 0);
	fixture_free(f);
}

/* What a shed client says next goes to a connection of its own, and nothing of before comes there. */
static void shed_client_is_copied_again_once_there_is_room(void **state)
{
	struct fixture *f = fixture_new(&small);
	uint32_t at[2] = {1, 1};

	(void)state;
	connect_client(f, 0);
	connect_client(f, 1);
	while (!dropped(f, DROP_LIMIT)) {
		say(f, 0, &at[0], PIECE);
		say(f, 1, &at[1], PIECE / 2);
	}
	be_client(f, 0);
	client_data(f, at[0], 301, "GET /1");
	expect_nothing(f);
	pass_ms(f, 10);
	client_data(f, at[0] + 6, 601, "GET /2"); /* not half of the memory is used */
	expect_segment(f, "S 0:0(0)");
	f->at = f->faked_count - 1;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /2");
	assert_int_equal(account_of(f, 0)->sessions.rejoined, 1);
	assert_int_equal(dropped(f, DROP_LIMIT), at[0] - 1 + 6);
	fixture_free(f);
}

/*
 * Two backlogs share all chunks of payload, and one of them goes: half of the memory is free, but in no chunk that a
 * table could have instead. The other one makes room for those that come.
 */
static void half_empty_chunks_keep_nobody_out(void **state)
{
	struct fixture *f = fixture_new(&small);
	uint32_t at[2] = {1, 1};

	(void)state;
	connect_client(f, 0);
	connect_client(f, 1);
	while (at[0] < LIMIT_BYTES / 100 * 45) {
		say(f, 0, &at[0], SEGMENT_BLOCK_BYTES);
		say(f, 1, &at[1], SEGMENT_BLOCK_BYTES);
	}
	f->at = 0;
	target_says(f, "R. 1:1(0) ack 1");
	assert_true(replay_memory(f->replay) > LIMIT_BYTES / 100 * 90);
	for (unsigned n = 2; n < 4000; n++)
		connect_client(f, n);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_LIMIT], 0);
	assert_int_equal(dropped(f, DROP_LIMIT), at[1] - 1);
	assert_int_equal(fixture_registered(f), 3998);
	fixture_free(f);
}

/* A flood of holes, a byte each: what they cost is more than the bytes. */
static void holes_count_as_what_they_cost(void **state)
{
	struct fixture *f = fixture_new(&small);
	char text[64];

	(void)state;
	for (unsigned n = 0; n < 100; n++) {
		connect_client(f, n);
		for (unsigned i = 0; i < 200; i++) {
			snprintf(text, sizeof(text), "P. %u:%u(1) ack 1", 3000 + i * 3000,
				 3001 + i * 3000);
			client_says(f, text);
			assert_true(replay_memory(f->replay) <= LIMIT_BYTES);
		}
	}
	ignore_sent(f);
	assert_true(fixture_registered(f) < 100);
	assert_true(fixture_registered(f) > 50);
	fixture_free(f);
}

/* A connection whose tuple is refused so many times, in the end for good; what is held when all of it is forgotten. */
static size_t memory_after_refusals(struct fixture *f, unsigned refusals)
{
	client_says(f, "S 0:0(0) <mss 1460>");
	for (unsigned i = 0; i < refusals && f->faked[f->at].is_registered; i++) {
		replay_on_register_refused(f->replay, f->faked[f->at].id, f->now_us);
		end_batch(f);
	}
	target_says(f, "R. 0:0(0) ack 1");
	client_says(f, "R 1:1(0)");
	pass_ms(f, 5000);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(replay_connections(f->replay), 0);
	ignore_sent(f);
	return replay_memory(f->replay);
}

static void refused_registrations_cost_no_port(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.pool_first = "10.20.0.1", .pool_last = "10.20.0.1"});
	size_t after_one = memory_after_refusals(f, 1);

	(void)state;
	assert_int_equal(memory_after_refusals(f, 600), after_one);
	fixture_free(f);
}

/* -j: workers share the addresses, and each has ports that no other takes. */
static void faked_ports_stay_in_the_slice_of_the_worker(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.pool_first = "10.20.0.1",
								 .pool_last = "10.20.0.1",
								 .first_port = 20000,
								 .last_port = 20003});

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	end_batch(f);
	for (size_t i = 3; i < 5; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	assert_int_equal(f->faked_count, 5); /* with the tuple that was refused */
	for (size_t i = 0; i < f->faked_count; i++)
		assert_in_range(f->faked[i].response.dst.port, 20000, 20003);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_NO_TUPLE], 1);
	ignore_sent(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_tenth_of_the_memory_is_not_for_new_connections),
		cmocka_unit_test(what_is_not_followed_costs_nothing_and_is_counted),
		cmocka_unit_test(what_was_not_followed_is_joined_later),
		cmocka_unit_test(largest_backlog_goes_not_the_one_that_asks),
		cmocka_unit_test(newest_go_where_all_are_small),
		cmocka_unit_test(copy_to_the_target_that_reads_is_kept),
		cmocka_unit_test(shed_client_is_copied_again_once_there_is_room),
		cmocka_unit_test(half_empty_chunks_keep_nobody_out),
		cmocka_unit_test(holes_count_as_what_they_cost),
		cmocka_unit_test(refused_registrations_cost_no_port),
		cmocka_unit_test(faked_ports_stay_in_the_slice_of_the_worker),
	};

	return cmocka_run_group_tests_name("replay, limits", tests, NULL, NULL);
}
