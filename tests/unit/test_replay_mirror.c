/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_replay_mirror.c - mirrored traffic in the core: out of tunnels, cut short, in fragments, each packet
 * several times, one direction ahead of the other or not there at all.
 */
#include "tests/unit/replay_fixture.h"
#include "tests/unit/tunnel_builder.h"

enum {
	MIRRORED = PACKET_LINK_ETHERNET | PACKET_LINK_MIRRORED,
};

#define TO_SERVER .src = "10.9.0.1:40000", .dst = "10.0.0.2:80"
#define SPEC(...) (&(struct frame_spec){__VA_ARGS__})

static unsigned told(const struct fixture *f, enum replay_notice notice)
{
	unsigned n = 0;

	for (size_t i = 0; i < f->notice_count; i++)
		n += f->notices[i] == notice;
	return n;
}

static void capture_mirrored(struct fixture *f, const uint8_t *bytes, size_t len)
{
	f->frames++;
	replay_on_frame(f->replay, MIRRORED, bytes, len, len, f->now_us);
	end_batch(f);
}

static void capture_wrapped(struct fixture *f, const char *wrapping, const struct frame_spec *spec)
{
	struct frame frame;

	wrap(&frame, wrapping_of(wrapping), false, spec);
	capture_mirrored(f, frame.bytes, frame.len_bytes);
}

/* A client whose packets come in a tunnel has said its SYN and its ACK. */
static void established_in(struct fixture *f, const char *wrapping)
{
	capture_wrapped(f, wrapping,
			SPEC(TO_SERVER, .flags = "S", .seq = 1000, .options = "mss 1460"));
	expect_segment(f, "S 0:0(0) <mss 1460>");
	capture_wrapped(f, wrapping, SPEC(TO_SERVER, .flags = ".", .seq = 1001, .ack = 50001));
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, ". 1:1(0) ack 1");
}

static void a_client_in_any_tunnel_is_copied(void **state)
{
	(void)state;
	for (size_t i = 0; i < WRAPPINGS; i++) {
		struct fixture *f = fixture_new(&(struct fixture_config){0});

		established_in(f, wrappings[i].name);
		capture_wrapped(f, wrappings[i].name,
				SPEC(TO_SERVER, .flags = "P.", .seq = 1001, .ack = 50001,
				     .payload = "GET /"));
		expect_segment(f, "P. 1:6(5) ack 1");
		expect_payload(f, "GET /");
		assert_int_equal(fate(f, PACKET_FATE_USED), 3);
		fixture_free(f);
	}
}

/* The headers of the tunnel make the frame longer than the MTU, not the packet. */
static void a_corrupt_packet_of_full_size_is_known_in_a_tunnel(void **state)
{
	struct fixture *f = *state;

	established_in(f, "ERSPAN III, more");
	capture_wrapped(f, "ERSPAN III, more",
			SPEC(TO_SERVER, .flags = "P.", .seq = 1001, .ack = 50001,
			     .payload_len_bytes = 1460, .checksum = BUILD_CHECKSUM_WRONG));
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_CORRUPT), 1);
	/* One that is well above it is a super-packet, as ever. */
	capture_wrapped(f, "ERSPAN III, more",
			SPEC(TO_SERVER, .flags = "P.", .seq = 1001, .ack = 50001,
			     .payload_len_bytes = 1511, .checksum = BUILD_CHECKSUM_WRONG));
	assert_int_equal(fate(f, PACKET_FATE_CORRUPT), 1);
	expect_segment(f, ". 1:1461(1460) ack 1");
	ignore_sent(f);
}

static void what_the_mirror_cuts_off_is_a_gap_and_told_once(void **state)
{
	struct fixture *f = *state;
	struct frame frame;
	size_t whole;

	established_in(f, "VXLAN");
	for (unsigned n = 0; n < 2; n++) {
		wrap(&frame, wrapping_of("VXLAN"), false,
		     SPEC(TO_SERVER, .flags = "P.", .seq = 1001 + 100 * n, .ack = 50001,
			  .payload_len_bytes = 100));
		whole = frame.len_bytes;
		put16(frame.bytes + ETHERNET + 2, whole - ETHERNET - 40);
		put16(frame.bytes + ETHERNET + 24, whole - ETHERNET - 60);
		capture_mirrored(f, frame.bytes, whole - 40);
	}
	assert_int_equal(told(f, REPLAY_NOTICE_CUT), 1);
	assert_int_equal(stream(f)->captured.bytes, 120);
	ignore_sent(f);
	pass_ms(f, 4000);
	assert_int_equal(stream(f)->dropped[DROP_CAPTURE_GAP].bytes + stream(f)->delivered.bytes +
				 stream(f)->in_flight.bytes,
			 120);
	assert_true(stream(f)->dropped[DROP_CAPTURE_GAP].bytes >= 60);
	ignore_sent(f);
}

