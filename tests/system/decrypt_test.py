"""Secrets are released to an attested worker, refused to others, and each step stands in the log."""
import base64
import json
import os
import subprocess
import time
import unittest

import harness
from harness import Keystore, Platform, Worker, ecies_seal, raw_public, report_data

SECRET = b'{"OPENAI_KEY":"sk-test123","FOO":"bar"}'
SEED = "github.com/alice/project:alice.near"


class Release(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(workers=2)
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()

    def test_ecies_of_another_implementation_opens_for_a_session(self):
        worker = Worker(self.keystore)
        self.assertEqual(worker.attest().status, 200)
        envelope = ecies_seal(self.keystore.pubkey(SEED), SECRET)
        reply = worker.decrypt(envelope, seed=SEED)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), SECRET)

    def test_the_seed_documents_request_works_unchanged(self):
        worker = Worker(self.keystore)
        envelope = ecies_seal(self.keystore.pubkey(), SECRET)
        body = {"encrypted_secrets": base64.b64encode(envelope).decode(),
                "attestation": worker.inline(task_id="42"), "task_id": "42"}
        reply = self.keystore.post("/decrypt", body, token="worker")
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), SECRET)

    def test_repo_form_and_accessor_form_name_the_same_key(self):
        worker = Worker(self.keystore)
        worker.attest()
        envelope = ecies_seal(self.keystore.pubkey(SEED + ":main"), SECRET)
        for members in (
            {"repo": "https://github.com/alice/project.git", "owner": "alice.near", "branch": "main"},
            {"accessor": {"type": "Repo", "repo": "git@github.com:alice/project", "branch": "main"},
             "owner": "alice.near"},
            {"seed": SEED + ":main"},
        ):
            reply = worker.decrypt(envelope, **members)
            self.assertEqual(reply.status, 200, (members, reply.body))

    def test_sealed_reply_opens_only_with_the_attested_key(self):
        worker = Worker(self.keystore)
        worker.attest()
        reply = worker.decrypt(ecies_seal(self.keystore.pubkey(SEED), SECRET), seed=SEED, seal=True)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertNotIn("plaintext_secrets", reply.json())
        self.assertEqual(worker.open_sealed(reply), SECRET)
        other = Worker(self.keystore)
        with self.assertRaises(Exception):
            other.open_sealed(reply)

    def test_empty_and_large_secrets(self):
        worker = Worker(self.keystore)
        worker.attest()
        for plain in (b"", b"x", os.urandom(100_000), os.urandom(1_000_000)):
            reply = worker.decrypt(ecies_seal(self.keystore.pubkey(SEED), plain), seed=SEED)
            self.assertEqual(reply.status, 200, reply.body[:300])
            self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), plain)

    def test_receipt_verifies_and_names_the_request(self):
        worker = Worker(self.keystore)
        worker.attest()
        reply = worker.decrypt(ecies_seal(self.keystore.pubkey(SEED), SECRET), seed=SEED, receipt=True)
        self.assertEqual(reply.status, 200, reply.body)
        receipt = reply.json()["receipt"]
        entry = json.loads(receipt["entry"])
        self.assertEqual(entry["request_id"], reply.request_id)
        self.assertEqual((entry["op"], entry["decision"], entry["key"]), ("open", "allow", SEED))
        self.assertTrue(entry["simulated"])
        path = os.path.join(self.keystore.dir, "receipt.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(receipt, f)
        vkey = self.keystore.get("/v1/log/key").json()["vkey"]
        harness.command("log", "verify-receipt", path, "--vkey", vkey)
        receipt["entry"] = receipt["entry"].replace('"allow"', '"deny"')
        with open(path, "w", encoding="utf-8") as f:
            json.dump(receipt, f)
        done = harness.command("log", "verify-receipt", path, "--vkey", vkey, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)

    def test_refusals_are_explained_to_the_operator(self):
        worker = Worker(self.keystore, mrenclave="33" * 32)
        reply = worker.attest()
        self.assertEqual((reply.status, reply.code), (401, "measurement_mismatch"))
        detail = reply.json()["detail"]
        self.assertIn("33" * 32, detail["presented"])
        self.assertIn(harness.MRENCLAVE, detail["expected"])
        trace = self.keystore.get(f"/v1/explain?request_id={reply.request_id}", token="operator")
        self.assertEqual(trace.status, 200, trace.body)
        entry = trace.json()["entries"][0]["entry"]
        self.assertEqual((entry["decision"], entry["code"]), ("deny", "measurement_mismatch"))
        self.assertEqual(entry["detail"]["presented"], detail["presented"])
        for token in ("worker", "auditor"):
            self.assertEqual(self.keystore.get(f"/v1/explain?request_id={reply.request_id}",
                                               token=token).status, 403)

    def test_the_log_verifies_offline_and_finds_edits(self):
        worker = Worker(self.keystore)
        worker.attest()
        for _ in range(3):
            worker.decrypt(ecies_seal(self.keystore.pubkey(SEED), SECRET), seed=SEED)
        export = os.path.join(self.keystore.dir, "log.ndjson")
        note = os.path.join(self.keystore.dir, "checkpoint.txt")
        self.keystore.command("log", "export", "--out", export, "--checkpoint-out", note, token="auditor")
        vkey = self.keystore.get("/v1/log/key").json()["vkey"]
        verify = ("log", "verify", export, "--checkpoint", note, "--vkey", vkey)
        harness.command(*verify)
        with open(export, "rb") as f:
            lines = f.read().splitlines(keepends=True)
        edited = [lines[0], lines[1].replace(b"allow", b"denyx"), *lines[2:]]
        for name, changed in (("edit", edited), ("delete", lines[:1] + lines[2:]),
                              ("reorder", [lines[1], lines[0], *lines[2:]]),
                              ("truncate", lines[:-1])):
            with self.subTest(name):
                with open(export, "wb") as f:
                    f.writelines(changed)
                self.assertEqual(harness.command(*verify, check=False).returncode, 1)


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(workers=2, policies=[
            {"name": "alice-only", "tee": "simulated", "mrenclave": [harness.MRENCLAVE],
             "tcb_status": ["UpToDate"], "seeds": ["github.com/alice/*"]},
            {"name": "sealed", "tee": "simulated", "mrenclave": ["44" * 32],
             "tcb_status": ["UpToDate"], "require_sealed": True}])
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()
        cls.envelope = ecies_seal(cls.keystore.pubkey(SEED), SECRET)

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.code), (status, code), reply.body)
        body = reply.json()
        self.assertEqual(list(body)[0], "error")
        self.assertEqual(body["request_id"], reply.request_id)
        self.assertNotIn(SECRET, reply.body)

    def worker(self, **enclave):
        worker = Worker(self.keystore, **enclave)
        self.assertEqual(worker.attest().status, 200)
        return worker

    def test_tokens(self):
        for token in (None, "nonsense", self.keystore.tokens["worker"][:-1],
                      self.keystore.tokens["worker"] + "0"):
            self.refused(self.keystore.post("/decrypt", {}, token=token), 401, "unauthenticated")
        reply = self.keystore.request("POST", "/decrypt", b"{broken", headers={
            "Authorization": "bearer x", "Content-Type": "application/json"})
        self.refused(reply, 401, "unauthenticated")
        self.refused(self.keystore.post("/decrypt", {}, token="auditor"), 403, "role_not_allowed")

    def test_no_attestation(self):
        worker = Worker(self.keystore)
        self.refused(worker.decrypt(self.envelope, seed=SEED), 401, "attestation_required")

    def test_timestamps(self):
        now = int(time.time())
        worker = Worker(self.keystore)
        for timestamp, code in ((now - 302, "evidence_stale"), (0, "evidence_stale"),
                                (now + 40, "evidence_from_future"),
                                (now + 10**6, "evidence_from_future")):
            reply = worker.decrypt(self.envelope, seed=SEED, attestation=worker.inline(timestamp))
            self.refused(reply, 401, code)
        for timestamp in (now - 290, now + 20):
            reply = worker.decrypt(self.envelope, seed=SEED, attestation=worker.inline(timestamp))
            self.assertEqual(reply.status, 200, reply.body)

    def test_inline_evidence_binds_key_time_and_task(self):
        worker = Worker(self.keystore)
        good = worker.inline(task_id="1")
        for change in ({"worker_pubkey": raw_public(Worker(self.keystore).key).hex()},
                       {"timestamp": good["timestamp"] - 1}):
            reply = worker.decrypt(self.envelope, seed=SEED, task_id="1", attestation={**good, **change})
            self.refused(reply, 401, "report_data_mismatch")
        self.refused(worker.decrypt(self.envelope, seed=SEED, task_id="2", attestation=good), 401,
                     "report_data_mismatch")
        self.refused(worker.decrypt(self.envelope, seed=SEED, task_id="1",
                                    attestation={**good, "tee_type": "sgx"}), 401, "tee_type_mismatch")

    def test_nonces(self):
        worker = Worker(self.keystore)
        nonce = worker.challenge()
        quote = worker.evidence(nonce)
        self.refused(worker.attest_with(nonce, quote, token="worker1"), 401, "nonce_unknown")
        self.assertEqual(worker.attest_with(nonce, quote).status, 200)
        self.refused(worker.attest_with(nonce, quote), 401, "nonce_unknown")
        self.refused(worker.attest_with(os.urandom(32), quote), 401, "nonce_unknown")
        other = worker.challenge()
        self.refused(worker.attest_with(other, quote), 401, "report_data_mismatch")

    def test_enclaves(self):
        for enclave, code in (({"mrenclave": "99" * 32}, "measurement_mismatch"),
                              ({"debug": True}, "debug")):
            self.refused(Worker(self.keystore, **enclave).attest(), 401, code)

    def test_another_platform_is_no_root_of_ours(self):
        elsewhere = Platform(os.path.join(self.keystore.dir, "elsewhere"))
        self.refused(Worker(self.keystore, platform=elsewhere).attest(), 401, "root_not_pinned")

    def test_sessions(self):
        worker = self.worker()
        self.refused(worker.decrypt(self.envelope, seed=SEED, token="worker1"), 403,
                     "session_token_mismatch")
        good = worker.session
        header, payload, signature = good.split(".")
        none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        for bad in (good[:-1], good + "A", good[1:], f"{none}.{payload}.", f"{none}.{payload}.{signature}",
                    f"{header}.{payload}.{signature[:-4]}AAAA", "x", "a.b.c"):
            worker.session = bad
            self.refused(worker.decrypt(self.envelope, seed=SEED), 403, "session_invalid")

    def test_every_flipped_character_of_a_session_is_refused(self):
        worker = self.worker()
        good = worker.session
        connection = self.keystore.connection()
        self.addCleanup(connection.close)
        body = {"encrypted_secrets": base64.b64encode(self.envelope).decode(), "seed": SEED}
        for i in range(0, len(good)):
            bad = good[:i] + ("A" if good[i] != "A" else "B") + good[i + 1:]
            reply = self.keystore.post("/decrypt", body, token="worker", connection=connection,
                                       headers={"X-TEE-Session": bad})
            self.assertEqual(reply.status, 403, (i, reply.body))

    def test_keys_the_policy_does_not_cover(self):
        worker = self.worker()
        for seed in ("github.com/bob/project:bob.near", "github.com/alicex/p:a.near"):
            envelope = ecies_seal(self.keystore.pubkey(seed), SECRET)
            self.refused(worker.decrypt(envelope, seed=seed), 403, "seed_not_allowed")
        self.refused(worker.decrypt(ecies_seal(self.keystore.pubkey(), SECRET)), 403, "seed_not_allowed")

    def test_wrong_repository(self):
        worker = self.worker()
        self.refused(worker.decrypt(self.envelope, seed="github.com/alice/other:alice.near"), 400,
                     "envelope_not_authentic")

    def test_sealing_can_be_required(self):
        worker = self.worker(mrenclave="44" * 32)
        self.refused(worker.decrypt(self.envelope, seed=SEED), 403, "seal_required")
        reply = worker.decrypt(self.envelope, seed=SEED, seal=True)
        self.assertEqual(worker.open_sealed(reply), SECRET)
        inline = worker.inline(with_key=False)
        self.refused(Worker(self.keystore).decrypt(self.envelope, seed=SEED, seal=True,
                                                   attestation=inline), 400, "no_attested_key")

    def test_legacy_envelopes_are_named(self):
        worker = self.worker()
        for blob in (os.urandom(40).replace(b"\x01", b"\x07").replace(b"\x02", b"\x07"),
                     b"\x14" * 67, b"{" + bytes(10)):
            reply = worker.decrypt(blob, seed=SEED)
            self.refused(reply, 400, "legacy_envelope")
            self.assertIn("encrypt", reply.json()["error"])

    def test_every_truncation_and_flipped_byte_of_an_envelope(self):
        worker = self.worker()
        connection = self.keystore.connection()
        self.addCleanup(connection.close)
        headers = {"X-TEE-Session": worker.session}

        def attempt(blob):
            return self.keystore.post("/decrypt", {
                "encrypted_secrets": base64.b64encode(blob).decode(), "seed": SEED},
                token="worker", headers=headers, connection=connection)

        for i in range(len(self.envelope)):
            self.assertEqual(attempt(self.envelope[:i]).status, 400, i)
        for i in range(len(self.envelope) * 8):
            blob = bytearray(self.envelope)
            blob[i // 8] ^= 1 << i % 8
            reply = attempt(bytes(blob))
            self.assertEqual(reply.status, 400, (i, reply.body))

    def test_request_bodies(self):
        token = "worker"
        cases = [(b"", 400), (b"{", 400), (b"[]", 400), (b"null", 400), (b"{}", 400), (b"\xff", 400),
                 (b'{"encrypted_secrets":1}', 400), (b'{"encrypted_secrets":"*"}', 400),
                 (b'{"encrypted_secrets":"AQ==","encrypted_secrets":"AQ=="}', 400),
                 (b'{"encrypted_secrets":"AQ=="} x', 400),
                 (b'{"encrypted_secrets":"AQ==","seed":""}', 400),
                 (b'{"encrypted_secrets":"AQ==","seed":"a","repo":"b"}', 400),
                 (b'{"encrypted_secrets":"AQ==","repo":"a:b","owner":"alice.near"}', 400),
                 (b'{"encrypted_secrets":"AQ==","attestation":{}}', 400),
                 (b'{"encrypted_secrets":"AQ==","task_id":"' + b"x" * 300 + b'"}', 400),
                 (b"[" * 100000, 400)]
        for body, status in cases:
            reply = self.keystore.request("POST", "/decrypt", body, token=token,
                                          headers={"Content-Type": "application/json"})
            self.assertEqual(reply.status, status, (body[:60], reply.body))
        reply = self.keystore.request("POST", "/decrypt", b"{}", token=token)
        self.assertEqual(reply.status, 415, reply.body)
        self.assertEqual(self.keystore.get("/nowhere").status, 404)
        reply = self.keystore.get("/decrypt")
        self.assertEqual((reply.status, reply.headers["Allow"]), (405, "POST"))

    def test_unauthenticated_requests_do_not_grow_the_log(self):
        def size():
            return int(self.keystore.get("/v1/log/checkpoint").body.split(b"\n")[1])
        before = size()
        for _ in range(50):
            self.keystore.post("/decrypt", {}, token="nonsense")
        self.assertEqual(size(), before)


class Collateral(unittest.TestCase):
    def test_statuses_and_expiry(self):
        for options, code in ((("--status", "OutOfDate", "--advisory", "INTEL-SA-00615"),
                               "tcb_status_not_accepted"),
                              (("--issued-before", "7200", "--lifetime", "3600"), "collateral_expired"),
                              (("--revoke-pck",), "pck_revoked")):
            with self.subTest(code), Keystore(collateral_options=options) as keystore:
                reply = Worker(keystore).attest()
                self.assertEqual((reply.status, reply.code), (401, code), reply.body)


if __name__ == "__main__":
    unittest.main()
