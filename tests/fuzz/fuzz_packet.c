/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_packet.c - the frame parser under arbitrary frames of every link type.
 *
 *	byte 0     which link type; the highest bit: the frame is a mirror's
 *	byte 1, 2  how many bytes of the frame the capture left out
 *	byte 3     where the frame is cut for the second look
 *	the rest   the frame
 *
 * Oracles: the view stays within the frame (every byte that it points to is read), its lengths
 * agree with each other and with the frame's; a frame of which less was captured gives the same
 * packet with less payload, or none once a header is cut. What a router says of a packet that is too big is
 * read from its bytes alone, and the same whatever was captured behind them.
 */
#include "common/packet.h"
#include "common/tcp_option.h"
#include "common/too_big.h"
#include "tests/fuzz/fuzz.h"

static const int link_types[] = {
	PACKET_LINK_NULL,       PACKET_LINK_ETHERNET,  PACKET_LINK_RAW_BSD, PACKET_LINK_RAW,
	PACKET_LINK_LOOP,       PACKET_LINK_LINUX_SLL, PACKET_LINK_IPV4,    PACKET_LINK_IPV6,
	PACKET_LINK_LINUX_SLL2, 4711 /* none */,
};

enum {
	LINK_TYPES = sizeof(link_types) / sizeof(link_types[0]),
	HEADER_MIN = 20 + 20,
	SUPER_PACKET = 1 << 20,
};

static volatile unsigned touched;

static void check_view(const struct packet *p, const uint8_t *frame, size_t captured, size_t wire)
{
	const uint8_t *end = frame + captured;

	fuzz_check(p->tuple.protocol == PROTOCOL_TCP);
	fuzz_check(p->options_len_bytes <= TCP_OPTIONS_MAX && p->options_len_bytes % 4 == 0);
	fuzz_check(p->tcp >= frame && p->options == p->tcp + 20);
	fuzz_check(p->payload == p->options + p->options_len_bytes);
	fuzz_check(p->payload <= end && p->payload_len_bytes <= (size_t)(end - p->payload));
	fuzz_check(p->payload_len_bytes <= p->payload_wire_len_bytes);
	fuzz_check(captured < HEADER_MIN || p->tcp - frame >= 20);
	/* Of what a mirror cut short only the packet's own length is known. */
	fuzz_check(p->is_cut || p->payload_wire_len_bytes + (size_t)(p->payload - frame) <= wire);
	fuzz_check(!p->is_cut || p->payload_wire_len_bytes <= UINT16_MAX);
	fuzz_check(p->ip >= frame && p->tcp - p->ip >= 20);
	fuzz_check(wire <= UINT16_MAX + 100 || p->payload_wire_len_bytes <= SUPER_PACKET);
	fuzz_check(ip_addr_is_v4(&p->tuple.src.addr) == ip_addr_is_v4(&p->tuple.dst.addr));
	fuzz_check(p->direction <= PACKET_OUTGOING);
	touched += fuzz_touch(p->tcp, 20) + fuzz_touch(p->options, p->options_len_bytes) +
		   fuzz_touch(p->payload, p->payload_len_bytes);
}

/* What both programs do with a packet next. */
static void use(const struct packet *p)
{
	char text[300], small[24];
	struct tcp_options o;
	bool is_ok = packet_checksum_ok(p);

	fuzz_check(is_ok || p->payload_len_bytes == p->payload_wire_len_bytes);
	tcp_options_parse(&o, p->options, p->options_len_bytes);
	fuzz_check(packet_print(text, sizeof(text), p) == text && strlen(text) < sizeof(text));
	fuzz_check(strlen(packet_print(small, sizeof(small), p)) < sizeof(small));
	touched += is_ok + o.has_mss;
}

/* The same frame of which only len bytes were captured. */
static void look_again(const struct packet *p, int link_type, const uint8_t *frame, size_t len,
		       size_t wire)
{
	uint8_t *copy = fuzz_copy(frame, len);
	size_t headers = (size_t)(p->payload - frame);
	struct packet again;
	enum packet_result result = packet_parse(&again, link_type, copy, len, wire);

	fuzz_check((result == PACKET_OK) == (len >= headers));
	if (result == PACKET_OK) {
		check_view(&again, copy, len, wire);
		fuzz_check(tuple_equal(&again.tuple, &p->tuple) && again.seq == p->seq &&
			   again.ack == p->ack && again.flags == p->flags);
		fuzz_check(again.payload_wire_len_bytes == p->payload_wire_len_bytes);
		fuzz_check(again.payload - copy == p->payload - frame);
		use(&again);
	} else {
		fuzz_check(result == PACKET_MALFORMED);
	}
	free(copy);
}

static void check_too_big(const struct packet *p, const uint8_t *frame, size_t captured)
{
	struct too_big t, again;
	struct packet cut = *p;
	size_t enough;

	fuzz_check(p->icmp >= frame && p->icmp_len_bytes <= captured - (size_t)(p->icmp - frame));
	touched += fuzz_touch(p->icmp, p->icmp_len_bytes);
	if (!too_big_parse(&t, p))
		return;
	enough = 8 + (p->icmp_is_v4 ? (size_t)(p->icmp[8] & 0x0f) * 4 : 40) + 8;
	fuzz_check(p->icmp_len_bytes >= enough && t.tuple.protocol == PROTOCOL_TCP);
	fuzz_check(ip_addr_is_v4(&t.tuple.src.addr) == p->icmp_is_v4 &&
		   ip_addr_is_v4(&t.tuple.dst.addr) == p->icmp_is_v4);
	fuzz_check(!p->icmp_is_v4 || t.mtu_bytes <= UINT16_MAX);
	cut.icmp_len_bytes = (uint32_t)enough;
	fuzz_check(too_big_parse(&again, &cut) && tuple_equal(&again.tuple, &t.tuple) &&
		   again.seq == t.seq && again.mtu_bytes == t.mtu_bytes);
	cut.icmp_len_bytes--;
	fuzz_check(!too_big_parse(&again, &cut));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = fuzz_input_on(data, size);
	unsigned kind = fuzz_u8(&in);
	int link_type = link_types[kind % LINK_TYPES] | (kind & 0x80 ? PACKET_LINK_MIRRORED : 0);
	size_t left_out = fuzz_u16(&in);
	size_t cut = fuzz_u8(&in);
	size_t captured = fuzz_left(&in);
	/* Every third length is that of a super-packet. */
	size_t wire = captured + left_out % 5000 + (left_out % 3 == 2 ? UINT16_MAX : 0);
	uint8_t *frame = fuzz_copy(in.at, captured);
	enum packet_result result;
	struct packet p;

	result = packet_parse(&p, link_type, frame, captured, wire);
	if (result == PACKET_NOT_TCP && p.icmp)
		check_too_big(&p, frame, captured);
	if (result == PACKET_OK) {
		check_view(&p, frame, captured, wire);
		use(&p);
		look_again(&p, link_type, frame, cut * captured / 256, wire);
		look_again(&p, link_type, frame, (size_t)(p.payload - frame), wire);
		look_again(&p, link_type, frame, (size_t)(p.payload - frame) - 1, wire);
	}
	free(frame);
	return 0;
}
