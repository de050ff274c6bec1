"""clipa-train on a GPU, in one table. Started by `tests/gpu/run`, whose head says what it needs; Python's standard library only."""
import argparse
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numbers_file

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NO_GPU = 77
# Pairs of a step on 80 GB, and side of the stored images: crops of 40 % of the area are not enlarged.
MODELS = {"b16-i50-t16": (2048, 178), "l16-i17-t16": (2048, 102), "l16-i37-t8": (1024, 152), "h14-i37-t8": (512, 133)}
TINY = {"tiny-i17-t8": (64, 51)}
FULL_MEMORY = 79e9
# Of the CPU's greatest value where they are relative. Sums of a GPU are in another order, and no product is in TF32.
TOLERANCES = {"features": 5e-5, "gradients": 1e-3, "losses": 1e-3}
BERT_WORDS = 30_522


class Failed(Exception):
    """A program's last words."""


class Table:
    """Rows as they come, in one width."""

    HEAD = ("model", "what", "samples/s", "ms a step", "TFLOP/s", "peak GB", "data wait %")

    def __init__(self):
        self.wrong = []
        self.line(self.HEAD)

    @staticmethod
    def line(cells):
        widths = (12, 46, 10, 10, 8, 8, 12)
        print("  ".join(f"{cell:<{width}}" if place < 2 else f"{cell:>{width}}"
                        for place, (cell, width) in enumerate(zip(cells, widths))).rstrip(), flush=True)

    def measured(self, model, what, report, flop_per_sample):
        rate = report["samples_per_s"]
        peak, wait = report.get("peak_bytes"), report.get("data_wait_percent")
        self.line((model, what, f"{rate:,.0f}", f"{1e3 * report['step_s']:.1f}", f"{rate * flop_per_sample / 1e12:.3g}",
                   "" if peak is None else f"{peak / 1e9:.2f}", "" if wait is None else f"{wait:.1f}"))

    def said(self, model, what, words):
        self.line((model, what, words))

    def compared(self, model, what, greatest, tolerance):
        good = greatest <= tolerance
        if not good:
            self.wrong.append(f"{model}: {what}")
        self.line((model, what, f"{greatest:.1e}", "", "", "", "right" if good else f"WRONG, limit {tolerance:.0e}"))


class Bench:
    """Runs programs until the time is over."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, folder
        self.end = time.monotonic() + 60 * arguments.minutes
        self.on_gpu = arguments.device == "cuda"

    def left(self):
        return self.end - time.monotonic()

    def run(self, words):
        """stdout of a program."""
        if self.left() < 5:
            raise Failed("no time left")
        try:
            done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=self.left(), text=True)
        except subprocess.TimeoutExpired:
            raise Failed("no time left") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            error = next((line for line in done.stderr.splitlines() if line.startswith("error")), last)
            raise Failed(f"exit code {done.returncode}: {error[:160]}")
        return done.stdout

    def program(self, name):
        return str(self.arguments.programs / name)

    def clipa(self, recipe, options, device=None):
        """The report of `clipa-train bench`."""
        words = [self.program("clipa-train"), "bench", "--recipe", recipe, "--json"]
        return json.loads(self.run([*words, "--device", device or self.arguments.device, *options]))

    def batch(self, pairs):
        """`pairs`, halved for a GPU with less memory than 80 GB."""
        if not self.on_gpu:
            return pairs
        words = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits", "-i", "0"]
        memory = int(self.run(words)) * 2**20
        for _ in range(6):
            if memory < FULL_MEMORY:
                memory, pairs = 2 * memory, pairs // 2
        return max(pairs, 16)


def check(bench, table, recipe):
    """The same weights and batches on the CPU and the GPU, in f32; where both are the CPU, the second in micro-batches."""
    pairs = 16
    shape = ["--set", f"stage.batch={pairs}", "--set", "stage.precision=f32", "--set", "stage.lr=1e-4"]
    shape += ["--batches", "20", "--steps", "20", "--warmup", "0"]
    files, reports = [], []
    for place, device in enumerate(("cpu", bench.arguments.device)):
        file = bench.folder / f"{place}.safetensors"
        part = pairs if bench.on_gpu or place == 0 else 5
        reports.append(bench.clipa(recipe, [*shape, "--micro-batch", str(part), "--numbers", str(file)], device))
        files.append(numbers_file.open_numbers(file))
    cpu, other = files
    of = "GPU against CPU" if bench.on_gpu else "micro-batches against one pass"
    for kind in ("features", "gradients"):
        names = [name for name in cpu.names() if name.startswith(kind)]
        assert names, f"no {kind}"
        greatest = max(numbers_file.relative_difference(cpu, other, name, kind == "gradients") for name in names)
        table.compared(recipe, f"{len(names)} {kind}, {of}", greatest, TOLERANCES[kind])
    losses = [report["losses"] for report in reports]
    assert all(len(each) == 20 for each in losses)
    greatest = max(abs(ours - theirs) for ours, theirs in zip(*losses))
    table.compared(recipe, f"20 losses, {of}", greatest, TOLERANCES["losses"])
    for file in bench.folder.glob("*.safetensors"):
        file.unlink()


def vocabulary(path):
    """A word list of BERT's size: the special pieces in their places, letters, digits, and words that nobody says."""
    words = ["[PAD]", *(f"[unused{number}]" for number in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,!?'-#"
    words += [*letters, *(f"##{letter}" for letter in letters)]
    words += [f"nobody{number}" for number in range(BERT_WORDS - len(words))]
    path.write_text("\n".join(words) + "\n", encoding="utf8")
    return path


def data_set(bench, models, samples):
    """Drawn pairs, ingested with a raw column for each model."""
    drawn, pairs = bench.folder / "drawn", bench.folder / "pairs"
    side = max(side for _, side in models.values())
    bench.run([bench.program("clipa-prep"), "synth", "--output", str(drawn), "--samples", str(samples), "--tars", "16",
               "--side", str(side), "--eval-samples", "48"])
    columns = [word for side in sorted({side for _, side in models.values()}) for word in ("--image", f"{side}:rgb8")]
    bench.run([bench.program("clipa-prep"), "laion", "ingest", str(drawn / "train"), "--output", str(pairs), *columns,
               "--bert-vocab", str(vocabulary(bench.folder / "vocab.txt"))])
    return pairs


def main():
    parser = argparse.ArgumentParser(prog="tests/gpu/run")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/release")
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--only", action="append", help="one of the models; may be repeated")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and (shutil.which("nvidia-smi") is None
                                       or subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode):
        print("no GPU here: nvidia-smi finds none, nothing was measured (--device cpu tests this script)")
        sys.exit(NO_GPU)
    missing = [name for name in ("clipa-train", "clipa-prep") if not (arguments.programs / name).is_file()]
    if missing:
        sys.exit(f"{arguments.programs} lacks {', '.join(missing)}: the head of tests/gpu/run says what is carried here")
    models = MODELS if arguments.device == "cuda" else TINY
    if arguments.only:
        models = {name: models[name] for name in arguments.only}
    with tempfile.TemporaryDirectory(prefix="clipa-gpu-") as folder:
        measure(Bench(arguments, pathlib.Path(folder)), models)


def machine(bench):
    words = [f"{os.cpu_count()} cores"]
    if bench.on_gpu:
        words.insert(0, bench.run(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]).strip())
    version = bench.run([bench.program("clipa-train"), "--version"]).strip()
    print(f"{'; '.join(words)}; {version}; {time.strftime('%Y-%m-%d')}")


