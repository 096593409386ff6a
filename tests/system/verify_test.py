#!/usr/bin/env python3
"""`vouchsafe attest verify` over every stored piece of evidence, and over files that are none.

Vectors come from $VOUCHSAFE_VECTORS or ../shared/vectors; without them the tests that need them say
so and are skipped.
"""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from cli_test import BINARY, ROOT

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(BINARY)))
VECTORS = os.path.join(os.environ.get("VOUCHSAFE_VECTORS", os.path.join(ROOT, "../shared/vectors")),
                       "attestation")
INDEX = os.path.join(VECTORS, "index.json")
NOT_SAID = {"note", "check_errors", "vek_extensions", "sgx_level_status", "runtime_data_sha"}


def run(*arguments, data=b"", program=BINARY):
    return subprocess.run([program, *arguments], input=data, capture_output=True, timeout=120,
                          check=False, env={"PATH": "/usr/bin:/bin",
                                            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")})


def verify(*arguments, data=b""):
    return run("attest", "verify", *arguments, data=data)


def path(relative):
    return os.path.join(VECTORS, relative)


def options_of(case):
    """The command line that a person would write for this case."""
    collateral = case.get("collateral") or {}
    options = ["--at", str(case["verify_time"])] if case.get("verify_time") else []
    for member in ("tcb_info", "ark"):
        if member in collateral:
            options += ["--collateral", path(os.path.dirname(collateral[member]))]
    for member in ("platform_key", "iak"):
        if member in collateral:
            options += ["--arm-key", path(collateral[member])]
    return options


def derived():
    """The folder of evidence that gen_negative.py derives, kept for the same input; or None."""
    generator = os.path.join(VECTORS, "gen_negative.py")
    digest = hashlib.sha256()
    for name in (generator, INDEX):
        if not os.path.exists(name):
            return None
        with open(name, "rb") as file:
            digest.update(file.read())
    folder = os.path.join(BUILD, f"attestation-derived-{digest.hexdigest()[:16]}")
    if not os.path.exists(os.path.join(folder, "index.json")):  # written last
        done = subprocess.run([sys.executable, generator, "--out", folder], capture_output=True,
                              timeout=600, check=False)
        if done.returncode != 0:
            return None
    return folder


def differences(where, expected, got):
    """Members of the index that the command says otherwise, or not at all."""
    if not isinstance(expected, dict):
        return [] if expected == got else [(where, expected, got)]
    found = []
    for name, value in expected.items():
        if where or name not in NOT_SAID:
            inner = got.get(name, "absent") if isinstance(got, dict) else "absent"
            found += differences(f"{where}.{name}", value, inner)
    return found


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(INDEX):
            print(f"SKIPPED: stored evidence: no vectors at {VECTORS}")
            raise unittest.SkipTest("no vectors")
        with open(INDEX, encoding="utf-8") as file:
            cls.cases = json.load(file)["cases"]

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def case(self, name):
        return next(c for c in self.cases if c["id"].startswith(name))

    def test_every_case_agrees_with_the_index(self):
        for case in self.cases:
            done = verify(path(case["evidence"]), "--json", *options_of(case))
            said = json.loads(done.stdout)
            expected = case["expected"]
            if case["tee"] == "azure-hcl":  # the index judges only the binding
                self.assertTrue(said["binding_valid"])
                expected = {**expected, "result": "reject", "reason": "collateral_missing"}
            elif not said["signatures_valid"]:  # unsigned bytes give no claims
                expected = {k: v for k, v in expected.items() if k in ("result", "reason")}
                self.assertNotIn("report", said, case["id"])
            with self.subTest(case["id"]):
                self.assertEqual(differences("", expected, said), [])
                self.check_default_policy(said, done.returncode)
                self.assertEqual(done.stderr, b"")
                self.assertEqual(said["tee"], case["tee"])
                self.assertEqual(said.get("advisories"), said.get("advisory_ids"))
                self.assertEqual(said.get("status"), said.get("tcb_status"))

    def check_default_policy(self, said, code):
        """Debug builds and revoked platforms are genuine, and refused without being asked."""
        refused = None
        if said["result"] == "valid" and said["debug"]:
            refused = "debug"
        elif said["result"] == "valid" and said.get("status") == "Revoked":
            refused = "tcb_status_not_accepted"
        if refused:
            self.assertEqual((code, said["ok"], said["accepted"], said["reason"], said["code"],
                              said["step"]), (1, False, False, None, refused, "appraisal"))
            self.assertIn("never accepted", said["sentence"])
        else:
            self.assertNotIn("accepted", said)
            self.assertEqual(code, 0 if said["result"] == "valid" else 1)

    def test_debug_builds_are_refused_in_words(self):
        case = self.case("tdx-v4-canvasxyz-12b401-uptodate-e15")
        self.assertTrue(case["expected"]["debug"])
        done = verify(path(case["evidence"]), *options_of(case))
        self.assertEqual(done.returncode, 1)
        text = done.stdout.decode()
        self.assertRegex(text, r"FAILED +appraisal[^$]*result +valid\nrefused +debug: ")
        self.assertIn("never accepted", text)

    def test_derived_debug_builds_and_revoked_platforms_are_refused(self):
        """Those that the generator of the vectors signs under a root of its own."""
        folder = derived()
        if folder is None:
            print("SKIPPED: derived evidence: python3 cannot run gen_negative.py")
            self.skipTest("no generator")
        with open(os.path.join(folder, "index.json"), encoding="utf-8") as file:
            cases = json.load(file)["cases"]
        seen = {"debug": 0, "tcb_status_not_accepted": 0}
        for case in cases:
            expected = case["expected"]
            if expected.get("result") != "valid" or not (
                    expected.get("debug") or expected.get("tcb_status") == "Revoked"):
                continue
            evidence = os.path.join(folder, case["evidence"])
            done = verify(evidence, "--json", "--at", str(case["verify_time"]),
                          "--collateral", os.path.dirname(evidence),
                          "--trust-root", os.path.join(folder, case["trust_anchor"]["path"]))
            said = json.loads(done.stdout)
            with self.subTest(case["id"]):
                self.assertEqual(differences("", expected, said), [])
                self.check_default_policy(said, done.returncode)
            seen[said["code"]] += 1
        self.assertGreaterEqual(seen["debug"], 3)
        self.assertGreaterEqual(seen["tcb_status_not_accepted"], 9)

    def test_the_kind_may_be_named_and_must_then_be_right(self):
        for case in self.cases:
            if (case["expected"]["result"] != "valid" or case["expected"].get("debug") or
                    case["tee"] == "azure-hcl"):
                continue
            evidence = [path(case["evidence"]), *options_of(case)]
            self.assertEqual(verify(*evidence, "--tee", case["tee"]).returncode, 0, case["id"])
            other = "nitro" if case["tee"] != "nitro" else "tdx"
            self.assertEqual(verify(*evidence, "--tee", other).returncode, 1, case["id"])

    def test_text_forms_and_standard_input(self):
        case = self.case("tdx-v4-near")
        with open(path(case["evidence"]), "rb") as file:
            evidence = file.read()
        wrapped = base64.encodebytes(evidence)
        for text in (evidence, evidence.hex().encode(), evidence.hex().upper().encode() + b"\n",
                     b"0x" + evidence.hex().encode(), base64.b64encode(evidence), wrapped,
                     wrapped.replace(b"\n", b"\r\n"), base64.urlsafe_b64encode(evidence).rstrip(b"="),
                     base64.urlsafe_b64encode(evidence), base64.b64encode(evidence).rstrip(b"="),
                     b'"' + base64.b64encode(evidence) + b'"\n', b"\xef\xbb\xbf" + evidence.hex().encode(),
                     str(list(evidence)).encode(),
                     json.dumps({"tee": "tdx", "evidence": {"quote": base64.b64encode(evidence).decode()}}).encode(),
                     json.dumps({"quote_hex": "0x" + evidence.hex(), "nonce": "00" * 32}, indent=2).encode()):
            done = verify("-", "--json", *options_of(case), data=text)
            self.assertEqual(json.loads(done.stdout)["result"], "valid", done.stderr)
            self.assertEqual(done.returncode, 0)

    def test_a_nitro_document_can_be_judged_by_its_own_time(self):
        case = self.case("nitro-blocky-72ffd8")
        document = path(case["evidence"])
        done = verify(document)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout.decode(), r"says +made at 2024-09-07T\d\d:\d\d:\d\dZ \(not verified\)")
        self.assertIn(b"--at evidence", done.stdout)
        said = json.loads(verify(document, "--json").stdout)
        self.assertEqual((said["ok"], said["code"]), (False, "certificate_time"))
        self.assertRegex(str(said["timestamp_ms"]), r"^1725\d{9}$")
        done = verify(document, "--at", "evidence", "--json")
        again = json.loads(done.stdout)
        self.assertEqual((again["result"], again["timestamp_ms"]), ("valid", said["timestamp_ms"]))
        # a document that was changed is refused whatever time it states
        with open(document, "rb") as file:
            changed = bytearray(file.read())
        changed[-1] ^= 1
        self.assertEqual(verify("-", "--at", "evidence", data=bytes(changed)).returncode, 1)
        # and other kinds state none
        for name in ("tdx-v4-near", "sgx-v3-automata-network-c81a90"):
            done = verify(path(self.case(name)["evidence"]), "--at", "evidence")
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"does not state when it was made", done.stderr)

    def test_a_person_reads_steps_status_advisories_and_expiry(self):
        case = self.case("sgx-v3-automata-network-c81a90")
        text = verify(path(case["evidence"]), *options_of(case)).stdout.decode()
        self.assertRegex(text, r"ok +pck_chain +the platform's certificate chain")
        self.assertNotIn("FAILED", text)
        self.assertRegex(text, r"status +SWHardeningNeeded: The platform is patched")
        self.assertRegex(text, r"advisory +INTEL-SA-00615")
        self.assertRegex(text, r"good until +2025-")
        self.assertRegex(text, r"mrenclave +" + case["expected"]["report"]["mrenclave"])
        self.assertIn("the measurement was not compared", text)
        done = verify(path(case["evidence"]), *options_of(case)[2:], "--at", "2030-01-01T00:00:00Z")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout.decode(), r"FAILED +\w+ +\w+")

    def test_without_collateral_the_hint_names_the_missing_item(self):
        case = self.case("tdx-v4-near")
        done = verify(path(case["evidence"]))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout.decode(), r"result +signature_only")
        self.assertIn("FMSPC b0c06f000000", done.stdout.decode())
        self.assertIn("vouchsafe collateral", done.stdout.decode())
        said = json.loads(verify(path(case["evidence"]), "--json").stdout)
        self.assertEqual(said["collateral_missing"]["fmspc"], "b0c06f000000")
        snp = os.path.join(self.folder, "report.bin")
        shutil.copy(path(self.case("snp-v3-milan-vcek-dstack")["evidence"]), snp)
        said = json.loads(verify(snp, "--json").stdout)
        self.assertEqual((said["result"], said["reason"]), ("reject", "collateral_missing"))

    def test_all_of_the_collateral_at_once(self):
        """A set is chosen by platform and time: every case finds its own among all of them."""
        for name in ("sgx-v3-matter-labs-3bfe5a-swhardeningneeded-e15", "tdx-v4-near", "snp-v5-turin"):
            case = self.case(name)
            done = verify(path(case["evidence"]), "--json", "--at", str(case["verify_time"]),
                          "--collateral", path("collateral/intel"),
                          "--collateral", path("collateral/amd"))
            self.assertEqual(json.loads(done.stdout)["result"], "valid", (name, done.stderr))

    def test_changed_collateral_is_refused_by_name(self):
        case = self.case("sgx-v3-automata-network-c81a90")
        folder = os.path.join(self.folder, "set")
        shutil.copytree(path(os.path.dirname(case["collateral"]["tcb_info"])), folder)
        with open(os.path.join(folder, "tcb_info.json"), "r+b") as file:
            text = file.read().replace(b"SWHardeningNeeded", b"UpToDate")
            file.seek(0)
            file.truncate()
            file.write(text)
        done = verify(path(case["evidence"]), "--json", "--at", str(case["verify_time"]),
                      "--collateral", folder)
        said = json.loads(done.stdout)
        self.assertEqual((done.returncode, said["result"], said["reason"], said["step"]),
                         (1, "reject", "tcb_info_signature_invalid", "collateral"))

    def test_a_policy_in_a_file(self):
        case = self.case("tdx-v4-near")
        report = case["expected"]["report"]
        demands = {"name": "td", "tee": "tdx", "report_data": ["vouchsafe"], "tokens": ["worker-1"],
                   **{name: [report[name]] for name in ("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3")},
                   "mrconfigid": ["any"]}
        evidence = [path(case["evidence"]), *options_of(case)]
        policy = os.path.join(self.folder, "policies.yaml")

        def judge(*more, **changed):
            with open(policy, "w", encoding="utf-8") as file:
                json.dump({"policies": [{**demands, **changed}]}, file)  # JSON is YAML
            done = verify(*evidence, "--policy", policy, "--json", *more)
            return done.returncode, json.loads(done.stdout)

        code, said = judge()
        self.assertEqual((code, said.get("accepted"), said.get("policy")), (0, True, "td"), said)
        code, said = judge(rtmr3=["00" * 48])
        self.assertEqual((code, said["result"], said["accepted"], said["step"]),
                         (1, "valid", False, "appraisal"))
        self.assertIn(report["rtmr3"], said["presented"])
        self.assertRegex(verify(*evidence, "--policy", policy).stdout.decode(),
                         r"FAILED +appraisal[^$]*nearest policy +td")
        code, said = judge(tee="sgx", **{"mrtd": []})
        self.assertEqual((code, said["code"]), (4, "malformed"))
        self.assertIn("policies.yaml", said["error"])
        for missing in (os.path.join(self.folder, "none"), self.folder + "/set"):
            self.assertNotIn(verify(*evidence, "--policy", missing).returncode, (0, 1))
        for wrong in (["--policy", policy, "--mrenclave", "00" * 32], ["--event-log", policy]):
            self.assertEqual(verify(*evidence, *wrong).returncode, 2)

    def test_certificates_next_to_the_report_or_named(self):
        case = self.case("snp-v3-genoa")
        evidence = os.path.join(self.folder, "report.bin")
        shutil.copy(path(case["evidence"]), evidence)
        options = options_of(case)
        self.assertEqual(verify(evidence, *options).returncode, 1)
        vek = path(case["collateral"]["vek"])
        self.assertEqual(verify(evidence, *options, "--certificates", vek).returncode, 0)
        shutil.copy(vek, os.path.join(self.folder, "vek.der"))
        self.assertEqual(verify(evidence, *options).returncode, 0)
        other = path(self.case("snp-v5-turin")["collateral"]["vek"])
        self.assertEqual(verify(evidence, *options, "--certificates", other).returncode, 1)

    def test_the_example_judges_by_a_field(self):
        example = os.path.join(BUILD, "examples", "example_verify_evidence")
        case = self.case("snp-v5-turin")  # good until 2032
        shutil.copytree(path("collateral/amd/turin"), os.path.join(self.folder, "turin"))
        shutil.copy(path(case["collateral"]["vek"]), self.folder)
        evidence, field = path(case["evidence"]), "report.measurement"
        measurement = case["expected"]["report"]["measurement"]
        self.assertEqual(run(program=example).returncode, 1)
        for more, code in (([], 1), ([field, measurement], 0), ([field, "00" * 48], 1),
                           (["report.mrenclave", measurement], 1)):
            done = run(evidence, self.folder, *more, program=example)
            self.assertEqual(done.returncode, code, (done.stdout, done.stderr))
            self.assertIn(b"snp evidence: valid", done.stdout)
            self.assertIn(b"\naccepted" if code == 0 else b"not accepted", done.stdout)
        done = run(evidence, path("collateral/amd/milan"), field, measurement, program=example)
        self.assertEqual(done.returncode, 1)


