#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tcpcopy on a host to which a switch mirrors the online server's port: both directions, twice with other tags and
# later, one direction only, and with the clients' own addresses.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mirror.inc"

# copied NAME [ARGUMENT...]: every id once, with the account of it
copied() {
  local name=$1
  shift
  rm -f "$net_dir/tcpcopy.log"
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  start_tcpcopy -x "$(at online 80)-$(at target 8080)" -i eth1 --promiscuous "$@"
  requests "$name"
  wait_delivered 10
  same_ids "$name: every id exactly once at the target, in order"
  all_delivered "$name: the account knows no loss"
  equal "$name: nothing was taken for an older connection" 0 "$(json_stat total sessions joined)"
  used=$(json_stat packets used) duplicate=$(json_stat packets duplicate)
  equal "$name: the sum of packets adds up" True "$(json_stat packets_add_up)"
  stop_tcpcopy
}

# The online host itself copies nothing, and is sent nothing of ours.
net_start
has_programs
make_mirror_port
start_nginx online 80
start_nginx target 8080
start_intercept
capture online stray "net $(faked_net)"

check "--check says that the traffic is a mirror's" "" grep -Eq 'note .*is no address of this host.*mirrored to it' \
  <(on mirror "$TCPCOPY" -x "$(at online 80)-$(at target 8080)" -s "$(in_brackets "$(address assistant)")" \
    -c "$(faked_clients)" -i eth1 --check)

mirror_nothing
mirror_to tap online ingress egress
copied both
used_once=$used
check "both: nothing comes twice" "$duplicate duplicates, $used used" [ $((20 * duplicate)) -lt "$used" ]
check "the log says what is captured" "" log_says "$net_dir/tcpcopy.log" \
  'is no address of this host, so a container.s, or mirrored to it'

make_wrapping
start_wrapping qinq
mirror_to towrap client ingress egress
copied twice
stop_wrapping
check "twice: the second of each is a duplicate" "$duplicate duplicates, $used used" \
  [ $((2 * duplicate)) -gt "$used" ] 
check "twice: as much is used as of one" "$used, of one $used_once" [ "$used" -lt $((used_once * 106 / 100)) ]

mirror_nothing
mirror_to tap online egress
copied to-server
check "to-server: nothing of the server was seen" "$used used" [ "$used" -lt "$used_once" ]

# Without -c: the target routes the client itself to the assistant.
ip -n "$(ns target)" route add "$(address client)" via "$(address assistant)"
mirror_nothing
mirror_to tap online ingress egress
without_c=1
copied own-address
no_packets "the online host sees nothing of the copy" stray
net_done
