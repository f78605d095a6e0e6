/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_no_memory.c - memory that runs out: each single allocation of the core fails once, and every
 * one from some moment on. Nothing may crash, leak or miscount, and when there is memory again new
 * connections are copied as before.
 */
#include "tests/unit/failing_memory.h"

#include <errno.h>

#include "common/timer_wheel.h"
#include "common/tuple_map.h"
#include "tcpcopy/segment_queue.h"
#include "tests/unit/replay_fixture.h"

enum {
	MAP_TUPLES = 400, /* several doublings, several halvings */
	ANSWER = 300,
	NODES_MAX = 3, /* by which a tree may have grown for what then found no room */
	FAKED_MAX = 128,
	ALLOCATIONS_MAX = 1000, /* of a run: that the loops end */
};

/* ---- tables ---- */

static struct tuple tuple_number(uint32_t n)
{
	return (struct tuple){.src = {.addr = ip_addr_v4(0x0a000000 + n), .port = 1},
			      .dst = {.addr = ip_addr_v4(1), .port = 2},
			      .protocol = PROTOCOL_TCP};
}

static const struct tuple *tuple_of(const void *owner, uint32_t value)
{
	return (const struct tuple *)owner + value;
}

static void new_tuple_map_without_memory(void **state)
{
	const struct hash_key key = {1, 2};
	unsigned n = 0;

	(void)state;
	for (;; n++) {
		struct tuple_map *m;
		bool failed;

		memory_fails(n, 1);
		errno = 0;
		m = tuple_map_new(&key, tuple_of, NULL);
		failed = memory_failed();
		assert_int_equal(m == NULL, failed);
		assert_int_equal(errno, failed ? ENOMEM : 0);
		tuple_map_free(m);
		if (!failed)
			break;
	}
	assert_int_equal(n, 2); /* the map and its slots */
}

/* Whether exactly the tuples [first, end) are found. */
static void check_map(const struct tuple_map *m, const struct tuple *tuples, uint32_t first,
		      uint32_t end)
{
	assert_int_equal(tuple_map_count(m), end - first);
	for (uint32_t i = 0; i < MAP_TUPLES; i++)
		assert_int_equal(tuple_map_find(m, &tuples[i]),
				 i >= first && i < end ? i : TUPLE_MAP_NONE);
}

static void tuple_map_that_cannot_grow_keeps_what_it_has(void **state)
{
	const struct hash_key key = {1, 2};
	struct tuple tuples[MAP_TUPLES];
	struct tuple_map *m;
	unsigned refused = 0;

	(void)state;
	for (uint32_t i = 0; i < MAP_TUPLES; i++)
		tuples[i] = tuple_number(i);
	m = tuple_map_new(&key, tuple_of, tuples);
	assert_non_null(m);
	for (uint32_t i = 0; i < MAP_TUPLES; i++) {
		memory_fails(0, 1);
		errno = 0;
		if (tuple_map_insert(m, &tuples[i], i)) {
			assert_int_equal(errno, ENOMEM);
			check_map(m, tuples, 0, i);
			refused++;
			assert_int_equal(tuple_map_insert(m, &tuples[i], i), 0);
		}
		memory_failed();
	}
	check_map(m, tuples, 0, MAP_TUPLES);
	assert_int_equal(refused, 6); /* from 16 slots to 1024 */
	tuple_map_free(m);
}

static void tuple_map_that_cannot_shrink_goes_on(void **state)
{
	const struct hash_key key = {1, 2};
	struct tuple tuples[MAP_TUPLES];
	struct tuple_map *m;
	size_t large;

	(void)state;
	for (uint32_t i = 0; i < MAP_TUPLES; i++)
		tuples[i] = tuple_number(i);
	m = tuple_map_new(&key, tuple_of, tuples);
	assert_non_null(m);
	for (uint32_t i = 0; i < MAP_TUPLES; i++)
		assert_int_equal(tuple_map_insert(m, &tuples[i], i), 0);
	large = tuple_map_memory(m);
	memory_fails(0, FOR_EVER);
	errno = 0;
	for (uint32_t i = 0; i + 1 < MAP_TUPLES; i++)
		assert_int_equal(tuple_map_remove(m, &tuples[i]), i);
	assert_true(memory_failed());
	assert_int_equal(errno, 0);
	assert_int_equal(tuple_map_memory(m), large);
	check_map(m, tuples, MAP_TUPLES - 1, MAP_TUPLES);
	assert_int_equal(tuple_map_remove(m, &tuples[MAP_TUPLES - 1]), MAP_TUPLES - 1);
	assert_true(tuple_map_memory(m) < large);
	tuple_map_free(m);
}