class Simulated(unittest.TestCase):
    """Evidence of a simulated platform: by itself, and in certificates."""
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.sim = os.path.join(cls.folder, "sim")
        cls.bundle = os.path.join(cls.folder, "bundle.json")
        for command in (["create", cls.sim],
                        ["collateral", "--dir", cls.sim, "--out", cls.bundle]):
            done = run("sim", *command)
            assert done.returncode == 0, done.stderr

    def at(self, name):
        return os.path.join(self.folder, name)

    def quote(self, report_data, name="quote.bin"):
        done = run("sim", "quote", "--dir", self.sim, "--mrenclave", "11" * 32,
                   "--report-data", report_data, "--out", self.at(name))
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.at(name), "rb") as file:
            return file.read()

    def judge(self, name, *more, collateral=None):
        done = verify(self.at(name), "--json", "--trust-root", os.path.join(self.sim, "root_ca.pem"),
                      "--collateral", collateral or self.bundle, *more)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def openssl(self, *arguments, data=b""):
        return subprocess.run(["openssl", *arguments], input=data, check=True, capture_output=True,
                              timeout=60).stdout

    def key(self, name):
        """Makes a key; the hash of its public half."""
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.at(name))
        public = self.openssl("pkey", "-in", self.at(name), "-pubout", "-outform", "DER")
        return hashlib.sha256(public).hexdigest()

    def certificate(self, key, name, extension=None):
        more = ["-addext", extension] if extension else []
        self.openssl("req", "-x509", "-new", "-key", self.at(key), "-subj", "/CN=enclave", "-days",
                     "1", "-out", self.at(name), *more)

    def gramine(self, key, report_data, name):
        self.certificate(key, name, "1.2.840.113741.1337.6=DER:" + self.quote(report_data).hex())

    def test_the_oldest_collateral_that_counts(self):
        self.quote("00" * 64)
        named = ["--mrenclave", "11" * 32]
        code, said = self.judge("quote.bin", *named)
        self.assertEqual((code, said["accepted"]), (0, True))
        number = said["tcb_evaluation_number"]
        self.assertEqual(self.judge("quote.bin", *named, "--min-evaluation", str(number))[0], 0)
        code, said = self.judge("quote.bin", *named, "--min-evaluation", str(number + 1))
        self.assertEqual((code, said["code"]), (1, "tcb_evaluation_too_old"))

    def test_out_of_date_needs_its_grace(self):
        self.quote("00" * 64)
        late = self.at("late.json")
        done = run("sim", "collateral", "--dir", self.sim, "--status", "OutOfDate", "--out", late)
        self.assertEqual(done.returncode, 0, done.stderr)
        named = ["--mrenclave", "11" * 32, "--accept-status", "OutOfDate"]
        for more, code in (([], "no_policy"), (["--grace-days", "1"], "out_of_date_too_long"),
                           (["--grace-days", "3650"], "ok")):
            got, said = self.judge("quote.bin", *named, *more, collateral=late)
            self.assertEqual((got, said["code"]), (0 if code == "ok" else 1, code))
        self.assertEqual(self.judge("quote.bin", *named, "--grace-days", "0")[0], 2)

    def test_a_certificate_that_its_evidence_binds(self):
        spki = self.key("own.key")
        self.gramine("own.key", spki + "00" * 32, "own.pem")
        code, said = self.judge("own.pem")
        self.assertEqual((code, said["result"], said["code"]), (0, "valid", "ok"), said)
        self.assertEqual(said["ra_tls"], {"form": "gramine", "key_sha256": spki, "bound": True})
        self.openssl("x509", "-in", self.at("own.pem"), "-outform", "DER", "-out", self.at("own.der"))
        self.assertEqual(self.judge("own.der")[1]["ra_tls"], said["ra_tls"])
        self.assertEqual(self.judge("own.pem", "--mrenclave", "11" * 32)[0], 0)
        self.assertEqual(self.judge("own.pem", "--mrenclave", "22" * 32)[0], 1)
        text = verify(self.at("own.pem"), "--collateral", self.bundle, "--trust-root",
                      os.path.join(self.sim, "root_ca.pem")).stdout.decode()
        self.assertRegex(text, r"ok +ra_tls +the report binds the certificate's key")
        self.assertIn(spki + " (RA-TLS, gramine)", text)

    def test_a_certificate_with_evidence_about_another_key(self):
        spki, other = self.key("own.key"), self.key("other.key")
        for wrong in (other + "00" * 32, spki + "00" * 31 + "01", "00" * 32 + spki):
            self.gramine("own.key", wrong, "wrong.pem")
            code, said = self.judge("wrong.pem")
            self.assertEqual((code, said["ok"], said["result"], said["code"], said["step"]),
                             (1, False, "valid", "report_data_mismatch", "ra_tls"))
            self.assertEqual(said["ra_tls"],
                             {"form": "gramine", "key_sha256": spki, "bound": False})
            text = verify(self.at("wrong.pem"), "--collateral", self.bundle, "--trust-root",
                          os.path.join(self.sim, "root_ca.pem")).stdout.decode()
            self.assertRegex(text, r"FAILED +ra_tls")

    def test_certificates_without_good_evidence(self):
        self.key("own.key")
        self.certificate("own.key", "none.pem")
        self.certificate("own.key", "tcg.pem", "2.23.133.5.4.9=DER:00")
        self.certificate("own.key", "noise.pem", "1.2.840.113741.1337.6=DER:0011")
        with open(self.at("broken.pem"), "wb") as file:
            file.write(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for name, reason in (("none.pem", "certificate_without_evidence"), ("tcg.pem", "malformed"),
                             ("broken.pem", "malformed")):
            code, said = self.judge(name)
            self.assertEqual((code, said["result"], said["code"], said["step"]),
                             (1, "reject", reason, "ra_tls"), name)
        self.assertEqual(self.judge("noise.pem")[1]["result"], "reject")


class HostileFiles(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, name, content=b""):
        name = os.path.join(self.folder, name)
        with open(name, "wb") as file:
            file.write(content)
        return name

    def refused(self, *arguments, data=b""):
        done = verify(*arguments, "--json", data=data)
        self.assertEqual(done.returncode, 1, (arguments, done.stderr))
        self.assertEqual(done.stderr, b"")
        said = json.loads(done.stdout)
        self.assertEqual((said["ok"], said["result"]), (False, "reject"))
        return said["reason"]

    def test_no_evidence(self):
        self.refused(self.file("noise", os.urandom(5000)))
        self.refused(self.file("hex", b"00" * 100))

    def test_text_that_is_no_evidence_is_wrong_usage(self):
        for content, why in ((b"", "it is empty"), (b"This is no evidence.\n", "begins with 'This is no evide'"),
                             (b"{}", "JSON document"), (b'{"quote":', "not valid JSON near byte 9")):
            for name, data in ((self.file("text", content), b""), ("-", content)):
                done = verify(name, "--json", data=data)
                self.assertEqual((done.returncode, done.stdout), (2, b""), content)
                self.assertIn(why, done.stderr.decode())
                self.assertIn(f"{name} holds no evidence", done.stderr.decode())
        self.assertEqual(verify("/dev/null").returncode, 2)

    def test_too_much(self):
        name = self.file("large")
        os.truncate(name, 64 << 20)
        self.assertEqual(self.refused(name), "too_large")
        self.assertEqual(self.refused("/dev/zero"), "too_large")
        self.assertEqual(self.refused("-", data=bytes(1 << 20)), "too_large")
        self.assertEqual(self.refused(self.file("hex", b"00" * 100000)), "too_large")

    def test_a_pipe(self):
        name = os.path.join(self.folder, "pipe")
        os.mkfifo(name)

        def write():
            with open(name, "wb") as pipe:
                pipe.write(b"\3\0\2\0")
        writer = threading.Thread(target=write)
        writer.start()
        self.assertEqual(self.refused(name), "malformed")
        writer.join()

    def test_no_file(self):
        for name in (self.folder, "/proc/self/mem"):
            self.assertEqual(verify(name).returncode, 3)
        self.assertEqual(verify(os.path.join(self.folder, "none")).returncode, 4)

    def test_no_collateral(self):
        quote = self.file("quote", b"\3\0\2\0" + bytes(1000))
        self.assertEqual(verify(quote, "--collateral", os.path.join(self.folder, "none")).returncode, 4)
        empty = os.path.join(self.folder, "nothing")
        os.mkdir(empty)
        self.assertEqual(verify(quote, "--collateral", empty).returncode, 4)
        for content in (b"", b"{}", b"[" * 100000, b'{"tcb_info":7}', os.urandom(1000)):
            self.refused(quote, "--collateral", self.file("bundle.json", content))
        large = self.file("large.json")
        os.truncate(large, 64 << 20)
        self.assertNotEqual(verify(quote, "--collateral", large).returncode, 0)
        folder = os.path.join(self.folder, "set")
        os.mkdir(folder)
        os.mkfifo(os.path.join(folder, "bundle.json"))
        os.symlink(folder, os.path.join(folder, "loop"))
        self.assertNotEqual(verify(quote, "--collateral", folder).returncode, 0)

    def test_no_certificates(self):
        report = self.file("report", b"\2\0\0\0" + bytes(1180))
        for content in (b"", b"x", os.urandom(60000)):
            self.refused(report, "--certificates", self.file("certificates", content))
        large = self.file("large")
        os.truncate(large, 1 << 20)
        self.assertEqual(verify(report, "--certificates", large).returncode, 4)


if __name__ == "__main__":
    unittest.main()
