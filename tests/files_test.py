#!/usr/bin/env python3
"""How files are written and how the program ends. files_test.py PROGRAM SOURCE [unittest args]"""
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import time
import unittest

from program_testing import PHOTO, PROGRAM, ProgramTest, main, run

SHIM = PROGRAM.parent / "tests/faults/libmvd_fault_shim.so"  # faults/fault_shim.c, built beside the program
TINY = ["generate", PHOTO, "--preset", "svd-tiny", "--height", 64, "--width", 96, "--frames", 2, "--steps", 1, "-t", 1]
# Every command that writes something, with where it writes. {model}, {films}: made once.
WRITERS = {
    "generate mp4": ([*TINY, "-o", "{out}", "--format", "mp4"], "a.mp4"),
    "generate y4m": ([*TINY, "-o", "{out}", "--format", "y4m"], "a.y4m"),
    "generate webp": ([*TINY, "-o", "{out}", "--format", "webp"], "a.webp"),
    "generate latents": ([*TINY, "-o", "{out}"], "a.safetensors"),
    "data synth sheet": (["data", "synth", "--sheet", "{out}", "--height", 64, "--width", 96, "--frames", 4], "a.png"),
}
FOLDERS = {
    "generate png": [*TINY, "-o", "{out}", "--format", "png"],
    "init": ["init", "--preset", "svd-tiny", "-o", "{out}"],
    "data synth": ["data", "synth", "-n", 1, "--frames", 2, "--height", 64, "--width", 96, "--format", "y4m", "-o", "{out}"],
}


def filled(command, out):
    return [str(word).replace("{out}", str(out)) for word in command]


def is_root():
    return os.geteuid() == 0


class FilesTest(ProgramTest):
    def with_fault(self, fault):
        return {"LD_PRELOAD": str(SHIM), "MVD_FAULT": fault}

    def null_device(self):
        """For root a node of its own: a program that replaces it must not take the machine's."""
        if not is_root():
            return "/dev/null"
        device = self.folder / "null"
        if not device.exists():
            os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        return device

    def leftovers(self):
        return [name for name in self.files() if name.endswith(".part")]


