#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The sender on a real link, between two hosts of its own: packets of both backends arrive whole and
# with right checksums, link follows its neighbour, auto finds the way that works, and faults of
# the network are counted and pass.
#
#   near 10.93.0.1, fd93::1  ----veth----  far 10.93.0.2, fd93::2     faked client 10.92.0.7
. "$(dirname "$0")/lib.sh"
PROBE=${PROBE-$BUILD/tests/net/sender_probe}
net_hosts=(near far)

why=$([ "$(id -u)" -eq 0 ] || echo "needs root"
  for tool in ip nft tcpdump python3; do command -v $tool >/dev/null || echo "$tool is not installed"; done)
[ -z "$why" ] || skip_all "$(head -1 <<<"$why")"
ip netns add "$net_prefix-try" 2>/dev/null || skip_all "cannot make network namespaces"
ip netns del "$net_prefix-try"
[ -x "$PROBE" ] || { echo "not ok 1 - $PROBE is not built"; exit 1; }

net_dir=$(mktemp -d "${TMPDIR-/tmp}/$net_prefix.XXXXXX")
chmod 755 "$net_dir"
trap net_stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
far_mac=02:00:00:00:93:02

hosts_up() {
  local host
  for host in near far; do
    ip netns add "$(ns $host)"
    set_sysctl $host net/ipv6/conf/default/accept_dad 0
    ip -n "$(ns $host)" link set lo up
  done
  ip -n "$(ns near)" link add eth0 type veth peer name eth0 netns "$(ns far)"
  ip -n "$(ns far)" link set eth0 address $far_mac
  addresses_up
}

addresses_up() {
  ip -n "$(ns near)" addr replace 10.93.0.1/24 dev eth0
  ip -n "$(ns far)" addr replace 10.93.0.2/24 dev eth0
  ip -n "$(ns near)" addr replace fd93::1/64 dev eth0 nodad
  ip -n "$(ns far)" addr replace fd93::2/64 dev eth0 nodad
  ip -n "$(ns near)" link set eth0 up
  ip -n "$(ns far)" link set eth0 up
}

# probe ARGUMENT...: to the far host; the way it took is in $said, its last line in $result
probe() {
  local out
  out=$(on near "$PROBE" "$@" 2>"$net_dir/probe.err")
  said=$(grep -m1 ' after ' <<<"$out")
  result=$(tail -n 1 <<<"$out")
}

# value KEY: of the result
value() { python3 -c 'import json,sys; print(json.loads(sys.argv[1])[sys.argv[2]])' "$result" "$1"; }

forget() { ip -n "$(ns near)" neigh flush dev eth0; }

# As seen by a host: all TCP of the faked client, up to 500 packets.
# The buffer has room for a burst of slots of this length.
dump() {
  start "$1" "dump-$2" tcpdump -Z root -i eth0 -U --immediate-mode -s 16384 -B 8192 -c 500 \
    -w "$net_dir/$2.pcap" tcp
  dump_pid=$started
  wait_for 5 test -s "$net_dir/$2.pcap"
}

undump() {
  sleep 0.3
  stop_pid "$dump_pid" INT
}

lines() { tcpdump -r "$net_dir/$1.pcap" -nn -vv -e 2>/dev/null | grep -c -- "$2"; }

# right NAME DUMP COUNT FLAGS: so many packets, each with right checksums and to the right MAC
right() {
  equal "$1: all arrive" "$3" "$(lines "$2" "Flags \[$4\]")"
  equal "$1: every TCP checksum is right" "$3" "$(lines "$2" '(correct)')"
  equal "$1: no checksum is wrong" 0 "$(lines "$2" 'incorrect\|bad cksum')"
}

# offloads 0|1: without, the kernel itself cuts, and finishes the checksums
offloads() {
  on near python3 - "$1" <<'END'
import array, fcntl, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for command in (0x17, 0x1F):  # ETHTOOL_STXCSUM, ETHTOOL_STSO
    value = array.array("B", struct.pack("II", command, int(sys.argv[1])))
    request = struct.pack("16sP", b"eth0", value.buffer_info()[0]) + bytes(16)
    fcntl.ioctl(s, 0x8946, request)  # SIOCETHTOOL
END
}

hosts_up

# ---- both backends, both families, with and without payload ------------------------------------
offloads 0
for mode in link ip; do
  for payload in 0 1 999 1448; do
    flags=S; [ $payload = 0 ] || flags=P.
    dump far "$mode-$payload"
    probe --mode $mode --target 10.93.0.2 --count 100 --payload $payload
    undump
    right "IPv4 by $mode, payload $payload" "$mode-$payload" 100 "$flags"
    equal "IPv4 by $mode, payload $payload: all are counted" "100 0" "$(value packets) $(value failed)"
  done
