//! The whole program as a process.

mod apps;
mod archive;
mod chaos;
mod command_deliveries;
mod command_events;
mod command_files;
mod command_kv;
mod command_sinks;
mod crash;
mod crash_rows;
mod delivery;
mod demo;
mod destinations_http;
mod email;
mod faults_config;
mod faults_start;
mod faults_templates;
mod faults_usage;
mod files;
mod influxdb;
mod kv;
mod messages;
mod mqtt;
mod outages;
mod outcomes;
mod outcomes_distribute;
mod qrs;
mod qrs_trouble;
mod reconcile;
mod restarts;
mod schedules;
mod schedules_crash;
mod scripts;
mod secrets;
mod silences;
mod simulate;
mod task_watch;
mod tasks_start;
mod tokens;
mod uptime;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_butler-under-test");
