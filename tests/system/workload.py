"""Many workers, each with a token, a session, a seed and a secret of its own; and load over them."""
import base64
import json
import os
import subprocess

import harness
from harness import Worker, ecies_seal

LOG_PAGE = 1000


class Crew:
    """`keystore` needs as many worker tokens as the crew has members. `plain`: the policy allows it."""

    def __init__(self, keystore, count, plain=False):
        self.keystore = keystore
        self.cases = os.path.join(keystore.dir, "cases.tsv")
        self.secrets, lines = [], []
        for i in range(count):
            worker = Worker(keystore, token=f"worker{i}" if i else "worker")
            reply = worker.attest()
            assert reply.status == 200, reply.body
            seed = f"github.com/team{i}/project:owner{i}.near"
            secret = json.dumps({"OWNER": i, "TOKEN": os.urandom(24).hex()}).encode()
            self.secrets.append(secret)
            envelope = ecies_seal(keystore.pubkey(seed), secret)
            body = json.dumps({"encrypted_secrets": base64.b64encode(envelope).decode(),
                               "seed": seed}, separators=(",", ":"))
            expected = f'{{"plaintext_secrets":"{base64.b64encode(secret).decode()}"}}' if plain else secret.decode()
            lines.append("\t".join((keystore.tokens[worker.token], worker.session, body, expected,
                                    "-" if plain else worker.reply_key.hex())) + "\n")
        with open(self.cases, "w", encoding="ascii") as f:
            f.writelines(lines)

    def start(self, requests, connections, acks=None, until_failure=False):
        """The running load generator."""
        arguments = [harness.LOAD, "--port", str(self.keystore.port), "--cases", self.cases,
                     "--connections", str(connections), "--requests", str(requests)]
        arguments += ["--tls"] if self.keystore.tls else []
        arguments += ["--acks", acks] if acks else []
        arguments += ["--until-failure"] if until_failure else []
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, requests, connections, acks=None, timeout=600):
        """What the generator counted, its exit status and what it said of wrong replies."""
        load = self.start(requests, connections, acks)
        out, err = load.communicate(timeout=timeout)
        return json.loads(out), load.returncode, err.decode(errors="replace")


def read_acks(path):
    with open(path, encoding="ascii") as f:
        return f.read().split()


def export_log(keystore):
    """Every line of the log up to the present checkpoint, and that checkpoint."""
    note = keystore.get("/v1/log/checkpoint").body
    size = int(note.split(b"\n")[1])
    lines = []
    connection = keystore.connection()
    while len(lines) < size:
        count = min(LOG_PAGE, size - len(lines))
        page = keystore.get(f"/v1/log/entries?start={len(lines)}&count={count}", token="auditor",
                            connection=connection)
        assert page.status == 200, page.body[:300]
        taken = page.body.split(b"\n")[:-1]
        assert len(taken) == count, (len(lines), len(taken))
        lines += taken
    connection.close()
    return lines, note


def verify_log(keystore, lines, note, kept=()):
    """The finished `vouchsafe log verify`."""
    export, last = (os.path.join(keystore.dir, name) for name in ("export.ndjson", "last.checkpoint"))
    with open(export, "wb") as f:
        f.writelines(line + b"\n" for line in lines)
    with open(last, "wb") as f:
        f.write(note)
    options = [option for path in kept for option in ("--kept", path)]
    return harness.command("log", "verify", export, "--checkpoint", last, "--vkey",
                           keystore.get("/v1/log/key").json()["vkey"], *options, check=False)


def metric(keystore, name):
    """The value of one line of /metrics; `name` with its labels."""
    for line in keystore.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise AssertionError(f"no metric {name}")


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
