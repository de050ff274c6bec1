//! Records: structs whose fields are the small columns of a Parquet file, each defined by one line.
//!
//! A field's name is the column's name, its type the column's type ([`cell`] lists them), `Option` makes it nullable,
//! and the order of the fields is that of the columns.

pub(crate) mod cell;

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::Field,
    error::ArrowError,
};

/// What [`record!`] makes of a struct.
pub(crate) trait Record: Default {
    /// Columns under construction.
    type Builders;
    /// Columns as they were read.
    type Arrays;
    /// Names of the columns.
    const COLUMNS: &'static [&'static str];

    /// Names and types of the columns.
    fn fields() -> Vec<Field>;

    /// Columns without a row.
    fn builders() -> Self::Builders;

    /// Appends the record to the columns.
    fn append(&self, builders: &mut Self::Builders) -> Result<(), ArrowError>;

    /// Takes the rows out of the builders, in the order of [`Record::fields`].
    fn finish(builders: &mut Self::Builders) -> Vec<ArrayRef>;

    /// The columns of a batch, wherever in it they are; the name of one that is not there or has another type.
    fn arrays(batch: &RecordBatch) -> Result<Self::Arrays, &'static str>;

    /// One row of the columns; what else the struct holds is its default.
    ///
    /// # Panics
    /// Where there is no such row.
    fn row(arrays: &Self::Arrays, row: usize) -> Self;
}

/// Defines a struct and implements [`Record`] for it. Fields in `beside { }` are no columns of it.
macro_rules! record {
    (
        $(#[$attribute:meta])*
        pub struct $Record:ident {
            $( $(#[$doc:meta])* pub $column:ident: $cell:ty, )*
        }
        $( beside {
            $( $(#[$other_doc:meta])* pub $other:ident: $other_type:ty, )*
        } )?
    ) => {
        $(#[$attribute])*
        pub struct $Record {
            $( $(#[$doc])* pub $column: $cell, )*
            $( $( $(#[$other_doc])* pub $other: $other_type, )* )?
        }

        const _: () = {
            use $crate::record::{Record, cell};

            pub(crate) struct Builders {
                $( $column: cell::ColumnBuilder<$cell>, )*
            }

            pub(crate) struct Arrays {
                $( $column: cell::ColumnArray<$cell>, )*
            }

            impl Record for $Record {
                type Builders = Builders;
                type Arrays = Arrays;
                const COLUMNS: &'static [&'static str] = &[$( stringify!($column), )*];

                fn fields() -> Vec<arrow::datatypes::Field> {
                    vec![$( cell::field::<$cell>(stringify!($column)), )*]
                }

                fn builders() -> Builders {
                    Builders { $( $column: cell::ColumnBuilder::new(), )* }
                }

                fn append(&self, builders: &mut Builders) -> Result<(), arrow::error::ArrowError> {
                    $( builders.$column.append(&self.$column)?; )*
                    Ok(())
                }

                fn finish(builders: &mut Builders) -> Vec<arrow::array::ArrayRef> {
                    vec![$( builders.$column.finish(), )*]
                }

                fn arrays(batch: &arrow::array::RecordBatch) -> Result<Arrays, &'static str> {
                    Ok(Arrays {
                        $( $column: cell::ColumnArray::of(batch, stringify!($column))
                            .ok_or(stringify!($column))?, )*
                    })
                }

                fn row(arrays: &Arrays, row: usize) -> $Record {
                    $Record {
                        $( $column: arrays.$column.get(row), )*
                        $( $( $other: Default::default(), )* )?
                    }
                }
            }
        };
    };
}

pub(crate) use record;
