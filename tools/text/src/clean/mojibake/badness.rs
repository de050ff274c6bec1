//! Which characters hardly ever meet.
//!
//! The groups of characters and the pairs of groups are ftfy's; they were found by its author on web text in many languages.

use std::sync::LazyLock;

use regex::Regex;

/// In many contexts, and in mojibake.
const COMMON: &str = "\u{a0}\u{ad}·´–—―…’";
const C1: &str = "\u{80}-\u{9f}";
/// Almost only in mojibake.
const BAD: &str = "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\u{fffd}ªº";
const LAW: &str = "¶§";
const CURRENCY: &str = "¢£¥₧€";
const START: &str = "¡«¿©΄΅‘‚“„•‹\u{f8ff}";
const END: &str = "®»˝”›™";
const NUMERIC: &str = "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№";
/// Letters that are part of emoticons.
const KAOMOJI: &str = "Ò-ÖÙ-Üò-öø-üŐŌŪŲ°";
const UPPER_ACCENTED: &str = "À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ";
const LOWER_ACCENTED: &str = "ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґ\u{fb01}\u{fb02}";
const UPPER_COMMON: &str = "ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я";
const LOWER_COMMON: &str = "α-ωάέήίΰа-џ";
/// Without the single horizontal line, which is part of emoticons.
const BOX: &str = "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓";

/// White space as Python's `\s` has it.
const SPACE: &str = r"[\s\x1c-\x1f]";

/// Any stretch of text that is hardly ever meant.
static BADNESS: LazyLock<Regex> = LazyLock::new(|| {
    let accented = format!("{LOWER_ACCENTED}{UPPER_ACCENTED}");
    let quotes = format!("{START}{END}");
    let around_bad = format!("{accented}{BOX}{quotes}{CURRENCY}{NUMERIC}{LAW}");
    let arabic = format!("[ØÙ][{COMMON}{CURRENCY}{BAD}{NUMERIC}{START}ŸŠ®°µ»]");
    let alternatives = [
        format!("[{C1}]"),
        format!("[{BAD}{around_bad}][{BAD}]"),
        format!("[a-zA-Z][{LOWER_COMMON}{UPPER_COMMON}][{BAD}]"),
        format!("[{BAD}][{around_bad}]"),
        format!("[{LOWER_ACCENTED}{LOWER_COMMON}{BOX}{END}{CURRENCY}{NUMERIC}][{UPPER_ACCENTED}]"),
        format!("[{BOX}{END}{CURRENCY}{NUMERIC}][{LOWER_ACCENTED}]"),
        format!("[{LOWER_ACCENTED}{BOX}{END}][{CURRENCY}]"),
        format!("{SPACE}[{UPPER_ACCENTED}][{CURRENCY}]"),
        format!("[{UPPER_ACCENTED}{BOX}][{NUMERIC}{LAW}]"),
        format!("[{accented}{BOX}{CURRENCY}{END}][{START}][{NUMERIC}]"),
        format!("[{accented}{CURRENCY}{NUMERIC}{BOX}{LAW}][{END}][{START}]"),
        format!("[{CURRENCY}{NUMERIC}{BOX}][{START}]"),
        format!("[a-z][{UPPER_ACCENTED}][{START}{CURRENCY}]"),
        format!("[{BOX}][{KAOMOJI}]"),
        format!("[{accented}{CURRENCY}{NUMERIC}{quotes}{LAW}][{BOX}]"),
        format!("[{BOX}][{END}]"),
        format!(r"[{accented}][{quotes}][\p{{L}}\p{{N}}_]"),
        // The ligature that no letter follows, and degrees of a capital.
        "[Œœ][^A-Za-z]".to_owned(),
        format!("[{UPPER_ACCENTED}]°"),
        // Two characters of Windows-1252.
        format!("[ÂÃÎÐ][€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»{quotes}–—´]"),
        "×[²³]".to_owned(),
        // Arabic, and scripts of South Asia.
        format!("{arabic}{arabic}"),
        "à[²µ¹¼½¾]".to_owned(),
        // MacRoman.
        "√[±∂†≠®™´≤≥¥µø]".to_owned(),
        "≈[°¢]".to_owned(),
        "‚Ä[ìîïòôúùû†°¢π]".to_owned(),
        "‚[âó][àä°ê]".to_owned(),
        // Windows-1251.
        "вЂ".to_owned(),
        format!("[ВГРС][{C1}{BAD}{quotes}{CURRENCY}°µ][ВГРС]"),
        "ГўВЂВ.[A-Za-z ]".to_owned(),
        // à and á, and the no-break space, in Windows-1252.
        "Ã[\u{a0}¡]".to_owned(),
        format!("[a-z]{SPACE}?[ÃÂ][ ]"),
        r"\A[ÃÂ][ ]".to_owned(),
        format!("[a-z.,?!{END}]Â[ {quotes}]"),
        // Windows-1253 and 1257.
        "β€[™\u{a0}Ά\u{ad}®°]".to_owned(),
        format!("[ΒΓΞΟ][{C1}{BAD}{quotes}{CURRENCY}°][ΒΓΞΟ]"),
        "ā€".to_owned(),
    ];
    Regex::new(&alternatives.join("|")).expect("a valid expression")
});

/// Whether the text looks like mojibake.
pub(super) fn is_bad(text: &str) -> bool {
    BADNESS.is_match(text)
}
