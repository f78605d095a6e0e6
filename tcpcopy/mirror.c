/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror.c - see mirror.h. The program is one of the kernel's classic filters: an accumulator A, an
 * index X, 16 words of memory, jumps that only go forward. So the layers are laid out as often as
 * tunnels may be nested, and behind them the comparison, once. X is where a layer begins, counted from
 * the end of the link header; whoever reads adds that header's length, for in frames of "any"
 * the kernel and libpcap know no other way. A read past the frame's end drops the packet.
 */
#include "tcpcopy/mirror.h"

#include <assert.h>
#include <linux/filter.h>
#include <stdbool.h>

#include "common/bytes.h"
#include "common/packet.h"
#include "common/packet_tunnel.h"

enum {
	LABELS_MAX = 1024,
	LAYERS = PACKET_TUNNELS_MAX + 1,
	TAGS_FOLLOWED = 3,       /* in the frame; the kernel has taken out the first one already */
	EXTENSIONS_FOLLOWED = 2, /* of an IPv6 packet */
	TAKE = 262144,           /* bytes: all of it */

	IPV6_HOP_BY_HOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_DESTINATION = 60,
	SYN_FIN_RST = TCP_SYN | TCP_FIN | TCP_RST,
};

static_assert(TRANSFERS_MAX <= 64, "a bit for each pair");

static const uint32_t hash_factor = 2654435761; /* as in online_filter.c */

/* What is kept in memory. */
enum cell {
	CELL_IP,      /* where the IP header is */
	CELL_WRAPPED, /* 0: no tag and no tunnel yet */
	CELL_NEXT,    /* what comes next: an ethertype, a protocol */
	CELL_IS_V6,
	CELL_GRE_FLAGS,
	CELL_SRC_PORT,
	CELL_DST_PORT,
	CELL_TCP_FLAGS,
	CELL_SRC, /* the address, of IPv6 its last word */
	CELL_DST,
};

/* A layer's places to jump to. */
struct layer {
	unsigned ethernet;
	unsigned ethertype; /* in A */
	unsigned ipv4;
	unsigned ipv6;
	unsigned protocol; /* in CELL_NEXT */
	unsigned udp;
	unsigned gre;
	unsigned other; /* neither TCP nor a tunnel */
};

struct program {
	struct capture_insn *insns;
	size_t max;
	size_t count;
	bool failed;
	unsigned jumps_to[BPF_MAXINSNS]; /* of each instruction: a label, or 0 */
	size_t place[LABELS_MAX];        /* of each label */
	unsigned labels;
	uint32_t link_len;
	unsigned drop;
	unsigned ordinary; /* the end: what follows is the filter */
	unsigned match;
	struct layer layers[LAYERS];
	const struct mirror_sources *sources;
};

/* ---- the assembler ---- */

static void emit_jump(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->count == p->max) {
		p->failed = true;
		return;
	}
	p->jumps_to[p->count] = 0;
	p->insns[p->count++] =
		(struct capture_insn){.code = code, .jump_true = jt, .jump_false = jf, .k = k};
}

static void emit(struct program *p, uint16_t code, uint32_t k)
{
	emit_jump(p, code, k, 0, 0);
}

static unsigned new_label(struct program *p)
{
	if (p->labels == LABELS_MAX - 1) {
		p->failed = true;
		return 1;
	}
	return ++p->labels;
}

static void put_label(struct program *p, unsigned label)
{
	p->place[label] = p->count;
}

/* Conditions reach only 255 instructions far, this all of the program. */
static void go(struct program *p, unsigned label)
{
	emit(p, BPF_JMP | BPF_JA, 0);
	if (!p->failed)
		p->jumps_to[p->count - 1] = label;
}

static void go_if(struct program *p, uint16_t condition, uint32_t k, unsigned label)
{
	emit_jump(p, BPF_JMP | condition | BPF_K, k, 0, 1);
	go(p, label);
}

static void go_unless(struct program *p, uint16_t condition, uint32_t k, unsigned label)
{
	emit_jump(p, BPF_JMP | condition | BPF_K, k, 1, 0);
	go(p, label);
}

