#!/usr/bin/python3
"""Documents of AMD's certificates and revocation lists under a look-alike root, for amd_test.c.

usage: amd_lists.py OUT   writes OUT/ark.pem and OUT/<name>.json
"""
import base64
import datetime
import json
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.fromtimestamp(1790000000, datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
PSS = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
ASK_SERIAL = 0x10001

# name: (issued days ago, next update in days, number, listed), ask's and asvk's age in days
LISTS = {
    "held": ((60, 60, 5, []), 400, 400),
    "newer_shorter": ((30, 10, 6, [ASK_SERIAL]), 400, 400),
    "older_longer": ((90, 305, 4, []), 400, 400),
    "number_only": ((60, 60, 6, [ASK_SERIAL]), 400, 400),
    "expired_newer": ((40, -5, 7, [ASK_SERIAL]), 400, 400),
    "no_list": (None, 400, 400),
    "new_ask_old_list": ((90, 305, 4, []), 10, 400),
    "new_asvk_no_list": (None, 400, 10),
}


def name(common):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"),
                      x509.NameAttribute(NameOID.COMMON_NAME, common)])


def tlv(tag, body):
    size = len(body)
    if size < 128:
        head = bytes([size])
    else:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        head = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + head + body


def items(body):
    """The elements of a DER structure, each with its head."""
    found = []
    while body:
        size, start = body[1], 2
        if size & 0x80:
            start += size & 0x7f
            size = int.from_bytes(body[2:start], "big")
        found.append((body[:start + size], body[start:start + size]))
        body = body[start + size:]
    return found


# RSASSA-PSS with SHA-384, MGF1 with SHA-384, 48 bytes of salt (RFC 4055): what AMD uses. This
# Debian's cryptography signs certificates with PKCS #1 v1.5 only.
SHA384 = bytes.fromhex("300d06096086480165030402020500")
ALGORITHM = tlv(0x30, bytes.fromhex("06092a864886f70d01010a") + tlv(
    0x30, tlv(0xa0, SHA384) + tlv(0xa1, tlv(0x30, bytes.fromhex("06092a864886f70d010108") + SHA384))
    + tlv(0xa2, bytes([2, 1, 48]))))


def signed_anew(der, key):
    """The same certificate or list, with an RSASSA-PSS signature."""
    whole, old_algorithm, _ = items(items(der)[0][1])
    body = b"".join(ALGORITHM if item == old_algorithm[0] else item for item, _ in items(whole[1]))
    body = tlv(0x30, body)
    return tlv(0x30, body + ALGORITHM +
               tlv(3, b"\0" + key.sign(body, PSS, hashes.SHA384())))


def pem(der):
    text = base64.b64encode(der).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def certificate(common, key, issuer, issuer_key, serial, age):
    built = (x509.CertificateBuilder().subject_name(name(common)).issuer_name(name(issuer))
             .public_key(key.public_key()).serial_number(serial)
             .not_valid_before(NOW - age * DAY).not_valid_after(NOW + 4000 * DAY)
             .add_extension(x509.BasicConstraints(True, None), True)
             .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False,
                                          False), True)
             .sign(issuer_key, hashes.SHA384()))
    return pem(signed_anew(built.public_bytes(serialization.Encoding.DER), issuer_key))


def crl(key, issued, until, number, listed):
    builder = (x509.CertificateRevocationListBuilder().issuer_name(name("ARK-Milan"))
               .last_update(NOW - issued * DAY).next_update(NOW + until * DAY)
               .add_extension(x509.CRLNumber(number), False))
    for serial in listed:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial)
            .revocation_date(NOW - issued * DAY).build())
    built = builder.sign(key, hashes.SHA384())
    return signed_anew(built.public_bytes(serialization.Encoding.DER), key)


def main(out):
    ark_key, ask_key = (rsa.generate_private_key(65537, 4096) for _ in range(2))
    ark = certificate("ARK-Milan", ark_key, "ARK-Milan", ark_key, 0x10000, 500)
    with open(os.path.join(out, "ark.pem"), "w", encoding="ascii") as f:
        f.write(ark)
    for what, (lists, ask_age, asvk_age) in LISTS.items():
        ask = certificate("SEV-Milan", ask_key, "ARK-Milan", ark_key, ASK_SERIAL, ask_age)
        asvk = certificate("SEV-VLEK-Milan", ask_key, "ARK-Milan", ark_key, 0x10002, asvk_age)
        document = {"vcek_chain": ask + ark, "vlek_chain": asvk + ark}
        if lists:
            document["crl"] = crl(ark_key, *lists).hex()
        with open(os.path.join(out, what + ".json"), "w", encoding="ascii") as f:
            json.dump({"amd": document}, f)


if __name__ == "__main__":
    main(sys.argv[1])
