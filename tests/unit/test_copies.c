/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_copies.c - several copies of each connection (-n): tuples, lags, what is shared and what is each
 * copy's own; and where the faked client's address comes from (-H, -f).
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/session.h"

enum {
	COPIES = 3,
	TICK_US = 1024, /* of the timer wheel: what is due comes up to two later */
	TURNS = 20,
};

static struct fixture *copies_new(unsigned copies)
{
	return fixture_new(&(struct fixture_config){
		.pool_first = "10.20.0.1", .pool_last = "10.20.0.254", .copies = copies});
}

static int copies_setup(void **state)
{
	*state = copies_new(COPIES);
	return 0;
}

#define copies_test(name) cmocka_unit_test_setup_teardown(name, copies_setup, fixture_teardown)

static uint64_t lag_us(size_t copy)
{
	return copy * SESSION_LAG_US;
}

/* The next segment reads so, is this copy's, and comes its lag after since_us. */
static void expect_of_copy(struct fixture *f, size_t copy, const char *text, uint64_t since_us)
{
	const struct sent *s = expect_segment(f, text);

	assert_int_equal(s->faked, copy);
	assert_in_range(s->at_us, since_us + lag_us(copy),
			since_us + lag_us(copy) + (copy ? 2 * TICK_US : 0));
}

static void expect_of_all(struct fixture *f, const char *text, uint64_t since_us)
{
	pass_ms(f, 6);
	for (size_t copy = 0; copy < COPIES; copy++)
		expect_of_copy(f, copy, text, since_us);
	expect_nothing(f);
}

/* The target says the same to all copies. */
static void target_says_to_all(struct fixture *f, const char *text)
{
	for (f->at = 0; f->at < COPIES; f->at++)
		target_says(f, text);
}

