#!/usr/bin/env python3
"""Commands and options from the outside: ranges, messages, help, completion. Usage: cli_test.py PROGRAM SOURCE [unittest args]"""
import functools
import json
import os
import re
import shutil
import subprocess
import tarfile
import unittest

from program_testing import PHOTO, PROGRAM, SMALL, SOURCE, ProgramTest, main, run

COMMANDS = [["generate"], ["inspect"], ["explain"], ["cost"], ["check"], ["bench"], ["repro"], ["init"], ["data", "prepare"],
            ["data", "synth"], ["train", "diffusion"], ["train", "adversarial"], ["train", "autoencoder"], ["train", "features"],
            ["train", "init"], ["evaluate"], ["compress"], ["convert"], ["doctor"], ["completion"]]
NUMBERS = {"N", "X", "R", "RATE", "PIXELS", "MIB", "X,X"}


@functools.cache
def options(command):
    """Flag -> what --help shows for its value, of a command's whole help."""
    text = run(*command, "--help").stdout
    return {m[1]: m[2] for m in re.finditer(r"^  (?:-\w, |    )(--[\w-]+)(?: (\S+))?", text, re.M)}


class RangeTest(ProgramTest):
    def refused(self, line, *args):
        result = self.expect(2, *args)
        self.assertEqual(result.stderr, f"mobilevd: {line}\n")

    def test_numbers_are_never_cut_to_fit(self):
        for flag, value, expected in (
                ("--fps", "0", "0.1 to 1000"), ("--fps", "nan", "0.1 to 1000"), ("--fps", "1e999", "0.1 to 1000"),
                ("--frames", "0", "1 to 1024"), ("--frames", "100000000", "1 to 1024"), ("--frames", "2.5", "1 to 1024"),
                ("--frames", "7x", "1 to 1024"), ("--frames", "99999999999999999999", "1 to 1024"),
                ("-H", "0", "8 to 8192"), ("-H", "65536", "8 to 8192"), ("-W", "65536", "8 to 8192"),
                ("--steps", "1000000000", "1 to 1000"), ("--noise-aug-strength", "-1", "0 to 10"),
                ("--motion-bucket-id", "-5", "0 to 1000"), ("--fps-id", "nan", "0 to 1000"), ("--fps-id", "-1", "0 to 1000"),
                ("--max-guidance-scale", "inf", "0 to 100"), ("--min-guidance-scale", "-1", "0 to 100"),
                ("--threads", "-1", "0 to 1024"), ("-t", "40000", "0 to 1024"), ("--decode-chunk-size", "0", "auto or 1 to 1024"),
                ("--rng", "mt19937", "one of torch, philox"),
                ("--seed", "18446744073709551616", "random or 0 to 18446744073709551615"),
                ("--seed", "-2", "random or 0 to 18446744073709551615")):
            long = {"-H": "--height", "-W": "--width", "-t": "--threads"}.get(flag, flag)
            self.refused(f"{long} {value}: expected {expected}", "generate", PHOTO, *SMALL, "-o", self.folder / "a.mp4", flag, value)
        self.assertEqual(self.files(), [])

    def test_the_same_range_in_every_command(self):
        for command in (["bench", "--preset", "svd-tiny"], ["cost", "--preset", "svd-tiny"], ["explain", "--preset", "svd-tiny"]):
            self.refused("--frames 0: expected 1 to 1024", *command, "--frames", 0)
            self.refused("--height 65536: expected 8 to 8192", *command, "-H", 65536)
        for command in (["bench", "--preset", "svd-tiny"], ["check", "--golden", "x"], ["evaluate"], ["repro"], ["init", "-o", "x"],
                        ["compress", "x"], ["data", "prepare", "x", "-o", "y"]):
            self.refused("--threads 40000: expected 0 to 1024", *command, "-t", 40000)
        self.refused("--steps 0: expected 1 to 1000", "evaluate", "--steps", 0)
        self.refused("--buckets 1,nan: expected 0 to 1000", "evaluate", "--buckets", "1,nan")

    def test_no_option_takes_what_is_no_number(self):
        counted = 0
        for command in COMMANDS:
            for flag, value in options(tuple(command)).items():
                if value and (value in NUMBERS or value == "N|random"):
                    for text in ("nan", "1 "):
                        counted += 1
                        result = self.expect(2, *command, f"{flag}={text}")
                        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
                        self.assertIn(f"mobilevd: {flag} ", result.stderr)
        self.assertGreater(counted, 80)

    def test_seeds_have_64_bits(self):
        recipes = {}
        for seed in (2**63, 2**64 - 1):
            target = self.folder / f"{seed}.webp"
            result = self.expect(0, "generate", PHOTO, *SMALL, "-o", target, "--seed", seed, "--json")
            self.assertEqual(json.loads(result.stdout)["outputs"][0]["seed"], seed)
            recipe = json.loads(self.expect(0, "inspect", target, "--json").stdout)["recipe"]
            self.assertEqual(recipe["options"]["seed"], seed)
            recipes[seed] = target.read_bytes()
            again = self.folder / "again.webp"
            self.expect(0, "generate", PHOTO, "--recipe", target, "-o", again, "-y")
            self.assertEqual(again.read_bytes(), target.read_bytes())
        self.assertEqual(len(set(recipes.values())), 2)

    def test_a_random_seed_is_told(self):
        seeds = set()
        for name in ("random", "-1"):
            result = self.expect(0, "generate", PHOTO, *SMALL, "--steps", 1, "-o", self.folder / f"{name}.md5", "--seed", name, "--json")
            seeds.add(json.loads(result.stdout)["outputs"][0]["seed"])
        self.assertEqual(len(seeds), 2)

    def test_a_recipe_is_held_to_the_same_ranges(self):
        for key, value in (("height", 65536), ("num_frames", 100000000), ("steps", 1000000000), ("fps", 0), ("fps", 1e308),
                           ("seed", -5), ("seed", 1.5), ("seed", 2**64), ("motion_bucket_id", -5), ("rng", "mt19937"), ("rng", 3),
                           ("height", "64"), ("fps", True), ("decode_chunk_size", "0"), ("weight_seed", -1)):
            recipe = self.folder / "r.json"
            recipe.write_text(json.dumps({"program": "mobilevd", "image": str(PHOTO), "options": {"preset": "svd-tiny", key: value}}))
            result = self.fails(3, f"key '{key}' is ", "generate", "--recipe", recipe, "-o", self.folder / "a.mp4")
            self.assertIn("expected", result.stderr)
            self.assertFalse((self.folder / "a.mp4").exists())

    def test_the_last_of_two_holds_and_a_list_takes_one_each(self):
        result = self.expect(0, "cost", "--preset", "svd", "--preset", "svd-tiny", "--json")
        self.assertEqual(json.loads(result.stdout)["preset"], "svd-tiny")
        # --skip takes one name: the picture behind it is a picture.
        self.fails(2, "'nothing'", "generate", *SMALL, "--skip", "nothing", PHOTO, "-o", self.folder / "a.mp4")


