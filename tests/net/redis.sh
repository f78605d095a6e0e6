#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# redis online and as target: after each load the contents are equal (DEBUG DIGEST), the account
# says that everything was delivered, and the target has never answered with an error.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kv.inc"
kv_start redis 6379 redis-server redis-cli redis-benchmark
kv_copy

# benchmark ARGUMENT...: says how fast the online server was
benchmark() {
  on client redis-benchmark -h "$(address online)" -q "$@" | tr '\r' '\n' |
    sed -n 's/^\(.* per second\).*/  | online: \1/p'
}

# copied NAME: the load just said is at the target
copied() {
  all_delivered "all delivered after $1"
  same_content "the same content after $1"
}

benchmark -t set,incr,lpush -c 20 -n 5000
copied "plain commands on 20 connections"
benchmark -t set,incr,lpush,rpush,sadd,hset,mset -P 16 -d 512 -c 50 -n 4000 -r 1000
copied "pipelines of 16 on 50 connections, random keys"
for scenario in transactions big; do
  online_does kv_redis $scenario
  copied $scenario
done
no_redis_errors "the target never answered with an error"
net_done
