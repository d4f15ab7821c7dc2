//! What each host calls its tools, and what they do. A name that is not here is not known, and
//! what is not known is not let go: a new version of a host may have given it any power.

use super::{Host, mcp};

/// What a tool does, which decides what of its input is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Runs a command.
    Exec,
    /// Runs code of another language: the program that would.
    Code(&'static [&'static str]),
    /// Reads files, or looks for them.
    Read,
    /// Writes files.
    Write,
    /// Applies a patch.
    Patch,
    /// Opens an address.
    Fetch,
    /// Something without command, file or address: its class.
    Other(&'static str),
    /// What its MCP server makes of it: the class of its name.
    Mcp(&'static str),
}

impl Does {
    /// The class that rules match as `tool`.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Exec | Self::Code(_) => "exec",
            Self::Read => "read",
            Self::Write | Self::Patch => "write",
            Self::Fetch => "fetch",
            Self::Other(class) | Self::Mcp(class) => class,
        }
    }
}

/// What `host`'s tool `name` does; `None` if there is no such tool.
pub fn does(host: Host, name: &str) -> Option<Does> {
    let table = match host {
        Host::ClaudeCode => CLAUDE_CODE,
        Host::Codex => CODEX,
        Host::Gemini => GEMINI,
        Host::Opencode => OPENCODE,
        Host::Cursor => CURSOR,
        Host::Copilot => COPILOT,
        Host::Cline => CLINE,
        // Every tool is its server's, and only its name is known.
        Host::Mcp => return Some(Does::Mcp(mcp::class(name))),
    };
    let exact = matches!(host, Host::ClaudeCode | Host::Codex | Host::Gemini | Host::Opencode);
    let is = |known: &&str| match exact {
        true => *known == name,
        // These hosts write one name in several ways.
        false => known.bytes().eq(name
            .bytes()
            .filter(|byte| !b"_- ".contains(byte))
            .map(|byte| byte.to_ascii_lowercase())),
    };
    let found = table.iter().find(|(names, _)| names.iter().any(&is));
    match found {
        Some((_, does)) => Some(*does),
        // Copilot writes `server-tool`; its own tools have no hyphen.
        None if host == Host::Copilot && name.contains('-') => Some(Does::Mcp(mcp::class(name))),
        None => mcp::tool_of(name).map(|tool| Does::Mcp(mcp::class(tool))),
    }
}

