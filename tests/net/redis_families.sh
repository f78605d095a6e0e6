#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# redis with clients of IPv4 and IPv6 at once: the target's content equals the online server's, with each sender, whether
# it is reached over both families or over IPv6 alone.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kv.inc"
. "$(dirname "$0")/families.inc"
kv_start redis 6379 redis-server redis-cli redis-benchmark

benchmark() {
  local family=${*: -1}
  on client redis-benchmark -h "$(address online "$family")" -q "${@:1:$#-1}" >/dev/null
}

# copied NAME ARGUMENT...: tcpcopy with these, and a load of both families
copied() {
  local name=$1
  shift
  : >"$net_dir/tcpcopy.log"
  redis online flushall >/dev/null
  redis target flushall >/dev/null
  kv_copy "$@"
  check "plain commands and pipelines of both families, $name" "" eval \
    'at_once benchmark -t set,incr,lpush -c 10 -n 2000 &&
     at_once benchmark -t set,incr,sadd,hset -P 16 -d 512 -c 20 -n 4000 -r 1000'
  kv_family=6 online_does kv_redis transactions
  all_delivered "all delivered, $name"
  same_content "the same content, $name"
  stop_tcpcopy
}

copied "each family to its own, by link" --send link -x "$(each_to_its_own 6379 6379)" -c "$(pools)"
copied "all to IPv6, by ip" --send ip -x "$(all_to 6 6379 6379)" -c "$(faked_clients 6)"
no_redis_errors "the target never answered with an error"
net_done
