/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay.c - the data path as a whole: several transfers, registration, limits, urgency,
 * memory, and the known faults of such programs by their numbers. The long random
 * runs are in test_replay_random.c, the circuit breaker in test_replay_pauses.c.
 */
#include "tests/unit/replay_fixture.h"

static size_t notices(const struct fixture *f, enum replay_notice which)
{
	size_t n = 0;

	for (size_t i = 0; i < f->notice_count; i++)
		n += f->notices[i] == which;
	return n;
}

/* So many clients send a SYN each. */
static void clients_connect(struct fixture *f, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		be_client(f, i);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
}

/* ---- transfers and tuples ---- */

static void one_source_goes_to_two_targets(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:9090"}});
	struct endpoint targets[2] = {endpoint_of("10.1.0.1:8080"), endpoint_of("10.1.0.2:9090")};

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_segment(f, "S 0:0(0)");
	expect_segment(f, "S 0:0(0)");
	assert_int_equal(f->faked_count, 2);
	for (f->at = 0; f->at < 2; f->at++) {
		assert_true(endpoint_equal(&f->faked[f->at].response.src, &targets[f->at]));
		target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
		expect_segment(f, ". 1:1(0) ack 1");
	}
	client_data(f, 1, 1, "GET /");
	assert_int_not_equal(expect_segment(f, "P. 1:6(5) ack 1")->faked,
			     expect_segment(f, "P. 1:6(5) ack 1")->faked);
	f->at = 0;
	target_says(f, "R. 1:1(0) ack 1"); /* the end of one leaves the other alone */
	client_data(f, 6, 1, "more");
	assert_int_equal(expect_segment(f, "P. 6:10(4) ack 1")->faked, 1);
	expect_nothing(f);
	f->at = 1;
	target_says(f, ". 1:1(0) ack 10");
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_TARGET_RESET].bytes, 9);
	assert_int_equal(account_of(f, 1)->stream.delivered.bytes, 9);
	fixture_free(f);
}

static void one_target_may_hold_the_bytes_that_another_has_long_had(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:9090"}});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	ignore_sent(f);
	f->at = 0;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	client_bytes(f, 1, 1, 3000);
	target_says(f, ". 1:1(0) ack 3001");
	client_bytes(f, 3001, 1, 100); /* the same turn, but one of the two is past it */
	target_says(f, ". 1:1(0) ack 3101");
	client_bytes(f, 3101, 301, 50);
	ignore_sent(f);
	f->at = 1;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, ". 1461:2921(1460) ack 1");
	expect_segment(f, "P. 2921:3101(180) ack 1");
	expect_pattern(f, 2920);
	expect_nothing(f);
	target_says(f, "P. 1:301(300) ack 3101");
	expect_segment(f, "P. 3101:3151(50) ack 301");
	expect_pattern(f, 3100);
	assert_int_equal(account_of(f, 0)->stream.delivered.requests, 1);
	assert_int_equal(account_of(f, 1)->stream.delivered.requests, 1);
	fixture_free(f);
}

static void pitfall_21_two_online_ports_never_merge(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:81-10.1.0.1:8080"},
		.pool_first = "10.20.30.1",
		.pool_last = "10.20.30.1"});

	(void)state;
	session_established(f);
	f->server = "10.0.0.2:81";
	f->client_isn = 5; /* the same client address and port */
	session_established(f);
	assert_int_equal(fixture_registered(f), 2);
	client_data(f, 1, 1, "to 81");
	assert_int_equal(expect_segment(f, "P. 1:6(5) ack 1")->faked, 1);
	expect_payload(f, "to 81");
	f->server = "10.0.0.2:80";
	f->client_isn = 1000;
	client_data(f, 1, 1, "to 80");
	assert_int_equal(expect_segment(f, "P. 1:6(5) ack 1")->faked, 0);
	expect_payload(f, "to 80");
	expect_nothing(f);
	fixture_free(f);
}

/* The fixture asserts that no two live registrations share a tuple or an id. */
static void pitfall_21_many_clients_on_one_address_never_share_a_tuple(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.pool_first = "10.20.30.1", .pool_last = "10.20.30.1"});
	struct ip_addr faked = addr_of("10.20.30.1");

	(void)state;
	clients_connect(f, 0, 600);
	assert_int_equal(fixture_registered(f), 600);
	for (size_t i = 0; i < f->faked_count; i++)
		assert_true(ip_addr_equal(&f->faked[i].response.dst.addr, &faked));
	fixture_free(f);
}

