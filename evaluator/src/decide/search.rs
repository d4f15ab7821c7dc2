//! Which rules are looked at for which command: those of every program, those that some piece of
//! the command leads to, those of its program.

use crate::command::Command;
use crate::image::Image;
use crate::image::format::{
    BucketRecord, EntryRecord, NO_CONDITION, RuleRecord, program_hash, rule_flag,
};
use crate::path::file_name;
use crate::request::Call;
use crate::verdict::RuleMatch;

use super::asks::Asked;
use super::condition::{At, Judge, Names, Tri};
use super::cover;
use super::flow::Flows;
use super::found::{Fault, Found};

impl<'j> Judge<'j, '_> {
    /// Finds the rules of `image` that hold.
    pub fn search(
        &mut self,
        image: &Image<'_>,
        position: u32,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        self.scope = None;
        self.alike.forget();
        self.seen.forget();
        self.flows = Flows::new(position);
        let always = image.any_program().ok_or(Fault::Corrupt)?;
        self.bucket(image, position, always, None, None, found)?;
        self.by_pieces(image, position, None, found)?;
        let tree = self.tree;
        let always = (always, Asked::of(image, always, tree.commands.len())?);
        for (index, command) in tree.commands.iter().enumerate() {
            match self.alike.known(tree, index) {
                Some(noted) => self.search_again(image, (position, index), noted, found)?,
                None => {
                    self.alike.begin();
                    self.search_command(image, position, always, (index, command), found)?;
                    self.alike.end(index);
                }
            }
        }
        Ok(())
    }

    /// Finds the rules that hold for one command.
    fn search_command(
        &mut self,
        image: &Image<'_>,
        position: u32,
        always: (BucketRecord, Option<Asked>),
        (index, command): At<'j>,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        self.spend(8)?;
        let at = Some((index, command));
        self.rules_on_all(image, position, always, (index, command), found)?;
        self.by_pieces(image, position, at, found)?;
        let mut seen = [None; 3];
        for (slot, name) in self.names(index, command).into_iter().enumerate() {
            let Some(hash) = name.map(program_hash) else {
                continue;
            };
            if seen.contains(&Some(hash)) {
                continue;
            }
            if let Some(seen) = seen.get_mut(slot) {
                *seen = Some(hash);
            }
            let bucket = image.bucket(hash).ok_or(Fault::Corrupt)?;
            self.bucket(image, position, bucket, Some(hash), at, found)?;
        }
        Ok(())
    }

    /// The same for a command like one that was searched before: the rules noted at `noted`.
    fn search_again(
        &mut self,
        image: &Image<'_>,
        (position, index): (u32, usize),
        mut noted: usize,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        let command = u32::try_from(index).unwrap_or(u32::MAX);
        self.spend(1)?;
        while let Some((rule, hits)) = self.alike.noted(noted) {
            self.spend(1)?;
            let action = image.rule(rule).ok_or(Fault::Corrupt)?.action.into();
            found.add(RuleMatch { image: position, rule, command, action, hits, last: command })?;
            noted = noted.saturating_add(1);
        }
        Ok(())
    }

    /// What the program of a command is called: by its own word, by the file that was named, and
    /// by the file that this leads to, where these are called otherwise. For the root of shell text: the
    /// first word of the text, which text patterns start with.
    pub fn names(&self, index: usize, command: &Command) -> Names<'j> {
        if let Some((of, names)) = self.named.get()
            && of == index
        {
            return names;
        }
        let names = self.find_names(index, command);
        self.named.set(Some((index, names)));
        names
    }

    fn find_names(&self, index: usize, command: &Command) -> Names<'j> {
        let word = self.tree.program(command).map(|(_, text)| file_name(text));
        match self.request.call {
            Call::Exec { file, .. } | Call::Operation { program: file, .. }
                if index == 0 && !file.is_empty() =>
            {
                let file = Some(file_name(file));
                let resolved = self.request.target.resolved.map(file_name);
                let resolved = resolved.filter(|_| resolved != file && resolved != word);
                [word, file.filter(|_| file != word), resolved]
            }
            Call::Shell(text) if index == 0 => {
                let mut words = text.trim_ascii().split(u8::is_ascii_whitespace);
                [words.next().map(file_name), None, None]
            }
            _ => [word, None, None],
        }
    }

    /// Looks at the rules in a bucket: those filed under `key`, or all.
    pub fn bucket(
        &mut self,
        image: &Image<'_>,
        position: u32,
        bucket: BucketRecord,
        key: Option<u32>,
        at: Option<At<'j>>,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        if let (None, Some(at)) = (key, at) {
            return self.rules_on_all(image, position, (bucket, None), at, found);
        }
        for index in bucket.first..bucket.first.saturating_add(bucket.count) {
            let entry = image.entry(index).ok_or(Fault::Corrupt)?;
            if key.is_none_or(|key| key == entry.key) {
                self.entry(image, position, entry, at, found)?;
            }
        }
        Ok(())
    }

    /// Looks at one rule that is filed.
    pub fn entry(
        &mut self,
        image: &Image<'_>,
        position: u32,
        entry: EntryRecord,
        at: Option<At<'j>>,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        let rule = image.rule(entry.rule).ok_or(Fault::Corrupt)?;
        let whole_text = self.is_whole_text(at) && rule.flags & rule_flag::TEXT == 0;
        if self.is_about_request(&rule) == at.is_none()
            && !whole_text
            && rule.flags & rule_flag::RESPONSE == 0
        {
            self.try_rule(image, (position, entry.rule), (&rule, entry.node), at, found)?;
        }
        Ok(())
    }

    /// Adds the rule at `place` (image and rule) to `found` if its part `node` holds.
    pub fn try_rule(
        &mut self,
        image: &Image<'_>,
        place: (u32, u32),
        (rule, node): (&RuleRecord, u32),
        at: Option<At<'j>>,
        found: &mut Found<'_>,
    ) -> Result<(), Fault> {
        let holds = self.holds(image, rule, node, at)?;
        if holds == Tri::No || self.is_disabled(image, rule, at)? {
            return Ok(());
        }
        let (command, hits) = at.map_or((cover::first(self.tree), u32::MAX), |(index, command)| {
            let counts = !self.grants || cover::needs(self.tree, command);
            (u32::try_from(index).unwrap_or(u32::MAX), u32::from(counts))
        });
        let (image, number) = place;
        let hits = if holds == Tri::Yes { hits } else { 0 };
        let action = rule.action.into();
        self.alike.note(number, hits);
        found.add(RuleMatch { image, rule: number, command, action, hits, last: command })
    }

    /// Whether a rule is tried once for the request, not for each command.
    pub fn is_about_request(&self, rule: &RuleRecord) -> bool {
        // Where nothing is run there is no command to look at.
        let either =
            rule.flags & rule_flag::EITHER != 0 && matches!(self.request.call, Call::Nothing);
        either || rule.node == NO_CONDITION || rule.flags & rule_flag::REQUEST_ONLY != 0
    }

    /// Whether the command at hand is the root of shell text: not a command, but all of them.
    pub fn is_whole_text(&self, at: Option<At<'j>>) -> bool {
        at.is_some_and(|(index, _)| index == 0) && matches!(self.request.call, Call::Shell(_))
    }
}
