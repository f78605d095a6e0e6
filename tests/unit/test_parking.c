/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_parking.c - connections that rest are packed: without loss, small, and woken by all that concerns them.
 */
#include "tests/unit/replay_fixture.h"

#include "tcpcopy/parking.h"
#include "tcpcopy/replay_private.h"

enum {
	ROUNDS = 2000,
	RESTING_MS = 4100, /* surely parked: looked at after two seconds, and after as many more */
	MANY = 8192,
	RESTING_BYTES = 320, /* of memory, a connection with one session */
};

/* ---- packing ---- */

static uint64_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 33;
}

/* Bytes as they come, many of them zero. */
static void scramble(void *data, size_t len, uint64_t *random)
{
	unsigned density = (unsigned)(random_next(random) % 9);
	uint8_t *at = data;

	for (size_t i = 0; i < len; i++)
		at[i] = random_next(random) % 8 < density ? (uint8_t)random_next(random) : 0;
}

struct world {
	struct online online;
	struct session sessions[PARKING_SESSIONS_MAX];
};

/* Links and timers are the caller's; and what is ready to be advanced over is nothing. */
static void unlink_all(struct world *w)
{
	memset(&w->online.timer, 0, sizeof(w->online.timer));
	memset(&w->online.queue.ready_note, 0, sizeof(w->online.queue.ready_note));
	w->online.timer_at_us = 0;
	w->online.sessions = NULL;
	w->online.backlog = (struct backlog_link){0, 0};
	w->online.index = 0;
	for (size_t i = 0; i < PARKING_SESSIONS_MAX; i++) {
		struct session *s = &w->sessions[i];

		memset(&s->timer, 0, sizeof(s->timer));
		s->timer_at_us = 0;
		s->next_of_online = s->next_dirty = NULL;
		s->online = NULL;
	}
}

static void link_sessions(struct world *w, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		w->sessions[i].next_of_online = w->online.sessions;
		w->online.sessions = &w->sessions[i];
	}
}

static void what_is_packed_comes_back_byte_for_byte(void **state)
{
	struct parking *p = parking_new(NULL);
	struct world *before = calloc(1, sizeof(*before)), *after = calloc(1, sizeof(*after));
	struct session *sessions[PARKING_SESSIONS_MAX];
	uint64_t random = 1;
	unsigned packed = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned count = (unsigned)(random_next(&random) % 3);
		uint32_t handle;

		scramble(before, sizeof(*before), &random);
		unlink_all(before);
		link_sessions(before, count);
		handle = parking_put(p, &before->online);
		if (handle == PARKING_NONE) /* of random bytes few can be left out */
			continue;
		packed++;
		assert_int_equal(parking_session_count(p, handle), count);
		for (unsigned i = 0; i < count; i++)
			sessions[i] = &after->sessions[count - 1 - i];
		scramble(after, sizeof(*after), &random);
		parking_get(p, handle, &after->online, sessions);
		unlink_all(before);
		assert_memory_equal(&after->online, &before->online, sizeof(before->online));
		assert_memory_equal(after->sessions, before->sessions,
				    count * sizeof(before->sessions[0]));
		if (round % 2)
			parking_drop(p, handle);
	}
	assert_in_range(packed, ROUNDS / 4, ROUNDS);
	parking_free(p);
	free(before);
	free(after);
}

static void too_many_sessions_are_not_packed(void **state)
{
	struct parking *p = parking_new(NULL);
	struct online o = {.sessions = NULL};
	struct session s[PARKING_SESSIONS_MAX + 1];

	(void)state;
	memset(s, 0, sizeof(s));
	for (unsigned i = 0; i <= PARKING_SESSIONS_MAX; i++) {
		assert_int_not_equal(parking_put(p, &o), PARKING_NONE);
		s[i].next_of_online = o.sessions;
		o.sessions = &s[i];
	}
	assert_int_equal(parking_put(p, &o), PARKING_NONE);
	assert_int_equal(parking_count(p), PARKING_SESSIONS_MAX + 1);
	parking_free(p);
}

static void all_that_are_packed_are_walked(void **state)
{
	struct parking *p = parking_new(NULL);
	struct online o = {.isn = 1};
	uint32_t handles[100], at = 0, walked = 0;

	(void)state;
	for (size_t i = 0; i < 100; i++) {
		o.tuple.src.port = (uint16_t)i;
		o.tuple.src.addr.b[i % 16]++; /* of several sizes */
		handles[i] = parking_put(p, &o);
	}
	for (size_t i = 0; i < 100; i += 3)
		parking_drop(p, handles[i]);
	for (; (at = parking_next(p, at)) != PARKING_NONE; at++)
		walked++;
	assert_int_equal(walked, parking_count(p));
	assert_int_equal(walked, 66);
	parking_free(p);
}

