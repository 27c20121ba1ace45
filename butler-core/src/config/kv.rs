//! `[kv]`.

use serde::{Deserialize, Serialize};

use super::values::ByteSize;
use crate::kv::KvSettings;

/// `[kv]`: the pairs that load scripts keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KvConfig {
    /// How many keys a namespace may hold; `0` for any number.
    pub max_keys_per_namespace: u64,
    /// The longest value.
    pub max_value: ByteSize,
    /// The longest key.
    pub max_key: ByteSize,
    /// The longest name of a namespace.
    pub max_namespace: ByteSize,
    /// How much of what was read or written lately is kept in memory; `0` for nothing.
    pub cache: ByteSize,
}

impl Default for KvConfig {
    fn default() -> Self {
        let KvSettings { max_keys, max_value, max_key, max_namespace } = KvSettings::default();
        Self {
            max_keys_per_namespace: max_keys.unwrap_or(0),
            max_value: ByteSize(max_value),
            max_key: ByteSize(max_key),
            max_namespace: ByteSize(max_namespace),
            cache: ByteSize(16 << 20),
        }
    }
}
