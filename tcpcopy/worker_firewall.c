/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker_firewall.c - looks once a second whether this host's firewall is in the way of what is sent by ip, or its conntrack table
 * takes the copies in. Each is said when it begins. The texts are those of firewall_advice.c.
 */
#include "tcpcopy/worker_private.h"

#include <string.h>

#include "common/log.h"
#include "tcpcopy/firewall_advice.h"

enum {
	QUIET_TICKS = 60, /* without a refused packet, after which it would be news again */
};

static size_t targets_by_ip(const struct worker *w, struct endpoint targets[TRANSFERS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < w->options->transfer_count; i++) {
		const struct endpoint *e = &w->options->transfers[i].target;
		size_t k = 0;

		if (sender_mode_of(w->sender, &e->addr, NULL) != SENDER_IP)
			continue;
		while (k < count && !endpoint_equal(&targets[k], e))
			k++;
		if (k == count)
			targets[count++] = *e;
	}
	return count;
}

static void log_lines(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL)
		log_plain(LOG_LEVEL_WARN, "%s", line);
}

void worker_watch_firewall(struct worker *w)
{
	struct worker_firewall *state = &w->firewall;
	struct endpoint targets[TRANSFERS_MAX];
	struct firewall_facts f = {.targets = targets};
	char text[FIREWALL_TEXT_MAX];
	struct sender_stats stats;
	bool is_refused, is_tracked;

	sender_get_stats(w->sender, &stats);
	is_refused = stats.failed_permission > state->refused;
	state->refused = stats.failed_permission;
	state->quiet_ticks = is_refused ? 0 : state->quiet_ticks + 1;
	if (state->quiet_ticks == QUIET_TICKS)
		state->told_refused = false;
	if (!(is_refused && !state->told_refused) && state->told_tracking)
		return;
	f.target_count = targets_by_ip(w, targets);
	if (!f.target_count)
		return;
	f.refused = stats.failed_permission;
	f.can_link = w->options->send == SENDER_IP;
	is_tracked = conntrack_read(&f.conntrack);
	if (is_refused && !state->told_refused) {
		firewall_refused_text(text, sizeof(text), &f);
		log_lines(text);
	} else if (is_tracked && !state->told_tracking) {
		firewall_tracking_text(text, sizeof(text), &f);
		log_lines(text);
	}
	/* What is said of refused packets holds the remedy for tracking too. */
	state->told_refused |= is_refused;
	state->told_tracking |= is_tracked;
}