/* ---- registration ---- */

/* fixture_emit asserts it of every segment; here that the fixture would notice. */
static void registration_precedes_the_syn(void **state)
{
	struct fixture *f = *state;

	f->hold = true;
	client_says(f, "S 0:0(0) <mss 1460>");
	assert_int_equal(f->faked_count, 1);
	assert_true(f->faked[0].is_registered);
	expect_nothing(f);
	f->hold = false;
	end_batch(f);
	expect_segment(f, "S 0:0(0)");
}

static void refused_registration_takes_another_tuple(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	end_batch(f);
	assert_int_equal(f->faked_count, 2);
	assert_false(f->faked[0].is_registered);
	assert_int_not_equal(f->faked[0].id, f->faked[1].id);
	assert_false(tuple_equal(&f->faked[0].response, &f->faked[1].response));
	assert_int_equal(expect_segment(f, "S 0:0(0)")->faked, 1);
	expect_nothing(f);
	f->at = 0;
	target_says(f, "R. 0:0(0) ack 1"); /* the other's answer is not ours */
	f->at = 1;
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	assert_int_equal(account_of(f, 0)->traffic.register_refused, 1);
	assert_int_equal(account_of(f, 0)->sessions.active, 1);
}

static void syn_after_a_refusal_is_repeated_too(void **state)
{
	struct fixture *f = *state;
	uint64_t at;

	session_syn_sent(f);
	pass_ms(f, 500);
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	end_batch(f);
	at = expect_segment(f, "S 0:0(0)")->at_us;
	pass_ms(f, 1100);
	assert_in_range(expect_segment(f, "S 0:0(0)")->at_us, at + 1000000, at + 1003000);
	expect_nothing(f);
}

static void round_trip_after_a_refusal_is_timed_from_the_new_syn(void **state)
{
	struct fixture *f = *state;
	uint64_t at;

	session_syn_sent(f);
	pass_ms(f, 500);
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	end_batch(f);
	expect_segment(f, "S 0:0(0)");
	pass_ms(f, 10);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	at = expect_segment(f, "P. 1:6(5) ack 1")->at_us;
	pass_ms(f, 250);
	assert_in_range(expect_segment(f, "P. 1:6(5) ack 1")->at_us - at, 200000, 203000);
}

static void refuse_newest(struct fixture *f)
{
	replay_on_register_refused(f->replay, f->faked[f->faked_count - 1].id, f->now_us);
	end_batch(f);
}

/* The second time the SYN waits for one, so that a pool that is all another's costs no SYN each round trip. */
static void refusals_may_come_in_a_row(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	refuse_newest(f);
	assert_int_equal(expect_segment(f, "S 0:0(0)")->faked, 1);
	for (size_t i = 2; i < 16; i++) {
		refuse_newest(f);
		pass_in_silence(f, 9);
	}
	refuse_newest(f);
	pass_ms(f, 12);
	assert_int_equal(expect_segment(f, "S 0:0(0)")->faked, 16);
	replay_on_register_refused(f->replay, f->faked[3].id, f->now_us); /* late: nobody's */
	end_batch(f);
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 1);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
}

static void tuples_that_are_all_anothers_end_the_session_without_a_word(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	for (size_t i = 0; i < 16; i++)
		refuse_newest(f);
	expect_segment(f, "S 0:0(0)"); /* the second */
	pass_ms(f, 12);
	expect_segment(f, "S 0:0(0)"); /* the last, which is refused late */
	refuse_newest(f);
	pass_in_silence(f, 500); /* a RST might hit the other's connection */
	assert_int_equal(f->faked_count, 17);
	assert_int_equal(fixture_registered(f), 0);
	client_data(f, 1, 1, "GET /");
	assert_int_equal(stream(f)->dropped[DROP_NO_TUPLE].bytes, 5);
}

