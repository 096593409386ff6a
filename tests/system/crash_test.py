"""Killed at any moment, or out of disk, the keystore loses nothing it acknowledged and gives away nothing
it did not record."""
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

import workload
from harness import PLAIN, Keystore, Worker, ecies_seal

KILLS = int(os.environ.get("CRASH_KILLS", "200"))
KEEP_EVERY, WORKERS = 20, 16
RUN_MAX_S = 0.12  # from the beginning of the load to the kill
# The supervisor waits longer after each crash, so the test sometimes kills it, too, and starts it again.
KILLS_PER_SUPERVISOR = 4
SPACE = 4 * 1024 * 1024


def wait_gone(pid):
    """Until no thread of a killed process runs: then its files are closed, and the log can be opened."""
    deadline = time.monotonic() + 20
    while os.path.exists(f"/proc/{pid}"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                state = f.read().rpartition(")")[2].split()[0]
            if state == "Z" and os.listdir(f"/proc/{pid}/task") == [str(pid)]:
                return
        if time.monotonic() > deadline:
            raise AssertionError(f"process {pid} does not end")
        time.sleep(0.02)


class Kill(unittest.TestCase):
    def setUp(self):
        self.keystore = Keystore(workers=WORKERS, supervise=True)
        self.addCleanup(self.keystore.close)
        self.keystore.init().start()
        self.crew = workload.Crew(self.keystore, WORKERS)
        self.acks = os.path.join(self.keystore.dir, "acks")
        self.kept = []

    def keep_checkpoint(self):
        path = os.path.join(self.keystore.dir, f"kept-{len(self.kept)}")
        with open(path, "wb") as f:
            f.write(self.keystore.get("/v1/log/checkpoint").body)
        self.kept.append(path)

    def kill_all(self):
        """As a machine does that loses power. The child is first, else it would be told to stop."""
        child = self.keystore.pid()
        self.keystore.process.send_signal(signal.SIGSTOP)
        os.kill(child, signal.SIGKILL)
        self.keystore.kill()
        wait_gone(child)
        self.keystore.start()

    def kill_child(self):
        """It must come back by itself, as another process."""
        child = self.keystore.pid()
        os.kill(child, signal.SIGKILL)
        self.keystore.wait_ready()
        self.assertNotEqual(self.keystore.pid(), child)

    def test_nothing_acknowledged_is_lost(self):
        seed = int.from_bytes(os.urandom(4), "big")
        chance = random.Random(seed)
        print(f"crash_test: random seed {seed}", flush=True)
        self.keep_checkpoint()
        for i in range(1, KILLS + 1):
            load = self.crew.start(1_000_000, WORKERS, self.acks, until_failure=True)
            time.sleep(chance.uniform(0, RUN_MAX_S))
            if i % KILLS_PER_SUPERVISOR == 0:
                self.kill_all()
            else:
                self.kill_child()
            counted = json.loads(load.communicate(timeout=60)[0])
            self.assertEqual(counted["wrong"], 0)
            if i % KEEP_EVERY == 0:
                self.keep_checkpoint()
        self.check_log()
        self.assertEqual(self.keystore.stop(), 0)

    def check_log(self):
        lines, note = workload.export_log(self.keystore)
        acknowledged = workload.read_acks(self.acks)
        self.assertGreater(len(acknowledged), KILLS)
        logged = [json.loads(line) for line in lines]
        opened = [e["request_id"] for e in logged if e["op"] == "open"]
        self.assertEqual(len(opened), len(set(opened)), "a request is in the log twice")
        self.assertEqual(set(acknowledged) - set(opened), set(), "acknowledged, and not in the log")
        self.assertEqual(sum(e["op"] == "start" for e in logged), KILLS + 1)
        done = workload.verify_log(self.keystore, lines, note, self.kept)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        # that the kept checkpoints are looked at: with an entry of old times changed they object
        done = workload.verify_log(self.keystore, [lines[0][:-1] + b" }", *lines[1:]], note, self.kept)
        self.assertEqual(done.returncode, 1, done.stderr)
        print(f"crash_test: {len(acknowledged)} acknowledged, {len(lines)} entries, "
              f"{len(self.kept)} kept checkpoints", flush=True)


class Supervisor(unittest.TestCase):
    def setUp(self):
        self.keystore = Keystore(supervise=True)
        self.addCleanup(self.keystore.close)
        self.keystore.init().start()

    def test_its_death_ends_the_child(self):
        child = self.keystore.pid()
        self.keystore.kill()
        wait_gone(child)
        self.keystore.start()
        self.assertEqual(self.keystore.stop(), 0)

    def test_a_refusal_to_start_is_not_repeated(self):
        self.assertEqual(self.keystore.stop(), 0)
        os.rename(os.path.join(self.keystore.dir, "state/root.sealed"),
                  os.path.join(self.keystore.dir, "state/elsewhere"))
        done = subprocess.run([*self.keystore.daemon(), "--supervise"], capture_output=True, timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count(b"vouchsafed: "), 1, done.stderr)


class InterruptedInit(unittest.TestCase):
    ROUNDS, LONGEST_S = 30, 0.08

    def test_an_interrupted_init_can_be_finished_by_its_message(self):
        seed = int.from_bytes(os.urandom(4), "big")
        chance = random.Random(seed)
        print(f"crash_test: random seed {seed}", flush=True)
        keystore = Keystore()
        self.addCleanup(keystore.close)
        state = os.path.join(keystore.dir, "state")
        for _ in range(self.ROUNDS):
            shutil.rmtree(state, ignore_errors=True)
            first = subprocess.Popen(keystore.daemon("init"), stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, self.LONGEST_S))
            first.kill()
            first.wait()
            again = subprocess.run(keystore.daemon("init"), capture_output=True, text=True, timeout=60)
            if again.returncode != 0 and "root.sealed exists" not in again.stderr:
                self.assertIn("log.db exists, but no root", again.stderr)
                self.assertIn("remove it and repeat", again.stderr)
                os.remove(os.path.join(state, "log.db"))
                keystore.init()
            keystore.start()
            lines, note = workload.export_log(keystore)
            ops = [json.loads(line)["op"] for line in lines]
            self.assertEqual([op for op in ops if op != "collateral"], ["init", "start"])
            self.assertEqual(workload.verify_log(keystore, lines, note).returncode, 0)
            keystore.kill()


