/* SPDX-License-Identifier: BSD-2-Clause */
/* parse.c - lines as steps; connections and included files. */
#include "tests/scripts/parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scripts/words.h"

enum {
	LATE_US = 2100, /* the timer wheel's: never early, at most two ticks late */
	DEFAULT_ISN = 1000,
	DEFAULT_SERVER_ISN = 50000,
	DEFAULT_IRS = 7000000,
	PATH_TEXT_MAX = 1024,
};

/* What follows the verb. */
enum argument {
	ARGUMENT_NONE,
	ARGUMENT_PACKET,
	ARGUMENT_NAME,
	ARGUMENT_NUMBER,
	ARGUMENT_NAME_NUMBER,
	ARGUMENT_REST,
	ARGUMENT_ROOM, /* a number or any */
	ARGUMENT_NUMBER_PACKET,
};

static const struct {
	const char *word;
	enum argument argument;
} verbs[VERBS] = {
	[VERB_CLIENT] = {"client", ARGUMENT_PACKET},
	[VERB_SERVER] = {"server", ARGUMENT_PACKET},
	[VERB_TARGET] = {"target", ARGUMENT_PACKET},
	[VERB_EXPECT] = {"expect", ARGUMENT_PACKET},
	[VERB_EXPECT_QUESTION] = {"expect-question", ARGUMENT_PACKET},
	[VERB_EXPECT_STREAM] = {"expect-stream", ARGUMENT_PACKET},
	[VERB_NOTHING] = {"nothing", ARGUMENT_NONE},
	[VERB_ANY] = {"any", ARGUMENT_NONE},
	[VERB_SENT] = {"sent", ARGUMENT_NUMBER},
	[VERB_FLOOD] = {"flood", ARGUMENT_NUMBER_PACKET},
	[VERB_FRAME] = {"frame", ARGUMENT_REST},
	[VERB_REFUSED] = {"refused", ARGUMENT_NONE},
	[VERB_TOO_BIG] = {"too-big", ARGUMENT_REST},
	[VERB_LINK] = {"link", ARGUMENT_NUMBER},
	[VERB_ROOM] = {"room", ARGUMENT_ROOM},
	[VERB_BATCH] = {"batch", ARGUMENT_NONE},
	[VERB_END] = {"end", ARGUMENT_NONE},
	[VERB_SHUTDOWN] = {"shutdown", ARGUMENT_NONE},
	[VERB_BEGINS] = {"begins", ARGUMENT_NUMBER},
	[VERB_STATE] = {"state", ARGUMENT_NAME},
	[VERB_LEDGER] = {"ledger", ARGUMENT_NAME_NUMBER},
	[VERB_REGISTERED] = {"registered", ARGUMENT_NUMBER},
	[VERB_TUPLE] = {"tuple", ARGUMENT_REST},
	[VERB_ISS] = {"iss", ARGUMENT_NUMBER},
	[VERB_NOTICE] = {"notice", ARGUMENT_NAME},
	[VERB_URGENT] = {"urgent", ARGUMENT_NAME},
	[VERB_PAUSED] = {"paused", ARGUMENT_NAME},
	[VERB_PATH_MTU] = {"path-mtu", ARGUMENT_NUMBER},
};

static int read_file(struct script *s, const char *root, const char *name, int depth, char *error);

static struct step *add_step(struct script *s)
{
	if (s->step_count == s->step_room) {
		s->step_room = s->step_room ? 2 * s->step_room : 64;
		s->steps = realloc(s->steps, s->step_room * sizeof(*s->steps));
		if (!s->steps)
			abort();
	}
	memset(&s->steps[s->step_count], 0, sizeof(s->steps[0]));
	return &s->steps[s->step_count++];
}

static void add_connection(struct script *s, const char *name)
{
	struct connection_text *c = &s->connections[s->connection_count++];

	*c = (struct connection_text){.isn = DEFAULT_ISN, .server_isn = DEFAULT_SERVER_ISN};
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->client, sizeof(c->client), "10.9.0.%zu:40000", s->connection_count);
	snprintf(c->server, sizeof(c->server), "10.0.0.2:80");
}

static struct connection_text *find_connection(struct script *s, const char *name)
{
	for (size_t i = 0; i < s->connection_count; i++)
		if (strcmp(s->connections[i].name, name) == 0)
			return &s->connections[i];
	return NULL;
}

