//! Starts a program by one way of Rust's standard library. Reads "WAY TARGET MARK" from standard
//! input and prints the child's status.

use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = Command::new(words[1]);
    command.arg(words[2]);
    let status = match words[0] {
        "status" => command.status(),
        "env_clear" => command.env_clear().status(),
        "current_dir" => command.current_dir("/").status(),
        // SAFETY: the closure does nothing.
        "pre_exec" => unsafe { command.pre_exec(|| Ok(())) }.status(),
        "output" => command.output().map(|output| {
            print!("{}", String::from_utf8_lossy(&output.stdout));
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            output.status
        }),
        _ => Err(command.exec()),
    };
    match status {
        Ok(status) => println!("status {}", status.code().unwrap()),
        Err(error) => println!("error {:?}", error.kind()),
    }
}
