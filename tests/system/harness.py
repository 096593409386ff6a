"""Starts the real daemon with the simulated TEE and talks to it as workers do.

Everything runs on loopback in a temporary directory; processes are stopped by their id.
The cryptography here is the `cryptography` package's: independent of the code under test.
"""
import base64
import fcntl
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VOUCHSAFE_BUILD", os.path.join(ROOT, "build"))
# The daemon refuses variables of this prefix that it does not know; these are of the tests.
TEST_VARIABLES = [name for name in os.environ
                  if name in ("VOUCHSAFE_BUILD", "VOUCHSAFE_VECTORS", "VOUCHSAFE_TSAN_BUILD")
                  or name.startswith(("VOUCHSAFE_RACE_", "VOUCHSAFE_FUZZ_", "VOUCHSAFE_EXHAUSTIVE"))]
WITHOUT_TEST_VARIABLES = ["env", *(f"--unset={name}" for name in TEST_VARIABLES)] if TEST_VARIABLES else []
DAEMON = os.path.join(BUILD, "src/daemon/vouchsafed")
CLOCKED_DAEMON = os.path.join(BUILD, "src/daemon/vouchsafed-test-clock")  # takes --test-clock
COMMAND = os.path.join(BUILD, "src/cli/vouchsafe")
LOAD = os.path.join(BUILD, "tests/bench/load")

MRENCLAVE = "11" * 32
MRSIGNER = "22" * 32


# Below the kernel's ephemeral ports (32768 and up, ip_local_port_range), so that no outgoing connection takes one.
PORTS = range(20000, 32000)
_reserved = []  # descriptors of lock files: a port stays with this process until it ends


def free_port(count=1):
    """The first of `count` neighbouring ports of 127.0.0.1 that no other test of this machine uses."""
    directory = os.path.join(tempfile.gettempdir(), f"vouchsafe-test-ports-{os.getuid()}")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    while True:
        first = random.choice(PORTS[: len(PORTS) - count])
        locks = []
        try:
            for port in range(first, first + count):
                locks.append(os.open(os.path.join(directory, str(port)), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
                fcntl.flock(locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
        except OSError:  # another test holds it, or another program
            for lock in locks:
                os.close(lock)
            continue
        _reserved.extend(locks)
        return first


def wait_for_port(port, wait_s=10):
    """Until something listens there."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise AssertionError(f"no program listens on port {port} after {wait_s} s") from None
            time.sleep(0.01)


def command(*arguments, check=True, stdin=b"", env=None):
    """Runs the `vouchsafe` command; returns the finished process. No profile of the user's is read."""
    result = subprocess.run([COMMAND, *arguments], input=stdin, capture_output=True, timeout=120,
                            env={**os.environ, "HOME": "/nonexistent", **(env or {})})
    if check and result.returncode != 0:
        raise AssertionError(f"vouchsafe {' '.join(arguments)}: exit {result.returncode}\n"
                             f"{result.stderr.decode(errors='replace')}")
    return result


def raw_public(key):
    return key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def report_data(domain, nonce, key, context=b""):
    parts = b"".join(struct.pack(">H", len(x)) + x for x in (nonce, key, context))
    return hashlib.sha512(domain.encode() + b"\0" + parts).digest()


def ecies_seal(public_hex, plain):
    """OutLayer's ECIES, by an implementation that is not ours."""
    ephemeral = X25519PrivateKey.generate()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(public_hex)))
    key = HKDF(hashes.SHA256(), 32, None, b"outlayer-keystore-v1").derive(shared)
    nonce = os.urandom(12)
    return b"\x01" + raw_public(ephemeral) + nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, None)


def _labeled_extract(suite, salt, label, ikm):
    h = hmac.HMAC(salt or bytes(32), hashes.SHA256())
    h.update(b"HPKE-v1" + suite + label + ikm)
    return h.finalize()


def _labeled_expand(suite, prk, label, info, size):
    out, block, counter = b"", b"", 1
    full = struct.pack(">H", size) + b"HPKE-v1" + suite + label + info
    while len(out) < size:
        h = hmac.HMAC(prk, hashes.SHA256())
        h.update(block + full + bytes([counter]))
        block, counter = h.finalize(), counter + 1
        out += block
    return out[:size]


