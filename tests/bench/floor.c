/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor.c - what the kernel alone asks for one packet to the target: the unit in which the bench
 * states processor time. AF_PACKET, sendmmsg of 64, 120-byte IP packets with the right MAC and
 * checksums, one bridge hop; the target drops them in its input hook. User and system time of this
 * process by getrusage, which covers the softirq work that the sends trigger, as it does for
 * tcpcopy.
 *
 * usage: floor DEVICE SOURCE_IP TARGET_IP TARGET_MAC PACKETS      prints one line of JSON
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 64,
	ETHER_LEN = 14,
	IP_LEN = 20,
	TCP_LEN = 20,
	PACKET_LEN = 120,
	FRAME_LEN = ETHER_LEN + PACKET_LEN,
	SOURCE_PORT = 1024,
	TARGET_PORT = 9,
};

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t add16(const uint8_t *p, size_t len_bytes, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len_bytes; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return sum;
}

static unsigned fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

static void make_frame(uint8_t *f, const uint8_t *source_mac, const struct ether_addr *target_mac,
		       const char *source, const char *target, unsigned port)
{
	uint8_t *ip = f + ETHER_LEN, *tcp = ip + IP_LEN;

	memset(f, 0, FRAME_LEN);
	memcpy(f, target_mac->ether_addr_octet, 6);
	memcpy(f + 6, source_mac, 6);
	put16(f + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, PACKET_LEN);
	ip[8] = 64;
	ip[9] = 6;
	if (inet_pton(AF_INET, source, ip + 12) != 1 || inet_pton(AF_INET, target, ip + 16) != 1) {
		fprintf(stderr, "floor: not an IPv4 address\n");
		exit(2);
	}
	put16(ip + 10, fold(add16(ip, IP_LEN, 0)));
	put16(tcp, port);
	put16(tcp + 2, TARGET_PORT);
	tcp[12] = 0x50;
	tcp[13] = 0x18;
	put16(tcp + 14, 65535);
	memset(tcp + TCP_LEN, 'x', PACKET_LEN - IP_LEN - TCP_LEN);
	put16(tcp + 16,
	      fold(add16(tcp, PACKET_LEN - IP_LEN, add16(ip + 12, 8, 6 + PACKET_LEN - IP_LEN))));
}

static int open_device(const char *device, uint8_t mac[6])
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	struct ifreq r;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	memset(&r, 0, sizeof(r));
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", device);
	if (ioctl(fd, SIOCGIFHWADDR, &r) < 0)
		die(device);
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	to.sll_ifindex = (int)if_nametoindex(device);
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("bind");
	return fd;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void send_all(int fd, struct mmsghdr *messages, long packets)
{
	for (long sent = 0; sent < packets;) {
		int n = sendmmsg(fd, messages, BATCH, 0);

		if (n > 0)
			sent += n;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			die("sendmmsg");
	}
}

int main(int argc, char **argv)
{
	static uint8_t frames[BATCH][FRAME_LEN];
	static struct iovec parts[BATCH];
	static struct mmsghdr messages[BATCH];
	struct ether_addr *target_mac;
	struct rusage before, after;
	uint8_t mac[6];
	long packets;
	int fd;

	if (argc != 6 || !(target_mac = ether_aton(argv[4])) || (packets = atol(argv[5])) < 1) {
		fprintf(stderr, "usage: floor DEVICE SOURCE_IP TARGET_IP TARGET_MAC PACKETS\n");
		return 2;
	}
	fd = open_device(argv[1], mac);
	for (unsigned i = 0; i < BATCH; i++) {
		make_frame(frames[i], mac, target_mac, argv[2], argv[3], SOURCE_PORT + i);
		parts[i] = (struct iovec){.iov_base = frames[i], .iov_len = FRAME_LEN};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	send_all(fd, messages, packets / 10 + 1); /* caches, ARP, frequency */
	getrusage(RUSAGE_SELF, &before);
	send_all(fd, messages, packets);
	getrusage(RUSAGE_SELF, &after);
	double user = seconds(after.ru_utime) - seconds(before.ru_utime);
	double sys = seconds(after.ru_stime) - seconds(before.ru_stime);
	printf("{\"packets\":%ld,\"user_us\":%.3f,\"system_us\":%.3f,\"floor_us\":%.3f}\n", packets,
	       user * 1e6 / (double)packets, sys * 1e6 / (double)packets,
	       (user + sys) * 1e6 / (double)packets);
	return 0;
}
