//! Calls of Python's and JavaScript's libraries that do something outside of the program, a line each. What
//! stands nowhere here only computes.

use evaluator::effects::Kind;
use std::collections::HashMap;
use std::sync::OnceLock;

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Removes the file that is its argument of this number.
    Deletes,
    /// Writes it.
    Writes,
    /// Writes its first two.
    Moves,
    /// Reads the first and writes the second.
    Copies,
    /// Reads it.
    Reads,
    /// Opens it in the mode that the second says.
    Opens,
    /// Receives from the address that it is.
    Fetches,
    /// Sends to it.
    Sends,
    /// Sends or receives, by its method.
    Requests,
    /// Receives into the file that is the second.
    Downloads,
    /// Opens a connection later.
    Socket,
    /// Connects to the address that it is.
    Connects,
    /// Runs the first: shell text, or a command's words; the second may be the words behind the first.
    Runs,
    /// Runs its arguments as words.
    Words,
    /// Runs its second as words.
    Argv,
    /// Runs the last as code of the same language.
    Code,
    /// Makes objects of bytes, and runs what those say.
    Loads,
    /// Does this, to its first argument.
    Is(Kind),
    /// Makes a descriptor another one.
    Duplicates,
    /// Changes the working directory.
    Enters,
    /// Changes a mode.
    Mode,
    /// Gives a module by its name.
    Module,
    /// Gives a member by its name.
    Attribute,
    /// Gives its arguments, joined as a path.
    Path,
    /// Gives its first argument.
    Same,
    /// Decodes its first argument as the second says, or as this.
    Decodes(&'static str),
    /// Gives characters by their numbers.
    Characters,
    /// The directory that a path lies in.
    Parent,
    /// The user's own directory.
    Home,
    /// The working directory.
    Here,
    /// The directory for temporary files; a new name in it.
    Temporary,
    /// What is in a directory.
    Lists,
    /// A directory, and what is below it.
    Walks,
    /// Calls its first for the elements of its second.
    Maps,
    /// Calls its `target`, or its first, with the rest.
    Starts,
}

