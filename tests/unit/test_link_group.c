/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_link_group.c - several connections to one intercept: which a session is registered on, and
 * what becomes of it when that is lost, returns, or stays away. The links are the real ones; what
 * an intercept would know is read from their output.
 */
#include "tests/unit/intercept_link_fixture.h"

#include <errno.h>

#include "tcpcopy/link_group.h"

enum {
	CONNECTIONS = 4,
	LIVE = 40, /* sessions 0 to 39 */
};

struct crowd {
	struct link_group *group;
	struct world *worlds[CONNECTIONS];
	size_t count;
	uint64_t now_us;
};

static struct crowd *crowd_new(size_t count)
{
	struct crowd *c = calloc(1, sizeof(*c));
	struct intercept_link *links[CONNECTIONS];

	assert_non_null(c);
	c->count = count;
	for (size_t i = 0; i < count; i++) {
		c->worlds[i] = world_new(1, 0);
		links[i] = c->worlds[i]->link;
	}
	c->now_us = c->worlds[0]->now_us;
	c->group = link_group_new(links, count, SESSIONS);
	assert_non_null(c->group);
	return c;
}

static void crowd_free(struct crowd *c)
{
	link_group_free(c->group);
	for (size_t i = 0; i < c->count; i++) {
		intercept_link_free(c->worlds[i]->link);
		free(c->worlds[i]);
	}
	free(c);
}

/* Forgets what an intercept knew of this connection: there it is a new one. */
static void come_up(struct crowd *c, size_t i)
{
	struct world *w = c->worlds[i];

	memset(w->registered, 0, sizeof(w->registered));
	w->now_us = intercept_link_next_us(w->link); /* whatever the back-off is */
	intercept_link_on_time(w->link, w->now_us);
	intercept_link_on_connected(w->link, w->now_us);
	drain(w);
	feed_hello(w, WIRE_VERSION, WIRE_ROLE_INTERCEPT);
	drain(w);
	link_group_on_state(c->group, w->link, intercept_link_state(w->link), c->now_us);
	assert_int_equal(intercept_link_state(w->link), INTERCEPT_LINK_UP);
}

static void lose(struct crowd *c, size_t i)
{
	struct world *w = c->worlds[i];

	intercept_link_on_closed(w->link, "lost", c->now_us);
	link_group_on_state(c->group, w->link, intercept_link_state(w->link), c->now_us);
}

/* The owner's part: passes in slices of a few sessions, turn about, as the worker makes them. */
static void resync_all(struct crowd *c)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < c->count; i++) {
			struct intercept_link *l = c->worlds[i]->link;
			uint32_t *cursor;

			if (!intercept_link_resync_room(l))
				continue;
			more = true;
			cursor = intercept_link_resync_cursor(l);
			for (int n = 0; n < 3 && *cursor < LIVE; n++, ++*cursor) {
				const struct tuple response = response_of(*cursor);

				link_group_resync(c->group, i, *cursor, &response);
			}
			if (*cursor == LIVE)
				intercept_link_resync_done(l);
		}
	}
	for (size_t i = 0; i < c->count; i++)
		drain(c->worlds[i]);
}

static void start_sessions(struct crowd *c)
{
	for (uint32_t id = 0; id < LIVE; id++) {
		const struct tuple response = response_of(id);

		link_group_register(c->group, id, &response);
	}
	for (size_t i = 0; i < c->count; i++)
		drain(c->worlds[i]);
}

/* On which connection that is up intercept has the session; -1: on none. More than one fails. */
static int place_of(const struct crowd *c, uint32_t id)
{
	int place = -1;

	for (size_t i = 0; i < c->count; i++) {
		if (intercept_link_state(c->worlds[i]->link) != INTERCEPT_LINK_UP ||
		    !c->worlds[i]->registered[id])
			continue;
		assert_int_equal(place, -1);
		place = (int)i;
	}
	return place;
}

static unsigned sessions_on(const struct crowd *c, int place)
{
	unsigned n = 0;

	for (uint32_t id = 0; id < LIVE; id++)
		n += place_of(c, id) == place;
	return n;
}

static struct crowd *crowd_of_four(void)
{
	struct crowd *c = crowd_new(CONNECTIONS);

	for (size_t i = 0; i < CONNECTIONS; i++)
		come_up(c, i);
	resync_all(c);
	start_sessions(c);
	return c;
}

