"""What the documentation tells people to type is run, and what it names exists.

In README.md and docs/, a fenced block marked ```sh test is run, and one marked ```LANGUAGE file=NAME is
written to NAME, in order, one page in one shell and one empty directory. A page with "needs=postgresql" is run where
a PostgreSQL server can be started. A page finds nothing but the two
programs in PATH: whatever else it needs, its own text makes. Port 8081 in the text stands for a free one.
"""
import glob
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml

import harness
import postgres
from harness import BUILD, COMMAND, DAEMON, ROOT

PAGES = sorted(p for pattern in ("*.md", "docs/*.md", "docs/guides/*.md") for p in glob.glob(os.path.join(ROOT, pattern)))
GUIDES = [p for p in PAGES if "/guides/" in p]
OPERATIONS = os.path.join(ROOT, "docs/operations.md")
# Of OutLayer's keystore, named where people look for them.
NOT_OURS = {"/tee-challenge", "/register-tee", "/encrypt", "/decrypt-raw", "/storage/encrypt", "/storage/decrypt",
            "/vrf/generate", "/wallet/sign"}
# Names that the changelog says are gone.
GONE = {"vouchsafe_log_commit_microseconds_total", "vouchsafe_collateral_expiry_days", "collateral_wanted"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def name(path):
    return os.path.relpath(path, ROOT)


def blocks(text):
    """(line, info string, content) of each fenced block."""
    found, inside, info, start, content = [], False, "", 0, []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("```") and not inside:
            inside, info, start, content = True, line[3:].strip(), number, []
        elif line.startswith("```"):
            inside = False
            found.append((start, info, "\n".join(content) + "\n"))
        elif inside:
            content.append(line)
    if inside:
        raise AssertionError(f"line {start}: the block is not closed")
    return found


def script_of(text):
    """The page as one shell script; None when there is nothing to run."""
    parts, runs = ["set -euo pipefail\n"], False
    for line, info, content in blocks(text):
        file = re.search(r"\bfile=(\S+)", info)
        if file:
            parts.append(f"cat > {file.group(1)} <<'END-OF-{line}'\n{content}END-OF-{line}\n")
        elif info.split(" needs=")[0] == "sh test":
            parts.append(f"echo '# line {line}' >&2\n{content}")
            runs = True
    return "".join(parts) if runs else None


def prose(text):
    """Without fenced blocks, and without what is made by a program."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return re.sub(r"<!-- settings: made.*?<!-- end of settings -->", "", text, flags=re.S)


def quoted(text):
    return re.findall(r"`([^`\n]+)`", prose(text))


def module(path):
    loader = importlib.machinery.SourceFileLoader("tool", path)
    spec = importlib.util.spec_from_loader("tool", loader)
    loaded = importlib.util.module_from_spec(spec)
    loader.exec_module(loaded)
    return loaded


class Commands(unittest.TestCase):
    def run_page(self, path, script):
        directory = tempfile.mkdtemp(prefix="vouchsafe-docs-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.addCleanup(harness.command, "dev", "stop", "--dir", os.path.join(directory, "vouchsafe-dev"), check=False)
        port = str(harness.free_port())
        environment = {
            "PATH": os.pathsep.join([os.path.dirname(COMMAND), os.path.dirname(DAEMON), os.environ["PATH"]]),
            "HOME": directory, "SERVER_PORT": port}
        done = subprocess.run(["bash", "-c", script.replace("8081", port)], cwd=directory, env=environment,
                              capture_output=True, timeout=120)
        self.assertEqual(done.returncode, 0, f"{name(path)}\n{done.stdout.decode()[-3000:]}\n"
                                             f"{done.stderr.decode(errors='replace')[-4000:]}")

    def test_commands_of_the_pages_work(self):
        ran = 0
        for path in PAGES:
            script = script_of(read(path))
            if "needs=postgresql" in read(path) and postgres.missing():
                print(f"SKIPPED: {name(path)} is not run: {postgres.missing()}", flush=True)
                script, ran = None, ran + 1
            if script:
                with self.subTest(name(path)):
                    self.run_page(path, script)
                ran += 1
        self.assertGreaterEqual(ran, len(GUIDES) + 1)

    def test_every_guide_is_run(self):
        self.assertGreaterEqual(len(GUIDES), 5)
        for path in GUIDES:
            self.assertIsNotNone(script_of(read(path)), name(path))

    def test_commands_exist(self):
        listed = set(re.findall(r"^  ([a-z-]+(?: [a-z-]+)?)  ", harness.command("--help").stdout.decode(), re.M))
        self.assertGreater(len(listed), 10)
        for path in PAGES:
            for words in re.findall(r"`vouchsafe ([a-z][a-z -]*[a-z])", read(path)):
                with self.subTest(f"{name(path)}: vouchsafe {words}"):
                    first = words.split(" ")
                    self.assertTrue(first[0] in listed or " ".join(first[:2]) in listed)


class Names(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.manual = subprocess.run([os.path.join(BUILD, "tests/print_settings")], check=True, capture_output=True,
                                    text=True).stdout
        cls.settings = set(re.findall(r"^\| `([a-z0-9_.\[\]]+)`", cls.manual, re.M))
        sources = glob.glob(os.path.join(ROOT, "src/*/*.[ch]")) + glob.glob(os.path.join(ROOT, "include/vouchsafe/*.h"))
        cls.code = "\n".join(read(p) for p in sorted(sources))
        cls.tools = "\n".join(read(p) for pattern in ("tests/*.py", "tests/*/*.py", "script/*")
                              for p in sorted(glob.glob(os.path.join(ROOT, pattern))))
        cls.routes = set(re.findall(r'^    \{"(?:GET|POST)",\s+"(/[^"]*)"', read(os.path.join(ROOT, "src/server/routes.c")),
                                    re.M))
        cls.openapi = yaml.safe_load(read(os.path.join(ROOT, "docs/openapi.yaml")))

    def test_the_table_of_settings_is_the_programs(self):
        tool = module(os.path.join(ROOT, "tools/update-manual"))
        text = read(OPERATIONS)
        self.assertEqual(text, tool.with_settings(text, BUILD), "run tools/update-manual")

    def test_every_setting_can_be_written_with_its_default(self):
        rows = re.findall(r"^\| `([a-z0-9_]+)(?:\.([a-z0-9_]+))?`[^|]*\|[^|]*\| `?([^|`]*?)`? \|", self.manual, re.M)
        config = {"tee": {"provider": "simulated", "allow_simulated": True},
                  "server": {"allow_plain_http": True}}
        for section, key, default in rows:
            if not default or (section, key) in (("tee", "allow_simulated"), ("server", "allow_plain_http")):
                continue
            value = "" if default == "empty" else default
            if value.isdigit() or value in ("true", "false"):
                value = yaml.safe_load(value)
            if key:
                config.setdefault(section, {})[key] = value
            else:
                config[section] = value
        self.assertGreater(sum(len(v) for v in config.values()), 30)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            yaml.safe_dump(config, f)
            f.flush()
            done = subprocess.run([DAEMON, "--check-config", "--config", f.name], capture_output=True, text=True,
                                  env={"PATH": os.environ["PATH"]}, cwd=tempfile.gettempdir())
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_scripts_exist(self):
        for path in PAGES:
            for script in re.findall(r"\b((?:script|tools)/[a-z-]+)\b", read(path)):
                self.assertTrue(os.access(os.path.join(ROOT, script), os.X_OK), f"{name(path)}: {script}")

    def test_settings_exist(self):
        sections = {s.split(".")[0].replace("[]", "") for s in self.settings}
        for path in PAGES:
            for word in quoted(read(path)):
                setting = re.match(r"^([a-z]+)\.([a-z0-9_]+)(?:: .*)?$", word)
                if setting and setting.group(1) in sections and not re.search(r"\.(c|h|md|py|yaml|json|token|sealed|db)$", word):
                    with self.subTest(f"{name(path)}: {word}"):
                        whole = f"{setting.group(1)}.{setting.group(2)}"
                        self.assertTrue(whole in self.settings or any(s.endswith("[]." + setting.group(2))
                                                                      for s in self.settings))

    def test_variables_exist(self):
        for path in PAGES:
            for word in re.findall(r"`\$?([A-Z][A-Z0-9]*_[A-Z0-9_]*)=?`", prose(read(path))):
                with self.subTest(f"{name(path)}: {word}"):
                    # those of the chain are passed over by their common beginning
                    self.assertTrue(word.startswith("NEAR_") or re.search(rf"\b{word}\b", self.code + self.tools))

    def test_routes_exist(self):
        for path in PAGES:
            for word in re.findall(r"`(?:GET |POST )?(/[a-z0-9/_.-]+)[?`]", prose(read(path))):
                if word.startswith(("/dev/", "/etc/", "/var/", "/proc/", "/usr/", "/run/", "/sys/")):
                    continue
                with self.subTest(f"{name(path)}: {word}"):
                    self.assertTrue(word in self.routes or (word in NOT_OURS and word not in self.routes))

    def test_every_route_is_in_the_protocol(self):
        text = read(os.path.join(ROOT, "docs/protocol.md"))
        for route in self.routes:
            self.assertTrue(route in text, route)

    def documented_codes(self):
        section = read(OPERATIONS).split("## Codes", 1)[1].split("\n## ", 1)[0]
        return {code for row in re.findall(r"^\| (`[^|]+) \| ", section, re.M) for code in re.findall(r"`(\w+)`", row)}

    def test_every_code_has_a_cause_and_a_fix(self):
        codes = set()

        def walk(node, key=None):
            if isinstance(node, dict):
                for k, v in node.items():
                    walk(v, k if k in ("code", "EvidenceCode") else key if k in ("anyOf", "enum", "const") else None)
            elif isinstance(node, list):
                for v in node:
                    walk(v, key)
            elif key and isinstance(node, str):
                codes.add(node)

        for part in ("paths", "components"):
            walk({k: v for k, v in self.openapi[part].items() if k != "securitySchemes"})
        codes = {c for c in codes if re.fullmatch(r"[a-z0-9_]+", c)}
        self.assertGreater(len(codes), 80)
        self.assertEqual(self.documented_codes(), codes)

    def test_every_code_exists_in_the_code(self):
        for code in self.documented_codes():
            self.assertTrue(f'"{code}"' in self.code, code)

    def test_words_with_underscores_exist(self):
        known = self.code + read(os.path.join(ROOT, "docs/openapi.yaml")) + self.manual
        for path in PAGES:
            for word in quoted(read(path)):
                if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", word) and not (word in GONE and name(path) == "CHANGELOG.md"):
                    with self.subTest(f"{name(path)}: {word}"):
                        self.assertTrue(re.search(rf"\b{word}\b", known))

    def test_metrics_are_those_of_the_program(self):
        given = set()
        for file in ("anchor_info.c", "info_routes.c", "collateral_route.c", "metrics.c"):
            given |= set(re.findall(r"\b(vouchsafe_[a-z_]+)\b", read(os.path.join(ROOT, "src/server", file))))
        named = set(re.findall(r"\b(vouchsafe_[a-z_]+)\b", read(OPERATIONS)))
        self.assertGreater(len(given), 8)
        self.assertEqual(named, given)

    def test_folders_of_the_tree_are_described(self):
        text = read(os.path.join(ROOT, "docs/architecture.md"))
        for folder in sorted(os.listdir(os.path.join(ROOT, "src"))):
            if os.path.isdir(os.path.join(ROOT, "src", folder)):
                self.assertTrue(f"src/{folder}/" in text, folder)
        for file in re.findall(r"\b((?:src|tests|docs|tools|script|include|dist)/[\w/.-]+\.\w+)", text):
            self.assertTrue(os.path.exists(os.path.join(ROOT, file)), file)

    @staticmethod
    def places(text):
        """The (file, name) pairs of the forms `file` (`name`, ...), `name()` (`file`) and `name` in `file`."""
        found = [(file, name)
                 for file, names in re.findall(r"`(src/[\w/.]+\.[ch])`\s+\(((?:`[\w ]+(?:\(\))?`(?:,\s+)?)+)\)", text)
                 for name in re.findall(r"`([\w ]+)(?:\(\))?`", names)]
        found += [(file, name)
                  for name, file in re.findall(r"`([\w ]+)(?:\(\))?`\s+(?:\(|in\s+)`(src/[\w/.]+\.[ch])`", text)]
        return found

    @staticmethod
    def defines(code, name):
        """Whether the file has the function, table or type itself. A call or a mention is not enough."""
        if name.startswith(("struct ", "enum ")):
            return re.search(rf"^{name} \{{", code, re.M)
        return re.search(rf"^(?![\s/#])[^;={{}}]*?\b{name}(?:\([^;{{}}]*\)\s*\{{|(?:\[\w*\])* = )", code, re.M)

    def test_functions_that_the_architecture_names_are_where_it_says(self):
        text = read(os.path.join(ROOT, "docs/architecture.md"))
        named = self.places(text)
        self.assertGreater(len(named), 10)
        for file, name in named:
            with self.subTest(f"{file}: {name}"):
                self.assertTrue(self.defines(read(os.path.join(ROOT, file)), name), "is not defined there")

    def test_each_form_of_a_place_is_found(self):
        for text in ("`src/a/b.c` (`f`)", "`src/a/b.c` (`f()`)", "`f()` (`src/a/b.c`)", "`f` (`src/a/b.c`)",
                     "`f()` in `src/a/b.c`", "`f` in\n`src/a/b.c`"):
            with self.subTest(text):
                self.assertEqual(self.places(text), [("src/a/b.c", "f")])
        self.assertEqual(self.places("`src/a/b.c` (`f`, `g`)"), [("src/a/b.c", "f"), ("src/a/b.c", "g")])
        for code, defined in (("int f(int a,\n      int b)\n{\n}\n", True), ("    x = f(1);\n", False),
                              ("int f(int a);\n", False), ("const struct t f = {\n", True), ("/* f() { */\n", False),
                              ("int g(void)\n{\n    f(1);\n}\n", False), ("struct f {\n", False)):
            with self.subTest(code):
                self.assertEqual(bool(self.defines(code, "f")), defined)


class Links(unittest.TestCase):
    @staticmethod
    def anchors(path):
        titles = re.findall(r"^#+ (.+)$", prose(read(path)), re.M)
        return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}

    def test_relative_links_resolve(self):
        checked = 0
        for path in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", prose(read(path))):
                if re.match(r"[a-z]+:", target):
                    continue
                with self.subTest(f"{name(path)}: {target}"):
                    file, _, anchor = target.partition("#")
                    whole = os.path.join(os.path.dirname(path), file) if file else path
                    self.assertTrue(os.path.exists(whole))
                    if anchor:
                        self.assertIn(anchor, self.anchors(whole))
                checked += 1
        self.assertGreater(checked, 10)


if __name__ == "__main__":
    unittest.main()
