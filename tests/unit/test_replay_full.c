/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_full.c - something is full while something else happens: the sender while records,
 * refusals and ends come, the table while a port comes back, the memory while a connection begins.
 */
#include "tests/unit/replay_fixture.h"

static struct fixture *full_table(uint32_t sessions)
{
	return fixture_new(&(struct fixture_config){.max_sessions = sessions});
}

/* ---- the sender ---- */

/* The ISS that the first session of a fixture takes. */
static uint32_t first_iss(void)
{
	struct fixture *f = fixture_new(&(struct fixture_config){0});
	uint32_t iss;

	session_syn_sent(f);
	iss = f->faked[0].iss;
	fixture_free(f);
	return iss;
}

static void record_that_guesses_our_number_before_the_syn_is_out(void **state)
{
	static const char *const guesses[] = {"S. 0:0(0) ack 1 win 65535 <mss 1460>",
					      "R. 0:0(0) ack 1", "R. 0:0(0) ack 0",
					      ". 0:0(0) ack 77"};
	struct fixture *f = *state;

	f->emit_room = 0;
	client_says(f, "S 0:0(0) <mss 1460>");
	f->faked[0].iss = first_iss();
	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		target_says(f, guesses[i]);
		assert_int_equal(account_of(f, 0)->traffic.records_ignored, i + 1);
	}
	f->emit_room = -1;
	end_batch(f);
	expect_segment(f, "S 0:0(0)");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.established, 0);
}

static void both_resets_of_a_session_with_data_in_flight_wait_for_the_sender(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	f->emit_room = 0;
	replay_shutdown(f->replay, f->now_us);
	assert_true(replay_is_blocked(f->replay));
	expect_nothing(f);
	f->emit_room = -1;
	end_batch(f);
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_segment(f, "R. 6:6(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
}

static void connection_stays_while_its_reset_waits_for_the_sender(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	f->emit_room = 0;
	client_says(f, "R. 1:1(0) ack 1");
	pass_ms(f, 5000);
	assert_int_equal(fixture_registered(f), 1);
	f->emit_room = -1;
	end_batch(f);
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	pass_ms(f, 5000);
	assert_int_equal(replay_connections(f->replay), 0);
	session_established(f); /* the same client once more */
}

/* The timer of its first 75 s is still set: it fires in the batch in which the session ends. */
static void connection_is_forgotten_in_the_batch_in_which_its_session_ends(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.park_after_us = UINT64_MAX});

	(void)state;
	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 1");
	target_says(f, ". 1:1(0) ack 2");
	pass_ms(f, 74900);
	fixture_forget_sent(f); /* questions whether the target is still there */
	f->hold = true;
	target_says(f, "R. 1:1(0) ack 2");
	f->now_us += 5000000;
	replay_on_time(f->replay, f->now_us);
	assert_int_equal(replay_connections(f->replay), 0);
	assert_int_equal(fixture_registered(f), 1);
	f->hold = false;
	end_batch(f);
	assert_int_equal(fixture_registered(f), 0);
	session_established(f); /* the same client once more */
	fixture_free(f);
}

static void refusal_of_a_session_that_has_ended_begins_nothing(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	f->emit_room = 0;
	client_says(f, "R. 1:1(0) ack 1");
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	end_batch(f);
	assert_int_equal(f->faked_count, 1);
	f->emit_room = -1;
	end_batch(f);
	assert_int_equal(fixture_registered(f), 0);
}

/* A request is out and another waits for its answer, which does not come in time. */
static struct fixture *unanswered(void)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.give_up_us = 5000000});

	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	pass_ms(f, 20);
	client_data(f, 7, 301, "GET /2");
	pass_ms(f, 4900);
	ignore_sent(f);
	return f;
}

static void session_joins_again_only_when_its_reset_is_out(void **state)
{
	struct fixture *f = unanswered();

	(void)state;
	f->emit_room = 0;
	pass_ms(f, 200);
	assert_int_equal(f->faked_count, 1);
	f->emit_room = -1;
	end_batch(f);
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_segment(f, "R. 7:7(0) ack 1");
	expect_segment(f, "S 0:0(0)");
	expect_nothing(f);
	assert_int_equal(f->faked_count, 2);
	assert_int_equal(fixture_registered(f), 1);
	assert_int_equal(stream(f)->dropped[DROP_TIMED_OUT].bytes, 6);
	fixture_free(f);
}

static void session_that_is_to_join_again_is_refused_its_old_tuple(void **state)
{
	struct fixture *f = unanswered();

	(void)state;
	f->emit_room = 0;
	pass_ms(f, 200);
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	f->emit_room = -1;
	end_batch(f);
	expect_segment(f, "S 0:0(0)"); /* and no RST: the tuple is another's */
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 1);
	fixture_free(f);
}

