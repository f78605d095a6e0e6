#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The habits of both programs as processes: the background (-d), the pid file (-P), the log file (-l) and its
# rotation in both ways, the terminal that is held, closed or never was. Through all of it the copy goes on.
. "$(dirname "$0")/lib.sh"

programs=(intercept tcpcopy)
declare -A host_of=([intercept]=assistant [tcpcopy]=online)

# command_of PROGRAM: into the array $command
command_of() {
  case $1 in
    intercept) command=("$INTERCEPT" -i eth0 -F 'tcp and src port 8080') ;;
    tcpcopy) command=("$TCPCOPY" -x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.91.0.x) ;;
  esac
}

# run PROGRAM ARGUMENT...: to the end of the command; its status in $run_status, its output in $run_said
run() {
  local program=$1
  shift
  command_of "$program"
  on "${host_of[$program]}" timeout 10 "${command[@]}" "$@" >"$net_dir/said" 2>&1 </dev/null
  run_status=$?
  run_said=$(cat "$net_dir/said")
}

log_of() { echo "$net_dir/$1.log"; }
pid_file_of() { echo "$net_dir/$1.pid"; }
pid_of() { cat "$(pid_file_of "$1")"; }
has_link() { [ -n "$(on online ss -Htn state established 'dport = :36524')" ]; }

# copied NAME PREFIX: requests of now reach the target
copied() {
  run_load --connections 10 --requests 300 --rate 600 --id-prefix "$2"
  wait_delivered 10
  same_ids "$1: every id exactly once at the target"
}

# ---- in the background ----------------------------------------------------------------------------

start_daemon() {
  run "$1" -d -l "$(log_of "$1")" -P "$(pid_file_of "$1")"
  [ "$run_status" -eq 0 ]
}

# A session of its own, nothing of the terminal, and nobody's child.
is_daemon() {
  local pid fd
  pid=$(pid_of "$1")
  [ "$(ps -o sid= -p "$pid" | tr -d ' ')" = "$pid" ] || return
  for fd in 0 1 2; do [ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ] || return; done
}

goes_to_background() {
  check "$1 -d returns with 0" "" start_daemon "$1"
  check "$1: its pid file names it" "$(pid_of "$1")" is_running "$(pid_of "$1")"
  check "$1: it has left the terminal" "" is_daemon "$1"
}

refuses_second() {
  local pid
  pid=$(pid_of "$1")
  for how in "" -d; do
    # shellcheck disable=SC2086
    run "$1" $how -P "$(pid_file_of "$1")" -l "$net_dir/second.log"
    check "$1 $how: a second one with the same pid file is refused, with the first's number" "$run_status" \
      eval '[ $run_status -eq 1 ] && grep -q "process $pid holds" <<<"$run_said"'
  done
  equal "$1: the first keeps its pid file" "$pid" "$(pid_of "$1")"
  check "$1: and runs" "" is_running "$pid"
}

tells_errors_of_the_start() {
  run "$1" -d -l /nonexistent/log -P "$net_dir/other.pid"
  check "$1 -d: an error of the start is told, and is the exit status" "$run_status" \
    eval '[ $run_status -eq 1 ] && grep -q "/nonexistent/log" <<<"$run_said"'
}

# The counters, as USR1 asks for them, are written to the log file.
counters() { grep -Eci 'active|now: ' "$1"; }
has_counters() { [ "$(counters "$1")" -gt "$2" ]; }
counts_into_its_log() {
  local before
  before=$(counters "$(log_of "$1")")
  kill -USR1 "$(pid_of "$1")"
  wait_for 3 has_counters "$(log_of "$1")" "$before"
}

# As logrotate does it: rename and HUP, or copy and truncate.
rotates_log() {
  local log size
  log=$(log_of "$1")
  check "$1: USR1 writes the counters to the log" "" counts_into_its_log "$1"
  mv "$log" "$log.1"
  kill -HUP "$(pid_of "$1")"
  check "$1: HUP opens the log again" "" wait_for 3 test -e "$log"
  size=$(stat -c %s "$log.1")
  check "$1: then it writes to the new file" "" counts_into_its_log "$1"
  equal "$1: and not to the old one" "$size" "$(stat -c %s "$log.1")"
  cp "$log" "$log.2" && : >"$log"
  check "$1: it goes on in a log that was truncated" "" counts_into_its_log "$1"
  equal "$1: from its beginning" 0 "$(tr -dc '\0' <"$log" | wc -c)"
}

takes_over_stale_file() {
  local before
  before=$(pid_of "$1")
  kill -KILL "$before"
  wait_for 5 has_ended "$before"
  equal "$1: killed, it leaves its pid file" "$before" "$(pid_of "$1")"
  check "$1: the next one takes it over" "" start_daemon "$1"
  check "$1: with its own number" "$(pid_of "$1")" eval '[ "$(pid_of $1)" != "$before" ] && is_running "$(pid_of $1)"'
}