static void copies_established(struct fixture *f)
{
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_of_all(f, "S 0:0(0)", f->now_us);
	server_says(f, "S. 0:0(0) ack 1");
	client_says(f, ". 1:1(0) ack 1");
	target_says_to_all(f, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
	for (size_t copy = 0; copy < COPIES; copy++)
		expect_segment(f, ". 1:1(0) ack 1");
	expect_nothing(f);
}

static void each_copy_has_a_tuple_of_its_own_and_says_its_syn_a_lag_later(void **state)
{
	struct fixture *f = *state;
	uint64_t at = f->now_us;

	client_says(f, "S 0:0(0) <mss 1460>");
	assert_int_equal(fixture_registered(f), COPIES); /* tuples differ: fixture_register */
	expect_of_all(f, "S 0:0(0)", at);
	assert_int_equal(account_of(f, 0)->sessions.started, COPIES);
}

static void copies_of_one_client_have_different_addresses(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:0(0)");
	assert_false(ip_addr_equal(&f->faked[0].response.dst.addr, &f->faked[1].response.dst.addr));
	assert_int_equal(f->faked[0].response.dst.port, 40000); /* the first keeps its port */
	pass_ms(f, 5);
}

/* Another connection of the same client: every copy is where it was, a port further. */
static void copies_are_sticky(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:0(0)");
	f->client = "10.9.0.1:40001";
	client_says(f, "S 0:0(0)");
	for (size_t copy = 0; copy < COPIES; copy++) {
		const struct endpoint *a = &f->faked[copy].response.dst;
		const struct endpoint *b = &f->faked[COPIES + copy].response.dst;

		assert_true(ip_addr_equal(&a->addr, &b->addr));
		assert_int_equal(b->port, a->port + 1);
	}
	pass_ms(f, 5);
}

/* A closed loop against a target as fast as online: the last turn lags as the first did. */
static void lag_is_the_same_at_every_turn(void **state)
{
	struct fixture *f = *state;
	uint32_t said = 1, answered = 1;
	char text[64];

	copies_established(f);
	for (int turn = 0; turn < TURNS; turn++) {
		client_bytes(f, said, answered, 100);
		snprintf(text, sizeof(text), "P. %u:%u(100) ack %u", said, said + 100, answered);
		expect_of_all(f, text, f->now_us);
		said += 100;
		snprintf(text, sizeof(text), "P. %u:%u(50) ack %u", answered, answered + 50, said);
		target_says_to_all(f, text);
		answered += 50;
		expect_nothing(f);
	}
	assert_int_equal(stream(f)->delivered.requests, TURNS * COPIES);
}

/* Its target was slow: whoever is late already is not made later. */
static void lag_is_not_added_to_a_late_answer(void **state)
{
	struct fixture *f = *state;
	uint64_t at;

	copies_established(f);
	client_bytes(f, 1, 1, 100);
	expect_of_all(f, "P. 1:101(100) ack 1", f->now_us);
	client_bytes(f, 101, 51, 100);
	pass_in_silence(f, 20);
	at = f->now_us;
	for (f->at = COPIES; f->at-- > 0;) {
		target_says(f, "P. 1:51(50) ack 101");
		assert_int_equal(expect_segment(f, "P. 101:201(100) ack 51")->at_us, at);
	}
}

static void end_keeps_the_lag(void **state)
{
	struct fixture *f = *state;

	copies_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	expect_of_all(f, "F. 1:1(0) ack 1", f->now_us);
	target_says_to_all(f, "F. 1:1(0) ack 2");
}

/* The client ends without an answer: nor shall the copy's answer, which comes before its lag is over, hold the end. */
static void end_behind_a_request_goes_with_it(void **state)
{
	struct fixture *f = *state;

	copies_established(f);
	client_bytes(f, 1, 1, 100);
	expect_of_all(f, "P. 1:101(100) ack 1", f->now_us);
	client_bytes(f, 101, 1, 100); /* more of the same request */
	client_says(f, "F. 201:201(0) ack 1");
	for (size_t copy = 0; copy < COPIES; copy++)
		expect_segment(f, "P. 101:201(100) ack 1");
	for (size_t copy = 0; copy < COPIES; copy++)
		expect_segment(f, "F. 201:201(0) ack 1");
	expect_nothing(f);
}

static void joined_copies_lag_too(void **state)
{
	struct fixture *f = *state;
	uint64_t at;

	client_data(f, 1, 1, "GET /1");
	expect_nothing(f);
	pass_in_silence(f, 10);
	client_data(f, 7, 301, "GET /2");
	at = f->now_us;
	expect_of_all(f, "S 0:0(0)", at);
	assert_int_equal(account_of(f, 0)->sessions.joined, COPIES);
}

static void captured_counts_once_a_copy(void **state)
{
	struct fixture *f = *state;
	const struct ledger *l = replay_ledger(f->replay);

	copies_established(f);
	client_bytes(f, 1, 1, 100);
	expect_of_all(f, "P. 1:101(100) ack 1", f->now_us);
	f->at = 1;
	target_says(f, ". 1:1(0) ack 101");
	f->at = 2;
	target_says(f, "R. 1:1(0) ack 101");
	assert_int_equal(stream(f)->captured.requests, COPIES);
	assert_int_equal(stream(f)->captured.bytes, 100 * COPIES);
	for (size_t copy = 0; copy < COPIES; copy++) {
		struct ledger_copy c = ledger_copy_of(l, 0, copy);

		assert_int_equal(c.captured.bytes, 100);
		assert_int_equal(c.captured.requests, 1);
		assert_int_equal(c.delivered.bytes, copy == 1 ? 100 : 0);
		assert_int_equal(c.delivered.requests, copy == 1);
		assert_int_equal(c.dropped.bytes, copy == 2 ? 100 : 0);
		assert_int_equal(c.dropped.requests, copy == 2);
	}
}

static void copy_that_is_reset_holds_no_other(void **state)
{
	struct fixture *f = *state;

	copies_established(f);
	f->at = 0;
	target_says(f, "R. 1:1(0) ack 1");
	client_bytes(f, 1, 1, 100);
	pass_ms(f, 6);
	expect_segment(f, "S 0:0(0)"); /* nothing was said yet: it begins again */
	assert_int_equal(expect_segment(f, "P. 1:101(100) ack 1")->faked, 1);
	assert_int_equal(expect_segment(f, "P. 1:101(100) ack 1")->faked, 2);
	expect_nothing(f);
}

/* Payload, which is held until all copies have delivered it. */
static size_t memory_of_a_megabyte(unsigned copies)
{
	struct fixture *f = copies_new(copies);
	size_t before, memory;

	client_says(f, "S 0:0(0) <mss 1460>");
	pass_ms(f, 100);
	before = replay_memory(f->replay);
	for (uint32_t at = 1; at < 1 << 20; at += 1 << 15)
		client_bytes(f, at, 1, 1 << 15);
	memory = replay_memory(f->replay) - before;
	ignore_sent(f);
	fixture_free(f);
	return memory;
}

static void payload_is_held_once(void **state)
{
	(void)state;
	assert_in_range(memory_of_a_megabyte(1), 1 << 20, 3 << 19);
	assert_int_equal(memory_of_a_megabyte(100), memory_of_a_megabyte(1));
}

static void all_copies_follow_within_50_ms_however_many(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.pool_first = "10.20.0.1", .pool_last = "10.20.0.1", .copies = COPIES_MAX});
	uint64_t at = f->now_us, last = at;
	size_t in_a_row = 0;

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	pass_ms(f, 55);
	assert_int_equal(f->sent_count, COPIES_MAX); /* 1,023 tuples of one address */
	for (size_t copy = 0; copy < COPIES_MAX; copy++) {
		const struct sent *s = expect_segment(f, "S 0:0(0)");

		in_a_row = s->at_us == last ? in_a_row + 1 : 1;
		assert_in_range(in_a_row, 1, 50);
		last = s->at_us;
	}
	assert_in_range(last, at + 45000, at + SESSION_LAG_MAX_US + 2 * TICK_US);
	fixture_free(f);
}