/* ---- the table ---- */

static void port_comes_back_while_the_table_is_full(void **state)
{
	struct fixture *f = full_table(1);

	(void)state;
	session_established(f);
	f->client_isn += 100000;
	client_says(f, "S 0:0(0) <mss 1460>");
	client_data(f, 1, 1, "GET /"); /* proof: the older one has ended */
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(f->notice_count, 1);
	assert_int_equal(f->notices[0], REPLAY_NOTICE_TABLE_FULL);
	fixture_free(f);
}

static void server_confirms_a_port_that_comes_back_while_the_table_is_full(void **state)
{
	struct fixture *f = full_table(1);

	(void)state;
	session_established(f);
	f->client_isn += 100000;
	client_says(f, "S 0:0(0) <mss 1460>");
	server_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	fixture_free(f);
}

static void request_with_the_syn_while_the_table_is_full(void **state)
{
	struct fixture *f = full_table(1);
	struct line l = line_of("SP 0:5(5) <mss 1460>");

	(void)state;
	session_established(f);
	f->client = "10.9.0.2:40000";
	client_packet(f, &l, "GET /");
	expect_nothing(f);
	assert_int_equal(replay_connections(f->replay), 1);
	assert_int_equal(stream(f)->delivered.bytes, 0);
	fixture_free(f);
}

static void stranger_that_finds_the_table_full_is_counted_for_his_source_only(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:81-10.1.0.1:8080"},
		.max_sessions = 1});

	(void)state;
	session_established(f);
	f->client = "10.9.0.2:40000";
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_LIMIT].bytes, 5);
	assert_int_equal(account_of(f, 1)->stream.captured.bytes, 0);
	fixture_free(f);
}

/* ---- the memory ---- */

static void connection_that_begins_while_memory_is_short_is_shed(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.max_memory_bytes = 16 << 20});

	(void)state;
	session_established(f);
	/* The first has much to say that its target does not take. */
	for (uint32_t at = 1; at < 15300000; at += 60000)
		client_bytes(f, at, 1, 60000);
	f->client = "10.9.0.2:40000";
	ignore_sent(f);
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_LIMIT], 1);
	assert_int_equal(fixture_registered(f), 1);
	client_data(f, 1, 1, "GET /");
	assert_int_equal(stream(f)->dropped[DROP_LIMIT].bytes, 5);
	fixture_free(f);
}

/* ---- the capture ---- */

/* Of IPv4 and of IPv6; the log is told once. */
static void fragments_are_counted_and_told(void **state)
{
	static const char *const clients[] = {"10.9.0.1:40000", "[2001:db8::9]:40000"};
	static const char *const servers[] = {"10.0.0.2:80", "[2001:db8::2]:80"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		struct built_frame frame = build_frame(&(struct frame_spec){
			.src = clients[i], .dst = servers[i], .flags = "P.", .payload = "GET /"});

		if (i == 0) {
			frame.data[frame.ip_at + 6] = 0x20; /* more fragments */
		} else { /* the TCP header is read as one of fragmentation */
			frame.data[frame.ip_at + 6] = 44;
			memcpy(frame.data + frame.tcp_at, "\x06\0\0\x01\0\0\0\x07", 8);
		}
		replay_on_frame(f->replay, frame.link_type, frame.data, frame.len_bytes,
				frame.len_bytes, f->now_us);
		f->frames++;
		end_batch(f);
		built_frame_free(&frame);
	}
	assert_int_equal(fate(f, PACKET_FATE_FRAGMENT), 2);
	assert_int_equal(f->notice_count, 1);
	assert_int_equal(f->notices[0], REPLAY_NOTICE_FRAGMENT);
	expect_nothing(f);
}

/* The kernel's filter hands what it cannot tell apart to every worker. */
static void connection_is_copied_by_one_worker_of_three(void **state)
{
	unsigned copied = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct fixture *f =
			fixture_new(&(struct fixture_config){.share = i, .share_of = 3});
		bool is_ours;

		client_says(f, "S 0:0(0) <mss 1460>");
		is_ours = account_of(f, 0)->sessions.started == 1;
		server_says(f, "S. 0:0(0) ack 1");
		client_data(f, 1, 1, "GET /");
		assert_int_equal(fate(f, PACKET_FATE_USED), is_ours ? 3 : 0);
		assert_int_equal(fate(f, PACKET_FATE_NOT_OURS), is_ours ? 0 : 3);
		copied += is_ours;
		ignore_sent(f);
		fixture_free(f);
	}
	assert_int_equal(copied, 1);
}

