#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turns what the bench measured into numbers.

rows.py ids ONLINE_LOG TARGET_LOG       prints what two access logs say, as NAME=VALUE words
rows.py run DIRECTORY NAME=VALUE...     a run as a line of JSON; DIRECTORY has tcpcopy.json, intercept.json, both .tap.out
rows.py instructions NAME=VALUE...      a counted run likewise
rows.py calls FILE NAME=VALUE...        likewise, of the system calls that calls.so has counted in FILE.before and FILE.after
"""
import json
import os
import struct
import sys

import callgrind
from figures import percentile

PROGRAMS = ("tcpcopy", "intercept")
CALLS_RECORD = struct.Struct("=24sQQ")  # name, calls, nanoseconds: calls.c
CLOCK = "clock"


def words_of(words):
    return dict(word.split("=", 1) for word in words)


def load(directory, name):
    with open(os.path.join(directory, name), encoding="ascii") as f:
        return json.load(f)


# ---- what was delivered, and when -------------------------------------------------------------

def ids(online_path, target_path):
    def read(path):
        with open(path, encoding="ascii", errors="replace") as log:
            return [(f[3], float(f[0])) for f in map(str.split, log) if len(f) == 6]
    online, target = read(online_path), read(target_path)
    arrived = len({i for i, _ in online} & {i for i, _ in target})
    last = [max((t for _, t in log), default=0.0) for log in (online, target)]
    print(f"online={len(online)} target={len(target)} arrived={arrived} lag_s={last[1] - last[0]:.3f}")


def tap(directory, host):
    """When each id was first seen there, in microseconds."""
    first = {}
    with open(os.path.join(directory, f"{host}.tap.out"), encoding="ascii") as lines:
        for f in map(str.split, lines):
            if len(f) == 2 and f[1].isdigit():
                first.setdefault(f[0], int(f[1]))
    return first


def delays_ms(directory):
    online, target = tap(directory, "online"), tap(directory, "target")
    return sorted((target[i] - online[i]) / 1e3 for i in online if i in target)


# ---- what it cost -----------------------------------------------------------------------------

def processor(before, after):
    """What a process has used in between, of "user,system,total_ns,waited_ns,wakeups": the sum of user and system
    is exact, how it splits follows the kernel's ticks."""
    user, system, total_ns, waited_ns, wakeups = (b - a for a, b in zip(
        map(int, before.split(",")), map(int, after.split(","))))
    share = user / (user + system) if user + system else 0.0
    return {"user_us": total_ns / 1e3 * share, "system_us": total_ns / 1e3 * (1 - share),
            "waited_us": waited_ns / 1e3, "wakeups": wakeups}


def traffic(tcpcopy, intercept):
    """Packets and more of a whole run, by what the programs say."""
    return {"tcpcopy": {"packets_in": tcpcopy["packets"]["captured"],
                        "packets_out": tcpcopy["sender"]["packets"],
                        "sends": tcpcopy["sender"]["batches"]},
            "intercept": {"packets_in": intercept["packets"]["captured"],
                          "records_out": intercept["records"]["sent"]}}


def run(directory, *words):
    said = words_of(words)
    online, target = int(said["online"]), int(said["target"])
    stats = load(directory, "tcpcopy.json")
    counts = traffic(stats, load(directory, "intercept.json"))
    delays = delays_ms(directory)
    row = {
        "case": said["case"], "build": said["build"], "online": online, "target": target,
        "arrived": int(said.get("arrived", min(online, target))),
        "load_failed": said["load_status"] != "0", "load_s": float(said["load_s"]),
        "lag_s": float(said["lag_s"]),
        "p50_ms": percentile(delays, 0.5), "p99_ms": percentile(delays, 0.99), "delays": len(delays),
        "stream": stats["total"]["stream"], "kernel_dropped": stats["packets"]["kernel_dropped"],
        "not_sent": stats["sender"]["failed"],
        "adds_up": stats["packets_add_up"] and stats["stream_adds_up"]}
    for program in PROGRAMS:
        row[program] = {**processor(said[f"{program}_before"], said[f"{program}_after"]),
                        **counts[program],
                        "kb_before": int(said[f"{program}_kb_before"]),
                        "kb_after": int(said[f"{program}_kb_after"])}
    print(json.dumps(row))


# ---- what was counted -------------------------------------------------------------------------

def instructions(*words):
    """Of two runs, the second one with more requests: log and log2, online and online2."""
    said = words_of(words)

    def count(name):
        with open(said[name], encoding="ascii", errors="replace") as f:
            return callgrind.collected(f.read())
    print(json.dumps({
        "case": said["case"], "program": said["program"], "online": int(said["online2"]),
        "missing": sum(max(0, int(said["online" + n]) - int(said["target" + n])) for n in ("", "2")),
        "instructions": callgrind.of_an_operation(
            count("log"), count("log2"), int(said["online2"]) - int(said["online"]))}))


def calls_between(before, after):
    """What calls.so has counted in between, by name: how many, and microseconds of the processor. The second value is
    what looking at the clock has taken beside them. Half of a look lies within a call, half outside."""
    counts = [{name.rstrip(b"\0").decode(): (n, ns) for name, n, ns in CALLS_RECORD.iter_unpack(data)}
              for data in (before, after)]
    clock_ns = counts[1].pop(CLOCK)[1]
    calls = {}
    for name, (n, ns) in counts[1].items():
        n, ns = n - counts[0][name][0], ns - counts[0][name][1]
        if n:
            calls[name] = {"calls": n, "us": max(0, ns - n * clock_ns) / 1e3}
    return calls, sum(c["calls"] for c in calls.values()) * clock_ns / 1e3


def calls(path, *words):
    said = words_of(words)

    def read(when):
        with open(f"{path}.{when}", "rb") as f:
            return f.read()
    by_name, clock_us = calls_between(read("before"), read("after"))
    used = processor(said[said["program"] + "_before"], said[said["program"] + "_after"])
    total_us = used["user_us"] + used["system_us"] - 2 * clock_us
    print(json.dumps({"case": said["case"], "program": said["program"], "online": int(said["online"]),
                      "missing": max(0, int(said["online"]) - int(said["target"])),
                      "calls": by_name, "total_us": total_us,
                      "rest_us": total_us - sum(c["us"] for c in by_name.values())}))


def main():
    commands = {"ids": (ids, 2, 2), "run": (run, 2, 99), "instructions": (instructions, 1, 99),
                "calls": (calls, 2, 99)}
    command, least, most = commands.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0, 0))
    if not command or not least <= len(sys.argv) - 2 <= most:
        sys.exit(__doc__)
    return command(*sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
