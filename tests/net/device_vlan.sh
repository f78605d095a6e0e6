#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The online host's address, and the assistant's, is on a VLAN device, eth0.10: packets are tagged on
# eth0 and are not on eth0.10.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/devices.inc"

# Kernels of test machines often have no VLAN devices, and no bridge that knows VLANs. What such a device
# does, these programs do: one end of a veth pair is eth0.10, the frames of the other end go tagged to eth0.
build_tagger() {
  cat >"$net_dir/tagger.c" <<'END'
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
static long (*push)(struct __sk_buff *, __be16, __u16) = (void *)BPF_FUNC_skb_vlan_push;
static long (*pop)(struct __sk_buff *) = (void *)BPF_FUNC_skb_vlan_pop;
static long (*redirect)(__u32, __u64) = (void *)BPF_FUNC_redirect;
#define PROGRAM(name) __attribute__((section(#name), used)) int name##_frame(struct __sk_buff *b)
PROGRAM(tag) { push(b, 0x0081, 10); return TC_ACT_OK; }
PROGRAM(untag) { if (b->vlan_present) pop(b); return TC_ACT_OK; }
PROGRAM(down) { push(b, 0x0081, 10); return redirect(LOWER, 0); }
PROGRAM(up) { if (!b->vlan_present) return TC_ACT_SHOT; pop(b); return redirect(UPPER, 0); }
char words[] __attribute__((section("license"), used)) = "Dual BSD/GPL";
END
}

# attach HOST DEVICE DIRECTION PROGRAM [LOWER UPPER]
attach() {
  clang -O2 -target bpf "-I/usr/include/$(uname -m)-linux-gnu" "-DLOWER=${5-0}" "-DUPPER=${6-0}" \
    -c "$net_dir/tagger.c" -o "$net_dir/tagger.o" &&
    { tc -n "$(ns "$1")" qdisc add dev "$2" clsact 2>/dev/null || true; } &&
    tc -n "$(ns "$1")" filter add dev "$2" "$3" bpf direct-action object-file "$net_dir/tagger.o" section "$4"
}

# make_vlan HOST: its port of the switch is an access port, tagged on the cable
make_vlan() {
  local lower upper
  ip -n "$(ns "$1")" link add eth0.10 address "$(on "$1" cat /sys/class/net/eth0/address)" type veth peer name tagger
  ip -n "$(ns "$1")" link set eth0.10 up
  ip -n "$(ns "$1")" link set tagger up
  lower=$(on "$1" cat /sys/class/net/eth0/ifindex)
  upper=$(on "$1" cat /sys/class/net/tagger/ifindex)
  attach "$1" tagger ingress down "$lower" "$upper" && attach "$1" eth0 ingress up "$lower" "$upper" &&
    attach switch "$1" ingress untag && attach switch "$1" egress tag || return 1
  move_address "$1" eth0.10
}

net_start
has_programs
build_tagger
make_vlan online >"$net_dir/vlan.out" 2>&1 || skip_all "no BPF here: $(tail -1 "$net_dir/vlan.out")"
make_vlan assistant
meet_again
start_nginx online 80
start_nginx target 8080
capture online tagged 'vlan 10 and tcp dst port 8080'
copy_through "default devices, auto" eth0.10
says "the VLAN device alone is captured on" 'capturing on eth0.10$'
says "and packets leave by it" 'sending by link \(next hop .* on eth0.10\)'
check "they are tagged on the cable" "$(count_packets tagged) packets of VLAN 10" [ "$(show_packets tagged | wc -l)" -gt 5 ]
copy_through "the VLAN device by name, link" any -i eth0.10 --send link
copy_through "the tagged device, auto" eth0 -i eth0
copy_through "any, ip" eth0.10 -i any --send ip
check "any sees packets with their tag and without" "$(json_stat packets duplicate) duplicates" \
  [ "$(json_stat packets duplicate)" -gt 500 ]
net_done
