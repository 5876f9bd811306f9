"""What is judged, drawn and written, from made-up results: `python3 -m unittest comparison.tests` in bench."""
import unittest
import xml.dom.minidom

from . import charts, document, runner
from .commands import merge
from .growth import bends, exponent
from .judge import generator_bound, judge
from .rows import OURS


def result(seconds, ok=True, cpu=1.0, kb=102400):
    """One repetition as the benchmark writes it."""
    phase = {"name": "base", "ok": True, "seconds": seconds, "daemon_cpu_s": cpu, "rx_updates": 10, "rx_bytes": 1e6,
             "blast_cpu_s": 0.5, "other_cpu_s": 0.0}
    return {"ok": ok, "phases": [phase], "peak_rss_kb": kb}


def row(**daemons):
    """A row of these daemons' repetitions."""
    return {"reps": 3, "started": "2026-01-02T03:04:05", "commit": "abc",
            "daemons": {name.replace("_", "-"): runner.summarise(r, "base") for name, r in daemons.items()}}


def comparison():
    """One row in which we are twice as fast as the next, and one in which we failed once."""
    good = row(route_reflector=[result(1.0), result(3.0), result(1.1)], bird=[result(9.0)], frr=[result(2.2, kb=51200)])
    bad = row(route_reflector=[result(1.0), result(1.0, ok=False)], bird=[result(9.0)])
    return {"machine": {"kernel": "6", "cpus": 2, "cpu": "x", "congestion": "cubic"}, "small": False,
            "versions": {OURS: "1", "bird": "2"}, "rows": {"S1": good, "S3": bad}}


class Judging(unittest.TestCase):
    def test_a_bar_is_held_against_the_least_of_the_others(self):
        verdicts = {v.metric: v for v in judge({"S1": comparison()["rows"]["S1"]})}
        self.assertEqual(("frr", 0.5, False), (verdicts["time"].against, verdicts["time"].ratio, verdicts["time"].met))
        self.assertEqual(2.0, verdicts["rss_mb"].ratio)

    def test_a_repetition_that_failed_misses_every_bar(self):
        self.assertFalse(any(v.met for v in judge({"S3": comparison()["rows"]["S3"]})))

    def test_the_restart_is_held_against_our_own_fan_out(self):
        ours = row(route_reflector=[result(1.0, kb=1024)])
        verdict = judge({"S2": ours, "S7": row(route_reflector=[result(1.0, kb=2048)], frr=[result(9.0)])})[-1]
        self.assertEqual(("our S2", 2.0, False), (verdict.against, verdict.ratio, verdict.met))

    def test_a_generator_that_is_always_busy_is_seen(self):
        self.assertTrue(generator_bound(runner.summarise([result(0.55)], "base")))
        self.assertFalse(generator_bound(runner.summarise([result(1.0)], "base")))


class Growth(unittest.TestCase):
    def test_the_exponent_of_a_square_is_two(self):
        power, factor = exponent([(n, 3.0 * n * n) for n in (10, 100, 1000)])
        self.assertAlmostEqual(2.0, power)
        self.assertAlmostEqual(3.0, factor)

    def test_a_bend_is_seen_between_two_points(self):
        points = [{"n": n, "median": {"time": t}} for n, t in ((1, 1.0), (10, 10.0), (100, 1000.0))]
        self.assertEqual([1.0, 2.0], [round(b, 6) for b in bends(points, "time")])


