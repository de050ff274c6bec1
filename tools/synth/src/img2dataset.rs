//! One tar of the training set with its side files, as img2dataset 1.47 lays them out.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use arrow::array::{ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::{arrow::ArrowWriter, errors::ParquetError};
use serde::Serialize;
use sha2::{Digest, Sha256};
use webdataset::{Sample, Value};

use super::{
    SynthError, caption,
    file::{self, PendingTar},
    plan::Plan,
    random_stream::{Purpose, RandomStream},
    renderer::Renderer,
    scene::Scene,
};

/// What `KEY.json` and a row of `NNNNN.parquet` say of a sample: img2dataset's fields, after the
/// columns that a user of it adds.
#[derive(Serialize)]
struct Record {
    #[serde(rename = "NSFW")]
    nsfw: &'static str,
    similarity: Option<f32>,
    #[serde(rename = "LICENSE")]
    license: &'static str,
    synthetic_caption: bool,
    label: i32,
    caption: String,
    url: String,
    key: String,
    status: &'static str,
    error_message: Option<String>,
    width: i32,
    height: i32,
    original_width: i32,
    original_height: i32,
    exif: &'static str,
    sha256: String,
}

/// What `NNNNN_stats.json` says of a tar. Times are 0: the bytes depend on the plan alone.
#[derive(Serialize)]
struct Stats {
    count: usize,
    successes: usize,
    failed_to_download: usize,
    failed_to_resize: usize,
    duration: f64,
    start_time: f64,
    end_time: f64,
    status_dict: StatusCounts,
}

#[derive(Serialize)]
struct StatusCounts {
    success: usize,
}

/// The three files of a tar.
struct Names {
    tar: String,
    parquet: String,
    stats: String,
}

impl Names {
    fn of(tar: u32) -> Names {
        Names {
            tar: format!("{tar:05}.tar"),
            parquet: format!("{tar:05}.parquet"),
            stats: format!("{tar:05}_stats.json"),
        }
    }
}

/// Whether the tar and its side files are complete.
pub(super) fn is_complete(folder: &Path, tar: u32) -> bool {
    let names = Names::of(tar);
    [names.tar, names.parquet, names.stats].iter().all(|name| folder.join(name).is_file())
}

/// Draws one tar of the plan into the folder; `drawn` is called after each
/// picture and may end the work.
pub(super) fn write_tar(
    plan: &Plan,
    folder: &Path,
    tar: u32,
    drawn: &dyn Fn() -> ControlFlow<()>,
) -> Result<(), SynthError> {
    let names = Names::of(tar);
    let compositions = plan.compositions();
    let held_out = plan.held_out();
    let classes: Vec<usize> =
        (0..compositions.len()).filter(|class| !held_out.contains(class)).collect();
    let mut renderer = Renderer::new()?;
    let mut pending = PendingTar::create(&folder.join(names.tar))?;
    let mut records = Vec::new();
    for (place, index) in plan.samples_of(tar).enumerate() {
        let mut random = RandomStream::new(plan.seed, Purpose::Training, u64::from(index));
        let class = random.one_of(&classes);
        let scene = Scene::random(compositions[class], plan.side, &mut random);
        let caption = caption::write(&scene, &mut random);
        let jpeg = renderer.render(&scene, &mut random)?;
        let key = format!("{tar:05}{place:04}");
        let record = Record::new(plan, &scene, class, key, caption, &jpeg);
        pending.write(&record.sample(jpeg))?;
        records.push(record);
        if drawn().is_break() {
            return Err(SynthError::Stopped);
        }
    }
    pending.commit()?;
    write_rows(&folder.join(names.parquet), &records)?;
    file::write(&folder.join(names.stats), &python_json(&Stats::of(records.len())))
}

impl Record {
    fn new(
        plan: &Plan,
        scene: &Scene,
        class: usize,
        key: String,
        caption: String,
        jpeg: &[u8],
    ) -> Record {
        let (width, height) = (scene.width as i32, scene.height as i32);
        Record {
            nsfw: "UNLIKELY",
            similarity: None,
            license: "public domain",
            synthetic_caption: true,
            label: class as i32,
            caption,
            url: format!("synth:{}/{key}.jpg", plan.seed),
            key,
            status: "success",
            error_message: None,
            width,
            height,
            original_width: width,
            original_height: height,
            exif: "{}",
            sha256: Sha256::digest(jpeg).iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    fn sample(&self, jpeg: Vec<u8>) -> Sample {
        let mut sample = Sample::with_key(&*self.key);
        sample.insert("jpg", Value::Bytes(jpeg.into()));
        sample.insert("json", Value::Bytes(python_json(self).into()));
        sample.insert("txt", Value::Text(self.caption.clone()));
        sample
    }
}

impl Stats {
    fn of(count: usize) -> Stats {
        Stats {
            count,
            successes: count,
            failed_to_download: 0,
            failed_to_resize: 0,
            duration: 0.0,
            start_time: 0.0,
            end_time: 0.0,
            status_dict: StatusCounts { success: count },
        }
    }
}

/// JSON as Python writes it with `indent=4`.
fn python_json(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))
        .expect("a struct of numbers and text is JSON, and memory takes it");
    text
}

fn write_rows(path: &Path, records: &[Record]) -> Result<(), SynthError> {
    let rows = rows(records).map_err(ParquetError::from);
    let bytes = rows.and_then(|rows| {
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None)?;
        writer.write(&rows)?;
        writer.into_inner()
    });
    let bytes = bytes.map_err(|source| SynthError::Parquet { path: path.to_owned(), source })?;
    file::write(path, &bytes)
}

fn rows(records: &[Record]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let text = |of: fn(&Record) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(records.iter().map(of)))
    };
    let number = |of: fn(&Record) -> i32| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(records.iter().map(of)))
    };
    let nothing = |of_type: &DataType| new_null_array(of_type, records.len());
    let synthetic: BooleanArray = records.iter().map(|r| Some(r.synthetic_caption)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("NSFW", text(|r| r.nsfw)),
        ("similarity", nothing(&DataType::Float64)),
        ("LICENSE", text(|r| r.license)),
        ("synthetic_caption", Arc::new(synthetic)),
        ("label", number(|r| r.label)),
        ("caption", text(|r| &r.caption)),
        ("url", text(|r| &r.url)),
        ("key", text(|r| &r.key)),
        ("status", text(|r| r.status)),
        ("error_message", nothing(&DataType::Utf8)),
        ("width", number(|r| r.width)),
        ("height", number(|r| r.height)),
        ("original_width", number(|r| r.original_width)),
        ("original_height", number(|r| r.original_height)),
        ("exif", text(|r| r.exif)),
        ("sha256", text(|r| &r.sha256)),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true))
        .collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
