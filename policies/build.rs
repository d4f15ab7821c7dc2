//! Compiles every profile and pack to an image, its examples included: a policy that does not do
//! what it says does not build.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use policy_schema::{Layer, Options, Source, compile};

/// The files of `standard`, one subject a file: the first with its defaults, of the others the
/// policies.
const STANDARD: [&str; 6] = [
    "standard",
    "irreversible",
    "anti-exfiltration",
    "self-protection",
    "agent-tools",
    "windows-host",
];

/// Packs: policies on top of a profile, without defaults of their own.
const PACKS: [&str; 9] = [
    "cloud",
    "containers",
    "databases",
    "git",
    "packages",
    "secrets",
    "network",
    "programs",
    "taint",
];

/// A shipped profile or pack.
struct Policy {
    /// What it is called.
    name: &'static str,
    /// Its files below this directory, without `.yaml`.
    files: Vec<String>,
    /// Whether there is nobody to ask: every ask is a deny.
    nobody: bool,
}

impl Policy {
    /// The policy `name` of the file that is called like it and, if `on_standard`, all of
    /// standard's.
    fn new(name: &'static str, on_standard: bool) -> Self {
        let mut files = vec![name.to_owned()];
        if on_standard {
            files.extend(STANDARD.map(str::to_owned));
        }
        files.dedup();
        Self { name, files, nobody: false }
    }

    fn asking_nobody(self) -> Self {
        Self { nobody: true, ..self }
    }
}

fn profiles() -> Vec<Policy> {
    let mut ci = Policy::new("standard", true).asking_nobody();
    ci.name = "ci";
    let mut paranoid = Policy::new("paranoid", true).asking_nobody();
    paranoid.files.extend(["packs/programs", "packs/taint"].map(str::to_owned));
    vec![
        Policy::new("standard", true),
        ci,
        paranoid,
        Policy::new("research-agent", true).asking_nobody(),
        Policy::new("mcp-server", true),
        Policy::new("guard", true),
        Policy::new("monitor", false),
        Policy::new("anti-exfiltration", false),
    ]
}

fn packs() -> Vec<Policy> {
    let policy = |name| Policy { name, files: vec![format!("packs/{name}")], nobody: false };
    PACKS.map(policy).into()
}

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let mut code = String::new();
    let strict: Vec<Policy> = packs().into_iter().map(Policy::asking_nobody).collect();
    table(&mut code, "PROFILE", "Every shipped profile", &profiles())?;
    table(&mut code, "PACK", "Every pack", &packs())?;
    table(&mut code, "STRICT_PACK", "Every pack, with nobody to ask", &strict)?;
    let out = std::env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    write(&Path::new(&out).join("images.rs"), code.as_bytes())
}

/// Adds the images and texts of `all` to `code`: `{kind}S` and `{kind}_SOURCES`.
fn table(code: &mut String, kind: &str, what: &str, all: &[Policy]) -> Result<(), String> {
    let out = std::env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    let here = std::env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let (mut images, mut list, mut sources) = (String::new(), String::new(), String::new());
    for policy in all {
        let text = text(policy, Path::new(&here))?;
        let image = image(policy, &text)?;
        let (name, len) = (policy.name, image.len());
        let constant = format!("{kind}_{}", name.to_ascii_uppercase().replace('-', "_"));
        let image_path = Path::new(&out).join(format!("{constant}.image"));
        write(&image_path, &image)?;
        let text_path = Path::new(&out).join(format!("{constant}.yaml"));
        write(&text_path, text.as_bytes())?;
        let lines = writeln!(
            images,
            "static {constant}_BYTES: Aligned<{len}> = Aligned(*include_bytes!({image_path:?}));\n\
             static {constant}_IMAGE: &[u8] = &{constant}_BYTES.0;"
        )
        .and_then(|()| writeln!(list, "    ({name:?}, {constant}_IMAGE),"))
        .and_then(|()| writeln!(sources, "    ({name:?}, include_str!({text_path:?})),"));
        lines.map_err(|error| error.to_string())?;
    }
    write!(
        code,
        "{images}\n/// {what}: name and image.\n\
         pub static {kind}S: &[(&str, &[u8])] = &[\n{list}];\n\n\
         /// {what}: name and YAML text.\n\
         pub static {kind}_SOURCES: &[(&str, &str)] = &[\n{sources}];\n\n"
    )
    .map_err(|error| error.to_string())
}

/// The text of a policy: its first file, and the policies of the others behind it.
fn text(policy: &Policy, here: &Path) -> Result<String, String> {
    let mut joined = String::new();
    for file in &policy.files {
        let path = here.join(format!("{file}.yaml"));
        println!("cargo::rerun-if-changed={}", path.display());
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        match text.split_once("\npolicies:\n") {
            Some((_, policies)) if !joined.is_empty() => {
                joined.push('\n');
                joined.push_str(policies);
            }
            _ => joined.push_str(&text),
        }
    }
    if policy.nobody {
        let nobody = "on_too_complex: deny\non_unparseable: deny\non_no_approver:";
        joined = joined.replace("action: ask\n", "action: deny\n").replacen(
            "on_no_approver:",
            nobody,
            1,
        );
    }
    Ok(joined)
}

fn image(policy: &Policy, text: &str) -> Result<Vec<u8>, String> {
    let name = format!("policies/{}.yaml", policy.files.join("+"));
    let source = Source { name: &name, text: text.as_bytes() };
    let options = Options { layer: Layer::BuiltIn, ..Options::default() };
    compile(&[source], &options).map_err(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
