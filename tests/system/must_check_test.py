"""A check that was dropped does not compile: each mutation of a security decision is refused by the compiler."""
import json
import os
import re
import shlex
import subprocess
import tempfile
import unittest

from harness import BUILD, ROOT


def call_of(text, start):
    """From the name of a function to the closing bracket of its call."""
    depth = 0
    for i in range(text.index("(", start), len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return text[start:i + 1]
    raise AssertionError("no closing bracket")


# What decides whether a secret is released, and where it is asked: file, the call as it begins. `only`: it is the one
# call of a static function, so that the function without its call is refused, too.
DECISIONS = [
    ("src/service/decrypt.c", "policy_allows(", True),
    ("src/service/decrypt.c", "operation_authorize(", False),
    ("src/service/operation.c", "authorize(", False),
    ("src/service/evidence.c", "policy_judge(", False),
    ("src/service/session.c", "operation_authorize(", False),
    ("src/service/decrypt.c", "caller_claims(", True),
    ("src/service/decrypt.c", "open_envelope(", True),
    ("src/service/operation.c", "op->authorise(", False),
    ("src/service/operation.c", "op->compute(", False),
    ("src/service/operation.c", "record(", True),
    ("src/store/sqlite/group.c", "sqlite_files_check(", False),
    ("src/store/sqlite/group.c", "writes_apply(", True),
    ("src/store/executor.c", "group_commit(", False),
    ("src/store/store.c", "state_verify(", True),
    ("src/store/store.c", "log_verify(", True),
    ("src/store/store.c", "store_verify_rows(", False),
    ("src/daemon/main.c", "harden_last(", False),
    ("src/daemon/main.c", "harden_capabilities(", False),
    ("src/daemon/state.c", "check_pin(", True),
    ("src/attest/quote_verify.c", "qe_report_verify(", True),
    ("src/attest/quote_verify.c", "quote_signature_verify(", True),
    ("src/attest/snp_verify.c", "signature_verify(", True),
    ("src/attest/snp_verify.c", "revocation_check(", True),
    ("src/policy/rule_check.c", "check_status(", True),
    ("src/server/log_routes.c", "authorize(", False),
    ("src/client/keystore_verify.c", "check_evidence(", True),
    ("src/client/keystore_verify.c", "check_genuine(", True),
    ("src/client/keystore_verify.c", "check_code(", True),
    ("src/client/keystore_verify.c", "check_accepted(", False),
    ("src/client/keystore_verify.c", "claims_check_bound(", False),
    ("src/client/keystore_verify.c", "bind_tls(", True),
    ("src/client/decrypt.c", "check_session(", True),
    ("src/client/decrypt.c", "check_form(", True),
    ("src/client/decrypt.c", "check_request_id(", True),
    ("src/client/decrypt.c", "check_receipt(", True),
    ("src/client/session.c", "check_signature(", True),
    ("src/client/receipt.c", "receipt_read(", False),
    ("src/client/receipt.c", "subject_check(", True),
    ("src/client/log_verify.c", "note_read(", False),
]


class Dropped(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as f:
            cls.commands = {}
            for entry in json.load(f):
                path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
                cls.commands.setdefault(os.path.relpath(path, ROOT), entry)

    def compiles(self, path, text):
        """With the flags of the build; and what the compiler said."""
        entry = self.commands[path]
        arguments = [a for a in shlex.split(entry["command"]) if a != "ccache"]
        drop = {"-o", "-MF", "-MQ"}
        kept = [a for i, a in enumerate(arguments) if a not in drop | {"-MD", "-c"} and
                (i == 0 or arguments[i - 1] not in drop) and not a.endswith(".c")]
        with tempfile.NamedTemporaryFile("w", suffix=".c", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            done = subprocess.run([*kept, "-c", "-o", "/dev/null", "-fdiagnostics-color=never", f"-I{os.path.join(ROOT, os.path.dirname(path))}", f.name],
                                  cwd=entry["directory"], capture_output=True, text=True, timeout=120, check=False)
        return done.returncode == 0, done.stderr

    def setUp(self):
        compiler = shlex.split(next(iter(self.commands.values()))["command"])
        if any(os.path.basename(a).startswith("clang") for a in compiler[:2]):
            self.skipTest("clang takes a cast to void for a use; gcc, the default, does not")

    def mutations(self, text, name, only):
        """The result ignored in each way that C has, at every place where it is used."""
        places = [m.start() for m in re.finditer(r"(?<![\w>])" + re.escape(name), text)]
        used = 0
        for start in places:
            before = text[:start].rstrip()
            # a use: an assignment, a condition or a return; not the definition
            if not re.search(r"(=|return|\(|!|:|\?)$", before):
                continue
            used += 1
            call = call_of(text, start)
            end = start + len(call)
            before = text[:start]
            yield "cast to void", before + f"((void){call}, (enum err)ERR_NONE)" + text[end:]
            yield "left of a comma", before + f"({call}, (enum err)ERR_NONE)" + text[end:]
            if only and len(places) == used + 1:
                yield "call dropped", before + "(enum err)ERR_NONE" + text[end:]
            # a statement of its own, before the one that it stood in
            line = text.rfind(";\n", 0, start) + 2
            yield "statement", text[:line] + f"{call};\n" + before[line:] + "(enum err)ERR_NONE" + text[end:]
        self.assertGreater(used, 0, f"{name}) is not asked any more: who decides now?")

    def test_decisions(self):
        tried = 0
        for path, name, only in DECISIONS:
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                text = f.read()
            self.assertEqual(self.compiles(path, text), (True, ""), path)
            kinds = set()
            for kind, mutant in self.mutations(text, name, only):
                with self.subTest(path=path, call=name, mutation=kind):
                    good, said = self.compiles(path, mutant)
                    self.assertFalse(good, "it compiles")
                    self.assertRegex(said, "unused-result|unused-function|unused-but-set|unused-variable")
                    kinds.add(kind)
                    tried += 1
            self.assertEqual("call dropped" in kinds, only, (path, name))
        print(f"must_check_test: {tried} mutants, none compiles", flush=True)


if __name__ == "__main__":
    unittest.main()
