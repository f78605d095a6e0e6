/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - plays scripts (README.md) and prints a line of TAP for each.
 *
 *	run               all scripts of the folder that it was built from
 *	run FILE...       these
 *	run -v FILE...    with every packet, as tcpdump prints them
 *
 * Each script runs in a process of its own, so that an assertion of the core ends only that.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/scripts/parse.h"
#include "tests/scripts/play.h"

enum {
	PATH_MAX_BYTES = 4096,
	SECONDS_MAX = 60, /* a script takes milliseconds */
};

struct list {
	char **paths;
	size_t count;
};

static void list_add(struct list *l, const char *path)
{
	l->paths = realloc(l->paths, (l->count + 1) * sizeof(*l->paths));
	if (!l->paths || !(l->paths[l->count++] = strdup(path)))
		abort();
}

static bool is_script(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".pkt") == 0;
}

/* All scripts in root/folder and below, by name; relative to root. */
static void find_scripts(struct list *l, const char *root, const char *folder)
{
	char path[PATH_MAX_BYTES];
	struct dirent **entries;
	int count;

	if (snprintf(path, sizeof(path), "%s/%s", root, folder) >= (int)sizeof(path))
		return;
	count = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		int n = snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] ? "/" : "", name);

		if (n < (int)sizeof(path) && is_script(name))
			list_add(l, path);
		else if (n < (int)sizeof(path) && !strchr(name, '.'))
			find_scripts(l, root, path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* Splits a path into the scripts' folder, which includes are relative to, and the rest. */
static void split(char root[PATH_MAX_BYTES], const char **name, const char *path)
{
	static const char folder[] = "tests/scripts/";
	const char *at = strstr(path, folder);

	if (at) {
		snprintf(root, PATH_MAX_BYTES, "%.*s", (int)(at - path + sizeof(folder) - 2), path);
		*name = at + sizeof(folder) - 1;
		return;
	}
	snprintf(root, PATH_MAX_BYTES, ".");
	*name = path;
}

/* Returns the exit status of the script's process. */
static int play_one(const char *root, const char *name, bool verbose)
{
	struct script script;
	char error[PLAY_ERROR_MAX] = "";
	int result = script_read(&script, root, name, error);

	if (!result)
		result = play(&script, verbose ? stdout : NULL, error);
	script_fini(&script);
	if (result)
		printf("# %s\n", error);
	return result ? 1 : 0;
}

static bool run_one(const char *root, const char *name, bool verbose)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(SECONDS_MAX);
		status = play_one(root, name, verbose);
		exit(status);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (WIFSIGNALED(status))
		printf("# %s/%s: ended by signal %d: %s\n", root, name, WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void title_of(char title[SCRIPT_TEXT_MAX], const char *root, const char *name)
{
	char path[2 * PATH_MAX_BYTES];
	FILE *f;

	title[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "r");
	if (f && fgets(title, SCRIPT_TEXT_MAX, f))
		title[strcspn(title, "\r\n")] = '\0';
	if (f)
		fclose(f);
}

static bool run_listed(const struct list *l, const char *fixed_root, bool verbose)
{
	bool all_good = true;

	printf("1..%zu\n", l->count);
	for (size_t i = 0; i < l->count; i++) {
		char root[PATH_MAX_BYTES];
		char title[SCRIPT_TEXT_MAX];
		const char *name = l->paths[i];
		bool good;

		if (fixed_root)
			snprintf(root, sizeof(root), "%s", fixed_root);
		else
			split(root, &name, l->paths[i]);
		good = run_one(root, name, verbose);
		title_of(title, root, name);
		printf("%sok %zu - %s: %s\n", good ? "" : "not ", i + 1, name,
		       strncmp(title, "# ", 2) == 0 ? title + 2 : title);
		all_good &= good;
	}
	return all_good;
}

int main(int argc, char **argv)
{
	char root[PATH_MAX_BYTES] = "";
	const char *source = getenv("srcdir"); /* as make check says it */
	struct list list = {0};
	bool verbose = false, all_good;
	int option;

	while ((option = getopt(argc, argv, "v")) != -1) {
		if (option != 'v') {
			fprintf(stderr, "usage: run [-v] [FILE...]\n");
			return 2;
		}
		verbose = true;
	}
	for (int i = optind; i < argc; i++)
		list_add(&list, argv[i]);
	if (optind == argc) {
		snprintf(root, sizeof(root), "%s/tests/scripts", source ? source : ".");
		find_scripts(&list, root, "");
	}
	all_good = run_listed(&list, root[0] ? root : NULL, verbose);
	if (!list.count)
		printf("not ok - no scripts in %s\n", root);
	all_good &= list.count > 0;
	for (size_t i = 0; i < list.count; i++)
		free(list.paths[i]);
	free(list.paths);
	return all_good ? 0 : 1;
}