static void new_timer_wheel_without_memory(void **state)
{
	(void)state;
	memory_fails(0, 1);
	errno = 0;
	assert_null(timer_wheel_new(0));
	assert_int_equal(errno, ENOMEM);
	assert_true(memory_failed());
}

/* ---- the queue of a connection ---- */

/* Each push is a write of its own. */
static const struct segment_note pushed = {.pushed = true};

static long push(struct segment_queue *q, struct segment_blocks *blocks, uint64_t off, size_t len)
{
	uint8_t *data = malloc(len);
	long fresh;

	assert_non_null(data);
	fill_pattern(data, off, len);
	errno = 0;
	fresh = segment_queue_push(q, blocks, off, data, len, &pushed, 1 << 24);
	free(data);
	return fresh;
}

/* All that is contiguous is what was pushed. */
static void check_queue(struct segment_queue *q, struct segment_blocks *blocks)
{
	while (segment_queue_advance(q, blocks))
		continue;
	for (uint64_t off = q->start; off < q->end;) {
		struct iovec iov[4];
		uint16_t count;
		uint64_t at = off;

		off += segment_queue_peek(q, blocks, off, (size_t)(q->end - off), iov, 4, &count);
		for (uint16_t i = 0; i < count; i++)
			for (size_t k = 0; k < iov[i].iov_len; k++, at++)
				assert_int_equal(((const uint8_t *)iov[i].iov_base)[k],
						 pattern_byte(at));
		assert_int_equal(at, off);
	}
}

/*
 * With room for so many blocks only, nodes of the tree included. The queue begins shortly before
 * the end of a node, so that growing spreads it over two. Whether all found room.
 */
static bool fill_queue(size_t room)
{
	static const struct {
		uint32_t off, len;
	} pushes[] = {{0, 3000},         {5000, 2000},      {20000, 100},
		      {3000, 2500},      {10 << 10, 5000},  {7000, 20000},
		      {255 << 10, 3000}, {300 << 10, 9000}, {27000, 300000}};
	const uint64_t start = 250 * SEGMENT_BLOCK_BYTES + 100;
	struct segment_blocks *blocks = segment_blocks_new(room * SEGMENT_BLOCK_BYTES, NULL);
	struct segment_queue q;
	bool found = true;

	assert_non_null(blocks);
	segment_queue_init(&q, start);
	for (size_t i = 0; i < sizeof(pushes) / sizeof(pushes[0]); i++) {
		uint64_t beyond = segment_queue_beyond(&q), end = q.end;
		uint32_t held = segment_blocks_count(blocks);

		if (push(&q, blocks, start + pushes[i].off, pushes[i].len) < 0) {
			assert_int_equal(errno, ENOMEM);
			assert_int_equal(segment_queue_beyond(&q), beyond);
			assert_int_equal(q.end, end);
			assert_true(segment_blocks_count(blocks) <=
				    held + NODES_MAX); /* the others' */
			found = false;
		}
		check_queue(&q, blocks);
	}
	segment_queue_release(&q, blocks, q.end);
	check_queue(&q, blocks);
	segment_queue_fini(&q, blocks);
	assert_int_equal(segment_blocks_count(blocks), 0);
	segment_blocks_free(blocks);
	return found;
}

static void queue_that_finds_no_block_keeps_what_it_has(void **state)
{
	size_t room = 1;

	(void)state;
	while (!fill_queue(room))
		assert_true(++room < 1000);
	assert_true(room > 300);
}

