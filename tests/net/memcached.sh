#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memcached online and as target, in text, meta and binary protocol: after each load both hold the
# same items, have carried out as many commands with the same success, and all was delivered.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kv.inc"
kv_start memcached 11211 memcached
kv_copy

# copied NAME: what has just been said to the online server is at the target
copied() {
  all_delivered "all delivered after $1"
  wait_for 5 memcached_counts_agree || true
  equal "the target has done the same after $1" \
    "$(memcached_counts online)" "$(memcached_counts target)"
  same_items "the same items after $1"
}

for scenario in text meta large; do online_does kv_memcached $scenario; done
copied "text and meta commands"
for scenario in binary quiet; do online_does kv_memcached $scenario; done
copied "the binary protocol"
net_done