ends_clean() {
  local pid
  pid=$(pid_of "$1")
  kill -TERM "$pid"
  check "$1: TERM ends it" "" wait_for 5 has_ended "$pid"
  check "$1: its pid file is gone" "" test ! -e "$(pid_file_of "$1")"
}

for_both() { for program in "${programs[@]}"; do "$1" "$program"; done; }

# TERM at any moment of the start: before the pid file is made it just ends, afterwards cleanly.
ends_while_it_starts() {
  local pid status delay bad=
  command_of "$1"
  for delay in 0 0.005 0.01 0.02 0.03 0.04 0.05 0.06; do
    ip netns exec "$(ns "${host_of[$1]}")" "${command[@]}" -P "$(pid_file_of "$1")" >/dev/null 2>&1 </dev/null &
    pid=$!
    # Not before: the shell's own child would run the shell's trap.
    wait_for 5 grep -qx "$1" "/proc/$pid/comm"
    sleep "$delay"
    kill -TERM "$pid"
    wait "$pid"
    status=$?
    [ ! -e "$(pid_file_of "$1")" ] || bad="$bad after $delay s it left its pid file, status $status;"
    rm -f "$(pid_file_of "$1")"
  done 2>/dev/null
  equal "$1: ended while it starts, it leaves no pid file" "" "$bad"
}

# ---- on a terminal --------------------------------------------------------------------------------

start_on_terminal() {
  command_of "$1"
  wanted_status=1 start "${host_of[$1]}" "$1-terminal" "$top/tests/net/terminal.py" "$(pid_file_of "$1")" \
    "$net_dir/$1.typed" "${command[@]}"
  eval "terminal_of_$1=\$started"
  wait_for 5 test -s "$(pid_file_of "$1")"
  wait_for 5 grep -q 'capturing on' "$net_dir/$1.typed"
}

tell_terminal() {
  local terminal=terminal_of_$1
  kill "-$2" "${!terminal}"
}

# A held terminal would keep a program that waits for it from everything else.
holds_terminal() { tell_terminal "$1" USR2; }
floods_terminal() {
  local pid
  pid=$(pid_of "$1")
  for _ in {1..200}; do kill -USR1 "$pid" || return; sleep 0.002; done 2>/dev/null
}

closes_terminal() {
  tell_terminal "$1" USR1
  wait_for 5 terminal_is_gone "$1"
  check "$1: it survives the end of its terminal" "" is_running "$(pid_of "$1")"
}
terminal_is_gone() { readlink "/proc/$(pid_of "$1")/fd/2" | grep -q deleted || ! has_terminal "$1"; }
has_terminal() { [ "$(ps -o tty= -p "$(pid_of "$1")" | tr -d ' ')" != '?' ]; }

ends_with_0() {
  local terminal=terminal_of_$1
  kill -TERM "$(pid_of "$1")"
  wait_for 5 has_ended "${!terminal}"
  wait "${!terminal}" 2>/dev/null
  equal "$1: TERM still ends it with status 0" 0 $?
  rm -f "$(pid_file_of "$1")"
}

# ---- without streams ------------------------------------------------------------------------------

start_without_streams() {
  command_of "$1"
  start "${host_of[$1]}" "$1-closed" sh -c 'exec "$@" <&- >&- 2>&-' sh "${command[@]}" -P "$(pid_file_of "$1")"
  wait_for 5 test -s "$(pid_file_of "$1")"
  equal "$1: with its streams closed, none of its sockets is standard error" /dev/null \
    "$(readlink "/proc/$(pid_of "$1")/fd/2")"
}

start_into_broken_pipe() {
  command_of "$1"
  start "${host_of[$1]}" "$1-pipe" bash -c 'exec "$@" > >(exec true) 2>&1' bash "${command[@]}" \
    -P "$(pid_file_of "$1")"
  wait_for 5 test -s "$(pid_file_of "$1")"
  floods_terminal "$1"
  check "$1: it survives a pipe that nobody reads any more" "" is_running "$(pid_of "$1")"
}

# ---- all --------------------------------------------------------------------------------------------

net_start
has_programs
start_nginx online 80
start_nginx target 8080

for_both goes_to_background
check "they find each other" "" wait_for 10 has_link
for_both refuses_second
for_both tells_errors_of_the_start
for_both rotates_log
copied "in the background, after all that" background
for_both takes_over_stale_file
wait_for 10 has_link
copied "after the take-over" taken
for_both ends_clean

for_both start_on_terminal
wait_for 10 has_link
for_both holds_terminal
for_both floods_terminal
copied "on terminals that are held" held
for_both closes_terminal
copied "after the terminals were closed" closed
for_both ends_with_0

start_into_broken_pipe intercept
start_without_streams tcpcopy
check "they find each other without streams" "" wait_for 10 has_link
copied "without streams" streams
for_both ends_clean
for_both ends_while_it_starts
net_done
