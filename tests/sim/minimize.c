/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/minimize.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/world.h"

enum {
	TRIES_MAX = 2000,
};

struct search {
	struct settings settings;
	unsigned tries;
	int wanted; /* how the process ends that fails as the whole run does */
};

/* ---- one try ---- */

/* An exit status for a kind of failure, so that the search does not drift to another one. */
static int kind_of(const struct summary *summary)
{
	uint64_t hash = 0;

	if (!summary->first_failure)
		return 0;
	for (const char *at = summary->first_failure; *at; at++)
		hash = rng_join(hash, (uint8_t)*at);
	return 1 + (int)(hash % 250);
}

/* In a process of its own. Its wait status; 0 if it does not fail. */
static int try(struct search *s, const struct fault_list *allowed)
{
	pid_t child;
	int status;

	s->tries++;
	fflush(stdout);
	child = fork();
	if (child < 0)
		return 0;
	if (child == 0) {
		struct summary summary;

		world_run(&s->settings, allowed, NULL, true, &summary);
		_exit(kind_of(&summary));
	}
	return waitpid(child, &status, 0) == child ? status : 0;
}

static bool fails(struct search *s, const struct fault_list *allowed)
{
	return try(s, allowed) == s->wanted;
}

/* ---- what has struck, even if the run crashes ---- */

enum {
	SHARED_NAMES_MAX = 1 << 20,
};

/* The list grows in memory that outlives the child: as much as was told before it died. */
struct shared {
	size_t count;
	uint64_t names[SHARED_NAMES_MAX];
};

static void record(struct search *s, struct fault_list *struck)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	if (shared == MAP_FAILED)
		return;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		struct fault_list list = {
			.names = shared->names, .room = SHARED_NAMES_MAX, .told = &shared->count};
		struct summary summary;

		world_run(&s->settings, NULL, &list, true, &summary);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
	for (size_t i = 0; i < shared->count; i++)
		fault_list_add(struck, shared->names[i]);
	munmap(shared, sizeof(*shared));
	fault_list_sort(struck);
}

/* ---- delta debugging ---- */

/* All of from, but for those of [low, high) of the kind in question. */
static void without(const struct fault_list *from, bool conversations, size_t low, size_t high,
		    struct fault_list *to)
{
	size_t n = 0;

	to->count = 0;
	for (size_t i = 0; i < from->count; i++) {
		bool is_one = from->names[i] >> 56 == FAULT_CONVERSATION;

		if (is_one == conversations && n++ >= low && n - 1 < high)
			continue;
		fault_list_add(to, from->names[i]);
	}
}

static size_t count_of(const struct fault_list *l, bool conversations)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += (l->names[i] >> 56 == FAULT_CONVERSATION) == conversations;
	return n;
}

/* Takes away ever smaller parts as long as it still fails. */
static void shorten(struct search *s, struct fault_list *list, bool conversations)
{
	size_t part = count_of(list, conversations);
	struct fault_list tried = {.names = NULL};

	while (part && s->tries < TRIES_MAX) {
		bool any = false;

		for (size_t low = 0; low < count_of(list, conversations) && s->tries < TRIES_MAX;) {
			struct fault_list swap = *list;

			without(list, conversations, low, low + part, &tried);
			if (!fails(s, &tried)) {
				low += part;
				continue;
			}
			*list = tried;
			tried = swap;
			any = true;
		}
		if (part == 1 && !any)
			break;
		part = part == 1 ? 1 : (part + 1) / 2;
	}
	fault_list_fini(&tried);
}

static void show(struct search *s, const struct fault_list *list)
{
	struct summary summary;
	char text[96];

	printf("%zu names are needed, after %u tries:\n", list->count, s->tries);
	for (size_t i = 0; i < list->count; i++) {
		fault_print(text, sizeof(text), list->names[i]);
		printf("  %s\n", text);
	}
	fflush(stdout);
	s->settings.has_trace = true;
	world_run(&s->settings, list, NULL, false, &summary);
	printf("%u conversations, %" PRIu64 " stuck, %" PRIu64 " oracle failures\n",
	       (unsigned)count_of(list, true), summary.stuck, summary.failures);
}

int minimize(const struct options *o)
{
	struct search s = {.tries = 0};
	struct fault_list list = {.names = NULL};

	options_settings(o, o->seed, &s.settings);
	s.settings.has_trace = false;
	record(&s, &list);
	s.wanted = try(&s, &list);
	if (!s.wanted) {
		printf("the run does not fail\n");
		fault_list_fini(&list);
		return 0;
	}
	shorten(&s, &list, true);
	shorten(&s, &list, false);
	shorten(&s, &list, true);
	show(&s, &list);
	fault_list_fini(&list);
	return 1;
}