static void pass_time(struct crowd *c, uint64_t us)
{
	c->now_us += us;
	link_group_on_time(c->group, c->now_us);
	resync_all(c);
}

/* ---- tests ---- */

static void sessions_are_spread_and_each_is_on_one_connection(void **state)
{
	struct crowd *c = crowd_of_four();

	(void)state;
	for (int i = 0; i < CONNECTIONS; i++)
		assert_int_equal(sessions_on(c, i), LIVE / CONNECTIONS);
	assert_int_equal(link_group_up(c->group), 4);
	assert_int_equal(link_group_served(c->group), 4);
	assert_true(link_group_next_us(c->group) == UINT64_MAX);
	crowd_free(c);
}

static void a_session_that_ends_is_unregistered_where_it_was(void **state)
{
	struct crowd *c = crowd_of_four();

	(void)state;
	assert_int_equal(place_of(c, 6), 2);
	link_group_unregister(c->group, 6);
	for (size_t i = 0; i < CONNECTIONS; i++)
		drain(c->worlds[i]);
	assert_int_equal(place_of(c, 6), -1);
	assert_int_equal(sessions_on(c, 2), LIVE / CONNECTIONS - 1);
	crowd_free(c);
}

/* A tenth of a second is what a connection usually needs; nothing moves for that. */
static void sessions_of_a_lost_connection_wait_for_it(void **state)
{
	struct crowd *c = crowd_of_four();

	(void)state;
	lose(c, 1);
	assert_int_equal(link_group_served(c->group), 3);
	pass_time(c, LINK_GROUP_MOVE_US - 1);
	assert_int_equal(sessions_on(c, -1), LIVE / CONNECTIONS);
	come_up(c, 1);
	resync_all(c);
	for (int i = 0; i < CONNECTIONS; i++)
		assert_int_equal(sessions_on(c, i), LIVE / CONNECTIONS);
	assert_int_equal(link_group_served(c->group), 4);
	pass_time(c, 2 * (uint64_t)LINK_GROUP_MOVE_US);
	assert_int_equal(sessions_on(c, 1), LIVE / CONNECTIONS);
	crowd_free(c);
}

static void sessions_of_a_connection_that_stays_away_move(void **state)
{
	struct crowd *c = crowd_of_four();

	(void)state;
	lose(c, 1);
	assert_true(link_group_next_us(c->group) == c->now_us + LINK_GROUP_MOVE_US);
	pass_time(c, LINK_GROUP_MOVE_US);
	assert_int_equal(sessions_on(c, -1), 0);
	assert_int_equal(link_group_up(c->group), 3);
	assert_int_equal(link_group_served(c->group), 4);
	assert_true(link_group_next_us(c->group) == UINT64_MAX);
	crowd_free(c);
}

/* Each has its own three seconds. */
static void connections_that_are_lost_later_are_waited_for_longer(void **state)
{
	struct crowd *c = crowd_of_four();

	(void)state;
	lose(c, 1);
	pass_time(c, SECOND_US);
	lose(c, 2);
	pass_time(c, LINK_GROUP_MOVE_US - SECOND_US);
	assert_int_equal(sessions_on(c, -1), LIVE / CONNECTIONS); /* those of 2 */
	assert_true(link_group_next_us(c->group) == c->now_us + SECOND_US);
	come_up(c, 2);
	resync_all(c);
	assert_int_equal(sessions_on(c, 2), LIVE / CONNECTIONS);
	assert_int_equal(sessions_on(c, -1), 0);
	crowd_free(c);
}

/* Taking them back could cross what the other connection has not been read of yet. */
static void sessions_that_moved_stay_and_new_ones_use_what_returned(void **state)
{
	struct crowd *c = crowd_of_four();
	const struct tuple response = response_of(41);

	(void)state;
	lose(c, 1);
	pass_time(c, LINK_GROUP_MOVE_US);
	come_up(c, 1);
	resync_all(c);
	assert_int_equal(sessions_on(c, 1), 0);
	assert_int_equal(sessions_on(c, -1), 0);
	link_group_register(c->group, 41, &response);
	drain(c->worlds[1]);
	assert_true(c->worlds[1]->registered[41]);
	/* Their new connection is as good as their first was: it is waited for, too. */
	lose(c, 2);
	pass_time(c, LINK_GROUP_MOVE_US);
	assert_int_equal(sessions_on(c, -1), 0);
	crowd_free(c);
}