/* All copies of a connection or none: nobody else would hold the account of its bytes. */
static void connection_without_room_for_all_copies_is_shed(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.copies = COPIES, .max_sessions = 5});

	(void)state;
	client_says(f, "S 0:0(0)");
	f->client = "10.9.0.2:40000";
	client_says(f, "S 0:0(0)");
	assert_int_equal(fixture_registered(f), COPIES);
	client_data(f, 1, 1, "GET /");
	assert_int_equal(stream(f)->captured.bytes, 5 * COPIES);
	assert_int_equal(stream(f)->dropped[DROP_LIMIT].bytes, 5 * COPIES);
	assert_int_equal(ledger_copy_of(replay_ledger(f->replay), 0, COPIES - 1).dropped.bytes, 5);
	pass_ms(f, 5);
	fixture_free(f);
}

/* A SYN flood costs as many sessions as without copies, so a quarter of the connections. */
static void half_open_budget_counts_sessions(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.copies = 4, .max_sessions = 16384});

	(void)state;
	f->mute = true;
	for (unsigned n = 0; n < 1100; n++) {
		be_client(f, n);
		client_says(f, "S 0:0(0)");
	}
	assert_int_equal(fixture_registered(f), 1024 * 4);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_LIMIT], (1100 - 1024) * 4);
	pass_ms(f, 10);
	fixture_free(f);
}

static void what_is_left_out_counts_once_a_copy(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.copies = COPIES, .sample_ppm = 1});

	(void)state;
	client_says(f, "S 0:0(0)");
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_SAMPLED_OUT], COPIES);
	assert_int_equal(stream(f)->dropped[DROP_SAMPLED_OUT].bytes, 5 * COPIES);
	fixture_free(f);
}

/* --rate counts sessions: a connection of three copies takes three of ten in a second, and comes whole or not at all. */
static void rate_counts_copies(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.copies = COPIES, .rate_per_s = 10});

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		be_client(f, n);
		client_says(f, "S 0:0(0)");
		pass_ms(f, n ? 400 : 20);
	}
	assert_int_equal(fixture_registered(f), 2 * COPIES);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_RATE], COPIES);
	fixture_free(f);
}

/* ---- the last tuple ---- */

struct crowd {
	uint64_t registered;
	uint64_t syns;
};

static int crowd_emit(void *ctx, const struct segment *seg)
{
	((struct crowd *)ctx)->syns += seg->flags == TCP_SYN;
	return 0;
}

static void crowd_register(void *ctx, uint32_t id, const struct tuple *response)
{
	(void)id, (void)response;
	((struct crowd *)ctx)->registered++;
}

