//! Compiles every profile to an image, its examples included: a policy that does not do what it
//! says does not build.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use policy_schema::{Layer, Options, Source, compile};

/// The shipped profiles: name, and what the generated code calls its image.
const PROFILES: &[(&str, &str)] = &[("standard", "STANDARD_IMAGE")];

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
    for (name, constant) in PROFILES {
        let path = Path::new(&here).join(format!("{name}.yaml"));
        println!("cargo::rerun-if-changed={}", path.display());
        let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = format!("policies/{name}.yaml");
        let source = Source {
            name: &file,
            text: &text,
        };
        let options = Options {
            layer: Layer::BuiltIn,
            ..Options::default()
        };
        let image = compile(&[source], &options).map_err(|found| {
            let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
            lines.join("\n")
        })?;
        let image_path = Path::new(&out).join(format!("{name}.image"));
        std::fs::write(&image_path, &image).map_err(|error| error.to_string())?;
        let len = image.len();
        let write =
            |out: &mut String, text: String| writeln!(out, "{text}").map_err(|e| e.to_string());
        write(
            &mut images,
            format!(
                "static {constant}_BYTES: Aligned<{len}> = Aligned(*include_bytes!({image_path:?}));\n\
             static {constant}: &[u8] = &{constant}_BYTES.0;"
            ),
        )?;
        write(&mut profiles, format!("    ({name:?}, {constant}),"))?;
        write(
            &mut sources,
            format!("    ({name:?}, include_str!({path:?})),"),
        )?;
    }
    let code = format!(
        "{images}\n/// Every shipped profile: name and image.\n\
         pub static PROFILES: &[(&str, &[u8])] = &[\n{profiles}];\n\n\
         /// The YAML text of every shipped profile: name and text.\n\
         pub static SOURCES: &[(&str, &str)] = &[\n{sources}];\n"
    );
    let path = Path::new(&out).join("images.rs");
    std::fs::write(&path, code).map_err(|error| format!("{}: {error}", path.display()))
}
