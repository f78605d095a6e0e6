/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_outage.c - while intercept or the link was away the target's answers were lost, and both sides' timers
 * have backed off. From the moment when the link is back nobody waits for them. In virtual time.
 */
#include "tests/unit/replay_fixture.h"

enum {
	OUTAGE_MS = 20000,
	SOON_MS = 1000, /* after the link came back */
};

static void links(struct fixture *f, unsigned up)
{
	replay_on_links(f->replay, up, f->now_us);
	end_batch(f);
}

/* One request is said; nothing of the target has been heard for long. */
static void outage(struct fixture *f)
{
	session_established(f);
	client_data(f, 1, 1, "GET /1");
	expect_segment(f, "P. 1:7(6) ack 1");
	links(f, 0);
	client_data(f, 7, 301, "GET /2");
	pass_ms(f, OUTAGE_MS);
	ignore_sent(f);
	links(f, 1);
	pass_ms(f, SOON_MS);
}

/* The request itself was lost: it goes again at once, not when its doubled timeout ends. */
static void request_goes_again_when_the_link_is_back(void **state)
{
	struct fixture *f = *state;

	outage(f);
	expect_segment(f, "P. 1:7(6) ack 1");
	target_says(f, "P. 1:301(300) ack 7");
	ignore_sent(f);
	assert_int_equal(stream(f)->in_flight.bytes, 6); /* the second is out */
}

/* Its answer was lost: the target stands 300 bytes ahead, and need not say them again. */
static void answer_that_was_lost_is_acknowledged_past(void **state)
{
	struct fixture *f = *state;

	outage(f);
	ignore_sent(f);
	target_says(f, ". 301:301(0) ack 7");
	pass_ms(f, 700);
	expect_segment(f, ". 6:6(0) ack 1"); /* asked once more */
	target_says(f, ". 301:301(0) ack 7");
	pass_ms(f, 30000); /* settled, and as long as online */
	expect_segment(f, ". 7:7(0) ack 301");
	expect_segment(f, "P. 7:13(6) ack 301");
}

static void syn_goes_again_when_the_link_is_back(void **state)
{
	struct fixture *f = *state;

	session_syn_sent(f);
	links(f, 0);
	pass_ms(f, OUTAGE_MS);
	ignore_sent(f);
	links(f, 1);
	pass_ms(f, SOON_MS);
	expect_segment(f, "S 0:0(0)");
}

/* An idle session waits for nobody, and says nothing. */
static void idle_session_stays_silent_when_the_link_is_back(void **state)
{
	struct fixture *f = *state;

	session_established(f);
	links(f, 0);
	pass_ms(f, OUTAGE_MS);
	links(f, 1);
	pass_in_silence(f, SOON_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(request_goes_again_when_the_link_is_back),
		fixture_test(answer_that_was_lost_is_acknowledged_past),
		fixture_test(syn_goes_again_when_the_link_is_back),
		fixture_test(idle_session_stays_silent_when_the_link_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
