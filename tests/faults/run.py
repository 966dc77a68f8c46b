#!/usr/bin/env python3
"""What the program does when the system fails it: loops over single faults, kills and memory limits.

run.py PROGRAM SOURCE [--full] [--only SCENARIO] [--kind KIND]

For each scenario (a command that writes something) and each kind of call, the N-th call fails, for each N up to the
number of calls that the undisturbed program makes. Then the process is killed at the N-th call instead. Each time:
- it ends by itself (not by a signal, not with "internal error"), with the exit code of the failure and one line;
- under the target stands what stood there before, or the whole new content; nothing else is left.
Without --full N is sampled, few of each kind, so that all of it takes less than a minute.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# What a failed call of a kind must end in: the errno that is injected, the exit codes.
KINDS = {
    "alloc": ("ENOMEM", {5}),
    "write": ("ENOSPC", {9}),
    "fsync": ("EIO", {9}),
    "rename": ("ENOSPC", {9}),
    "create": ("EACCES", {10}),
}
# How many N of a kind the short form tries, of all that there are.
SHORT = {"alloc": 2, "write": 1, "fsync": 1, "rename": 1, "create": 1}
# With --full: how often each scenario is killed at a random time while it works.
RANDOM_KILLS = 34


class Scenario:
    """A command and its target. `old` says what stands there before: nothing, or an earlier output."""

    def __init__(self, name, command, target, old=False, beside=()):
        self.name, self.command, self.target, self.old = name, command, target, old
        self.beside = beside  # names that may stand next to the target


def snapshot(path):
    """What stands at a path: nothing, a file's hash, or a folder's names and hashes."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if path.is_dir():
        return {str(p.relative_to(path)): snapshot(p) for p in sorted(path.rglob("*")) if p.is_file()} or None
    return None


