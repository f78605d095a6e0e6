/* SPDX-License-Identifier: BSD-2-Clause */
/* packet_tunnel.c - see packet_tunnel.h. Checksums of tunnels are not looked at: TCP has its own. */
#include "common/packet_tunnel.h"

enum {
	UDP_HEADER_LEN = 8,
	VXLAN_HEADER_LEN = 8,
	VXLAN_HAS_NETWORK = 0x08,
	GENEVE_HEADER_LEN = 8,
	GRE_HEADER_LEN = 4,
	GRE_FIELD_LEN = 4, /* of each that its flags announce */
	ERSPAN_2_HEADER_LEN = 8,
	ERSPAN_3_HEADER_LEN = 12,
	ERSPAN_3_MORE_LEN = 8, /* of the platform, if announced */
	ERSPAN_3_OF_ETHERNET = 0,
	ERSPAN_3_OF_IP = 2,
};

static enum packet_result enter_vxlan(struct cursor *c, uint16_t *ethertype)
{
	const uint8_t *vxlan = cursor_take(c, VXLAN_HEADER_LEN);

	if (!vxlan)
		return PACKET_MALFORMED;
	*ethertype = ETHERTYPE_OF_ETHERNET;
	return vxlan[0] & VXLAN_HAS_NETWORK ? PACKET_OK : PACKET_NOT_TCP;
}

static enum packet_result enter_geneve(struct cursor *c, uint16_t *ethertype)
{
	const uint8_t *geneve = cursor_take(c, GENEVE_HEADER_LEN);

	if (!geneve)
		return PACKET_MALFORMED;
	if (geneve[0] >> 6 != 0) /* version */
		return PACKET_NOT_TCP;
	*ethertype = get_be16(geneve + 2);
	return cursor_take(c, (size_t)(geneve[0] & 0x3f) * 4) ? PACKET_OK : PACKET_MALFORMED;
}

/* RFC 768. Its length is 0 in a super-packet, and more than there is in one that was cut short. */
static enum packet_result enter_udp(struct cursor *c, uint16_t *ethertype)
{
	const uint8_t *udp = cursor_take(c, UDP_HEADER_LEN);
	size_t len;

	if (!udp)
		return PACKET_MALFORMED;
	len = get_be16(udp + 4);
	if (len >= UDP_HEADER_LEN && len - UDP_HEADER_LEN < c->wire_left_bytes)
		cursor_clip(c, len - UDP_HEADER_LEN);
	switch (get_be16(udp + 2)) {
	case PORT_OF_VXLAN:
	case PORT_OF_VXLAN_BEFORE_RFC:
		return enter_vxlan(c, ethertype);
	case PORT_OF_GENEVE:
		return enter_geneve(c, ethertype);
	default:
		return PACKET_NOT_TCP;
	}
}

static enum packet_result enter_erspan_2(struct cursor *c)
{
	const uint8_t *erspan = cursor_take(c, ERSPAN_2_HEADER_LEN);

	if (!erspan)
		return PACKET_MALFORMED;
	return erspan[0] >> 4 == 1 ? PACKET_OK : PACKET_NOT_TCP;
}

static enum packet_result enter_erspan_3(struct cursor *c, uint16_t *ethertype)
{
	const uint8_t *erspan = cursor_take(c, ERSPAN_3_HEADER_LEN);
	unsigned frame_type;

	if (!erspan)
		return PACKET_MALFORMED;
	frame_type = erspan[10] >> 2 & 0x1f;
	if (erspan[0] >> 4 != 2 ||
	    (frame_type != ERSPAN_3_OF_ETHERNET && frame_type != ERSPAN_3_OF_IP))
		return PACKET_NOT_TCP;
	if ((erspan[11] & 1) && !cursor_take(c, ERSPAN_3_MORE_LEN))
		return PACKET_MALFORMED;
	*ethertype = ETHERTYPE_OF_ETHERNET;
	if (frame_type == ERSPAN_3_OF_IP) {
		if (byte_reader_left(&c->captured) == 0)
			return PACKET_MALFORMED;
		*ethertype = c->captured.at[0] >> 4 == 6 ? ETHERTYPE_OF_IPV6 : ETHERTYPE_OF_IPV4;
	}
	return PACKET_OK;
}

static enum packet_result enter_gre(struct cursor *c, uint16_t *ethertype)
{
	const uint8_t *gre = cursor_take(c, GRE_HEADER_LEN);
	unsigned flags, fields;

	if (!gre)
		return PACKET_MALFORMED;
	flags = get_be16(gre);
	if (flags & GRE_UNKNOWN)
		return PACKET_NOT_TCP;
	fields = !!(flags & GRE_CHECKSUM) + !!(flags & GRE_KEY) + !!(flags & GRE_SEQUENCE);
	if (!cursor_take(c, (size_t)fields * GRE_FIELD_LEN))
		return PACKET_MALFORMED;
	*ethertype = get_be16(gre + 2);
	if (*ethertype == ETHERTYPE_OF_ERSPAN_3)
		return enter_erspan_3(c, ethertype);
	if (*ethertype != ETHERTYPE_OF_ERSPAN)
		return PACKET_OK;
	*ethertype = ETHERTYPE_OF_ETHERNET;
	return flags & GRE_SEQUENCE ? enter_erspan_2(c) : PACKET_OK;
}

enum packet_result packet_tunnel_enter(struct cursor *c, uint8_t protocol, uint16_t *ethertype)
{
	return protocol == PROTOCOL_GRE ? enter_gre(c, ethertype) : enter_udp(c, ethertype);
}
