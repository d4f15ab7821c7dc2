//! The matrix: what a program of each kind does by itself. A row is one real process; what it does
//! is refused, it says so as that language says "permission denied", and goes on or ends as it would.

use tests::{cc, find, run};

use crate::place::Place;

/// A kind of program, its arguments (one a line, so that scripts can hold blanks), its input, the
/// tool of the rule, and what it prints of the error; empty where it prints nothing.
const ROWS: &[(&str, &str, &str, &str, &str)] = &[
    ("python3", "-c\nopen('@S').read()", "", "read", "PermissionError"),
    ("python3", "-", "open('@S', 'w')", "write", "PermissionError"),
    ("python3", "-", "import os; os.unlink('@S')", "delete", "PermissionError"),
    ("python3", "-", "import shutil; shutil.rmtree('@V')", "read", "PermissionError"),
    ("python3", "-", "import shutil; shutil.copy('@S', '@O/a')", "read", "PermissionError"),
    ("python3", "-", "import shutil; shutil.move('@S', '@O/a')", "delete", "PermissionError"),
    ("python3", "-", "import os; os.chmod('@S', 0o777)", "write", "PermissionError"),
    (
        "python3",
        "-",
        "import pathlib; pathlib.Path('@V/new').symlink_to('/x')",
        "write",
        "PermissionError",
    ),
    ("python3", "-", "import os; os.listdir('@V')", "read", "PermissionError"),
    (
        "python3",
        "-",
        "import sqlite3; sqlite3.connect('@V/new.db').execute('create table t(a)')",
        "write",
        "unable to open",
    ),
    ("node", "-e\nrequire('fs').readFileSync('@S')", "", "read", "EACCES"),
    ("node", "-e\nrequire('fs').readFile('@S', (e) => console.log(e.code))", "", "read", "EACCES"),
    ("node", "-e\nrequire('fs').writeFileSync('@S', 'x')", "", "write", "EACCES"),
    ("node", "-e\nrequire('fs').readdirSync('@V')", "", "read", "EACCES"),
    ("node", "-e\nrequire('fs').mkdirSync('@V/new', {recursive: true})", "", "write", "EACCES"),
    ("node", "-e\nrequire('fs').unlinkSync('@S')", "", "delete", "EACCES"),
    (
        "node",
        "-e\nrequire('fs').rmSync('@V', {recursive: true, force: true})",
        "",
        "delete",
        "EACCES",
    ),
    ("node", "-e\nrequire('fs').renameSync('@S', '@O/a')", "", "delete", "EACCES"),
    ("node", "-e\nrequire('fs').copyFileSync('@S', '@O/a')", "", "read", "EACCES"),
    ("python3", "-", "import os; os.makedirs('@V/a/b')", "write", "PermissionError"),
    ("python3", "-", "import os; os.setxattr('@S', 'user.a', b'b')", "write", "PermissionError"),
    ("mkdir", "-p\n@V/a/b", "", "write", "Permission denied"),
    ("mktemp", "@V/aXXXXXX", "", "write", "Permission denied"),
    ("mkfifo", "@V/new", "", "write", "Permission denied"),
    ("perl", "-e\nopen(F, '<', '@S') or die qq($!\\n)", "", "read", "Permission denied"),
    ("perl", "-e\nopen(F, '>', '@S') or die qq($!\\n)", "", "write", "Permission denied"),
    ("perl", "-e\nunlink('@S') or die qq($!\\n)", "", "delete", "Permission denied"),
    ("perl", "-MFile::Path=remove_tree\n-e\nremove_tree('@V')", "", "delete", "Permission denied"),
    ("ruby", "-e\nFile.read('@S')", "", "read", "Permission denied"),
    ("ruby", "-e\nFile.write('@S', 'x')", "", "write", "Permission denied"),
    ("ruby", "-e\nFile.delete('@S')", "", "delete", "Permission denied"),
    (
        "ruby",
        "-rfileutils\n-e\nFileUtils.rm_rf('@V'); FileUtils.rm('@S')",
        "",
        "delete",
        "Permission denied",
    ),
    ("php", "-r\necho file_get_contents('@S');", "", "read", "Permission denied"),
    ("php", "-r\nunlink('@S');", "", "delete", "Permission denied"),
    ("lua", "-e\nprint(io.open('@S'))", "", "read", "Permission denied"),
    ("lua", "-e\nprint(os.remove('@S'))", "", "delete", "Permission denied"),
    ("tclsh", "", "open @S", "read", "permission denied"),
    ("tclsh", "", "file delete -force @V", "delete", "permission denied"),
    ("bash", "", "read -r line < '@S'; echo \"$line\"", "read", "Permission denied"),
    ("bash", "", "echo \"$(< '@S')\"", "read", "Permission denied"),
    ("bash", "", "mapfile -t a < '@S'; echo \"${a[@]}\"", "read", "Permission denied"),
    ("bash", "", "echo x > '@S'", "write", "Permission denied"),
    ("bash", "", "echo x >> '@V/new'", "write", "Permission denied"),
    ("bash", "", "source '@S'", "read", "Permission denied"),
    ("bash", "", "exec 5<>'@S'; cat <&5", "write", "Permission denied"),
    ("dash", "", "read line < '@S'; echo $line", "read", "ermission denied"),
    ("dash", "", "echo x > '@S'", "write", "ermission denied"),
    ("zsh", "", "echo \"$(<'@S')\"", "read", "ermission denied"),
    ("zsh", "", "zmodload zsh/files; rm '@S'", "delete", "ermission denied"),
    ("cat", "@S", "", "read", "Permission denied"),
    ("cp", "@S\n@O/a", "", "read", "Permission denied"),
    ("mv", "@S\n@O/a", "", "delete", "Permission denied"),
    ("rm", "-rf\n@V", "", "delete", "Permission denied"),
    ("ln", "@S\n@O/a", "", "write", "Permission denied"),
    ("tee", "@S", "x", "write", "Permission denied"),
    ("sed", "-i\ns/a/b/\n@S", "", "read", "Permission denied"),
    ("grep", "-r\ncontent\n@V", "", "read", "Permission denied"),
    ("find", "@V\n-delete", "", "read", "Permission denied"),
    ("dd", "if=@S\nof=@O/a\nstatus=none", "", "read", "Permission denied"),
    ("mawk", "{print}\n@S", "", "read", "ermission denied"),
    ("tar", "cf\n@O/a.tar\n-C\n@V\nsecret", "", "read", "Permission denied"),
    ("rsync", "-a\n@V/\n@O/copy", "", "read", "Permission denied"),
    ("curl", "-s\n-S\n-o\n@O/a\nfile://@S", "", "read", ""),
    ("curl", "-s\n-S\n-o\n@V/new\nfile://@O/file", "", "write", ""),
    ("git", "hash-object\n-w\n--stdin-paths", "@S\n", "read", "Permission denied"),
    ("git", "-C\n@O\ndiff\n--no-index\n/dev/null\n@S", "", "read", "Permission denied"),
    ("git", "config\n--file\n@V/new\na.b\nc", "", "write", "Permission denied"),
    ("sqlite3", "@V/new.db\ncreate table t(a);", "", "write", "unable to open"),
    ("sqlite3", ":memory:\n.read @S", "", "read", "cannot open"),
    ("openssl", "base64\n-in\n@S", "", "read", "Permission denied"),
    ("gzip", "-c\n@S", "", "read", "Permission denied"),
    ("xxd", "@S", "", "read", "Permission denied"),
    ("make", "-f\n@S", "", "read", "Permission denied"),
    ("gcc", "-E\n-include\n@S\n-xc\n/dev/null", "", "read", ""),
];

