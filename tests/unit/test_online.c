/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_online.c - what is made of a client's captured packets: reassembly, holes and gaps, frames
 * that are damaged or not ours. Through replay.h: what counts is which bytes the target is sent,
 * and what the ledger says of the others. Ends and beginnings are in test_online_ends.c.
 */
#include "tests/unit/replay_fixture.h"

/* ---- reassembly ---- */

/* The bytes that were said to the target since the last look, from offset 0; the length in *end. */
static void collect(struct fixture *f, uint8_t *stream_bytes, size_t size, size_t *end)
{
	const struct sent *s;

	*end = 0;
	while ((s = take_sent(f))) {
		uint32_t off = s->seq - f->faked[s->faked].iss - 1;

		if (!s->len_bytes)
			continue;
		assert_true(off + s->len_bytes <= size);
		assert_true(off <= *end); /* never past a hole */
		memcpy(stream_bytes + off, s->payload, s->len_bytes);
		if (*end < off + s->len_bytes)
			*end = off + s->len_bytes;
	}
}

static void start_on_port(struct fixture *f, char client[32], unsigned port)
{
	snprintf(client, 32, "10.9.0.1:%u", port);
	f->client = client;
	client_says(f, "S 0:0(0) <mss 1460>");
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	ignore_sent(f);
}

static void end_by_reset(struct fixture *f, uint32_t seq)
{
	struct line l = {.flags = "R.", .seq = seq, .ack = 1};
	char text[64];

	snprintf(text, sizeof(text), ". 1:1(0) ack %u", seq);
	target_says(f, text);
	client_packet(f, &l, NULL);
	assert_int_equal(fixture_registered(f), 0);
	ignore_sent(f);
}

/* How many bytes from offset 0 on these segments cover without a hole. */
static size_t contiguous(const unsigned (*segments)[2], size_t count)
{
	size_t end = 0;

	for (size_t round = 0; round < count; round++)
		for (size_t i = 0; i < count; i++)
			if (segments[i][0] <= end && segments[i][1] > end)
				end = segments[i][1];
	return end;
}

static void three_segments(struct fixture *f, const unsigned (*segments)[2], unsigned port)
{
	uint8_t got[12], wanted[12];
	char client[32];
	size_t end;

	start_on_port(f, client, port);
	for (size_t i = 0; i < 3; i++)
		client_bytes(f, 1 + segments[i][0], 1, segments[i][1] - segments[i][0]);
	collect(f, got, sizeof(got), &end);
	fill_pattern(wanted, 0, sizeof(wanted));
	assert_int_equal(end, contiguous(segments, 3));
	assert_memory_equal(got, wanted, end);
	client_bytes(f, 1, 1, 12);
	assert_int_equal(stream(f)->in_flight.bytes, 12);
	assert_int_equal(stream(f)->in_flight.requests, 1);
	end_by_reset(f, 13);
}

/* Six borders are enough for any way in which three segments can touch, overlap or miss each other. */
static void every_order_and_overlap_of_three_segments(void **state)
{
	static const unsigned borders[6] = {0, 2, 4, 7, 9, 12};
	struct fixture *f = *state;
	unsigned all[15][2], n = 0, port = 2000;

	for (size_t a = 0; a < 6; a++) {
		for (size_t b = a + 1; b < 6; b++) {
			all[n][0] = borders[a];
			all[n++][1] = borders[b];
		}
	}
	assert_int_equal(n, 15);
	for (unsigned i = 0; i < n * n * n; i++) {
		const unsigned segments[3][2] = {
			{all[i % n][0], all[i % n][1]},
			{all[i / n % n][0], all[i / n % n][1]},
			{all[i / n / n][0], all[i / n / n][1]},
		};

		three_segments(f, segments, port++);
	}
	assert_int_equal(stream(f)->delivered.bytes, 12 * n * n * n);
	assert_int_equal(stream(f)->delivered.requests, n * n * n);
}

