/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.c - the time at which each request passes a device: captures what goes to a port and prints
 * "ID MICROSECONDS" with the kernel's time of the packet. Two of them, on the online host and the
 * target, tell the delay of the copy. The namespaces of one machine share a clock.
 *
 * An id is what follows "?id=" in a request line; or with "offset" PORT.NUMBER.OFFSET, for protocols
 * without ids: the source port, which the copy keeps where it can, the connection's number of that
 * port, and the stream offset of the packet's first byte.
 *
 * usage: tap DEVICE PORT EVERY [offset]   only ids of every EVERYth connection; ends on TERM or INT
 */
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SNAPLEN = 256,
	BUFFER_BYTES = 32 << 20,
	TIMEOUT_MS = 100,
	ETHER_LEN = 14,
	ID_MAX = 48,
	PORTS = 65536,
};

/* The latest connection of a source port. */
struct flow {
	uint32_t isn;
	uint32_t number; /* 0: none was seen to begin */
};

struct tap {
	unsigned long every;
	bool is_by_offset;
	struct flow flows[PORTS];
};

/* A packet's parts; data may be shorter than what was said. */
struct view {
	unsigned source_port;
	uint32_t seq;
	bool is_syn;
	size_t said_bytes;
	const uint8_t *data;
	size_t data_bytes;
};

static pcap_t *the_handle; /* for the signal handler alone */

static void on_signal(int number)
{
	(void)number;
	pcap_breakloop(the_handle);
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool view_packet(struct view *v, const uint8_t *frame, size_t len_bytes)
{
	const uint8_t *ip = frame + ETHER_LEN, *tcp;
	size_t ip_len, head_len;

	if (len_bytes < ETHER_LEN + 40 || ip[0] >> 4 != 4)
		return false;
	ip_len = (size_t)(ip[0] & 15) * 4;
	if (len_bytes < ETHER_LEN + ip_len + 20)
		return false;
	tcp = ip + ip_len;
	head_len = ip_len + (size_t)(tcp[12] >> 4) * 4;
	if (len_bytes < ETHER_LEN + head_len || get16(ip + 2) < head_len)
		return false;
	*v = (struct view){
		.source_port = get16(tcp),
		.seq = (uint32_t)get16(tcp + 4) << 16 | get16(tcp + 6),
		.is_syn = tcp[13] & TH_SYN,
		.said_bytes = get16(ip + 2) - head_len,
		.data = ip + head_len,
		.data_bytes = len_bytes - ETHER_LEN - head_len,
	};
	return true;
}

/* Copies the id behind "?id=" in the request line; false if there is none. */
static bool find_id(char id[ID_MAX], const struct view *v)
{
	const uint8_t *end = v->data + v->data_bytes;
	const uint8_t *mark = memmem(v->data, v->data_bytes, "?id=", 4);
	size_t n = 0;

	if (!mark)
		return false;
	mark += 4;
	while (mark + n < end && n + 1 < ID_MAX && mark[n] != ' ') {
		id[n] = (char)mark[n];
		n++;
	}
	id[n] = '\0';
	return mark + n < end && mark[n] == ' ';
}

static bool make_id(char id[ID_MAX], struct tap *t, const struct view *v)
{
	struct flow *f = &t->flows[v->source_port];

	if (v->is_syn && (!f->number || f->isn != v->seq)) {
		f->isn = v->seq;
		f->number++;
	}
	if (!f->number || v->said_bytes == 0)
		return false;
	snprintf(id, ID_MAX, "%u.%" PRIu32 ".%" PRIu32, v->source_port, f->number,
		 v->seq - f->isn - 1);
	return true;
}

static void on_packet(u_char *arg, const struct pcap_pkthdr *h, const u_char *frame)
{
	struct tap *t = (struct tap *)arg;
	struct view v;
	char id[ID_MAX];

	if (!view_packet(&v, frame, h->caplen) ||
	    !(t->is_by_offset ? make_id(id, t, &v) : find_id(id, &v)))
		return;
	if (strtoul(id, NULL, 10) % t->every == 0)
		printf("%s %" PRIu64 "\n", id,
		       (uint64_t)h->ts.tv_sec * 1000000 + (uint64_t)h->ts.tv_usec);
}

static pcap_t *open_tap(const char *device, const char *port)
{
	char error[PCAP_ERRBUF_SIZE] = "", filter[64];
	struct bpf_program program;
	pcap_t *p = pcap_create(device, error);

	snprintf(filter, sizeof(filter), "tcp dst port %s", port);
	if (!p || pcap_set_snaplen(p, SNAPLEN) || pcap_set_timeout(p, TIMEOUT_MS) ||
	    pcap_set_buffer_size(p, BUFFER_BYTES) || pcap_activate(p) < 0 ||
	    pcap_setdirection(p, PCAP_D_IN) || pcap_compile(p, &program, filter, 1, 0) ||
	    pcap_setfilter(p, &program)) {
		fprintf(stderr, "tap: %s: %s\n", device, p ? pcap_geterr(p) : error);
		exit(1);
	}
	pcap_freecode(&program);
	return p;
}

int main(int argc, char **argv)
{
	static struct tap tap;
	struct sigaction action = {.sa_handler = on_signal};
	struct pcap_stat s;

	tap.is_by_offset = argc == 5 && strcmp(argv[4], "offset") == 0;
	if (argc != 4 + tap.is_by_offset || (tap.every = strtoul(argv[3], NULL, 10)) < 1) {
		fprintf(stderr, "usage: tap DEVICE PORT EVERY [offset]\n");
		return 2;
	}
	the_handle = open_tap(argv[1], argv[2]);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	fprintf(stderr, "ready\n");
	pcap_loop(the_handle, -1, on_packet, (u_char *)&tap);
	if (pcap_stats(the_handle, &s) == 0 && s.ps_drop)
		fprintf(stderr, "tap: %u of %u packets were not seen\n", s.ps_drop, s.ps_recv);
	pcap_close(the_handle);
	return fflush(stdout) == 0 ? 0 : 1;
}