/// The lines: names; what they do.
const ROWS: &[(&str, Does)] = &[
    (
        "os.remove os.unlink os.rmdir os.removedirs shutil.rmtree send2trash.send2trash rimraf rimraf.sync rimraf.rimraf fs.rm fs.rmSync fs.rmdir fs.rmdirSync fs.unlink fs.unlinkSync fs.remove fs.removeSync fs.emptyDir fs.emptyDirSync Deno.remove Deno.removeSync",
        Does::Deletes,
    ),
    (
        "os.mkdir os.makedirs os.mkfifo os.truncate os.chown os.utime fs.writeFile fs.writeFileSync fs.appendFile fs.appendFileSync fs.mkdir fs.mkdirSync mkdir fs.createWriteStream fs.truncate fs.truncateSync fs.chown fs.chownSync fs.utimes fs.outputFile fs.outputFileSync fs.outputJson fs.writeJson fs.writeJsonSync fs.ensureDir fs.ensureDirSync Deno.writeTextFile Deno.writeTextFileSync Deno.writeFile Deno.mkdir Bun.write numpy.save numpy.savetxt numpy.savez cv2.imwrite logging.FileHandler logging.handlers.RotatingFileHandler logging.handlers.TimedRotatingFileHandler shelve.open",
        Does::Writes,
    ),
    (
        "os.rename os.replace os.renames shutil.move fs.rename fs.renameSync fs.move fs.moveSync Deno.rename",
        Does::Moves,
    ),
    (
        "shutil.copy shutil.copy2 shutil.copyfile shutil.copytree os.link os.symlink fs.copyFile fs.copyFileSync fs.cp fs.cpSync fs.copy fs.copySync fs.symlink fs.symlinkSync fs.link fs.linkSync Deno.copyFile",
        Does::Copies,
    ),
    (
        "fs.readFile fs.readFileSync fs.createReadStream fs.readJson fs.readJsonSync Deno.readTextFile Deno.readTextFileSync Deno.readFile Bun.file dotenv.load_dotenv load_dotenv dotenv.dotenv_values dotenv.config configparser.ConfigParser().read",
        Does::Reads,
    ),
    (
        "open io.open codecs.open gzip.open bz2.open lzma.open zipfile.ZipFile tarfile.open os.open fs.open fs.openSync Deno.open aiofiles.open fileinput.input fileinput.FileInput",
        Does::Opens,
    ),
    (
        "wget.download http.get https.get urllib.request.Request webbrowser.open pandas.read_csv pandas.read_json got",
        Does::Fetches,
    ),
    ("urllib.request.urlretrieve", Does::Downloads),
    (
        "fetch urllib.request.urlopen urlopen axios axios.request axios.default request http.request https.request node-fetch undici.fetch undici.request XMLHttpRequest().open",
        Does::Requests,
    ),
    ("socket.socket net.Socket dgram.createSocket ssl.wrap_socket", Does::Socket),
    (
        "socket.create_connection net.connect net.createConnection tls.connect smtplib.SMTP smtplib.SMTP_SSL ftplib.FTP ftplib.FTP_TLS telnetlib.Telnet websockets.connect websocket.create_connection WebSocket ws nodemailer.createTransport asyncio.open_connection",
        Does::Connects,
    ),
    (
        "subprocess.run subprocess.call subprocess.Popen subprocess.check_call subprocess.check_output subprocess.getoutput subprocess.getstatusoutput os.system os.popen commands.getoutput pty.spawn asyncio.create_subprocess_shell child_process.exec child_process.execSync child_process.execFile child_process.execFileSync child_process.spawn child_process.spawnSync execa execa.execa execa.execaSync execa.execaCommand shelljs.exec Bun.spawn Bun.spawnSync cross-spawn cross-spawn.sync zx.$ Deno.Command Deno.run",
        Does::Runs,
    ),
    ("os.execl os.execlp os.execle asyncio.create_subprocess_exec", Does::Words),
    (
        "os.execv os.execve os.execvp os.execvpe os.posix_spawn os.posix_spawnp os.spawnv os.spawnvp os.spawnve",
        Does::Argv,
    ),
    (
        "eval exec execfile Function vm.runInNewContext vm.runInThisContext vm.runInContext vm.Script vm.compileFunction runpy.run_path code.interact",
        Does::Code,
    ),
    (
        "pickle.loads pickle.load cPickle.loads cPickle.load _pickle.loads marshal.loads marshal.load dill.loads dill.load cloudpickle.loads torch.load joblib.load yaml.unsafe_load yaml.load importlib.reload v8.deserialize",
        Does::Loads,
    ),
    (
        "os.setuid os.seteuid os.setgid os.setegid os.setreuid os.setresuid os.setgroups process.setuid process.seteuid process.setgid process.setgroups os.chroot",
        Does::Is(Kind::Escalates),
    ),
    ("os.kill os.killpg process.kill signal.pidfd_send_signal", Does::Is(Kind::Stops)),
    (
        "ctypes.CDLL ctypes.cdll.LoadLibrary ctypes.PyDLL cffi.FFI().dlopen process.dlopen process.binding importlib.util.spec_from_file_location importlib.machinery.SourceFileLoader imp.load_source",
        Does::Is(Kind::RunsUnknownCode),
    ),
    ("pip.main pip._internal.main pip._internal.cli.main.main", Does::Is(Kind::Installs)),
    ("pytest.main", Does::Is(Kind::RunsScript)),
    ("os.dup2", Does::Duplicates),
    ("os.chdir os.fchdir process.chdir Deno.chdir contextlib.chdir", Does::Enters),
    ("os.chmod os.lchmod fs.chmod fs.chmodSync Deno.chmod", Does::Mode),
    ("require __import__ importlib.import_module importlib.__import__ import", Does::Module),
    ("getattr Reflect.get operator.attrgetter()", Does::Attribute),
    (
        "os.path.join path.join path.resolve path.posix.join pathlib.Path Path pathlib.PosixPath pathlib.PurePath os.path.abspath os.path.realpath os.path.normpath path.normalize fs.realpathSync os.fspath",
        Does::Path,
    ),
    (
        "str bytes bytearray String encodeURIComponent encodeURI decodeURIComponent os.path.expanduser os.path.expandvars shlex.quote os.fsencode os.fsdecode sorted reversed list tuple set iter Array.from Object.freeze Promise.resolve io.StringIO io.BytesIO repr dict enumerate compile textwrap.dedent urllib.parse.quote shlex.split",
        Does::Same,
    ),
    (
        "base64.b64decode base64.urlsafe_b64decode base64.standard_b64decode base64.decodebytes binascii.a2b_base64 atob",
        Does::Decodes("base64"),
    ),
    ("bytes.fromhex bytearray.fromhex binascii.unhexlify binascii.a2b_hex", Does::Decodes("hex")),
    ("codecs.decode Buffer.from Buffer", Does::Decodes("")),
    ("chr String.fromCharCode String.fromCodePoint", Does::Characters),
    ("os.path.dirname path.dirname", Does::Parent),
    ("os.homedir pathlib.Path.home Path.home os.userInfo().homedir", Does::Home),
    ("os.getcwd process.cwd pathlib.Path.cwd Path.cwd Deno.cwd", Does::Here),
    (
        "os.tmpdir tempfile.gettempdir tempfile.mkdtemp tempfile.mkstemp tempfile.mktemp tempfile.TemporaryDirectory tempfile.NamedTemporaryFile fs.mkdtemp fs.mkdtempSync",
        Does::Temporary,
    ),
    (
        "os.listdir glob.glob glob.iglob fs.readdir fs.readdirSync glob.sync glob fast-glob fast-glob.sync globby",
        Does::Lists,
    ),
    ("os.walk os.scandir os.fwalk", Does::Walks),
    ("map filter", Does::Maps),
    (
        "threading.Thread multiprocessing.Process threading.Timer functools.partial atexit.register setTimeout setInterval setImmediate queueMicrotask asyncio.run",
        Does::Starts,
    ),
];