class Loops:
    def __init__(self, options):
        self.options = options
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mvd_faults_"))
        self.counts = {"faults": 0, "kills": 0, "limits": 0}
        self.problems = []

    def fail(self, problem):
        print(f"FAILED {problem}", flush=True)
        self.problems.append(problem)

    def run(self, command, folder, fault=None, limit=None, counts=None):
        env = {**os.environ, "HOME": str(self.work), "TMPDIR": str(folder)}
        mark = folder.parent / (folder.name + ".mark")
        mark.unlink(missing_ok=True)
        if fault:
            env.update(LD_PRELOAD=str(self.options.shim), MVD_FAULT=fault, MVD_FAULT_MARK=str(mark))
        if counts:
            env.update(LD_PRELOAD=str(self.options.shim), MVD_FAULT_COUNTS=str(counts))
        bound = (lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))) if limit else None
        result = subprocess.run([str(c) for c in command], cwd=folder, env=env, capture_output=True, text=True,
                                stdin=subprocess.DEVNULL, timeout=300, preexec_fn=bound)
        happened = mark.exists()
        mark.unlink(missing_ok=True)
        return result, happened

    def totals(self):
        return (f"{self.counts['faults']} faults, {self.counts['kills']} kills, {self.counts['limits']} memory limits: "
                f"{len(self.problems)} problems")

    def scenarios(self):
        o, work = self.options, self.work
        photo = o.source / "testdata/photos/chelsea.jpg"
        generate = [o.program, "generate", photo, "--preset", "svd-tiny", "--height", 64, "--width", 96, "--frames", 2,
                    "--steps", 1, "-t", 1, "-q"]
        model, films = work / "model", work / "films"
        for command in ([o.program, "init", "--preset", "svd-tiny", "--seed", 1, "-o", model, "-q"],
                        [o.program, "data", "synth", "-o", films, "-n", 1, "--frames", 20, "--height", 64, "--width", 96,
                         "--format", "y4m", "-q"]):
            result, _ = self.run(command, work)
            assert result.returncode == 0, result.stderr
        return [
            Scenario("generate mp4", [*generate, "-o", "a.mp4"], "a.mp4", beside=["a.mp4.latents.safetensors"]),
            Scenario("generate mp4 over an old one", [*generate, "-o", "a.mp4", "-y"], "a.mp4", old=True,
                     beside=["a.mp4.latents.safetensors"]),
            Scenario("generate y4m", [*generate, "-o", "a.y4m"], "a.y4m",
                     beside=["a.y4m.recipe.json", "a.y4m.latents.safetensors"]),
            Scenario("generate png", [*generate, "-o", "a", "--format", "png"], "a", beside=["a.latents.safetensors"]),
            Scenario("init", [o.program, "init", "--preset", "svd-tiny", "-o", "m", "-t", 1, "-q"], "m"),
            Scenario("convert", [o.program, "convert", model, "--dtype", "f16", "-o", "m", "-q"], "m"),
            Scenario("compress", [o.program, "compress", model, "--preset", "mobilevd", "-o", "m", "-t", 1, "-q"], "m"),
            Scenario("data prepare", [o.program, "data", "prepare", films, "-o", "d", "--height", 64, "--width", 96,
                                      "--frames", 4, "-t", 1, "-q"], "d"),
            Scenario("checkpoint", [o.driver, "run", 2], "run", old=True),
        ]

    def prepare(self, scenario, name):
        """A fresh folder, and in it the old output if the scenario has one."""
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if scenario.old:
            source = self.work / "old" / scenario.name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / scenario.target)
        return folder

    def reference(self, scenario):
        """Keeps an old output, which is told apart from the new one, the new one's snapshot, and counts the calls."""
        if scenario.old:
            folder = self.work / "making"
            folder.mkdir()
            command = [1 if c == 2 and scenario.name == "checkpoint" else c for c in scenario.command]
            if scenario.name != "checkpoint":
                command += ["--seed", 7]
            result, _ = self.run(command, folder)
            assert result.returncode == 0, result.stderr
            (self.work / "old").mkdir(exist_ok=True)
            shutil.move(folder / scenario.target, self.work / "old" / scenario.name)
            shutil.rmtree(folder)
        folder = self.prepare(scenario, "making")
        scenario.before = snapshot(folder / scenario.target)
        counts = self.work / "counts"
        result, _ = self.run(scenario.command, folder, counts=counts)
        assert result.returncode == 0, result.stderr
        scenario.calls = {kind: int(number) for kind, number in map(str.split, counts.read_text().splitlines())}
        scenario.after = snapshot(folder / scenario.target)
        assert scenario.after != scenario.before
        shutil.rmtree(folder)

    def check(self, scenario, folder, what, killed=False):
        """Old or new, and nothing else. A killed process may leave its temporary files."""
        found = snapshot(folder / scenario.target)
        whole = found == scenario.before or found == scenario.after
        names = sorted(p.name for p in folder.iterdir())
        if isinstance(scenario.after, dict) and not whole:
            whole = self.whole_folder(scenario, folder / scenario.target, killed)
        if not whole:
            self.fail(f"{what}: {scenario.target} is neither old nor new: {found}")
        foreign = [n for n in names if n != scenario.target and n not in scenario.beside and not (killed and n.endswith(".part"))]
        if foreign:
            self.fail(f"{what}: left behind: {foreign}")
        for name in scenario.beside:
            if name.endswith(".safetensors") and (folder / name).exists():
                data = (folder / name).read_bytes()
                if "latents" not in json.loads(data[8:8 + int.from_bytes(data[:8], "little")]):
                    self.fail(f"{what}: {name} is damaged")

    def whole_folder(self, scenario, folder, killed):
        """Folders that grow file by file: what is listed is whole, what is not is not taken for something."""
        files = snapshot(folder) or {}
        hidden = [name for name in files if any(part.startswith(".") for part in pathlib.Path(name).parts)]
        if hidden and not killed:
            return False
        files = {name: value for name, value in files.items() if name not in hidden}
        if scenario.name == "data prepare":
            return "shards.json" not in files and all(scenario.after.get(name) == value for name, value in files.items())
        if scenario.name == "checkpoint":
            old = {name: value for name, value in files.items() if "step-000002" not in name}
            new = {name: value for name, value in files.items() if "step-000002" in name}
            return old == scenario.before and (not new or files == scenario.after)
        return False

    def inject(self, scenario, kind, n, errno):
        folder = self.prepare(scenario, f"run-{scenario.name}-{kind}-{n}-{errno}".replace(" ", "_"))
        result, happened = self.run(scenario.command, folder, f"{kind}:{n}:{errno}")
        what = f"{scenario.name}, {kind} {n} {errno}"
        if happened and errno == "KILL":
            if result.returncode != -signal.SIGKILL:
                self.fail(f"{what}: was not killed: {result.returncode}")
            self.counts["kills"] += 1
            self.check(scenario, folder, what, killed=True)
        elif happened:
            self.counts["faults"] += 1
            codes = KINDS[kind][1]
            # A fault that does not matter (advice, a cache, the sync of a folder) leaves a whole result.
            fine = result.returncode in codes or (
                result.returncode == 0 and snapshot(folder / scenario.target) == scenario.after)
            lines = [line for line in result.stderr.splitlines() if line.startswith("mobilevd: ")]
            if not fine or "internal error" in result.stderr or (result.returncode and len(lines) != 1):
                self.fail(f"{what}: exit {result.returncode}: {result.stderr.strip()[-300:]}")
            self.check(scenario, folder, what)
        shutil.rmtree(folder)
        return happened

    def numbers(self, kind, calls):
        """All of a kind; of allocations the first and the last, and a sample of those between."""
        every = range(1, calls + 1)
        most = self.options.most if self.options.full else SHORT[kind]
        if calls <= most:
            return list(every)
        ends = most // 4
        return sorted({*every[:ends], *every[calls - ends:], *random.Random(19).sample(every, most - 2 * ends)})

    def faults(self, scenario, pool):
        for kind, (errno, _) in KINDS.items():
            if self.options.kind and kind != self.options.kind:
                continue
            calls = scenario.calls[kind]
            numbers = self.numbers(kind, calls)
            list(pool.map(lambda n: self.inject(scenario, kind, n, errno), numbers))
            if kind in ("write", "rename"):
                list(pool.map(lambda n: self.inject(scenario, kind, n, "KILL"), numbers))
            print(f"{scenario.name}: {kind}: {len(numbers)} of {calls}", flush=True)

    def kill_at_random(self, scenario, count):
        start = time.monotonic()
        folder = self.prepare(scenario, "timing")
        self.run(scenario.command, folder)
        seconds = time.monotonic() - start
        for number in range(count):
            folder = self.prepare(scenario, f"kill-{number}")
            process = subprocess.Popen([str(c) for c in scenario.command], cwd=folder, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env={**os.environ, "HOME": str(self.work)})
            time.sleep(random.uniform(0.3, 1.05) * seconds)
            process.kill()
            process.wait()
            self.counts["kills"] += 1
            self.check(scenario, folder, f"{scenario.name}, killed, {number}", killed=True)
            shutil.rmtree(folder)

    def limits(self, scenario):
        """`ulimit -v` from where the program can be loaded at all, until it succeeds."""
        factor, limit = (1.05 if self.options.full else 1.6), 32 << 20
        while True:
            folder = self.prepare(scenario, "limit")
            result, _ = self.run(scenario.command, folder, limit=int(limit))
            # 127: the loader found no room for the libraries; it says so itself.
            loaded = result.returncode != 127 and "error while loading shared libraries" not in result.stderr
            if loaded:
                self.counts["limits"] += 1
                lines = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
                if result.returncode not in (0, 5) or (result.returncode == 5 and len(lines) != 1):
                    self.fail(f"{scenario.name}, limit {int(limit)}: exit {result.returncode}: {lines[-3:]}")
                self.check(scenario, folder, f"{scenario.name}, limit {int(limit)}")
            shutil.rmtree(folder)
            if loaded and result.returncode == 0:
                return
            limit *= factor

    def all(self):
        options = self.options
        chosen = [s for s in self.scenarios() if not options.only or s.name == options.only]
        if not options.full and not options.only:
            chosen = [s for s in chosen if s.name != "generate mp4"]
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for scenario in chosen:
                self.reference(scenario)
                self.faults(scenario, pool)
                if options.full and not options.kind:
                    self.kill_at_random(scenario, RANDOM_KILLS)
                if not options.kind and (options.full or scenario.name == "checkpoint"):
                    self.limits(scenario)
                print(f"{scenario.name}: so far {self.totals()}", flush=True)
        shutil.rmtree(self.work)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("program", "source"):
        parser.add_argument(name, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--full", action="store_true", help="every write, fsync and rename; many allocations; random kills")
    parser.add_argument("--most", type=int, default=400, help="with --full: most numbers of a kind, the rest is sampled")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="one scenario")
    parser.add_argument("--kind", choices=KINDS)
    options = parser.parse_args()
    built = options.program.parent / "tests/faults"
    options.shim, options.driver = built / "libmvd_fault_shim.so", built / "mvd_checkpoint_driver"
    loops = Loops(options)
    loops.all()
    print(loops.totals())
    sys.exit(1 if loops.problems else 0)


if __name__ == "__main__":
    main()
