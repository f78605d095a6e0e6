/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_segment_queue.c - the stream of a client: against a naive map of bytes, at the borders of
 * blocks and nodes, at its limits, and that every block comes back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tcpcopy/segment_queue.h"

enum {
	MODEL_BYTES = 3 << 20,
	NODE_BYTES = 256 * SEGMENT_BLOCK_BYTES, /* what one node spans */
	LIMIT = 16 << 20,
};

static const struct segment_note no_note;

struct queue {
	struct segment_queue q;
	struct segment_blocks *blocks;
};

static void open_queue(struct queue *t, uint64_t start, size_t max_bytes)
{
	t->blocks = segment_blocks_new(max_bytes, NULL);
	assert_non_null(t->blocks);
	segment_queue_init(&t->q, start);
}

static void close_queue(struct queue *t)
{
	segment_queue_fini(&t->q, t->blocks);
	assert_int_equal(segment_blocks_count(t->blocks), 0);
	assert_int_equal(segment_queue_memory(&t->q), 0);
	segment_blocks_free(t->blocks);
}

static long push(struct queue *t, uint64_t off, const char *text, uint64_t seen)
{
	return segment_queue_push(&t->q, t->blocks, off, (const uint8_t *)text, strlen(text),
				  &(struct segment_note){.seen = seen}, LIMIT);
}

/* len bytes that say where they belong. */
static long push_pattern(struct queue *t, uint64_t off, size_t len, size_t limit)
{
	uint8_t *data = malloc(len);
	long n;

	assert_non_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)((off + i) * 13 + ((off + i) >> 10) * 7);
	n = segment_queue_push(&t->q, t->blocks, off, data, len, &no_note, limit);
	free(data);
	return n;
}

static void push_text(struct queue *t, uint64_t off, const char *text)
{
	long n = segment_queue_push(&t->q, t->blocks, off, (const uint8_t *)text, strlen(text),
				    &no_note, LIMIT);

	assert_int_equal(n, strlen(text));
}

static uint64_t advance_all(struct queue *t)
{
	while (segment_queue_advance(&t->q, t->blocks))
		continue;
	return t->q.end;
}

static void read_bytes(const struct queue *t, uint64_t off, uint8_t *to, size_t len)
{
	while (len) {
		struct iovec iov[3];
		uint16_t count;
		size_t n = segment_queue_peek(&t->q, t->blocks, off, len, iov, 3, &count);
		size_t at = 0;

		assert_in_range(n, 1, len);
		for (uint16_t i = 0; i < count; i++) {
			assert_true(iov[i].iov_len > 0);
			memcpy(to + at, iov[i].iov_base, iov[i].iov_len);
			at += iov[i].iov_len;
		}
		assert_int_equal(at, n);
		off += n;
		to += n;
		len -= n;
	}
}

static void expect_pattern(const struct queue *t, uint64_t from, uint64_t to)
{
	uint8_t *got = malloc((size_t)(to - from) + 1);

	assert_non_null(got);
	read_bytes(t, from, got, (size_t)(to - from));
	for (uint64_t off = from; off < to; off++)
		assert_int_equal(got[off - from], (uint8_t)(off * 13 + (off >> 10) * 7));
	free(got);
}

