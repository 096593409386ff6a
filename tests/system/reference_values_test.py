#!/usr/bin/env python3
"""Reference values added and removed while the keystore runs: at once, in the log, across restarts, and by whom."""
import hashlib
import json
import os
import resource
import sqlite3
import subprocess
import tempfile
import threading
import unittest

from harness import COMMAND, DEFAULT, MRENCLAVE, PLAIN, Keystore, Worker, ecies_seal

OTHER = "33" * 32
PATH = "/v1/policies/worker/reference-values"
POLICIES = [PLAIN, {**DEFAULT, "name": "by-signer", "mrenclave": None, "mrsigner": "44" * 32, "isvprodid": 1,
                    "min_isvsvn": 1, "configid": ["any"]}]
POLICIES[1].pop("mrenclave")


def change_config(k, edit):
    with open(k.config, encoding="utf-8") as f:
        config = json.load(f)
    edit(config)
    with open(k.config, "w", encoding="utf-8") as f:
        json.dump(config, f)


class Case(unittest.TestCase):
    def start(self, **options):
        k = Keystore(policies=POLICIES, **options)
        self.addCleanup(k.close)
        operator = os.urandom(16).hex()
        k.tokens["operator2"] = operator
        change_config(k, lambda c: c["tokens"].append({"name": "operator2", "role": "operator",
                                                       "sha256": hashlib.sha256(operator.encode()).hexdigest()}))
        return k.init().start()

    def add(self, k, value=OTHER, field="mrenclave", path=PATH, token="operator"):
        return k.post(path, {"field": field, "value": value}, token=token)

    def remove(self, k, value=OTHER, field="mrenclave", path=PATH, token="operator"):
        return k.request("DELETE", f"{path}?field={field}&value={value}", token=token)

    def done(self, reply):
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(set(reply.json()), {"index", "policy_version"})
        self.assertNotIn("Retry-After", reply.headers)
        return reply.json()

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.code), (status, code), reply.body)

    def values(self, k, policy="worker"):
        reply = k.get("/v1/policies", token="operator")
        self.assertEqual(reply.status, 200, reply.body)
        return next(p for p in reply.json()["policies"] if p["name"] == policy)["reference_values"]

    def version(self, k):
        return k.get("/v1/policies", token="operator").json()["policy_version"]

    def opens(self, k, worker):
        return worker.decrypt(ecies_seal(k.pubkey("s"), b"{}"), seed="s")

    def entry(self, k, index):
        return json.loads(k.get(f"/v1/log/entries?start={index}&count=1", token="auditor").body)