static void link_jumps(struct program *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->jumps_to[i])
			p->insns[i].k = (uint32_t)(p->place[p->jumps_to[i]] - i - 1);
}

/* A = what is at X + at. */
static void load8(struct program *p, uint32_t at)
{
	emit(p, BPF_LD | BPF_B | BPF_IND, p->link_len + at);
}

static void load16(struct program *p, uint32_t at)
{
	emit(p, BPF_LD | BPF_H | BPF_IND, p->link_len + at);
}

static void load32(struct program *p, uint32_t at)
{
	emit(p, BPF_LD | BPF_W | BPF_IND, p->link_len + at);
}

static void recall(struct program *p, enum cell cell)
{
	emit(p, BPF_LD | BPF_MEM, cell);
}

static void keep(struct program *p, enum cell cell)
{
	emit(p, BPF_ST, cell);
}

static void keep_value(struct program *p, enum cell cell, uint32_t value)
{
	emit(p, BPF_LD | BPF_IMM, value);
	keep(p, cell);
}

static void reckon(struct program *p, uint16_t operation, uint32_t k)
{
	emit(p, BPF_ALU | operation | BPF_K, k);
}

/* X += A; A is spent. */
static void move_by_a(struct program *p)
{
	emit(p, BPF_ALU | BPF_ADD | BPF_X, 0);
	emit(p, BPF_MISC | BPF_TAX, 0);
}

static void move(struct program *p, uint32_t by)
{
	emit(p, BPF_LD | BPF_IMM, by);
	move_by_a(p);
}

/* ---- layers ---- */

static void put_ethernet(struct program *p, struct layer *l)
{
	put_label(p, l->ethernet);
	load16(p, 12);
	keep(p, CELL_NEXT);
	move(p, 14);
	recall(p, CELL_NEXT);
}

static void put_tag(struct program *p)
{
	unsigned is_tag = new_label(p), is_none = new_label(p);

	go_if(p, BPF_JEQ, ETHERTYPE_OF_VLAN, is_tag);
	go_if(p, BPF_JEQ, ETHERTYPE_OF_SERVICE_VLAN, is_tag);
	go_unless(p, BPF_JEQ, ETHERTYPE_OF_OUTER_VLAN, is_none);
	put_label(p, is_tag);
	keep_value(p, CELL_WRAPPED, 1);
	load16(p, 2);
	keep(p, CELL_NEXT);
	move(p, 4);
	recall(p, CELL_NEXT);
	put_label(p, is_none);
}

static void put_ethertype(struct program *p, struct layer *l)
{
	put_label(p, l->ethertype);
	for (int i = 0; i < TAGS_FOLLOWED; i++)
		put_tag(p);
	go_if(p, BPF_JEQ, ETHERTYPE_OF_IPV4, l->ipv4);
	go_if(p, BPF_JEQ, ETHERTYPE_OF_IPV6, l->ipv6);
	go(p, l->other);
}

/* Only the first fragment has what is asked for behind. */
static void put_ipv4(struct program *p, struct layer *l)
{
	put_label(p, l->ipv4);
	emit(p, BPF_STX, CELL_IP);
	keep_value(p, CELL_IS_V6, 0);
	load16(p, 6);
	go_if(p, BPF_JSET, 0x1fff, l->other);
	load8(p, 9);
	keep(p, CELL_NEXT);
	load8(p, 0);
	reckon(p, BPF_AND, 0x0f);
	reckon(p, BPF_LSH, 2);
	move_by_a(p);
	go(p, l->protocol);
}

static void put_extension(struct program *p, struct layer *l)
{
	unsigned is_one = new_label(p), done = new_label(p);

	recall(p, CELL_NEXT);
	go_if(p, BPF_JEQ, IPV6_HOP_BY_HOP, is_one);
	go_if(p, BPF_JEQ, IPV6_ROUTING, is_one);
	go_if(p, BPF_JEQ, IPV6_DESTINATION, is_one);
	go_unless(p, BPF_JEQ, IPV6_FRAGMENT, done);
	load16(p, 2);
	go_if(p, BPF_JSET, 0xfff8, l->other);
	put_label(p, is_one);
	load8(p, 0);
	keep(p, CELL_NEXT);
	load8(p, 1); /* reserved, and 0, in a fragment's header, which has one unit as well */
	reckon(p, BPF_ADD, 1);
	reckon(p, BPF_LSH, 3);
	move_by_a(p);
	put_label(p, done);
}

