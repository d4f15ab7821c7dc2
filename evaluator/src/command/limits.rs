//! The counted limits. Never a clock: the same input gives the same tree on any load.

use super::shell::Shell;

/// How deep commands, substitutions, quotes and decoded texts may nest in each other.
pub(super) const MAX_DEPTH: u32 = 192;

/// Units of work that any call may take, besides those for its length. A unit is about one byte
/// written, or one step of a scan over eight.
pub(super) const BASE_FUEL: u32 = 40_000;

/// Units of work for each byte of input.
pub(super) const FUEL_PER_BYTE: u32 = 12;

/// Steps of grammar that any text may take on what stands in it for the first time, besides those for
/// its length. A step is about a tenth of a microsecond; a command takes four. What people and their
/// tools write has a command for some 20 bytes; a text of nothing but `a;` ends here.
pub(super) const BASE_STEPS: u32 = 1600;

/// Bytes of text that allow one step more.
pub(super) const BYTES_PER_STEP: u32 = 4;

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
        self.granted = BASE_FUEL.saturating_add(bytes.saturating_mul(FUEL_PER_BYTE));
        self.fuel = self.granted;
        self.steps = BASE_STEPS.saturating_add(bytes / BYTES_PER_STEP);
        self.own_text = self.text.len();
    }

    /// Takes `steps` steps of grammar at the cursor. What was read before costs none: that it is
    /// read again is paid for by fuel.
    #[inline]
    pub fn take_steps(&mut self, steps: u32) -> Step {
        if self.pos >= self.farthest || self.pos >= self.own_text {
            self.steps = self.steps.checked_sub(steps).ok_or(Stop::Limit)?;
        }
        Ok(())
    }

    /// Takes the steps of a simple command, which is then read.
    pub fn begin_steps(&mut self) -> Step {
        self.take_steps(3)?;
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
