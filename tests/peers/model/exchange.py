"""Weights of open_clip, PyTorch and Hugging Face through `clipa-train import` and `export`: are the features the same?

Every file is made by the program whose form it is, converted by ours, and loaded by the other one. What open_clip or CLIPModel computes
before and after must agree to 1e-5 (the same weights in another order of products), tensors that are only renamed to the bit.
"""
import copy
import itertools
import json
import math
import os
import subprocess
import tempfile
from pathlib import Path

import open_clip
import torch
from open_clip.factory import load_state_dict
from safetensors.torch import load_file, save_file
from transformers import BertTokenizer, CLIPConfig, CLIPModel

BIN = Path(os.environ.get("CLIPA_BIN", "target/release"))
SHARED = Path(os.environ.get("CLIPA_SHARED", Path(__file__).parents[4] / "shared")) / "data"
VOCABULARY = SHARED / "metadata/bert-base-uncased-vocab.txt"
TOLERANCE = 1e-5
CAPTIONS = [
    "a photo of a dog",
    "An unbelievably long caption of a small brown dog that runs quickly across the green grass of a park, in 2019, with its owners",
    "café, naïve & emoji",
    "",
]

BASE = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 48, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


def changed(vision=(), text=(), **model):
    config = copy.deepcopy(BASE)
    config["vision_cfg"].update(vision)
    config["text_cfg"].update(text)
    return {**config, **model}


SECOND = changed(
    {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True, "pos_embed_type": "sin_cos_2d",
     "act_kwargs": {"approximate": "tanh"}, "norm_kwargs": {"eps": 1e-6}},
    {"vocab_size": 32000, "hf_tokenizer_name": "bert-base-uncased", "tokenizer_kwargs": {"strip_sep_token": True},
     "pool_type": "last", "no_causal_mask": True, "act_kwargs": {"approximate": "tanh"}, "norm_kwargs": {"eps": 1e-6}},
)
MODELS = {
    "class token": BASE,
    "quick gelu": changed(quick_gelu=True),
    "second version": SECOND,
    "custom text": changed(custom_text=True),
    "siglip": changed(init_logit_scale=math.log(10), init_logit_bias=-10),
    "odd mlp widths": changed({"width": 92, "head_width": 23, "mlp_ratio": 410.5 / 92}, {"width": 92, "mlp_ratio": 410.5 / 92}),
}
PREPROCESS = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "interpolation": "bilinear", "resize_mode": "squash"}


def clipa(*words):
    """Runs a program of ours; what it said, or a failure."""
    program, *rest = [str(word) for word in words]
    done = subprocess.run([BIN / program, *rest], capture_output=True, text=True)
    assert done.returncode == 0, f"{words}\n{done.stderr}"
    return done.stderr


def special(model):
    """Ids of start and end in the model's vocabulary."""
    if isinstance(model, CLIPModel):
        return 49406, 49407
    tower = model.text if hasattr(model, "text") else model
    return (101, 102) if tower.token_embedding.num_embeddings == 32000 else (49406, 49407)


@torch.no_grad()
def features(model):
    """Image and text features of fixed input."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randn(3, 3, 32, 32, generator=generator)
    texts = torch.randint(1, 30000, (3, 12), generator=generator)
    texts[:, 0], last = special(model)
    for row, end in enumerate((5, 8, 11)):
        texts[row, end], texts[row, end + 1:] = last, 0
    model = model.eval()
    if isinstance(model, CLIPModel):
        found = model(pixel_values=images, input_ids=texts)
        return found.image_embeds, found.text_embeds
    return model.encode_image(images, normalize=True), model.encode_text(texts, normalize=True)


def difference(one, other):
    return max((a - b).abs().max().item() for a, b in zip(one, other, strict=True))


def build(config):
    """open_clip's model of a configuration, with weights that nothing is zero in."""
    torch.manual_seed(3)
    config = copy.deepcopy(config)
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    model = kind(**config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, 0.02 if parameter.ndim > 1 else 0.1, 0.1)
    return model


def write_folder(folder, config, state, name="open_clip_model.safetensors"):
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": PREPROCESS}))
    if name.endswith(".safetensors"):
        save_file(state, folder / name)
    else:
        torch.save(state, folder / name)


def shards(folder, config, state):
    """The state in two files and a list of them."""
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": PREPROCESS}))
    weight_map = {name: f"model-{place % 2 + 1:05}-of-00002.safetensors" for place, name in enumerate(state)}
    for file in set(weight_map.values()):
        save_file({name: state[name] for name in state if weight_map[name] == file}, folder / file)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "open_clip_model.safetensors.index.json").write_text(json.dumps(index))