/* Ranges that are left of the first chunk of them: the next one needs memory. */
static void leave_ranges(struct segment_queue *other, struct segment_blocks *blocks, unsigned left)
{
	segment_queue_init(other, 0);
	for (unsigned i = left; i < SLAB_CHUNK_OBJECTS; i++)
		assert_int_equal(push(other, blocks, 10 + 2 * i, 1), 1);
}

/* What of it has no memory is not there, and can be said again. True if memory failed. */
static bool fill_holes(unsigned after, long *found)
{
	struct segment_blocks *blocks = segment_blocks_new(1 << 20, NULL);
	struct segment_queue q, other;
	bool failed;

	segment_queue_init(&q, 0);
	leave_ranges(&other, blocks, after + 2);
	assert_int_equal(push(&q, blocks, 10, 10), 10);
	assert_int_equal(push(&q, blocks, 30, 10), 10);
	memory_fails(0, 1);
	*found = push(&q, blocks, 5, 40);
	failed = memory_failed();
	assert_int_equal(push(&q, blocks, 5, 40), 20 - (*found < 0 ? 0 : *found));
	assert_int_equal(segment_queue_beyond(&q), 40);
	assert_int_equal(push(&q, blocks, 0, 5), 5);
	check_queue(&q, blocks);
	assert_int_equal(q.end, 45);
	segment_queue_fini(&q, blocks);
	segment_queue_fini(&other, blocks);
	assert_int_equal(segment_blocks_count(blocks), 0);
	segment_blocks_free(blocks);
	return failed;
}

static void segment_over_several_holes_without_memory_for_each(void **state)
{
	unsigned n = 0, partly = 0;
	long found;

	(void)state;
	for (; fill_holes(n, &found); n++) {
		assert_true(found < 20);
		partly += found > 0;
		assert_true(n < 10);
	}
	assert_int_equal(found, 20);
	assert_int_equal(n, 3);
	assert_int_equal(partly, 2);
}

/* ---- the data path ---- */

static void new_replay_without_memory(void **state)
{
	const struct transfer transfer = transfer_of("10.0.0.2:80-10.1.0.1:8080");
	const struct replay_effects effects = {.urgency = fixture_urgency};
	const struct addr_range pool = {addr_of("10.3.0.1"), addr_of("10.3.0.9")};
	const struct replay_config config = {
		.transfers = &transfer,
		.transfer_count = 1,
		.client_pool = &pool,
		.client_pool_count = 1,
		.max_sessions = 100,
		.copies = 2,
		.max_memory_bytes = 1 << 20,
	};
	unsigned n = 0;

	(void)state;
	for (;; n++) {
		struct replay *r;
		bool failed;

		assert_true(n < ALLOCATIONS_MAX);
		memory_fails(n, 1);
		errno = 0;
		r = replay_new(&config, &effects, NULL, 1);
		failed = memory_failed();
		assert_int_equal(r == NULL, failed);
		if (failed)
			assert_int_equal(errno, ENOMEM);
		replay_free(r);
		if (!failed)
			break;
	}
	assert_true(n > 8);
}

static void local_addresses_without_memory_stay_as_they_were(void **state)
{
	struct fixture *f =
		fixture_new(&(struct fixture_config){.transfers = {"0.0.0.0:80-10.1.0.1:8080"}});
	const struct ip_addr mine = addr_of("10.0.0.2"), others = addr_of("10.0.0.3");

	(void)state;
	assert_int_equal(replay_set_local_addresses(f->replay, &mine, 1), 0);
	memory_fails(0, 1);
	assert_int_equal(replay_set_local_addresses(f->replay, &others, 1), -1);
	assert_true(memory_failed());
	session_established(f);
	fixture_free(f);
}

/* Neither its bytes nor its turn can be kept: the connection is given up and accounted for. */
static void request_without_memory_ends_its_session(void **state)
{
	unsigned n = 0;

	(void)state;
	for (;; n++) {
		struct fixture *f = fixture_new(&(struct fixture_config){.whole_only = true});
		bool failed;

		session_established(f);
		memory_fails(n, 1);
		client_data(f, 1, 1, "GET /");
		failed = memory_failed();
		if (failed) {
			expect_segment(f, "R. 1:1(0) ack 1");
			assert_int_equal(stream(f)->in_flight.bytes, 0);
			assert_int_equal(fixture_registered(f), 0);
		} else {
			expect_segment(f, "P. 1:6(5) ack 1");
		}
		expect_nothing(f);
		fixture_free(f);
		if (!failed)
			break;
	}
	assert_true(n >= 2); /* a block, a turn */
}

