//! The calls of other languages that matter, one table a language. A call is said as the command
//! that does the same (`shutil.rmtree("/")` is `rm -rf /`), so that rules need be written only once.

use super::name_index::Index;

/// A language, or a group of them that differ in nothing that counts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Python,
    /// JavaScript and TypeScript: node, deno, bun.
    Script,
    Perl,
    Ruby,
    Php,
    Lua,
    Awk,
    R,
    Julia,
    Groovy,
    Lisp,
    Erlang,
    Tcl,
}

/// What a call does with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Runs the first as shell text; several are a command's words.
    Spawn,
    /// Runs the first as shell text, whatever follows.
    Text,
    /// Runs the words behind the first.
    Argv,
    /// Runs the words behind the first two.
    Mode,
    /// Removes trees.
    Tree,
    /// Removes files.
    File,
    Read,
    Write,
    /// Opens a file in the mode that the second argument says, or a pipe.
    Open,
    Fetch,
    /// Runs its argument as code of the same language.
    Code,
    Print,
    /// Base64, or what its other argument says.
    Decode,
    Hex,
    /// Numbers of characters.
    Chars,
    /// Gives its arguments back, joined.
    Same,
    /// Gives its arguments back, joined as a path.
    Path,
    Home,
    /// Looks up a name that is built at run time.
    Attribute,
    /// Copies, moves, changes the mode or the owner of files.
    Cp,
    Mv,
    Chmod,
    Chown,
    /// Visits everything below a directory.
    Walk,
}

impl Family {
    /// The language of the program `name`, whatever version of it.
    pub fn of(name: &[u8]) -> Option<Self> {
        let versioned = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let len = name.len();
        let digits = name.iter().rev().take_while(|byte| versioned(byte)).count();
        let stem = name.get(..len.saturating_sub(digits)).unwrap_or(name);
        Some(match stem {
            b"python" | b"pypy" | b"ipython" | b"micropython" | b"jython" => Self::Python,
            b"node" | b"nodejs" | b"deno" | b"bun" | b"tsx" | b"ts-node" | b"qjs" => Self::Script,
            b"perl" => Self::Perl,
            b"ruby" | b"jruby" | b"irb" => Self::Ruby,
            b"php" => Self::Php,
            b"lua" | b"luajit" => Self::Lua,
            b"awk" | b"gawk" | b"mawk" | b"nawk" | b"original-awk" => Self::Awk,
            b"Rscript" | b"R" | b"littler" => Self::R,
            b"julia" => Self::Julia,
            b"groovy" => Self::Groovy,
            b"guile" | b"emacs" | b"emacsclient" | b"sbcl" | b"clisp" | b"racket" => Self::Lisp,
            b"erl" | b"elixir" | b"iex" => Self::Erlang,
            b"tclsh" | b"expect" | b"wish" => Self::Tcl,
            _ => return None,
        })
    }

    /// What starts a comment that ends with the line.
    pub fn comment(self) -> &'static [u8] {
        match self {
            Self::Script | Self::Groovy => b"//",
            Self::Lua => b"--",
            Self::Lisp => b";",
            Self::Erlang => b"%",
            _ => b"#",
        }
    }

    /// Whether `/ … /` may be a pattern.
    pub fn has_patterns(self) -> bool {
        matches!(self, Self::Script | Self::Perl | Self::Ruby | Self::Awk | Self::Groovy)
    }

    /// Whether text in backticks is run by a shell.
    pub fn backticks_run(self) -> bool {
        matches!(self, Self::Perl | Self::Ruby | Self::Php | Self::Julia)
    }

    /// Whether a call may go without brackets.
    pub fn calls_bare(self) -> bool {
        matches!(self, Self::Perl | Self::Ruby | Self::Lua | Self::Php | Self::Awk)
    }

    /// The table of the language.
    fn calls(self) -> (&'static str, &'static Index) {
        match self {
            Self::Python => (PYTHON, const { &Index::of(PYTHON) }),
            Self::Script => (SCRIPT, const { &Index::of(SCRIPT) }),
            Self::Perl => (PERL, const { &Index::of(PERL) }),
            Self::Ruby => (RUBY, const { &Index::of(RUBY) }),
            Self::Php => (PHP, const { &Index::of(PHP) }),
            Self::Lua => (LUA, const { &Index::of(LUA) }),
            Self::Awk => (AWK, const { &Index::of(AWK) }),
            Self::R => (R, const { &Index::of(R) }),
            Self::Lisp => (LISP, const { &Index::of(LISP) }),
            Self::Erlang => (ERLANG, const { &Index::of(ERLANG) }),
            Self::Tcl => ("", const { &Index::of("") }),
            Self::Julia => (JULIA, const { &Index::of(JULIA) }),
            Self::Groovy => (GROOVY, const { &Index::of(GROOVY) }),
        }
    }

    /// What the call of `name` does, and the words of which one has to occur in the code for that.
    /// `None` costs next to nothing for nearly every name.
    pub fn call(self, name: &[u8]) -> Option<(&'static [u8], Effect)> {
        let (table, index) = self.calls();
        index.lines(table.as_bytes(), name).find_map(|line| {
            let line = line.split(|byte| *byte == b'\n').next()?;
            let mut fields = line.split(|byte| *byte == b'|');
            items(fields.next()?).find(|known| *known == name)?;
            let needs = fields.next()?;
            Some((needs, Effect::of(fields.next()?)?))
        })
    }
}