class MessageTest(ProgramTest):
    def test_unknown_commands_and_flags(self):
        self.fails(2, "'generat' is no command, did you mean 'generate'?", "generat", PHOTO)
        self.fails(2, "'difusion' is no command, did you mean 'diffusion'?", "train", "difusion")
        self.fails(2, "'xylophone' is no command; see mobilevd --help", "xylophone")
        self.fails(2, "mobilevd needs a command: generate, inspect", )
        self.fails(2, "mobilevd train needs a command: diffusion, ", "train")
        step = "'--stepz' is no option of mobilevd generate, did you mean '--steps'?; see mobilevd generate --help"
        self.fails(2, step, "generate", PHOTO, "--stepz", 3)
        self.fails(2, step, "generate", PHOTO, "--stepz=3")
        self.fails(2, "'--xylophone' is no option of mobilevd cost; see mobilevd cost --help", "cost", "--xylophone")
        self.fails(2, "did you mean '--golden'?", "check", "--goldn", "x")  # rather than: --golden is required
        self.fails(2, "did you mean '--optimiser.lr'?; see mobilevd train diffusion --help", "train", "diffusion", "--optimizer.lr", 1)
        self.fails(2, "'x' is one argument too many for mobilevd doctor", "doctor", "x")
        self.fails(2, "--fps needs a value; see mobilevd generate --help", "generate", PHOTO, "--fps")

    def test_nothing_is_downloaded(self):
        for args in (["generate", PHOTO, "-hf", "org/repo"], ["generate", "--hf-repo", "org/repo"]):
            result = self.fails(2, "--local-dir", *args)
            self.assertIn("--model FOLDER", result.stderr)
        self.fails(2, "'-help' is no option", "generate", "-help")

    def test_a_png_is_a_sequence(self):
        result = self.fails(2, "a.png: PNG frames are written to a folder", "generate", PHOTO, *SMALL, "-o", self.folder / "a.png")
        self.assertIn(f"-o {self.folder / 'a'} --format png", result.stderr)
        self.expect(0, "generate", PHOTO, *SMALL, "-o", self.folder / "a", "--format", "png")
        self.assertEqual(len(list((self.folder / "a").glob("*.png"))), 4)

    def test_every_command_finds_a_model_by_name(self):
        self.expect(0, "compress", "demo", "--keep", 1, "--dry-run")
        self.expect(0, "init", "--config", "demo", "-o", self.folder / "m")
        self.fails(4, "nosuch", "check", "--model", "demo", "--golden", self.folder / "nosuch")
        self.expect(0, "train", "diffusion", "--model.folder", "demo", "--dry-run")

    def test_pictures_that_are_not_read(self):
        for brand, words in ((b"heic", "heif-convert"), (b"avif", "ffmpeg -i")):
            picture = self.folder / f"a.{brand.decode()}"
            picture.write_bytes(b"\0\0\0\x1cftyp" + brand + b"\0\0\0\0mif1" + bytes(200))
            name = brand.decode().upper()
            for command in (["generate", picture, *SMALL, "-o", self.folder / "a.mp4"], ["inspect", picture]):
                self.assertIn(words, self.fails(3, f"is a picture in {name} format", *command).stderr)

    def test_dry_run_looks_for_folders(self):
        self.fails(4, "nosuch", "train", "diffusion", "--data.kind", "shards", "--data.folder", "nosuch", "--dry-run")
        self.fails(4, "nosuch", "train", "diffusion", "--model.folder", "nosuch/model", "-n")
        # A recipe's folders come of the stages before it.
        for name in ("adversarial", "lowres_adversarial"):
            recipe = SOURCE / f"recipes/svd/{name}.toml"
            if not recipe.exists():
                continue
            shown = self.expect(0, "train", "adversarial", recipe, "--dry-run", cwd=self.folder).stdout
            self.assertIn('# model.folder: "runs/', shown)
            self.assertIn("preset svd", shown)
            plan = json.loads(self.expect(0, "train", "adversarial", recipe, "--dry-run", "--json", cwd=self.folder).stdout)
            self.assertIn("model.folder", plan["absent"])