static void put_ipv6(struct program *p, struct layer *l)
{
	put_label(p, l->ipv6);
	emit(p, BPF_STX, CELL_IP);
	keep_value(p, CELL_IS_V6, 1);
	load8(p, 6);
	keep(p, CELL_NEXT);
	move(p, 40);
	for (int i = 0; i < EXTENSIONS_FOLLOWED; i++)
		put_extension(p, l);
}

static void put_protocol(struct program *p, struct layer *l, bool is_last)
{
	put_label(p, l->protocol);
	recall(p, CELL_NEXT);
	go_if(p, BPF_JEQ, PROTOCOL_TCP, p->match);
	if (!is_last) {
		go_if(p, BPF_JEQ, PROTOCOL_UDP, l->udp);
		go_if(p, BPF_JEQ, PROTOCOL_GRE, l->gre);
	}
	go(p, l->other);
}

/* ---- tunnels: from one layer to the next ---- */

static void put_geneve(struct program *p, struct layer *next)
{
	load8(p, 8);
	go_if(p, BPF_JSET, 0xc0, p->drop); /* version */
	load16(p, 10);
	keep(p, CELL_NEXT);
	load8(p, 8);
	reckon(p, BPF_AND, 0x3f);
	reckon(p, BPF_LSH, 2);
	reckon(p, BPF_ADD, 16);
	move_by_a(p);
	recall(p, CELL_NEXT);
	go_if(p, BPF_JEQ, ETHERTYPE_OF_ETHERNET, next->ethernet);
	go(p, next->ethertype);
}

static void put_udp(struct program *p, struct layer *l, struct layer *next)
{
	unsigned vxlan = new_label(p);

	put_label(p, l->udp);
	keep_value(p, CELL_WRAPPED, 1);
	load16(p, 2);
	go_if(p, BPF_JEQ, PORT_OF_VXLAN, vxlan);
	go_if(p, BPF_JEQ, PORT_OF_VXLAN_BEFORE_RFC, vxlan);
	go_unless(p, BPF_JEQ, PORT_OF_GENEVE, p->drop);
	put_geneve(p, next);
	put_label(p, vxlan);
	load8(p, 8);
	go_unless(p, BPF_JSET, 0x08, p->drop);
	move(p, 16);
	go(p, next->ethernet);
}

static void put_erspan_3(struct program *p, struct layer *next)
{
	unsigned is_known = new_label(p);

	load8(p, 0);
	reckon(p, BPF_AND, 0xf0);
	go_unless(p, BPF_JEQ, 0x20, p->drop);
	load8(p, 10);
	reckon(p, BPF_RSH, 2);
	reckon(p, BPF_AND, 0x1f);
	keep(p, CELL_NEXT);
	go_if(p, BPF_JEQ, 0, is_known);
	go_unless(p, BPF_JEQ, 2, p->drop);
	put_label(p, is_known);
	load8(p, 11);
	reckon(p, BPF_AND, 1);
	reckon(p, BPF_LSH, 3);
	reckon(p, BPF_ADD, 12);
	move_by_a(p);
	recall(p, CELL_NEXT);
	go_if(p, BPF_JEQ, 0, next->ethernet);
	load8(p, 0);
	reckon(p, BPF_AND, 0xf0);
	go_if(p, BPF_JEQ, 0x60, next->ipv6);
	go(p, next->ipv4);
}

static void put_erspan_2(struct program *p, struct layer *next)
{
	recall(p, CELL_GRE_FLAGS);
	go_unless(p, BPF_JSET, GRE_SEQUENCE, next->ethernet); /* type I */
	load8(p, 0);
	reckon(p, BPF_AND, 0xf0);
	go_unless(p, BPF_JEQ, 0x10, p->drop);
	move(p, 8);
	go(p, next->ethernet);
}

/* Each field that is there has four bytes. */
static void skip_gre_field(struct program *p, uint32_t shift)
{
	recall(p, CELL_GRE_FLAGS);
	reckon(p, BPF_RSH, shift);
	reckon(p, BPF_AND, 4);
	move_by_a(p);
}

