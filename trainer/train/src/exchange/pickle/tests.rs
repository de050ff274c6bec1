//! Pickles made instruction by instruction: what weights need is read, and nothing else is asked for in vain.

use clipa_tests::Pickle;

use super::{
    machine::{MAX_DEPTH, MAX_VALUES},
    *,
};

fn foreign(pickle: Pickle) -> String {
    match load(&pickle.end()) {
        Err(PickleError::Foreign(asked)) => asked,
        other => panic!("{other:?}"),
    }
}

fn damaged(bytes: &[u8]) -> String {
    match load(bytes) {
        Err(PickleError::Damaged(detail)) => detail,
        other => panic!("{other:?}"),
    }
}

/// A dictionary with one value of each kind that a checkpoint has.
fn everything() -> Pickle {
    Pickle::new()
        .raw(b"}q\x00(")
        .text("epoch")
        .int(6)
        .text("large")
        .int(1 << 40)
        .text("negative")
        .int(-3)
        .text("lr")
        .raw(b"G")
        .raw(&0.5f64.to_be_bytes())
        .text("flags")
        .raw(b"\x88\x89N\x87")
        .text("betas")
        .raw(b"](K\x09M\x00\x01e")
        .text("again")
        .raw(b"h\x00")
        .text("weights")
        .global("collections", "OrderedDict")
        .raw(b")R(")
        .text("w")
        .tensor(("HalfStorage", "0", 12), 3, &[2, 3], &[1, 2])
        .text("p")
        .global("torch._utils", "_rebuild_parameter")
        .raw(b"(")
        .tensor(("FloatStorage", "1", 4), 0, &[], &[])
        .raw(b"\x88N")
        .raw(b"tR")
        .raw(b"u}")
        .text("_metadata")
        .raw(b"}sb")
        .raw(b"u")
}

#[test]
fn tensors_and_containers_are_read() {
    let pickled = load(&everything().end()).unwrap();
    let root = pickled.root();
    let int = |key: &str| pickled.int(pickled.get(root, key).unwrap()).unwrap();
    assert_eq!((int("epoch"), int("large"), int("negative")), (6, 1 << 40, -3));
    assert_eq!(*pickled.value(pickled.get(root, "lr").unwrap()), Value::Float(0.5));
    let betas = pickled.sequence(pickled.get(root, "betas").unwrap()).unwrap();
    assert_eq!(betas.iter().map(|&id| pickled.int(id).unwrap()).collect::<Vec<_>>(), [9, 256]);
    // A dictionary that holds itself is no circle to walk in.
    assert_eq!(pickled.get(root, "again"), Some(root));
    let weights = pickled.get(root, "weights").unwrap();
    assert_eq!(pickled.items(weights).unwrap().len(), 2);
    let tensor = pickled.tensor(pickled.get(weights, "w").unwrap()).unwrap();
    assert_eq!((tensor.offset, tensor.count(), tensor.span()), (3, 6, 6));
    assert_eq!((tensor.size.as_slice(), tensor.stride.as_slice()), (&[2, 3][..], &[1, 2][..]));
    assert_eq!(tensor.storage.element, Element::Half);
    let parameter = pickled.tensor(pickled.get(weights, "p").unwrap()).unwrap();
    assert_eq!((parameter.count(), parameter.span()), (1, 1));
}

#[test]
fn protocol_four_is_read() {
    let short = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes()].concat();
    let bytes = [
        &b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00"[..],
        &short("collections"),
        b"\x94",
        &short("OrderedDict"),
        b"\x94\x93\x94)R\x94(",
        &short("a"),
        b"K\x07u.",
    ]
    .concat();
    let pickled = load(&bytes).unwrap();
    let seven = pickled.get(pickled.root(), "a").unwrap();
    assert_eq!(pickled.int(seven), Some(7));
    let bytes = [b"\x80\x04", &short("posix")[..], &short("system"), b"\x93."].concat();
    assert_eq!(load(&bytes).unwrap_err(), PickleError::Foreign("posix.system".to_owned()));
}

