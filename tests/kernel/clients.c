/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/clients.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/packet.h"
#include "tests/kernel/ip_packet.h"

enum {
	FIRST_PORT = 20000,
	PORTS = 40000,
	ADDRESSES = 200,
	CHUNK_MAX = 65000, /* payload of the largest super-packet */
	PACKETS_AT_ONCE = 4,
	FOR_CUT = 100, /* purposes of talk_random, beside talk.c's own */
	FOR_ISN,
	FOR_OPTIONS,
};

enum step {
	STEP_SYN,
	STEP_SYN_ACK, /* of the server */
	STEP_ACK,
	STEP_REQUEST,
	STEP_SEEN, /* the answer: an ACK of its own, or none */
	STEP_END,  /* FIN or RST */
	STEP_SERVER_FIN,
	STEP_LAST_ACK,
	STEP_DONE,
};

struct client {
	uint64_t next_us;
	uint64_t off;  /* of the stream: what has been said */
	uint32_t seen; /* answer bytes acknowledged; numbers wrap */
	uint32_t turn;
	uint32_t cuts;
	uint8_t step;
	bool has_ended; /* the FIN is said */
};

struct clients {
	struct clients_config config;
	struct client *list;
	uint32_t begun;
	uint32_t done; /* all before this one are */
	uint64_t start_us;
	uint64_t packets;
	uint8_t payload[CHUNK_MAX];
	uint8_t packet[IP_PACKET_MAX];
};

struct clients *clients_new(const struct clients_config *config, uint64_t now_us)
{
	struct clients *c = calloc(1, sizeof(*c));

	assert(config->talk->sessions <= CLIENTS_MAX);
	if (!c)
		return NULL;
	c->config = *config;
	c->start_us = now_us;
	c->list = calloc(config->talk->sessions, sizeof(*c->list));
	if (!c->list) {
		free(c);
		return NULL;
	}
	return c;
}

void clients_free(struct clients *c)
{
	if (!c)
		return;
	free(c->list);
	free(c);
}

static struct tuple tuple_of(const struct clients *c, uint32_t number)
{
	return (struct tuple){
		.src = {.addr = ip_addr_v4(UINT32_C(10) << 24 | 89 << 16 |
					   (number / ADDRESSES % 250) << 8 |
					   (1 + number % ADDRESSES)),
			.port = (uint16_t)(FIRST_PORT + number % PORTS)},
		.dst = c->config.server,
		.protocol = PROTOCOL_TCP,
	};
}

static uint32_t client_isn(const struct clients *c, uint32_t number)
{
	return talk_random(c->config.talk, number, 0, FOR_ISN);
}

static uint32_t server_isn(const struct clients *c, uint32_t number)
{
	return talk_random(c->config.talk, number, 1, FOR_ISN);
}

static void capture(struct clients *c, const struct segment *s)
{
	c->packets++;
	c->config.frame(c->config.ctx, c->packet, ip_packet_write(c->packet, s));
}

static struct segment from_client(const struct clients *c, uint32_t number, uint8_t flags)
{
	const struct client *k = &c->list[number];

	return (struct segment){
		.tuple = tuple_of(c, number),
		.seq = client_isn(c, number) + 1 + (uint32_t)k->off + k->has_ended,
		.ack = server_isn(c, number) + 1 + k->seen,
		.window = 502,
		.flags = flags,
	};
}

/* What clients offer: mostly all, some no timestamps, some no scaling, some nothing. */
static void say_syn(struct clients *c, uint32_t number)
{
	struct segment s = from_client(c, number, TCP_SYN);
	uint32_t kind = talk_random(c->config.talk, number, 0, FOR_OPTIONS) % 8;

	s.seq--;
	s.ack = 0;
	s.window = 64240;
	s.options.has_mss = kind != 7;
	s.options.mss = 1460;
	s.options.has_sack_permitted = kind < 6;
	s.options.has_window_scale = kind < 5;
	s.options.window_scale = 7;
	s.options.has_timestamps = kind < 4 || kind == 6;
	s.options.ts_val = 1000;
	capture(c, &s);
}

static void say_as_server(struct clients *c, uint32_t number, uint8_t flags)
{
	const struct client *k = &c->list[number];
	struct segment s = {
		.tuple = tuple_of(c, number),
		.seq = server_isn(c, number) + (flags & TCP_SYN ? 0 : 1 + k->seen),
		.ack = client_isn(c, number) + 1 + (uint32_t)k->off + k->has_ended,
		.window = 501,
		.flags = flags,
	};

	s.tuple = tuple_reverse(&s.tuple);
	capture(c, &s);
}

static uint32_t cut(const struct clients *c, uint32_t number, uint32_t left)
{
	struct client *k = &c->list[number];
	uint32_t random = talk_random(c->config.talk, number, k->cuts++, FOR_CUT);
	uint32_t len;

	switch (random % 4) {
	case 0:
		len = 1 + random / 4 % 1460;
		break;
	case 1:
		len = CHUNK_MAX;
		break;
	default:
		len = 1448;
		break;
	}
	return len < left ? len : left;
}