static void put_gre(struct program *p, struct layer *l, struct layer *next)
{
	unsigned erspan_2 = new_label(p);

	put_label(p, l->gre);
	keep_value(p, CELL_WRAPPED, 1);
	load16(p, 0);
	go_if(p, BPF_JSET, GRE_UNKNOWN, p->drop);
	keep(p, CELL_GRE_FLAGS);
	load16(p, 2);
	keep(p, CELL_NEXT);
	move(p, 4);
	skip_gre_field(p, 13); /* GRE_CHECKSUM */
	skip_gre_field(p, 11); /* GRE_KEY */
	skip_gre_field(p, 10); /* GRE_SEQUENCE */
	recall(p, CELL_NEXT);
	go_if(p, BPF_JEQ, ETHERTYPE_OF_ETHERNET, next->ethernet);
	go_if(p, BPF_JEQ, ETHERTYPE_OF_ERSPAN, erspan_2);
	go_unless(p, BPF_JEQ, ETHERTYPE_OF_ERSPAN_3, next->ethertype);
	put_erspan_3(p, next);
	put_label(p, erspan_2);
	put_erspan_2(p, next);
}

/* ---- the comparison ---- */

static bool is_mirrored(const struct endpoint *source, const struct ip_addr *local,
			size_t local_count)
{
	if (ip_addr_is_unspecified(&source->addr) || ip_addr_is_loopback(&source->addr))
		return false;
	for (size_t i = 0; i < local_count; i++)
		if (ip_addr_equal(&local[i], &source->addr))
			return false;
	return true;
}

uint64_t mirror_pairs(const struct transfer *transfers, size_t transfer_count,
		      const struct ip_addr *local, size_t local_count)
{
	uint64_t pairs = 0;

	for (size_t i = 0; i < transfer_count; i++)
		if (is_mirrored(&transfers[i].source, local, local_count))
			pairs |= UINT64_C(1) << i;
	return pairs;
}

/* X is the IP header's; the address is at so many bytes behind it. */
static void go_unless_address(struct program *p, const struct ip_addr *a, uint32_t at,
			      unsigned label)
{
	if (ip_addr_is_v4(a)) {
		load32(p, at);
		go_unless(p, BPF_JEQ, ip_addr_to_v4(a), label);
		return;
	}
	for (uint32_t i = 0; i < 16; i += 4) {
		load32(p, at + i);
		go_unless(p, BPF_JEQ, get_be32(a->b + i), label);
	}
}

/* Taken if an end of the packet, its address there and its port in the cell, is a source's. */
static void put_end(struct program *p, bool is_v4, uint32_t address_at, enum cell port,
		    unsigned taken)
{
	const struct mirror_sources *s = p->sources;

	for (size_t i = 0; i < s->transfer_count; i++) {
		const struct endpoint *source = &s->transfers[i].source;
		unsigned next;

		if (!(s->pairs >> i & 1) || ip_addr_is_v4(&source->addr) != is_v4)
			continue;
		next = new_label(p);
		recall(p, port);
		go_unless(p, BPF_JEQ, source->port, next);
		go_unless_address(p, &source->addr, address_at, next);
		go(p, taken);
		put_label(p, next);
	}
}

static void put_family(struct program *p, bool is_v4, unsigned taken)
{
	load32(p, is_v4 ? 12 : 20);
	keep(p, CELL_SRC);
	load32(p, is_v4 ? 16 : 36);
	keep(p, CELL_DST);
	put_end(p, is_v4, is_v4 ? 16 : 24, CELL_DST_PORT, taken);
	recall(p, CELL_TCP_FLAGS);
	go_unless(p, BPF_JSET, SYN_FIN_RST, p->drop);
	put_end(p, is_v4, is_v4 ? 12 : 8, CELL_SRC_PORT, taken);
	go(p, p->drop);
}

