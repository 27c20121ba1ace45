//! `[kv]`.

use crate::config::ByteSize;
use crate::config::issues::Issues;
use crate::config::load::Config;
use crate::kv::KvSettings;

/// Longer ones would be held in memory several times over while they are read and answered.
const LONGEST_VALUE: ByteSize = ByteSize(16 << 20);
/// What an address can say, with each byte written as three.
const LONGEST_NAME: ByteSize = ByteSize(64 << 10);

pub(super) fn settings(config: &Config, issues: &mut Issues) -> KvSettings {
    let kv = &config.kv;
    issues.within("kv", |issues| {
        for (key, size, most) in [
            ("max_value", kv.max_value, LONGEST_VALUE),
            ("max_key", kv.max_key, LONGEST_NAME),
            ("max_namespace", kv.max_namespace, LONGEST_NAME),
        ] {
            if size.0 == 0 || size > most {
                issues.at(key, format!("has to be between 1 B and {most}"));
            }
        }
    });
    KvSettings { max_keys: key_limit(config), max_value: kv.max_value.0, max_key: kv.max_key.0, max_namespace: kv.max_namespace.0 }
}

/// How many keys a namespace may hold.
pub(super) fn key_limit(config: &Config) -> Option<u64> {
    Some(config.kv.max_keys_per_namespace).filter(|limit| *limit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> (KvSettings, String) {
        let config = Config::from_toml(text, "").unwrap();
        let mut issues = config.found.clone();
        let settings = settings(&config, &mut issues);
        (settings, issues.to_string())
    }

    #[test]
    fn what_is_written_nowhere_is_limited_as_the_default_says() {
        assert_eq!(resolved(""), (KvSettings::default(), String::new()));
    }

    #[test]
    fn no_limit_is_written_as_zero_and_no_length_is_refused() {
        let (settings, issues) = resolved("[kv]\nmax_keys_per_namespace = 0\nmax_value = \"2 MiB\"\nmax_key = \"100 B\"\ncache = 0");
        assert_eq!(issues, "");
        assert_eq!((settings.max_keys, settings.max_value, settings.max_key), (None, 2 << 20, 100));
        insta::assert_snapshot!(resolved("[kv]\nmax_value = \"1 GiB\"\nmax_key = 0\nmax_pairs = 5").1, @r"
        configuration:2: kv.max_value: has to be between 1 B and 16 MiB
        configuration:3: kv.max_key: has to be between 1 B and 64 KiB
        configuration:4: kv.max_pairs: unknown key
          did you mean `max_namespace`?
        ");
    }
}
