#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turns what the bench measured into numbers and numbers into a table.

table.py ids ONLINE_LOG TARGET_LOG       prints what two access logs say, as NAME=VALUE words
table.py row DIRECTORY NAME=VALUE...     a line of JSON; DIRECTORY has first.json and both .tap.out
table.py show FLOOR_JSON                 reads these lines from standard input; exit 1 if a case fell short
"""
import json
import os
import sys


LAG_MAX_S = 1.0

NOTES = """
online, target: requests that each server counts (nginx: requests, redis: commands, PostgreSQL: transactions).
delivered: of nginx's the share of ids that reached the target, otherwise target / online. ledger: requests
delivered by the account of tcpcopy, which calls what a client says between two answers a request (a write of
16 commands is one). lag: the last one at the target after the last one online. p50, p99: from arrival at the
online host to arrival at the target, measured in a second pass. kB: anonymous memory at start and after the
load. The sum of user and system time is exact; how it splits follows the kernel's ticks, and is rough where a
program wakes in step with them."""

COLUMNS = (("case", -15), ("online", 8), ("target", 8), ("delivered", 10), ("ledger", 8), ("load/s", 8),
           ("tcpcopy", 23), ("intercept", 23), ("p50 ms", 8), ("p99 ms", 8), ("lag s", 7),
           ("tcpcopy kB", 14), ("intercept kB", 14))


# ---- what was measured ------------------------------------------------------------------------

def ids(online_path, target_path):
    def read(path):
        with open(path, encoding="ascii", errors="replace") as log:
            return [(f[3], float(f[0])) for f in map(str.split, log) if len(f) == 6]
    online, target = read(online_path), read(target_path)
    arrived = len({i for i, _ in online} & {i for i, _ in target})
    last = [max((t for _, t in log), default=0.0) for log in (online, target)]
    print(f"online={len(online)} target={len(target)} arrived={arrived} lag_s={last[1] - last[0]:.3f}")


def processor_us(before, after):
    """User, system and waiting microseconds: the sum of user and system is exact, its parts follow
    the kernel's ticks."""
    user, system, total_ns, waited_ns = (b - a for a, b in zip(map(int, before.split(",")),
                                                               map(int, after.split(","))))
    share = user / (user + system) if user + system else 0.0
    return total_ns / 1e3 * share, total_ns / 1e3 * (1 - share), waited_ns / 1e3


def delays_ms(directory):
    def tap(host):
        first = {}
        with open(os.path.join(directory, f"{host}.tap.out"), encoding="ascii") as lines:
            for f in map(str.split, lines):
                if len(f) == 2 and f[1].isdigit():
                    first.setdefault(f[0], int(f[1]))
        return first
    online, target = tap("online"), tap("target")
    return sorted((target[i] - online[i]) / 1e3 for i in online if i in target)


def percentile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def row(directory, *words):
    said = dict(word.split("=", 1) for word in words)
    online, target = int(said["online"]), int(said["target"])
    with open(os.path.join(directory, "first.json"), encoding="ascii") as f:
        stats = json.load(f)
    delays = delays_ms(directory)
    print(json.dumps({
        "case": said["case"], "online": online, "target": target,
        "arrived": int(said.get("arrived", min(online, target))),
        "load_failed": said["load_status"] != "0", "load_s": float(said["load_s"]),
        "lag_s": float(said["lag_s"]),
        "tcpcopy_us": processor_us(said["tcpcopy_before"], said["tcpcopy_after"]),
        "intercept_us": processor_us(said["intercept_before"], said["intercept_after"]),
        "tcpcopy_kb": [said["tcpcopy_kb_before"], said["tcpcopy_kb_after"]],
        "intercept_kb": [said["intercept_kb_before"], said["intercept_kb_after"]],
        "p50_ms": percentile(delays, 0.5), "p99_ms": percentile(delays, 0.99), "delays": len(delays),
        "stream": stats["total"]["stream"], "kernel_dropped": stats["packets"]["kernel_dropped"],
        "not_sent": stats["sender"]["failed"],
        "adds_up": stats["packets_add_up"] and stats["stream_adds_up"]}))


