//! What must hold for any input at all, one function for each fuzz target: it panics if something
//! does not. `evaluator/tests/regressions.rs` replays kept and mutated inputs through the same
//! functions on the stable toolchain.

mod corrupt;
mod sound;
mod wire;

pub use corrupt::image;
use sound::sound;
pub use wire::wire;

use evaluator::request::{NoEnv, NoParams, TargetKinds};
use evaluator::world::NoWorld;
use evaluator::{
    Answer, Call, Caller, Cwd, Image, Reason, Request, Target, Verdict, World, decide, escape,
    glob, redact,
};
use policy_schema::{Layer, Options, OwnedScratch, Source, compile, compile_with_warnings};
use std::cell::RefCell;
use std::sync::OnceLock;

/// Where calls are made.
const DIRECTORY: &[u8] = b"/home/dev/project";

thread_local! {
    static SCRATCH: RefCell<OwnedScratch> = RefCell::default();
}

fn compiled(name: &str, text: &str) -> Vec<u8> {
    let source = Source { name, text: text.as_bytes() };
    let options = Options { layer: Layer::User, run_examples: false };
    compile(&[source], &options).unwrap_or_else(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

/// The shipped standard policy.
fn standard() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let text = include_str!("../../../policies/standard.yaml");
        compiled("standard.yaml", text)
    })
}

fn request(call: Call<'_>) -> Request<'_> {
    Request {
        tool: b"exec",
        call,
        cwd: Cwd::Known(DIRECTORY),
        env: &NoEnv,
        target: Target::default(),
        caller: Caller::default(),
        path: None,
        url: None,
        params: &NoParams,
    }
}

/// Judges `request` and gives the verdict to `look`.
fn judge<R>(
    images: &[Image<'_>],
    request: &Request<'_>,
    look: impl FnOnce(&Verdict<'_>) -> R,
) -> R {
    judge_in(&NoWorld, images, request, look)
}

/// The same in `world`.
fn judge_in<R>(
    world: &dyn World,
    images: &[Image<'_>],
    request: &Request<'_>,
    look: impl FnOnce(&Verdict<'_>) -> R,
) -> R {
    SCRATCH.with_borrow_mut(|scratch| {
        // Rules are counted as an image says, which may be anything in a corrupt one.
        scratch.fit(request, 4096);
        let mut scratch = scratch.borrow();
        look(&decide(images, request, world, &mut scratch))
    })
}

fn judge_by_standard<R>(request: &Request<'_>, look: impl FnOnce(&Verdict<'_>) -> R) -> R {
    let image = Image::open(standard()).expect("the standard image opens");
    judge(&[image], request, look)
}

/// The same where nobody has said yet in which directory that is.
fn judge_on_demand<R>(request: &Request<'_>, look: impl FnOnce(&Verdict<'_>) -> R) -> R {
    let image = Image::open(standard()).expect("the standard image opens");
    judge_in(&Here, &[image], &Request { cwd: Cwd::OnDemand, ..*request }, look)
}

/// [`NoWorld`], with a working directory.
struct Here;

impl World for Here {
    fn directory(&self) -> Option<&[u8]> {
        Some(DIRECTORY)
    }
    fn resolve<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        NoWorld.resolve(path, out)
    }
    fn read<'b>(&self, path: &[u8], out: &'b mut [u8]) -> Answer<&'b [u8]> {
        NoWorld.read(path, out)
    }
    fn read_at<'b>(&self, path: &[u8], at: u64, out: &'b mut [u8]) -> Answer<&'b [u8]> {
        NoWorld.read_at(path, at, out)
    }
    fn written_by_tree(&self, path: &[u8]) -> Answer<bool> {
        NoWorld.written_by_tree(path)
    }
}

fn stops(request: &Request<'_>) -> bool {
    judge_by_standard(request, |verdict| !verdict.action.permits())
}

/// Any bytes as text for a shell.
pub fn shell_text(data: &[u8]) {
    sound(&request(Call::Shell(data)));
}

/// The first byte is the kind of the target; the rest are arguments, each ended by a newline
/// (which stands for NUL: a newline itself is written as byte 1).
pub fn argv(data: &[u8]) {
    let (kinds, rest) = data.split_first().map_or((0, data), |(k, rest)| (*k, rest));
    let args: Vec<Vec<u8>> = rest
        .split(|byte| *byte == b'\n')
        .map(|arg| {
            let bytes = arg.iter().filter(|byte| **byte != 0);
            bytes.map(|byte| if *byte == 1 { b'\n' } else { *byte }).collect()
        })
        .collect();
    let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
    let args: &[&[u8]] = &args;
    let call = Call::Exec { file: args.first().copied().unwrap_or_default(), argv: &args };
    sound(&Request {
        target: Target { kinds: TargetKinds(kinds.into()), ..Target::default() },
        ..request(call)
    });
}

