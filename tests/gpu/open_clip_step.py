"""One training step of open_clip on fixed tensors, as JSON: the peer of `clipa-train bench --json`.

open_clip_step.py MODEL --batch N [--device cuda|cpu] [--compile] [--steps 10] [--warmup 3]

Its best settings: fused AdamW, bf16 autocast on a GPU, no checkpointing of activations, optionally `torch.compile` of the model.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from open_clip.loss import ClipLoss
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

SECOND = {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True}
AVERAGE = {"pool_type": "avg", "final_ln_after_pool": True}
LARGE = {"layers": 24, "width": 1024, "patch_size": 16, **AVERAGE}
SECOND_TEXT = {"vocab_size": 32_000, "pool_type": "last", "no_causal_mask": True}
# Embedding, image tower, text tower.
MODELS = {
    "b16-i50-t16": (512, {"image_size": 112, "layers": 12, "width": 768, "patch_size": 16},
                    {"context_length": 16, "width": 512, "heads": 8, "layers": 12}),
    "l16-i17-t16": (768, {"image_size": 64, **LARGE}, {"context_length": 16, "width": 768, "heads": 12, "layers": 12}),
    "l16-i37-t8": (768, {"image_size": 96, **LARGE}, {"context_length": 8, "width": 768, "heads": 12, "layers": 12}),
    "h14-i37-t8": (1024, {"image_size": 84, "layers": 32, "width": 1280, "head_width": 80, "patch_size": 14, **SECOND},
                   {"context_length": 8, "width": 1024, "heads": 16, "layers": 24, **SECOND_TEXT}),
    "tiny-i17-t8": (64, {"image_size": 32, "layers": 3, "width": 96, "head_width": 32, "patch_size": 8, **AVERAGE},
                    {"context_length": 8, "width": 64, "heads": 1, "layers": 2}),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    arguments = parser.parse_args()
    on_gpu = arguments.device == "cuda"
    embed_dim, vision, text = MODELS[arguments.model]
    clip = CLIP(embed_dim=embed_dim, vision_cfg=CLIPVisionCfg(**vision), text_cfg=CLIPTextCfg(**text), output_dict=True)
    clip = clip.to(arguments.device).train()
    optimizer = torch.optim.AdamW(clip.parameters(), lr=1e-4, betas=(0.9, 0.95), eps=1e-6, weight_decay=0.2, fused=True)
    size, context = vision["image_size"], text["context_length"]
    images = torch.randn(arguments.batch, 3, size, size, device=arguments.device)
    texts = torch.randint(text.get("vocab_size", 49_408), (arguments.batch, context), device=arguments.device)
    model, contrast = torch.compile(clip) if arguments.compile else clip, ClipLoss()

    def wait():
        if on_gpu:
            torch.cuda.synchronize()

    seconds = []
    for step in range(arguments.warmup + arguments.steps):
        if step == arguments.warmup and on_gpu:
            torch.cuda.reset_peak_memory_stats()
        wait()
        began = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(arguments.device, torch.bfloat16, enabled=on_gpu):
            features = model(images, texts)
            loss = contrast(features["image_features"], features["text_features"], features["logit_scale"])
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(0, 4.6052)
        wait()
        seconds.append(time.perf_counter() - began)
    step_s = statistics.median(seconds[arguments.warmup:])
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"step_s": step_s, "samples_per_s": arguments.batch / step_s, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
