//! Integration tests: the binary as its users run it, against real servers. The first run installs those into `.servers/`.

// Helpers of tests may fail as loudly as tests, and what they print is shown only where one fails.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bucket;
mod change_request;
mod cloud;
mod crash_points;
mod documentation;
mod drift;
mod duplicates;
mod examples;
mod far;
mod fenced;
mod first_copy;
mod hostile;
mod house;
mod inspect;
mod kills;
mod limits;
mod locks;
mod lost_answers;
mod many;
mod mapping;
mod memory;
mod moving;
mod new_keys;
mod page;
mod proxy;
mod random_mappings;
mod refusals;
mod remote_state;
mod runs;
mod rust_source;
mod saved;
mod secrets;
mod servers;
mod set_up;
mod state;
mod support;
mod tls;
mod torture;
mod tutorial;
mod types;
mod validate;
mod written_source;
mod wrong_mappings;
