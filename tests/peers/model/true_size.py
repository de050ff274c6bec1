"""Does a model of true size compute what open_clip's computes?

    cargo xtask peers model true-size [--recipe b16-i50-t16 --recipe l14-i37-t8] [--pairs 8] [--steps 20]

`clipa-train bench --numbers` writes the weights and batches that it drew, and what it made of them; open_clip gets the same. Compared:
normalised features, the gradient of every parameter, the losses of AdamW's steps (a batch of its own for each, all at one learning
rate), and the positions of every later stage, resized from these weights. In f32 on the CPU; 16 bytes a parameter.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import open_clip
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors import safe_open
from safetensors.torch import save_file

FEATURES, GRADIENTS, LOSSES, POSITIONS = 1e-5, 1e-4, 1e-4, 1e-6
STATISTICS = {
    "openai": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}


def program():
    return str(Path(os.environ["CLIPA_BIN"]) / "clipa-train")


def recipe_of(name):
    """The recipe as clipa-train reads it; the stage's costs stand before it as comments."""
    shown = subprocess.run([program(), "recipes", "show", name], check=True, capture_output=True, text=True)
    return tomllib.loads(shown.stdout)


def build(model, image_size, context_length):
    """open_clip's model of a recipe."""
    vision, text = model["vision"], model["text"]

    def shared(gelu):
        return {"norm_kwargs": {"eps": model["ln_eps"]},
                "act_kwargs": {"approximate": "tanh"} if gelu == "tanh" else None}

    clip = CLIP(
        embed_dim=model["embed_dim"],
        vision_cfg=CLIPVisionCfg(
            image_size=image_size, patch_size=vision["patch_size"], width=vision["width"], layers=vision["layers"],
            head_width=vision["width"] // vision["heads"], mlp_ratio=(vision["mlp_width"] + 0.5) / vision["width"],
            no_ln_pre=not vision["ln_pre"], pool_type="tok" if vision["pool"] == "cls" else "avg",
            final_ln_after_pool=vision["final_ln_after_pool"], **shared(model["gelu"])),
        text_cfg=CLIPTextCfg(
            context_length=context_length, vocab_size=text["vocab_size"], width=text["width"], heads=text["heads"],
            layers=text["layers"], mlp_ratio=(text["mlp_width"] + 0.5) / text["width"], pool_type=text["pool"],
            no_causal_mask=not text["causal"], **shared(text.get("gelu", model["gelu"]))),
        quick_gelu=model["gelu"] == "quick", output_dict=True)
    if vision["pool"] == "avg-all":
        # The first version's mean over all tokens, for which open_clip has no word.
        clip.visual._global_pool = lambda x: (x.mean(dim=1), x)
    return clip


def bench(recipe, stage, change, options, folder, name):
    """clipa-train's numbers and report."""
    file = folder / f"{name}.safetensors"
    command = [program(), "bench", "--recipe", recipe, "--stage", stage["name"], "--json", "--device", "cpu"]
    command += ["--warmup", "0", "--numbers", str(file), "--threads", str(torch.get_num_threads()), *options]
    for key, value in change.items():
        command += ["--set", f"stage.{key}={value}"]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return safe_open(file, "pt"), report, file


def weights_of(numbers):
    return {name.removeprefix("weights."): numbers.get_tensor(name)
            for name in numbers.keys() if name.startswith("weights.")}


def batch_of(numbers, number, pixels):
    images = numbers.get_tensor(f"batch.{number}.images").permute(0, 3, 1, 2).contiguous()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in STATISTICS[pixels])
    return (images / 255 - mean) / std, numbers.get_tensor(f"batch.{number}.tokens").long()


def optimizer_of(clip, stage, lr):
    """open_clip's two groups; the recipe's rule of what decays."""
    kept = {"matrices": (), "no-positions": ("positional_embedding",),
            "kernels": ("positional_embedding", "token_embedding")}[stage.get("decay", "matrices")]

    def decays(name, parameter):
        plain = any(part in name for part in ("bn", "ln", "bias", "logit_scale"))
        return parameter.ndim >= 2 and not plain and not any(part in name for part in kept)

    named = [(name, parameter) for name, parameter in clip.named_parameters() if parameter.requires_grad]
    groups = [{"params": [p for n, p in named if decays(n, p) is wanted], "weight_decay": decay}
              for wanted, decay in ((False, 0.0), (True, stage["weight_decay"]))]
    return torch.optim.AdamW(groups, lr=lr, betas=(stage["beta1"], stage["beta2"]), eps=stage["eps"], fused=True)


def step_of(clip, images, texts):
    features = clip(images, texts)
    loss = open_clip.ClipLoss()(features["image_features"], features["text_features"], features["logit_scale"])
    loss.backward()
    return features, loss.item()


