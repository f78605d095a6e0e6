/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parking.c - see parking.h. A struct is made mostly zero, by comparing numbers that tend to be alike, then
 * written without its zero bytes. The tables of such numbers, and of what is usual, only make it small: a
 * field that is in none of them is packed as it is.
 */
#include "tcpcopy/parking.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	SIZE_STEP = 16,
	SIZES = 64,
	PACKED_MAX = SIZES * SIZE_STEP,
	SIZE_SHIFT = 25, /* of a handle: 6 bits of size, 25 of index */
	INDEX_MASK = (1 << SIZE_SHIFT) - 1,
	WORD = 8,
	GROUP = WORD * WORD,
	SESSION_WORST = sizeof(struct session) * 9 / 8 + 16,
	ONLINE_WORST = sizeof(struct online) * 9 / 8 + 16,
};

struct packed {
	struct timer timer; /* first: the wheel hands out timers */
	uint32_t handle;
	uint16_t len_bytes;
	uint8_t sessions;
	uint8_t bytes[];
};

struct parking {
	struct slab *sizes[SIZES]; /* made when they are needed; NULL before */
	struct slab_budget *budget;
	uint32_t count;
};

/* These are written over with values that come from the stack, whose padding is anything: so they have none. */
static_assert(sizeof(struct tuple) == offsetof(struct tuple, unused) + 1, "no padding");
static_assert(sizeof(struct segment_note) == offsetof(struct segment_note, unused) + 5,
	      "no padding");

/* ---- bytes without zeros ---- */

/*
 * Each 64 bytes: a byte that says which of its eight words are not zero, then for each of these a byte that says
 * which of its bytes are not, and these.
 */
static uint8_t *write_word(uint8_t *at, const uint8_t *word, size_t len)
{
	uint8_t *mask = at++;

	*mask = 0;
	for (size_t i = 0; i < len; i++) {
		if (!word[i])
			continue;
		*mask |= (uint8_t)(1 << i);
		*at++ = word[i];
	}
	return at;
}

static bool is_zero(const uint8_t *word, size_t len)
{
	static const uint8_t zeros[WORD];

	return memcmp(word, zeros, len) == 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static uint8_t *write_bytes(uint8_t *at, const void *data, size_t len)
{
	const uint8_t *from = data;

	for (size_t group = 0; group < len; group += GROUP) {
		uint8_t *mask = at++;

		*mask = 0;
		for (size_t i = 0; i < WORD && group + i * WORD < len; i++) {
			const uint8_t *word = from + group + i * WORD;
			size_t n = least(WORD, len - group - i * WORD);

			if (is_zero(word, n))
				continue;
			*mask |= (uint8_t)(1 << i);
			at = write_word(at, word, n);
		}
	}
	return at;
}

static const uint8_t *read_word(const uint8_t *at, uint8_t *word)
{
	uint8_t mask = *at++;

	for (; mask; mask &= (uint8_t)(mask - 1))
		word[__builtin_ctz(mask)] = *at++;
	return at;
}

static const uint8_t *read_bytes(const uint8_t *at, void *data, size_t len)
{
	uint8_t *to = data;

	memset(to, 0, len);
	for (size_t group = 0; group < len; group += GROUP) {
		uint8_t mask = *at++;

		for (; mask; mask &= (uint8_t)(mask - 1))
			at = read_word(at, to + group + (size_t)__builtin_ctz(mask) * WORD);
	}
	return at;
}

/* ---- numbers that are alike ---- */

/* One is replaced by how it differs from the other, which is packed as it is; doing it twice undoes it. */
struct likeness {
	uint16_t at;
	uint16_t other;
};

static uint64_t load64(const void *base, size_t at)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)base + at, sizeof(v));
	return v;
}

static uint32_t load32(const void *base, size_t at)
{
	uint32_t v;

	memcpy(&v, (const uint8_t *)base + at, sizeof(v));
	return v;
}

static void store64(void *base, size_t at, uint64_t v)
{
	memcpy((uint8_t *)base + at, &v, sizeof(v));
}

static void store32(void *base, size_t at, uint32_t v)
{
	memcpy((uint8_t *)base + at, &v, sizeof(v));
}

/* A moment near another one, or 0, which stays 0. */
static uint64_t differ_or_zero(uint64_t v, uint64_t other)
{
	return v == 0 || v == other ? v : v ^ other;
}

#define ONLINE(field)  offsetof(struct online, field)
#define SESSION(field) offsetof(struct session, field)
#define LENGTH(table)  (sizeof(table) / sizeof((table)[0]))

/* Moments about when the client was last heard. */
static const uint16_t online_times[] = {
	ONLINE(seen_us),
	ONLINE(newest.seen_us),
};

static const struct likeness online_same64[] = {
	{ONLINE(newest.at_us), ONLINE(last_seen_us)},
	{ONLINE(turns.spoke_us), ONLINE(last_seen_us)},
	{ONLINE(queue.start), ONLINE(queue.end)},
	{ONLINE(queue.ready_end), ONLINE(queue.end)},
	{ONLINE(newest.seen), ONLINE(seen)},
	{ONLINE(turns.seen), ONLINE(seen)},
};

