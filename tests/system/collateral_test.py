"""Collateral from sources: fetched in the background, verified, kept, switched under load, and missed with a code
that says so. The vendors are tests/system/vendors.py; the daemon and its evidence are real."""
import base64
import datetime
import email.utils
import json
import os
import re
import signal
import tempfile
import threading
import time
import unittest

from harness import ROOT, Keystore, Platform, Worker, command, ecies_seal
from vendors import Vendors, wait_for

VECTORS = os.environ.get("VOUCHSAFE_VECTORS", os.path.join(os.path.dirname(ROOT), "shared", "vectors"))
INTEL_VECTORS = os.path.join(VECTORS, "attestation", "collateral", "intel")
FAST = {"collateral.backoff_s": 1, "collateral.backoff_max_s": 1, "collateral.reread_s": 1}
# Both say that what is held is out of its time: which part is looked at first is the verifier's business.
SEED = "github.com/alice/project:alice.near"
EXPIRED = ("collateral_expired", "crl_time")


def source(vendors, **more):
    return {"type": "pcs", "name": "vendor", "url": vendors.url, "timeout_ms": 2000, **more}


def keystore(platform, sources, **settings):
    k = Keystore(platform=platform, settings={"attestation.collateral": [], "collateral.sources": sources, **FAST,
                                              **settings})
    return k.init().start()


def metric(k, name):
    for line in k.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.rsplit(" ", 1)[1])
    return None


def fetches(k, result, name="vendor"):
    return metric(k, 'vouchsafe_collateral_fetches_total{source="%s",result="%s"}' % (name, result))


def items(k):
    reply = k.get("/v1/collateral", token="auditor")
    assert reply.status == 200, reply.body
    return {u["name"]: u for u in reply.json()["items"]}


def changes(k):
    entries = []
    while True:
        reply = k.get(f"/v1/log/entries?start={len(entries)}", token="auditor")
        lines = reply.body.splitlines()
        entries += [json.loads(line) for line in lines]
        if not lines:
            return [e["detail"] for e in entries if e["op"] == "collateral"]


def attest_until(worker, status, seconds=20):
    return wait_for(lambda: (lambda r: r if r.status == status else None)(worker.attest()), seconds,
                    f"a reply {status}")


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="vouchsafe-vendors-")
        self.addCleanup(self.dir.cleanup)
        self.platform = Platform(os.path.join(self.dir.name, "platform"))

    def bundle(self, *options):
        with open(self.platform.collateral(os.path.join(self.dir.name, "bundle.json"), *options), "rb") as f:
            return f.read()

    def start(self, *sources, **settings):
        k = keystore(self.platform, list(sources), **settings)
        self.addCleanup(k.close)
        return k

    def vendors(self, *arguments):
        v = Vendors(*arguments)
        self.addCleanup(v.down)
        return v