# ---- the table --------------------------------------------------------------------------------

def in_columns(cells):
    return "".join(f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}"
                   for cell, (_, width) in zip(cells, COLUMNS)).rstrip()


def share_text(part, whole):
    """Never rounded up: 1.0000 is all of it."""
    return f"{part * 10000 // whole / 10000:.4f}" if whole else "-"


def line(r, floor_us):
    def floors(us):
        parts = [t / max(r["online"], 1) / floor_us for t in us[:2]]
        decimals = 2 if sum(parts) < 100 else 0
        return "{:.{d}f} + {:.{d}f} = {:.{d}f}".format(*parts, sum(parts), d=decimals)

    return in_columns((
        r["case"], r["online"], r["target"], share_text(r["arrived"], r["online"]),
        r["stream"]["delivered"]["requests"], f"{r['online'] / r['load_s']:.0f}",
        floors(r["tcpcopy_us"]), floors(r["intercept_us"]),
        f"{r['p50_ms']:.2f}", f"{r['p99_ms']:.2f}", f"{r['lag_s']:.2f}",
        ">".join(r["tcpcopy_kb"]), ">".join(r["intercept_kb"])))


def shortfalls(r):
    """What is not as it should be, and what the programs say of it."""
    stream = r["stream"]
    if r["load_failed"]:
        yield "the load itself had errors: see how the online server is"
    if r["online"] == 0:
        yield "nothing was asked"
    if r["arrived"] < r["online"]:
        yield (f"{r['online'] - r['arrived']} requests did not arrive; tcpcopy captured "
               f"{stream['captured']['requests']}")
    if r["target"] > r["online"]:
        yield f"{r['target'] - r['online']} requests too many at the target"
    if r["lag_s"] > LAG_MAX_S:
        yield f"the copy ended {r['lag_s']:.2f} s after the load"
    for cause, lost in stream["dropped"].items():
        if lost["requests"] or lost["bytes"]:
            yield f"dropped as {cause}: {lost['requests']} requests, {lost['bytes']} bytes"
    if not r["adds_up"]:
        yield "the ledger does not add up"
    if r["kernel_dropped"]:
        yield f"the kernel dropped {r['kernel_dropped']} packets before tcpcopy saw them"
    if r["not_sent"]:
        yield f"{r['not_sent']} packets could not be sent"
    if r["delays"] == 0:
        yield "no request was seen by both taps"


def waited(r):
    """What an overloaded machine does to the programs."""
    waits = {program: r[f"{program}_us"][2] / 1e6 for program in ("tcpcopy", "intercept")}
    return ", ".join(f"{program} waited {s:.1f} s for a processor" for program, s in waits.items())


def show(floor_json):
    floor = json.loads(floor_json)
    print(f"\nfloor: {floor['floor_us']:.2f} us a packet (user {floor['user_us']:.2f}, system "
          f"{floor['system_us']:.2f}); processor time below in floors a request: "
          "user + system = sum\n")
    print(in_columns([name for name, _ in COLUMNS]))
    short = []
    for r in map(json.loads, sys.stdin):
        print(line(r, floor["floor_us"]), flush=True)
        found = "; ".join(shortfalls(r))
        if found:
            short.append(f"{r['case']}: {found} (in {r['load_s']:.0f} s {waited(r)})")
    print(NOTES)
    if short:
        print("\n" + "\n".join(short))
    return 1 if short else 0


def main():
    commands = {"ids": (ids, 2, 2), "row": (row, 2, 99), "show": (show, 1, 1)}
    command, least, most = commands.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0, 0))
    if not command or not least <= len(sys.argv) - 2 <= most:
        sys.exit(__doc__)
    return command(*sys.argv[2:])


sys.exit(main())
