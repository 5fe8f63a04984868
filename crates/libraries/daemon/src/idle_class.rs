//! Work that must never cost anybody else: the kernel's idle class (SCHED_IDLE of sched(7)), which
//! gets the processor when nobody else wants it.

use std::io;

use nix::errno::Errno;
use nix::libc;

/// Puts the calling thread, and those that it starts from now on, into the idle class.
///
/// # Errors
/// What sched_setscheduler(2) said.
#[expect(unsafe_code, reason = "no crate that is kept has this call")]
pub fn work_when_idle() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: the call reads the structure, which lives until it returns; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const priority) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The policy of the calling thread, as proc(5) numbers them.
    fn policy() -> String {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        // Fields 1 and 2 are the number and the name, in brackets; the policy is the 41st.
        let (_, after) = stat.rsplit_once(')').unwrap();
        after.split_whitespace().nth(41 - 3).unwrap().to_owned()
    }

    #[test]
    fn the_thread_and_its_own_are_in_the_idle_class() {
        let worker = std::thread::spawn(|| {
            work_when_idle().unwrap();
            let child = std::thread::spawn(policy);
            (policy(), child.join().unwrap())
        });
        let idle = libc::SCHED_IDLE.to_string();
        assert_eq!(worker.join().unwrap(), (idle.clone(), idle));
    }
}
