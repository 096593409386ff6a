"""A changed entry deep in the old part of the log: the start does not read it, but the scrub, every reader and
`vouchsafe log verify` find it, and it is never given to anyone."""
import contextlib
import json
import os
import sqlite3
import subprocess
import time
import unittest

import workload
from harness import PLAIN, Keystore, Worker

ENTRIES = 1500
# entry 300, in its second block of 256
CHANGES = {
    "edited": "UPDATE log_entry SET entry = CAST(replace(CAST(entry AS TEXT), '\"op\":\"', '\"op\":\"x') AS BLOB) WHERE idx = 300",
    "deleted": "DELETE FROM log_entry WHERE idx = 300",
    "another": "UPDATE log_entry SET entry = (SELECT entry FROM log_entry WHERE idx = 301) WHERE idx = 300",
}


def change_config(k, **log):
    with open(k.config, encoding="utf-8") as f:
        config = json.load(f)
    config["log"].update(log)
    with open(k.config, "w", encoding="utf-8") as f:
        json.dump(config, f)


class Scrub(unittest.TestCase):
    def setUp(self):
        self.keystore = Keystore(policies=[PLAIN], settings={"log.scrub_per_second": 0})
        self.addCleanup(self.keystore.close)
        self.keystore.init().start()
        done, status, said = workload.Crew(self.keystore, 1, plain=True).run(ENTRIES, 8)
        self.assertEqual(status, 0, (done, said))
        self.keystore.stop()
        self.path = os.path.join(self.keystore.dir, "state/log.db")
        self.keystore.start()  # reads everything back once
        self.keystore.stop()

    def change(self, statement):
        with contextlib.closing(sqlite3.connect(self.path)) as database:
            self.assertEqual(database.execute(statement).rowcount, 1)
            database.commit()

    def restore(self, good):
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path + suffix)
        with open(self.path, "wb") as f:
            f.write(good)

    def scrub_with(self, per_second):
        change_config(self.keystore, scrub_per_second=per_second)

    def wait_for(self, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), deadline, self.keystore.log())
            time.sleep(0.1)

    def status(self):
        return self.keystore.get("/v1/status", token="operator").json()["log_scrub"]

    def metric(self, name):
        return workload.metric(self.keystore, name)

    def test_a_pass_is_in_the_status_and_in_the_metrics(self):
        self.scrub_with(1000000)
        self.keystore.start()
        self.wait_for(lambda: "last_pass" in self.status())
        status = self.status()
        self.assertGreaterEqual(status["verified"], ENTRIES - ENTRIES % 256)
        self.assertEqual((status["position"], status["tampered"]), (0, False))
        self.assertGreater(self.metric("vouchsafe_log_scrub_entries_total"), ENTRIES)
        self.assertLess(abs(self.metric("vouchsafe_log_scrub_last_pass_timestamp_seconds") - time.time()), 60)
        self.assertEqual(self.metric("vouchsafe_log_tampered"), 0)
        self.assertIn("scrub_pass_done", self.keystore.log())
        self.keystore.stop()
        self.keystore.start()
        self.assertEqual(self.status()["last_pass"], status["last_pass"])

    def test_the_scrub_finds_a_changed_entry_and_nothing_is_released_from_then_on(self):
        for what, statement in CHANGES.items():
            with self.subTest(what):
                with open(self.path, "rb") as f:
                    good = f.read()
                self.change(statement)
                self.scrub_with(1000000)
                self.keystore.start()
                self.wait_for(lambda: "LOG_TAMPERED" in self.keystore.log())
                self.wait_for(lambda: self.keystore.get("/readyz").status == 503)
                self.assertIn("were changed", self.keystore.get("/readyz").json()["error"])
                worker = Worker(self.keystore)
                self.assertEqual((worker.attest().status), 503)
                self.assertEqual(self.metric("vouchsafe_log_tampered"), 1)
                self.assertEqual(self.metric("vouchsafe_log_files_lost"), 0)
                self.assertTrue(self.status()["tampered"])
                self.keystore.kill()
                done = subprocess.run(self.keystore.daemon(), capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b"is not what this keystore wrote", done.stderr)
                self.restore(good)

    def test_readers_and_log_verify_find_a_changed_entry_without_the_scrub(self):
        for what, statement in CHANGES.items():
            with self.subTest(what):
                with open(self.path, "rb") as f:
                    good = f.read()
                self.change(statement)
                self.keystore.start()
                worker = Worker(self.keystore)
                self.assertEqual(worker.attest().status, 200)  # not found yet
                reply = self.keystore.get("/v1/log/entries?start=300&count=1", token="auditor")
                self.assertGreaterEqual(reply.status, 500)
                self.assertNotIn(b'"op"', reply.body)
                reply = self.keystore.get("/v1/log/entries?start=299&count=1", token="auditor")  # of the same block
                self.assertGreaterEqual(reply.status, 500)
                done = self.keystore.command("log", "verify", token="auditor", check=False)
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.keystore.stop()
                self.restore(good)

    def test_sigterm_ends_a_pass_at_once(self):
        change_config(self.keystore, scrub_per_second=10000000, scrub_pause_hours=0)
        self.keystore.start()
        self.wait_for(lambda: self.metric("vouchsafe_log_scrub_entries_total") > ENTRIES)
        began = time.monotonic()
        self.keystore.stop()
        self.assertLess(time.monotonic() - began, 10)


if __name__ == "__main__":
    unittest.main()
