/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/script.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/alloc.h"

enum {
	NOISE_PERIOD = 65521, /* a prime: no displacement by a round number goes unseen */
	MS = 1000,
	GREETING_MAX = 200,
	CONTINUE_BYTES = 25,
	BULK_WAITS_US = 3000 * MS,
	BULK_WINDOW = 4 << 20, /* of the target */
};

const uint8_t *script_noise(uint32_t place)
{
	static uint8_t noise[2 * NOISE_PERIOD];
	static bool is_made; /* the same for every world */

	if (!is_made) {
		for (uint32_t i = 0; i < NOISE_PERIOD; i++)
			noise[i] = noise[i + NOISE_PERIOD] = (uint8_t)(rng_mix(i) >> 32);
		is_made = true;
	}
	return noise + place % NOISE_PERIOD;
}

/* ---- making one ---- */

struct maker {
	struct script *s;
	const struct script_profile *profile;
	struct rng rng;
};

static bool may(const struct maker *m, enum script_trait trait)
{
	return m->profile->traits & (uint32_t)trait;
}

/* True in one of n cases, if the profile has the trait. */
static bool happens(struct maker *m, enum script_trait trait, uint32_t one_of)
{
	return may(m, trait) && rng_below(&m->rng, one_of) == 0;
}

static struct script_turn *add_turn(struct maker *m, uint32_t request_bytes, uint32_t answer_bytes)
{
	struct script_turn *t = &m->s->turns[m->s->turn_count++];

	*t = (struct script_turn){
		.start = m->s->length_bytes,
		.request_bytes = request_bytes,
		.answer_bytes = answer_bytes,
		.target_bytes = answer_bytes,
		.think_us = rng_size(&m->rng, 50, m->profile->think_max_us),
		.server_us = rng_size(&m->rng, 20, 50 * MS),
	};
	t->target_us = t->server_us;
	m->s->length_bytes += request_bytes;
	return t;
}

/* Only a request that is not the first one may be too small for a header. */
static uint32_t request_size(struct maker *m)
{
	uint32_t max = m->profile->request_max_bytes;

	if (m->s->length_bytes && rng_below(&m->rng, 12) == 0)
		return rng_range(&m->rng, 1, SCRIPT_HEADER_LEN);
	if (may(m, TRAIT_UPLOAD) && rng_below(&m->rng, m->s->reads_slowly ? 3 : 24) == 0)
		return rng_range(&m->rng, max / 10 + SCRIPT_HEADER_LEN, max);
	return rng_small(&m->rng, SCRIPT_HEADER_LEN, max > 20000 ? 20000 : max);
}

static void add_exchange(struct maker *m)
{
	struct script_turn *t =
		add_turn(m, request_size(m), rng_small(&m->rng, 1, m->profile->answer_max_bytes));

	if (m->s->length_bytes > t->request_bytes)
		t->is_pipelined = happens(m, TRAIT_PIPELINED, 6);
	if (happens(m, TRAIT_PAUSED, 10))
		t->pause_us = rng_range(&m->rng, 100, 200 * MS);
	if (happens(m, TRAIT_PRECONNECTED, 6))
		t->think_us = rng_range(&m->rng, 1000 * MS, 100000 * MS);
	if (happens(m, TRAIT_LONG_POLL, 30))
		t->server_us = t->target_us = rng_range(&m->rng, 1000 * MS, 20000 * MS);
}

/* One segment on any stack, and large enough to name itself. */
static void add_single(struct maker *m)
{
	struct script_turn *t =
		add_turn(m, rng_range(&m->rng, SCRIPT_HEADER_LEN, m->profile->request_max_bytes),
			 rng_small(&m->rng, 1, m->profile->answer_max_bytes));

	t->think_us = rng_range(&m->rng, 50, m->profile->think_max_us);
}

static void add_continue(struct maker *m)
{
	struct script_turn *t;

	add_turn(m, rng_range(&m->rng, 100, 400), CONTINUE_BYTES);
	t = add_turn(m, request_size(m), rng_range(&m->rng, 50, 500));
	t->think_us = 20;
}

static void add_push(struct maker *m)
{
	struct script_turn *t = add_turn(m, 0, rng_size(&m->rng, 1, 3000));

	t->server_us = t->target_us = rng_range(&m->rng, 100, 300 * MS);
}