static void any_cutting_of_a_stream_gives_the_same_stream(void **state)
{
	enum {
		LEN = 9000,
	};
	struct fixture *f = *state;
	static uint8_t got[LEN], wanted[LEN];
	unsigned seed = 1;
	char client[32];
	size_t end;

	fill_pattern(wanted, 0, LEN);
	for (unsigned round = 0; round < 40; round++) {
		start_on_port(f, client, 3000 + round);
		for (unsigned i = 0; i < 40; i++) {
			uint32_t off = (uint32_t)rand_r(&seed) % LEN;
			uint32_t len = 1 + (uint32_t)rand_r(&seed) % 1460;

			client_bytes(f, 1 + off, 1, off + len > LEN ? LEN - off : len);
		}
		client_bytes(f, 1, 1, LEN);
		collect(f, got, LEN, &end);
		assert_int_equal(end, LEN);
		assert_memory_equal(got, wanted, LEN);
		end_by_reset(f, LEN + 1);
	}
	assert_int_equal(stream(f)->captured.bytes, 40 * LEN);
}

static void retransmission_with_other_borders_adds_what_is_new(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 1, 1, 10);
	expect_segment(f, "P. 1:11(10) ack 1");
	client_bytes(f, 5, 1, 12);
	expect_segment(f, "P. 11:17(6) ack 1");
	expect_pattern(f, 10);
	client_bytes(f, 1, 1, 16);
	expect_nothing(f);
	assert_int_equal(stream(f)->captured.bytes, 16);
}

static void what_came_first_stays(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 4, 1, "def");
	client_data(f, 1, 1, "abcXXX");
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "abcdef");
	client_data(f, 1, 1, "YYYYYYghi");
	expect_segment(f, "P. 7:10(3) ack 1");
	expect_payload(f, "ghi");
}

static void duplicates_are_counted_and_send_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	session_established(f);
	client_bytes(f, 1, 1, 10);
	expect_segment(f, "P. 1:11(10) ack 1");
	before = fate(f, PACKET_FATE_DUPLICATE);
	client_bytes(f, 1, 1, 10);
	client_bytes(f, 3, 1, 5);
	client_says(f, ". 11:11(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), before + 3);
	assert_int_equal(stream(f)->captured.bytes, 10);
	client_says(f, ". 11:11(0) ack 2"); /* this says something */
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), before + 3);
}

static void keep_alive_probes_of_the_client_are_nothing_new(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, ". 0:0(0) ack 1");
	client_says(f, ". 0:1(1) ack 1");
	client_bytes(f, 1, 1, 10);
	expect_segment(f, "P. 1:11(10) ack 1");
	expect_pattern(f, 0);
	client_says(f, ". 10:10(0) ack 1");
	client_says(f, ". 10:11(1) ack 1");
	expect_nothing(f);
	assert_int_equal(stream(f)->captured.bytes, 10);
}

static void segments_outside_any_window_open_no_hole(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, ". 20000000:20000010(10) ack 1");
	client_says(f, ". -20000000:-19999990(10) ack 1");
	client_says(f, "R 2000000000:2000000000(0)");
	client_says(f, "F. -1000:-1000(0) ack 1");
	pass_in_silence(f, 10000);
	client_bytes(f, 1, 1, 10);
	expect_segment(f, "P. 1:11(10) ack 1");
	assert_int_equal(stream(f)->captured.bytes, 20); /* counted, for nobody */
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes, 10);
}

/* ---- holes ---- */

static void hole_that_is_filled_in_time(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 6, 1, 5);
	expect_nothing(f);
	pass_in_silence(f, 2990);
	client_bytes(f, 1, 1, 5);
	expect_segment(f, "P. 1:11(10) ack 1");
	expect_pattern(f, 0);
	pass_ms(f, 150);
	expect_nothing(f);
	target_says(f, ". 1:1(0) ack 11");
	pass_in_silence(f, 10000);
	assert_int_equal(fixture_registered(f), 1);
}

static void each_hole_has_its_own_three_seconds(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	for (uint32_t i = 0; i < 4; i++) {
		client_bytes(f, 6 + i * 10, 1, 5);
		pass_ms(f, 2000);
		client_bytes(f, 1 + i * 10, 1, 5);
	}
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 41");
	pass_in_silence(f, 5000);
	assert_int_equal(stream(f)->delivered.bytes, 40);
}

static void second_hole_counts_from_when_the_first_was_filled(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_bytes(f, 6, 1, 5);
	client_bytes(f, 16, 1, 5);
	pass_ms(f, 2000);
	client_bytes(f, 1, 1, 5);
	expect_segment(f, "P. 1:11(10) ack 1");
	target_says(f, ". 1:1(0) ack 11");
	pass_in_silence(f, 2900);
	client_bytes(f, 11, 1, 5);
	expect_segment(f, "P. 11:21(10) ack 1");
	expect_pattern(f, 10);
}

