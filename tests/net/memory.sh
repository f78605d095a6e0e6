#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 500 MB of uploads are copied with -m 64 to a target whose program reads nothing: what does not fit is
# shed, by session and largest first, and said so; nothing else is lost, and afterwards all is as before.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/memory.inc"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy -m 64
watch_memory "$tcpcopy" tcpcopy
watch_memory "$intercept" intercept

# The kernel takes connections and what fits its buffers, the program nothing.
target_program() { kill "-$1" "$nginx_target" $(pgrep -P "$nginx_target"); }

# dropped_for_others CAUSE...: the other causes that something was dropped for
dropped_for_others() {
  python3 - "$net_dir/stats.json" "$@" <<'END'
import json, sys
dropped = json.load(open(sys.argv[1]))["total"]["stream"]["dropped"]
print(" ".join(c for c, sums in dropped.items() if sums["bytes"] and c not in sys.argv[2:]))
END
}

fresh_stats() { touch "$net_dir/asked"; wait_for 5 stats_are_new; }

fresh_stats
at_start=$(rss_anon "$tcpcopy")
accounted_at_start=$(($(json_stat memory_bytes) / 1024))
target_program STOP
run_load --connections 50 --requests 200 --rate 400 --id-prefix small
load_is_ok "the online server answers small requests"
run_load --connections 100 --requests 400 --rate 130 --method PUT --path /put/x --body 1250000 --id-prefix large
load_is_ok "the online server takes 500 MB"
fresh_stats
held=$(($(rss_anon "$tcpcopy") - at_start))
accounted=$(($(json_stat memory_bytes) / 1024 - accounted_at_start))
check "what is accounted for is what is held" "$accounted kB of $held kB" \
  test $((held * 100)) -lt $((accounted * 110)) -a $((held * 100)) -gt $((accounted * 85))
check "most of -m is used" "$accounted kB" test "$accounted" -gt 40000
check "much was shed for memory" "" test "$(json_stat total stream dropped limit bytes)" -gt 300000000
equal "and for no other reason" "" "$(dropped_for_others limit backlog)"
check "the log says so, once" "" test "$(grep -c 'the memory of -m 64 is used up' "$net_dir/tcpcopy.log")" -eq 1

target_program CONT
all_delivered "what was not shed is delivered" limit backlog?
stop_watching tcpcopy
stop_watching intercept
below "tcpcopy never had more anonymous memory" 80 "$(most_memory tcpcopy)"
below "intercept had little" 16 "$(most_memory intercept)"
check "it runs" "" is_running "$tcpcopy"
check "sessions were shed as a whole" "$("$top/tests/net/check_sessions.py" "$net_dir/target/access.log" large)" \
  "$top/tests/net/check_sessions.py" "$net_dir/target/access.log" large
equal "the small sessions were none of these" 200 "$(grep -c ' small' "$net_dir/target/access.log")"
below "and has given it back" 24 "$(rss_anon "$tcpcopy")"

run_load --connections 50 --requests 1000 --rate 1000 --id-prefix new
load_is_ok "the online server answers new requests"
run_load --connections 10 --requests 50 --rate 100 --method PUT --path /put/x --body 1250000 --id-prefix newput
load_is_ok "and takes new uploads"
all_delivered "the account adds up afterwards" limit backlog?
sleep 0.3 # what is in the log buffers
for host in online target; do
  mkdir -p "$net_dir/new-$host"
  grep ' new' "$net_dir/$host/access.log" >"$net_dir/new-$host/access.log"
done
same_ids "every new id exactly once at the target" new-online new-target
stop_tcpcopy
equal "tcpcopy ends with exit status 0" 0 "$tcpcopy_status"
net_done
