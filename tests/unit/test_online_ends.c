/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_online_ends.c - how a captured connection ends and begins: FIN and RST in any order with the
 * data, silence, SYNs, ports that are used again, connections that are not copied. Through
 * replay.h, as in test_online.c.
 */
#include "tests/unit/replay_fixture.h"

/* ---- ends ---- */

static void fin_that_overtakes_data_waits_for_it(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "hello");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_says(f, "F. 11:11(0) ack 1");
	expect_nothing(f);
	client_data(f, 6, 1, "world");
	expect_segment(f, "FP. 6:11(5) ack 1");
	expect_payload(f, "world");
	expect_nothing(f);
}

static void fin_with_the_last_data_out_of_order(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "FP. 6:11(5) ack 1");
	expect_nothing(f);
	client_bytes(f, 1, 1, 5);
	expect_segment(f, "FP. 1:11(10) ack 1");
	expect_pattern(f, 0);
}

static void reset_that_overtakes_data_waits_for_it(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "R. 6:6(0) ack 1");
	expect_nothing(f);
	client_data(f, 1, 1, "hello");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, ". 1:1(0) ack 6");
	expect_segment(f, "R. 6:6(0) ack 1");
	expect_nothing(f);
}

static void reset_with_an_older_number_still_comes_after_all_data(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 6, 1, 5);
	client_says(f, "R 1:1(0)");
	expect_nothing(f);
	client_bytes(f, 1, 1, 5);
	expect_segment(f, "P. 1:11(10) ack 1");
	target_says(f, ". 1:1(0) ack 11");
	expect_segment(f, "R. 11:11(0) ack 1");
}

static void fin_that_waits_for_data_is_not_lost_to_a_later_reset(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "F. 11:11(0) ack 1");
	client_says(f, "R 12:12(0)");
	expect_nothing(f);
	client_bytes(f, 1, 1, 10);
	expect_segment(f, "FP. 1:11(10) ack 1");
}

static void fin_behind_a_gap_ends_as_a_gap(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "F. 11:11(0) ack 1");
	pass_in_silence(f, 2990);
	pass_ms(f, 20);
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
}

static void repeated_fin_is_a_duplicate(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 1");
	before = fate(f, PACKET_FATE_DUPLICATE);
	client_says(f, "F. 1:1(0) ack 1");
	client_bytes(f, 2, 1, 10); /* nothing is said after a FIN */
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), before + 2);
}

static void reset_of_the_server_ends_the_session(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "hello");
	expect_segment(f, "P. 1:6(5) ack 1");
	server_says(f, "R. 1:1(0) ack 6");
	expect_nothing(f); /* what the client said is delivered first */
	target_says(f, ". 1:1(0) ack 6");
	expect_segment(f, "R. 6:6(0) ack 1");
	pass_ms(f, 1100);
	assert_int_equal(replay_connections(f->replay), 0);
}

static void connection_that_the_server_refuses(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	server_says(f, "R. 0:0(0) ack 1");
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
	pass_ms(f, 1100);
	assert_int_equal(replay_connections(f->replay), 0);
}

static void client_that_leaves_before_the_target_has_answered(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	client_says(f, "R 1:1(0)");
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
}

static void syn_that_nothing_follows_is_reset_after_75_s(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	target_says(f, "S. 0:0(0) ack 1");
	expect_segment(f, ". 1:1(0) ack 1");
	pass_in_silence(f, 74900);
	pass_ms(f, 200);
	expect_segment(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
	pass_ms(f, 2000);
	assert_int_equal(replay_connections(f->replay), 0);
}

static void established_connection_may_be_silent_for_longer(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	pass_in_silence(f, 7100000);
	assert_int_equal(fixture_registered(f), 1);
	pass_ms(f, 101000); /* two hours: its end was missed */
	expect_segment(f, "R. 1:1(0) ack 1");
	assert_int_equal(fixture_registered(f), 0);
	pass_ms(f, 601000);
	assert_int_equal(replay_connections(f->replay), 0);
}

static void ended_connection_is_forgotten_after_a_second(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	target_says(f, "F. 1:1(0) ack 2");
	assert_int_equal(replay_connections(f->replay), 1);
	pass_ms(f, 1100);
	assert_int_equal(replay_connections(f->replay), 0);
	assert_int_equal(fixture_registered(f), 1); /* TIME-WAIT */
	ignore_sent(f);
	client_says(f, ". 2:2(0) ack 2"); /* a late packet */
	expect_nothing(f);
	assert_int_equal(replay_connections(f->replay), 0);
}

/* ---- SYNs ---- */

static void data_on_the_syn_goes_as_ordinary_data(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:5(5) <mss 1460>");
	expect_segment(f, "S 0:0(0) <mss 1460>");
	expect_nothing(f);
	client_says(f, "S 0:5(5) <mss 1460>"); /* repeated */
	client_bytes(f, 6, 1, 5);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, "P. 1:11(10) ack 1");
	expect_pattern(f, 0);
	assert_int_equal(stream(f)->captured.bytes, 10);
}

