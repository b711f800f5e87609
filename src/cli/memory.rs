//! `--memory`: how much memory a command that moves or compares rows keeps to.

use bytesize::ByteSize;
use clap::Args;

use crate::plan::MEMORY;
use crate::run::Memory;

/// How much memory a command keeps to.
#[derive(Debug, Args)]
pub(super) struct MemoryArgs {
    /// Memory that the process keeps to, such as `256MiB` or `1GiB`: splits are cut and held back to fit it. Less than 64 MiB is no
    /// use, and below 128 MiB many collections at once with long keys took up to 20 MiB more. Where the first rows of a collection are
    /// far smaller than later ones, it takes a few splits to learn that.
    #[arg(long, value_name = "SIZE", env = "VECFERRY_MEMORY", default_value_t = ByteSize(MEMORY), value_parser = size)]
    memory: ByteSize,
}

impl MemoryArgs {
    /// Bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.memory.as_u64()
    }
}

fn size(text: &str) -> Result<ByteSize, String> {
    let size: ByteSize =
        text.parse().map_err(|_| "expected a number with a unit, such as `256MiB` or `1GiB`".to_owned())?;
    match size.as_u64() >= Memory::LEAST_BYTES {
        true => Ok(size),
        false => Err(format!("less than {} leaves no room for rows", ByteSize(Memory::LEAST_BYTES))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_with_units_and_leave_room() {
        assert_eq!(size("256MiB"), Ok(ByteSize(256 << 20)));
        assert_eq!(size("1GiB"), Ok(ByteSize(1 << 30)));
        assert_eq!(size("500MB"), Ok(ByteSize(500_000_000)));
        for wrong in ["", "much", "-1GiB", "256", "32MiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