/* Intercept came back and another was faster: what is in flight is in doubt, what is not goes on. */
static void refusal_of_a_live_session_ends_its_connection(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	refuse_newest(f);
	expect_segment(f, "R. 1:1(0) ack 1"); /* numbers that no other's connection expects */
	expect_segment(f, "R. 6:6(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(stream(f)->dropped[DROP_NO_TUPLE].bytes, 5);
}

static void what_was_not_said_goes_on_after_the_refusal_of_a_live_session(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	client_data(f, 7, 301, "GET /2"); /* its gate is closed */
	refuse_newest(f);
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_segment(f, "R. 7:7(0) ack 1");
	expect_segment(f, "S 0:0(0)");
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "GET /2");
	assert_int_equal(stream(f)->dropped[DROP_NO_TUPLE].requests, 1);
	assert_int_equal(account_of(f, 0)->sessions.rejoined, 1);
}

static void refusal_in_time_wait(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	target_says(f, "F. 1:1(0) ack 2");
	ignore_sent(f);
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	end_batch(f);
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
}

struct visit {
	uint32_t ids[64];
	struct tuple responses[64];
	size_t count;
};

static void visit_one(void *ctx, uint32_t id, const struct tuple *response)
{
	struct visit *v = ctx;

	assert_in_range(v->count, 0, 63);
	v->responses[v->count] = *response;
	v->ids[v->count++] = id;
}

static void each_session_is_visited_once_whatever_the_steps(void **state)
{
	struct fixture *f = *state;

	clients_connect(f, 0, 40);
	for (size_t i = 0; i < 40; i += 3) { /* holes */
		f->at = i;
		target_says(f, "R. 0:0(0) ack 1");
	}
	for (size_t step = 1; step <= 64; step *= 4) {
		struct visit v = {.count = 0};
		uint32_t cursor = 0;
		size_t calls = 0, before;

		do {
			before = v.count;
			assert_in_range(++calls, 1, 1000);
			if (!replay_each_session(f->replay, &cursor, step, visit_one, &v))
				break;
			assert_in_range(v.count - before, 1, step);
		} while (true);
		assert_int_equal(v.count, fixture_registered(f));
		for (size_t i = 0; i < v.count; i++) {
			size_t found = 0;

			for (size_t k = 0; k < f->faked_count; k++)
				found += f->faked[k].is_registered && f->faked[k].id == v.ids[i] &&
					 tuple_equal(&f->faked[k].response, &v.responses[i]);
			assert_int_equal(found, 1);
		}
	}
}

/* ---- limits ---- */

static void sessions_beyond_the_limit_are_shed_and_counted(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.max_sessions = 4});

	(void)state;
	clients_connect(f, 0, 6);
	assert_int_equal(fixture_registered(f), 4);
	assert_int_equal(notices(f, REPLAY_NOTICE_TABLE_FULL), 1);
	client_data(f, 1, 1, "GET /");
	assert_int_equal(stream(f)->captured.bytes, 5);
	assert_int_equal(stream(f)->dropped[DROP_LIMIT].bytes, 5);
	fixture_free(f);
}

static void sessions_in_time_wait_use_up_the_limit_and_bytes_are_still_counted(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.max_sessions = 4});

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		be_client(f, i);
		session_established(f);
		client_says(f, "F. 1:1(0) ack 1");
		target_says(f, "F. 1:1(0) ack 2");
		ignore_sent(f);
	}
	pass_ms(f, 1500);
	assert_int_equal(replay_connections(f->replay), 0);
	assert_int_equal(fixture_registered(f), 4);
	clients_connect(f, 10, 1);
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_LIMIT].bytes, 5);
	pass_ms(f, 3000);
	clients_connect(f, 11, 1);
	expect_segment(f, "S 0:0(0)");
	fixture_free(f);
}

static void connection_is_copied_to_all_its_targets_or_to_none(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:9090"},
		.max_sessions = 3});

	(void)state;
	clients_connect(f, 0, 2);
	assert_int_equal(fixture_registered(f), 2);
	client_data(f, 1, 1, "GET /");
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(account_of(f, i)->stream.dropped[DROP_LIMIT].bytes, 5);
	fixture_free(f);
}

