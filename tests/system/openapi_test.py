"""docs/openapi.yaml is what the server does: its routes, and the form of every reply, refusals too."""
import base64
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import jsonschema
import yaml

import harness
from anchor_test import Tree, wait_until
from archive_test import grow
from harness import MRENCLAVE, MRSIGNER, ROOT, Keystore, Platform, Worker, ecies_seal, raw_public
from ra_tls_test import GRAMINE, Client

SECRET = b'{"FOO":"bar"}'
SEED = "github.com/alice/project:alice.near"
JSON = {"Content-Type": "application/json"}

with open(os.path.join(ROOT, "docs/openapi.yaml"), encoding="utf-8") as source:
    DOCUMENT = yaml.safe_load(source)

# Codes that a test outside the process cannot bring about within seconds, and what covers them.
NOT_PROVOKED = {
    "nonce_expired": "takes 60 s: tests/unit/auth/nonce_test.c",
    "session_expired": "takes 60 s: tests/unit/auth/session_test.c",
    "session_issuer_mismatch": "tests/unit/auth/session_test.c",
    "session_collateral_changed": "needs a vendor whose collateral changes: tests/system/collateral_test.py",
    "session_not_yet_valid": "needs another clock: tests/unit/auth/session_test.c",
    "out_of_memory": "needs a process without memory",
    "too_many_denials": "tests/system/limits_test.py",
    "log_quota_exceeded": "tests/system/limits_test.py",
    "store_full": "tests/system/limits_test.py",
    "too_many_in_flight": "needs 32 costly requests at one moment: tests/system/limits_test.py tries",
    "io": "needs a disk that fails while reading",
    "unavailable": "needs a database server that does not answer: tests/system/postgres_test.py",
    "policies_changed": "needs two keystores with one database: tests/system/postgres_test.py",
    "lease_lost": "needs two keystores with one database: tests/system/postgres_test.py",
    "overloaded": "needs more than 1000 requests in one queue",
    "timeout": "needs a disk that hangs",
    "internal": "a fault of ours",
    "policy_not_for_principal": "needs a token that the policy no longer names: tests/unit/policy/authorize_test.c",
    "token_not_accepted": "only in the trace of a dry run, as a failed check: tests/system/dry_run_test.py",
}
# Evidence that only another vendor's keys could make; tests/unit/attest has it.
NOT_PROVOKED.update(dict.fromkeys((
    "unsupported_algorithm", "pck_chain_too_long", "pck_extension_missing", "pck_ca_revoked",
    "tcb_signing_revoked", "tcb_signing_chain_invalid", "crl_invalid", "crl_missing",
    "crl_issuer_mismatch", "crl_time", "certificate_time", "collateral_missing", "collateral_not_yet_valid",
    "tcb_info_malformed", "tcb_info_unsupported", "tcb_info_signature_invalid", "tcb_info_mismatch",
    "tcb_status_unrecognized", "tcb_not_supported", "qe_identity_malformed",
    "qe_identity_signature_invalid", "qe_identity_mismatch", "qe_isvsvn_not_supported", "qe_debug",
    "attestation_key_invalid", "qe_report_data_mismatch", "qe_report_signature_invalid",
    "pck_chain_missing", "unknown_qe_vendor", "unsupported_cert_data_type", "pck_chain_invalid",
    "collateral_expired", "tdx_module_mismatch", "vek_chain_invalid", "vek_tcb_mismatch", "vek_hwid_mismatch",
    "vek_type_mismatch", "vek_revoked", "certificate_chain_invalid", "leaf_is_ca", "timestamp", "binding_mismatch"),
    "tests/unit/attest"))
# Policies of other TEEs than the simulated one.
NOT_PROVOKED.update(dict.fromkeys((
    "rtmr_mismatch", "configuration_mismatch", "attributes_not_accepted", "platform_not_accepted",
    "vmpl_not_accepted", "guest_policy_not_accepted", "platform_info_not_accepted", "tcb_too_low", "crl_required",
    "document_too_old", "out_of_date_too_long", "qe_evaluation_too_old", "event_log_missing", "event_log_mismatch",
    "event_not_accepted"), "tests/unit/policy"))


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for part in node["$ref"].split("/")[1:]:
            target = target[part]
        node = target
    return node