def forms(place, config, state):
    """Folders and files with the same weights, with the greatest difference that the kind of numbers allows."""
    plain = {name: tensor.contiguous() for name, tensor in state.items()}
    wrapped = {f"module.{name}": tensor for name, tensor in plain.items()}
    write_folder(place / "folder", config, plain)
    yield f"local-dir:{place}/folder", 0
    write_folder(place / "bin", config, state, "open_clip_pytorch_model.bin")
    yield place / "bin", 0
    write_folder(place / "ddp", config, {"epoch": 3, "name": "x", "state_dict": wrapped, "optimizer": {}}, "epoch_3.pt")
    yield place / "ddp/epoch_3.pt", 0
    write_folder(place / "bf16", config, {name: tensor.bfloat16() for name, tensor in plain.items()})
    yield place / "bf16", 0.01
    write_folder(place / "half", config, {f"_orig_mod.{name}": tensor.half() for name, tensor in plain.items()}, "model.pt")
    yield place / "half", 0.002
    shards(place / "shards", config, plain)
    yield place / "shards", 0


def of_open_clip(place):
    """Every model in every form: imported, and loaded again by open_clip."""
    for number, (name, config) in enumerate(MODELS.items()):
        model, home = build(config), place / f"model{number}"
        home.mkdir()
        expected = features(model)
        worst = {}
        for count, (source, allowed) in enumerate(forms(home, config, model.state_dict())):
            output = home / f"imported{count}"
            clipa("clipa-train", "import", source, "--output", output)
            loaded = open_clip.create_model(f"local-dir:{output}")
            worst[str(source).rsplit("/", 1)[-1]] = (difference(features(loaded), expected), allowed + TOLERANCE)
        yield f"open_clip, {name}", all(found <= allowed for found, allowed in worst.values()), worst


def of_optimizer(place):
    """A training checkpoint of open_clip's: both moments under the names of their parameters."""
    model = build(SECOND)
    def still(name, parameter):
        return parameter.ndim < 2 or "bn" in name or "ln" in name or "bias" in name or "logit_scale" in name
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    groups = [[p for n, p in named if still(n, p)], [p for n, p in named if not still(n, p)]]
    optimizer = torch.optim.AdamW([{"params": groups[0], "weight_decay": 0.0}, {"params": groups[1], "weight_decay": 0.2}])
    for _ in range(3):
        images, texts = torch.randn(4, 3, 32, 32), torch.randint(1, 30000, (4, 12))
        loss = (model.encode_image(images) * model.encode_text(texts)).sum() * model.logit_scale
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    checkpoint = {"epoch": 1, "name": "run", "state_dict": state, "optimizer": optimizer.state_dict()}
    write_folder(place / "trained", SECOND, checkpoint, "epoch_1.pt")
    clipa("clipa-train", "import", place / "trained", "--output", place / "with-moments")
    moments = load_file(place / "with-moments/optimizer.safetensors")
    wrong = [
        name for (name, parameter), moment in itertools.product(named, ("exp_avg", "exp_avg_sq"))
        if not torch.equal(moments[f"{moment}.{name}"], optimizer.state[parameter][moment])
    ]
    steps = json.loads((place / "with-moments/moments.json").read_text())["steps"]
    right = not wrong and steps == 3 and len(moments) == 2 * len(named)
    yield "the optimizer's moments", right, {"wrong": wrong, "steps": steps}


def hugging_face(act, end, legacy=False):
    torch.manual_seed(4)
    common = {"hidden_act": act, "projection_dim": 24}
    text = {"vocab_size": 49408, "hidden_size": 32, "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 2,
            "max_position_embeddings": 12, "eos_token_id": end, "bos_token_id": 49406, **common}
    vision = {"hidden_size": 48, "intermediate_size": 100, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 32,
              "patch_size": 8, **common}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.02 if parameter.ndim > 1 else 0.1, 0.1)
    return model


def of_hugging_face(place):
    """CLIPModel, whole and in shards, to open_clip and back."""
    for number, (act, end, size) in enumerate([
        ("quick_gelu", 49407, "5GB"), ("gelu", 2, "5GB"), ("gelu_pytorch_tanh", 49407, "100KB"),
    ]):
        model, home = hugging_face(act, end), place / f"hf{number}"
        model.save_pretrained(home / "theirs", max_shard_size=size)
        is_sharded = (home / "theirs/model.safetensors.index.json").is_file()
        expected = features(model)
        clipa("clipa-train", "import", home / "theirs", "--output", home / "imported")
        there = difference(features(open_clip.create_model(f"local-dir:{home}/imported")), expected)
        clipa("clipa-train", "export", home / "imported", "--to", "hf", "--output", home / "back")
        loaded = CLIPModel.from_pretrained(home / "back")
        back = difference(features(loaded), expected)
        same = all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in model.state_dict().items())
        right = there < TOLERANCE and back < TOLERANCE and same and is_sharded == (size == "100KB")
        yield f"Hugging Face, {act}", right, {"open_clip": there, "back": back, "same tensors": same}


