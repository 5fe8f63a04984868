//! Hosts that fall silent, and what is let go of.

use std::time::{Duration, Instant};

use super::{Fleet, News, SILENCE};

/// How long a camera stays that its host lists no more: one that shares anew may list few at first.
const UNLISTED_STAYS: Duration = Duration::from_secs(60);

/// How long the cameras of a silent host stay.
pub(super) const SILENT_STAYS: Duration = Duration::from_secs(3600);

impl Fleet {
    /// A round has passed.
    pub(super) fn count_silence(&mut self, now: Instant) {
        for (name, host) in &mut self.hosts {
            // An answer that has not come is not waited for any longer.
            host.asked = None;
            host.silent = host.silent.saturating_add(1);
            // The round that begins now has not been answered yet.
            if host.silent == SILENCE + 1 {
                let since = *host.heard.get_or_insert(now);
                self.news.push(News::Silent(name.clone(), since));
            }
        }
    }

    /// Lets go of what is really gone. Who has some that were left out for want of room is asked.
    pub(super) fn let_go(&mut self, now: Instant) {
        let is_long = |since: Option<Instant>, stays| since.is_some_and(|at| now >= at + stays);
        let (hosts, named) = (&self.hosts, &self.named);
        let mut gone = Vec::new();
        self.cameras.retain(|camera, have| {
            let host = hosts.get(&camera.host);
            let is_silent =
                host.is_none_or(|host| host.silent > SILENCE && is_long(host.heard, SILENT_STAYS));
            let is_gone = is_silent || is_long(have.unlisted, UNLISTED_STAYS);
            let stays = !is_gone || named.contains(camera);
            if !stays {
                gone.push(News::Gone(camera.clone()));
            }
            stays
        });
        let has_room = !gone.is_empty();
        self.news.append(&mut gone);
        let named_hosts = &self.named_hosts;
        self.hosts.retain(|name, host| {
            let is_gone = host.silent > SILENCE && is_long(host.heard, SILENT_STAYS);
            !is_gone || named_hosts.contains(name)
        });
        if has_room && self.left_out > 0 {
            for (name, host) in &mut self.hosts {
                if host.left_out > 0 {
                    host.listed_at = None;
                    self.with_news.insert(name.clone());
                }
            }
        }
    }
}
