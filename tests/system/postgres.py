"""A PostgreSQL server of the test's own: in a new directory, on a Unix socket there, as another user when
the test is root. Its processes end with the test."""
import ctypes
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PR_SET_PDEATHSIG = 1
OLDEST = 13


def programs():
    """The directory of the newest installed version, or None."""
    found = []
    for path in glob.glob("/usr/lib/postgresql/*/bin/initdb"):
        version = re.search(r"/postgresql/(\d+)/", path)
        if version and int(version[1]) >= OLDEST:
            found.append((int(version[1]), os.path.dirname(path)))
    return max(found)[1] if found else None


def missing():
    """Why no server can be started here, or None."""
    if not programs():
        return "there is no PostgreSQL 13 or newer (script/bootstrap installs it)"
    if os.geteuid() == 0 and not any(user.pw_name == "postgres" for user in pwd.getpwall()):
        return "root cannot run a server, and there is no user postgres"
    return None


class Postgres:
    def __init__(self, *settings, port=5432, files=None):
        """`files`: (name, contents) of files in the data directory that only the server may read."""
        # not TMPDIR: the other user must reach it, and the socket's path must be short
        self.dir = tempfile.mkdtemp(prefix="vouchsafe-postgres.", dir="/tmp")
        self.data = os.path.join(self.dir, "data")
        self.settings, self.port = settings, port
        self.process = None
        self.schemas = 0
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        os.chmod(self.dir, 0o755)  # the daemon drops the capability to read all directories
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "test", "-E", "UTF8", "--no-sync", "--locale=C")
        for name, contents in (files or {}).items():
            path = os.path.join(self.data, name)
            with open(path, "wb") as f:
                os.chmod(path, 0o600)
                f.write(contents)
            if self.user:
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        self.start()

    def _become(self):
        if self.user:
            os.setgroups([])
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)

    def _run(self, name, *arguments):
        subprocess.run([os.path.join(programs(), name), *arguments], check=True, capture_output=True,
                       preexec_fn=self._become, cwd=self.dir, timeout=600)

    def start(self, wait_s=300):
        log = open(os.path.join(self.dir, "server.log"), "ab")
        # fsync protects from the loss of power; what a process has written outlives the process
        options = ["fsync=off", "listen_addresses=", "max_connections=60", f"port={self.port}", *self.settings]
        self.process = subprocess.Popen(
            [os.path.join(programs(), "postgres"), "-D", self.data, "-k", self.dir,
             *(part for option in options for part in ("-c", option))],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=self._become, cwd=self.dir)
        log.close()
        deadline = time.monotonic() + wait_s
        while subprocess.run([os.path.join(programs(), "pg_isready"), "-q", "-h", self.dir, "-p", str(self.port)],
                             check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(os.path.join(self.dir, "server.log"), encoding="utf-8", errors="replace") as f:
                    raise AssertionError(f"PostgreSQL does not start: {f.read()[-2000:]}")
            time.sleep(0.02)
        return self

    def end(self):
        """All processes at once: "immediate shutdown", as a crash. What is not yet written is lost."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(60)
        self.process = None

    def restart(self):
        self.end()
        self.start()

    def sql(self, text, schema=None):
        """Standard output of psql, without a frame."""
        address = f"host={self.dir} port={self.port} dbname=postgres user=test"
        if schema:
            address += f" options='-c search_path={schema}'"
        done = subprocess.run([os.path.join(programs(), "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                               "-c", text, address], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"{text}: {done.stderr}")
        return done.stdout.strip()

    def schema(self):
        """The name of a new, empty schema."""
        self.schemas += 1
        self.sql(f"CREATE SCHEMA s{self.schemas}")
        return f"s{self.schemas}"

    def url(self, schema, host=None, extra=""):
        return f"host={host or self.dir} port={self.port} dbname=postgres user=test options='-c search_path={schema}'{extra}"

    def close(self):
        if self.process:
            self.end()
        shutil.rmtree(self.dir, ignore_errors=True)


class Proxy:
    """Between a keystore and the server, on a Unix socket of its own. `cut` says what becomes of the next COMMITs:
    "before": the connection ends, and the server never sees it; "after": the server does it, and its answer is lost."""

    def __init__(self, upstream):
        self.upstream = os.path.join(upstream, ".s.PGSQL.5432")
        self.dir = tempfile.mkdtemp(prefix="vouchsafe-proxy.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.lock = threading.Lock()
        self.cuts = []       # what to do with the next COMMITs, in order
        self.done = 0        # cuts that were made
        self.after_cut = None  # called once the connection is cut
        self.refusing = False
        self.flowing = threading.Event()
        self.flowing.set()
        self.pairs = []
        self.muted, self.answered = None, threading.Event()  # whose answers do not reach the client any more
        self.listener = socket.socket(socket.AF_UNIX)
        path = os.path.join(self.dir, ".s.PGSQL.5432")
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, *what, then=None):
        with self.lock:
            self.cuts, self.done, self.after_cut = list(what), 0, then

    def refuse(self, yes=True):
        """New connections end at once."""
        self.refusing = yes

    def hold(self, yes=True):
        """Nothing passes any more, as in a network that loses every packet."""
        if yes:
            self.flowing.clear()
        else:
            self.flowing.set()

    def drop(self):
        """Ends all connections."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            self._end(pair)

    @staticmethod
    def _end(pair):
        for s in pair:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                if self.refusing:
                    raise OSError
                server.connect(self.upstream)
            except OSError:
                client.close()
                server.close()
                continue
            pair = (client, server)
            with self.lock:
                self.pairs.append(pair)
            threading.Thread(target=self._serve, args=(pair,), daemon=True).start()

    def _serve(self, pair):
        """Both directions of a connection. Its sockets are closed once neither thread uses them."""
        client, server = pair
        answers = threading.Thread(target=self._pump, args=(server, client, pair), daemon=True)
        answers.start()
        self._pump(client, server, pair)
        answers.join()
        client.close()
        server.close()

    def _next_cut(self, data):
        with self.lock:
            if b"COMMIT\0" not in data or not self.cuts:
                return None
            self.done += 1
            return self.cuts.pop(0)

    def _cut(self, what, data, pair):
        client, server = pair
        if what == "after":
            client.shutdown(socket.SHUT_RD)
            server.sendall(data)
            assert self.answered.wait(10), "the server does not answer a COMMIT"
        if self.after_cut:
            self.after_cut()
        self._end(pair)

    def _pump(self, source, target, pair):
        try:
            while data := source.recv(1 << 16):
                self.flowing.wait()
                if source is pair[0]:
                    what = self._next_cut(data)
                    if what == "after":
                        self.answered = threading.Event()
                        self.muted = pair
                    if what:
                        self._cut(what, data, pair)
                        return
                elif self.muted is pair:
                    if b"COMMIT\0" in data:  # CommandComplete: it is durable
                        self.answered.set()
                    continue
                target.sendall(data)
        except OSError:
            pass
        finally:
            self._end(pair)

    def close(self):
        self.listener.close()
        self.hold(False)
        self.drop()
        shutil.rmtree(self.dir, ignore_errors=True)
