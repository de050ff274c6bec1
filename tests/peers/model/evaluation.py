"""Are the figures of `clipa-train eval` those of open_clip with the same weights, and of a direct NumPy computation?

    python evaluation.py PROGRAM RUN [--classes SET] [--pairs SET]

PROGRAM is the built clipa-train. The run's newest checkpoint is loaded into open_clip by its open_clip_config.json. Images are read from
the data set's shards with pyarrow, so that both programs see the same pixels: they must be stored in the stage's size (`--image SIDE:rgb8-square`).
Prompts are encoded by open_clip's tokenizer, captions are token ids of the set; both are truncated. Classification: every prediction is compared. Retrieval: CLIP_benchmark's recalls, from the whole matrix of
cosines and a stable sort. Exit code 1 where a prediction or a recall differs.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import numpy
import open_clip
import pyarrow.parquet
import torch

START, END = 49406, 49407
BATCH = 128
# Cosines that are closer than this may be ordered otherwise by rounding.
CLOSE = 1e-5


def model_of(run):
    """The run's newest checkpoint in open_clip, and its configuration."""
    newest = max((run / "checkpoints").glob("step-*"))
    config = json.loads((run / "open_clip_config.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        (folder / "model.safetensors").symlink_to((newest / "model.safetensors").resolve())
        model = open_clip.create_model(f"local-dir:{folder}")
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    if recipe["model"]["vision"]["pool"] == "avg-all":
        # The one pooling that open_clip has no word for: its `avg` leaves the class token out.
        model.visual._global_pool = lambda tokens: (tokens.mean(1), tokens)
    return model.eval(), config


def rows(dataset, columns):
    """The data set's columns, all rows in stored order."""
    manifest = json.loads((dataset / "dataset.json").read_text())
    files = [unit["shard"]["file"] for unit in manifest["units"] if unit["shard"]]
    tables = [pyarrow.parquet.read_table(dataset / file, columns=columns) for file in files]
    return pyarrow.concat_tables(tables)


def pixels(table, config, side):
    """u8 images `[N, 3, S, S]`, normalised as the model's configuration says."""
    images = numpy.stack([numpy.frombuffer(value.as_py(), numpy.uint8) for value in table[f"image_{side}"]])
    images = torch.from_numpy(images.reshape(-1, side, side, 3).copy()).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(config["preprocess_cfg"][name]).view(1, 3, 1, 1) for name in ("mean", "std"))
    return (images - mean) / std


def truncated(token_lists, length):
    ids = torch.zeros(len(token_lists), length, dtype=torch.long)
    for row, tokens in enumerate(token_lists):
        kept = [START, *tokens[: length - 2], END]
        ids[row, : len(kept)] = torch.tensor(kept)
    return ids


@torch.no_grad()
def encoded(encode, inputs):
    parts = [torch.nn.functional.normalize(encode(part), dim=-1) for part in inputs.split(BATCH)]
    return torch.cat(parts)


def ours(program, run, dataset, *more):
    words = [program, "eval", run, "--data", dataset, "--prompts", "full", "--json", *more]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def classification(program, run, dataset, model, config):
    side, length = config["model_cfg"]["vision_cfg"]["image_size"], config["model_cfg"]["text_cfg"]["context_length"]
    prompts = pyarrow.parquet.read_table(dataset / "prompts.parquet").to_pydict()
    texts = encoded(model.encode_text, open_clip.SimpleTokenizer(context_length=length)(prompts["prompt"]))
    owners = torch.tensor(prompts["class"])
    classifier = torch.stack([texts[owners == c].mean(0) for c in range(int(owners.max()) + 1)])
    classifier = torch.nn.functional.normalize(classifier, dim=-1)
    table = rows(dataset, ["key", "label", f"image_{side}"])
    cosines = encoded(model.encode_image, pixels(table, config, side)) @ classifier.T
    best = cosines.argmax(1).numpy()
    labels = numpy.array(table["label"].to_pylist())
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "predictions.parquet"
        report = ours(program, run, dataset, "--predictions", output)
        predicted = pyarrow.parquet.read_table(output).to_pydict()
    assert predicted["key"] == table["key"].to_pylist() and predicted["label"] == labels.tolist()
    differ = numpy.flatnonzero(best != numpy.array(predicted["prediction"]))
    gaps = [float(cosines[row].max() - cosines[row, predicted["prediction"][row]]) for row in differ]
    recalls = [float((best[labels == c] == c).mean()) for c in numpy.unique(labels)]
    theirs = {"acc1": float((best == labels).mean()), "mean_per_class_recall": sum(recalls) / len(recalls)}
    print(f"classification: {len(labels)} images, {len(differ)} predictions differ (cosines apart by at most {max(gaps, default=0):.1e})")
    worst = max(abs(report["metrics"][name] - value) for name, value in theirs.items())
    print(f"    open_clip {theirs}, greatest difference {worst:.1e}")
    return all(gap < CLOSE for gap in gaps) and worst <= len(differ) / len(labels) + 1e-12


def retrieval(program, run, dataset, model, config):
    side, length = config["model_cfg"]["vision_cfg"]["image_size"], config["model_cfg"]["text_cfg"]["context_length"]
    table = rows(dataset, ["clip_bpe", "captions_clip_bpe", f"image_{side}"])
    texts, owners = [], []
    for image, (first, several) in enumerate(zip(table["clip_bpe"].to_pylist(), table["captions_clip_bpe"].to_pylist())):
        for caption in several or [first]:
            texts.append(caption["tokens"])
            owners.append(image)
    images = encoded(model.encode_image, pixels(table, config, side)).numpy()
    cosines = encoded(model.encode_text, truncated(texts, length)).numpy() @ images.T
    right = numpy.zeros(cosines.shape, bool)
    right[numpy.arange(len(owners)), owners] = True
    report = ours(program, run, dataset)
    worst = 0.0
    for name, scores, is_right in (("image", cosines, right), ("text", cosines.T, right.T)):
        order = numpy.argsort(-scores, axis=1, kind="stable")
        found = numpy.take_along_axis(is_right, order, 1)
        for k in (1, 5, 10):
            recall = float(found[:, :k].any(1).mean())
            difference = abs(report["metrics"][f"{name}_retrieval_recall@{k}"] - recall)
            worst = max(worst, difference * len(scores))
            print(f"    {name}_retrieval_recall@{k} {recall:.4f}, ours differs by {difference:.1e}")
    print(f"retrieval: {len(images)} images, {len(owners)} captions; at most {worst:.0f} of a recall's decisions differ")
    return worst < 0.5


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--classes", type=pathlib.Path)
    parser.add_argument("--pairs", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, config = model_of(arguments.run)
    good = True
    if arguments.classes:
        good &= classification(arguments.program, arguments.run, arguments.classes, model, config)
    if arguments.pairs:
        good &= retrieval(arguments.program, arguments.run, arguments.pairs, model, config)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