static void repeated_syn_of_the_client_is_a_duplicate(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), 1);
	assert_int_equal(replay_connections(f->replay), 1);
}

static void forged_syn_ends_nothing(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	f->client_isn = 900000000;
	client_says(f, "S 0:0(0) <mss 1460>");
	server_says(f, ". 1:1(0) ack 1"); /* the kernel's challenge, not a SYN-ACK */
	f->client_isn = 1000;
	server_says(f, "S. 0:0(0) ack 1"); /* the old connection's, late */
	expect_nothing(f);
	client_data(f, 1, 1, "hello");
	expect_segment(f, "P. 1:6(5) ack 1");
	pass_ms(f, 50);
	assert_int_equal(fixture_registered(f), 1);
}

static void old_session_of_the_port(struct fixture *f)
{
	session_established(f);
	client_data(f, 1, 1, "old");
	expect_segment(f, "P. 1:4(3) ack 1");
	target_says(f, ". 1:1(0) ack 4");
	f->client_isn = 900000000;
	f->server_isn = 1;
	client_says(f, "S 0:0(0) <mss 1400>");
	expect_nothing(f);
}

static void new_session_of_the_port(struct fixture *f)
{
	assert_int_equal(expect_segment(f, "R. 4:4(0) ack 1")->faked, 0);
	assert_int_equal(expect_segment(f, "S 0:0(0) <mss 1400>")->faked, 1);
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 1);
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
}

static void reused_port_is_confirmed_by_an_acknowledgement(void **state)
{
	struct fixture *f = *state;

	old_session_of_the_port(f);
	client_says(f, ". 1:1(0) ack 1");
	new_session_of_the_port(f);
	expect_segment(f, ". 1:1(0) ack 1");
}

static void reused_port_is_confirmed_by_data(void **state)
{
	struct fixture *f = *state;

	old_session_of_the_port(f);
	client_data(f, 1, 1, "new");
	new_session_of_the_port(f);
	expect_segment(f, "P. 1:4(3) ack 1");
	expect_payload(f, "new");
}

static void reused_port_is_confirmed_by_the_servers_syn_ack(void **state)
{
	struct fixture *f = *state;

	old_session_of_the_port(f);
	server_says(f, "S. 0:0(0) ack 1");
	new_session_of_the_port(f);
	expect_segment(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "new");
	expect_segment(f, "P. 1:4(3) ack 1");
}

static void reused_port_while_the_old_session_still_delivers(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "old");
	expect_segment(f, "P. 1:4(3) ack 1");
	f->client_isn = 900000000;
	client_says(f, "S 0:0(0) <mss 1460>");
	client_says(f, ". 1:1(0) ack 1");
	assert_int_equal(expect_segment(f, "S 0:0(0)")->faked, 1);
	assert_int_equal(fixture_registered(f), 2);
	assert_false(tuple_equal(&f->faked[0].response, &f->faked[1].response));
	pass_ms(f, 210);
	assert_int_equal(expect_segment(f, "P. 1:4(3) ack 1")->faked, 0);
	f->at = 0;
	target_says(f, ". 1:1(0) ack 4");
	expect_segment(f, "R. 4:4(0) ack 1");
	assert_int_equal(fixture_registered(f), 1);
}

static void port_reused_after_fin_starts_at_once(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "F. 1:1(0) ack 1");
	expect_segment(f, "F. 1:1(0) ack 1");
	f->client_isn = 900000000;
	client_says(f, "S 0:0(0) <mss 1460>");
	assert_int_equal(expect_segment(f, "S 0:0(0)")->faked, 1);
	f->at = 0;
	target_says(f, "F. 1:1(0) ack 2"); /* and the old one ends in order */
	expect_segment(f, ". 2:2(0) ack 2");
	pass_ms(f, 1100);
	assert_int_equal(replay_connections(f->replay), 1);
}