class Changes(Case):
    def test_added_counts_at_once_and_removed_ends_it(self):
        k = self.start()
        other, usual = Worker(k, mrenclave=OTHER), Worker(k)
        self.refused(other.attest(), 401, "measurement_mismatch")
        self.assertEqual(usual.attest().status, 200)
        before = self.version(k)
        said = self.done(self.add(k))
        self.assertNotEqual(said["policy_version"], before)
        self.assertEqual(said["policy_version"], self.version(k))
        # any change ends all sessions
        self.assertEqual(self.opens(k, usual).status, 403)
        self.assertEqual(usual.attest().status, 200)
        self.assertEqual(other.attest().status, 200)
        self.assertEqual(self.opens(k, other).status, 200)
        value = self.values(k)[0]
        self.assertEqual((value["field"], value["value"], value["added_by"], value["index"], value["used"]),
                         ("mrenclave", OTHER, "operator", said["index"], True))
        # inline evidence too
        inline = Worker(k, mrenclave=OTHER)
        reply = k.post("/decrypt", {"encrypted_secrets": self.envelope(k), "seed": "s",
                                    "attestation": inline.inline()}, token="worker")
        self.assertEqual(reply.status, 200, reply.body)
        removed = self.done(self.remove(k))
        self.assertEqual(removed["index"], self.values_index(k))
        self.refused(self.opens(k, other), 403, "session_policy_changed")
        self.refused(other.attest(), 401, "measurement_mismatch")
        self.assertEqual(self.values(k), [])
        # added again, the old session stays ended
        old = other.session
        self.done(self.add(k))
        other.session = old
        self.assertEqual(self.opens(k, other).status, 403)

    def envelope(self, k):
        import base64
        return base64.b64encode(ecies_seal(k.pubkey("s"), b"{}")).decode()

    def values_index(self, k):
        lines = k.get("/v1/log/entries?start=0", token="auditor").body.splitlines()
        return max(i for i, line in enumerate(lines) if json.loads(line)["op"] == "policy")

    def test_the_entry_names_caller_and_operation_and_verifies(self):
        k = self.start()
        reply = self.add(k)
        entry = self.entry(k, self.done(reply)["index"])
        self.assertEqual((entry["op"], entry["decision"], entry["code"], entry["principal"], entry["request_id"]),
                         ("policy", "allow", "ok", "operator", reply.request_id))
        self.assertEqual(entry["detail"], {"policy": "worker", "field": "mrenclave", "value": OTHER, "action": "add"})
        explained = k.get("/v1/explain?request_id=" + reply.request_id, token="operator")
        self.assertEqual(explained.json()["entries"][0]["entry"], entry)
        with tempfile.TemporaryDirectory() as out:
            key = k.command("log", "key", "--unverified").stdout.decode().strip()
            export, note = os.path.join(out, "log"), os.path.join(out, "note")
            k.command("log", "export", "--vkey", key, "--out", export, "--checkpoint-out", note, token="auditor")
            k.command("log", "verify", export, "--checkpoint", note, "--vkey", key)

    def test_an_ignored_option_is_ignored_with_a_value_too(self):
        k = self.start()
        self.done(self.add(k))
        self.refused(Worker(k, mrenclave=OTHER, debug=True).attest(), 401, "debug")
        revoked = self.start(collateral_options=("--status", "Revoked"))
        self.done(self.add(revoked))
        self.refused(Worker(revoked, mrenclave=OTHER).attest(), 401, "tcb_status_not_accepted")

    def test_twenty_at_once(self):
        k = self.start()
        replies, values = [], [hashlib.sha256(bytes([i])).hexdigest() for i in range(20)]
        threads = [threading.Thread(target=lambda v=v: replies.append(self.add(k, v))) for v in values]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        said = [self.done(r) for r in replies]
        self.assertEqual(len({s["index"] for s in said}), 20)
        self.assertEqual(len({s["policy_version"] for s in said}), 20)
        self.assertEqual({v["value"] for v in self.values(k)}, set(values))
        self.assertEqual(Worker(k, mrenclave=values[13]).attest().status, 200)
        # the same one, many times: one is added
        replies.clear()
        threads = [threading.Thread(target=lambda: replies.append(self.add(k, OTHER))) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(r.status for r in replies), [200] + [409] * 7)
        # the list ends at 32: one of the configuration, 21 so far
        for i in range(10):
            self.done(self.add(k, hashlib.sha256(bytes([100 + i])).hexdigest()))
        self.refused(self.add(k, "ab" * 32), 409, "too_many_values")


