//! The evaluator as a service: verdicts, approvals and what they need that a process of its own
//! alone can have. `rampart serve` runs it as a daemon, `rampart run` for one tree.
//!
//! One thread and one epoll loop: a parked request is a descriptor in the set, nothing more. What
//! takes long to judge is judged in a second thread, and what needs nothing but the policy by others, too, while
//! the loop is at work.
//!
//! | module | what |
//! | --- | --- |
//! | [`listen`] | where the socket lies, and taking it |
//! | [`server`] | the loop, clients and their limits |
//! | [`clients`], [`peer`] | who is connected, and who that is on the kernel's word |
//! | [`requests`], [`reports`] | one packet → one answer |
//! | [`weigh`], [`brain`], [`files`] | what a request comes to by the policy |
//! | [`counters`] | how often things happened |
//! | [`taints`] | what trees have come by |
//! | [`reload`] | a policy that changes |
//! | [`front`] | what other threads want done there |
//! | [`heavy`] | the same for large requests |
//! | [`helpers`] | verdicts beside the loop |
//! | [`approvals`], [`approval`] | what was asked, answered and used; pure, the time is an argument |
//! | [`coverage`] | which commands an approval covers |
//! | [`journal`] | approvals that outlive the process |

pub mod approval;
pub mod approvals;
pub mod brain;
pub mod clients;
pub mod counters;
pub mod coverage;
pub mod facts;
mod files;
pub mod front;
mod heavy;
mod helpers;
pub mod journal;
pub mod listen;
pub mod liveness;
pub mod once;
pub mod passed;
pub mod peer;
pub mod reload;
pub mod reports;
pub mod requests;
pub mod server;
pub mod service;
pub mod signals;
pub mod taints;
pub mod tallies;
pub mod weigh;
