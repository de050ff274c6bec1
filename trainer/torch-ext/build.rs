//! Compiles the shim against the libtorch that torch-sys found, and passes its library folder on.

use std::{env, path::PathBuf};

fn main() {
    // torch-sys has `links = "tch"` and tells its library folder to direct dependents only.
    let libraries = PathBuf::from(
        env::var("DEP_TCH_LIBTORCH_LIB")
            .expect("torch-sys told no library folder: set LIBTORCH or run `cargo xtask libtorch`"),
    );
    let root = libraries.parent().expect("libtorch's library folder has a parent");
    cc::Build::new()
        .cpp(true)
        .std("c++20")
        .opt_level(2)
        .warnings(false)
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .include(root.join("include"))
        .include(root.join("include/torch/csrc/api/include"))
        .file("cpp/torch_ext.cpp")
        .compile("torch_ext");
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rustc-link-search=native={}", libraries.display());
    for library in ["torch_cpu", "c10"] {
        println!("cargo:rustc-link-lib=dylib={library}");
    }
    // Read by dependents as DEP_TORCH_EXT_LIBTORCH_LIB; a rpath is not inherited, every package sets its own.
    println!("cargo:libtorch_lib={}", libraries.display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", libraries.display());
}
