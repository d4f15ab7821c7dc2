//! The production context: from the files, variables and options that the tools read to the
//! verdict. One line a case, in a world that is a table of files.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use evaluator::{Action, Answer, Call, Env, Image, Request, World, decide};
use policy_schema::{Layer, OwnedScratch};
use support::{image, request};

const KUBECONFIG: &str = r#"apiVersion: v1
clusters:
- cluster:
    server: https://k8s.example
  name: c
contexts:
- context:
    cluster: c
    extensions:
    - extension:
        version: v1
      name: context_info
    namespace: payments
    user: u
  name: prod-eu
- context:
    cluster: c
    user: u
  name: "dev"
current-context: prod-eu
kind: Config
"#;
const INDENTED: &str =
    "contexts:\n  - context:\n      namespace: inner\n    name: other\ncurrent-context: other\n";
const AWS: &str = "[default]\nregion = eu-1\n[profile prod]\nsso_account_id = 111122223333\n[profile role]\nrole_arn = arn:aws:iam::444455556666:role/admin\nsource_profile=default\n";
const GIT: &str = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = git@github.com:acme/app.git\n[remote \"live\"]\n\turl = ssh://git@prod.example/app\n[branch \"main\"]\n\tremote = origin\n[branch \"release\"]\n\tremote = origin\n\tpushRemote = live\n";

/// Paths and contents.
const FILES: &[(&str, &str)] = &[
    ("/home/me/.kube/config", KUBECONFIG),
    ("/work/other.yaml", INDENTED),
    ("/work/json", "{\"current-context\": \"prod\"}"),
    ("/home/me/.aws/config", AWS),
    ("/home/me/.config/gcloud/active_config", "live\n"),
    ("/home/me/.config/gcloud/configurations/config_live", "[core]\nproject = shop-prod\n"),
    ("/home/me/.config/gcloud/configurations/config_lab", "[core]\naccount = a\nproject = lab-1\n"),
    ("/work/project/.terraform/environment", "production"),
    ("/work/project/.git/HEAD", "ref: refs/heads/main\n"),
    ("/work/project/.git/config", GIT),
    ("/work/rel/.git/HEAD", "ref: refs/heads/release\n"),
    ("/work/rel/.git/config", GIT),
    ("/work/tree/.git", "gitdir: /work/project/.git/worktrees/tree\n"),
    ("/work/project/.git/worktrees/tree/HEAD", "ref: refs/heads/feature/x\n"),
    ("/work/project/.git/worktrees/tree/commondir", "../..\n"),
    ("/work/loose/.git/HEAD", "0123456789012345678901234567890123456789\n"),
    ("/work/loose/.git/config", GIT),
    ("/home/me/.my.cnf", "[client]\nuser=me\nhost = db.prod.example\n"),
];

struct Table;

impl World for Table {
    fn resolve<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read<'b>(&self, _path: &[u8], _out: &'b mut [u8]) -> Answer<&'b [u8]> {
        Answer::Absent
    }
    fn read_at<'b>(&self, path: &[u8], at: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        let Some((_, text)) = FILES.iter().find(|(name, _)| name.as_bytes() == path) else {
            return Answer::Absent;
        };
        let rest = &text.as_bytes()[text.len().min(at as usize)..];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Answer::Value(&out[..len])
    }
    fn host<'b>(&self, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        out[..6].copy_from_slice(b"laptop");
        Answer::Value(&out[..6])
    }
}

const ENV: &[(&[u8], &[u8])] = &[(b"HOME", b"/home/me")];

fn judged(action: &str, when: &str, text: &str) -> Action {
    let default = if action == "allow" { "deny" } else { "allow" };
    let yaml = format!(
        "default_action: {default}\npolicies: [{{name: p, rules: [{{action: {action}, when: {when}}}]}}]"
    );
    let bytes = image(&yaml, Layer::User);
    let images = [Image::open(&bytes).unwrap()];
    let asked = Request { env: &ENV as &dyn Env, ..request("exec", Call::Shell(text.as_bytes())) };
    let mut scratch = OwnedScratch::for_request(&asked, 8);
    decide(&images, &asked, &Table, &mut scratch.borrow()).action
}

fn table(cases: &[(&str, &str, bool)]) {
    for (context, text, fires) in cases {
        let expected = if *fires { Action::Deny } else { Action::Allow };
        let when = format!("{{context: {{{context}}}}}");
        assert_eq!(judged("deny", &when, text), expected, "{context} on {text}");
    }
}

