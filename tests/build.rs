//! Tells the linker where libtorch lies: a package's run-time search path is not inherited from its dependencies.

fn main() {
    if let Ok(libraries) = std::env::var("DEP_TORCH_EXT_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libraries}");
    }
}
