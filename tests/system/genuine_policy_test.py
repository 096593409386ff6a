"""Stored evidence of genuine SEV-SNP guests and Nitro enclaves under policies, at the keystore's real interface.

The keystore's clock is set (vouchsafed-test-clock). Vectors come from $VOUCHSAFE_VECTORS or ../shared/vectors.
Nothing here has their keys, so the tests ask for plain replies, which a policy allows.
"""
import base64
import json
import os
import shutil
import struct
import tempfile
import time
import unittest
import uuid

from harness import ROOT, Keystore, ecies_seal, free_port
from vendors import Vendors, wait_for

VECTORS = os.path.join(os.environ.get("VOUCHSAFE_VECTORS", os.path.join(ROOT, "../shared/vectors")), "attestation")
SNP = os.path.join(VECTORS, "snp/snp-v3-milan-vcek-veehaitch-40a277")
SNP_VLEK = os.path.join(VECTORS, "snp/snp-v3-milan-vlek-confidential-containers-decdab/report.bin")
MILAN = os.path.join(VECTORS, "collateral/amd/milan")
NITRO = os.path.join(VECTORS, "nitro/nitro-dstack-tee-54ae0f/doc.cbor")
NITRO_DEBUG = os.path.join(VECTORS, "nitro/nitro-dstack-tee-1c921b/doc.cbor")
SECRET = b'{"FOO":"bar"}'
SEED = "github.com/alice/project:alice.near"


def read(path):
    with open(path, "rb") as f:
        return f.read()


@unittest.skipUnless(os.path.exists(os.path.join(SNP, "report.bin")), f"no vectors at {VECTORS}")
class Case(unittest.TestCase):
    tee = then = policy = key = quote = None

    def directory(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        return directory.name

    def keystore(self, *changes, clock=None, **settings):
        """One with the policy, or one that differs from it."""
        self.clock = clock or self.then
        policies = [{**self.policy, **change} for change in changes or ({},)]
        keystore = Keystore(clock=self.clock, policies=policies, settings=settings)
        self.addCleanup(keystore.close)
        with open(keystore.config, encoding="utf-8") as f:
            config = json.load(f)
        config["tokens"][0]["may_explain"] = True
        with open(keystore.config, "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.started = time.monotonic()
        return keystore.init().start()

    def evidence(self, quote=None, **members):
        return {"tee_type": self.tee, "quote": base64.b64encode(quote or self.quote).decode(), **members}

    def explain(self, keystore, **members):
        reply = keystore.post("/v1/attest/explain", self.evidence(**members), token="worker")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()

    def attest(self, keystore, **members):
        nonce = keystore.post("/v1/attest/challenge", token="worker").json()["nonce"]
        return keystore.post("/v1/attest", self.evidence(nonce=nonce, public_key=self.key, **members),
                             token="worker")

    def decrypt(self, keystore, **members):
        now = int(self.clock + time.monotonic() - self.started)
        envelope = base64.b64encode(ecies_seal(keystore.pubkey(SEED), SECRET)).decode()
        attestation = self.evidence(**{"worker_pubkey": self.key, "timestamp": now, **members})
        return keystore.post("/decrypt", {"encrypted_secrets": envelope, "seed": SEED, "attestation": attestation},
                             token="worker")

    def refused(self, reply, code, status=401):
        self.assertEqual((reply.status, reply.code), (status, code), reply.body)
        self.assertNotIn(b"plaintext_secrets", reply.body)
        self.assertNotIn(b"session\"", reply.body)
        return reply.json().get("detail")

    def denied_everywhere(self, keystore, code):
        """The dry run, a session and inline evidence say one thing."""
        said = self.explain(keystore)
        self.assertEqual((said["result"], said["accepted"], said["code"]), ("valid", False, code))
        self.refused(self.attest(keystore), code)
        return self.refused(self.decrypt(keystore), code)

    def released_once(self, keystore, **members):
        said = self.explain(keystore, **members)
        self.assertEqual((said["result"], said["reason"], said["accepted"], said["binding"]),
                         ("valid", "ok", True, "not checked"))
        reply = self.decrypt(keystore, **members)
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), SECRET)
        self.refused(self.decrypt(keystore, **members), "evidence_replayed")
        entries = keystore.get("/v1/log/entries?start=0&count=100", token="auditor").body.decode().splitlines()
        opened = [e for e in map(json.loads, entries) if e["op"] == "open"]
        self.assertEqual([e["tee"] for e in opened if "tee" in e], [self.tee, self.tee])
        return said


