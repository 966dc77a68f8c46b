"""Training from the outside: killed at random moments and resumed, against never killed; what goes in, what comes out,
what is damaged; and that options and errors are what the manual says.

    train_test.py MOBILEVD [NAME ...]     runs the tests whose names are given, else all but the slow ones
"""
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time

from train_testing import (FILES, MOBILEVD, TAESD, TINY, assert_equal_checkpoints, checkpoint_steps, command, lines, newest,
                           run_tests, tensor_bytes, tensor_values, train, worst_difference)

RECIPES = pathlib.Path(__file__).resolve().parent.parent / "recipes" / "svd"


def test_resume_is_exact(tmp):
    """40 steps, against three SIGKILLs at random moments: every byte of weights, moments and average is equal."""
    options = dict(TINY, **{"run.steps": 40})
    train("diffusion", tmp / "whole", options)
    rng = random.Random(7)
    kills = 0
    while kills < 3:
        run = subprocess.Popen(command("diffusion", tmp / "killed", options, "--resume"),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = max(checkpoint_steps(tmp / "killed"), default=0)
        # Kill at a random moment after at least one new checkpoint, so that three kills are spread over the run.
        deadline = time.time() + 300
        while time.time() < deadline and run.poll() is None:
            if max(checkpoint_steps(tmp / "killed"), default=0) > before:
                break
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.5))
        assert run.poll() is None, "the run ended before it could be killed: give it more steps"
        run.send_signal(signal.SIGKILL)
        run.wait()
        kills += 1
    train("diffusion", tmp / "killed", options, "--resume")
    assert_equal_checkpoints(tmp / "whole", tmp / "killed")
    a, b = lines(tmp / "whole"), lines(tmp / "killed")
    assert [x["step"] for x in b] == list(range(1, 41)), "the log has every step once"
    assert [x["loss"] for x in a] == [x["loss"] for x in b], "losses are equal to the bit"
    weights = tensor_bytes(newest(tmp / "whole") / "weights.safetensors")
    average = tensor_bytes(newest(tmp / "whole") / "ema.safetensors")
    assert weights != average, "the average is not the weights"


def test_interrupt_saves(tmp):
    """SIGINT writes a checkpoint of that very step and exits with 6; a second run needs --resume; --export takes it;
    other steps and another rate go on from it."""
    options = dict(TINY, **{"run.steps": 1000, "checkpoint.steps": 0})
    run = subprocess.Popen(command("diffusion", tmp / "run", options), stderr=subprocess.PIPE, text=True)
    log = tmp / "run" / "metrics.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= 3):
        assert run.poll() is None, run.stderr.read()
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    message = run.communicate(timeout=60)[1]
    assert run.returncode == 6, (run.returncode, message)
    assert checkpoint_steps(tmp / "run") == [lines(tmp / "run")[-1]["step"]]
    refused = train("diffusion", tmp / "run", options, expect=2)
    assert "--resume" in refused.stderr, refused.stderr
    changed = train("diffusion", tmp / "run", dict(options, **{"optimiser.beta1": 0.5}), "--resume", expect=2)
    assert "optimiser.beta1" in changed.stderr, changed.stderr
    before = log.read_text()
    model = pathlib.Path(train("diffusion", tmp / "run", options, "--export").stdout.strip())
    exported = tensor_bytes(model / "unet" / "diffusion_pytorch_model.safetensors")
    average = tensor_bytes(newest(tmp / "run") / "ema.safetensors")
    assert exported == {name.removeprefix("unet."): value for name, value in average.items()}, "the average is exported"
    assert log.read_text() == before, "no step was done"
    none = train("diffusion", tmp / "none", options, "--export", expect=2)
    assert "holds no checkpoint" in none.stderr and not (tmp / "none").exists(), none.stderr
    done = checkpoint_steps(tmp / "run")[-1]
    further = train("diffusion", tmp / "run", dict(options, **{"optimiser.lr": 5e-4, "run.steps": done + 6}), "--resume")
    assert "optimiser.lr was 0.001, now 5e-04" in further.stderr and "run.steps was 1000" in further.stderr, further.stderr
    last = lines(tmp / "run")[-1]  # behind the warm-up of 5 steps
    assert (last["step"], last["lr"]) == (done + 6, 5e-4), last


