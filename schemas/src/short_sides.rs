//! How large the images of a column really are: nothing is enlarged when it is stored with its aspect ratio, so that a
//! column may hold images smaller than its name says.

use std::{collections::BTreeMap, path::Path};

use arrow::{array::AsArray, datatypes::UInt16Type};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    image_column::ImageColumn,
    ledger::ShardDigest,
    shard::ShardReader,
};

/// Most row groups that are looked at: 64 of 2,048 rows are enough for a share to half a percent, and their sizes are
/// read in some tenths of a second.
pub const MOST_GROUPS: usize = 64;

/// The short sides of a column's images, of all rows or of row groups spread evenly over the data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortSides {
    /// The column.
    pub column: ImageColumn,
    /// Rows of the data set.
    pub rows: u64,
    /// How many of the rows that were looked at have which short side, in pixels.
    pub sides: BTreeMap<u32, u64>,
}

/// What is said of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideSummary {
    /// Name of the column.
    pub column: String,
    /// Its side in pixels.
    pub side: u32,
    /// Rows that were looked at; all of a small data set.
    pub rows_looked_at: u64,
    /// Those of them whose short side is below the column's.
    pub smaller: u64,
    /// The smallest short side in pixels.
    pub least: u32,
    /// Half of the rows have at most this short side, in pixels.
    pub median: u32,
}

impl ShortSides {
    /// Reads the sizes of at most [`MOST_GROUPS`] row groups. A column of squares holds one size, and nothing is read.
    ///
    /// # Errors
    /// A shard that can't be read.
    pub fn of<'s>(
        dataset: &Path,
        shards: impl IntoIterator<Item = &'s ShardDigest>,
        column: ImageColumn,
    ) -> Result<ShortSides> {
        let shards: Vec<&ShardDigest> = shards.into_iter().collect();
        let rows = shards.iter().map(|shard| shard.rows).sum();
        let mut sides = BTreeMap::new();
        let Some((width, height)) = column.size_names() else {
            sides.extend((rows > 0).then_some((column.side, rows)));
            return Ok(ShortSides { column, rows, sides });
        };
        let groups: Vec<(&ShardDigest, usize)> = shards
            .iter()
            .flat_map(|&shard| (0..shard.row_groups.len()).map(move |group| (shard, group)))
            .collect();
        let chosen = groups.len().min(MOST_GROUPS);
        let mut open: Option<(&str, ShardReader)> = None;
        for place in 0..chosen {
            let (shard, group) = groups[place * groups.len() / chosen];
            let file = shard.file.file.as_str();
            let reader = match open.take() {
                Some((there, reader)) if there == file => reader,
                _ => ShardReader::open(&dataset.join(file))?,
            };
            count(&reader, group, [&width, &height], &mut sides)?;
            open = Some((file, reader));
        }
        Ok(ShortSides { column, rows, sides })
    }

    /// Rows that were looked at.
    pub fn looked_at(&self) -> u64 {
        self.sides.values().sum()
    }

    /// Those of them whose short side is below `side` pixels.
    pub fn below(&self, side: u32) -> u64 {
        self.sides.range(..side).map(|(_, rows)| rows).sum()
    }

    /// Half of the rows have at most this short side; 0 without a row.
    pub fn median(&self) -> u32 {
        let (half, mut seen) = (self.looked_at().div_ceil(2), 0);
        let reached = self.sides.iter().find(|&(_, rows)| {
            seen += rows;
            seen >= half
        });
        reached.map_or(0, |(&side, _)| side)
    }

    /// What is said of them.
    pub fn summary(&self) -> SideSummary {
        SideSummary {
            column: self.column.name(),
            side: self.column.side,
            rows_looked_at: self.looked_at(),
            smaller: self.below(self.column.side),
            least: self.sides.keys().next().copied().unwrap_or(0),
            median: self.median(),
        }
    }
}

/// Counts the short sides of a row group.
fn count(
    reader: &ShardReader,
    group: usize,
    names: [&str; 2],
    sides: &mut BTreeMap<u32, u64>,
) -> Result<()> {
    if group >= reader.row_groups() {
        return Err(Error::corrupt(reader.path(), format!("no row group {group}")));
    }
    let batch = reader.columns(group, &names)?;
    let values = |name: &str| {
        let column = batch.column_by_name(name)?;
        Some(column.as_primitive_opt::<UInt16Type>()?.values().clone())
    };
    let [Some(widths), Some(heights)] = names.map(values) else {
        return Err(Error::corrupt(reader.path(), format!("columns {names:?} have another type")));
    };
    for (&width, &height) in widths.iter().zip(heights.iter()) {
        *sides.entry(u32::from(width.min(height))).or_default() += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sample::{Sample, StoredImage},
        shard::{ShardLayout, ShardWriter},
    };

    /// A shard of images with these sizes.
    fn shard(folder: &Path, number: usize, column: ImageColumn, sizes: &[[u16; 2]]) -> ShardDigest {
        let name = format!("{number}.parquet");
        let layout = ShardLayout { images: vec![column], tokens: vec![] };
        let mut writer = ShardWriter::create(&folder.join(&name), &layout).unwrap();
        for &[width, height] in sizes {
            let bytes = vec![7; usize::from(width) * usize::from(height) * 3];
            let image = StoredImage { width, height, bytes };
            writer.append(&Sample { images: vec![image], ..Sample::default() }).unwrap();
        }
        writer.finish(name).unwrap()
    }

    #[test]
    fn short_sides_are_counted_over_all_shards() {
        let folder = tempfile::tempdir().unwrap();
        let column = "8:rgb8".parse().unwrap();
        let shards = [
            shard(folder.path(), 0, column, &[[8, 8], [8, 12], [5, 9]]),
            shard(folder.path(), 1, column, &[[20, 3], [5, 5]]),
        ];
        let sides = ShortSides::of(folder.path(), &shards, column).unwrap();
        assert_eq!((sides.rows, sides.looked_at()), (5, 5));
        assert_eq!(sides.sides, BTreeMap::from([(3, 1), (5, 2), (8, 2)]));
        assert_eq!([sides.below(3), sides.below(4), sides.below(8), sides.below(9)], [0, 1, 3, 5]);
        let SideSummary { smaller, least, median, .. } = sides.summary();
        assert_eq!((smaller, least, median), (3, 3, 5));
    }

    #[test]
    fn of_a_large_data_set_evenly_spread_groups_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let column = "8:rgb8".parse().unwrap();
        let shards: Vec<ShardDigest> = (0..3 * MOST_GROUPS)
            .map(|number| shard(folder.path(), number, column, &[[4 + number as u16 % 2, 9]]))
            .collect();
        let sides = ShortSides::of(folder.path(), &shards, column).unwrap();
        assert_eq!((sides.rows, sides.looked_at()), (3 * 64, 64));
        assert_eq!(sides.sides, BTreeMap::from([(4, 32), (5, 32)]));
    }

    #[test]
    fn squares_have_the_size_of_their_column_and_nothing_has_none() {
        let column: ImageColumn = "8:rgb8-square".parse().unwrap();
        let none = ShortSides::of(Path::new("nowhere"), &[], column).unwrap();
        assert_eq!((none.looked_at(), none.median(), none.summary().least), (0, 0, 0));
        let folder = tempfile::tempdir().unwrap();
        let shards = [shard(folder.path(), 0, column, &[[8, 8]; 3])];
        let sides = ShortSides::of(Path::new("nowhere"), &shards, column).unwrap();
        assert_eq!(sides.sides, BTreeMap::from([(8, 3)]));
    }
}
