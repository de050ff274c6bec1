//! Images and what says how they lie.

use clipa_prep::image::{DecodeLimits, RenderOptions, RenderPlan, Scratch, decode, render, unpad};

/// Largest image that a fuzzer may have decoded: keeps a run fast, and finds missing checks as well as a large one.
const LIMITS: DecodeLimits = DecodeLimits {
    max_bytes: 1 << 20,
    max_pixels: 1 << 20,
    max_side_px: 1 << 14,
    largest_side_px: Some(64),
};

/// An Exif block, in a JPEG that is otherwise fine; it may say how the image lies, and nothing it says may lose it.
pub fn exif(bytes: &[u8]) {
    let block = &bytes[..bytes.len().min(60_000)];
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe1];
    jpeg.extend_from_slice(&(block.len() as u16 + 8).to_be_bytes());
    jpeg.extend_from_slice(b"Exif\0\0");
    jpeg.extend_from_slice(block);
    jpeg.extend_from_slice(&PLAIN_JPEG[2..]);
    let decoded = decode(&jpeg, &LIMITS, None).expect("the image itself is whole");
    assert_eq!(decoded.rgb.len(), 16 * 8 * 3);
}

/// An image file of any format, all the way to the stored columns.
pub fn image(bytes: &[u8]) {
    let Ok(mut decoded) = decode(bytes, &LIMITS, None) else { return };
    assert_eq!(decoded.rgb.len() as u64, u64::from(decoded.width) * u64::from(decoded.height) * 3);
    unpad(&mut decoded, (640, 480));
    let columns =
        ["32:rgb8-square", "24:rgb8", "48:jpeg"].map(|column| column.parse().expect("a column"));
    let plan = RenderPlan::new(&columns, RenderOptions::default()).expect("a plan");
    let stored = render(&decoded, bytes, &plan, &mut Scratch::new())
        .expect("what is decoded can be rendered");
    assert_eq!(stored.len(), columns.len());
    assert_eq!(stored[0].bytes.len(), 32 * 32 * 3);
}

/// A grey JPEG of 16 by 8 pixels.
const PLAIN_JPEG: &[u8] = include_bytes!("../corpus/image/grey-16x8.jpg");