/* connection NAME [CLIENT [> SERVER]] [isn N] [server-isn N] */
static int parse_connection(struct words *w, struct script *s)
{
	char name[SCRIPT_NAME_MAX];
	struct connection_text *c;
	uint64_t number;

	if (words_text(w, "the connection's name", name, sizeof(name)))
		return -1;
	if (!find_connection(s, name)) {
		if (s->connection_count == SCRIPT_CONNECTIONS_MAX)
			return words_fail(w, "more than %d connections", SCRIPT_CONNECTIONS_MAX);
		add_connection(s, name);
	}
	c = find_connection(s, name);
	while (words_next(w)) {
		if (words_is(w, "isn") || words_is(w, "server-isn")) {
			uint32_t *isn = words_is(w, "isn") ? &c->isn : &c->server_isn;

			if (words_number(w, w->word, UINT32_MAX, &number))
				return -1;
			*isn = (uint32_t)number;
		} else if (words_is(w, ">")) {
			if (words_text(w, "the server", c->server, sizeof(c->server)))
				return -1;
		} else {
			snprintf(c->client, sizeof(c->client), "%.*s", SCRIPT_NAME_MAX - 1,
				 w->word);
		}
	}
	return 0;
}

static int parse_include(struct words *w, struct script *s, const char *root, int depth)
{
	char name[SCRIPT_TEXT_MAX];

	if (words_text(w, "the file to include", name, sizeof(name)))
		return -1;
	if (depth == SCRIPT_INCLUDE_DEPTH)
		return words_fail(w, "files include each other too deeply");
	return read_file(s, root, name, depth + 1, w->error);
}

/* "+200ms", "+200ms~10ms" */
static int parse_delay(struct words *w, struct step *step)
{
	char text[SCRIPT_TEXT_MAX];
	char *tolerance;

	strcpy(text, w->word + 1);
	tolerance = strchr(text, '~');
	if (tolerance)
		*tolerance++ = '\0';
	step->has_delay = true;
	step->late_us = LATE_US;
	if (words_duration(w, text, &step->delay_us))
		return -1;
	if (!tolerance)
		return 0;
	if (words_duration(w, tolerance, &step->early_us))
		return -1;
	step->late_us = step->early_us;
	return 0;
}

/* "b:", "b/2:" (to the second target), "b-1:" (the session before the newest), "b-1/2:" */
static int parse_whose(struct words *w, struct script *s, struct step *step)
{
	struct connection_text *c;
	unsigned long target = 1, ago = 0;
	char name[SCRIPT_TEXT_MAX];
	char *mark;

	strcpy(name, w->word);
	name[strlen(name) - 1] = '\0';
	if ((mark = strchr(name, '/'))) {
		target = strtoul(mark + 1, NULL, 10);
		*mark = '\0';
	}
	if ((mark = strchr(name, '-'))) {
		ago = strtoul(mark + 1, NULL, 10);
		*mark = '\0';
	}
	if (target < 1 || target > SCRIPT_TRANSFERS_MAX)
		return words_fail(w, "'%s' names no target", w->word);
	c = find_connection(s, name);
	if (!c)
		return words_fail(w, "no connection is called '%s'", name);
	step->connection = (size_t)(c - s->connections);
	step->transfer = target - 1;
	step->ago = ago;
	return 0;
}

static int parse_rest(struct words *w, struct step *step)
{
	size_t n = 0;

	while (words_next(w))
		n += (size_t)snprintf(step->text + n, sizeof(step->text) - n, "%s%s", n ? " " : "",
				      w->word);
	return n ? 0 : words_fail(w, "'%s' needs an argument", verbs[step->verb].word);
}

static int parse_argument(struct words *w, struct step *step)
{
	const char *word = verbs[step->verb].word;

	switch (verbs[step->verb].argument) {
	case ARGUMENT_NONE:
		return 0;
	case ARGUMENT_PACKET: {
		const char *from = w->at + strspn(w->at, " \t");

		snprintf(step->text, sizeof(step->text), "%s", from);
		return parse_packet(w, step->verb, &step->packet);
	}
	case ARGUMENT_NUMBER_PACKET:
		if (words_number(w, word, SCRIPT_FLOOD_MAX, &step->number))
			return -1;
		return parse_packet(w, VERB_CLIENT, &step->packet);
	case ARGUMENT_NAME:
		return words_text(w, word, step->text, sizeof(step->text));
	case ARGUMENT_NUMBER:
		return words_number(w, word, UINT64_MAX, &step->number);
	case ARGUMENT_NAME_NUMBER:
		if (words_text(w, word, step->text, sizeof(step->text)))
			return -1;
		return words_number(w, step->text, UINT64_MAX, &step->number);
	case ARGUMENT_REST:
		return parse_rest(w, step);
	case ARGUMENT_ROOM:
		if (words_text(w, word, step->text, sizeof(step->text)))
			return -1;
		step->number = strtoull(step->text, NULL, 10);
		return 0;
	}
	return 0;
}

