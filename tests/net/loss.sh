#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# 5 % of the packets lost on the way to the target, 5 % of its answers: everything is delivered.
. "$(dirname "$0")/lib.sh"
net_start
has_programs
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
# To the target behind its device, from it on the switch, so that its own TCP learns of no drop.
on target nft -f - <<'END'
table inet loss {
  chain input {
    type filter hook input priority 0;
    ip saddr 10.91.0.0/16 numgen random mod 100 < 5 counter drop
  }
}
END
on switch nft -f - <<'END'
table bridge loss {
  chain forward {
    type filter hook forward priority 0;
    ip daddr 10.91.0.0/16 numgen random mod 100 < 5 counter drop
  }
}
END
run_load --connections 50 --requests 5000 --rate 1000 --id-prefix keep
load_is_ok "the online server answers all, kept-alive"
run_load --connections 100 --requests 500 --rate 250 --short --id-prefix short
load_is_ok "the online server answers all, short"
run_load --connections 10 --requests 50 --rate 25 --method PUT --path /put/%s --body 100000 --id-prefix put
load_is_ok "the online server answers all, uploads"
wait_delivered 60
dropped() { on "$1" nft list ruleset | grep -o 'packets [0-9]*' | cut -d' ' -f2; }
in=$(dropped target)
out=$(dropped switch)
if [ "$in" -gt 100 ] && [ "$out" -gt 100 ]; then ok "packets were lost both ways" "$in, $out"; else
  not_ok "packets were lost both ways" "$in, $out"
fi
same_ids "every id exactly once at the target, in order"
net_done
