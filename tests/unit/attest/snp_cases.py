#!/usr/bin/env python3
"""SEV-SNP reports that gen_negative.py of the vectors derives from real ones, and more that only a
chain under a look-alike root can show: the real certificates with other keys, signed again.

usage: snp_cases.py VECTORS OUT      VECTORS is the folder of gen_negative.py; writes OUT/index.json
"""
import json
import os
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

MILAN = "snp-v3-milan-vcek-confidential-containers-05b743"
GENOA = "snp-v5-genoa-vcek-veehaitch-643565"
TURIN = "snp-v5-turin-vcek-veehaitch-3f44a0"
VLEK = "snp-v3-milan-vlek-confidential-containers-decdab"
# keyUsage as AMD writes it
KEY_USAGE_ARK = bytes.fromhex("040403020106")
KEY_USAGE_MIDDLE = bytes.fromhex("040403020104")
KEY_USAGE_LEAF = bytes.fromhex("040403020180")


class RsaKey:
    """An RSA-4096 key that signs as AMD's do."""

    def __init__(self):
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=4096)
        self.modulus = self.private.public_key().public_numbers().n.to_bytes(512, "big")

    def sign(self, message, salt=48):
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA384()), salt_length=salt)
        return self.private.sign(message, pss, hashes.SHA384())


class VekKey:
    """A P-384 key: `raw` is x || y, signatures are r || s."""

    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP384R1())
        numbers = self.private.public_key().public_numbers()
        self.raw = numbers.x.to_bytes(48, "big") + numbers.y.to_bytes(48, "big")

    def sign(self, message):
        r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA384())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")


def replaced(data, old, new):
    assert old in data and len(old) == len(new), (old, new)
    return data.replace(old, new)


class Author:
    """Writes reports under a chain of its own that looks like one of AMD's."""

    def __init__(self, g, seed, vectors, keys):
        self.g, self.seed, self.keys = g, seed, keys
        self.by_vlek = "asvk" in seed["collateral"]
        self.slot = "asvk" if self.by_vlek else "ask"
        read = lambda path: open(os.path.join(vectors, path), "rb").read()
        self.raw = read(seed["evidence"])
        self.real = {k: read(v) for k, v in seed["collateral"].items()}

    def signed(self, tbs, key, salt=48, algorithm_of="ark"):
        _, algorithm, _ = self.g.cert_parts(self.real[algorithm_of])
        return self.g.tlv(0x30, tbs + algorithm + self.g.tlv(3, b"\0" + key.sign(tbs, salt)))

    def certificate(self, name, new, issuer, edit=None, salt=48):
        tbs = self.g.cert_parts(self.real[name])[0]
        if name == "vek":
            tbs = replaced(tbs, self.g.cert_pub(self.real[name], 48), new)
        else:
            at = tbs.index(bytes.fromhex("0282020100")) + 5
            tbs = tbs[:at] + new + tbs[at + 512:]
        return self.signed(edit(tbs) if edit else tbs, issuer, salt, name)

    def chain(self, ark=None, middle=None, vek=None, vek_issuer=None, middle_issuer=None, salt=48):
        k = self.keys
        return {
            "ark": ("ark.der", self.certificate("ark", k["ark"].modulus, k["ark"], ark)),
            self.slot: (self.slot + ".der", self.certificate(
                self.slot, k["middle"].modulus, middle_issuer or k["ark"], middle)),
            "vek": ("vek.der", self.certificate(
                "vek", k["vek"].raw, vek_issuer or k["middle"], vek, salt)),
        }

    def report(self, *edits):
        body = self.raw[:0x2a0]
        for at, value in edits:
            body = self.g.put(body, at, bytes(value))
        s = self.keys["vek"].sign(body)
        scalar = lambda x: x[::-1] + bytes(24)
        return body + scalar(s[:48]) + scalar(s[48:]) + bytes(368)

    def crl(self, key, serials=(), name=None, since=None, until=None, version=True):
        g = self.g
        time = lambda t: g.tlv(0x17, t.encode())
        ark = g.cert_parts(self.real["ark"])[0]
        _, start, end = g.rd(ark)
        parts = [ark[x[1]:x[3]] for x in g.kids(ark, start, end)]
        algorithm, issuer = parts[2], parts[3]
        if name:
            issuer = replaced(issuer, *name)
        body = (g.tlv(2, b"\1") if version else b"") + algorithm + issuer
        body += time(since or "200101000000Z") + time(until or "450101000000Z")
        if serials:
            body += g.tlv(0x30, b"".join(g.tlv(0x30, s + time("240101000000Z")) for s in serials))
        return ("crl.der", self.signed(g.tlv(0x30, body), key))

    def emit(self, name, reason=None, chain=None, report=None, pinned=True, **more):
        chain = chain or self.chain()
        coll = dict(chain, **more.pop("extra", {}))
        self.g.emit(self.seed, "synth-" + name, evidence=report or self.report(), coll=coll,
                    anchor=more.pop("anchor", chain["ark"][1]) if pinned else None,
                    result="reject" if reason else "valid", reasons=[reason], **more)


