/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_left_out.c - connections that are not copied by choice: what is captured of them is counted, nothing else. It does
 * not choose: replay_begin does, once for each connection.
 */
#include "tcpcopy/replay_private.h"

enum {
	MEMORY_SHARE = 128, /* the table takes this part of the memory limit */
};

int replay_init_left_out(struct replay *r, const struct replay_config *config, uint64_t now_us)
{
	r->sampling = (struct sampling){
		.share_ppm = config->sample_ppm ? config->sample_ppm : SAMPLING_ALL_PPM,
		.by_client = config->sample_by_client,
		.ramp_us = config->gradual_us,
	};
	rate_limit_init(&r->rate, config->rate_per_s, now_us);
	if (r->sampling.share_ppm >= SAMPLING_ALL_PPM && !config->gradual_us && !r->rate.per_s)
		return 0;
	r->left_out = left_out_new(&r->key, config->max_memory_bytes / MEMORY_SHARE);
	return r->left_out ? 0 : -1;
}

void replay_leave_out(struct replay *r, const struct tuple *tuple, uint32_t isn,
		      enum drop_cause cause)
{
	left_out_add(r->left_out, tuple, isn, cause, r->env.now_us);
	replay_count_not_started(r, tuple, cause);
}

struct left_out_entry *replay_find_left_out(struct replay *r, const struct packet *p)
{
	struct left_out_entry *e;

	if (!r->left_out)
		return NULL;
	e = left_out_find(r->left_out, &p->tuple);
	if (!e || !(p->flags & TCP_SYN) || p->seq == e->isn)
		return e;
	left_out_forget(e);
	return NULL;
}

void replay_account_dropped(struct replay *r, const struct endpoint *server, enum drop_cause cause,
			    const struct ledger_amount *amount)
{
	for (size_t i = 0; i < r->transfer_count; i++) {
		if (!replay_matches_source(r, &r->transfers[i], server))
			continue;
		for (unsigned copy = 0; copy < r->copies; copy++) {
			ledger_captured(&r->ledger, i, copy, amount->bytes, amount->requests);
			ledger_dropped(&r->ledger, i, copy, cause, amount->bytes, amount->requests);
		}
	}
}

enum packet_fate replay_on_left_out(struct replay *r, struct left_out_entry *e,
				    const struct packet *p)
{
	struct packet said = *p;
	struct ledger_amount fresh;

	if (p->flags & TCP_SYN) { /* repeated; what came with it follows it */
		said.flags &= (uint8_t)~TCP_SYN;
		said.seq++;
	}
	if (!left_out_on_client(e, &said, r->env.now_us, &fresh))
		return PACKET_FATE_DUPLICATE;
	if (fresh.bytes)
		replay_account_dropped(r, &p->tuple.dst, e->cause, &fresh);
	return PACKET_FATE_USED;
}

enum packet_fate replay_on_left_out_server(struct replay *r, const struct tuple *tuple,
					   const struct packet *p)
{
	struct left_out_entry *e = r->left_out ? left_out_find(r->left_out, tuple) : NULL;

	if (!e)
		return PACKET_FATE_DUPLICATE;
	e->has_ended |= (p->flags & TCP_RST) != 0;
	return PACKET_FATE_USED;
}
