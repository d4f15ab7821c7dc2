//! What a rule can answer, ordered by severity: a verdict is the maximum of what fired.

/// What a policy says about a call. `Ord` is severity, so that combining is `max`.
///
/// The values are those stored in an image; 0 is left free, so that zeroed memory is no action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    /// Run it.
    Allow = 1,
    /// Run it, and say in the record that a rule wanted it seen.
    Watch = 2,
    /// Run it only if a person agrees.
    Ask = 3,
    /// Run it only if a second service agrees.
    Webhook = 4,
    /// Do not run it.
    Deny = 5,
}

impl Action {
    /// The name used in policies, events and command output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Watch => "watch",
            Self::Ask => "ask",
            Self::Webhook => "webhook",
            Self::Deny => "deny",
        }
    }

    /// The action stored as `code` in an image, or `None` for a code no version wrote.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Allow),
            2 => Some(Self::Watch),
            3 => Some(Self::Ask),
            4 => Some(Self::Webhook),
            5 => Some(Self::Deny),
            _ => None,
        }
    }

    /// Whether the call goes ahead without anybody being asked.
    #[must_use]
    pub const fn permits(self) -> bool {
        matches!(self, Self::Allow | Self::Watch)
    }

    /// Whether a rule with this action takes something away. Restrictive rules fire if *any*
    /// command that the call can reach matches; granting ones only if *every* one is covered.
    #[must_use]
    pub const fn is_restrictive(self) -> bool {
        matches!(self, Self::Ask | Self::Webhook | Self::Deny)
    }
}
