"""RA-TLS with the real daemon: its certificate carries its evidence, and takes clients' evidence from
theirs. Certificates are read and made with the `cryptography` package."""
import datetime
import hashlib
import http.client
import os
import ssl
import subprocess
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import DEFAULT, Keystore, Worker, ecies_seal, raw_public, report_data

GRAMINE = x509.ObjectIdentifier("0.6.9.42.840.113741.1337.6")
TCG = x509.ObjectIdentifier("2.23.133.5.4.9")
REPORT_DATA = slice(48 + 320, 48 + 384)  # of an SGX quote, version 3


def spki_sha256(certificate):
    return hashlib.sha256(certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).digest()


def served(keystore):
    pem = ssl.get_server_certificate(("127.0.0.1", keystore.port))
    return x509.load_pem_x509_certificate(pem.encode())


def extension(certificate, oid):
    return certificate.extensions.get_extension_for_oid(oid).value.value


def claims_of(key_hash):
    return b"\xa1\x6bpubkey-hash\x58\x24\x82\x01\x58\x20" + key_hash


class ServerCertificate(unittest.TestCase):
    def test_gramine(self):
        with Keystore(tls=True, settings={"tls.evidence": "gramine"}) as keystore:
            certificate = served(keystore)
            quote = extension(certificate, GRAMINE)
            self.assertEqual(quote[REPORT_DATA], spki_sha256(certificate) + bytes(32))
            self.assertEqual(keystore.get("/healthz").status, 200)

    def test_tcg(self):
        with Keystore(tls=True, settings={"tls.evidence": "tcg"}) as keystore:
            certificate = served(keystore)
            claims = claims_of(spki_sha256(certificate))
            tagged = extension(certificate, TCG)
            self.assertTrue(tagged.startswith(b"\xd9\xea\x60\x82\x59"))
            size = int.from_bytes(tagged[5:7], "big")
            quote = tagged[7:7 + size]
            self.assertEqual(tagged[7 + size:], b"\x58" + bytes([len(claims)]) + claims)
            self.assertEqual(quote[REPORT_DATA], hashlib.sha256(claims).digest() + bytes(32))

    def test_no_evidence_unless_configured(self):
        with Keystore(tls=True) as keystore:
            for oid in (GRAMINE, TCG):
                with self.assertRaises(x509.ExtensionNotFound):
                    extension(served(keystore), oid)

    def test_the_key_outlives_a_restart(self):
        with Keystore(tls=True, settings={"tls.evidence": "gramine"}) as keystore:
            before = served(keystore)
            keystore.stop()
            keystore.start()
            after = served(keystore)
            self.assertEqual(spki_sha256(before), spki_sha256(after))

    def test_settings_that_cannot_be_kept_stop_the_start(self):
        for tls, settings, named in (
                (False, {"tls.evidence": "gramine"}, "tls.evidence"),
                (False, {"tls.client_evidence": True}, "tls.client_evidence"),
                (True, {"tls.evidence": "gramin"}, "tls.evidence")):
            keystore = Keystore(tls=tls, settings=settings)
            done = subprocess.run(keystore.daemon("--check-config"), capture_output=True,
                                  timeout=60)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(named, done.stderr.decode())
            keystore.close()


