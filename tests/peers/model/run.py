"""Do the golden numbers of our tests still come out of open_clip and torchvision?

    cargo xtask peers model
    cargo xtask peers model true-size ...    (a model of true size beside open_clip's: see true_size.py)

Then weights go to open_clip and Hugging Face and back through our programs ([exchange.py](exchange.py)).

Makes them anew (features and loss of both dialects, SigLIP's loss, learning rates, parameter counts, rows of positions, token ids, hashes of changed
colours) and looks for them where the tests have them. Where one differs, both are shown and the exit code is 1. Needs
no GPU; but PyTorch as the registry has it for Linux brings CUDA along, 5 GB.
"""
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import captions  # noqa: E402
import colours  # noqa: E402
import exchange  # noqa: E402
import rust  # noqa: E402
import schedules  # noqa: E402
import towers  # noqa: E402
import true_size  # noqa: E402

# The tests' own.
TOLERANCE = 1e-5


def body(file, test):
    """The text of a test, up to the next one."""
    return rust.between(file, f"fn {test}()", "#[test]")


def golden():
    """A test, its numbers, and the original's."""
    for dialect in towers.DIALECTS:
        test = f"the_{dialect}_dialect_equals_open_clip"
        found = rust.decimals(body("trainer/train/src/model/tests.rs", test), 4)
        yield test, found, towers.small_model(dialect)
    test = "the_loss_equals_open_clips"
    losses = "trainer/train/src/loss/tests.rs"
    yield test, rust.decimals(body(losses, test), 4), [towers.loss_of_four()]
    test = "the_sigmoid_loss_equals_open_clips"
    yield test, rust.decimals(body(losses, test), 4), [towers.sigmoid_loss_of_four()]
    test = "the_learning_rates_of_open_clip"
    yield test, rust.decimals(body("trainer/recipe/src/schedule.rs", test), 10), list(schedules.learning_rates())
    test = "the_torch_table_has_the_golden_rows"
    one = rust.decimals(body("trainer/train/src/model/positions.rs", test).split("let one = ")[1].split("]")[0], 1)
    yield test, one + [0.0] * 4 + [1.0] * 4 + one + one, towers.position_rows()

    recipe = "trainer/recipe/src/tests/published.rs"
    test = "parameters_of_the_published_models"
    found = rust.integers(body(recipe, test), 8)
    b16, l16_context_16, l16_context_32, l16_context_8 = towers.published_models()
    yield test, found, [*b16, *l16_context_16, *l16_context_32, l16_context_8[0]]
    test = "parameters_of_the_second_version"
    yield test, rust.integers(body(recipe, test), 8), list(towers.second_version())
    test = "openvision_is_that_of_its_scripts"
    found = [number for number in rust.integers(body(recipe, test), 8) if number != 1_000_000_000]
    yield test, found, list(towers.openvision())

    test = "ids_are_those_of_open_clip"
    lists = [part.split("]")[0] for part in body("tools/text/src/clip_bpe/mod.rs", test).split(" [")[1:]]
    dog, logo, quoted, city = [rust.integers(part, 1) for part in lists if part[0].isdigit() and "u16" not in part]
    encoded = captions.encoded()
    encoded[1] = encoded[1][:len(logo)]
    yield test, [*dog, *logo, *quoted, *city], sum(encoded, [])
    test = "syntax_keeps_nouns_then_adjectives_of_the_golden_caption"
    row = body("schemas/src/reduction/text.rs", test).split("caption, 8, 0),")[1]
    yield test, rust.integers(row, 1), captions.syntax_row()

    colour = "trainer/stream/src/colour.rs"
    test = "changes_make_the_bytes_of_pillow"
    yield test, rust.integers(body(colour, test), 16), list(colours.of_sample())
    test = "hue_makes_the_bytes_of_pillow_over_the_colour_cube"
    yield test, rust.integers(body(colour, test), 16), list(colours.of_cube())


def main():
    if sys.argv[1:2] == ["true-size"]:
        true_size.main(sys.argv[2:])
    torch.set_num_threads(1)
    wrong = 0
    for test, there, expected in golden():
        same = len(there) == len(expected) and all(
            abs(ours - theirs) < TOLERANCE for ours, theirs in zip(there, expected))
        print(f"{test}: {len(expected)} numbers {'agree' if same else 'DIFFER'}")
        if not same:
            wrong += 1
            print(f"    original {expected}\n    test     {there}")
    for name, right, found in exchange.checks():
        print(f"{name}: {'agrees' if right else 'DIFFERS'} {found if not right else ''}".rstrip())
        wrong += not right
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