// Lines of the tables: names, words of which one has to occur in the code (`*` for none), effect.

const PYTHON: &str = concat!(
    "system popen getoutput getstatusoutput|os subprocess commands|text\n",
    "run call check_call check_output Popen spawn create_subprocess_shell create_subprocess_exec|subprocess asyncio pty|spawn\n",
    "execv execve execvp execvpe execl execle execlp execlpe|os|argv\n",
    "spawnl spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp|os|mode\n",
    "rmtree|shutil|tree\n",
    "copy copy2 copyfile copytree|shutil|cp\n",
    "move rename renames replace|shutil os pathlib|mv\n",
    "chmod lchmod|os pathlib|chmod\n",
    "chown lchown|os shutil|chown\n",
    "remove unlink rmdir removedirs|os pathlib|file\n",
    "open|*|open\n",
    "read_text read_bytes|pathlib Path|read\n",
    "write_text write_bytes|pathlib Path|write\n",
    "urlopen urlretrieve|urllib|fetch\n",
    "get post put request|requests httpx urllib3 aiohttp|fetch\n",
    "eval exec|*|code\n",
    "print|*|print\n",
    "b64decode urlsafe_b64decode decodebytes standard_b64decode|base64|decode\n",
    "fromhex unhexlify a2b_hex|*|hex\n",
    "chr bytes bytearray map|*|chars\n",
    "expanduser Path PurePath PosixPath abspath realpath normpath str fspath decode encode strip format|*|same\n",
    "join joinpath|*|path\n",
    "home|*|home\n",
    "getattr|*|attribute\n",
    "walk listdir scandir iterdir glob iglob rglob|os pathlib Path glob|walk\n",
);

const SCRIPT: &str = concat!(
    "exec execSync|child_process|text\n",
    "spawn spawnSync execFile execFileSync Command|child_process Deno Bun|spawn\n",
    "rm rmSync rmdir rmdirSync remove removeSync emptyDir emptyDirSync|fs Deno rimraf|tree\n",
    "rimraf rimrafSync sync|rimraf|tree\n",
    "unlink unlinkSync|fs|file\n",
    "rename renameSync|fs Deno|mv\n",
    "cp cpSync copyFile copyFileSync|fs Deno|cp\n",
    "chmod chmodSync|fs Deno|chmod\n",
    "open openSync|fs|open\n",
    "readFile readFileSync createReadStream readTextFile readTextFileSync|fs Deno|read\n",
    "writeFile writeFileSync appendFile appendFileSync createWriteStream writeTextFile|fs Deno|write\n",
    "fetch|*|fetch\n",
    "get request|http axios got|fetch\n",
    "eval Function runInThisContext runInNewContext|*|code\n",
    "log write|console process.stdout|print\n",
    "atob|*|decode\n",
    "from|Buffer|decode\n",
    "fromCharCode fromCodePoint|*|chars\n",
    "homedir|*|home\n",
    "toString resolve String trim|*|same\n",
    "join|path|path\n",
);

const PERL: &str = concat!(
    "system exec|*|spawn\n",
    "open|*|open\n",
    "unlink rmdir|*|file\n",
    "rename|*|mv\n",
    "copy move|File::Copy|cp\n",
    "chmod|*|chmod\n",
    "rmtree remove_tree|*|tree\n",
    "get getstore|LWP HTTP|fetch\n",
    "eval|*|code\n",
    "print say|*|print\n",
    "decode_base64|*|decode\n",
    "pack|*|decode\n",
    "chr|*|chars\n",
    "glob join|*|same\n",
);

