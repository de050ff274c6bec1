//! The recipes that are part of the binary.

/// A built-in recipe: its name and its TOML text.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// What `--recipe` calls it.
    pub name: &'static str,
    /// The file, comments included.
    pub text: &'static str,
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$(BuiltIn { name: $name, text: include_str!(concat!("../recipes/", $name, ".toml")) }),*]
    };
}

/// All built-in recipes: the published ones first, then those for a CPU.
pub const BUILT_IN: [BuiltIn; 13] = built_in![
    "b16-i50-t16",
    "l16-i17-t16",
    "l16-i37-t8",
    "l14-i37-t8",
    "h14-i26-t8",
    "h14-i37-t8",
    "bigg14-i26-t8",
    "bigg14-i37-t8",
    "openvision-b16",
    "openvision-l14",
    "datacomp-small",
    "tiny-i17-t8",
    "tiny-photos",
];

/// The built-in recipe of this name.
pub(super) fn find(name: &str) -> Option<BuiltIn> {
    BUILT_IN.into_iter().find(|recipe| recipe.name == name)
}