static int parse_verb(struct words *w, struct step *step)
{
	for (int i = 0; i < VERBS; i++) {
		if (!words_is(w, verbs[i].word))
			continue;
		step->verb = (enum verb)i;
		if (parse_argument(w, step))
			return -1;
		return words_next(w) ? words_fail(w, "'%s' is too much", w->word) : 0;
	}
	return words_fail(w, "'%s' is nothing that happens or is expected", w->word);
}

/* [+TIME[~TOLERANCE]] [NAME[/TARGET]:] VERB ...; a time alone is one of silence. */
static int parse_step(struct words *w, struct script *s)
{
	struct step *step = add_step(s);
	bool more = true;

	step->file = w->file;
	step->line = w->line;
	step->verb = VERB_NOTHING;
	if (w->word[0] == '+') {
		if (parse_delay(w, step))
			return -1;
		more = words_next(w);
	}
	if (more && w->word[strlen(w->word) - 1] == ':') {
		if (parse_whose(w, s, step))
			return -1;
		if (!words_next(w))
			return words_fail(w, "who, but not what");
	}
	return more ? parse_verb(w, step) : 0;
}

static int parse_line(struct words *w, struct script *s, const char *root, int depth)
{
	if (!words_next(w))
		return 0;
	if (words_is(w, "include"))
		return parse_include(w, s, root, depth);
	if (words_is(w, "config")) {
		if (s->step_count)
			return words_fail(w, "config comes before all that happens");
		return parse_config(w, &s->config);
	}
	if (words_is(w, "connection"))
		return parse_connection(w, s);
	return parse_step(w, s);
}

/* The first line of a script says what it shows. */
static int take_title(struct words *w, struct script *s, int depth)
{
	if (w->line != 1 || depth)
		return 0;
	if (strncmp(w->at, "# ", 2) != 0)
		return words_fail(w, "the first line is to say, after a #, what the script shows");
	snprintf(s->title, sizeof(s->title), "%s", w->at + 2);
	return 0;
}

static char *remember_file(struct script *s, const char *path)
{
	char *copy = strdup(path);

	s->files = realloc(s->files, (s->file_count + 1) * sizeof(*s->files));
	if (!copy || !s->files)
		abort();
	return s->files[s->file_count++] = copy;
}

static int read_file(struct script *s, const char *root, const char *name, int depth, char *error)
{
	char path[PATH_TEXT_MAX];
	char text[SCRIPT_TEXT_MAX];
	struct words w = {.error = error};
	int result = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	w.file = remember_file(s, path);
	f = fopen(path, "r");
	if (!f)
		return words_fail(&w, "%s", strerror(errno));
	while (!result && fgets(text, sizeof(text), f)) {
		w.line++;
		w.at = text;
		if (!strchr(text, '\n') && !feof(f))
			result = words_fail(&w, "the line is too long");
		text[strcspn(text, "\r\n")] = '\0';
		if (!result)
			result = take_title(&w, s, depth);
		if (!result)
			result = parse_line(&w, s, root, depth);
	}
	fclose(f);
	return result;
}

int script_read(struct script *s, const char *root, const char *name,
		char error[2 * SCRIPT_TEXT_MAX])
{
	memset(s, 0, sizeof(*s));
	s->config = (struct script_config){
		.give_up_us = 600000000,
		.keep_alive_us = UINT64_C(7200000000),
		.memory_bytes = 256 << 20,
		.sessions = 65536,
		.copies = 1,
		.mtu_bytes = 1500,
		.online_mtu_bytes = 1500,
		.clock_us = 1000000000,
		.irs = DEFAULT_IRS,
	};
	add_connection(s, "a");
	error[0] = '\0';
	return read_file(s, root, name, 0, error);
}

void script_fini(struct script *s)
{
	for (size_t i = 0; i < s->file_count; i++)
		free(s->files[i]);
	free(s->files);
	free(s->steps);
	memset(s, 0, sizeof(*s));
}
