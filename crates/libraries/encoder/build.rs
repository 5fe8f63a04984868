//! Says what is missing before an encoder is built that would be slow: the crate that builds it
//! does so without a word. What it cannot see here, the linker does (`openh264/assembly.rs`).

use std::env;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=NASM");
    println!("cargo::rerun-if-env-changed=OPENH264_NO_ASM");
    let is_built = env::var_os("CARGO_FEATURE_OPENH264").is_some();
    let processor = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if !is_built || !matches!(processor.as_str(), "x86" | "x86_64") {
        return;
    }
    if env::var_os("OPENH264_NO_ASM").is_some() {
        println!("cargo::error=OPENH264_NO_ASM is set: openh264 would take several times as long");
        return;
    }
    // As the crate nasm-rs looks for it.
    let nasm = env::var_os("NASM").unwrap_or_else(|| "nasm".into());
    let works = Command::new(&nasm)
        .arg("-v")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        println!(
            "cargo::error={} does not run: openh264 needs it on x86 (apt install nasm)",
            nasm.display()
        );
    }
}