class InspectTest(ProgramTest):
    def inspect(self, path):
        return json.loads(self.expect(0, "inspect", path, "--json").stdout)

    def test_every_kind_is_named(self):
        files = {name: self.folder / name for name in ("a.txt", "a.json", "recipe.json", "a.toml", "a.ckpt", "b.pt", "a.gguf", "empty")}
        files["a.txt"].write_text("a list of things to do\n")
        files["a.json"].write_text('{"_class_name": "AutoencoderTiny"}')
        files["recipe.json"].write_text('{"program": "mobilevd", "options": {"seed": 3}}')
        files["a.toml"].write_text(run("train", "init", "features").stdout)
        files["a.ckpt"].write_bytes(b"\x80\x02}q\x00.")
        files["b.pt"].write_bytes(b"PK\x03\x04" + bytes(26) + b"archive/data.pkl")
        files["a.gguf"].write_bytes(b"GGUF" + bytes(100))
        files["empty"].write_bytes(b"")
        self.fails(3, "a.txt: is text", "inspect", files["a.txt"])
        self.fails(3, "a pickle: it can run code when loaded", "inspect", files["a.ckpt"])
        self.fails(3, "a zip archive, as PyTorch's checkpoints are", "inspect", files["b.pt"])
        self.fails(3, "is a GGUF file", "inspect", files["a.gguf"])
        self.fails(3, "empty", "inspect", files["empty"])
        self.assertEqual(self.inspect(files["a.json"])["kind"], "config")
        self.assertEqual(self.inspect(files["recipe.json"])["kind"], "recipe")
        self.assertEqual(self.inspect(files["a.toml"])["options_of_train"], ["features"])
        tar = self.folder / "s.tar"
        with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
            for key in ("000", "001"):
                for extension in (".rgb", ".json"):
                    (self.folder / (key + extension)).write_bytes(b"12345")
                    archive.add(self.folder / (key + extension), key + extension)
        shard = self.inspect(tar)
        self.assertEqual((shard["kind"], shard["samples"], shard["members"]), ("shard", 2, 4))
        self.assertEqual(self.inspect(PHOTO)["kind"], "image")
        self.assertEqual(self.inspect("demo")["kind"], "model")

    def test_a_folder_of_shards(self):
        clips, shards = self.folder / "clips", self.folder / "shards"
        self.expect(0, "data", "synth", "-o", clips, "-n", 2, "--height", 32, "--width", 32, "--frames", 3)
        self.expect(0, "data", "prepare", clips, "-o", shards, "--height", 32, "--width", 32, "--frames", 3)
        self.assertEqual((self.inspect(shards)["kind"], self.inspect(shards)["clips"]), ("shards", 2))
        self.assertIn("clips        2\n", self.expect(0, "inspect", shards).stdout)

    def test_a_bad_path_does_not_end_the_list(self):
        result = self.expect(7, "inspect", self.folder / "nosuch", PHOTO, "--json")
        report = json.loads(result.stdout)["files"]
        self.assertEqual((report[0]["exit"], report[1]["kind"]), (4, "image"))
        self.assertIn("nosuch", result.stderr)
        shown = self.expect(7, "inspect", self.folder / "nosuch", PHOTO)
        self.assertIn("image", shown.stdout)
        self.fails(4, "nosuch", "inspect", self.folder / "nosuch")

    def test_nothing_in_a_file_moves_the_cursor(self):
        recipe = self.folder / "r.json"
        recipe.write_text('{"program": "mobilevd", "options": {}, "model": "\\u001b[2J\\u009b2J"}')
        shown = self.expect(0, "inspect", recipe).stdout
        self.assertNotIn("\x1b", shown)
        self.assertNotIn("\x9b", shown)


