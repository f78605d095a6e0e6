# SPDX-License-Identifier: BSD-2-Clause
"""coverage.py BUILD [--missed]: reads what gcov says of the core's objects in BUILD.

Prints a table of files, then a line of TAP for each group. Exits with 1 if a group has fewer than
WANTED percent of its branches. Used by coverage.sh.
"""
import glob
import json
import os
import subprocess
import sys

WANTED = 95.0

# What is asked for together, and the sources it consists of.
GROUPS = {
    "session core": [
        "tcpcopy/session*.c", "tcpcopy/online.c", "tcpcopy/turn.c", "tcpcopy/segment_queue.c",
        "tcpcopy/replay*.c", "tcpcopy/half_open.c",
    ],
    "parser": ["common/packet.c", "common/tcp_option.c"],
    "wire codec": ["common/wire.c"],
    "tuple map": ["common/tuple_map.c"],
    "timer wheel": ["common/timer_wheel.c"],
}


def lines_of_asserts(source):
    """Line numbers that belong to an assert, which may span several lines."""
    found = set()
    depth = 0
    for number, text in enumerate(source, 1):
        at = text.find("assert(") if depth == 0 else 0
        if at < 0 or "static_assert" in text:
            continue
        found.add(number)
        depth += text[at:].count("(") - text[at:].count(")")
    return found


class Count:
    def __init__(self):
        self.lines = self.lines_hit = self.branches = self.branches_hit = 0
        self.missed = []

    def add(self, other):
        self.lines += other.lines
        self.lines_hit += other.lines_hit
        self.branches += other.branches
        self.branches_hit += other.branches_hit

    def line_share(self):
        return 100.0 * self.lines_hit / self.lines if self.lines else 100.0

    def branch_share(self):
        return 100.0 * self.branches_hit / self.branches if self.branches else 100.0

    def row(self):
        return "%5.1f %% lines, %5.1f %% branches (%d of %d)" % (
            self.line_share(), self.branch_share(), self.branches_hit, self.branches)


def count_file(build, path):
    """What gcov knows of one source file; None without data."""
    data = os.path.join(build, path[:-2] + ".gcda")
    if not os.path.exists(data):
        return None
    text = subprocess.run(
        ["gcov", "--json-format", "--stdout", "--branch-probabilities",
         os.path.relpath(data, build)],
        cwd=build, check=True, capture_output=True, text=True).stdout
    with open(path, encoding="utf-8") as file:
        source = file.read().split("\n")
    asserts = lines_of_asserts(source)
    count = Count()
    for entry in json.loads(text)["files"]:
        if not entry["file"].endswith(path):
            continue
        for line in entry["lines"]:
            number = line["line_number"]
            if number in asserts:
                continue
            count.lines += 1
            count.lines_hit += line["count"] > 0
            taken = [branch["count"] > 0 for branch in line["branches"] if not branch["throw"]]
            count.branches += len(taken)
            count.branches_hit += sum(taken)
            if not all(taken):
                count.missed.append("%s:%d: %d of %d: %s" % (
                    path, number, taken.count(False), len(taken), source[number - 1].strip()))
    return count


def main():
    build, missed = sys.argv[1], "--missed" in sys.argv[2:]
    failed = False
    sums = {}
    for group, patterns in GROUPS.items():
        sums[group] = Count()
        for path in sorted(p for pattern in patterns for p in glob.glob(pattern)):
            count = count_file(build, path)
            if count is None:
                print("not ok - coverage: nothing is known of %s" % path)
                failed = True
                continue
            sums[group].add(count)
            print("# %-28s %s" % (path, count.row()))
            for line in count.missed if missed else []:
                print("#   " + line)
    for group, count in sums.items():
        good = count.branch_share() >= WANTED
        failed |= not good
        print("%s - coverage of the %s: %s" % ("ok" if good else "not ok", group, count.row()))
    sys.exit(failed)


main()
