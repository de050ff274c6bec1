//! Recipes as people write and change them: what is understood, and what a wrong one is told.

use std::collections::BTreeMap;

use clipa_schemas::reduction::{image::ImageReduction, text::TextReduction};
use toml::{Table, Value};

use super::{cost, load, refused};
use crate::*;

#[test]
fn open_clips_words_for_the_text_are_understood() {
    let text = load("tiny-i17-t8").to_toml();
    let reduction = |line: &str| -> Result<TextReduction, String> {
        let text = text.replacen("text_reduction = \"syntax\"", line, 1);
        let recipe = Recipe::parse(&text, "mine.toml", &[], None);
        Ok(recipe.map_err(|error| error.to_string())?.stages[0].text_reduction)
    };
    for (line, expected) in [
        ("text_mask = \"first\"", TextReduction::Truncate),
        ("text_mask = \"block\"", TextReduction::Block),
        ("tokenizer_kwargs = { reduction_mask = \"simple\" }", TextReduction::Block),
        ("tokenizer_kwargs = { text_mask = \"random\" }", TextReduction::Random),
        ("reduction_mask = \"syntax\"", TextReduction::Syntax),
        ("text_reduction = \"syntax-vocab\"", TextReduction::SyntaxVocab),
    ] {
        assert_eq!(reduction(line), Ok(expected), "{line}");
    }
    for (line, complaint) in [
        ("text_reduction = \"syntax\"\ntext_mask = \"first\"", "so is `text_reduction`"),
        ("tokenizer_kwargs = { reduction_mask = \"shuffle\" }", "choose `random`"),
        ("text_mask = \"nouns\"", "unknown text reduction `nouns`"),
        ("text_reduction = \"syntax\"\ntokenizer_kwargs = { clean = \"lower\" }", "unknown key"),
    ] {
        let error = reduction(line).unwrap_err();
        assert!(error.contains(complaint) && error.contains("mine.toml"), "{line}: {error}");
    }
    for set in ["stage.text_mask=first", "stage.tokenizer_kwargs.reduction_mask=simple"] {
        let recipe = Recipe::load("tiny-i17-t8", &[set.to_owned()], Some("pretrain")).unwrap();
        assert_ne!(recipe.stages[0].text_reduction, TextReduction::Syntax, "{set}");
    }
}

#[test]
fn unknown_keys_name_the_nearest_ones() {
    assert_eq!(
        refused("stage.warm_up_steps=3"),
        "recipe --set: unknown key `stage.warm_up_steps`, did you mean `warmup_steps`?"
    );
    assert!(refused("model.vision.widht=3").contains("did you mean `width`"));
    assert!(refused("modle.embed_dim=3").contains("did you mean `model`"));
    assert!(refused("stage.image_reduction={mask=\"random\",dorp=0.5}").contains("`drop`"));
    let text = load("tiny-i17-t8").to_toml().replace("beta1", "momentum");
    let error = Recipe::parse(&text, "mine.toml", &[], None).unwrap_err().to_string();
    assert!(
        error.starts_with("recipe mine.toml: unknown key `stage.momentum`; known here: "),
        "{error}"
    );
}

#[test]
fn a_key_that_belongs_to_another_table_is_suggested_with_its_table() {
    for (set, suggestion) in [
        ("batch=4", "`batch`, did you mean `stage.batch`?"),
        ("stage.crop_scale=[0.5, 1.0]", "did you mean `stage.augment.crop_scale`?"),
        ("width=96", "did you mean `model.text.width` or `model.vision.width`?"),
        ("model.clip_grad_norm=1", "did you mean `stage.clip_grad_norm`?"),
        ("momentum=0.9", "`momentum`; known here: `name`, `about`, `model`, `stage`"),
    ] {
        let error = refused(set);
        assert!(error.starts_with("recipe --set: unknown key ") && error.ends_with(suggestion));
    }
    let error = Recipe::load("tiny-i17-t8", &["batch=4".to_owned()], None).unwrap_err();
    assert!(error.to_string().ends_with("did you mean `stage.batch`?"), "{error}");
}

