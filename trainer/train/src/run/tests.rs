//! Recipes as runs take them: what they make the stream read, and a first step of each published one.

use clipa_recipe::{Recipe, model::cost::Cost};
use clipa_schemas::reduction::text::Specials;

use crate::{loss, model::Clip, optimizer::AdamW};

const PUBLISHED: [&str; 3] = ["b16-i50-t16", "l16-i17-t16", "l16-i37-t8"];

#[test]
fn the_dialect_of_bert_is_the_stages() {
    let stripped = "stage.strip_sep_token=true".to_owned();
    let refused = Recipe::load("tiny-i17-t8", &[stripped], Some("pretrain")).unwrap_err();
    assert!(refused.to_string().contains("only BERT's WordPiece has a [SEP]"), "{refused}");
    let bert = "model.text.tokenizer=bert-wordpiece".to_owned();
    let set = [bert.clone(), "stage.tokenizer_kwargs.strip_sep_token=true".to_owned()];
    for (set, specials) in [(&set[..1], Specials::BERT_CLIPA), (&set[..], Specials::BERT_OPEN_CLIP)]
    {
        let recipe = Recipe::load("tiny-i17-t8", set, Some("pretrain")).unwrap();
        let stream = super::stream_config(&recipe, &recipe.stages[0], 1);
        assert_eq!((stream.tokenizer.as_str(), stream.specials), ("bert_wordpiece", specials));
        let again = Recipe::parse(&recipe.to_toml(), "again", &[], None).unwrap();
        assert_eq!(again, recipe);
    }
}

/// The three published recipes build and take a step of two pairs: the loss begins near ln 2, and a weight with a
/// gradient moves by the learning rate, as Adam's first step does.
#[test]
fn the_published_recipes_take_a_step() {
    for name in PUBLISHED {
        let recipe = Recipe::load(name, &[], None).unwrap();
        let stage = recipe.stage("pretrain").unwrap();
        let model = stage.model(&recipe.model);
        let clip = Clip::new(&model, stage.sizes(), 0, tch::Device::Cpu).unwrap();
        let expected = Cost::new(&model, stage.sizes(), stage.kept_patches(&model)).parameters();
        assert_eq!(clip.parameters().count(), expected);
        let side = stage.image_size;
        let bytes = (0..2 * side * side * 3).map(|i| (i * i % 251) as u8).collect();
        let images = torch_ext::from_owned(bytes, &[2, side, side, 3]).unwrap();
        let tokens: Vec<i64> = (0..2 * stage.context_length)
            .map(|i| if i % 5 == 4 { 49407 } else { 320 + i })
            .collect();
        let tokens = torch_ext::from_owned(tokens, &[2, stage.context_length]).unwrap();
        let images = loss::normalise(&clip.encode_image(&images, None));
        let texts = loss::normalise(&clip.encode_text(&tokens));
        let loss = loss::direct::clip_loss(&images, &texts, clip.logit_scale());
        assert!((loss.double_value(&[]) - 2f64.ln()).abs() < 0.5, "{name}: {loss}");
        let weight = clip.parameters().tensor("visual.transformer.resblocks.0.mlp.c_fc.bias");
        let before = weight.detach().copy();
        loss.backward();
        let mut optimizer = AdamW::new(clip.parameters(), stage.adamw());
        let norm = optimizer.step(1e-4, None).unwrap().double_value(&[0]);
        assert!(norm.is_finite() && norm > 0.0, "{name}: {norm}");
        let moved = (weight - before).abs().max().double_value(&[]);
        assert!((moved - 1e-4).abs() < 1e-5, "{name}: {moved}");
    }
}
