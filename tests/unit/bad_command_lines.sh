#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Command lines that are wrong, given to the real programs: each is refused with exit status 2 and one
# line that names the value and a remedy. Run by make check in the build directory, so under the
# sanitizers too; nothing here may crash.
set -u
export LC_ALL=C
count=0
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# refused VALUE REMEDY PROGRAM ARGUMENT...: both words must be in the line
refused() {
  local value=$1 remedy=$2 program=$3 status text name why=
  shift 3
  timeout 20 "$program/$program" "$@" >"$out" 2>&1 </dev/null
  status=$?
  text=$(<"$out")
  [ $status -eq 2 ] || why="exit status $status"
  [[ $text != *$'\n'* ]] || why="$why, more than one line"
  [[ $text == "$program: "* ]] || why="$why, does not begin with '$program: '"
  [ "${#text}" -lt 530 ] || why="$why, ${#text} characters"
  [[ $text == *"$value"* ]] || why="$why, no '$value'"
  [[ $text == *"$remedy"* ]] || why="$why, no '$remedy'"
  count=$((count + 1))
  name="$program $*"
  name=${name:0:70}
  name="$count - ${name//[^[:print:]]/?}" # what was typed may hold anything
  if [ -z "$why" ]; then
    echo "ok ${name//#/?}"
    return
  fi
  failed=$((failed + 1))
  echo "not ok ${name//#/?}"
  printf '%s\n' "${why#, }" "${text:0:2000}" | tr -c '[:print:]\n' '?' | sed 's/^/#   /'
}

# The same, shorter: t, tcpcopy with what it must have; x and s, the value of that option; i, intercept
t() { local value=$1 remedy=$2; shift 2; refused "$value" "$remedy" tcpcopy -x 80-10.0.0.2:8080 -s 10.0.0.3 "$@"; }
x() { refused "$1" "$2" tcpcopy -s 10.0.0.3 -x "$3"; }
s() { refused "$1" "$2" tcpcopy -x 80-10.0.0.2:8080 -s "$3"; }
i() { refused "$1" "$2" intercept "${@:3}"; }

# repeat COUNT FORMAT: the numbers from 1 on, with commas between
repeat() { seq -s , -f "$2" 1 "$1"; }
# long CHARACTER COUNT
long() { printf "%$2s" '' | tr ' ' "$1"; }

nines=99999999999999999999
two_to_64=18446744073709551616
utf8=$'gr\xc3\xb6\xc3\x9fe'
broken=$'\xff\xfe\xc3'

# ---- what is missing
refused -x 80-10.0.0.2:8080 tcpcopy
refused -x 80-10.0.0.2:8080 tcpcopy -s 10.0.0.3
refused -s '-s 10.0.0.3' tcpcopy -x 80-10.0.0.2:8080
refused -x --help tcpcopy -x
for o in -s -c -H -i -F -B -S -n -r --sample-by --rate -f -o --send -M -D -R -m -t -k -j -U -p -C -a -I -T \
  --stats-file -l -P; do
  t "$o" 'a value must follow' "$o"
done
for o in -i -F -D -p -b -n -s --stats-file -l -P; do
  i "$o" 'a value must follow' "$o"
done

# ---- mirrored traffic
t --promiscuous '-x 10.1.2.3:80-10.0.0.2:8080' --promiscuous
refused --promiscuous '-x 10.1.2.3:80-' tcpcopy -x 127.0.0.1:80-10.0.0.2:8080 -c 10.20.30.x -s 10.0.0.3 --promiscuous
refused '-i any' '--promiscuous -i eth1' tcpcopy -x 10.1.2.3:80-10.0.0.2:8080 -s 10.0.0.3 --promiscuous -i any

