//! Are the stored images large enough for a stage?
//!
//! Two sides matter, and both are defined with the crop ([`Augment::least_side`], [`Augment::wanted_side`]): below the
//! first one everything that the model sees of an image is enlarged, which no recipe means; between the two only the
//! smaller crops are, as in open_clip and CLIPA, where a 224 px stage reads downloads of 256 px. `clipa-prep --for` stores
//! the second one.
//!
//! [`Augment::least_side`]: clipa_recipe::augment::Augment::least_side
//! [`Augment::wanted_side`]: clipa_recipe::augment::Augment::wanted_side

use std::path::Path;

use clipa_schemas::{manifest::Manifest, short_sides::ShortSides};
use clipa_stream::{StreamConfig, image_column};
use clipa_talk::figures::percent;

use super::RunError;

/// The images that a stage reads, and what it does with them.
#[derive(Clone, Debug)]
pub struct StageImages {
    sides: ShortSides,
    image_size: u32,
    least: u32,
    wanted: u32,
}

impl StageImages {
    /// Chooses the column as the stream does, and looks at sizes in it.
    ///
    /// # Errors
    /// No such column; a shard that can't be read.
    pub fn of(dataset: &Path, config: &StreamConfig) -> Result<StageImages, RunError> {
        let manifest = Manifest::read(dataset)?;
        let column = image_column(dataset, &manifest, config)?;
        let image_size = config.image_size;
        Ok(StageImages {
            sides: ShortSides::of(dataset, manifest.shards(), column)?,
            image_size,
            least: config.augment.least_side(image_size),
            wanted: config.augment.wanted_side(image_size),
        })
    }

    /// What is said of them before a run.
    pub fn lines(&self) -> Vec<String> {
        let StageImages { sides, image_size, least, wanted } = self;
        let mut lines = vec![format!("{} for {image_size} px", sides.column.name())];
        let share = |side| percent(sides.below(side), sides.looked_at());
        if sides.below(*least) > 0 {
            lines.push(format!(
                "{} are smaller than {least} px (short side), and enlarged",
                share(*least)
            ));
        }
        if sides.below(*wanted) > sides.below(*least) {
            lines.push(format!(
                "{} are smaller than {wanted} px: of these, small crops are enlarged",
                share(*wanted)
            ));
        }
        lines
    }

    /// Refuses a column of which most images, or all, are too small.
    ///
    /// # Errors
    /// [`RunError::SmallImages`].
    pub fn check(&self) -> Result<(), RunError> {
        let StageImages { sides, image_size, least, .. } = self;
        let (small, all) = (sides.below(*least), sides.looked_at());
        if 2 * small <= all {
            return Ok(());
        }
        Err(RunError::SmallImages {
            column: sides.column.name(),
            image_size: *image_size,
            reason: format!(
                "{} of its images have a short side below {least} px, half of all at most {} px, and would be enlarged",
                percent(small, all),
                sides.median(),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A stage of 224 px with CLIPA's crop reads 355:jpeg.
    fn images(sides: &[(u32, u64)]) -> StageImages {
        let sides = BTreeMap::from_iter(sides.iter().copied());
        let column = "355:jpeg".parse().unwrap();
        let sides = ShortSides { column, rows: sides.values().sum(), sides };
        StageImages { sides, image_size: 224, least: 224, wanted: 355 }
    }

    #[test]
    fn small_crops_of_a_whole_picture_are_said_and_not_refused() {
        let downloads = images(&[(256, 100)]);
        downloads.check().unwrap();
        assert_eq!(
            downloads.lines(),
            [
                "image_355 for 224 px",
                "100 % are smaller than 355 px: of these, small crops are enlarged"
            ]
        );
        let whole = images(&[(355, 100)]);
        whole.check().unwrap();
        assert_eq!(whole.lines(), ["image_355 for 224 px"]);
        images(&[]).check().unwrap();
    }

    #[test]
    fn what_is_enlarged_as_a_whole_is_counted_and_refused_where_it_is_the_most() {
        let some = images(&[(128, 10), (224, 10), (355, 20)]);
        some.check().unwrap();
        assert_eq!(
            some.lines()[1..],
            [
                "25.0 % are smaller than 224 px (short side), and enlarged",
                "50.0 % are smaller than 355 px: of these, small crops are enlarged"
            ]
        );
        images(&[(223, 20), (355, 20)]).check().unwrap();
        let error = images(&[(128, 12), (223, 9), (355, 20)]).check().unwrap_err();
        let said = "image_355 is too small for 224 px: 51.2 % of its images have a short side below 224 px, half of all at \
                    most 223 px, and would be enlarged";
        assert_eq!(error.to_string(), said);
        assert!(error.hint().unwrap().contains("--allow-enlarging"));
    }
}
