"""No secret byte where none belongs: logs, database, replies to others, environment, arguments, memory.

The test knows every secret: the root is its own, and the keys are derived from it here, by the
`cryptography` package. It looks for each in raw, hexadecimal and base64 form, and for halves of each.
"""
import base64
import glob
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import workload
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from harness import PLAIN, Keystore, Worker, command, ecies_seal, raw_public

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SEED = "github.com/alice/project:alice.near"
ROUNDS = 20
ANCHOR = 8
PAGE = 4096
ZEROS = bytes(PAGE)
FRAGMENT = 16  # half a key: what is found of a secret is at least this long


def derive(root, label, size=32):
    """keys/derive.h: HKDF-SHA256 with a salt of its own."""
    return HKDF(hashes.SHA256(), size, b"vouchsafe-root-v1", label).derive(root)


def p256_scalar(wide):
    return (int.from_bytes(wide, "big") % (P256_ORDER - 1) + 1).to_bytes(32, "big")


def clamped(key):
    """As X25519 uses it."""
    return bytes([key[0] & 248]) + key[1:31] + bytes([key[31] & 127 | 64])


def base64_forms(secret):
    """The text that is the same in base64 whatever stands around the secret, at each of three offsets."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        start = (before * 8 + 5) // 6
        end = (before + len(secret)) * 8 // 6
        yield text[start:end]
        yield text[start:end].translate(bytes.maketrans(b"+/", b"-_"))


def pieces_of(secret):
    """The whole and its halves; of a long one, pieces from all over it."""
    if len(secret) <= 128:
        half = max(FRAGMENT, len(secret) // 2)
        return {secret, secret[:half], secret[-half:]}
    last = len(secret) - FRAGMENT
    return {secret[last * i // 8:][:FRAGMENT] for i in range(9)}


def forms_of(secret):
    """Every spelling of each piece, and of keys that are numbers the other way round."""
    for piece in pieces_of(secret):
        assert len(piece) >= FRAGMENT, piece
        yield piece
        yield piece.hex().encode()
        yield piece.hex().upper().encode()
        yield from base64_forms(piece)
        if len(secret) <= 64:
            yield piece[::-1]


class Needles:
    """Looks for many secrets in one pass: grep finds eight bytes of each, and the rest is compared here."""

    def __init__(self, secrets):
        self.forms, self.whole = {}, []
        for name, secret in secrets.items():
            for form in forms_of(secret):
                # grep's patterns are lines
                at = next((i for i in range(len(form) - ANCHOR + 1)
                           if not set(form[i:i + ANCHOR]) & {0, 10}), None)
                if at is None:  # one in a thousand has such a byte everywhere
                    self.whole.append((form, name))
                else:
                    self.forms.setdefault(form[at:at + ANCHOR], []).append((at, form, name))

    def found_in(self, data):
        """(name, where, size of what was found)"""
        with tempfile.NamedTemporaryFile() as patterns:
            patterns.write(b"\n".join(self.forms))
            patterns.flush()
            done = subprocess.run(["grep", "-aobF", "-f", patterns.name], input=data,
                                  capture_output=True, env={**os.environ, "LC_ALL": "C"})
        assert done.returncode in (0, 1), done.stderr
        found = {(name, data.find(form), len(form)) for form, name in self.whole if form in data}
        for line in done.stdout.split(b"\n")[:-1]:
            offset, _, anchor = line.partition(b":")
            for at, form, name in self.forms[anchor]:
                start = int(offset) - at
                if start >= 0 and data.startswith(form, start):
                    found.add((name, start, len(form)))
        return sorted(found)


def mappings(pid):
    """Address range, name and flags of each mapping."""
    current = None
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as f:
        for line in f:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
            if match:
                current = (int(match[1], 16), int(match[2], 16), match[3], match[4].strip())
            elif line.startswith("VmFlags:") and current:
                yield (*current, line.split()[1:])


def read_pages(memory, start, end):
    """What the mapping holds, without pages of zeros: stacks are mostly that."""
    memory.seek(start)
    pages = []
    for _ in range(start, end, PAGE):
        page = memory.read(PAGE)
        if not page:
            break
        if page != ZEROS:
            pages.append(page)
    return b"".join(pages)


def core_of(pid):
    """
    What of the process a core file would hold, by mapping: all that is writable and not MADV_DONTDUMP
    ("dd"), as it is at one moment.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=1 << 20) as memory:
            return [(f"{start:x} {name}", read_pages(memory, start, end))
                    for start, end, access, name, flags in mappings(pid)
                    if access.startswith("rw") and "dd" not in flags]
    finally:
        os.kill(pid, signal.SIGCONT)