def measure(bench, models):
    """What matters most first: what no time is left for is said."""
    machine(bench)
    table = Table()

    def attempt(model, what, doing):
        try:
            return doing()
        except Failed as failed:
            table.said(model, what, str(failed))
            if "no time" not in str(failed):
                table.wrong.append(f"{model}: {what}")

    attempt(next(iter(models)), "numbers", lambda: check(bench, table, next(iter(models))))
    flop = {}
    steps = ["--warmup", "3", "--steps", "20" if bench.on_gpu else "5"]

    def shape(model):
        pairs, _ = models[model]
        return ["--set", f"stage.batch={bench.batch(pairs)}", "--set", "stage.text_reduction=truncate",
                "--set", "stage.precision=bf16" if bench.on_gpu else "stage.precision=f32"]

    def fixed(model):
        report = bench.clipa(model, [*shape(model), *steps])
        flop[model] = report["flop_per_s"] / report["samples_per_s"]
        table.measured(model, f"clipa, fixed tensors, {report['batch']} pairs", report, flop[model])

    for model in models:
        attempt(model, "clipa, fixed tensors", lambda: fixed(model))
    peers(bench, table, models, flop, "eager", attempt)
    pairs = attempt("all", "data", lambda: data_set(bench, models, 16_384 if bench.on_gpu else 256))
    for model in models if pairs else ():
        def stream():
            report = bench.clipa(model, [*shape(model), *steps, "--data", str(pairs)])
            table.measured(model, "clipa, from a data set", report, flop.get(model, 0))
        attempt(model, "clipa, from a data set", stream)
    if bench.on_gpu:
        peers(bench, table, models, flop, "compiled", attempt)
    if table.wrong:
        sys.exit("wrong: " + "; ".join(table.wrong))
    print("all that was measured is right")


def peers(bench, table, models, flop, how, attempt):
    """open_clip's step on the same shapes, where it is installed."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "open_clip")):
        table.said("all", f"open_clip, {how}", "not installed here")
        return
    for model, (pairs, _) in models.items():
        def peer():
            words = [sys.executable, str(HERE / "open_clip_step.py"), model, "--device", bench.arguments.device]
            words += ["--batch", str(bench.batch(pairs)), *(["--compile"] if how == "compiled" else [])]
            table.measured(model, f"open_clip, {how}", json.loads(bench.run(words)), flop.get(model, 0))
        attempt(model, f"open_clip, {how}", peer)


if __name__ == "__main__":
    main()
