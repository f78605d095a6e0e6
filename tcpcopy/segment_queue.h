/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment_queue.h - a client's byte stream as captured: from the first byte that some session still needs to
 * the last one seen, with holes. Owns one copy of every payload, whoever reads it. Pure.
 *
 * Bytes lie where their stream offset says, counted from where the queue was last empty, in blocks of one size found through a small radix
 * tree whose nodes are blocks too: any cutting, any order and any overlap of the captured segments
 * gives the same stream. Where segments overlap, what came first stays. Beyond the contiguous end a
 * sorted list of ranges says which bytes are there.
 */
#ifndef TCPCOPY_SEGMENT_QUEUE_H
#define TCPCOPY_SEGMENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/slab.h"

enum {
	SEGMENT_BLOCK_BYTES = 1024,
	SEGMENT_QUEUE_RANGES_MAX = 1024, /* holes, or writes behind one, a connection */
};

/* What a captured segment says of its sender, besides the bytes. */
struct segment_note {
	uint64_t seen;     /* response bytes that the client had acknowledged */
	uint64_t seen_us;  /* when it first said so */
	uint64_t at_us;    /* when it was captured */
	bool pushed;       /* PSH: the end of a write */
	bool small;        /* no MSS has filled it */
	bool cut;          /* its end was not captured (-S) */
	uint8_t unused[5]; /* 0, not padding: resting connections are packed by their bytes */
};

/* Blocks and ranges for all queues of a worker. */
struct segment_blocks;

/* A run of bytes beyond a hole, of one write of the client; the note is its last segment's. */
struct segment_range {
	struct segment_range *next;
	uint64_t start;
	uint64_t end;
	struct segment_note note;
	uint32_t index; /* in its slab */
};

struct segment_queue {
	uint64_t start;     /* first byte that is still held */
	uint64_t end;       /* contiguous end: the next byte expected */
	uint64_t ready_end; /* in-order bytes that were just pushed, of ready_note, reach to here */
	struct segment_range *ranges; /* beyond end, sorted, disjoint */
	uint32_t root;                /* a block: data (height 0) or a node */
	uint32_t block_count;         /* that it holds, nodes included */
	uint16_t range_count;
	uint16_t
		shift; /* blocks begin at offsets that leave this remainder: a short request fits one */
	uint8_t height;
	/* Of the bytes between end and ready_end, if there are any: so the usual packet needs no range. */
	struct segment_note ready_note;
};

/* At most max_bytes in blocks; budget, borrowed, may be shared with others or NULL. NULL with errno ENOMEM. */
struct segment_blocks *segment_blocks_new(size_t max_bytes, struct slab_budget *budget);
void segment_blocks_free(struct segment_blocks *blocks);
/* Whether a segment of len bytes would find its blocks, wherever it lies. */
bool segment_blocks_have_room(const struct segment_blocks *blocks, size_t len_bytes);
/* Blocks and ranges that queues hold; and bytes, chunks that are kept for the next included. */
uint32_t segment_blocks_count(const struct segment_blocks *blocks);
size_t segment_blocks_memory(const struct segment_blocks *blocks);

void segment_queue_init(struct segment_queue *q, uint64_t start);
/* Gives all blocks and ranges back. */
void segment_queue_fini(struct segment_queue *q, struct segment_blocks *blocks);

/*
 * Copies what is new of [off, off + len) into its place. Bytes before the contiguous end are old. The note is kept with
 * bytes beyond a hole. Returns the number of new bytes (the contiguous end has not moved
 * yet: call segment_queue_advance until it returns 0), or -1 with errno ENOBUFS (queue_limit bytes from start or
 * the number of holes) or ENOMEM (the blocks' maximum, their budget or the heap): then nothing has changed.
 */
long segment_queue_push(struct segment_queue *q, struct segment_blocks *blocks, uint64_t off,
			const uint8_t *data, size_t len_bytes, const struct segment_note *note,
			size_t queue_limit_bytes);

/* Likewise, beyond what was just pushed in order. */
const struct segment_note *segment_queue_advance_range(struct segment_queue *q,
						       struct segment_blocks *blocks);
/*
 * If the bytes at the contiguous end are there by now, moves it over those of one segment and returns their note, good
 * until the next call. NULL when the next byte is missing.
 */
static inline const struct segment_note *segment_queue_advance(struct segment_queue *q,
							       struct segment_blocks *blocks)
{
	if (q->ready_end <= q->end)
		return q->ranges ? segment_queue_advance_range(q, blocks) : NULL;
	q->end = q->ready_end;
	return &q->ready_note;
}

/*
 * The usual segment at once: pushed, next in order, and advanced over. False, with the stream as it was, if anything lies beyond a hole,
 * if it does not fit one block, or if segment_queue_push would fail.
 */
bool segment_queue_append(struct segment_queue *q, struct segment_blocks *blocks,
			  const uint8_t *data, size_t len_bytes, size_t queue_limit_bytes);

/* Bytes of memory that it holds. */
static inline size_t segment_queue_memory(const struct segment_queue *q)
{
	return (size_t)q->block_count * SEGMENT_BLOCK_BYTES +
	       q->range_count * sizeof(struct segment_range);
}

/* Bytes that are held beyond the first hole. */
uint64_t segment_queue_beyond(const struct segment_queue *q);
/* Forgets what lies beyond the first hole; returns how many bytes that were. */
uint64_t segment_queue_drop_beyond(struct segment_queue *q, struct segment_blocks *blocks);

/*
 * Takes out of the stream all between the contiguous end and offset to, the start of a range beyond it: what follows moves
 * up, and segment_queue_advance will find it. Returns how many bytes were held in between, or -1 with errno ENOBUFS or
 * ENOMEM: then nothing has changed.
 */
long segment_queue_skip(struct segment_queue *q, struct segment_blocks *blocks, uint64_t to);

/*
 * Describes at most len bytes from off (start <= off <= end) in at most max pieces, borrowed until
 * the next release. Returns the bytes described.
 */
size_t segment_queue_peek(const struct segment_queue *q, const struct segment_blocks *blocks,
			  uint64_t off, size_t len_bytes, struct iovec *iov, size_t max,
			  uint16_t *count);

/* The byte at off (start <= off < end). */
uint8_t segment_queue_byte(const struct segment_queue *q, const struct segment_blocks *blocks,
			   uint64_t off);

/* No reader needs bytes before off any more (off <= end). */
void segment_queue_release(struct segment_queue *q, struct segment_blocks *blocks, uint64_t off);
#endif