# ---- words that are no options, and options that are none
t 10.0.0.9 "letter is missing" 10.0.0.9
t 10.0.0.9 "letter is missing" 10.0.0.9 -d
t "''" "letter is missing" ""
t stray "letter is missing" -- stray
t "-: an option" "letter is missing" -
t "$utf8" "for example" "$utf8"
t xxxxxxxxxx "for example" "$(long x 100000)"
t -Z --help -Z
t -9 --help -9
t '-\xc3' --help -$'\xc3\xb6'
t '-?' --help '-?'
t -Z --help -dZ
t --frobnicate --help --frobnicate
t "--$utf8" --help "--$utf8"
t --xxxxxxxxxx --help "--$(long x 100000)"
t --daemon=yes 'no value' --daemon=yes
t --check= 'no value' --check=
t --m 'write out' --m 5
t "--stats-file ''" /run/tcpcopy.json --st=
t --pid-files --help --pid-files=x
i stray "letter is missing" stray
i -x --help -x 80-10.0.0.2:8080
i --transfer --help --transfer
i --s --stats-file --s 5
i '-\xff' --help -$'\xff'

# ---- twice
t '-t 6' 'keep one' -t 5 -t 6
t '-r 20' 'keep one' -r 20 -r 20
t '-l b' 'keep one' -l a --log b
t '-p 2' 'keep one' --port=1 -p2
t '-g 5' 'keep one' -g -g5
t --send 'keep one' --send auto --send ip
t twice 10.0.0.4:8080 -x 80-10.0.0.2:8080
t 'the same intercept' 10.0.0.4 -s 10.0.0.3:36524
t overlaps 10.20.31.x -c 10.20.30.x -c 10.20.30.7
t lo 'eth0,eth1' -i lo -i lo
i '-p 1' 'keep one' -p 1 -p 1
i lo 'eth0,eth1' -i lo,lo

# ---- -x
x "'" --help ''
x "'" --help ','
x "'" --help '80-10.0.0.2:8080,,81-10.0.0.2:8081'
x 80-10.0.0.2 80-10.0.0.2:8080 80-10.0.0.2
x 10008-192.168.237.128 ADDRESS:PORT 10008-192.168.237.128
x 80 dash 80
x 0-10.0.0.2:80 'from 1 to 65535' 0-10.0.0.2:80
x 65536 'from 1 to 65535' 65536-10.0.0.2:80
x "$two_to_64" 'from 1 to 65535' "80-10.0.0.2:$two_to_64"
x 0x50 'write the number' 0x50-10.0.0.2:80
x '+80' 'write the number' +80-10.0.0.2:80
x '80 ' 'write the number' '80 -10.0.0.2:80'
x "80-$utf8:80" 'write the number' "80-$utf8:80"
x '80-' example "80-$broken:80"
x '80-10.0.0.2:8080-10' 'from 1 to 65535' 80-10.0.0.2:8080-10
x 80-10.0.0.256:80 '0 to 255' 80-10.0.0.256:80
x 80-10.0.0:80 'four numbers' 80-10.0.0:80
x 80-010.0.0.2:80 'leading zeros' 80-010.0.0.2:80
x 80-::1:80 'brackets' 80-::1:80
x '80-[::1:80' ']' '80-[::1:80'
x '80-[10.0.0.2]:80' 'brackets are for IPv6' '80-[10.0.0.2]:80'
x '[fe80::1%eth0]' 'for example' '[fe80::1%eth0]:80-10.0.0.2:80'
x 80-255.255.255.255:80 'one host' 80-255.255.255.255:80
x 02:00:00:00:00 'hexadecimal' 80@02:00:00:00:00-10.0.0.2:80
x ff:ff:ff:ff:ff:ff 'one device' 80-10.0.0.2:80@ff:ff:ff:ff:ff:ff
x 127.0.0.1:80 'another host or port' 80-127.0.0.1:80
x 9999999999 'too long' "$(long 9 3000)"
x 99999 'longer than' "$(long 9 100000)"
x '80-10.0.0.2:65' 'second tcpcopy' "$(repeat 65 80-10.0.0.2:%g)"
sixty_five=()
for n in {1..65}; do sixty_five+=(-x "80-10.0.0.2:$n"); done
refused 'more than 64' 'use a list' tcpcopy "${sixty_five[@]}"

