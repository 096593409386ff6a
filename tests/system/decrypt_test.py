"""Secrets are released to an attested worker, refused to others, and the log has each step."""
import base64
import hashlib
import json
import os
import subprocess
import time
import unittest

from cryptography.exceptions import InvalidSignature, InvalidTag

import harness
from harness import PLAIN, Keystore, Platform, Reply, Worker, ecies_seal, raw_public, report_data

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
        self.assertEqual(worker.open_sealed(reply), SECRET)

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

    def test_the_wish_for_a_sealed_reply_cannot_be_taken_out(self):
        worker = Worker(self.keystore)
        worker.attest()
        envelope = ecies_seal(self.keystore.pubkey(SEED), SECRET)
        for members in ({"seal": True}, {"seal": False}, {"seal": None}, {}):
            reply = worker.decrypt(envelope, seed=SEED, **members)
            self.assertEqual(reply.status, 200, reply.body)
            self.assertEqual(set(reply.json()["sealed_secrets"]), {"nonce", "ciphertext"})
            self.assertNotIn(base64.b64encode(SECRET), reply.body)
            self.assertEqual(worker.open_sealed(reply), SECRET)
        for members in ({"seal": True}, {}):
            reply = worker.decrypt(envelope, session=False, seed=SEED, attestation=worker.inline(), **members)
            self.assertEqual(set(reply.json()["sealed_secrets"]), {"enc", "ciphertext"})
            self.assertEqual(worker.open_sealed(reply), SECRET)

    def test_a_sealed_reply_is_for_one_session_request_id_and_body(self):
        worker, other = Worker(self.keystore), Worker(self.keystore)
        worker.attest()
        other.attest()
        envelope = ecies_seal(self.keystore.pubkey(SEED), SECRET)
        reply, again = (worker.decrypt(envelope, seed=SEED) for _ in range(2))
        self.assertNotEqual(reply.body, again.body)
        self.assertEqual(worker.open_sealed(reply), SECRET)
        with self.assertRaises(InvalidTag):
            other.open_sealed(reply)
        for request_id, request in ((again.request_id, reply.request), (reply.request_id, reply.request + b" "),
                                    (reply.request_id, reply.request.replace(b"alice", b"mallo")),
                                    (reply.request_id, b"")):
            moved = Reply(200, {"X-Request-Id": request_id}, reply.body, request)
            with self.assertRaises(InvalidTag):
                worker.open_sealed(moved)
        inline = worker.decrypt(envelope, session=False, seed=SEED, attestation=worker.inline())
        with self.assertRaises(InvalidTag):
            other.open_sealed(inline)
        with self.assertRaises(InvalidTag):
            worker.open_sealed(Reply(200, {"X-Request-Id": reply.request_id}, inline.body, inline.request))

    def test_every_flipped_bit_of_a_sealed_reply_is_noticed(self):
        worker = Worker(self.keystore)
        worker.attest()
        reply = worker.decrypt(ecies_seal(self.keystore.pubkey(SEED), b"x"), seed=SEED)
        sealed = {name: base64.b64decode(text) for name, text in reply.json()["sealed_secrets"].items()}
        for name, whole in sealed.items():
            for bit in range(8 * len(whole)):
                changed = bytearray(whole)
                changed[bit // 8] ^= 1 << bit % 8
                parts = {**sealed, name: bytes(changed)}
                body = json.dumps({"sealed_secrets": {n: base64.b64encode(p).decode() for n, p in parts.items()}})
                with self.assertRaises(InvalidTag):
                    worker.open_sealed(Reply(200, reply.headers, body, reply.request))

    def test_a_machine_that_ends_tls_can_forge_neither_session_nor_reply(self):
        """A gateway knows the token, the worker's public key, every session and every reply so far."""
        worker, gateway = Worker(self.keystore), Worker(self.keystore)
        nonce = worker.challenge()
        granted = worker.attest_with(nonce, worker.evidence(nonce)).json()
        own_nonce = gateway.challenge()
        own = gateway.attest_with(own_nonce, gateway.evidence(own_nonce)).json()
        forged_key = base64.b64encode(os.urandom(48)).decode()
        for forged in (own, {**granted, "session": own["session"]}, {**granted, "reply_key": own["reply_key"]},
                       {**granted, "signature": own["signature"]},
                       {**granted, "signature": base64.b64encode(bytes(64)).decode()},
                       {**granted, "session": granted["session"][:-1]},
                       {**granted, "reply_key": {**granted["reply_key"], "ciphertext": forged_key}}):
            with self.assertRaises(InvalidSignature):
                worker.accept_session(nonce, forged)
        with self.assertRaises(InvalidSignature):
            worker.accept_session(own_nonce, granted)  # an old one, replayed to another challenge
        self.assertIsNone(worker.session)
        worker.accept_session(nonce, granted)
        gateway.accept_session(own_nonce, own)
        # its own secret, sealed to the worker's public key, or with the key of a session of its own
        envelope = ecies_seal(self.keystore.pubkey(SEED), SECRET)
        reply = worker.decrypt(envelope, seed=SEED)
        number = os.urandom(24)
        aad = b"vouchsafe-reply-v2\0" + reply.request_id.encode() + hashlib.sha256(reply.request).digest()
        body = json.dumps({"sealed_secrets": {
            "nonce": base64.b64encode(number).decode(),
            "ciphertext": base64.b64encode(
                harness.xchacha_seal(gateway.reply_key, number, b"mine", aad)).decode()}})
        with self.assertRaises(InvalidTag):
            worker.open_sealed(Reply(200, reply.headers, body, reply.request))

    def test_each_session_has_a_reply_key_of_its_own_that_every_replica_computes(self):
        keys = []
        for _ in range(3):
            worker = Worker(self.keystore)
            worker.attest()
            keys.append(worker.reply_key)
        self.assertEqual(len(set(keys)), 3)
        envelope = ecies_seal(self.keystore.pubkey(SEED), SECRET)
        self.assertEqual(self.keystore.stop(), 0)
        self.keystore.start()  # as a replica: nothing of the session is remembered
        self.assertEqual(worker.open_sealed(worker.decrypt(envelope, seed=SEED)), SECRET)

    def test_own_evidence_binds_the_keys_and_the_name_of_the_log(self):
        nonce = os.urandom(32)
        said = self.keystore.get("/v1/attestation?nonce=" + nonce.hex()).json()
        context = (bytes.fromhex(said["log_key"]) + bytes.fromhex(said["session_key"]) + bytes(32) +
                   hashlib.sha256(said["log_origin"].encode()).digest())
        self.assertEqual((said["tls_spki_sha256"], len(context)), (None, 160))
        bound = report_data("vouchsafe-keystore-v1", nonce, bytes.fromhex(said["identity_key"]), context)
        self.assertEqual(base64.b64decode(said["quote"])[48 + 320:48 + 384], bound)

    def test_the_global_key_has_no_name_in_the_log(self):
        worker = Worker(self.keystore)
        worker.attest()
        for seed in (None, "global"):
            reply = worker.decrypt(ecies_seal(self.keystore.pubkey(seed), SECRET),
                                   **({"seed": seed} if seed else {}))
            self.assertEqual(reply.status, 200, reply.body)
            trace = self.keystore.get(f"/v1/explain?request_id={reply.request_id}", token="operator")
            self.assertEqual(trace.json()["entries"][0]["entry"].get("key"), seed)

    def test_empty_and_large_secrets(self):
        worker = Worker(self.keystore)
        worker.attest()
        for plain in (b"", b"x", os.urandom(100_000), os.urandom(1_000_000)):
            reply = worker.decrypt(ecies_seal(self.keystore.pubkey(SEED), plain), seed=SEED)
            self.assertEqual(reply.status, 200, reply.body[:300])
            self.assertEqual(worker.open_sealed(reply), plain)

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
        for token, status in (("worker", 403), ("auditor", 200)):
            self.assertEqual(self.keystore.get(f"/v1/explain?request_id={reply.request_id}",
                                               token=token).status, status)

    def test_the_log_verifies_offline_and_finds_edits(self):
        worker = Worker(self.keystore)
        worker.attest()
        for _ in range(3):
            worker.decrypt(ecies_seal(self.keystore.pubkey(SEED), SECRET), seed=SEED)
        export = os.path.join(self.keystore.dir, "log.ndjson")
        note = os.path.join(self.keystore.dir, "checkpoint.txt")
        vkey = self.keystore.get("/v1/log/key").json()["vkey"]
        self.keystore.command("log", "export", "--vkey", vkey, "--out", export,
                              "--checkpoint-out", note, token="auditor")
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


class InTheClear(unittest.TestCase):
    """What a policy with allow_plain gives to clients of OutLayer's protocol."""

    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(policies=[PLAIN])
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()
        cls.envelope = ecies_seal(cls.keystore.pubkey(), SECRET)

    def test_outlayers_request_works_unchanged(self):
        worker = Worker(self.keystore)
        for with_key in (True, False):
            body = {"encrypted_secrets": base64.b64encode(self.envelope).decode(),
                    "attestation": worker.inline(task_id="42", with_key=with_key), "task_id": "42"}
            reply = self.keystore.post("/decrypt", body, token="worker")
            self.assertEqual(reply.status, 200, reply.body)
            self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), SECRET)

    def test_a_reply_is_sealed_for_its_requester(self):
        worker = Worker(self.keystore)
        worker.attest()
        self.assertEqual(base64.b64decode(worker.decrypt(self.envelope).json()["plaintext_secrets"]), SECRET)
        for reply in (worker.decrypt(self.envelope, seal=True),
                      worker.decrypt(self.envelope, seal=True, session=False, attestation=worker.inline())):
            self.assertNotIn("plaintext_secrets", reply.json())
            self.assertEqual(worker.open_sealed(reply), SECRET)

    def test_without_a_key_nothing_can_be_sealed(self):
        worker = Worker(self.keystore)
        reply = worker.decrypt(self.envelope, seal=True, task_id="1",
                               attestation=worker.inline(task_id="1", with_key=False))
        self.assertEqual((reply.status, reply.code), (400, "no_attested_key"))

    def test_evidence_is_good_once_here_too(self):
        worker = Worker(self.keystore)
        evidence = worker.inline(task_id="1", with_key=False)
        reply = worker.decrypt(self.envelope, task_id="1", attestation=evidence)
        self.assertEqual(reply.status, 200, reply.body)
        reply = worker.decrypt(self.envelope, task_id="1", attestation=evidence)
        self.assertEqual((reply.status, reply.code), (401, "evidence_replayed"))


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(workers=2, policies=[
            {"name": "alice-only", "tee": "simulated", "mrenclave": [harness.MRENCLAVE],
             "tcb_status": ["UpToDate"], "seeds": ["github.com/alice/*"]},
            {"name": "anything", "tee": "simulated", "mrenclave": ["44" * 32],
             "tcb_status": ["UpToDate"]}])
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

    def test_without_a_key_of_the_worker_nothing_is_released(self):
        worker = Worker(self.keystore)
        for task in ("1", "2"):
            inline = worker.inline(task_id=task, with_key=False)
            self.refused(worker.decrypt(self.envelope, seed=SEED, task_id=task, attestation=inline), 403,
                         "seal_required")
        inline = worker.inline(task_id="3", with_key=False)
        self.refused(worker.decrypt(self.envelope, seed=SEED, task_id="3", seal=True, attestation=inline), 400,
                     "no_attested_key")

    def test_evidence_binds_a_key_or_a_task(self):
        worker = Worker(self.keystore)
        for members in ({}, {"task_id": ""}, {"seal": True}):
            inline = worker.inline(with_key=False)
            self.refused(worker.decrypt(self.envelope, seed=SEED, attestation=inline, **members), 401,
                         "evidence_unbound")

    def test_inline_evidence_is_accepted_once(self):
        worker = Worker(self.keystore)
        inline = worker.inline()
        self.assertEqual(worker.decrypt(self.envelope, seed=SEED, attestation=inline).status, 200)
        quote = bytearray(base64.b64decode(inline["quote"]))
        order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551  # of P-256
        s = slice(436 + 32, 436 + 64)
        turned = quote.copy()
        turned[s] = (order - int.from_bytes(quote[s], "big")).to_bytes(32, "big")
        spaced = quote.copy()
        newline = quote.index(b"\n", quote.index(b"\n", quote.index(b"-----BEGIN")) + 1)
        spaced[newline:newline + 1] = b" "
        for same in (quote, turned, spaced, quote + bytes(3), turned + bytes(1)):
            for members in ({}, {"seal": True}, {"receipt": True}):
                again = {**inline, "quote": base64.b64encode(same).decode()}
                self.refused(worker.decrypt(self.envelope, seed=SEED, attestation=again, **members), 401,
                             "evidence_replayed")
        # new evidence is another one, in the same second and for the same key too
        for timestamp in [int(time.time())] * 3:
            reply = worker.decrypt(self.envelope, seed=SEED, attestation=worker.inline(timestamp))
            self.assertEqual(reply.status, 200, reply.body)

    def test_refused_evidence_is_not_used_up(self):
        worker = Worker(self.keystore)
        inline = worker.inline(task_id="right")
        self.refused(worker.decrypt(self.envelope, seed=SEED, task_id="wrong", attestation=inline), 401,
                     "report_data_mismatch")
        self.assertEqual(worker.decrypt(self.envelope, seed=SEED, task_id="right", attestation=inline).status, 200)

    def test_a_key_of_low_order_gets_no_session(self):
        for point in (bytes(32), b"\1" + bytes(31)):
            worker = Worker(self.keystore)
            nonce = worker.challenge()
            quote = worker.platform.quote(report_data("vouchsafe-session-v1", nonce, point))
            self.refused(self.keystore.post("/v1/attest", {
                "nonce": nonce.hex(), "tee_type": "simulated", "quote": base64.b64encode(quote).decode(),
                "public_key": point.hex()}, token="worker"), 400, "bad_attested_key")

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
                              (("--issued-before", "7200", "--lifetime", "3600"), "crl_time"),  # CRLs are looked at first
                              (("--revoke-pck",), "pck_revoked")):
            with self.subTest(code), Keystore(collateral_options=options) as keystore:
                reply = Worker(keystore).attest()
                self.assertEqual((reply.status, reply.code), (401, code), reply.body)


if __name__ == "__main__":
    unittest.main()