static void what_cannot_be_used_is_counted(void **state)
{
	struct fixture *f = *state;
	struct built_frame frame = build_frame(&(struct frame_spec){
		.src = "10.9.0.1:40000", .dst = "10.0.0.2:80", .flags = "S", .payload = "x"});

	replay_on_frame(f->replay, 4711, frame.data, frame.len_bytes, frame.len_bytes, f->now_us);
	replay_on_frame(f->replay, frame.link_type, frame.data, frame.tcp_at + 19, frame.len_bytes,
			f->now_us);
	frame.data[frame.ip_at + 6] = 0x20; /* more fragments */
	replay_on_frame(f->replay, frame.link_type, frame.data, frame.len_bytes, frame.len_bytes,
			f->now_us);
	f->frames += 3;
	end_batch(f);
	assert_int_equal(fate(f, PACKET_FATE_MALFORMED), 2);
	assert_int_equal(fate(f, PACKET_FATE_FRAGMENT), 1);
	expect_nothing(f);
	built_frame_free(&frame);
}

/* Which of two targets has a sender that is full. */
static struct ip_addr full_target;
static bool is_full;
static unsigned full_tries;

static int emit_unless_full(void *ctx, const struct segment *seg)
{
	if (is_full && ip_addr_equal(&seg->tuple.dst.addr, &full_target)) {
		full_tries++;
		return -1;
	}
	return fixture_emit(ctx, seg);
}

static size_t said_to(const struct fixture *f, const char *target)
{
	struct ip_addr a = addr_of(target);
	size_t n = 0;

	for (size_t i = f->expected; i < f->sent_count; i++)
		n += ip_addr_equal(&f->sent[i].tuple.dst.addr, &a);
	return n;
}

/* Two targets behind two devices, and one device takes nothing. */
static void target_whose_sender_is_full_holds_up_no_other(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.2.0.1:8080"}});
	char who[32];

	(void)state;
	full_target = addr_of("10.1.0.1");
	is_full = false;
	full_tries = 0;
	f->effects.emit = emit_unless_full;
	for (int i = 0; i < 10; i++) {
		snprintf(who, sizeof(who), "10.9.0.%d:1000", i + 1);
		f->client = who;
		client_says(f, "S 0:0(0) <mss 1460>");
		for (f->at = 2 * (size_t)i; f->at < f->faked_count; f->at++)
			target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	}
	f->expected = f->sent_count;
	is_full = true;
	for (int i = 0; i < 10; i++) {
		snprintf(who, sizeof(who), "10.9.0.%d:1000", i + 1);
		client_data(f, 1, 1, "GET /");
	}
	assert_int_equal(said_to(f, "10.2.0.1"), 10);
	assert_int_equal(said_to(f, "10.1.0.1"), 0);
	assert_int_equal(full_tries, 10); /* one a batch, however many wait */
	assert_true(replay_is_blocked(f->replay));
	is_full = false;
	f->expected = f->sent_count;
	end_batch(f);
	assert_int_equal(said_to(f, "10.1.0.1"), 10);
	assert_false(replay_is_blocked(f->replay));
	for (size_t i = f->expected; i < f->sent_count; i++)
		assert_int_equal(f->sent[i].faked, 2 * (i - f->expected)); /* in their order */
	f->expected = f->sent_count;
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(record_that_guesses_our_number_before_the_syn_is_out),
		fixture_test(both_resets_of_a_session_with_data_in_flight_wait_for_the_sender),
		fixture_test(connection_stays_while_its_reset_waits_for_the_sender),
		cmocka_unit_test(connection_is_forgotten_in_the_batch_in_which_its_session_ends),
		fixture_test(refusal_of_a_session_that_has_ended_begins_nothing),
		cmocka_unit_test(session_joins_again_only_when_its_reset_is_out),
		cmocka_unit_test(session_that_is_to_join_again_is_refused_its_old_tuple),
		cmocka_unit_test(target_whose_sender_is_full_holds_up_no_other),
		cmocka_unit_test(port_comes_back_while_the_table_is_full),
		cmocka_unit_test(server_confirms_a_port_that_comes_back_while_the_table_is_full),
		cmocka_unit_test(request_with_the_syn_while_the_table_is_full),
		cmocka_unit_test(stranger_that_finds_the_table_full_is_counted_for_his_source_only),
		cmocka_unit_test(connection_that_begins_while_memory_is_short_is_shed),
		fixture_test(fragments_are_counted_and_told),
		cmocka_unit_test(connection_is_copied_by_one_worker_of_three),
		fixture_test(what_cannot_be_used_is_counted),
	};

	return cmocka_run_group_tests_name("replay, something is full", tests, NULL, NULL);
}
