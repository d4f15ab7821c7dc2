//! The few questions that only parsing raises, answered by whoever asked for a verdict: the
//! library by raw system calls, the daemon and `check` by `std`, tests by tables.

/// An answer about the world outside the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It is so.
    Value(T),
    /// There is no such thing.
    Absent,
    /// Cannot be known here. Counts as a match for restrictive rules.
    Unavailable,
}

/// A count that a rule asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted<'a> {
    /// The policy that the rule stands in.
    pub policy: &'a [u8],
    /// The rule's name, or its position.
    pub rule: &'a [u8],
    /// Length of the window in seconds.
    pub window: u64,
    /// How many calls the rule asks for: below that the exact count does not matter.
    pub least: u32,
}

/// What holds for one call only (`once`). Entries with the same rule and end are used up together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once<'a> {
    /// The policy of the rule.
    pub policy: &'a [u8],
    /// The rule that grants, or that is lifted.
    pub rule: &'a [u8],
    /// Seconds since the epoch at which it is void; 0 for never.
    pub expires_at: u64,
}

/// What can be asked. Every answer is written into the caller's buffer: nothing is allocated.
pub trait World {
    /// The absolute path that `path` (absolute, lexically clean) leads to after every symbolic
    /// link, as `realpath(3)`. `Absent` if it does not exist; `Unavailable` if `out` is too
    /// small or it cannot be known.
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]>;

    /// The caller's working directory (absolute), for requests that leave it to be asked for
    /// ([`Cwd::OnDemand`](crate::Cwd::OnDemand)). The same at every time.
    fn directory(&self) -> Option<&[u8]> {
        None
    }

    /// Whether the caller's working directory was named by the kernel (getcwd(2)), so that no part of it is a link.
    fn has_real_directory(&self) -> bool {
        false
    }

    /// The whole content of the regular file at `path` (absolute). `Unavailable` if it is larger
    /// than `out`, no regular file, or may not be read.
    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]>;

    /// Bytes of the regular file at `path` (absolute) from `offset` on, as many as there are and
    /// fit into `out`; empty at its end. `Unavailable` if it is no regular file or may not be read.
    fn read_at<'b>(&self, path: &[u8], offset: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let _ = (path, offset, out);
        Answer::Unavailable
    }

    /// The SHA-256 of the file at `path` (absolute). Costs as much as reading it, so it is asked
    /// last, and only a party that keeps the answers knows it.
    fn digest(&self, path: &[u8]) -> Answer<[u8; 32]> {
        let _ = path;
        Answer::Unavailable
    }

    /// Whether the regular file at `path` (absolute, after every symbolic link) was written, or changed in
    /// any other way (its ctime, inode(7)), since the tree that asks has started ([`is_since`]).
    /// `Absent` if there is no such file. `Unavailable` where no tree asks.
    fn written_by_tree(&self, path: &[u8]) -> Answer<bool> {
        let _ = path;
        Answer::Unavailable
    }

    /// What the tree that asks has come by so far: bits of [`crate::image::format::taint`]. Only an evaluator
    /// keeps it.
    fn taint(&self) -> Answer<u8> {
        Answer::Unavailable
    }

    /// The user that the call runs as (`getuid(2)`).
    fn user(&self) -> Answer<u32> {
        Answer::Unavailable
    }

    /// The executable file of the program that asks: before an exec the one that calls, in a new
    /// process its parent. `Absent` if it cannot be named any more.
    fn parent<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let _ = out;
        Answer::Unavailable
    }

    /// The name of this machine (`uname(2)`, nodename).
    fn host<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let _ = out;
        Answer::Unavailable
    }

    /// The time in seconds since the Unix epoch, for rules that expire. Where it is not known,
    /// grants with an end have ended and restrictions have not.
    fn now(&self) -> Answer<u64> {
        Answer::Unavailable
    }

    /// How many calls there were, this one included, for which all else in the rule held. Asked
    /// last, so that an answer means that this call is one of them.
    fn calls(&self, counted: &Counted<'_>) -> Answer<u32> {
        let _ = counted;
        Answer::Unavailable
    }

    /// Whether the call may use what holds once. Only who counts the uses can say so.
    fn may_use(&self, once: &Once<'_>) -> bool {
        let _ = once;
        false
    }

    /// Whether what the tool put out matches the regular expression `regex`, which cannot be where it
    /// does not meet `needs` (`policy_schema::needs`). `Absent` where there is no output yet.
    fn output_matches(&self, _regex: &[u8], _needs: &[u8]) -> Answer<bool> {
        Answer::Absent
    }
}

/// How far the clock that stamps files may be behind the one that a start is read from, in
/// milliseconds: the kernel stamps with the time of its last tick, of which there are at least 100 a second.
const TICK_MS: u64 = 10;

/// Whether a file that was changed at `seconds` and `nanos` since the Unix epoch was changed at or after `start_ms`,
/// in milliseconds since then. What is in doubt is: a tick before, and on file systems that keep
/// whole seconds the second of the start.
#[must_use]
pub const fn is_since(start_ms: u64, seconds: i64, nanos: i64) -> bool {
    if seconds < 0 {
        return false;
    }
    let (seconds, nanos) = (seconds.unsigned_abs(), nanos.unsigned_abs());
    if nanos == 0 {
        return seconds >= start_ms / 1000;
    }
    let changed = seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000);
    changed.saturating_add(TICK_MS) >= start_ms
}

/// A world in which no file exists: paths are what they are spelled.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWorld;

impl World for NoWorld {
    fn resolve<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read_at<'b>(&self, _path: &[u8], _at: u64, _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn written_by_tree(&self, _path: &[u8]) -> Answer<bool> {
        Answer::Absent
    }
}

#[cfg(test)]
mod tests {
    use super::is_since;

    #[test]
    fn what_is_in_doubt_was_written() {
        for (start, seconds, nanos, want) in [
            (5_500, 5, 600_000_000, true),
            (5_500, 5, 500_000_000, true),
            // Stamped with the tick before.
            (5_500, 5, 492_000_000, true),
            (5_500, 5, 480_000_000, false),
            // Whole seconds.
            (5_500, 5, 0, true),
            (5_500, 4, 0, false),
            (5_500, 4, 999_999_999, false),
            (5_500, -1, 0, false),
            (0, 0, 0, true),
            // Further than can be counted.
            (u64::MAX, i64::MAX, 1, true),
        ] {
            assert_eq!(is_since(start, seconds, nanos), want, "{start} {seconds} {nanos}");
        }
    }
}