class GuestCase(Case):
    """SEV-SNP. Of AMD's certificates there are all, of its revocation lists none: the policy says so."""
    tee, then = "snp", 1739568114
    measurement = "195b01b74976a1faba13bd85eaf787958f0a46e6dddd45c5bdbf8673522777842b8057ae5d866b75416efb62012deaa3"
    key = "a7ca989b0359ea4e5efc47bdbcad84b2df3f26fd09ee7bda5bb27953abf68992"  # and 32 zeros
    policy = {
        "name": "guest", "tee": "snp", "measurement": [measurement], "guest_policy_allowed": ["SMT"],
        "product": ["milan"], "min_tcb_boot_loader": 4, "min_tcb_snp": 24, "min_tcb_microcode": 219,
        "platform_info_required": ["ALIAS_CHECK_COMPLETE"], "require_crl": False, "report_data": ["outlayer"],
        "allow_plain": True,
    }

    def setUp(self):
        self.quote = read(os.path.join(SNP, "report.bin"))

    def keystore(self, *changes, clock=None, names=("ark", "ask", "asvk"), vek=True, **settings):
        directory = self.directory()
        os.mkdir(os.path.join(directory, "milan"))
        for name in names:
            shutil.copy(os.path.join(MILAN, name + ".der"), os.path.join(directory, "milan"))
        if vek:
            shutil.copy(os.path.join(SNP, "vek.der"), directory)
        return super().keystore(*changes, clock=clock, **{"collateral.directories": [directory], **settings})