def hpke_open(private, enc, info, sealed):
    """RFC 9180 base mode, X25519 / HKDF-SHA256 / ChaCha20-Poly1305, single shot."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"
    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = _labeled_extract(kem, b"", b"eae_prk", shared)
    secret = _labeled_expand(kem, prk, b"shared_secret", enc + raw_public(private), 32)
    context = (b"\0" + _labeled_extract(suite, b"", b"psk_id_hash", b"") +
               _labeled_extract(suite, b"", b"info_hash", info))
    prk = _labeled_extract(suite, secret, b"secret", b"")
    key = _labeled_expand(suite, prk, b"key", context, 32)
    nonce = _labeled_expand(suite, prk, b"base_nonce", context, 12)
    return ChaCha20Poly1305(key).decrypt(nonce, sealed, b"")


def hchacha20(key, block):
    """draft-irtf-cfrg-xchacha-03 section 2.2: only the ChaCha20 rounds."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + block))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xffffffff
            mixed = state[z] ^ state[x]
            state[z] = (mixed << turn | mixed >> (32 - turn)) & 0xffffffff

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def xchacha_open(key, nonce, sealed, aad):
    """XChaCha20-Poly1305, same draft, section 2.3."""
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], sealed, aad)


def xchacha_seal(key, nonce, plain, aad):
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plain, aad)


class Reply:
    def __init__(self, status, headers, body, request=None):
        self.status, self.headers, self.body = status, headers, body
        self.request = request  # the bytes of the body that was sent
        self.request_id = headers.get("X-Request-Id", "")

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json().get("code")


class Platform:
    """A simulated machine: where enclaves get their quotes."""

    def __init__(self, path):
        self.path = path
        if not os.path.exists(path):
            command("sim", "create", path)

    @property
    def root(self):
        return os.path.join(self.path, "root_ca.pem")

    def collateral(self, out, *options):
        bundle = command("sim", "collateral", "--dir", self.path, *options).stdout
        with open(out, "wb") as f:
            f.write(bundle)
        return out

    def quote(self, data, mrenclave=MRENCLAVE, mrsigner=MRSIGNER, debug=False):
        options = ["--debug"] if debug else []
        with tempfile.NamedTemporaryFile() as out:
            command("sim", "quote", "--dir", self.path, "--report-data", data.hex(), "--mrenclave",
                    mrenclave, "--mrsigner", mrsigner, "--out", out.name, *options)
            with open(out.name, "rb") as f:
                return f.read()


DEFAULT = {"name": "worker", "tee": "simulated", "mrenclave": [MRENCLAVE], "tcb_status": ["UpToDate"]}
PLAIN = {**DEFAULT, "allow_plain": True}  # releases secrets in the clear, too


class Clock:
    """A clock that jumps while the daemon runs."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "clock")
        with open(self.path, "wb") as f:
            f.write(bytes(8))

    def __str__(self):
        return self.path

    def set_ahead(self, seconds):
        """Of this machine's clock."""
        with open(self.path, "r+b", buffering=0) as f:
            f.write(struct.pack("=q", seconds * 1000))