static bool ends_with_request(const struct clients *c, uint32_t number, uint32_t left)
{
	const struct talk *t = c->config.talk;

	return left == 0 && c->list[number].turn + 1 == t->turns &&
	       talk_manner_of(t, number) == TALK_CLIENT_HALF_CLOSE;
}

/* Some packets of the request. True if that was all of it. */
static bool say_request(struct clients *c, uint32_t number)
{
	struct client *k = &c->list[number];
	uint32_t len = talk_request_bytes(c->config.talk, number);
	uint32_t left = len - (uint32_t)(k->off % len);

	for (int n = 0; left && n < PACKETS_AT_ONCE; n++) {
		struct segment s = from_client(c, number, TCP_ACK);

		s.payload_len_bytes = cut(c, number, left);
		s.iov_count = 1;
		s.iov[0] = (struct iovec){c->payload, s.payload_len_bytes};
		left -= s.payload_len_bytes;
		if (left == 0)
			s.flags |= TCP_PSH;
		if (ends_with_request(c, number, left))
			s.flags |= TCP_FIN;
		talk_fill(c->config.talk, number, k->off, c->payload, s.payload_len_bytes);
		capture(c, &s);
		k->off += s.payload_len_bytes;
		k->has_ended = s.flags & TCP_FIN;
	}
	return left == 0;
}

/* The imagined answer has come; every other client says so before it speaks again. */
static void see_answer(struct clients *c, uint32_t number)
{
	struct client *k = &c->list[number];

	k->seen += talk_online_answer_bytes(c->config.talk, number, k->turn);
	k->turn++;
	if (number % 2) {
		struct segment ack = from_client(c, number, TCP_ACK);

		capture(c, &ack);
	}
}

static void say_end(struct clients *c, uint32_t number)
{
	enum talk_manner manner = talk_manner_of(c->config.talk, number);
	uint8_t flags = manner == TALK_CLIENT_RESET ? TCP_RST | TCP_ACK : TCP_FIN | TCP_ACK;
	struct segment s = from_client(c, number, flags);

	if (c->list[number].has_ended) /* with its last request */
		return;
	capture(c, &s);
	c->list[number].has_ended = flags & TCP_FIN;
}

static enum step after_answer(const struct clients *c, uint32_t number)
{
	return c->list[number].turn < c->config.talk->turns ? STEP_REQUEST : STEP_END;
}

static void take_step(struct clients *c, uint32_t number)
{
	struct client *k = &c->list[number];
	struct segment s;

	switch ((enum step)k->step) {
	case STEP_SYN:
		say_syn(c, number);
		k->step = STEP_SYN_ACK;
		break;
	case STEP_SYN_ACK:
		say_as_server(c, number, TCP_SYN | TCP_ACK);
		k->step = STEP_ACK;
		break;
	case STEP_ACK:
		s = from_client(c, number, TCP_ACK);
		capture(c, &s);
		k->step = STEP_REQUEST;
		break;
	case STEP_REQUEST:
		if (say_request(c, number))
			k->step = STEP_SEEN;
		break;
	case STEP_SEEN:
		see_answer(c, number);
		k->step = after_answer(c, number);
		break;
	case STEP_END:
		say_end(c, number);
		k->step = talk_manner_of(c->config.talk, number) == TALK_CLIENT_RESET
				  ? STEP_DONE
				  : STEP_SERVER_FIN;
		break;
	case STEP_SERVER_FIN:
		say_as_server(c, number, TCP_FIN | TCP_ACK);
		k->step = STEP_LAST_ACK;
		break;
	case STEP_LAST_ACK:
		s = from_client(c, number, TCP_ACK);
		s.ack++;
		capture(c, &s);
		k->step = STEP_DONE;
		break;
	case STEP_DONE:
		break;
	}
}

static uint64_t start_us(const struct clients *c, uint32_t number)
{
	return c->start_us + number * c->config.start_gap_us;
}

void clients_run(struct clients *c, uint32_t begun_max, uint64_t now_us)
{
	uint32_t sessions = c->config.talk->sessions;

	while (c->begun < begun_max && c->begun < sessions && start_us(c, c->begun) <= now_us)
		c->list[c->begun++].next_us = now_us;
	for (uint32_t i = c->done; i < c->begun; i++) {
		struct client *k = &c->list[i];

		if (k->step == STEP_DONE || k->next_us > now_us)
			continue;
		take_step(c, i);
		k->next_us = now_us + c->config.pace_us;
	}
	while (c->done < c->begun && c->list[c->done].step == STEP_DONE)
		c->done++;
}

uint64_t clients_next_us(const struct clients *c, uint32_t begun_max)
{
	uint64_t at = UINT64_MAX;

	if (c->begun < begun_max && c->begun < c->config.talk->sessions)
		at = start_us(c, c->begun);
	for (uint32_t i = c->done; i < c->begun; i++)
		if (c->list[i].step != STEP_DONE && c->list[i].next_us < at)
			at = c->list[i].next_us;
	return at;
}

uint64_t clients_packets(const struct clients *c)
{
	return c->packets;
}

uint32_t clients_begun(const struct clients *c)
{
	return c->begun;
}