static void crowd_unregister(void *ctx, uint32_t id)
{
	(void)id;
	((struct crowd *)ctx)->registered--;
}

static void crowd_urgency(void *ctx, bool urgent)
{
	(void)ctx, (void)urgent;
}

static void crowd_notice(void *ctx, enum replay_notice notice, size_t target)
{
	(void)ctx, (void)notice, (void)target;
}

static void crowd_says(struct replay *r, unsigned client, const char *flags, uint32_t seq,
		       uint64_t now_us)
{
	char src[32];
	struct built_frame frame;

	snprintf(src, sizeof(src), "10.9.0.%u:40000", client);
	frame = build_frame(
		&(struct frame_spec){.src = src, .dst = "10.0.0.2:80", .flags = flags, .seq = seq});
	replay_on_frame(r, frame.link_type, frame.data, frame.len_bytes, frame.len_bytes, now_us);
	built_frame_free(&frame);
}

/* 63 connections of 1,023 copies and 63 copies of another fill one address; the rest is shed and counted. */
static void address_is_used_to_its_last_port(void **state)
{
	static const struct replay_effects effects = {
		.emit = crowd_emit,
		.register_session = crowd_register,
		.unregister_session = crowd_unregister,
		.urgency = crowd_urgency,
		.notice = crowd_notice,
	};
	struct crowd crowd = {0};
	struct transfer transfer = transfer_of("10.0.0.2:80-10.1.0.1:8080");
	struct addr_range pool = {addr_of("10.20.0.1"), addr_of("10.20.0.1")};
	struct replay_config config = {
		.transfers = &transfer,
		.transfer_count = 1,
		.client_pool = &pool,
		.client_pool_count = 1,
		.key = {1, 2},
		.copies = COPIES_MAX,
		.give_up_us = 600000000,
		.keep_alive_us = 600000000,
		.max_memory_bytes = 256 << 20,
		.max_sessions = 1 << 17,
		.online_mtu_bytes = 1500,
	};
	struct replay *r = replay_new(&config, &effects, &crowd, 1000);
	const struct ledger_sessions *count;

	(void)state;
	assert_non_null(r);
	count = &replay_ledger(r)->targets[0].sessions;
	replay_on_links(r, 1, 1000);
	for (unsigned client = 1; client <= 64; client++) {
		crowd_says(r, client, "S", 1000, 1000);
		crowd_says(r, client, ".", 1001, 1000); /* half-open no more */
		replay_end_batch(r, 1000);
	}
	assert_int_equal(crowd.registered, 64512);
	assert_int_equal(count->active, 64512);
	assert_int_equal(count->not_started[DROP_NO_TUPLE], 64 * COPIES_MAX - 64512);
	replay_on_time(r, 100000);
	replay_end_batch(r, 100000);
	assert_int_equal(crowd.syns, 64512);
	replay_shutdown(r, 100000);
	assert_int_equal(crowd.registered, 0);
	replay_free(r);
}

/* ---- -H, -f ---- */

static const struct endpoint *faked_of_loopback(struct fixture *f, const char *server)
{
	f->client = "127.0.0.1:40000";
	f->server = server;
	client_says(f, "S 0:0(0)");
	return f->faked_count ? &f->faked[f->faked_count - 1].response.dst : NULL;
}

static void loopback_client_gets_the_address_that_was_given_for_it(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"127.0.0.1:80-10.1.0.1:8080"}, .localhost = "10.30.0.7"});
	struct endpoint want = endpoint_of("10.30.0.7:40000");

	(void)state;
	assert_true(endpoint_equal(faked_of_loopback(f, "127.0.0.1:80"), &want));
	fixture_free(f);
}

/* Nothing that it could answer may go to the target. */
static void loopback_client_without_one_is_shed(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.transfers = {"127.0.0.1:80-10.1.0.1:8080"}});

	(void)state;
	assert_null(faked_of_loopback(f, "127.0.0.1:80"));
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_NO_ADDRESS], 1);
	fixture_free(f);
}

/* Its own kernel has the client, and would answer the target with RST. */
static void loopback_client_of_a_target_on_loopback_needs_one_too(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.transfers = {"127.0.0.1:80-127.0.0.1:8080"}});

	(void)state;
	assert_null(faked_of_loopback(f, "127.0.0.1:80"));
	fixture_free(f);
}

