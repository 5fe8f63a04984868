//! The one thing of EXIF that matters: which way up.

/// Tag "Orientation" of IFD0 (Exif 2.32, 4.6.4).
const ORIENTATION: u16 = 0x0112;

/// Reads the orientation out of the payload of an APP1 segment; `None` where it says nothing that
/// can be understood.
pub(super) fn orientation(payload: &[u8]) -> Option<u16> {
    let tiff = payload.strip_prefix(b"Exif\0\0")?;
    let order = match tiff.get(..4)? {
        b"II*\0" => Order::Little,
        b"MM\0*" => Order::Big,
        _ => return None,
    };
    let directory = usize::try_from(order.u32(tiff, 4)?).ok()?;
    let entries = usize::from(order.u16(tiff, directory)?);
    (0..entries).find_map(|index| {
        let entry = directory.checked_add(2 + index * 12)?;
        // A SHORT lies in the first two bytes of the value field.
        (order.u16(tiff, entry)? == ORIENTATION && order.u16(tiff, entry + 2)? == 3)
            .then(|| order.u16(tiff, entry + 8))?
    })
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let two = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(two),
            Self::Big => u16::from_be_bytes(two),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(four),
            Self::Big => u32::from_be_bytes(four),
        })
    }
}
