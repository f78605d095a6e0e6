#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A PostgreSQL server copied to another one that began with the same content: after each kind of load
# every table of the target equals the online server's, and the ledger says that all was delivered.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sql.inc"
need_programs postgres initdb psql pgbench
net_start
has_programs

# client SQL...: one after the other, in one connection
client() { on client psql -XqAt -h "$(address online)" -p 5432 "${@/#/-c}"; }

bench() { on client pgbench -n -h "$(address online)" -p 5432 -c 4 "$@" >"$net_dir/pgbench.out" 2>&1; }

# copied NAME TABLES: the target has finished every connection that has ended online, and both have the same
copied() {
  local name=$1 tables=$2
  wait_for 20 pg_copies_ended || true
  equal "$name: as many connections at the target" "$(pg_sessions online "$real_clients" received)" \
    "$(pg_sessions target "$faked_hosts" received)"
  same_state "$name: the same state" "$(pg_state online "$tables")" "$(pg_state target "$tables")"
  all_delivered "$name: all was delivered"
}

prepare() {
  init_postgres
  start_postgres online 5432
  PGHOST=$net_dir/postgres-online PGPORT=5432 \
    pgbench -i -q -s 4 -I dtGvp --unlogged-tables >"$net_dir/pgbench-init.out" 2>&1
  pg online 'create table goods (id int primary key, name text, price numeric)' \
    'create table notes (id serial primary key, text text unique)' \
    'create table slow (id int)' 'create table older (id int)' 'create table newer (id int)'
  stop_pid "$postgres_online" INT
  same_start postgres
  start_postgres online 5432
  start_postgres target 5433
}

# The account balances are sums, so they do not depend on the order in which connections are served.
pgbench_modes() {
  local mode
  for mode in simple extended prepared; do
    check "pgbench -M $mode runs online" "" bench -M $mode -t 300
    copied "pgbench -M $mode" pgbench
  done
}

pipelines() {
  cat >"$net_dir/pipeline.sql" <<'END'
\set n random(1, 1000000)
\startpipeline
insert into goods values (:client_id * 10000000 + :n, 'piped', :n) on conflict do nothing;
update goods set price = price + 1 where id = :client_id * 10000000 + :n;
select name, price from goods where id = :client_id * 10000000 + :n;
\endpipeline
END
  check "pipelines run online" "" bench -M extended -t 100 -f "$net_dir/pipeline.sql"
  copied "pipelines" goods
}

copy_in() {
  seq -f '%.0f' 200000000 200060000 |
    awk '{ print $1 "\tgoods of a name that is long enough to make some megabytes " $1 "\t" $1 % 977 }' \
      >"$net_dir/goods.tsv"
  client "\\copy goods from '$net_dir/goods.tsv'"
  equal "COPY loads a file online" 60001 "$(pg online 'select count(*) from goods where id >= 200000000')"
  # The second time the first line is refused, after the client has begun to send.
  client "\\copy goods from '$net_dir/goods.tsv'" >"$net_dir/copy.out" 2>&1
  check "and refuses it the second time" "" grep -q 'duplicate key' "$net_dir/copy.out"
  copied "COPY of $(stat -c %s "$net_dir/goods.tsv") bytes" goods
}

transactions() {
  client "begin; insert into notes (text) values ('kept'); commit" \
    "insert into notes (text) values ('in a failing batch'); select 1 / 0" 2>/dev/null
  {
    for i in {1..50}; do
      echo "begin; insert into notes (text) values ('whole $i'); savepoint s;"
      echo "insert into notes (text) values ('undone $i'); rollback to s; commit;"
      echo "begin; insert into notes (text) values ('gone $i'); rollback;"
      echo "begin; insert into notes (text) values ('lost $i'), ('whole $i'); commit;"
    done
  } >"$net_dir/notes.sql"
  on client psql -Xq -h "$(address online)" -p 5432 -f "$net_dir/notes.sql" >"$net_dir/notes.out" 2>&1
  equal "transactions were kept and rolled back online" 51 "$(pg online 'select count(*) from notes')"
  copied "transactions" notes
}

large_results() {
  local bytes
  bytes=$(client "select repeat('x', 1000) from generate_series(1, 15000)" | wc -c)
  equal "a result of 15 MB arrives at the client" 15015000 "$bytes"
  on client psql -XqAt -v FETCH_COUNT=500 -h "$(address online)" -p 5432 \
    -c 'select * from goods order by id' >"$net_dir/rows.out"
  client "\\copy goods to '$net_dir/copied.tsv'"
  equal "COPY sends the client every row" "$(pg_count online goods)" "$(wc -l <"$net_dir/copied.tsv")"
  client "insert into notes (text) values ('after large results')"
  copied "large results" 'goods|notes'
}

# A server without certificates answers an SSLRequest with the byte N, and the client goes on in clear text.
ssl_request() {
  capture client ssl 'dst port 5432 and tcp[((tcp[12] & 0xf0) >> 2) + 4:4] = 80877103'
  PGSSLMODE=prefer client "insert into notes (text) values ('after an SSLRequest')"
  equal "the client asked for SSL first" 1 "$(count_packets ssl)"
  copied "a refused SSLRequest" notes
}

