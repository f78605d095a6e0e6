#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/docker: the image is built by a real engine, and a live copy runs with both programs in containers that
# have CAP_NET_RAW and CAP_NET_ADMIN only: by "docker run" and by deploy/docker-compose.yml. Three engines are
# started by hand: one builds, one runs on the online host, one on the assistant (hosts as in tests/net).
. "$(dirname "$0")/../net/lib.sh"
. "$(dirname "$0")/engine.inc"

IMAGE=tcpcopy
TWO_CAPABILITIES=0000000000003000 # CAP_NET_ADMIN is 12, CAP_NET_RAW 13
limits=(--cap-drop=ALL --cap-add=NET_RAW --cap-add=NET_ADMIN)
base_tag=$(sed -n 's/^ARG BASE=//p' "$top/Dockerfile")
keep=$top/build/docker

# ---- steps --------------------------------------------------------------------------------------

start_all() {
  local why
  why=$(engine_why_not)
  [ -z "$why" ] || skip_all "$why"
  engines_sweep
  net_start
  trap 'engines_stop; net_stop' EXIT
  mkdir -p "$keep"
  [ -x "$LOAD" ] || { echo "not ok 1 - $LOAD is not built: run ./test.sh docker"; exit 1; }
  engine_start_builder ||
    skip_all "no engine can be started here: $(tail -1 "$(engine_dir builder)/log")"
}

build_image() {
  local out proxy
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  [ -z "${proxy-}" ] || export http_proxy=$proxy
  if ! out=$(base_image builder "$base_tag" "$keep/debian.tar" 2>&1); then
    not_ok "a base image is made of Debian's packages" "$(tail -3 <<<"$out")"
    net_done
  fi
  if docker_on builder build --network=host ${http_proxy:+--build-arg "http_proxy=$http_proxy"} -t "$IMAGE" "$top" \
    >"$keep/build.log" 2>&1; then
    ok "the image is built" "$SECONDS s from the start"
  else
    not_ok "the image is built"
    tail -n 30 "$keep/build.log" | sed 's/^/  | /'
    net_done
  fi
}

size_of() { docker_on builder image inspect -f '{{.Size}}' "$1"; }

look_at_image() {
  local added_kb
  added_kb=$((($(size_of "$IMAGE") - $(size_of "$base_tag")) / 1000))
  check "it adds little to its base" "$added_kb kB" test "$added_kb" -lt 8000
  check "no compiler is in it" "" eval \
    '! docker_on builder run --rm --net=none --entrypoint sh $IMAGE -c "command -v gcc make"'
}

# try ARGUMENT...: runs a container to its end; status in $try_status, what it said in $try_said
try() {
  try_said=$(timeout 20 "$DOCKER" -H "$(engine_socket builder)" run --rm --net=none "$@" 2>&1)
  try_status=$?
}

# tried NAME STATUS PATTERN: of what was tried last
tried() {
  if [ "$try_status" -eq "$2" ] && grep -q -- "$3" <<<"$try_said"; then ok "$1"; else
    not_ok "$1" "exit status $try_status: $(head -3 <<<"$try_said")"
  fi
}

# What needs no network.
command_lines() {
  try "${limits[@]}" "$IMAGE" --help
  tried "--help is tcpcopy's" 0 'usage: tcpcopy'
  try "${limits[@]}" "$IMAGE" intercept --help
  tried "intercept --help is intercept's" 0 'usage: intercept'
  try "${limits[@]}" "$IMAGE" tcpcopy --version
  tried "tcpcopy may be named as well" 0 '^tcpcopy '
  try "${limits[@]}" "$IMAGE" -x 80
  tried "a wrong command line is told, and is the exit status" 2 '-x'
  try "${limits[@]}" "$IMAGE" intercept -d
  tried "-d, which would end the container, is refused" 1 'docker run -d'
  try --cap-drop=ALL "$IMAGE" intercept -i lo
  tried "without capabilities it says which are needed" 1 'CAP_NET_RAW'
}

# ---- the copy by docker run -----------------------------------------------------------------------

# engine_of_host HOST: an engine there, with the image
engine_of_host() {
  engine_start_on "$1" || { not_ok "an engine starts on $1" "$(tail -1 "$(engine_dir "$1")/log")"; net_done; }
  copy_image builder "$1" "$IMAGE" >/dev/null || { not_ok "the image goes to $1"; net_done; }
}