static const uint16_t session_times[] = {
	SESSION(last_answer_us), SESSION(acked_us), SESSION(turn_said_us),  SESSION(last_sent_us),
	SESSION(progress_us),    SESSION(begun_us), SESSION(challenged_us), SESSION(timed_us),
};

static const struct likeness session_same32[] = {
	{SESSION(target.snd_nxt), SESSION(target.snd_una)},
	{SESSION(target.snd_max), SESSION(target.snd_una)},
	{SESSION(target.snd_wl2), SESSION(target.snd_una)},
	{SESSION(target.iss), SESSION(target.snd_una)},
	{SESSION(target.recover), SESSION(target.snd_una)},
	{SESSION(target.timed_seq), SESSION(target.snd_una)},
	{SESSION(target.rcv_acked), SESSION(target.rcv_nxt)},
	{SESSION(target.answer_seq), SESSION(target.rcv_nxt)},
	{SESSION(target.turn_seq), SESSION(target.rcv_nxt)},
	{SESSION(target.snd_wl1), SESSION(target.rcv_nxt)},
	{SESSION(target.irs), SESSION(target.rcv_nxt)},
	{SESSION(target.max_window), SESSION(target.snd_wnd)},
	{SESSION(index), SESSION(id)},
};

/* What nearly all that rest have in common; only what differs is packed. */
static const struct online usual_online = {
	.tuple = {.src = {.addr = {.b = {[10] = 0xff, [11] = 0xff}}},
		  .dst = {.addr = {.b = {[10] = 0xff, [11] = 0xff}}},
		  .protocol = PROTOCOL_TCP},
	.queue = {.root = SLAB_NONE},
	.turns = {.first = SLAB_NONE, .last = SLAB_NONE, .any = true},
	.newest = {.pushed = true, .small = true},
	.writes = 1,
	.writes_max = 1,
	.admission = ONLINE_ADMITTED,
	.state = ONLINE_OPEN,
	.is_confirmed = true,
	.began = true,
	.has_newest = true,
	.ever_pushed = true,
	.has_ack = true,
	.is_mapped = true,
};

static const struct session usual_session = {
	.tuple = {.dst = {.addr = {.b = {[10] = 0xff, [11] = 0xff}}}, .protocol = PROTOCOL_TCP},
	.gate_turn = SLAB_NONE,
	.acked_turn = SLAB_NONE,
	.mss_agreed = 1460,
	.target = {.rto_us = SESSION_RTO_MIN_US, .mss = 1460, .snd_wscale = 7, .rcv_wscale = 7},
	.offer = {.mss = 1460,
		  .window_scale = 7,
		  .has_window_scale = true,
		  .has_sack_permitted = true,
		  .has_timestamps = true},
	.state = SESSION_ESTABLISHED,
	.turns_said = HABITS_TURNS,
	.has_tuple = true,
	.was_started = true,
	.may_take_back = true,
	.answer_pushed = true,
	.was_whole = true,
	.uses_timestamps = true,
};

static void differ(void *data, const void *other, size_t len)
{
	uint8_t *at = data;
	const uint8_t *from = other;

	for (size_t i = 0; i < len; i++)
		at[i] ^= from[i];
}

static void compare_online(struct online *o)
{
	for (size_t i = 0; i < LENGTH(online_same64); i++) {
		const struct likeness *l = &online_same64[i];

		store64(o, l->at, load64(o, l->at) ^ load64(o, l->other));
	}
	for (size_t i = 0; i < LENGTH(online_times); i++)
		store64(o, online_times[i],
			differ_or_zero(load64(o, online_times[i]), o->last_seen_us));
}

static void compare_session(struct session *s, const struct online *o)
{
	for (size_t i = 0; i < LENGTH(session_same32); i++) {
		const struct likeness *l = &session_same32[i];

		store32(s, l->at, load32(s, l->at) ^ load32(s, l->other));
	}
	for (size_t i = 0; i < LENGTH(session_times); i++)
		store64(s, session_times[i],
			differ_or_zero(load64(s, session_times[i]), o->last_seen_us));
	differ(&s->tuple.src, &o->tuple.src, sizeof(s->tuple.src));
	s->una_off ^= o->queue.end;
	s->answer_min_off = differ_or_zero(s->answer_min_off, o->queue.end);
}

/* ---- connections ---- */

static uint8_t *write_online(uint8_t *at, const struct online *o)
{
	struct online copy;

	memcpy(&copy, o, sizeof(copy));
	memset(&copy.timer, 0, sizeof(copy.timer));
	copy.timer_at_us = 0;
	copy.sessions = NULL;
	copy.backlog = (struct backlog_link){0, 0};
	copy.index = 0;
	memset(&copy.queue.ready_note, 0, sizeof(copy.queue.ready_note)); /* nothing is ready */
	compare_online(&copy);
	differ(&copy, &usual_online, sizeof(copy));
	return write_bytes(at, &copy, sizeof(copy));
}