class Writing(unittest.TestCase):
    def test_only_what_is_between_markers_changes_and_twice_is_as_once(self):
        text = "a\n<!-- measured: bars -->\nold\n<!-- end -->\nb\n<!-- measured: growth -->\nkept\n<!-- end -->\n"
        made = document.sections(comparison(), {}, {}, {})
        once = document.rewrite(text, made)
        self.assertTrue(once.startswith("a\n<!-- measured: bars -->\n") and once.endswith("kept\n<!-- end -->\n"))
        self.assertNotIn("old", once)
        self.assertEqual(once, document.rewrite(once, made))

    def test_the_limit_the_growth_and_idle_sessions_have_their_bars(self):
        machine = comparison()["machine"]
        limit = {**row(route_reflector=[result(1.6)], **{"limit-65536": [result(1.0)]}), "machine": machine}
        points = [{"n": n, "started": "2026-01-02", "commit": "a", "reps": 1, "ok": 1,
                   "median": {"time": 1.0, "cpu": 1.0, "rss_mb": 500.0}} for n in (1_000_000, 4_000_000)]
        made = document.sections({}, {"machine": machine, "routes": {"points": points}}, limit,
                                 {"sessions": 1000, "share": 0.004})
        self.assertEqual(1, made["own"].count("missed"))
        self.assertIn("writes of 64 KiB | 1.00", made["limit"])
        self.assertIn("| 4,000,000 | 1.00 | 0.00 |", made["growth"])

    def test_a_bad_peer_has_its_cost_beside_the_same_without_it(self):
        right = {"scenario": "slow", "daemon": "bird", "faults": [], "notes": []}
        runs = [{**right, "run": run, "figures": {"CPU, s": cpu}} for run, cpu in (("alone", 1.0), ("with", 2.5))]
        made = document.sections({}, {}, {}, {}, {"runs": runs})
        self.assertIn("| CPU, s | 1.00 → 2.50 |", made["hostile"])

    def test_routes_and_packets_have_their_tables(self):
        about = {"machine": comparison()["machine"], "started": "2026-01-02", "commit": "a"}
        figures = [{"work": "resync", "routes": 1000, "who": who, "what": "time, s", "median": 2.0, "values": values}
                   for who, values in (("raw netlink", [2.0]), ("bird", [1.0, 3.0]))]
        routes = {**about, "figures": figures, "faults": [],
                  "bars": [{"what": "w", "value": 2.0, "most": 1.5, "met": False}]}
        modes = {mode: {"tcp": [tcp], "udp": [1.0]} for mode, tcp in (("direct", 10.0), ("VXLAN", 8.8))}
        made = document.sections({}, {}, {}, {}, routes=routes, packets={**about, "modes": modes, "missing": ["IPIP"]})
        self.assertIn("| 1,000 | time, s | 2.00 | 2.00 ± 1.00 |", made["fib"])
        self.assertIn("| w | 2.00 | ≤ 1.50 | **missed** |", made["fib-bars"])
        self.assertIn("| VXLAN | 8.80 ± 0.00 | 0.88 | 1.00 ± 0.00 | 1.00 |", made["dataplane"])
        self.assertIn("no IPIP", made["dataplane"])

    def test_a_drawing_is_xml_and_the_same_every_time(self):
        drawn = charts.all_charts(comparison(), {"routes": {"points": [
            {"n": n, "median": {"time": n / 1e5, "cpu": n / 1e5, "rss_mb": n / 1e4}} for n in (10_000, 1_000_000)]}})
        self.assertEqual({"time.svg", "cpu.svg", "memory.svg", "growth.svg"}, set(drawn))
        for text in drawn.values():
            xml.dom.minidom.parseString(text)
        again = charts.all_charts(comparison(), {})
        self.assertEqual(drawn["time.svg"], again["time.svg"])


class Keeping(unittest.TestCase):
    def test_rows_measured_anew_replace_their_own_and_leave_the_others(self):
        kept, new = comparison(), comparison()
        new["rows"] = {"S3": new["rows"]["S1"]}
        merged = merge(kept, new)
        self.assertEqual(["S1", "S3"], list(merged["rows"]))
        self.assertEqual(kept["rows"]["S1"], merged["rows"]["S3"])

    def test_rows_of_other_versions_are_not_mixed_in(self):
        kept, new = comparison(), comparison()
        kept["versions"]["bird"], new["rows"] = "1", {"S3": new["rows"]["S3"]}
        self.assertEqual(["S3"], list(merge(kept, new)["rows"]))


if __name__ == "__main__":
    unittest.main()
