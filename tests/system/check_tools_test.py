#!/usr/bin/env python3
"""Each tool of script/check catches a planted violation: a check that cannot fail is worthless."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CLEAN = "int add(int a, int b);\nint add(int a, int b)\n{\n    return a + b;\n}\n"


class Tree(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="check-tools-")
        self.addCleanup(shutil.rmtree, self.root)

    def plant(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def run_tool(self, tool):
        done = subprocess.run([os.path.join(ROOT, "tools", tool), self.root], text=True,
                              capture_output=True, check=False)
        return done.returncode, done.stdout


class Layers(Tree):
    def arrow(self, path, include):
        self.plant(path, f"/* first line */\n#include {include}\n")
        status, out = self.run_tool("check-layers")
        os.remove(os.path.join(self.root, path))
        if status == 1:
            self.assertTrue(out.startswith(f"{path}:2: "), out)
        else:
            self.assertEqual((status, out), (0, ""))
        return status == 0

    def test_allows_the_arrows_of_the_table(self):
        for path, include in [
            ("src/base/a.c", '"base/b.h"'),
            ("src/codec/a.c", '"base/b.h"'),
            ("src/keys/a.c", '"crypto/hash.h"'),
            ("src/policy/a.h", '"attest/b.h"'),
            ("src/store/sqlite.c", '"audit/b.h"'),
            ("src/store/sqlite.c", "<sqlite3.h>"),
            ("src/service/a.c", '"store/b.h"'),
            ("src/server/a.c", '"service/b.h"'),
            ("src/daemon/a.c", '"server/b.h"'),
            ("src/client/a.c", '"tee/b.h"'),
            ("src/client/a.c", '"audit/b.h"'),
            ("src/client/a.c", '"keys/root.h"'),
            ("src/server/a.c", '"net/b.h"'),
            ("src/server/a.c", '"auth/b.h"'),
            ("src/server/a.c", '"keys/b.h"'),
            ("src/cli/a.c", "<vouchsafe/vouchsafe.h>"),
            ("src/cli/a.c", '"cli/b.h"'),
            ("src/crypto/a.c", "<openssl/evp.h>"),
            ("src/codec/a.c", "<yaml.h>"),
            ("src/net/a.c", "<event2/event.h>"),
            ("src/net/a.c", "<curl/curl.h>"),
            ("src/tee/a.c", "<tss2/tss2_esys.h>"),
            ("src/auth/a.c", "<string.h>"),
        ]:
            with self.subTest(path=path, include=include):
                self.assertTrue(self.arrow(path, include))

    def test_refuses_all_others(self):
        for path, include in [
            ("src/base/a.c", '"codec/json.h"'),
            ("src/codec/a.c", '"crypto/hash.h"'),
            ("src/codec/a.c", '"crypto/hash.h"'),
            ("src/auth/a.c", '"keys/b.h"'),
            ("src/keys/a.h", '"store/store.h"'),
            ("src/store/a.c", '"net/b.h"'),
            ("src/policy/a.c", '"audit/b.h"'),
            ("src/service/a.c", '"server/b.h"'),
            ("src/server/a.c", '"store/store.h"'),
            ("src/client/a.c", '"store/store.h"'),
            ("src/client/a.c", '"service/b.h"'),
            ("src/cli/a.c", '"base/span.h"'),
            ("src/cli/a.c", '"codec/json.h"'),
            ("src/net/a.c", '"../store/store.h"'),
            ("src/net/a.c", '"net/../store/store.h"'),
            ("src/net/a.c", '"store.h"'),
            ("src/net/a.c", "HEADER"),
            ("src/net/a.c", "<openssl/ssl.h>"),
            ("src/attest/a.c", "<openssl/x509.h>"),
            ("src/keys/a.c", "<openssl/hmac.h>"),
            ("src/audit/a.c", "<sqlite3.h>"),
            ("src/server/a.c", "<event2/http.h>"),
            ("src/client/a.c", "<curl/curl.h>"),
            ("src/service/a.c", "<tss2/tss2_esys.h>"),
            ("src/daemon/a.c", "<yaml.h>"),
        ]:
            with self.subTest(path=path, include=include):
                self.assertFalse(self.arrow(path, include))

    def test_a_folder_that_no_layer_names_is_refused(self):
        self.plant("src/misc/a.c", CLEAN)
        self.assertEqual(self.run_tool("check-layers")[0], 1)

    def test_an_empty_tree_is_no_success(self):
        self.assertEqual(self.run_tool("check-layers")[0], 1)
        self.assertEqual(self.run_tool("check-banned")[0], 1)
        self.assertEqual(self.run_tool("check-english")[0], 1)


class Banned(Tree):
    def accepted(self, path, line):
        self.plant(path, f"{CLEAN}{line}\n")
        status, out = self.run_tool("check-banned")
        os.remove(os.path.join(self.root, path))
        self.assertEqual(status, 1 if out else 0)
        if out:
            self.assertTrue(out.startswith(f"{path}:6: "), out)
        return status == 0

    def test_refuses_each_banned_call(self):
        for name in "strcpy strcat sprintf gets atoi strtok alloca system popen".split():
            for path in ["src/base/a.c", "src/base/a.h", "tests/unit/a_test.c"]:
                with self.subTest(name=name, path=path):
                    self.assertFalse(self.accepted(path, f"    (void){name}(x);"))
                    self.assertFalse(self.accepted(path, f"    (void){name} (x); /* public */"))

    def test_leaves_other_names_and_comments_alone(self):
        for line in ["snprintf(a, b, c);", "file_system(x);", "p->gets(x);", "s.system(x);",
                     "/* strcpy(a, b) */", 'puts("system(1)");', "fgets(a, b, c);"]:
            with self.subTest(line=line):
                self.assertTrue(self.accepted("src/base/a.c", line))

    def test_memcmp_needs_a_word(self):
        call = "if (memcmp(a, b, 3) == 0)"
        self.assertFalse(self.accepted("src/auth/a.c", call))
        self.assertFalse(self.accepted("src/auth/a.c", call + " /* private */"))
        self.assertFalse(self.accepted("src/auth/span.c", call))
        self.assertTrue(self.accepted("src/auth/a.c", call + " /* public */"))
        self.assertTrue(self.accepted("src/base/span.c", call))


    def test_a_result_that_may_be_ignored_is_refused(self):
        for path, bad, good in [
            ("src/a.h", "enum err f(int x);", "MUST_CHECK enum err f(int x);"),
            ("src/a.c", "static enum err f(int x);", "MUST_CHECK static enum err f(int x);"),
            ("src/a.c", "static inline enum err f(int x)", "MUST_CHECK static inline enum err f(int x)"),
            ("src/a.h", "typedef enum err f(int x);", "typedef MUST_CHECK enum err f(int x);"),
            ("src/a.h", "enum err (*f)(int x);", "MUST_CHECK enum err (*f)(int x);"),
            ("src/a.c", "static enum err (*const f[3])(int x) = {0};", "static maker *const f[3] = {0};"),
            ("tests/unit/a.c", "static enum err f(int x);", "MUST_CHECK static enum err f(int x);"),
            ("include/vouchsafe/a.h", "enum vs_error f(int x);", "VS_MUST_CHECK enum vs_error f(int x);"),
            ("include/vouchsafe/a.h", "typedef enum vs_error (*f)(int x);", "typedef VS_MUST_CHECK enum vs_error (*f)(int x);"),
            ("src/client/a.c", "static enum vs_error f(int x)", "MUST_CHECK static enum vs_error f(int x)"),
            ("src/cli/a.c", "static enum vs_error f(int x);", "VS_MUST_CHECK static enum vs_error f(int x);"),
        ]:
            with self.subTest(bad):
                self.assertFalse(self.accepted(path, bad))
                self.assertTrue(self.accepted(path, good))
        for line in ("enum err f(int x)", "enum vs_error f(int x)", "enum err e = f(1);", "enum vs_error e = f(1);",
                     "struct { enum err error; };"):
            self.assertTrue(self.accepted("src/a.c", line), line)


class English(Tree):
    def accepted(self, path, line):
        self.plant(path, f"{CLEAN}{line}\n")
        status, out = self.run_tool("check-english")
        os.remove(os.path.join(self.root, path))
        self.assertEqual(status, 1 if out else 0)
        if out:
            self.assertTrue(out.startswith(f"{path}:6: "), out)
        return status == 0

    def test_refuses_hard_words_in_comments_texts_and_documents(self):
        for word in ["who" + "ever", "No" + "body", "an" + "ew", "a" + "lone", "like" + "wise"]:
            for path, line in [("src/base/a.c", f"/* {word} asks */"), ("src/base/a.h", f'"{word} asks"'),
                               ("docs/a.md", f"{word} asks"), ("tests/a.py", f"# {word} asks")]:
                with self.subTest(word=word, path=path):
                    self.assertFalse(self.accepted(path, line))

    def test_accepts_code_and_the_words_that_remain(self):
        for line in ["struct trust no" + "body = {0};", '"no' + 'body"', "/* the socket is left a" + "lone */",
                     "/* a_" + "lone, renewal */"]:
            with self.subTest(line=line):
                self.assertTrue(self.accepted("src/base/a.c", line))


class Check(Tree):
    """script/check over a small tree of its own."""

    def check(self, name, text):
        for path in ["script/check", "tools/check-layers", "tools/check-banned",
                     "tools/check-english", "tools/check-tidy", ".clang-format",
                     ".clang-tidy"]:
            target = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(ROOT, path), target)
        os.makedirs(os.path.join(self.root, "include"), exist_ok=True)
        self.plant(name, text)
        self.plant("build/compile_commands.json", json.dumps(
            [{"directory": self.root, "file": name, "command": f"cc -std=c17 -Isrc -c {name}"}]))
        for command in (["git", "init", "-q"], ["git", "add", "src"]):
            subprocess.run(command, cwd=self.root, check=True)
        environment = {**os.environ, "BUILD_DIR": "build"}
        done = subprocess.run(["script/check"], cwd=self.root, text=True, capture_output=True,
                              env=environment, check=False)
        last = (done.stdout + done.stderr).strip().split("\n")
        return done.returncode, [line for line in last if line.startswith("check: ")][-1]

    def test_a_clean_tree_passes(self):
        self.assertEqual(self.check("src/base/a.c", CLEAN), (0, "check: ok"))

    def test_each_step_catches_its_violation(self):
        declared = "int f(int a);\nint f(int a)\n{\n"
        for step, text in [
            ("format", CLEAN.replace("    return", "  return")),
            ("layers", '#include "net/a.h"\n\n' + CLEAN),
            ("banned", "int system(const char *);\n\n" + CLEAN),
            ("cppcheck", declared + "    int b[2] = {1, 2};\n\n    return a + b[2];\n}\n"),
            ("clang-tidy", declared + "    int *p = 0;\n\n    if (a)\n        return 1;\n"
                           "    return *p;\n}\n"),
        ]:
            with self.subTest(step=step):
                status, last = self.check("src/base/a.c", text)
                self.assertEqual(status, 1)
                self.assertIn(step, last.split())

    def test_a_file_that_passed_is_looked_at_again_when_a_header_changes(self):
        text = ('#include "base/b.h"\n\nint f(int a);\nint f(int a)\n{\n'
                "    const int *p = WHERE;\n\n    return *p;\n}\n")
        self.plant("src/base/b.h", "#define WHERE &a\n")
        self.assertEqual(self.check("src/base/a.c", text), (0, "check: ok"))
        self.assertEqual(os.listdir(os.path.join(self.root, "build", "check-tidy")),
                         ["src.base.a.c"])
        self.plant("src/base/b.h", "#define WHERE (int *)0\n")
        status, last = self.check("src/base/a.c", text)
        self.assertEqual(status, 1)
        self.assertIn("clang-tidy", last.split())


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=1)