static uint8_t *write_session(uint8_t *at, const struct session *s, const struct online *o)
{
	struct session copy;

	memcpy(&copy, s, sizeof(copy));
	memset(&copy.timer, 0, sizeof(copy.timer));
	copy.timer_at_us = 0;
	copy.next_of_online = copy.next_dirty = NULL;
	copy.online = NULL;
	compare_session(&copy, o);
	differ(&copy, &usual_session, sizeof(copy));
	return write_bytes(at, &copy, sizeof(copy));
}

static const uint8_t *read_online(const uint8_t *at, struct online *o)
{
	at = read_bytes(at, o, sizeof(*o));
	differ(o, &usual_online, sizeof(*o));
	compare_online(o);
	return at;
}

static const uint8_t *read_session(const uint8_t *at, struct session *s, const struct online *o)
{
	at = read_bytes(at, s, sizeof(*s));
	differ(s, &usual_session, sizeof(*s));
	compare_session(s, o);
	return at;
}

/* ---- the table ---- */

struct parking *parking_new(struct slab_budget *budget)
{
	struct parking *p = calloc(1, sizeof(*p));

	if (p)
		p->budget = budget;
	return p;
}

void parking_free(struct parking *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < SIZES; i++)
		slab_free(p->sizes[i]);
	free(p);
}

static const struct packed *at(const struct parking *p, uint32_t handle)
{
	return slab_at(p->sizes[handle >> SIZE_SHIFT], handle & INDEX_MASK);
}

/* Room for so many bytes in all; NULL without memory. */
static struct packed *take(struct parking *p, size_t size)
{
	size_t class = (size - 1) / SIZE_STEP;
	struct packed *packed;
	uint32_t index;

	if (!p->sizes[class])
		p->sizes[class] = slab_new_within((class + 1) * SIZE_STEP, INDEX_MASK, p->budget);
	if (!p->sizes[class])
		return NULL;
	packed = slab_take(p->sizes[class], &index);
	if (packed)
		packed->handle = (uint32_t) class << SIZE_SHIFT | index;
	return packed;
}

uint32_t parking_put(struct parking *p, const struct online *o)
{
	uint8_t bytes[PACKED_MAX + SESSION_WORST + ONLINE_WORST];
	uint8_t *end = write_online(bytes, o);
	uint8_t sessions = 0;
	struct packed *packed;
	uint32_t handle;
	size_t size;

	for (const struct session *s = o->sessions; s; s = s->next_of_online) {
		end = write_session(end, s, o);
		if (++sessions > PARKING_SESSIONS_MAX || end - bytes > PACKED_MAX)
			return PARKING_NONE;
	}
	size = offsetof(struct packed, bytes) + (size_t)(end - bytes);
	if (size > PACKED_MAX)
		return PARKING_NONE;
	packed = take(p, size);
	if (!packed)
		return PARKING_NONE;
	handle = packed->handle;
	packed->timer = (struct timer){.next = NULL};
	packed->len_bytes = (uint16_t)(end - bytes);
	packed->sessions = sessions;
	memcpy(packed->bytes, bytes, packed->len_bytes);
	p->count++;
	return handle;
}

void parking_drop(struct parking *p, uint32_t handle)
{
	slab_give(p->sizes[handle >> SIZE_SHIFT], handle & INDEX_MASK);
	p->count--;
}

struct timer *parking_timer(struct parking *p, uint32_t handle)
{
	return &((struct packed *)slab_at(p->sizes[handle >> SIZE_SHIFT], handle & INDEX_MASK))
			->timer;
}

uint32_t parking_handle(const struct timer *timer)
{
	return ((const struct packed *)(const void *)timer)->handle;
}

unsigned parking_session_count(const struct parking *p, uint32_t handle)
{
	return at(p, handle)->sessions;
}

void parking_get_online(const struct parking *p, uint32_t handle, struct online *o)
{
	read_online(at(p, handle)->bytes, o);
}

void parking_get(const struct parking *p, uint32_t handle, struct online *o,
		 struct session *const *sessions)
{
	const struct packed *packed = at(p, handle);
	const uint8_t *from = read_online(packed->bytes, o);

	for (unsigned i = 0; i < packed->sessions; i++)
		from = read_session(from, sessions[i], o);
	assert(from == packed->bytes + packed->len_bytes);
}

uint32_t parking_next(const struct parking *p, uint32_t handle)
{
	uint32_t index = handle & INDEX_MASK;

	for (size_t class = handle >> SIZE_SHIFT; class < SIZES; class ++, index = 0) {
		uint32_t limit = p->sizes[class] ? slab_limit(p->sizes[class]) : 0;

		for (; index < limit; index++)
			if (slab_find(p->sizes[class], index))
				return (uint32_t) class << SIZE_SHIFT | index;
	}
	return PARKING_NONE;
}

uint32_t parking_count(const struct parking *p)
{
	return p->count;
}

size_t parking_memory(const struct parking *p)
{
	size_t bytes = sizeof(*p);

	for (size_t i = 0; i < SIZES; i++)
		bytes += p->sizes[i] ? slab_memory(p->sizes[i]) : 0;
	return bytes;
}
