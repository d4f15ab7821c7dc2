//! `rampart verify`: for commands that no rule can settle, a service that says what they would do and
//! whether that fits. It speaks the contract of docs/webhooks.md, so that a `webhook` rule asks it.
//!
//! Without a model it decides by effects ([`weigh`]); a model, where one is configured, can only make that
//! stricter, unless the rule about an effect says otherwise. No answer is an answer of its own, never a yes.

pub mod cases;
pub mod config;
pub mod desk;
mod files;
mod ledger;
pub mod listen;
mod model;
mod protocol;
mod question;
pub mod weigh;
