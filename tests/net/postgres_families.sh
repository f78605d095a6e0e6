#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# PostgreSQL with clients of IPv4 and IPv6 at once: every table of the target equals the online server's, with each
# sender, whether it is reached over both families or over IPv6 alone.
net_family=both
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sql.inc"
. "$(dirname "$0")/families.inc"
need_programs postgres initdb psql pgbench
net_start
has_programs

prepare() {
  init_postgres
  start_postgres online 5432
  PGHOST=$net_dir/postgres-online PGPORT=5432 \
    pgbench -i -q -s 4 -I dtGvp --unlogged-tables >"$net_dir/pgbench-init.out" 2>&1
  pg online 'create table goods (id int primary key, name text)'
  seq 60000 | awk '{ print $1 "\tgoods of a name that is long enough to make some megabytes " $1 }' >"$net_dir/goods.tsv"
  stop_pid "$postgres_online" INT
  same_start postgres
  start_postgres online 5432
  start_postgres target 5433
}

bench() {
  on client pgbench -n -h "$(address online "$2")" -p 5432 -c 4 -M "$1" -t 150 >"$net_dir/pgbench-$2.out" 2>&1
}

# copied NAME ARGUMENT...: tcpcopy with these, and a load of both families
copied() {
  local name=$1
  shift
  : >"$net_dir/tcpcopy.log"
  start_tcpcopy "$@"
  for mode in extended prepared; do
    check "pgbench -M $mode runs online in both families, $name" "" at_once bench $mode
  done
  on client psql -XqAt -h "$(address online 6)" -p 5432 -c 'truncate goods' -c "\\copy goods from '$net_dir/goods.tsv'"
  equal "COPY loads a file online over IPv6" 60000 "$(pg_count online goods)"
  wait_for 20 pg_copies_ended || true
  equal "as many connections at the target, $name" "$(pg_sessions online "$real_clients" received)" \
    "$(pg_sessions target "$faked_hosts" received)"
  same_state "the same state, $name" "$(pg_state online 'pgbench|goods')" "$(pg_state target 'pgbench|goods')"
  all_delivered "all delivered, $name"
  stop_tcpcopy
}

prepare
start_intercept -F 'tcp and src port 5433'
copied "each family to its own, by link" --send link -x "$(each_to_its_own 5432 5433)" -c "$(pools)"
copied "all to IPv6, by ip" --send ip -x "$(all_to 6 5432 5433)" -c "$(faked_clients 6)"
net_done