static void expect_text(const struct queue *t, uint64_t off, const char *text)
{
	uint8_t got[64];

	read_bytes(t, off, got, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void expect_advance(struct queue *t, uint64_t end, uint64_t seen)
{
	const struct segment_note *note = segment_queue_advance(&t->q, t->blocks);

	assert_non_null(note);
	assert_int_equal(t->q.end, end);
	assert_int_equal(note->seen, seen);
}

static void expect_no_advance(struct queue *t)
{
	assert_null(segment_queue_advance(&t->q, t->blocks));
}

/* ---- order and overlap ---- */

static void bytes_in_order(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	expect_no_advance(&t);
	assert_int_equal(push(&t, 0, "hello", 3), 5);
	assert_int_equal(t.q.end, 0); /* until it is told to advance */
	expect_advance(&t, 5, 3);
	expect_no_advance(&t);
	assert_int_equal(push(&t, 5, "world", 4), 5);
	expect_advance(&t, 10, 4);
	expect_text(&t, 0, "helloworld");
	expect_text(&t, 3, "lowo");
	close_queue(&t);
}

static void old_and_empty_bytes_are_no_news(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 100, LIMIT);
	assert_int_equal(push(&t, 100, "", 0), 0);
	assert_int_equal(push(&t, 200, "", 0), 0);
	assert_int_equal(push(&t, 90, "0123456789", 0), 0);
	assert_int_equal(segment_blocks_count(t.blocks), 0);
	assert_int_equal(push(&t, 90, "0123456789abc", 0), 3);
	assert_int_equal(advance_all(&t), 103);
	expect_text(&t, 100, "abc");
	assert_int_equal(push(&t, 100, "XYZ", 0), 0);
	assert_int_equal(push(&t, 101, "XYZ!", 0), 2);
	advance_all(&t);
	expect_text(&t, 100, "abcZ!");
	close_queue(&t);
}

static void hole_is_filled_and_each_range_says_what_its_packet_said(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	assert_int_equal(push(&t, 5, "fgh", 7), 3);
	assert_int_equal(push(&t, 10, "klm", 9), 3);
	expect_no_advance(&t);
	assert_int_equal(segment_queue_beyond(&t.q), 6);
	assert_int_equal(push(&t, 0, "abcde", 5), 5);
	expect_advance(&t, 5, 5);
	expect_advance(&t, 8, 7);
	expect_no_advance(&t);
	assert_int_equal(push(&t, 8, "ij", 8), 2);
	expect_advance(&t, 10, 8);
	expect_advance(&t, 13, 9);
	expect_no_advance(&t);
	expect_text(&t, 0, "abcdefghijklm");
	assert_int_equal(segment_queue_beyond(&t.q), 0);
	close_queue(&t);
}

static void what_came_first_stays(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	assert_int_equal(push(&t, 2, "CD", 2), 2);
	assert_int_equal(push(&t, 6, "GH", 6), 2);
	assert_int_equal(push(&t, 0, "abcdefghij", 1), 6);
	expect_advance(&t, 2, 1);
	expect_advance(&t, 4, 2);
	expect_advance(&t, 6, 1);
	expect_advance(&t, 8, 6);
	expect_advance(&t, 10, 1);
	expect_no_advance(&t);
	expect_text(&t, 0, "abCDefGHij");
	close_queue(&t);
}

static void repeated_range_beyond_a_hole_is_no_news(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	assert_int_equal(push(&t, 10, "abc", 0), 3);
	assert_int_equal(push(&t, 10, "abc", 0), 0);
	assert_int_equal(push(&t, 11, "b", 0), 0);
	assert_int_equal(push(&t, 9, "XXXXX", 0), 2);
	assert_int_equal(segment_queue_beyond(&t.q), 5);
	close_queue(&t);
}

/* ---- borders of blocks, nodes and heights ---- */

static void ranges_around_every_border(void **state)
{
	static const uint64_t borders[] = {SEGMENT_BLOCK_BYTES, 2 * SEGMENT_BLOCK_BYTES, NODE_BYTES,
					   2 * NODE_BYTES, 3 * NODE_BYTES + SEGMENT_BLOCK_BYTES};

	(void)state;
	for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++) {
		for (int shift = -1; shift <= 1; shift++) {
			for (uint64_t start = 0; start < 3; start++) {
				uint64_t at = borders[i] + (uint64_t)shift;
				struct queue t;

				open_queue(&t, start * 511, LIMIT);
				assert_int_equal(push_pattern(&t, at, 2, LIMIT), 2);
				assert_int_equal(push_pattern(&t, t.q.start, at - t.q.start, LIMIT),
						 at - t.q.start);
				assert_int_equal(advance_all(&t), at + 2);
				expect_pattern(&t, t.q.start, at + 2);
				close_queue(&t);
			}
		}
	}
}

static void window_slides_over_many_nodes(void **state)
{
	struct queue t;
	uint32_t most = 0;

	(void)state;
	open_queue(&t, 777, LIMIT);
	for (uint64_t off = 777; off < 5 * NODE_BYTES; off += 1460) {
		assert_int_equal(push_pattern(&t, off, 1460, LIMIT), 1460);
		advance_all(&t);
		if (off > 20000) {
			expect_pattern(&t, off - 5000, off + 1460);
			segment_queue_release(&t.q, t.blocks, off - 5000);
		}
		if (segment_blocks_count(t.blocks) > most)
			most = segment_blocks_count(t.blocks);
	}
	assert_in_range(most, 7, 30); /* not what went through */
	segment_queue_release(&t.q, t.blocks, t.q.end);
	assert_int_equal(segment_blocks_count(t.blocks), 0);
	close_queue(&t);
}

/* The tree grows while its ring of slots wraps: blocks on both sides must move to their places. */
static void tree_grows_whatever_the_first_block_is(void **state)
{
	static const uint64_t first_blocks[] = {0,   1,   2,     127,   254,      255,       256,
						257, 300, 65535, 65536, 16777215, 4294967295};

	(void)state;
	for (size_t i = 0; i < sizeof(first_blocks) / sizeof(first_blocks[0]); i++) {
		uint64_t start = first_blocks[i] * SEGMENT_BLOCK_BYTES + 100;
		struct queue t;

		open_queue(&t, start, LIMIT);
		/* One node full, then into the second, then far beyond. */
		push_pattern(&t, start, NODE_BYTES - 200, LIMIT);
		advance_all(&t);
		push_pattern(&t, start + NODE_BYTES - 200, 5000, LIMIT);
		advance_all(&t);
		push_pattern(&t, start + 5 * NODE_BYTES, 5000, LIMIT);
		expect_pattern(&t, start, start + NODE_BYTES + 4800);
		segment_queue_release(&t.q, t.blocks, start + NODE_BYTES);
		push_pattern(&t, start + NODE_BYTES + 4800, 4 * NODE_BYTES, LIMIT);
		assert_int_equal(advance_all(&t), start + 5 * NODE_BYTES + 5000);
		expect_pattern(&t, start + NODE_BYTES, start + 5 * NODE_BYTES + 5000);
		close_queue(&t);
	}
}

