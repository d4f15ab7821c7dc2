//! Kubernetes: the context and the namespace of `kubectl` and its relatives.

use crate::world::Answer;

use super::super::condition::{At, Judge};
use super::super::found::Fault;
use super::super::lines::unquoted;
use super::{Name, Path, Seen};

/// What one file of the client configuration says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Contexts,
    Other,
}

/// Looks at one file.
type Look<'c, J> = dyn FnMut(&mut J, &[u8]) -> Result<Answer<()>, Fault> + 'c;

impl<'j> Judge<'j, '_> {
    /// The context that is given or current.
    pub(super) fn kube_context(
        &mut self,
        at: At<'j>,
        name: &[u8],
        seen: &mut Seen<'_, '_>,
    ) -> Result<(), Fault> {
        let mut context = Name::new();
        match self.chosen_context(at, name, &mut context)? {
            Answer::Value(()) => seen.value(context.get()),
            // Without a configuration a client in a pod acts on the pod's own cluster.
            Answer::Absent => match self.variable(Some(at), b"KUBERNETES_SERVICE_HOST")? {
                Answer::Absent => {}
                _ => seen.unknown(),
            },
            Answer::Unavailable => seen.unknown(),
        }
        Ok(())
    }

    /// The namespace that is given, or that of the context, or `default`.
    pub(super) fn kube_namespace(
        &mut self,
        at: At<'j>,
        name: &[u8],
        seen: &mut Seen<'_, '_>,
    ) -> Result<(), Fault> {
        let (_, command) = at;
        if self.has_flag(command, b" -A --all-namespaces ") {
            seen.unknown();
            return Ok(());
        }
        let mut given = self.option(command, b"-n --namespace");
        if given == Answer::Absent && name == b"helm" {
            given = self.first_variable(at, b"HELM_NAMESPACE")?;
        }
        if given != Answer::Absent {
            seen.answer(given);
            return Ok(());
        }
        let mut context = Name::new();
        match self.chosen_context(at, name, &mut context)? {
            Answer::Value(()) => {}
            Answer::Absent => {
                seen.value(b"default");
                return Ok(());
            }
            Answer::Unavailable => {
                seen.unknown();
                return Ok(());
            }
        }
        let mut namespace = Name::new();
        let found = self.each_file(at, &mut |judge, path| {
            judge.namespace_of(path, context.get(), &mut namespace)
        })?;
        match found {
            Answer::Value(()) if !namespace.get().is_empty() => seen.value(namespace.get()),
            Answer::Value(()) | Answer::Absent => seen.value(b"default"),
            Answer::Unavailable => seen.unknown(),
        }
        Ok(())
    }

    fn chosen_context(
        &mut self,
        at: At<'j>,
        name: &[u8],
        out: &mut Name,
    ) -> Result<Answer<()>, Fault> {
        let mut given = self.option(at.1, b"--context --kube-context");
        if given == Answer::Absent && name == b"helm" {
            given = self.first_variable(at, b"HELM_KUBECONTEXT")?;
        }
        match given {
            Answer::Value(value) => Ok(out.set(value).map_or(Answer::Unavailable, Answer::Value)),
            Answer::Unavailable => Ok(Answer::Unavailable),
            Answer::Absent => self.each_file(at, &mut |judge, path| judge.current(path, out)),
        }
    }

    /// Asks `look` for each file of the configuration until one has an answer.
    fn each_file(&mut self, at: At<'j>, look: &mut Look<'_, Self>) -> Result<Answer<()>, Fault> {
        let mut path = Path::new();
        let list = match self.option(at.1, b"--kubeconfig") {
            Answer::Absent => self.first_variable(at, b"KUBECONFIG")?,
            given => given,
        };
        let list = match list {
            Answer::Value(list) => list,
            Answer::Unavailable => return Ok(Answer::Unavailable),
            Answer::Absent => {
                let is_known = self.configuration(at, b"", b".kube/config", &mut path)?;
                return if is_known { look(self, path.get()) } else { Ok(Answer::Unavailable) };
            }
        };
        for file in list.split(|byte| *byte == b':').filter(|file| !file.is_empty()).take(32) {
            let found = if self.below(at, file, &mut path) {
                look(self, path.get())?
            } else {
                Answer::Unavailable
            };
            if found != Answer::Absent {
                return Ok(found);
            }
        }
        Ok(Answer::Absent)
    }

    /// The `current-context` of a file.
    fn current(&mut self, path: &[u8], out: &mut Name) -> Result<Answer<()>, Fault> {
        let mut found = Answer::Absent;
        let read = self.lines(path, &mut |line, whole| {
            if line.first() == Some(&b'{') {
                found = Answer::Unavailable;
            } else if let Some(value) = line.strip_prefix(b"current-context:") {
                let value = unquoted(value.trim_ascii());
                found = match value {
                    [] => Answer::Absent,
                    _ if whole => out.set(value).map_or(Answer::Unavailable, Answer::Value),
                    _ => Answer::Unavailable,
                };
            }
            found != Answer::Absent
        })?;
        Ok(if read == Answer::Unavailable { read } else { found })
    }

    /// The namespace of the context called `name` in a file, empty if it states none; `Absent` if
    /// there is no such context.
    fn namespace_of(
        &mut self,
        path: &[u8],
        name: &[u8],
        out: &mut Name,
    ) -> Result<Answer<()>, Fault> {
        let mut section = Section::Other;
        // Columns of the dashes of the list of contexts.
        let mut dash = None;
        let (mut is_it, mut done, mut unknown) = (false, false, false);
        let read = self.lines(path, &mut |line, whole| {
            let text = line.trim_ascii_start();
            let mut column = line.len().saturating_sub(text.len());
            let mut text = text;
            if column == 0 && !matches!(text, [b'-' | b'#', ..] | []) {
                done |= is_it;
                section = if text == b"contexts:" { Section::Contexts } else { Section::Other };
                unknown |= text.first() == Some(&b'{') || text.starts_with(b"contexts: ");
                return done || unknown;
            }
            if section == Section::Other {
                return false;
            }
            if let Some(rest) = text.strip_prefix(b"- ") {
                if *dash.get_or_insert(column) == column {
                    done |= is_it;
                    if done {
                        return true;
                    }
                    let _ = out.set(b"");
                }
                text = rest.trim_ascii_start();
                column = line.len().saturating_sub(text.len());
            }
            let inner = dash.map_or(0, |dash| column.saturating_sub(dash));
            if let Some(value) = text.strip_prefix(b"namespace:")
                && inner > 2
            {
                unknown |= !whole || out.set(unquoted(value.trim_ascii())).is_none();
            } else if let Some(value) = text.strip_prefix(b"name:")
                && inner <= 2
            {
                is_it = unquoted(value.trim_ascii()) == name;
            }
            unknown
        })?;
        Ok(match read {
            Answer::Value(()) if unknown => Answer::Unavailable,
            Answer::Value(()) if is_it || done => Answer::Value(()),
            Answer::Value(()) => Answer::Absent,
            other => other,
        })
    }
}
