#!/usr/bin/env python3
"""Limits hold exactly: 64 callers of counters with limit 5, on both engines, with and without kill -9 of the program
and of the PostgreSQL server; and a limit of 1,000 that two processes share.

VOUCHSAFE_EXHAUSTIVE_ROUNDS: rounds of each test.
"""
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import postgres
from harness import BUILD

COUNTER = os.path.join(BUILD, "tests/bench/counter")
ROUNDS = int(os.environ.get("VOUCHSAFE_EXHAUSTIVE_ROUNDS", "40"))
CALLERS, LIMIT = 64, 5
server = None


def setUpModule():
    global server
    reason = postgres.missing()
    if reason:
        print(f"SKIPPED: no counter is tested on PostgreSQL: {reason}", flush=True)
    else:
        server = postgres.Postgres()


def tearDownModule():
    if server:
        server.close()


class Program:
    """A run of the counter program, whose lines are read as they come."""

    def __init__(self, mode, place, node, *numbers):
        self.process = subprocess.Popen([COUNTER, mode, *place, str(node), *map(str, numbers)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.ready = threading.Event()
        self.uses, self.rounds, self.values, self.said = {}, set(), {}, ""
        self.readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for reader in self.readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            word, *numbers = line.split()
            if word == "ready":
                self.ready.set()
            elif word == "use":
                self.uses.setdefault(int(numbers[0]), []).append(int(numbers[1]))
            elif word == "round":
                self.rounds.add(int(numbers[0]))
            else:
                self.values[int(numbers[0])] = int(numbers[1])

    def _read_errors(self):
        self.said = self.process.stderr.read()

    def go(self):
        self.ready.wait(60)
        self.process.stdin.close()
        return self

    def kill(self):
        self.process.kill()

    def wait(self, timeout=600):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(timeout)
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return self

    @property
    def running(self):
        return self.process.poll() is None


class Case(unittest.TestCase):
    def done(self, program):
        program.wait()
        self.assertEqual(program.process.returncode, 0, program.said[-2000:])
        return program

    def exact(self, program, rounds):
        self.assertEqual(program.rounds, set(rounds))
        for number in rounds:
            self.assertEqual(sorted(program.uses[number]), list(range(1, LIMIT + 1)), f"round {number}")

    def seed(self):
        seed = int.from_bytes(os.urandom(4), "big")
        print(f"counter_test: random seed {seed}", flush=True)
        return random.Random(seed)


class Engine:
    """The tests of each engine; `self.place` is its name and address."""

    def test_without_faults(self):
        self.exact(self.done(Program("run", self.place, 1, CALLERS, LIMIT, 1, ROUNDS)), range(1, ROUNDS + 1))
        print(f"counter_test: {self.place[0]}: {ROUNDS} rounds, {LIMIT} of {CALLERS} each", flush=True)

    def test_with_kills_of_the_program(self):
        chance = self.seed()
        uses, finished, first, kills = {}, set(), 1, 0
        while first <= ROUNDS:
            program = Program("run", self.place, 1, CALLERS, LIMIT, first, ROUNDS)
            deadline = time.monotonic() + 30
            while program.running and not program.uses and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.1))
            killed = program.running
            program.kill()
            program.wait()
            self.assertTrue(killed or program.process.returncode == 0, program.said[-2000:])
            kills += killed
            finished |= program.rounds
            for number, list_ in program.uses.items():
                self.assertNotIn(number, uses)
                uses[number] = list_
            first = max(max(program.uses, default=first - 1), max(program.rounds, default=0), first - 1) + 1
        values = self.done(Program("read", self.place, 1, 1, ROUNDS)).values
        ahead = 0
        for number in range(1, ROUNDS + 1):
            acknowledged = uses.get(number, [])
            self.assertEqual(len(acknowledged), len(set(acknowledged)))
            self.assertLessEqual(len(acknowledged), LIMIT)
            self.assertLessEqual(max(acknowledged, default=0), values[number])
            self.assertLessEqual(values[number], LIMIT)
            if number in finished:
                self.assertEqual(values[number], LIMIT)
            ahead += values[number] - len(acknowledged)
        self.assertLessEqual(ahead, kills * LIMIT)  # only uses that were in flight at a kill
        print(f"counter_test: {self.place[0]}: {ROUNDS} rounds, {kills} kills of the program; never a sixth; "
              f"{ahead} uses were in flight at a kill, and are counted", flush=True)


class Sqlite(Engine, Case):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="vouchsafe-counter-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.place = ("sqlite", os.path.join(self.dir, "log.db"))
        self.done(Program("make", self.place, 1))


class Postgres(Engine, Case):
    def setUp(self):
        if not server:
            self.skipTest("no PostgreSQL")
        self.place = ("postgres", server.url(server.schema()))
        self.done(Program("make", self.place, 1))

    def test_with_restarts_of_the_server(self):
        chance = self.seed()
        program = Program("run", self.place, 1, CALLERS, LIMIT, 1, ROUNDS)
        restarts = 0
        while program.running and not program.uses:  # a start does not wait for the server, here
            time.sleep(0.002)
        while program.running:
            before = len(program.rounds)
            time.sleep(chance.uniform(0, 0.2))
            while program.running and len(program.rounds) == before:
                time.sleep(0.002)  # a machine with much to do must get on between two restarts
            if program.running:
                server.restart()
                restarts += 1
        self.exact(self.done(program), range(1, ROUNDS + 1))
        print(f"counter_test: postgres: {ROUNDS} rounds, {restarts} restarts of the server (immediate); "
              f"{LIMIT} of {CALLERS} each", flush=True)

    def test_two_processes_share_a_limit(self):
        limit, callers = 1000, 8  # few at a time, so that no process takes all
        self.done(Program("make", self.place, 2))
        for number, kills in ((1, 0), (2, 4)):
            chance = self.seed()
            programs = {node: Program("drain", self.place, node, callers, limit, number) for node in (1, 2)}
            for program in programs.values():
                program.ready.wait(60)
            for program in programs.values():
                program.go()
            ended = []
            for _ in range(kills):
                node = chance.choice((1, 2))
                while programs[node].running and not programs[node].uses:
                    time.sleep(0.002)
                time.sleep(chance.uniform(0, 0.02))
                programs[node].kill()
                ended.append(programs[node].wait())
                programs[node] = Program("drain", self.place, node, callers, limit, number).go()
            ended += [self.done(program) for program in programs.values()]
            uses = [use for program in ended for use in program.uses.get(number, [])]
            self.assertEqual(len(uses), len(set(uses)))
            if not kills:
                self.assertEqual(sorted(uses), list(range(1, limit + 1)))
                self.assertTrue(all(program.uses for program in ended), "both have a part")
            self.assertLessEqual(max(uses), limit)
            self.assertGreaterEqual(len(uses), limit - kills * callers)
            self.assertEqual(self.done(Program("read", self.place, 1, number, number)).values, {number: limit})
            print(f"counter_test: two processes, {kills} kills: {len(uses)} uses acknowledged, the counter is {limit}",
                  flush=True)


if __name__ == "__main__":
    unittest.main()
