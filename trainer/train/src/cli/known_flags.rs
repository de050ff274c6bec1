//! Flags of open_clip that people type, and what they are called here.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Flags of `open_clip_train.main`, and what does the same.
const FLAGS: [(&str, &str); 25] = [
    ("--batch-size", "--set stage.batch=N, which is the whole batch, of all devices together"),
    ("--lr", "--set stage.lr=X, or stage.base_lr=X for a batch of 256"),
    ("--epochs", "--set stage.epochs=X, or stage.samples=N"),
    ("--train-num-samples", "--set stage.samples=N, the samples of the whole stage"),
    ("--warmup", "--set stage.warmup_steps=N"),
    ("--wd", "--set stage.weight_decay=X"),
    ("--beta1", "--set stage.beta1=X"),
    ("--beta2", "--set stage.beta2=X"),
    ("--eps", "--set stage.eps=X"),
    ("--precision", "--set stage.precision=bf16, or f32; fp16 is not there"),
    ("--grad-clip-norm", "--set stage.clip_grad_norm=X"),
    ("--grad-checkpointing", "--set stage.recompute=true"),
    ("--accum-freq", "--micro-batch N, the pairs of one part"),
    ("--lr-scheduler", "--set stage.schedule=cosine, constant or constant-cooldown"),
    ("--epochs-cooldown", "--set stage.cooldown_samples=N"),
    ("--lr-cooldown-end", "--set stage.cooldown_end_lr=X"),
    ("--lr-cooldown-power", "--set stage.cooldown_power=X"),
    ("--siglip", "--set model.loss=siglip"),
    ("--model", "--recipe NAME|FILE"),
    ("--pretrained", "`clipa-train finetune --from FILE`"),
    ("--train-data", "--data DIR, a data set that clipa-prep made"),
    ("--logs", "--output RUN"),
    ("--save-frequency", "--set stage.checkpoint_steps=N"),
    ("--log-every-n-steps", "--set stage.log_steps=N"),
    ("--report-to", "nothing: every run writes metrics.jsonl and event files for TensorBoard"),
];

/// What a flag that is not there is called here, where it is one of open_clip's.
pub fn called_here(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let flag = flag.split('=').next().unwrap_or_default();
    let (name, here) = FLAGS.iter().find(|(name, _)| *name == flag)?;
    Some(format!("open_clip's {name} is here {here}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Arguments;

    fn called(flag: &str) -> Option<String> {
        let words = ["clipa-train", "pretrain", "--recipe", "r", "--data", "d", "--output", "o"];
        let error = Arguments::try_parse_from([&words[..], &[flag]].concat()).unwrap_err();
        called_here(&error)
    }

    #[test]
    fn what_people_type_is_pointed_to_what_there_is() {
        assert!(called("--batch-size=64").unwrap().contains("--set stage.batch=N"));
        assert!(called("--lr").unwrap().contains("--set stage.lr=X"));
        assert!(called("--epochs").unwrap().contains("--set stage.epochs=X"));
        assert_eq!(called("--frobnicate"), None);
        // None of them has become a flag of ours with another meaning.
        FLAGS.iter().for_each(|(flag, _)| assert!(called(flag).is_some(), "{flag}"));
    }
}