done
dump far link-df
probe --mode link --target 10.93.0.2 --count 1
undump
check "DF is set and the TTL is 64" "" grep -q 'ttl 64, .*flags \[DF\]' \
  <(tcpdump -r "$net_dir/link-df.pcap" -nn -vv 2>/dev/null)
equal "and the frame goes from MAC to MAC" 1 "$(lines link-df "> $far_mac")"

for mode in link ip; do
  forget
  dump far "$mode-v6"
  probe --mode $mode --target fd93::2 --source fd92::7 --count 100 --payload 501
  undump
  right "IPv6 by $mode" "$mode-v6" 100 P.
done

# On a device that sums up, by link the checksum is left to it: a virtual one leaves it for good.
offloads 1
for address in '10.93.0.2' 'fd93::2 --source fd92::7'; do
  target=${address%% *}
  dump far "unsummed-$target"
  # shellcheck disable=SC2086
  probe --mode link --target $address --count 100 --payload 501
  undump
  equal "to $target by link: all arrive" 100 "$(lines "unsummed-$target" 'Flags \[P\.\]')"
  equal "to $target by link: the checksums are the device's" 100 "$(lines "unsummed-$target" '(incorrect')"
done

# ---- super-packets: cut by the kernel on the link, by the sender otherwise ---------------------
for mode in link ip; do
  dump far "$mode-gso"
  probe --mode $mode --target 10.93.0.2 --count 1 --payload 14480 --gso 1448
  undump
  equal "14480 bytes by $mode arrive, and no byte more" 14480 \
    "$(show_packets $mode-gso 100 | sed -n 's/.* length \([0-9]*\).*/\1/p' | awk '{s += $1} END {print s}')"
done
right "14480 bytes by ip are ten packets" ip-gso 10 'P\?\.'
equal "and only the last has PSH" 1 "$(lines ip-gso 'Flags \[P\.\]')"

# A device without offloads: the kernel itself cuts.
offloads 0
dump far cut
probe --mode link --target 10.93.0.2 --count 1 --payload 14481 --gso 1448
undump
right "14481 bytes by link, cut without offloads, are eleven packets" cut 11 'P\?\.'
equal "and only the last has PSH" 1 "$(lines cut 'Flags \[P\.\]')"
dump far cut-v6
probe --mode link --target fd93::2 --source fd92::7 --count 1 --payload 14281 --gso 1428
undump
right "14281 bytes of IPv6 likewise" cut-v6 11 'P\?\.'
probe --mode link --target 10.93.0.2 --count 1 --payload 14480 --gso 1461
equal "pieces above the MTU are counted as too long" 1 "$(value too_long)"
for mode in link ip; do
  probe --mode $mode --target 10.93.0.2 --count 3 --payload 3000
  equal "packets above the MTU are counted and not fatal, $mode" "0 3" "$(value packets) $(value too_long)"
done

# ---- the choice of auto ------------------------------------------------------------------------
forget
probe --mode auto --target 10.93.0.2 --count 10
check "auto takes link where the neighbour answers" "$said" grep -q '^link after [0-9]* ms: next hop 10.93.0.2 on eth0' <<<"$said"
check "and waits no longer than the answer takes" "$said" grep -Eq '^link after [0-9]{1,3} ms' <<<"$said"
probe --mode auto --target 127.0.0.1 --count 10
check "auto takes ip to loopback" "$said" grep -q '^ip after .*: same host' <<<"$said"
probe --mode auto --target 10.93.0.1 --count 10
check "auto takes ip to the same host" "$said" grep -q '^ip after .*: same host' <<<"$said"
equal "and packets go" "10 0" "$(value packets) $(value failed)"
probe --mode auto --target 10.93.0.9 --count 10
check "auto takes ip where nobody answers ARP, and says so" "$said" \
  grep -q '^ip after .*: no neighbour answers ARP for 10.93.0.9' <<<"$said"
check "within about a second" "$said" grep -Eq '^ip after 1?[0-9]{3} ms' <<<"$said"
check "but not at once" "$said" grep -Eq '^ip after (9[0-9]{2}|1[0-9]{3}) ms' <<<"$said"
probe --mode auto --target fd93::2 --source fd92::7 --count 10
check "auto takes link where the neighbour answers a solicitation" "$said" \
  grep -Eq '^link after [0-9]{1,3} ms: next hop fd93::2 on eth0' <<<"$said"
