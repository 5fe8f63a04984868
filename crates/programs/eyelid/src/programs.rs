//! The programs that this one starts: what starts each of them, and what each is told. A new program is a new row.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::plan::Plan;

/// A program, and a package of cargo's with the same name.
#[derive(Debug)]
pub(crate) struct Program {
    /// What its file is called, which lies beside this program's.
    pub(crate) name: &'static str,
    /// Whether this program works without it.
    pub(crate) need: Need,
    /// What starts it.
    pub(crate) start: Start,
    /// What is to run of it under a plan, with the slots in a directory.
    instances: fn(&Plan, &Path) -> Vec<Instance>,
}

/// Whether a program has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Without it nothing works.
    Required,
}

/// What starts a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Somebody connects. The program gets the listening sockets, and ends by itself when nobody is connected.
    Connection,
    /// Somebody connects, or opens the frame in a slot. The program fills a slot, and is ended when nobody looks.
    Look,
}

/// A process that is to run of a program.
#[derive(Debug)]
pub(crate) struct Instance {
    /// What people call it.
    pub(crate) label: String,
    /// Where it is described: what goes before its complaints.
    pub(crate) place: String,
    /// What it is started with.
    pub(crate) arguments: Vec<OsString>,
    /// The slot that it fills, if it does.
    pub(crate) slot: Option<PathBuf>,
}

/// All of them, in the order in which they are checked, started and ended.
pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "eyelid-server",
        need: Need::Required,
        start: Start::Connection,
        instances: server,
    },
    Program {
        name: CAPTURE,
        need: Need::Required,
        start: Start::Look,
        instances: captures,
    },
];

/// The program that lists cameras, too.
pub(crate) const CAPTURE: &str = "eyelid-capture";

impl Program {
    /// What is to run of it under a plan, with the slots in a directory.
    pub(crate) fn instances(&self, plan: &Plan, slots: &Path) -> Vec<Instance> {
        (self.instances)(plan, slots)
    }
}

fn server(plan: &Plan, slots: &Path) -> Vec<Instance> {
    vec![Instance {
        label: "eyelid-server".to_owned(),
        place: "eyelid-server".to_owned(),
        arguments: plan.server_arguments(slots),
        slot: None,
    }]
}

fn captures(plan: &Plan, slots: &Path) -> Vec<Instance> {
    let instance = |camera: &crate::plan::Camera| Instance {
        label: format!("{CAPTURE} of camera {:?}", camera.name.as_str()),
        place: plan.place(camera),
        arguments: plan.capture_arguments(camera, slots),
        slot: Some(camera.slot(slots)),
    };
    plan.cameras.iter().map(instance).collect()
}
