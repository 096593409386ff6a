"""RA-TLS with the real daemon: its certificate carries its evidence, and takes clients' evidence from
theirs. Certificates are read and made with the `cryptography` package."""
import hashlib
import ssl
import subprocess
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from harness import Keystore

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
            claims = b"\xa1\x6bpubkey-hash\x58\x24\x82\x01\x58\x20" + spki_sha256(certificate)
            tagged = extension(certificate, TCG)
            self.assertTrue(tagged.startswith(b"\xd9\xea\x60\x82\x59"))
            size = int.from_bytes(tagged[5:7], "big")
            quote = tagged[7:7 + size]
            self.assertEqual(tagged[7 + size:], b"\x58" + bytes([len(claims)]) + claims)
            self.assertEqual(quote[REPORT_DATA], hashlib.sha256(claims).digest() + bytes(32))

    def test_none_unless_asked_for(self):
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