def validate(value, schema):
    whole = {"allOf": [schema], "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def codes_of(schema, found):
    """All stable codes that a schema of refusals allows."""
    schema = resolve(schema)
    for part in schema.get("anyOf", []) + schema.get("allOf", []) + schema.get("oneOf", []):
        codes_of(part, found)
    code = schema.get("properties", {}).get("code")
    if code:
        values_of(code, found)
    return found


def values_of(schema, found):
    schema = resolve(schema)
    found.update(schema.get("enum", []))
    if "const" in schema:
        found.add(schema["const"])
    for part in schema.get("anyOf", []):
        values_of(part, found)


def responses():
    """(path, method, status, response) of every operation, with references followed."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                yield path, method.upper(), status, resolve(response)


class Document(unittest.TestCase):
    def test_routes_are_those_of_the_server(self):
        with open(os.path.join(ROOT, "src/server/routes.c"), encoding="utf-8") as f:
            rows = re.findall(r'\{"(\w+)",\s+"(/[^"]*)",\s+ACTION_(\w+),\s+(?:ON|EXECUTOR)_\w+,\s+(\w+),\s+(?:true|false),', f.read())
        self.assertGreater(len(rows), 10)
        documented = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
        self.assertEqual(documented, {(method, path) for method, path, _, _ in rows})
        for method, path, action, body_max in rows:
            operation = DOCUMENT["paths"][path][method.lower()]
            with self.subTest(f"{method} {path}"):
                self.assertEqual(any("bearer" in s for s in operation.get("security", [])),
                                 action not in ("READ_PUBLIC", "READ_TILES", "WITNESS"))
                self.assertEqual("requestBody" in operation, body_max != "0")
                self.assertEqual("401" in operation["responses"], action not in ("READ_PUBLIC", "READ_TILES", "WITNESS"))

    def test_evidence_codes_are_those_of_the_verifier_and_the_policies(self):
        with open(os.path.join(ROOT, "src/attest/attest.h"), encoding="utf-8") as f:
            codes = set(re.findall(r'^    X\([A-Z_]+, "(\w+)"\)', f.read(), re.M)) - {"ok"}
        with open(os.path.join(ROOT, "src/policy/appraisal.c"), encoding="utf-8") as f:
            codes |= set(re.findall(r'deny\(c->denial, "(\w+)"', f.read()))
        with open(os.path.join(ROOT, "src/policy/checks_events.c"), encoding="utf-8") as f:
            codes |= set(re.findall(r'deny_log\(c, "(\w+)"', f.read()))
        with open(os.path.join(ROOT, "src/policy/fields.h"), encoding="utf-8") as f:
            codes |= set(re.findall(r', \w+, "(\w+)", (?:NULL|"[^"]*"), \w+, ', f.read()))
        with open(os.path.join(ROOT, "src/service/explain.c"), encoding="utf-8") as f:
            codes |= set(re.findall(r'denial->code = "(\w+)"', f.read()))
        codes |= {"no_policy", "tee_type_mismatch"}
        self.assertEqual(set(DOCUMENT["components"]["schemas"]["EvidenceCode"]["enum"]), codes)

    def test_operations_of_entries_are_those_that_are_written(self):
        written = set()
        for name in glob.glob(os.path.join(ROOT, "src/daemon/*.c")) + [
                os.path.join(ROOT, f"src/{f}.c") for f in ("server/server", "server/archiver", "service/witnessing")]:
            with open(name, encoding="utf-8") as f:
                written |= set(re.findall(r'SPAN_LITERAL\("([a-z-]+)"\)', f.read()))
        self.assertLessEqual({"start", "cosign", "new-anchor", "archived"}, written)
        documented = set(DOCUMENT["components"]["schemas"]["LogEntry"]["properties"]["op"]["enum"])
        self.assertEqual(written - documented, set())

    def test_gate_codes_are_those_of_the_parser(self):
        codes = set()
        for name in glob.glob(os.path.join(ROOT, "src/net/*.c")):
            with open(name, encoding="utf-8") as f:
                codes |= set(re.findall(r'[45]\d\d,\s+"([a-z_]+)"', f.read()))
        self.assertEqual(set(DOCUMENT["components"]["schemas"]["GateError"]["properties"]["code"]["enum"]), codes)

    def test_every_refusal_of_an_operation_has_a_sentence_and_is_documented(self):
        code = ""
        for name in glob.glob(os.path.join(ROOT, "src/service/*.c")) + [
                os.path.join(ROOT, "src/auth/session.c"), os.path.join(ROOT, "src/policy/authorize.c")]:
            with open(name, encoding="utf-8") as f:
                code += f.read()
        given = set(re.findall(r'refusal_set(?:_hint)?\([^;"]*"(\w+)"', code))
        given |= set(re.findall(r'deny\([^,]+, ERR_\w+, "(\w+)"', code))
        given |= set(re.findall(r'return refuse\(ERR_\w+, code, "(\w+)"', code))
        given |= set(re.findall(r'e == ERR_\w+ \? "(\w+)" : "\w+"', code)) | {"nonce_unknown", "session_invalid"}
        given |= set(re.findall(r'row->administers \? "(\w+)" : "\w+"', code)) | {"role_not_allowed"}
        self.assertGreater(len(given), 25)
        with open(os.path.join(ROOT, "src/server/render_refusal.c"), encoding="utf-8") as f:
            sentences = set(re.findall(r'^    \{"(\w+)",', f.read(), re.M))
        self.assertEqual(given - sentences, set(), "without a sentence")
        self.assertEqual(sentences - given - {"report_data_mismatch"}, set(), "given by no operation")
        with open(os.path.join(ROOT, "docs/openapi.yaml"), encoding="utf-8") as f:
            words = set(re.findall(r"\w+", f.read()))
        self.assertEqual(sentences - words, set(), "not documented")

    def test_every_reference_leads_somewhere(self):
        with open(os.path.join(ROOT, "docs/openapi.yaml"), encoding="utf-8") as f:
            for reference in re.findall(r"'(#/[^']+)'", f.read()):
                resolve({"$ref": reference})

    def test_examples_follow_their_schemas(self):
        checked = 0
        for path, item in DOCUMENT["paths"].items():
            for method, operation in item.items():
                media = [resolve(r).get("content", {}) for r in operation["responses"].values()]
                media.append(operation.get("requestBody", {}).get("content", {}))
                for content in media:
                    for entry in content.values():
                        for name, example in entry.get("examples", {}).items():
                            with self.subTest(f"{method} {path} {name}"):
                                validate(example["value"], entry["schema"])
                            checked += 1
        self.assertGreater(checked, 10)


class Collected:
    """Replies of the real daemon, with the operation that gave each."""

    def __init__(self):
        self.replies = []

    def add(self, method, target, reply):
        self.replies.append((method, target.split("?")[0], reply))
        return reply

    def request(self, keystore, method, target, **options):
        return self.add(method, target, keystore.request(method, target, **options))


def raw(keystore, data, wait_s=10):
    """Sends bytes as they are; the reply as (status, headers, body)."""
    with socket.create_connection(("127.0.0.1", keystore.port), timeout=wait_s) as s:
        s.sendall(data)
        received = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return harness.Reply(int(lines[0].split(" ")[1]), headers, body)


def public_routes(c, k):
    for path in ("/health", "/pubkey", "/v1/log/checkpoint", "/v1/log/key", "/healthz", "/readyz", "/metrics",
                 "/openapi.json", "/v1/pubkey"):
        c.request(k, "GET", path)
        c.request(k, "GET", path, body=b"x")
    seed = urllib.parse.quote(SEED, safe="")
    for query in (f"?seed={seed}", "?repo=https://github.com/alice/project.git&owner=alice.near&branch=main"):
        c.request(k, "GET", "/pubkey" + query)
        c.request(k, "GET", "/v1/pubkey" + query + "&nonce=" + "ab" * 32)
    for query in ("?seed=", "?seed=a&seed=b", "?repo=x", "?repo=a:b&owner=alice.near"):
        c.request(k, "GET", "/pubkey" + query)
        c.request(k, "GET", "/v1/pubkey" + query)
    for nonce in ("a", "xy", "ab" * 65):
        c.request(k, "GET", "/v1/pubkey?nonce=" + nonce)
    c.request(k, "GET", "/v1/attestation?nonce=" + "ab" * 16)
    c.request(k, "GET", "/v1/attestation?nonce=" + "ab" * 15)
    c.request(k, "GET", "/v1/attestation")
    for body in ({"seed": SEED, "secrets_json": '{"FOO":"bar"}'}, {"seed": SEED}, {"seed": "", "secrets_json": "{}"},
                 {"seed": SEED, "secrets_json": "[]"}, {"seed": SEED, "secrets_json": '{"NEAR_SENDER_ID":"x"}'},
                 {"seed": SEED, "secrets_json": '{"PROTECTED_A":"x"}'}):
        c.request(k, "POST", "/pubkey", body=body)
    c.request(k, "POST", "/pubkey", body=b"{", headers=JSON)
    c.request(k, "POST", "/pubkey", body=b"{}")
    for _ in range(160):
        reply = k.get("/v1/attestation?nonce=" + "ab" * 16)
        if reply.status == 429:
            c.add("GET", "/v1/attestation", reply)
            break


def request_with_room(c, k, target):
    """Requests until the limit on costly requests has room; the refusals before are not collected."""
    end = time.monotonic() + 20
    reply = k.get(target)
    while reply.status == 429 and time.monotonic() < end:
        time.sleep(0.05)
        reply = k.get(target)
    c.add("GET", target, reply)


def log_routes(c, k, request_id):
    for path in ("/v1/log/entries", "/v1/log/receipt", "/v1/explain", "/v1/status", "/v1/collateral",
                 "/v1/collateral/item"):
        c.request(k, "GET", path)
        c.request(k, "GET", path, token="nonsense")
        c.request(k, "GET", path, token="operator", body=b"x")
    for path in ("/v1/log/entries", "/v1/explain", "/v1/status"):
        c.request(k, "GET", path, token="worker")
    c.request(k, "GET", "/v1/status", token="operator")
    held = c.request(k, "GET", "/v1/collateral", token="auditor").json()["items"]
    for query in ("?name=" + held[0]["name"], "?name=amd-milan", "?name=../x", ""):
        c.request(k, "GET", "/v1/collateral/item" + query, token="auditor")
    for query in ("?start=0", "?start=0&count=1", "?start=999999", "?start=01", "?count=1", "?start=-1"):
        c.request(k, "GET", "/v1/log/entries" + query, token="auditor")
    for path in ("/v1/log/receipt", "/v1/explain"):
        for query in (f"?request_id={request_id}", "?request_id=x", "",
                      "?request_id=01935555-0000-7000-8000-000000000000"):
            c.request(k, "GET", path + query, token="operator")
    c.request(k, "GET", f"/v1/log/receipt?request_id={request_id}", token="worker1")
    for query in ("?index=0&size=1", "?index=1&size=3", "?index=5&size=3", "?index=0", "?index=0&size=99999999"):
        request_with_room(c, k, "/v1/log/inclusion" + query)
    for query in ("?from=1&to=3", "?from=0&to=1", "?from=1", "?from=1&to=99999999"):
        request_with_room(c, k, "/v1/log/consistency" + query)


def gate(c, k):
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    post = b"POST /decrypt HTTP/1.1\r\nHost: x\r\n"
    for data in (b"GET\r\n\r\n", b"GET /healthz HTTP/2.0\r\n\r\n", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
                 head + b"A : b\r\n\r\n", head + b"A: " + b"b" * 20000 + b"\r\n\r\n", head + b"A: b\r\n" * 70 + b"\r\n",
                 head + b"Host: y\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n",
                 b"GET http://other.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET http://y/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                 head + b"Transfer-Encoding: chunked\r\n\r\n", head + b"Expect: more\r\n\r\n"):
        c.add("GET", "/healthz", raw(k, data))
    c.add("POST", "/decrypt", raw(k, post + b"Content-Length: 9999999999\r\n\r\n"))
    c.add("POST", "/decrypt", raw(k, post + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n"))


def lesser_operator(k):
    """One without may_administer, and of a tenant."""
    k.tokens["lesser"] = os.urandom(16).hex()
    with open(k.config, encoding="utf-8") as f:
        config = json.load(f)
    config["tokens"].append({"name": "lesser", "role": "operator", "tenant": "acme",
                             "sha256": hashlib.sha256(k.tokens["lesser"].encode()).hexdigest()})
    with open(k.config, "w", encoding="utf-8") as f:
        json.dump(config, f)


def policy_routes(c, k):
    for token, body in ((None, {}), ("worker", {}), ("operator", {}), ("operator", "x")):
        c.add("POST", "/v1/reseal", k.post("/v1/reseal", body, token=token))
    listing, path = "/v1/policies", "/v1/policies/{policy}/reference-values"
    for token, body in ((None, None), ("worker", None), ("operator", b"x"), ("operator", None)):
        c.request(k, "GET", listing, token=token, body=body)

    def add(value, field="mrenclave", policy="worker", token="operator", **more):
        body = more.pop("body", {"field": field, "value": value})
        c.add("POST", path, k.post(path.format(policy=policy), body, token=token, **more))

    def remove(query, policy="worker", token="operator", body=None):
        c.add("DELETE", path, k.request("DELETE", path.format(policy=policy) + query, body, token=token))

    add("ab" * 32)
    add("ab" * 32)
    c.request(k, "GET", listing, token="operator")
    for value, field, policy in (("ab", "mrenclave", "worker"), ("ab" * 48, "mrtd", "worker"), ("ab" * 32, "mrenclave", "x")):
        add(value, field, policy)
    for body in (b"{", b"{}"):
        add("", body=body, headers=JSON)
    add("", body=b"{}")
    for token in (None, "worker", "lesser"):
        add("ab" * 32, token=token)
        remove("?field=mrenclave&value=" + "ab" * 32, token=token)
    for i in range(32):
        add(f"{i:02x}" * 31 + "ff")
    for query in ("?field=mrenclave&value=" + "ab" * 32, "?field=mrenclave&value=" + "ab" * 32, "", "?field=mrenclave&value=x",
                  "?field=mrenclave&value=" + MRENCLAVE):
        remove(query)
    remove("?field=mrenclave&value=" + "ab" * 32, policy="x")
    remove("?field=mrenclave&value=" + "ab" * 32, body=b"x")
    for i in range(31):
        remove(f"?field=mrenclave&value={i:02x}" + f"{i:02x}" * 30 + "ff")


def explain_routes(c, k, quote):
    path, text = "/v1/attest/explain", base64.b64encode(quote).decode()
    good = {"tee_type": "simulated", "quote": text}
    for body in (good, {**good, "tee_type": "sgx"}, {**good, "policy": "worker"}, {**good, "policy": "none"},
                 {**good, "quote": "AwACAA=="}, {**good, "nonce": "00" * 32, "public_key": "00" * 32}, {}):
        c.request(k, "POST", path, body=body, token="worker")
    c.request(k, "POST", path, body=b"{", token="worker", headers=JSON)
    c.request(k, "POST", path, body=b"{}", token="worker")
    c.request(k, "POST", path, body={})
    c.request(k, "POST", path, body={}, token="auditor")


def attest_routes(c, k):
    worker = Worker(k)
    c.request(k, "POST", "/v1/attest/challenge", token="worker")
    c.request(k, "POST", "/v1/attest/challenge")
    c.request(k, "POST", "/v1/attest/challenge", token="auditor")
    nonce = worker.challenge()
    quote = worker.evidence(nonce)
    c.add("POST", "/v1/attest", worker.attest_with(nonce, quote, tee_type="sgx"))
    c.add("POST", "/v1/attest", worker.attest_with(nonce, quote))
    c.add("POST", "/v1/attest", worker.attest_with(worker.challenge(), quote))
    for blob in (b"", b"\x00" * 500, quote + b"x", quote + b"\0" * 70000, b"\x04" + quote[1:],
                 quote[:2] + b"\x09" + quote[3:], quote[:60] + b"\xff" + quote[61:], quote[:4] + b"\x81" + quote[5:]):
        c.add("POST", "/v1/attest", worker.attest_with(worker.challenge(), blob))
    c.add("POST", "/v1/attest", Worker(k, debug=True).attest())
    c.add("POST", "/v1/attest", Worker(k, mrenclave="33" * 32).attest())
    c.add("POST", "/v1/attest", worker.attest())
    for body in (b"{", b"{}", b'{"nonce":"","tee_type":"sgx","quote":"","public_key":""}'):
        c.request(k, "POST", "/v1/attest", body=body, token="worker", headers=JSON)
    c.request(k, "POST", "/v1/attest", body=b"{}", token="worker")
    c.request(k, "POST", "/v1/attest", body={})
    c.request(k, "POST", "/v1/attest", body={}, token="auditor")
    explain_routes(c, k, quote)
    for _ in range(1030):
        reply = k.post("/v1/attest/challenge", token="worker1")
        if reply.status == 429:
            c.add("POST", "/v1/attest/challenge", reply)
            break
    return worker


def decrypt_route(c, k, worker):
    envelope = ecies_seal(k.pubkey(SEED), SECRET)

    def decrypt(blob=envelope, **members):
        return c.add("POST", "/decrypt", worker.decrypt(blob, **members))

    good = decrypt(seed=SEED)
    decrypt(seed=SEED, seal=True)
    decrypt(seed=SEED, receipt=True)
    decrypt(seed=SEED, seal=True, receipt=True)
    decrypt(seed="github.com/alice/other:alice.near")
    decrypt(seed="github.com/bob/x:bob.near")
    decrypt(b"\x07" * 40, seed=SEED)
    decrypt(b"\x01" + bytes(10), seed=SEED)
    decrypt(seed="")
    decrypt(seed=SEED, repo="x")
    c.request(k, "POST", "/decrypt", body=b"{", token="worker", headers=JSON)
    c.request(k, "POST", "/decrypt", body={}, token="worker")
    c.request(k, "POST", "/decrypt", body={"encrypted_secrets": "*"}, token="worker")
    c.request(k, "POST", "/decrypt", body=b"{}", token="worker")
    c.request(k, "POST", "/decrypt", body={}, token="nonsense")
    c.request(k, "POST", "/decrypt", body={}, token="auditor")
    c.add("POST", "/decrypt", worker.decrypt(envelope, seed=SEED, token="worker1"))
    other = Worker(k)
    c.add("POST", "/decrypt", other.decrypt(envelope, seed=SEED))
    for timestamp in (int(time.time()) - 400, int(time.time()) + 100):
        c.add("POST", "/decrypt", other.decrypt(envelope, seed=SEED, attestation=other.inline(timestamp)))
    evidence = other.inline()
    for _ in range(2):  # the second time it is a replay
        c.add("POST", "/decrypt", other.decrypt(envelope, seed=SEED, attestation=evidence))
    c.add("POST", "/decrypt", other.decrypt(envelope, seed=SEED, attestation=other.inline(with_key=False)))
    keyless = other.inline(task_id="1", with_key=False)
    c.add("POST", "/decrypt", other.decrypt(envelope, seed=SEED, task_id="1", attestation=keyless))
    c.add("POST", "/decrypt", other.decrypt(envelope, seed=SEED, task_id="1", attestation=other.inline()))
    c.add("POST", "/decrypt", other.decrypt(envelope, seed=SEED, seal=True, task_id="1",
                                              attestation=other.inline(task_id="1", with_key=False)))
    zero = Worker(k)
    zero.key = type("Zero", (), {"public_key": lambda _: type("P", (), {
        "public_bytes": lambda *_: bytes(32)})()})()
    c.add("POST", "/decrypt", zero.decrypt(envelope, seed=SEED, seal=True, attestation=zero.inline()))
    clear = Worker(k, mrenclave="44" * 32)
    c.add("POST", "/v1/attest", clear.attest())
    c.add("POST", "/decrypt", clear.decrypt(envelope, seed=SEED))
    c.add("POST", "/decrypt", clear.decrypt(envelope, seed=SEED, seal=True, receipt=True))
    worker.session = worker.session[:-1]
    decrypt(seed=SEED)
    return good.request_id


POLICY = {"name": "worker", "tee": "simulated", "mrenclave": [MRENCLAVE], "seeds": ["github.com/alice/*"]}
CLEAR = {"name": "clear", "tee": "simulated", "mrenclave": ["44" * 32], "allow_plain": True}
SIGNER = {"name": "signer", "tee": "simulated", "mrsigner": MRSIGNER, "isvprodid": 0, "min_isvsvn": 0}
APPRAISALS = [  # policies, options of the collateral
    ([], ()),
    ([{"name": "sgx", "tee": "sgx", "mrenclave": [MRENCLAVE]}], ()),
    ([{"name": "other", "tee": "simulated", "mrenclave": [MRENCLAVE], "tokens": ["auditor"]}], ()),
    ([{**SIGNER, "mrsigner": "55" * 32}], ()),
    ([{**SIGNER, "isvprodid": 65535}], ()),
    ([{**SIGNER, "min_isvsvn": 65535}], ()),
    ([{**POLICY, "min_tcb_evaluation_number": 4000000000}], ()),
    ([POLICY], ("--status", "OutOfDate")),
    ([{**POLICY, "tcb_status": ["SWHardeningNeeded"], "advisories": []}],
     ("--status", "SWHardeningNeeded", "--advisory", "INTEL-SA-00615")),
    ([POLICY], ("--revoke-pck",)),
    ([POLICY], ("--issued-before", "7200", "--lifetime", "3600")),
]


def appraisals(c, platform):
    for policies, collateral in APPRAISALS:
        with Keystore(policies=policies, platform=platform, collateral_options=collateral) as k:
            c.add("POST", "/v1/attest", Worker(k).attest())


def elsewhere(c, k):
    platform = Platform(os.path.join(k.dir, "elsewhere"))
    c.add("POST", "/v1/attest", Worker(k, platform=platform).attest())


def limits(c, platform):
    settings = {"server.body_max": 16777216, "server.head_timeout_ms": 200, "server.request_timeout_ms": 1000,
                "rate.per_token_per_second": 1, "rate.per_token_burst": 4}
    with Keystore(platform=platform, settings=settings, policies=[POLICY]) as k:
        worker = Worker(k)
        worker.attest()
        c.add("POST", "/decrypt", worker.decrypt(b"\x01" * (10 * 1024 * 1024 + 1), seed=SEED))
        for method, path, token in (("POST", "/decrypt", "worker"), ("POST", "/v1/attest", "worker"),
                                    ("POST", "/v1/attest/challenge", "worker"),
                                    ("GET", "/v1/status", "operator"), ("GET", "/v1/explain", "operator"),
                                    ("GET", "/v1/log/entries", "auditor"), ("GET", "/v1/log/receipt", "auditor")):
            for _ in range(6):
                reply = k.request(method, path, body={} if method == "POST" else None, token=token)
            c.add(method, path, reply)
        c.add("GET", "/healthz", raw(k, b"GET /healthz HTTP/1.1\r\nHos"))
        c.add("POST", "/pubkey", raw(k, b"POST /pubkey HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                        b"Content-Length: 5\r\n\r\n{"))


def full_disk(c, platform):
    """Files may not grow beyond a size: as when the disk is full."""
    with Keystore(platform=platform, policies=[POLICY], wrapper=("prlimit", "--fsize=400000:400000")) as k:
        worker = Worker(k)
        worker.attest()
        envelope = ecies_seal(k.pubkey(SEED), SECRET)
        for _ in range(400):
            reply = worker.decrypt(envelope, seed=SEED)
            if reply.status != 200:
                break
        c.add("POST", "/decrypt", reply)


def changed_policy(c, platform):
    k = Keystore(platform=platform, policies=[POLICY])
    try:
        k.init().start()
        worker = Worker(k)
        worker.attest()
        k.stop()
        with open(k.config, encoding="utf-8") as f:
            config = json.load(f)
        config["attestation"]["policies"].append(CLEAR)
        with open(k.config, "w", encoding="utf-8") as f:
            json.dump(config, f)
        k.start()
        c.add("POST", "/decrypt", worker.decrypt(ecies_seal(k.pubkey(SEED), SECRET), seed=SEED))
    finally:
        k.close()


def without_evidence(c, platform):
    """A keystore that only seals, to a TPM."""
    port = harness.free_port(2)  # swtpm's client finds the control channel at the next port
    k = Keystore(platform=platform, policies=[POLICY], settings={
        "tee.provider": "tpm2", "tee.tpm2_tcti": f"swtpm:host=127.0.0.1,port={port}"})
    tpm = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={k.dir}", "--server",
                            f"type=tcp,port={port},disconnect", "--ctrl", f"type=tcp,port={port + 1}",
                            "--flags", "not-need-init,startup-clear"])
    try:
        harness.wait_for_port(port + 1)
        k.init().start()
        c.request(k, "GET", "/health")
        c.request(k, "GET", "/v1/status", token="operator")
        c.request(k, "GET", "/v1/attestation?nonce=" + "ab" * 16)
        for body in ({}, {"pcrs": None}, {"pcrs": "7=" + "00" * 32}, {"pcrs": "7"}, {"pcrs": 7}, {"x": 1}):
            c.add("POST", "/v1/reseal", k.post("/v1/reseal", body, token="operator"))
        c.request(k, "GET", "/v1/status", token="operator")
        c.request(k, "GET", "/readyz")
        tpm.terminate()
        tpm.wait()
        c.add("POST", "/v1/reseal", k.post("/v1/reseal", {}, token="operator"))
    finally:
        k.close()
        tpm.terminate()
        tpm.wait()


def ra_tls(c, platform):
    """Evidence in a client's certificate: no certificate, one without, and a good one."""
    with Keystore(tls=True, platform=platform, policies=[{**POLICY, "report_data": ["ra-tls"]}],
                  settings={"tls.client_evidence": True}) as k:
        def gramine(spki):
            return [(GRAMINE, platform.quote(spki + bytes(32)))]
        for make in (lambda: k, lambda: Client(k), lambda: Client(k, gramine)):
            client = make()
            body = {"ra_tls": True, "tee_type": "simulated", "public_key": raw_public(Worker(k).key).hex()}
            connection = client.connection()
            c.add("POST", "/v1/attest", k.post("/v1/attest", body, token="worker", connection=connection))
            connection.close()


def refused_checkpoints(log):
    """Requests to a witness that has cosigned 20 entries, and refuses these."""
    fork = Tree(log.origin, [b"other %d" % i for i in range(40)])
    fork.key = log.key
    return (fork.request(20, 20), log.request(19, 30), log.request(20, 30, proof=[]), log.request(31, 30, proof=[]),
            Tree("unknown.example/log", log.entries).request(0, 5),
            log.request(20, 30, key=Tree("x").key), b"")


def log_for_others(c, plain, platform):
    """A keystore that is a witness, and has an archive; and one that has neither."""
    log = Tree("other.example/log", [b"entry %d" % i for i in range(40)])
    with tempfile.TemporaryDirectory() as archive, \
            Keystore(platform=platform, policies=[POLICY], settings={
                "witness.serve": True, "witness.logs": [log.vkey], "log.archive_to": archive}) as k:
        for keystore in (plain, k):
            c.request(keystore, "GET", "/v1/witness")
            c.request(keystore, "POST", "/add-checkpoint", body=log.request(0, 20))
            c.request(keystore, "GET", "/checkpoint")
        c.request(plain, "GET", "/v1/log/checkpoint?cosigned=true")
        for body in refused_checkpoints(log):
            c.request(k, "POST", "/add-checkpoint", body=body)
        grow(k, 600)
        for tile in ("0/000", "0/002.p/17", "0/999", "x"):
            c.add("GET", "/tile/{path}", k.get("/tile/" + tile))
        for token in (None, "worker", "auditor"):
            c.add("GET", "/tile/entries/{path}", k.get("/tile/entries/000", token=token))
        c.add("GET", "/tile/entries/{path}", k.get("/tile/entries/999", token="auditor"))
        for token in (None, "worker", "operator"):
            c.request(k, "GET", "/v1/log/archive", token=token)
        c.request(plain, "POST", "/v1/log/archive", body={}, token="operator")
        for body in ({"directory": "/elsewhere"}, {"older_than_days": -1}, {"older_than_days": 0}):
            c.request(k, "POST", "/v1/log/archive", body=body, token="operator")
        wait_until(lambda: k.get("/v1/log/archive", token="operator").json()["archived"] > 0, "archived")
        for name in os.listdir(archive):
            os.rename(os.path.join(archive, name), os.path.join(archive, name + ".away"))
        c.request(k, "GET", "/v1/log/entries?start=0&count=1", token="auditor")


class Replies(unittest.TestCase):
    """What the daemon really says, held against the document."""

    @classmethod
    def setUpClass(cls):
        cls.collected = c = Collected()
        cls.keystore = k = Keystore(workers=2, policies=[POLICY, CLEAR])
        cls.addClassCleanup(k.close)
        lesser_operator(k)
        k.init().start()
        worker = attest_routes(c, k)
        request_id = decrypt_route(c, k, worker)
        public_routes(c, k)
        policy_routes(c, k)
        log_routes(c, k, request_id)
        gate(c, k)
        elsewhere(c, k)
        appraisals(c, k.platform)
        limits(c, k.platform)
        full_disk(c, k.platform)
        changed_policy(c, k.platform)
        ra_tls(c, k.platform)
        log_for_others(c, k, k.platform)
        cls.has_swtpm = shutil.which("swtpm") is not None
        if cls.has_swtpm:
            without_evidence(c, k.platform)

    def test_the_document_served_is_the_document(self):
        self.assertEqual(self.keystore.get("/openapi.json").json(), DOCUMENT)

    def test_every_reply_follows_its_schema(self):
        for method, path, reply in self.collected.replies:
            declared = DOCUMENT["paths"][path][method.lower()]["responses"]
            with self.subTest(f"{method} {path} {reply.status} {reply.body[:120]}"):
                response = resolve(declared.get(str(reply.status)) or declared["default"])
                kind = reply.headers["Content-Type"].split(";")[0]
                schema = response["content"][kind]["schema"]
                validate(reply.json() if kind == "application/json" else reply.body.decode("latin-1"), schema)
                if reply.status == 429:
                    self.assertRegex(reply.headers["Retry-After"], "^[1-9][0-9]*$")
                if reply.status >= 400 and kind == "application/json":
                    self.assertEqual(reply.json()["request_id"], reply.headers["X-Request-Id"])
                if not (path.startswith("/tile/") and reply.status == 200):  # which never change
                    self.assertEqual(reply.headers["Cache-Control"], "no-store")

    def test_entries_of_the_log_follow_their_schema(self):
        lines = self.keystore.get("/v1/log/entries?start=0", token="auditor").body.splitlines()
        self.assertGreater(len(lines), 20)
        for line in lines:
            validate(json.loads(line), {"$ref": "#/components/schemas/LogEntry"})
        tenants = {(e["principal"], e.get("tenant"), e["v"]) for e in map(json.loads, lines)}
        self.assertIn(("lesser", "acme", 2), tenants)
        self.assertIn(("worker", None, 1), tenants)

    def test_every_operation_succeeded_once(self):
        done = {(path, method) for method, path, reply in self.collected.replies if reply.status == 200}
        if not self.has_swtpm:
            done.add(("/v1/reseal", "POST"))
        self.assertEqual(done, {(path, method) for path, method, _, _ in responses()})

    def test_every_code_was_given(self):
        seen = set()
        for _, _, reply in self.collected.replies:
            if reply.status >= 400 and reply.headers["Content-Type"] == "application/json":
                seen.add(reply.json()["code"])
        documented = set()
        for _, _, _, response in responses():
            for media in response.get("content", {}).values():
                codes_of(media["schema"], documented)
        expected = documented - set(NOT_PROVOKED)
        if not self.has_swtpm:
            expected -= {"no_evidence", "bad_pcrs", "reseal_failed"}
        self.assertEqual(expected - seen, set(), "documented, not provoked")
        self.assertEqual(seen - documented, set(), "given, not documented")
        self.assertEqual(set(NOT_PROVOKED) - documented, set(), "not documented")

    def test_unknown_paths_and_methods(self):
        reply = self.keystore.get("/nowhere")
        self.assertEqual(reply.status, 404)
        validate(reply.json(), DOCUMENT["components"]["responses"]["NoSuchPath"]["content"]["application/json"]["schema"])
        for path, item in DOCUMENT["paths"].items():
            reply = self.keystore.request("PUT", path)
            self.assertEqual(reply.status, 405, path)
            allowed = {m.upper() for m in item} | ({"HEAD"} if "get" in item else set())
            self.assertEqual(set(reply.headers["Allow"].split(", ")), allowed)
            validate(reply.json(),
                     DOCUMENT["components"]["responses"]["MethodNotAllowed"]["content"]["application/json"]["schema"])

    def test_head_is_get_without_the_body(self):
        for path in ("/health", "/v1/log/key", "/readyz"):
            reply = self.keystore.request("HEAD", path)
            self.assertEqual((reply.status, reply.body), (200, b""))
            self.assertEqual(reply.headers["Content-Length"], str(len(self.keystore.get(path).body)))


class Edges(unittest.TestCase):
    """Where a value just beyond its limit must be refused as any other bad one is."""

    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore()
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.code), (status, code), reply.body)

    def test_seeds_of_1024_bytes_are_the_longest(self):
        for path in ("/pubkey", "/v1/pubkey"):
            self.assertEqual(self.keystore.get(f"{path}?seed={'a' * 1024}").status, 200)
            self.refused(self.keystore.get(f"{path}?seed={'a' * 1025}"), 400, "bad_key")
            self.refused(self.keystore.get(f"{path}?seed={'a' * 1026}"), 400, "bad_key")

    def test_numbers_that_do_not_fit_are_not_cut(self):
        for size in (2**64 + 1, 10**19 + 1, 10**20, 10**30):
            self.refused(self.keystore.get(f"/v1/log/inclusion?index=0&size={size}"), 400, "bad_query")

    def test_request_ids_of_another_variant_are_bad_queries(self):
        for path in ("/v1/explain", "/v1/log/receipt"):
            self.refused(self.keystore.get(f"{path}?request_id=01935555-0000-7000-0000-000000000000",
                                           token="operator"), 400, "bad_query")

    def test_protected_names_are_refused_however_long(self):
        for size in (1, 240, 246, 247, 300, 5000):
            secrets = json.dumps({"PROTECTED_" + "A" * size: "x"})
            self.refused(self.keystore.post("/pubkey", {"seed": SEED, "secrets_json": secrets}), 400, "protected_name")