static void memory_limit_stops_admission_not_the_program(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.max_memory_bytes = 2 << 20});
	struct line l = {.flags = "P.", .seq = 1, .ack = 1, .len_bytes = 65000};

	(void)state;
	clients_connect(f, 0, 1);
	while (l.seq < 3000000) {
		client_packet(f, &l, NULL);
		l.seq += 65000;
		assert_true(replay_memory(f->replay) <= 2 << 20);
	}
	assert_true(stream(f)->dropped[DROP_LIMIT].bytes > 0);
	clients_connect(f, 1, 1);
	assert_int_equal(fixture_registered(f), 1); /* what was shed has made room */
	fixture_free(f);
}

static void turns_without_end_are_bounded_by_the_memory_limit(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.max_memory_bytes = 2 << 20, .whole_only = true});

	(void)state;
	session_syn_sent(f);
	for (uint32_t i = 0; i < 40000; i++) { /* a byte each, none of them answered */
		client_bytes(f, 1 + i, 1 + i, 1);
		assert_true(replay_memory(f->replay) < 2 << 20);
	}
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(stream(f)->captured.bytes, 40000);
	assert_int_equal(stream(f)->dropped[DROP_LIMIT].bytes, 40000);
	fixture_free(f);
}

static void memory_comes_back_when_all_is_over(void **state)
{
	struct fixture *f = *state;
	size_t after_first = 0;
	char text[64];

	for (unsigned round = 0; round < 3; round++) {
		unsigned count = round == 0 ? 1 : 2000;

		clients_connect(f, 0, count);
		for (unsigned i = 0; i < count; i++) {
			be_client(f, i);
			f->at = f->faked_count - count + i;
			client_bytes(f, 1, 1, 3000);
			target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
			target_says(f, ". 1:1(0) ack 3001");
			client_says(f, "F. 3001:3001(0) ack 1");
			target_says(f, "F. 1:1(0) ack 3002");
			ignore_sent(f);
		}
		assert_int_equal(replay_connections(f->replay), count);
		pass_ms(f, 5000);
		assert_int_equal(replay_connections(f->replay), 0);
		assert_int_equal(fixture_registered(f), 0);
		if (round == 0)
			after_first = replay_memory(f->replay);
		f->client_isn += 1000000;
	}
	snprintf(text, sizeof(text), "%zu %zu", replay_memory(f->replay), after_first);
	/* The arrays of chunks may have grown; the chunks themselves are gone. */
	if (replay_memory(f->replay) > after_first + 16384)
		fail_msg("memory did not come back: %s", text);
}

/* ---- urgency ---- */

static void waiting_turn_makes_records_urgent(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 20);
	assert_false(f->urgent);
	client_data(f, 6, 301, "GET 2");
	target_says(f, ". 1:1(0) ack 6");
	assert_false(f->urgent); /* on time, so far */
	pass_ms(f, 100);
	target_says(f, "P. 1:101(100) ack 6");
	assert_true(f->urgent);
	target_says(f, "P. 101:301(200) ack 6");
	assert_true(f->urgent); /* a little longer */
	pass_ms(f, 12);
	assert_false(f->urgent);
	assert_int_equal(f->urgency_changes, 2);
}

/* Nobody is kept from anything by an end that comes late. */
static void waiting_end_makes_nothing_urgent(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_says(f, "F. 6:6(0) ack 301");
	target_says(f, ". 1:1(0) ack 6");
	pass_ms(f, 100);
	target_says(f, "P. 1:101(100) ack 6");
	assert_false(f->urgent);
	assert_int_equal(f->urgency_changes, 0);
}

static void waiting_for_the_window_makes_records_urgent(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 1, 1, 60000);
	assert_false(f->urgent);
	pass_ms(f, 5);
	target_says(f, ". 1:1(0) ack 1461");
	assert_true(f->urgent);
	for (uint32_t ack = 14601; ack <= 60001; ack += 4540) {
		char text[64];

		snprintf(text, sizeof(text), ". 1:1(0) ack %u", ack);
		target_says(f, text);
	}
	target_says(f, ". 1:1(0) ack 60001");
	pass_ms(f, 12);
	assert_false(f->urgent);
}