def of_runs(place):
    """Runs of ours, of both versions: loaded with their tokenizers by the program that they are written for."""
    clipa("clipa-prep", "synth", "--samples", "96", "--eval-samples", "96", "--side", "64", "--output", place / "drawn")
    ingest = ["clipa-prep", "laion", "ingest", "--image", "40:rgb8", place / "drawn/train", "--output", place / "pairs"]
    clipa(*ingest, *(["--bert-vocab", VOCABULARY] if VOCABULARY.is_file() else []))
    short = ["--set", "stage.samples=64", "--set", "stage.batch=32", "--set", "stage.warmup_steps=1", "--threads", "1"]
    train = ["clipa-train", "pretrain", "--recipe", "tiny-i17-t8", "--data", place / "pairs", *short]
    clipa(*train, "--set", "model.vision.pool=cls", "--output", place / "bpe")
    clipa("clipa-train", "export", place / "bpe", "--to", "open_clip", "--output", place / "bpe-open")
    clipa("clipa-train", "export", place / "bpe", "--to", "hf", "--output", place / "bpe-hf")
    theirs = open_clip.create_model(f"local-dir:{place}/bpe-open").eval()
    rows = open_clip.get_tokenizer(f"local-dir:{place}/bpe-open", reduction_mask="")(CAPTIONS)
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        found = CLIPModel.from_pretrained(place / "bpe-hf").eval()(pixel_values=images, input_ids=rows)
        expected = theirs.encode_image(images, normalize=True), theirs.encode_text(rows, normalize=True)
    apart = difference((found.image_embeds, found.text_embeds), expected)
    stored = load_state_dict(next((place / "bpe/checkpoints").glob("step-*")) / "model.safetensors")
    same = all(torch.equal(tensor, stored[name]) for name, tensor in theirs.state_dict().items())
    yield "a run in both programs", apart < TOLERANCE and same, {"difference": apart, "same tensors": same}
    if not VOCABULARY.is_file():
        print(f"skipped: {VOCABULARY} is not there, BERT's tokenizers are not compared")
        return
    pieces = BertTokenizer(str(VOCABULARY))
    second = ["model.text.tokenizer=bert-wordpiece", "model.text.vocab_size=32000", "model.text.causal=false",
              "model.text.pool=last", "stage.text_reduction=truncate", "model.vision.pool=avg-patches"]
    for strip in (False, True):
        run, output = place / f"bert-{strip}", place / f"bert-{strip}-open"
        sets = itertools.chain(*(("--set", change) for change in [*second, f"stage.strip_sep_token={str(strip).lower()}"]))
        clipa(*train, *sets, "--output", run)
        clipa("clipa-train", "export", run, "--to", "open_clip", "--bert-vocab", VOCABULARY, "--output", output)
        model = open_clip.create_model(f"local-dir:{output}").eval()
        rows = open_clip.get_tokenizer(f"local-dir:{output}")(CAPTIONS)
        # CLIPA's rows: [CLS], then pieces to the end; open_clip's have one piece fewer, where [SEP] stood.
        room = 7 - strip
        ids = [pieces(caption, add_special_tokens=False).input_ids[:room] for caption in CAPTIONS]
        expected = torch.tensor([([101] + row + [0] * 8)[:8] for row in ids])
        finite = bool(torch.isfinite(model.encode_text(rows)).all())
        right = torch.equal(rows, expected) and finite
        yield f"a BERT run, strip_sep_token {strip}", right, {"rows": rows.tolist(), "expected": expected.tolist()}


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def of_hostile(place):
    mark = place / "ran"
    for number, state in enumerate([Evil(mark), {"state_dict": {"w": torch.ones(2)}, "x": Evil(mark)}, {"args": Path(".")}]):
        torch.save(state, place / f"hostile{number}.pt")
        words = [BIN / "clipa-train", "import", place / f"hostile{number}.pt", "--output", place / "never"]
        done = subprocess.run(words, capture_output=True, text=True)
        asked = "system" if number < 2 else "pathlib"
        right = done.returncode == 1 and asked in done.stderr and not mark.exists() and not (place / "never").exists()
        yield f"a hostile pickle, {asked}", right, done.stderr.strip().splitlines()[:1]


def checks():
    """Name, verdict, and what was found."""
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        for part in (of_open_clip, of_optimizer, of_hugging_face, of_runs, of_hostile):
            yield from part(place)
