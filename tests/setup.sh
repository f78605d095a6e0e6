#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what building and testing need, and nothing if it is all there. Shared by test.sh,
# demo.sh and tests/bench/run.sh:
#
#   tests/setup.sh build         compiler, autotools, libraries
#   tests/setup.sh test          the same, and what the tests run (cmocka, nginx, databases, ...)
#   tests/setup.sh fuzz          the same, and clang's fuzzer
#   tests/setup.sh docker        the same, and a container engine, without starting it
#
# No daemon is started by installing a package: while apt runs, a policy-rc.d says no.
set -eu

# command or file that shows that it is there, and the Debian package that brings it
build_needs=(
  gcc:gcc make:make autoconf:autoconf automake:automake nm:binutils
  /usr/include/pcap/pcap.h:libpcap-dev
  /usr/include/event2/event.h:libevent-dev
  /usr/include/dumbnet.h:libdumbnet-dev
  /usr/include/cap-ng.h:libcap-ng-dev
)
test_needs=(
  /usr/include/cmocka.h:libcmocka-dev
  clang:clang ping:iputils-ping ip:iproute2 nft:nftables nginx:nginx-light tcpdump:tcpdump python3:python3
  setpriv:util-linux ethtool:ethtool
)
# The services that are copied in tests/net, and their clients. Python's packages are seen by Debian's
# own /usr/bin/python3 only.
service_needs=(
  redis-server:redis-server redis-benchmark:redis-tools memcached:memcached
  "/usr/lib/postgresql/*/bin/pgbench:postgresql"
  mariadbd:mariadb-server mariadb:mariadb-client
  h2load:nghttp2-client curl:curl
  /usr/lib/python3/dist-packages/websockets:python3-websockets
  /usr/lib/python3/dist-packages/aiosmtpd:python3-aiosmtpd
)
# Debian's own client by its path: another one may be installed.
docker_needs=(
  dockerd:docker.io /usr/bin/docker:docker.io docker-compose:docker-compose mmdebstrap:mmdebstrap
  iptables:iptables curl:curl
)

is_there() {
  case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    *) PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing_packages() {
  local need
  for need in "$@"; do
    is_there "${need%%:*}" || echo "${need#*:}"
  done
}

# A package's start script asks policy-rc.d; 101 means "do not". One that is there stays.
policy=/usr/sbin/policy-rc.d
deny_starts() {
  [ ! -e "$policy" ] || return 0
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

install_packages() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: please install the equivalent of: $*" >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "setup: not root; please run: apt-get install $*" >&2
    return 1
  fi
  echo "setup: apt-get install $*"
  deny_starts
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
  "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null 2>&1 && return 0
  "${apt[@]}" update || true
  "${apt[@]}" install -y --no-install-recommends "$@" >/dev/null
}

main() {
  local needs=("${build_needs[@]}") packages
  case ${1-test} in
    build) ;;
    demo) needs+=(ping:iputils-ping ip:iproute2 nginx:nginx-light python3:python3) ;;
    test) needs+=("${test_needs[@]}" "${service_needs[@]}") ;;
    fuzz)
      needs+=("${test_needs[@]}"
        "/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a:libclang-rt-dev")
      ;;
    docker) needs+=("${test_needs[@]}" "${docker_needs[@]}") ;;
    *)
      echo "usage: tests/setup.sh build|demo|test|fuzz|docker" >&2
      return 2
      ;;
  esac
  mapfile -t packages < <(missing_packages "${needs[@]}")
  if [ "${#packages[@]}" -eq 0 ]; then
    return 0
  fi
  install_packages "${packages[@]}"
}

main "$@"