#[test]
fn an_error_of_the_file_is_not_blamed_on_a_change() {
    let set = ["stage.lr=1e-4".to_owned(), "stage.log_steps=7".to_owned()];
    let refused = |from: &str, to: &str, set: &[String]| {
        let text = load("tiny-i17-t8").to_toml().replacen(from, to, 1);
        Recipe::parse(&text, "mine.toml", set, Some("pretrain")).unwrap_err().to_string()
    };
    let error = refused("beta1", "momentum", &set);
    assert!(error.starts_with("recipe mine.toml: unknown key `stage.momentum`; known"), "{error}");
    let error = refused("batch = 64", "batch = \"many\"", &set);
    assert!(error.contains("`stage.batch`") && error.contains("line 38"), "{error}");
    let set = [&set[..], &["stage.beta1=high".to_owned(), "stage.eps=1".to_owned()]].concat();
    let error = refused("beta2 = 0.95", "beta2 = 0.96", &set);
    assert!(
        error.starts_with("recipe mine.toml with stage.beta1=high: `stage.beta1`: invalid type"),
        "{error}"
    );
}

#[test]
fn integer_keys_accept_whole_floats() {
    fn to_floats(value: &mut Value) {
        match value {
            Value::Integer(integer) => *value = Value::Float(*integer as f64),
            Value::Array(items) => items.iter_mut().for_each(to_floats),
            Value::Table(table) => table.iter_mut().for_each(|(_, value)| to_floats(value)),
            _ => {}
        }
    }
    let recipe = load("tiny-i17-t8");
    let mut table: Table = recipe.to_toml().parse().unwrap();
    table.iter_mut().for_each(|(_, value)| to_floats(value));
    let text = table.to_string();
    assert!(text.contains("batch = 64.0"), "{text}");
    assert_eq!(Recipe::parse(&text, "mine.toml", &[], None).unwrap(), recipe);
    let set = ["stage.samples=1e6".to_owned()];
    let recipe = Recipe::load("tiny-i17-t8", &set, Some("pretrain")).unwrap();
    assert_eq!(recipe.stages[0].samples, Some(1_000_000));
    for (set, complaint) in [
        ("stage.batch=2.5", "`stage.batch`: invalid value: floating point `2.5`, expected a whole"),
        ("stage.batch=-2.0", "integer `-2`, expected a whole number, 0 or above"),
        ("stage.samples=1e300", "`stage.samples`: invalid value: floating point"),
        ("stage.image_size=nan", "`stage.image_size`: invalid value: floating point"),
    ] {
        let error = refused(set);
        assert!(error.contains(complaint), "{error}");
    }
}

#[test]
fn an_image_reduction_is_a_name_or_a_table() {
    let reduction = |written: &str| {
        let set = [format!("stage.image_reduction={written}")];
        let recipe = Recipe::load("tiny-i17-t8", &set, Some("pretrain"));
        recipe.map(|recipe| recipe.stages[0].image_reduction).map_err(|error| error.to_string())
    };
    for (written, expected) in [
        ("resize", ImageReduction::Resize),
        ("grid", ImageReduction::Grid),
        ("{ mask = 'grid' }", ImageReduction::Grid),
        ("{ mask = 'random', drop = 0.5 }", ImageReduction::Random { drop: 0.5 }),
        ("{ drop = 0, mask = 'block' }", ImageReduction::Block { drop: 0.0 }),
    ] {
        assert_eq!(reduction(written), Ok(expected), "{written}");
    }
    for (written, complaint) in [
        ("random", "`random` needs `drop`, the part of the patches that is dropped: { mask ="),
        ("{ mask = 'block' }", "`block` needs `drop`"),
        ("{ mask = 'grid', drop = 0.5 }", "`grid` keeps one patch of four and has no `drop`"),
        ("{ drop = 0.5 }", "missing field `mask`"),
        ("half", "unknown variant `half`, expected one of `resize`, `random`, `grid`, `block`"),
        ("7", "expected the name of an image reduction"),
    ] {
        let error = reduction(written).unwrap_err();
        assert!(error.contains(complaint), "{written}: {error}");
        assert!(error.contains("`stage.image_reduction`"), "{written}: {error}");
    }
}