static void connection_that_cannot_be_found_leaves_its_place(void **state)
{
	enum { SESSIONS = 16, FIT = 12 }; /* three quarters of the slots that a map begins with */
	struct fixture *f = fixture_new(&(struct fixture_config){.max_sessions = SESSIONS});

	(void)state;
	for (unsigned client = 0; client < FIT; client++) {
		be_client(f, client);
		session_syn_sent(f);
	}
	be_client(f, FIT);
	memory_fails(0, 1);
	client_says(f, "S 0:0(0) <mss 1460>");
	assert_true(memory_failed());
	expect_nothing(f);
	assert_int_equal(replay_connections(f->replay), FIT);
	for (unsigned client = FIT; client < SESSIONS; client++) {
		be_client(f, client);
		session_syn_sent(f);
	}
	assert_int_equal(fixture_registered(f), SESSIONS);
	fixture_free(f);
}

/* How far a target has come with one of our connections. */
struct told {
	uint32_t end; /* of what we have sent */
	uint32_t sent;
	bool is_open;
};

struct run {
	struct fixture *f;
	struct told told[FAKED_MAX];
};

static void on_sent(void *ctx, const struct sent *s)
{
	struct run *r = ctx;
	struct told *t = &r->told[s->faked];
	uint32_t end = s->seq + s->len_bytes + ((s->flags & (TCP_SYN | TCP_FIN)) != 0);

	assert_in_range(s->faked, 0, FAKED_MAX - 1);
	if ((s->flags & TCP_SYN) || seq_gt(end, t->end))
		t->end = end;
}

/* Every target takes all that was said to it, and answers with so many bytes. */
static void targets_answer(struct run *r, uint32_t len)
{
	struct fixture *f = r->f;

	for (size_t i = 0; i < f->faked_count; i++) {
		struct told *t = &r->told[i];
		struct wire_record record = {.session_id = f->faked[i].id,
					     .seq = f->faked[i].irs + 1 + t->sent,
					     .ack = t->end,
					     .window = UINT16_MAX,
					     .segments = 1,
					     .len_bytes = len,
					     .flags = TCP_ACK | TCP_PSH};

		if (!f->faked[i].is_registered || !f->faked[i].has_syn)
			continue;
		if (!t->is_open) {
			record.seq = f->faked[i].irs;
			record.len_bytes = 0;
			record.flags = TCP_SYN | TCP_ACK;
			record_options(&record, "mss 1460,wscale 7", true);
		}
		t->is_open = true;
		t->sent += record.len_bytes;
		give_record(f, &record);
	}
}

static void handshake(struct run *r, unsigned client)
{
	be_client(r->f, client);
	client_says(r->f, "S 0:0(0) <mss 1460,wscale 7>");
	server_says(r->f, "S. 0:0(0) ack 1");
	client_says(r->f, ". 1:1(0) ack 1");
	targets_answer(r, 0);
}

static void client_uploads(struct run *r, unsigned client, uint32_t from, uint32_t to)
{
	be_client(r->f, client);
	for (uint32_t at = from; at < to; at += 60000)
		client_bytes(r->f, at, 1, 60000);
	for (unsigned i = 0; i < 20; i++)
		targets_answer(r, 0);
}

/* Its port comes back while its former connection is open; the new tuple is refused. */
static void client_begins_anew(struct run *r, unsigned client)
{
	struct fixture *f = r->f;

	be_client(f, client);
	client_says(f, "P. 1:101(100) ack 1");
	f->client_isn += 100000;
	handshake(r, client);
	client_says(f, "P. 1:101(100) ack 1");
	if (f->faked_count)
		replay_on_register_refused(f->replay, f->faked[f->faked_count - 1].id, f->now_us);
	end_batch(f);
	targets_answer(r, 0);
	f->client_isn -= 100000;
}