class Client:
    """A TLS client whose certificate is made from what `extensions(spki_sha256)` gives."""

    def __init__(self, keystore, extensions=None, days=(-1, 1)):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "enclave")])
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        builder = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=days[0]))
                   .not_valid_after(now + datetime.timedelta(days=days[1])))
        spki = hashlib.sha256(key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).digest()
        for oid, contents in (extensions(spki) if extensions else []):
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, contents), False)
        certificate = builder.sign(key, hashes.SHA256())
        self.name = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
        self.path = os.path.join(keystore.dir, "client.pem")
        with open(self.path, "wb") as f:
            f.write(certificate.public_bytes(serialization.Encoding.PEM))
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()))
        self.keystore = keystore

    def connection(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # own server, own test
        context.load_cert_chain(self.path)
        return http.client.HTTPSConnection("127.0.0.1", self.keystore.port, timeout=30,
                                           context=context)


class ClientCertificate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rules = [{**DEFAULT, "report_data": ["ra-tls", "vouchsafe"]}]
        cls.keystore = Keystore(tls=True, policies=rules, settings={"tls.client_evidence": True})
        cls.keystore.init().start()

    @classmethod
    def tearDownClass(cls):
        cls.keystore.close()

    def quote(self, data, **enclave):
        return self.keystore.platform.quote(data, **enclave)

    def attest(self, client, worker=None, keystore=None, **members):
        keystore = keystore or self.keystore
        worker = worker or Worker(keystore)
        body = {"ra_tls": True, "tee_type": "simulated",
                "public_key": raw_public(worker.key).hex(), **members}
        connection = (client or keystore).connection()
        try:
            return keystore.post("/v1/attest", body, token="worker", connection=connection)
        finally:
            connection.close()

    def refused(self, reply, code, status=401):
        self.assertEqual((reply.status, reply.json()["code"]), (status, code), reply.body)

    def gramine(self, spki):
        return [(GRAMINE, self.quote(spki + bytes(32)))]

    def tcg(self, spki):
        claims = claims_of(spki)
        quote = self.quote(hashlib.sha256(claims).digest() + bytes(32))
        return [(TCG, b"\xd9\xea\x60\x82\x59" + len(quote).to_bytes(2, "big") + quote +
                 b"\x58" + bytes([len(claims)]) + claims)]

    def test_evidence_in_the_certificate_is_attestation(self):
        for form in (self.gramine, self.tcg):
            client, worker = Client(self.keystore, form), Worker(self.keystore)
            reply = self.attest(client, worker)
            self.assertEqual(reply.status, 200, reply.body)
            worker.accept_session(client.name, reply.json())
            secret = b"for the enclave behind the certificate"
            envelope = ecies_seal(self.keystore.pubkey(), secret)
            self.assertEqual(worker.secrets(worker.decrypt(envelope)), secret)

    def test_the_evidence_must_be_of_this_key(self):
        other = hashlib.sha256(b"another key").digest()
        self.refused(self.attest(Client(self.keystore, lambda spki: self.gramine(other))),
                     "report_data_mismatch")
        self.refused(self.attest(Client(self.keystore, lambda spki: self.tcg(other))),
                     "client_certificate_without_evidence")

    def test_a_stolen_certificate_is_no_use_without_its_key(self):
        client = Client(self.keystore, self.gramine)
        with open(client.path, "rb") as f:
            stolen = f.read().split(b"-----BEGIN PRIVATE")[0]
        thief = Client(self.keystore)
        with open(thief.path, "rb") as f:
            own_key = b"-----BEGIN PRIVATE" + f.read().split(b"-----BEGIN PRIVATE")[1]
        with open(thief.path, "wb") as f:
            f.write(stolen + own_key)
        with self.assertRaises(ssl.SSLError):
            self.attest(thief)

    def test_certificates_that_say_nothing(self):
        self.refused(self.attest(None), "client_certificate_missing")
        self.refused(self.attest(Client(self.keystore)), "client_certificate_without_evidence")
        self.refused(self.attest(Client(self.keystore, lambda spki: [(TCG, b"\xd9\xea\x60")])),
                     "client_certificate_without_evidence")
        self.refused(self.attest(Client(self.keystore, lambda spki: [(GRAMINE, b"quote")])),
                     "malformed")

    def test_certificates_out_of_time(self):
        for days in ((-2, -1), (1, 2)):
            self.refused(self.attest(Client(self.keystore, self.gramine, days)), "certificate_time")

    def test_the_code_is_judged_all_the_same(self):
        def quoting(**enclave):
            return lambda spki: [(GRAMINE, self.quote(spki + bytes(32), **enclave))]
        self.refused(self.attest(Client(self.keystore, quoting(mrenclave="33" * 32))),
                     "measurement_mismatch")
        self.refused(self.attest(Client(self.keystore, quoting(debug=True))), "debug")

    def test_one_way_at_a_time(self):
        client = Client(self.keystore, self.gramine)
        self.refused(self.attest(client, nonce="00" * 32), "bad_field", 400)
        self.refused(self.attest(client, quote="AAAA"), "bad_field", 400)
        self.refused(self.attest(client, ra_tls=False), "bad_field", 400)
        self.refused(self.attest(client, ra_tls="yes"), "bad_field", 400)

    def test_a_nonce_that_the_client_chose_is_refused(self):
        """The other convention, with the nonce that a certificate stands for, or with none."""
        worker = Worker(self.keystore)
        for nonce in (b"", bytes(32)):
            data = report_data("vouchsafe-session-v1", nonce, raw_public(worker.key))
            client = Client(self.keystore, lambda spki, d=data: [(GRAMINE, self.quote(d))])
            self.refused(self.attest(client, worker), "report_data_mismatch")

    def test_a_quote_for_a_certificate_does_not_serve_for_a_nonce(self):
        worker = Worker(self.keystore)
        nonce = worker.challenge()
        quote = self.quote(hashlib.sha256(b"some key").digest() + bytes(32))
        self.refused(worker.attest_with(nonce, quote), "report_data_mismatch")

    def test_rules_must_name_the_convention_and_the_settings_ask(self):
        with Keystore(tls=True, platform=self.keystore.platform,
                      settings={"tls.client_evidence": True}) as keystore:
            self.refused(self.attest(Client(keystore, self.gramine), keystore=keystore),
                         "report_data_mismatch")
        rules = [{**DEFAULT, "report_data": ["ra-tls"]}]
        with Keystore(tls=True, platform=self.keystore.platform, policies=rules) as keystore:
            self.refused(self.attest(Client(keystore, self.gramine), keystore=keystore),
                         "client_certificate_missing")


if __name__ == "__main__":
    unittest.main(verbosity=2)
