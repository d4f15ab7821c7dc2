//! `case`: every arm counts, and none sees what another one changed for certain.

use super::limits::Step;
use super::shell::Shell;
use super::word::Mode;

impl Shell<'_, '_> {
    /// `case WORD in PATTERN) … ;; … esac`.
    pub fn case(&mut self) -> Step {
        self.take_keyword(b"case");
        self.blanks()?;
        self.one_word(Mode::One)?;
        self.expect_keyword(b"in")?;
        let before = self.mark();
        let (mut shifted, mut since) = (false, before.vars());
        loop {
            self.newlines()?;
            if self.take_keyword(b"esac") {
                break;
            }
            self.case_patterns()?;
            self.list()?;
            self.newlines()?;
            let falls = self.looking_at(b";&");
            let more = self.take(b";;&") || self.take(b";;") || self.take(b";&");
            shifted |= self.state.args != before.state().args;
            if !falls {
                self.instead(before, since);
                since = self.vars.len();
            }
            if !more {
                self.expect_keyword(b"esac")?;
                break;
            }
        }
        self.state.args_unknown |= shifted;
        self.join_since(before, since);
        Ok(())
    }

    fn case_patterns(&mut self) -> Step {
        if self.take(b"(") {
            self.blanks()?;
        }
        loop {
            self.take_steps(16)?;
            self.blanks()?;
            self.one_word(Mode::One)?;
            self.blanks()?;
            if !self.take(b"|") {
                return self.expect_close(b')');
            }
        }
    }
}
