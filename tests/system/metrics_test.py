"""Metrics keep Prometheus' rules, and the alert rules and the board of dist/ ask for metrics that there are."""
import json
import os
import re
import shutil
import subprocess
import unittest

from harness import ROOT, Keystore, Worker

RULES = os.path.join(ROOT, "dist/prometheus/vouchsafe.rules.yml")
BOARD = os.path.join(ROOT, "dist/grafana/vouchsafe.json")
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
PROMTOOL = shutil.which("promtool") or shutil.which(os.path.join(CACHE, "vouchsafe/promtool"))  # script/bootstrap
METRIC = re.compile(r"\b((?:vouchsafe|process)_[a-z0-9_]+)")


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keystore = keystore = Keystore(tls=True)
        cls.addClassCleanup(keystore.close)
        keystore.init().start()
        worker = Worker(keystore)
        assert worker.attest().status == 200
        for _ in range(3):
            worker.attest_with(os.urandom(32), b"nothing")
        keystore.get("/readyz")
        cls.text = keystore.get("/metrics").body.decode()

    def value(self, name):
        return float(re.search(r"^" + re.escape(name) + r" (\S+)$", self.text, re.MULTILINE).group(1))

    def test_denials_by_code(self):
        self.assertEqual(self.value('vouchsafe_denials_total{op="attest",code="nonce_unknown",policy=""}'), 3)
        self.assertEqual(self.value('vouchsafe_operations_total{op="attest",decision="deny"}'), 3)

    def test_histograms_add_up(self):
        labels = 'method="POST",route="/v1/attest"'
        name = "vouchsafe_http_request_duration_seconds"
        counts = [int(n) for n in re.findall(name + r"_bucket\{" + labels + r',le="[^"]+"\} (\d+)', self.text)]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual((len(counts), counts[-1]), (14, 4))
        self.assertEqual(self.value(f"{name}_count{{{labels}}}"), 4)
        self.assertGreater(self.value(f"{name}_sum{{{labels}}}"), 0)
        self.assertLess(self.value(f"{name}_sum{{{labels}}}"), 40)

    def test_the_process(self):
        with open(f"/proc/{self.keystore.pid()}/status", encoding="ascii") as f:
            resident = 1024 * int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
        self.assertAlmostEqual(self.value("process_resident_memory_bytes") / resident, 1, delta=0.5)
        self.assertAlmostEqual(self.value("process_open_fds"), len(os.listdir(f"/proc/{self.keystore.pid()}/fd")),
                               delta=3)
        self.assertGreater(self.value("process_cpu_seconds_total"), 0)
        self.assertRegex(self.text, r'vouchsafe_build_info\{version="[0-9.]+",tee="simulated"\} 1\n')

    def test_rules_and_board_use_existing_metrics(self):
        families = set(re.findall(r"^# TYPE (\S+)", self.text, re.MULTILINE))
        with open(RULES, encoding="utf-8") as f:
            asked = set(METRIC.findall("\n".join(re.findall(r"expr:(.*(?:\n\s{10}.*)*)", f.read()))))
        with open(BOARD, encoding="utf-8") as f:
            board = json.load(f)
        for panel in board["panels"]:
            for target in panel["targets"]:
                asked |= set(METRIC.findall(target["expr"]))
        self.assertGreater(len(asked), 12)
        for name in asked:
            self.assertIn(re.sub(r"_(bucket|sum|count)$", "", name), families, name)

    @unittest.skipUnless(PROMTOOL, "promtool is not installed: script/bootstrap fetches it")
    def test_promtool(self):
        directory = os.path.dirname(RULES)
        for arguments, stdin in ((["check", "rules", RULES], None), (["check", "metrics"], self.text),
                                 (["test", "rules", os.path.join(directory, "vouchsafe.rules.test.yml")], None)):
            done = subprocess.run([PROMTOOL, *arguments], input=stdin, cwd=directory, capture_output=True, text=True,
                                  timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)


if __name__ == "__main__":
    unittest.main()
