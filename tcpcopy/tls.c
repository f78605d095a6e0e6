/* SPDX-License-Identifier: BSD-2-Clause */
#include "tcpcopy/tls.h"

#include "common/bytes.h"

enum {
	RECORD_HEADER_LEN = 5, /* type, version, length */
	HELLO_LEN = 11,        /* and type, length and version of the handshake message */
	TYPE_FIRST = 20,       /* change_cipher_spec */
	TYPE_HANDSHAKE = 22,
	TYPE_LAST = 23, /* application_data */
	MESSAGE_CLIENT_HELLO = 1,
	VERSION_MAJOR = 3,
	VERSION_MINOR_MAX = 4,
	RECORD_MAX = (1 << 14) + 2048, /* with what TLS 1.2 may add */
};

static bool is_version(const uint8_t *bytes)
{
	return bytes[0] == VERSION_MAJOR && bytes[1] <= VERSION_MINOR_MAX;
}

bool tls_is_record(const uint8_t *bytes, size_t len_bytes)
{
	size_t length;

	if (len_bytes < RECORD_HEADER_LEN || bytes[0] < TYPE_FIRST || bytes[0] > TYPE_LAST ||
	    !is_version(bytes + 1))
		return false;
	length = get_be16(bytes + 3);
	return length > 0 && length <= RECORD_MAX;
}

bool tls_is_client_hello(const uint8_t *bytes, size_t len_bytes)
{
	return len_bytes >= HELLO_LEN && tls_is_record(bytes, len_bytes) &&
	       bytes[0] == TYPE_HANDSHAKE && bytes[5] == MESSAGE_CLIENT_HELLO && bytes[6] == 0 &&
	       is_version(bytes + 9);
}
