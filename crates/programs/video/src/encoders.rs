//! Which encoder there is.

mod fallback;

use std::sync::Arc;

use eyelid_config::EncoderChoice;
use eyelid_encoder::{Encoder, NoDevice, Settings, V4l2, V4l2Device};

use crate::feeds::MakeEncoder;
use fallback::{Failures, Fallback};

/// An encoder that this program or this machine does not have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoEncoder {
    /// It was not built with one of that name.
    #[cfg(not(feature = "native"))]
    #[error("encoder {0:?}: this build has none of that name")]
    Unbuilt(&'static str),
    /// The machine has none.
    #[error("encoder \"v4l2\": {0}")]
    Machine(#[from] NoDevice),
}

/// What encodes.
pub(crate) struct Chosen {
    pub(crate) make: MakeEncoder,
    /// What it is, and where nobody has said so why, for people.
    pub(crate) said: String,
}

/// Makes an encoder, in the thread that it will live in.
type Make = fn(Settings) -> Box<dyn Encoder>;

/// Gives what makes encoders.
///
/// # Errors
/// There is none such.
pub(crate) fn chosen(choice: EncoderChoice) -> Result<Chosen, NoEncoder> {
    match choice {
        EncoderChoice::Openh264 => openh264().map(|make| Chosen {
            said: description(make),
            make: Arc::new(make),
        }),
        EncoderChoice::V4l2 => {
            let device = V4l2Device::find()?;
            Ok(Chosen {
                said: format!("v4l2 by {}", device.description()),
                make: Arc::new(move |settings| Box::new(V4l2::new(device.clone(), settings))),
            })
        }
        EncoderChoice::Auto => openh264().map(|make| auto(make, V4l2Device::find())),
    }
}

/// The machine's own where it has one; what the processor does where that fails.
fn auto(processor: Make, device: Result<V4l2Device, NoDevice>) -> Chosen {
    let processors = description(processor);
    match device {
        Ok(device) => {
            let said = format!(
                "v4l2 by {}; {processors} where that fails",
                device.description()
            );
            let failures = Arc::new(Failures::default());
            let make = move |settings| {
                let machines = Box::new(V4l2::new(device.clone(), settings));
                let fallback = Fallback::new(machines, processor, settings, failures.clone());
                Box::new(fallback) as Box<dyn Encoder>
            };
            Chosen {
                make: Arc::new(make),
                said,
            }
        }
        Err(reason) => Chosen {
            make: Arc::new(processor),
            said: format!("{processors}; not v4l2: {reason}"),
        },
    }
}

/// What an encoder says of itself before it has encoded anything.
fn description(make: Make) -> String {
    let settings = Settings {
        bits_per_second: 0,
        pictures_per_second: 30.0,
    };
    make(settings).description()
}

#[cfg(feature = "native")]
fn openh264() -> Result<Make, NoEncoder> {
    Ok(|settings| Box::new(eyelid_encoder::OpenH264::new(settings)))
}

#[cfg(not(feature = "native"))]
fn openh264() -> Result<Make, NoEncoder> {
    Err(NoEncoder::Unbuilt("openh264"))
}
