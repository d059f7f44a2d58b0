//! How the functions are linked, and the page's files as they are sent.

/// The page's files that are sent as they are.
const FILES: [&str; 8] = [
    "roxchat.js",
    "roxchat.css",
    "words/ar.json",
    "words/de.json",
    "words/en.json",
    "words/es.json",
    "words/fr.json",
    "words/pt.json",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    // At a fixed address the loader has nothing to relocate before `main`.
    println!("cargo:rustc-link-arg-bins=-no-pie");
    // Generic code instantiated twice with the same result is kept once: a twentieth of the size. The linker that the
    // pinned toolchain brings for this target can do it; that of the other targets is the system's.
    if std::env::var("TARGET").as_deref() == Ok("x86_64-unknown-linux-gnu") {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
        // What is alike lies side by side, where the archive's compression finds it: a tenth of the upload. A linker that
        // somebody chose may not know how.
        if std::env::var_os("RUSTC_LINKER").is_none() {
            println!("cargo:rustc-link-arg-bins=-Wl,--bp-compression-sort=both");
        }
    }
    pages_build::pack("../../web/roxchat", &FILES)
}
