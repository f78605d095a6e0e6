/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/segment_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/out_of_line.h"

/*
 * The tree is a ring: a node slot is picked by the low bits of the block number, so that a
 * window that slides along the stream needs no moving. A tree of height h holds FANOUT^h blocks.
 */
enum {
	FANOUT = SEGMENT_BLOCK_BYTES / sizeof(uint32_t), /* 256 */
	FANOUT_SHIFT = 8,
	HEIGHT_MAX = 3, /* 16 GiB a connection */
};

static_assert(FANOUT == 1 << FANOUT_SHIFT, "a node is a block");

static_assert(SEGMENT_BLOCK_BYTES <= UINT16_MAX, "the shift fits");

static uint64_t block_of(const struct segment_queue *q, uint64_t off)
{
	return (off - q->shift) / SEGMENT_BLOCK_BYTES;
}

/* Where in its block. */
static size_t place_of(const struct segment_queue *q, uint64_t off)
{
	return (off - q->shift) % SEGMENT_BLOCK_BYTES;
}

static uint64_t tree_blocks(unsigned height)
{
	return UINT64_C(1) << (FANOUT_SHIFT * height);
}

struct segment_blocks {
	struct slab *blocks;
	struct slab *ranges;
};

struct segment_blocks *segment_blocks_new(size_t max_bytes, struct slab_budget *budget)
{
	size_t most = max_bytes / SEGMENT_BLOCK_BYTES;
	struct segment_blocks *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->blocks = slab_new_within(SEGMENT_BLOCK_BYTES,
				    most < SLAB_NONE ? (uint32_t)most : SLAB_NONE, budget);
	b->ranges = slab_new_within(sizeof(struct segment_range), SLAB_NONE, budget);
	if (b->blocks && b->ranges)
		return b;
	segment_blocks_free(b);
	errno = ENOMEM;
	return NULL;
}

void segment_blocks_free(struct segment_blocks *blocks)
{
	if (!blocks)
		return;
	slab_free(blocks->blocks);
	slab_free(blocks->ranges);
	free(blocks);
}

bool segment_blocks_have_room(const struct segment_blocks *blocks, size_t len_bytes)
{
	/* Neither end need lie at a border; each level may need two nodes, and its ring one for each below it. */
	uint32_t most = (uint32_t)(len_bytes / SEGMENT_BLOCK_BYTES) + 2 +
			HEIGHT_MAX * (2 + (HEIGHT_MAX + 1) / 2);

	return slab_has_room(blocks->blocks, most);
}

uint32_t segment_blocks_count(const struct segment_blocks *blocks)
{
	return slab_count(blocks->blocks) + slab_count(blocks->ranges);
}

size_t segment_blocks_memory(const struct segment_blocks *blocks)
{
	return sizeof(*blocks) + slab_memory(blocks->blocks) + slab_memory(blocks->ranges);
}

/* A block for q; NULL with errno ENOMEM. */
static void *take_block(struct segment_queue *q, struct segment_blocks *blocks, uint32_t *index)
{
	void *block = slab_take(blocks->blocks, index);

	if (!block) {
		errno = ENOMEM; /* at its maximum or without memory: not this queue's fault */
		return NULL;
	}
	q->block_count++;
	return block;
}

static void give_block(struct segment_queue *q, struct segment_blocks *blocks, uint32_t index)
{
	slab_give(blocks->blocks, index);
	q->block_count--;
}

void segment_queue_init(struct segment_queue *q, uint64_t start)
{
	*q = (struct segment_queue){
		.start = start, .end = start, .ready_end = start, .root = SLAB_NONE};
}

static void free_tree(struct segment_queue *q, struct segment_blocks *blocks, uint32_t root,
		      unsigned height)
{
	if (root == SLAB_NONE)
		return;
	if (height) {
		const uint32_t *node = slab_at(blocks->blocks, root);

		for (size_t i = 0; i < FANOUT; i++)
			free_tree(q, blocks, node[i], height - 1);
	}
	give_block(q, blocks, root);
}

