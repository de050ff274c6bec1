//! Names of tensors as other programs write them, in the form of open_clip's `CLIP` class.

use std::collections::BTreeMap;

/// Wrappers that put their name in front: distributed training, and `torch.compile`.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];
/// The text tower's parts, which open_clip's `CustomTextCLIP` keeps under `text.`.
const TEXT_PARTS: [&str; 5] =
    ["positional_embedding", "text_projection", "transformer.", "token_embedding.", "ln_final."];
/// What older files hold beside parameters: tables that follow from the lengths, and lengths.
const NO_PARAMETERS: [&str; 6] = [
    "attn_mask",
    "visual.attn_mask",
    "transformer.embeddings.position_ids",
    "input_resolution",
    "context_length",
    "vocab_size",
];

/// The name without what wraps it; `None` for what is no parameter.
pub fn canonical(stored: &str) -> Option<String> {
    let mut name = stored;
    while let Some(rest) = WRAPPERS.iter().find_map(|wrapper| name.strip_prefix(wrapper)) {
        name = rest;
    }
    // A tower alone may have been compiled.
    let mut name = name.replace("._orig_mod.", ".");
    if let Some(rest) = name.strip_prefix("text.")
        && (TEXT_PARTS.iter().any(|part| rest.starts_with(part)) || NO_PARAMETERS.contains(&rest))
    {
        name = rest.to_owned();
    }
    (!NO_PARAMETERS.contains(&name.as_str())).then_some(name)
}

/// All of them under their canonical names, and the names of what was left out.
///
/// # Errors
/// Two names that become one.
pub fn canonical_all<T>(
    stored: BTreeMap<String, T>,
) -> Result<(BTreeMap<String, T>, Vec<String>), String> {
    let (mut named, mut left_out) = (BTreeMap::new(), Vec::new());
    for (name, value) in stored {
        match canonical(&name) {
            None => left_out.push(name),
            Some(canonical) => {
                if named.insert(canonical.clone(), value).is_some() {
                    return Err(format!("{canonical} is in it twice, once as {name}"));
                }
            }
        }
    }
    Ok((named, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_and_the_text_towers_prefix_are_taken_off() {
        for (stored, expected) in [
            ("visual.proj", Some("visual.proj")),
            ("module.visual.proj", Some("visual.proj")),
            ("module._orig_mod.logit_scale", Some("logit_scale")),
            ("_orig_mod.module.text.ln_final.bias", Some("ln_final.bias")),
            ("visual._orig_mod.conv1.weight", Some("visual.conv1.weight")),
            ("text.positional_embedding", Some("positional_embedding")),
            ("text.text_projection", Some("text_projection")),
            ("text.transformer.resblocks.0.ln_1.bias", Some("transformer.resblocks.0.ln_1.bias")),
            ("text.unknown", Some("text.unknown")),
            ("text.transformer.embeddings.position_ids", None),
            ("module.attn_mask", None),
            ("text.attn_mask", None),
            ("context_length", None),
        ] {
            assert_eq!(canonical(stored).as_deref(), expected, "{stored}");
        }
    }

    #[test]
    fn two_names_that_become_one_are_refused() {
        let names = |names: [&str; 2]| names.map(|name| (name.to_owned(), ())).into();
        let error = canonical_all(names(["text.ln_final.bias", "ln_final.bias"])).unwrap_err();
        assert!(error.contains("ln_final.bias is in it twice"), "{error}");
        let (named, left_out) =
            canonical_all(names(["module.ln_final.bias", "attn_mask"])).unwrap();
        assert_eq!(named.into_keys().collect::<Vec<_>>(), ["ln_final.bias"]);
        assert_eq!(left_out, ["attn_mask"]);
    }
}