static void other_clients_keep_theirs(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.localhost = "10.30.0.7"});
	struct endpoint want = endpoint_of("10.9.0.1:40000");

	(void)state;
	client_says(f, "S 0:0(0)");
	assert_true(endpoint_equal(&f->faked[0].response.dst, &want));
	fixture_free(f);
}

/* A refused registration: the next tuple is of the same address. */
static void loopback_client_keeps_it_when_its_tuple_is_refused(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"127.0.0.1:80-10.1.0.1:8080"}, .localhost = "10.30.0.7"});
	struct ip_addr want = addr_of("10.30.0.7");

	(void)state;
	faked_of_loopback(f, "127.0.0.1:80");
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	end_batch(f);
	assert_int_equal(f->faked_count, 2);
	assert_true(ip_addr_equal(&f->faked[1].response.dst.addr, &want));
	fixture_free(f);
}

static const char *const mixed_sources[4] = {"127.0.0.1:80-10.1.0.1:8080",
					     "10.0.0.2:80-10.1.0.1:8080"};

/* So the target tells local clients from the rest. Without -H they are mapped like these. */
static void loopback_client_gets_it_beside_a_pool(void **state)
{
	struct fixture_config config = {
		.pool_first = "10.20.0.1", .pool_last = "10.20.0.1", .localhost = "10.30.0.7"};
	struct endpoint want = endpoint_of("10.30.0.7:40000");
	struct fixture *f;

	(void)state;
	memcpy(config.transfers, mixed_sources, sizeof(mixed_sources));
	f = fixture_new(&config);
	assert_true(endpoint_equal(faked_of_loopback(f, "127.0.0.1:80"), &want));
	f->client = "10.30.0.8:40000";
	f->server = "10.0.0.2:80";
	client_says(f, "S 0:0(0)");
	want = endpoint_of("10.20.0.1:40000");
	assert_true(endpoint_equal(&f->faked[1].response.dst, &want));
	fixture_free(f);

	config.localhost = NULL;
	f = fixture_new(&config);
	assert_true(endpoint_equal(faked_of_loopback(f, "127.0.0.1:80"), &want));
	fixture_free(f);
}

static void shift_moves_the_port(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.port_shift = 1});
	struct endpoint want = endpoint_of("10.9.0.1:7744"); /* half of 64,512 further, around */

	(void)state;
	client_says(f, "S 0:0(0)");
	assert_true(endpoint_equal(&f->faked[0].response.dst, &want));
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		copies_test(each_copy_has_a_tuple_of_its_own_and_says_its_syn_a_lag_later),
		copies_test(copies_of_one_client_have_different_addresses),
		copies_test(copies_are_sticky),
		copies_test(lag_is_the_same_at_every_turn),
		copies_test(lag_is_not_added_to_a_late_answer),
		copies_test(end_keeps_the_lag),
		copies_test(end_behind_a_request_goes_with_it),
		copies_test(joined_copies_lag_too),
		copies_test(captured_counts_once_a_copy),
		copies_test(copy_that_is_reset_holds_no_other),
		cmocka_unit_test(payload_is_held_once),
		cmocka_unit_test(all_copies_follow_within_50_ms_however_many),
		cmocka_unit_test(connection_without_room_for_all_copies_is_shed),
		cmocka_unit_test(half_open_budget_counts_sessions),
		cmocka_unit_test(what_is_left_out_counts_once_a_copy),
		cmocka_unit_test(rate_counts_copies),
		cmocka_unit_test(address_is_used_to_its_last_port),
		cmocka_unit_test(loopback_client_gets_the_address_that_was_given_for_it),
		cmocka_unit_test(loopback_client_without_one_is_shed),
		cmocka_unit_test(loopback_client_of_a_target_on_loopback_needs_one_too),
		cmocka_unit_test(other_clients_keep_theirs),
		cmocka_unit_test(loopback_client_keeps_it_when_its_tuple_is_refused),
		cmocka_unit_test(loopback_client_gets_it_beside_a_pool),
		cmocka_unit_test(shift_moves_the_port),
	};

	return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