def report_cases(a):
    """Signed by the key, and still not what a platform says."""
    a.emit("baseline")
    a.emit("not-pinned", "root_not_pinned", pinned=False)
    a.emit("policy-without-bit-17", "malformed", report=a.report((0x0a, [0])))
    a.emit("policy-unknown-bit", "malformed", report=a.report((0x0b, [0x04])))
    a.emit("policy-page-swap-disabled", report=a.report((0x0b, [0x02])))
    a.emit("debug", report=a.report((0x0a, [0x0b])), extra={}, note="policy refuses it")
    a.emit("vmpl-3", report=a.report((0x30, [3])))
    a.emit("vmpl-4", "malformed", report=a.report((0x30, [4])))
    a.emit("vmpl-of-the-host", "malformed", report=a.report((0x30, [0xff] * 4)))
    a.emit("key-info-reserved", "malformed", report=a.report((0x48, [a.raw[0x48] | 0x20])))
    a.emit("key-masked", "vek_type_mismatch", report=a.report((0x48, [a.raw[0x48] | 2])))
    for key in range(2, 8):
        a.emit("signing-key-%d" % key, "vek_type_mismatch", report=a.report((0x48, [key << 2])))
    for at in (0x4c, 0x4f, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x208, 0x29f):
        a.emit("reserved-%03x" % at, "malformed", report=a.report((at, [1])))
    if a.raw[0] < 5:
        for at in (0x1f8, 0x207):
            a.emit("reserved-%03x" % at, "malformed", report=a.report((at, [1])))
    a.emit("version-4", report=a.report((0, [4]), (0x1f8, [0] * 16)))
    a.emit("version-4-mitigations", "malformed", report=a.report((0, [4]), (0x1f8, [1])))
    a.emit("version-2-with-cpuid", "malformed", report=a.report((0, [2]), (0x1f8, [0] * 16)))
    a.emit("version-2", report=a.report((0, [2]), (0x188, [0] * 3), (0x1f8, [0] * 16)))
    a.emit("version-1", "unsupported_version", report=a.report((0, [1])))
    a.emit("algorithm-2", "unsupported_algorithm", report=a.report((0x34, [2])))
    a.emit("cpu-unknown", "product_mismatch", report=a.report((0x188, [0x19, 0x20, 0])))
    a.emit("cpu-of-family-17", "product_mismatch", report=a.report((0x188, [0x17, 0x01, 0])))
    product = a.seed["expected"]["product"]
    cpus = {"milan": (0x19, 0x01), "genoa": (0x19, 0x11), "turin": (0x1a, 0x02)}
    for name, cpu in cpus.items():
        a.emit("cpu-" + name, None if name == product else "product_mismatch",
               report=a.report((0x188, cpu)))