class Guest(GuestCase):
    def test_released_at_its_time_once(self):
        keystore = self.keystore()
        said = self.released_once(keystore)
        self.assertEqual(said["policy"], "guest")
        self.assertEqual(said["claims"]["measurement"], self.measurement)
        self.assertNotIn("status", said)  # AMD names none
        self.assertIn("report_data outlayer binds no nonce", keystore.log())

    def test_sev_is_snp(self):
        self.assertEqual(self.decrypt(self.keystore(), tee_type="sev").status, 200)

    def test_each_part_of_the_policy_refuses(self):
        for change, code in (
                ({"measurement": ["12" * 48]}, "measurement_mismatch"),
                ({"id_key_digest": ["12" * 48]}, "signer_mismatch"),
                ({"vmpl": ["1"]}, "vmpl_not_accepted"),
                ({"guest_policy_allowed": []}, "guest_policy_not_accepted"),
                ({"min_abi": "1.51"}, "guest_policy_not_accepted"),
                ({"platform_info_required": ["TIO_EN"]}, "platform_info_not_accepted"),
                ({"min_tcb_boot_loader": 5}, "tcb_too_low"),
                ({"min_tcb_snp": 25}, "tcb_too_low"),
                ({"min_tcb_microcode": 220}, "tcb_too_low"),
                ({"product": ["genoa"]}, "platform_not_accepted"),
                ({"chip_id": ["12" * 64]}, "platform_not_accepted"),
                ({"host_data": ["12" * 32]}, "configuration_mismatch"),
                ({"min_guest_svn": 1}, "svn_too_low"),
                ({"require_crl": True}, "crl_required"),
                ({"tokens": ["operator"]}, "no_policy")):
            with self.subTest(change=change):
                # for what denies before the binding is looked at, the dry run and a session say the same
                keystore = self.keystore(change)
                said = self.explain(keystore)
                self.assertEqual((said["result"], said["accepted"], said["code"]), ("valid", False, code))
                rule = "default-deny" if code == "no_policy" else "guest"  # a policy of others is not named
                self.assertEqual(self.refused(self.decrypt(keystore), code)["rule"], rule)

    def test_each_minimum_says_which_tcb_lacks_it(self):
        detail = self.refused(self.decrypt(self.keystore({"min_tcb_microcode": 220})), "tcb_too_low")
        self.assertEqual((detail["expected"], detail["presented"]), ("min_tcb_microcode 220", "reported 219"))

    def test_other_bindings_are_refused(self):
        keystore = self.keystore({"report_data": ["vouchsafe", "dstack", "rcar"]})
        self.assertTrue(self.explain(keystore)["accepted"])  # as far as it was asked
        self.refused(self.attest(keystore), "report_data_mismatch")
        self.refused(self.decrypt(keystore), "report_data_mismatch")
        keystore = self.keystore()
        self.refused(self.attest(keystore), "report_data_mismatch")  # only a key opens no session
        self.refused(self.decrypt(keystore, worker_pubkey="11" * 32), "report_data_mismatch")
        self.refused(self.decrypt(keystore, tee_type="tdx"), "tee_type_mismatch")
        self.assertEqual(self.decrypt(keystore).status, 200)

    def test_without_its_key_s_certificate(self):
        source = {"type": "kds", "name": "unreachable", "url": f"http://127.0.0.1:{free_port()}", "timeout_ms": 500}
        keystore = self.keystore(vek=False, **{"collateral.sources": [source]})
        for reply in (self.attest(keystore), self.decrypt(keystore)):
            self.refused(reply, "collateral_missing")
            self.assertRegex(reply.headers["Retry-After"], "^[1-9][0-9]*$")
        said = self.explain(keystore)
        self.assertEqual((said["result"], said["reason"], said["accepted"]), ("reject", "collateral_missing", False))
        # the caller brings it: in DER, or in PEM with the chain
        vek = read(os.path.join(SNP, "vek.der"))
        pem = (b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(vek) + b"-----END CERTIFICATE-----\n" +
               read(os.path.join(MILAN, "ask.pem")) + read(os.path.join(MILAN, "ark.pem")))
        other = read(os.path.join(os.path.dirname(SNP_VLEK), "vek.der"))
        self.assertEqual(self.decrypt(keystore, certificates=base64.b64encode(other).decode()).status, 401)
        self.released_once(keystore, certificates=base64.b64encode(vek).decode())
        again = self.keystore(vek=False, names=())
        self.released_once(again, certificates=base64.b64encode(pem).decode())

    def test_a_changed_report_or_chain_is_refused(self):
        keystore = self.keystore()
        for at in (0x50, 0x90, 0x180, 0x2a0, 0x2e0):  # report data, measurement, TCB, r, s
            changed = bytearray(self.quote)
            changed[at] ^= 1
            reply = self.decrypt(keystore, quote=bytes(changed))
            self.assertEqual(reply.status, 401, hex(at))
            self.assertIn(reply.code, ("signature_invalid", "vek_tcb_mismatch", "malformed"))
        self.assertEqual(self.decrypt(keystore, quote=self.quote[:-1]).status, 401)
        self.assertEqual(self.decrypt(keystore).status, 200)

    def test_a_cloud_s_key_and_another_vmpl(self):
        self.quote, self.then = read(SNP_VLEK), 1736460861
        vek = base64.b64encode(read(os.path.join(os.path.dirname(SNP_VLEK), "vek.der"))).decode()
        loose = {"measurement": [self.quote[0x90:0xc0].hex()], "min_tcb_snp": "any", "min_tcb_microcode": "any",
                 "csp_id": ["CN=cc-us-east-2.amazonaws.com"], "vmpl": ["1"]}
        for change, code in (({"vmpl": ["0"]}, "vmpl_not_accepted"), ({"csp_id": ["other"]}, "platform_not_accepted"),
                             ({"min_tcb_microcode": 218}, "tcb_too_low")):
            with self.subTest(code):
                said = self.explain(self.keystore({**loose, **change}, vek=False), certificates=vek)
                self.assertEqual((said["result"], said["accepted"], said["code"]), ("valid", False, code))
        keystore = self.keystore(loose, vek=False)
        said = self.explain(keystore, certificates=vek)
        self.assertEqual((said["result"], said["accepted"]), ("valid", True), said)
        self.refused(self.decrypt(keystore, certificates=vek), "report_data_mismatch")


# The GUIDs of the table (SEV-ES Guest-Hypervisor Communication Block, "SNP Extended Guest Request").
GUIDS = {"vcek": "63da758d-e664-4564-adc5-f4b93be8accd", "vlek": "a8074bc2-a25a-483e-aae6-39c045a0b8a1",
         "ask": "4ab7b379-bbac-4fe4-a02f-05aef327c782", "ark": "c0b406a4-a803-4952-9743-3fb6014cd0ae"}


def host_table(certificates, rfc4122=False):
    """A host's certificate table in base64. The GUIDs are little-endian, or in the byte order of RFC 4122."""
    at = 24 * (len(certificates) + 1)
    head = body = b""
    for name, der in certificates.items():
        guid = uuid.UUID(GUIDS[name])
        head += (guid.bytes if rfc4122 else guid.bytes_le) + struct.pack("<II", at + len(body), len(der))
        body += der
    return base64.b64encode(head + bytes(24) + body).decode()