# run_on HOST NAME ARGUMENT...: a container in the host's network
run_on() {
  local host=$1 name=$2
  shift 2
  docker_on "$host" run -d --name "$name" --net=host "${limits[@]}" "$IMAGE" "$@" >/dev/null ||
    { not_ok "$name starts in a container"; net_done; }
}

said_by() { docker_on "$1" logs "$2" 2>&1; }
says() { said_by "$1" "$2" | grep -Eq -- "$3"; }
pid_of() { docker_on "$1" inspect -f '{{.State.Pid}}' "$2"; }
exit_of() { docker_on "$1" inspect -f '{{.State.ExitCode}}' "$2"; }

capabilities_are_two() {
  local status
  status=/proc/$(pid_of "$1" "$2")/status
  grep -q "^CapBnd:.*$TWO_CAPABILITIES" "$status" && ! grep -q '^CapEff:.*[1-9a-f].*[1-9a-f]...$' "$status"
}

# A new account of who has served what.
forget_requests() {
  local server
  for server in "$@"; do : >"$net_dir/$server/access.log"; done
}

# copy_load NAME PREFIX: kept-alive and short connections; each id must arrive exactly once
copy_load() {
  forget_requests online target
  run_load --connections 20 --requests 2000 --rate 1000 --id-prefix "$2"
  load_is_ok "the online server answers all, $1"
  run_load --connections 50 --requests 500 --rate 250 --short --id-prefix "$2-short"
  load_is_ok "the online server answers short connections, $1"
  wait_delivered 20
  same_ids "every id exactly once at the target, $1"
}

open_sessions() { on target ss -Htn state established 'sport = :8080' | wc -l; }
are_open() { [ "$(open_sessions)" -eq "$1" ]; }

copy_by_run() {
  run_on assistant intercept intercept -i eth0 -F 'tcp and src port 8080'
  run_on online tcpcopy -x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.91.0.x
  check "tcpcopy finds intercept" "" wait_for 10 says online tcpcopy 'connected to intercept'
  equal "tcpcopy is process 1 of its container" tcpcopy "$(cat "/proc/$(pid_of online tcpcopy)/comm")"
  check "tcpcopy has no more than the two capabilities" "" capabilities_are_two online tcpcopy
  check "intercept has no more than the two capabilities" "" capabilities_are_two assistant intercept
  copy_load "by docker run" run
  docker_on online kill -s USR1 tcpcopy >/dev/null
  check "a signal reaches the program" "" wait_for 3 says online tcpcopy 'active'
}

# "docker stop" while connections are open and idle
stop_cleanly() {
  local began online=$(($(requests_served online) + 500))
  on client "$LOAD" --to 10.90.0.20:80 --connections 50 --requests 500 --rate 500 --hold 20 \
    --id-prefix held >/dev/null &
  net_pids+=($!)
  wait_for 10 has_served "$online" online
  wait_delivered 10
  equal "connections are open at the target" 50 "$(open_sessions)"
  capture_resets
  began=$SECONDS
  docker_on online stop tcpcopy >/dev/null
  equal "docker stop: tcpcopy ends with status 0" 0 "$(exit_of online tcpcopy)"
  check "at once" "$((SECONDS - began)) s" test $((SECONDS - began)) -lt 5
  check "no connection is left at the target" "" wait_for 3 are_open 0
  equal "each was reset once" 50 "$(count_packets resets)"
  check "the summary is printed" "" says online tcpcopy 'delivered'
  docker_on assistant stop intercept >/dev/null
  equal "docker stop: intercept ends with status 0" 0 "$(exit_of assistant intercept)"
  check "and prints its counters" "" says assistant intercept 'at the end'
}

# ---- the copy by docker-compose -------------------------------------------------------------------

# compose HOST ARGUMENT...
compose() {
  local host=$1
  shift
  DOCKER_HOST=$(engine_socket "$host") docker-compose --project-name tcpcopytest \
    -f "$top/deploy/docker-compose.yml" "$@" 2>&1
}

compose_variables() {
  export SERVICE_PORT=80 TARGET_IP=10.90.0.30 TARGET_PORT=8080 ASSISTANT_IP=10.90.0.40 CLIENT_IP=10.91.0.x
}

