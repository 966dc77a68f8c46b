"""Several processes that train one model: two against one, started by hand, as Slurm does and by torchrun; and processes
that are killed or stopped.

    train_processes_test.py MOBILEVD [NAME ...]

TORCHRUN names PyTorch's launcher; without it the tests that need it are skipped, and say so.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from train_testing import (TINY, assert_equal_checkpoints, checkpoint_steps, command, lines, newest, run_tests, train,
                           worst_difference)

TORCHRUN = os.environ.get("TORCHRUN") or shutil.which("torchrun")
# Variables for a process's rank, its rank on the machine, and how many there are.
TORCHRUNS = {"rank": "RANK", "local": "LOCAL_RANK", "world": "WORLD_SIZE"}
SLURMS = {"rank": "SLURM_PROCID", "local": "SLURM_LOCALID", "world": "SLURM_NTASKS"}  # as `srun` sets them


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_ranks(world, out, options, *flags, names=TORCHRUNS, kind="diffusion"):
    """`out`: the run's folder, or a list with each rank's own."""
    port = free_port()
    outs = out if isinstance(out, list) else [out] * world

    def environment(rank):
        mine = {names["rank"]: str(rank), names["local"]: str(rank), names["world"]: str(world)}
        return dict(os.environ, **mine, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), SLURM_STEP_ID="0")

    return [subprocess.Popen(command(kind, outs[rank], options, *flags), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, env=environment(rank)) for rank in range(world)]


def wait_for_lines(out, count, ranks):
    log = pathlib.Path(out) / "metrics.jsonl"
    while not (log.exists() and log.read_text().count("\n") >= count):
        assert all(rank.poll() is None for rank in ranks), [rank.communicate() for rank in ranks]
        time.sleep(0.01)


def torchrun(*flags):
    return [TORCHRUN, "--no-python", "--nproc-per-node", "2", "--master-port", str(free_port()), *flags]


def worst_levels(a, b):
    """Largest relative difference of the losses by noise level."""
    worst = 0
    for x, y in zip(lines(a), lines(b)):
        assert x["loss_by_sigma"].keys() == y["loss_by_sigma"].keys(), (x, y)
        worst = max([worst] + [abs(v - y["loss_by_sigma"][k]) / v for k, v in x["loss_by_sigma"].items()])
    return worst


def test_two_processes_equal_one(tmp):
    """The same global batch gives the same loss curve: sums in another order differ by f32's rounding alone."""
    options = dict(TINY, **{"run.steps": 20, "run.accumulation": 2})
    halves = dict(options, **{"run.accumulation": 1})
    train("diffusion", tmp / "one", options)
    for name, names in (("two", TORCHRUNS), ("slurm", SLURMS)):
        ranks = start_ranks(2, tmp / name, halves, names=names)
        for rank in ranks:
            output = rank.communicate(timeout=600)
            assert rank.returncode == 0, output
    if TORCHRUN:
        done = subprocess.run(torchrun() + command("diffusion", tmp / "torchrun", halves), capture_output=True, text=True,
                              timeout=600)
        assert done.returncode == 0, done.stderr
    else:
        print("  skipped: no torchrun")
    for name in ("two", "slurm") + (("torchrun",) if TORCHRUN else ()):
        worst = worst_difference(tmp / "one", tmp / name)
        print(f"  {name}: two processes against one: worst relative difference of the loss {worst:.1e}")
        assert len(lines(tmp / name)) == 20 and worst < 1e-5, worst
        # Noise levels of both processes are counted, as those of both micro-batches are.
        assert worst_levels(tmp / "one", tmp / name) < 1e-4
    assert_equal_checkpoints(tmp / "two", tmp / "slurm")


def test_adversarial_processes_equal_one(tmp):
    """One step and pruning: each process draws its own gates, a block rests where no process has it, and the curve is
    that of one process with as many micro-batches."""
    options = dict(TINY, **{"run.steps": 12, "run.batch": 1, "run.accumulation": 2, "discriminator.width": 32,
                            "discriminator.warmup_steps": 2, "discriminator.r1_every": 3, "pruning.kind": "learned",
                            "pruning.keep": 3})
    train("adversarial", tmp / "one", options)
    ranks = start_ranks(2, tmp / "two", dict(options, **{"run.accumulation": 1}), kind="adversarial")
    for rank in ranks:
        output = rank.communicate(timeout=600)
        assert rank.returncode == 0, output
    worst = worst_difference(tmp / "one", tmp / "two")
    print(f"  two processes against one: worst relative difference of the loss {worst:.1e}")
    assert len(lines(tmp / "two")) == 12 and worst < 1e-4, worst  # hinge losses switch on and off at rounding
    missed = [json.loads((newest(tmp / name) / "state.json").read_text())["adam_missed"] for name in ("one", "two")]
    assert missed[0] == missed[1], "the same blocks rested"
    mixes = {name: steps for name, steps in missed[0].items() if name.endswith("mix_factor")}
    # Two draws of 3 of 12 blocks leave at least 6 without work in each of 10 steps; all rest in the 2 of the warm-up.
    assert sum(mixes.values()) >= 12 * 2 + 6 * 10, mixes
    importance = [{k: v for k, v in lines(tmp / name)[-1].items() if k.startswith("importance.")} for name in ("one", "two")]
    assert all(abs(v - importance[1][k]) < 1e-4 for k, v in importance[0].items())