class HelpTest(ProgramTest):
    def test_every_command_explains_itself(self):
        for command in [[], ["data"], ["train"], *COMMANDS]:
            text = self.expect(0, *command, "--help").stdout
            self.assertLessEqual(max(map(len, text.splitlines())), 100, command)
            self.assertIn("  -h, --help", text)
            if command:
                self.assertIn(f"Example:\n  mobilevd {' '.join(command)}", text)
            self.assertNotIn("default: -1", text)
            self.assertNotIn("nan", re.findall(r"default: (\w+)", text))

    def test_aliases_only_when_asked(self):
        text, everything = (self.expect(0, "generate", flag).stdout for flag in ("--help", "--help-all"))
        for alias in ("--num_frames", "--video-frames", "--cond_aug", "--precision", "--init-img"):
            self.assertNotIn(alias, text)
            self.assertIn(alias, everything)
        for shown in ("-H, --height PIXELS", "-s, --seed", "(default: from the model", "(default: 42)", "8 or 16", "0.1 to 1000"):
            self.assertIn(shown, text)

    def test_aliases_still_work(self):
        cost = lambda *args: json.loads(self.expect(0, "cost", "--preset", "svd-tiny", "--json", *args).stdout)["frames"]
        self.assertEqual([cost(alias, 5) for alias in ("--frames", "--num-frames", "--num_frames", "--video_frames")], [5] * 4)

    def test_exit_codes_stand_in_one_place(self):
        text = " ".join(self.expect(0, "--help").stdout.split())
        codes = re.findall(r"k\w+ = (\d+),", (SOURCE / "mvd/base/error.h").read_text())
        self.assertGreater(len(codes), 8)
        for code in codes:
            self.assertRegex(text, rf"Exit codes:.*\b{code} [a-z]")


class JsonTest(ProgramTest):
    def test_failures_are_one_object(self):
        for code, *args in ((2, "generate", PHOTO, "--bogus"), (2, "generate", PHOTO, "--fps", "0"), (2, "check"), (2, "train", "nosuch"),
                            (2, "train", "diffusion", "--stepz", "3"), (2, "generate", PHOTO, "--fps"), (4, "inspect", "nosuch"), (2, "nosuch"),
                            (4, "data", "prepare", "nosuch", "-o", "x"), (2, "data", "prepare", "x"), (2, "convert", "demo"),
                            (4, "evaluate", "--model", "nosuch"), (4, "compress", "nosuch", "--merge", "-o", "x"), (2, "generate", "-hf", "a/b"),
                            (2, "init", "--preset", "nosuch", "-o", "x"), (2, "repro", "77"), (2, "completion", "tcsh")):
            report = json.loads(self.expect(code, *args, "--json", cwd=self.folder).stdout)
            self.assertEqual((set(report), report["exit"]), ({"error", "file", "exit"}, code))
        self.assertEqual(self.files(), [])

    def test_results_are_one_object(self):
        for args in (["train", "init", "features"], ["repro"], ["doctor"], ["completion", "bash"], ["train", "features", "-n"],
                     ["cost", "--preset", "svd-tiny"], ["init", "--preset", "svd-tiny", "-o", self.folder / "m"]):
            self.assertIsInstance(json.loads(self.expect(0, *args, "--json").stdout), dict)