class Tampered(unittest.TestCase):
    """The disk is not trusted: a log that was changed before it was read back is not opened (see scrub_test for
    the others)."""

    def setUp(self):
        self.keystore = Keystore(settings={"log.scrub_per_second": 0})
        self.addCleanup(self.keystore.close)
        self.keystore.init().start()
        worker = Worker(self.keystore)
        for _ in range(300):  # enough for inner nodes of the tree to be stored
            worker.attest_with(os.urandom(32), b"nothing")
        self.assertEqual(self.keystore.stop(), 0)
        self.path = os.path.join(self.keystore.dir, "state/log.db")

    def test_every_change_is_refused(self):
        with open(self.path, "rb") as f:
            good = f.read()
        for statement in ("UPDATE log_entry SET entry = CAST(replace(entry, 'deny', 'allow') AS BLOB) WHERE idx = 20",
                          "DELETE FROM log_entry WHERE idx = 20",
                          "DELETE FROM log_entry WHERE idx = (SELECT max(idx) FROM log_entry)",
                          "DELETE FROM log_entry",
                          "UPDATE log_entry SET idx = CASE idx WHEN 20 THEN -1 ELSE idx END",
                          "INSERT INTO log_entry (idx, entry) SELECT max(idx) + 1, entry FROM log_entry",
                          "UPDATE log_entry SET entry = (SELECT entry FROM log_entry WHERE idx = 21)"
                          " WHERE idx = 20",
                          "UPDATE log_node SET hash = zeroblob(32)",
                          "UPDATE node SET state = zeroblob(length(state))",
                          "UPDATE node SET origin = 'another'",
                          "UPDATE node SET node = 2",
                          "DELETE FROM node",
                          "INSERT INTO item VALUES (3, zeroblob(32), 5, NULL, zeroblob(200))",
                          "DELETE FROM log_node"):
            with self.subTest(statement):
                with open(self.path, "wb") as f:
                    f.write(good)
                with contextlib.closing(sqlite3.connect(self.path)) as database:
                    self.assertGreater(database.execute(statement).rowcount, 0)
                    database.commit()
                with open(self.path, "rb") as f:
                    self.assertNotEqual(f.read(), good)
                done = subprocess.run(self.keystore.daemon(), capture_output=True, timeout=30)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b"is not what this keystore wrote", done.stderr)
        with open(self.path, "wb") as f:
            f.write(good)
        self.keystore.start()  # it was the change, and nothing else