static void a_session_that_starts_meanwhile_takes_a_connection_that_is_up(void **state)
{
	struct crowd *c = crowd_new(CONNECTIONS);

	(void)state;
	come_up(c, 3);
	come_up(c, 0);
	resync_all(c);
	start_sessions(c);
	assert_int_equal(sessions_on(c, -1), 0);
	assert_int_equal(link_group_served(c->group), 4); /* nobody waits for the others */
	crowd_free(c);
}

/* intercept restarts: the connection that is back first does not take what others come for. */
static void after_an_outage_each_has_three_seconds_to_return(void **state)
{
	struct crowd *c = crowd_of_four();

	(void)state;
	for (size_t i = 0; i < CONNECTIONS; i++)
		lose(c, i);
	assert_int_equal(link_group_served(c->group), 0);
	assert_true(link_group_next_us(c->group) == UINT64_MAX);
	pass_time(c, 60 * (uint64_t)SECOND_US);
	come_up(c, 3);
	resync_all(c);
	assert_int_equal(sessions_on(c, 3), LIVE / CONNECTIONS);
	assert_int_equal(link_group_served(c->group), 1);
	pass_time(c, LINK_GROUP_MOVE_US - 1);
	come_up(c, 2);
	resync_all(c);
	assert_int_equal(sessions_on(c, 2), LIVE / CONNECTIONS);
	/* The other two stay away. */
	pass_time(c, 1);
	assert_int_equal(sessions_on(c, -1), 0);
	assert_int_equal(link_group_served(c->group), 4);
	crowd_free(c);
}

/* Whoever registers with no connection up is found by the first that comes. */
static void sessions_that_began_without_a_connection_are_registered_later(void **state)
{
	struct crowd *c = crowd_new(CONNECTIONS);

	(void)state;
	start_sessions(c);
	assert_int_equal(sessions_on(c, -1), LIVE);
	come_up(c, 1);
	come_up(c, 2);
	resync_all(c);
	assert_int_equal(sessions_on(c, -1), 0);
	assert_true(sessions_on(c, 1) && sessions_on(c, 2));
	crowd_free(c);
}

static void a_single_connection_has_all(void **state)
{
	struct crowd *c = crowd_new(1);

	(void)state;
	assert_int_equal(link_group_served(c->group), 0);
	come_up(c, 0);
	resync_all(c);
	assert_int_equal(sessions_on(c, 0), LIVE);
	link_group_unregister(c->group, 3);
	drain(c->worlds[0]);
	assert_int_equal(place_of(c, 3), -1);
	lose(c, 0);
	assert_true(link_group_next_us(c->group) == UINT64_MAX);
	come_up(c, 0);
	resync_all(c);
	assert_int_equal(sessions_on(c, 0), LIVE);
	assert_int_equal(link_group_served(c->group), 1);
	crowd_free(c);
}

static void counts_out_of_range_are_refused(void **state)
{
	struct intercept_link *links[LINK_GROUP_MAX + 1] = {NULL};

	(void)state;
	errno = 0;
	assert_null(link_group_new(links, 0, SESSIONS));
	assert_int_equal(errno, EINVAL);
	errno = 0;
	assert_null(link_group_new(links, LINK_GROUP_MAX + 1, SESSIONS));
	assert_int_equal(errno, EINVAL);
	link_group_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_spread_and_each_is_on_one_connection),
		cmocka_unit_test(a_session_that_ends_is_unregistered_where_it_was),
		cmocka_unit_test(sessions_of_a_lost_connection_wait_for_it),
		cmocka_unit_test(sessions_of_a_connection_that_stays_away_move),
		cmocka_unit_test(connections_that_are_lost_later_are_waited_for_longer),
		cmocka_unit_test(sessions_that_moved_stay_and_new_ones_use_what_returned),
		cmocka_unit_test(a_session_that_starts_meanwhile_takes_a_connection_that_is_up),
		cmocka_unit_test(after_an_outage_each_has_three_seconds_to_return),
		cmocka_unit_test(sessions_that_began_without_a_connection_are_registered_later),
		cmocka_unit_test(a_single_connection_has_all),
		cmocka_unit_test(counts_out_of_range_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
