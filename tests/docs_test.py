#!/usr/bin/env python3
"""The documents hold: their commands run, their links lead somewhere, the files and functions that they name exist.

Every ```sh block of every document runs, in a folder with the inputs that the documents speak of. A block that cannot run
there has a reason directly above it: <!-- not run: the reason -->. Its programs, files and options are checked all the same.
Usage: docs_test.py PROGRAM SOURCE [unittest args]"""
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import docs_testing as docs
from program_testing import PHOTO, PROGRAM, SOURCE, main, run

DOCUMENTS = docs.documents(SOURCE)
# How many blocks each document leaves out: one more is a decision, not an accident.
NOT_RUN = {
    "CONTRIBUTING.md": 1, "README.md": 2, "docs/building.md": 1, "docs/data.md": 2, "docs/evaluate.md": 1, "docs/performance.md": 4, "docs/repro.md": 1,
    "docs/svd.md": 2, "docs/training.md": 6, "models/demo/README.md": 2, "models/demo_teacher/README.md": 1,
    "recipes/demo/README.md": 2, "recipes/svd/README.md": 2, "testdata/goldens/README.md": 1}


def name(document):
    return str(document.relative_to(SOURCE))


def prepare(folder):
    """The files that commands of the documents take."""
    def mobilevd(*args):
        result = run(*args, cwd=folder)
        assert result.returncode == 0, result.stderr

    (folder / "bin").mkdir()
    (folder / "bin/mobilevd").symlink_to(PROGRAM)
    for entry in ("models", "recipes", "testdata", "tools", "tests"):
        (folder / entry).symlink_to(SOURCE / entry)
    shutil.copy(PHOTO, folder / "photo.jpg")
    for place in ("photos", "photos/train", "photos/heldout"):
        (folder / place).mkdir()
        shutil.copy(PHOTO, folder / place / "cat.jpg")
    # SVD's architecture with few channels, and so few steps and pixels that a clip takes no time.
    svd = folder / "stable-video-diffusion-img2vid"
    mobilevd("init", "--preset", "svd-tiny", "-o", svd)
    config = json.loads((svd / "unet/config.json").read_text())
    config["sampling"] = {"steps": 2, "height": 64, "width": 96}
    (svd / "unet/config.json").write_text(json.dumps(config))
    mobilevd("data", "synth", "-o", "films", "--count", 2, "--height", 64, "--width", 96, "--frames", 32, "--fps", 14)


