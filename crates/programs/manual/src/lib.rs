//! Writes the man pages and shell completions of Eyelid's programs, for their packages.
//!
//! Names, synopses and options are those of the programs' own command lines, so they cannot differ
//! from `--help`. What clap does not know, such as signals and exit statuses, is in `pages/`, one
//! file of man(7) macros for each program. A crate of its own: the programs carry none of this, and
//! building them does not wait for it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

/// Where a page's hand-written half is cut in two: this line becomes the section OPTIONS.
const OPTIONS: &str = ".\\\" OPTIONS\n";

/// A program.
pub struct Program {
    /// Gives its command line.
    pub command: fn() -> Command,
    page: &'static str,
}

/// All programs; a new one is a new row.
pub const PROGRAMS: &[Program] = &[
    Program {
        command: eyelid::Arguments::command,
        page: include_str!("../pages/eyelid.man"),
    },
    Program {
        command: eyelid_server::Arguments::command,
        page: include_str!("../pages/eyelid-server.man"),
    },
    Program {
        command: eyelid_capture::Arguments::command,
        page: include_str!("../pages/eyelid-capture.man"),
    },
    Program {
        command: eyelid_receive::Arguments::command,
        page: include_str!("../pages/eyelid-receive.man"),
    },
    Program {
        command: eyelid_relay::Arguments::command,
        page: include_str!("../pages/eyelid-relay.man"),
    },
    Program {
        command: eyelid_rtp::Arguments::command,
        page: include_str!("../pages/eyelid-rtp.man"),
    },
    Program {
        command: eyelid_video::Arguments::command,
        page: include_str!("../pages/eyelid-video.man"),
    },
    Program {
        command: eyelid_watch::Arguments::command,
        page: include_str!("../pages/eyelid-watch.man"),
    },
];

/// Writes all pages and completions into `directory`, laid out as below /usr/share. Gives their
/// paths.
///
/// # Errors
/// What cannot be written.
pub fn write(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for program in PROGRAMS {
        let mut command = (program.command)();
        let name = command.get_name().to_owned();
        let page = directory.join(format!("man/man1/{name}.1"));
        let mut text = Vec::new();
        program.render_page(&mut text)?;
        create(&page)?.write_all(&text)?;
        written.push(page);
        for (shell, file) in [
            (Shell::Bash, format!("bash-completion/completions/{name}")),
            (Shell::Zsh, format!("zsh/vendor-completions/_{name}")),
            (
                Shell::Fish,
                format!("fish/vendor_completions.d/{name}.fish"),
            ),
        ] {
            let path = directory.join(file);
            clap_complete::generate(shell, &mut command, &name, &mut create(&path)?);
            written.push(path);
        }
    }
    Ok(written)
}

impl Program {
    /// Writes the man page.
    ///
    /// # Errors
    /// That of `to`, or that the hand-written half has no place for the options.
    pub fn render_page(&self, to: &mut dyn Write) -> io::Result<()> {
        let (before, after) = self
            .page
            .split_once(OPTIONS)
            .ok_or_else(|| io::Error::other("a page has no place for its options"))?;
        let command = (self.command)();
        let title = command.get_name().to_uppercase();
        let man = Man::new(command)
            .title(title)
            .manual("Eyelid")
            .source(format!("Eyelid {}", env!("CARGO_PKG_VERSION")));
        man.render_title(to)?;
        man.render_name_section(to)?;
        man.render_synopsis_section(to)?;
        to.write_all(before.as_bytes())?;
        man.render_options_section(to)?;
        to.write_all(after.as_bytes())
    }
}

fn create(path: &Path) -> anyhow::Result<File> {
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| File::create(path))
        .with_context(|| format!("cannot write {path:?}"))
}