/* ---- resting ---- */

static uint32_t parked(const struct fixture *f)
{
	return parking_count(f->replay->table.parking);
}

/* A request and its answer, both acknowledged; then silence. */
static void rests_after_a_request(struct fixture *f)
{
	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_segment(f, "P. 1:6(5) ack 1");
	target_says(f, "P. 1:301(300) ack 6");
	client_says(f, ". 6:6(0) ack 301");
	pass_ms(f, 50);
	expect_segment(f, ". 6:6(0) ack 301");
	assert_int_equal(parked(f), 0);
	pass_in_silence(f, RESTING_MS);
	assert_int_equal(parked(f), 1);
	assert_int_equal(replay_connections(f->replay), 1);
	assert_int_equal(fixture_registered(f), 1);
}

static void client_that_goes_on_finds_its_session(void **state)
{
	struct fixture *f = *state;

	for (uint32_t round = 0; round < 3; round++) {
		char text[64];

		if (round == 0)
			rests_after_a_request(f);
		client_data(f, 6 + 5 * round, 301 + 300 * round, "GET 2");
		snprintf(text, sizeof(text), "P. %u:%u(5) ack %u", 6 + 5 * round, 11 + 5 * round,
			 301 + 300 * round);
		expect_segment(f, text);
		assert_int_equal(parked(f), 0);
		snprintf(text, sizeof(text), "P. %u:%u(300) ack %u", 301 + 300 * round,
			 601 + 300 * round, 11 + 5 * round);
		target_says(f, text);
		pass_ms(f, RESTING_MS);
		ignore_sent(f);
		assert_int_equal(parked(f), 1);
	}
	assert_int_equal(stream(f)->delivered.requests, 4);
	assert_int_equal(stream(f)->in_flight.bytes, 0);
}

static void target_that_goes_on_is_acknowledged(void **state)
{
	struct fixture *f = *state;

	rests_after_a_request(f);
	target_says(f, "P. 301:351(50) ack 6"); /* pushed by the server */
	assert_int_equal(parked(f), 0);
	pass_ms(f, 50);
	expect_segment(f, ". 6:6(0) ack 351");
	pass_ms(f, 2 * RESTING_MS);
	assert_int_equal(parked(f), 1);
}

static void targets_close_is_followed(void **state)
{
	struct fixture *f = *state;

	rests_after_a_request(f);
	target_says(f, "F. 301:301(0) ack 6");
	expect_segment(f, ". 6:6(0) ack 302");
	pass_ms(f, 2 * RESTING_MS);
	assert_int_equal(parked(f), 1); /* closed by the target, and resting again */
	client_says(f, "F. 6:6(0) ack 301");
	expect_segment(f, "F. 6:6(0) ack 302");
	target_says(f, ". 302:302(0) ack 7");
	assert_int_equal(fixture_registered(f), 0);
}

static void clients_port_is_used_again(void **state)
{
	struct fixture *f = *state;

	rests_after_a_request(f);
	client_says(f, "S 90000:90000(0) <mss 1460>");
	client_data(f, 90001, 1, "GET /");
	pass_ms(f, 10);
	ignore_sent(f);
	assert_int_equal(replay_connections(f->replay), 1);
	assert_int_equal(account_of(f, 0)->sessions.started, 2);
}

static void strangers_id_wakes_nobody_for_long(void **state)
{
	struct fixture *f = *state;
	struct wire_record r;

	rests_after_a_request(f);
	r = record_of(f, 0, ". 301:301(0) ack 6");
	r.session_id ^= UINT32_C(1) << 31; /* of an earlier generation */
	give_record(f, &r);
	expect_nothing(f);
	assert_int_equal(account_of(f, 0)->traffic.records_ignored, 1);
	pass_ms(f, 2 * RESTING_MS);
	assert_int_equal(parked(f), 1);
}

static void refused_registration_ends_it(void **state)
{
	struct fixture *f = *state;

	rests_after_a_request(f);
	replay_on_register_refused(f->replay, f->faked[0].id, f->now_us);
	end_batch(f);
	expect_segment(f, "R. 6:6(0) ack 301");
	assert_int_equal(fixture_registered(f), 0);
}

