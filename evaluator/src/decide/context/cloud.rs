//! AWS, Google Cloud and Terraform: whose account a command would act on.

use crate::world::Answer;

use super::super::condition::{At, Judge};
use super::super::found::Fault;
use super::{Name, Path, Seen};

impl<'j> Judge<'j, '_> {
    /// The profile that is given, or that the variables name, or `default`. Keys in the
    /// environment belong to no profile.
    pub(super) fn aws_profile(&self, at: At<'j>) -> Result<Answer<&'j [u8]>, Fault> {
        let given = self.option(at.1, b"--profile --aws-profile");
        if given != Answer::Absent {
            return Ok(given);
        }
        let vault = self.first_variable(at, b"AWS_VAULT")?;
        if vault != Answer::Absent {
            return Ok(vault);
        }
        if self.first_variable(at, b"AWS_ACCESS_KEY_ID AWS_WEB_IDENTITY_TOKEN_FILE")?
            != Answer::Absent
        {
            return Ok(Answer::Unavailable);
        }
        Ok(match self.first_variable(at, b"AWS_PROFILE AWS_DEFAULT_PROFILE")? {
            Answer::Absent => Answer::Value(b"default"),
            named => named,
        })
    }

    /// The account of the profile, where the configuration states it.
    pub(super) fn aws_account(&mut self, at: At<'j>, seen: &mut Seen<'_, '_>) -> Result<(), Fault> {
        let Answer::Value(profile) = self.aws_profile(at)? else {
            seen.unknown();
            return Ok(());
        };
        let mut found = false;
        let mut account = |section: &[u8], key: &[u8], value: &[u8]| {
            let name = section.strip_prefix(b"profile ").map_or(section, <[u8]>::trim_ascii);
            if name != profile {
                return false;
            }
            let value = match key {
                b"sso_account_id" | b"aws_account_id" => Some(value),
                // arn:partition:iam::ACCOUNT:role/name
                b"role_arn" => value.split(|byte| *byte == b':').nth(4),
                _ => None,
            };
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                seen.value(value);
                found = true;
            }
            found
        };
        let mut path = Path::new();
        for (variable, file) in [
            (&b"AWS_CONFIG_FILE"[..], &b".aws/config"[..]),
            (b"AWS_SHARED_CREDENTIALS_FILE", b".aws/credentials"),
        ] {
            if self.configuration(at, variable, file, &mut path)? {
                self.settings(path.get(), &mut account)?;
            }
        }
        // The account of keys is only known to AWS.
        if !found {
            seen.unknown();
        }
        Ok(())
    }

    /// The project that is given, or that variables or the active configuration name.
    pub(super) fn gcloud_project(
        &mut self,
        at: At<'j>,
        name: &[u8],
        seen: &mut Seen<'_, '_>,
    ) -> Result<(), Fault> {
        let is_client = matches!(name, b"gcloud" | b"gsutil" | b"bq");
        let mut given = Answer::Absent;
        if is_client || name == b"firebase" {
            given = self.option(at.1, b"--project --project_id");
        }
        if given == Answer::Absent && !is_client {
            given =
                self.first_variable(at, b"GOOGLE_PROJECT GOOGLE_CLOUD_PROJECT GCLOUD_PROJECT")?;
        }
        if given == Answer::Absent {
            given = self.first_variable(at, b"CLOUDSDK_CORE_PROJECT")?;
        }
        if given != Answer::Absent {
            seen.answer(given);
            return Ok(());
        }
        let mut directory = Path::new();
        let mut active = Name::new();
        if !self.configuration(at, b"CLOUDSDK_CONFIG", b".config/gcloud", &mut directory)?
            || !self.active_configuration(at, directory.get(), &mut active)?
        {
            seen.unknown();
            return Ok(());
        }
        let file = directory.push(b"/configurations/config_").and_then(|to| to.push(active.get()));
        let Some(file) = file else {
            seen.unknown();
            return Ok(());
        };
        let read = self.settings(file.get(), &mut |section, key, value| {
            let is_it = section == b"core" && key == b"project";
            if is_it {
                seen.value(value);
            }
            is_it
        })?;
        if read == Answer::Unavailable {
            seen.unknown();
        }
        Ok(())
    }

    /// The name of the active configuration in `directory`; false if it cannot be known.
    fn active_configuration(
        &mut self,
        at: At<'j>,
        directory: &[u8],
        out: &mut Name,
    ) -> Result<bool, Fault> {
        let given = match self.option(at.1, b"--configuration") {
            Answer::Absent => self.first_variable(at, b"CLOUDSDK_ACTIVE_CONFIG_NAME")?,
            given => given,
        };
        match given {
            Answer::Value(name) => return Ok(out.set(name).is_some()),
            Answer::Unavailable => return Ok(false),
            Answer::Absent => {}
        }
        let mut path = Path::new();
        if path.set_path(directory, b"active_config").is_none() {
            return Ok(false);
        }
        let _ = out.set(b"default");
        let mut fits = true;
        let read = self.lines(path.get(), &mut |line, whole| {
            fits = line.is_empty() || (whole && out.set(line.trim_ascii()).is_some());
            true
        })?;
        Ok(fits && read != Answer::Unavailable)
    }

    /// The workspace that `TF_WORKSPACE` or the data directory names, or `default`.
    pub(super) fn terraform_workspace(
        &mut self,
        at: At<'j>,
        seen: &mut Seen<'_, '_>,
    ) -> Result<(), Fault> {
        let named = self.first_variable(at, b"TF_WORKSPACE")?;
        if named != Answer::Absent {
            seen.answer(named);
            return Ok(());
        }
        let directory = match self.option(at.1, b"-chdir") {
            Answer::Absent => b".",
            Answer::Value(directory) => directory,
            Answer::Unavailable => {
                seen.unknown();
                return Ok(());
            }
        };
        let data = match self.first_variable(at, b"TF_DATA_DIR")? {
            Answer::Absent => b".terraform",
            Answer::Value(data) => data,
            Answer::Unavailable => {
                seen.unknown();
                return Ok(());
            }
        };
        let (mut root, mut file) = (Path::new(), Path::new());
        let fits = self.below(at, directory, &mut root)
            && file.set_path(root.get(), data).is_some()
            && file.push(b"/environment").is_some();
        if !fits {
            seen.unknown();
            return Ok(());
        }
        let mut found = false;
        let read = self.lines(file.get(), &mut |line, whole| {
            found = whole && !line.is_empty();
            if found {
                seen.value(line);
            }
            true
        })?;
        match read {
            Answer::Unavailable => seen.unknown(),
            _ if !found => seen.value(b"default"),
            _ => {}
        }
        Ok(())
    }
}