class Keystore:
    """A daemon with its state, tokens and policies in a temporary directory."""

    def __init__(self, tls=False, policies=None, settings=None, workers=1, platform=None,
                 collateral_options=(), supervise=False, wrapper=(), clock=None):
        self.dir = tempfile.mkdtemp(prefix="vouchsafe-test-")
        self.tls, self.supervise, self.wrapper = tls, supervise, list(wrapper)
        self.clock = clock  # Unix seconds at the daemon's start, or a Clock; None: as it is
        self.port = free_port()
        self.process = self._identity = None
        self.policies = policies if policies is not None else [DEFAULT]
        self.platform = platform or Platform(os.path.join(self.dir, "worker-platform"))
        self.collateral = self.platform.collateral(os.path.join(self.dir, "collateral.json"),
                                                   *collateral_options)
        self.tokens, hashes_ = {}, []
        roles = [(f"worker{i}" if i else "worker", "worker") for i in range(workers)]
        for name, role in roles + [("operator", "operator"), ("auditor", "auditor")]:
            token = os.urandom(32).hex()
            self.tokens[name] = token
            hashes_.append({"name": name, "role": role,
                            "sha256": hashlib.sha256(token.encode()).hexdigest(),
                            **({"may_administer": True} if name == "operator" else {})})
            with open(self.token_file(name), "w", encoding="ascii") as f:
                f.write(token)
            os.chmod(self.token_file(name), 0o600)
        config = {
            "state": {"dir": os.path.join(self.dir, "state")},
            "server": {"host": "127.0.0.1", "port": self.port, "loops": 2},
            "tls": {"mode": "self-signed", "name": "localhost"} if tls else {"mode": "off"},
            "tee": {"provider": "simulated", "allow_simulated": True},
            "tokens": hashes_,
            "attestation": {
                "trust_simulated_roots": [self.platform.root],
                "collateral": [self.collateral],
                "policies": self.policies,
            },
            "log": {"origin": "test.example/log", "level": "info"},
            "rate": {"per_token_per_second": 0, "per_address_per_second": 0,
                     "total_per_second": 0, "denials_per_second": 0},
        }
        for key, value in (settings or {}).items():
            section, name = key.split(".")
            config.setdefault(section, {})[name] = value
        self.config = os.path.join(self.dir, "vouchsafe.yaml")
        with open(self.config, "w", encoding="utf-8") as f:
            json.dump(config, f, indent=1)  # JSON is YAML
        with open(os.path.join(self.dir, ".env"), "w", encoding="utf-8") as f:
            os.chmod(f.fileno(), 0o600)
        self.log_path = os.path.join(self.dir, "daemon.log")

    def token_file(self, name):
        return os.path.join(self.dir, f"{name}.token")

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def daemon(self, *arguments, env=None):
        program = [DAEMON] if self.clock is None else [CLOCKED_DAEMON, "--test-clock", str(self.clock)]
        return [*WITHOUT_TEST_VARIABLES, *self.wrapper, *program, *arguments, "--config", self.config,
                "--env-file", os.path.join(self.dir, ".env")]

    def init(self):
        done = subprocess.run(self.daemon("init"), capture_output=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(done.stderr.decode(errors="replace"))
        return self

    def start(self, wait_s=30):
        log = open(self.log_path, "ab")
        options = ["--supervise"] if self.supervise else []
        self.process = subprocess.Popen([*self.daemon(), *options], stdout=log, stderr=log,
                                        stdin=subprocess.DEVNULL)
        log.close()
        self.wait_ready(wait_s)
        return self

    def wait_ready(self, wait_s=30):
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            if self.process and self.process.poll() is not None:
                raise AssertionError(f"the daemon ended: {self.log()[-2000:]}")
            try:
                if self.get("/readyz").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise AssertionError(f"not ready after {wait_s} s: {self.log()[-2000:]}")

    def pid(self):
        """Of the process that serves: the child, under supervision."""
        if not self.supervise:
            return self.process.pid
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            return int(f.read().split()[0])

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the daemon did not stop in 30 s") from None
        code = self.process.returncode if self.process else 0
        self.process = None
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def close(self):
        try:
            if self.process:
                self.kill()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.init().start()

    def __exit__(self, *_):
        self.close()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def connection(self):
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # own server, own test
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)

    def request(self, method, path, body=None, token=None, headers=None, connection=None):
        own = connection is None
        connection = connection or self.connection()
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {self.tokens.get(token, token)}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=body, headers=headers)
            reply = connection.getresponse()
            sent = body.encode() if isinstance(body, str) else body
            return Reply(reply.status, reply.headers, reply.read(), sent)
        finally:
            if own:
                connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body=body, **options)

    def identity(self):
        """The key that signs what this keystore says; here it is believed without checking the evidence."""
        if not self._identity:
            reply = self.get("/v1/attestation?nonce=" + os.urandom(32).hex())
            assert reply.status == 200, reply.body
            self._identity = bytes.fromhex(reply.json()["identity_key"])
        return self._identity

    def pubkey(self, seed=None):
        from urllib.parse import quote
        if seed is None:
            return self.get("/pubkey").json()["public_key_hex"]
        return self.get("/pubkey?seed=" + quote(seed, safe="")).json()["pubkey"]

    def command(self, *arguments, token=None, **options):
        arguments = [*arguments, "--url", self.url]
        if token:
            arguments += ["--token-file", self.token_file(token)]
        return command(*arguments, **options)


