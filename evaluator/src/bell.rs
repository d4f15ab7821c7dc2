//! The bell of a supervisor. Inside a host's own sandbox there may be neither a socket to the evaluator nor a
//! directory to write to, but every execve(2) is put to the supervisor (seccomp_unotify(2)) before the
//! kernel looks at it. So a guarded process that executes [`PATH`] has said something to it, and gets an error
//! number as the answer.

use core::ffi::CStr;

/// What is executed. No program can be started by it: a component of a path has at most 255 bytes
/// (`NAME_MAX`, path_resolution(7)), so without a supervisor the answer is `ENAMETOOLONG`.
pub const PATH: &CStr = c"/rampart----------------------------------------------------------------\
    ------------------------------------------------------------------------\
    ------------------------------------------------------------------------\
    ------------------------------------------------------------------------\
    -------------";

/// First word: whether somebody hears it, who judges everything that this process is or starts.
pub const PING: &CStr = c"ping";

/// First word, an event follows: it is to be put into the log.
pub const RECORD: &CStr = c"record";

/// The answer to what was heard and done: `EALREADY` of Linux. Anything else is none.
pub const HEARD: i32 = 114;

#[cfg(test)]
mod tests {
    use super::PATH;

    #[test]
    fn nothing_can_be_started_by_it() {
        let name = PATH.to_bytes().strip_prefix(b"/").unwrap();
        assert!(name.len() > 255 && !name.contains(&b'/') && !name.contains(&b' '));
    }
}
