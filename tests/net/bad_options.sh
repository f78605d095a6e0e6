#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Wrong values are refused by the real programs: exit status 2, the value, the rule, an example.
. "$(dirname "$0")/lib.sh"
net_start
has_programs

# refused NAME PATTERN PROGRAM ARGUMENT...: on the online host
refused() {
  local name=$1 pattern=$2 out status
  shift 2
  out=$(on online timeout 5 "$@" 2>&1 </dev/null)
  status=$?
  if [ $status -eq 2 ] && grep -Eqi -- "$pattern" <<<"$out"; then
    ok "$name" "$(head -1 <<<"$out" | cut -c1-160)"
  else
    not_ok "$name" "exit status $status, wanted 2 and '$pattern'"
    head -5 <<<"$out" | sed 's/^/  | /'
  fi
}

t=("$TCPCOPY" -s 10.90.0.40 -c 10.91.0.x)
refused "-x without the target's port" '80-10\.0\.0\.2.*port' "${t[@]}" -x 80-10.0.0.2
refused "-x with a port that is none" '70000' "${t[@]}" -x 70000-10.90.0.30:8080
refused "-x with a name" 'example' "${t[@]}" -x 80-target:8080
refused "a target that is the source itself" 'source|itself|captured|loop' "${t[@]}" -x 80-10.90.0.20:80
refused "two pairs that make a circle" 'source|itself|captured|loop' \
  "${t[@]}" -x 80-10.90.0.20:8081,8081-10.90.0.20:80
refused "-c with an address that is none" '10\.0\.0\.300' \
  "$TCPCOPY" -x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.0.0.300
refused "an unknown device" 'nodev7.*eth0' "${t[@]}" -x 80-10.90.0.30:8080 -i nodev7
refused "a wrong filter" 'no such filter' "${t[@]}" -x 80-10.90.0.30:8080 -F 'no such filter'
refused "missing -x" '-x' "$TCPCOPY" -s 10.90.0.40
refused "missing -s" '-s' "$TCPCOPY" -x 80-10.90.0.30:8080 -c 10.91.0.x
refused "an unknown option" 'frobnicate|--help|usage' "${t[@]}" -x 80-10.90.0.30:8080 --frobnicate
refused "-p with letters" 'abc' "${t[@]}" -x 80-10.90.0.30:8080 -p abc
refused "intercept: an unknown device" 'nodev7.*eth0' "$INTERCEPT" -i nodev7 -F tcp
refused "intercept: a wrong filter" 'no such filter' "$INTERCEPT" -i eth0 -F 'no such filter'
refused "intercept: -p 0" '\b0\b' "$INTERCEPT" -i eth0 -F tcp -p 0

# Without privilege: says which capability is missing. The build directory may be closed to nobody.
cp "$TCPCOPY" "$INTERCEPT" "$net_dir"
chmod 755 "$net_dir/tcpcopy" "$net_dir/intercept"
unprivileged=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all)
for p in "tcpcopy -x 80-10.90.0.30:8080 -s 10.90.0.40 -c 10.91.0.x" "intercept -i eth0 -F tcp"; do
  # shellcheck disable=SC2086
  out=$(on online timeout 5 "${unprivileged[@]}" "$net_dir"/$p 2>&1 </dev/null)
  status=$?
  if [ $status -ne 0 ] && [ $status -ne 124 ] && grep -q CAP_NET_RAW <<<"$out"; then
    ok "${p%% *} without privilege names CAP_NET_RAW" "exit status $status"
  else
    not_ok "${p%% *} without privilege names CAP_NET_RAW" "exit status $status: $(head -2 <<<"$out")"
  fi
done

# Right ones are not refused.
for p in "$TCPCOPY" "$INTERCEPT"; do
  for o in -h -v --help --version; do
    check "$(basename "$p") $o is answered with exit status 0" "" "$p" $o
  done
done
net_done