/* Gives back all blocks. */
static void empty_tree(struct segment_queue *q, struct segment_blocks *blocks)
{
	if (q->height)
		free_tree(q, blocks, q->root, q->height);
	else if (q->root != SLAB_NONE)
		give_block(q, blocks, q->root);
	q->root = SLAB_NONE;
	q->height = 0;
}

static void drop_first_range(struct segment_queue *q, struct segment_blocks *blocks)
{
	struct segment_range *r = q->ranges;

	q->ranges = r->next;
	q->range_count--;
	slab_give(blocks->ranges, r->index);
}

static void free_ranges(struct segment_queue *q, struct segment_blocks *blocks)
{
	while (q->ranges)
		drop_first_range(q, blocks);
}

void segment_queue_fini(struct segment_queue *q, struct segment_blocks *blocks)
{
	empty_tree(q, blocks);
	free_ranges(q, blocks);
}

/*
 * Moves what has wrapped around the end of a ring, all in front of block first, out of its root and into a node of
 * its own, *wrapped. The slot of first may hold both: it is split likewise. Nothing moves before all nodes are there;
 * -1 without memory.
 */
static int split_ring(struct segment_queue *q, struct segment_blocks *blocks, uint32_t root,
		      unsigned height, uint64_t first, uint32_t *wrapped)
{
	uint64_t slot = first >> (FANOUT_SHIFT * (height - 1)) & (FANOUT - 1);
	uint32_t *old = slab_at(blocks->blocks, root);
	uint32_t *node = take_block(q, blocks, wrapped);
	uint32_t shared = SLAB_NONE;

	if (!node)
		return -1;
	if (first % tree_blocks(height - 1) && old[slot] != SLAB_NONE &&
	    split_ring(q, blocks, old[slot], height - 1, first, &shared)) {
		give_block(q, blocks, *wrapped);
		return -1;
	}
	memset(node, 0xff, SEGMENT_BLOCK_BYTES);
	memcpy(node, old, slot * sizeof(*old));
	memset(old, 0xff, slot * sizeof(*old));
	node[slot] = shared;
	return 0;
}

/* Puts the ring that the root is into the slots of the node above it: one, or two if it wraps. */
static int lift_ring(struct segment_queue *q, struct segment_blocks *blocks, uint32_t *node)
{
	uint64_t first = block_of(q, q->start);
	uint64_t turn = first >> (FANOUT_SHIFT * q->height);
	uint32_t wrapped = SLAB_NONE;

	if (q->root == SLAB_NONE)
		return 0;
	if (first % tree_blocks(q->height) &&
	    split_ring(q, blocks, q->root, q->height, first, &wrapped))
		return -1;
	node[turn % FANOUT] = q->root;
	node[(turn + 1) % FANOUT] = wrapped;
	return 0;
}

/* Puts nodes above the root until the tree spans the blocks of [start, last]. */
static int grow_tree(struct segment_queue *q, struct segment_blocks *blocks, uint64_t last)
{
	while (block_of(q, last) - block_of(q, q->start) >= tree_blocks(q->height)) {
		uint32_t index;
		uint32_t *node;

		if (q->height == HEIGHT_MAX) {
			errno = ENOBUFS;
			return -1;
		}
		node = take_block(q, blocks, &index);
		if (!node)
			return -1;
		memset(node, 0xff, SEGMENT_BLOCK_BYTES);
		if (lift_ring(q, blocks, node)) {
			give_block(q, blocks, index);
			return -1;
		}
		q->root = index;
		q->height++;
	}
	return 0;
}

static uint32_t *slot_of(uint32_t *node, uint64_t block, unsigned height)
{
	return &node[block >> (FANOUT_SHIFT * (height - 1)) & (FANOUT - 1)];
}

