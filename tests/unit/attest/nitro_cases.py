#!/usr/bin/env python3
"""Nitro documents that gen_negative.py of the vectors derives from a real one, and some more that
only this verifier's rules tell apart. All but the first kind are signed under a look-alike root.

usage: nitro_cases.py VECTORS OUT      VECTORS is the folder of gen_negative.py; writes OUT/index.json
"""
import json
import os
import sys

SEED = "nitro-base-org-69d51f"
KEY_USAGE_CA = bytes.fromhex("0404030201")  # OCTET STRING { BIT STRING, 1 unused bit }, then the bits
KEY_USAGE_LEAF = bytes.fromhex("04040302")


def replaced(data, old, new):
    assert data.count(old) == 1 and len(old) == len(new), (old.hex(), data.count(old))
    return data.replace(old, new)


class Author:
    """Writes documents under a root of its own."""

    def __init__(self, g, seed, vectors):
        self.g = g
        with open(os.path.join(vectors, seed["evidence"]), "rb") as file:
            self.raw = file.read()
        (self.protected, _, payload, _), _ = g.dec(self.raw)
        self.claims, _ = g.dec(payload)
        self.chain = self.claims["cabundle"] + [self.claims["certificate"]]
        self.keys = [g.Key("nitro-%d" % i, "p384") for i in range(len(self.chain))]
        self.plain = []
        self.plain = self.certificates()

    def certificates(self, edits=()):
        """The chain under our keys; `edits` maps an index to an edit of its signed part."""
        edits = dict(edits)
        return [self.plain[i] if i not in edits and i < len(self.plain) else
                self.g.resign_cert(c, self.keys[i].raw, self.keys[max(i - 1, 0)], edits.get(i))
                for i, c in enumerate(self.chain)]

    def payload(self, edits=(), **changes):
        certs = self.certificates(edits)
        claims = dict(self.claims, cabundle=certs[:-1], certificate=certs[-1])
        claims.update(changes)
        return {k: v for k, v in claims.items() if v is not Ellipsis}

    def document(self, payload, protected=None, unprotected=b"\xa0", key=None):
        g = self.g
        protected = self.protected if protected is None else protected
        payload = payload if isinstance(payload, bytes) else g.enc(payload)
        message = b"\x84\x6aSignature1" + g.enc(protected) + b"\x40" + g.enc(payload)
        signature = (key or self.keys[-1]).sign(message)
        return b"\x84" + g.enc(protected) + unprotected + g.enc(payload) + g.enc(signature)


def indefinite(g, claims):
    """The same with indefinite lengths of map, pcrs and cabundle."""
    def value(name, v):
        if name == "pcrs":
            return b"\xbf" + b"".join(g.enc(k) + g.enc(x) for k, x in v.items()) + b"\xff"
        if name == "cabundle":
            return b"\x9f" + b"".join(g.enc(x) for x in v) + b"\xff"
        return g.enc(v)
    return b"\xbf" + b"".join(g.enc(k) + value(k, v) for k, v in claims.items()) + b"\xff"


