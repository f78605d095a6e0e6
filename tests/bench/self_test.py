#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the bench's own arithmetic is right; run by ./test.sh lint."""
import contextlib
import io
import json
import math
import os
import tempfile
import unittest
import xml.etree.ElementTree

import callgrind
import figures
import growth
import plot
import rows
import table

def counts_of(clock_ns, **calls):
    """What calls.so leaves: calls and nanoseconds by name."""
    return b"".join(rows.CALLS_RECORD.pack(name.encode(), *counted) for name, counted in
                    {rows.CLOCK: (0, clock_ns), **calls}.items())


def a_run(**changes):
    """A row as rows.py makes it, of 1,000 requests that all arrived."""
    nothing = {"requests": 0, "bytes": 0}
    all_of_it = {"requests": 1000, "bytes": 100000}
    program = {"user_us": 2000.0, "system_us": 4000.0, "waited_us": 1e6, "wakeups": 100,
               "packets_in": 1010, "packets_out": 1020, "records_out": 1030, "sends": 90,
               "kb_before": 900, "kb_after": 1700}
    row = {"case": "a-case", "build": "this", "online": 1000, "target": 1000, "arrived": 1000,
           "load_failed": False, "load_s": 2.0, "lag_s": 0.1, "p50_ms": 0.5, "p99_ms": 2.5,
           "delays": 250, "kernel_dropped": 0, "not_sent": 0, "adds_up": True,
           "stream": {"captured": all_of_it, "delivered": all_of_it,
                      "dropped": {"timed_out": dict(nothing), "limit": dict(nothing)}},
           "tcpcopy": dict(program), "intercept": dict(program)}
    row.update(changes)
    return row