# runs HOST QUERY [STATE]: a backend that serves a client over TCP is at it
runs() {
  [ "$(pg "$1" "select count(*) from pg_stat_activity
    where query like '$2%' and state like '${3-active}' and client_addr is not null")" -gt 0 ]
}

notifications() {
  local i
  talk psql -XqAt -h "$(address online)" -p 5432
  say 'listen news;'
  check "the client listens, and so does its copy" "" \
    wait_for 5 eval 'runs online listen idle && runs target listen idle'
  for i in {1..20}; do echo "notify news, 'number $i'; select 1;"; done |
    on client psql -Xq -h "$(address online)" -p 5432 >/dev/null
  say "insert into notes (text) values ('heard');"
  hang_up '\q'
  equal "the client was notified" 20 "$(grep -c 'notification "news"' "$net_dir/talk.out")"
  copied "notifications" notes
}

# A cancel request names the backend by a number and a key, which the target chose otherwise for the copy. So the
# target refuses it, and the copied statement runs on: then its client's next one waits for it.
cancel() {
  local psql begun
  start client cancel psql -XqAt -h "$(address online)" -p 5432 \
    -c 'insert into slow select 1 from pg_sleep(3)' -c 'insert into slow values (2)'
  psql=$started
  check "a slow statement runs at both" "" \
    wait_for 5 eval "runs online 'insert into slow' && runs target 'insert into slow'"
  begun=${EPOCHREALTIME/[.,]/}
  stop_pid "$psql" INT
  check "it was cancelled online" "" grep -q 'canceling statement due to user request' "$net_dir/cancel.out"
  equal "and the next one was done" 2 "$(pg online 'select id from slow')"
  wait_for 10 pg_copies_ended || true
  equal "the target did both" "1 2" "$(pg target 'select id from slow order by id' | paste -sd ' ')"
  echo "  | the copy ended $(((${EPOCHREALTIME/[.,]/} - begun) / 1000)) ms after the cancel request"
  check "for it refused the cancel request" "" grep -q 'in cancel request' "$net_dir/postgres-target.out"
  client 'delete from slow'
  copied "after a cancelled statement" slow
}

# tried NAME MOST COMMAND...: how many connections the target sees while the command runs
tried() {
  local name=$1 most=$2 before n
  shift 2
  before=$(pg_sessions target "$faked_hosts" received)
  "$@"
  n=$(($(pg_sessions target "$faked_hosts" received) - before))
  check "$name" "$n connections at the target" [ "$n" -ge 1 -a "$n" -le "$most" ]
}

# Four connections that tcpcopy finds in their middle, five that begin meanwhile.
older_connections() {
  local older captured lost
  echo 'insert into older values (:client_id); select count(*) from older' >"$net_dir/older.sql"
  echo 'insert into newer values (:client_id); select count(*) from newer' >"$net_dir/newer.sql"
  start client older pgbench -n -h "$(address online)" -p 5432 -c 4 -R 100 -t 50 -f "$net_dir/older.sql"
  older=$started
  wait_for 5 pg_has online older 20
  start_tcpcopy -x "5432-$(at target 5433)"
  captured=$(pg_count online older)
  check "new connections work beside older ones" "" bench -t 100 -f "$net_dir/newer.sql"
  check "older ones go on meanwhile" "" wait_for 20 has_ended "$older"
  same_state "new connections are copied" "$(pg_state online newer)" "$(pg_state target newer)"
  equal "statements of older ones that the target did" 0 "$(pg_count target older)"
  older_are_named
  lost=$(refused)
  captured=$((2 * ($(pg_count online older) - captured)))
  check "it names the statements of the older ones" "$lost, of about $captured" [ "$lost" -ge $((captured * 9 / 10)) ]
}

# The target ends a connection that was copied from its beginning on; its client does not know.
ended_by_target() {
  local i before lost
  before=$(refused)
  talk psql -XqAt -h "$(address online)" -p 5432
  say 'insert into older values (1);'
  check "a statement is copied" "" wait_for 5 pg_has target older 1
  pg target "select pg_terminate_backend(pid) from pg_stat_activity where client_addr << '$(faked_net)'" >/dev/null
  for i in {1..20}; do
    say 'insert into newer values (2);'
    wait_for 5 pg_has online newer $((400 + i))
  done
  hang_up '\q'
  # One or two may have gone to the old connection, and one is what the target was tried with.
  lost=$(($(refused) - before))
  check "the ledger names the later ones of a connection that the target ended" "$lost of 21" \
    [ "$lost" -ge 18 -a "$lost" -le 21 ]
}

prepare
start_intercept -F 'tcp and src port 5433'
start_tcpcopy -x "5432-$(at target 5433)"
pgbench_modes
pipelines
copy_in
transactions
large_results
ssl_request
notifications
cancel
stop_tcpcopy
tried "older connections are tried once or twice" $((4 * 3 + 5)) older_connections
tried "and one that the target ended" 4 ended_by_target
net_done
