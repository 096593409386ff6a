"""`vouchsafe dev`: one command from an empty directory to a keystore that works."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import COMMAND, command


class Dev(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="vouchsafe dev's ")  # a blank and a quote, as home directories have them
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.addCleanup(self.dev, "stop", check=False)

    def dev(self, *arguments, check=True):
        return command("dev", *arguments, "--dir", os.path.join(self.dir, "d"), check=check)

    def shell(self, script):
        """Runs a script in a shell that has sourced the env file."""
        done = subprocess.run(["sh", "-euc", f'. "$1"; {script}', "sh", os.path.join(self.dir, "d/env")],
                              capture_output=True, text=True, timeout=60,
                              env={"PATH": os.path.dirname(COMMAND) + ":/usr/bin:/bin", "HOME": self.dir})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_starts_stops_and_starts_again_with_the_same_keys(self):
        self.dev("--background", "--port", "0")
        first = self.shell('vouchsafe log key; vouchsafe status --token-file "$VOUCHSAFE_DEV/operator.token"')
        self.assertIn("dev-worker", first)
        key = self.shell("vouchsafe log key")
        said = json.loads(self.dev("stop", "--json").stdout)
        self.assertEqual((said["stopped"], said["dir"]), (True, os.path.realpath(os.path.join(self.dir, "d"))))
        self.dev("--background", "--port", "0")
        self.assertEqual(self.shell("vouchsafe log key"), key)

    def test_a_keystore_that_already_runs_is_used_again(self):
        first = self.dev("--background", "--port", "0").stdout
        key = self.shell("vouchsafe log key")
        self.assertEqual(self.dev("--background").stdout, first)
        self.assertEqual(self.dev("--background", "--port", "0").stdout, first)
        # from inside the directory, too, by the sourced variable; and so does `dev stop`
        self.shell('cd "$VOUCHSAFE_DEV"; vouchsafe dev --background; test ! -e vouchsafe-dev')
        self.assertEqual(self.shell("vouchsafe log key"), key)
        for other in ((), ("--background", "--port", "1")):
            done = self.dev(*other, check=False)
            self.assertEqual(done.returncode, 4, done)
            self.assertIn("already runs in the background", done.stderr.decode())
        self.shell('cd "$VOUCHSAFE_DEV"; vouchsafe dev stop')
        self.assertNotEqual(self.dev("stop", check=False).returncode, 0)

    def test_the_command_itself_is_an_accepted_worker(self):
        self.dev("--background", "--port", "0")
        self.shell('vouchsafe attest --token-file "$VOUCHSAFE_DEV/worker.token" --sim "$VOUCHSAFE_DEV/sim"')

    def test_secrets_are_readable_by_their_owner_only(self):
        os.umask(os.umask(0))
        self.dev("--background", "--port", "0")
        for name in ("worker.token", "auditor.token", "operator.token"):
            self.assertEqual(os.stat(os.path.join(self.dir, "d", name)).st_mode & 0o777, 0o600, name)

    def test_a_port_in_use_is_named(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            done = self.dev("--background", "--port", str(port), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"port {port} of 127.0.0.1 is in use", done.stderr.decode())

    def test_nothing_runs_after_stop_and_stop_says_so(self):
        self.dev("--background", "--port", "0")
        self.dev("stop")
        done = self.dev("stop", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no keystore", done.stderr.decode())

    def test_a_pid_of_another_program_is_left_alive(self):
        self.dev("--background", "--port", "0")
        self.dev("stop")
        other = subprocess.Popen(["sleep", "60"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        with open(os.path.join(self.dir, "d/daemon.pid"), "w", encoding="ascii") as f:
            f.write(f"{other.pid}\n")
        self.assertNotEqual(self.dev("stop", check=False).returncode, 0)
        self.assertIsNone(other.poll())

    def test_in_the_foreground_it_ends_with_ctrl_c(self):
        process = subprocess.Popen([COMMAND, "dev", "--port", "0", "--dir", os.path.join(self.dir, "d")],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.assertIn(b"runs at http://127.0.0.1:", process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(30), 0)


if __name__ == "__main__":
    unittest.main()
