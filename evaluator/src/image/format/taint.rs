//! What a tree has come by in its life. A tree that has both can be told by the one to send the other
//! away, in whatever encoding.

/// It has read something that is nobody else's business.
pub const SECRET: u8 = 1;
/// It has taken in what somebody else wrote: a page, an answer, a download.
pub const UNTRUSTED: u8 = 2;

/// Names in policies.
pub const NAMES: [(&str, u8); 2] = [("secret", SECRET), ("untrusted", UNTRUSTED)];
