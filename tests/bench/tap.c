/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.c - the time at which each request passes a device: captures what goes to a port, finds the
 * id of each request and prints "ID MICROSECONDS" with the kernel's time of the packet. Two of
 * them, on the online host and the target, tell the delay of the copy. The namespaces of
 * one machine share a clock.
 *
 * usage: tap DEVICE PORT EVERY      only ids of every EVERYth connection; ends on TERM or INT
 */
#include <errno.h>
#include <inttypes.h>
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
};

static pcap_t *the_handle; /* for the signal handler alone */

static void on_signal(int number)
{
	(void)number;
	pcap_breakloop(the_handle);
}

/* Copies the id behind "?id=" in the request line; false if there is none. */
static bool find_id(char id[ID_MAX], const uint8_t *data, size_t len_bytes)
{
	const uint8_t *mark = memmem(data, len_bytes, "?id=", 4);
	size_t n = 0;

	if (!mark)
		return false;
	mark += 4;
	while (mark + n < data + len_bytes && n + 1 < ID_MAX && mark[n] != ' ') {
		id[n] = (char)mark[n];
		n++;
	}
	id[n] = '\0';
	return mark + n < data + len_bytes && mark[n] == ' ';
}

static void on_packet(u_char *arg, const struct pcap_pkthdr *h, const u_char *frame)
{
	unsigned long every = *(const unsigned long *)arg;
	size_t ip_len, tcp_len, offset;
	char id[ID_MAX];

	if (h->caplen < ETHER_LEN + 40 || frame[ETHER_LEN] >> 4 != 4)
		return;
	ip_len = (size_t)(frame[ETHER_LEN] & 15) * 4;
	if (h->caplen < ETHER_LEN + ip_len + 20)
		return;
	tcp_len = (size_t)(frame[ETHER_LEN + ip_len + 12] >> 4) * 4;
	offset = ETHER_LEN + ip_len + tcp_len;
	if (offset >= h->caplen || !find_id(id, frame + offset, h->caplen - offset))
		return;
	if (strtoul(id, NULL, 10) % every == 0)
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
	struct sigaction action = {.sa_handler = on_signal};
	unsigned long every;
	struct pcap_stat s;

	if (argc != 4 || (every = strtoul(argv[3], NULL, 10)) < 1) {
		fprintf(stderr, "usage: tap DEVICE PORT EVERY\n");
		return 2;
	}
	the_handle = open_tap(argv[1], argv[2]);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	fprintf(stderr, "ready\n");
	pcap_loop(the_handle, -1, on_packet, (u_char *)&every);
	if (pcap_stats(the_handle, &s) == 0 && s.ps_drop)
		fprintf(stderr, "tap: %u of %u packets were not seen\n", s.ps_drop, s.ps_recv);
	pcap_close(the_handle);
	return fflush(stdout) == 0 ? 0 : 1;
}