/*
 * A ring of rings, which one upload of more than 64 MiB makes: its first block may lie anywhere in each of them. A chunk of
 * 64 kB in every node is enough to tell whether each has found its place.
 */
static void ring_of_rings_grows_wherever_it_begins(void **state)
{
	static const uint64_t first_blocks[] = {
		0, 1, 255, 256, 257, 5000, 65280, 65535, 65536, 65537, 300000, 8388608, 16777215};
	const uint64_t limit = UINT64_C(200) << 20;

	(void)state;
	for (size_t i = 0; i < sizeof(first_blocks) / sizeof(first_blocks[0]); i++) {
		uint64_t start = first_blocks[i] * SEGMENT_BLOCK_BYTES + 100;
		uint64_t released = start + (70 << 20), end = start + (90 << 20);
		struct queue t;

		open_queue(&t, start, limit);
		for (uint64_t off = start; off < end; off += 1 << 20)
			assert_int_equal(push_pattern(&t, off, 1 << 20, limit), 1 << 20);
		assert_int_equal(advance_all(&t), end);
		for (uint64_t off = start; off < end; off += 1 << 18)
			expect_pattern(&t, off, off + 2000);
		segment_queue_release(&t.q, t.blocks, released);
		assert_int_equal(push_pattern(&t, end, 60 << 20, limit), 60 << 20);
		assert_int_equal(advance_all(&t), end + (60 << 20));
		for (uint64_t off = released; off < t.q.end; off += 1 << 18)
			expect_pattern(&t, off, off + 2000);
		close_queue(&t);
	}
}

/* Likewise if memory ends at any of the nodes that it takes. */
static void ring_that_finds_no_memory_to_grow_is_as_it_was(void **state)
{
	const uint64_t limit = UINT64_C(200) << 20, start = 5000 * SEGMENT_BLOCK_BYTES + 100;
	const uint64_t end = start + 65536 * SEGMENT_BLOCK_BYTES - 300;
	const size_t held = 65536 + 257 + 1; /* blocks, nodes of them, the root */

	(void)state;
	for (size_t spare = 0; spare < 5; spare++) {
		struct queue t;
		long n;

		open_queue(&t, start, (held + spare) * SEGMENT_BLOCK_BYTES);
		for (uint64_t off = start; off < end; off += 1 << 20) {
			size_t len = end - off < 1 << 20 ? (size_t)(end - off) : 1 << 20;

			assert_int_equal(push_pattern(&t, off, len, limit), len);
		}
		assert_int_equal(advance_all(&t), end);
		n = push_pattern(&t, end, 2000, limit);
		if (spare < 4) /* three nodes and a block */
			assert_int_equal(errno, ENOMEM);
		assert_int_equal(n, spare < 4 ? -1 : 2000);
		for (uint64_t off = start; off < end; off += 1 << 18)
			expect_pattern(&t, off, off + 200);
		close_queue(&t);
	}
}