static void urgency_comes_and_goes_at_most_every_10_ms(void **state)
{
	struct fixture *f = *state;
	size_t before;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	before = f->urgency_changes + 1;
	for (uint32_t i = 0; i < 100; i++) {
		char text[64];

		client_data(f, 6 + i * 5, 3 + i * 2, "GET /");
		pass_ms(f, 5);
		for (uint32_t at = 1 + i * 2; at < 3 + i * 2; at++) { /* late, and no more */
			snprintf(text, sizeof(text), "P. %u:%u(1) ack %u", at, at + 1, 6 + i * 5);
			target_says(f, text);
		}
	}
	assert_int_equal(f->urgency_changes, before);
	assert_true(f->urgent);
}

static void new_link_hears_of_the_urgency(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET 2");
	pass_ms(f, 5);
	target_says(f, ". 1:1(0) ack 6");
	f->urgent = false;
	replay_on_links(f->replay, 2, f->now_us);
	end_batch(f);
	assert_true(f->urgent);
}

static void ended_sessions_leave_no_urgency_behind(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET 2");
	client_says(f, "R 11:11(0)");
	pass_ms(f, 5);
	target_says(f, ". 1:1(0) ack 6");
	assert_true(f->urgent);
	target_says(f, "F. 1:1(0) ack 6");
	pass_ms(f, 20);
	assert_false(f->urgent);
	ignore_sent(f);
	f->client = "10.9.0.2:1";
	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_data(f, 6, 301, "GET 2");
	pass_ms(f, 5);
	target_says(f, ". 1:1(0) ack 6");
	assert_true(f->urgent);
	target_says(f, "R 1:1(0)");
	pass_ms(f, 20);
	assert_false(f->urgent);
}

/* ---- the classic's faults ---- */

static void pitfall_16_answers_do_not_stop_the_retransmission(void **state)
{
	struct fixture *f = *state;
	uint64_t sent_at;
	const struct sent *s;
	bool again = false;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	sent_at = expect_segment(f, "P. 1:6(5) ack 1")->at_us;
	for (unsigned i = 0; i < 30; i++) { /* every 10 ms a record that acknowledges nothing */
		char text[64];

		snprintf(text, sizeof(text), "P. %u:%u(10) ack 1", 1 + i * 10, 11 + i * 10);
		target_says(f, text);
		pass_ms(f, 10);
	}
	while ((s = take_sent(f))) {
		if (!s->len_bytes)
			continue;
		assert_false(again);
		again = true;
		assert_in_range(s->at_us - sent_at, 200000, 203000);
	}
	assert_true(again);
}

static void pitfall_17_lost_syn_and_lost_fin_are_sent_again(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	pass_ms(f, 1010);
	expect_segment(f, "S 0:0(0)");
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 1");
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 1");
	pass_ms(f, 3010);
	expect_segment(f, "F. 1:1(0) ack 1");
	target_says(f, "F. 1:1(0) ack 2");
	expect_segment(f, ". 2:2(0) ack 2");
	pass_ms(f, 10000);
	expect_nothing(f);
}

static void pitfall_18_zero_window_does_not_latch(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	target_says(f, ". 1:1(0) ack 1 win 0");
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 210);
	expect_segment(f, "P. 1:2(1) ack 1");
	pass_ms(f, 60000); /* the update is lost, and so are answers to probes */
	assert_true(f->sent_count > 5);
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 2 win 100");
	expect_segment(f, "P. 2:6(4) ack 1");
	expect_payload(f, "ET /");
}

static void pitfall_19_blind_reset_and_impossible_ack_do_no_harm(void **state)
{
	struct fixture *f = *state;
	unsigned seed = 19;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	for (unsigned i = 0; i < 5000; i++) {
		struct wire_record r = record_of(f, 0, "R 1:1(0)");

		r.seq += 1 + (uint32_t)rand_r(&seed) * 2;
		give_record(f, &r);
		r = record_of(f, 0, ". 1:1(0) ack 6");
		r.ack += 1 + (uint32_t)rand_r(&seed) % 0x7fffff00;
		r.seq += (uint32_t)rand_r(&seed);
		give_record(f, &r);
	}
	assert_int_equal(fixture_registered(f), 1);
	assert_int_equal(stream(f)->delivered.bytes, 0);
	ignore_sent(f);
	target_says(f, "P. 1:301(300) ack 6");
	assert_int_equal(stream(f)->delivered.bytes, 5);
}

