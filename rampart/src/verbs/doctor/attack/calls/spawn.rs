//! Routes that start a child or a shell, and wait for it.

use super::*;

type Spawn = unsafe extern "C" fn(
    *mut c_int,
    *const c_char,
    *const c_void,
    *const c_void,
    Strings,
    Strings,
) -> c_int;

unsafe extern "C" {
    fn wordexp(words: *const c_char, result: *mut c_void, flags: c_int) -> c_int;
}

/// Calls that start a child or a shell. `None` if it is none of these.
pub fn run(call: &Call) -> Option<ExitCode> {
    let (target, argv, line) = (call.target.as_ptr(), call.argv.as_ptr(), call.line.as_ptr());
    let mut pid = 0;
    // SAFETY: as in `replace`; a symbol is called as the function that its name stands for.
    unsafe {
        let env = environ.cast::<*mut c_char>();
        let by_symbol = |found: *mut c_void, path: *const c_char, pid: &mut c_int| {
            (!found.is_null()).then(|| {
                let spawn = std::mem::transmute::<*mut c_void, Spawn>(found);
                spawn(pid, path, null(), null(), argv, environ)
            })
        };
        Some(match call.route.as_str() {
            "posix_spawn" => {
                let error =
                    libc::posix_spawn(&raw mut pid, target, null(), null(), argv.cast(), env);
                waited(error, pid)
            }
            "posix_spawnp" => {
                let name = call.name.as_ptr();
                let error =
                    libc::posix_spawnp(&raw mut pid, name, null(), null(), argv.cast(), env);
                waited(error, pid)
            }
            "posix_spawn-actions" => with_actions(call),
            "system" => ended(libc::system(line)),
            "popen" => read_all(libc::popen(line, c"r".as_ptr())),
            "wordexp" => words(call)?,
            "_IO_popen" => match symbol(c"_IO_popen", libc::RTLD_DEFAULT) {
                found if found.is_null() => absent(),
                found => {
                    type Popen =
                        unsafe extern "C" fn(*const c_char, *const c_char) -> *mut libc::FILE;
                    read_all(std::mem::transmute::<*mut c_void, Popen>(found)(line, c"r".as_ptr()))
                }
            },
            "__libc_system" => match symbol(c"__libc_system", libc_alone()) {
                found if found.is_null() => absent(),
                found => {
                    type System = unsafe extern "C" fn(*const c_char) -> c_int;
                    ended(std::mem::transmute::<*mut c_void, System>(found)(line))
                }
            },
            #[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
            "posix_spawn@GLIBC_2.2.5" => by_symbol(versioned(c"posix_spawn"), target, &mut pid)
                .map_or_else(absent, |error| waited(error, pid)),
            "pidfd_spawn" => {
                by_symbol(symbol(c"pidfd_spawn", libc::RTLD_DEFAULT), target, &mut pid)
                    .map_or_else(absent, |error| waited_for_descriptor(error, pid))
            }
            "pidfd_spawnp" => {
                let name = call.name.as_ptr();
                by_symbol(symbol(c"pidfd_spawnp", libc::RTLD_DEFAULT), name, &mut pid)
                    .map_or_else(absent, |error| waited_for_descriptor(error, pid))
            }
            _ => return None,
        })
    }
}

fn waited_for_descriptor(error: c_int, file: c_int) -> ExitCode {
    if error != 0 {
        return said("errno", error);
    }
    // SAFETY: an all-zero siginfo_t is valid, and it lives.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let id = file.unsigned_abs();
        if libc::waitid(libc::P_PIDFD, id, &raw mut info, libc::WEXITED) != 0 {
            return said("errno", errno());
        }
        said("status", info.si_status())
    }
}

fn with_actions(call: &Call) -> ExitCode {
    let mut pid = 0;
    // SAFETY: the actions are initialised before they are used; strings as in `replace`.
    let error = unsafe {
        let mut actions: libc::posix_spawn_file_actions_t = std::mem::zeroed();
        let actions = &raw mut actions;
        libc::posix_spawn_file_actions_init(actions);
        libc::posix_spawn_file_actions_adddup2(actions, 2, 1);
        let (null_device, write) = (c"/dev/null".as_ptr(), libc::O_WRONLY);
        libc::posix_spawn_file_actions_addopen(actions, 2, null_device, write, 0);
        libc::posix_spawn_file_actions_adddup2(actions, 1, 2);
        let (target, argv) = (call.target.as_ptr(), call.argv.as_ptr());
        let env = environ.cast::<*mut c_char>();
        libc::posix_spawn(&raw mut pid, target, actions, null(), argv.cast(), env)
    };
    waited(error, pid)
}

fn words(call: &Call) -> Option<ExitCode> {
    let text = CString::new([b"$(", call.line.to_bytes(), b")"].concat()).ok()?;
    let mut result = [0usize; 16];
    // SAFETY: a terminated text; `wordexp_t` is three words in every libc.
    let error = unsafe { wordexp(text.as_ptr(), result.as_mut_ptr().cast(), 0) };
    Some(said("wordexp", error))
}

fn read_all(stream: *mut libc::FILE) -> ExitCode {
    if stream.is_null() {
        return said("errno", errno());
    }
    let mut text = [0 as c_char; 256];
    // SAFETY: a stream of popen(3), a buffer of the stated size, and text that fgets(3) terminated.
    unsafe {
        while !libc::fgets(text.as_mut_ptr(), 256, stream).is_null() {
            say(&CStr::from_ptr(text.as_ptr()).to_string_lossy());
        }
        ended(libc::pclose(stream))
    }
}