def tcb_cases(a, parts, reserved):
    for part in parts:
        if a.raw[0x1e0 + part] < 0x80:
            a.emit("committed-above-current-%d" % part, "tcb_not_supported",
                   report=a.report((0x1e0 + part, [a.raw[0x38 + part] + 1])))
        if a.raw[0x180 + part] > 0:
            a.emit("reported-above-committed-%d" % part, "tcb_not_supported",
                   report=a.report((0x1e0 + part, [a.raw[0x180 + part] - 1])))
        a.emit("reported-not-the-key's-%d" % part, "vek_tcb_mismatch",
               report=a.report((0x180 + part, [a.raw[0x180 + part] ^ 1])))
        a.emit("current-above-%d" % part, report=a.report((0x38 + part, [0xff])))
    for part in reserved:
        a.emit("reported-reserved-%d" % part, "vek_tcb_mismatch",
               report=a.report((0x180 + part, [1])))
        for name, at in (("committed", 0x1e0), ("current", 0x38), ("launch", 0x1f0)):
            a.emit("%s-reserved-%d" % (name, part), "malformed", report=a.report((at + part, [1])))


def chip_cases(a):
    a.emit("chip-masked", report=a.report((0x1a0, [0] * 64)))
    a.emit("chip-other", "vek_hwid_mismatch", report=a.report((0x1a0, [a.raw[0x1a0] ^ 1])))
    a.emit("chip-tail", "vek_hwid_mismatch", report=a.report((0x1df, [a.raw[0x1df] ^ 1])))


def chain_cases(a, keys):
    """What is signed by whom, and called what."""
    invalid = "vek_chain_invalid"
    vek_name = b"SEV-VLEK" if a.by_vlek else b"SEV-VCEK"
    other_name = b"SEV-VCEK" if a.by_vlek else b"SEV-VLEK"
    middle = b"SEV-VLEK-Milan" if a.by_vlek else b"SEV-Milan"
    genoa = middle.replace(b"Milan", b"Genoa")
    a.emit("vek-by-ark", invalid, chain=a.chain(vek_issuer=keys["ark"]))
    a.emit("vek-by-itself-named-otherwise", invalid,
           chain=a.chain(vek=lambda t: replaced(t, middle, genoa)))
    a.emit("vek-salt-32", invalid, chain=a.chain(salt=32))
    a.emit("middle-by-itself", invalid, chain=a.chain(middle_issuer=keys["middle"]))
    a.emit("middle-no-ca", invalid,
           chain=a.chain(middle=lambda t: replaced(t, KEY_USAGE_MIDDLE, KEY_USAGE_LEAF)))
    a.emit("middle-not-a-ca", invalid, chain=a.chain(
        middle=lambda t: replaced(t, b"\x04\x08\x30\x06\x01\x01\xff", b"\x04\x08\x30\x06\x01\x01\0")))
    a.emit("vek-named-otherwise", invalid, chain=a.chain(
        vek=lambda t: t.replace(vek_name, b"SEV-XXXX", 2 if a.by_vlek else 1)))
    a.emit("vek-called-the-other-type", invalid, chain=a.chain(
        vek=lambda t: other_name.join(t.rsplit(vek_name, 1))))
    a.emit("middle-genoa", "product_mismatch", chain=a.chain(
        middle=lambda t: replaced(t, middle, genoa), vek=lambda t: replaced(t, middle, genoa)))
    whole = lambda t: t.replace(b"Milan", b"Genoa")
    chain = a.chain(ark=whole, middle=whole, vek=whole)
    a.emit("all-genoa-pinned-as-milan", "root_not_pinned", chain=chain)
    a.emit("vek-product-genoa", "product_mismatch", chain=a.chain(
        vek=lambda t: b"Genoa".join(t.rsplit(b"Milan", 1))))
    a.emit("vek-product-unknown", invalid, chain=a.chain(
        vek=lambda t: b"Paris".join(t.rsplit(b"Milan", 1))))
    a.emit("vek-product-longer", invalid, chain=a.chain(
        vek=lambda t: t.replace(b"Milan-B0", b"MilanXB0").replace(b"\x16\x05Milan", b"\x16\x05MilaN")))
    a.emit("vek-struct-version-1", invalid, chain=a.chain(vek=struct_version))
    for arc in (1, 2, 3, 4, 5, 6, 7, 8):
        a.emit("vek-spl-%d-boolean" % arc, invalid, chain=a.chain(vek=lambda t: spl_type(t, arc)))


