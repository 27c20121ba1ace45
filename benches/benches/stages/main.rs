//! Rates of the stages, one by one. Compare figures of one run with each other: another machine, or another load, has other ones.
//!
//! ```text
//! cargo bench -p butler-benches
//! cargo bench -p butler-benches -- append      only those whose names contain it
//! ```

mod append;
mod decode;
mod render;
mod way;

use criterion::{criterion_group, criterion_main};

criterion_group!(stages, decode::bench, append::bench, render::bench, way::bench);
criterion_main!(stages);
