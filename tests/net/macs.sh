#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# MACs in -x: @srcMAC is the source of every frame of the copy, @nextHopMAC its destination, which then
# nobody is asked for; by IPv4 and IPv6. Where ip is taken instead, the log says that they are not used.
net_family=both
. "$(dirname "$0")/lib.sh"

mac_of() { on "$1" cat /sys/class/net/eth0/address; }

# The target hears no question, and says nothing of itself to the online host.
hide() {
  on switch nft -f - <<'END'
table bridge hide {
  chain forward {
    type filter hook forward priority 0
    iifname "target" oifname "online" ether type arp drop
    iifname "target" oifname "online" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop
  }
}
END
  ip -n "$(ns online)" neigh flush all
}
show() { on switch nft delete table bridge hide; }

# copies NAME PAIR4 PAIR6 [ARGUMENT...]: a load by each family through these two pairs of -x
copies() {
  local name=$1 pairs=$2,$3
  shift 3
  cases=$((${cases-0} + 1))
  : >"$net_dir/online/access.log"
  : >"$net_dir/target/access.log"
  rm -f "$net_dir/tcpcopy.log"
  start_tcpcopy -x "$pairs" -c "$(faked_clients 4),$(faked_clients 6)" "$@"
  local f
  for f in 4 6; do
    load_result=$(on client "$LOAD" --to "$(at online 80 $f)" --connections 10 --requests 200 --rate 1000 --id-prefix "case$cases-$f")
    load_is_ok "$name: the online server answers all by IPv$f"
  done
  wait_delivered 5
  same_ids "$name: every id exactly once"
}

# stop NAME
stop() {
  stop_tcpcopy
  equal "$1: tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
}

logged() { grep -c -- "$1" "$net_dir/tcpcopy.log"; }

# pair FAMILY [srcMAC] [nextHopMAC]
pair() {
  local source
  source=$(at online 80 "$1")
  echo "$source${2:+@$2}-$(at target 8080 "$1")${3:+@$3}"
}

net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept

mine=02:00:00:00:00:77
capture target mine "ether src $mine and tcp dst port 8080"
capture target others "not ether src $mine and tcp dst port 8080"
copies "a source MAC" "$(pair 4 $mine)" "$(pair 6 $mine)"
stop "a source MAC"
n=$(count_packets mine)
check "every frame carries it" "$n frames" [ "$n" -gt 400 ]
no_packets "and no frame another" others

hide
copies "a next hop's MAC" "$(pair 4 "" "$(mac_of target)")" "$(pair 6 "" "$(mac_of target)")"
equal "nobody needs to be asked for it" "2 0" "$(logged 'sending by link') $(logged 'leave by')"
stop "a next hop's MAC"
show

# Frames to it go nowhere: after 16 SYNs ip has its turn, and is told what it leaves out.
nobody=02:00:00:00:00:99
copies "the MAC of nobody" "$(pair 4 "" $nobody)" "$(pair 6 "" $nobody)"
for f in 4 6; do
  equal "IPv$f leaves by ip then, which is told once" 1 \
    "$(logged "packets to $(address target $f) now leave by ip: the first SYNs are unanswered; the MAC given for it is not used")"
done
equal "nothing else is told of the way" 2 "$(logged 'leave by')"
stop "the MAC of nobody"

# --check, and the start, where there is no link layer at all
out=$(on online "$TCPCOPY" -x "80@$mine-10.90.0.20:8080" -s 10.90.0.40 -c 10.91.0.x --check 2>&1)
check "--check tells of a MAC that is not used" "$(grep note <<<"$out")" grep -q '^note .*10.90.0.20:8080.*MAC.*not used' <<<"$out"
launch_tcpcopy -x "80@$mine-10.90.0.20:8080"
check "and so does the start" "" wait_for 5 log_says "$net_dir/tcpcopy.log" 'warning: the MAC given in -x for 10.90.0.20:8080 is not used.*same host'
stop_tcpcopy
net_done
