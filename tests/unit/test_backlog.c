/* SPDX-License-Identifier: BSD-2-Clause */
/* test_backlog.c - the connection that holds most is found, whatever comes, grows, shrinks and goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/slab.h"
#include "tcpcopy/backlog.h"
#include "tcpcopy/online.h"

enum {
	CONNECTIONS = 300,
};

struct world {
	struct slab *onlines;
	struct backlog backlog;
	struct online *all[CONNECTIONS]; /* NULL: not there */
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->onlines = slab_new(sizeof(struct online), CONNECTIONS);
	assert_non_null(w->onlines);
	backlog_init(&w->backlog, w->onlines);
}

static struct online *begin(struct world *w, size_t i)
{
	uint32_t index;
	struct online *o = slab_take(w->onlines, &index);

	assert_non_null(o);
	memset(o, 0, sizeof(*o));
	o->index = index;
	w->all[i] = o;
	backlog_add(&w->backlog, o);
	return o;
}

static void end(struct world *w, size_t i)
{
	backlog_remove(&w->backlog, w->all[i]);
	slab_give(w->onlines, w->all[i]->index);
	w->all[i] = NULL;
}

/* As if so much had been captured. */
static void hold(struct world *w, struct online *o, uint32_t blocks)
{
	o->queue.block_count = blocks;
	backlog_update(&w->backlog, o);
}

static void newest_goes_first_where_all_are_small(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_null(backlog_largest(&w.backlog));
	for (size_t i = 0; i < 4; i++)
		begin(&w, i);
	hold(&w, w.all[0], 3); /* next to nothing, too */
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[3]);
	end(&w, 3);
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[2]);
	end(&w, 1);
	end(&w, 2);
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[0]);
	end(&w, 0);
	assert_null(backlog_largest(&w.backlog));
	slab_free(w.onlines);
}

static void what_has_shrunk_is_not_new(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	for (size_t i = 0; i < 3; i++)
		begin(&w, i);
	hold(&w, w.all[1], 100);
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[1]);
	hold(&w, w.all[1], 0);
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[2]);
	end(&w, 2);
	end(&w, 0);
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[1]);
	slab_free(w.onlines);
}

static void turns_and_ranges_count_too(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	begin(&w, 0)->turns.count = 1000;
	begin(&w, 1)->queue.range_count = 256;
	hold(&w, begin(&w, 2), 5);
	backlog_update(&w.backlog, w.all[0]);
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[0]);
	end(&w, 0);
	backlog_update(&w.backlog, w.all[1]);
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[1]);
	slab_free(w.onlines);
}

/* Among few the largest of all, not only one of its size. */
static void largest_of_few_is_exact(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	for (size_t i = 0; i < BACKLOG_LOOK; i++)
		hold(&w, begin(&w, i), i == 3 ? 1900 : 1100 + (uint32_t)i);
	assert_ptr_equal(backlog_largest(&w.backlog), w.all[3]);
	slab_free(w.onlines);
}

static uint32_t dice(uint64_t *x, uint32_t sides)
{
	*x = *x * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(*x >> 33) % sides;
}

/* Never less than half of the largest; and what all lists hold is what is there. */
static void half_of_the_largest_at_least_whatever_happens(void **state)
{
	struct world w;
	uint64_t seed = 7;

	(void)state;
	open_world(&w);
	for (unsigned n = 0; n < 20000; n++) {
		size_t i = dice(&seed, CONNECTIONS), largest = 0, there = 0;
		struct online *found;

		if (!w.all[i])
			begin(&w, i);
		else if (dice(&seed, 10) == 0)
			end(&w, i);
		else
			hold(&w, w.all[i], dice(&seed, 1U << dice(&seed, 16)));
		for (size_t k = 0; k < CONNECTIONS; k++) {
			if (w.all[k] && backlog_bytes(w.all[k]) > largest)
				largest = backlog_bytes(w.all[k]);
			there += w.all[k] != NULL;
		}
		found = backlog_largest(&w.backlog);
		assert_int_equal(found != NULL, there > 0);
		if (found && largest >= BACKLOG_SMALL_BYTES)
			assert_true(backlog_bytes(found) > largest / 2 - 1);
	}
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (w.all[i])
			end(&w, i);
	assert_null(backlog_largest(&w.backlog));
	slab_free(w.onlines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_goes_first_where_all_are_small),
		cmocka_unit_test(what_has_shrunk_is_not_new),
		cmocka_unit_test(turns_and_ranges_count_too),
		cmocka_unit_test(largest_of_few_is_exact),
		cmocka_unit_test(half_of_the_largest_at_least_whatever_happens),
	};

	return cmocka_run_group_tests_name("backlog", tests, NULL, NULL);
}
