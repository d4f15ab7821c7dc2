//! Tests that look at the request as a whole, not at one of its commands.

use crate::image::Image;
use crate::image::format::{NodeRecord, node};
use crate::request::{Cwd, TargetKinds};
use crate::world::{Answer, Counted};

use super::condition::{At, Judge, Tri, one, patterns};
use super::found::Fault;

impl<'j> Judge<'j, '_> {
    /// Evaluates a test of the request, or of what surrounds the command at hand; `None` if the
    /// node is a test of commands.
    pub fn request_test(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        at: Option<At<'j>>,
    ) -> Result<Option<Tri>, Fault> {
        let some = |value: &[u8]| patterns(image, record.first, record.count, value);
        let request = self.request;
        Ok(Some(match record.kind {
            node::ALWAYS => Tri::Yes,
            node::TARGET => self.target(TargetKinds(record.number)),
            node::CWD => self.directory(image, record, at)?,
            node::ENV => self.environment(image, record, at)?,
            node::USER => self.user(image, record, at)?,
            node::PARENT => self.parent(image, record)?,
            node::SESSION => some(request.caller.session)?,
            node::AGENT => some(request.caller.agent)?,
            node::AGENT_DEPTH => {
                let depth = request.caller.agent_depth;
                Tri::from(match record.flags {
                    1 => depth >= record.number,
                    2 => depth <= record.number,
                    3 => depth == record.number,
                    _ => return Err(Fault::Corrupt),
                })
            }
            node::PATH => match request.path {
                Some(path) => self.named_path(image, record, path)?,
                None => Tri::No,
            },
            node::URL => request.url.map_or(Ok(Tri::No), some)?,
            node::DOMAIN => match request.url.and_then(host) {
                Some(host) => some(host.strip_suffix(b".").unwrap_or(host))?,
                None => Tri::No,
            },
            node::PARAM => self.param(image, record)?,
            node::TAINTED => match self.world.taint() {
                Answer::Value(bits) => Tri::from(u32::from(bits) & record.number == record.number),
                Answer::Absent => Tri::No,
                Answer::Unavailable => Tri::Unknown,
            },
            node::CALL_COUNT => self.call_count(image, record)?,
            node::RESPONSE => self.output(image, record)?,
            _ => return Ok(None),
        }))
    }

    /// Whether there were so many calls within the window. A count belongs to the whole session;
    /// only a second party keeps it.
    fn call_count(&self, image: &Image<'_>, record: &NodeRecord) -> Result<Tri, Fault> {
        let (_, window) = image.pattern(record.first).ok_or(Fault::Corrupt)?;
        let window = decimal(window).ok_or(Fault::Corrupt)?;
        if record.count > 1 {
            let (_, tool) = image.pattern(record.first.saturating_add(1)).ok_or(Fault::Corrupt)?;
            // What other tools did is nobody's to tell here.
            if tool != self.request.tool {
                return Ok(Tri::Unknown);
            }
        }
        let rule = self.rule.ok_or(Fault::Corrupt)?;
        let policy = image.policy(rule.policy).ok_or(Fault::Corrupt)?;
        let counted = Counted {
            policy: image.text(policy.name, policy.name_len).ok_or(Fault::Corrupt)?,
            rule: image.text(rule.name, rule.name_len).ok_or(Fault::Corrupt)?,
            window,
            least: record.number,
        };
        Ok(match self.world.calls(&counted) {
            Answer::Value(count) => Tri::from(count >= record.number),
            Answer::Absent | Answer::Unavailable => Tri::Unknown,
        })
    }

    /// Whether what the tool put out matches some pattern.
    fn output(&self, image: &Image<'_>, record: &NodeRecord) -> Result<Tri, Fault> {
        let mut any = Tri::No;
        for index in (record.first..record.first.saturating_add(record.count)).step_by(2) {
            let (_, regex) = image.pattern(index).ok_or(Fault::Corrupt)?;
            let (_, needs) = image.pattern(index.saturating_add(1)).ok_or(Fault::Corrupt)?;
            any = any.or(match self.world.output_matches(regex, needs) {
                Answer::Value(found) => Tri::from(found),
                Answer::Absent => Tri::No,
                Answer::Unavailable => Tri::Unknown,
            });
        }
        Ok(any)
    }

    /// Whether the path that a tool was given matches. No shell was there to replace `~`; some
    /// tools do it themselves, so restrictive rules try both.
    fn named_path(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        path: &[u8],
    ) -> Result<Tri, Fault> {
        let here = self.path_matches(image, record, path, self.request.cwd)?;
        match (path.strip_prefix(b"~/"), self.home) {
            (Some(below), Some(home)) if here != Tri::Yes && !self.grants => {
                Ok(here.or(self.path_matches(image, record, below, Cwd::Known(home))?))
            }
            _ => Ok(here),
        }
    }

    /// Whether some parameter matches: patterns alternate name and value.
    fn param(&self, image: &Image<'_>, record: &NodeRecord) -> Result<Tri, Fault> {
        let mut fault = None;
        let mut unknown = false;
        let found = self.request.params.any(&mut |name, value| {
            for pair in (record.first..record.first.saturating_add(record.count)).step_by(2) {
                let both = one(image, pair, name).and_then(|named| match named {
                    Tri::Yes => one(image, pair.saturating_add(1), value),
                    other => Ok(other),
                });
                match both {
                    Ok(Tri::Yes) => return true,
                    Ok(Tri::Unknown) => unknown = true,
                    Ok(Tri::No) => {}
                    Err(error) => fault = Some(error),
                }
            }
            false
        });
        match fault {
            Some(fault) => Err(fault),
            None if found => Ok(Tri::Yes),
            None => Ok(if unknown { Tri::Unknown } else { Tri::No }),
        }
    }
}

/// A number in decimal digits.
fn decimal(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// The host of a URL (RFC 3986 authority without user information and port). Case is left to the
/// patterns, which fold it.
fn host(url: &[u8]) -> Option<&[u8]> {
    let after = url.windows(3).position(|window| window == b"://")?.checked_add(3)?;
    let rest = url.get(after..)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let authority = rest.get(..end.unwrap_or(rest.len()))?;
    let host = match authority.iter().rposition(|byte| *byte == b'@') {
        Some(at) => authority.get(at.checked_add(1)?..)?,
        None => authority,
    };
    if host.first() == Some(&b'[') {
        let close = host.iter().position(|byte| *byte == b']')?;
        return host.get(1..close);
    }
    let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
    let host = host.get(..end)?;
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (url, want) in [
            ("https://a.b/c", Some("a.b")),
            ("https://u:p@a.b:8080/c@d", Some("a.b")),
            ("https://a.b?x@y", Some("a.b")),
            ("https://a.b\\@evil", Some("a.b")),
            ("http://[::1]:80/", Some("::1")),
            ("a.b/c", None),
            ("https:///x", None),
        ] {
            assert_eq!(host(url.as_bytes()), want.map(str::as_bytes), "{url}");
        }
    }
}