def more_cases(g, seed, vectors):
    a = Author(g, seed, vectors)
    base = a.payload()
    pcrs = base["pcrs"]
    anchor = base["cabundle"][0]
    enc = g.enc

    def case(name, payload, reasons=(), result=None, extra=None, **how):
        g.emit(seed, "more-" + name, evidence=a.document(payload, **how), anchor=anchor,
               result=result or ("reject" if reasons else "valid"), reasons=reasons, extra=extra)

    def with_member(key, value):
        """Claims of one member more, both in bytes."""
        e = enc(base)
        return bytes([e[0] + 1]) + e[1:] + key + value

    case("indefinite", indefinite(g, base))
    case("unknown-member", with_member(enc("later"), enc([1, {"a": None}])))
    case("nulls", a.payload(public_key=None, user_data=None, nonce=None))
    case("absent", a.payload(public_key=..., user_data=..., nonce=...))
    case("empty-fields", a.payload(user_data=b"", nonce=b""))
    case("full-fields", a.payload(public_key=b"k" * 1024, user_data=b"u" * 1024, nonce=b"n" * 1024))
    case("pcr-sizes", a.payload(pcrs={0: b"a" * 32, 1: b"b" * 48, 31: b"c" * 64}))
    zero = b"\0" * 48
    case("debug", a.payload(pcrs=pcrs | {0: zero, 1: zero, 2: zero}),
         extra={"debug": True})
    case("debug-without-pcr0", a.payload(pcrs={4: pcrs[4]}), extra={"debug": True})
    case("not-debug-by-pcr2", a.payload(pcrs=pcrs | {0: zero, 1: zero}), extra={"debug": False})

    malformed = ["malformed"]
    case("unprotected-full", base, malformed, unprotected=b"\xa1\x04\x41\x00")
    case("unprotected-null", base, malformed, unprotected=b"\xf6")
    case("unprotected-array", base, malformed, unprotected=b"\x80")
    case("protected-two", base, malformed, protected=enc({1: -35, 4: b"k"}))
    case("protected-text-alg", base, ["unsupported_algorithm"], protected=enc({1: "ES384"}))
    case("protected-array", base, malformed, protected=enc([1, -35]))
    case("protected-empty", base, malformed, protected=b"")
    case("protected-trailing", base, malformed, protected=a.protected + b"\0")
    case("payload-array", enc([base]), malformed)
    case("payload-empty", b"", malformed)
    case("digest-bytes", a.payload(digest=b"SHA384"), malformed)
    case("module-id-long", a.payload(module_id="i" * 128), malformed)
    case("module-id-nul", a.payload(module_id="i\0"), malformed)
    case("timestamp-negative", a.payload(timestamp=-1), malformed)
    case("timestamp-huge", a.payload(timestamp=2**63), ["timestamp"])
    case("timestamp-not-shortest", enc(base).replace(enc(base["timestamp"]),
                                                     b"\x1b" + (5).to_bytes(8, "big")), malformed)
    case("timestamp-before-leaf", a.payload(timestamp=seed["valid_window"][0] * 1000 - 1),
         ["timestamp"])
    case("timestamp-after-leaf", a.payload(timestamp=seed["valid_window"][1] * 1000 + 1),
         ["timestamp"])
    case("pcr-index-text", a.payload(pcrs={"0": pcrs[0]}), malformed)
    case("pcr-index-negative", a.payload(pcrs={-1: pcrs[0]}), malformed)
    case("pcr-text", a.payload(pcrs={0: "a" * 48}), malformed)
    case("pcr-twice", enc(base).replace(enc(pcrs), b"\xa2" + 2 * (b"\x00" + enc(pcrs[0]))),
         malformed)
    case("pcrs-33", a.payload(pcrs={i: zero for i in range(33)}), malformed)
    case("certificate-empty", a.payload(certificate=b""), malformed)
    case("certificate-trailing", a.payload(certificate=base["certificate"] + b"\0"),
         ["certificate_chain_invalid"])
    case("cabundle-of-null", a.payload(cabundle=[anchor, None]), malformed)
    case("cabundle-of-empty", a.payload(cabundle=[anchor, b""]), malformed)
    case("cabundle-of-7", a.payload(cabundle=[anchor] * 7), ["too_large"])
    case("cabundle-of-6", a.payload(cabundle=[anchor] * 6), ["certificate_chain_invalid"])
    case("cabundle-circle", a.payload(cabundle=base["cabundle"][:2] + base["cabundle"][:2]),
         ["certificate_chain_invalid"])
    case("cabundle-without-root", a.payload(cabundle=base["cabundle"][1:]), ["root_not_pinned"])
    case("cabundle-gap", a.payload(cabundle=[anchor] + base["cabundle"][2:]),
         ["certificate_chain_invalid"])
    case("cabundle-root-twice", a.payload(cabundle=[anchor] + base["cabundle"]),
         ["certificate_chain_invalid"])  # or a bundle could cost any number of checks
    case("public-key-empty", a.payload(public_key=b""), malformed)
    for name in ("public_key", "user_data", "nonce"):
        case(name + "-1025", a.payload(**{name: b"x" * 1025}), malformed)
        case(name + "-text", a.payload(**{name: "x"}), malformed)
    case("float-member", with_member(enc("later"), b"\xf9\x3c\x00"), malformed)
    case("undefined-member", with_member(enc("later"), b"\xf7"), malformed)
    case("chunked-member", with_member(enc("later"), b"\x5f\x41\x00\xff"), malformed)
    case("key-of-bytes", with_member(b"\x41k", b"\x00"), malformed)
    case("deep-member", with_member(enc("later"), b"\x81" * 9 + b"\0"), ["malformed", "too_large"])
    case("tpm-document", {("nitrotpm_pcrs" if k == "pcrs" else k): v for k, v in base.items()},
         malformed)

    last = len(a.chain) - 1
    chain = ["certificate_chain_invalid"]
    usage = a.chain[1].index(KEY_USAGE_CA)
    ca_bits = a.chain[1][usage:usage + 6]
    usage = a.chain[last].index(KEY_USAGE_LEAF)
    leaf_bits = a.chain[last][usage:usage + 6]
    case("issuer-does-not-sign-certificates",
         a.payload({1: lambda t: replaced(t, ca_bits, bytes.fromhex("040403020780"))}), chain)
    case("issuer-is-no-ca",
         a.payload({1: lambda t: t.replace(b"\x01\x01\xff\x02\x01", b"\x01\x01\x00\x02\x01")}), chain)
    case("leaf-signs-no-data",
         a.payload({last: lambda t: replaced(t, leaf_bits, bytes.fromhex("040403020520"))}), chain)
    case("leaf-signs-certificates-too",
         a.payload({last: lambda t: replaced(t, leaf_bits, bytes.fromhex("040403020284"))}),
         ["leaf_is_ca"])
    case("path-length", a.payload({1: lambda t: with_path_length(t, 1)}), chain)
    case("path-length-just-enough", a.payload({1: lambda t: with_path_length(t, 2)}))
    case("leaf-of-other-issuer", a.payload(certificate=g.resign_cert(
        a.chain[last], a.keys[last].raw, a.keys[0])), chain)
    case("root-not-by-itself", a.payload(cabundle=[g.resign_cert(
        a.chain[0], a.keys[0].raw, a.keys[1])] + base["cabundle"][1:]), chain)
    case("key-of-issuer", base, ["signature_invalid"], key=a.keys[last - 1])


def with_path_length(tbs, length):
    """The pathLenConstraint of a certificate that has one."""
    at = tbs.index(b"\x30\x06\x01\x01\xff\x02\x01")
    return tbs[:at + 7] + bytes([length]) + tbs[at + 8:]


def main():
    vectors, out = sys.argv[1:]
    sys.dont_write_bytecode = True
    sys.path.insert(0, vectors)
    import gen_negative as g
    with open(os.path.join(vectors, "index.json"), encoding="utf-8") as file:
        seed = next(c for c in json.load(file)["cases"] if c["id"] == SEED)
    g.OUT = out
    g.nitro(seed, vectors)
    more_cases(g, seed, vectors)
    with open(os.path.join(out, "index.json"), "w", encoding="utf-8") as file:
        json.dump({"cases": g.CASES}, file)
    print(len(g.CASES), "cases", file=sys.stderr)


if __name__ == "__main__":
    main()
