/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - see check.h. */
#include "intercept/check.h"

#include <event2/event.h>

#include "common/capture.h"
#include "common/findings.h"
#include "intercept/advice.h"
#include "intercept/host_check.h"
#include "intercept/link_server.h"
#include "intercept/worker.h"

static void check_device(const struct intercept_options *o, const char *device, struct findings *f)
{
	const struct capture_config config = {
		.device = device,
		.filter = o->filter,
		.snaplen_bytes = WORKER_SNAPLEN_BYTES,
		.buffer_bytes = WORKER_CAPTURE_BUFFER_BYTES,
		.immediate = true,
		.ignore_outgoing = true,
	};
	char error[CAPTURE_ERROR_MAX];
	struct capture *capture = capture_open(&config, error);

	if (capture)
		findings_ok(f, "packets can be captured on %s", device);
	else
		findings_wrong(f, "capture: %s", error);
	capture_close(capture);
}

static void check_port(const struct intercept_options *o, struct findings *f)
{
	const struct link_server_config config = {.bind = o->bind, .port = o->port};
	struct event_base *base = event_base_new();
	char error[LINK_SERVER_ERROR_MAX] = "no memory, or no descriptors";
	struct link_server *server = base ? link_server_open(base, &config, error) : NULL;

	if (server)
		findings_ok(f, "port %u is free for tcpcopy", (unsigned)o->port);
	else
		findings_wrong(f, "link: %s", error);
	link_server_close(server);
	if (base)
		event_base_free(base);
}

/* Wrong only if the target's answers come here; a bridge of containers forwards as well. */
static void check_forwarding(struct findings *f)
{
	char text[ADVICE_TEXT_MAX];

	for (int is_v4 = 1; is_v4 >= 0; is_v4--) {
		if (!host_check_forwards(is_v4))
			continue;
		advice_forwarding_at_start(text, sizeof(text), is_v4);
		for (char *c = text; *c; c++)
			if (*c == '\n')
				*c = ' ';
		findings_note(f, "%s", text);
	}
}

unsigned intercept_check(const struct intercept_options *o, FILE *out)
{
	struct findings f = {.out = out};

	findings_ok(&f, "the options are right");
	for (size_t i = 0; i < o->device_count; i++)
		check_device(o, o->devices[i], &f);
	check_port(o, &f);
	check_forwarding(&f);
	findings_check_log(&f, "intercept", o->log_file, o->daemon);
	findings_check_pid_file(&f, o->pid_file);
	findings_check_stats_file(&f, o->stats_file);
	return f.wrong_count;
}
