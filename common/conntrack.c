/* SPDX-License-Identifier: BSD-2-Clause */
/* conntrack.c - see conntrack.h. */
#include "common/conntrack.h"

#include <inttypes.h>
#include <stdio.h>

/* 0 if there is no such file. */
static uint64_t read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	uint64_t number = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu64, &number) != 1)
		number = 0;
	fclose(f);
	return number;
}

bool conntrack_read(struct conntrack *c)
{
	c->entries = read_number("/proc/sys/net/netfilter/nf_conntrack_count");
	c->max = c->entries ? read_number("/proc/sys/net/netfilter/nf_conntrack_max") : 0;
	return c->entries > 0;
}
