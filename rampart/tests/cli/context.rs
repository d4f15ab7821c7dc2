//! `rampart check` and what surrounds a command: the real files of a home, the real environment,
//! the real digest of a file.

use crate::support::User;

fn policy(when: &str) -> String {
    format!(
        "default_action: allow\npolicies: [{{name: p, rules: [{{action: deny, when: {when}}}]}}]\n"
    )
}

/// What `check` comes to: whether the rule with `when` denies `text` with these variables set.
fn denies(user: &User, when: &str, env: &[(&str, &str)], text: &str) -> bool {
    user.write("context.yaml", policy(when));
    let mut command = user.command(&["check", "--policy", "context.yaml", "--shell", text]);
    let output = command.envs(env.iter().copied()).output().unwrap();
    match output.status.code() {
        Some(0) => false,
        Some(1) => true,
        status => {
            panic!("{when} on {text}: {status:?} {}", String::from_utf8_lossy(&output.stderr))
        }
    }
}

/// Condition, variables, text, whether it is denied.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str, bool);

#[test]
fn contexts_are_read_from_the_home() {
    let user = User::new();
    // Longer than any buffer: certificates stand before what is looked for.
    let certificate = "QUJD".repeat(5000);
    user.write(".kube/config", format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {certificate}\n  name: c\ncontexts:\n- context:\n    namespace: payments\n  name: prod-eu\ncurrent-context: prod-eu\n"
    ));
    user.write(".aws/config", "[profile prod]\nsso_account_id = 111122223333\n");
    user.write(".config/gcloud/active_config", "live");
    user.write(".config/gcloud/configurations/config_live", "[core]\nproject = shop-prod\n");
    user.write("infra/.terraform/environment", "production");
    user.write("app/.git/HEAD", "ref: refs/heads/main\n");
    user.write("app/.git/config", "[remote \"origin\"]\n\turl = git@github.com:acme/app.git\n");
    #[rustfmt::skip]
    let cases: &[Case] = &[
        ("{context: {kube_context: 'prod*'}}", &[], "kubectl delete pod x", true),
        ("{context: {kube_namespace: payments}}", &[], "kubectl delete pod x", true),
        ("{context: {kube_context: 'prod*'}}", &[("KUBECONFIG", "/none")], "kubectl delete pod x", false),
        ("{context: {aws_account: '1111*'}}", &[("AWS_PROFILE", "prod")], "aws s3 rm s3://x", true),
        ("{context: {aws_profile: prod}}", &[("AWS_PROFILE", "dev")], "aws s3 rm s3://x", false),
        ("{context: {gcloud_project: shop-prod}}", &[], "gcloud sql instances delete x", true),
        ("{context: {terraform_workspace: production}}", &[], "cd infra && terraform destroy", true),
        ("{context: {terraform_workspace: production}}", &[], "terraform destroy", false),
        ("{context: {git_branch: main, git_remote: '*acme/app*'}}", &[], "git -C app push", true),
        ("{context: {git_branch: main}}", &[], "git -C app push origin dev", false),
        ("{context: {database_host: '*.prod'}}", &[("PGHOST", "db.prod")], "psql -c x", true),
        ("{context: {host: prod-1}}", &[], "ssh prod-1 reboot", true),
        ("{context: {host: no-such-name}}", &[], "ls", false),
        ("{env: 'STAGE=prod*'}", &[("STAGE", "prod-eu")], "ls", true),
        ("{env: 'STAGE=prod*'}", &[], "ls", false),
        ("{cwd_matches: [~/app]}", &[], "cd app && make", true),
    ];
    for (when, env, text, expected) in cases {
        assert_eq!(denies(&user, when, env, text), *expected, "{when} {env:?} on {text}");
    }
}

#[test]
fn files_and_callers_are_what_they_are() {
    let user = User::new();
    let id = rustix::process::getuid().as_raw();
    let this = std::env::current_exe().unwrap();
    let name = this.file_name().unwrap().to_str().unwrap().to_lowercase();
    let tool = user.write("tool", "#!/bin/sh\n");
    let output = std::process::Command::new("sha256sum").arg(&tool).output().unwrap();
    let digest: String = String::from_utf8_lossy(&output.stdout).chars().take(64).collect();
    #[rustfmt::skip]
    let cases = [
        (format!("{{user: {id}}}"), "ls", true),
        (format!("{{user: {}}}", id + 1), "ls", false),
        (format!("{{parent: '{name}'}}"), "ls", true),
        ("{parent: no-such-program}".to_owned(), "ls", false),
        (format!("{{exe_sha256: {digest}}}"), "./tool", true),
        (format!("{{exe_sha256: {}}}", "0".repeat(64)), "./tool", false),
        (format!("{{exe_sha256: {digest}}}"), "ls", false),
        ("{exe_path: [~/tool]}".to_owned(), "./tool", true),
        ("{exe_path: [/usr/bin/*]}".to_owned(), "env", true),
    ];
    for (when, text, expected) in cases {
        assert_eq!(denies(&user, &when, &[], text), expected, "{when} on {text}");
    }
}
