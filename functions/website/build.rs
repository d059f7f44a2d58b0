//! How the functions are linked, and the widget's files as they are sent.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Where the widget's joined files are.
const WIDGET: &str = "../../web/widget";

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
    for name in ["webchat.js", "webchat.css"] {
        let source = Path::new(WIDGET).join(name);
        println!("cargo:rerun-if-changed={}", source.display());
        let text = std::fs::read(source)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&text)?;
        std::fs::write(Path::new(&out).join(format!("{name}.gz")), encoder.finish()?)?;
        std::fs::write(Path::new(&out).join(format!("{name}.tag")), format!("W/\"{:016x}\"", fingerprint(&text)))?;
    }
    Ok(())
}

/// FNV-1a: tells one version of a file from another, which nobody tries to forge.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
