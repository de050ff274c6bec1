//! What happens to an image on its way into a batch: as a recipe says it, and as the stream does it.

use serde::{Deserialize, Serialize};

/// What happens to an image on the way, in CLIPA's order: crop, colours, grey. Nothing is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Random resized crop, or the centre.
    pub crop: Crop,
    /// Part of the area that a random crop covers, least and most.
    pub crop_scale: [f64; 2],
    /// Width over height of a random crop, least and most.
    pub crop_ratio: [f64; 2],
    /// How far brightness, contrast, saturation and hue may move.
    pub jitter: [f64; 4],
    /// Part of the samples whose colours move.
    pub jitter_probability: f64,
    /// Part of the samples that lose their colours.
    pub grey_probability: f64,
    /// The kernel that images are scaled with.
    pub filter: Filter,
    /// How evaluation makes an image square.
    #[serde(skip_serializing_if = "ResizeMode::is_default")]
    pub resize_mode: ResizeMode,
}

/// How a whole image becomes a square: open_clip's `resize_mode` of `preprocess_cfg`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeMode {
    /// The short side is scaled to the size and the middle is kept (v1).
    #[default]
    Shortest,
    /// Both sides are scaled to the size, whatever the aspect (v2 at its fine-tuned sizes).
    Squash,
}

impl ResizeMode {
    fn is_default(&self) -> bool {
        *self == ResizeMode::default()
    }

    /// What an evaluation's stream does.
    pub fn augment(self) -> Augment {
        match self {
            ResizeMode::Shortest => Augment::Centre,
            ResizeMode::Squash => Augment::Squash,
        }
    }
}

/// Which part of an image is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// A random resized crop.
    Random,
    /// The greatest square in the centre.
    Centre,
}

impl Default for Augmentation {
    /// CLIPA's crop of 40-100 % of the area, colours as they are.
    fn default() -> Augmentation {
        Augmentation {
            crop: Crop::Random,
            crop_scale: [0.4, 1.0],
            crop_ratio: RandomResizedCrop::RATIO.into(),
            jitter: [0.0; 4],
            jitter_probability: 0.0,
            grey_probability: 0.0,
            filter: Filter::Bicubic,
            resize_mode: ResizeMode::Shortest,
        }
    }
}

impl Augmentation {
    /// What the stream does for it.
    pub fn augment(&self) -> Augment {
        if self.crop == Crop::Centre {
            return Augment::Centre;
        }
        let [brightness, contrast, saturation, hue] = self.jitter;
        let probability = self.jitter_probability;
        Augment::Random {
            crop: RandomResizedCrop {
                scale: self.crop_scale.into(),
                ratio: self.crop_ratio.into(),
            },
            jitter: (probability > 0.0).then_some(ColourJitter {
                brightness,
                contrast,
                saturation,
                hue,
                probability,
            }),
            grey_probability: self.grey_probability,
        }
    }
}

/// What happens to a sample's image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Augment {
    /// The greatest square in the centre, scaled.
    Centre,
    /// The whole image, scaled to a square whatever its aspect.
    Squash,
    /// CLIPA's augmentation, in its order: random resized crop, colour jitter, grey. Nothing is ever mirrored.
    Random {
        /// The crop.
        crop: RandomResizedCrop,
        /// Brightness, contrast, saturation and hue.
        jitter: Option<ColourJitter>,
        /// Part of the samples that lose their colour.
        grey_probability: f64,
    },
}

/// The kernel that images are scaled with; both are widened when an image shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Catmull-Rom, Pillow's BICUBIC.
    #[default]
    Bicubic,
    /// Triangle, Pillow's BILINEAR.
    Bilinear,
}

/// Area and aspect ratio of a random crop, as in torchvision's `RandomResizedCrop(scale=, ratio=)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RandomResizedCrop {
    /// Least and greatest part of the image's area, in `0..=1`.
    pub scale: (f64, f64),
    /// Least and greatest width ÷ height; drawn uniformly in its logarithm.
    pub ratio: (f64, f64),
}

impl RandomResizedCrop {
    /// CLIPA's ratio, which is torchvision's default.
    pub const RATIO: (f64, f64) = (3.0 / 4.0, 4.0 / 3.0);
}

