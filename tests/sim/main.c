/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the deterministic simulator: worlds by their seeds, a line about each, a command that
 * repeats what failed. world.h says what a world is, oracle.h what must be true in it.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/minimize.h"
#include "tests/sim/options.h"
#include "tests/sim/world.h"

/* For the handlers of a crash, which may not ask anybody; "" when no world runs. */
static char command_now[OPTIONS_COMMAND_MAX];

static void say_command(void)
{
	static const char head[] = "\nsim: a crash; again with: ";

	if (*command_now && write(STDOUT_FILENO, head, sizeof(head) - 1) > 0 &&
	    write(STDOUT_FILENO, command_now, strlen(command_now)) > 0)
		(void)!write(STDOUT_FILENO, "\n", 1);
}

/* An assertion of the core, or worse: says how to see it again. */
static void on_crash(int number)
{
	signal(number, SIG_DFL);
	say_command();
	raise(number);
}

/* A sanitizer's finding ends the process without a signal, if it is not asked for one. */
extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
const char *__ubsan_default_options(void);

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void watch_crashes(void)
{
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(say_command);
}

static double wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_sentence(const struct summary *s, uint64_t worlds, double seconds)
{
	double share =
		s->captured.bytes ? (double)s->delivered.bytes / (double)s->captured.bytes : 1;

	if (worlds > 1)
		printf("%" PRIu64 " seeds, ", worlds);
	printf("%" PRIu64 " sessions, %" PRIu64 " requests, delivered %.6f, %" PRIu64
	       " faults, %.1f s virtual, %.2f s wall, %.0f sessions/min, trace %016" PRIx64
	       ", %" PRIu64 " stuck, %" PRIu64 " oracle failures\n",
	       s->sessions, s->captured.requests, share, s->faults, (double)s->virtual_us / 1e6,
	       seconds, seconds > 0 ? 60 * (double)s->sessions / seconds : 0, s->trace_hash,
	       s->stuck, s->failures);
}

static void print_amount(const char *name, const struct ledger_amount *a)
{
	printf("%s_requests=%" PRIu64 " %s_bytes=%" PRIu64 " ", name, a->requests, name, a->bytes);
}

/* For scripts that calculate with it. */
static void print_counts(const struct summary *s)
{
	print_amount("missed", &s->missed);
	print_amount("captured", &s->captured);
	print_amount("delivered", &s->delivered);
	print_amount("gap", &s->behind_gaps);
	print_amount("unjoined", &s->before_join);
	print_amount("dropped", &s->dropped);
	printf("sessions=%" PRIu64 " complete=%" PRIu64 " packets=%" PRIu64 " missed=%" PRIu64
	       " gaps_made=%" PRIu64 " gaps_named=%" PRIu64 " wrong_bytes=%" PRIu64
	       " batch_most=%" PRIu64 " sessions_most=%" PRIu64 " stuck=%" PRIu64
	       " failures=%" PRIu64 "\n",
	       s->sessions, s->complete, s->packets_needed, s->packets_missed, s->gaps_made,
	       s->gaps_named, s->wrong_bytes, s->batch_most, s->sessions_most, s->stuck,
	       s->failures);
}

static void run_seed(const struct options *o, uint64_t seed, struct summary *one)
{
	struct settings settings;

	options_command(o, seed, command_now);
	options_settings(o, seed, &settings);
	world_run(&settings, NULL, NULL, false, one);
	if (one->failures)
		printf("again with: %s\n", command_now);
	fflush(stdout);
	*command_now = '\0';
}

static int run_seeds(const struct options *o)
{
	struct summary sum = {.sessions = 0}, one;
	double began_s = wall_s();
	uint64_t worlds = o->last_seed - o->seed + 1;

	for (uint64_t i = 0; i < worlds; i++) {
		run_seed(o, o->seed + i, &one);
		if (worlds == 1)
			sum = one;
		else
			summary_add(&sum, &one);
	}
	if (o->counts)
		print_counts(&sum);
	else
		print_sentence(&sum, worlds, wall_s() - began_s);
	return sum.failures || sum.stuck;
}

int main(int argc, char *argv[])
{
	struct options options;

	if (options_parse(&options, argc, argv))
		return 2;
	if (options.wants_help) {
		options_usage();
		return 0;
	}
	if (options.minimizes)
		return minimize(&options);
	watch_crashes();
	return run_seeds(&options);
}