static void add_turns(struct maker *m)
{
	uint32_t wanted = rng_size(&m->rng, 1, m->profile->turns_max);

	if (m->profile->requests) {
		while (m->s->turn_count < m->profile->requests)
			add_single(m);
		return;
	}
	if (happens(m, TRAIT_GREETING, 10)) {
		struct script_turn *t = add_turn(m, 0, rng_range(&m->rng, 1, GREETING_MAX));

		t->server_us = t->target_us = rng_range(&m->rng, 10, 5 * MS);
	}
	while (m->s->turn_count < wanted || !m->s->length_bytes) {
		if (m->s->turn_count + 2 <= SCRIPT_TURNS_MAX && happens(m, TRAIT_CONTINUE, 20))
			add_continue(m);
		else
			add_exchange(m);
		if (m->s->turn_count < wanted && happens(m, TRAIT_PUSH, 12))
			add_push(m);
	}
}

static enum script_end choose_end(struct maker *m)
{
	if (happens(m, TRAIT_REFUSED, 50))
		return END_REFUSED;
	if (happens(m, TRAIT_SYN_ONLY, 4))
		return END_SYN_ONLY;
	if (happens(m, TRAIT_SILENCE, 30))
		return END_SILENCE;
	if (happens(m, TRAIT_EARLY_RESET, 20))
		return END_CLIENT_RST_EARLY;
	if (happens(m, TRAIT_RESETS, 8))
		return rng_below(&m->rng, 2) ? END_CLIENT_RST : END_SERVER_RST;
	if (happens(m, TRAIT_HALF_CLOSE, 8))
		return END_HALF_CLOSE;
	return happens(m, TRAIT_SERVER_FIN, 3) ? END_SERVER_FIN : END_CLIENT_FIN;
}

static void differ_at_target(struct maker *m, struct script_turn *t)
{
	if (happens(m, TRAIT_OTHER_LENGTH, 4)) {
		if (rng_below(&m->rng, 2))
			t->target_bytes += rng_size(&m->rng, 1, 20000);
		else
			t->target_bytes = rng_range(&m->rng, 1, t->answer_bytes);
	}
	if (happens(m, TRAIT_OTHER_TIMES, 3))
		t->target_us = rng_size(&m->rng, 20, 2000 * MS);
	if (happens(m, TRAIT_MISSING, 60))
		t->target_bytes = 0;
}

static void choose_target(struct maker *m)
{
	struct script *s = m->s;

	s->is_identical = true;
	for (uint32_t i = 0; i < s->turn_count; i++)
		s->overlaps |= s->turns[i].is_pipelined || (i && !s->turns[i].request_bytes) ||
			       s->turns[i].request_bytes > SCRIPT_WRITE_MAX;
	for (uint32_t i = 0; i < s->turn_count; i++) {
		differ_at_target(m, &s->turns[i]);
		if (s->turns[i].target_bytes != s->turns[i].answer_bytes ||
		    s->turns[i].target_us > s->turns[i].server_us)
			s->is_identical = false;
	}
	if (happens(m, TRAIT_TARGET_CLOSES, 12) || happens(m, TRAIT_TARGET_RESETS, 20)) {
		s->target_turns = (uint16_t)rng_range(&m->rng, 1, s->turn_count);
		s->target_resets = may(m, TRAIT_TARGET_RESETS) && rng_below(&m->rng, 2);
		s->is_identical = false;
	}
	if (happens(m, TRAIT_SMALL_WINDOW, 8))
		s->target_window = rng_range(&m->rng, 300, 6000);
}

void script_init(struct script *s, const struct script_profile *profile, uint64_t seed,
		 uint32_t conversation)
{
	struct script_turn turns[SCRIPT_TURNS_MAX + 4];
	struct maker m = {.s = s, .profile = profile, .rng = rng_of(seed, conversation)};

	*s = (struct script){.conversation = conversation, .turns = turns};
	s->salt = rng_below(&m.rng, NOISE_PERIOD);
	s->reads_slowly = happens(&m, TRAIT_SLOW_READER, 5);
	add_turns(&m);
	s->end = (uint8_t)choose_end(&m);
	choose_target(&m);
	s->end_after_bytes = rng_below(&m.rng, s->turns[s->turn_count - 1].answer_bytes + 1);
	s->turns = sim_alloc(s->turn_count * sizeof(*s->turns));
	memcpy(s->turns, turns, s->turn_count * sizeof(*s->turns));
}