#[test]
fn each_interpreter_is_refused() {
    let place = Place::new();
    let _ = run(place.guard.bare("git").args(["init", "-q"]), "");
    let mut wrong = Vec::new();
    for (program, arguments, input, tool, error) in ROWS {
        let Some(path) = find(program) else {
            println!("skipped: {program} (not installed)");
            continue;
        };
        let mut command = place.guard.command(path);
        command
            .args(arguments.split('\n').filter(|text| !text.is_empty()).map(|it| place.filled(it)));
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        match place.refused(&mut command, &place.filled(input), tool) {
            Ok(ran) => {
                let said = format!("{}{}", ran.stdout, ran.stderr);
                if !ran.stderr.contains("rampart: denied: ") || !said.contains(error) {
                    wrong.push(format!("{program} {arguments}: {ran:?}"));
                }
            }
            Err(problem) => wrong.push(format!("{program} {arguments} {input}: {problem}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

const JAVA: &str = "import java.nio.file.*;
public class Files1 {
    static void attempt(String name, java.util.concurrent.Callable<Object> what) {
        try { System.out.println(name + \": \" + what.call()); }
        catch (Exception e) { System.out.println(name + \": \" + e); }
    }
    public static void main(String[] args) {
        Path secret = Path.of(args[0], \"secret\");
        attempt(\"read\", () -> Files.readString(secret));
        attempt(\"stream\", () -> new java.io.FileInputStream(secret.toFile()).readAllBytes());
        attempt(\"write\", () -> Files.writeString(secret, \"x\"));
        attempt(\"delete\", () -> { Files.delete(secret); return \"gone\"; });
        attempt(\"move\", () -> Files.move(secret, Path.of(args[1], \"a\")));
        attempt(\"file\", () -> secret.toFile().delete());
    }
}
";

#[test]
fn openjdk() {
    let (Some(java), Some(javac)) = (find("java"), find("javac")) else {
        println!("skipped: java is not installed");
        return;
    };
    let place = Place::new();
    std::fs::write(place.guard.path("Files1.java"), JAVA).unwrap();
    let ran = run(place.guard.bare(javac).args(["-d", ".", "Files1.java"]), "");
    assert_eq!(ran.status, 0, "{ran:?}");
    for tool in ["read", "write", "delete"] {
        let mut command = place.guard.command(&java);
        command.args(["-XX:TieredStopAtLevel=1", "-cp", ".", "Files1"]);
        let arguments = ["@V", "@O"].map(|text| place.filled(text));
        let ran = place.refused(command.args(arguments), "", tool).unwrap();
        let refused = ran.stdout.matches("AccessDenied").count()
            + ran.stdout.matches("Permission denied").count();
        assert_eq!(refused, 5, "{ran:?}");
        assert!(ran.stdout.contains("file: false"), "{ran:?}");
    }
}

const RUST: &str = "use std::fs;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let secret = format!(\"{}/secret\", args[1]);
    println!(\"read {:?}\", fs::read_to_string(&secret).map_err(|e| e.kind()));
    println!(\"write {:?}\", fs::write(&secret, \"x\").map_err(|e| e.kind()));
    println!(\"copy {:?}\", fs::copy(&secret, format!(\"{}/a\", args[2])).map_err(|e| e.kind()));
    println!(\"rename {:?}\", fs::rename(&secret, format!(\"{}/a\", args[2])).map_err(|e| e.kind()));
    println!(\"remove {:?}\", fs::remove_file(&secret).map_err(|e| e.kind()));
    println!(\"tree {:?}\", fs::remove_dir_all(&args[1]).map_err(|e| e.kind()));
    println!(\"list {:?}\", fs::read_dir(&args[1]).map(|_| ()).map_err(|e| e.kind()));
}
";

#[test]
fn rust_s_standard_library() {
    let Some(rustc) = find("rustc") else {
        println!("skipped: rustc is not installed");
        return;
    };
    let place = Place::new();
    std::fs::write(place.guard.path("files.rs"), RUST).unwrap();
    let mut command = place.guard.bare(rustc);
    let home = std::env::var("HOME").unwrap_or_default();
    command.env("HOME", home).args(["files.rs", "-o", "files"]);
    let ran = run(&mut command, "");
    assert_eq!(ran.status, 0, "{ran:?}");
    for tool in ["read", "write", "delete"] {
        let mut command = place.guard.command(place.guard.path("files"));
        let ran =
            place.refused(command.args(["@V", "@O"].map(|it| place.filled(it))), "", tool).unwrap();
        assert_eq!(ran.stdout.matches("Err(PermissionDenied)").count(), 7, "{ran:?}");
    }
}

/// A library that opens by itself is in the process, too: its calls are bound to the hooks.
#[test]
fn a_shared_library_of_the_program() {
    let place = Place::new();
    let (source, library) = (place.guard.path("part.c"), place.guard.path("part.so"));
    std::fs::write(
        &source,
        "#include <fcntl.h>\n#include <unistd.h>\nint part(const char *p) { char b[64]; int f = open(p, O_RDONLY); return f < 0 ? -1 : write(1, b, read(f, b, 64)); }",
    )
    .unwrap();
    cc("cc", &source, &library, &["-shared", "-fPIC"]);
    let script = place.filled(
        "import ctypes, os; l = ctypes.CDLL('./part.so', use_errno=True); print(l.part(b'@S'), ctypes.get_errno())",
    );
    let ran = place.refused(place.guard.command("python3").arg("-"), &script, "read").unwrap();
    assert_eq!(ran.stdout, "-1 13\n", "{ran:?}");
}
