#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Mail: the server speaks first, several mails a connection, with and without pipelining, some recipients refused.
# All servers must have taken the same mails, byte by byte; also a target of another name, which all its answers
# have in them, and a slower one.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/web.inc"
net_start
has_programs
need aiosmtpd

start_smtp() {
  start_server "$1" "$2" "$3" $python "$net_tests/smtp.py" server --port "$2" --mails "$net_dir/$3/mails" "${@:4}"
}
start_smtp online 25 online
start_smtp target 2500 same
start_smtp target 2501 renamed --name a-mail-server-of-another-name.target.example
start_smtp target 2502 slower --name m.de --delay 15
start_intercept -F 'tcp and src portrange 2500-2502'
# A connection is all or nothing: in its middle no server knows who speaks.
start_tcpcopy -O -x 25-10.90.0.30:2500,25-10.90.0.30:2501,25-10.90.0.30:2502
capture_resets

mails() { sort "$net_dir/$1/mails"; }
has_all() { [ "$(wc -l <"$net_dir/$1/mails")" -ge "$2" ]; }

# send NAME SUM OPTION...: so many mails more; all servers must have had SUM by then
send() {
  local name=$1 sum=$2 target
  run_client $python "$net_tests/smtp.py" client --to 10.90.0.20:25 "${@:3}"
  load_is_ok "$name: the online server takes all"
  for target in same renamed slower; do
    wait_for 20 has_all "$target" "$sum"
    check "$name: the mails of the target are those of the online server, $target" \
      "$(wc -l <"$net_dir/$target/mails") mails" diff <(mails online) <(mails $target)
  done
  equal "$name: so many mails were taken online" "$sum" "$(wc -l <"$net_dir/online/mails")"
}

send "one command at a time" 200 --connections 20 --mails 10
send "pipelining" 400 --connections 20 --mails 10 --pipelining --first 100
send "a mail a connection" 500 --connections 100 --mails 1 --first 200

no_packets "no RST of a faked client at the targets" resets
all_delivered "the ledger: everything was delivered to each target"
net_done
