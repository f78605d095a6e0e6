#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Turns the rows of rows.py and the lines of floor.c, both on standard input, into tables.

table.py show          what each case delivered and cost; exit 1 if a run fell short
table.py compare       two builds beside each other; exit 1 if a run of the first one fell short
table.py instructions  of a request; exit 1 if a copy was not complete
table.py calls         system calls of a request, and the processor time of each; likewise
"""
import json
import sys

from figures import Spread, ratio, share_text
from rows import PROGRAMS

LAG_MAX_S = 1.0
THIS, OTHER = "this", "other"

NOTES = """
online, target: requests that each server counts (nginx: requests, redis: commands, PostgreSQL: transactions).
delivered: of nginx's the share of ids that reached the target, otherwise target / online. ledger: requests
delivered by the account of tcpcopy, which calls what a client says between two answers a request (a write of
16 commands is one). lag: the last one at the target after the last one online. p50, p99: from arrival at the
online host to arrival at the target, measured in a second pass. in, out: packets a request, captured and sent
(intercept sends records); sends: system calls for that. wake-ups: how often it waited for something to do, a
request. kB: anonymous memory at start and after the load. The sum of user and system time is exact; how it
splits follows the kernel's ticks, and is rough where a program wakes in step with them."""
SEVERAL = """Of several runs the median stands here, with least and largest in brackets; online, target, delivered and
ledger are of the run that delivered least."""


# ---- what came in -----------------------------------------------------------------------------

def read(lines):
    """Floors in microseconds a packet, and rows by case, in the order of their coming."""
    floors, cases = [], {}
    for said in map(json.loads, lines):
        if "floor_us" in said:
            floors.append(said["floor_us"])
        else:
            cases.setdefault(said["case"], []).append(said)
    return floors, cases


def of_build(rows, build):
    return [r for r in rows if r["build"] == build]


def a_request(rows, program, key):
    return [r[program][key] / max(r["online"], 1) for r in rows]


def processor_us(rows, program):
    """User and system together, a request."""
    return [u + s for u, s in zip(a_request(rows, program, "user_us"),
                                  a_request(rows, program, "system_us"))]


def share(r):
    return r["arrived"] / r["online"] if r["online"] else 0.0


# ---- tables -----------------------------------------------------------------------------------

