//! How the functions are linked, and the screens' files as they are sent.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Where the screens' files are.
const INAPP: &str = "../../web/inapp";

/// Those that are sent as they are.
const FILES: [&str; 12] = [
    "action.js",
    "chat.js",
    "education.js",
    "inapp.css",
    "words/ar.json",
    "words/de.json",
    "words/en.json",
    "words/es.json",
    "words/fr.json",
    "words/ja.json",
    "words/pt.json",
    "words/zh.json",
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
    let out = std::env::var("OUT_DIR")?;
    for path in FILES {
        let source = Path::new(INAPP).join(path);
        println!("cargo:rerun-if-changed={}", source.display());
        let text = std::fs::read(source)?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&text)?;
        std::fs::write(Path::new(&out).join(format!("{name}.gz")), encoder.finish()?)?;
        std::fs::write(Path::new(&out).join(format!("{name}.tag")), format!("{:016x}", fingerprint(&text)))?;
    }
    Ok(())
}

/// FNV-1a: tells one version of a file from another, which nobody tries to forge.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
