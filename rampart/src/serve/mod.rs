//! The evaluator as a service: verdicts, approvals and what they need that a process of its own
//! alone can have. `rampart serve` runs it as a daemon, `rampart run` for one tree.
//!
//! One thread and one epoll loop: a parked request is a descriptor in the set, nothing more.
//!
//! | module | what |
//! | --- | --- |
//! | [`listen`] | where the socket lies, and taking it |
//! | [`server`] | the loop, clients and their limits |
//! | [`requests`] | one packet → one answer |
//! | [`approvals`], [`approval`] | what was asked, answered and used; pure, the time is an argument |
//! | [`coverage`] | which commands an approval covers |
//! | [`journal`] | approvals that outlive the process |

pub mod approval;
pub mod approvals;
pub mod coverage;
pub mod journal;
pub mod listen;
pub mod requests;
pub mod server;
pub mod signals;