class Secrets(unittest.TestCase):
    tls = False

    @classmethod
    def setUpClass(cls):
        cls.root = os.urandom(32)
        cls.keystore = Keystore(tls=cls.tls, workers=4, policies=[PLAIN], settings={"log.level": "debug"})
        cls.addClassCleanup(cls.keystore.close)
        os.environ["KEYSTORE_MASTER_SECRET"] = cls.root.hex()
        try:
            cls.keystore.init()
            cls.keystore.start()  # given again, as where it stands in a unit file
        finally:
            del os.environ["KEYSTORE_MASTER_SECRET"]
        cls.plains = {}
        cls.secrets = cls.known_secrets()
        cls.others = []  # replies that must hold no secret

    @classmethod
    def known_secrets(cls):
        """Derived here, and shown to be the keystore's by the public keys it gives out."""
        root, keystore = cls.root, cls.keystore
        derived = hmac.new(root, b"ecies:keystore-ckd:" + SEED.encode(), hashlib.sha256).digest()
        known = {"root": root, "global key": derive(root, b"global x25519 v1"),
                 "identity key": derive(root, b"identity ed25519 v1"),
                 "log key": derive(root, b"log ed25519 v1"), "derived key": derived,
                 "reply keys": derive(root, b"session replies v1"),
                 "derived key, clamped": clamped(derived)}
        known["log key, expanded"] = hashlib.sha512(known["log key"]).digest()
        known["identity key, expanded"] = hashlib.sha512(known["identity key"]).digest()
        known["global key, clamped"] = clamped(known["global key"])
        for name, label in (("session key", b"session p256 v1"), ("TLS key", b"tls p256 v1")):
            wide = derive(root, label, 48)
            known[name], known[name + ", wide"] = p256_scalar(wide), wide
        evidence = keystore.get("/v1/attestation?nonce=" + "ab" * 32).json()

        def x25519(key):
            return raw_public(X25519PrivateKey.from_private_bytes(key)).hex()

        def p256(key):
            n = ec.derive_private_key(int.from_bytes(key, "big"), ec.SECP256R1()).public_key().public_numbers()
            return (n.x.to_bytes(32, "big") + n.y.to_bytes(32, "big")).hex()

        for mine, its in ((x25519(known["global key"]), keystore.pubkey()),
                          (x25519(derived), keystore.pubkey(SEED)),
                          (raw_public(Ed25519PrivateKey.from_private_bytes(known["identity key"])).hex(),
                           evidence["identity_key"]),
                          (raw_public(Ed25519PrivateKey.from_private_bytes(known["log key"])).hex(),
                           evidence["log_key"]),
                          (p256(known["session key"]), evidence["session_key"])):
            assert mine == its, (mine, its)
        cls.public = {"global public key": bytes.fromhex(keystore.pubkey()),
                      "log public key": bytes.fromhex(evidence["log_key"])}
        return known

    def hidden(self):
        """All that must not be found."""
        return Needles({**self.secrets, **self.plains})

    def new_plain(self, size=48):
        plain = os.urandom(size)
        self.plains[f"plaintext {len(self.plains)}"] = plain
        return plain

    def hpke_seal(self, plain):
        done = command("encrypt", "--seed", SEED, "--pubkey", self.keystore.pubkey(SEED), "--binary",
                       "--raw", stdin=plain)
        return done.stdout

    def reply_key_of(self, worker):
        """As docs/protocol.md derives it."""
        payload = worker.session.split(".")[1]
        session = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"]
        return HKDFExpand(hashes.SHA256(), 32, bytes.fromhex(session) + raw_public(worker.key)).derive(
            self.secrets["reply keys"])

    def use(self):
        """Every way to a secret, and refusals beside them."""
        worker = Worker(self.keystore)
        granted = worker.attest()
        self.assertEqual(granted.status, 200)
        self.others.append(granted)
        self.assertEqual(worker.reply_key, self.reply_key_of(worker))
        self.plains[f"reply key {len(self.plains)}"] = worker.reply_key
        for seal_envelope in (lambda p: ecies_seal(self.keystore.pubkey(SEED), p), self.hpke_seal):
            for size in (48, 3000, 60_000, 300_000):
                plain = self.new_plain(size)
                reply = worker.decrypt(seal_envelope(plain), seed=SEED)
                self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), plain)
            plain = self.new_plain()
            reply = worker.decrypt(seal_envelope(plain), seed=SEED, seal=True, receipt=True)
            self.assertEqual(worker.open_sealed(reply), plain)
            self.others.append(reply)  # sealed: no machine on the way reads it
            plain = self.new_plain(100_000)
            reply = worker.decrypt(seal_envelope(plain), seed=SEED, session=False, seal=True,
                                   attestation=worker.inline())
            self.assertEqual(worker.open_sealed(reply), plain)
            self.others.append(reply)
            plain = self.new_plain()
            reply = worker.decrypt(seal_envelope(plain), seed=SEED, session=False,
                                   attestation=worker.inline())
            self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), plain)
            plain = self.new_plain()
            reply = worker.decrypt(seal_envelope(plain), seed=SEED, receipt=True)
            self.assertEqual(base64.b64decode(reply.json()["plaintext_secrets"]), plain)
            self.others.append(self.keystore.get("/v1/log/receipt?request_id=" + reply.request_id,
                                                 token="auditor"))
            self.others.append(self.keystore.get("/v1/explain?request_id=" + reply.request_id,
                                                 token="operator"))
            blob = bytearray(seal_envelope(self.new_plain()))
            blob[-1] ^= 1
            self.others.append(worker.decrypt(bytes(blob), seed=SEED))
            self.others.append(worker.decrypt(seal_envelope(self.new_plain()), seed=SEED + "x"))
        for size in (48, 5000, 100_000):  # what users ask to be looked at before they encrypt it
            text = self.new_plain(size).hex()
            body = {"seed": SEED, "secrets_json": json.dumps({"KEY": text})}
            self.others.append(self.keystore.post("/pubkey", body))
            body = {"seed": SEED, "secrets_json": json.dumps({"NEAR_SENDER_ID": text})}
            self.others.append(self.keystore.post("/pubkey", body))
            self.others.append(self.keystore.post("/pubkey", {**body, "seed": ""}))
        for path, token in (("/health", None), ("/pubkey", None), ("/metrics", None), ("/readyz", None),
                            ("/v1/attestation?nonce=" + "cd" * 32, None), ("/v1/log/key", None),
                            ("/v1/log/checkpoint", None), ("/v1/status", "operator"),
                            ("/v1/pubkey?nonce=00&seed=" + SEED, None),
                            ("/v1/log/entries?start=0&count=1000", "auditor")):
            self.others.append(self.keystore.get(path, token=token))
        self.others.append(worker.attest())

    def nothing_in(self, where, data, needles=None):
        self.assertEqual((needles or self.hidden()).found_in(data), [], where)

    def memory_is_clean(self, needles, when):
        image = core_of(self.keystore.pid())
        whole = b"".join(data for _, data in image)
        # the search can find: public keys are in that memory
        self.assertTrue(Needles(self.public).found_in(whole))
        self.assertGreater(len(whole), 1 << 19)
        found = [(where, found) for where, data in image if (found := needles.found_in(data))]
        self.assertEqual(found, [], when)

    def test_files_replies_environment_and_arguments(self):
        self.use()
        needles = self.hidden()
        for reply in self.others:
            self.nothing_in(reply.body[:100], reply.body + str(reply.headers).encode(), needles)
        state = os.path.join(self.keystore.dir, "state")
        files = [f for f in glob.glob(state + "/**", recursive=True) if os.path.isfile(f)]
        self.assertTrue(any(f.endswith("-wal") for f in files), files)
        for path in [*files, self.keystore.log_path, self.keystore.config]:
            with open(path, "rb") as f:
                self.nothing_in(path, f.read(), needles)
        for name in ("environ", "cmdline", "comm", "maps", "status"):
            with open(f"/proc/{self.keystore.pid()}/{name}", "rb") as f:
                data = f.read()
            self.assertTrue(data, name)
            self.nothing_in(name, data, needles)
        with open(f"/proc/{self.keystore.pid()}/environ", "rb") as f:
            self.assertIn(b"KEYSTORE_MASTER_SECRET=", f.read())  # the name is there, the value is not
        self.assertTrue(Needles(self.public).found_in(self.keystore.log().encode()))

    def test_memory_after_requests(self):
        for _ in range(3):
            self.use()
        self.memory_is_clean(self.hidden(), "idle")

    def test_memory_under_load(self):
        crew = workload.Crew(self.keystore, 4, plain=True)
        for i, plain in enumerate(crew.secrets):
            self.plains[f"load {i}"] = plain[-40:]
            seed = f"github.com/team{i}/project:owner{i}.near"
            self.secrets[f"key of load {i}"] = hmac.new(
                self.root, b"ecies:keystore-ckd:" + seed.encode(), hashlib.sha256).digest()
        needles = Needles({name: secret for name, secret in {**self.secrets, **self.plains}.items()
                           if not (self.tls and name.startswith("load "))})
        load = crew.start(10_000_000, 16, until_failure=True)
        try:
            for i in range(ROUNDS):
                time.sleep(0.1)
                self.memory_is_clean(needles, f"under load, {i}")
                self.assertIsNone(load.poll(), "the load has ended")
        finally:
            load.kill()
            load.communicate()
        time.sleep(0.2)
        self.memory_is_clean(self.hidden(), "after load")

    def test_core_file(self):
        if not shutil.which("gcore"):
            self.skipTest("gcore (gdb) is not installed")
        self.use()
        path = os.path.join(self.keystore.dir, "core")
        pid = self.keystore.pid()
        done = subprocess.run(["gcore", "-o", path, str(pid)], capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(f"{path}.{pid}", "rb") as f:
            core = f.read()
        os.remove(f"{path}.{pid}")
        self.assertTrue(Needles(self.public).found_in(core))
        self.nothing_in("core", core)

    def test_the_search_finds_every_form(self):
        secret, around = os.urandom(32), os.urandom(100)
        needles = Needles({"it": secret})
        for hidden in (secret, secret[:16], secret[16:], secret[::-1], secret.hex().encode(),
                       secret[:16].hex().upper().encode(), base64.b64encode(secret),
                       base64.b64encode(b"a" + secret), base64.urlsafe_b64encode(b"ab" + secret + b"cd"),
                       base64.b64encode(secret[16:])):
            self.assertTrue(needles.found_in(around + hidden + around), hidden)
        self.assertEqual(needles.found_in(around + secret[:15] + around), [])


class SecretsOverTls(Secrets):
    """OpenSSL encrypts a record in place, in its own heap: for that microsecond a plaintext stands there, so
    under load plaintexts are not looked for. That none is left behind is seen when the load has ended."""
    tls = True


if __name__ == "__main__":
    unittest.main()
