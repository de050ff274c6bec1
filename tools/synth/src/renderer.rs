//! One picture: a scene to the bytes of a JPEG.

use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use super::{SynthError, random_stream::RandomStream, raster, scene::Scene};

/// Turns scenes into JPEG files, with the buffers of the codec kept from one to the next.
pub struct Renderer {
    compressor: Compressor,
}

impl Renderer {
    /// Sets the codec up.
    ///
    /// # Errors
    /// Where it cannot get its memory.
    pub fn new() -> Result<Renderer, SynthError> {
        let mut compressor = Compressor::new()?;
        compressor.set_subsamp(Subsamp::Sub2x2)?;
        Ok(Renderer { compressor })
    }

    /// Paints the scene and encodes it; the noise comes from `random`.
    ///
    /// # Errors
    /// Where the codec refuses, which it does for no scene of a checked plan.
    pub fn render(
        &mut self,
        scene: &Scene,
        random: &mut RandomStream,
    ) -> Result<Vec<u8>, SynthError> {
        let pixels = raster::paint(scene, random);
        let (width, height) = (scene.width as usize, scene.height as usize);
        self.compressor.set_quality(scene.nuisance.quality)?;
        let format = PixelFormat::RGB;
        let image = Image { pixels: &*pixels, width, pitch: width * format.size(), height, format };
        Ok(self.compressor.compress_to_vec(image)?)
    }
}