static void capture_gap_delivers_what_was_complete_then_resets(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "hello");
	expect_segment(f, "P. 1:6(5) ack 1");
	client_bytes(f, 11, 1, 7); /* 6 to 10 are missing */
	pass_ms(f, 3010);
	assert_true(f->sent_count - f->expected >= 3); /* still cares for its bytes */
	ignore_sent(f);
	target_says(f, ". 1:1(0) ack 6");
	expect_segment(f, "R. 6:6(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(stream(f)->delivered.bytes, 5);
	assert_int_equal(stream(f)->delivered.requests, 0); /* not all of it */
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].requests, 1);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes, 7);
	client_bytes(f, 18, 1, 10);
	client_bytes(f, 6, 1, 5); /* too late: never joined across the gap */
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes, 22); /* but counted */
	client_bytes(f, 6, 1, 5);
	client_bytes(f, 8, 1, 10);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes, 22); /* once */
	assert_int_equal(account_of(f, 0)->sessions.ended_by_us, 1);
}

static void bytes_after_a_gap_are_dropped_while_the_session_still_finishes(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "hello");
	client_bytes(f, 11, 1, 7);
	pass_ms(f, 3010);
	ignore_sent(f);
	client_bytes(f, 18, 301, 10);
	client_bytes(f, 18, 301, 10);
	client_bytes(f, 28, 301, 10);
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes, 27);
	assert_int_equal(stream(f)->in_flight.bytes, 5);
	target_says(f, ". 1:1(0) ack 6");
	expect_segment(f, "R. 6:6(0) ack 1");
	assert_int_equal(stream(f)->delivered.bytes, 5);
}

static void hole_shown_by_a_pure_acknowledgement(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, ". 6:6(0) ack 301"); /* the request was missed, the client has its answer */
	pass_in_silence(f, 2990);
	assert_int_equal(fixture_registered(f), 1);
	pass_ms(f, 20);
	expect_segment(f, "R. 1:1(0) ack 1"); /* that answer is none that the target could give */
	expect_nothing(f);
	client_data(f, 6, 301, "GET /");
	assert_int_equal(stream(f)->captured.requests, 1);
}

static void turns_before_a_gap_keep_their_gates(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET 1");
	client_data(f, 6, 301, "GET 2");
	client_bytes(f, 21, 601, 5);
	pass_ms(f, 3010);
	ignore_sent(f);
	target_says(f, "P. 1:301(300) ack 6");
	expect_segment(f, "P. 6:11(5) ack 301");
	target_says(f, "P. 301:601(300) ack 11");
	expect_segment(f, "R. 11:11(0) ack 601");
	assert_int_equal(stream(f)->delivered.requests, 2);
}

static void requests_behind_a_gap_are_counted(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET 1");
	client_bytes(f, 11, 301,
		     5); /* 6 to 10 are missing; then three requests, one in two parts */
	client_bytes(f, 16, 601, 5);
	client_bytes(f, 21, 901, 5);
	client_bytes(f, 26, 901, 5);
	pass_ms(f, 3010);
	assert_int_equal(stream(f)->captured.requests, 4);
	/* The second begins for certain: from there on they wait for the answer to what was before. */
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].requests, 1);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes, 5);
	assert_int_equal(stream(f)->in_flight.requests, 3);
	client_bytes(f, 31, 1201, 5); /* and it goes on */
	assert_int_equal(stream(f)->in_flight.requests, 4);
	client_bytes(f, 36, 1201, 5);
	assert_int_equal(stream(f)->in_flight.requests, 4);
}

