mod resolved;
pub use resolved::*;
