//! Does the tar hold what img2dataset says it does? Its `_stats.json` and its Parquet table are compared with the
//! members, and rows that never became an image are counted.

mod finding;
mod members;
mod problems;
mod reasons;
mod rows;
mod side_files;
mod statistics;

pub use self::{
    finding::Account, members::members_of, problems::tar_problems, side_files::SideFiles,
};