const RUBY: &str = concat!(
    "system exec spawn popen popen2 popen3 capture2 capture2e capture3|*|spawn\n",
    "mv|FileUtils|mv\n",
    "cp cp_r|FileUtils|cp\n",
    "rename|File|mv\n",
    "chmod chmod_R|File|chmod\n",
    "rm_rf rm_r rmtree remove_dir remove_entry remove_entry_secure|*|tree\n",
    "delete unlink rm rm_f rmdir|File FileUtils Dir Pathname|file\n",
    "read readlines binread|File IO|read\n",
    "write binwrite|File IO|write\n",
    "open|*|open\n",
    "eval instance_eval|*|code\n",
    "get get_response|Net::HTTP HTTParty|fetch\n",
    "puts print|*|print\n",
    "decode64 unpack1 unpack urlsafe_decode64 strict_decode64|*|decode\n",
    "expand_path to_s strip new|*|same\n",
    "join|*|path\n",
    "home|*|home\n",
);

const PHP: &str = concat!(
    "system exec shell_exec passthru popen proc_open|*|text\n",
    "pcntl_exec|*|spawn\n",
    "unlink rmdir|*|file\n",
    "file_get_contents readfile file|*|read\n",
    "fopen|*|open\n",
    "file_put_contents|*|write\n",
    "eval assert|*|code\n",
    "echo print|*|print\n",
    "base64_decode|*|decode\n",
    "hex2bin|*|hex\n",
    "chr|*|chars\n",
    "trim strval|*|same\n",
);

const LUA: &str = concat!(
    "execute popen|os io|text\n",
    "remove|os|file\n",
    "open lines|io|open\n",
    "load loadstring|*|code\n",
    "print write|*|print\n",
    "char|*|chars\n",
);

const AWK: &str = "system|*|text\nprint printf|*|print\n";

const R: &str = concat!(
    "system shell|*|text\n",
    "system2|*|spawn\n",
    "unlink|*|tree\n",
    "file.remove|*|file\n",
    "readLines readChar|*|read\n",
    "writeLines|*|write\n",
    "download.file url|*|fetch\n",
    "c path.expand paste0|*|same\n",
    "cat print|*|print\n",
);

const LISP: &str = concat!(
    "system shell-command shell-command-to-string async-shell-command|*|text\n",
    "system* call-process start-process process-lines|*|spawn\n",
    "delete-directory|*|tree\n",
    "delete-file|*|file\n",
    "insert-file-contents find-file|*|read\n",
    "url-retrieve url-retrieve-synchronously|*|fetch\n",
);

const ERLANG: &str = "cmd|os|text\nrm_rf rm_rf! del_dir_r|*|tree\nrm rm!|*|file\n";

const JULIA: &str = concat!(
    "rm|*|tree\n",
    "read|*|read\n",
    "write|*|write\n",
    "download|*|fetch\n",
    "homedir|*|home\n",
    "println print|*|print\n",
);

const GROOVY: &str = concat!(
    "execute|*|spawn\n",
    "deleteDir|*|tree\n",
    "delete|*|file\n",
    "File|*|same\n",
    "println|*|print\n",
);

impl Effect {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"spawn" => Self::Spawn,
            b"text" => Self::Text,
            b"argv" => Self::Argv,
            b"mode" => Self::Mode,
            b"tree" => Self::Tree,
            b"file" => Self::File,
            b"read" => Self::Read,
            b"write" => Self::Write,
            b"open" => Self::Open,
            b"fetch" => Self::Fetch,
            b"code" => Self::Code,
            b"print" => Self::Print,
            b"decode" => Self::Decode,
            b"hex" => Self::Hex,
            b"chars" => Self::Chars,
            b"same" => Self::Same,
            b"path" => Self::Path,
            b"home" => Self::Home,
            b"attribute" => Self::Attribute,
            b"cp" => Self::Cp,
            b"mv" => Self::Mv,
            b"chmod" => Self::Chmod,
            b"chown" => Self::Chown,
            b"walk" => Self::Walk,
            _ => return None,
        })
    }
}

fn items(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    field.split(|byte| *byte == b' ')
}

/// Whether `text` contains `part`.
pub(super) fn holds(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
