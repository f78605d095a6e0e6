#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Devices that carry packets and not frames, as WireGuard's and those of other tunnels: clients come by one, the
# target is reached by another, and the answers get to the assistant by a third. None has a MAC, so the copies leave by
# ip, and the log says why; link is refused with the reason.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/devices.inc"

# plug DEVICE HOST ADDRESS HOST ADDRESS
plug() {
  start "$2" "cable-$1" python3 "$(dirname "$0")/tun_cable.py" "$(ns "$2"):$1" "$(ns "$4"):$1"
  wait_for 5 grep -q plugged "$net_dir/cable-$1.out" || skip_all "no TUN devices here: $(tail -1 "$net_dir/cable-$1.out")"
  ip -n "$(ns "$2")" addr add "$3" peer "$5" dev "$1"
  ip -n "$(ns "$4")" addr add "$5" peer "$3" dev "$1"
  ip -n "$(ns "$2")" link set "$1" up
  ip -n "$(ns "$4")" link set "$1" up
}

net_start
has_programs
plug clients client 10.94.0.10 online 10.94.0.20
plug copies online 10.95.0.20 target 10.95.0.30
plug back target 10.96.0.30 assistant 10.96.0.40
ip -n "$(ns target)" route replace 10.91.0.0/16 dev back
start_nginx online 80
start_nginx target 8080

run_load() { load_result=$(on client "$LOAD" --to 10.94.0.20:80 "$@"); }
pair=80-10.95.0.30:8080
copy_through "default devices, auto" back -x "$pair"
says "the tunnel is captured on" 'capturing on clients$'
says "auto has taken ip and says why" 'sending by ip \(device without a link-layer address\)'
copy_through "the tunnel by name, ip" any -x "$pair" -i clients --send ip
copy_through "any, auto" back -x "$pair" -i any

launch_tcpcopy -x "$pair" --send link
wait_for 5 has_ended "$tcpcopy"
wait "$tcpcopy"
equal "link is refused" 1 $?
check "with the reason and the remedy" "" grep -q 'device without a link-layer address; "ip" or "auto" may do' "$net_dir/tcpcopy.log" "$net_dir/tcpcopy.log.out"
net_done