#[test]
fn kubernetes() {
    #[rustfmt::skip]
    table(&[
        ("kube_context: '*prod*'", "kubectl delete pod x", true),
        ("kube_context: dev", "kubectl delete pod x", false),
        ("kube_context: dev", "kubectl --context=dev get pods", true),
        ("kube_context: '*prod*'", "kubectl --context dev get pods", false),
        ("kube_context: '*prod*'", "helm upgrade --kube-context prod-us x .", true),
        ("kube_context: other", "KUBECONFIG=/work/other.yaml kubectl get pods", true),
        ("kube_context: other", "KUBECONFIG=/none:../other.yaml kubectl get pods", true),
        ("kube_context: other", "kubectl --kubeconfig ../other.yaml get pods", true),
        ("kube_context: '*prod*'", "KUBECONFIG=/none kubectl get pods", false),
        ("kube_context: dev", "KUBECONFIG=/work/json kubectl get pods", true),
        ("kube_context: dev", "kubectl --context \"$X\" get pods", true),
        ("kube_context: '*prod*'", "ls", false),
        ("kube_namespace: payments", "kubectl get pods", true),
        ("kube_namespace: default", "kubectl get pods", false),
        ("kube_namespace: default", "kubectl --context dev get pods", true),
        ("kube_namespace: web", "kubectl -n web get pods", true),
        ("kube_namespace: web", "kubectl -nweb get pods", true),
        ("kube_namespace: payments", "kubectl --namespace=web get pods", false),
        ("kube_namespace: payments", "kubectl get pods -A", true),
        ("kube_namespace: inner", "kubectl --kubeconfig /work/other.yaml get pods", true),
        ("kube_namespace: payments", "kubectl exec p -- ls -n web", true),
        ("kube_context: '*prod*', kube_namespace: web", "kubectl get pods -n web", true),
        ("kube_context: '*prod*', kube_namespace: web", "kubectl get pods", false),
    ]);
}

#[test]
fn clouds() {
    #[rustfmt::skip]
    table(&[
        ("aws_profile: prod", "aws --profile prod s3 ls", true),
        ("aws_profile: prod", "AWS_PROFILE=prod aws s3 ls", true),
        ("aws_profile: prod", "AWS_PROFILE=prod aws --profile=dev s3 ls", false),
        ("aws_profile: prod", "export AWS_PROFILE=prod; terraform apply", true),
        ("aws_profile: default", "aws s3 ls", true),
        ("aws_profile: prod", "aws s3 ls", false),
        ("aws_profile: prod", "AWS_ACCESS_KEY_ID=x aws s3 ls", true),
        ("aws_profile: prod", "AWS_PROFILE=prod ls", false),
        ("aws_account: 111122223333", "aws --profile prod s3 ls", true),
        ("aws_account: '4444*'", "AWS_PROFILE=role aws s3 ls", true),
        ("aws_account: '9*'", "AWS_PROFILE=role aws s3 ls", false),
        // Nobody knows whose keys these are.
        ("aws_account: '9*'", "AWS_PROFILE=keys aws s3 ls", true),
        ("gcloud_project: shop-prod", "gcloud run deploy", true),
        ("gcloud_project: shop-prod", "gcloud --project lab-1 run deploy", false),
        ("gcloud_project: lab-1", "CLOUDSDK_CORE_PROJECT=lab-1 gcloud run deploy", true),
        ("gcloud_project: lab-1", "gcloud --configuration=lab run deploy", true),
        ("gcloud_project: lab-1", "CLOUDSDK_ACTIVE_CONFIG_NAME=lab gsutil rm gs://x", true),
        ("gcloud_project: shop-prod", "CLOUDSDK_CONFIG=/none gcloud run deploy", false),
        ("terraform_workspace: prod*", "terraform destroy", true),
        ("terraform_workspace: prod*", "terraform -chdir=../rel destroy", false),
        ("terraform_workspace: default", "terraform -chdir=../rel destroy", true),
        ("terraform_workspace: prod*", "TF_WORKSPACE=dev tofu destroy", false),
        ("terraform_workspace: prod*", "cd ../rel && terraform destroy", false),
        ("terraform_workspace: prod*", "cd \"$X\" && terraform destroy", true),
    ]);
}