# ---- -s
s "''" --help ''
s 10.0.0.300 '0 to 255' 10.0.0.300
s 10.0.0.3:0 'from 1 to 65535' 10.0.0.3:0
s 10.0.0.3:http 'from 1 to 65535' 10.0.0.3:http
s 10.0.0.3:-1 'from 1 to 65535' 10.0.0.3:-1
s 2001:db8::3:8080 brackets 2001:db8::3:8080
s fe80::3%eth0 'unique local' fe80::3%eth0
s "$utf8" 'host name' "$utf8"
s 'ho st' 'host name' 'ho st'
s 0.0.0.0 'one host' 0.0.0.0
s xxxxxxxxxx 'HOST:PORT' "$(long x 5000)"
s 10.0.0.9 'name fewer' "$(repeat 9 10.0.0.%g)"

# ---- -c, -H
t "-c ''" --help -c ''
t 10.20.30 'four numbers' -c 10.20.30
t 10.20.x.x '10.20.0.0/16' -c 10.20.x.x
t x 10.20.30.x -c x
t 10.20.30.0/33 '0 to 32' -c 10.20.30.0/33
t 10.20.30.0/-1 '0 to 32' -c 10.20.30.0/-1
t 10.20.30.7/24 10.20.30.0/24 -c 10.20.30.7/24
t 10.20.30.9-10.20.30.5 'above the last' -c 10.20.30.9-10.20.30.5
t 10.20.30.5-2001:db8::5 'both IPv6' -c 10.20.30.5-2001:db8::5
t '::/0' 2001:db8:1::/64 -c ::/0
t 127.0.0.1 10.20.30.x -c 127.0.0.1
t 224.0.0.x 10.20.30.x -c 224.0.0.x
t 10.0.0.2 10.20.30.x -c 10.0.0.x
t 10.0.0.3 10.20.30.x -c 10.0.0.3-10.0.0.9
t 2001:db8:1::/64 10.20.30.x -c 2001:db8:1::/64
t 9999999999 10.20.30.x -c "$(long 9 5000)"
t 99999 'several times' -c "$(long 9 100000)"
t 10.20.1.7 10.20.0.0/16 -c "$(repeat 250 10.20.0.%g),$(repeat 7 10.20.1.%g),10.20.1.100"
t "$utf8" 10.20.30.x -c "$utf8"
t 127.0.0.1 10.20.30.1 -H 127.0.0.1
t localhost 10.20.30.1 -H localhost
t 10.20.30.5 'leave -H out' -c 10.20.30.x -H 10.20.30.5
t 10.0.0.2 10.20.30.1 -H 10.0.0.2

# ---- -i, -F, -o
t "-i ''" --help -i ''
t nodev7 'any' -i nodev7
t abcdefghijklmnop 'at most 15' -i abcdefghijklmnop
t d17 '-i any' -i "$(repeat 17 d%g)"
t any 'eth0,eth1' -i any,lo
t '-i -' 'yet' -i -
t /etc/hostname 'yet' -i /etc/hostname
t TCP@10.0.0.9:99999 TCP@HOST:PORT -i TCP@10.0.0.9:99999
t TCP@10.0.0.9:5000 'yet' -i TCP@10.0.0.9:5000
t 'a?b' 'any' -i $'a\nb'
t "-F ''" 'net 10' -F ''
t 'port and and' 'for example' -F 'port and and'
t 'udp' 'net 10' -F udp
t xxxxxxxxxx 'for example' -F "$(long x 100000)"
t '(((((((((' 'for example' -F "$(long '(' 20000)"
t nodev7 lo -o nodev7
t '-o lo' 'leave one of them out' -o lo --send ip
t "-o ''" '-o eth1' -o ''

# ---- numbers: each option that takes one, with what is none
for o in -B -S -n -f -M -D -R -m -t -k -j -U -C --rate -a; do
  t "$o abc" 'for example' "$o" abc
  t "$o $nines" 'for example' "$o" $nines
