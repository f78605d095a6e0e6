/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls.h - recognizes TLS (RFC 8446, section 5.1) by its first bytes: what cannot be copied, since every server makes
 * keys of its own. Pure.
 */
#ifndef TCPCOPY_TLS_H
#define TCPCOPY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_HEADER_LEN = 5,       /* of a record */
	TLS_HELLO_LEN = 11,       /* by so many bytes a ClientHello is recognized ... */
	TLS_HELLO_NONE,           /* ... and these were none */
	TLS_RECORDS_TELLING = 16, /* so many records, one behind the other, are no accident */
};

/* The first byte of a ClientHello, as of few other things that clients say. */
enum {
	TLS_HELLO_FIRST = 22, /* a record of the handshake */
};

/*
 * The bytes follow those of which `matched` were the beginning of a ClientHello (0 at first),
 * however they are cut. Returns how many are by now: TLS_HELLO_LEN is one, TLS_HELLO_NONE none.
 */
uint8_t tls_match_hello(uint8_t matched, const uint8_t *bytes, size_t len_bytes);
/* The length of a record with its header, 0 if this is no header. */
size_t tls_record_len(const uint8_t header[TLS_HEADER_LEN]);
/* One record behind the other, the last one perhaps cut off. */
bool tls_is_records(const uint8_t *bytes, size_t len_bytes);
#endif