class LostLog(unittest.TestCase):
    """The files of the log go or change under the running daemon: it releases nothing more, and there is a way out."""

    def setUp(self):
        self.keystore = Keystore(policies=[PLAIN])
        self.addCleanup(self.keystore.close)
        self.keystore.init().start()
        self.worker = Worker(self.keystore)
        self.assertEqual(self.worker.attest().status, 200)
        self.envelope = ecies_seal(self.keystore.pubkey(), b'{"A":"b"}')
        self.assertEqual(self.worker.decrypt(self.envelope).status, 200)
        self.path = os.path.join(self.keystore.dir, "state/log.db")

    def fault_all(self, names, change):
        for name in names:
            change(self.path + name)

    def check_refused(self):
        for _ in range(3):
            reply = self.worker.decrypt(self.envelope)
            self.assertEqual((reply.status, reply.code), (503, "log_unavailable"), reply.body)
        ready = self.keystore.get("/readyz")
        self.assertEqual((ready.status, ready.code), (503, "log_unavailable"))
        self.assertEqual(workload.metric(self.keystore, "vouchsafe_log_files_lost"), 1)
        self.assertEqual(self.keystore.log().count("LOG_FILES_LOST"), 1)

    def start_says(self, *arguments):
        done = subprocess.run(self.keystore.daemon(*arguments), capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_deleted(self):
        self.assertEqual(workload.metric(self.keystore, "vouchsafe_log_files_lost"), 0)
        self.fault_all(("", "-wal", "-shm"), os.remove)
        self.check_refused()
        self.assertEqual(self.keystore.stop(), 0)
        self.assertIn("vouchsafe init --new-log", self.start_says())
        self.assertIn("vouchsafe init --new-log", self.start_says("init"))
        done = subprocess.run(self.keystore.daemon("init", "--new-log"), capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Log key: test.example/log+", done.stdout)
        self.keystore.start()
        lines, note = workload.export_log(self.keystore)
        self.assertEqual([json.loads(line)["op"] for line in lines[:2]], ["new-log", "start"])
        self.assertEqual(workload.verify_log(self.keystore, lines, note).returncode, 0)
        self.assertEqual(self.worker.attest().status, 200)
        self.assertEqual(self.worker.decrypt(self.envelope).status, 200)  # the root is the same
        self.assertIn("exists", self.start_says("init", "--new-log"))

    def test_the_journal_was_deleted(self):
        os.remove(self.path + "-wal")
        self.check_refused()
        self.assertEqual(self.keystore.stop(), 0)
        self.keystore.start()
        self.assertEqual(self.worker.decrypt(self.envelope).status, 200)
        lines, note = workload.export_log(self.keystore)
        self.assertEqual([op for op in (json.loads(line)["op"] for line in lines) if op != "collateral"],
                         ["init", "start", "attest", "open", "start", "open"])
        self.assertEqual(workload.verify_log(self.keystore, lines, note).returncode, 0)

    def test_cut(self):
        os.truncate(self.path + "-wal", 0)
        self.check_refused()

    def test_replaced(self):
        shutil.copy(self.path, self.path + ".copy")
        os.rename(self.path + ".copy", self.path)
        self.check_refused()

    def test_noticed_without_any_request(self):
        os.rename(self.path, self.path + ".away")
        deadline = time.monotonic() + 10
        while self.keystore.get("/readyz").status != 503:
            self.assertLess(time.monotonic(), deadline, "nothing was noticed")
            time.sleep(0.05)
        os.rename(self.path + ".away", self.path)
        self.check_refused()  # for good: only a new start reads the whole log
        self.assertEqual(self.keystore.stop(), 0)
        self.keystore.start()
        self.assertEqual(self.worker.decrypt(self.envelope).status, 200)


class LostJournal(unittest.TestCase):
    """After a crash, the newest entries are only in the write-ahead log: without it, there is no start."""

    def test_deleted_after_a_crash(self):
        keystore = Keystore()
        self.addCleanup(keystore.close)
        keystore.init().start()
        worker = Worker(keystore)
        for _ in range(5):
            worker.attest_with(os.urandom(32), b"nothing")
        keystore.kill()
        journal = os.path.join(keystore.dir, "state/log.db-wal")
        os.rename(journal, journal + ".away")
        for _ in range(2):
            done = subprocess.run(keystore.daemon(), capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("did not stop by itself", done.stderr)
            self.assertIn("vouchsafe state repair", done.stderr)
        os.rename(journal + ".away", journal)
        keystore.start()
        lines, _ = workload.export_log(keystore)
        self.assertEqual(sum(json.loads(line)["op"] == "attest" for line in lines), 5)
        self.assertEqual(keystore.stop(), 0)
        self.assertFalse(os.path.exists(journal))
        keystore.start()


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.keystore = Keystore()
        self.addCleanup(self.keystore.close)

    def check_refused_and_recovers(self, fill, free):
        keystore = self.keystore
        keystore.init().start()
        crew = workload.Crew(keystore, 1)
        acks = os.path.join(keystore.dir, "acks")
        self.assertEqual(crew.run(200, 4, acks)[1], 0)
        fill()
        with open(crew.cases, encoding="ascii") as f:
            token, session, body, expected, _ = f.read().rstrip("\n").split("\t")
        refused = set()
        for _ in range(300):
            reply = keystore.request("POST", "/decrypt", body, token=token, headers={
                "X-TEE-Session": session, "Content-Type": "application/json"})
            if reply.status == 200:  # there was room for this one
                self.assertEqual(refused, set(), "accepted again without space")
                continue
            self.assertEqual((reply.status, reply.code), (503, "log_unavailable"), reply.body)
            self.assertIn("Retry-After", reply.headers)
            self.assertNotIn(b"secrets", reply.body)
            self.assertNotIn(expected.encode(), reply.body)
            refused.add(reply.request_id)
            if len(refused) == 20:
                break
        self.assertEqual(len(refused), 20, "the disk was never full")
        failures = workload.metric(keystore, "vouchsafe_log_failures_total")
        self.assertGreaterEqual(failures, 20)
        self.assertEqual(keystore.get("/healthz").status, 200)
        self.assertEqual(len(keystore.pubkey("a/b:c.near")), 64)  # what needs no log goes on
        free()
        self.assertEqual(crew.run(200, 4, acks)[1], 0, "it does not recover")
        self.assertIn(" log_recovered ", keystore.log())
        self.check_log(refused, acks)
        self.assertEqual(keystore.stop(), 0)
        keystore.start()  # and what is on the disk is good
        self.check_log(refused, acks)

    def check_log(self, refused, acks):
        lines, note = workload.export_log(self.keystore)
        opened = {e["request_id"] for e in map(json.loads, lines) if e["op"] == "open"}
        self.assertEqual(set(workload.read_acks(acks)) - opened, set())
        self.assertEqual(refused & opened, set(), "refused because the disk is full, but in the log")
        done = workload.verify_log(self.keystore, lines, note)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_file_system(self):
        state = os.path.join(self.keystore.dir, "state")
        os.mkdir(state, 0o700)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SPACE},mode=700", "tmpfs", state],
                               capture_output=True)
        if mount.returncode != 0:
            self.skipTest("cannot mount a tmpfs here")
        self.addCleanup(subprocess.run, ["umount", "-l", state], check=True)
        ballast = os.path.join(state, "ballast")

        def fill():
            with open(ballast, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(4096))
                except OSError:
                    pass

        self.check_refused_and_recovers(fill, lambda: os.remove(ballast))

    def test_file_size_limit(self):
        def limit(size):
            _, hard = resource.prlimit(self.keystore.pid(), resource.RLIMIT_FSIZE)
            resource.prlimit(self.keystore.pid(), resource.RLIMIT_FSIZE, (size, hard))

        self.check_refused_and_recovers(lambda: limit(4096), lambda: limit(resource.RLIM_INFINITY))


if __name__ == "__main__":
    unittest.main()
