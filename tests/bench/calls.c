/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls.c - how often a program makes which system call, and how much processor time that takes: a library for LD_PRELOAD,
 * between it and the C library. The counts stand in the file CALLS_FILE, which may be read at any time: one
 * struct count a call, and before them one whose ns is what a look at the clock takes. Half of that lies within each
 * measured call, half outside. Far less than a tracer takes, so that the program stays as it is.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
	CLOCK,
	EPOLL_WAIT,
	EPOLL_CTL,
	SENDMMSG,
	SEND,
	RECV,
	READ,
	WRITE,
	NANOSLEEP,
	TIMERFD_SETTIME,
	CALLS
};

/* rows.py knows this layout. */
struct count {
	char name[24];
	_Atomic uint64_t calls;
	_Atomic uint64_t ns;
};

static const char *const names[CALLS] = {
	[CLOCK] = "clock",         [EPOLL_WAIT] = "epoll_wait",
	[EPOLL_CTL] = "epoll_ctl", [SENDMMSG] = "sendmmsg",
	[SEND] = "send",           [RECV] = "recv",
	[READ] = "read",           [WRITE] = "write",
	[NANOSLEEP] = "nanosleep", [TIMERFD_SETTIME] = "timerfd_settime",
};

static struct count nowhere[CALLS];
static struct count *counts = nowhere;

static uint64_t thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *next_of(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found) {
		fprintf(stderr, "calls: there is no %s\n", name);
		abort();
	}
	return found;
}

static void count(unsigned call, uint64_t began_ns)
{
	int saved_errno = errno;

	atomic_fetch_add_explicit(&counts[call].ns, thread_ns() - began_ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&counts[call].calls, 1, memory_order_relaxed);
	errno = saved_errno;
}

static uint64_t clock_cost_ns(void)
{
	enum { LOOKS = 10000 };
	uint64_t began_ns = thread_ns();

	for (int i = 1; i < LOOKS; i++)
		(void)thread_ns();
	return (thread_ns() - began_ns) / LOOKS;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CALLS_FILE");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644) : -1;
	void *map = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(nowhere)) == 0)
		map = mmap(NULL, sizeof(nowhere), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		fprintf(stderr, "calls: CALLS_FILE: %s\n", path ? strerror(errno) : "not set");
		abort();
	}
	close(fd);
	for (unsigned i = 0; i < CALLS; i++)
		memcpy(((struct count *)map)[i].name, names[i], strlen(names[i]));
	atomic_store(&((struct count *)map)[CLOCK].ns, clock_cost_ns());
	counts = map;
}

/* Stands in for the C library's function of that name: calls it, and counts. */
#define COUNTED(type, name, call, parameters, arguments)  \
	type name parameters                              \
	{                                                 \
		static type(*real) parameters;            \
		uint64_t began_ns;                        \
		type result;                              \
                                                          \
		if (!real)                                \
			*(void **)&real = next_of(#name); \
		began_ns = thread_ns();                   \
		result = real arguments;                  \
		count(call, began_ns);                    \
		return result;                            \
	}

COUNTED(int, epoll_wait, EPOLL_WAIT, (int fd, struct epoll_event *events, int max, int timeout_ms),
	(fd, events, max, timeout_ms))
COUNTED(int, epoll_ctl, EPOLL_CTL, (int fd, int what, int of, struct epoll_event *event),
	(fd, what, of, event))
COUNTED(int, sendmmsg, SENDMMSG, (int fd, struct mmsghdr *messages, unsigned n, int flags),
	(fd, messages, n, flags))
COUNTED(ssize_t, send, SEND, (int fd, const void *data, size_t len, int flags),
	(fd, data, len, flags))
COUNTED(ssize_t, recv, RECV, (int fd, void *to, size_t size, int flags), (fd, to, size, flags))
COUNTED(ssize_t, read, READ, (int fd, void *to, size_t size), (fd, to, size))
COUNTED(ssize_t, write, WRITE, (int fd, const void *data, size_t len), (fd, data, len))
COUNTED(int, nanosleep, NANOSLEEP, (const struct timespec *t, struct timespec *left), (t, left))
COUNTED(int, timerfd_settime, TIMERFD_SETTIME,
	(int fd, int flags, const struct itimerspec *to, struct itimerspec *before),
	(fd, flags, to, before))
