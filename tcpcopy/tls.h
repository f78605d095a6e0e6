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

/* These bytes are the beginning of a ClientHello. Eleven tell; fewer are none. */
bool tls_is_client_hello(const uint8_t *bytes, size_t len_bytes);
/* They look like the header of a record: five bytes, so only where one would begin. */
bool tls_is_record(const uint8_t *bytes, size_t len_bytes);
#endif