/* The network repeats a whole connection: it is not copied twice. */
static void repeated_syn_after_the_end_begins_nothing(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	client_says(f, "F. 6:6(0) ack 1");
	ignore_sent(f);
	client_says(f, "S 0:0(0) <mss 1460>");
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->sessions.started, 1);
	assert_int_equal(stream(f)->captured.bytes, 5);
}

/* ---- bytes behind the end ---- */

static void fin_that_data_passes_by_is_said(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "F. 11:11(0) ack 1");
	client_says(f, ". 6:16(10) ack 1");
	client_says(f, ". 1:6(5) ack 1");
	expect_segment(f, "FP. 1:16(15) ack 1");
	target_says(f, "F. 1:1(0) ack 17");
	expect_segment(f, ". 17:17(0) ack 2");
	expect_nothing(f);
}

static void reset_that_data_passes_by_ends_the_session(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "R. 11:11(0) ack 1");
	client_says(f, ". 6:16(10) ack 1");
	client_says(f, ". 1:6(5) ack 1");
	server_says(f, "R 1:1(0)");
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 16");
	expect_segment(f, "R. 16:16(0) ack 1");
	assert_int_equal(fixture_registered(f), 0);
	pass_ms(f, 1100);
	assert_int_equal(replay_connections(f->replay), 0);
}

static void reset_of_the_server_ends_a_client_whose_reset_waits_for_bytes(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "R. 11:11(0) ack 1");
	server_says(f, "R 1:1(0)");
	expect_segment(f, "R. 1:1(0) ack 1");
	assert_int_equal(fixture_registered(f), 0);
}

/* ---- not copied ---- */

static void connection_older_than_the_copy_is_counted(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.whole_only = true});

	(void)state;

	client_data(f, 500, 900, "GET 1");
	client_data(f, 505, 1200, "GE");
	client_data(f, 507, 1200, "T");
	client_data(f, 508, 1200, " 2");
	client_data(f, 505, 1200, "GET 2"); /* again */
	client_says(f, ". 510:510(0) ack 1500");
	expect_nothing(f);
	assert_int_equal(stream(f)->captured.bytes, 10);
	assert_int_equal(stream(f)->dropped[DROP_BEFORE_JOIN].bytes, 10);
	assert_int_equal(stream(f)->dropped[DROP_BEFORE_JOIN].requests, 2);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_BEFORE_JOIN], 1);
	client_says(f, "F. 510:510(0) ack 1500");
	pass_ms(f, 1100);
	assert_int_equal(replay_connections(f->replay), 0);
	fixture_free(f);
}

static void port_of_an_uncopied_connection_is_free_for_a_new_one(void **state)
{
	struct fixture *f = *state;

	client_data(f, 500, 900, "GET 1");
	client_says(f, "S 70000:70000(0) <mss 1460>");
	expect_segment(f, "S 0:0(0)");
}

static void without_a_link_nothing_is_sent(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.no_link = true});

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	client_says(f, ". 1:1(0) ack 1");
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_NO_INTERCEPT].bytes, 5);
	assert_int_equal(stream(f)->dropped[DROP_NO_INTERCEPT].requests, 1);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_NO_INTERCEPT], 1);
	replay_on_links(f->replay, 1, f->now_us);
	f->client = "10.9.0.1:40001";
	session_established(f);
	fixture_free(f);
}

static void live_session_outlives_the_link(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	replay_on_links(f->replay, 0, f->now_us);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	pass_ms(f, 3000);
	replay_on_links(f->replay, 1, f->now_us);
	ignore_sent(f);
	target_says(f, "P. 1:301(300) ack 6");
	client_data(f, 6, 301, "GET 2");
	expect_segment(f, "P. 6:11(5) ack 301");
}

static void multipath_tcp_is_not_replayable(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:0(0) <mss 1460,hex 1e0c00010000000000000000>");
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_NOT_REPLAYABLE].bytes, 5);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_NOT_REPLAYABLE], 1);
}

static void super_packets(struct fixture *f, uint32_t from, uint32_t count)
{
	for (uint32_t i = from; i < from + count; i++)
		client_bytes(f, 1 + i * 65000, 1, 65000);
}