/* A frame so short that not even its headers are whole is of no use, but tells as much. */
static void headers_that_the_mirror_cuts_are_malformed_and_told(void **state)
{
	struct fixture *f = *state;
	struct built_frame b =
		build_frame(SPEC(TO_SERVER, .flags = "S", .options = "mss 1460,sackOK"));

	capture_mirrored(f, b.data, b.len_bytes - 4);
	built_frame_free(&b);
	expect_nothing(f);
	assert_int_equal(told(f, REPLAY_NOTICE_CUT), 1);
	assert_int_equal(fate(f, PACKET_FATE_MALFORMED), 1);
}

static void fragments_of_a_tunnel_are_counted_and_told_once(void **state)
{
	struct fixture *f = *state;
	struct frame frame;

	wrap(&frame, wrapping_of("GRE, IP"), false, SPEC(TO_SERVER, .flags = "S"));
	put16(frame.bytes + ETHERNET + 6, 0x2000);
	capture_mirrored(f, frame.bytes, frame.len_bytes);
	capture_mirrored(f, frame.bytes, frame.len_bytes);
	expect_nothing(f);
	assert_int_equal(told(f, REPLAY_NOTICE_MIRROR_FRAGMENTS), 1);
	assert_int_equal(fate(f, PACKET_FATE_FRAGMENT), 2);
}

static void without_a_mirror_a_tunnel_is_not_ours(void **state)
{
	struct fixture *f = *state;
	struct frame frame;

	wrap(&frame, wrapping_of("VXLAN"), false, SPEC(TO_SERVER, .flags = "S"));
	f->frames++;
	replay_on_frame(f->replay, PACKET_LINK_ETHERNET, frame.bytes, frame.len_bytes,
			frame.len_bytes, f->now_us);
	end_batch(f);
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_NOT_OURS), 1);
}

/* ---- both directions, in any order ---- */

/* A whole connection: "c" is said by the client, "s" by the server. */
static const char *const conversation[] = {
	"c S 0:0(0) <mss 1460>",  "s S. 0:0(0) ack 1",         "c . 1:1(0) ack 1",
	"c P. 1:101(100) ack 1",  "c P. 101:201(100) ack 301", "s F. 601:601(0) ack 201",
	"c . 201:201(0) ack 602", "c F. 201:201(0) ack 602",
};

enum {
	PACKETS = sizeof(conversation) / sizeof(conversation[0]),
	USED = 8,
};

static void say(struct fixture *f, const char *line)
{
	if (line[0] == 'c')
		client_says(f, line + 2);
	else
		server_says(f, line + 2);
}

/* The target answers all; everything the client said must reach it, once. */
static void expect_copied(struct fixture *f)
{
	expect_segment(f, "S 0:0(0) <mss 1460>");
	target_says(f, "S. 0:0(0) ack 1 <mss 1460>");
	expect_segment(f, "P. 1:101(100) ack 1");
	expect_pattern(f, 0);
	target_says(f, "P. 1:301(300) ack 101");
	expect_segment(f, "P. 101:201(100) ack 301");
	expect_pattern(f, 100);
	target_says(f, "P. 301:601(300) ack 201");
	pass_ms(f, 100);
	ignore_sent(f);
	target_says(f, "F. 601:601(0) ack 201");
	pass_ms(f, 100);
	assert_int_equal(stream(f)->captured.bytes, 200);
	assert_int_equal(stream(f)->captured.requests, 2);
	assert_int_equal(stream(f)->delivered.bytes, 200);
	assert_int_equal(stream(f)->delivered.requests, 2);
	assert_int_equal(account_of(f, 0)->sessions.started, 1);
	ignore_sent(f);
}

/* The second of each comes so many packets after the first. */
static void each_packet_twice_however_late(void **state)
{
	(void)state;
	for (size_t late = 0; late <= PACKETS; late++) {
		struct fixture *f = fixture_new(&(struct fixture_config){0});

		for (size_t i = 0; i < PACKETS + late; i++) {
			if (i < PACKETS)
				say(f, conversation[i]);
			if (i >= late)
				say(f, conversation[i - late]);
		}
		expect_copied(f);
		assert_int_equal(fate(f, PACKET_FATE_USED), USED);
		assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), PACKETS);
		fixture_free(f);
	}
}