def finish(ranks, expect=0):
    """What each rank wrote to stderr. All must end, and with the exit code that is expected."""
    messages = [rank.communicate(timeout=300)[1] for rank in ranks]
    assert all(rank.returncode == expect for rank in ranks), ([rank.returncode for rank in ranks], messages)
    return messages


def test_rank0_alone_sees_the_folder(tmp):
    """The other processes may run where the run's folder is not: they get the checkpoint from rank 0, whose files alone
    are read and written, and what is wrong with it ends all of them with one exit code."""
    options = dict(TINY, **{"run.steps": 10, "checkpoint.steps": 4})
    finish(start_ranks(2, tmp / "whole", options))
    folders = [tmp / "run", tmp / "elsewhere"]
    finish(start_ranks(2, folders, dict(options, **{"run.steps": 6})))
    messages = finish(start_ranks(2, folders, options, "--resume"))
    assert "continuing at step 6" in messages[0] and "continuing" not in messages[1], messages
    assert_equal_checkpoints(tmp / "whole", tmp / "run")
    assert not folders[1].exists(), list(folders[1].rglob("*"))
    # Another rank's own stale checkpoints do not matter.
    shutil.copytree(tmp / "run" / "checkpoints" / "step-000008", folders[1] / "checkpoints" / "step-000008")
    longer = dict(options, **{"run.steps": 12})
    assert "continuing at step 10" in finish(start_ranks(2, folders, longer, "--resume"))[0]
    assert checkpoint_steps(folders[1]) == [8]
    # A new run where there is one, another optimiser, and no whole checkpoint.
    for change, flags, code, words in (({}, (), 2, "--resume continues it"),
                                       ({"optimiser.beta1": 0.5}, ("--resume",), 2, "optimiser.beta1")):
        messages = finish(start_ranks(2, folders, dict(longer, **change), *flags), expect=code)
        assert all(words in m for m in messages) and "rank 0: " in messages[1], messages
    for weights in (tmp / "run" / "checkpoints").glob("*/weights.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-4])
    messages = finish(start_ranks(2, folders, longer, "--resume"), expect=3)
    assert all("none of them is whole" in m for m in messages), messages


def test_torchrun_restarts(tmp):
    """A killed process under torchrun: it starts all again, and the run ends as if nothing had been."""
    if not TORCHRUN:
        print("  skipped: no torchrun")
        return
    options = dict(TINY, **{"run.steps": 20})
    for rank in start_ranks(2, tmp / "whole", options):
        assert rank.wait(timeout=600) == 0
    agent = subprocess.Popen(torchrun("--max-restarts", "1") + command("diffusion", tmp / "killed", options, "--resume"),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_lines(tmp / "killed", 7, [agent])
    children = pathlib.Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    output = agent.communicate(timeout=600)
    assert agent.returncode == 0 and "exitcode: -9" in output[1], output
    assert "continuing at step" in output[1], output
    assert_equal_checkpoints(tmp / "whole", tmp / "killed")


def test_slow_rank_is_waited_for(tmp):
    """A process that does nothing for some seconds costs these seconds and nothing else."""
    options = dict(TINY, **{"run.steps": 12})
    ranks = start_ranks(2, tmp / "run", options)
    wait_for_lines(tmp / "run", 3, ranks)
    ranks[1].send_signal(signal.SIGSTOP)
    time.sleep(7)  # three beats and more
    steps = len(lines(tmp / "run"))
    assert steps < 12 and ranks[0].poll() is None
    ranks[1].send_signal(signal.SIGCONT)
    for rank in ranks:
        output = rank.communicate(timeout=600)
        assert rank.returncode == 0, output
    assert len(lines(tmp / "run")) == 12


def test_lost_rank_ends_others(tmp):
    """A killed or a stopped process makes the other end within a minute and say why."""
    for name, sign, seconds in (("killed", signal.SIGKILL, 10), ("stopped", signal.SIGSTOP, 60)):
        ranks = start_ranks(2, tmp / name, dict(TINY, **{"run.steps": 100000}))
        wait_for_lines(tmp / name, 2, ranks)
        ranks[1].send_signal(sign)
        start = time.time()
        message = ranks[0].communicate(timeout=seconds)[1]
        print(f"  {name}: the other process ended after {time.time() - start:.1f} s")
        ranks[1].kill()
        ranks[1].communicate()
        assert ranks[0].returncode == 7 and "another process" in message, (ranks[0].returncode, message)
        assert "rank 1 does not answer" in message or name == "killed", message


if __name__ == "__main__":
    sys.exit(run_tests(globals(), sys.argv[2:]))
