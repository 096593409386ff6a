"""A rollback of everything at once: the whole database is replaced by an older copy, with and without the sealed
root. An anchor outside the disk finds it at the start: a counter of a real TPM (swtpm), and another keystore that
cosigns checkpoints."""
import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
import unittest

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

import harness
import workload
from harness import Keystore
from seal_test import Race, Swtpm

DASH = "\u2014 "


def wait_until(check, what, wait_s=30):
    end = time.monotonic() + wait_s
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"not within {wait_s} s: {what}")
        time.sleep(0.05)


class Tpm(Swtpm):
    """With a port that stays, and an owner who deletes counters."""

    def start(self):
        if not hasattr(self, "port"):
            self.port = harness.free_port(2)
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.dir}", "--server",
             f"type=tcp,port={self.port},bindaddr=127.0.0.1", "--ctrl",
             f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1", "--flags",
             "not-need-init,startup-clear"], stdin=subprocess.DEVNULL)
        harness.wait_for_port(self.port + 1)

    def undefine(self, index):
        """TPM2_NV_UndefineSpace with the owner's empty password (TPM 2.0 part 3)."""
        body = struct.pack(">II", 0x40000001, index) + struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.sendall(struct.pack(">HII", 0x8002, 10 + len(body), 0x00000122) + body)
            _, _, code = struct.unpack(">HII", s.recv(4096)[:10])
        assert code == 0, hex(code)


class Between(Race):
    """Stands between the keystore and its TPM. Calls `before` and `after` an increment, and may change an answer."""

    INCREMENT, READ = 0x134, 0x14E

    def __init__(self, tpm):
        self.before = self.after = lambda: None
        self.change = None  # of an answer to TPM2_NV_Read
        super().__init__(tpm, 0, 0)

    def accept(self, listener, serve):
        def go_on(client):
            try:
                serve(client)
            except (OSError, struct.error):
                pass  # the keystore, or the TPM, was killed

        super().accept(listener, go_on)

    def serve_commands(self, client):
        with socket.create_connection(("127.0.0.1", self.tpm.port), 5) as tpm:
            while command := self.whole(client):
                code = struct.unpack(">I", command[6:10])[0]
                if code == self.INCREMENT:
                    self.before()
                tpm.sendall(command)
                answer = self.whole(tpm)
                if code == self.INCREMENT:
                    self.after()
                if code == self.READ and self.change:
                    answer = self.change(answer)
                try:
                    client.sendall(answer)
                except OSError:
                    return


class Anchored(unittest.TestCase):
    def keystore(self, **settings):
        keystore = Keystore(settings=settings)
        self.addCleanup(keystore.close)
        return keystore

    def tpm(self):
        tpm = Tpm()
        self.addCleanup(tpm.close)
        return tpm

    def state(self, keystore):
        return os.path.join(keystore.dir, "state")

    def save(self, keystore, name):
        """A copy of everything on the disk: database, its other files, and the sealed root."""
        shutil.copytree(self.state(keystore), os.path.join(keystore.dir, name))
        return name

    def put_back(self, keystore, name, root=True):
        state = self.state(keystore)
        for file in os.listdir(state):
            if file.startswith("log.db") or (root and file.startswith("root.sealed")):
                os.remove(os.path.join(state, file))
        copy = os.path.join(keystore.dir, name)
        for file in os.listdir(copy):
            if file.startswith("log.db") or (root and file.startswith("root.sealed")):
                shutil.copy2(os.path.join(copy, file), os.path.join(state, file))

    def refuses_to_start(self, keystore, *words, status=1):
        done = subprocess.run(keystore.daemon(), capture_output=True, timeout=120)
        text = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, status, text)
        for word in words:
            self.assertIn(word, text)
        return text

    def entries(self, keystore, count=3):
        """Each session is an entry of the log."""
        for _ in range(count):
            worker = harness.Worker(keystore)
            self.assertEqual(worker.attest().status, 200)

    def size(self, keystore):
        return keystore.get("/v1/status", token="operator").json()["log_size"]

    def anchors(self, keystore):
        return keystore.get("/v1/status", token="operator").json()["anchors"]

    def vkey(self, keystore):
        return keystore.get("/v1/log/key").json()["vkey"]


