/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what every fuzz target needs: a reader over the bytes that libFuzzer chose, and a check
 * that ends the run with a word about what was violated. A reader that is empty gives zeros, so
 * that every input, also a cut one, means something.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's side of the contract. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max_out_size,
				 unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* An oracle: what does not hold is a finding, with the line that says what was wanted. */
#define fuzz_check(condition)                                                             \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
				#condition);                                              \
			abort();                                                          \
		}                                                                         \
	} while (0)

struct fuzz_input {
	const uint8_t *at;
	const uint8_t *end;
};

static inline struct fuzz_input fuzz_input_on(const uint8_t *data, size_t size)
{
	return (struct fuzz_input){.at = data, .end = data + size};
}

static inline size_t fuzz_left(const struct fuzz_input *in)
{
	return (size_t)(in->end - in->at);
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint16_t low = fuzz_u8(in);

	return (uint16_t)(low | fuzz_u8(in) << 8);
}

/* At most len bytes; *len says how many there were. */
static inline const uint8_t *fuzz_take(struct fuzz_input *in, size_t *len)
{
	const uint8_t *p = in->at;

	if (*len > fuzz_left(in))
		*len = fuzz_left(in);
	in->at += *len;
	return p;
}

/*
 * A copy in a heap block of exactly len bytes, so that AddressSanitizer sees every step past its
 * end; free() ends it.
 */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, data, len);
	return copy;
}

/* Reads every byte, so that AddressSanitizer judges the range; returns a sum that must be used. */
static inline unsigned fuzz_touch(const uint8_t *data, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += data[i];
	return sum;
}
#endif