static void peek_is_bounded_by_pieces_length_and_end(void **state)
{
	struct iovec iov[4];
	struct queue t;
	uint16_t count;

	(void)state;
	open_queue(&t, 0, LIMIT);
	push_pattern(&t, 0, 5000, LIMIT);
	advance_all(&t);
	assert_int_equal(segment_queue_peek(&t.q, t.blocks, 1000, 9999, iov, 4, &count), 3096);
	assert_int_equal(count, 4);
	assert_int_equal(iov[0].iov_len, 24);
	assert_int_equal(segment_queue_peek(&t.q, t.blocks, 1000, 24, iov, 4, &count), 24);
	assert_int_equal(count, 1);
	assert_int_equal(segment_queue_peek(&t.q, t.blocks, 1000, 25, iov, 4, &count), 25);
	assert_int_equal(count, 2);
	assert_int_equal(segment_queue_peek(&t.q, t.blocks, 4990, 100, iov, 4, &count), 10);
	assert_int_equal(segment_queue_peek(&t.q, t.blocks, 5000, 100, iov, 4, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(segment_queue_peek(&t.q, t.blocks, 0, 0, iov, 4, &count), 0);
	close_queue(&t);
}

/* ---- limits ---- */

static void queue_limit_counts_from_the_first_byte_held(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	assert_int_equal(push_pattern(&t, 0, 1000, 1000), 1000);
	advance_all(&t);
	errno = 0;
	assert_int_equal(push_pattern(&t, 1000, 1, 1000), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(push_pattern(&t, 999, 2, 1000), -1);
	segment_queue_release(&t.q, t.blocks, 1);
	assert_int_equal(push_pattern(&t, 1000, 1, 1000), 1);
	advance_all(&t);
	expect_pattern(&t, 1, 1001);
	close_queue(&t);
}

static void number_of_holes_is_limited(void **state)
{
	struct queue t;
	uint32_t held;

	(void)state;
	open_queue(&t, 0, LIMIT);
	for (uint64_t i = 0; i < SEGMENT_QUEUE_RANGES_MAX; i++)
		assert_int_equal(push_pattern(&t, 1 + i * 2, 1, LIMIT), 1);
	held = segment_blocks_count(t.blocks);
	errno = 0;
	assert_int_equal(push_pattern(&t, 100001, 1, LIMIT), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(segment_blocks_count(t.blocks), held);
	assert_int_equal(segment_queue_beyond(&t.q), SEGMENT_QUEUE_RANGES_MAX);
	close_queue(&t);
}

static void farther_than_the_tree_reaches(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	push_pattern(&t, 0, 10, SIZE_MAX);
	advance_all(&t);
	errno = 0;
	assert_int_equal(push_pattern(&t, UINT64_C(16) << 30, 1, SIZE_MAX), -1);
	assert_int_equal(errno, ENOBUFS);
	assert_int_equal(push_pattern(&t, (UINT64_C(64) << 20) - 1, 1, SIZE_MAX), 1);
	expect_pattern(&t, 0, 10);
	close_queue(&t);
}

static void refused_push_of_an_empty_queue_keeps_no_block(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, 8 * SEGMENT_BLOCK_BYTES);
	errno = 0;
	assert_int_equal(push_pattern(&t, 0, 20000, LIMIT), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(segment_blocks_count(t.blocks), 0);
	assert_int_equal(push_pattern(&t, 0, 7000, LIMIT), 7000); /* and a node */
	advance_all(&t);
	expect_pattern(&t, 0, 7000);
	close_queue(&t);
}

static void refused_push_changes_nothing(void **state)
{
	struct queue t;
	uint32_t before;

	(void)state;
	open_queue(&t, 0, 12 * SEGMENT_BLOCK_BYTES);
	push_pattern(&t, 0, 3000, LIMIT);
	push_pattern(&t, 5000, 1000, LIMIT);
	advance_all(&t);
	before = segment_blocks_count(t.blocks);
	assert_int_equal(push_pattern(&t, 2000, 20000, LIMIT), -1);
	assert_int_equal(segment_blocks_count(t.blocks), before);
	assert_int_equal(segment_queue_beyond(&t.q), 1000);
	expect_pattern(&t, 0, 3000);
	assert_int_equal(push_pattern(&t, 3000, 2000, LIMIT), 2000);
	assert_int_equal(advance_all(&t), 6000);
	expect_pattern(&t, 0, 6000);
	close_queue(&t);
}

static void memory_of_a_queue_is_its_blocks_nodes_and_ranges(void **state)
{
	const size_t range = sizeof(struct segment_range);
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	assert_int_equal(segment_queue_memory(&t.q), 0);
	push_pattern(&t, 0, 10, LIMIT);
	assert_int_equal(segment_queue_memory(&t.q), SEGMENT_BLOCK_BYTES);
	push_pattern(&t, 5000, 10, LIMIT); /* another block, and a node over both */
	assert_int_equal(segment_queue_memory(&t.q), 3 * SEGMENT_BLOCK_BYTES + range);
	advance_all(&t);
	push_pattern(&t, 10, 4990, LIMIT);
	advance_all(&t);
	assert_int_equal(segment_queue_memory(&t.q), 6 * SEGMENT_BLOCK_BYTES);
	segment_queue_release(&t.q, t.blocks, 2048);
	assert_int_equal(segment_queue_memory(&t.q), 4 * SEGMENT_BLOCK_BYTES);
	close_queue(&t);
}

static void room_for_a_segment_is_foretold(void **state)
{
	struct slab_budget budget = {.max_bytes = 400 << 10};
	struct queue t = {.blocks = segment_blocks_new(LIMIT, &budget)};
	uint64_t end = 0;

	(void)state;
	segment_queue_init(&t.q, 0);
	for (; segment_blocks_have_room(t.blocks, 20000); end += 20000)
		assert_int_equal(push_pattern(&t, end, 20000, LIMIT), 20000);
	assert_in_range(end, 200000, 256 << 10); /* a second chunk would exceed the budget */
	while (push_pattern(&t, end, 1000, LIMIT) == 1000)
		end += 1000;
	assert_int_equal(errno, ENOMEM);
	assert_true(budget.held_bytes <= budget.max_bytes);
	assert_in_range(end, 250000, 256 << 10);
	advance_all(&t);
	expect_pattern(&t, 0, end);
	segment_queue_fini(&t.q, t.blocks);
	assert_int_equal(budget.used_bytes, 0);
	segment_blocks_free(t.blocks);
	assert_int_equal(budget.held_bytes, 0);
}

static void several_queues_share_the_blocks(void **state)
{
	struct queue t;
	struct segment_queue other;
	uint8_t byte = 'x';

	(void)state;
	open_queue(&t, 0, 2 * SEGMENT_BLOCK_BYTES);
	segment_queue_init(&other, 0);
	assert_int_equal(push(&t, 0, "abc", 0), 3);
	assert_int_equal(segment_queue_push(&other, t.blocks, 0, &byte, 1, &no_note, LIMIT), 1);
	advance_all(&t);
	expect_text(&t, 0, "abc");
	segment_queue_fini(&other, t.blocks);
	assert_int_equal(segment_blocks_count(t.blocks), 1);
	close_queue(&t);
}

/* ---- giving back ---- */

static void short_request_takes_one_block_wherever_it_begins(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	for (uint64_t off = 0; off < 20000; off += SEGMENT_BLOCK_BYTES - 100) {
		push_pattern(&t, off, SEGMENT_BLOCK_BYTES - 100, LIMIT);
		assert_int_equal(segment_blocks_count(t.blocks), 1);
		advance_all(&t);
		expect_pattern(&t, off, off + SEGMENT_BLOCK_BYTES - 100);
		segment_queue_release(&t.q, t.blocks, off + SEGMENT_BLOCK_BYTES - 100);
		assert_int_equal(segment_blocks_count(t.blocks), 0);
	}
	close_queue(&t);
}

static void release_gives_whole_blocks_back(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	push_pattern(&t, 0, 4 * SEGMENT_BLOCK_BYTES, LIMIT);
	advance_all(&t);
	assert_int_equal(segment_blocks_count(t.blocks), 5); /* and a node */
	segment_queue_release(&t.q, t.blocks, SEGMENT_BLOCK_BYTES - 1);
	assert_int_equal(segment_blocks_count(t.blocks), 5);
	segment_queue_release(&t.q, t.blocks, SEGMENT_BLOCK_BYTES);
	assert_int_equal(segment_blocks_count(t.blocks), 4);
	segment_queue_release(&t.q, t.blocks, 10); /* has long been released */
	expect_pattern(&t, SEGMENT_BLOCK_BYTES, 4 * SEGMENT_BLOCK_BYTES);
	segment_queue_release(&t.q, t.blocks, 4 * SEGMENT_BLOCK_BYTES);
	assert_int_equal(segment_blocks_count(t.blocks), 0);
	push_pattern(&t, 4 * SEGMENT_BLOCK_BYTES, 10, LIMIT);
	advance_all(&t);
	expect_pattern(&t, 4 * SEGMENT_BLOCK_BYTES, 4 * SEGMENT_BLOCK_BYTES + 10);
	close_queue(&t);
}

static void release_up_to_a_hole_keeps_what_is_beyond(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, LIMIT);
	push_pattern(&t, 0, 100, LIMIT);
	push_pattern(&t, 200, 100, LIMIT);
	advance_all(&t);
	segment_queue_release(&t.q, t.blocks, 100);
	push_pattern(&t, 100, 100, LIMIT);
	assert_int_equal(advance_all(&t), 300);
	expect_pattern(&t, 100, 300);
	close_queue(&t);
}

static void drop_beyond_keeps_what_is_contiguous(void **state)
{
	struct queue t;
	uint32_t before;

	(void)state;
	open_queue(&t, 0, LIMIT);
	push_pattern(&t, 0, 1500, LIMIT);
	push_pattern(&t, 1600, 100, LIMIT);
	push_pattern(&t, 300000, 5000, LIMIT);
	advance_all(&t);
	before = segment_blocks_count(t.blocks);
	assert_int_equal(segment_queue_drop_beyond(&t.q, t.blocks), 5100);
	assert_int_equal(segment_blocks_count(t.blocks),
			 before - 6 - 2); /* of [300000, 305000), and ranges */
	assert_int_equal(segment_queue_beyond(&t.q), 0);
	assert_int_equal(segment_queue_drop_beyond(&t.q, t.blocks), 0);
	expect_pattern(&t, 0, 1500);
	expect_no_advance(&t);
	segment_queue_release(&t.q, t.blocks, 1500);
	assert_int_equal(segment_blocks_count(t.blocks), 0);
	close_queue(&t);
}

static void drop_beyond_of_a_queue_that_holds_nothing_else(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 500, LIMIT);
	push_pattern(&t, 600, 5000, LIMIT);
	assert_int_equal(segment_queue_drop_beyond(&t.q, t.blocks), 5000);
	assert_int_equal(segment_blocks_count(t.blocks), 0);
	push_pattern(&t, 500, 600, LIMIT);
	assert_int_equal(advance_all(&t), 1100);
	expect_pattern(&t, 500, 1100);
	close_queue(&t);
}

static void what_is_skipped_makes_room(void **state)
{
	struct queue t;
	uint32_t before;

	(void)state;
	open_queue(&t, 0, LIMIT);
	push_pattern(&t, 0, 1500, LIMIT);
	advance_all(&t);
	before = segment_blocks_count(t.blocks);
	push_text(&t, 40000, "old");
	push_text(&t, 200000, "new");
	push_text(&t, 200005, "newer");
	assert_int_equal(segment_queue_skip(&t.q, t.blocks, 200000), 3);
	assert_int_equal(segment_queue_beyond(&t.q), 8);
	expect_advance(&t, 1503, 0);
	expect_no_advance(&t);
	push_text(&t, 1503, "..");
	assert_int_equal(advance_all(&t), 1510);
	expect_text(&t, 1500, "new..newer");
	expect_pattern(&t, 0, 1500);
	assert_int_equal(segment_blocks_count(t.blocks), before);
	segment_queue_release(&t.q, t.blocks, 1510);
	assert_int_equal(segment_blocks_count(t.blocks), 0);
	close_queue(&t);
}

/* Nothing has changed if there is no block for what moves up. */
static void skip_without_memory_changes_nothing(void **state)
{
	struct queue t;

	(void)state;
	open_queue(&t, 0, 3 * SEGMENT_BLOCK_BYTES); /* a node and two blocks */
	push_text(&t, 0, "begin");
	advance_all(&t);
	push_text(&t, 2000, "end");
	assert_int_equal(segment_queue_beyond(&t.q), 3);
	assert_int_equal(segment_queue_skip(&t.q, t.blocks, 2000), 0); /* its block is there */
	assert_int_equal(advance_all(&t), 8);
	expect_text(&t, 0, "beginend");
	close_queue(&t);

	open_queue(&t, 0, 4 * SEGMENT_BLOCK_BYTES);
	push_pattern(&t, 0, SEGMENT_BLOCK_BYTES, LIMIT);
	advance_all(&t);
	push_pattern(&t, 5000, SEGMENT_BLOCK_BYTES, LIMIT); /* over two blocks */
	errno = 0;
	assert_int_equal(segment_queue_skip(&t.q, t.blocks, 5000), -1);
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(segment_queue_beyond(&t.q), SEGMENT_BLOCK_BYTES);
	expect_no_advance(&t);
	expect_pattern(&t, 0, SEGMENT_BLOCK_BYTES);
	close_queue(&t);
}

/* ---- against a naive map of bytes ---- */

struct model {
	uint8_t *bytes;
	bool *is_there;
	uint64_t start;
	uint64_t end;
};

static uint32_t dice(unsigned *seed, uint32_t sides)
{
	return (uint32_t)rand_r(seed) % sides;
}

static void model_push(struct queue *t, struct model *m, unsigned *seed, uint64_t base,
		       uint32_t reach)
{
	uint64_t from = m->end + reach > 3000 ? m->end - (m->end < 1000 ? m->end : 1000) : m->end;
	uint64_t off = dice(seed, 3) ? m->end : from + dice(seed, reach);
	uint32_t len = 1 + dice(seed, dice(seed, 20) ? 1460 : 60000);
	uint8_t data[60001];
	long expected = 0, n;

	if (off + len > MODEL_BYTES)
		return;
	for (uint32_t i = 0; i < len; i++) {
		data[i] = (uint8_t)dice(seed, 256);
		expected += off + i >= m->end && !m->is_there[off + i];
	}
	n = segment_queue_push(&t->q, t->blocks, base + off, data, len, &no_note, LIMIT);
	if (n < 0) {
		assert_int_equal(errno, ENOBUFS);
		assert_true(t->q.range_count >= SEGMENT_QUEUE_RANGES_MAX);
		return;
	}
	assert_int_equal(n, expected);
	for (uint32_t i = 0; i < len; i++) {
		if (off + i < m->end || m->is_there[off + i])
			continue;
		m->is_there[off + i] = true;
		m->bytes[off + i] = data[i];
	}
	while (m->end < MODEL_BYTES && m->is_there[m->end])
		m->end++;
	assert_int_equal(advance_all(t), base + m->end);
}

static void model_read(const struct queue *t, const struct model *m, unsigned *seed, uint64_t base)
{
	static uint8_t got[70000];
	uint64_t held = m->end - m->start;
	uint64_t off = m->start + (held ? dice(seed, (uint32_t)held) : 0);
	size_t len = 1 + dice(seed, sizeof(got) - 1);

	if (len > m->end - off)
		len = (size_t)(m->end - off);
	read_bytes(t, base + off, got, len);
	assert_memory_equal(got, m->bytes + off, len);
}

static void model_release(struct queue *t, struct model *m, unsigned *seed, uint64_t base,
			  uint32_t keep)
{
	uint64_t held = m->end - m->start;

	if (held > keep && dice(seed, 2))
		m->start = m->end - keep;
	else
		m->start += dice(seed, (uint32_t)held + 1);
	if (dice(seed, 10) == 0)
		m->start = m->end;
	segment_queue_release(&t->q, t->blocks, base + m->start);
}

static void model_drop(struct queue *t, struct model *m, uint64_t base)
{
	uint64_t expected = 0;

	for (uint64_t i = m->end; i < MODEL_BYTES; i++) {
		expected += m->is_there[i];
		m->is_there[i] = false;
	}
	assert_int_equal(segment_queue_beyond(&t->q), expected);
	assert_int_equal(segment_queue_drop_beyond(&t->q, t->blocks), expected);
	(void)base;
}

/* Takes out what lies before one of the ranges. */
static void model_skip(struct queue *t, struct model *m, unsigned *seed, uint64_t base)
{
	const struct segment_range *r = t->q.ranges;
	uint64_t to, by;
	long expected = 0;

	if (!r)
		return;
	for (uint32_t i = dice(seed, t->q.range_count); i; i--)
		r = r->next;
	to = r->start - base;
	by = to - m->end;
	for (uint64_t i = m->end; i < to; i++)
		expected += m->is_there[i];
	assert_int_equal(segment_queue_skip(&t->q, t->blocks, r->start), expected);
	memmove(m->bytes + m->end, m->bytes + to, MODEL_BYTES - to);
	memmove(m->is_there + m->end, m->is_there + to, (MODEL_BYTES - to) * sizeof(bool));
	memset(m->is_there + MODEL_BYTES - by, 0, by * sizeof(bool));
	while (m->end < MODEL_BYTES && m->is_there[m->end])
		m->end++;
	assert_int_equal(advance_all(t), base + m->end);
}

/* reach: how far beyond the end bytes are put; keep: how much is held. */
static void run_model(unsigned seed, uint64_t base, uint32_t reach, uint32_t keep)
{
	struct model m = {calloc(1, MODEL_BYTES), calloc(MODEL_BYTES, sizeof(bool)), 0, 0};
	struct queue t;

	assert_true(m.bytes && m.is_there);
	open_queue(&t, base, LIMIT);
	for (unsigned i = 0; i < 2500 && m.end < MODEL_BYTES - 200000; i++) {
		model_push(&t, &m, &seed, base, reach);
		if (dice(&seed, 4) == 0)
			model_read(&t, &m, &seed, base);
		if (dice(&seed, 4) == 0)
			model_release(&t, &m, &seed, base, keep);
		if (dice(&seed, 150) == 0)
			model_drop(&t, &m, base);
		if (dice(&seed, 100) == 0)
			model_skip(&t, &m, &seed, base);
	}
	assert_true(m.end > 20000);
	if (m.end > m.start)
		model_read(&t, &m, &seed, base);
	close_queue(&t);
	free(m.bytes);
	free(m.is_there);
}

static void random_pushes_and_releases(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 2; seed++) {
		run_model(seed, 0, 4000, 5000);
		run_model(seed, seed * 1000003, 20000, 2000);
		run_model(seed, UINT32_MAX - 70000, 300000, 400000);
		run_model(seed, UINT64_C(1) << 40, 800000, 700000);
	}
}

/* A hole in front of a long write must not use up the ranges. */
static void write_behind_a_hole_is_one_range(void **state)
{
	struct queue t;
	struct segment_note note = {.seen = 7};
	uint8_t data[100] = {0};

	(void)state;
	open_queue(&t, 0, 1 << 20);
	for (uint64_t i = 1; i <= 2000; i++) {
		note.pushed = i == 1500;
		assert_int_equal(
			segment_queue_push(&t.q, t.blocks, i * 100, data, 100, &note, LIMIT), 100);
	}
	assert_int_equal(t.q.range_count, 2); /* the client's write ended in between */
	note.seen = 8;
	assert_int_equal(segment_queue_push(&t.q, t.blocks, 200100, data, 100, &note, LIMIT), 100);
	assert_int_equal(t.q.range_count, 3);
	assert_int_equal(segment_queue_push(&t.q, t.blocks, 0, data, 100, &note, LIMIT), 100);
	expect_advance(&t, 100, 8);
	expect_advance(&t, 150100, 7);
	expect_advance(&t, 200100, 7);
	expect_advance(&t, 200200, 8);
	expect_no_advance(&t);
	close_queue(&t);
}

/* An upload behind a hole, out of order: neither its segments nor the gaps between them count against the limit. */
static void segments_of_one_write_are_one_range_in_any_order(void **state)
{
	static const uint32_t order[] = {7, 3, 5, 9, 1, 8, 2, 6, 4};
	static const uint16_t ranges[] = {1, 2, 3, 4, 5, 4, 3, 2, 1};
	const size_t len = 1448;
	struct queue t;

	(void)state;
	open_queue(&t, 0, 1 << 20);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		assert_int_equal(push_pattern(&t, order[i] * len, len, LIMIT), len);
		assert_int_equal(t.q.range_count, ranges[i]);
	}
	assert_int_equal(push_pattern(&t, 0, 10 * len, LIMIT), len);
	assert_int_equal(advance_all(&t), 10 * len);
	expect_pattern(&t, 0, 10 * len);
	close_queue(&t);
}

