#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A MariaDB server, which speaks first, copied to another one that began with the same content: after each kind
# of load every table of the target equals the online server's, and the ledger says that all was delivered.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sql.inc"
need_programs mariadbd mariadb mariadb-install-db
net_start
has_programs
my_prepared=$top/tests/net/my_prepared.py

# client [OPTION...]: runs SQL of its stdin, in one connection
client() { on client mariadb --no-defaults -N -u tester -h 10.90.0.20 -P 3306 -D shop "$@"; }

# copied NAME TABLES: the target has finished every connection that has ended online, and both have the same
copied() {
  local name=$1 tables=$2
  wait_for 20 my_copies_ended || true
  equal "$name: as many connections at the target" "$(my_sessions online 10.90.0.10)" "$(my_sessions target 10.91)"
  same_state "$name: the same state" "$(my_state online shop "$tables")" "$(my_state target shop "$tables")"
  all_delivered "$name: all was delivered"
}

prepare() {
  local n
  init_mariadb
  start_mariadb online 3306
  {
    echo "create database shop; create user tester@'%'; create user secret@'%' identified by 'word';"
    echo "grant all on shop.* to tester@'%'; grant all on shop.* to secret@'%'; use shop;"
    for n in 1 2 3 4; do
      echo "create table goods_$n (id int primary key, name varchar(100), price decimal(10,2));"
      echo "create table photos_$n (id int primary key, name varchar(100), photo longblob);"
    done
    for n in loaded refused unchecked {older,newer}_{1..4}; do
      echo "create table $n (id int primary key, name varchar(200), n int);"
    done
  } >"$net_dir/prepare.sql"
  my online "source $net_dir/prepare.sql"
  stop_pid "$mariadb_online"
  same_start mariadb
  start_mariadb online 3306
  start_mariadb target 3307
}

# shop_sql TABLE: 1,515 statements, by hundreds: rows, changes, a transaction that is kept and one that is not, a
# statement that fails, and prepared ones in SQL
shop_sql() {
  awk -v t="$1" 'BEGIN {
    for (h = 0; h < 15; h++) {
      for (i = 0; i < 84; i++) {
        id = h * 84 + i
        print "insert into " t " values (" id ", \"" t " " id "\", " id % 97 ".5);"
      }
      print "update " t " set price = price * 1.1 where id % 7 = " h % 7 ";"
      print "delete from " t " where id % 31 = " h ";"
      print "select * from " t " where id % 3 = 1 order by id;"
      print "insert into " t " values (" h * 84 + 1 ", \"twice\", 0);"
      print "begin; update " t " set price = price + 1; delete from " t " where id = " h * 84 + 5 "; rollback;"
      print "begin; update " t " set name = concat(name, \" !\") where id % 11 = 3; commit;"
      print "prepare change from \"update " t " set price = ? where id = ?\";"
      print "set @price = " h ", @id = " h * 84 + 9 "; execute change using @price, @id;"
      print "set @price = " h + 1 ", @id = " h * 84 + 10 "; execute change using @price, @id;"
      print "deallocate prepare change;"
    }
  }'
}

statements() {
  local n clients=()
  for n in 1 2 3 4; do
    shop_sql "goods_$n" | client --force >"$net_dir/goods-$n.out" 2>&1 &
    clients+=($!)
  done
  wait "${clients[@]}"
  check "the statements were done online" "$(grep -ac Query "$net_dir/mariadb-online/statements.log") in its log" \
    [ "$(my online 'select count(*) from shop.goods_4')" -gt 500 ]
  copied "6,000 statements of 4 connections" goods
}

prepared_statements() {
  local n clients=() failed=0
  for n in 1 2 3 4; do
    on client "$my_prepared" 10.90.0.20 3306 shop "photos_$n" 200 >"$net_dir/photos-$n.out" 2>&1 &
    clients+=($!)
  done
  for n in "${clients[@]}"; do wait "$n" || failed=$((failed + 1)); done
  equal "clients whose prepared statements failed online" 0 "$failed"
  copied "prepared statements" photos
}

