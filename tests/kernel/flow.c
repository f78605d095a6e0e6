/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/seq.h"
#include "common/tcp_option.h"
#include "common/tuple_map.h"

struct flows {
	struct flow *list;
	uint32_t count;
	uint32_t max;
	size_t registered;
	struct tuple_map *map;
};

static const struct tuple *key_of(const void *owner, uint32_t value)
{
	const struct flows *f = owner;

	return &f->list[value].response;
}

struct flows *flows_new(uint32_t max)
{
	struct flows *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->max = max;
	f->list = calloc(max, sizeof(*f->list));
	f->map = tuple_map_new(&(struct hash_key){3, 4}, key_of, f);
	if (f->list && f->map)
		return f;
	flows_free(f);
	return NULL;
}

void flows_free(struct flows *f)
{
	if (!f)
		return;
	tuple_map_free(f->map);
	free(f->list);
	free(f);
}

void flows_register(struct flows *f, uint32_t id, const struct tuple *response)
{
	struct flow *flow;

	if (f->count == f->max || tuple_map_find(f->map, response) != TUPLE_MAP_NONE) {
		fprintf(stderr, "kernel_target: too many registrations, or one twice\n");
		abort();
	}
	flow = &f->list[f->count];
	*flow = (struct flow){
		.response = *response, .id = id, .session = -1, .is_registered = true};
	if (tuple_map_insert(f->map, response, f->count))
		abort();
	f->count++;
	f->registered++;
}

void flows_unregister(struct flows *f, uint32_t id)
{
	for (uint32_t i = 0; i < f->count; i++) {
		if (!f->list[i].is_registered || f->list[i].id != id)
			continue;
		tuple_map_remove(f->map, &f->list[i].response);
		f->list[i].is_registered = false;
		f->registered--;
		return;
	}
	fprintf(stderr, "kernel_target: an id was unregistered that was not registered\n");
	abort();
}

size_t flows_registered(const struct flows *f)
{
	return f->registered;
}

static struct flow *find(struct flows *f, const struct tuple *response)
{
	uint32_t i = tuple_map_find(f->map, response);

	return i == TUPLE_MAP_NONE ? NULL : &f->list[i];
}

struct flow *flows_of_segment(struct flows *f, const struct segment *s)
{
	struct tuple response = tuple_reverse(&s->tuple);

	return find(f, &response);
}

struct flow *flows_of_answer(struct flows *f, const struct packet *p)
{
	return find(f, &p->tuple);
}

struct flow *flows_of_session(struct flows *f, uint32_t session)
{
	for (uint32_t i = f->count; i-- > 0;)
		if (f->list[i].session == (long)session)
			return &f->list[i];
	return NULL;
}

/* The first bytes say whose stream it is; they may come one by one. */
static void learn_session(struct flow *f, const struct segment *s, const struct talk *talk)
{
	uint32_t at = s->seq - (f->iss + 1); /* of the byte that is looked at */
	struct talk_head head;

	for (size_t i = 0; i < s->iov_count; i++) {
		const uint8_t *bytes = s->iov[i].iov_base;

		for (size_t k = 0; k < s->iov[i].iov_len && f->head_len < TALK_HEAD_LEN; k++, at++)
			if (at == f->head_len)
				f->head[f->head_len++] = bytes[k];
	}
	if (f->head_len == TALK_HEAD_LEN && talk_read_head(talk, &head, f->head) == 0)
		f->session = (long)head.session;
}

void flow_on_segment(struct flow *f, const struct segment *s, const struct talk *talk)
{
	uint32_t end = s->seq + s->payload_len_bytes + !!(s->flags & (TCP_SYN | TCP_FIN));

	if (s->flags & TCP_SYN) {
		f->iss = s->seq;
		f->snd_max = end;
		return;
	}
	f->snd_max = seq_max(f->snd_max, end);
	if (s->flags & TCP_ACK)
		f->said_ack = s->ack;
	if (f->session < 0)
		learn_session(f, s, talk);
}

void flow_on_answer(struct flow *f, const struct packet *p)
{
	struct tcp_options o;
	uint32_t end = p->seq + p->payload_len_bytes + !!(p->flags & (TCP_SYN | TCP_FIN));

	if (p->flags & TCP_RST)
		return;
	tcp_options_parse(&o, p->options, p->options_len_bytes);
	f->has_timestamps = o.has_timestamps;
	f->ts_val = o.ts_val;
	f->linux_nxt = f->is_open ? seq_max(f->linux_nxt, end) : end;
	f->linux_ack = f->is_open ? seq_max(f->linux_ack, p->ack) : p->ack;
	f->linux_window = p->window;
	if (p->flags & TCP_SYN)
		f->linux_scale = o.window_scale;
	f->is_open = true;
	if (p->flags & TCP_FIN)
		f->linux_has_closed = true;
}

uint32_t flow_sent_bytes(const struct flow *f)
{
	return f->snd_max - (f->iss + 1);
}

bool flow_is_ignored_by_old_linux(const struct flow *f, const struct segment *s)
{
	uint32_t end = s->seq + s->payload_len_bytes + !!(s->flags & TCP_FIN);

	if (!f->is_open || f->linux_has_closed || !(s->flags & TCP_ACK) ||
	    (s->flags & (TCP_SYN | TCP_RST)))
		return false;
	return seq_gt(s->ack, f->linux_nxt) && seq_geq(end, f->linux_ack) &&
	       seq_leq(s->seq, f->linux_ack + ((uint32_t)f->linux_window << f->linux_scale));
}