#[test]
fn captions_are_a_name_or_weights_by_source() {
    let captions = |written: &str| {
        let set = [format!("stage.captions={written}")];
        let recipe = Recipe::load("tiny-i17-t8", &set, Some("pretrain"));
        recipe.map_err(|error| error.to_string())
    };
    let default = load("tiny-i17-t8");
    for written in ["first", "'first'"] {
        assert_eq!(captions(written).unwrap().hash(), default.hash(), "{written}");
    }
    let weights = BTreeMap::from([("json:alt".to_owned(), 3.0), ("txt".to_owned(), 0.0)]);
    for (written, expected) in [
        ("random", Captions::Random),
        ("{ \"json:alt\" = 3, txt = 0 }", Captions::BySource(weights)),
    ] {
        let recipe = captions(written).unwrap();
        assert_eq!(recipe.stages[0].captions, expected, "{written}");
        let again = Recipe::parse(&recipe.to_toml(), "again", &[], None).unwrap();
        assert_eq!((again.hash(), &again), (recipe.hash(), &recipe));
        assert_ne!(recipe.hash(), default.hash());
    }
    for (written, complaint) in [
        ("all", "expected `first`, `random`, or a table of weights"),
        ("7", "expected `first`, `random`, or a table of weights"),
        ("{ txt = 'much' }", "`stage.captions.txt`"),
        ("{ txt = -0.5, cap = 1 }", "captions = { \"txt\" = -0.5 }: a weight must be 0 or above"),
        ("{ txt = nan }", "a weight must be 0 or above"),
        ("{ txt = 0, cap = 0.0 }", "the weights of all sources together must be above 0"),
        ("{}", "the weights of all sources together must be above 0"),
    ] {
        let error = captions(written).unwrap_err();
        assert!(error.contains(complaint) && error.contains("captions"), "{written}: {error}");
    }
}

#[test]
fn a_wrong_value_is_named_with_stage_and_key() {
    assert_eq!(
        refused("stage.batch=1"),
        "recipe tiny-i17-t8, stage pretrain: batch = 1: a contrast needs at least 2 pairs"
    );
    assert!(refused("stage.image_size=33").contains("must divide image_size = 33"));
    assert!(refused("model.text.vocab_size=100").contains("its tokenizer has 49408 ids"));
    assert!(refused("model.text.heads=7").contains("model.text.heads = 7"));
    assert!(
        refused("stage.image_reduction={mask=\"random\",drop=1.5}")
            .contains("image_reduction.drop")
    );
    assert!(refused("stage.batch=many").contains("stage.batch=many"));
    assert!(refused("stage.text_reduction=nouns").contains("nouns"));
    assert!(refused("batch").contains("KEY=VALUE"));
    assert!(refused("stage.lr=nan").contains("lr = NaN"));
}

#[test]
fn a_file_that_is_no_recipe_is_shown_with_its_line() {
    let error = Recipe::parse("name = [", "mine.toml", &[], None).unwrap_err().to_string();
    assert!(error.contains("mine.toml") && error.contains("line 1"), "{error}");
    let text = load("tiny-i17-t8").to_toml().replace("batch = 64", "batch = \"many\"");
    let error = Recipe::parse(&text, "mine.toml", &[], None).unwrap_err().to_string();
    assert!(error.contains("batch = \"many\""), "{error}");
    assert!(error.contains("`stage.batch`") && error.contains("line 38"), "{error}");
    let text = text.replacen("text_reduction", "text_mask", 1);
    let error = Recipe::parse(&text, "mine.toml", &[], None).unwrap_err().to_string();
    assert!(error.contains("`stage.batch`") && error.contains("line 38"), "{error}");
    let text = load("tiny-i17-t8").to_toml().replacen("batch = 64\n", "", 1);
    let error = Recipe::parse(&text, "mine.toml", &[], None).unwrap_err().to_string();
    assert!(error.contains("in `stage`: ") && error.contains("missing field `batch`"), "{error}");
}

#[test]
fn a_recipe_that_is_not_there_is_named_with_what_is() {
    let error = Recipe::load("tiny-i17-t9", &[], None).unwrap_err();
    let message = error.to_string();
    assert_eq!(message, "no recipe named `tiny-i17-t9`, did you mean `tiny-i17-t8`?");
    let hint = error.hint().unwrap();
    assert!(BUILT_IN.iter().all(|recipe| hint.contains(recipe.name)), "{hint}");
    let error = Recipe::load("clip", &[], None).unwrap_err();
    assert_eq!(error.to_string(), "no recipe named `clip`");
    let error = Recipe::load("no/such/file.toml", &[], None).unwrap_err();
    assert!(error.to_string().contains("no/such/file.toml"), "{error}");
    assert_eq!(error.hint(), None);
}