class DocumentsTest(unittest.TestCase):
    def test_commands_run(self):
        with tempfile.TemporaryDirectory() as scratch:
            inputs = pathlib.Path(scratch) / "inputs"
            inputs.mkdir()
            prepare(inputs)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                failures = list(pool.map(lambda d: self.run_blocks(d, inputs, pathlib.Path(scratch)), DOCUMENTS))
        self.assertEqual("\n".join(f for f in failures if f), "")

    def run_blocks(self, document, inputs, scratch):
        """All of a document's blocks, in order, in one folder: what one makes the next may take."""
        blocks = [b for b in docs.blocks(document) if b.language == "sh" and not b.not_run]
        if not blocks:
            return ""
        folder = scratch / name(document).replace("/", "_")
        shutil.copytree(inputs, folder, symlinks=True)
        environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        for block in blocks:
            # The last command that began is the one that failed.
            script = "set -eo pipefail; trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n" + block.text
            result = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True,
                                    stdin=subprocess.DEVNULL)
            if result.returncode != 0:
                return f"{name(document)}:{block.line}: exit {result.returncode}\n{result.stderr[-2000:]}"
        return ""

    def test_blocks_have_a_language(self):
        """So that none escapes by being indented, or by being called nothing."""
        for document in DOCUMENTS:
            for block in docs.blocks(document):
                self.assertIn(block.language, docs.LANGUAGES, f"{name(document)}:{block.line}: {block.text[:60]}")
                if block.language != "sh":
                    self.assertNotRegex(block.text, r"(?m)^\s*(\$ )?mobilevd [a-z]+ ", f"{name(document)}:{block.line}")

    def test_what_is_not_run_has_a_reason(self):
        counts = {}
        for document in DOCUMENTS:
            marks = len(re.findall(r"<!-- not run", document.read_text()))
            left_out = [b for b in docs.blocks(document) if b.not_run is not None]
            self.assertEqual(len(left_out), marks, f"{name(document)}: a mark that stands above no block")
            for block in left_out:
                self.assertEqual(block.language, "sh", f"{name(document)}:{block.line}")
                self.assertGreater(len(block.not_run.split()), 1, f"{name(document)}:{block.line}")
                self.check_unrun(document, block)
            if left_out:
                counts[name(document)] = len(left_out)
        self.assertEqual(counts, NOT_RUN)

    def check_unrun(self, document, block):
        """What can be known of a command without running it."""
        where = f"{name(document)}:{block.line}: "
        targets = set(re.findall(r"^([\w-]+)(?= *:|(?: [\w-]+)* *:)", (SOURCE / "Makefile").read_text(), flags=re.M))
        targets |= {t for line in re.findall(r"^([\w -]+):", (SOURCE / "Makefile").read_text(), flags=re.M) for t in line.split()}
        for command in block.commands():
            for script in re.findall(r"(?<![\w/])((?:tools|tests|recipes)/[\w./-]+\.(?:py|sh|toml))", command):
                self.assertTrue((SOURCE / script).exists(), where + command)
            if command.startswith("make "):
                for target in re.findall(r"(?<= )[a-z][\w-]*(?= |$)", command):
                    self.assertIn(target, targets, where + command)
            called = re.search(r"(?:^|[\s/])mobilevd ((?:[a-z]+ )+|[a-z]+$)", command + " ")
            if called:
                self.check_options(where + command, called[1].split(), command)

    def check_options(self, where, words, command):
        text = help_of(words[0])
        self.assertIsNotNone(text, where)
        sub = [words[0], *[w for w in words[1:2] if re.search(rf"^  {w}\s", text, flags=re.M)]]
        text = help_of(*sub)
        for option in re.findall(r"(?<= )--?[a-z][\w-]*(?=[ =]|$)", command.partition("mobilevd ")[2]):
            self.assertRegex(text, rf"(?<![\w-]){option}(?![\w-])", where)

    def test_links_lead_somewhere(self):
        for document in DOCUMENTS:
            for link in docs.links(document):
                if re.match(r"(https?|mailto):", link):
                    continue
                path, _, anchor = link.partition("#")
                target = (document.parent / path).resolve() if path else document
                self.assertTrue(target.exists(), f"{name(document)}: {link}")
                if anchor:
                    self.assertIn(anchor, docs.anchors(target), f"{name(document)}: {link}")

    def test_paths_exist(self):
        for document in DOCUMENTS:
            for path in docs.named_paths(document):
                self.assertTrue(list(SOURCE.glob(path)), f"{name(document)}: {path}")

    def test_exit_codes_are_those_of_the_enum(self):
        enum = re.findall(r"^  k\w+ = (\d+),", (SOURCE / "mvd/base/error.h").read_text(), flags=re.M)
        table = re.findall(r"^\| (\d+) \|", (SOURCE / "ARCHITECTURE.md").read_text(), flags=re.M)
        self.assertGreater(len(enum), 8)
        self.assertEqual(table, enum)

    def test_functions_of_papers_exist(self):
        """Each name in the last column of docs/papers.md stands in a file that its row names."""
        for row in re.findall(r"^\|(.*)\|$", (SOURCE / "docs/papers.md").read_text(), flags=re.M)[2:]:
            named = re.findall(r"`([^`]+)`", row.split("|")[-1])
            text = "".join((SOURCE / n).read_text() for n in named if "/" in n)
            for function in (n for n in named if "/" not in n and " " not in n):
                self.assertRegex(text, rf"\b{function.split('::')[-1]}\b", row)


@functools.cache
def help_of(*words):
    result = run(*words, "--help")
    return result.stdout if result.returncode == 0 else None


if __name__ == "__main__":
    main()