/* The data block that *at leads to, made if it is missing; NULL with errno. */
static IN_LINE uint8_t *data_block(struct segment_queue *q, struct segment_blocks *blocks,
				   uint32_t *at)
{
	uint8_t *data;

	if (*at != SLAB_NONE)
		return slab_at(blocks->blocks, *at);
	data = take_block(q, blocks, at);
	if (!data)
		*at = SLAB_NONE;
	return data;
}

/* Likewise of a block number. */
static OUT_OF_LINE uint8_t *block_make(struct segment_queue *q, struct segment_blocks *blocks,
				       uint64_t block)
{
	uint32_t *at = &q->root;

	for (unsigned h = q->height; h; h--) {
		if (*at == SLAB_NONE) {
			uint32_t *node = take_block(q, blocks, at);

			if (!node) {
				*at = SLAB_NONE;
				return NULL;
			}
			memset(node, 0xff, SEGMENT_BLOCK_BYTES);
		}
		at = slot_of(slab_at(blocks->blocks, *at), block, h);
	}
	return data_block(q, blocks, at);
}

/* Likewise of an offset: nearly always there is but one. */
static IN_LINE uint8_t *find_or_make(struct segment_queue *q, struct segment_blocks *blocks,
				     uint64_t off)
{
	return q->height ? block_make(q, blocks, block_of(q, off))
			 : data_block(q, blocks, &q->root);
}

/* If nothing is held, what comes begins with a block of its own. */
static inline void begin_anew(struct segment_queue *q)
{
	if (q->root == SLAB_NONE)
		q->shift = (uint16_t)(q->start % SEGMENT_BLOCK_BYTES);
}

static OUT_OF_LINE const uint8_t *block_search(const struct segment_queue *q,
					       const struct segment_blocks *blocks, uint64_t block)
{
	uint32_t at = q->root;

	for (unsigned h = q->height; h; h--)
		at = *slot_of(slab_at(blocks->blocks, at), block, h);
	return slab_at(blocks->blocks, at);
}

/* The data block of stream offset off, which is held. */
static inline const uint8_t *block_find(const struct segment_queue *q,
					const struct segment_blocks *blocks, uint64_t off)
{
	return q->height ? block_search(q, blocks, block_of(q, off))
			 : slab_at(blocks->blocks, q->root);
}

/* Empties the slots of the blocks in [first, last], both inclusive. */
static void give_blocks(struct segment_queue *q, struct segment_blocks *blocks, uint64_t first,
			uint64_t last)
{
	for (uint64_t b = first; b <= last; b++) {
		uint32_t *at = &q->root;

		for (unsigned h = q->height; h && *at != SLAB_NONE; h--)
			at = slot_of(slab_at(blocks->blocks, *at), b, h);
		if (*at != SLAB_NONE) {
			give_block(q, blocks, *at);
			*at = SLAB_NONE;
		}
	}
}

static bool holds_bytes(const struct segment_queue *q, uint64_t block)
{
	uint64_t first = block * SEGMENT_BLOCK_BYTES + q->shift;
	uint64_t last = first + SEGMENT_BLOCK_BYTES - 1;

	if (q->start <= last && q->end > first && q->start < q->end)
		return true;
	for (const struct segment_range *r = q->ranges; r; r = r->next)
		if (r->start <= last && r->end > first)
			return true;
	return false;
}

/* Gives back what a reservation that failed had made: others may need it more. */
static void unreserve(struct segment_queue *q, struct segment_blocks *blocks, uint64_t first,
		      uint64_t last)
{
	if (q->start == q->end && !q->ranges) {
		empty_tree(q, blocks);
		return;
	}
	for (uint64_t b = first; b <= last; b++)
		if (!holds_bytes(q, b))
			give_blocks(q, blocks, b, b);
}

/* Makes all blocks for [off, off + len) or says why not; copies nothing. */
static int reserve(struct segment_queue *q, struct segment_blocks *blocks, uint64_t off, size_t len)
{
	uint64_t last = block_of(q, off + len - 1);

	if (grow_tree(q, blocks, off + len - 1))
		return -1;
	for (uint64_t b = block_of(q, off); b <= last; b++) {
		if (!block_make(q, blocks, b)) {
			int error = errno;

			unreserve(q, blocks, block_of(q, off), b);
			errno = error;
			return -1;
		}
	}
	return 0;
}