class HostTable(GuestCase):
    """What the host's certificate table says of the VEK: right, wrong, or in another byte order."""
    QUERY = "?blSPL=04&teeSPL=00&snpSPL=24&ucodeSPL=219"

    def setUp(self):
        super().setUp()
        self.vek = read(os.path.join(SNP, "vek.der"))
        self.stale = read(os.path.join(VECTORS, "snp/snp-v3-milan-vcek-dstack-tee-a20e02/vek.der"))
        self.vendors = Vendors()
        self.addCleanup(self.vendors.down)

    def fetching(self, *changes, **settings):
        source = {"type": "kds", "name": "kds", "url": self.vendors.url, "timeout_ms": 2000}
        return self.keystore(*changes, vek=False, **{
            "collateral.sources": [source], "collateral.backoff_s": 1, "collateral.backoff_max_s": 1, **settings})

    def test_a_vek_that_does_not_fit_is_ignored_and_the_right_one_is_fetched(self):
        for rfc4122 in (False, True):
            with self.subTest(rfc4122=rfc4122):
                table = host_table({"vcek": self.stale}, rfc4122)
                path = self.vendors.serve_vcek("Milan", self.quote[0x1a0:0x1e0], self.vek)
                self.vendors.faults, self.vendors.retry_after = {path: "busy"}, 3
                self.vendors.requests.clear()
                keystore = self.fetching()
                begin = time.monotonic()
                while time.monotonic() - begin < 2:
                    reply = self.decrypt(keystore, certificates=table)
                    self.refused(reply, "collateral_missing")
                    self.assertRegex(reply.headers["Retry-After"], "^[1-9][0-9]*$")
                    time.sleep(0.1)
                self.assertEqual(self.vendors.requests, [path + self.QUERY], "the KDS asked for patience")
                self.vendors.faults = {}
                wait_for(lambda: self.explain(keystore, certificates=table)["result"] == "valid", 10, "the fetch")
                self.assertEqual(self.vendors.requests, 2 * [path + self.QUERY])
                self.released_once(keystore, certificates=table)
                self.assertEqual(self.attest(keystore, certificates=table).code, "report_data_mismatch")

    def test_a_vek_that_no_source_has(self):
        keystore = self.fetching()
        table = host_table({"vcek": self.stale})
        self.refused(self.decrypt(keystore, certificates=table), "collateral_missing")
        wait_for(lambda: self.vendors.requests, 10, "a request")  # which is answered with 404
        wait_for(lambda: "Retry-After" not in self.decrypt(keystore, certificates=table).headers, 10, "the refusal")

    def test_a_version_2_report_with_a_vek_that_does_not_fit(self):
        folder = os.path.join(VECTORS, "snp/snp-v2-milan-vcek-veehaitch-120d77")
        self.quote = read(os.path.join(folder, "report.bin"))
        path = self.vendors.serve_vcek("Milan", self.quote[0x1a0:0x1e0], read(os.path.join(folder, "vek.der")))
        keystore = self.fetching()
        table = host_table({"vcek": self.stale}, True)
        reply = self.decrypt(keystore, certificates=table)
        self.refused(reply, "collateral_missing")
        self.assertRegex(reply.headers["Retry-After"], "^[1-9][0-9]*$")
        wait_for(lambda: self.explain(keystore, certificates=table)["result"] == "valid", 10, "the fetch")
        self.assertEqual(self.vendors.requests, [path + "?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115"])

    def test_both_byte_orders_are_read(self):
        chain = {n: read(os.path.join(MILAN, n + ".der")) for n in ("ask", "ark")}
        for rfc4122 in (False, True):
            for names, table in ((("ark", "ask"), {"vcek": self.vek}), ((), {"vcek": self.vek, **chain}),
                                 (("ark", "ask"), {"vlek": self.vek})):
                with self.subTest(rfc4122=rfc4122, table=list(table)):
                    keystore = self.fetching(names=names)
                    self.released_once(keystore, certificates=host_table(table, rfc4122))
        self.assertEqual([r for r in self.vendors.requests if "ucodeSPL" in r], [], "a VCEK was at hand")

    def test_a_vlek_comes_from_the_host_only(self):
        self.quote, self.then = read(SNP_VLEK), 1736460861
        vek = read(os.path.join(os.path.dirname(SNP_VLEK), "vek.der"))
        asvk, ark = (read(os.path.join(MILAN, n + ".der")) for n in ("asvk", "ark"))
        for rfc4122 in (False, True):
            with self.subTest(rfc4122=rfc4122):
                keystore = self.fetching()
                reply = self.decrypt(keystore, certificates=host_table({"vcek": self.stale}, rfc4122))
                self.refused(reply, "vek_tcb_mismatch")
                self.assertNotIn("Retry-After", reply.headers)  # no source has VLEKs
                said = self.explain(keystore, certificates=host_table({"vlek": vek}, rfc4122))
                self.assertEqual(said["result"], "valid", said)
                bare = self.fetching(names=())
                table = host_table({"vlek": vek, "ask": asvk, "ark": ark}, rfc4122)
                self.assertEqual(self.explain(bare, certificates=table)["result"], "valid")
        self.assertEqual([r for r in self.vendors.requests if "ucodeSPL" in r], [])