done
for value in '' ' ' ' 5' '5 ' +5 -5 0x10 1e3 5.0 5,0 NaN inf -inf 5s $two_to_64 "$utf8" "$broken" 5$'\n'; do
  shown=${value:-(empty)}
  t "-t ${shown/$'\n'/?}" '-t 1' -t "$value"
done
t 0000 'for example' -t "$(long 0 100000)"
for value in 0 0.0 0.00001 100.0001 101 200 -1 +1 .5 5. 1e1 NaN inf 0x10 20% 1,5 $nines "$utf8"; do
  t "-r $value" '-r 12.5' -r "$value"
done
t '-p 0' 'from 1 to 65535' -p 0
t '-p 65536' 'from 1 to 65535' -p 65536
t '-p http' 'from 1 to 65535' -p http
t '-n 1024' '1 to 1023' -n 1024
t '-f 1024' '0 to 1023' -f 1024
t '-C 12' '1 to 11' -C 12
t '-g 0' '1 to 86400' -g0
t '-g 30' '--gradual=100' -g 30
t '-g abc' '1 to 86400' --gradual=abc
t '-R 10001' 'auto' -R 10001
t '-I -1' 'for example' -I -1
t '-T 2' 'leave it out' -T 2
t '-a max' 'leave it out' -a max

# ---- words, and options that do not go together
t '--send raw' 'auto, link or ip' --send raw
t "--send ''" 'auto, link or ip' --send ''
t '--sample-by port' 'session or client' --sample-by port
t '--sample-by client' '-r 20' --sample-by client
t '-r 0.5' '-r 20' -r 0.5 -g
t '66 connections' '-C 1' -j 6 -C 11
t '-m 16' '-m 32' -m 16 -j 2
t 'same file' '--stats-file' -l /tmp/one --stats-file /tmp/one
x '127.0.0.1:80' '10.20.30.x' 127.0.0.1:80-10.0.0.2:8080
t '--stats-file /dev/null' '/run/tcpcopy.json' --stats-file /dev/null
t "-l ''" '/var/log/tcpcopy.log' -l ''
t "-P ''" '/run/tcpcopy.pid' -P ''

# ---- intercept
i "-i ''" eth0,eth1 -i ''
i nodev7 any -i nodev7
i d17 '-i any' -i "$(repeat 17 d%g)"
i abcdefghijklmnop 'at most 15' -i abcdefghijklmnop
i any 'eth0,eth1' -i any,lo
i xxxxxxxxxx 'several times' -i "$(long x 100000)"
i 'port and and' 'for example' -F 'port and and'
i "-F ''" 'src port' -F ''
for value in '' 0 65536 -1 http 80x 0x50 $two_to_64; do
  i "-p ${value:-(empty)}" 'from 1 to 65535' -p "$value"
done
for value in '' localhost 10.0.0.300 '[::1]' 10.0.0.3:80 "$utf8"; do
  i "-b ${value:-''}" '-b 10.0.0.3' -b "$value"
done
for value in '' 0 1025 -1 NaN $nines; do
  i "-n ${value:-(empty)}" '-n 1' -n "$value"
done
i '-s 0' '-s 1' -s 0
i "-s $nines" '-s 1' -s $nines
for value in 172.17.0.2 172.17.0.2- -10.0.0.2 web-10.0.0.2 172.17.0.2:80-10.0.0.2 172.17.0.2:0-10.0.0.2:0 \
  172.17.0.2-2001:db8::2 10.0.0.2-10.0.0.2 "$utf8-$utf8"; do
  i "-D $value" 172.17.0.2:80-10.0.0.2:8080 -D "$value"
done
i "-D ''" 172.17.0.2:80-10.0.0.2:8080 -D ''
i 172.17.0.33 172.17.0.2:80-10.0.0.2:8080 -D "$(for n in {1..33}; do
  printf '%s172.17.0.%s-10.1.0.%s' "${comma-}" "$n" "$n"
  comma=,
done)"
i 'same file' '-P /run/intercept.pid' -l one -P one

echo "1..$count"
exit $((failed > 0))