def struct_version(tbs):
    oid = bytes.fromhex("06092b060104019c780101")
    return replaced(tbs, oid + bytes.fromhex("0403020100"), oid + bytes.fromhex("0403020101"))


def spl_type(tbs, arc):
    """The SPL becomes a BOOLEAN of the same size."""
    oid = bytes.fromhex("060a2b060104019c780103") + bytes([arc])
    at = tbs.index(oid) + len(oid) + 2
    assert tbs[at] == 2
    return tbs[:at] + b"\1" + tbs[at + 1:]


def crl_cases(a, keys):
    serial = lambda chain, name: a.g.cert_serial(chain[name][1])
    chain = a.chain()
    crl = lambda name, reason, made, **more: a.emit(
        "crl-" + name, reason, chain=chain, extra={"crl": made}, **more)
    crl("empty", None, a.crl(keys["ark"]))
    crl("of-others", None, a.crl(keys["ark"], [a.g.tlv(2, b"\x12\x34")]))
    crl("vek-serial", None, a.crl(keys["ark"], [serial(chain, "vek")]),
        note="VEKs all have the serial 0 and another issuer")
    crl("middle", "vek_revoked", a.crl(keys["ark"], [serial(chain, a.slot)]))
    crl("middle-among-others", "vek_revoked",
        a.crl(keys["ark"], [a.g.tlv(2, b"\x12\x34"), serial(chain, a.slot)]))
    crl("ark", "vek_revoked", a.crl(keys["ark"], [serial(chain, "ark")]))
    crl("stale", "crl_time", a.crl(keys["ark"], until="210101000000Z"))
    crl("not-yet", "crl_time", a.crl(keys["ark"], since="440101000000Z"))
    crl("signed-by-middle", "crl_invalid", a.crl(keys["middle"]))
    crl("issuer-otherwise", "crl_issuer_mismatch", a.crl(keys["ark"], name=(b"ARK", b"ERK")))
    crl("garbage", "crl_invalid", ("crl.der", b"\x30\x03\x02\x01\x01"))


def time_cases(a):
    """Each certificate's own validity counts, not only the VEK's."""
    early = lambda t: t.replace(b"\x17\x0d4", b"\x17\x0d1", 1)  # until 204x becomes 201x
    a.emit("middle-expired", "certificate_time", chain=a.chain(middle=early))
    a.emit("ark-expired", "certificate_time", chain=a.chain(ark=early))


def more_cases(g, seeds, vectors):
    keys = {"ark": RsaKey(), "middle": RsaKey(), "vek": VekKey()}
    for name in (MILAN, GENOA, TURIN, VLEK):
        a = Author(g, seeds[name], vectors, keys)
        report_cases(a)
        if name == TURIN:
            tcb_cases(a, (0, 1, 2, 3, 7), (4, 5, 6))
        else:
            tcb_cases(a, (0, 1, 6, 7), (2, 3, 4, 5))
        if name != VLEK:
            chip_cases(a)
        if name in (MILAN, VLEK):
            chain_cases(a, keys)
            crl_cases(a, keys)
        time_cases(a)


def main():
    vectors, out = sys.argv[1:]
    sys.dont_write_bytecode = True
    sys.path.insert(0, vectors)
    import gen_negative as g
    with open(os.path.join(vectors, "index.json"), encoding="utf-8") as file:
        cases = [c for c in json.load(file)["cases"] if c["tee"] == "snp"]
    g.OUT = out
    done = set()
    for case in sorted(cases, key=lambda c: c["id"]):
        kind = (case["expected"]["product"], case["expected"]["report"]["signing_key"])
        if kind not in done and not case["expected"]["debug"]:
            done.add(kind)
            g.snp(case, vectors, cases)
    more_cases(g, {c["id"]: c for c in cases}, vectors)
    with open(os.path.join(out, "index.json"), "w", encoding="utf-8") as file:
        json.dump({"cases": g.CASES}, file)
    print(len(g.CASES), "cases", file=sys.stderr)


if __name__ == "__main__":
    main()
