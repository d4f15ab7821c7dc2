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

/// Programs whose commands a kind of context is about, with a blank on both sides of each name;
/// empty for every program.
#[must_use]
pub const fn programs(kind: u8) -> &'static [u8] {
    match kind {
        KUBE_CONTEXT | KUBE_NAMESPACE => {
            b" kubectl oc helm helmfile k9s kustomize stern istioctl linkerd flux argocd argo skaffold tilt kubectx kubens velero cmctl k "
        }
        AWS_PROFILE | AWS_ACCOUNT => {
            b" aws sam cdk eksctl eb copilot amplify serverless sls chalice s3cmd s5cmd ecs-cli aws-vault terraform tofu terragrunt pulumi packer "
        }
        GCLOUD_PROJECT => b" gcloud gsutil bq firebase terraform tofu terragrunt pulumi packer ",
        TERRAFORM_WORKSPACE => b" terraform tofu terragrunt ",
        GIT_REMOTE | GIT_BRANCH => b" git ",
        DATABASE_HOST => {
            b" psql pg_dump pg_dumpall pg_restore createdb dropdb createuser dropuser vacuumdb reindexdb clusterdb pgcli pgbench mysql mysqldump mysqladmin mysqlimport mysqlcheck mysqlsh mycli mariadb mariadb-dump mariadb-admin redis-cli valkey-cli keydb-cli mongosh mongo mongodump mongorestore mongoimport mongoexport "
        }
        _ => b"",
    }
}
