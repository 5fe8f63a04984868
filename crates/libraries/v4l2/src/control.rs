//! A device's controls: what there are, and setting them.

use std::io;

use crate::Node;

/// `struct v4l2_queryctrl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct QueryControl {
    /// Its number.
    pub id: u32,
    /// `enum v4l2_ctrl_type`.
    pub kind: u32,
    /// What it is called.
    pub name: [u8; 32],
    /// The least that it takes.
    pub minimum: i32,
    /// The most.
    pub maximum: i32,
    step: i32,
    /// What it has where nobody has set it.
    pub default: i32,
    /// `V4L2_CTRL_FLAG_...`.
    pub flags: u32,
    reserved: [u32; 2],
}

/// `struct v4l2_querymenu`.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default)]
struct QueryMenu {
    id: u32,
    index: u32,
    /// The name, or a number of 64 bits.
    name: [u8; 32],
    reserved: u32,
}

/// `struct v4l2_control`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ControlValue {
    id: u32,
    value: i32,
}

const _: () = {
    assert!(size_of::<QueryControl>() == 68);
    assert!(size_of::<QueryMenu>() == 44);
    assert!(size_of::<ControlValue>() == 8);
};

nix::ioctl_readwrite!(s_ctrl, b'V', 28, ControlValue);
nix::ioctl_readwrite!(queryctrl, b'V', 36, QueryControl);
nix::ioctl_readwrite!(querymenu, b'V', 37, QueryMenu);

impl Node {
    /// The least and the most that a control takes; `None`: there is none such.
    pub fn control(&self, id: u32) -> Option<(i32, i32)> {
        const DISABLED: u32 = 1;
        let control = self.query_control(id)?;
        (control.flags & DISABLED == 0).then_some((control.minimum, control.maximum))
    }

    /// The first control with a higher number than `id`.
    pub fn control_after(&self, id: u32) -> Option<QueryControl> {
        const NEXT: u32 = 0x8000_0000;
        let control = self.query_control(id | NEXT)?;
        // A driver that gave the same one again would be asked for ever.
        (control.id > id).then_some(control)
    }

    fn query_control(&self, id: u32) -> Option<QueryControl> {
        let mut control = QueryControl {
            id,
            ..QueryControl::default()
        };
        self.ask(queryctrl, &mut control).ok()?;
        Some(control)
    }

    /// The name of a choice of a control, or the bytes of its number. `None`: there is no such
    /// choice.
    pub fn menu_item(&self, id: u32, index: u32) -> Option<[u8; 32]> {
        let mut item = QueryMenu {
            id,
            index,
            ..QueryMenu::default()
        };
        self.ask(querymenu, &mut item).ok()?;
        Some(item.name)
    }

    /// Sets a control.
    ///
    /// # Errors
    /// What the driver says.
    pub fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
        self.ask(s_ctrl, &mut ControlValue { id, value })
    }
}
