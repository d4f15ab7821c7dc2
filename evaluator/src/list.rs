//! Lists of words as one text: a table of texts has pointers in it, and each would be relocated in every
//! process that loads the library.

/// Whether `name` is one of the words of `list`, which stand apart by blanks.
pub fn is_listed(list: &[u8], name: &[u8]) -> bool {
    !name.is_empty() && list.split(|byte| *byte == b' ').any(|word| word == name)
}
