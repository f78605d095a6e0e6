#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whether streams of numbers were copied from some turn on without a gap, each in one piece.

usage: kv_joined.py ONLINE_JSON TARGET_JSON DEPTH PREFIX [--to-the-end]

The files hold what `kv_redis.py HOST:PORT streams` printed; a turn of the streams that begin with
PREFIX is DEPTH numbers. Every such stream must be at the target, begin with a turn and miss nothing
between its first and its last number; with --to-the-end the last one is also the online server's.
Exit 0 or 1.
"""
import json
import sys


def read(path):
    with open(path, encoding="ascii") as f:
        return json.load(f)


def complaint(wanted, seen, depth, to_the_end):
    """What is wrong with one stream, or None."""
    if not seen:
        return "is not at the target"
    if seen != list(range(seen[0], seen[0] + len(seen))):
        at = next(n for n, number in enumerate(seen) if number != seen[0] + n)
        return f"has {seen[at]} after {seen[at - 1]}"
    if (seen[0] - 1) % depth:
        return f"begins with {seen[0]}, in the middle of a turn"
    if to_the_end and seen[-1] != wanted[-1]:
        return f"ends with {seen[-1]}, not {wanted[-1]}"
    return None


def main():
    online, target = read(sys.argv[1]), read(sys.argv[2])
    depth, prefix, to_the_end = int(sys.argv[3]), sys.argv[4], "--to-the-end" in sys.argv
    keys = sorted(key for key in online if key.startswith(prefix))
    wrong = [f"{key} {what}" for key in keys
             if (what := complaint(online[key], target.get(key, []), depth, to_the_end))]
    if wrong or not keys:
        print(f"{len(wrong)} of {len(keys)} streams: {'; '.join(wrong[:5])}")
        return 1
    firsts = [target[key][0] for key in keys]
    print(f"{len(keys)} streams, {sum(len(target[key]) for key in keys)} numbers, "
          f"from {min(firsts)} to {max(firsts)} on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
