/* SPDX-License-Identifier: BSD-2-Clause */
/* account.h - the ledger's numbers by the names that scripts use. */
#ifndef TESTS_SCRIPTS_ACCOUNT_H
#define TESTS_SCRIPTS_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "tcpcopy/ledger.h"

/*
 * "delivered.bytes", "capture-gap.requests" (a cause of dropping), "not-started.paused",
 * "sessions.started", "traffic.retransmitted", "packets.duplicate".
 * 0, or -1 for a name that does not exist.
 */
int account_get(uint64_t *value, const struct ledger *l, size_t target, const char *name);
#endif