class Refusals(Case):
    def test_each_has_its_code_and_changes_nothing(self):
        k = self.start()
        before = self.version(k)
        self.refused(self.add(k, path="/v1/policies/nobody/reference-values"), 404, "policy_not_found")
        self.refused(self.remove(k, path="/v1/policies/nobody/reference-values"), 404, "policy_not_found")
        self.refused(self.add(k, path="/v1/policies/" + "x" * 100 + "/reference-values"), 404, "policy_not_found")
        for field in ("mrtd", "measurement", "pcr0", "tcb_status", "isvprodid", "min_isvsvn", "mrsigner", "seeds",
                      "advisories", "allow_smt", "attributes_allowed", "no_such_field", "fmspc"):
            with self.subTest(field):
                self.refused(self.add(k, field=field), 400, "field_not_addable")
        signer = "/v1/policies/by-signer/reference-values"
        self.refused(self.add(k, path=signer), 400, "field_not_addable")  # it lists no mrenclave
        self.refused(self.add(k, "ab" * 64, "configid", signer), 400, "field_not_addable")  # any
        self.refused(self.add(k, "ab" * 32, "mrsigner", signer), 400, "field_not_addable")  # one, not a list
        for value in ("", "ab", "zz" * 32, "ab" * 31, "ab" * 33, "ab" * 64, "00" * 32, "any", "ab" * 31 + "a"):
            with self.subTest(value):
                self.refused(self.add(k, value), 400, "bad_value")
        self.refused(self.add(k, MRENCLAVE), 409, "value_exists")
        self.refused(self.remove(k, MRENCLAVE), 409, "value_is_configured")
        self.refused(self.remove(k), 404, "value_not_found")
        self.refused(self.remove(k, "xy"), 400, "bad_value")
        for body in ("{", "[]", '{"field":"mrenclave"}', '{"field":1,"value":"ab"}',
                     '{"field":"mrenclave","value":"%s","more":1}' % OTHER,
                     '{"field":"mrenclave","field":"mrenclave","value":"%s"}' % OTHER):
            with self.subTest(body):
                reply = k.post(PATH, body, token="operator", headers={"Content-Type": "application/json"})
                self.assertEqual(reply.status, 400, reply.body)
        self.refused(k.request("DELETE", PATH, token="operator"), 400, "bad_query")
        self.assertEqual(k.post(PATH, OTHER, token="operator").status, 415)
        reply = k.request("PUT", PATH, token="operator")
        self.assertEqual((reply.status, reply.headers["Allow"]), (405, "POST, DELETE"))
        for path in ("/v1/policies//reference-values", "/v1/policies/a/b/reference-values", "/v1/policies/worker/"):
            self.refused(k.post(path, {}, token="operator"), 404, "no_such_path")
        self.assertEqual(self.version(k), before)
        self.assertEqual(self.values(k), [])

    def test_a_default_list_may_grow(self):
        k = self.start()
        self.done(self.add(k, "ab" * 64, "configid"))
        self.assertEqual(Worker(k).attest().status, 200)

    def test_who_may(self):
        k = self.start()
        for token in ("worker", "auditor"):
            self.refused(self.add(k, token=token), 403, "role_not_allowed")
            self.refused(self.remove(k, token=token), 403, "role_not_allowed")
            self.refused(k.get("/v1/policies", token=token), 403, "role_not_allowed")
        self.assertEqual(self.add(k, token=None).status, 401)
        reply = self.add(k, token="operator2")
        self.refused(reply, 403, "may_not_administer")
        self.refused(self.remove(k, token="operator2"), 403, "may_not_administer")
        self.assertEqual(k.get("/v1/policies", token="operator2").status, 200)
        entry = k.get("/v1/explain?request_id=" + reply.request_id, token="operator").json()["entries"][0]["entry"]
        self.assertEqual((entry["op"], entry["decision"], entry["code"], entry["principal"]),
                         ("policy", "deny", "may_not_administer", "operator2"))
        self.assertEqual(self.values(k), [])
        k.kill()
        k.start()
        self.assertEqual(self.values(k), [], "a denied change in the log is none")

    def test_the_right_is_for_operators(self):
        k = Keystore()
        self.addCleanup(k.close)
        change_config(k, lambda c: c["tokens"][0].update(may_administer=True))
        done = subprocess.run(k.daemon("--check-config"), capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 78)
        self.assertIn(b"may_administer", done.stderr)