/* [off, end) lies in one block, which the tree has a place for. */
static bool is_one_block(const struct segment_queue *q, uint64_t off, uint64_t end)
{
	uint64_t block = block_of(q, end - 1);

	return block_of(q, off) == block && block - block_of(q, q->start) < tree_blocks(q->height);
}

static void copy_in(struct segment_queue *q, struct segment_blocks *blocks, uint64_t off,
		    const uint8_t *data, size_t len)
{
	while (len) {
		size_t at = place_of(q, off);
		size_t n = SEGMENT_BLOCK_BYTES - at < len ? SEGMENT_BLOCK_BYTES - at : len;

		memmove(block_make(q, blocks, block_of(q, off)) + at, data,
			n); /* when it moves up */
		off += n;
		data += n;
		len -= n;
	}
}

static struct segment_range *range_new(struct segment_blocks *blocks, struct segment_range *next,
				       uint64_t start, uint64_t end,
				       const struct segment_note *note)
{
	uint32_t index;
	struct segment_range *r = slab_take(blocks->ranges, &index);

	if (r)
		*r = (struct segment_range){next, start, end, *note, index};
	return r;
}

/* Whether bytes [from, until) with this note go on with the write of the range before them. */
static bool continues(const struct segment_range *r, uint64_t from, const struct segment_note *note)
{
	return r && r->end == from && !r->note.pushed && r->note.seen == note->seen;
}

/* Or the range behind them with theirs. */
static bool is_continued(const struct segment_range *r, uint64_t until,
			 const struct segment_note *note)
{
	return r && r->start == until && !note->pushed && r->note.seen == note->seen;
}

static void join_next(struct segment_queue *q, struct segment_blocks *blocks,
		      struct segment_range *r)
{
	struct segment_range *next = r->next;

	r->end = next->end;
	r->note = next->note;
	r->next = next->next;
	q->range_count--;
	slab_give(blocks->ranges, next->index);
}

/*
 * Says that the bytes [from, until) are there, between the ranges before, NULL if there is none, and *at: as more of either, of
 * both, which are one then, or as a range of their own. That one which holds them, or NULL with errno: no memory, or
 * too many ranges.
 */
static struct segment_range *add_range(struct segment_queue *q, struct segment_blocks *blocks,
				       struct segment_range *before, struct segment_range **at,
				       uint64_t from, uint64_t until,
				       const struct segment_note *note)
{
	bool is_left = continues(before, from, note);
	bool is_right = is_continued(*at, until, note);

	if (is_left) {
		before->end = until;
		before->note = *note;
		if (is_right)
			join_next(q, blocks, before);
		return before;
	}
	if (is_right) {
		(*at)->start = from;
		return *at;
	}
	if (q->range_count >= SEGMENT_QUEUE_RANGES_MAX) {
		errno = ENOBUFS;
		return NULL;
	}
	before = range_new(blocks, *at, from, until, note);
	if (!before)
		return NULL;
	*at = before;
	q->range_count++;
	return before;
}

/*
 * Fills every gap that [off, end) covers between the ranges, in order. An upload behind a hole has thousands of segments:
 * those of one write are one range, in whichever order they come.
 */
static long insert(struct segment_queue *q, struct segment_blocks *blocks, uint64_t off,
		   const uint8_t *data, uint64_t end, const struct segment_note *note)
{
	struct segment_range **at = &q->ranges;
	struct segment_range *before = NULL;
	uint64_t from = off;
	long added = 0;

	while (from < end) {
		struct segment_range *r = *at;

		if (!r || r->end > from) {
			uint64_t until = r && r->start < end ? r->start : end;

			if (from < until) {
				r = add_range(q, blocks, before, at, from, until, note);
				if (!r)
					return added ? added : -1;
				copy_in(q, blocks, from, data + (from - off), until - from);
				added += (long)(until - from);
			}
			from = r->end;
		}
		before = r;
		at = &r->next;
	}
	return added;
}

