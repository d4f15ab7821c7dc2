//! The text that `rampart init` writes: a policy that changes nothing yet, with what one would
//! write into it as comments. A comment with a blank behind its `#` is prose; one without is YAML,
//! which holds once that `#` is taken away.

use policy_schema::Layer;

const LANGUAGE: &str = "\
# Rules in YAML stand here behind a `#`: take it away, and they hold. `rampart policy lint FILE` tells
# what is wrong, `rampart check -- COMMAND` what is answered, `rampart policy schema` is for editors.
version: \"1\"
";

const SETTINGS: &str = "
# Answer to a call that no rule is about: allow, watch, ask or deny.
#default_action: ask

# What an ask comes to where nobody answers: allow or deny.
#on_no_approver: deny

# Shipped rules about one field each (`rampart policy list`).
#packs: [git, databases]
";

const RULES: &str = "
#policies:
#  - name: releases
#    rules:
#      - name: publish
#        action: ask
#        message: A person publishes. Prepare the release and stop there.
#        when:
#          program: [npm, cargo, twine]
#          subcommand: [publish, upload]
#        # Tried whenever the policy is compiled.
#        examples:
#          match: [\"npm publish --tag next\", \"cd x && cargo publish\"]
#          not_match: [\"npm install\", \"echo npm publish\"]
#      - name: generated-files
#        action: deny
#        message: Change the source and run the generator.
#        when: {writes: [\"generated/**\"]}
";

/// What was found in the audit log, as lines of YAML that are not in force.
#[derive(Debug, Default)]
pub struct Suggestions {
    /// What they were made from, for people.
    pub about: Vec<String>,
    /// Entries of `disable:`, each with what it is about.
    pub disable: Vec<(String, String)>,
    /// Rules, each with what it is about.
    pub rules: Vec<(String, String)>,
}

/// The policy for `layer`: the shipped profile with this name and text, or the commented starter.
pub fn text(layer: Layer, profile: Option<(&str, &str)>, found: &Suggestions) -> String {
    let mut out = match layer {
        Layer::Project => {
            "# Rampart: the policy of this project. It can only restrict what the policies of its users allow.\n"
        }
        _ => "# Rampart: my own policy, over the shipped one and /etc/rampart/policy.d.\n",
    }
    .to_owned();
    if let Some((name, text)) = profile {
        out.push_str(&format!(
            "# Made from the shipped profile `{name}`, which may have changed since.\n"
        ));
        out.push_str(text);
        if !out.ends_with('\n') {
            out.push('\n');
        }
    } else {
        out.push_str(LANGUAGE);
        out.push_str(SETTINGS);
    }
    if !found.about.is_empty() {
        out.push('\n');
        found.about.iter().for_each(|line| out.push_str(&format!("# {line}\n")));
    }
    if !found.disable.is_empty() {
        out.push_str("\n#disable:\n");
        push(&mut out, "#  ", &found.disable);
    }
    match (profile, found.rules.is_empty()) {
        (None, true) => out.push_str(RULES),
        (None, false) => {
            out.push_str(RULES);
            out.push_str("#  - name: from-audit\n#    rules:\n");
            push(&mut out, "#      ", &found.rules);
        }
        (Some(_), true) => {}
        // Where the policies of a shipped file stand, somebody has to look.
        (Some(_), false) => {
            out.push_str("\n# Rules for one of the policies above:\n");
            push(&mut out, "# ", &found.rules);
        }
    }
    out
}

fn push(out: &mut String, indent: &str, entries: &[(String, String)]) {
    for (entry, about) in entries {
        out.push_str(&format!("{indent}# {about}\n{indent}- {entry}\n"));
    }
}

/// The policy with everything that it suggests in force.
pub fn with_suggestions(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(yaml) if !yaml.starts_with(' ') || yaml.starts_with("  ") => format!("{yaml}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy_schema::{Options, Source, compile};

    fn compiles(text: &str, layer: Layer) {
        let source = Source { name: "p.yaml", text: text.as_bytes() };
        let options = Options { layer, run_examples: text.len() < 8192 };
        let found = compile(&[source], &options).err().unwrap_or_default();
        let shown: String = found.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{shown}\n{text}");
    }

    #[test]
    fn as_written_and_with_everything_that_is_suggested() {
        let entry = |text: &str| (text.to_owned(), "about: it".to_owned());
        let some = Suggestions {
            about: vec!["three events".to_owned()],
            disable: vec![entry("{rule: \"a/b\", command: [\"x\"]}")],
            rules: vec![entry("{action: deny, when: {command_matches: [\"x\"]}}")],
        };
        let only_rules = |found: Suggestions| Suggestions { disable: Vec::new(), ..found };
        let shipped = policies::SOURCES.iter().map(|(name, text)| Some((*name, *text)));
        for profile in std::iter::once(None).chain(shipped) {
            let found = &some;
            let user = text(Layer::User, profile, found);
            compiles(&user, Layer::User);
            let all = with_suggestions(&user);
            assert!(all.contains("\ndisable:\n"), "{all}");
            assert_eq!(all.contains("\n  - name: from-audit\n"), profile.is_none(), "{all}");
            compiles(&all, Layer::User);
        }
        let project = text(Layer::Project, None, &only_rules(some));
        compiles(&project, Layer::Project);
        compiles(&with_suggestions(&project), Layer::Project);
    }
}