class Keeping(Case):
    def test_stays_across_restart_and_kill(self):
        k = self.start()
        said = self.done(self.add(k))
        self.done(self.add(k, "55" * 32))
        self.done(self.remove(k, "55" * 32))
        version, values = self.version(k), self.values(k)
        worker = Worker(k, mrenclave=OTHER)
        self.assertEqual(worker.attest().status, 200)
        for end in (k.stop, k.kill):
            end()
            k.start()
            self.assertEqual((self.version(k), self.values(k)), (version, values))
            self.assertEqual(self.opens(k, worker).status, 200, "sessions outlive a restart")
            self.assertEqual(Worker(k, mrenclave=OTHER).attest().status, 200)
            self.refused(Worker(k, mrenclave="55" * 32).attest(), 401, "measurement_mismatch")
        self.assertEqual(values[0]["index"], said["index"])
        self.done(self.remove(k))
        k.kill()
        k.start()
        self.refused(Worker(k, mrenclave=OTHER).attest(), 401, "measurement_mismatch")

    def test_a_row_that_was_changed_removed_or_brought_back_stops_the_start(self):
        k = self.start()
        index = self.done(self.add(k))["index"]
        self.done(self.remove(k))
        k.stop()
        database = next(os.path.join(k.dir, "state", f) for f in os.listdir(os.path.join(k.dir, "state"))
                        if f.endswith(".db"))
        db = sqlite3.connect(database)
        entry, = db.execute("SELECT entry FROM log_entry WHERE idx = ?", (index,)).fetchone()
        rows = db.execute("SELECT idx, entry FROM log_entry").fetchall()
        db.close()
        changed = entry.replace(OTHER.encode(), b"66" * 32)
        last = max(i for i, _ in rows)
        edits = {
            "another value": ("UPDATE log_entry SET entry = ? WHERE idx = ?", (changed, index)),
            "no removal": ("UPDATE log_entry SET entry = ? WHERE idx = ?", (entry, index + 1)),
            "a row less": ("DELETE FROM log_entry WHERE idx = ?", (index,)),
            "a row more": ("INSERT INTO log_entry VALUES (?, ?)", (last + 1, entry)),
        }
        with open(database, "rb") as f:
            good = f.read()
        for what, (sql, values) in edits.items():
            with self.subTest(what):
                db = sqlite3.connect(database)
                db.execute(sql, values)
                db.commit()
                db.close()
                done = subprocess.run(k.daemon(), capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(b"is not what this keystore wrote", done.stderr)
                for suffix in ("-wal", "-shm"):
                    if os.path.exists(database + suffix):
                        os.unlink(database + suffix)
                with open(database, "wb") as f:
                    f.write(good)
        k.start()
        self.assertEqual(self.values(k), [])

    def test_a_policy_that_has_gone_keeps_its_values(self):
        k = self.start()
        self.done(self.add(k))
        k.stop()
        change_config(k, lambda c: c["attestation"]["policies"][0].update(name="renamed"))
        k.start()
        value, = self.values(k)
        self.assertFalse(value["used"])
        self.assertIn("reference_value_not_used", k.log())
        self.refused(Worker(k, mrenclave=OTHER).attest(), 401, "measurement_mismatch")
        self.refused(self.add(k, "77" * 32), 404, "policy_not_found")
        k.stop()
        change_config(k, lambda c: c["attestation"]["policies"][0].update(name="worker"))
        k.start()
        self.assertEqual(Worker(k, mrenclave=OTHER).attest().status, 200)
        k.stop()
        change_config(k, lambda c: c["attestation"]["policies"][0].update(name="renamed"))
        k.start()
        self.done(self.remove(k))
        self.assertNotIn("worker", [p["name"] for p in k.get("/v1/policies", token="operator").json()["policies"]])

    def test_nothing_changes_when_the_log_cannot_be_written(self):
        k = self.start()
        before = self.version(k)
        _, hard = resource.prlimit(k.pid(), resource.RLIMIT_FSIZE)
        resource.prlimit(k.pid(), resource.RLIMIT_FSIZE, (4096, hard))
        reply = self.add(k)
        self.refused(reply, 503, "log_unavailable")
        self.assertGreater(int(reply.headers["Retry-After"]), 0)
        self.assertEqual(self.version(k), before)
        self.assertEqual(self.values(k), [])
        resource.prlimit(k.pid(), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        self.done(self.add(k))
        self.assertEqual(Worker(k, mrenclave=OTHER).attest().status, 200)


class Command(Case):
    def test_add_show_remove(self):
        k = self.start()
        added = k.command("policy", "add-value", "worker", "mrenclave", OTHER, "--json", token="operator")
        self.assertIn("index", json.loads(added.stdout))
        self.assertEqual(Worker(k, mrenclave=OTHER).attest().status, 200)
        shown = k.command("policy", "show", token="operator").stdout.decode()
        self.assertIn(f"mrenclave {OTHER}", shown)
        self.assertIn("added by operator", shown)
        listed = json.loads(k.command("policy", "show", "--json", token="operator").stdout)
        self.assertEqual(listed, k.get("/v1/policies", token="operator").json())
        again = k.command("policy", "add-value", "worker", "mrenclave", OTHER, token="operator", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn(b"value_exists", again.stderr)
        removed = k.command("policy", "remove-value", "worker", "mrenclave", OTHER, token="operator")
        self.assertIn(b"Removed: entry", removed.stdout)
        self.assertEqual(self.values(k), [])
        denied = k.command("policy", "add-value", "worker", "mrenclave", OTHER, token="auditor", check=False)
        self.assertEqual(denied.returncode, 1)
        self.assertEqual(k.command("policy", "add-value", "worker", token="operator", check=False).returncode, 2)
        bad = k.command("policy", "add-value", "wor/ker", "mrenclave", OTHER, token="operator", check=False)
        self.assertEqual(bad.returncode, 4)
        for words in (("policy", "show"), ("policy", "add-value"), ("policy", "remove-value")):
            done = subprocess.run([COMMAND, *words, "--help"], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"operator.token", done.stdout)


if __name__ == "__main__":
    unittest.main()