type Table = &'static [(&'static [&'static str], Does)];

const CLAUDE_CODE: Table = &[
    (&["Bash", "Monitor"], Does::Exec),
    (&["PowerShell"], Does::Code(&["pwsh", "-Command"])),
    (&["code_execution"], Does::Code(&["python3", "-c"])),
    (
        &[
            "Read",
            "ReadFile",
            "Glob",
            "Grep",
            "LS",
            "LSP",
            "ToolSearch",
            "ListMcpResources",
            "ReadMcpResource",
            "ListMcpResourcesTool",
            "ReadMcpResourceTool",
            "Skill",
            "TaskGet",
            "TaskList",
            "TaskOutput",
            "BashOutput",
            "AgentOutputTool",
            "CronList",
            "NotebookRead",
            "ListAgents",
        ],
        Does::Read,
    ),
    (
        &[
            "Write",
            "WriteFile",
            "Edit",
            "EditFile",
            "MultiEdit",
            "NotebookEdit",
            "EnterWorktree",
            "ExitWorktree",
        ],
        Does::Write,
    ),
    (&["WebFetch", "WebSearch", "Fetch"], Does::Fetch),
    (&["Task", "Agent", "Workflow", "RemoteTrigger"], Does::Other("agent")),
    (
        &[
            "CronCreate",
            "CronDelete",
            "TaskCreate",
            "TaskUpdate",
            "TaskStop",
            "TodoWrite",
            "TodoRead",
            "ScheduleWakeup",
            "KillShell",
            "KillBash",
        ],
        Does::Other("process"),
    ),
    (
        &[
            "Artifact",
            "PushNotification",
            "ReportFindings",
            "SendMessage",
            "SendUserFile",
            "SendUserMessage",
        ],
        Does::Other("message"),
    ),
    (
        &[
            "AskUserQuestion",
            "DeferredToolPlaceholder",
            "EnterPlanMode",
            "ExitPlanMode",
            "StructuredOutput",
            "SlashCommand",
        ],
        Does::Other("interact"),
    ),
    (&["Memory", "memory"], Does::Other("memory")),
];

const CODEX: Table = &[
    (
        &[
            "Bash",
            "bash",
            "shell",
            "shell_command",
            "exec_command",
            "local_shell",
            "container.exec",
            "unified_exec",
            "write_stdin",
        ],
        Does::Exec,
    ),
    (&["code_execution"], Does::Code(&["python3", "-c"])),
    (&["apply_patch"], Does::Patch),
    (&["Edit", "Write", "edit", "write", "write_file"], Does::Write),
    (&["Read", "read", "view", "read_file", "view_image", "list_dir", "grep_files"], Does::Read),
    (&["webfetch", "web_search", "browser"], Does::Fetch),
    (
        &[
            "spawn_agent",
            "agent",
            "send_input",
            "wait",
            "wait_agent",
            "close_agent",
            "resume_agent",
        ],
        Does::Other("agent"),
    ),
    (&["update_plan", "create_goal", "get_goal", "update_goal"], Does::Other("process")),
    (&["request_user_input"], Does::Other("interact")),
];

const GEMINI: Table = &[
    (&["run_shell_command", "shell"], Does::Exec),
    (
        &[
            "read_file",
            "read_many_files",
            "glob",
            "grep_search",
            "search_file_content",
            "list_directory",
            "activate_skill",
            "get_internal_docs",
            "list_background_processes",
            "read_background_output",
        ],
        Does::Read,
    ),
    (&["write_file", "replace", "edit"], Does::Write),
    (&["web_fetch", "google_web_search"], Does::Fetch),
    (&["save_memory"], Does::Other("memory")),
    (
        &["delegate_to_agent", "invoke_agent", "codebase_investigator", "cli_help", "generalist"],
        Does::Other("agent"),
    ),
    (&["write_todos", "complete_task", "update_topic"], Does::Other("process")),
    (&["ask_user", "enter_plan_mode", "exit_plan_mode"], Does::Other("interact")),
];

const OPENCODE: Table = &[
    (&["bash", "shell"], Does::Exec),
    (&["read", "glob", "grep", "list", "lsp", "codesearch", "skill", "todoread"], Does::Read),
    (&["write", "edit", "multiedit"], Does::Write),
    (&["patch", "apply_patch"], Does::Patch),
    (&["webfetch", "websearch"], Does::Fetch),
    (&["task"], Does::Other("agent")),
    (&["todowrite", "invalid"], Does::Other("process")),
    (&["question", "plan_enter", "plan_exit"], Does::Other("interact")),
];

const CURSOR: Table = &[
    (&["shell", "runterminalcmd", "bash"], Does::Exec),
    (
        &[
            "read",
            "readfile",
            "grep",
            "glob",
            "ls",
            "listdir",
            "search",
            "codebasesearch",
            "semanticsearch",
            "readlints",
        ],
        Does::Read,
    ),
    (
        &[
            "write",
            "edit",
            "editfile",
            "searchreplace",
            "strreplace",
            "delete",
            "deletefile",
            "editnotebook",
        ],
        Does::Write,
    ),
    (&["applypatch"], Does::Patch),
    (&["websearch", "webfetch", "fetch", "browser", "openurl"], Does::Fetch),
    (&["task"], Does::Other("agent")),
    (&["todowrite"], Does::Other("process")),
    (&["askquestion", "switchmode", "createplan"], Does::Other("interact")),
];

const COPILOT: Table = &[
    (&["bash", "shell", "runinterminal", "execute", "runcommand", "writebash"], Does::Exec),
    (&["powershell"], Does::Code(&["pwsh", "-Command"])),
    (
        &[
            "view",
            "read",
            "readfile",
            "glob",
            "grep",
            "rg",
            "search",
            "listdir",
            "filesearch",
            "grepsearch",
            "readbash",
            "listbash",
            "listagents",
            "readagent",
            "fetchcopilotclidocumentation",
            "skill",
        ],
        Does::Read,
    ),
    (
        &[
            "create",
            "write",
            "edit",
            "createfile",
            "writefile",
            "editfile",
            "strreplace",
            "strreplaceeditor",
            "inserteditintofile",
            "replacestringinfile",
        ],
        Does::Write,
    ),
    (&["applypatch"], Does::Patch),
    (&["webfetch", "websearch", "fetch", "fetchwebpage", "openurl"], Does::Fetch),
    (&["task", "agent", "runsubagent", "writeagent"], Does::Other("agent")),
    // `sql` and `session_store_sql` are about its own records of the session.
    (
        &["updatetodo", "stopbash", "managetodolist", "reportintent", "sql", "sessionstoresql"],
        Does::Other("process"),
    ),
    (&["askuser", "exitplanmode"], Does::Other("interact")),
    (&["storememory"], Does::Other("memory")),
];

const CLINE: Table = &[
    (&["executecommand", "runcommands", "runcommand", "bash"], Does::Exec),
    (
        &[
            "readfile",
            "readfiles",
            "searchfiles",
            "search",
            "searchcodebase",
            "listfiles",
            "list",
            "listcodedefinitionnames",
            "skills",
            "useskill",
            "accessmcpresource",
        ],
        Does::Read,
    ),
    (&["writetofile", "replaceinfile", "editor", "newrule"], Does::Write),
    (&["applypatch"], Does::Patch),
    (&["browseraction", "webfetch", "websearch", "fetchwebcontent"], Does::Fetch),
    (&["usemcptool"], Does::Mcp("mcp")),
    (
        &[
            "spawnagent",
            "usesubagents",
            "team",
            "newtask",
            "teamspawnteammate",
            "teamshutdownteammate",
            "teamtask",
            "teamruntask",
            "teamcancelrun",
            "teamlistruns",
            "teamawaitruns",
            "teamstatus",
            "teamcleanup",
            "teamsendmessage",
            "teambroadcast",
            "teamreadmailbox",
            "teammissionlog",
            "teamcreateoutcome",
            "teamattachoutcomefragment",
            "teamreviewoutcomefragment",
            "teamfinalizeoutcome",
            "teamlistoutcomes",
        ],
        Does::Other("agent"),
    ),
    (&["focuschain", "taskprogress", "condense", "summarizetask"], Does::Other("process")),
    (
        &[
            "askfollowupquestion",
            "askquestion",
            "attemptcompletion",
            "submitandexit",
            "planmoderespond",
            "actmoderespond",
            "generateexplanation",
            "reportbug",
            "loadmcpdocumentation",
        ],
        Does::Other("interact"),
    ),
];