class Bodies(unittest.TestCase):
    """A body is refused for its form exactly when the document says so."""

    FORM = {"bad_json", "bad_field", "bad_base64", "bad_key", "bad_value"}
    QUOTE = base64.b64encode(b"\x03\x00\x02\x00" + bytes(40)).decode()
    OTHERS = (None, True, 7, 7.5, "", "0", "zz", "AAA", "AAB=", "A" * 65, [], {}, [1], "0A" * 32, "0a" * 33, "\u0000")

    @classmethod
    def setUpClass(cls):
        cls.keystore = Keystore()
        cls.addClassCleanup(cls.keystore.close)
        cls.keystore.init().start()

    def agrees(self, path, body, left_out=()):
        template = "/v1/policies/{policy}/reference-values" if "policies" in path else path
        schema = DOCUMENT["paths"][template]["post"]["requestBody"]["content"]["application/json"]["schema"]
        try:
            validate(body, schema)
            valid = True
        except jsonschema.ValidationError:
            valid = False
        token = "operator" if "policies" in path else "worker"
        reply = self.keystore.post(path, body, token=token)
        refused = reply.status == 400 and reply.code in self.FORM
        self.assertEqual(not refused, valid, f"{path} {json.dumps(body)[:300]}: {reply.status} {reply.body[:200]}")

    def members(self, path, good, names):
        self.agrees(path, good)
        self.agrees(path, {**good, "unknown": 1})
        for name in names:
            self.agrees(path, {k: v for k, v in good.items() if k != name})
            for value in self.OTHERS:
                with self.subTest(path=path, name=name, value=value):
                    self.agrees(path, {**good, name: value})

    def test_of_explain(self):
        good = {"tee_type": "sgx", "quote": self.QUOTE, "nonce": "00" * 32, "public_key": "Aa" * 32,
                "certificates": "AAAA", "event_log": []}
        self.members("/v1/attest/explain", good,
                     ("tee_type", "quote", "nonce", "public_key", "certificates", "event_log", "policy"))
        self.agrees("/v1/attest/explain", {**good, "certificates": base64.b64encode(bytes(65539)).decode()})

    def test_of_attest(self):
        good = {"tee_type": "tdx", "quote": self.QUOTE, "nonce": "00" * 32, "public_key": "aA" * 32}
        self.members("/v1/attest", good, ("tee_type", "quote", "nonce", "public_key", "certificates", "event_log"))
        for more in ({"ra_tls": True}, {"ra_tls": False}, {"ra_tls": None}, {"ra_tls": "true"}):
            self.agrees("/v1/attest", {**good, **more})
            self.agrees("/v1/attest", {"tee_type": "tdx", "public_key": "aA" * 32, **more})

    def test_of_reference_values(self):
        path = "/v1/policies/worker/reference-values"
        self.members(path, {"field": "mrenclave", "value": "77" * 32}, ("field",))
        for value in ("77" * 32, "", "7", "zz" * 32, "7G", "00" * 65, None, 7, [], True):
            with self.subTest(value=value):
                # a size that is not the field's is `bad_value`, too; the document cannot say so
                self.agrees(path, {"field": "mrenclave", "value": value})

    def test_of_decrypt(self):
        good = {"encrypted_secrets": "AAAA"}
        self.members("/decrypt", good, ("encrypted_secrets", "task_id", "seal", "receipt", "attestation"))
        self.agrees("/decrypt", {**good, "seed": None, "repo": None, "owner": None, "profile": None,
                                 "accessor": None, "branch": None, "attestation": None, "task_id": None,
                                 "seal": None, "receipt": None})


class FullDisk(unittest.TestCase):
    def test_not_ready_while_the_log_cannot_be_written(self):
        with Keystore(policies=[POLICY], wrapper=("prlimit", "--fsize=400000:400000")) as k:
            worker = Worker(k)
            worker.attest()
            envelope = ecies_seal(k.pubkey(SEED), SECRET)
            for _ in range(400):
                if worker.decrypt(envelope, seed=SEED).status == 503:
                    break
            reply = k.get("/readyz")
            self.assertEqual(reply.status, 503)


if __name__ == "__main__":
    unittest.main()