class Worker:
    """An executor in a simulated enclave."""

    def __init__(self, keystore, token="worker", platform=None, **enclave):
        self.keystore, self.token = keystore, token
        self.platform = platform or keystore.platform
        self.enclave = enclave
        self.key = X25519PrivateKey.generate()
        self.session = self.reply_key = None

    def challenge(self):
        reply = self.keystore.post("/v1/attest/challenge", token=self.token)
        assert reply.status == 200, reply.body
        return bytes.fromhex(reply.json()["nonce"])

    def evidence(self, nonce):
        data = report_data("vouchsafe-session-v1", nonce, raw_public(self.key))
        return self.platform.quote(data, **self.enclave)

    def attest_with(self, nonce, quote, token=None, tee_type="simulated"):
        return self.keystore.post("/v1/attest", {
            "nonce": nonce.hex(), "tee_type": tee_type, "quote": base64.b64encode(quote).decode(),
            "public_key": raw_public(self.key).hex()}, token=token or self.token)

    def attest(self):
        nonce = self.challenge()
        reply = self.attest_with(nonce, self.evidence(nonce))
        if reply.status == 200:
            self.accept_session(nonce, reply.json())
        return reply

    def accept_session(self, nonce, granted):
        """Takes a session that the keystore of `identity()` signed for this nonce; raises otherwise."""
        token = hashlib.sha256(granted["session"].encode()).digest()
        enc, ciphertext = (base64.b64decode(granted["reply_key"][name]) for name in ("enc", "ciphertext"))
        Ed25519PublicKey.from_public_bytes(self.keystore.identity()).verify(
            base64.b64decode(granted["signature"]),
            b"vouchsafe-session-v1\0" + nonce + token + enc + ciphertext)
        self.reply_key = hpke_open(self.key, enc, b"vouchsafe-session-key-v1\0" + token, ciphertext)
        assert len(self.reply_key) == 32
        self.session = granted["session"]

    def inline(self, timestamp=None, task_id="", with_key=True, tee_type="simulated"):
        timestamp = int(time.time()) if timestamp is None else timestamp
        key = raw_public(self.key) if with_key else b""
        data = report_data("vouchsafe-decrypt-v1", struct.pack(">Q", timestamp), key,
                           task_id.encode())
        attestation = {"tee_type": tee_type, "timestamp": timestamp,
                       "quote": base64.b64encode(self.platform.quote(data, **self.enclave)).decode()}
        if with_key:
            attestation["worker_pubkey"] = key.hex()
        return attestation

    def decrypt(self, envelope, session=True, token=None, **members):
        body = {"encrypted_secrets": base64.b64encode(envelope).decode(), **members}
        headers = {"X-TEE-Session": self.session} if session and self.session else {}
        return self.keystore.post("/decrypt", body, token=token or self.token, headers=headers)

    def open_sealed(self, reply):
        """Opens either sealed form; raises when it is not for this worker, request id and body."""
        sealed = reply.json()["sealed_secrets"]
        ciphertext = base64.b64decode(sealed["ciphertext"])
        if "enc" in sealed:
            return hpke_open(self.key, base64.b64decode(sealed["enc"]),
                             b"vouchsafe-reply-v1\0" + reply.request_id.encode(), ciphertext)
        aad = (b"vouchsafe-reply-v2\0" + reply.request_id.encode() +
               hashlib.sha256(reply.request).digest())
        return xchacha_open(self.reply_key, base64.b64decode(sealed["nonce"]), ciphertext, aad)

    def secrets(self, reply):
        """Whichever form they come in."""
        body = reply.json()
        if "plaintext_secrets" in body:
            return base64.b64decode(body["plaintext_secrets"])
        return self.open_sealed(reply)
