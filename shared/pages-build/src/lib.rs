//! Files of pages as they are sent: compressed once, in the build, and not with every answer.
//!
//! For build scripts of the crates whose functions serve pages. What it writes is what `pages::file!` reads.

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Writes each of these files of a folder, relative to the crate's own, into `OUT_DIR`: as it is, compressed, and its fingerprint.
/// Names without their folders must differ.
///
/// # Errors
/// A file that is not there.
pub fn pack(folder: &str, files: &[&str]) -> Result<(), Box<dyn Error>> {
    let out = std::env::var("OUT_DIR")?;
    for path in files {
        let source = Path::new(folder).join(path);
        println!("cargo:rerun-if-changed={}", source.display());
        let text = std::fs::read(&source).map_err(|error| format!("{}: {error}", source.display()))?;
        let name = path.rsplit('/').next().unwrap_or(path);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&text)?;
        let out = Path::new(&out);
        std::fs::write(out.join(format!("{name}.gz")), encoder.finish()?)?;
        std::fs::write(out.join(format!("{name}.tag")), format!("{:016x}", fingerprint(&text)))?;
        std::fs::write(out.join(name), text)?;
    }
    Ok(())
}

/// FNV-1a: tells one version of a file from another, which nobody tries to forge.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_fnv_1a() {
        assert_eq!(fingerprint(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
