/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/app.h"

enum {
	RESET_AFTER_US = 300, /* so that the last answer is on its way */
};

/* ---- the client ---- */

void client_app_init(struct client_app *a, const struct script *script)
{
	*a = (struct client_app){.script = script};
}

/* True when all of the request is in the send buffer. */
static bool write_request(struct client_app *a, struct tcp *tcp, uint64_t now_us)
{
	const struct script_turn *t = &a->script->turns[a->turn];
	uint8_t buffer[SCRIPT_WRITE_MAX];

	while (a->written < t->request_bytes) {
		uint32_t left = t->request_bytes - a->written;
		uint32_t n = left < SCRIPT_WRITE_MAX ? left : SCRIPT_WRITE_MAX;
		size_t taken;

		script_copy(a->script, t->start + a->written, n, buffer);
		taken = tcp_write(tcp, now_us, buffer, n);
		a->written += (uint32_t)taken;
		if (taken < n)
			return false;
	}
	return true;
}

/* True when the client has thought; otherwise *wake_us says until when it will. */
static bool has_thought(struct client_app *a, uint32_t think_us, uint64_t now_us, uint64_t *wake_us)
{
	if (!a->think_until_us)
		a->think_until_us = now_us + think_us;
	*wake_us = a->think_until_us;
	return now_us >= a->think_until_us;
}

static uint64_t end_client(struct client_app *a, struct tcp *tcp, uint64_t now_us)
{
	const struct script *s = a->script;
	uint64_t last = s->turns[s->turn_count - 1].answer_bytes;
	uint64_t wake_us;

	switch ((enum script_end)s->end) {
	case END_HALF_CLOSE:
		tcp_shutdown(tcp, now_us);
		if (!a->peer_closed)
			return UINT64_MAX;
		tcp_close(tcp, now_us);
		break;
	case END_CLIENT_FIN:
		if (a->received < a->awaited && !a->peer_closed)
			return UINT64_MAX;
		if (!has_thought(a, s->turns[0].think_us, now_us, &wake_us))
			return wake_us;
		tcp_close(tcp, now_us);
		break;
	case END_CLIENT_RST:
		if (a->received < a->awaited && !a->peer_closed)
			return UINT64_MAX;
		tcp_abort(tcp, now_us);
		break;
	case END_CLIENT_RST_EARLY:
		if (a->received < a->awaited - last + s->end_after_bytes && !a->peer_closed)
			return UINT64_MAX;
		tcp_abort(tcp, now_us);
		break;
	case END_SILENCE:
		if (a->received < a->awaited)
			return UINT64_MAX;
		tcp_drop(tcp, now_us);
		break;
	case END_SERVER_FIN:
		if (!a->peer_closed)
			return UINT64_MAX;
		tcp_close(tcp, now_us);
		break;
	case END_SERVER_RST:
	case END_REFUSED:
	case END_SYN_ONLY:
	case SCRIPT_ENDS:
		return UINT64_MAX;
	}
	a->is_done = true;
	return UINT64_MAX;
}

uint64_t client_app_step(struct client_app *a, struct tcp *tcp, uint64_t now_us)
{
	uint64_t wake_us;

	if (a->script->end == END_SYN_ONLY && !a->is_done) {
		tcp_drop(tcp, now_us);
		a->is_done = true;
	}
	while (a->turn < a->script->turn_count && !a->is_done) {
		const struct script_turn *t = &a->script->turns[a->turn];

		if (!t->is_pipelined && a->received < a->awaited)
			return UINT64_MAX;
		if (t->request_bytes && !has_thought(a, t->think_us, now_us, &wake_us))
			return wake_us;
		if (!write_request(a, tcp, now_us))
			return UINT64_MAX;
		a->awaited += t->answer_bytes;
		a->think_until_us = 0;
		a->written = 0;
		a->turn++;
	}
	return a->is_done ? UINT64_MAX : end_client(a, tcp, now_us);
}

/* ---- the server ---- */

void server_app_init(struct server_app *a, const struct script *script, bool is_target,
		     uint32_t first_turn)
{
	*a = (struct server_app){
		.script = script,
		.is_target = is_target,
		.turn = first_turn,
		.read = script->turns[first_turn].start,
	};
}

/* True when all of this part of the answer is in the send buffer. */
static bool write_answer(struct server_app *a, struct tcp *tcp, uint64_t now_us)
{
	while (a->left) {
		uint32_t n = a->left < 60000 ? a->left : 60000;
		size_t taken = tcp_write(tcp, now_us, script_noise((uint32_t)a->said), n);

		a->said += taken;
		a->left -= (uint32_t)taken;
		if (taken < n)
			return false;
	}
	return true;
}

static void prepare_answer(struct server_app *a, const struct script_turn *t)
{
	uint32_t bytes = a->is_target ? t->target_bytes : t->answer_bytes;

	a->left = bytes;
	if (t->pause_us && bytes > 1) {
		a->left = bytes / 3 + 1;
		a->later = bytes - a->left;
	}
}

static uint64_t end_server(struct server_app *a, struct tcp *tcp, uint64_t now_us, bool has_all)
{
	const struct script *s = a->script;
	bool resets = !a->is_target && s->end == END_SERVER_RST;
	bool closes = s->end == END_SERVER_FIN;

	if (a->is_target && s->target_turns && a->answered >= s->target_turns) {
		resets = s->target_resets;
		closes = !resets;
		has_all = true;
	}
	if (has_all && resets) {
		if (!a->answer_at_us)
			a->answer_at_us = now_us + RESET_AFTER_US;
		if (now_us < a->answer_at_us)
			return a->answer_at_us;
		tcp_abort(tcp, now_us);
		a->is_done = true;
	} else if (has_all && closes) {
		tcp_shutdown(tcp, now_us); /* lingers: reads what still comes */
	}
	if (a->peer_closed) {
		tcp_close(tcp, now_us);
		a->is_done = true;
	}
	return UINT64_MAX;
}

uint64_t server_app_step(struct server_app *a, struct tcp *tcp, uint64_t now_us)
{
	const struct script *s = a->script;

	while (!a->is_done) {
		const struct script_turn *t = &s->turns[a->turn];

		if (!write_answer(a, tcp, now_us))
			return UINT64_MAX;
		if (a->is_target && s->target_turns && a->answered >= s->target_turns)
			return end_server(a, tcp, now_us, true);
		if (a->turn == s->turn_count || a->read < t->start + t->request_bytes)
			return end_server(a, tcp, now_us, a->turn == s->turn_count);
		if (!a->answer_at_us)
			a->answer_at_us = now_us + (a->is_target ? t->target_us : t->server_us);
		if (now_us < a->answer_at_us)
			return a->answer_at_us;
		if (a->later) { /* the first part was said, the pause is over */
			a->left = a->later;
			a->later = 0;
		} else {
			prepare_answer(a, t);
			if (a->later) {
				a->answer_at_us = now_us + t->pause_us;
				continue;
			}
		}
		a->answer_at_us = 0;
		a->turn++;
		a->answered++;
	}
	return UINT64_MAX;
}
