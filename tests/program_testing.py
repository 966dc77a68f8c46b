"""What the tests of the program share. Each is called as TEST.py PROGRAM SOURCE [unittest args]."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
SOURCE = pathlib.Path(sys.argv[2]).resolve()
PHOTO = SOURCE / "testdata/photos/chelsea.jpg"
GOLDENS = SOURCE / "testdata/goldens"
SMALL = ["--preset", "svd-tiny", "--height", "64", "--width", "96", "--frames", "4", "--steps", "2"]


def run(*args, env=None, cwd=None):
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, errors="surrogateescape", stdin=subprocess.DEVNULL,
                          env={**os.environ, **(env or {})}, cwd=cwd, timeout=600)


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def expect(self, code, *args, **kwargs):
        result = run(*args, **kwargs)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result

    def fails(self, code, words, *args, **kwargs):
        """The failure is one line on stderr that holds `words`."""
        result = self.expect(code, *args, **kwargs)
        lines = [line for line in result.stderr.splitlines() if line.startswith("mobilevd: ")]
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertIn(words, lines[0])
        return result

    def files(self):
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*"))

    def tiny_model(self, dtype="f32"):
        model = self.folder / "model"
        self.expect(0, "init", "--preset", "svd-tiny", "--seed", 1, "--dtype", dtype, "-o", model)
        return model


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=1)
