"""open_clip's CLIP: its features and loss with given weights, and how many parameters the published models have."""
import math

import torch
from open_clip.loss import ClipLoss, SigLipLoss
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.pos_embed import get_2d_sincos_pos_embed

# What CLIPA's two versions change in CLIP's towers.
DIALECTS = {
    "first": ({}, {}),
    "second": (
        {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True},
        {"pool_type": "last", "no_causal_mask": True},
    ),
}


@torch.no_grad()
def fill(clip):
    """The weights of the test: with names ascending, element k of tensor i is 0.05·sin(0.7k + 1.3i), in layer norms'
    weights one more; the logit scale is 2.6592."""
    for i, (name, parameter) in enumerate(sorted(clip.named_parameters())):
        if name == "logit_scale":
            parameter.fill_(2.6592)
            continue
        offset = 1.0 if "ln_" in name and name.endswith(".weight") else 0.0
        values = [offset + 0.05 * math.sin(0.7 * k + 1.3 * i) for k in range(parameter.numel())]
        parameter.copy_(torch.tensor(values, dtype=torch.float64).view(parameter.shape))


@torch.no_grad()
def small_model(dialect):
    """The first row of image and text features, and the loss, of a small model in a dialect."""
    vision, text = DIALECTS[dialect]
    vision = CLIPVisionCfg(image_size=32, patch_size=8, width=64, layers=2, head_width=32, **vision)
    text = CLIPTextCfg(context_length=8, vocab_size=100, width=32, heads=2, layers=2, **text)
    clip = CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text).eval()
    fill(clip)
    pixels = [math.sin(0.01 * index) for index in range(2 * 3 * 32 * 32)]
    captions = torch.tensor([[98, 5, 7, 9, 99, 0, 0, 0], [98, 1, 2, 3, 4, 5, 6, 99]])
    images = clip.encode_image(torch.tensor(pixels).view(2, 3, 32, 32), normalize=True)
    texts = clip.encode_text(captions, normalize=True)
    return [*images[0].tolist(), *texts[0].tolist(), loss(images, texts, clip.logit_scale.exp())]


def loss(images, texts, scale):
    return ClipLoss()(images, texts, scale).item()


def four_pairs():
    """Four pairs of three numbers."""
    images = torch.arange(1.0, 13.0).view(4, 3)
    texts = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    return [torch.nn.functional.normalize(rows, dim=-1) for rows in (images, texts)]


def loss_of_four():
    """The loss of four pairs, at CLIP's first scale."""
    return loss(*four_pairs(), 1 / 0.07)


def sigmoid_loss_of_four():
    """SigLIP's loss of the same, at its first scale and bias."""
    return SigLipLoss()(*four_pairs(), torch.tensor(10.0), torch.tensor(-10.0)).item()


def position_rows():
    """Rows 2 and 5 of the sine-cosine table of a grid of 3 × 3 and width 16, behind a row for the class."""
    table = get_2d_sincos_pos_embed(16, 3, cls_token=True)
    return [*table[2].tolist(), *table[5].tolist()]


def count(clip, part=lambda name: True):
    return sum(parameter.numel() for name, parameter in clip.named_parameters() if part(name))


def build(embed_dim, vision, text):
    """A model without memory: only shapes count."""
    with torch.device("meta"):
        return CLIP(embed_dim=embed_dim, vision_cfg=CLIPVisionCfg(**vision), text_cfg=CLIPTextCfg(**text))


def published_models():
    """All, image and text parameters of B/16 and L/16 at 224 px, as the first version's recipes build them."""
    def is_image(name):
        return name.startswith("visual.")

    def is_text(name):
        return not is_image(name) and name != "logit_scale"

    base = {"width": 768, "layers": 12, "patch_size": 16}
    large = {"width": 1024, "layers": 24, "patch_size": 16}
    for embed_dim, vision, width, heads, context_length in [
        (512, base, 512, 8, 16), (768, large, 768, 12, 16), (768, large, 768, 12, 32), (768, large, 768, 12, 8),
    ]:
        text = {"context_length": context_length, "width": width, "heads": heads, "layers": 12}
        clip = build(embed_dim, vision, text)
        # The logit scale belongs to no tower.
        yield [count(clip), count(clip, is_image), count(clip, is_text)]


def second_version():
    """All parameters of L/14, H/14 and bigG/14 with BERT's vocabulary of 32,000, at 224 and 336 px; of H/14 and bigG/14 there are
    two recipes each."""
    for width, layers, head_width, mlp_width, text_width, text_layers, recipes in [
        (1024, 24, 64, 4096, 768, 12, 1), (1280, 32, 80, 5120, 1024, 24, 2), (1664, 48, 104, 8192, 1280, 32, 2),
    ]:
        vision, _ = DIALECTS["second"]
        vision = {"width": width, "layers": layers, "patch_size": 14, "head_width": head_width,
                  "mlp_ratio": mlp_width / width, **vision}
        text = {"context_length": 32, "vocab_size": 32_000, "width": text_width, "heads": text_width // 64,
                "layers": text_layers}
        counts = [count(build(text_width, {**vision, "image_size": size}, text)) for size in (224, 336)]
        yield from counts * recipes


def openvision():
    """All parameters of OpenVision's B/16 and L/14 at their three sizes, with 80 tokens."""
    for vision_width, layers, patch_size, text_width, sizes in [
        (768, 12, 16, 512, (160, 224, 384)), (1024, 24, 14, 768, (84, 224, 336)),
    ]:
        for size in sizes:
            vision = {"width": vision_width, "layers": layers, "patch_size": patch_size, "image_size": size,
                      **DIALECTS["second"][0]}
            text = {"context_length": 80, "vocab_size": 32_000, "width": text_width, "heads": text_width // 64,
                    "layers": 12}
            yield count(build(text_width, vision, text))
