//! The kinds of effects, and sets of them.

/// A kind of effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Removes files.
    Deletes = 0,
    /// Removes files outside of the working directory and of temporary ones.
    DeletesOutside,
    /// Removes files, and which is not known.
    DeletesUnknown,
    /// Changes files, or makes them.
    Writes,
    /// Changes files outside of the working directory and of temporary ones.
    WritesOutside,
    /// Reads a file that holds credentials.
    ReadsSecret,
    /// Receives something from the network.
    Fetches,
    /// Sends something over the network.
    Sends,
    /// Runs commands on another machine, or in a container.
    RunsElsewhere,
    /// Runs code that comes from the network.
    RunsFetchedCode,
    /// Runs code that is not known here.
    RunsUnknownCode,
    /// Runs a program or a script of the project, which was not read.
    RunsScript,
    /// Installs software, which may run code of its own.
    Installs,
    /// Arranges for something to run later: at login, at boot, at a time, at a commit.
    Persists,
    /// Gains rights.
    Escalates,
    /// Changes what others use: remote repositories, clusters, clouds, registries, databases.
    ChangesShared,
    /// Changes the machine: packages, services, mounts, disks, accounts, the firewall.
    ChangesSystem,
    /// Ends processes.
    Stops,
    /// What it does is not known.
    Unknown,
}

impl Kind {
    /// All, in the order of their codes.
    pub const ALL: [Self; 19] = [
        Self::Deletes,
        Self::DeletesOutside,
        Self::DeletesUnknown,
        Self::Writes,
        Self::WritesOutside,
        Self::ReadsSecret,
        Self::Fetches,
        Self::Sends,
        Self::RunsElsewhere,
        Self::RunsFetchedCode,
        Self::RunsUnknownCode,
        Self::RunsScript,
        Self::Installs,
        Self::Persists,
        Self::Escalates,
        Self::ChangesShared,
        Self::ChangesSystem,
        Self::Stops,
        Self::Unknown,
    ];

    /// Their names in policies, with the set of each alone.
    #[must_use]
    pub fn names() -> [(&'static str, u32); 19] {
        Self::ALL.map(|kind| (kind.name(), Kinds::default().with(kind).0))
    }

    /// Its name in explanations, prompts and questions to services.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deletes => "deletes",
            Self::DeletesOutside => "deletes_outside_cwd",
            Self::DeletesUnknown => "deletes_unknown",
            Self::Writes => "writes",
            Self::WritesOutside => "writes_outside_cwd",
            Self::ReadsSecret => "reads_secret",
            Self::Fetches => "fetches",
            Self::Sends => "sends",
            Self::RunsElsewhere => "runs_elsewhere",
            Self::RunsFetchedCode => "runs_fetched_code",
            Self::RunsUnknownCode => "runs_unknown_code",
            Self::RunsScript => "runs_script",
            Self::Installs => "installs",
            Self::Persists => "persists",
            Self::Escalates => "escalates",
            Self::ChangesShared => "changes_shared",
            Self::ChangesSystem => "changes_system",
            Self::Stops => "stops_processes",
            Self::Unknown => "unknown",
        }
    }

    /// What it means, as a sentence begins that its subject ends.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Deletes => "deletes",
            Self::DeletesOutside => "deletes outside of the working directory",
            Self::DeletesUnknown => "deletes what is not known here",
            Self::Writes => "writes",
            Self::WritesOutside => "writes outside of the working directory",
            Self::ReadsSecret => "reads credentials",
            Self::Fetches => "receives from the network",
            Self::Sends => "sends over the network",
            Self::RunsElsewhere => "runs commands elsewhere",
            Self::RunsFetchedCode => "runs code from the network",
            Self::RunsUnknownCode => "runs code that is not known here",
            Self::RunsScript => "runs a script or a task that was not read",
            Self::Installs => "installs software",
            Self::Persists => "arranges for something to run later",
            Self::Escalates => "gains rights",
            Self::ChangesShared => "changes what others use",
            Self::ChangesSystem => "changes this machine",
            Self::Stops => "ends processes",
            Self::Unknown => "does what is not known here",
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(pub u32);

impl Kinds {
    /// With `kind` in it.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// Whether `kind` is in it.
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Those in it, in their order.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}