equal "and packets go" "10 0" "$(value packets) $(value no_neighbour)"
probe --mode auto --target fd93::9 --source fd92::7 --count 10
check "auto takes ip where nobody does, and says so" "$said" \
  grep -Eq '^ip after 1[0-9]{3} ms: no neighbour answers neighbour discovery for fd93::9' <<<"$said"
ip -n "$(ns near)" route add 10.95.0.0/24 via inet6 fd93::2 dev eth0
dump far via-v6
probe --mode auto --target 10.95.0.2 --count 10
undump
check "IPv4 through an IPv6 neighbour is sent to what that answers" "$said" \
  grep -q '^link after .*: next hop fd93::2 on eth0' <<<"$said"
equal "and arrives there" 10 "$(lines via-v6 "> $far_mac, ethertype IPv4")"
probe --mode link --target 10.93.0.9 --count 10
equal "link counts packets without a neighbour" "0 10" "$(value packets) $(value no_neighbour)"
check "and says that it has none" "$said" grep -q 'next hop 10.93.0.9 on eth0, which does not answer ARP$' <<<"$said"
ip -n "$(ns near)" tuntap add dev tun0 mode tun
ip -n "$(ns near)" addr add 10.94.0.1/24 dev tun0
ip -n "$(ns near)" link set tun0 up
probe --mode auto --target 10.94.0.2 --count 1
check "auto takes ip on a device without a MAC" "$said" \
  grep -q '^ip after .*: device without a link-layer address' <<<"$said"
probe --mode link --target 10.94.0.2
check "link says why it cannot" "" grep -q 'device without a link-layer address.*auto' "$net_dir/probe.err"
probe --mode auto --target 203.0.113.1
check "a target without a route is refused, with the reason" "" grep -q '203.0.113.1: there is no route' "$net_dir/probe.err"
probe --mode auto --target 10.93.0.2 --fall-back --count 10
check "and moves to ip when told so" "$said" grep -q '^ip after .*: no SYN is answered' <<<"$said"
equal "where packets go on" "10 0" "$(value packets) $(value failed)"
dump far given-mac
probe --mode link --target 10.93.0.9 --next-hop 02:00:00:00:93:77 --count 5
undump
equal "a next hop given by its MAC is used as it is" "5 5" "$(value packets) $(lines given-mac '> 02:00:00:00:93:77')"
dump far given-v6
probe --mode link --target fd93::9 --source fd92::7 --next-hop 02:00:00:00:93:77 --source-mac 02:00:00:00:93:66 --count 5
undump
equal "and so are both MACs, by IPv6" 5 "$(lines given-v6 '02:00:00:00:93:66 > 02:00:00:00:93:77')"

# ---- neighbours that come late, move, and go ---------------------------------------------------
# later SECONDS COMMAND...
later() { local s=$1; shift; (sleep "$s"; "$@") >/dev/null 2>&1 & }

forget
ip -n "$(ns far)" link set eth0 down
later 2 ip -n "$(ns far)" link set eth0 up
probe --mode link --target 10.93.0.2 --count 60 --interval 50
check "a neighbour that answers late is found within about a second" "$result" \
  [ "$(value packets)" -ge 20 -a "$(value packets)" -le 55 ]
wait
addresses_up
ip -n "$(ns far)" addr add 10.93.0.9/24 dev eth0
ip -n "$(ns far)" addr del 10.93.0.9/24 dev eth0

moves() {
  ip -n "$(ns far)" link set eth0 address 02:00:00:00:93:03
  on far python3 - <<'END'
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
mac, ip = bytes.fromhex("020000009303"), socket.inet_aton("10.93.0.2")
s.send(b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + mac + ip + b"\0" * 6 + ip)
END
}
dump far moved
later 1.2 moves
probe --mode link --target 10.93.0.2 --count 60 --interval 50
undump
wait
equal "no packet is refused while the neighbour moves" "60 0" "$(value packets) $(value failed)"
check "link follows a neighbour that tells its new MAC" \
  "$(lines moved "> $far_mac") to the old, $(lines moved '> 02:00:00:00:93:03') to the new" \
  [ "$(lines moved '> 02:00:00:00:93:03')" -ge 25 ]
check "and the log says so" "" grep -q 'next hop 10.93.0.2 has moved to 02:00:00:00:93:03' "$net_dir/probe.err"

