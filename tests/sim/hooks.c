/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.c - the steps of sessions, for the trace: the linker leads calls between the core's objects
 * through here (--wrap in Makefile.am), so the core itself knows nothing of it. Which call changed a
 * session's state is what a reader wants to know first.
 */
#include "tests/sim/hooks.h"

#include "tcpcopy/session.h"

static struct {
	void (*fn)(void *ctx, const struct session_step *step);
	void *ctx;
} listener;

static unsigned begun_copy;

unsigned hooks_begun_copy(void)
{
	return begun_copy;
}

void hooks_listen(void (*fn)(void *ctx, const struct session_step *step), void *ctx)
{
	listener.fn = fn;
	listener.ctx = ctx;
}

static void tell(const struct session *s, uint8_t before, const char *who)
{
	struct session_step step = {
		.id = s->id,
		.from = session_state_name((enum session_state)before),
		.to = session_state_name((enum session_state)s->state),
		.who = who,
	};

	if (listener.fn && s->state != before)
		listener.fn(listener.ctx, &step);
}

/* The linker's names for the core's own functions, and for those that take their place. */
void __real_session_start(struct session *s, struct session_env *env, const struct tuple *tuple,
			  uint32_t id);
void __wrap_session_start(struct session *s, struct session_env *env, const struct tuple *tuple,
			  uint32_t id);
void __real_session_restart_on(struct session *s, struct session_env *env,
			       const struct tuple *tuple, uint64_t delay_us);
void __wrap_session_restart_on(struct session *s, struct session_env *env,
			       const struct tuple *tuple, uint64_t delay_us);
void __real_session_on_stream(struct session *s, struct session_env *env, struct turn *turn,
			      bool is_new);
void __wrap_session_on_stream(struct session *s, struct session_env *env, struct turn *turn,
			      bool is_new);
void __real_session_on_target(struct session *s, struct session_env *env,
			      const struct wire_record *r);
void __wrap_session_on_target(struct session *s, struct session_env *env,
			      const struct wire_record *r);
void __real_session_on_timer(struct session *s, struct session_env *env);
void __wrap_session_on_timer(struct session *s, struct session_env *env);
bool __real_session_output(struct session *s, struct session_env *env);
bool __wrap_session_output(struct session *s, struct session_env *env);
void __real_session_abort(struct session *s, struct session_env *env, enum drop_cause cause);
void __wrap_session_abort(struct session *s, struct session_env *env, enum drop_cause cause);

void __wrap_session_start(struct session *s, struct session_env *env, const struct tuple *tuple,
			  uint32_t id)
{
	uint8_t before = s->state;

	begun_copy = s->copy;
	__real_session_start(s, env, tuple, id);
	tell(s, before, "its start");
}

void __wrap_session_restart_on(struct session *s, struct session_env *env,
			       const struct tuple *tuple, uint64_t delay_us)
{
	begun_copy = s->copy;
	__real_session_restart_on(s, env, tuple, delay_us);
}

void __wrap_session_on_stream(struct session *s, struct session_env *env, struct turn *turn,
			      bool is_new)
{
	uint8_t before = s->state;

	__real_session_on_stream(s, env, turn, is_new);
	tell(s, before, "the client");
}

void __wrap_session_on_target(struct session *s, struct session_env *env,
			      const struct wire_record *r)
{
	uint8_t before = s->state;

	__real_session_on_target(s, env, r);
	tell(s, before, "a record");
}

void __wrap_session_on_timer(struct session *s, struct session_env *env)
{
	uint8_t before = s->state;

	__real_session_on_timer(s, env);
	tell(s, before, "its timer");
}

bool __wrap_session_output(struct session *s, struct session_env *env)
{
	uint8_t before = s->state;
	bool done = __real_session_output(s, env);

	tell(s, before, "its output");
	return done;
}

void __wrap_session_abort(struct session *s, struct session_env *env, enum drop_cause cause)
{
	uint8_t before = s->state;

	__real_session_abort(s, env, cause);
	tell(s, before, drop_cause_name(cause));
}