/* All that allocates: connections, holes, a long backlog, a port that comes back, joining. */
static void live(struct run *r)
{
	struct fixture *f = r->f;

	for (unsigned client = 0; client < 3; client++)
		handshake(r, client);
	for (unsigned client = 20; client < 36; client++) { /* more than the table begins with */
		be_client(f, client);
		client_says(f, "S 0:0(0) <mss 1460>");
	}
	be_client(f, 0); /* holes, filled in the wrong order */
	client_says(f, "P. 3001:3101(100) ack 1");
	client_says(f, "P. 1001:1101(100) ack 1");
	client_says(f, "P. 1051:3051(2000) ack 1");
	client_says(f, "P. 1:1021(1020) ack 1");
	targets_answer(r, ANSWER);
	client_uploads(r, 1, 1, 300000); /* more than a tree of 256 blocks, ... */
	client_uploads(r, 1, 300001, 600000);
	pass_ms(f, 10);
	client_begins_anew(r, 2);
	be_client(f, 3); /* older than we are */
	client_says(f, "P. 5001:5101(100) ack 1");
	pass_ms(f, 20);
	client_says(f, "P. 5101:5201(100) ack 301");
	targets_answer(r, ANSWER);
	be_client(f, 0);
	client_says(f, "F. 3101:3101(0) ack 301");
	pass_ms(f, 5000);
	targets_answer(r, 0);
	be_client(f, 1);
	client_says(f, "R. 600001:600001(0) ack 301");
	pass_ms(f, 5000);
}

/* There is memory again: a connection like the first of all, at both targets. */
static void check_copies_again(struct run *r)
{
	const struct fixture *f = r->f;
	size_t before = f->faked_count;

	handshake(r, 7);
	client_says(r->f, "P. 1:101(100) ack 1");
	assert_int_equal(f->faked_count, before + 2);
	for (size_t i = before; i < f->faked_count; i++)
		assert_int_equal(r->told[i].end, f->faked[i].iss + 1 + 100);
	targets_answer(r, ANSWER);
}

static bool one_life(unsigned after, unsigned count)
{
	struct run r = {0};
	bool failed;

	r.f = fixture_new(&(struct fixture_config){
		.transfers = {"10.0.0.2:80-10.1.0.1:8080", "10.0.0.2:80-10.1.0.2:8080"},
		.pool_first = "10.3.0.1",
		.pool_last = "10.3.0.9"});
	r.f->mute = true;
	r.f->on_emit = on_sent;
	r.f->on_emit_ctx = &r;
	memory_fails(after, count);
	live(&r);
	failed = memory_failed();
	check_copies_again(&r);
	fixture_free(r.f);
	return failed;
}

static void each_allocation_fails_once(void **state)
{
	unsigned n = 0;

	(void)state;
	while (one_life(n, 1))
		assert_true(++n < ALLOCATIONS_MAX);
	assert_true(n > 20);
}

static void no_allocation_succeeds_from_some_moment_on(void **state)
{
	unsigned n = 0;

	(void)state;
	while (one_life(n, FOR_EVER))
		assert_true(++n < ALLOCATIONS_MAX);
	assert_true(n > 20);
}

/*
 * A request in four segments; the first and the third are late, and for the fourth there is no memory: the connection is given up. The third
 * follows what is known by number, but it is no request: what came before it is not what was last known without a hole.
 */