static void backlog_of_a_connection_is_bounded(void **state)
{
	struct fixture *f = *state;
	size_t before;

	session_syn_sent(f);
	before = replay_memory(f->replay);
	super_packets(f, 0, 258); /* 16.77 MB: just below 16 MiB */
	assert_int_equal(fixture_registered(f), 1);
	assert_true(replay_memory(f->replay) < before + (18 << 20));
	super_packets(f, 258, 3);
	assert_int_equal(fixture_registered(f), 0);
	expect_segment(f, "R 1:1(0)");
	assert_int_equal(stream(f)->captured.bytes, 261 * 65000);
	assert_int_equal(stream(f)->dropped[DROP_BACKLOG].bytes, 261 * 65000);
	assert_true(replay_memory(f->replay) < before + (1 << 20));
}

static void only_the_target_that_lags_is_shed(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:8080"}});
	char text[64];

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460,wscale 7>");
	f->at = 0;
	target_says(f, "S. 0:0(0) ack 1 <mss 8960,wscale 7>");
	target_says(f, ". 1:1(0) ack 1");
	for (uint32_t i = 0; i < 262; i++) {
		uint32_t end = 1 + (i + 1) * 65000;

		super_packets(f, i, 1);
		while (f->expected < f->sent_count) {
			const struct sent *s = take_sent(f);

			if (s->faked != 0 || !s->len_bytes)
				continue;
			snprintf(text, sizeof(text), ". 1:1(0) ack %u",
				 s->seq + s->len_bytes - f->faked[0].iss);
			target_says(f, text);
		}
		ignore_sent(f);
		assert_int_equal(account_of(f, 0)->stream.delivered.bytes, end - 1);
	}
	assert_int_equal(account_of(f, 1)->stream.dropped[DROP_BACKLOG].bytes, 262 * 65000);
	assert_int_equal(account_of(f, 0)->stream.dropped[DROP_BACKLOG].bytes, 0);
	assert_int_equal(fixture_registered(f), 1);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(fin_that_overtakes_data_waits_for_it),
		fixture_test(fin_with_the_last_data_out_of_order),
		fixture_test(reset_that_overtakes_data_waits_for_it),
		fixture_test(reset_with_an_older_number_still_comes_after_all_data),
		fixture_test(fin_that_waits_for_data_is_not_lost_to_a_later_reset),
		fixture_test(fin_behind_a_gap_ends_as_a_gap),
		fixture_test(repeated_fin_is_a_duplicate),
		fixture_test(reset_of_the_server_ends_the_session),
		fixture_test(connection_that_the_server_refuses),
		fixture_test(client_that_leaves_before_the_target_has_answered),
		fixture_test(syn_that_nothing_follows_is_reset_after_75_s),
		fixture_test(established_connection_may_be_silent_for_longer),
		fixture_test(ended_connection_is_forgotten_after_a_second),
		fixture_test(data_on_the_syn_goes_as_ordinary_data),
		fixture_test(repeated_syn_of_the_client_is_a_duplicate),
		fixture_test(forged_syn_ends_nothing),
		fixture_test(reused_port_is_confirmed_by_an_acknowledgement),
		fixture_test(reused_port_is_confirmed_by_data),
		fixture_test(reused_port_is_confirmed_by_the_servers_syn_ack),
		fixture_test(reused_port_while_the_old_session_still_delivers),
		fixture_test(port_reused_after_fin_starts_at_once),
		fixture_test(repeated_syn_after_the_end_begins_nothing),
		fixture_test(fin_that_data_passes_by_is_said),
		fixture_test(reset_that_data_passes_by_ends_the_session),
		fixture_test(reset_of_the_server_ends_a_client_whose_reset_waits_for_bytes),
		cmocka_unit_test(connection_older_than_the_copy_is_counted),
		fixture_test(port_of_an_uncopied_connection_is_free_for_a_new_one),
		cmocka_unit_test(without_a_link_nothing_is_sent),
		fixture_test(live_session_outlives_the_link),
		fixture_test(multipath_tcp_is_not_replayable),
		fixture_test(backlog_of_a_connection_is_bounded),
		cmocka_unit_test(only_the_target_that_lags_is_shed),
	};

	return cmocka_run_group_tests_name("online, ends and beginnings", tests, NULL, NULL);
}