class ErrorsTest(FilesTest):
    def test_each_reason_has_its_code_and_sentence(self):
        cases = [("write:1:ENOSPC", 9, "the disk is full"), ("write:1:EDQUOT", 9, "quota"), ("write:1:EIO", 9, "device failed"),
                 ("fsync:1:EIO", 9, "device failed"), ("rename:1:ENOSPC", 9, "the disk is full"),
                 ("create:1:EACCES", 10, "no permission"), ("create:1:EROFS", 10, "read-only"), ("create:1:ENOSPC", 9, "full")]
        for name, (command, file) in WRITERS.items():
            for fault, code, words in cases if name in ("generate mp4", "generate latents") else cases[:1]:
                with self.subTest(f"{name} {fault}"):
                    out = self.folder / file
                    result = self.fails(code, words, *filled(command, out), env=self.with_fault(fault))
                    self.assertIn(file, result.stderr)
                    self.assertEqual([f for f in self.files() if ".latents" not in f], [])

    def test_folders_that_cannot_be_made(self):
        for name, command in FOLDERS.items():
            for errno, code in (("EACCES", 10), ("ENOSPC", 9)):
                with self.subTest(f"{name} {errno}"):
                    self.fails(code, "cannot be written", *filled(command, self.folder / "out"), env=self.with_fault(f"create:1:{errno}"))
                    self.assertFalse((self.folder / "out").exists())
                    self.assertEqual(self.leftovers(), [])

    def test_a_working_folder_that_is_gone(self):
        gone = self.folder / "gone"
        for command in (["cost", "--model", "."], ["generate", PHOTO, "--model", ".", "-o", self.folder / "a.mp4"],
                        ["convert", ".", "-o", self.folder / "b"], ["train", "diffusion", "--dry-run", "--model.folder", "."]):
            gone.mkdir()
            words = " ".join(shlex.quote(str(word)) for word in [PROGRAM.resolve(), *command])
            result = subprocess.run(["sh", "-c", f"rmdir {shlex.quote(str(gone))} && {words}"], cwd=gone, capture_output=True, text=True)
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertNotIn("internal error", result.stderr)

    @unittest.skipIf(is_root(), "root may do anything")
    def test_no_permission(self):
        closed = self.folder / "closed"
        closed.mkdir()
        (closed / "a.jpg").write_bytes(PHOTO.read_bytes())
        for mode in (0o500, 0):
            closed.chmod(mode)
            self.addCleanup(closed.chmod, 0o700)
            self.fails(10, "no permission", *filled(WRITERS["generate mp4"][0], closed / "a.mp4"))
        self.fails(10, "no permission", "inspect", closed / "a.jpg")

    def test_stdout_that_is_full(self):
        for command in (["cost", "--preset", "svd-tiny"], ["explain", "--preset", "svd-tiny"], ["doctor"], ["doctor", "--json"],
                        ["--help"], ["--version"], [*TINY, "-o", self.folder / "a.mp4", "-q"]):
            with self.subTest(command[0]), open("/dev/full", "w") as full:
                result = subprocess.run([PROGRAM, *map(str, command)], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(result.returncode, 9, result.stderr)
                self.assertIn("mobilevd: stdout: cannot be written: the disk is full", result.stderr)

    def test_stdout_whose_reader_has_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        result = subprocess.run([PROGRAM, "explain", "--preset", "svd-tiny"], stdout=writer, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        self.assertEqual((result.returncode, result.stderr), (9, ""))

    def test_closed_stdout_does_not_end_up_in_a_file(self):
        out = self.folder / "a.y4m"
        command = " ".join(f"'{word}'" for word in [PROGRAM, *filled(WRITERS["generate y4m"][0], out)])
        result = subprocess.run(["sh", "-c", f"{command} >&-"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 9)
        self.assertEqual(len(out.read_bytes()) % (6 + 3 * 64 * 96), len(out.read_bytes().split(b"\n")[0]) + 1)

    def test_file_size_limit_is_an_error(self):
        out = self.folder / "a.y4m"
        command = " ".join(f"'{word}'" for word in [PROGRAM, *filled(WRITERS["generate y4m"][0], out)])
        result = subprocess.run(["bash", "-c", f"ulimit -f 8; {command}"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 9, result.stderr)
        self.assertFalse(out.exists())


class TargetsTest(FilesTest):
    def test_links_are_followed_by_every_writer(self):
        for name, (command, file) in WRITERS.items():
            with self.subTest(name):
                place = self.folder / name
                (place / "elsewhere").mkdir(parents=True)
                real, link = place / "elsewhere" / file, place / file
                real.write_text("old")
                link.symlink_to(f"elsewhere/{file}")
                self.expect(0, *filled(command, link), "-y" if "generate" in name else "--force")
                self.assertTrue(link.is_symlink())
                self.assertNotEqual(real.read_bytes(), b"old")

    def test_pipes_and_devices_are_never_replaced(self):
        for name, (command, file) in WRITERS.items():
            if name in ("generate latents", "data synth sheet"):  # these do not stream
                fifo = self.folder / file
                os.mkfifo(fifo)
                self.fails(2, "a FIFO", *filled(command, fifo), "-y" if "generate" in name else "--force")
                self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))
                continue
            with self.subTest(name):
                device = self.null_device()
                self.expect(0, *filled(command, device), "-y")
                self.assertTrue(stat.S_ISCHR(os.stat(device).st_mode))
                fifo = self.folder / file
                os.mkfifo(fifo)
                process = subprocess.Popen([PROGRAM, *filled(command, fifo), "-y"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                content = fifo.read_bytes()
                self.assertEqual(process.wait(timeout=300), 0)
                process.stderr.close()
                self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))
                plain = self.folder / f"plain-{file}"
                self.expect(0, *filled(command, plain))
                self.assertEqual(content, plain.read_bytes())

    def test_long_names(self):
        name = "x" * (255 - len(".mp4")) + ".mp4"
        self.expect(0, *filled(WRITERS["generate mp4"][0], self.folder / name))
        self.assertEqual(self.files(), [name])

    def test_of_two_runs_onto_one_name_the_later_fails(self):
        """Both start before either has written: one ends with 0, the other with 2, and the file is whole."""
        for preload in ({}, {"LD_PRELOAD": str(SHIM), "MVD_NO_RENAMEAT2": "1"}):
            out = self.folder / "a.safetensors"
            out.unlink(missing_ok=True)
            command = [PROGRAM, *filled(WRITERS["generate latents"][0], out)]
            processes = [subprocess.Popen([*command, "--seed", str(seed)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                          text=True, env={**os.environ, **preload}) for seed in (1, 2)]
            errors = [process.communicate(timeout=300)[1] for process in processes]
            codes = [process.returncode for process in processes]
            self.assertEqual(sorted(codes), [0, 2], errors)
            self.assertIn("exists", errors[codes.index(2)])
            seed = json.loads(run("inspect", out, "--json").stdout)
            self.assertIn(f"\"seed\":{codes.index(0) + 1}".replace(" ", ""), json.dumps(seed).replace(" ", "").replace("\\", ""))

    def test_modes(self):
        out = self.folder / "a.mp4"
        command = [PROGRAM, *filled(WRITERS["generate mp4"][0], out)]
        subprocess.run(command, check=True, capture_output=True, preexec_fn=lambda: os.umask(0o027))
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o640)
        out.chmod(0o604)
        subprocess.run([*command, "-y"], check=True, capture_output=True)
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o604)


class SignalTest(FilesTest):
    LONG = ["generate", PHOTO, "--preset", "svd-tiny", "--height", 512, "--width", 512, "--frames", 14, "--steps", 200]

    @staticmethod
    def is_ready(process):
        """Whether main has begun: from there on signals are blocked, for the thread that waits for them."""
        with open(f"/proc/{process.pid}/status") as status:
            blocked = next(int(line.split()[1], 16) for line in status if line.startswith("SigBlk"))
        return bool(blocked >> (signal.SIGTERM - 1) & 1)

    def interrupt(self, number, command, wait):
        process = subprocess.Popen([PROGRAM, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
        deadline = time.monotonic() + 300
        while not (wait() and self.is_ready(process)) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        self.assertIsNone(process.poll(), "ended before the signal")
        process.send_signal(number)
        out, error = process.communicate(timeout=300)
        return process.returncode, error

    def test_every_signal_ends_it_in_order(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            code, error = self.interrupt(number, [*self.LONG, "-o", self.folder / "a.mp4"], lambda: True)
            self.assertEqual(code, 6, error)
            self.assertEqual(error.count("cancelled"), 1)
            self.assertEqual(self.files(), [])

    def test_nohup_goes_on(self):
        process = subprocess.Popen([PROGRAM, *filled(WRITERS["generate mp4"][0], self.folder / "a.mp4")], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        time.sleep(0.1)
        process.send_signal(signal.SIGHUP)
        self.assertEqual(process.wait(timeout=300), 0)

    def test_an_interrupted_init_leaves_nothing(self):
        out = self.folder / "m"
        writing = lambda: any(p.stat().st_size > 1 << 20 for p in self.folder.rglob("*.part") if p.is_file())
        for number in (signal.SIGTERM, signal.SIGHUP):
            code, error = self.interrupt(number, ["init", "--preset", "svd", "--dtype", "bf16", "-o", out], writing)
            self.assertEqual(code, 6, error)
            self.assertEqual(self.files(), [])
        out.mkdir()
        code, error = self.interrupt(signal.SIGTERM, ["init", "--preset", "svd", "--dtype", "bf16", "-o", out], writing)
        self.assertEqual(code, 6, error)
        self.assertEqual(self.files(), ["m"])

    def test_init_with_force_keeps_other_files(self):
        out = self.folder / "m"
        out.mkdir()
        (out / "notes").write_text("mine")
        self.fails(2, "not an empty folder", "init", "--preset", "svd-tiny", "-o", out)
        self.expect(0, "init", "--preset", "svd-tiny", "-o", out, "--force")
        self.assertEqual((out / "notes").read_text(), "mine")
        self.expect(0, "inspect", out)
        self.assertEqual(self.leftovers(), [])


class SequenceTest(FilesTest):
    def test_a_sequence_replaces_an_older_one_whole(self):
        films = self.folder / "films"
        self.expect(0, "data", "synth", "-n", 1, "--frames", 9, "--height", 64, "--width", 96, "--format", "png", "-o", films)
        frames = films / "synth_0_000000"
        self.assertEqual(len(list(frames.iterdir())), 9)
        self.expect(0, "data", "synth", "--force", "-n", 1, "--frames", 4, "--height", 64, "--width", 96, "--format", "png", "-o", films)
        self.assertEqual([p.name for p in sorted(frames.iterdir())], [f"{i:06}.png" for i in range(4)])
        mine = frames / "000004.png"
        shutil.copy(PHOTO.parent / "chelsea.jpg", mine)  # named like a frame, and not ours
        before = {p.name: p.read_bytes() for p in frames.iterdir()}
        self.fails(2, "000004.png", "data", "synth", "--force", "-n", 1, "--frames", 2, "--height", 64, "--width", 96, "--format", "png", "-o", films)
        self.assertEqual({p.name: p.read_bytes() for p in frames.iterdir()}, before)
        self.assertEqual(self.leftovers(), [])


if __name__ == "__main__":
    main()
