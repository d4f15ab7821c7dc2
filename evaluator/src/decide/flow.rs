//! What the output of a command flows into, through however many others. In a pipeline of a
//! thousand programs each has the rest of them behind it, so the answers for a test are found for
//! all commands at once, from the last to the first.

use crate::command::{Command, WordFlags};
use crate::image::Image;
use crate::image::format::NodeRecord;

use super::condition::{Judge, Tri};
use super::found::Fault;

/// So many tests are remembered: two bits of a number each, and two to work with.
const TESTS: usize = 15;

/// Where the two to work with lie: whether something in the command or below it matches.
const BELOW: usize = TESTS * 2;

/// The two bits of what is not answered yet.
const OPEN: u32 = 3;

/// Where a test is remembered: its image, its patterns and how they are compared.
type Key = (u32, u32, u32, bool);

/// The tests that were answered for all commands.
pub struct Flows {
    /// The image that is being searched.
    pub image: u32,
    known: [Key; TESTS],
    count: usize,
}

impl Flows {
    /// None yet, for the image at `image`.
    pub const fn new(image: u32) -> Self {
        Self { image, known: [(0, 0, 0, false); TESTS], count: 0 }
    }
}

const fn bits(tri: Tri) -> u32 {
    match tri {
        Tri::No => 0,
        Tri::Unknown => 1,
        Tri::Yes => 2,
    }
}

const fn tri(bits: u32) -> Tri {
    match bits & 3 {
        0 => Tri::No,
        1 => Tri::Unknown,
        _ => Tri::Yes,
    }
}

impl<'j> Judge<'j, '_> {
    /// Whether the output of `command` flows into a program that matches, or into what it runs.
    pub fn pipes_into(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        command: &Command,
    ) -> Result<Tri, Fault> {
        let Some(stage) = (command.pipes_into as usize).checked_sub(1) else {
            return Ok(Tri::No);
        };
        let key = (self.flows.image, record.first, record.count, self.grants);
        let known = self.flows.known.get(..self.flows.count).unwrap_or(&[]);
        let slot = match known.iter().position(|known| *known == key) {
            Some(slot) => slot,
            None => {
                let slot = self.flows.count;
                let room = self.flows.known.get_mut(slot);
                let (Some(room), false) = (room, self.alike.flow.is_empty()) else {
                    self.alike.note_surroundings();
                    return self.walk(image, record, stage);
                };
                *room = key;
                self.flows.count = slot.saturating_add(1);
                self.answer_all(image, record, slot)?;
                slot
            }
        };
        Ok(tri(self.flow_of(stage) >> (slot * 2)))
    }

    fn flow_of(&self, index: usize) -> u32 {
        self.alike.flow.get(index).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn set_flow(&mut self, index: usize, shift: usize, found: u32) {
        if let Some(bytes) = self.alike.flow.get_mut(index) {
            let rest = u32::from_le_bytes(*bytes) & !(OPEN << shift);
            *bytes = (rest | found << shift).to_le_bytes();
        }
    }

    /// Answers a test for every command: whether it matches itself, or something below it, or
    /// what either flows into. What is below a command stands behind it.
    fn answer_all(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        slot: usize,
    ) -> Result<(), Fault> {
        let tree = self.tree;
        let mut last = None::<(WordFlags, &[u8])>;
        let mut found = Tri::No;
        for (index, command) in tree.commands.iter().enumerate().rev() {
            let name = tree.program(command).map(|(word, text)| (word.flags, text));
            if index == 0 || name != last {
                self.spend(record.count)?;
                found = self.program(image, record, index, command)?;
                last = name;
            }
            let own = found.or(tri(self.flow_of(index) >> BELOW));
            self.set_flow(index, BELOW, bits(own));
            self.set_flow(index, slot * 2, OPEN);
            if let Some(parent) = (command.parent as usize).checked_sub(1) {
                let above = tri(self.flow_of(parent) >> BELOW);
                self.set_flow(parent, BELOW, bits(above.or(own)));
            }
        }
        for index in 0..tree.commands.len() {
            self.follow(index, slot * 2)?;
        }
        for index in 0..tree.commands.len() {
            self.set_flow(index, BELOW, 0);
        }
        Ok(())
    }

    /// Answers for the command at `start` and for what it flows into, as far as that is open.
    fn follow(&mut self, start: usize, shift: usize) -> Result<(), Fault> {
        // How many steps away the last command is that matches, and that may.
        let (mut surely, mut perhaps) = (0, 0);
        let (mut at, mut steps, mut end) = (Some(start), 0_usize, Tri::No);
        while let Some(index) = at.filter(|_| steps < self.tree.commands.len()) {
            self.spend(1)?;
            let flow = self.flow_of(index);
            if flow >> shift & OPEN != OPEN {
                end = tri(flow >> shift);
                break;
            }
            steps = steps.saturating_add(1);
            match tri(flow >> BELOW) {
                Tri::Yes => surely = steps,
                Tri::Unknown => perhaps = steps,
                Tri::No => {}
            }
            at = self.next_of(index);
        }
        at = Some(start);
        for step in 0..steps {
            let Some(index) = at else {
                break;
            };
            let own = match step {
                _ if step < surely => Tri::Yes,
                _ if step < perhaps => Tri::Unknown,
                _ => Tri::No,
            };
            self.set_flow(index, shift, bits(own.or(end)));
            at = self.next_of(index);
        }
        Ok(())
    }

    /// What the command at `index` flows into. For a process substitution, that stands before it.
    fn next_of(&self, index: usize) -> Option<usize> {
        let command = self.tree.commands.get(index)?;
        (command.pipes_into as usize).checked_sub(1)
    }

    /// The same for one command, where there is no memory for all.
    fn walk(
        &mut self,
        image: &Image<'_>,
        record: &NodeRecord,
        mut stage: usize,
    ) -> Result<Tri, Fault> {
        let tree = self.tree;
        let mut any = Tri::No;
        for _ in 0..tree.commands.len() {
            let next = self.next_of(stage);
            // What a stage runs was found before the stage that follows it.
            let end = next.filter(|next| *next > stage).unwrap_or(usize::MAX);
            for (index, command) in tree.commands.iter().enumerate().take(end).skip(stage) {
                self.spend(record.count)?;
                if index == stage || self.is_below(command, reader_number(stage))? {
                    any = any.or(self.program(image, record, index, command)?);
                }
            }
            let Some(next) = next else {
                break;
            };
            stage = next;
        }
        Ok(any)
    }

    /// Whether `command` was found in the command with index + 1 = `ancestor`.
    fn is_below(&self, command: &Command, ancestor: u32) -> Result<bool, Fault> {
        let mut at = Some(command);
        while let Some(step) = at {
            self.spend(1)?;
            if step.parent == ancestor {
                return Ok(true);
            }
            at = self.tree.parent(step);
        }
        Ok(false)
    }
}

fn reader_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}
