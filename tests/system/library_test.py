#!/usr/bin/env python3
"""libvouchsafe as its users meet it: symbols, header, static and shared linking."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VOUCHSAFE_BUILD", os.path.join(ROOT, "build"))
SHARED = os.path.join(BUILD, "src/client/libvouchsafe.so")
STATIC = os.path.join(BUILD, "src/client/libvouchsafe.a")
HEADERS = sorted(glob.glob(os.path.join(ROOT, "include/vouchsafe/*.h")))


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, timeout=120).stdout.decode()


def symbols(*arguments):
    return {line.split()[-1].split("@")[0] for line in run("nm", *arguments).splitlines()
            if len(line.split()) == 3 and line.split()[1] in "TDBRVWi"}


class LibraryTest(unittest.TestCase):
    def declared(self):
        names = set()
        for header in HEADERS:
            with open(header, encoding="utf-8") as file:
                text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
            names |= set(re.findall(r"\b(vs_[a-z0-9_]+)\(", text))
        self.assertGreater(len(names), 100)
        return names

    def test_both_forms_export_exactly_the_declarations_of_the_header(self):
        self.assertEqual(symbols("-D", "--defined-only", SHARED), self.declared())
        self.assertEqual(symbols("-g", "--defined-only", STATIC), self.declared())

    def test_everything_is_installed(self):
        with tempfile.TemporaryDirectory() as folder:
            run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", folder)
            files = {os.path.join(where, name) for where, _, names in os.walk(folder) for name in names}
            ends = ["/sbin/vouchsafed", "/bin/vouchsafe", "/libvouchsafe.a", "/libvouchsafe.so", "/vouchsafe.pc",
                    "/lib/systemd/system/vouchsafed.service", "/man/man1/vouchsafe.1",
                    "/bash-completion/completions/vouchsafe", "/zsh/site-functions/_vouchsafe",
                    "/fish/vendor_completions.d/vouchsafe.fish", "/doc/vouchsafe/examples/vouchsafe.yaml",
                    "/examples/prometheus/vouchsafe.rules.yml", "/examples/grafana/vouchsafe.json",
                    "/doc/vouchsafe/README.md", "/doc/vouchsafe/docs/operations.md",
                    "/doc/vouchsafe/docs/guides/encrypt-secrets.md"]
            ends += ["/include/vouchsafe/" + os.path.basename(header) for header in HEADERS]
            for end in ends:
                self.assertEqual(len([name for name in files if name.endswith(end)]), 1, end)
            daemon, = (name for name in files if name.endswith("/sbin/vouchsafed"))
            unit, = (name for name in files if name.endswith(".service"))
            with open(unit, encoding="utf-8") as file:
                self.assertIn("ExecStart=" + daemon[len(folder):] + " ", file.read())
            sample, = (name for name in files if name.endswith("/examples/vouchsafe.yaml"))
            variables = os.path.join(folder, "env")
            os.close(os.open(variables, os.O_CREAT | os.O_WRONLY, 0o600))
            run(daemon, "--check-config", "--config", sample, "--env-file", variables)

    def test_the_headers_are_c_and_cpp(self):
        include = "-I" + os.path.join(ROOT, "include")
        for header in HEADERS:
            run("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", include,
                "-fsyntax-only", "-x", "c", header)
            if shutil.which("c++"):
                run("c++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", include,
                    "-fsyntax-only", "-x", "c++", header)

    def test_a_program_links_with_only_the_archive(self):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "verify_receipt")
            run("cc", "-I" + os.path.join(ROOT, "include"), "-o", program,
                os.path.join(ROOT, "examples/verify_receipt.c"), STATIC, "-lyaml", "-lcbor", "-lcurl",
                "-lcrypto", "-lpthread")
            done = subprocess.run([program, "/nonexistent", "key"], capture_output=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"it does not exist", done.stderr)


if __name__ == "__main__":
    unittest.main()
