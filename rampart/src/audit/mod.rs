//! Reading the audit log. It is written by many processes at once, each event by one append, so
//! a reader must expect torn lines, foreign lines, truncation and rotation, and never stop there.

pub mod event;
pub mod follow;
pub mod record;
pub mod spool;
