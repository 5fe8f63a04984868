//! The programs that this one starts: what starts each of them, and what each is told. A new
//! program is a new row.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use eyelid_figures::{rtp_socket, video_socket};

use crate::plan::{Camera, Listen, Plan, flag};
use crate::pushed;

/// A program, and a package of cargo's with the same name.
#[derive(Debug)]
pub(crate) struct Program {
    /// What its file is called, which lies beside this program's.
    pub(crate) name: &'static str,
    /// Whether this program works without it.
    pub(crate) need: Need,
    /// What starts it.
    pub(crate) start: Start,
    /// Its own port, besides what `start` says.
    pub(crate) port: Option<Port>,
    /// The UDP port that it binds by itself when it is started, if it does.
    pub(crate) udp: Option<fn(&Plan) -> SocketAddr>,
    /// Where it tells the server what it does, in the directory of doors, if it does.
    pub(crate) status: Option<fn(&Path) -> PathBuf>,
    /// What is to run of it under a plan.
    instances: fn(&Program, &Plan, &Places) -> Vec<Instance>,
}

/// Whether a program has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Without it nothing works.
    Required,
    /// Without it all else works, unless the configuration wants its [`Port`].
    Optional,
}

/// What starts a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Somebody connects. The program gets the listening sockets, and ends by itself when nobody is
    /// connected.
    Connection,
    /// Somebody connects, or opens the frame in a slot. The program fills a slot, and is ended when
    /// nobody looks.
    Look,
    /// The server hands a connection over at the socket with this name
    /// (docs/http.md#urls-of-other-programs), or somebody connects to its own [`Port`]. The program
    /// gets these sockets, and ends by itself when it has nothing to do.
    Door(&'static str),
    /// The configuration has this table. It runs as long as this program does, and listens by
    /// itself.
    Table(&'static str),
}

/// Where people connect to a program itself.
#[derive(Debug)]
pub(crate) struct Port {
    /// What its sockets are called where they are passed (LISTEN_FDNAMES).
    pub(crate) name: &'static str,
    /// The table of the configuration that wants it.
    pub(crate) table: &'static str,
    /// Where it listens under a plan, if the configuration wants it.
    pub(crate) listen: fn(&Plan) -> Option<&Listen>,
}

/// Where things are that programs have in common.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The slots directory.
    pub(crate) slots: PathBuf,
    /// The directory of the sockets at which connections are handed over, if there are any.
    pub(crate) doors: Option<PathBuf>,
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
        port: None,
        udp: None,
        status: None,
        instances: server,
    },
    Program {
        name: CAPTURE,
        need: Need::Required,
        start: Start::Look,
        port: None,
        udp: None,
        status: None,
        instances: captures,
    },
    Program {
        udp: Some(|plan| plan.webrtc),
        status: Some(video_socket),
        instances: video,
        ..at_door("eyelid-video", "video")
    },
    Program {
        port: Some(Port {
            name: "push",
            table: pushed::TABLE,
            listen: |plan| plan.pushed.listen.as_ref(),
        }),
        instances: receive,
        ..at_door(RECEIVE, RECEIVE_DOOR)
    },
    Program {
        instances: alerts_page,
        ..at_door("eyelid-watch", "watch")
    },
    at_door("eyelid-control", "control"),
    Program {
        name: "eyelid-rtp",
        need: Need::Optional,
        start: Start::Table(RTP_TABLE),
        port: None,
        udp: None,
        status: Some(rtp_socket),
        instances: rtp,
    },
    Program {
        name: RELAY,
        need: Need::Optional,
        start: Start::Table(RELAY_TABLE),
        port: None,
        udp: None,
        status: None,
        instances: relay,
    },
];

/// The tables of the configuration that want a program which nobody connects to.
const RTP_TABLE: &str = "[rtp]";
const RELAY_TABLE: &str = "[relay]";

/// The program that lists cameras, too.
pub(crate) const CAPTURE: &str = "eyelid-capture";

/// The program that cameras push their frames to...
pub(crate) const RECEIVE: &str = "eyelid-receive";

/// ...and its door.
pub(crate) const RECEIVE_DOOR: &str = "receive";

/// The program that takes cameras across hosts.
pub(crate) const RELAY: &str = "eyelid-relay";