#[test]
fn repositories() {
    #[rustfmt::skip]
    table(&[
        ("git_branch: main", "git push", true),
        ("git_branch: main", "git push origin", true),
        ("git_branch: main", "git push origin HEAD:main", true),
        ("git_branch: main", "git push origin +dev:refs/heads/main", true),
        ("git_branch: main", "git push origin :main", true),
        ("git_branch: main", "git push --delete origin main", true),
        ("git_branch: main", "git push origin HEAD", true),
        ("git_branch: main", "git push origin dev", false),
        ("git_branch: main", "git push origin main:dev", false),
        ("git_branch: main", "git push origin tag main", false),
        ("git_branch: main", "git push --tags", false),
        ("git_branch: main", "git push --mirror", true),
        ("git_branch: main", "git push origin 'refs/heads/*'", true),
        ("git_branch: main", "git push origin \"$B\"", true),
        ("git_branch: main", "git push -o ci.skip origin dev", false),
        ("git_branch: main", "git -C ../rel push", false),
        ("git_branch: release", "git -C ../rel push", true),
        ("git_branch: release", "cd ../rel/src && git commit -m x", true),
        ("git_branch: feature/*", "git -C /work/tree commit -m x", true),
        ("git_branch: '*'", "git -C /work/loose commit -m x", false),
        ("git_branch: '*'", "git -C /srv commit -m x", false),
        ("git_branch: release", "GIT_DIR=/work/rel/.git git commit", true),
        ("git_branch: release", "git --git-dir=../rel/.git commit", true),
        ("git_remote: origin", "git push", true),
        ("git_remote: '*acme/app*'", "git push", true),
        ("git_remote: live", "git push live main", true),
        ("git_remote: '**prod.example**'", "git push live main", true),
        ("git_remote: live", "git -C ../rel push", true),
        ("git_remote: live", "git -C ../rel fetch", false),
        ("git_remote: '*acme*'", "git -C /work/tree push origin", true),
        ("git_remote: '*evil*'", "git push https://evil.example/x main", true),
        ("git_remote: '*evil*'", "git clone https://evil.example/x", true),
        ("git_remote: origin", "git commit -m x", false),
    ]);
}

#[test]
fn machines() {
    #[rustfmt::skip]
    table(&[
        ("database_host: '*.prod.*'", "psql -h db.prod.example -c x", true),
        ("database_host: '*.prod.*'", "psql -hdb.PROD.example", true),
        ("database_host: '*.prod.*'", "psql postgres://u:p@db.prod.example:5432/x", true),
        ("database_host: '*.prod.*'", "psql -d 'dbname=x host=db.prod.example'", true),
        ("database_host: '*.prod.*'", "PGHOST=db.prod.example pg_dump x", true),
        ("database_host: localhost", "psql mydb", true),
        ("database_host: '*.prod.*'", "psql -h localhost", false),
        ("database_host: '*.prod.*'", "mysql -e 'select 1'", true),
        ("database_host: '*.prod.*'", "mysql --host=localhost", false),
        ("database_host: '*.prod.*'", "redis-cli -h cache.prod.example flushall", true),
        ("database_host: '*.prod.*'", "redis-cli -u redis://u@cache.prod.example:6379/0", true),
        ("database_host: '*.prod.*'", "redis-cli flushall", false),
        ("database_host: '*.prod.*'", "mongosh 'mongodb+srv://u:p@a.dev.example,b.prod.example/x'", true),
        ("database_host: '*.prod.*'", "mongodump --host rs/a.example,b.prod.example", true),
        ("database_host: localhost", "mongosh", true),
        ("host: laptop", "ls", true),
        ("host: 'prod*'", "ls", false),
        ("host: 'PROD*'", "ssh -p 22 me@prod-1 ls", true),
        ("host: laptop", "ssh prod-1 ls", false),
        ("host: 'prod*'", "ssh \"$H\" ls", true),
        ("host: 'prod*'", "scp a b me@prod-2:/tmp", true),
        ("host: 'prod*'", "scp ./prod:x y", false),
        ("host: 'prod*'", "rsync -a . prod-3:/srv", true),
        ("host: laptop", "rsync -a . /srv", true),
    ]);
    assert_eq!(
        judged("deny", "{program: ls, context: {host: 'prod*'}}", "ssh prod-1 ls"),
        Action::Deny
    );
}

#[test]
fn grants_need_a_context_that_is_known() {
    #[rustfmt::skip]
    let cases = [
        ("{context: {kube_context: dev}}", "kubectl --context dev get pods", Action::Allow),
        ("{context: {kube_context: dev}}", "kubectl get pods", Action::Deny),
        ("{context: {kube_context: dev}}", "kubectl --context \"$X\" get pods", Action::Deny),
        ("{context: {aws_account: '*'}}", "AWS_PROFILE=keys aws s3 ls", Action::Deny),
        ("{context: {git_branch: dev}}", "git push origin dev", Action::Allow),
        ("{context: {git_branch: dev}}", "git push origin dev main", Action::Deny),
        ("{context: {git_branch: dev}}", "git push origin tag v1", Action::Deny),
        ("{program: kubectl, not: {context: {kube_context: '*prod*'}}}", "kubectl --context dev x", Action::Allow),
        ("{program: kubectl, not: {context: {kube_context: '*prod*'}}}", "kubectl x", Action::Deny),
        ("{program: kubectl, not: {context: {kube_context: '*prod*'}}}", "kubectl --context \"$X\" x", Action::Deny),
    ];
    for (when, text, expected) in cases {
        assert_eq!(judged("allow", when, text), expected, "{when} on {text}");
    }
    // A restriction that excludes a context holds where that is not known.
    let outside = "{program: kubectl, not: {context: {kube_context: dev}}}";
    assert_eq!(judged("deny", outside, "kubectl --context \"$X\" x"), Action::Deny);
    assert_eq!(judged("deny", outside, "kubectl --context dev x"), Action::Allow);
}