/* What lies in several blocks, or beyond a hole. */
static OUT_OF_LINE long push_blocks(struct segment_queue *q, struct segment_blocks *blocks,
				    uint64_t off, const uint8_t *data, uint64_t end,
				    const struct segment_note *note)
{
	if (reserve(q, blocks, off, (size_t)(end - off)))
		return -1;
	if (off > q->end || (q->ranges && q->ranges->start < end))
		return insert(q, blocks, off, data, end, note);
	copy_in(q, blocks, off, data, (size_t)(end - off));
	q->ready_end = end;
	q->ready_note = *note;
	return (long)(end - off);
}

long segment_queue_push(struct segment_queue *q, struct segment_blocks *blocks, uint64_t off,
			const uint8_t *data, size_t len_bytes, const struct segment_note *note,
			size_t queue_limit_bytes)
{
	uint64_t end = off + len_bytes;
	uint8_t *block;

	if (end <= q->end || !len_bytes)
		return 0;
	if (off < q->end) {
		data += q->end - off;
		off = q->end;
	}
	if (end - q->start > queue_limit_bytes ||
	    (off > q->end && q->range_count >= SEGMENT_QUEUE_RANGES_MAX)) {
		errno = ENOBUFS;
		return -1;
	}
	begin_anew(q);
	if (off > q->end || q->ranges || !is_one_block(q, off, end))
		return push_blocks(q, blocks, off, data, end, note);
	block = find_or_make(q, blocks, off);
	if (!block)
		return -1;
	memcpy(block + place_of(q, off), data, (size_t)(end - off));
	q->ready_end = end;
	q->ready_note = *note;
	return (long)(end - off);
}

bool segment_queue_append(struct segment_queue *q, struct segment_blocks *blocks,
			  const uint8_t *data, size_t len_bytes, size_t queue_limit_bytes)
{
	uint64_t end = q->end + len_bytes;
	uint8_t *block;

	if (q->ranges || end - q->start > queue_limit_bytes)
		return false;
	if (q->root == SLAB_NONE ? len_bytes > SEGMENT_BLOCK_BYTES : !is_one_block(q, q->end, end))
		return false;
	begin_anew(q);
	block = find_or_make(q, blocks, q->end);
	if (!block)
		return false;
	memcpy(block + place_of(q, q->end), data, len_bytes);
	q->end = q->ready_end = end;
	return true;
}

const struct segment_note *segment_queue_advance_range(struct segment_queue *q,
						       struct segment_blocks *blocks)
{
	const struct segment_range *r = q->ranges;

	if (r->start > q->end)
		return NULL;
	q->end = r->end;
	q->ready_note = r->note;
	drop_first_range(q, blocks);
	return &q->ready_note;
}

uint64_t segment_queue_beyond(const struct segment_queue *q)
{
	uint64_t bytes = 0;

	for (const struct segment_range *r = q->ranges; r; r = r->next)
		bytes += r->end - r->start;
	return bytes;
}

uint64_t segment_queue_drop_beyond(struct segment_queue *q, struct segment_blocks *blocks)
{
	uint64_t bytes = segment_queue_beyond(q);
	uint64_t keep = q->end > q->start ? block_of(q, q->end - 1) + 1 : block_of(q, q->start);
	uint64_t last = 0;

	for (const struct segment_range *r = q->ranges; r; r = r->next)
		last = block_of(q, r->end - 1);
	if (q->start == q->end) {
		empty_tree(q, blocks);
	} else if (bytes && last >= keep) {
		give_blocks(q, blocks, keep, last);
	}
	free_ranges(q, blocks);
	return bytes;
}

