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

/// What can be asked. Every answer is written into the caller's buffer: nothing is allocated.
pub trait World {
    /// The absolute path that `path` (absolute, lexically clean) leads to after every symbolic
    /// link, as `realpath(3)`. `Absent` if it does not exist; `Unavailable` if `out` is too
    /// small or it cannot be known.
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]>;

    /// The whole content of the regular file at `path` (absolute). `Unavailable` if it is larger
    /// than `out`, no regular file, or may not be read.
    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]>;

    /// The time in seconds since the Unix epoch, for rules that expire. Where it is not known,
    /// grants with an end have ended and restrictions have not.
    fn now(&self) -> Answer<u64> {
        Answer::Unavailable
    }

    /// Whether what the tool put out matches the regular expression `regex`. `Absent` where there
    /// is no output yet.
    fn output_matches(&self, _regex: &[u8]) -> Answer<bool> {
        Answer::Absent
    }
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
}