class Enclave(Case):
    """AWS Nitro. The root is pinned, the chain is in the document: there is no collateral."""
    tee, then = "nitro", 1766678659
    pcr0 = "eb7d0dab08ff41546d7e5659aee883af7b32bb2e58e46815b719f9f7bfae7b880188a10d86317e6509923740526cf74a"
    pcr1 = "0343b056cd8485ca7890ddd833476d78460aed2aa161548e4e26bedf321726696257d623e8805f3f605946b3d8b0c6aa"
    key = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # and 32 zeros
    policy = {"name": "enclave", "tee": "nitro", "pcr0": [pcr0], "pcr1": [pcr1], "report_data": ["outlayer"],
              "allow_plain": True}

    def setUp(self):
        self.quote = read(NITRO)

    def test_released_at_its_time_once(self):
        said = self.released_once(self.keystore())
        self.assertEqual((said["policy"], said["claims"]["pcr0"]), ("enclave", self.pcr0))

    def test_each_part_of_the_policy_refuses(self):
        for change, code in (
                ({"pcr0": ["12" * 48]}, "measurement_mismatch"),
                ({"pcr1": ["12" * 48]}, "measurement_mismatch"),
                ({"pcr3": ["12" * 48]}, "measurement_mismatch"),
                ({"pcr8": ["12" * 48]}, "measurement_mismatch"),
                ({"tokens": ["operator"]}, "no_policy")):
            with self.subTest(change=change):
                keystore = self.keystore(change)
                said = self.explain(keystore)
                self.assertEqual((said["result"], said["accepted"], said["code"]), ("valid", False, code))
                rule = "default-deny" if code == "no_policy" else "enclave"  # a policy of others is not named
                self.assertEqual(self.refused(self.decrypt(keystore), code)["rule"], rule)

    def test_other_bindings_are_refused(self):
        keystore = self.keystore({"report_data": ["native", "vouchsafe", "dstack", "rcar"]})
        self.assertTrue(self.explain(keystore)["accepted"])
        self.refused(self.attest(keystore), "report_data_mismatch")
        self.refused(self.decrypt(keystore), "report_data_mismatch")
        keystore = self.keystore()
        self.refused(self.attest(keystore), "report_data_mismatch")
        self.refused(self.decrypt(keystore, worker_pubkey="11" * 32), "report_data_mismatch")
        self.assertEqual(self.decrypt(keystore).status, 200)

    def test_an_old_document_is_refused(self):
        keystore = self.keystore(clock=self.then + 301)
        said = self.explain(keystore)
        self.assertEqual((said["result"], said["accepted"], said["code"]), ("valid", False, "document_too_old"))
        self.refused(self.decrypt(keystore), "document_too_old")
        keystore = self.keystore({"max_document_age_s": 600}, clock=self.then + 301)
        self.assertEqual(self.decrypt(keystore).status, 200)

    def test_a_document_whose_certificates_have_expired_is_refused(self):
        for clock in (self.then + 4 * 3600, self.then + 365 * 86400, self.then - 3600):
            with self.subTest(clock=clock):
                keystore = self.keystore({"max_document_age_s": 10800}, clock=clock)
                self.refused(self.decrypt(keystore), "certificate_time")
                self.assertEqual(self.explain(keystore)["reason"], "certificate_time")

    def test_debug_enclaves_are_refused(self):
        self.quote, self.then = read(NITRO_DEBUG), 1766650846
        said = self.explain(self.keystore())
        self.assertEqual((said["result"], said["accepted"], said["code"]), ("valid", False, "debug"))
        self.assertTrue(said["claims"]["debug"])

    def test_a_changed_document_is_refused(self):
        keystore = self.keystore()
        for at in (len(self.quote) - 1, len(self.quote) - 96, len(self.quote) // 2, 40):
            changed = bytearray(self.quote)
            changed[at] ^= 1
            self.assertEqual(self.decrypt(keystore, quote=bytes(changed)).status, 401, at)
        self.assertEqual(self.decrypt(keystore).status, 200)


del Case, GuestCase  # have no tests of their own

if __name__ == "__main__":
    unittest.main()