def aligned(lines):
    """Columns as wide as they must be; the first one to the left."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join([cells[0].ljust(widths[0])] + [
        cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]).rstrip() for cells in lines)


def floor_line(floors):
    return (f"\nfloor: {Spread(floors).text()} us a packet; processor time below in floors a request: "
            "user + system = sum\n")


def copy_line(case, rows):
    worst = min(rows, key=share)
    return (case, str(worst["online"]), str(worst["target"]),
            share_text(worst["arrived"], worst["online"]),
            str(worst["stream"]["delivered"]["requests"]),
            Spread(r["online"] / r["load_s"] for r in rows).text(0),
            Spread(r["p50_ms"] for r in rows).text(), Spread(r["p99_ms"] for r in rows).text(),
            Spread(r["lag_s"] for r in rows).text())


def program_line(case, rows, program, floor_us):
    user, system = (Spread(us / floor_us for us in a_request(rows, program, key)).median
                    for key in ("user_us", "system_us"))
    both = Spread(us / floor_us for us in processor_us(rows, program))
    decimals = 2 if both.median < 100 else 0
    keys = ("packets_in", "packets_out", "sends") if program == "tcpcopy" else (
        "packets_in", "records_out")
    return (case, f"{user:.{decimals}f} + {system:.{decimals}f} =", both.text(decimals),
            f"{Spread(processor_us(rows, program)).median:.2f}",
            *(f"{Spread(a_request(rows, program, key)).median:.2f}" for key in keys),
            f"{Spread(a_request(rows, program, 'wakeups')).median:.3f}",
            ">".join(f"{Spread(r[program][key] for r in rows).median:.0f}"
                     for key in ("kb_before", "kb_after")))


def tables(cases, floor_us):
    yield aligned([("the copy", "online", "target", "delivered", "ledger", "load/s", "p50 ms",
                    "p99 ms", "lag s")] + [copy_line(c, rows) for c, rows in cases.items()])
    heads = {"tcpcopy": ("in", "out", "sends"), "intercept": ("in", "out")}
    for program in PROGRAMS:
        yield aligned([(program, "user + system =", "floors", "us", *heads[program], "wake-ups", "kB")] +
                      [program_line(c, rows, program, floor_us) for c, rows in cases.items()])


# ---- what is not as it should be --------------------------------------------------------------

def shortfalls(r):
    """And what the programs say of it."""
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
    return ", ".join(f"{program} waited {r[program]['waited_us'] / 1e6:.1f} s for a processor"
                     for program in PROGRAMS)


def complaints(rows):
    """A line for each run that fell short."""
    for number, r in enumerate(rows, 1):
        found = "; ".join(shortfalls(r))
        if found:
            which = f" (run {number})" if len(rows) > 1 else ""
            yield f"{r['case']}{which}: {found} (in {r['load_s']:.0f} s {waited(r)})"


# ---- commands ---------------------------------------------------------------------------------

def show(lines):
    floors, cases = read(lines)
    print(floor_line(floors))
    print("\n\n".join(tables(cases, Spread(floors).median)))
    print(NOTES)
    if any(len(rows) > 1 for rows in cases.values()):
        print(SEVERAL)
    short = [line for rows in cases.values() for line in complaints(rows)]
    if short:
        print("\n" + "\n".join(short))
    return 1 if short else 0


def compared(rows):
    """Figures of a request: name, and a function that gives one a run."""
    yield "delivered", lambda rs: [share(r) for r in rs], 4
    for program in PROGRAMS:
        yield f"{program} us", lambda rs, p=program: processor_us(rs, p), 2
        yield f"{program} user us", lambda rs, p=program: a_request(rs, p, "user_us"), 2
        yield f"{program} wake-ups", lambda rs, p=program: a_request(rs, p, "wakeups"), 3
        yield f"{program} kB after", lambda rs, p=program: [r[p]["kb_after"] for r in rs], 0
    yield "packets sent", lambda rs: a_request(rs, "tcpcopy", "packets_out"), 2
    yield "p50 ms", lambda rs: [r["p50_ms"] for r in rs], 2
    yield "p99 ms", lambda rs: [r["p99_ms"] for r in rs], 2
    yield "lag s", lambda rs: [r["lag_s"] for r in rs], 2


def comparison(case, rows):
    this, other = of_build(rows, THIS), of_build(rows, OTHER)
    lines = [(case, "this build", "the other", "this / other")]
    for name, values_of, decimals in compared(rows):
        ours, theirs = values_of(this), values_of(other)
        lines.append((f"  {name}", Spread(ours).text(decimals), Spread(theirs).text(decimals),
                      ratio(ours, theirs).text(3)))
    return aligned(lines)


def compare(lines):
    floors, cases = read(lines)
    print(f"\nfloor: {Spread(floors).text()} us a packet; figures are of a request, the ratio is taken "
          "run by run\n")
    print("\n\n".join(comparison(case, rows) for case, rows in cases.items()))
    short = {build: [line for rows in cases.values() for line in complaints(of_build(rows, build))]
             for build in (THIS, OTHER)}
    for build, said in short.items():
        for line in said:
            print(f"\n{build}: {line}")
    return 1 if short[THIS] else 0


def uncopied(cases):
    for case, rows in cases.items():
        for program in PROGRAMS:
            missing = sum(r["missing"] for r in rows if r["program"] == program)
            if missing:
                yield f"{case}: {missing} requests did not arrive while {program} was counted"


def counted(cases):
    """Case, program and its rows, of what was counted."""
    for case, rows in cases.items():
        for program in PROGRAMS:
            mine = [r for r in rows if r["program"] == program]
            if mine:
                yield case, program, mine


def said_and_judged(table, cases):
    short = list(uncopied(cases))
    print("\n" + "\n".join([table] + [""] * bool(short) + short))
    return 1 if short or not cases else 0


def instructions(lines):
    _, cases = read(lines)
    out = [(case, program, Spread(r["instructions"] for r in rows).text(0))
           for case, program, rows in counted(cases)]
    return said_and_judged(aligned([("instructions a request", "", "")] + out), cases)


def call_lines(program, rows, floor_us):
    """What a request took, in all and by system call: calls, microseconds, floors."""
    def middle(value_of):
        return Spread(value_of(r) / max(r["online"], 1) for r in rows).median

    def line(name, calls, us):
        return f"  {name}", calls, f"{us:.2f}", f"{us / floor_us:.2f}"
    none = {"calls": 0, "us": 0.0}
    found = [(name, middle(lambda r, n=name: r["calls"].get(n, none)["calls"]),
              middle(lambda r, n=name: r["calls"].get(n, none)["us"]))
             for name in {name for r in rows for name in r["calls"]}]
    yield (program,) + line("", "", middle(lambda r: r["total_us"]))[1:]
    for name, calls, us in sorted(found, key=lambda f: -f[2]):
        yield line(name, f"{calls:.3f}", us)
    yield line("user space, other calls", "", middle(lambda r: r["rest_us"]))


def calls(lines):
    floors, cases = read(lines)
    floor_us = Spread(floors).median
    out = [("a request", "calls", "us", "floors")]
    for case, program, rows in counted(cases):
        out += call_lines(f"{case}, {program}", rows, floor_us)
    return said_and_judged(f"floor: {Spread(floors).text()} us a packet\n" + aligned(out), cases)


def main():
    commands = {"show": show, "compare": compare, "instructions": instructions,
                "calls": calls}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    return commands[sys.argv[1]](sys.stdin)


if __name__ == "__main__":
    sys.exit(main())
