/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * step_mutator.c - mutations of a list of steps: put in, take out, repeat, swap, move, change a
 * field. Bytes are left to libFuzzer in a quarter of all cases, for its tables of what was
 * compared. The first step, which makes the world, keeps its place.
 */
#include "tests/fuzz/step.h"

static uint32_t state;

static uint32_t any(uint32_t below)
{
	state = state * 1664525u + 1013904223u;
	return below ? (state >> 8) % below : 0;
}

/* Small numbers and the ends of ranges are the interesting ones. */
static void fill(uint8_t *step)
{
	for (size_t i = 0; i < STEP_LEN; i++)
		step[i] = any(2) ? 0 : (uint8_t)any(256);
	step[0] = (uint8_t)any(STEPS);
	step[1] = (uint8_t)any(4);
	if (any(2))
		step[4] = (uint8_t)any(256);
}

static size_t insert(uint8_t *data, size_t steps, size_t most)
{
	size_t at = 1 + any((uint32_t)steps);

	if (steps >= most)
		return steps;
	memmove(data + (at + 1) * STEP_LEN, data + at * STEP_LEN, (steps - at) * STEP_LEN);
	fill(data + at * STEP_LEN);
	return steps + 1;
}

static size_t repeat(uint8_t *data, size_t steps, size_t most)
{
	size_t from = 1 + any((uint32_t)steps - 1);
	size_t count = 1 + any((uint32_t)(steps - from < 6 ? steps - from : 6));

	if (steps + count > most)
		return steps;
	memmove(data + (from + count) * STEP_LEN, data + from * STEP_LEN,
		(steps - from) * STEP_LEN);
	return steps + count;
}

static size_t take_out(uint8_t *data, size_t steps)
{
	size_t from = 1 + any((uint32_t)steps - 1);
	size_t count = 1 + any((uint32_t)(steps - from < 3 ? steps - from : 3));

	if (count > steps - from)
		count = steps - from;
	memmove(data + from * STEP_LEN, data + (from + count) * STEP_LEN,
		(steps - from - count) * STEP_LEN);
	return steps - count;
}

static void swap(uint8_t *data, size_t steps)
{
	uint8_t *a = data + (1 + any((uint32_t)steps - 1)) * STEP_LEN;
	uint8_t *b = data + (1 + any((uint32_t)steps - 1)) * STEP_LEN;
	uint8_t kept[STEP_LEN];

	memcpy(kept, a, STEP_LEN);
	memmove(a, b, STEP_LEN);
	memcpy(b, kept, STEP_LEN);
}

static void change(uint8_t *data, size_t steps)
{
	static const uint8_t values[] = {0, 1, 2, 3, 4, 0x10, 0x40, 0x7f, 0x80, 0xfe, 0xff};
	uint8_t *step = data + any((uint32_t)steps) * STEP_LEN;
	size_t field = any(STEP_LEN);

	if (field == 0)
		step[0] = (uint8_t)any(STEPS);
	else if (any(3) == 0)
		step[field] ^= (uint8_t)(1 << any(8));
	else
		step[field] = any(2) ? values[any(sizeof(values))] : (uint8_t)any(256);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t most = max_size / STEP_LEN;
	size_t steps = size / STEP_LEN;

	state = seed;
	if (any(4) == 0 || most < 4) {
		size = LLVMFuzzerMutate(data, size, max_size);
		return size >= STEP_LEN ? size / STEP_LEN * STEP_LEN : size;
	}
	while (steps < 2) {
		fill(data + steps * STEP_LEN);
		steps++;
	}
	for (unsigned n = 1 + any(3); n; n--) {
		uint32_t kind = any(8);

		if (kind < 2)
			steps = insert(data, steps, most);
		else if (kind == 2)
			steps = repeat(data, steps, most);
		else if (kind == 3 && steps > 2)
			steps = take_out(data, steps);
		else if (kind == 4)
			swap(data, steps);
		else
			change(data, steps);
	}
	return steps * STEP_LEN;
}

/* The beginning of one and the end of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max_out_size, unsigned int seed)
{
	size_t steps1 = size1 / STEP_LEN, steps2 = size2 / STEP_LEN;
	size_t head, tail;

	state = seed;
	head = any((uint32_t)steps1 + 1) * STEP_LEN;
	tail = any((uint32_t)steps2 + 1) * STEP_LEN;
	if (head > max_out_size)
		head = max_out_size / STEP_LEN * STEP_LEN;
	if (tail > max_out_size - head)
		tail = (max_out_size - head) / STEP_LEN * STEP_LEN;
	memcpy(out, data1, head);
	memcpy(out + head, data2 + steps2 * STEP_LEN - tail, tail);
	return head + tail;
}
