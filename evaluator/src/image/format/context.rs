//! What a command would act on: `NodeRecord::flags` of [`super::node::CONTEXT`].

/// Context of the Kubernetes client configuration.
pub const KUBE_CONTEXT: u8 = 1;
/// Namespace of a Kubernetes client.
pub const KUBE_NAMESPACE: u8 = 2;
/// Profile of the AWS command line.
pub const AWS_PROFILE: u8 = 3;
/// Account number that this profile belongs to.
pub const AWS_ACCOUNT: u8 = 4;
/// Project of Google Cloud.
pub const GCLOUD_PROJECT: u8 = 5;
/// Workspace of Terraform or OpenTofu.
pub const TERRAFORM_WORKSPACE: u8 = 6;
/// Name or address of the remote repository.
pub const GIT_REMOTE: u8 = 7;
/// Branch that is pushed to, or worked on.
pub const GIT_BRANCH: u8 = 8;
/// Host of a database.
pub const DATABASE_HOST: u8 = 9;
/// The machine: the one that `ssh` goes to, else this one.
pub const HOST: u8 = 10;

/// Name in policies, for each.
pub const NAMES: [(&str, u8); 10] = [
    ("kube_context", KUBE_CONTEXT),
    ("kube_namespace", KUBE_NAMESPACE),
    ("aws_profile", AWS_PROFILE),
    ("aws_account", AWS_ACCOUNT),
    ("gcloud_project", GCLOUD_PROJECT),
    ("terraform_workspace", TERRAFORM_WORKSPACE),
    ("git_remote", GIT_REMOTE),
    ("git_branch", GIT_BRANCH),
    ("database_host", DATABASE_HOST),
    ("host", HOST),
];
