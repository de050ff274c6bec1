//! PNG files, never over one that exists.

use std::{io::Write, path::Path};

use clipa_schemas::{Error, file::AtomicFile};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use super::{InspectError, pixels::Pixels};

/// Refuses a path that is taken.
///
/// # Errors
/// [`InspectError::Exists`].
pub fn check_free(path: &Path) -> Result<(), InspectError> {
    if path.symlink_metadata().is_ok() {
        return Err(InspectError::Exists { path: path.to_owned() });
    }
    Ok(())
}

/// Writes the pixels, whole or not at all.
///
/// # Errors
/// [`InspectError::Exists`] where the path is taken, or why it cannot be written.
pub fn write(path: &Path, pixels: &Pixels) -> Result<(), InspectError> {
    check_free(path)?;
    let failed = |source| InspectError::Png { path: path.to_owned(), source };
    let mut png = Vec::new();
    let (width, height) = (pixels.width as u32, pixels.height as u32);
    PngEncoder::new(&mut png)
        .write_image(&pixels.rgb, width, height, ExtendedColorType::Rgb8)
        .map_err(failed)?;
    save(path, &png).map_err(|source| InspectError::Output { path: path.to_owned(), source })
}

fn save(path: &Path, png: &[u8]) -> clipa_schemas::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(png).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    file.commit(String::new()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_holds_the_pixels_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let pixels = Pixels { width: 3, height: 2, rgb: (0..18).collect() };
        write(&path, &pixels).unwrap();
        assert_eq!(image::open(&path).unwrap().into_rgb8().into_raw(), pixels.rgb);
        let other = Pixels { width: 1, height: 1, rgb: vec![0; 3] };
        assert!(matches!(write(&path, &other), Err(InspectError::Exists { .. })));
        assert_eq!(image::open(&path).unwrap().into_rgb8().into_raw(), pixels.rgb);
    }
}
