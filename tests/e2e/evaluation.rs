//! `clipa-train eval`, `embed` and `--eval-data`: what is measured is the model that was asked for, on the data that were
//! asked for, and a training does not notice.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float32Type, UInt32Type};
use clipa_tests::{Member, World, drawn, members, prep, tree, write_tar};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Twenty steps with every kind of randomness on, and five checkpoints of which all stay.
const PRETRAIN: &str = "pretrain --recipe recipe.toml --data pairs --set stage.keep_checkpoints=9";
/// The same with four steps and a checkpoint after the last.
const SHORT: &str = "pretrain --recipe recipe.toml --data pairs --output run --set stage.samples=128 --set stage.warmup_steps=1";
const LAST: &str = "run/checkpoints/step-00000004";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `clipa-train eval WORDS --json`, a value for each line.
fn evaluated(world: &World, words: &str) -> Vec<Value> {
    lines(&world.succeeds(&format!("eval {words} --json")).stdout())
}

fn table(path: &Path) -> RecordBatch {
    let file = fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// The numbers of a column of vectors, row by row.
fn vectors(batch: &RecordBatch, column: &str) -> Vec<f32> {
    let values = batch[column].as_fixed_size_list().values().clone();
    values.as_primitive::<Float32Type>().values().to_vec()
}

fn difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

#[test]
fn several_sets_in_one_process_are_what_each_is_alone() {
    let world = World::new();
    world.succeeds(SHORT);
    let [classes, pairs] =
        ["classes", "pairs"].map(|set| evaluated(&world, &format!("run --data {set}")).remove(0));
    let both = evaluated(&world, "--run run --data classes --data pairs");
    assert_eq!(both, [classes.clone(), pairs.clone()]);
    let metric = |report: &Value, name: &str| report["metrics"][name].as_f64();
    assert_eq!(
        (classes["task"].as_str(), pairs["task"].as_str()),
        (Some("classification"), Some("retrieval"))
    );
    assert_eq!((classes["step"].as_u64(), classes["stage"].as_str()), (Some(4), Some("pretrain")));
    assert_eq!(metric(&classes, "acc1"), classes["top1"].as_f64());
    assert_eq!(metric(&classes, "main_metric"), classes["top1"].as_f64());
    // Four classes of ten images each: accuracy and mean per class are one number.
    assert!(
        (metric(&classes, "mean_per_class_recall").unwrap() - metric(&classes, "acc1").unwrap())
            .abs()
            < 1e-12
    );
    assert_eq!(metric(&classes, "acc5"), None, "of four classes all are among the first five");
    assert_eq!((pairs["images"].as_u64(), pairs["captions"].as_u64()), (Some(101), Some(101)));
    let recall =
        |way: &str, k: u32| metric(&pairs, &format!("{way}_retrieval_recall@{k}")).unwrap();
    for way in ["image", "text"] {
        assert!(recall(way, 1) <= recall(way, 5) && recall(way, 5) <= recall(way, 10));
        assert!(
            (recall(way, 10) * 101.0).fract().min(1.0 - (recall(way, 10) * 101.0).fract()) < 1e-9
        );
    }
    let mean = (recall("image", 1) + recall("text", 1)) / 2.0;
    assert_eq!(metric(&pairs, "mean_recall@1"), Some(mean));

    let said = world.succeeds("eval run --data classes --data pairs").stdout();
    for part in
        ["run on classes", "run on pairs", "text to image  R@1", "(mean per class)", "of 2 sets"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    world.fails("eval run --data classes --data nowhere").says(["nowhere", "no such folder"]);
}

#[test]
fn a_run_a_checkpoint_its_file_and_a_folder_of_open_clip_are_one_model() {
    let world = World::new();
    world.succeeds(&format!("{SHORT} --set model.vision.pool=cls"));
    let folder = world.path("open_clip");
    fs::create_dir(&folder).unwrap();
    let weights = world.path(LAST).join("model.safetensors");
    fs::copy(&weights, folder.join("open_clip_model.safetensors")).unwrap();
    let figures = |named: &str| {
        let mut report = evaluated(&world, &format!("{named} --data classes --data pairs"));
        report.iter_mut().for_each(|report| {
            let report = report.as_object_mut().unwrap();
            ["run", "weights", "step", "stage"].iter().for_each(|key| drop(report.remove(*key)));
        });
        report
    };
    let expected = figures("run");
    for named in [LAST, &format!("{LAST}/model.safetensors")] {
        assert_eq!(figures(named), expected, "{named}");
    }
    world.fails("eval open_clip --data classes").says([
        "nothing beside open_clip/open_clip_model.safetensors says what model it is",
        "open_clip_config.json",
    ]);
    fs::copy(world.path("run/open_clip_config.json"), folder.join("open_clip_config.json"))
        .unwrap();
    assert_eq!(figures("open_clip"), expected);
    // Another size: open_clip interpolates, and so does this.
    let larger = evaluated(&world, "open_clip --data classes --image-size 24").remove(0);
    assert_eq!(larger["image_size"].as_i64(), Some(24));
    assert_eq!(
        larger["metrics"],
        evaluated(&world, "run --data classes --image-size 24")[0]["metrics"]
    );
    world.fails("eval nothing --data classes").says(["nothing: no such run or file"]);
}

#[test]
fn a_training_beside_takes_no_checkpoint_away_from_an_evaluation() {
    let world = World::new();
    let endless = format!(
        "{} --output run --set stage.keep_checkpoints=1 --set stage.checkpoint_steps=1 --set stage.samples=10000000 \
         --set stage.log_steps=1000000",
        PRETRAIN.replace(" --set stage.keep_checkpoints=9", "")
    );
    let training = world.command(&endless).runs_until_it_says("begins with seed");
    while !world.path("run/checkpoints").is_dir() {
        std::thread::yield_now();
    }
    let mut steps = Vec::new();
    for _ in 0..5 {
        let report = evaluated(&world, "run --data classes --allow-unfinished");
        steps.push(report[0]["step"].as_u64().unwrap());
    }
    training.killed();
    assert!(steps.is_sorted() && steps[0] < steps[4], "{steps:?}");
}

/// Records of results.jsonl, without the seconds, which are never the same.
fn results(world: &World, run: &str) -> Vec<Value> {
    let mut records = lines(&fs::read_to_string(world.path(run).join("results.jsonl")).unwrap());
    for record in &mut records {
        let seconds = record.as_object_mut().unwrap().remove("seconds");
        assert!(seconds.unwrap().as_f64().unwrap() >= 0.0);
    }
    records
}

const EVALUATED: &str = "--eval-data classes --eval-data pairs --eval-steps 7";

#[test]
fn evaluations_while_training_change_no_number_and_are_those_of_eval() {
    let world = World::new();
    world.succeeds(&format!("{PRETRAIN} --output run"));
    let finished = world.succeeds(&format!("{PRETRAIN} --output watched {EVALUATED}"));
    finished.says([
        "evaluation  every 7 steps on classes (40 images), pairs (101 images)",
        "(the training waited",
    ]);
    assert_eq!(world.numbers("watched"), world.numbers("run"));
    tree(&world.path("run/checkpoints")).must_equal(&tree(&world.path("watched/checkpoints")));
    let records = results(&world, "watched");
    let what = |record: &Value| {
        let text = |key: &str| record[key].as_str().unwrap().to_owned();
        (record["step"].as_u64().unwrap(), text("lengths"), text("set"))
    };
    let expected: Vec<(u64, String, String)> = [7, 14, 20]
        .into_iter()
        .flat_map(|step| {
            let of = |lengths: &str, set: &str| (step, lengths.to_owned(), set.to_owned());
            [
                of("stage", "classes"),
                of("stage", "pairs"),
                of("full", "classes"),
                of("full", "pairs"),
            ]
        })
        .collect();
    assert_eq!(records.iter().map(what).collect::<Vec<_>>(), expected);
    assert_eq!(records[8]["samples"].as_u64(), Some(640));
    for (record, words) in [
        (8, "watched --data classes"),
        (9, "watched --data pairs"),
        (10, "watched --data classes --stage finetune"),
        (11, "watched --data pairs --stage finetune"),
    ] {
        let (record, alone) = (&records[record], &evaluated(&world, words)[0]);
        for key in ["metrics", "image_size", "context_length"] {
            assert_eq!(record[key], alone[key], "{words}");
        }
    }
    // The last stage has full length itself.
    let finetune =
        "finetune --recipe recipe.toml --data pairs --from run --output run2 --eval-data classes";
    world.succeeds(finetune);
    let steps: Vec<u64> = results(&world, "run2").iter().map(|record| what(record).0).collect();
    assert_eq!(steps, [4, 8, 10], "with every checkpoint, and at the end");
}

#[test]
fn a_killed_run_has_each_result_once() {
    let world = World::new();
    let evaluated = "--eval-data classes --eval-steps 3";
    world.succeeds(&format!("{PRETRAIN} --output run {evaluated}"));
    let killed = format!("{PRETRAIN} --output killed {evaluated}");
    world.command(&killed).runs_until_it_says("step 10/20").killed();
    world.succeeds(&format!("{killed} --resume"));
    assert_eq!(results(&world, "killed"), results(&world, "run"));
    assert_eq!(world.numbers("killed"), world.numbers("run"));
}

#[test]
fn a_set_that_cannot_be_evaluated_is_refused_before_anything_is_written() {
    let world = World::new();
    let manifest = world.path("classes/dataset.json");
    let pretrain = format!("{PRETRAIN} --output run --eval-data");
    for dry_run in ["", "--dry-run"] {
        world.fails(&format!("{pretrain} nowhere {dry_run}")).says(["nowhere", "no such folder"]);
        world.fails(&format!("{pretrain} run0 {dry_run}")).says(["run0", "no such folder"]);
        let prompts = world.path("classes/prompts.parquet");
        let hidden = world.path("prompts.parquet");
        fs::rename(&prompts, &hidden).unwrap();
        world.fails(&format!("{pretrain} classes {dry_run}")).says(["prompts.parquet"]);
        fs::rename(&hidden, &prompts).unwrap();
        let whole = fs::read_to_string(&manifest).unwrap();
        fs::write(&manifest, whole.replace("\"complete\": true", "\"complete\": false")).unwrap();
        world.fails(&format!("{pretrain} classes {dry_run}")).says(["classes is not finished"]);
        fs::write(&manifest, whole).unwrap();
    }
    world
        .command(&format!("{PRETRAIN} --output run --eval-steps 3"))
        .exits_with(2)
        .says(["--eval-data"]);
    world.succeeds(&format!("{pretrain} classes --dry-run")).says([
        "evaluation  every 4 steps on classes (40 images)",
        "16 px and 6 text tokens (pretrain) and 24 px and 8 text tokens (finetune)",
    ]);
    assert!(!world.path("run").exists());
}

#[test]
fn a_curve_has_every_checkpoint_that_is_kept() {
    let world = World::new();
    world.succeeds(&format!("{PRETRAIN} --output run"));
    let curve = evaluated(&world, "run --all-checkpoints --data classes --data pairs");
    let of =
        |set: &str| curve.iter().filter(move |one| one["set"] == set).cloned().collect::<Vec<_>>();
    for set in ["classes", "pairs"] {
        let steps: Vec<u64> = of(set).iter().map(|one| one["step"].as_u64().unwrap()).collect();
        assert_eq!(steps, [4, 8, 12, 16, 20]);
        let alone = &evaluated(&world, &format!("run --data {set}"))[0];
        assert_eq!(of(set)[4], *alone);
        let first = &evaluated(&world, &format!("{LAST} --data {set}"))[0];
        assert_eq!(of(set)[0]["metrics"], first["metrics"]);
    }
    let said = world.succeeds("eval run --all-checkpoints --data classes").stdout();
    let steps: Vec<&str> =
        said.lines().skip(2).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(steps, ["4", "8", "12", "16", "20"], "{said}");
    assert!(said.lines().nth(1).unwrap().contains("mean_per_class_recall"), "{said}");
    world
        .fails(&format!("eval {LAST} --all-checkpoints --data classes"))
        .says(["holds no checkpoint", "wants a run"]);
}

/// A fixed table of pre-training: fine-tuning interpolates it, or computes its own where it is fixed itself.
#[test]
fn positions_at_another_size_are_those_that_fine_tuning_begins_with() {
    let world = World::new();
    let embed = |run: &str, more: &str, output: &str| {
        world.succeeds(&format!("embed {run} --data classes --output {output}.parquet {more}"));
        vectors(&table(&world.path(&format!("{output}.parquet"))), "image_embedding")
    };
    for (name, set) in [
        ("interpolated", "--set stage.pretrain.positions=sin-cos-2d"),
        (
            "computed",
            "--set stage.pretrain.positions=sin-cos-2d --set stage.finetune.positions=sin-cos-2d",
        ),
    ] {
        world.succeeds(&format!(
            "{} {set}",
            SHORT.replace("--output run", &format!("--output {name}"))
        ));
        // One step that changes nothing.
        world.succeeds(&format!(
            "finetune --recipe recipe.toml --data pairs --from {name} --output {name}2 {set} --set stage.samples=32 \
             --set stage.warmup_steps=0 --set stage.lr=1e-30 --set stage.weight_decay=0"
        ));
        let begun = embed(&format!("{name}2"), "", &format!("{name}-begun"));
        for (number, words) in
            ["--stage finetune", "--image-size 24 --context-length 8"].iter().enumerate()
        {
            let evaluated = embed(name, words, &format!("{name}-{number}"));
            let differs = difference(&begun, &evaluated);
            assert!(differs < 1e-6, "{name} {words}: {differs}");
        }
    }
    let [interpolated, computed] = ["interpolated", "computed"].map(|name| {
        vectors(&table(&world.path(&format!("{name}-begun.parquet"))), "image_embedding")
    });
    assert!(
        difference(&interpolated, &computed) > 1e-4,
        "both ways are the same here: the test shows nothing"
    );
}

#[test]
fn embeddings_and_predictions_stand_in_the_sets_order_and_are_never_overwritten() {
    let world = World::new();
    world.succeeds(SHORT);
    world
        .succeeds("embed run --data pairs --output pairs.parquet")
        .says(["101 samples", "16 numbers"]);
    let pairs = table(&world.path("pairs.parquet"));
    let keys: Vec<&str> = pairs["key"].as_string::<i32>().iter().flatten().collect();
    assert_eq!(keys, (0..101).map(|row| row.to_string()).collect::<Vec<_>>());
    for column in ["image_embedding", "text_embedding"] {
        for row in vectors(&pairs, column).chunks(16) {
            assert!((row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5, "{column}");
        }
    }
    // With other batches and workers the same to rounding.
    world.succeeds("embed run --data pairs --output again.parquet --batch 7 --workers 3");
    let again = table(&world.path("again.parquet"));
    let differs =
        difference(&vectors(&pairs, "image_embedding"), &vectors(&again, "image_embedding"));
    assert!(differs < 1e-5, "{differs}");
    world
        .fails("embed run --data pairs --output again.parquet")
        .says(["again.parquet", "overwritten"]);

    let report = &evaluated(&world, "run --data classes --predictions p.parquet --per-class")[0];
    let predicted = table(&world.path("p.parquet"));
    let numbers = |column: &str| predicted[column].as_primitive::<UInt32Type>().values().to_vec();
    let (labels, best) = (numbers("label"), numbers("prediction"));
    let hits = labels.iter().zip(&best).filter(|(label, best)| label == best).count();
    assert_eq!((labels.len(), hits as f64 / 40.0), (40, report["top1"].as_f64().unwrap()));
    let top = predicted["top5"].as_fixed_size_list();
    let first = top.value(3);
    assert_eq!((first.len(), first.as_primitive::<UInt32Type>().value(0)), (4, best[3]));
    let cosines = vectors(&predicted, "top5_cosine");
    assert!(cosines.chunks(4).all(|row| row.is_sorted_by(|left, right| left >= right)));
    for (words, said) in [
        ("run --data classes --predictions p.parquet", "overwritten"),
        ("run --data pairs --predictions q.parquet", "no classes to predict"),
        ("run --data classes --data pairs --predictions q.parquet", "one run and one data set"),
    ] {
        world.fails(&format!("eval {words}")).says([said]);
    }
    assert!(!world.path("q.parquet").exists());
}

/// Weights that are no numbers rank nothing: refused, and not a figure by chance.
#[test]
fn weights_that_are_no_numbers_are_refused() {
    let world = World::new();
    world.succeeds(SHORT);
    let folder = world.path("broken");
    fs::create_dir(&folder).unwrap();
    for file in ["recipe.toml", "run.json"] {
        fs::copy(world.path("run").join(file), folder.join(file)).unwrap();
    }
    let mut bytes = fs::read(world.path(LAST).join("model.safetensors")).unwrap();
    let end = bytes.len();
    // The last tensor of the file is of the image tower.
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(folder.join("weights.safetensors"), bytes).unwrap();
    for set in ["classes", "pairs"] {
        world
            .fails(&format!("eval broken/weights.safetensors --data {set}"))
            .says(["the embedding of image 0 of", "is not a number"]);
    }
}

#[test]
fn a_set_as_clip_benchmark_lays_it_out_is_evaluated() {
    let world = World::new();
    world.succeeds(SHORT);
    let set = world.path("wds_cars");
    fs::create_dir_all(set.join("test")).unwrap();
    fs::write(set.join("classnames.txt"), "ape\nbear\ncat\n").unwrap();
    fs::write(set.join("zeroshot_classification_templates.txt"), "a photo of a {c}.\nthe {c}\n")
        .unwrap();
    fs::write(set.join("test/nshards.txt"), "2\n").unwrap();
    let picture = members(&drawn().join("train/00000.tar"))
        .into_iter()
        .find(|member| member.name.ends_with(".jpg"))
        .unwrap()
        .content;
    for (tar, labels) in [(0, [0, 1]), (1, [2, 1])] {
        let samples = labels.iter().enumerate().flat_map(|(place, label)| {
            let member = |suffix: &str, content: &[u8]| {
                Member::new(format!("s{tar}{place:06}.{suffix}"), content)
            };
            [member("jpg", &picture), member("cls", label.to_string().as_bytes())]
        });
        write_tar(&set.join(format!("test/{tar}.tar")), samples);
    }
    prep(["classes", "ingest", "--image", "16:rgb8-square", "--tagger", "none"])
        .arg(&set)
        .arg("--output")
        .arg(world.path("cars"))
        .succeeds();
    let report = &evaluated(&world, "run --data cars --per-class")[0];
    assert_eq!((report["samples"].as_u64(), report["prompts"].as_u64()), (Some(4), Some(6)));
    assert_eq!(report["per_class"][1]["name"].as_str(), Some("bear"));
    // One picture under three names: one of the classes is predicted for all.
    let mean = report["metrics"]["mean_per_class_recall"].as_f64().unwrap();
    assert!((mean - 1.0 / 3.0).abs() < 1e-12, "{report}");
}