memory_limit() { docker_on "$1" inspect -f '{{.HostConfig.Memory}}' "$2"; }
restarted() { [ "$(pid_of "$1" "$2")" != "$3" ] && [ "$(pid_of "$1" "$2")" -gt 0 ]; }

copy_by_compose() {
  local pid said
  compose_variables
  check "the compose file is valid" "" compose online config
  said=$(unset TARGET_IP; compose online config)
  check "a missing variable is named" "" grep -q 'TARGET_IP' <<<"$said"
  said=$(compose assistant up -d intercept) || not_ok "compose starts intercept" "$said"
  said=$(compose online up -d tcpcopy) || not_ok "compose starts tcpcopy" "$said"
  check "tcpcopy finds intercept" "" wait_for 10 says online tcpcopytest_tcpcopy_1 'connected to intercept'
  equal "each host has its own program only" tcpcopytest_tcpcopy_1 "$(docker_on online ps --format '{{.Names}}')"
  check "its memory is limited, above -m" "$(memory_limit online tcpcopytest_tcpcopy_1)" \
    test "$(memory_limit online tcpcopytest_tcpcopy_1)" -gt $((1024 << 20))
  pid=$(pid_of online tcpcopytest_tcpcopy_1)
  kill -KILL "$pid"
  check "killed, it is started again" "" wait_for 10 restarted online tcpcopytest_tcpcopy_1 "$pid"
  check "and finds intercept" "" wait_for 10 linked_again
  copy_load "by docker-compose" compose
  compose online stop >/dev/null
  equal "docker-compose stop: tcpcopy ends with status 0" 0 "$(exit_of online tcpcopytest_tcpcopy_1)"
  compose online down >/dev/null
  compose assistant down >/dev/null
}

linked_again() { [ "$(said_by online tcpcopytest_tcpcopy_1 | grep -c 'connected to intercept')" -eq 2 ]; }

# ---- a server in a container ----------------------------------------------------------------------

# The machine's own nginx, in a container behind the engine's bridge: port 8001 of the online host leads to its 8000.
start_server_in_container() {
  local d=$net_dir/shop
  start_nginx online 8000 shop
  stop_pid "$nginx_shop"
  docker_on online run -d --name shop -p 8001:8000 -v /:/host:ro -v "$net_dir:/host$net_dir" \
    --entrypoint chroot "$IMAGE" /host nginx -c "$d/nginx.conf" -p "$d" -e "$d/error.log" >/dev/null ||
    { not_ok "a server starts in a container"; return 1; }
  server_address=$(docker_on online inspect -f '{{.NetworkSettings.IPAddress}}' shop)
  wait_for 10 on client curl -sf http://10.90.0.20:8001/
}

# copy_container NAME PREFIX SOURCE: SOURCE is how -x names the server
copy_container() {
  docker_on assistant start intercept >/dev/null
  run_on online "copy-$2" -i any -x "$3-10.90.0.30:8080" -s 10.90.0.40 -c 10.91.0.x
  wait_for 10 says online "copy-$2" 'connected to intercept'
  forget_requests shop target
  load_result=$(on client "$LOAD" --to 10.90.0.20:8001 --connections 20 --requests 1000 --rate 1000 --id-prefix "$2")
  load_is_ok "a server in a container answers, $1"
  wait_delivered 10 shop target
  same_ids "every id exactly once at the target, $1" shop target
  docker_on online stop "copy-$2" >/dev/null
}

copy_servers_container() {
  start_server_in_container || return
  copy_container "copied by its published port" published 8001
  copy_container "copied by its own address" own "$server_address:8000"
  check "there each packet was seen on two devices" "" says online copy-own 'duplicate [1-9]'
  docker_on online rm -f shop >/dev/null
}

# ---- the end --------------------------------------------------------------------------------------

nothing_is_left() {
  local name pids=()
  for name in "${engine_names[@]}"; do pids+=("$(cat "$(engine_dir "$name")/started")"); done
  engines_stop
  for name in "${pids[@]}"; do check "an engine has ended" "process $name" has_ended "$name"; done
  check "no mount is left" "" eval '! grep -q "$net_dir" /proc/mounts'
  check "no process is left" "" eval '! pgrep -f "$net_dir/engine-"'
}

start_all
build_image
look_at_image
command_lines
start_nginx online 80
start_nginx target 8080
engine_of_host online
engine_of_host assistant
copy_by_run
stop_cleanly
copy_servers_container
copy_by_compose
nothing_is_left
net_done