def said_by(command, *lines):
    """Exit status and words of a command of table.py that reads these values."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = command([json.dumps(line) for line in lines])
    return status, out.getvalue()


def printed(command, *words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        command(*words)
    return out.getvalue()


def cells_of(text, first):
    """The words of the line that begins so."""
    return next(line.split() for line in text.splitlines() if line.startswith(first))


class Figures(unittest.TestCase):
    def test_median_and_spread(self):
        s = figures.Spread([3.0, 1.0, 10.0])
        self.assertEqual((s.median, s.least, s.most), (3.0, 1.0, 10.0))
        self.assertEqual(s.text(), "3.00 (1.00-10.00)")
        self.assertEqual(figures.Spread([1.0, 2.0]).median, 1.5)

    def test_one_value_has_no_spread(self):
        self.assertEqual(figures.Spread([1.25]).text(1), "1.2")

    def test_what_was_not_seen_does_not_count(self):
        self.assertEqual(figures.Spread([math.nan, 2.0, 4.0]).median, 3.0)
        self.assertEqual(figures.Spread([math.nan]).text(), "-")

    def test_ratio_is_taken_run_by_run(self):
        # The machine was three times slower in the second pair: the ratios agree all the same.
        r = figures.ratio([10.0, 30.0], [20.0, 60.0])
        self.assertEqual((r.median, r.least, r.most), (0.5, 0.5, 0.5))
        self.assertEqual(figures.ratio([1.0, 4.0], [0.0, 2.0]).median, 2.0)

    def test_percentile(self):
        self.assertEqual(figures.percentile(list(range(100)), 0.5), 50)
        self.assertEqual(figures.percentile(list(range(100)), 0.99), 99)
        self.assertEqual(figures.percentile([7], 0.99), 7)
        self.assertTrue(math.isnan(figures.percentile([], 0.5)))

    def test_share_is_never_rounded_up(self):
        self.assertEqual(figures.share_text(999999, 1000000), "0.9999")
        self.assertEqual(figures.share_text(1000000, 1000000), "1.0000")
        self.assertEqual(figures.share_text(0, 0), "-")


class Rows(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def write(self, name, text):
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def test_processor_time_is_split_by_ticks_and_exact_in_sum(self):
        p = rows.processor("10,30,1000000,5000,7", "20,60,9000000,8000,57")
        self.assertEqual(p, {"user_us": 2000.0, "system_us": 6000.0, "waited_us": 3.0,
                             "wakeups": 50})

    def test_processor_time_below_a_tick_is_system_time(self):
        p = rows.processor("1,1,0,0,0", "1,1,4000,0,0")
        self.assertEqual((p["user_us"], p["system_us"]), (0.0, 4.0))

    def test_ids_that_arrived_and_lag(self):
        online = self.write("online", "100.0 1 1 1-1 90 200\n100.5 1 2 1-2 90 200\nhalf a line\n")
        target = self.write("target", "100.1 1 1 1-1 90 200\n100.7 1 2 1-1 90 200\n")
        self.assertEqual(printed(rows.ids, online, target),
                         "online=2 target=2 arrived=1 lag_s=0.200\n")

    def test_delay_is_of_the_first_sight_at_both(self):
        self.write("online.tap.out", "1-1 1000\n1-2 2000\n1-3 3000\nready\n")
        self.write("target.tap.out", "1-2 2500\n1-1 1900\n1-1 9000\n")
        self.assertEqual(rows.delays_ms(self.dir.name), [0.5, 0.9])

    def test_instructions_are_the_difference_of_two_runs(self):
        short = self.write("short", "==7== Collected : 5000000\n")
        long = self.write("long", "==8== Collected : 9000000\n==9== Collected : 1000000\n")
        row = json.loads(printed(rows.instructions, "case=c", "program=tcpcopy", f"log={short}",
                                 f"log2={long}", "online=100", "target=100", "online2=1100",
                                 "target2=1098"))
        self.assertEqual((row["instructions"], row["missing"]), (5000.0, 2))

    def test_calls_are_what_came_between_less_the_looks_at_the_clock(self):
        before = counts_of(400, read=(5, 9000), send=(7, 7000), write=(0, 0))
        after = counts_of(400, read=(15, 33000), send=(7, 7000), write=(2, 1000))
        self.assertEqual(rows.calls_between(before, after),
                         ({"read": {"calls": 10, "us": 20.0}, "write": {"calls": 2, "us": 0.2}}, 4.8))

    def test_what_is_in_no_call_is_the_rest(self):
        path = os.path.join(self.dir.name, "calls")
        for when, read in (("before", (0, 0)), ("after", (100, 140000))):
            with open(f"{path}.{when}", "wb") as f:
                f.write(counts_of(400, read=read))
        row = json.loads(printed(rows.calls, path, "case=c", "program=intercept", "online=10", "target=9",
                                 "intercept_before=0,0,0,0,0", "intercept_after=1,1,580000,0,0"))
        self.assertEqual((row["missing"], row["total_us"], row["rest_us"]), (1, 500.0, 400.0))

    def test_a_count_that_is_not_there_is_an_error(self):
        with self.assertRaises(ValueError):
            callgrind.collected("valgrind: no such file")
        with self.assertRaises(ValueError):
            callgrind.of_an_operation(1, 2, 0)


class Table(unittest.TestCase):
    def test_a_run_in_floors(self):
        status, text = said_by(table.show, {"floor_us": 2.0}, {"floor_us": 4.0}, {"floor_us": 3.0},
                               a_run())
        self.assertEqual(status, 0)
        self.assertIn("floor: 3.00 (2.00-4.00) us", text)
        # 2 + 4 us a request, of a floor of 3 us.
        self.assertEqual(cells_of(text.split("\ntcpcopy ")[1], "a-case")[1:6],
                         ["0.67", "+", "1.33", "=", "2.00"])

    def test_median_of_three_runs(self):
        runs = [a_run(p50_ms=p) for p in (0.9, 0.5, 0.6)]
        _, text = said_by(table.show, {"floor_us": 3.0}, *runs)
        self.assertIn("0.60 (0.50-0.90)", text)

    def test_the_worst_run_is_the_one_that_is_shown(self):
        status, text = said_by(table.show, {"floor_us": 3.0}, a_run(), a_run(arrived=990),
                               a_run(arrived=999))
        self.assertEqual(status, 1)
        self.assertEqual(cells_of(text, "a-case")[3], "0.9900")
        self.assertIn("a-case (run 2): 10 requests did not arrive", text)
        self.assertIn("a-case (run 3): 1 requests did not arrive", text)

    def test_every_shortfall_fails(self):
        dropped = a_run()["stream"]
        dropped["dropped"]["limit"] = {"requests": 1, "bytes": 9}
        for change in ({"load_failed": True}, {"online": 0, "arrived": 0, "target": 0},
                       {"arrived": 999}, {"target": 1001}, {"lag_s": 1.01}, {"stream": dropped},
                       {"adds_up": False}, {"kernel_dropped": 1}, {"not_sent": 1}, {"delays": 0}):
            status, text = said_by(table.show, {"floor_us": 3.0}, a_run(**change))
            self.assertEqual(status, 1, change)
            self.assertIn("\na-case: ", text)

    def test_builds_are_compared_run_by_run(self):
        slow = {**a_run()["tcpcopy"], "user_us": 8000.0, "system_us": 4000.0}
        status, text = said_by(table.compare, {"floor_us": 3.0}, a_run(),
                               a_run(build="other", tcpcopy=slow))
        self.assertEqual(status, 0)
        self.assertEqual(cells_of(text, "  tcpcopy us")[2:], ["6.00", "12.00", "0.500"])

    def test_only_a_shortfall_of_this_build_fails(self):
        floor, short = {"floor_us": 3.0}, a_run(build="other", arrived=1)
        self.assertEqual(said_by(table.compare, floor, a_run(), short)[0], 0)
        self.assertIn("other: a-case: 999 requests", said_by(table.compare, floor, a_run(), short)[1])
        self.assertEqual(said_by(table.compare, floor, a_run(arrived=1), a_run(build="other"))[0], 1)

    def test_instructions(self):
        row = {"case": "c", "program": "intercept", "missing": 0}
        status, text = said_by(table.instructions, *({**row, "instructions": n} for n in (900, 950, 1300)))
        self.assertEqual(status, 0)
        self.assertIn("950 (900-1300)", text)

    def test_calls_in_floors(self):
        row = {"case": "c", "program": "tcpcopy", "online": 100, "missing": 0, "total_us": 1000.0, "rest_us": 160.0,
               "calls": {"read": {"calls": 50, "us": 40.0}, "sendmmsg": {"calls": 20, "us": 800.0}}}
        status, text = said_by(table.calls, {"floor_us": 4.0}, row)
        self.assertEqual(status, 0)
        lines = text.split("\n")
        first = next(i for i, line in enumerate(lines) if line.startswith("c, tcpcopy"))
        self.assertEqual([line.split()[-3:] for line in lines[first:first + 4]], [
            ["tcpcopy", "10.00", "2.50"], ["0.200", "8.00", "2.00"], ["0.500", "0.40", "0.10"],
            ["calls", "1.60", "0.40"]])

    def test_a_count_of_a_copy_that_was_not_complete_fails(self):
        row = {"case": "c", "program": "tcpcopy", "missing": 3, "instructions": 5000}
        self.assertEqual(said_by(table.instructions, row)[0], 1)
        self.assertEqual(said_by(table.instructions)[0], 1)


class Growth(unittest.TestCase):
    def test_the_middle_run_counts(self):
        runs = [{"operation": "request", "ns_median": n, "ns_mean": 0} for n in (500, 300, 400)]
        row = growth.middle(runs)
        self.assertEqual((row["ns"], row["ns_least"], row["ns_most"]), (400, 300, 500))

    def test_idle_sessions_count_by_their_mean(self):
        self.assertEqual(growth.figure({"operation": "idle", "ns_median": 0, "ns_mean": 2}), 2)

    def test_table(self):
        text = list(growth.table([{"operation": "request", "sessions": n, "ns": ns, **more}
                                  for n, ns, more in ((1000, 300, {"instructions": 5000.0}),
                                                      (10000, 99.9, {}))]))
        self.assertEqual(text[0].split()[2:], ["1,000", "10,000"])
        self.assertEqual(text[1].split()[:4], ["request", "300", "(5000)", "99.9"])

    def test_plot_puts_decades_at_equal_distances(self):
        axes = plot.Axes([1000, 1000000], [1, 100])
        self.assertAlmostEqual(axes.x(10000) - axes.x(1000), axes.x(100000) - axes.x(10000))
        self.assertGreater(axes.y(1), axes.y(100))
        self.assertEqual(plot.decades([200, 2500]), [2, 3, 4])

    def test_plot_is_xml_with_a_line_each(self):
        svg = plot.svg({"a": [(1000, 1), (10000, 2)], "b": [(1000, 3)]}, "x", "y")
        root = xml.etree.ElementTree.fromstring(svg)
        self.assertEqual(len(root.findall("{http://www.w3.org/2000/svg}polyline")), 2)

    def test_labels_do_not_lie_on_each_other(self):
        places = plot.spread_out({"a": 100.0, "b": 101.0, "c": 300.0})
        self.assertEqual(places, {"a": 100.0, "b": 115.0 - 1.0, "c": 300.0})


if __name__ == "__main__":
    unittest.main()