@unittest.skipUnless(shutil.which("swtpm"), "swtpm is not installed")
class Counter(Anchored):
    def settings(self, tpm, **more):
        return {"anchor.tpm2": True, "tee.tpm2_tcti": tpm.tcti, "anchor.interval_s": 1, **more}

    def check_config(self, keystore):
        done = subprocess.run(keystore.daemon("--check-config"), capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_an_older_copy_of_everything(self):
        tpm = self.tpm()
        keystore = self.keystore(**self.settings(tpm)).init().start()
        self.entries(keystore)
        keystore.stop()
        old = self.save(keystore, "old")
        keystore.start()
        self.assertEqual(self.anchors(keystore)["list"][0]["state"], "good")
        self.entries(keystore)
        keystore.stop()
        new = self.save(keystore, "new")
        for root in (False, True):
            with self.subTest("with the sealed root" if root else "without it"):
                self.put_back(keystore, old, root=root)
                text = self.refuses_to_start(keystore, "older copy", "code=rolled_back", "0x01805653")
                self.assertIn("--new-anchor", text)
        with self.subTest("the newest copy is accepted"):
            self.put_back(keystore, new)
            keystore.start()
            keystore.stop()
        with self.subTest("and is old after one more start and stop without a request"):
            self.put_back(keystore, new)
            self.refuses_to_start(keystore, "older copy")
        with self.subTest("the way out"):
            done = subprocess.run(keystore.daemon("init", "--new-anchor"), capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            keystore.start()
            lines, _ = workload.export_log(keystore)
            entry = [e for e in map(json.loads, lines) if e["op"] == "new-anchor"][-1]
            self.assertGreater(entry["detail"]["counter"], 0)
            keystore.stop()

    def test_a_copy_of_the_running_database(self):
        """kill -9 and an older copy, taken while it ran."""
        tpm = self.tpm()
        keystore = self.keystore(**self.settings(tpm)).init().start()
        self.entries(keystore)
        before = self.anchors(keystore)["counter"]
        keystore.kill()
        old = self.save(keystore, "old")
        keystore.start()
        self.entries(keystore)
        wait_until(lambda: self.anchors(keystore)["counter"] > before + 1 and self.anchors(keystore)["lag_ms"] == 0,
                   "the counter moves")
        keystore.kill()
        self.put_back(keystore, old)
        self.refuses_to_start(keystore, "older copy")

    def test_a_counter_that_was_deleted_or_is_another(self):
        tpm = self.tpm()
        keystore = self.keystore(**self.settings(tpm)).init().start()
        keystore.stop()
        with self.subTest("another keystore cannot use the index"):
            other = self.keystore(**self.settings(tpm))
            done = subprocess.run(other.daemon("init"), capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1)
            self.assertIn("authorization value", done.stderr)
            self.assertIn("anchor.tpm2_index", done.stderr)
        with self.subTest("another TPM"):
            another = self.tpm()
            moved = self.keystore(**self.settings(another))
            shutil.copytree(self.state(keystore), self.state(moved))
            self.refuses_to_start(moved, "nothing at index", "--new-anchor")
            subprocess.run(moved.daemon("init", "--new-anchor"), check=True, capture_output=True, timeout=60)
            moved.start()
            moved.stop()
        with self.subTest("deleted"):
            self.assertEqual(self.check_config(keystore)[0], 0)
            tpm.undefine(0x01805653)
            status, text = self.check_config(keystore)
            self.assertEqual(status, 1)
            self.assertIn("nothing at index", text)
            self.refuses_to_start(keystore, "nothing at index", "--new-anchor")
        with self.subTest("no TPM"):
            tpm.stop()
            self.refuses_to_start(keystore, "no TPM answers")

    def test_a_keystore_that_had_no_anchor(self):
        tpm = self.tpm()
        keystore = self.keystore().init().start()
        self.assertEqual(keystore.log().count("no_anchor"), 1)
        self.assertEqual(self.anchors(keystore)["list"], [])
        self.entries(keystore)
        keystore.stop()
        with open(keystore.config, encoding="utf-8") as f:
            config = json.load(f)
        config["anchor"] = {"tpm2": True, "interval_s": 1}
        config["tee"]["tpm2_tcti"] = tpm.tcti
        with open(keystore.config, "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.refuses_to_start(keystore, "adopted no counter", "--new-anchor", status=78)
        subprocess.run(keystore.daemon("init", "--new-anchor"), check=True, capture_output=True, timeout=60)
        keystore.start()
        self.entries(keystore)

    def test_each_commit(self):
        """With commits: 1 a reply leaves after the counter has moved: nothing answered can be taken back."""
        tpm = self.tpm()
        keystore = self.keystore(**self.settings(tpm, **{"anchor.commits": 1, "anchor.interval_s": 3600}))
        keystore.init().start()
        for _ in range(5):
            keystore.kill()
            tpm.restart()
            old = self.save(keystore, "old")
            keystore.start()
            self.entries(keystore, 1)  # one reply
            keystore.kill()
            tpm.restart()  # without a resource manager, sessions of a killed program remain
            new = self.save(keystore, "new")
            self.put_back(keystore, old)
            self.refuses_to_start(keystore, "older copy")
            self.put_back(keystore, new)
            keystore.start()
            shutil.rmtree(os.path.join(keystore.dir, "old"))
            shutil.rmtree(os.path.join(keystore.dir, "new"))

    def test_kill_at_each_step(self):
        """kill -9 after the commit and before the TPM counts, and after it has counted: every start succeeds."""
        tpm = self.tpm()
        between = Between(tpm)
        self.addCleanup(between.close)
        keystore = self.keystore(**self.settings(tpm, **{"tee.tpm2_tcti": between.tcti, "anchor.commits": 1}))
        keystore.init().start()
        for step in ("before", "after"):
            with self.subTest(step):
                self.entries(keystore, 1)
                size = self.size(keystore)
                keystore.stop()
                old = self.save(keystore, step)
                keystore.start()
                killed = threading.Event()

                def kill(keystore=keystore, killed=killed):
                    if not killed.is_set():
                        killed.set()
                        keystore.process.kill()
                        keystore.process.wait()

                setattr(between, step, kill)
                worker = harness.Worker(keystore)
                try:
                    self.assertNotEqual(worker.attest().status, 200)
                except (OSError, http.client.HTTPException):
                    pass
                self.assertTrue(killed.is_set())
                keystore.process = None
                between.before = between.after = lambda: None
                tpm.restart()
                keystore.start()
                self.assertGreater(self.size(keystore), size)
                keystore.stop()
                new = self.save(keystore, step + "-new")
                self.put_back(keystore, old)
                self.refuses_to_start(keystore, "older copy")
                self.put_back(keystore, new)
                keystore.start()
        with self.subTest("at random"):
            for _ in range(8):
                threads = [threading.Thread(target=self.entries_until_death, args=(keystore,)) for _ in range(3)]
                for thread in threads:
                    thread.start()
                time.sleep(random.random() * 0.3)
                keystore.kill()
                for thread in threads:
                    thread.join()
                tpm.restart()
                keystore.start()

    def entries_until_death(self, keystore):
        try:
            while harness.Worker(keystore).attest().status == 200:
                pass
        except (AssertionError, OSError, http.client.HTTPException):
            pass

    def test_answers_that_the_tpm_did_not_make(self):
        tpm = self.tpm()
        between = Between(tpm)
        self.addCleanup(between.close)
        keystore = self.keystore(**self.settings(tpm, **{"tee.tpm2_tcti": between.tcti})).init()
        answers = []

        def keep(answer):
            answers.append(answer)
            return answer

        between.change = keep
        keystore.start()
        keystore.stop()
        flipped = [lambda a, i=i: a[:i] + bytes([a[i] ^ 1]) + a[i + 1:] for i in (17, 23, len(answers[0]) - 1)]
        for change in (*flipped, lambda a: answers[0], lambda a: a[:-1], lambda a: b""):
            between.change = change
            self.refuses_to_start(keystore, "counter of anchor.tpm2")
        between.change = None
        tpm.restart()
        keystore.start()

    def test_the_tpm_is_lost_while_it_runs(self):
        tpm = self.tpm()
        keystore = self.keystore(**self.settings(tpm, **{"anchor.commits": 1, "anchor.grace_s": 1}))
        keystore.init().start()
        self.entries(keystore)
        tpm.stop()
        with self.subTest("refuse: the reply is held until the TPM is back"):
            result = []
            thread = threading.Thread(target=lambda: result.append(harness.Worker(keystore).challenge()))
            thread.start()
            thread.join()
            worker = harness.Worker(keystore)
            thread = threading.Thread(target=lambda: result.append(worker.attest().status))
            thread.start()
            wait_until(lambda: keystore.get("/readyz").status == 503, "not ready")
            wait_until(lambda: workload.metric(keystore, "vouchsafe_anchor_late") == 1, "late")
            self.assertEqual(len(result), 1)
            tpm.start()
            thread.join(30)
            self.assertEqual(result[1], 200)
            wait_until(lambda: keystore.get("/readyz").status == 200, "ready again")
        self.assertIn("anchor_unavailable", keystore.log())
        self.assertIn("anchor_recovered", keystore.log())
        keystore.stop()
        with self.subTest("warn: it goes on"):
            with open(keystore.config, encoding="utf-8") as f:
                config = json.load(f)
            config["anchor"]["unavailable"] = "warn"
            with open(keystore.config, "w", encoding="utf-8") as f:
                json.dump(config, f)
            tpm.stop()
            old = self.save(keystore, "old")
            keystore.start()
            self.assertIn("anchor_not_checked", keystore.log())
            self.entries(keystore)
            tpm.start()
            wait_until(lambda: self.anchors(keystore)["list"][0]["state"] == "good", "the TPM is back")
            keystore.stop()
        with self.subTest("warn: an older copy is found when the TPM is back"):
            self.put_back(keystore, old)
            tpm.stop()
            keystore.start()
            tpm.start()
            wait_until(lambda: "ROLLED_BACK" in keystore.log(), "found")
            self.assertEqual(harness.Worker(keystore).attest().status, 503)
            self.assertEqual(self.anchors(keystore)["list"][0]["state"], "conflict")
            wait_until(lambda: keystore.get("/readyz").status == 503, "not ready")


class Tree:
    """A log of its own, with the Merkle tree of RFC 9162, computed plainly."""

    def __init__(self, origin, entries=()):
        self.origin, self.entries = origin, list(entries)
        self.key = Ed25519PrivateKey.generate()

    @property
    def vkey(self):
        public = harness.raw_public(self.key)
        key_id = hashlib.sha256(self.origin.encode() + b"\n\x01" + public).digest()[:4]
        return f"{self.origin}+{key_id.hex()}+{base64.b64encode(bytes([1]) + public).decode()}"

    def root(self, start, end):
        if end - start == 0:
            return hashlib.sha256(b"").digest()
        if end - start == 1:
            return hashlib.sha256(b"\0" + self.entries[start]).digest()
        middle = start + self.half(end - start)
        return hashlib.sha256(b"\1" + self.root(start, middle) + self.root(middle, end)).digest()

    @staticmethod
    def half(count):
        k = 1
        while 2 * k < count:
            k *= 2
        return k

    def proof(self, old, start, end, whole=True):
        """SUBPROOF of RFC 6962 section 2.1.2, for the entries from `start` to `end`."""
        if old == end - start:
            return [] if whole else [self.root(start, end)]
        k = self.half(end - start)
        if old <= k:
            return self.proof(old, start, start + k, whole) + [self.root(start + k, end)]
        return self.proof(old - k, start + k, end, False) + [self.root(start, start + k)]

    def text(self, size):
        return f"{self.origin}\n{size}\n{base64.b64encode(self.root(0, size)).decode()}\n".encode()

    def request(self, old, size, proof=None, text=None, key=None):
        text = text or self.text(size)
        public = harness.raw_public(self.key)
        key_id = hashlib.sha256(self.origin.encode() + b"\n\x01" + public).digest()[:4]
        signature = base64.b64encode(key_id + (key or self.key).sign(text)).decode()
        if proof is None:
            proof = self.proof(old, 0, size) if 0 < old < size else []
        lines = "".join(base64.b64encode(h).decode() + "\n" for h in proof)
        return f"old {old}\n{lines}\n".encode() + text + f"\n{DASH}{self.origin} {signature}\n".encode()


def verify_cosignature(text, line, vkey):
    """An independent check of one cosignature line; returns its time."""
    name, key_id, key = vkey.split("+", 2)
    dash, line_name, signature = line.rstrip("\n").split(" ")
    assert (dash, line_name) == ("\u2014", name), line
    raw = base64.b64decode(signature)
    assert raw[:4].hex() == key_id
    key = base64.b64decode(key)
    assert key[0] == 4
    seconds = struct.unpack(">Q", raw[4:12])[0]
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[12:], b"cosignature/v1\ntime %d\n" % seconds + text)
    return seconds


class Witness(Anchored):
    """The keystore as a witness: POST /add-checkpoint."""

    def setUp(self):
        self.log = Tree("other.example/log", [b"entry %d" % i for i in range(40)])
        self.keystore = self.keystore(**{"witness.serve": True, "witness.logs": [self.log.vkey]}).init().start()
        self.vkey = self.keystore.get("/v1/witness").json()["vkey"]

    def post(self, body):
        return self.keystore.post("/add-checkpoint", body)

    def cosigned(self, reply, size):
        self.assertEqual(reply.status, 200, reply.body)
        text = self.log.text(size)
        seconds = verify_cosignature(text, reply.body.decode(), self.vkey)
        self.assertLess(abs(seconds - time.time()), 60)

    def conflict(self, reply, size):
        self.assertEqual(reply.status, 409, reply.body)
        self.assertEqual(reply.headers["Content-Type"], "text/x.tlog.size")
        self.assertEqual(reply.body, b"%d\n" % size)

    def test_answers(self):
        log = self.log
        facts = self.keystore.get("/v1/witness").json()
        self.assertEqual((facts["name"], facts["logs"]), ("test.example/log/witness", 1))
        with self.subTest("the first, the same again, and larger ones"):
            self.cosigned(self.post(log.request(0, 7)), 7)
            size = self.size(self.keystore)
            for _ in range(3):
                self.cosigned(self.post(log.request(7, 7)), 7)
            self.assertEqual(self.size(self.keystore), size)  # a repetition does not grow the log
            self.cosigned(self.post(log.request(7, 20)), 20)
            self.assertEqual(self.size(self.keystore), size + 1)
        with self.subTest("another old size"):
            for old, size in ((0, 30), (7, 20), (7, 7), (19, 30), (0, 1)):
                self.conflict(self.post(log.request(old, size)), 20)
        with self.subTest("refused"):
            fork = Tree(log.origin, [b"other %d" % i for i in range(40)])
            fork.key = log.key
            unknown = Tree("unknown.example/log", log.entries)
            other = Ed25519PrivateKey.generate()
            good = log.request(20, 30)
            for body, status in ((fork.request(20, 30), 422), (fork.request(20, 20), 409),
                                 (log.request(20, 30, proof=[]), 422),
                                 (log.request(20, 30, proof=[bytes(32)] * 3), 422),
                                 (log.request(20, 30, proof=[bytes(32)] * 64), 400),
                                 (log.request(20, 20, proof=[bytes(32)]), 422),
                                 (unknown.request(0, 5), 404), (log.request(20, 30, key=other), 403),
                                 (log.request(31, 30, proof=[]), 400), (b"", 400), (b"old\n", 400),
                                 (good.replace(b"old 20", b"old 020"), 400), (good.replace(b"\n", b"\r\n"), 400),
                                 (good[:-1], 400), (good + b"x\n", 400), (b"old 20\n\n" + b"a" * 200000, 413)):
                reply = self.post(body)
                self.assertEqual(reply.status, status, (body[:60], reply.body))
        with self.subTest("other methods and paths"):
            self.assertEqual(self.keystore.get("/add-checkpoint").status, 405)
        with self.subTest("extension lines are signed, too"):
            text = log.text(25) + b"an extension\n"
            reply = self.post(log.request(20, 25, text=text))
            self.assertEqual(reply.status, 200, reply.body)
            verify_cosignature(text, reply.body.decode(), self.vkey)
        with self.subTest("after kill -9 nothing that it cosigned is forgotten"):
            self.keystore.kill()
            self.keystore.start()
            self.conflict(self.post(log.request(20, 30)), 25)
            self.cosigned(self.post(log.request(25, 40)), 40)
        lines, note = workload.export_log(self.keystore)
        entries = [e["detail"] for e in map(json.loads, lines) if e["op"] == "cosign"]
        self.assertEqual([e["size"] for e in entries], [7, 20, 25, 40])
        self.assertEqual(entries[0]["root"], log.root(0, 7).hex())
        self.assertEqual(workload.verify_log(self.keystore, lines, note).returncode, 0)

    def test_at_the_same_time(self):
        """Of many requests with one old size, one is cosigned first; all others get the size that it left."""
        self.cosigned(self.post(self.log.request(0, 5)), 5)
        replies = []
        threads = [threading.Thread(target=lambda size=size: replies.append(self.post(self.log.request(5, size))))
                   for size in range(6, 40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = [r.status for r in replies]
        self.assertEqual(statuses.count(200), 1, statuses)
        self.assertTrue(set(statuses) <= {200, 409, 429}, statuses)

    def test_a_keystore_that_is_no_witness(self):
        plain = Keystore()
        self.addCleanup(plain.close)
        plain.init().start()
        self.assertEqual(plain.post("/add-checkpoint", self.log.request(0, 7)).status, 404)
        self.assertEqual(plain.get("/v1/witness").status, 404)


class FakeWitness:
    """A witness that answers what a test says."""

    def __init__(self, name="fake.example/w"):
        self.key = Ed25519PrivateKey.generate()
        public = harness.raw_public(self.key)
        self.id = hashlib.sha256(name.encode() + b"\n\x04" + public).digest()[:4]
        self.name, self.vkey = name, f"{name}+{self.id.hex()}+{base64.b64encode(bytes([4]) + public).decode()}"
        self.answer = self.good
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, body))
                status, headers, reply = outer.answer(body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError):  # the client did not wait
                    self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def cosign(self, body, key=None, ago=0):
        note = body.split(b"\n\n", 1)[1]
        text = note.split(b"\n\n")[0] + b"\n"
        seconds = int(time.time()) - ago
        signature = (key or self.key).sign(b"cosignature/v1\ntime %d\n" % seconds + text)
        raw = base64.b64encode(self.id + struct.pack(">Q", seconds) + signature).decode()
        return f"{DASH}{self.name} {raw}\n".encode()

    def good(self, body):
        return 200, {}, self.cosign(body)

    @property
    def setting(self):
        return f"{self.vkey} http://127.0.0.1:{self.server.server_address[1]}/prefix"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Client(Anchored):
    """The keystore as a client of witnesses."""

    def witness(self, name="fake.example/w"):
        witness = FakeWitness(name)
        self.addCleanup(witness.close)
        return witness

    def anchored(self, *witnesses, **more):
        return self.keystore(**{"anchor.witnesses": [w.setting for w in witnesses], "anchor.interval_s": 1, **more})

    def test_cosignatures(self):
        one, two = self.witness("fake.example/one"), self.witness("fake.example/two")
        keystore = self.anchored(one, two).init().start()
        self.assertEqual(one.requests[0][0], "/prefix/add-checkpoint")
        self.entries(keystore)
        wait_until(lambda: self.anchors(keystore)["lag_ms"] == 0, "cosigned")
        note = keystore.get("/v1/log/checkpoint?cosigned=true").body.decode()
        text, signatures = note.split("\n\n")
        lines = signatures.splitlines()
        self.assertEqual(len(lines), 3)
        verify_cosignature(text.encode() + b"\n", lines[1], one.vkey)
        verify_cosignature(text.encode() + b"\n", lines[2], two.vkey)
        vkey = self.vkey(keystore)
        keystore.command("log", "checkpoint", "--vkey", vkey)
        self.assertEqual(keystore.get("/v1/log/checkpoint?cosigned=1").status, 400)
        self.assertGreater(workload.metric(keystore, 'vouchsafe_anchor_moved_timestamp_seconds{anchor="witness"}'),
                           time.time() - 60)

    def test_a_stranger_gives_the_witness_a_newer_checkpoint(self):
        """Checkpoints are public, so a witness may know a newer one than the keystore is about to send."""
        witness = self.witness()
        keystore = self.anchored(witness).init().start()
        sizes = []

        def newer(body):
            if not sizes:
                self.entries(keystore)
                sizes.append(int(keystore.get("/v1/log/checkpoint").body.split(b"\n")[1]))
                return 409, {"Content-Type": "text/x.tlog.size"}, b"%d\n" % sizes[0]
            return witness.good(body)

        witness.answer = newer
        self.entries(keystore)
        wait_until(lambda: sizes and self.anchors(keystore)["lag_ms"] == 0, "cosigned")
        self.assertNotIn("conflict", json.dumps(self.anchors(keystore)))
        self.entries(keystore)

    def test_witnesses_that_do_not_help(self):
        """Whatever a witness answers, the keystore refuses or waits as the setting says, and believes nothing."""
        good, bad = [self.witness(f"fake.example/good{i}") for i in range(2)], self.witness("fake.example/bad")
        other = Ed25519PrivateKey.generate()
        keystore = self.anchored(*good, bad, **{"anchor.timeout_ms": 1000}).init()
        answers = {
            "not answer": lambda body: (time.sleep(2), (200, {}, b""))[1],
            "status 500": lambda body: (500, {}, b""),
            "status 429": lambda body: (429, {"Retry-After": "3"}, b""),
            "does not know this log": lambda body: (404, {}, b""),
            "by another key": lambda body: (403, {}, b""),
            "no cosignature": lambda body: (200, {}, b""),
            "does not verify": lambda body: (200, {}, bad.cosign(body, key=other)),
            "of another time": lambda body: (200, {}, bad.cosign(body, ago=3600)),
            "gave": lambda body: (200, {}, b"\xff\x00" * 5000),
            "not with a size": lambda body: (409, {}, b"5\n"),
            "refuses the size": lambda body: (409, {"Content-Type": "text/x.tlog.size"}, b"0\n"),
            "another size each time": lambda body: (409, {"Content-Type": "text/x.tlog.size"},
                                                    b"1\n" if b"old 0" in body else b"0\n"),
        }
        for words, answer in answers.items():
            with self.subTest(words):
                bad.answer = answer
                self.refuses_to_start(keystore, words, "fake.example/bad", "code=unavailable")
        with self.subTest("a quorum of two is content with the good ones"):
            self.configure(keystore, anchor={"quorum": 2})
            keystore.start()
            keystore.stop()
        with self.subTest("a larger log stops the start, whatever the setting"):
            self.configure(keystore, anchor={"quorum": 2, "unavailable": "warn"})
            bad.answer = lambda body: (409, {"Content-Type": "text/x.tlog.size"}, b"1000000\n")
            self.refuses_to_start(keystore, "1000000 entries", "fake.example/bad", "code=rolled_back")

    def configure(self, keystore, **sections):
        with open(keystore.config, encoding="utf-8") as f:
            config = json.load(f)
        for name, section in sections.items():
            config.setdefault(name, {}).update(section)
        with open(keystore.config, "w", encoding="utf-8") as f:
            json.dump(config, f)

    def test_two_keystores_witness_each_other(self):
        """The database of one is replaced by an older copy: the other one knows."""
        pair = [Keystore(settings={"log.origin": f"{name}.example/log", "anchor.interval_s": 1}) for name in "ab"]
        for keystore in pair:
            self.addCleanup(keystore.close)
            keystore.init().start()
        keys = [self.vkey(keystore) for keystore in pair]
        for i, keystore in enumerate(pair):
            keystore.stop()
            self.configure(keystore, witness={"serve": True, "logs": [keys[1 - i]]})
            keystore.start()
        cosigners = [keystore.get("/v1/witness").json()["vkey"] for keystore in pair]
        for i, keystore in enumerate(pair):
            keystore.stop()
            self.configure(keystore, anchor={"witnesses": [f"{cosigners[1 - i]} {pair[1 - i].url}"],
                                             "unavailable": "warn" if i == 0 else "refuse"})
        a, b = pair
        a.start()  # the first of the two has no witness yet
        self.assertIn("anchor_not_checked", a.log())
        b.start()
        wait_until(lambda: all(self.anchors(k)["list"][0]["state"] == "good" for k in pair), "both are cosigned")
        self.entries(b)
        wait_until(lambda: all(self.anchors(k)["lag_ms"] == 0 for k in pair), "at rest")
        with self.subTest("they come to rest: a cosignature by itself asks for no other one"):
            sizes = [self.size(k) for k in pair]
            time.sleep(4)
            self.assertEqual([self.size(k) for k in pair], sizes)
        b.stop()
        old = self.save(b, "old")
        b.start()
        self.entries(b)
        wait_until(lambda: self.anchors(b)["lag_ms"] == 0, "cosigned")
        size = self.size(b)
        b.kill()
        new = self.save(b, "new")
        for root in (False, True):
            self.put_back(b, old, root=root)
            text = self.refuses_to_start(b, "older copy", "a.example/log/witness", "b.example/log",
                                         "code=rolled_back", f"cosigned {size} entries")
            self.assertRegex(text, r"this database has \d+")
        self.put_back(b, new)
        b.start()
        b.kill()
        with self.subTest("an older copy that was continued apart: the log is forked"):
            self.put_back(b, old)
            apart = {"witnesses": []}
            self.configure(b, anchor=apart)
            b.start()
            self.entries(b, 8)
            self.assertGreater(self.size(b), size)
            b.stop()
            self.configure(b, anchor={"witnesses": [f"{cosigners[0]} {a.url}"]})
            self.refuses_to_start(b, "another log", "a.example/log/witness", "code=rolled_back")
        with self.subTest("the witness is down, and the setting is refuse"):
            self.put_back(b, new)
            a.stop()
            self.refuses_to_start(b, "does not answer", "code=unavailable")


@unittest.skipUnless(shutil.which("swtpm"), "swtpm is not installed")
class Both(Anchored):
    def test_both_anchors(self):
        """Each anchor finds an older copy by itself, when the other one is content with it."""
        tpm, witness = Tpm(), FakeWitness()
        self.addCleanup(tpm.close)
        self.addCleanup(witness.close)
        seen = {"size": 0}

        def keep(body):
            old, size = int(body.split(b"\n")[0][4:]), int(body.split(b"\n\n", 1)[1].split(b"\n")[1])
            if old != seen["size"]:
                return 409, {"Content-Type": "text/x.tlog.size"}, b"%d\n" % seen["size"]
            seen["size"] = size
            return witness.good(body)

        witness.answer = keep
        keystore = self.keystore(**{"anchor.tpm2": True, "tee.tpm2_tcti": tpm.tcti, "anchor.interval_s": 1,
                                    "anchor.witnesses": [witness.setting]}).init().start()
        self.entries(keystore)
        keystore.stop()
        old = self.save(keystore, "old")
        keystore.start()
        self.entries(keystore)
        keystore.stop()
        for root in (False, True):
            self.put_back(keystore, old, root=root)
            self.refuses_to_start(keystore, "the TPM's counter", "older copy", "code=rolled_back")
        with self.subTest("the counter is adopted again: the witness still knows"):
            done = subprocess.run(keystore.daemon("init", "--new-anchor"), capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.refuses_to_start(keystore, "fake.example/w", "older copy", "code=rolled_back")


if __name__ == "__main__":
    unittest.main()
