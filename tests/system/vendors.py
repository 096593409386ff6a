"""A stand-in for the vendors' services: stored collateral in the URL and header forms of Intel's PCS and PCCS
and AMD's KDS, over HTTP or TLS on loopback, with faults to order."""
import datetime
import http.server
import ipaddress
import json
import os
import ssl
import threading
import time
from urllib.parse import parse_qs, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

INTEL = ("/sgx/certification/v4/", "/tdx/certification/v4/")


def pcs_body(bundle, member, name):
    return ('{"%s":%s,"signature":"%s"}' % (name, bundle[member], bundle[member + "_signature"])).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, headers=(), announced=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        vendors = self.server.vendors
        vendors.requests.append(self.path)
        try:
            fault = next((f for prefix, f in vendors.faults.items() if self.path.startswith(prefix)), None)
            found = vendors.find(self.path)
            if fault:
                getattr(self, "fault_" + fault)(found)
            elif found is None:
                self.reply(404, b"no such thing")
            else:
                self.reply(200, *found)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True

    def fault_timeout(self, _):
        self.server.vendors.released.wait(20)
        self.close_connection = True

    def fault_busy(self, _):
        self.reply(429, b"slow down", [("Retry-After", str(self.server.vendors.retry_after))])

    def fault_broken(self, _):
        self.reply(500, b"oh dear")

    def fault_wrong(self, found):
        self.reply(200, b"<html>a captive portal</html>", found[1] if found else ())

    def fault_flipped(self, found):
        body = bytearray(found[0])
        body[len(body) // 2] ^= 1
        self.reply(200, bytes(body), found[1])

    def fault_truncated(self, found):
        self.reply(200, found[0][:len(found[0]) // 2], found[1], announced=len(found[0]))
        self.close_connection = True

    def fault_short(self, found):
        self.reply(200, found[0][:len(found[0]) // 2], found[1])

    def fault_redirect(self, _):
        self.reply(302, b"", [("Location", self.server.vendors.url + "/elsewhere" + self.path)])

    def fault_oversize(self, found):
        self.reply(200, found[0] + b" " * (3 << 20), found[1])

    def fault_headerless(self, found):
        self.reply(200, found[0])

    def fault_drip(self, found):
        self.reply(200, b"", found[1], announced=len(found[0]))
        for i in range(len(found[0])):
            if self.server.vendors.released.wait(0.2):
                break
            self.wfile.write(found[0][i:i + 1])
            self.wfile.flush()
        self.close_connection = True


class Vendors:
    """`items` maps (tee, fmspc in lower case, CA) to a bundle or a function that makes one."""

    def __init__(self, tls_dir=None):
        self.items, self.files, self.faults, self.requests, self.early = {}, {}, {}, [], None
        self.retry_after, self.released = 1, threading.Event()
        self.server = None
        self.port = 0
        self.tls = self.make_tls(tls_dir) if tls_dir else None
        self.up()

    @staticmethod
    def make_tls(directory):
        """A certificate of its own for 127.0.0.1; `ca_file` is what a client has to trust."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendors")])
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                       .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(1))
                       .not_valid_after(now + datetime.timedelta(1))
                       .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                                      False)
                       .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()))
        ca, private = os.path.join(directory, "vendors.pem"), os.path.join(directory, "vendors.key")
        with open(ca, "wb") as f:
            f.write(certificate.public_bytes(serialization.Encoding.PEM))
        with open(private, "wb") as f:
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(ca, private)
        return context, ca

    @property
    def ca_file(self):
        return self.tls[1]

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def up(self):
        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.released.clear()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.server.vendors = self
        self.port = self.server.server_address[1]
        if self.tls:
            self.server.socket = self.tls[0].wrap_socket(self.server.socket, server_side=True,
                                                         do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        self.released.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    def serve(self, bundle, tee="sgx", ca="platform"):
        """Offers a bundle (bytes of JSON, or a function that makes them) under its own FMSPC; returns its name."""
        one = json.loads(bundle() if callable(bundle) else bundle)
        fmspc = json.loads(one["tcb_info"])["fmspc"].lower()
        self.items[tee, fmspc, ca] = bundle
        return f"intel-{tee}-{fmspc}-{ca}"

    def serve_vcek(self, product, chip_id, der):
        """Offers one chip's certificate, whatever TCB is asked for; returns the path."""
        path = f"/vcek/v1/{product}/{chip_id.hex()}"
        self.files[path] = der
        return path

    def bundle(self, tee=None, fmspc=None, ca=None):
        for key, bundle in self.items.items():
            if all(want is None or want == have for want, have in zip((tee, fmspc, ca), key)):
                return json.loads(bundle() if callable(bundle) else bundle)
        return None

    def find(self, path):
        """(body, headers), or None."""
        url = urlsplit(path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        if url.path in self.files:
            return self.files[url.path], []
        if url.path == "/IntelSGXRootCA.der":
            bundle = self.bundle()
            return (bytes.fromhex(bundle["root_ca_crl"]), []) if bundle else None
        if not url.path.startswith(INTEL):
            return None
        tee, what = url.path[1:4], url.path[len(INTEL[0]):]
        if "update" in query or "tcbEvaluationDataNumber" in query:
            bundle = self.early and json.loads(self.early)
        else:
            bundle = self.bundle(tee, query.get("fmspc", "").lower() if what == "tcb" else None)
        if what == "tcb":
            return bundle and (pcs_body(bundle, "tcb_info", "tcbInfo"),
                               [("TCB-Info-Issuer-Chain", quote(bundle["tcb_info_issuer_chain"], safe=""))])
        if what == "qe/identity":
            return bundle and (pcs_body(bundle, "qe_identity", "enclaveIdentity"),
                               [("SGX-Enclave-Identity-Issuer-Chain",
                                 quote(bundle["qe_identity_issuer_chain"], safe=""))])
        if what == "pckcrl":
            bundle = self.bundle(None, None, query.get("ca"))
            der = query.get("encoding") == "der"
            return bundle and (bytes.fromhex(bundle["pck_crl"]) if der else bundle["pck_crl"].encode(),
                               [("SGX-PCK-CRL-Issuer-Chain", quote(bundle["pck_crl_issuer_chain"], safe=""))])
        if what == "rootcacrl":  # of a PCCS: hex
            bundle = self.bundle()
            return bundle and (bundle["root_ca_crl"].encode(), [])
        return None


def wait_for(condition, seconds=20, what="it"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen in {seconds} s")
