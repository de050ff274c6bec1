"""Does TensorBoard read a run's event files, and show every record of metrics.jsonl once?

    python tests/peers/model/tensorboard_files.py RUN

Reads RUN/tensorboard with TensorBoard's own EventAccumulator, which leaves out what a continued run says again, and
compares every scalar with RUN/metrics.jsonl. Needs `tensorboard` (2.x); exit code 1 where something differs. A run that was
killed and continued is the interesting case.
"""
import json
import struct
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

TAGS = {
    "train/loss": "loss",
    "train/lr": "lr",
    "train/logit_scale": "logit_scale",
    "train/epoch": "epoch",
    "train/samples": "samples",
    "train/samples_per_s": "samples_per_s",
    "train/data_wait_percent": "data_wait_percent",
    "train/skipped_batches": "skipped_batches",
    "grad_norm/all": "grad_norm",
    "grad_norm/vision": "grad_norm_vision",
    "grad_norm/text": "grad_norm_text",
    "grad_norm/logit_scale": "grad_norm_logit_scale",
}


def as_f32(number):
    return struct.unpack("f", struct.pack("f", number))[0]


def main(run):
    folder = run / "tensorboard"
    files = sorted(folder.iterdir())
    for file in files:
        events = list(EventFileLoader(str(file)).Load())
        starts = [event.step for event in events if event.HasField("session_log")]
        print(f"{file.name}: {len(events)} events, sessions start at {starts}")

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    wrong = 0
    for tag, key in TAGS.items():
        shown = [(event.step, event.value) for event in accumulator.Scalars(tag)]
        expected = [(record["step"], as_f32(record[key])) for record in records]
        equal = shown == expected
        wrong += not equal
        print(f"{tag}: {len(shown)} of {len(expected)} records, {'equal' if equal else 'DIFFERENT'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