#[test]
fn what_asks_for_anything_else_is_refused_by_its_name() {
    for (module, name) in [
        ("posix", "system"),
        ("os", "system"),
        ("builtins", "eval"),
        ("__builtin__", "exec"),
        ("subprocess", "Popen"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor_v3"),
        ("torch.hub", "load"),
        ("numpy.core.multiarray", "scalar"),
        ("argparse", "Namespace"),
        ("collections", "defaultdict"),
        ("torch", "FloatStorage.__reduce__"),
        ("collections.OrderedDict", "__class__"),
    ] {
        let asked = format!("{module}.{name}");
        let called = Pickle::new().global(module, name).text("touch was-here").raw(b"\x85R");
        assert_eq!(foreign(called), asked);
        // Named and never called is asked for, too.
        assert_eq!(
            foreign(Pickle::new().raw(b"}").text("a").global(module, name).raw(b"s")),
            asked
        );
        let instance = Pickle::new().raw(b"(").text("x").raw(b"i").raw(module.as_bytes());
        let instance = instance.raw(b"\n").raw(name.as_bytes()).raw(b"\n");
        assert_eq!(foreign(instance), format!("{asked} (INST)"));
    }
}

#[test]
fn instructions_that_make_objects_are_refused() {
    let ordered = || Pickle::new().global("collections", "OrderedDict");
    assert_eq!(foreign(ordered().raw(b")\x81")), "an object (NEWOBJ)");
    assert_eq!(foreign(ordered().raw(b")}\x92")), "an object (NEWOBJ)");
    assert_eq!(
        foreign(Pickle::new().raw(b"(").global("collections", "OrderedDict").raw(b"o")),
        "an object (OBJ)"
    );
    assert_eq!(foreign(Pickle::new().raw(b"P0\n")), "a persistent id in text (PERSID)");
    assert_eq!(foreign(Pickle::new().raw(b"\x82\x01")), "an extension (EXT)");
    assert_eq!(foreign(Pickle::new().raw(b"}}b")), "a state (BUILD) for a dictionary");
    let tensor = Pickle::new().tensor(("FloatStorage", "0", 1), 0, &[1], &[1]);
    assert_eq!(foreign(tensor.raw(b"}b")), "a state (BUILD) for a tensor");
    assert_eq!(foreign(Pickle::new().text("f").raw(b")R")), "a call (REDUCE) of a string");
    let storage = Pickle::new().global("torch", "FloatStorage").raw(b")R");
    assert_eq!(foreign(storage), "a call of a torch storage's class");
}

#[test]
fn tensors_stay_within_their_storages() {
    let of = |count: i64, offset: i64, size: &[i64], stride: &[i64]| {
        load(&Pickle::new().tensor(("FloatStorage", "0", count), offset, size, stride).end())
    };
    assert!(of(6, 0, &[2, 3], &[3, 1]).is_ok());
    assert!(of(0, 0, &[0, 3], &[3, 1]).is_ok());
    for (count, offset, size, stride) in [
        (5, 0, &[2, 3][..], &[3, 1][..]),
        (6, 1, &[2, 3], &[3, 1]),
        (6, -1, &[2, 3], &[3, 1]),
        (6, 0, &[2, 3], &[4, 1]),
        (6, 0, &[2, 3], &[-3, 1]),
        (6, 0, &[-2, 3], &[3, 1]),
        (-6, 0, &[2, 3], &[3, 1]),
        (6, 0, &[2, 3], &[1]),
        (6, i64::MAX, &[2, 3], &[3, 1]),
        (i64::MAX, 0, &[i64::MAX, i64::MAX], &[1, 1]),
        (6, 0, &[2, 3], &[i64::MAX, 1]),
        // One number shown a thousand million times.
        (6, 0, &[1_000_000_000], &[0]),
        (6, 0, &[1; 9], &[1; 9]),
    ] {
        let found = of(count, offset, size, stride);
        assert!(
            matches!(found, Err(PickleError::Damaged(_))),
            "{count} {offset} {size:?} {found:?}"
        );
    }
    let named =
        |key: &str| load(&Pickle::new().tensor(("FloatStorage", key, 1), 0, &[1], &[1]).end());
    for key in ["", "../../etc/passwd", "a/b", "0\n", &"0".repeat(40)] {
        assert!(named(key).is_err(), "{key:?}");
    }
}

#[test]
fn limits_hold() {
    let deep = Pickle::new().raw(&vec![b'('; MAX_DEPTH + 1]);
    assert!(damaged(&deep.end()).contains("nested more than"));
    let many = Pickle::new().raw(&vec![b'N'; MAX_VALUES + 1]);
    assert!(damaged(&many.end()).contains("values"));
    // A list of a thousand pairs that is made into a dictionary again and again.
    let pairs = (0..1000).fold(Pickle::new().raw(b"]q\x00("), |pickle, _| pickle.raw(b"NN\x86"));
    let bomb = (0..5000).fold(pairs.raw(b"e"), |pickle, _| {
        pickle.global("collections", "OrderedDict").raw(b"h\x00\x85R")
    });
    assert!(damaged(&bomb.end()).contains("values"));
    assert!(damaged(&vec![b'N'; MAX_BYTES as usize + 1]).contains("bytes"));
    assert!(damaged(b"\x80\x02\x8a\x09123456789.").contains("a number of 9 bytes"));
    assert!(damaged(b"X\xff\xff\xff\xffabc").contains("ends early"));
    assert!(damaged(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc").contains("ends early"));
}

#[test]
fn a_pickle_that_is_cut_anywhere_is_an_error() {
    let whole = everything().end();
    for length in 0..whole.len() {
        assert!(load(&whole[..length]).is_err(), "{length}");
    }
}

/// Whatever is flipped, reading ends, and what it returns stays within its storages.
#[test]
fn no_flip_panics_or_reaches_beyond_a_storage() {
    let whole = everything().end();
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << bit;
            let Ok(pickled) = load(&flipped) else { continue };
            for value in &pickled.values {
                if let Value::Tensor(tensor) = value {
                    assert!(tensor.offset + tensor.span() <= tensor.storage.count);
                }
            }
        }
    }
}
