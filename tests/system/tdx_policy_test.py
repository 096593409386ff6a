"""A stored quote of a genuine TD under a policy: released at its time, refused when it is out of date.

The keystore's clock is set (vouchsafed-test-clock). Vectors come from $VOUCHSAFE_VECTORS or ../shared/vectors.
"""
import base64
import json
import os
import subprocess
import tempfile
import time
import unittest

from harness import CLOCKED_DAEMON, DAEMON, ROOT, Keystore, ecies_seal

VECTORS = os.path.join(os.environ.get("VOUCHSAFE_VECTORS", os.path.join(ROOT, "../shared/vectors")), "attestation")
QUOTE = os.path.join(VECTORS, "tdx/tdx-v4-canvasxyz-7462cb/quote.bin")
COLLATERAL = os.path.join(VECTORS, "collateral/intel")
THEN, THEN_BUNDLE = 1749669835, "tdx-00806f050000-e17-20250527-672f"  # UpToDate
LATER, LATER_BUNDLE = 1782599235, "tdx-00806f050000-e21-20260612-66e9"  # OutOfDate
ADVISORIES = ["INTEL-SA-" + n for n in (
    "01010 01036 01076 01079 01099 01103 01111 01192 01245 01312 01313 01314 01397".split())]
SECRET = b'{"FOO":"bar"}'
SEED = "github.com/alice/project:alice.near"

# What the quote says; its report data is a key of 32 bytes and 32 zeros, as OutLayer binds it.
MRTD = "fe27b2aa3a05ec56864c308aff03dd13c189a6112d21e417ec1afe626a8cb9d91482d1379ec02fe6308972950a930d0a"
KEY = "675b293e4e395b2bfbfb27a1754f5ca1fdca87e1949b3bc4d8ca39a8be195afe"
POLICY = {
    "name": "td", "tee": "tdx", "mrtd": [MRTD], "rtmr0": ["zero"], "rtmr1": ["zero"], "rtmr2": ["zero"],
    "rtmr3": ["zero"], "td_attributes_required": [], "report_data": ["outlayer"], "allow_plain": True,
}


