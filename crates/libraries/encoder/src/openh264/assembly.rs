//! Whether the encoder's assembly is in the program. The crate that builds it leaves it out without
//! a word where nasm fails, and pictures then take several times as long.

use std::hint::black_box;

/// The address of one function of many, which exists in assembly only: a program without it does
/// not link.
#[cfg(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "arm",
    target_arch = "aarch64"
))]
fn proof() -> Option<usize> {
    #[expect(unsafe_code, reason = "a name of C is declared to see that it exists")]
    // SAFETY: it is never called, so it does not matter what it takes and gives.
    unsafe extern "C" {
        #[cfg_attr(
            any(target_arch = "x86", target_arch = "x86_64"),
            link_name = "WelsSampleSad16x16_sse2"
        )]
        #[cfg_attr(target_arch = "arm", link_name = "WelsSampleSad16x16_neon")]
        #[cfg_attr(target_arch = "aarch64", link_name = "WelsSampleSad16x16_AArch64_neon")]
        fn sum_of_differences();
    }
    Some(sum_of_differences as unsafe extern "C" fn() as usize)
}

/// There is none for this processor.
#[cfg(not(any(
    target_arch = "x86",
    target_arch = "x86_64",
    target_arch = "arm",
    target_arch = "aarch64"
)))]
fn proof() -> Option<usize> {
    None
}

/// Which instructions it uses here, for people.
pub(super) fn instructions() -> &'static str {
    match black_box(proof()) {
        Some(_) => vector_instructions(),
        None => "no vector instructions: slow",
    }
}

/// As openh264 looks for them itself, by cpuid. It has assembly for AVX2, too, but the crate does
/// not build that.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn vector_instructions() -> &'static str {
    if std::is_x86_feature_detected!("sse4.1") {
        "SSE4.1"
    } else if std::is_x86_feature_detected!("ssse3") {
        "SSSE3"
    } else {
        "SSE2"
    }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn vector_instructions() -> &'static str {
    "NEON"
}
