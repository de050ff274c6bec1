"""open_clip's learning rates: base 1, 3 steps of warm-up, 12 steps in all."""
from types import SimpleNamespace

from open_clip_train.scheduler import const_lr, const_lr_cooldown, cosine_lr

BASE, WARMUP, STEPS, COOLDOWN = 1.0, 3, 12, 5


def learning_rates():
    """Of cosine, constant, a cooldown straight to 0, and one that is squared and ends at 0.1, one after the other."""
    optimizer = SimpleNamespace(param_groups=[{}])
    for rate in (
        cosine_lr(optimizer, BASE, WARMUP, STEPS),
        const_lr(optimizer, BASE, WARMUP, STEPS),
        const_lr_cooldown(optimizer, BASE, WARMUP, STEPS, COOLDOWN),
        const_lr_cooldown(optimizer, BASE, WARMUP, STEPS, COOLDOWN, 2.0, 0.1),
    ):
        yield from (rate(step) for step in range(STEPS))