/* See add_share of online_filter.c: a connection has one worker, wherever it is captured. */
static void put_share(struct program *p)
{
	static const enum cell cells[] = {CELL_DST, CELL_SRC_PORT, CELL_DST_PORT};
	const struct online_share *share = p->sources->share;

	if (share->count <= 1)
		return;
	recall(p, CELL_SRC);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		emit(p, BPF_LDX | BPF_MEM, cells[i]);
		emit(p, BPF_ALU | BPF_ADD | BPF_X, 0);
	}
	reckon(p, BPF_MUL, hash_factor);
	reckon(p, BPF_RSH, 16);
	reckon(p, BPF_MOD, share->count);
	go_unless(p, BPF_JEQ, share->index, p->drop);
}

static void put_match(struct program *p)
{
	unsigned is_v6 = new_label(p), taken = new_label(p);

	put_label(p, p->layers[0].other);
	recall(p, CELL_WRAPPED);
	go_if(p, BPF_JEQ, 0, p->ordinary);
	go(p, p->drop);
	put_label(p, p->match);
	recall(p, CELL_WRAPPED);
	go_if(p, BPF_JEQ, 0, p->ordinary);
	load16(p, 0);
	keep(p, CELL_SRC_PORT);
	load16(p, 2);
	keep(p, CELL_DST_PORT);
	load8(p, 13);
	keep(p, CELL_TCP_FLAGS);
	emit(p, BPF_LDX | BPF_MEM, CELL_IP);
	recall(p, CELL_IS_V6);
	go_if(p, BPF_JEQ, 1, is_v6);
	put_family(p, true, taken);
	put_label(p, is_v6);
	put_family(p, false, taken);
	put_label(p, taken);
	put_share(p);
	emit(p, BPF_RET | BPF_K, TAKE);
	put_label(p, p->drop);
	emit(p, BPF_RET | BPF_K, 0);
	put_label(p, p->ordinary);
}

/* ---- the whole ---- */

static void make_labels(struct program *p)
{
	p->drop = new_label(p);
	p->ordinary = new_label(p);
	p->match = new_label(p);
	for (size_t i = 0; i < LAYERS; i++)
		p->layers[i] = (struct layer){
			.ethernet = new_label(p),
			.ethertype = new_label(p),
			.ipv4 = new_label(p),
			.ipv6 = new_label(p),
			.protocol = new_label(p),
			.udp = new_label(p),
			.gre = new_label(p),
			.other = i ? p->drop : new_label(p),
		};
}

/* Where the first ethertype is; the rest is counted from the end of the link header. */
static bool put_link(struct program *p, int link_type)
{
	uint32_t ethertype_at = 0;

	switch (link_type) {
	case PACKET_LINK_ETHERNET:
		ethertype_at = 12;
		p->link_len = 14;
		break;
	case PACKET_LINK_LINUX_SLL:
		ethertype_at = 14;
		p->link_len = 16;
		break;
	case PACKET_LINK_LINUX_SLL2:
		p->link_len = 20;
		break;
	default:
		return false;
	}
	keep_value(p, CELL_WRAPPED, 0);
	emit(p, BPF_LDX | BPF_IMM, 0);
	emit(p, BPF_LD | BPF_H | BPF_ABS, ethertype_at);
	go(p, p->layers[0].ethertype);
	return true;
}

static void put_layers(struct program *p)
{
	for (size_t i = 0; i < LAYERS; i++) {
		struct layer *l = &p->layers[i];
		bool is_last = i + 1 == LAYERS;

		if (i)
			put_ethernet(p, l);
		put_ethertype(p, l);
		put_ipv4(p, l);
		put_ipv6(p, l);
		put_protocol(p, l, is_last);
		if (is_last)
			break;
		put_udp(p, l, l + 1);
		put_gre(p, l, l + 1);
	}
}

size_t mirror_filter(struct capture_insn *insns, size_t max, int link_type,
		     const struct mirror_sources *s)
{
	struct program p = {.insns = insns, .max = max, .sources = s};

	if (p.max > BPF_MAXINSNS)
		p.max = BPF_MAXINSNS;
	if (!s->pairs)
		return 0;
	make_labels(&p);
	if (!put_link(&p, link_type))
		return 0;
	put_layers(&p);
	put_match(&p);
	if (p.failed)
		return 0;
	link_jumps(&p);
	return p.count;
}