static void packet_cut_short_by_the_capture_is_a_hole(void **state)
{
	struct fixture *f = *state;
	struct built_frame frame = build_frame(&(struct frame_spec){.src = f->client,
								    .dst = f->server,
								    .flags = "P.",
								    .seq = 1001,
								    .ack = 50001,
								    .payload = "0123456789"});

	session_established(f);
	f->frames++;
	replay_on_frame(f->replay, frame.link_type, frame.data, frame.len_bytes - 4,
			frame.len_bytes, f->now_us);
	built_frame_free(&frame);
	end_batch(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	expect_payload(f, "012345");
	target_says(f, ". 1:1(0) ack 7");
	pass_ms(f, 3010);
	expect_segment(f, "R. 7:7(0) ack 1");
	expect_nothing(f);
}

static void many_holes_are_bounded(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	for (uint32_t i = 0; i < 1100; i++)
		client_bytes(f, 2 + i * 2, 1, 1);
	expect_segment(f, "R. 1:1(0) ack 1"); /* given up */
	expect_nothing(f);
	assert_int_equal(stream(f)->in_flight.bytes, 0);
	assert_int_equal(stream(f)->captured.bytes, 1100);
}

/* ---- frames ---- */

static void packet_with_a_wrong_checksum_is_dropped(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	f->checksum = BUILD_CHECKSUM_WRONG;
	client_data(f, 1, 1, "hello");
	client_says(f, "R. 1:1(0) ack 1");
	server_says(f, "R. 1:1(0) ack 1");
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_CORRUPT), 3);
	assert_int_equal(stream(f)->captured.bytes, 0);
	f->checksum = BUILD_CHECKSUM_RIGHT;
	client_data(f, 1, 1, "hello");
	expect_segment(f, "P. 1:6(5) ack 1");
}

static void packet_with_an_unfinished_checksum_is_fine(void **state)
{
	struct fixture *f = *state;

	f->checksum = BUILD_CHECKSUM_UNFINISHED;
	session_established(f);
	client_data(f, 1, 1, "hello");
	expect_segment(f, "P. 1:6(5) ack 1");
	assert_int_equal(fate(f, PACKET_FATE_CORRUPT), 0);
}

static void checksum_of_a_super_packet_tells_nothing(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	f->checksum = BUILD_CHECKSUM_WRONG;
	client_bytes(f, 1, 1, 2000);
	expect_segment(f, ". 1:1461(1460) ack 1");
	expect_segment(f, "P. 1461:2001(540) ack 1");
}

static void checksums_are_not_judged_where_told_so(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.any_checksum = true});

	(void)state;
	f->checksum = BUILD_CHECKSUM_WRONG;
	session_established(f);
	client_data(f, 1, 1, "hello");
	expect_segment(f, "P. 1:6(5) ack 1");
	fixture_free(f);
}

static void malformed_and_foreign_frames_are_counted(void **state)
{
	struct fixture *f = *state;
	struct built_frame frame = build_frame(&(struct frame_spec){.src = f->client,
								    .dst = f->server,
								    .flags = "P.",
								    .seq = 1001,
								    .ack = 50001,
								    .payload = "hello"});

	session_established(f);
	for (size_t len = 0; len < frame.payload_at; len++) {
		uint8_t *exact = malloc(len ? len : 1);

		memcpy(exact, frame.data, len);
		f->frames++;
		replay_on_frame(f->replay, frame.link_type, exact, len, frame.len_bytes, f->now_us);
		free(exact);
		end_batch(f);
	}
	assert_int_equal(fate(f, PACKET_FATE_MALFORMED), frame.payload_at);
	f->frames++;
	replay_on_frame(f->replay, 147, frame.data, frame.len_bytes, frame.len_bytes, f->now_us);
	assert_int_equal(fate(f, PACKET_FATE_MALFORMED), frame.payload_at + 1);
	frame.data[frame.ip_at + 9] = 17; /* UDP */
	f->frames++;
	replay_on_frame(f->replay, frame.link_type, frame.data, frame.len_bytes, frame.len_bytes,
			f->now_us);
	assert_int_equal(fate(f, PACKET_FATE_NOT_OURS), 1);
	f->server = "10.0.0.2:81";
	client_says(f, "S 0:0(0)");
	f->server = "10.0.0.3:80";
	client_says(f, "S 0:0(0)");
	assert_int_equal(fate(f, PACKET_FATE_NOT_OURS), 3);
	expect_nothing(f);
	built_frame_free(&frame);
}

static void source_without_an_address_matches_this_hosts_own(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.transfers = {"0.0.0.0:80-10.1.0.1:8080"}});
	struct ip_addr own[2] = {addr_of("10.0.0.2"), addr_of("2001:db8::2")};

	(void)state;
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_NOT_OURS), 1);
	assert_int_equal(replay_set_local_addresses(f->replay, own, 2), 0);
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_segment(f, "S 0:0(0)");
	f->server = "10.0.0.3:80"; /* forwarded */
	client_says(f, "S 0:0(0) <mss 1460>");
	expect_nothing(f);
	fixture_free(f);
}

