//! The verbs of the command line, one module each.

pub mod allow;
pub mod approvals;
pub mod audit_export;
pub mod audit_forward;
pub mod audit_prune;
pub mod audit_replay;
pub mod audit_search;
pub mod audit_stats;
pub mod audit_tail;
pub mod audit_verify;
pub mod check;
pub mod check_jsonl;
pub mod doctor;
pub mod policy_compile;
pub mod policy_lint;
pub mod policy_reload;
pub mod policy_schema;
pub mod policy_show;
pub mod policy_test;
pub mod report;
pub mod rules;
pub mod run;
pub mod score;
pub mod serve;
pub mod status;
pub mod stub;