static void end_of_a_write_stays_where_it_was(void **state)
{
	struct segment_note pushed = {.seen = 7, .pushed = true}, open = {.seen = 7};
	const uint8_t data[100] = {0};
	struct queue t;

	(void)state;
	open_queue(&t, 0, 1 << 20);
	assert_int_equal(segment_queue_push(&t.q, t.blocks, 300, data, 100, &open, LIMIT), 100);
	assert_int_equal(segment_queue_push(&t.q, t.blocks, 200, data, 100, &pushed, LIMIT), 100);
	assert_int_equal(t.q.range_count, 2); /* a write ended at 300 */
	assert_int_equal(segment_queue_push(&t.q, t.blocks, 100, data, 100, &no_note, LIMIT), 100);
	assert_int_equal(t.q.range_count, 3); /* the client had seen less */
	assert_int_equal(segment_queue_push(&t.q, t.blocks, 400, data, 100, &pushed, LIMIT), 100);
	assert_int_equal(t.q.range_count, 3);
	assert_int_equal(segment_queue_push(&t.q, t.blocks, 0, data, 100, &no_note, LIMIT), 100);
	expect_advance(&t, 100, 0);
	expect_advance(&t, 200, 0);
	expect_advance(&t, 300, 7);
	expect_advance(&t, 500, 7);
	expect_no_advance(&t);
	close_queue(&t);
}

