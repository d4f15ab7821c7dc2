//! The files that a patch in the `apply_patch` form touches: what follows `*** Add File:`,
//! `*** Update File:`, `*** Delete File:` and `*** Move to:`.
//!
//! Models write these by hand, so a header counts wherever a line starts with it, and a patch that
//! names no file is none.

/// Where a patch starts.
const START: &str = "*** Begin Patch";

/// What stands before the name of a file.
const HEADERS: [&str; 4] =
    ["*** Add File:", "*** Update File:", "*** Delete File:", "*** Move to:"];

/// Most files that one call may touch.
pub const MOST: usize = 100;

/// Whether `text` holds a patch.
pub fn is_in(text: &str) -> bool {
    text.contains(START)
}

/// The files of the patch in `text`, in order, as they are written.
///
/// # Errors
/// If it names no file, or more than [`MOST`].
pub fn files(text: &str) -> Result<Vec<String>, String> {
    let of_line = |line: &str| {
        let line = line.trim();
        let rest = HEADERS.iter().find_map(|header| line.strip_prefix(header))?;
        Some(rest.trim().to_owned())
    };
    let files: Vec<String> = text.lines().filter_map(of_line).collect();
    match files.len() {
        0 => Err("the patch names no file".into()),
        _ if files.iter().any(String::is_empty) => {
            Err("the patch names a file without a name".into())
        }
        count if count > MOST => {
            Err(format!("the patch touches {count} files; more than {MOST} are not judged at once"))
        }
        _ => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_the_files() {
        let text = "*** Begin Patch\n*** Add File: a b.txt\n+*** not\n  *** Update File: /x\n\
                    *** Move to: ../y\n@@\n-a\n*** Delete File:z\r\n*** End Patch\n";
        assert_eq!(files(text).unwrap(), ["a b.txt", "/x", "../y", "z"]);
        assert!(is_in(text) && !is_in("*** Update File: a"));
        assert!(files("*** Begin Patch\n*** End Patch").is_err());
        assert!(files("*** Begin Patch\n*** Add File: \n").is_err());
        let many = |count| format!("*** Begin Patch\n{}", "*** Add File: x\n".repeat(count));
        assert_eq!(files(&many(MOST)).unwrap().len(), MOST);
        assert!(files(&many(MOST + 1)).is_err());
    }
}