def test_second_signal_waits_for_the_checkpoint(tmp):
    """A launcher and a terminal often send a signal twice: the step ends, its checkpoint is written, and then the run."""
    options = dict(TINY, **{"run.steps": 100000, "checkpoint.steps": 0})
    for name, signals in (("term", [signal.SIGTERM] * 3), ("int", [signal.SIGINT] * 2), ("hangup", [signal.SIGHUP] * 2)):
        run = subprocess.Popen(command("diffusion", tmp / name, options), stderr=subprocess.PIPE, text=True)
        log = tmp / name / "metrics.jsonl"
        while not (log.exists() and log.read_text().count("\n") >= 2):
            assert run.poll() is None, run.stderr.read()
            time.sleep(0.01)
        for sent in signals:
            run.send_signal(sent)
            time.sleep(0.005)
        message = run.communicate(timeout=120)[1]
        assert run.returncode == 6, (name, run.returncode, message)
        step = lines(tmp / name)[-1]["step"]
        assert checkpoint_steps(tmp / name) == [step], (name, checkpoint_steps(tmp / name), message)
        assert not list((tmp / name / "checkpoints").glob(".*")), name
        train("diffusion", tmp / name, dict(options, **{"run.steps": step + 1}), "--resume")


def test_export_runs(tmp):
    """The exported folder is a model that `generate` runs; samples and held-out losses were written."""
    options = dict(TINY, **{"run.steps": 2, "samples.steps": 2, "samples.count": 2, "samples.denoise_steps": 2,
                            "heldout.steps": 1, "heldout.clips": 2, "conditioning.image_encoder": "train"})
    done = train("diffusion", tmp / "run", options)
    model = pathlib.Path(done.stdout.strip())
    assert model == tmp / "run" / "model", done.stdout
    sheet = tmp / "run" / "samples" / "step-000002.png"
    assert sheet.exists() and (tmp / "run" / "samples" / "step-000002-1.mp4").exists()
    assert all("heldout_loss" in x for x in lines(tmp / "run"))
    assert list((tmp / "run" / "tensorboard").glob("events.out.tfevents.*"))
    clip = subprocess.run([MOBILEVD, "generate", str(sheet), "--model", str(model), "--height", "32", "--width", "48",
                           "--steps", "2", "-o", str(tmp / "clip.mp4")], capture_output=True, text=True)
    assert clip.returncode == 0 and (tmp / "clip.mp4").stat().st_size > 0, clip.stderr