/* However many gaps one segment covers. */
static void one_segment_over_all_holes_keeps_the_limit(void **state)
{
	const struct segment_note pushed = {.pushed = true};
	static uint8_t data[4 * SEGMENT_QUEUE_RANGES_MAX];
	struct queue t;
	long n;

	(void)state;
	open_queue(&t, 0, 1 << 20);
	for (uint64_t i = 0; i < SEGMENT_QUEUE_RANGES_MAX - 10; i++)
		assert_int_equal(
			segment_queue_push(&t.q, t.blocks, 2 + 2 * i, data, 1, &pushed, LIMIT), 1);
	n = segment_queue_push(&t.q, t.blocks, 1, data, sizeof(data) - 1, &pushed, LIMIT);
	assert_int_equal(n, 10);
	assert_int_equal(t.q.range_count, SEGMENT_QUEUE_RANGES_MAX);
	close_queue(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_behind_a_hole_is_one_range),
		cmocka_unit_test(bytes_in_order),
		cmocka_unit_test(old_and_empty_bytes_are_no_news),
		cmocka_unit_test(hole_is_filled_and_each_range_says_what_its_packet_said),
		cmocka_unit_test(what_came_first_stays),
		cmocka_unit_test(repeated_range_beyond_a_hole_is_no_news),
		cmocka_unit_test(ranges_around_every_border),
		cmocka_unit_test(window_slides_over_many_nodes),
		cmocka_unit_test(tree_grows_whatever_the_first_block_is),
		cmocka_unit_test(ring_of_rings_grows_wherever_it_begins),
		cmocka_unit_test(ring_that_finds_no_memory_to_grow_is_as_it_was),
		cmocka_unit_test(peek_is_bounded_by_pieces_length_and_end),
		cmocka_unit_test(queue_limit_counts_from_the_first_byte_held),
		cmocka_unit_test(number_of_holes_is_limited),
		cmocka_unit_test(farther_than_the_tree_reaches),
		cmocka_unit_test(refused_push_of_an_empty_queue_keeps_no_block),
		cmocka_unit_test(refused_push_changes_nothing),
		cmocka_unit_test(memory_of_a_queue_is_its_blocks_nodes_and_ranges),
		cmocka_unit_test(room_for_a_segment_is_foretold),
		cmocka_unit_test(several_queues_share_the_blocks),
		cmocka_unit_test(short_request_takes_one_block_wherever_it_begins),
		cmocka_unit_test(release_gives_whole_blocks_back),
		cmocka_unit_test(release_up_to_a_hole_keeps_what_is_beyond),
		cmocka_unit_test(drop_beyond_keeps_what_is_contiguous),
		cmocka_unit_test(drop_beyond_of_a_queue_that_holds_nothing_else),
		cmocka_unit_test(what_is_skipped_makes_room),
		cmocka_unit_test(skip_without_memory_changes_nothing),
		cmocka_unit_test(segments_of_one_write_are_one_range_in_any_order),
		cmocka_unit_test(end_of_a_write_stays_where_it_was),
		cmocka_unit_test(one_segment_over_all_holes_keeps_the_limit),
		cmocka_unit_test(random_pushes_and_releases),
	};

	return cmocka_run_group_tests_name("segment_queue", tests, NULL, NULL);
}