class Fetching(Case):
    def test_missing_collateral_is_named_fetched_logged_and_kept(self):
        vendors = self.vendors()
        name = vendors.serve(self.bundle())
        k = self.start(source(vendors))
        self.assertEqual(vendors.requests, [], "no evidence needed collateral yet")
        worker = Worker(k)
        reply = worker.attest()
        self.assertEqual((reply.status, reply.code), (401, "collateral_missing"), reply.body)
        self.assertGreater(int(reply.headers["Retry-After"]), 0)
        attest_until(worker, 200)
        fmspc = name.split("-")[2]
        self.assertEqual(vendors.requests, [
            f"/sgx/certification/v4/tcb?fmspc={fmspc.upper()}", "/sgx/certification/v4/qe/identity",
            "/sgx/certification/v4/pckcrl?ca=platform&encoding=der", "/IntelSGXRootCA.der"])
        self.assertEqual(items(k)[name]["source"], "vendor")
        added = wait_for(lambda: [c for c in changes(k) if c["change"] == "added"], what="a log entry")
        self.assertEqual((added[0]["name"], added[0]["source"], added[0]["evaluation_number"]), (name, "vendor", 17))
        self.assertEqual(added[0]["sha256"], items(k)[name]["sha256"])
        self.assertEqual(fetches(k, "good"), 1)
        self.assertGreater(metric(k, 'vouchsafe_collateral_expiry_seconds{name="%s"}' % name), 25 * 86400)
        # the cache: no vendor is needed after a restart
        vendors.down()
        self.assertEqual(k.stop(), 0)
        k.start()
        self.assertEqual(Worker(k).attest().status, 200)
        self.assertEqual(items(k)[name]["source"], "cache")
        self.assertIn("held", [c["change"] for c in changes(k)])

    def test_a_cache_that_was_written_by_others_is_not_believed(self):
        vendors = self.vendors()
        name = vendors.serve(self.bundle())
        k = self.start(source(vendors), **{"collateral.prefetch": [name]})
        wait_for(lambda: name in items(k), what="the prefetch")
        k.stop()
        vendors.down()
        path = os.path.join(k.dir, "state", "collateral", name + ".json")
        with open(path, "r+", encoding="ascii") as f:
            document = json.load(f)
            document["tcb_info"] = document["tcb_info"].replace("UpToDate", "Upgraded", 1)
            f.seek(0)
            json.dump(document, f)
            f.truncate()
        k.start()
        self.assertEqual(items(k), {})
        self.assertIn("tcb_info_signature_invalid", k.log())

    def test_the_next_source_is_asked_when_one_fails(self):
        bad, good = self.vendors(), self.vendors()
        name = good.serve(self.bundle())
        bad.faults["/"] = "broken"
        k = self.start(source(bad, name="first"), source(good, type="pccs", name="second"))
        attest_until(Worker(k), 200)
        self.assertEqual(items(k)[name]["source"], "second")
        self.assertEqual((fetches(k, "failed", "first"), fetches(k, "good", "second")), (1, 1))
        self.assertIn("/sgx/certification/v4/rootcacrl", good.requests)

    def test_every_fault_is_survived_and_counted(self):
        vendors = self.vendors()
        name = vendors.serve(self.bundle())
        tcb, crl, qe = "/sgx/certification/v4/tcb", "/sgx/certification/v4/pckcrl", "/sgx/certification/v4/qe"
        cases = [(tcb, "timeout", "failed"), (tcb, "busy", "failed"), (qe, "broken", "failed"),
                 (tcb, "wrong", "refused"), (crl, "wrong", "refused"), (tcb, "flipped", "refused"),
                 (crl, "flipped", "refused"), ("/IntelSGXRootCA.der", "flipped", "refused"),
                 (tcb, "truncated", "failed"), (tcb, "short", "refused"), (qe, "redirect", "failed"),
                 (tcb, "oversize", "refused"), (crl, "headerless", "refused"), (tcb, "drip", "failed")]
        k = self.start(source(vendors, timeout_ms=700))
        worker = Worker(k)
        for path, fault, result in cases:
            with self.subTest(path=path, fault=fault):
                vendors.faults = {path: fault}
                before = fetches(k, result)
                reply = worker.attest()
                self.assertEqual((reply.status, reply.code), (401, "collateral_missing"), reply.body)
                k.process.send_signal(signal.SIGHUP)
                wait_for(lambda: fetches(k, result) > before, 15, fault)
                self.assertEqual(items(k), {})
        self.assertFalse([r for r in vendors.requests if "elsewhere" in r], "a redirect was followed")
        vendors.faults = {}
        k.process.send_signal(signal.SIGHUP)
        attest_until(worker, 200)
        self.assertIn(name, items(k))

    def test_retry_after_is_honoured(self):
        vendors = self.vendors()
        vendors.serve(self.bundle())
        vendors.faults["/"], vendors.retry_after = "busy", 4
        k = self.start(source(vendors))
        worker = Worker(k)
        worker.attest()
        wait_for(lambda: vendors.requests, what="a first request")
        begin, seen = time.monotonic(), len(vendors.requests)
        while time.monotonic() - begin < 3:
            worker.attest()
        self.assertEqual(len(vendors.requests), seen, "asked again before the time")
        vendors.faults.clear()
        attest_until(worker, 200)
        self.assertGreaterEqual(time.monotonic() - begin, 3)

    def test_retry_after_may_be_a_date(self):
        vendors = self.vendors()
        vendors.serve(self.bundle())
        vendors.faults["/"] = "busy"
        vendors.retry_after = email.utils.formatdate(time.time() + 5, usegmt=True)
        k = self.start(source(vendors))
        worker = Worker(k)
        worker.attest()
        wait_for(lambda: vendors.requests, what="a first request")
        begin, seen = time.monotonic(), len(vendors.requests)
        while time.monotonic() - begin < 3:
            worker.attest()
        self.assertEqual(len(vendors.requests), seen, "asked again before the time")

    def test_a_short_max_age_is_kept(self):
        vendors = self.vendors()
        name = vendors.serve(self.bundle())
        self.start(source(vendors), **{"collateral.prefetch": [name], "collateral.max_age_s": 1,
                                       "collateral.backoff_s": 1})
        wait_for(lambda: sum("/tcb?" in r for r in vendors.requests) >= 4, 12, "four requests for TCB info")

    def test_sessions_of_a_platform_that_becomes_revoked_end(self):
        vendors = self.vendors()
        good = json.loads(self.bundle("--issued-before", "3600"))
        older = json.loads(self.bundle("--issued-before", "7200"))
        revoked = json.loads(self.bundle("--status", "Revoked"))
        name = vendors.serve(json.dumps(good).encode())
        k = self.start(source(vendors), **{"collateral.prefetch": [name], "collateral.max_age_s": 1})
        wait_for(lambda: name in items(k), what="the prefetch")
        worker = Worker(k)
        self.assertEqual(worker.attest().status, 200)
        envelope = ecies_seal(k.pubkey(SEED), b"{}")
        self.assertEqual(worker.decrypt(envelope, seed=SEED).status, 200)
        # the CRLs that come along are older than those held
        for member in ("pck_crl", "pck_crl_issuer_chain", "root_ca_crl"):
            revoked[member] = older[member]
        held = items(k)[name]["sha256"]
        vendors.serve(json.dumps(revoked).encode())
        k.process.send_signal(signal.SIGHUP)
        wait_for(lambda: items(k)[name]["sha256"] != held, what="the newer TCB info")
        reply = worker.decrypt(envelope, seed=SEED)
        self.assertEqual((reply.status, reply.code), (403, "session_collateral_changed"), reply.body)
        reply = worker.attest()
        self.assertEqual((reply.status, reply.code), (401, "tcb_status_not_accepted"), reply.body)
        self.assertGreaterEqual(metric(k, "vouchsafe_collateral_rollbacks_total"), 1)

    def test_an_early_set_is_held_separately_and_can_be_previewed(self):
        for asked, how in (("update=early", {"update": "early"}),
                           ("tcbEvaluationDataNumber=18", {"tcb_evaluation_number": 18})):
            with self.subTest(asked):
                vendors = self.vendors()
                name = vendors.serve(self.bundle("--issued-before", "3600"))
                vendors.early = self.bundle("--status", "OutOfDate")
                k = self.start(source(vendors), source(vendors, name="early", **how),
                               **{"collateral.prefetch": [name]})
                wait_for(lambda: name + "-early" in items(k), what="the early set")
                self.assertTrue([r for r in vendors.requests if asked in r], vendors.requests)
                worker = Worker(k)
                self.assertEqual(worker.attest().status, 200)  # by the standard set
                nonce = worker.challenge()
                body = {"tee_type": "simulated", "quote": base64.b64encode(worker.evidence(nonce)).decode()}
                for update, status in (({}, "UpToDate"), ({"update": "standard"}, "UpToDate"),
                                       ({"update": "early"}, "OutOfDate")):
                    reply = k.post("/v1/attest/explain", {**body, **update}, token="worker")
                    self.assertEqual(reply.status, 200, reply.body)
                    self.assertIn(status.encode(), reply.body)
                    self.assertEqual(reply.json()["update"], update.get("update", "standard"))
                    self.assertNotIn("early_set_missing", reply.json())
                quote = os.path.join(self.dir.name, "quote.bin")
                with open(quote, "wb") as f:
                    f.write(base64.b64decode(body["quote"]))
                explain = ("attest", "explain", quote, "--tee-type", "simulated", "--json", "--update")
                for update, status in (("standard", "UpToDate"), ("early", "OutOfDate")):
                    said = k.command(*explain, update, token="worker", check=False)
                    self.assertEqual(json.loads(said.stdout)["status"], status, said)
                self.assertEqual(k.command(*explain, "late", token="worker", check=False).returncode, 2)
                reply = k.post("/v1/attest/explain", {**body, "update": "late"}, token="worker")
                self.assertEqual((reply.status, reply.code), (400, "bad_field"), reply.body)

    def test_tls_is_verified(self):
        vendors = self.vendors(self.dir.name)
        name = vendors.serve(self.bundle())
        k = self.start(source(vendors, name="unknown"), **{"collateral.prefetch": [name]})
        wait_for(lambda: fetches(k, "failed", "unknown"), what="a failure")
        self.assertEqual((items(k), vendors.requests), ({}, []))
        k = self.start(source(vendors, ca_file=vendors.ca_file), **{"collateral.prefetch": [name]})
        wait_for(lambda: name in items(k), what="the prefetch")

    def test_nothing_goes_back(self):
        vendors = self.vendors()
        name = vendors.serve(self.bundle())
        older = self.bundle("--issued-before", "86400")
        k = self.start(source(vendors), **{"collateral.prefetch": [name], "collateral.max_age_s": 1})
        wait_for(lambda: name in items(k), what="the prefetch")
        held = items(k)[name]
        vendors.serve(older)
        k.process.send_signal(signal.SIGHUP)
        wait_for(lambda: fetches(k, "refused"), what="a refusal")
        self.assertEqual(items(k)[name]["sha256"], held["sha256"])
        self.assertIn("rollback", k.log())
        self.assertEqual(Worker(k).attest().status, 200)

    def test_another_platforms_collateral_is_not_taken_for_the_one_asked_for(self):
        vendors = self.vendors()
        other = Platform(os.path.join(self.dir.name, "other"))
        with open(other.collateral(os.path.join(self.dir.name, "other.json")), "rb") as f:
            bundle = f.read()
        name = vendors.serve(self.bundle())
        vendors.items[tuple(name.split("-")[1:])] = bundle  # signed by a root that is not trusted
        k = self.start(source(vendors), **{"collateral.prefetch": [name]})
        wait_for(lambda: fetches(k, "refused"), what="a refusal")
        self.assertEqual(items(k), {})

    def test_offline_nothing_is_asked(self):
        vendors = self.vendors()
        vendors.serve(self.bundle())
        k = self.start(source(vendors), **{"collateral.offline": True})
        reply = Worker(k).attest()
        self.assertEqual((reply.status, reply.code), (401, "collateral_missing"), reply.body)
        self.assertNotIn("Retry-After", reply.headers)
        self.assertEqual(vendors.requests, [])

    def test_files_that_appear_are_read(self):
        k = self.start()
        self.assertEqual(Worker(k).attest().code, "collateral_missing")
        self.platform.collateral(os.path.join(k.dir, "state", "collateral", "mine.json"))
        k.process.send_signal(signal.SIGHUP)
        attest_until(Worker(k), 200)

    def test_a_peer_is_a_source(self):
        first = Keystore(platform=self.platform).init().start()
        self.addCleanup(first.close)
        name = next(iter(items(first)))
        k = self.start({"type": "peer", "url": first.url, "token_file": first.token_file("auditor")})
        attest_until(Worker(k), 200)
        self.assertEqual(items(k)[name]["source"], "peer")
        self.assertEqual(items(k)[name]["sha256"], items(first)[name]["sha256"])

    def test_the_routes_of_peers_ask_for_a_token_and_a_name(self):
        k = Keystore(platform=self.platform).init().start()
        self.addCleanup(k.close)
        name = next(iter(items(k)))
        for path, token, status in (("/v1/collateral", None, 401), ("/v1/collateral/item?name=" + name, None, 401),
                                    ("/v1/collateral/item", "auditor", 400),
                                    ("/v1/collateral/item?name=../../etc/passwd", "auditor", 400),
                                    ("/v1/collateral/item?name=intel-sgx-000000000000-platform", "auditor", 404),
                                    ("/v1/collateral/item?name=" + name, "worker", 200)):
            self.assertEqual(k.get(path, token=token).status, status, path)

    def test_the_vendors_own_collateral_is_taken_in(self):
        if not os.path.isdir(INTEL_VECTORS):
            print(f"SKIPPED: real collateral: no vectors at {INTEL_VECTORS}")
            self.skipTest("no vectors")
        names = {}
        for directory in sorted(os.listdir(INTEL_VECTORS)):
            path = os.path.join(INTEL_VECTORS, directory, "bundle.json")
            if not os.path.exists(path):
                continue
            vendors = self.vendors()
            with open(path, "rb") as f:
                bundle = f.read()
            tee, fmspc = directory.split("-")[:2]
            ca = "processor" if b"Processor" in base64.b64decode(re.sub(
                "-----[^-]*-----|\n", "", json.loads(bundle)["pck_crl_issuer_chain"].split("-----END")[0])) \
                else "platform"
            self.assertEqual(vendors.serve(bundle, tee, ca), f"intel-{tee}-{fmspc}-{ca}")
            names.setdefault(f"intel-{tee}-{fmspc}-{ca}", vendors)
            if len(names) == 8:
                break
        k = self.start(*[source(v, name=f"v{i}") for i, v in enumerate(names.values())],
                       **{"collateral.prefetch": list(names)})
        wait_for(lambda: set(names) <= set(items(k)), 60, "the prefetch of " + " ".join(names))