/// Any bytes on their way through a decoder into a shell; and what is stopped as it stands is
/// stopped when it is encoded.
pub fn decode(data: &[u8]) {
    let Some((form, data)) = data.split_first() else {
        return;
    };
    const FORMS: [(&str, &str); 9] = [
        ("echo '", "' | base64 -d | sh"),
        ("base64 --decode <<< '", "' | bash"),
        ("printf '", "' | sh"),
        ("printf '%b' '", "' | sh"),
        ("echo -ne '", "' | bash"),
        ("eval $'", "'"),
        ("echo '", "' | xxd -r -p | sh"),
        ("echo '", "' | base32 -d | sh"),
        ("echo '", "' | openssl base64 -d -A | sh"),
    ];
    let raw: Vec<u8> = data.iter().copied().filter(|byte| *byte != 0 && *byte != b'\'').collect();
    let (before, after) = FORMS[usize::from(*form) % FORMS.len()];
    let text = [before.as_bytes(), &raw, after.as_bytes()].concat();
    sound(&request(Call::Shell(&text)));

    let encoded = [b"echo ", base64(&raw).as_slice(), b" | base64 -d | sh"].concat();
    let encoded = request(Call::Shell(&encoded));
    sound(&encoded);
    if stops(&request(Call::Shell(&raw))) {
        assert!(stops(&encoded), "stopped as it stands, runs when encoded");
    }
}

/// What a rule stops as it stands is stopped in a wrapper too, and beside other commands. (Text
/// that does not parse may be completed by what stands beside it.)
pub fn wrap(data: &[u8]) {
    // A backslash at the end would join what follows; a sign at the start is an option of bash.
    let text: Vec<u8> = data.iter().copied().filter(|byte| *byte != 0).collect();
    let differs = text.ends_with(b"\\") || text.starts_with(b"-") || text.starts_with(b"+");
    let by_rule = judge_by_standard(&request(Call::Shell(&text)), |verdict| {
        verdict.reason == Reason::Rule && !verdict.action.permits()
    });
    if differs || !by_rule {
        return;
    }
    let mut quoted = Vec::new();
    for byte in &text {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    const WRAPPERS: [(&str, &str); 7] = [
        ("bash -c '", "'"),
        ("sudo -u root bash -lc '", "'"),
        ("env A=b timeout 5 bash -c '", "'"),
        ("eval '", "'"),
        ("true && bash -c '", "' || true"),
        ("printf '%s\\n' '", "' | bash"),
        ("bash <<< '", "'"),
    ];
    for (before, after) in WRAPPERS {
        let wrapped = [before.as_bytes(), &quoted, after.as_bytes()].concat();
        assert!(stops(&request(Call::Shell(&wrapped))), "runs in {before}…{after}");
    }
    for beside in [[b"true\n", text.as_slice()], [&text, b"\ntrue"]] {
        assert!(stops(&request(Call::Shell(&beside.concat()))), "runs beside `true`");
    }
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, index| {
            bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0))
        });
        for index in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * index) & 63) as usize];
            out.push(if index <= chunk.len() { digit } else { b'=' });
        }
    }
    out
}

/// Any bytes as a policy file: diagnostics, or an image that can be used.
pub fn policy_yaml(data: &[u8]) {
    let source = Source { name: "fuzz.yaml", text: data };
    match compile_with_warnings(&[source], &Options::default()) {
        Err(found) => {
            assert!(!found.is_empty(), "refused without a reason");
            for diagnostic in &found {
                let shown = diagnostic.to_string();
                assert!(!diagnostic.message.is_empty(), "{shown}");
                let control = |c: char| escape::is_unsafe(c) && c != '\n';
                assert!(!shown.contains(control), "control characters: {shown:?}");
            }
        }
        Ok(compiled) => {
            let image = Image::open(&compiled.image).expect("what was compiled opens");
            assert!(image.is_intact());
            judge(&[image], &request(Call::Shell(b"sudo rm -rf / | sh")), |verdict| {
                assert_ne!(verdict.reason, Reason::CorruptImage);
            });
        }
    }
}

/// A pattern and a value, divided by a newline.
pub fn glob(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (pattern, value) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    for matches in [glob::command, glob::path] {
        let exact = matches(pattern, value, false);
        let folded = matches(pattern, value, true);
        // Folding widens what a negated class leaves out.
        let negates = pattern.windows(2).any(|pair| pair == b"[!" || pair == b"[^");
        if exact == Some(true) && !negates {
            assert_eq!(folded, Some(true), "folding case loses a match");
        }
    }
    let is_plain = |byte: &u8| !b"*?[]\\".contains(byte);
    if !pattern.is_empty() && pattern.iter().all(is_plain) {
        let whole = pattern == value;
        if value.iter().all(is_plain) {
            assert_eq!(glob::command(pattern, value, false), Some(whole));
            let found = glob::find(value, pattern, false);
            let naive = value.windows(pattern.len()).position(|part| part == pattern);
            assert_eq!(found, naive);
        }
    }
}

/// Any text, in which a secret is hidden behind its name.
pub fn redact(data: &[u8]) {
    let mask = |text: &[u8]| {
        let mut out = Vec::new();
        redact::masked(text, &mut |piece| out.extend_from_slice(piece));
        out
    };
    let plain = mask(data);
    // Each secret is at least one byte of input.
    assert!(plain.len() <= data.len() * redact::MASK.len());
    let secret: &[u8] = b"ghp_0123456789abcdefghijABCDEFGHIJ012345";
    for name in [&b""[..], b"TOKEN="] {
        let out = mask(&[data, b"\n", name, secret].concat());
        let leaks = out.windows(secret.len()).any(|part| part == secret);
        let had = data.windows(secret.len()).any(|part| part == secret);
        assert!(!leaks || had, "{:?}", String::from_utf8_lossy(&out));
    }
}