def test_one_step_ladder(tmp):
    """Teacher, folded, multiscaled, funnelled; then one step with learnt pruning: resumes to the byte, exports a merged
    folder of as many blocks as were asked for, which `generate` runs."""
    teacher = pathlib.Path(train("diffusion", tmp / "teacher", dict(TINY, **{"run.steps": 2})).stdout.strip())
    small = tmp / "small"
    done = subprocess.run([MOBILEVD, "compress", str(teacher), "--fold-cross-attention", "--temporal-multiscale", "2",
                           "--funnels", "attention=0.5", "-o", str(small)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    options = {key: value for key, value in TINY.items() if key not in ("model.preset", "model.unet", "model.taesd")}
    options.update({"model.folder": small, "discriminator.backbone": teacher, "discriminator.width": 32,
                    "discriminator.warmup_steps": 3, "discriminator.r1_every": 2, "pruning.kind": "learned",
                    "pruning.keep": 4, "pruning.draw_steps": 9, "run.steps": 12, "heldout.steps": 6, "heldout.clips": 1, "samples.steps": 12,
                    "samples.count": 1, "generator.frame_noise": "shared", "generator.levels": 2,
                    "discriminator.taps": "layers"})
    train("adversarial", tmp / "whole", options)
    train("adversarial", tmp / "parts", dict(options, **{"run.steps": 7}))
    model = pathlib.Path(train("adversarial", tmp / "parts", options, "--resume").stdout.strip())
    assert_equal_checkpoints(tmp / "whole", tmp / "parts")
    config = json.loads((model / "unet" / "config.json").read_text())
    assert len(config["kept_temporal_blocks"]) == 4 and config["funnels_merged"] and config["temporal_multiscale"] == 2
    assert config["sampling"]["steps"] == 1 and config["sampling"]["frame_noise"] == "shared", config["sampling"]
    last = lines(tmp / "parts")[-1]
    importance = {key[11:]: value for key, value in last.items() if key.startswith("importance.")}
    assert len(importance) == 12, importance  # of every temporal block
    assert (tmp / "parts" / "importance.svg").read_text().count("<polyline") == 12
    assert lines(tmp / "parts")[2]["loss_adversarial"] == 0 and lines(tmp / "parts")[3]["loss_adversarial"] != 0
    clip = subprocess.run([MOBILEVD, "generate", str(tmp / "parts" / "samples" / "step-000012.png"), "--model", str(model),
                           "--height", "32", "--width", "48", "-o", str(tmp / "clip.mp4")], capture_output=True, text=True)
    assert clip.returncode == 0 and (tmp / "clip.mp4").stat().st_size > 0, clip.stderr
    many = train("adversarial", tmp / "refused", dict(options, **{"pruning.keep": 13}), expect=3)
    assert "pruning.keep" in many.stderr and "12" in many.stderr, many.stderr
    # Frames that share their noise differ by the clip alone: a lower level shows the generator the motion.
    shown = train("adversarial", tmp / "refused", dict(options, **{"generator.levels": 3}), expect=3)
    assert "generator.frame_noise" in shown.stderr and "generator.levels" in shown.stderr, shown.stderr
    assert shown.stderr.count("\n") == 1 and not (tmp / "refused").exists(), shown.stderr


def test_export_keeps_settled_blocks(tmp):
    """Training settles on the blocks that are most important when drawing ends. The average of the weights, which is
    exported, may order them otherwise: here it stays where the run began. A resumed run and --export keep them too."""
    options = dict(TINY, **{"run.steps": 8, "run.batch": 1, "discriminator.width": 32, "discriminator.warmup_steps": 0,
                            "ema.half_life": 1e9, "ema.ramp_up": 0, "schedule.warmup_steps": 0, "optimiser.clip_norm": 0,
                            "pruning.kind": "learned", "pruning.keep": 4, "pruning.lr": 0.1, "pruning.draw_steps": 6,
                            "generator.pseudo_huber": 10})
    train("adversarial", tmp / "run", dict(options, **{"run.steps": 7}))
    model = pathlib.Path(train("adversarial", tmp / "run", options, "--resume").stdout.strip())
    rows = [{k[11:]: v for k, v in row.items() if k.startswith("importance.")} for row in lines(tmp / "run")]
    best = [set(sorted(row, key=row.get)[-4:]) for row in (rows[0], rows[-1])]
    assert best[0] != best[1], "importances must change order for the test to mean anything"
    kept = json.loads((model / "unet" / "config.json").read_text())["kept_temporal_blocks"]
    assert set(kept) == best[1], (kept, best[1])
    state = json.loads((newest(tmp / "run") / "state.json").read_text())
    assert state["decisions"]["kept_temporal_blocks"] == kept, state["decisions"]
    shutil.rmtree(model)
    train("adversarial", tmp / "run", options, "--export")
    assert json.loads((model / "unet" / "config.json").read_text())["kept_temporal_blocks"] == kept
    chart = (tmp / "run" / "importance.svg").read_text()
    assert all(f">{block}</text>" in chart for block in kept) and chart.count("</text>") == 4 + 6 + 5 + 1, chart


def test_svd_recipes(tmp):
    """Every stage of recipes/svd, both sizes, for two steps on a narrow network of SVD's own architecture: 38 temporal
    blocks, of which 11 are left."""
    levels = {"block_out_channels": [32] * 4, "num_attention_heads": [1] * 4, "layers_per_block": 2,
              "down_block_types": ["CrossAttnDownBlockSpatioTemporal"] * 3 + ["DownBlockSpatioTemporal"],
              "up_block_types": ["UpBlockSpatioTemporal"] + ["CrossAttnUpBlockSpatioTemporal"] * 3,
              "addition_time_embed_dim": 16, "projection_class_embeddings_input_dim": 48, "cross_attention_dim": 64}
    # "SVD": as a folder, as downloaded.
    made = dict(TINY, **{"model.unet": json.dumps(levels), "run.steps": 1, "conditioning.image_encoder": "frozen"})
    svd = pathlib.Path(train("diffusion", tmp / "svd", made).stdout.strip())
    small = {"data.kind": "synth", "data.folder": "", "data.height": 32, "data.width": 64, "data.frames": 4, "run.device": "cpu",
             "run.precision": "f32", "run.steps": 2, "run.threads": 1, "samples.steps": 0, "heldout.steps": 0}
    for size, first, second in (("low", "lowres", "adversarial"), ("high", "hd", "hd_adversarial")):
        recipe = str(RECIPES / f"{first}.toml")
        teacher = train("diffusion", tmp / size, dict(small, **{"model.folder": svd}), recipe).stdout.strip()
        mobile = tmp / f"{size}_mobile"
        done = subprocess.run([MOBILEVD, "compress", teacher, "--fold-cross-attention", "--temporal-multiscale", "2",
                               "--funnels", "attention=0.5", "-o", str(mobile)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        options = dict(small, **{"model.folder": mobile, "discriminator.backbone": teacher, "discriminator.width": 32,
                                 "discriminator.warmup_steps": 1})
        model = train("adversarial", tmp / f"{size}_one", options, str(RECIPES / f"{second}.toml")).stdout.strip()
        config = json.loads((pathlib.Path(model) / "unet" / "config.json").read_text())
        assert len(config["kept_temporal_blocks"]) == 11 and config["funnels_merged"], config
        # A stage on the wrong kind of folder: one line, exit 3.
        wrong = train("adversarial", tmp / f"{size}_no", dict(options, **{"discriminator.backbone": mobile}), expect=3)
        assert "compressed UNet" in wrong.stderr and str(mobile) in wrong.stderr and wrong.stderr.count("\n") == 1, wrong.stderr
        plan = subprocess.run([MOBILEVD, "train", "adversarial", str(RECIPES / f"{second}.toml"), "--dry-run", "--set",
                               f"model.folder={mobile}", "--set", f"discriminator.backbone={teacher}"], capture_output=True,
                              text=True)
        assert plan.returncode == 0 and "discriminator's heads" in plan.stdout, plan.stderr
    autoencoder = svd / "vae"
    wrong = train("adversarial", tmp / "no", dict(options, **{"model.folder": autoencoder}), expect=3)
    assert "unet" in wrong.stderr.lower() and wrong.stderr.count("\n") == 1, wrong.stderr


def test_l1_baseline(tmp):
    """The penalty presses every block's own weight down, and the strongest blocks are left."""
    options = dict(TINY, **{"run.steps": 20, "discriminator.width": 32, "discriminator.warmup_steps": 0,
                            "pruning.kind": "l1", "pruning.l1": 10, "pruning.keep": 3})
    model = pathlib.Path(train("adversarial", tmp / "run", options).stdout.strip())
    rows = lines(tmp / "run")
    blocks = [key for key in rows[0] if key.startswith("importance.")]
    assert sum(rows[-1][b] for b in blocks) < sum(rows[0][b] for b in blocks)
    assert len(json.loads((model / "unet" / "config.json").read_text())["kept_temporal_blocks"]) == 3


def test_autoencoder(tmp):
    """The loss falls, and a diffusion run takes the exported folder."""
    options = {"model.preset": "svd-tiny", "model.taesd": json.dumps(TAESD), "data.height": 32, "data.width": 48,
               "run.steps": 60, "run.threads": 1, "run.batch": 2, "samples.steps": 60, "samples.count": 1,
               "schedule.warmup_steps": 5, "optimiser.lr": 2e-3, "heldout.steps": 60, "heldout.clips": 2}
    train("autoencoder", tmp / "ae", options)
    loss = [x["loss"] for x in lines(tmp / "ae")]
    assert sum(loss[-10:]) < 0.8 * sum(loss[:10]), loss
    model = tmp / "ae" / "model"
    train("diffusion", tmp / "run", dict(TINY, **{"run.steps": 1, "model.autoencoder": model}))
    a = tensor_bytes(model / "diffusion_pytorch_model.safetensors")
    b = tensor_bytes(tmp / "run" / "model" / "vae" / "diffusion_pytorch_model.safetensors")
    assert a == b, "the exported pipeline carries the autoencoder unchanged"


def test_equivariance(tmp):
    """Latents of a part of a picture come near that part of the latents, where the loss asks for it."""
    options = {"model.preset": "svd-tiny", "model.taesd": json.dumps(TAESD), "data.height": 32, "data.width": 48,
               "run.steps": 60, "run.threads": 1, "run.batch": 2, "samples.steps": 0, "heldout.steps": 0,
               "schedule.warmup_steps": 5, "optimiser.lr": 2e-3}
    distance = []
    for weight in (1e-9, 0.3):
        train("autoencoder", tmp / str(weight), dict(options, **{"loss.equivariance": weight}))
        last = [x["loss_equivariance"] for x in lines(tmp / str(weight))][-20:]
        distance.append(sum(last) / len(last))
    assert distance[1] < 0.7 * distance[0], distance


def test_adversarial(tmp):
    """The discriminator begins at its sample, learns, judges the decoder, resumes to the byte and is not exported."""
    options = {"model.preset": "svd-tiny", "model.taesd": json.dumps(TAESD), "data.height": 32, "data.width": 48,
               "run.steps": 30, "run.threads": 1, "run.batch": 2, "samples.steps": 0, "heldout.steps": 30, "heldout.clips": 2,
               "schedule.warmup_steps": 5, "optimiser.lr": 1e-3, "loss.adversarial": 0.05, "loss.adversarial_start": 20,
               "loss.equivariance": 0.1, "data.workers": 2}
    train("autoencoder", tmp / "whole", options)
    train("autoencoder", tmp / "parts", dict(options, **{"run.steps": 17}))
    train("autoencoder", tmp / "parts", options, "--resume")
    assert_equal_checkpoints(tmp / "whole", tmp / "parts")
    parts = [x["loss_discriminator"] for x in lines(tmp / "whole")]
    assert not any(parts[:10]) and all(parts[10:]), "it begins after 10 steps of 2 clips"
    # The hinge loss of a judge who says 0 to all is 2; this one's swings with what it is shown, 1.2 in the mean.
    assert sum(parts[10:]) / 20 < 1.7, parts
    train("autoencoder", tmp / "without", dict(options, **{"loss.adversarial": 0}))
    plain, judged = ([x["loss_l1"] for x in lines(tmp / name)] for name in ("without", "whole"))
    apart = [abs(a - b) / a for a, b in zip(plain, judged)]
    # Before, the gradients' norm alone is summed over more of them, all zero, and may round otherwise.
    assert max(apart[:11]) < 1e-5 and min(apart[15:]) > 1e-4, apart
    names = set(tensor_bytes(tmp / "whole" / "model" / "diffusion_pytorch_model.safetensors"))
    assert names == set(tensor_bytes(tmp / "without" / "model" / "diffusion_pytorch_model.safetensors"))
    assert any(n.startswith("discriminator.") for n in tensor_bytes(newest(tmp / "whole") / "adam_first.safetensors"))


def prepared(tmp, name, seed, count, *options):
    """A folder of shards with `count` procedural clips of TINY's size, films on the way."""
    shape = ["--height", "32", "--width", "48", "--frames", "4"]
    films, shards = tmp / f"{name}_films", tmp / name
    subprocess.run([MOBILEVD, "data", "synth", "-q", "-o", films, "-n", str(count), "--seed", str(seed), "--format", "mp4",
                    *shape], check=True, capture_output=True)
    done = subprocess.run([MOBILEVD, "data", "prepare", "-q", films, "-o", shards, "--json", "--max-duplicates", "1", *shape, *options],
                          check=True, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["clips"] == count and not report["failed"], report
    return shards


def test_shards(tmp):
    """Films to shards to training: interrupted in an epoch and resumed, every byte is equal; another shape is refused."""
    options = dict(TINY, **{"data.kind": "shards", "data.folder": prepared(tmp, "shards", 1, 5),
                            "data.heldout": prepared(tmp, "heldout", 2, 2), "heldout.steps": 3, "heldout.clips": 2,
                            "checkpoint.steps": 0, "run.steps": 7})
    train("diffusion", tmp / "whole", options)
    # 7 steps of 2 clips are almost three epochs of 5: the break falls inside the second.
    train("diffusion", tmp / "parts", dict(options, **{"run.steps": 4}))
    train("diffusion", tmp / "parts", options, "--resume")
    assert_equal_checkpoints(tmp / "whole", tmp / "parts")
    a, b = lines(tmp / "whole"), lines(tmp / "parts")
    assert [x["loss"] for x in a] == [x["loss"] for x in b]
    assert a[-1]["heldout_loss"] == b[-1]["heldout_loss"] > 0
    # Cached latents are those of the encoder: the same curve but for the encoder's batch.
    cached = dict(options, **{"data.latent_cache": tmp / "cache"})
    for name in ("first", "second"):
        train("diffusion", tmp / name, cached)
    assert len(list((tmp / "cache").rglob("*.safetensors"))) == 7, "each clip once, held-out ones too"
    assert worst_difference(tmp / "first", tmp / "second") == 0
    # f32 and its rounding: a batch of five frames against four and one.
    assert worst_difference(tmp / "whole", tmp / "first") < 1e-4
    refused = train("diffusion", tmp / "other", dict(options, **{"data.width": 64}), expect=3)
    assert "holds clips of 4 frames of 48x32" in refused.stderr, refused.stderr


def test_damaged_shards(tmp):
    """A shard whose bytes are not those of shards.json is reported in one line, counted and skipped."""
    shards = prepared(tmp, "shards", 1, 5, "--shard-size", "0.04")  # three clips and two
    options = dict(TINY, **{"data.kind": "shards", "data.folder": shards, "run.steps": 4})
    bad = shards / "shard-000001.tar"
    good = bad.read_bytes()
    middle = len(good) // 2  # in the second clip's pixels
    flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    for name, content, verify, words, count in (
            ("pixels", flipped, "clips", "is damaged: its pixels hash to", 1),
            ("flipped", flipped, "shards", "is damaged: xxh128", 2),
            ("cut", good[:-1000], "clips", f"is damaged: {len(good) - 1000} bytes", 2)):
        bad.write_bytes(content)
        done = train("diffusion", tmp / name, dict(options, **{"data.verify": verify}))
        told = [line for line in done.stderr.splitlines() if "shard-000001.tar" in line]
        assert len(told) == 1 and words in told[0], done.stderr
        assert lines(tmp / name)[-1]["skipped_clips"] == count
    for shard in (bad, shards / "shard-000000.tar"):
        shard.write_bytes(b"")
    failed = train("diffusion", tmp / "none", options, expect=3)
    assert "holds no clip that can be read" in failed.stderr, failed.stderr


def test_svd_autoencoder_and_image_encoder(tmp):
    """SVD's own encoder and temporal decoder round the UNet; a frozen image encoder stays, a trained one learns."""
    subprocess.run([MOBILEVD, "init", "-q", "--preset", "svd-tiny", "-o", tmp / "svd"], check=True, capture_output=True)
    vae = tensor_bytes(tmp / "svd" / "vae" / "diffusion_pytorch_model.safetensors")
    clip = tensor_bytes(tmp / "svd" / "image_encoder" / "model.safetensors")
    base = {k: v for k, v in TINY.items() if not k.startswith("model.")}
    options = dict(base, **{"model.folder": tmp / "svd", "run.steps": 2, "samples.steps": 2, "samples.count": 1,
                            "samples.denoise_steps": 1, "heldout.steps": 2, "heldout.clips": 1,
                            "conditioning.drop_image_embedding": 0})
    for mode in ("frozen", "train"):
        out = tmp / mode
        train("diffusion", out, dict(options, **{"conditioning.image_encoder": mode}))
        assert json.loads((out / "model" / "vae" / "config.json").read_text())["_class_name"] == "AutoencoderKLTemporalDecoder"
        assert tensor_bytes(out / "model" / "vae" / "diffusion_pytorch_model.safetensors") == vae, "the autoencoder is frozen"
        after = tensor_bytes(out / "model" / "image_encoder" / "model.safetensors")
        changed = sum(after[k] != clip[k] for k in clip)
        assert after.keys() == clip.keys() and (changed > len(clip) / 2 if mode == "train" else changed == 0), (mode, changed)
        assert (out / "samples" / "step-000002-0.mp4").stat().st_size > 0
    done = subprocess.run([MOBILEVD, "generate", str(tmp / "train" / "samples" / "step-000002.png"), "--model",
                           str(tmp / "train" / "model"), "--height", "32", "--width", "48", "--steps", "1",
                           "-o", str(tmp / "clip.mp4")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_recompute_and_bf16(tmp):
    """Recomputed segments change no loss; bf16 follows f32, keeps f32 masters, and resumes to the byte."""
    options = dict(TINY, **{"run.steps": 6, "checkpoint.steps": 3})
    train("diffusion", tmp / "f32", options)
    train("diffusion", tmp / "recomputed", dict(options, **{"run.recompute_segments": 4}))
    # The same values are computed again; only gradients that meet at a border are added in another order.
    worst = worst_difference(tmp / "f32", tmp / "recomputed")
    print(f"  recomputed: worst relative difference of the loss {worst:.1e}")
    assert worst < 1e-5, worst
    half = dict(options, **{"run.precision": "bf16"})
    train("diffusion", tmp / "bf16", half)
    worst = worst_difference(tmp / "f32", tmp / "bf16")
    print(f"  bf16: worst relative difference of the loss {worst:.1e}")
    assert 0 < worst < 0.02, worst  # products round to 8 bits, 0.4 %; sums over many even that out
    for name in FILES:
        types = {t[0] for t in tensor_bytes(newest(tmp / "bf16") / f"{name}.safetensors").values()}
        assert types == {"F32"}, (name, types)
    train("diffusion", tmp / "parts", dict(half, **{"run.steps": 3}))
    train("diffusion", tmp / "parts", half, "--resume")
    assert_equal_checkpoints(tmp / "bf16", tmp / "parts")


def test_blames_the_node_and_spares_unused_parameters(tmp):
    """A weight that is not finite: the first node that it reaches is named, and the weights stay as they are."""
    train("diffusion", tmp / "run", dict(TINY, **{"run.steps": 1, "optimiser.weight_decay": 0, "ema.half_life": 0}))
    first = newest(tmp / "run") / "adam_first.safetensors"
    # One token of the picture: its softmax is 1 whatever the query and key are, so their gradients are zero.
    names = tensor_bytes(first)
    unused = [n for n in names if ".attn2.to_q." in n or ".attn2.to_k." in n]
    assert unused and not any(any(tensor_values(first, n)[0]) for n in unused)
    used = [n for n in names if ".attn1.to_q." in n]
    assert used and all(any(tensor_values(first, n)[0]) for n in used)
    unet = tmp / "run" / "model" / "unet" / "diffusion_pytorch_model.safetensors"
    _, begin = tensor_values(unet, "up_blocks.0.resnets.0.spatial_res_block.conv1.bias")
    with open(unet, "r+b") as file:
        file.seek(begin)
        file.write(struct.pack("<f", float("nan")))
    base = {k: v for k, v in TINY.items() if not k.startswith("model.")}
    options = dict(base, **{"model.folder": tmp / "run" / "model", "run.steps": 30})
    once = train("diffusion", tmp / "once", dict(options, **{"log.nan_guard": "true"}), expect=8)
    assert "node 'up_blocks.0.resnets.0.spatial_res_block.conv1" in once.stderr, once.stderr
    assert "step 1 skipped" in once.stderr, once.stderr
    ten = train("diffusion", tmp / "ten", options, expect=8)
    assert ten.stderr.count("skipped: not finite: node") == 11 and "step 10 skipped" in ten.stderr, ten.stderr


def test_out_of_memory(tmp):
    """Memory that is not to be had is one line and exit code 5."""
    # 3 GB hold the program and its libraries, not the activations of 16 frames of 512x512.
    large = dict(TINY, **{"run.steps": 1, "data.height": 512, "data.width": 512, "data.frames": 16})
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    done = subprocess.run(command("diffusion", tmp / "large", large), capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 5 and done.stderr.splitlines()[-1] == "mobilevd: out of memory", done


def test_dry_run_and_init(tmp):
    """`init` prints a file that `--dry-run` reads back; unknown keys are refused by name."""
    for kind in ("diffusion", "autoencoder"):
        text = subprocess.run([MOBILEVD, "train", "init", kind], capture_output=True, text=True, check=True).stdout
        (tmp / "run.toml").write_text(text)
        done = subprocess.run([MOBILEVD, "train", kind, str(tmp / "run.toml"), "--dry-run"],
                              capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.startswith(text), done.stderr
    def resolved(*flags, expect=0):
        done = subprocess.run([MOBILEVD, "train", "diffusion", *flags, "-n", "--json"], capture_output=True, text=True)
        assert done.returncode == expect, (done.returncode, done.stderr)
        return json.loads(done.stdout)["options"] if expect == 0 else done.stderr

    assert "'optimiser.lr'" in resolved("--set", "optimiser.lrr=1", expect=2)
    # Every option is a flag as well, under its own name, with the same checks; the last one given holds.
    given = resolved("--optimiser.lr", "3e-5", "--set", "optimiser.lr=4e-5", "--optimiser.lr=5e-5", "--log.nan_guard", "true",
                     "--conditioning.fps_id", "-1", "--model.unet", '{"in_channels": 8}', "--set", "run.seed=3")
    assert (given["optimiser.lr"], given["log.nan_guard"], given["conditioning.fps_id"]) == (5e-5, True, -1), given
    assert (given["model.unet"], given["run.seed"]) == ('{"in_channels": 8}', 3), given
    assert resolved("--optimiser.lr=5e-5", "--set", "optimiser.lr=4e-5")["optimiser.lr"] == 4e-5
    assert "'run.steps' is 0, expected" in resolved("--run.steps", "0", expect=2)
    assert "--optimiser.lrr" in resolved("--optimiser.lrr", "1", expect=2)
    shown = subprocess.run([MOBILEVD, "train", "diffusion", "--help"], capture_output=True, text=True, check=True).stdout
    assert len(shown.splitlines()) < 30 and "train init diffusion" in shown, shown
    defaults = resolved()
    every = [word for key, value in defaults.items()
             for word in (f"--{key}", value if isinstance(value, str) else json.dumps(value))]
    assert resolved(*every) == defaults  # one list: no option is forgotten


def slow_picture_helps(tmp):
    """A few minutes of training: a model that sees the picture beats the same model that never does."""
    options = dict(TINY, **{"run.batch": 4, "run.steps": int(os.environ.get("MVD_SLOW_STEPS", "300")), "run.threads": 0,
                            "heldout.clips": 16, "heldout.steps": 100, "checkpoint.steps": 0, "ema.half_life": 200,
                            "samples.steps": 0, "optimiser.lr": 2e-3})
    ae = dict({k: options[k] for k in ("model.preset", "model.taesd", "data.height", "data.width")},
              **{"run.steps": 400, "optimiser.lr": 2e-3, "schedule.warmup_steps": 5, "samples.steps": 0, "heldout.steps": 0,
                 "run.batch": 8})
    train("autoencoder", tmp / "ae", ae)
    options["model.autoencoder"] = tmp / "ae" / "model"
    losses = {}
    for name, drop in (("picture", 0.1), ("none", 1)):
        train("diffusion", tmp / name, dict(options, **{"conditioning.drop_latent": drop,
                                                        "conditioning.drop_image_embedding": drop}))
        losses[name] = [x["heldout_loss"] for x in lines(tmp / name) if "heldout_loss" in x]
    print(f"  held-out loss: with the picture {losses['picture']}, without {losses['none']}")
    assert losses["picture"][-1] < 0.95 * losses["none"][-1], losses


if __name__ == "__main__":
    sys.exit(run_tests(globals(), sys.argv[2:]))
