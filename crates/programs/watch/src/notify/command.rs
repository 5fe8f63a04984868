//! A command of the user's, by the shell: the alert's JSON on its stdin, what a script needs most
//! in its environment. Nothing of an alert becomes a part of the command itself.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::time::timeout;

use super::way::Refusal;
use crate::alert::{Alert, bounded, word};

/// How long it may take; what it has started is ended with it then.
const TIME_OUT: Duration = Duration::from_secs(60);

/// How much of what it says is read; the rest is thrown away, so that it never waits for that.
const MOST_OUTPUT: usize = 4096;

/// A command.
pub(super) struct Command {
    line: String,
}

impl Command {
    pub(super) fn new(line: &str) -> Self {
        Self {
            line: line.to_owned(),
        }
    }

    /// Runs it, with this text. `picture` is where that would be.
    pub(super) async fn tell(
        &self,
        alert: &Alert,
        text: String,
        picture: &Path,
        may_be_told: bool,
    ) -> Result<(), Refusal> {
        let mut child = self
            .command(alert, text, picture, may_be_told)
            .spawn()
            .map_err(|error| Refusal::later(format!("sh: {error}")))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        let ended = timeout(TIME_OUT, run(&mut child, alert.to_json())).await;
        if let Some(group) = group {
            // What it left running would hold its output open. Mostly there is nothing.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let unsure = |why: String| Refusal::Later {
            why,
            after: None,
            is_unsure: true,
        };
        match ended {
            Err(_) => Err(unsure(format!(
                "takes longer than {} s",
                TIME_OUT.as_secs()
            ))),
            Ok(Err(error)) => Err(unsure(error.to_string())),
            Ok(Ok((status, said))) if status.success() => {
                log::debug!("{:?}: {said}", self.line);
                Ok(())
            }
            // It has said itself that it has not told.
            Ok(Ok((status, said))) => {
                let said = said.trim();
                let colon = if said.is_empty() { "" } else { ": " };
                Err(Refusal::later(format!("ends with {status}{colon}{said}")))
            }
        }
    }

    fn command(
        &self,
        alert: &Alert,
        text: String,
        picture: &Path,
        may_be_told: bool,
    ) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(&self.line)
            .env("EYELID_ALERT", alert.id.as_str())
            .env("EYELID_CAMERA", alert.camera.as_str())
            .env("EYELID_RULE", &alert.rule)
            .env("EYELID_KIND", word(&alert.kind).unwrap_or_default())
            .env(
                "EYELID_JUDGE",
                alert.judge.map_or("", |judge| judge.as_str()),
            )
            .env("EYELID_TITLE", alert.headline())
            .env("EYELID_TEXT", text)
            // The service manager's words are for this program.
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if alert.picture && picture.exists() {
            command.env("EYELID_PICTURE", picture);
        }
        if may_be_told {
            command.env("EYELID_AGAIN", "1");
        }
        command
    }
}

async fn run(
    child: &mut Child,
    alert: Vec<u8>,
) -> std::io::Result<(std::process::ExitStatus, String)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // Who does not read it does not want it.
            let _ = stdin.write_all(&alert).await;
        }
    };
    // What it has started and left behind may hold these open; its own end is what counts.
    let said = async { tokio::join!(write, beginning(stderr), beginning(stdout)) };
    tokio::pin!(said);
    let status = tokio::select! {
        status = child.wait() => status?,
        ((), errors, output) = &mut said => {
            let status = child.wait().await?;
            return Ok((status, told(&errors, &output)));
        }
    };
    let rest = timeout(Duration::from_millis(200), said).await;
    let ((), errors, output) = rest.unwrap_or_default();
    Ok((status, told(&errors, &output)))
}

fn told(errors: &[u8], output: &[u8]) -> String {
    let told = if errors.is_empty() { output } else { errors };
    bounded(&String::from_utf8_lossy(told), 300)
}

/// Reads to the end, and keeps the beginning.
async fn beginning(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    let Some(mut from) = from else {
        return kept;
    };
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let room = MOST_OUTPUT.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
    kept
}