# The server asks for the file, so the target must ask for it as well.
load_data() {
  seq 1 40000 | awk '{ print $1 "\tgoods of a name that is long enough to make some megabytes " $1 "\t" $1 % 977 }' \
    >"$net_dir/goods.tsv"
  client --local-infile=1 <<<"load data local infile '$net_dir/goods.tsv' into table loaded"
  equal "LOAD DATA LOCAL loads a file online" 40000 "$(my online 'select count(*) from shop.loaded')"
  copied "LOAD DATA LOCAL of $(stat -c %s "$net_dir/goods.tsv") bytes" loaded
}

# inserts TABLE FIRST LAST
inserts() { seq "$2" "$3" | sed "s/.*/insert into $1 values (&, '$1', 0);/"; }

# tried NAME MOST COMMAND...: how many connections the target sees while the command runs
tried() {
  local name=$1 most=$2 n
  shift 2
  capture target syns 'src net 10.91.0.0/16 and tcp[tcpflags] & (tcp-syn | tcp-ack) = tcp-syn'
  "$@"
  n=$(count_packets syns)
  check "$name" "$n connections at the target" [ "$n" -ge 1 -a "$n" -le "$most" ]
}

# lost_requests NAME LEAST COMMAND...: at least so many of the command's requests are dropped as refused
lost_requests() {
  local name=$1 least=$2 lost
  shift 2
  lost=$(refused)
  "$@"
  lost=$(($(refused) - lost))
  check "$name" "$lost" [ "$lost" -ge "$least" ]
}

# Four connections that tcpcopy finds in their middle, four that begin meanwhile.
older_connections() {
  local n older=() newer=()
  for n in 1 2 3 4; do
    while read -r line; do
      echo "$line"
      sleep 0.01
    done < <(inserts "older_$n" 1 200) | client &
    older+=($!)
  done
  wait_for 5 my_has online shop.older_4 20
  start_tcpcopy -x 3306-10.90.0.30:3307
  for n in 1 2 3 4; do
    inserts "newer_$n" 1 100 | client &
    newer+=($!)
  done
  wait "${newer[@]}" "${older[@]}"
  equal "older ones go on meanwhile" 200 "$(my online 'select count(*) from shop.older_4')"
  wait_for 5 my_has target shop.newer_4 100 || true
  same_state "new connections are copied" "$(my_state online shop newer)" "$(my_state target shop newer)"
  equal "statements of older ones that the target did" 0 "$(my target 'select count(*) from shop.older_1')"
  older_are_named
}

# with_password TABLE: the answer to the online server's scramble is none to the target's.
with_password() { inserts "$1" 1 50 | client -u secret -pword; }

file_refused() {
  my target 'set global local_infile = off'
  {
    echo "load data local infile '$net_dir/goods.tsv' into table refused;"
    inserts refused 100001 100050
  } | client --local-infile=1
}

# What helps: a target that asks nobody.
passwords_unchecked() {
  stop_pid "$mariadb_target"
  start_mariadb target 3307 --skip-grant-tables
  with_password unchecked
  wait_for 5 my_has target shop.unchecked 50 || true
  same_state "with --skip-grant-tables at the target passwords are copied" \
    "$(my_state online shop unchecked)" "$(my_state target shop unchecked)"
}

prepare
start_intercept -F 'tcp and src port 3307'
start_tcpcopy -x 3306-10.90.0.30:3307
statements
prepared_statements
load_data
stop_tcpcopy
tried "older connections are tried once or twice" $((4 * 3 + 4)) older_connections
# One connection that the target ends, and at most three tries. Each may take a few statements with it.
tried "one with a password" 4 lost_requests "the ledger names its statements" 40 with_password refused
tried "one with a file that the target does not want" 4 lost_requests "and those behind a file" 40 file_refused
equal "none of these was done" 0 "$(my target 'select count(*) from shop.refused')"
passwords_unchecked
net_done
