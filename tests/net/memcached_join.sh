#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tcpcopy starts in the middle of memcached traffic, in text and binary protocol: each connection is
# joined where a command begins, and from then on nothing is missing.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kv.inc"
kv_start memcached 11211 memcached

stored() { memcached_counts "$1" | sed 's/.*cmd_set=\([0-9]*\).*/\1/'; }
has_stored() { [ "$(stored "$1")" -ge "$2" ]; }

online_does kv_memcached numbers 600 150 >"$net_dir/numbers.said" &
load=$!
wait_for 10 has_stored online 1500
kv_copy
wait $load
check "the online server answers as it should" "$(head -1 "$net_dir/numbers.said")" grep -q '^ok' "$net_dir/numbers.said"
all_delivered "all delivered but what came before the joins" before_join no_intercept?
for host in online target; do locally $host kv_memcached streams >"$net_dir/$host.json"; done
for kind in text binary; do
  if out=$("$KV/kv_joined.py" "$net_dir/online.json" "$net_dir/target.json" 1 $kind: --to-the-end); then
    ok "nothing is missing behind a join, $kind" "$out"
  else
    not_ok "nothing is missing behind a join, $kind" "$out"
  fi
done
equal "each connection was joined once" "$(json_stat total sessions joined)" 10
net_done
