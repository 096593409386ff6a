#!/usr/bin/env python3
"""POST /v1/attest/explain on the real daemon: the verdict and the trace, and that nothing else happens."""
import base64
import json
import os
import unittest

from harness import COMMAND, DEFAULT, MRENCLAVE, Keystore, Worker, command, raw_public

OTHER = "33" * 32
POLICIES = [
    {**DEFAULT, "name": "other", "mrenclave": [OTHER]},
    {**DEFAULT, "name": "theirs", "tokens": ["worker2"]},
    {**DEFAULT, "name": "worker"},
]


class DryRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore(policies=POLICIES, workers=3)
        with open(cls.keystore.config, encoding="utf-8") as file:
            config = json.load(file)
        next(t for t in config["tokens"] if t["name"] == "worker1")["may_explain"] = True
        with open(cls.keystore.config, "w", encoding="utf-8") as file:
            json.dump(config, file)
        cls.keystore.init().start()
        cls.addClassCleanup(cls.keystore.close)

    def explain(self, quote, token="worker1", status=200, tee_type="simulated", **more):
        reply = self.keystore.post("/v1/attest/explain", {
            "tee_type": tee_type, "quote": base64.b64encode(quote).decode(), **more}, token=token)
        self.assertEqual(reply.status, status, reply.body)
        return reply.json()

    def quote(self, **enclave):
        worker = Worker(self.keystore, token="worker1", **enclave)
        nonce = worker.challenge()
        return worker, nonce, worker.evidence(nonce)

    def test_the_whole_trace_for_callers_that_may_see_it(self):
        _, _, quote = self.quote()
        said = self.explain(quote)
        self.assertEqual((said["result"], said["reason"], said["accepted"]), ("valid", "ok", True))
        self.assertEqual((said["policy"], said["binding"]), ("worker", "not checked"))
        self.assertTrue(all(step["passed"] for step in said["steps"]))
        self.assertEqual(said["claims"]["mrenclave"], MRENCLAVE)
        self.assertEqual([(r["name"], r["accepts"], r.get("code")) for r in said["rules"]],
                         [("other", False, "measurement_mismatch"),
                          ("theirs", False, "token_not_accepted"), ("worker", True, None)])
        mismatch = said["rules"][0]
        self.assertIn(OTHER, mismatch["expected"])
        self.assertIn(MRENCLAVE, mismatch["presented"])
        self.assertNotIn("session", said)

    def test_others_learn_as_much_as_from_a_refused_attestation(self):
        _, _, quote = self.quote()
        said = self.explain(quote, token="worker")
        self.assertTrue(said["accepted"])
        self.assertNotIn("rules", said)
        said = self.explain(quote, token="worker", policy="other")
        self.assertEqual((said["accepted"], said["code"], said["policy"]),
                         (False, "measurement_mismatch", "other"))

    def test_only_a_named_policy_judges(self):
        _, _, quote = self.quote(mrenclave=OTHER)
        self.assertEqual(self.explain(quote)["policy"], "other")
        said = self.explain(quote, policy="worker")
        self.assertEqual([r["name"] for r in said["rules"]], ["worker"])
        self.assertFalse(said["accepted"])
        self.assertEqual(self.explain(quote, policy="none", status=404)["code"], "policy_not_found")
        # a rule of other tokens is none, unless one may know
        self.assertEqual(self.explain(quote, policy="theirs", token="worker", status=404)["code"],
                         "policy_not_found")
        self.explain(quote, policy="theirs", token="worker2")
        self.assertFalse(self.explain(quote, policy="theirs")["accepted"])

    def test_the_nonce_is_not_used_up(self):
        worker, nonce, quote = self.quote()
        binding = {"nonce": nonce.hex(), "public_key": raw_public(worker.key).hex()}
        for _ in range(3):
            said = self.explain(quote, **binding)
            self.assertEqual((said["accepted"], said["binding"]), (True, "checked"))
        said = self.explain(quote, nonce="00" * 32, public_key=binding["public_key"])
        self.assertEqual((said["accepted"], said["code"]), (False, "report_data_mismatch"))
        reply = worker.attest_with(nonce, quote)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(worker.attest_with(nonce, quote).code, "nonce_unknown")

    def test_refused_evidence_is_an_answer(self):
        _, _, quote = self.quote(debug=True)
        said = self.explain(quote)
        self.assertEqual((said["result"], said["accepted"]), ("valid", False))
        self.assertEqual({r["code"] for r in said["rules"]}, {"debug"})
        _, _, quote = self.quote()
        said = self.explain(quote, tee_type="sgx")
        self.assertEqual((said["accepted"], said["code"]), (False, "tee_type_mismatch"))
        changed = quote[:100] + bytes([quote[100] ^ 1]) + quote[101:]
        said = self.explain(changed)
        self.assertEqual((said["result"], said["accepted"]), ("reject", False))
        self.assertNotIn("claims", said)
        self.assertNotIn("rules", said)
        self.assertEqual([s["passed"] for s in said["steps"]].count(False), 1)
        self.assertFalse(said["steps"][-1]["passed"])
        for quote in (b"", b"\0" * 5000, b"\3\0\2\0"):
            self.assertEqual(self.explain(quote)["result"], "reject")

    def test_input_that_is_not_a_request(self):
        post = self.keystore.post
        for body in ({}, {"tee_type": "sgx"}, {"tee_type": "sgx", "quote": "?"},
                     {"tee_type": "sgx", "quote": "", "nonce": "00" * 32},
                     {"tee_type": "sgx", "quote": "", "public_key": "00" * 32},
                     {"tee_type": "sgx", "quote": "", "policy": "a" * 65},
                     {"tee_type": "sgx", "quote": "", "event_log": "x"},
                     {"tee_type": "sgx", "quote": "", "other": 1},
                     {"tee_type": "sgx", "quote": "", "certificates": "A" * 90000}):
            reply = post("/v1/attest/explain", body, token="worker1")
            self.assertEqual((reply.status, reply.code), (400, "bad_field"), body)
        self.assertEqual(post("/v1/attest/explain", {}).status, 401)
        self.assertEqual(post("/v1/attest/explain", {}, token="auditor").status, 403)

    def test_it_is_in_the_log(self):
        _, _, quote = self.quote()
        for more, decision in (({}, "allow"), ({"policy": "none"}, "deny")):
            reply = self.keystore.post("/v1/attest/explain", {
                "tee_type": "simulated", "quote": base64.b64encode(quote).decode(), **more},
                token="worker1")
            found = self.keystore.get("/v1/explain?request_id=" + reply.request_id,
                                      token="operator").json()["entries"]
            self.assertEqual([(e["entry"]["op"], e["entry"]["decision"], e["entry"]["principal"])
                              for e in found], [("explain", decision, "worker1")])

    def test_a_preview_without_an_early_set_says_so(self):
        _, _, quote = self.quote()
        standard = self.explain(quote)
        self.assertEqual(standard["update"], "standard")
        self.assertNotIn("early_set_missing", standard)
        said = self.explain(quote, update="early")
        self.assertEqual((said["update"], said["tcb_evaluation_number"], said["early_set_missing"]),
                         ("standard", standard["tcb_evaluation_number"], True))
        self.assertIn("the standard set decided", said["notice"])

    def test_the_command(self):
        _, _, quote = self.quote()
        name = os.path.join(self.keystore.dir, "quote")
        with open(name, "wb") as file:
            file.write(quote)
        common = ["attest", "explain", name, "--url", self.keystore.url, "--tee-type", "simulated",
                  "--token-file", self.keystore.token_file("worker1")]
        done = command(*common)
        text = done.stdout.decode()
        self.assertRegex(text, r"accepted +yes")
        self.assertRegex(text, r"no +other +measurement_mismatch")
        self.assertRegex(text, r"yes +worker")
        self.assertRegex(text, r"update +standard\n")
        self.assertNotIn("notice", text)
        self.assertRegex(command(*common, "--update", "early").stdout.decode(),
                         r"notice +The keystore holds no early set")
        done = command(*common, "--policy", "other", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout.decode(), r"accepted +no")
        done = command(*common, "--policy", "other", "--json", check=False)
        self.assertEqual((done.returncode, json.loads(done.stdout)["accepted"]), (1, False))
        done = command(*common, "--policy", "none", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"policy_not_found", done.stderr)
        self.assertTrue(os.path.exists(COMMAND))


if __name__ == "__main__":
    unittest.main()