# To all nodes: fd93::2 is at 02:00:00:00:93:05, as from beyond a router; at 06, by a proxy; at 07, with override.
advertises() {
  on far python3 - <<'END'
import socket, struct, time
address, nodes = socket.inet_pton(socket.AF_INET6, "fd93::2"), socket.inet_pton(socket.AF_INET6, "ff02::1")
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for flags, last, hop_limit in ((0x20, 5, 254), (0, 6, 255), (0x20, 7, 255)):
    mac = bytes((2, 0, 0, 0, 0x93, last))
    message = bytes((136, 0, 0, 0, flags, 0, 0, 0)) + address + b"\2\1" + mac
    pseudo = address + nodes + struct.pack("!II", len(message), 58) + message
    total = sum(struct.unpack("!%dH" % (len(pseudo) // 2), pseudo))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    message = message[:2] + struct.pack("!H", ~total & 0xffff) + message[4:]
    s.send(bytes.fromhex("333300000001") + mac + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(message), 58, hop_limit) +
           address + nodes + message)
    time.sleep(0.2)
END
}
dump far advertised
later 0.8 advertises
probe --mode link --target fd93::2 --source fd92::7 --count 60 --interval 50
undump
wait
check "link follows an unsolicited advertisement" "$(lines advertised '> 02:00:00:00:93:07') to the new" \
  [ "$(lines advertised '> 02:00:00:00:93:07')" -ge 1 ]
equal "but neither a proxy nor one from beyond a router" "0 0" \
  "$(lines advertised '> 02:00:00:00:93:05') $(lines advertised '> 02:00:00:00:93:06')"

# The kernel's entry changes, and no ARP message tells.
dump far told
later 1.2 ip -n "$(ns near)" neigh replace 10.93.0.2 lladdr 02:00:00:00:93:04 nud permanent dev eth0
probe --mode auto --target 10.93.0.2 --count 60 --interval 50
undump
wait
check "link follows the kernel's table" "$(lines told '> 02:00:00:00:93:04') to the new" \
  [ "$(lines told '> 02:00:00:00:93:04')" -ge 1 ]
ip -n "$(ns near)" neigh del 10.93.0.2 dev eth0

# A neighbour that comes up long after auto gave it up: the kernel finds it for ip.
later 3 ip -n "$(ns far)" addr add 10.93.0.9/24 dev eth0
probe --mode auto --target 10.93.0.9 --count 100 --interval 70
wait
check "auto comes back to link when the neighbour appears" "$result" [ "$(value mode)" = link ]
check "and the log says so" "" grep -q 'packets to 10.93.0.9 now leave by link' "$net_dir/probe.err"
ip -n "$(ns far)" addr del 10.93.0.9/24 dev eth0

# ---- faults of the network ---------------------------------------------------------------------
on near nft -f - <<'END'
table ip guard {
  chain out {
    type filter hook output priority 0
    ip saddr 10.92.0.7 drop
  }
}
END
probe --mode ip --target 10.93.0.2 --count 100
equal "a firewall that drops what ip sends is counted and not fatal" "0 100 100" \
  "$(value packets) $(value failed) $(value permission)"
probe --mode link --target 10.93.0.2 --count 100
equal "and link passes below it" "100 0" "$(value packets) $(value failed)"
on near nft delete table ip guard

bounce() {
  ip -n "$(ns near)" link set eth0 down
  sleep 1
  addresses_up
}
for mode in link ip auto; do
  forget
  dump far "bounce-$mode"
  later 1 bounce
  probe --mode $mode --target 10.93.0.2 --count 80 --interval 50
  undump
  wait
  check "$mode: packets fail while the device is down" "$result" [ "$(value unreachable)" -ge 10 ]
  check "$mode: and go again when it is up" \
    "$(lines "bounce-$mode" 'Flags \[S\]') of 80 arrived" \
    grep -q 'seq 1079' <(show_packets "bounce-$mode" 100)
done

# A device that is made anew has another index.
remake() {
  ip -n "$(ns near)" link del eth0
  sleep 0.5
  ip -n "$(ns near)" link add eth0 type veth peer name eth0 netns "$(ns far)"
  ip -n "$(ns far)" link set eth0 address $far_mac
  addresses_up
}
later 1 remake
probe --mode auto --target 10.93.0.2 --count 80 --interval 50
wait
check "auto finds a device that was made anew" "$result" [ "$(value packets)" -ge 40 -a "$(value mode)" = link ]

# ---- no privilege ------------------------------------------------------------------------------
on near setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$PROBE" \
  --target 10.93.0.2 2>"$net_dir/probe.err"
equal "without privilege it does not open" 2 $?
check "and names what is missing" "$(head -1 "$net_dir/probe.err")" grep -q 'CAP_NET_RAW.*root.*setcap' "$net_dir/probe.err"
net_done