void script_init_bulk(struct script *s, uint64_t seed, uint32_t conversation, uint32_t bytes)
{
	const struct script_profile profile = {.think_max_us = MS};
	struct maker m = {.s = s, .profile = &profile, .rng = rng_of(seed, conversation)};

	*s = (struct script){.conversation = conversation,
			     .end = END_CLIENT_FIN,
			     .overlaps = true,
			     .target_window = BULK_WINDOW,
			     .turns = sim_alloc(2 * sizeof(*s->turns))};
	add_turn(&m, SCRIPT_HEADER_LEN, 100)->target_us = BULK_WAITS_US;
	add_turn(&m, bytes, 100);
}

void script_fini(struct script *s)
{
	free(s->turns);
	s->turns = NULL;
}

/* ---- the client's bytes ---- */

uint32_t script_turn_at(const struct script *s, uint32_t off)
{
	uint32_t low = 0, high = s->turn_count;

	/* The first turn that ends behind off. */
	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (s->turns[middle].start + s->turns[middle].request_bytes > off)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static void put_be(uint8_t *at, uint32_t value, unsigned bytes)
{
	while (bytes--)
		*at++ = (uint8_t)(value >> 8 * bytes);
}

static uint32_t get_be(const uint8_t *at, unsigned bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

static void write_header(const struct script *s, uint32_t turn, uint8_t *header)
{
	header[0] = 'R';
	header[1] = 'Q';
	put_be(header + 2, s->conversation, 4);
	put_be(header + 6, turn, 2);
	put_be(header + 8, s->turns[turn].request_bytes, 4);
}

bool script_read_header(const uint8_t *data, uint32_t len, uint32_t *conversation, uint32_t *turn)
{
	if (len < SCRIPT_HEADER_LEN || data[0] != 'R' || data[1] != 'Q')
		return false;
	*conversation = get_be(data + 2, 4);
	*turn = get_be(data + 6, 2);
	return true;
}

/*
 * The client's bytes from off on: at most len of them, in *n how many lie at the returned place. It is either
 * tmp (SCRIPT_HEADER_LEN bytes) or static.
 */
static const uint8_t *piece(const struct script *s, uint32_t off, uint32_t len, uint32_t *n,
			    uint8_t *tmp)
{
	uint32_t at = script_turn_at(s, off);
	const struct script_turn *t = &s->turns[at];
	uint32_t within = off - t->start;
	uint32_t left = t->request_bytes - within;

	if (left > len)
		left = len;
	if (t->request_bytes >= SCRIPT_HEADER_LEN && within < SCRIPT_HEADER_LEN) {
		write_header(s, at, tmp);
		*n = SCRIPT_HEADER_LEN - within < left ? SCRIPT_HEADER_LEN - within : left;
		return tmp + within;
	}
	*n = left < NOISE_PERIOD ? left : NOISE_PERIOD;
	return script_noise(s->salt + off);
}

void script_copy(const struct script *s, uint32_t off, uint32_t len, uint8_t *to)
{
	uint8_t tmp[SCRIPT_HEADER_LEN];

	while (len) {
		uint32_t n;
		const uint8_t *bytes = piece(s, off, len, &n, tmp);

		memcpy(to, bytes, n);
		off += n;
		to += n;
		len -= n;
	}
}

bool script_matches(const struct script *s, uint32_t off, const uint8_t *data, uint32_t len)
{
	uint8_t tmp[SCRIPT_HEADER_LEN];

	if (off > s->length_bytes || len > s->length_bytes - off)
		return false;
	while (len) {
		uint32_t n;
		const uint8_t *bytes = piece(s, off, len, &n, tmp);

		if (memcmp(bytes, data, n) != 0)
			return false;
		off += n;
		data += n;
		len -= n;
	}
	return true;
}

uint64_t script_seen_before(const struct script *s, uint32_t turn)
{
	uint64_t seen = 0;

	while (turn && s->turns[turn].is_pipelined)
		turn--;
	for (uint32_t i = 0; i < turn; i++)
		seen += s->turns[i].answer_bytes;
	return seen;
}