/// How far colours may move; 0 leaves that property alone. CLIPA's recipes: 0.32, 0.32, 0.32, 0.08 for four of
/// five samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColourJitter {
    /// Factor in `[max(0, 1-x), 1+x)`.
    pub brightness: f64,
    /// Factor in `[max(0, 1-x), 1+x)`.
    pub contrast: f64,
    /// Factor in `[max(0, 1-x), 1+x)`.
    pub saturation: f64,
    /// Shift in `[-x, x)` of the colour circle, at most 0.5.
    pub hue: f64,
    /// Part of the samples that is changed at all.
    pub probability: f64,
}

impl Augment {
    /// Least short side in pixels of a stored image of which a stage of `image_size` pixels does not have to enlarge all
    /// that it can see: the centre, or the largest crop. Smaller crops of it are enlarged, as open_clip and CLIPA do; see
    /// [`Augment::wanted_side`].
    pub fn least_side(&self, image_size: u32) -> u32 {
        match self {
            Augment::Centre | Augment::Squash => image_size,
            Augment::Random { crop, .. } => side_of(image_size, crop.scale.1),
        }
    }

    /// Least short side in pixels of a stored image of which a stage of `image_size` pixels never has to enlarge a crop.
    /// `clipa-prep --for` stores this, and the trainer prefers it.
    pub fn wanted_side(&self, image_size: u32) -> u32 {
        match self {
            Augment::Centre | Augment::Squash => image_size,
            Augment::Random { crop, .. } => side_of(image_size, crop.scale.0),
        }
    }
}

/// Side of a square of which this part of the area has a side of `image_size` pixels.
fn side_of(image_size: u32, scale: f64) -> u32 {
    (f64::from(image_size) / scale.sqrt()).ceil() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_sides_are_those_of_the_recipes() {
        let crop = RandomResizedCrop { scale: (0.4, 1.0), ratio: RandomResizedCrop::RATIO };
        let augment = Augment::Random { crop, jitter: None, grey_probability: 0.0 };
        for (size, side) in [(64, 102), (84, 133), (96, 152), (112, 178), (224, 355)] {
            assert_eq!(augment.wanted_side(size), side);
            assert_eq!(augment.least_side(size), size);
            assert_eq!(Augment::Centre.wanted_side(size), size);
            assert_eq!(Augment::Centre.least_side(size), size);
        }
        // Where no crop shows all of an image, more of it is needed.
        let crop = RandomResizedCrop { scale: (0.1, 0.25), ..crop };
        let augment = Augment::Random { crop, jitter: None, grey_probability: 0.0 };
        assert_eq!(augment.least_side(112), 224);
    }

    #[test]
    fn every_value_of_a_recipe_reaches_the_stream() {
        let recipe = Augmentation {
            crop: Crop::Random,
            crop_scale: [0.3, 0.9],
            crop_ratio: [0.5, 1.25],
            jitter: [0.1, 0.2, 0.3, 0.4],
            jitter_probability: 0.6,
            grey_probability: 0.7,
            filter: Filter::Bilinear,
            resize_mode: ResizeMode::Squash,
        };
        let jitter = ColourJitter {
            brightness: 0.1,
            contrast: 0.2,
            saturation: 0.3,
            hue: 0.4,
            probability: 0.6,
        };
        let crop = RandomResizedCrop { scale: (0.3, 0.9), ratio: (0.5, 1.25) };
        let expected = Augment::Random { crop, jitter: Some(jitter), grey_probability: 0.7 };
        assert_eq!(recipe.augment(), expected);
        let never = Augmentation { jitter_probability: 0.0, ..recipe };
        let expected = Augment::Random { crop, jitter: None, grey_probability: 0.7 };
        assert_eq!(never.augment(), expected);
        let centre = Augmentation { crop: Crop::Centre, ..recipe };
        assert_eq!(centre.augment(), Augment::Centre);
        assert_eq!(recipe.resize_mode.augment(), Augment::Squash);
        assert_eq!(Augmentation::default().resize_mode.augment(), Augment::Centre);
    }
}
