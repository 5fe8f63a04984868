//! Which encoder there is.

use eyelid_config::EncoderChoice;

use crate::feeds::MakeEncoder;

/// An encoder that this program does not have.
#[derive(Debug, thiserror::Error)]
#[error("encoder {0:?}: this build has none of that name")]
pub(crate) struct NoEncoder(&'static str);

/// Gives what makes encoders.
///
/// # Errors
/// There is none such.
pub(crate) fn chosen(choice: EncoderChoice) -> Result<MakeEncoder, NoEncoder> {
    match choice {
        EncoderChoice::Auto | EncoderChoice::Openh264 => openh264(),
        EncoderChoice::V4l2 => Err(NoEncoder("v4l2")),
    }
}

#[cfg(feature = "native")]
fn openh264() -> Result<MakeEncoder, NoEncoder> {
    Ok(std::sync::Arc::new(|settings| {
        let encoder = eyelid_encoder::OpenH264::new(settings);
        Ok(Box::new(encoder) as Box<dyn eyelid_encoder::Encoder>)
    }))
}

#[cfg(not(feature = "native"))]
fn openh264() -> Result<MakeEncoder, NoEncoder> {
    Err(NoEncoder("openh264"))
}