/// A program that takes connections over. It is told where the slots are and which configuration
/// file there is.
const fn at_door(name: &'static str, door: &'static str) -> Program {
    Program {
        name,
        need: Need::Optional,
        start: Start::Door(door),
        port: None,
        udp: None,
        status: None,
        instances: one,
    }
}

impl Program {
    /// Says whether the configuration wants it, though all else works without it.
    pub(crate) fn is_wanted(&self, plan: &Plan) -> bool {
        let port = self.port.as_ref();
        let wants_port = port.is_some_and(|port| (port.listen)(plan).is_some());
        let wants_table = match self.start {
            Start::Table(RTP_TABLE) => plan.has_rtp,
            Start::Table(RELAY_TABLE) => !plan.relay_sides.is_empty(),
            _ => false,
        };
        wants_port || wants_table
    }

    /// The table of the configuration that wants it, if one does.
    pub(crate) fn table(&self) -> Option<&'static str> {
        match self.start {
            Start::Table(table) => Some(table),
            _ => self.port.as_ref().map(|port| port.table),
        }
    }

    /// What is to run of it under a plan.
    pub(crate) fn instances(&self, plan: &Plan, places: &Places) -> Vec<Instance> {
        (self.instances)(self, plan, places)
    }
}

fn server(program: &Program, plan: &Plan, places: &Places) -> Vec<Instance> {
    vec![Instance {
        label: program.name.to_owned(),
        place: program.name.to_owned(),
        arguments: plan.server_arguments(places),
        slot: None,
    }]
}

fn captures(program: &Program, plan: &Plan, places: &Places) -> Vec<Instance> {
    let instance = |camera: &Camera| Instance {
        label: format!("{} of camera {:?}", program.name, camera.name.as_str()),
        place: plan.place(camera),
        arguments: plan.capture_arguments(camera, &places.slots),
        slot: Some(camera.slot(&places.slots)),
    };
    plan.cameras.iter().map(instance).collect()
}

fn one(program: &Program, plan: &Plan, places: &Places) -> Vec<Instance> {
    vec![Instance {
        label: program.name.to_owned(),
        place: program.name.to_owned(),
        arguments: plan.common_arguments(places),
        slot: None,
    }]
}

/// It is there for what the configuration says, so without that there is nothing for it to do.
fn rtp(program: &Program, plan: &Plan, places: &Places) -> Vec<Instance> {
    if !program.is_wanted(plan) {
        return Vec::new();
    }
    told(program, plan, places, None)
}

/// Each side of it is a process of its own. Far cameras' slots are among the others; they are asked
/// for while somebody looks, as long as it runs.
fn relay(program: &Program, plan: &Plan, places: &Places) -> Vec<Instance> {
    let side = |side: &&str| {
        let label = format!("{} {side}", program.name);
        let side = OsString::from(*side);
        Instance {
            place: label.clone(),
            label,
            arguments: [vec![side], plan.common_arguments(places)].concat(),
            slot: None,
        }
    };
    plan.relay_sides.iter().map(side).collect()
}

/// The UDP port of WebRTC it binds by itself: nothing comes there before somebody has asked at its
/// door.
fn video(program: &Program, plan: &Plan, places: &Places) -> Vec<Instance> {
    let idle_exit = plan.is_video_to_end.then(Plan::idle_exit_argument);
    told(program, plan, places, idle_exit)
}

/// The page of alerts. What watches cameras is not started here: watching keeps them awake.
fn alerts_page(program: &Program, plan: &Plan, places: &Places) -> Vec<Instance> {
    let mut instances = one(program, plan, places);
    for instance in &mut instances {
        instance.arguments.push(Plan::idle_exit_argument());
    }
    instances
}

/// One that tells the server what it does.
fn told(program: &Program, plan: &Plan, places: &Places, more: Option<OsString>) -> Vec<Instance> {
    let mut instances = one(program, plan, places);
    let status = places.doors.iter().zip(program.status);
    let status = status.map(|(doors, socket)| flag("status", socket(doors)));
    let more: Vec<_> = status.chain(more).collect();
    for instance in &mut instances {
        instance.arguments.extend(more.iter().cloned());
    }
    instances
}

/// Its slots are those of many cameras: nobody who opens one has it started, for no camera that
/// pushes comes any sooner.
fn receive(program: &Program, plan: &Plan, places: &Places) -> Vec<Instance> {
    let mut instances = one(program, plan, places);
    for instance in &mut instances {
        instance.arguments.extend(plan.pushed.idle_exit_argument());
    }
    instances
}
