//! With the feature `bert`, tells the linker where libtorch lies.

fn main() {
    // torch-sys tells it to its direct dependents only.
    if let Ok(libraries) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libraries}");
    }
}
