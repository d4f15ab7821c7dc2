//! The counted limits. Never a clock: the same input gives the same tree on any load.

use super::shell::Shell;

/// How deep commands, substitutions, quotes and decoded texts may nest in each other.
pub(super) const MAX_DEPTH: u32 = 192;

/// Bytes up to which a text counts as short. Nearly all are; what is longer was written by a program, or
/// is one.
const SHORT: u32 = 8192;

/// What a text may take: so much in any case, for each byte of a short text, and for each byte more.
pub(super) struct Grant {
    pub base: u32,
    pub near: u32,
    pub far: u32,
}

/// Units of work. A unit is about one byte written, or one step of a scan over eight; some three take
/// as long as a step of grammar.
pub(super) const FUEL: Grant = Grant { base: 40_000, near: 12, far: 12 };

/// Eighths of steps of grammar on what stands in the text for the first time. A step is about a
/// hundred instructions; a command takes 25. What people and their tools write has a command for some
/// 20 bytes; a text of nothing but `a;` ends here.
pub(super) const STEPS: Grant = Grant { base: 68_800, near: 9, far: 13 };

/// Steps that each round of a loop takes but the first, besides what reading it again costs.
const ROUND: u32 = 16;

/// Units of work that a step takes on what was read before.
const REREAD: u32 = 2;

impl Grant {
    /// For a text of `bytes` bytes.
    pub fn of(&self, bytes: u32) -> u32 {
        let near = bytes.min(SHORT).saturating_mul(self.near);
        let far = bytes.saturating_sub(SHORT).saturating_mul(self.far);
        self.base.saturating_add(near).saturating_add(far)
    }
}

/// Why understanding stopped short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A token that does not belong there. What follows is looked at all the same.
    Syntax,
    /// The text ended inside a quote, a substitution or a compound command.
    Unterminated,
    /// Fuel, depth or memory is used up.
    Limit,
}

/// What most steps return.
pub(super) type Step<T = ()> = Result<T, Stop>;

impl Shell<'_, '_> {
    /// Grants the fuel and the steps for a call of `bytes` bytes, which is all that `text` holds.
    pub fn fuel_for(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.granted = FUEL.of(bytes);
        self.fuel = self.granted;
        self.steps = STEPS.of(bytes) / 8;
        self.own_text = self.text.len();
    }

    /// Takes `steps` steps of grammar at the cursor. That what was read before is read again is paid
    /// for by fuel.
    #[inline]
    pub fn take_steps(&mut self, steps: u32) -> Step {
        if self.pos >= self.farthest || self.pos >= self.own_text {
            self.steps = self.steps.checked_sub(steps).ok_or(Stop::Limit)?;
            return Ok(());
        }
        self.burn(steps.saturating_mul(REREAD) as usize)
    }

    /// Takes the steps of one more round of a loop: its commands are read again, but judged as others are.
    pub fn take_round(&mut self) -> Step {
        self.steps = self.steps.checked_sub(ROUND).ok_or(Stop::Limit)?;
        Ok(())
    }

    /// Takes the steps of a simple command, which is then read.
    pub fn begin_steps(&mut self) -> Step {
        self.take_steps(16)?;
        if self.pos < self.own_text {
            self.farthest = self.farthest.max(self.pos.saturating_add(1));
        }
        Ok(())
    }

    /// Uses up `units` of work.
    #[inline]
    pub fn burn(&mut self, units: usize) -> Step {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let units = units.saturating_add(self.vars.take_walked() / 4);
        self.fuel = self.fuel.checked_sub(units).ok_or(Stop::Limit)?;
        Ok(())
    }
}