static void keep_alive_ends_it(void **state)
{
	struct fixture *f = *state;

	rests_after_a_request(f);
	pass_in_silence(f, 7100 * 1000);
	assert_int_equal(parked(f), 1);
	pass_ms(f, 101 * 1000);
	expect_segment(f, "R. 6:6(0) ack 301");
	assert_int_equal(fixture_registered(f), 0);
	pass_ms(f, 700 * 1000 + 7200 * 1000);
	assert_int_equal(replay_connections(f->replay), 0);
	assert_int_equal(parked(f), 0);
}

static void shutdown_resets_it(void **state)
{
	struct fixture *f = *state;

	rests_after_a_request(f);
	replay_shutdown(f->replay, f->now_us);
	expect_segment(f, "R. 6:6(0) ack 301");
	expect_nothing(f);
	assert_int_equal(fixture_registered(f), 0);
	assert_int_equal(account_of(f, 0)->sessions.active, 0);
	assert_int_equal(parked(f), 0);
}

struct visits {
	const struct fixture *f;
	unsigned count;
};

static void visit(void *ctx, uint32_t id, const struct tuple *response)
{
	struct visits *v = ctx;

	assert_int_equal(id, v->f->faked[0].id);
	assert_true(tuple_equal(response, &v->f->faked[0].response));
	v->count++;
}

static void new_link_hears_of_it(void **state)
{
	struct fixture *f = *state;
	struct visits v = {.f = f};
	uint32_t cursor = 0;

	rests_after_a_request(f);
	while (replay_each_session(f->replay, &cursor, 1, visit, &v))
		;
	assert_int_equal(v.count, 1);
	assert_int_equal(parked(f), 1);
}

/* ---- who does not rest ---- */

static void expect_awake(struct fixture *f)
{
	pass_ms(f, 3 * RESTING_MS);
	ignore_sent(f);
	assert_int_equal(parked(f), 0);
}

static void unanswered_request_does_not_rest(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	expect_awake(f);
}

static void turn_behind_its_gate_does_not_rest(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET /");
	target_says(f, ". 1:1(0) ack 6");
	client_data(f, 6, 301, "GET 2");
	expect_awake(f);
}

static void bytes_behind_a_hole_do_not_rest(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 100, 1, "GET /");
	pass_ms(f, 2500); /* the hole is given up after three seconds */
	ignore_sent(f);
	assert_int_equal(parked(f), 0);
}

/* ---- memory ---- */

static void connections_rest(struct fixture *f, unsigned first, unsigned count)
{
	for (unsigned n = first; n < first + count; n++) {
		be_client(f, n);
		f->at = f->faked_count;
		session_established(f);
		client_data(f, 1, 1, "GET /");
		target_says(f, "P. 1:301(300) ack 6");
		client_says(f, ". 6:6(0) ack 301");
		fixture_forget_sent(f);
	}
	for (unsigned n = 0; n < 10; n++) {
		pass_ms(f, RESTING_MS / 5);
		fixture_forget_sent(f);
	}
}

static void resting_connection_costs_little_memory(void **state)
{
	struct fixture *f = fixture_new(
		&(struct fixture_config){.pool_first = "10.20.0.1", .pool_last = "10.20.0.254"});
	size_t before;

	(void)state;
	connections_rest(f, 0, 1);
	before = replay_memory(f->replay);
	connections_rest(f, 1, MANY);
	assert_int_equal(parked(f), MANY + 1);
	assert_in_range((replay_memory(f->replay) - before) / MANY, 100, RESTING_BYTES);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_packed_comes_back_byte_for_byte),
		cmocka_unit_test(too_many_sessions_are_not_packed),
		cmocka_unit_test(all_that_are_packed_are_walked),
		fixture_test(client_that_goes_on_finds_its_session),
		fixture_test(target_that_goes_on_is_acknowledged),
		fixture_test(targets_close_is_followed),
		fixture_test(clients_port_is_used_again),
		fixture_test(strangers_id_wakes_nobody_for_long),
		fixture_test(refused_registration_ends_it),
		fixture_test(keep_alive_ends_it),
		fixture_test(shutdown_resets_it),
		fixture_test(new_link_hears_of_it),
		fixture_test(unanswered_request_does_not_rest),
		fixture_test(turn_behind_its_gate_does_not_rest),
		fixture_test(bytes_behind_a_hole_do_not_rest),
		cmocka_unit_test(resting_connection_costs_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