@unittest.skipUnless(os.path.exists(QUOTE), f"no vectors at {VECTORS}")
class Released(unittest.TestCase):
    def keystore(self, clock, bundle, policy=POLICY, in_file=True):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "workers.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"policies": [policy]}, f)
        settings = {"attestation.collateral": [os.path.join(COLLATERAL, bundle, "bundle.json")]}
        if in_file:
            settings["attestation.policy_files"] = [directory.name]
        keystore = Keystore(clock=clock, policies=[] if in_file else [policy], settings=settings)
        self.addCleanup(keystore.close)
        self.started, self.clock = time.monotonic(), clock
        return keystore.init().start()

    def attestation(self, key=KEY, **members):
        with open(QUOTE, "rb") as f:
            quote = f.read()
        now = int(self.clock + time.monotonic() - self.started)
        return {"tee_type": "tdx", "quote": base64.b64encode(quote).decode(), "worker_pubkey": key,
                "timestamp": now, **members}

    def decrypt(self, keystore, **members):
        envelope = ecies_seal(keystore.pubkey(SEED), SECRET)
        return keystore.post("/decrypt", {
            "encrypted_secrets": base64.b64encode(envelope).decode(), "seed": SEED,
            "attestation": self.attestation(**members)}, token="worker")

    def refused(self, reply, code):
        self.assertEqual((reply.status, reply.code), (401, code), reply.body)
        self.assertNotIn(b"plaintext_secrets", reply.body)
        return reply.json()["detail"]

    def test_released_at_its_time_once(self):
        for in_file in (True, False):
            keystore = self.keystore(THEN, THEN_BUNDLE, in_file=in_file)
            reply = self.decrypt(keystore)
            self.assertEqual(reply.status, 200, reply.body)
            self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), SECRET)
            reply = self.decrypt(keystore)
            self.assertEqual((reply.status, reply.code), (401, "evidence_replayed"), reply.body)
            entries = keystore.get("/v1/log/entries?start=0&count=100", token="auditor").body.decode().splitlines()
            opened = [json.loads(e) for e in entries if json.loads(e)["op"] == "open"]
            self.assertEqual([e["tee"] for e in opened], ["tdx", "tdx"])
            self.assertEqual(opened[0]["rule"], "td")

    def test_refused_when_its_platform_is_out_of_date(self):
        detail = self.refused(self.decrypt(self.keystore(LATER, LATER_BUNDLE)), "tcb_status_not_accepted")
        self.assertEqual(detail["rule"], "td")
        self.assertEqual(detail["expected"], "tcb_status UpToDate")
        self.assertTrue(detail["presented"].startswith("OutOfDate: "), detail)
        for advisory in ADVISORIES:
            self.assertIn(advisory, detail["presented"])

    def test_refused_with_the_collateral_of_its_time_when_that_has_expired(self):
        reply = self.decrypt(self.keystore(LATER, THEN_BUNDLE))
        self.assertEqual(reply.status, 401)
        self.assertIn(reply.code, ("collateral_expired", "crl_time"))

    def test_out_of_date_within_the_grace_of_a_policy_only(self):
        late = {**POLICY, "tcb_status": ["UpToDate", "OutOfDate"], "advisories": ADVISORIES,
                "out_of_date_grace_days": 410}  # the next newer level is of 2025-05-14
        self.assertEqual(self.decrypt(self.keystore(LATER, LATER_BUNDLE, late)).status, 200)
        short = {**late, "out_of_date_grace_days": 408}
        detail = self.refused(self.decrypt(self.keystore(LATER, LATER_BUNDLE, short)), "out_of_date_too_long")
        self.assertIn("2025-05-14", detail["presented"])
        fewer = {**late, "advisories": ADVISORIES[1:]}
        detail = self.refused(self.decrypt(self.keystore(LATER, LATER_BUNDLE, fewer)), "advisory_not_accepted")
        self.assertEqual(detail["presented"], ADVISORIES[0])

    def test_each_part_of_the_policy_refuses(self):
        for change, code in (
                ({"mrtd": ["12" * 48]}, "measurement_mismatch"),
                ({"rtmr0": ["12" * 48]}, "rtmr_mismatch"),
                ({"rtmr3": ["12" * 48]}, "rtmr_mismatch"),
                ({"mrconfigid": ["12" * 48]}, "configuration_mismatch"),
                ({"td_attributes_required": ["SEPT_VE_DISABLE"]}, "attributes_not_accepted"),
                ({"xfam_allowed": ["X87", "SSE"]}, "attributes_not_accepted"),
                ({"fmspc": ["00606a000000"]}, "platform_not_accepted"),
                ({"min_tcb_evaluation_number": 18}, "tcb_evaluation_too_old"),
                ({"report_data": ["vouchsafe", "dstack", "rcar"]}, "report_data_mismatch"),
                ({"events": ["compose-hash=00"]}, "event_log_missing"),
                ({"tokens": ["operator"]}, "no_policy")):
            with self.subTest(code):
                keystore = self.keystore(THEN, THEN_BUNDLE, {**POLICY, **change})
                self.refused(self.decrypt(keystore), code)

    def test_each_part_of_the_request_is_bound(self):
        keystore = self.keystore(THEN, THEN_BUNDLE)
        self.refused(self.decrypt(keystore, key="11" * 32), "report_data_mismatch")
        self.refused(self.decrypt(keystore, tee_type="sgx"), "tee_type_mismatch")
        self.refused(self.decrypt(keystore, tee_type="sev"), "tee_type_mismatch")
        reply = self.decrypt(keystore, timestamp=THEN - 301)
        self.assertEqual((reply.status, reply.code), (401, "evidence_stale"), reply.body)
        self.assertEqual(self.decrypt(keystore).status, 200)

    def test_a_key_without_a_challenge_opens_no_session(self):
        keystore = self.keystore(THEN, THEN_BUNDLE)
        nonce = keystore.post("/v1/attest/challenge", token="worker").json()["nonce"]
        evidence = self.attestation()
        self.refused(keystore.post("/v1/attest", {
            "nonce": nonce, "tee_type": "tdx", "quote": evidence["quote"], "public_key": KEY},
            token="worker"), "report_data_mismatch")


class Clock(unittest.TestCase):
    def test_the_daemon_itself_has_no_such_option(self):
        done = subprocess.run([DAEMON, "--test-clock", "1", "--version"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("unrecognized option '--test-clock'", done.stderr)
        done = subprocess.run([CLOCKED_DAEMON, "--test-clock", "1", "--version"], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0)

    def test_release_builds_refuse_it(self):
        for build_type in ("release", "minsize", "plain"):
            with self.subTest(build_type), tempfile.TemporaryDirectory() as directory:
                done = subprocess.run(
                    ["meson", "setup", directory, ROOT, f"--buildtype={build_type}", "-Dtest_clock=true",
                     "-Dtests=disabled"], capture_output=True, text=True, timeout=300)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("test_clock is for tests", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
