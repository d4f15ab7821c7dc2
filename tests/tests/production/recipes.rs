//! The recipes of docs/deployment.md do what they say: each is taken from the document itself, and run as far as this machine
//! has what it is for. Paths of an installed Rampart stand for the test's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::{Guard, find, library, rampart, run};

use crate::container::{Host, Kind, POLICY};

fn repository() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

fn document() -> String {
    fs::read_to_string(repository().join("docs/deployment.md")).unwrap()
}

/// The blocks of the document in this language.
fn blocks(language: &str) -> Vec<String> {
    let text = document();
    let start = format!("```{language}\n");
    let starts = text.split(start.as_str()).skip(1);
    starts.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// YAML as JSON; `None` where nothing is installed that reads it.
fn yaml(text: &str) -> Option<Value> {
    let Some(ruby) = find("ruby") else {
        println!("skipped: no ruby to read YAML");
        return None;
    };
    let program = "puts YAML.safe_load($stdin.read).to_json";
    let ran = run(Command::new(ruby).args(["-ryaml", "-rjson", "-e", program]), text);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    Some(serde_json::from_str(&ran.stdout).unwrap())
}

/// What the document calls it, and where the test has it.
fn here(host: &Host, path: &str) -> PathBuf {
    match path {
        "/usr/lib/rampart/librampart.so" => library(),
        "/etc/rampart/system.img" => host.guard.image(),
        "/run/rampart" => host.guard.path("run"),
        other => panic!("the package makes no `{other}`"),
    }
}

/// A container that nothing is injected into: with these variables and read-only mounts a denied program does not run in
/// it, and a permitted one does.
fn guards(host: &Host, kind: Kind, variables: &[String], mounts: &[(PathBuf, String)]) {
    if !kind.make(&host.root(kind.name())) {
        return;
    }
    let script = "forbidden x; echo denied=$?; permitted x";
    let ran = host.bare(kind.name(), script, |config| {
        let list = |config: &mut Value, at: &str, more: Vec<Value>| {
            config.pointer_mut(at).unwrap().as_array_mut().unwrap().extend(more);
        };
        list(config, "/process/env", variables.iter().cloned().map(Value::from).collect());
        let mount = |(from, to): &(PathBuf, String)| {
            json!({"destination": to, "type": "bind", "source": from, "options": ["bind", "ro"]})
        };
        list(config, "/mounts", mounts.iter().map(mount).collect());
    });
    assert_eq!(ran.stdout, "denied=126\npermitted ran as x\n", "{kind:?}: {}", ran.stderr);
    assert!(ran.stderr.contains("[container/forbidden] Not here."), "{kind:?}: {}", ran.stderr);
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// An object's members, as an environment has them.
fn pairs(value: &Value) -> Vec<String> {
    let all = value.as_object().unwrap().iter();
    all.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect()
}

#[test]
fn compose_devcontainers_and_kubernetes() {
    let blocks = blocks("yaml");
    let documents: Option<Vec<Value>> = blocks.iter().map(|text| yaml(text)).collect();
    let Some([composed, pod]) = documents.as_deref() else {
        assert!(documents.is_none(), "two blocks of YAML");
        return;
    };
    let developed = blocks_of_devcontainer();
    for host in Host::all() {
        compose(&host, &composed["services"]["agent"]);
        devcontainer(&host, &developed);
        kubernetes(&host, &pod["spec"]);
    }
}

fn compose(host: &Host, service: &Value) {
    let volumes = words(&service["volumes"]);
    let mounted = |volume: &String| {
        let fields: Vec<&str> = volume.split(':').collect();
        assert_eq!(fields.get(2), Some(&"ro"), "{volume}");
        (here(host, fields[0]), fields[1].to_owned())
    };
    let mounts: Vec<_> = volumes.iter().map(mounted).collect();
    for kind in [Kind::Glibc, Kind::Alpine] {
        guards(host, kind, &pairs(&service["environment"]), &mounts);
    }
}

fn devcontainer(host: &Host, config: &Value) {
    let all = words(&config["mounts"]);
    let mounted = |mount: &String| {
        let field = |name: &str| {
            let found = mount.split(',').find_map(|f| f.strip_prefix(name)?.strip_prefix('='));
            found.unwrap().to_owned()
        };
        assert!(field("type") == "bind" && mount.ends_with(",readonly"), "{mount}");
        (here(host, &field("source")), field("target"))
    };
    let mounts: Vec<_> = all.iter().map(mounted).collect();
    guards(host, Kind::Glibc, &pairs(&config["containerEnv"]), &mounts);
}

/// The init container's command fills the volume, which the agent's container then has.
fn kubernetes(host: &Host, spec: &Value) {
    let volume = host.guard.path("empty-dir");
    fs::create_dir(&volume).unwrap();
    let init = &spec["initContainers"][0];
    let command = words(&init["command"]);
    let (to, from) = command[1..].split_last().unwrap();
    assert_eq!((command[0].as_str(), to.trim_end_matches('/')), ("cp", "/opt/rampart"));
    assert_eq!(init["volumeMounts"][0]["mountPath"], "/opt/rampart");
    for from in from {
        fs::copy(here(host, from), volume.join(Path::new(from).file_name().unwrap())).unwrap();
    }
    let agent = &spec["containers"][0];
    let mount = &agent["volumeMounts"][0];
    assert_eq!((&mount["name"], &mount["readOnly"]), (&spec["volumes"][0]["name"], &json!(true)));
    let variable = |entry: &Value| {
        let value = entry["value"].as_str().unwrap_or("the-name-of-the-pod");
        format!("{}={value}", entry["name"].as_str().unwrap())
    };
    let variables: Vec<String> = agent["env"].as_array().unwrap().iter().map(variable).collect();
    let mounts = [(volume, mount["mountPath"].as_str().unwrap().to_owned())];
    guards(host, Kind::Glibc, &variables, &mounts);
}

fn blocks_of_devcontainer() -> Value {
    let blocks = blocks("json");
    let all = blocks.iter().map(|text| serde_json::from_str::<Value>(text).expect("JSON"));
    all.into_iter().find(|value| value["containerEnv"].is_object()).expect("a devcontainer")
}

#[test]
fn docker_s_runtime_is_called_as_the_document_has_it() {
    let Some(_) = find("runc") else {
        println!("skipped: no runc");
        return;
    };
    let blocks = blocks("json");
    let daemon: Value = serde_json::from_str(&blocks[0]).unwrap();
    let runtime = &daemon["runtimes"]["rampart"];
    assert_eq!(runtime["path"], "/usr/bin/rampart");
    let guard = Guard::new("");
    let mut command = guard.bare(rampart());
    for word in runtime["runtimeArgs"].as_array().unwrap() {
        command.arg(word.as_str().unwrap());
    }
    let ran = run(command.arg("--version").env("RAMPART_LIB", library()), "");
    assert!(ran.status == 0 && ran.stdout.starts_with("runc version"), "{ran:?}");
}

#[test]
fn the_action_for_runners() {
    let path = repository().join("packaging/github/action.yml");
    let Some(action) = yaml(&fs::read_to_string(&path).unwrap()) else {
        return;
    };
    assert_eq!(action["runs"]["using"], "composite");
    let step = &action["runs"]["steps"][0];
    assert_eq!(step["shell"], "bash");
    let guard = Guard::new("");
    fs::write(guard.path("policy.yaml"), POLICY).unwrap();
    symlink(rampart(), guard.path("bin/rampart")).unwrap();
    for name in ["forbidden", "permitted"] {
        let program = guard.path("bin").join(name);
        fs::write(&program, format!("#!/bin/sh\necho {name} ran as $1\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(guard.path("name"), "forbidden").unwrap();
    let policy = guard.path("policy.yaml");
    let cases = [
        ("permitted a; permitted b", policy.as_path(), 0, 2, 0),
        // The script as a whole is judged before it starts: nothing of it runs.
        ("permitted a\nforbidden '100%'\npermitted b", policy.as_path(), 126, 0, 1),
        // What is not known then is judged when it is started.
        ("permitted a; w=$(cat name); $w x || permitted b", policy.as_path(), 0, 2, 1),
        ("permitted a; exit 3", Path::new(""), 3, 1, 0),
    ];
    for (command, policy, status, permitted, errors) in cases {
        // GitHub runs `shell: bash` as this (docs: workflow syntax, jobs.<job_id>.steps[*].shell).
        let mut job = guard.bare(find("bash").unwrap());
        job.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"].as_str().unwrap()]);
        for (name, value) in step["env"].as_object().unwrap() {
            match value.as_str().unwrap() {
                "${{ inputs.run }}" => job.env(name, command),
                "${{ inputs.policy }}" => job.env(name, policy),
                other => panic!("{other}"),
            };
        }
        job.env("GITHUB_ACTION_PATH", path.parent().unwrap()).env("RAMPART_LIB", library());
        let ran = run(&mut job, "");
        let count = |text: &str| ran.stdout.lines().filter(|line| line.contains(text)).count();
        assert_eq!(ran.status, status, "{command}: {ran:?}");
        assert_eq!(count("permitted ran as"), permitted, "{command}: {ran:?}");
        let said = ran.stdout.lines().filter(|line| line.starts_with("::error title=Rampart::"));
        assert_eq!(said.clone().count(), errors, "{command}: {ran:?}");
        assert!(said.clone().all(|line| line.contains("forbidden")), "{command}: {ran:?}");
        assert!(!command.contains('%') || said.clone().any(|line| line.contains("100%25")));
        assert!(!ran.stdout.contains("forbidden ran"), "{command}: {ran:?}");
    }
}

#[test]
fn sudo_and_the_whole_machine() {
    let text = document();
    let line = text.split('`').find(|code| code.starts_with("LD_PRELOAD=/usr/lib")).unwrap();
    let mut command = Command::new(repository().join("tests/machines/recipes.sh"));
    let ran = run(command.arg(library()).arg(line).env_remove("LD_PRELOAD"), "");
    if ran.status != 0 && (ran.stderr.contains("mount") || ran.stderr.contains("unshare")) {
        println!("skipped: no private copy of this machine can be had: {}", ran.stderr);
        return;
    }
    let sudo = "sudo: ran\nsudo with env_file: denied\nanother value on its line: refused\n";
    let expected = "env -i: ran\nenv -i with ld.so.preload: denied\nits library is missing: works\nenv -i after the way out: ran\n";
    let sudo = if ran.stdout.starts_with("no sudo\n") { "no sudo\n" } else { sudo };
    assert_eq!(ran.stdout, format!("{sudo}{expected}"), "{}", ran.stderr);
}
