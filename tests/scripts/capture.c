/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/scripts/capture.h"

#include <stdlib.h>
#include <string.h>

#include "common/packet.h"
#include "tests/unit/packet_builder.h"

static bool parse_endpoint(struct endpoint *e, const char *text)
{
	const char *colon = strrchr(text, ':');
	char addr[SCRIPT_NAME_MAX];
	size_t skip = text[0] == '[';
	size_t len;

	if (!colon || strlen(text) >= sizeof(addr))
		return false;
	len = (size_t)(colon - text) - 2 * skip;
	memcpy(addr, text + skip, len);
	addr[len] = '\0';
	e->port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return ip_addr_parse(&e->addr, addr) == 0;
}

bool capture_transfer(struct transfer *t, const char *text)
{
	const char *dash = strchr(text, '-');
	char source[SCRIPT_NAME_MAX];

	memset(t, 0, sizeof(*t));
	if (!dash || (size_t)(dash - text) >= sizeof(source))
		return false;
	memcpy(source, text, (size_t)(dash - text));
	source[dash - text] = '\0';
	return parse_endpoint(&t->source, source) && parse_endpoint(&t->target, dash + 1);
}

/* Data without a text is a pattern of its place in the stream, so that a misplaced byte shows. */
static uint8_t pattern_byte(int64_t off)
{
	return (uint8_t)(off * 7 + (off >> 8) * 3 + (off >> 16) * 5 + (off >> 24) * 11);
}

/* The stream offset of a packet's first byte; that behind a SYN is 0. */
static int64_t offset_of(const struct packet_text *p)
{
	return p->seq - 1 + (strchr(p->flags, 'S') != NULL);
}

static uint8_t *make_payload(const struct packet_text *p)
{
	uint8_t *bytes = malloc(p->len_bytes + 1);

	if (!bytes)
		abort();
	for (uint32_t i = 0; i < p->len_bytes; i++)
		bytes[i] = p->payload[0] ? (uint8_t)p->payload[i] : pattern_byte(offset_of(p) + i);
	bytes[p->len_bytes] = '\0';
	return bytes;
}

static void set_fate(struct frame_spec *spec, const struct packet_text *p)
{
	if (p->window >= 0) {
		spec->window = (uint16_t)p->window;
		spec->zero_window = p->window == 0;
	}
	if (p->is_corrupt)
		spec->checksum = BUILD_CHECKSUM_WRONG;
	if (p->is_unfinished)
		spec->checksum = BUILD_CHECKSUM_UNFINISHED;
	if (p->has_vlan)
		spec->vlan_types[0] = 0x8100;
}

/* A block of exactly what was captured. */
static void take_frame(struct captured *c, const struct built_frame *built, long captured_bytes)
{
	c->link_type = built->link_type;
	c->wire_len_bytes = built->len_bytes;
	c->captured_len_bytes = built->len_bytes;
	if (captured_bytes >= 0)
		c->captured_len_bytes = built->payload_at + (size_t)captured_bytes;
	c->data = malloc(c->captured_len_bytes);
	if (!c->data)
		abort();
	memcpy(c->data, built->data, c->captured_len_bytes);
}

void capture_build(struct captured *c, const struct step *step, const struct connection_text *text)
{
	const struct packet_text *p = &step->packet;
	bool is_client = step->verb != VERB_SERVER;
	uint32_t own = is_client ? text->isn : text->server_isn;
	uint32_t other = is_client ? text->server_isn : text->isn;
	struct frame_spec spec = {
		.src = is_client ? text->client : text->server,
		.dst = is_client ? text->server : text->client,
		.flags = p->flags,
		.seq = own + (uint32_t)p->seq,
		.ack = p->has_ack ? other + (uint32_t)p->ack : 0,
		.options = p->options,
		.payload_len_bytes = p->len_bytes,
		.padding_bytes = p->padding_bytes,
	};
	struct built_frame built;

	c->said = make_payload(p);
	spec.payload = (const char *)c->said;
	set_fate(&spec, p);
	built = build_frame(&spec);
	take_frame(c, &built, p->captured_bytes);
	built_frame_free(&built);
}

void capture_fini(struct captured *c)
{
	free(c->data);
	free(c->said);
}

static void make_room(struct connection *c, size_t size)
{
	if (size <= c->size)
		return;
	c->bytes = realloc(c->bytes, size);
	c->is_known = realloc(c->is_known, size);
	if (!c->bytes || !c->is_known)
		abort();
	memset(c->is_known + c->size, 0, size - c->size);
	c->size = size;
}

void capture_remember(struct connection *c, const struct captured *frame,
		      const struct packet_text *p)
{
	uint32_t len = p->captured_bytes >= 0 ? (uint32_t)p->captured_bytes : p->len_bytes;
	int64_t off = offset_of(p);

	if (!len || off + len > WORLD_STREAM_MAX || off + len <= 0)
		return;
	make_room(c, (size_t)(off + len));
	for (uint32_t i = 0; i < len; i++) {
		if (off + i < 0 || c->is_known[off + i])
			continue;
		c->bytes[off + i] = frame->said[i];
		c->is_known[off + i] = 1;
	}
}

/* Whether a list with commas has this very word. */
static bool is_among(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ',') && (at[len] == '\0' || at[len] == ','))
			return true;
	return false;
}

static void record_options(struct wire_record *r, const char *text)
{
	unsigned a, b;
	const char *at;

	r->has_syn_options = r->flags & TCP_SYN;
	if ((at = strstr(text, "mss ")) && sscanf(at, "mss %u", &a) == 1) {
		r->has_mss = true;
		r->mss = (uint16_t)a;
	}
	if ((at = strstr(text, "wscale ")) && sscanf(at, "wscale %u", &a) == 1) {
		r->has_window_scale = true;
		r->window_scale = (uint8_t)a;
	}
	r->has_sack_permitted = strstr(text, "sackOK") != NULL;
	r->has_sack = is_among(text, "sack");
	if ((at = strstr(text, "TS ")) && sscanf(at, "TS val %u ecr %u", &a, &b) == 2) {
		r->has_timestamps = true;
		r->ts_val = a;
		r->ts_ecr = b;
	}
}

void capture_record(struct wire_record *r, const struct faked *f, const struct packet_text *p)
{
	*r = (struct wire_record){
		.session_id = f->id,
		.seq = f->irs + (uint32_t)p->seq,
		.len_bytes = p->len_bytes,
		.ack = p->has_ack ? f->iss + (uint32_t)p->ack : 0,
		.window = p->window >= 0 ? (uint16_t)p->window : 65535,
		.segments = p->segments ? (uint16_t)p->segments : 1,
		.flags = build_flags_of(p->flags),
	};
	record_options(r, p->options);
}
