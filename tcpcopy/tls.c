/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/tls.h"

#include "common/bytes.h"

enum {
	TYPE_FIRST = 20, /* change_cipher_spec */
	TYPE_LAST = 23,  /* application_data */
	MESSAGE_CLIENT_HELLO = 1,
	VERSION_MAJOR = 3,
	HELLO_MINOR_MAX = 4,
	RECORD_MAX = (1 << 14) + 2048, /* with what TLS 1.2 may add */
};

/* Type, version and length of a record; type, length and version of its message. */
static bool hello_goes_on(unsigned at, uint8_t byte)
{
	switch (at) {
	case 0:
		return byte == TLS_HELLO_FIRST;
	case 1:
	case 9:
		return byte == VERSION_MAJOR;
	case 2:
	case 10:
		return byte <= HELLO_MINOR_MAX;
	case 3:
		return byte <= RECORD_MAX >> 8;
	case 5:
		return byte == MESSAGE_CLIENT_HELLO;
	case 6:
		return byte == 0;
	default:
		return true;
	}
}

uint8_t tls_match_hello(uint8_t matched, const uint8_t *bytes, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes && matched < TLS_HELLO_LEN; i++)
		matched =
			hello_goes_on(matched, bytes[i]) ? (uint8_t)(matched + 1) : TLS_HELLO_NONE;
	return matched;
}

/* SSL 3.0 is gone (RFC 7568), and TLS 1.3 calls itself 1.2 here. A length in little endian is none. */
size_t tls_record_len(const uint8_t header[TLS_HEADER_LEN])
{
	size_t length = get_be16(header + 3);

	if (header[0] < TYPE_FIRST || header[0] > TYPE_LAST || header[1] != VERSION_MAJOR ||
	    header[2] < 1 || header[2] > 3 || !length || length > RECORD_MAX)
		return 0;
	return TLS_HEADER_LEN + length;
}

bool tls_is_records(const uint8_t *bytes, size_t len_bytes)
{
	size_t at = 0;

	while (len_bytes - at >= TLS_HEADER_LEN) {
		size_t record = tls_record_len(bytes + at);

		if (!record)
			return false;
		if (record >= len_bytes - at)
			return true;
		at += record;
	}
	return at > 0;
}