/* Hashes what is sent and when. */
static void hash_segment(void *ctx, const struct sent *s)
{
	struct hash_key key = {*(uint64_t *)ctx, 7};
	uint64_t words[5] = {s->seq, s->ack, s->flags, s->len_bytes, s->at_us};
	struct tuple tuple = s->tuple;

	*(uint64_t *)ctx = hash_bytes(&key, words, sizeof(words)) ^ tuple_hash(&key, &tuple);
}

static uint64_t trace_of_a_run(uint64_t started_us)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.now_us = started_us});
	uint64_t hash = 1;

	f->on_emit = hash_segment;
	f->on_emit_ctx = &hash;
	clients_connect(f, 0, 5);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	client_data(f, 1, 1, "GET /");
	pass_ms(f, 5000);
	fixture_free(f);
	return hash;
}

/* Nothing but the arguments says what time it is: no step of any clock of the host can matter. */
static void pitfall_20_time_moves_by_arguments_only(void **state)
{
	uint64_t first = trace_of_a_run(1000000000);

	(void)state;
	for (volatile unsigned i = 0; i < 20000000; i++) /* real time passes */
		;
	assert_true(trace_of_a_run(1000000000) == first);
	assert_true(trace_of_a_run(1000000000 + 5000000) != first);
}

static void pitfall_24_unanswered_session_queues_a_bounded_amount(void **state)
{
	struct fixture *f = *state;
	size_t before;

	session_syn_sent(f);
	before = replay_memory(f->replay);
	for (uint32_t i = 0; i < 850; i++) { /* 55 MB */
		client_bytes(f, 1 + i * 65000, 1, 65000);
		assert_true(replay_memory(f->replay) < before + (18 << 20));
	}
	assert_int_equal(stream(f)->captured.bytes, 850 * 65000);
	assert_int_equal(stream(f)->dropped[DROP_BACKLOG].bytes, 850 * 65000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_source_goes_to_two_targets),
		cmocka_unit_test(one_target_may_hold_the_bytes_that_another_has_long_had),
		cmocka_unit_test(pitfall_21_two_online_ports_never_merge),
		cmocka_unit_test(pitfall_21_many_clients_on_one_address_never_share_a_tuple),
		fixture_test(registration_precedes_the_syn),
		fixture_test(refused_registration_takes_another_tuple),
		fixture_test(syn_after_a_refusal_is_repeated_too),
		fixture_test(round_trip_after_a_refusal_is_timed_from_the_new_syn),
		fixture_test(refusals_may_come_in_a_row),
		fixture_test(tuples_that_are_all_anothers_end_the_session_without_a_word),
		fixture_test(refusal_of_a_live_session_ends_its_connection),
		fixture_test(what_was_not_said_goes_on_after_the_refusal_of_a_live_session),
		fixture_test(refusal_in_time_wait),
		fixture_test(each_session_is_visited_once_whatever_the_steps),
		cmocka_unit_test(sessions_beyond_the_limit_are_shed_and_counted),
		cmocka_unit_test(
			sessions_in_time_wait_use_up_the_limit_and_bytes_are_still_counted),
		cmocka_unit_test(connection_is_copied_to_all_its_targets_or_to_none),
		cmocka_unit_test(memory_limit_stops_admission_not_the_program),
		cmocka_unit_test(turns_without_end_are_bounded_by_the_memory_limit),
		fixture_test(memory_comes_back_when_all_is_over),
		fixture_test(waiting_turn_makes_records_urgent),
		fixture_test(waiting_end_makes_nothing_urgent),
		fixture_test(waiting_for_the_window_makes_records_urgent),
		fixture_test(urgency_comes_and_goes_at_most_every_10_ms),
		fixture_test(new_link_hears_of_the_urgency),
		fixture_test(ended_sessions_leave_no_urgency_behind),
		fixture_test(pitfall_16_answers_do_not_stop_the_retransmission),
		fixture_test(pitfall_17_lost_syn_and_lost_fin_are_sent_again),
		fixture_test(pitfall_18_zero_window_does_not_latch),
		fixture_test(pitfall_19_blind_reset_and_impossible_ack_do_no_harm),
		cmocka_unit_test(pitfall_20_time_moves_by_arguments_only),
		fixture_test(pitfall_24_unanswered_session_queues_a_bounded_amount),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