static void ipv6_connection_to_an_ipv6_target(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.transfers = {"[2001:db8::2]:80-[2001:db8:1::1]:8080"}});
	struct tuple wanted = {.src = endpoint_of("[2001:db8:1::1]:8080"),
			       .dst = endpoint_of("[2001:db8:9::1]:40000"),
			       .protocol = PROTOCOL_TCP};

	(void)state;
	f->client = "[2001:db8:9::1]:40000";
	f->server = "[2001:db8::2]:80";
	client_says(f, "S 0:0(0) <mss 8960>");
	expect_segment(f, "S 0:0(0) <mss 1440>");
	assert_true(tuple_equal(&f->faked[0].response, &wanted));
	target_says(f, "S. 0:0(0) ack 1 <mss 8960>");
	expect_segment(f, ". 1:1(0) ack 1");
	client_bytes(f, 1, 1, 1500);
	expect_segment(f, ". 1:1441(1440) ack 1");
	expect_segment(f, "P. 1441:1501(60) ack 1");
	expect_pattern(f, 1440);
	fixture_free(f);
}

static void client_of_another_family_than_the_target_without_a_pool(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.transfers = {"[2001:db8::2]:80-10.1.0.1:8080"}});

	(void)state;
	f->client = "[2001:db8:9::1]:40000";
	f->server = "[2001:db8::2]:80";
	client_says(f, "S 0:0(0) <mss 1460>");
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_NO_ADDRESS].bytes, 5);
	assert_int_equal(account_of(f, 0)->sessions.not_started[DROP_NO_ADDRESS], 1);
	client_data(f, 6, 301, "GET /"); /* nor is it joined later */
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_NO_ADDRESS].bytes, 10);
	fixture_free(f);
}

static void loopback_client_without_an_address_for_it(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.transfers = {"127.0.0.1:80-10.1.0.1:8080"}});

	(void)state;
	f->client = "127.0.0.1:40000";
	f->server = "127.0.0.1:80";
	client_says(f, "S 0:0(0) <mss 1460>");
	client_data(f, 1, 1, "GET /");
	expect_nothing(f);
	assert_int_equal(stream(f)->dropped[DROP_NO_ADDRESS].bytes, 5);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(every_order_and_overlap_of_three_segments),
		fixture_test(any_cutting_of_a_stream_gives_the_same_stream),
		fixture_test(retransmission_with_other_borders_adds_what_is_new),
		fixture_test(what_came_first_stays),
		fixture_test(duplicates_are_counted_and_send_nothing),
		fixture_test(keep_alive_probes_of_the_client_are_nothing_new),
		fixture_test(segments_outside_any_window_open_no_hole),
		fixture_test(hole_that_is_filled_in_time),
		fixture_test(each_hole_has_its_own_three_seconds),
		fixture_test(second_hole_counts_from_when_the_first_was_filled),
		fixture_test(capture_gap_delivers_what_was_complete_then_resets),
		fixture_test(bytes_after_a_gap_are_dropped_while_the_session_still_finishes),
		fixture_test(hole_shown_by_a_pure_acknowledgement),
		fixture_test(turns_before_a_gap_keep_their_gates),
		fixture_test(requests_behind_a_gap_are_counted),
		fixture_test(packet_cut_short_by_the_capture_is_a_hole),
		fixture_test(many_holes_are_bounded),
		fixture_test(packet_with_a_wrong_checksum_is_dropped),
		fixture_test(packet_with_an_unfinished_checksum_is_fine),
		fixture_test(checksum_of_a_super_packet_tells_nothing),
		cmocka_unit_test(checksums_are_not_judged_where_told_so),
		fixture_test(malformed_and_foreign_frames_are_counted),
		cmocka_unit_test(source_without_an_address_matches_this_hosts_own),
		cmocka_unit_test(ipv6_connection_to_an_ipv6_target),
		cmocka_unit_test(client_of_another_family_than_the_target_without_a_pool),
		cmocka_unit_test(loopback_client_without_an_address_for_it),
	};

	return cmocka_run_group_tests_name("online", tests, NULL, NULL);
}
