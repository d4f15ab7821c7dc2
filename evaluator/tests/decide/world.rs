//! The world in which the cases are judged.

use evaluator::{Answer, World};

/// A world with one symbolic link, `/work/link` → `/etc`, below which there is everything but files named `new`, and
/// the time 1000; with a working directory for who asks for that.
pub struct Links<'a>(pub Option<&'a [u8]>);

impl World for Links<'_> {
    fn directory(&self) -> Option<&[u8]> {
        self.0
    }
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let Some(rest) = path.strip_prefix(b"/work/link") else {
            return Answer::Absent;
        };
        if rest.ends_with(b"/new") {
            return Answer::Absent;
        }
        let real = [b"/etc", rest].concat();
        out[..real.len()].copy_from_slice(&real);
        Answer::Value(&out[..real.len()])
    }
    fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn now(&self) -> Answer<u64> {
        Answer::Value(1000)
    }
}