class OutputTest(ProgramTest):
    """-o is a file, a full folder, a folder in nothing: one line each, and nothing is touched."""

    def test_folders_that_are_not_free(self):
        model, full, file = self.tiny_model(), self.folder / "full", self.folder / "file"
        full.mkdir()
        (full / "mine").write_text("mine")
        file.write_text("mine")
        clips = self.folder / "clips"
        self.expect(0, "data", "synth", "-o", clips, "-n", 1, "--height", 32, "--width", 32, "--frames", 3)
        before = self.files()
        for command in (["init", "--preset", "svd-tiny"], ["convert", model], ["compress", model, "--keep", 3],
                        ["data", "synth", "-n", 1, "--height", 32, "--width", 32, "--frames", 3],
                        ["data", "prepare", clips, "--height", 32, "--width", 32, "--frames", 3]):
            self.fails(2, str(file), *command, "-o", file)
            if command[0] != "data":  # which makes the folders above its own
                self.fails(4, "nosuch", *command, "-o", self.folder / "nosuch" / "deep" / "out")
                self.fails(2, "exists and is not an empty folder", *command, "-o", full)
            self.assertEqual((file.read_text(), (full / "mine").read_text()), ("mine", "mine"))
        self.assertEqual(self.files(), before)


class CompletionTest(ProgramTest):
    def script(self, shell):
        return self.expect(0, "completion", shell).stdout

    def bash(self, *words):
        """What bash offers for the last of the words."""
        script = self.folder / "completion.bash"
        script.write_text(self.script("bash"))
        line = " ".join(f"'{word}'" for word in ("mobilevd", *words))
        done = subprocess.run(["bash", "--norc", "-c", f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _mobilevd; "
                               "printf '%s\\n' \"${COMPREPLY[@]}\""], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_every_flag_is_in_every_script(self):
        for shell in ("bash", "zsh", "fish"):
            script = self.script(shell)
            for command in COMMANDS:
                for name in command:
                    self.assertIn(name, script)
                for flag in options(tuple(command)):
                    self.assertRegex(script, rf"(-l |--){re.escape(flag[2:])}\b", f"{shell} {command}")
        self.assertIn("--optimiser.lr", self.script("bash"))

    def test_bash_completes(self):
        (self.folder / "photo.jpg").write_text("")
        (self.folder / "films").mkdir()
        self.assertEqual(self.bash("gen"), ["generate"])
        self.assertIn("--motion-bucket-id", self.bash("generate", "--mo"))
        self.assertNotIn("--motion_bucket_id", self.bash("generate", "--mo"))
        self.assertEqual(self.bash("generate", "--rng", ""), ["torch", "philox"])
        self.assertEqual(self.bash("generate", "ph"), ["photo.jpg"])
        self.assertEqual(self.bash("data", "prepare", "fi"), ["films"])
        self.assertEqual(self.bash("data", "pre"), ["prepare"])
        self.assertEqual(self.bash("train", "diffusion", "--run.dev"), ["--run.device"])
        self.assertIn("--json", self.bash("train", "diffusion", "--js"))
        self.assertEqual(self.bash("completion", "z"), ["zsh"])
        self.assertIn("demo", self.bash("generate", "-m", "de"))
        self.assertEqual(self.bash("generate", "--steps", ""), [])

    @unittest.skipUnless(shutil.which("cmake"), "cmake installs")
    def test_they_are_installed(self):
        subprocess.run(["cmake", "--install", PROGRAM.parent, "--prefix", "/usr"], check=True, capture_output=True,
                       env={**os.environ, "DESTDIR": str(self.folder)})
        for shell, path in (("bash", "bash-completion/completions/mobilevd"), ("zsh", "zsh/site-functions/_mobilevd"),
                            ("fish", "fish/vendor_completions.d/mobilevd.fish")):
            self.assertEqual((self.folder / "usr/share" / path).read_text(), self.script(shell))

    def test_other_shells_can_read_it(self):
        for shell in ("zsh", "fish"):
            if shutil.which(shell):
                done = subprocess.run([shell, "-n"], input=self.script(shell), capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), shell)


if __name__ == "__main__":
    main()
