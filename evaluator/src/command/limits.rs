//! The counted limits. Never a clock: the same input gives the same tree on any load.

/// How deep commands, substitutions, quotes and decoded texts may nest in each other.
pub(super) const MAX_DEPTH: u32 = 192;

/// Units of work that any call may take, besides those for its length. A unit is about one byte
/// written, or one step of a scan over eight.
pub(super) const BASE_FUEL: u32 = 40_000;

/// Units of work for each byte of input.
pub(super) const FUEL_PER_BYTE: u32 = 12;

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