static void middle_of_a_request_behind_a_hole_that_was_given_up_is_none(void **state)
{
	struct fixture *f = *state;
	char line[FIXTURE_LINE_MAX];

	be_client(f, 1); /* another, whose writes behind a hole leave room for one such */
	client_says(f, "S 0:0(0) <mss 1460>");
	for (unsigned i = 1; i < SLAB_CHUNK_OBJECTS; i++) {
		snprintf(line, sizeof(line), "P. %u:%u(1) ack 1", 2 * i, 2 * i + 1);
		client_says(f, line);
	}
	ignore_sent(f);
	f->client = "10.9.0.1:40000";
	f->at = 1;
	session_established(f);
	client_data(f, 1, 1, "GET 1");
	target_says(f, "P. 1:301(300) ack 6");
	client_says(f, ". 1006:2006(1000) ack 301"); /* 6:1006 is lost on its way, and 2006:3006 */
	memory_fails(0, FOR_EVER);
	client_says(f, "P. 3006:3100(94) ack 301");
	assert_true(memory_failed());
	assert_true(stream(f)->dropped[DROP_LIMIT].bytes >= 94); /* not this connection's fault */
	assert_int_equal(stream(f)->dropped[DROP_BACKLOG].bytes, 0);
	ignore_sent(f);
	client_says(f, ". 6:1006(1000) ack 301");
	client_says(f, ". 2006:3006(1000) ack 301");
	client_says(f, "P. 3006:3100(94) ack 301");
	expect_nothing(f);
}

/* Two requests are missed; of what comes behind the second gap nothing but its ACK says that it is a request. */
static void request_behind_two_gaps_counts(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	client_data(f, 1, 1, "GET 1");
	target_says(f, "P. 1:301(300) ack 6");
	client_data(f, 11, 601, "GET 3"); /* the second is missed, the fourth too: */
	pass_ms(f, 2000);
	client_says(f, ". 21:21(0) ack 1201");
	pass_ms(f, 1100); /* the gap */
	client_data(f, 21, 1201, "GET 5");
	assert_int_equal(stream(f)->captured.bytes, 15);
	assert_int_equal(stream(f)->captured.requests, 3);
	ignore_sent(f);
}

/* The SYN-ACK, the ACK that ends the handshake and the first request are missed. */
static void first_request_that_is_captured_counts_behind_a_gap(void **state)
{
	struct fixture *f = *state;

	client_says(f, "S 0:0(0)");
	target_says(f, "S. 0:0(0) ack 1");
	client_says(f, ". 6:6(0) ack 301");
	client_data(f, 6, 301, "GET 2");
	client_data(f, 11, 601, "GET 3");
	pass_ms(f, 3100);
	assert_int_equal(stream(f)->captured.bytes, 10);
	assert_int_equal(stream(f)->captured.requests, 2);
	ignore_sent(f);
}

/* A connection that was not copied begins late, there is no memory for its bytes, and it is said again. */
static void beginning_without_memory_leaves_the_account_alone(void **state)
{
	struct fixture *f = fixture_new(&(struct fixture_config){.no_link = true});
	const struct ledger_sessions *count = &account_of(f, 0)->sessions;

	(void)state;
	client_says(f, "S 0:0(0)");
	assert_int_equal(count->not_started[DROP_NO_INTERCEPT], 1);
	replay_on_links(f->replay, 1, f->now_us);
	memory_fails(0, 1);
	client_data(f, 1, 1, "GET 1");
	assert_true(memory_failed());
	client_data(f, 1, 1, "GET 1");
	for (int cause = 0; cause < DROP_CAUSES; cause++)
		assert_in_range(count->not_started[cause], 0, 1);
	ignore_sent(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_tuple_map_without_memory),
		cmocka_unit_test(tuple_map_that_cannot_grow_keeps_what_it_has),
		cmocka_unit_test(tuple_map_that_cannot_shrink_goes_on),
		cmocka_unit_test(new_timer_wheel_without_memory),
		cmocka_unit_test(queue_that_finds_no_block_keeps_what_it_has),
		cmocka_unit_test(segment_over_several_holes_without_memory_for_each),
		cmocka_unit_test(new_replay_without_memory),
		cmocka_unit_test(local_addresses_without_memory_stay_as_they_were),
		cmocka_unit_test(request_without_memory_ends_its_session),
		cmocka_unit_test(connection_that_cannot_be_found_leaves_its_place),
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(no_allocation_succeeds_from_some_moment_on),
		fixture_test(middle_of_a_request_behind_a_hole_that_was_given_up_is_none),
		fixture_test(request_behind_two_gaps_counts),
		fixture_test(first_request_that_is_captured_counts_behind_a_gap),
		cmocka_unit_test(beginning_without_memory_leaves_the_account_alone),
	};

	return cmocka_run_group_tests_name("memory that runs out", tests, NULL, NULL);
}