#[test]
fn setting_one_of_a_pair_removes_the_other() {
    let set = ["stage.lr=1e-4".to_owned(), "stage.finetune.epochs=2".to_owned()];
    let recipe = Recipe::load("b16-i50-t16", &set, Some("pretrain")).unwrap();
    assert_eq!(recipe.stage("pretrain").unwrap().peak_lr(), 1e-4);
    assert_eq!(recipe.stage("finetune").unwrap().total_samples(10), 20);
    let error = Recipe::load("b16-i50-t16", &["stage.lr=1".to_owned()], None).unwrap_err();
    assert!(error.to_string().contains("stage.NAME.KEY"), "{error}");
}

#[test]
fn a_stage_that_never_leaves_the_warm_up_is_refused() {
    let recipe = load("tiny-i17-t8");
    let mut stage = recipe.stage("pretrain").unwrap().clone();
    (stage.batch, stage.samples, stage.warmup_steps) = (128, Some(1_280), 10);
    let error = recipe.check_length(&stage, 100).unwrap_err().to_string();
    assert!(error.contains("warmup_steps = 10: the stage ends after 10 steps"), "{error}");
    stage.samples = Some(100);
    assert!(recipe.check_length(&stage, 100).unwrap_err().to_string().contains("batch = 128"));
}

#[test]
fn a_schedule_has_its_own_keys_only() {
    let cooled = |keys: &[&str]| {
        let set: Vec<String> = ["stage.schedule=constant-cooldown", "stage.samples=6400"]
            .iter()
            .chain(keys)
            .map(|&set| set.to_owned())
            .collect();
        Recipe::load("tiny-i17-t8", &set, Some("pretrain"))
    };
    let recipe = cooled(&["stage.cooldown_samples=1280", "stage.cooldown_power=2"]).unwrap();
    let again = Recipe::parse(&recipe.to_toml(), "again", &[], None).unwrap();
    assert_eq!(again, recipe);
    let schedule = recipe.stages[0].schedule(100);
    let expected = schedule::Course::Cooldown { steps: 20, power: 2.0, end: 0.0 };
    assert_eq!((schedule.total_steps, schedule.course), (100, expected));
    assert_eq!((schedule.lr(79), schedule.lr(90)), (2e-3, 5e-4));

    assert!(cooled(&[]).unwrap_err().to_string().contains("cooldown_samples = not given"));
    let short = cooled(&["stage.cooldown_samples=63"]).unwrap_err().to_string();
    assert!(short.contains("a batch is 64"), "{short}");
    let long = cooled(&["stage.cooldown_samples=3200"]).unwrap();
    let long = long.check_length(&long.stages[0], 100).unwrap_err().to_string();
    assert!(long.contains("longer than the stage"), "{long}");
    let rising = cooled(&["stage.cooldown_samples=640", "stage.cooldown_end_lr=1"]).unwrap_err();
    assert!(rising.to_string().contains("between 0 and the peak"), "{rising}");
    for key in ["cooldown_samples=640", "cooldown_power=1", "cooldown_end_lr=0"] {
        let error = refused(&format!("stage.{key}"));
        assert!(error.contains("only `schedule = \"constant-cooldown\"`"), "{error}");
    }
    let constant = ["stage.schedule=constant".to_owned()];
    let constant = Recipe::load("tiny-i17-t8", &constant, Some("pretrain")).unwrap();
    assert_eq!(constant.stages[0].schedule(100).lr(5_999), 2e-3);
}

/// SigLIP's bias is a parameter of the model, and a recipe without the key has CLIP's loss as ever.
#[test]
fn the_loss_is_the_models() {
    let set = ["model.loss=siglip".to_owned()];
    let recipe = Recipe::load("b16-i50-t16", &set, None).unwrap();
    assert_eq!(cost(&recipe, "finetune").parameters(), 149_589_506);
    assert!(recipe.to_toml().contains("loss = \"siglip\""));
    assert!(!load("b16-i50-t16").to_toml().contains("loss"));
    assert!(refused("model.loss=infonce").contains("infonce"));
}

#[test]
fn precisions_have_open_clips_names_too() {
    let written = |name: &str| {
        let set = [format!("stage.precision={name}")];
        Recipe::load("tiny-i17-t8", &set, Some("pretrain")).map(|recipe| recipe.to_toml())
    };
    assert_eq!(written("amp_bf16").unwrap(), written("bf16").unwrap());
    assert_eq!(written("fp32").unwrap(), written("f32").unwrap());
    assert!(written("fp16").unwrap_err().to_string().contains("bf16"));
}
