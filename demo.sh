#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sudo ./demo.sh: shows a live copy on this machine alone. Installs what is missing, builds, makes
# four hosts (client, online, target, assistant) as network namespaces with real web servers on
# two of them, copies some thousand live requests and counts what arrived. Nothing outside the
# namespaces is touched; everything is gone at the end, also after Ctrl-C.
# Exit status 0 only if every request arrived at the target exactly once.
set -u
cd "$(dirname "$0")" || exit 1

keep_requests=4000 # over 50 kept-alive connections, 800 a second
short_requests=1000 # a connection each, 200 a second

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n%s\n' "$*"; }

if [ "$(id -u)" -ne 0 ]; then
  echo "demo.sh makes network namespaces and needs root: sudo ./demo.sh" >&2
  exit 1
fi

step "1. What is needed, and the build"
tests/setup.sh demo || exit 1
mkdir -p build/gcc
build() {
  [ -x configure ] && [ ! configure.ac -nt configure ] && [ ! Makefile.am -nt Makefile.in ] ||
    ./autogen.sh || return
  cd build/gcc || return
  [ -e Makefile ] && [ ! ../../configure -nt Makefile ] || ../../configure -q || return
  make -j"$(nproc)" tcpcopy/tcpcopy intercept/intercept tests/net/load
}
if ! (build) >build/demo.log 2>&1; then
  tail -30 build/demo.log
  echo "demo.sh: the build failed, see build/demo.log" >&2
  exit 1
fi
echo "built: build/gcc/tcpcopy/tcpcopy, build/gcc/intercept/intercept"

# shellcheck source=tests/net/lib.sh
. tests/net/lib.sh
why=$(net_why_not)
if [ -n "$why" ]; then
  echo "demo.sh: cannot run here: $why" >&2
  exit 1
fi

step "2. Four hosts"
net_start
start_nginx online 80
start_nginx target 8080
start_intercept
start_tcpcopy
cat <<'END'
  client 10.90.0.10 ---> online 10.90.0.20            target 10.90.0.30
                         nginx, port 80               nginx, port 8080
                         tcpcopy -- the same requests -->  |
                             ^    from 10.91.0.x           | answers to 10.91.0.x
                             |                             v
                             +---- their headers --- assistant 10.90.0.40
                                                     intercept
END

step "3. Live requests at the online host, copied to the target"
progress() {
  printf '  served online %6d    arrived at the target %6d\n' \
    "$(requests_served online)" "$(requests_served target)"
}
if [ -t 1 ]; then
  show_progress() { printf '\r%s' "$(progress)"; }
else
  show_progress() { [ $((SECONDS % 2)) -eq 1 ] || progress; }
fi
start client keep "$LOAD" --to 10.90.0.20:80 --connections 50 --requests $keep_requests --rate 800 \
  --id-prefix keep
keep=$started
start client short "$LOAD" --to 10.90.0.20:80 --connections 100 --requests $short_requests \
  --rate 200 --short --id-prefix short
short=$started
while is_running $keep || is_running $short; do
  sleep 0.5
  show_progress
done
wait_delivered 10
[ ! -t 1 ] || printf '\r'
progress
stop_tcpcopy

step "4. What arrived"
python3 - "$net_dir" <<'END'
import json, sys
from collections import Counter

where = sys.argv[1]

def ids(name):
    with open(f"{where}/{name}/access.log", encoding="ascii") as log:
        return Counter(line.split()[3] for line in log)

online, target = ids("online"), ids("target")
kinds = (("kept-alive", "keep"), ("short", "short"), ("together", ""))

def row(title, value):
    print(f"  {title:<34}" + "".join(f"{value(prefix):>14}" for _, prefix in kinds))

def served(prefix):
    return sum(1 for i in online if i.startswith(prefix))

def arrived(prefix):
    return sum(1 for i in online if i.startswith(prefix) and i in target)

def share(prefix):
    n = served(prefix)
    return f"{int(arrived(prefix) / n * 10000) / 100 if n else 0:.2f} %"

print("  " + " " * 34 + "".join(f"{name:>14}" for name, _ in kinds))
row("requests served online", lambda p: f"{served(p):,}")
row("of these arrived at the target", lambda p: f"{arrived(p):,}")
row("delivered", share)
row("arrived more than once", lambda p: f"{sum(n > 1 for i, n in target.items() if i.startswith(p)):,}")
try:
    with open(f"{where}/stats.json", encoding="ascii") as f:
        total = json.load(f)["total"]
    causes = {k: v["requests"] for k, v in total["stream"]["dropped"].items() if v["requests"]}
    lost = {k: n for k, n in total["sessions"]["not_started"].items() if n}
    words = [f"{n:,} requests: {k.replace('_', ' ')}" for k, n in causes.items()]
    words += [f"{n:,} connections: {k.replace('_', ' ')}" for k, n in lost.items()]
    print("\n  not copied, by cause (tcpcopy's own account): " + ("; ".join(words) or "nothing"))
except (OSError, KeyError, ValueError) as problem:
    print(f"\n  tcpcopy's own account could not be read: {problem}")
END
if out=$("$CHECK_IDS" "$net_dir/online/access.log" "$net_dir/target/access.log") &&
  [ "$(requests_served online)" -eq $((keep_requests + short_requests)) ]; then
  result=0
  echo "  every request has an id: each arrived exactly once, in order within its connection"
else
  result=1
  echo
  sed 's/^/  /' <<<"$out"
  echo "  the end of tcpcopy's log:"
  tail -25 "$net_dir/tcpcopy.log" | sed 's/^/  | /'
fi

step "The same on real hosts"
cat <<'END'
  Say 10.0.0.1 is the production server (port 80), 10.0.0.2 the test server (port 8080) and
  10.0.0.3 any third machine; 10.20.30.x is a network that nobody uses.

  test server   ip route add 10.20.30.0/24 via 10.0.0.3
  third machine ./intercept -i eth0 -F 'tcp and src port 8080' -d
  production    ./tcpcopy -x 80-10.0.0.2:8080 -s 10.0.0.3 -c 10.20.30.x -d
END
exit $result