/* The packets of one direction come so many places earlier than on the wire. */
static void one_direction_ahead_of_the_other(void **state)
{
	static const char sides[] = "cs";

	(void)state;
	for (size_t side = 0; side < 2; side++) {
		for (size_t ahead = 0; ahead <= PACKETS; ahead++) {
			struct fixture *f = fixture_new(&(struct fixture_config){0});

			for (size_t i = 0; i < PACKETS + ahead; i++) {
				if (i < PACKETS && conversation[i][0] == sides[side])
					say(f, conversation[i]);
				if (i >= ahead && conversation[i - ahead][0] != sides[side])
					say(f, conversation[i - ahead]);
			}
			expect_copied(f);
			fixture_free(f);
		}
	}
}

static void the_client_alone(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < PACKETS; i++)
		if (conversation[i][0] == 'c')
			say(f, conversation[i]);
	expect_copied(f);
}

static void the_server_alone_begins_nothing(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < PACKETS; i++)
		if (conversation[i][0] == 's')
			say(f, conversation[i]);
	expect_nothing(f);
	assert_int_equal(fate(f, PACKET_FATE_USED), 0);
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), 2);
}

/* ---- a RST of the server that overtakes what it acknowledges ---- */

static void a_server_rst_waits_for_what_it_acknowledges(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	server_says(f, "R. 301:301(0) ack 101");
	client_says(f, "P. 1:101(100) ack 1");
	expect_segment(f, "P. 1:101(100) ack 1");
	target_says(f, "P. 1:301(300) ack 101");
	pass_ms(f, 100);
	assert_int_equal(stream(f)->delivered.requests, 1);
	assert_int_equal(account_of(f, 0)->sessions.active, 0);
	ignore_sent(f);
}

static void a_server_rst_may_have_acknowledged_a_fin(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	server_says(f, "R. 301:301(0) ack 102");
	client_says(f, "P. 1:101(100) ack 1");
	expect_segment(f, "P. 1:101(100) ack 1");
	client_says(f, "F. 101:101(0) ack 301");
	target_says(f, "P. 1:301(300) ack 101");
	pass_ms(f, 100);
	assert_int_equal(stream(f)->delivered.requests, 1);
	assert_int_equal(account_of(f, 0)->sessions.active, 0);
	ignore_sent(f);
}

static void a_server_rst_twice_is_one(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	server_says(f, "R. 301:301(0) ack 101");
	server_says(f, "R. 301:301(0) ack 101");
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), 1);
	expect_nothing(f);
	client_says(f, "R. 101:101(0) ack 301"); /* and what the client says is missing still */
	expect_nothing(f);
	pass_ms(f, 3100);
	assert_int_equal(account_of(f, 0)->sessions.active, 0);
	ignore_sent(f);
}

static void a_server_rst_waits_no_longer_than_for_a_gap(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "P. 1:51(50) ack 1");
	expect_segment(f, "P. 1:51(50) ack 1");
	target_says(f, "P. 1:301(300) ack 51");
	server_says(f, "R. 301:301(0) ack 101");
	ignore_sent(f);
	pass_ms(f, 2900);
	assert_int_equal(account_of(f, 0)->sessions.active, 1);
	pass_ms(f, 300);
	assert_int_equal(account_of(f, 0)->sessions.active, 0);
	assert_int_equal(stream(f)->delivered.bytes, 50);
	ignore_sent(f);
}

static void a_server_rst_of_all_that_was_captured_ends_at_once(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_says(f, "P. 1:51(50) ack 1");
	expect_segment(f, "P. 1:51(50) ack 1");
	target_says(f, "P. 1:301(300) ack 51");
	server_says(f, "R. 301:301(0) ack 51");
	pass_ms(f, 100);
	assert_int_equal(account_of(f, 0)->sessions.active, 0);
	server_says(f, "R. 301:301(0) ack 51");
	assert_int_equal(fate(f, PACKET_FATE_DUPLICATE), 1);
	ignore_sent(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_in_any_tunnel_is_copied),
		fixture_test(a_corrupt_packet_of_full_size_is_known_in_a_tunnel),
		fixture_test(what_the_mirror_cuts_off_is_a_gap_and_told_once),
		fixture_test(headers_that_the_mirror_cuts_are_malformed_and_told),
		fixture_test(fragments_of_a_tunnel_are_counted_and_told_once),
		fixture_test(without_a_mirror_a_tunnel_is_not_ours),
		cmocka_unit_test(each_packet_twice_however_late),
		cmocka_unit_test(one_direction_ahead_of_the_other),
		fixture_test(the_client_alone),
		fixture_test(the_server_alone_begins_nothing),
		fixture_test(a_server_rst_waits_for_what_it_acknowledges),
		fixture_test(a_server_rst_may_have_acknowledged_a_fin),
		fixture_test(a_server_rst_twice_is_one),
		fixture_test(a_server_rst_waits_no_longer_than_for_a_gap),
		fixture_test(a_server_rst_of_all_that_was_captured_ends_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