class Command(Case):
    def test_fetch_import_show_and_export(self):
        vendors = self.vendors(self.dir.name)
        name = vendors.serve(self.bundle())
        k = self.start()
        bundle, copy = os.path.join(self.dir.name, "bundle"), os.path.join(self.dir.name, "copy")
        quote = os.path.join(self.dir.name, "quote.bin")
        with open(quote, "wb") as f:
            f.write(self.platform.quote(bytes(64)))
        trust = ("--trust-root", self.platform.root)
        fetch = ("collateral", "fetch", "--quote", quote, "--pcs", vendors.url, "--out", bundle, *trust)
        self.assertEqual(command(*fetch, check=False).returncode, 3)  # no CA knows that server
        self.assertEqual(vendors.requests, [])
        fetch += ("--source-ca", vendors.ca_file)
        self.assertIn(name, command(*fetch).stdout.decode())
        self.assertEqual(os.listdir(bundle), [name + ".json"])
        shown = json.loads(command("collateral", "show", bundle, "--json", *trust).stdout)["items"]
        self.assertEqual([(u["name"], u["evaluation_number"], u["result"]) for u in shown], [(name, 17, "good")])
        # what does not verify is said and not taken
        self.assertEqual(command("collateral", "show", bundle, check=False).returncode, 1)
        done = command("collateral", "import", bundle, "--out", copy, check=False)
        self.assertEqual((done.returncode, os.listdir(copy)), (1, []), done.stderr)
        self.assertIn(b"root_not_pinned", done.stdout)
        # into the keystore, and out of it again
        self.assertEqual(Worker(k).attest().code, "collateral_missing")
        state = os.path.join(k.dir, "state", "collateral")
        command("collateral", "import", bundle, "--out", state, *trust)
        k.process.send_signal(signal.SIGHUP)
        attest_until(Worker(k), 200)
        self.assertIn(name, k.command("collateral", "show", token="auditor").stdout.decode())
        k.command("collateral", "export", "--out", copy, *trust, token="auditor")
        with open(os.path.join(copy, name + ".json"), "rb") as a, open(os.path.join(bundle, name + ".json"), "rb") as b:
            self.assertEqual(a.read(), b.read())
        # an older one never replaces a newer one
        vendors.serve(self.bundle("--issued-before", "86400"))
        done = command(*fetch, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(b"rollback", done.stdout)
        self.assertEqual(command("collateral", "fetch", "amd-rome", "--out", bundle, check=False).returncode, 4)
        self.assertEqual(command("collateral", "fetch", "--out", bundle, check=False).returncode, 2)
        vendors.items.clear()
        self.assertNotEqual(command(*fetch, check=False).returncode, 0)

    def test_an_early_set_is_fetched_next_to_the_standard_one(self):
        vendors = self.vendors()
        name = vendors.serve(self.bundle("--issued-before", "3600"))
        vendors.early = self.bundle("--status", "OutOfDate")
        bundle, quote = os.path.join(self.dir.name, "bundle"), os.path.join(self.dir.name, "quote.bin")
        with open(quote, "wb") as f:
            f.write(self.platform.quote(bytes(64)))
        trust = ("--trust-root", self.platform.root)
        fetch = ("collateral", "fetch", "--out", bundle, "--pcs", vendors.url, *trust)
        for asked, how in (("update=early", ("--quote", quote, "--update", "early")),
                           ("update=early", (name + "-early",)),
                           ("tcbEvaluationDataNumber=18", (name, "--tcb-evaluation-number", "18"))):
            vendors.requests.clear()
            self.assertIn(name + "-early", command(*fetch, *how).stdout.decode())
            self.assertEqual(len([r for r in vendors.requests if asked in r]), 2, vendors.requests)
            self.assertEqual(os.listdir(bundle), [name + "-early.json"])
            os.remove(os.path.join(bundle, name + "-early.json"))
        command(*fetch, "--quote", quote, "--update", "early")
        command(*fetch, "--quote", quote, "--update", "standard")
        self.assertEqual(sorted(os.listdir(bundle)), [name + "-early.json", name + ".json"])
        # the early set is newer, and still judges only when asked to
        verify = ("attest", "verify", quote, "--json", "--collateral", bundle, *trust)
        for how, status in ((), "UpToDate"), (("--update", "standard"), "UpToDate"), (("--update", "early"), "OutOfDate"):
            said = json.loads(command(*verify, *how, check=False).stdout)
            self.assertEqual(said["status"], status, said)
        for wrong in (("--update", "late"), ("--tcb-evaluation-number", "0"), ("--tcb-evaluation-number", "4294967296"),
                      ("--update", "early", "--tcb-evaluation-number", "18")):
            self.assertEqual(command(*fetch, name, *wrong, check=False).returncode, 2, wrong)


class UnderLoad(Case):
    def test_a_switch_loses_no_request_and_without_sources_service_ends_with_the_collateral(self):
        lifetime = 8
        vendors = self.vendors()
        name = vendors.serve(lambda: self.bundle("--lifetime", str(lifetime)))
        k = self.start(source(vendors), **{"collateral.prefetch": [name]})
        wait_for(lambda: name in items(k), what="the prefetch")
        failures, done, stop = [], [0, 0], threading.Event()
        envelope = ecies_seal(k.pubkey(), b"{}")

        def attest():
            worker = Worker(k)
            while not stop.is_set():
                reply = worker.attest()
                done[0] += 1
                if reply.status != 200:
                    failures.append((time.time(), reply.status, reply.code))

        def decrypt():
            worker = Worker(k)
            worker.attest()
            while not stop.is_set():
                reply = worker.decrypt(envelope)
                done[1] += 1
                if reply.status != 200:
                    failures.append((time.time(), reply.status, reply.code))

        threads = [threading.Thread(target=t) for t in (attest, attest, decrypt)]
        for t in threads:
            t.start()
        try:
            wait_for(lambda: len([c for c in changes(k) if c["change"] == "replaced"]) >= 3, 90, "three switches")
            self.assertEqual(failures, [])
            vendors.down()
            time.sleep(0.5)
            wait_for(lambda: failures, 60, "the end of the collateral")
            expires = items(k)[name]["expires"]
        finally:
            stop.set()
            for t in threads:
                t.join()
        end = datetime.datetime.fromisoformat(expires.replace("Z", "+00:00")).timestamp()
        for when, status, code in failures:
            self.assertGreaterEqual(when, end, "refused before it had expired")
            self.assertEqual(status, 401)
            self.assertIn(code, EXPIRED)
        print(f"under load: {done[0]} attestations and {done[1]} decryptions, "
              f"{len(failures)} refused after the end", flush=True)
        self.assertGreater(done[0], 20)
        self.assertGreater(fetches(k, "failed"), 0)
        vendors.up()
        attest_until(Worker(k), 200)


if __name__ == "__main__":
    unittest.main()
