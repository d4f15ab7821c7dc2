//! Compiles every profile to an image, its examples included: a policy that does not do what it
//! says does not build.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use policy_schema::{Layer, Options, Source, compile};

/// A shipped profile.
struct Profile {
    /// What it is called.
    name: &'static str,
    /// Its files: the first with its defaults, of the others the policies.
    files: &'static [&'static str],
    /// Whether there is nobody to ask: every ask is a deny.
    nobody: bool,
}

const PROFILES: &[Profile] = &[
    Profile { name: "standard", files: &["standard"], nobody: false },
    Profile { name: "ci", files: &["standard"], nobody: true },
    Profile { name: "paranoid", files: &["paranoid", "standard"], nobody: true },
    Profile { name: "monitor", files: &["monitor"], nobody: false },
];

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
    let out = std::env::var("OUT_DIR").map_err(|error| format!("OUT_DIR: {error}"))?;
    let here = std::env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let (mut images, mut profiles, mut sources) = (String::new(), String::new(), String::new());
    for profile in PROFILES {
        let text = text(profile, Path::new(&here))?;
        let image = image(profile, &text)?;
        let name = profile.name;
        let constant = name.to_ascii_uppercase();
        let image_path = Path::new(&out).join(format!("{name}.image"));
        write(&image_path, &image)?;
        let text_path = Path::new(&out).join(format!("{name}.yaml"));
        write(&text_path, text.as_bytes())?;
        let len = image.len();
        let line = |out: &mut String, text: String| {
            writeln!(out, "{text}").map_err(|error| error.to_string())
        };
        line(
            &mut images,
            format!(
                "static {constant}_BYTES: Aligned<{len}> = Aligned(*include_bytes!({image_path:?}));\n\
                 static {constant}_IMAGE: &[u8] = &{constant}_BYTES.0;"
            ),
        )?;
        line(&mut profiles, format!("    ({name:?}, {constant}_IMAGE),"))?;
        line(&mut sources, format!("    ({name:?}, include_str!({text_path:?})),"))?;
    }
    let code = format!(
        "{images}\n/// Every shipped profile: name and image.\n\
         pub static PROFILES: &[(&str, &[u8])] = &[\n{profiles}];\n\n\
         /// The YAML text of every shipped profile: name and text.\n\
         pub static SOURCES: &[(&str, &str)] = &[\n{sources}];\n"
    );
    write(&Path::new(&out).join("images.rs"), code.as_bytes())
}

/// The text of a profile: its first file, and the policies of the others behind it.
fn text(profile: &Profile, here: &Path) -> Result<String, String> {
    let mut joined = String::new();
    for file in profile.files {
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
    if profile.nobody {
        let nobody = "on_too_complex: deny\non_unparseable: deny\non_no_approver:";
        joined = joined.replace("action: ask\n", "action: deny\n").replacen(
            "on_no_approver:",
            nobody,
            1,
        );
    }
    Ok(joined)
}

fn image(profile: &Profile, text: &str) -> Result<Vec<u8>, String> {
    let name = format!("policies/{}.yaml", profile.files.join("+"));
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