class Verdict:
    """Lines of a table, and whether all is within its tolerance."""

    def __init__(self):
        self.failed = False

    def line(self, recipe, what, greatest, tolerance, where=""):
        good = greatest <= tolerance
        self.failed |= not good
        print(f"{recipe:<16} {what:<44} {greatest:9.2e}  of {tolerance:.0e}  {'agree' if good else 'DIFFER'} {where}",
              flush=True)


def compare(name, arguments, folder, verdict):
    recipe = recipe_of(name)
    model, stage = recipe["model"], recipe["stage"][0]
    change = {"batch": arguments.pairs, "lr": arguments.lr, "precision": "f32"}
    options = ["--steps", str(arguments.steps), "--batches", str(arguments.steps),
               "--micro-batch", str(arguments.micro_batch or arguments.pairs)]
    numbers, report, file = bench(name, stage, change, options, folder, name)
    clip = build(model, stage["image_size"], stage["context_length"])
    clip.load_state_dict(weights_of(numbers))
    fixed = stage.get("positions", model["vision"].get("positions", "learnable")) != "learnable"
    clip.visual.positional_embedding.requires_grad_(not fixed)
    optimizer = optimizer_of(clip, stage, arguments.lr)
    losses = []
    for step in range(arguments.steps):
        optimizer.zero_grad()
        features, loss = step_of(clip, *batch_of(numbers, step, model["pixels"]))
        losses.append(loss)
        if step == 0:
            for tower in ("image", "text"):
                ours = numbers.get_tensor(f"features.{tower}s")
                greatest = (features[f"{tower}_features"].detach() - ours).abs().max().item()
                verdict.line(name, f"{tower} features, {arguments.pairs} pairs", greatest, FEATURES)
            rows = []
            for parameter, tensor in clip.named_parameters():
                if tensor.grad is not None:
                    difference = (tensor.grad - numbers.get_tensor(f"gradients.{parameter}")).abs().max().item()
                    rows.append((difference / max(tensor.grad.abs().max().item(), 1e-12), parameter))
            greatest, where = max(rows)
            verdict.line(name, f"gradients of {len(rows)} parameters, relative", greatest, GRADIENTS, where)
        optimizer.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, math.log(100))
    greatest = max(abs(ours - theirs) for ours, theirs in zip(report["losses"], losses, strict=True))
    where = f"({losses[0]:.4f} to {losses[-1]:.4f})"
    verdict.line(name, f"losses of {arguments.steps} steps", greatest, LOSSES, where)
    del clip, optimizer
    for later in recipe["stage"][1:]:
        positions(name, recipe, later, weights_of(numbers), folder, verdict)
        break
    file.unlink()


def positions(name, recipe, stage, weights, folder, verdict):
    """The next stage's positions, resized by each from the same weights; where its table is fixed, open_clip has none."""
    plain = folder / f"{name}-weights.safetensors"
    save_file(weights, plain)
    # Two pairs and no masks: only the weights at the beginning are looked at.
    change = {"batch": 2, "lr": 1e-4, "precision": "f32", "image_reduction": "resize", "positions": "learnable"}
    options = ["--steps", "1", "--from", str(plain), "--micro-batch", "1"]
    numbers, _, file = bench(name, stage, change, options, folder, f"{name}-{stage['name']}")
    kept = ("visual.positional_embedding", "positional_embedding")
    theirs = {key: weights[key].clone() for key in kept}
    clip = build_meta(recipe["model"], stage)
    open_clip.model.resize_pos_embed(theirs, clip)
    open_clip.model.resize_text_pos_embed(theirs, clip)
    for key in kept:
        greatest = (theirs[key] - numbers.get_tensor(f"weights.{key}")).abs().max().item()
        verdict.line(name, f"{key} at {stage['name']}", greatest, POSITIONS)
    plain.unlink()
    file.unlink()


def build_meta(model, stage):
    with torch.device("meta"):
        clip = build(model, stage["image_size"], stage["context_length"])
    # Only their shapes and devices are asked for.
    clip.positional_embedding = torch.nn.Parameter(torch.zeros(clip.positional_embedding.shape))
    clip.visual.positional_embedding = torch.nn.Parameter(torch.zeros(clip.visual.positional_embedding.shape))
    return clip


def main(words):
    parser = argparse.ArgumentParser(prog="cargo xtask peers model true-size")
    parser.add_argument("--recipe", action="append")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--micro-batch", type=int)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads)
    verdict = Verdict()
    for name in arguments.recipe or ["b16-i50-t16", "l14-i37-t8"]:
        with tempfile.TemporaryDirectory() as folder:
            compare(name, arguments, Path(folder), verdict)
    sys.exit(1 if verdict.failed else 0)