static void move_up(struct segment_queue *q, struct segment_blocks *blocks, struct segment_range *r,
		    uint64_t by)
{
	for (uint64_t off = r->start; off < r->end;) {
		size_t at = place_of(q, off);
		size_t n = SEGMENT_BLOCK_BYTES - at;

		if (n > r->end - off)
			n = (size_t)(r->end - off);
		copy_in(q, blocks, off - by, block_find(q, blocks, off) + at, n);
		off += n;
	}
	r->start -= by;
	r->end -= by;
}

/* Forgets the ranges before offset to; returns how many bytes they held. */
static long drop_ranges(struct segment_queue *q, struct segment_blocks *blocks, uint64_t to)
{
	uint64_t bytes = 0;

	while (q->ranges && q->ranges->start < to) {
		bytes += q->ranges->end - q->ranges->start;
		drop_first_range(q, blocks);
	}
	return (long)bytes;
}

long segment_queue_skip(struct segment_queue *q, struct segment_blocks *blocks, uint64_t to)
{
	uint64_t by = to - q->end;
	uint64_t last = 0;
	long bytes;

	assert(to > q->end && q->ready_end <= q->end);
	for (const struct segment_range *r = q->ranges; r; r = r->next)
		if (r->start >= to &&
		    reserve(q, blocks, r->start - by, (size_t)(r->end - r->start)))
			return -1;
	bytes = drop_ranges(q, blocks, to);
	for (struct segment_range *r = q->ranges; r; r = r->next) {
		last = block_of(q, r->end - 1);
		move_up(q, blocks, r, by);
		if (!r->next && last > block_of(q, r->end - 1))
			give_blocks(q, blocks, block_of(q, r->end - 1) + 1, last);
	}
	return bytes;
}

/* A piece of each block. */
static OUT_OF_LINE size_t peek_blocks(const struct segment_queue *q,
				      const struct segment_blocks *blocks, uint64_t off,
				      size_t len_bytes, struct iovec *iov, size_t max,
				      uint16_t *count)
{
	size_t total = 0;
	uint16_t n = 0;

	while (total < len_bytes && n < max) {
		size_t at = place_of(q, off);
		size_t piece = SEGMENT_BLOCK_BYTES - at;

		if (piece > len_bytes - total)
			piece = len_bytes - total;
		iov[n].iov_base = (uint8_t *)block_find(q, blocks, off) + at;
		iov[n++].iov_len = piece;
		off += piece;
		total += piece;
	}
	*count = n;
	return total;
}

LINK_IN_LINE size_t segment_queue_peek(const struct segment_queue *q,
				       const struct segment_blocks *blocks, uint64_t off,
				       size_t len_bytes, struct iovec *iov, size_t max,
				       uint16_t *count)
{
	assert(off >= q->start && off <= q->end);
	if (len_bytes > q->end - off)
		len_bytes = (size_t)(q->end - off);
	if ((q->height && place_of(q, off) + len_bytes > SEGMENT_BLOCK_BYTES) || !len_bytes || !max)
		return peek_blocks(q, blocks, off, len_bytes, iov, max, count);
	iov[0].iov_base = (uint8_t *)block_find(q, blocks, off) + place_of(q, off);
	iov[0].iov_len = len_bytes;
	*count = 1;
	return len_bytes;
}

uint8_t segment_queue_byte(const struct segment_queue *q, const struct segment_blocks *blocks,
			   uint64_t off)
{
	assert(off >= q->start && off < q->end);
	return block_find(q, blocks, off)[place_of(q, off)];
}

void segment_queue_release(struct segment_queue *q, struct segment_blocks *blocks, uint64_t off)
{
	assert(off <= q->end);
	if (off <= q->start)
		return;
	if (off == q->end && !q->ranges) {
		empty_tree(q, blocks);
	} else if (q->root != SLAB_NONE && block_of(q, off) > block_of(q, q->start)) {
		give_blocks(q, blocks, block_of(q, q->start), block_of(q, off) - 1);
	}
	q->start = off;
}