/// What calls of this last name do on whatever object that is not the code's own.
const METHODS: &[(&str, Does)] = &[
    (
        "to_csv to_json to_parquet to_excel to_pickle to_feather to_hdf savefig extractall extract",
        Does::Writes,
    ),
    ("unlink rmdir", Does::Deletes),
];

/// Modules that speak HTTP: their functions, and their sessions' methods, are named after the method.
const HTTP: &str = "requests httpx aiohttp urllib3 axios got superagent ky needle undici";

/// Modules for what others use: clouds, clusters.
const SHARED: &str = "boto3 botocore kubernetes google azure @aws-sdk/ aws-sdk digitalocean github octokit @octokit/ googleapiclient openstack hvac consul";

/// What changes there, as names of calls begin.
const CHANGES: &str = "delete put create update terminate modify attach detach remove publish start stop reboot patch replace upload set add revoke drop cancel merge";

/// The lists, by name. Every call is looked up, and most are in no list: going through all lines would be a
/// fifth of the work.
struct Index {
    calls: HashMap<&'static str, Does>,
    methods: HashMap<&'static str, Does>,
    /// Modules, and whether others use what is behind them.
    modules: HashMap<&'static str, bool>,
    /// How the names of modules begin behind which others are.
    beginnings: Vec<&'static str>,
}

impl Index {
    fn get() -> &'static Self {
        static INDEX: OnceLock<Index> = OnceLock::new();
        INDEX.get_or_init(|| {
            let by_name = |rows: &'static [(&'static str, Does)]| {
                rows.iter()
                    .flat_map(|(names, does)| names.split(' ').map(|name| (name, *does)))
                    .collect()
            };
            let shared = SHARED.split(' ').map(|name| (name, true));
            Self {
                calls: by_name(ROWS),
                methods: by_name(METHODS),
                modules: HTTP.split(' ').map(|name| (name, false)).chain(shared).collect(),
                beginnings: SHARED.split(' ').filter(|name| name.ends_with('/')).collect(),
            }
        })
    }
}

/// What a call of the function called `name` does; `None` if nothing is known of it.
pub fn of(name: &str) -> Option<Does> {
    let index = Index::get();
    if let Some(does) = index.calls.get(name) {
        return Some(*does);
    }
    let (root, last) = (super::names::root(name), super::names::last(name));
    let begins = || index.beginnings.iter().any(|one| name.starts_with(one));
    match index.modules.get(root).copied().or_else(|| begins().then_some(true)) {
        Some(false) => match last {
            "get" | "head" | "options" => Some(Does::Fetches),
            "post" | "put" | "patch" | "delete" => Some(Does::Sends),
            "request" | "fetch" => Some(Does::Requests),
            _ => None,
        },
        Some(true) => {
            let last = last.to_ascii_lowercase();
            let changes = CHANGES.split(' ').any(|verb| last.starts_with(verb));
            changes.then_some(Does::Is(Kind::ChangesShared))
        }
        None => index.methods.get(last).copied(),
    }
}

/// What a method of a path does to that path.
pub fn of_path(name: &str) -> Option<Does> {
    Some(match name {
        "unlink" | "rmdir" | "rmtree" | "removedirs" => Does::Deletes,
        "write_text" | "write_bytes" | "touch" | "mkdir" | "symlink_to" | "hardlink_to" => {
            Does::Writes
        }
        "chmod" => Does::Mode,
        "rename" => Does::Moves,
        "read_text" | "read_bytes" => Does::Reads,
        "open" => Does::Opens,
        _ => return None,
    })
}
