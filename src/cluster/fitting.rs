//! A size that is learnt from what a server refuses: rows of a page, bytes of a request.

use std::sync::{Mutex, PoisonError};

/// How many requests of a size have to fit before a larger one is tried.
const BEFORE_GROWING: u32 = 8;

/// The size to ask for next. Halved when it is too large; regrown by an eighth at a time when it fits again and again, to just
/// below the smallest size that was refused.
#[derive(Debug)]
pub struct Fitting {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    size: usize,
    most: usize,
    fitted: u32,
}

impl Fitting {
    /// Begins with `size`, which is never exceeded.
    pub fn new(size: usize) -> Self {
        Self { state: Mutex::new(State { size, most: size, fitted: 0 }) }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The size to ask for.
    pub fn size(&self) -> usize {
        self.change(|state| state.size)
    }

    /// A request of `size` was too large.
    pub fn too_large(&self, size: usize) {
        self.change(|state| {
            let below = size.saturating_sub(size / 16 + 1).max(1);
            state.most = state.most.min(below);
            state.size = state.size.min((size / 2).max(1)).min(state.most);
            state.fitted = 0;
        });
    }

    /// A request of `size` was taken. One that is far smaller than what may be asked for says nothing.
    pub fn fitted(&self, size: usize) {
        self.change(|state| {
            if state.size == state.most || size < state.size / 2 {
                return;
            }
            state.fitted += 1;
            if state.fitted >= BEFORE_GROWING {
                state.fitted = 0;
                state.size = (state.size + (state.size / 8).max(1)).min(state.most);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_halved_until_it_fits_and_regrown_to_just_below_what_did_not() {
        let (fitting, limit) = (Fitting::new(4_096), 1_500);
        let mut refused = 0;
        for _ in 0..1_000 {
            let size = fitting.size();
            if size > limit {
                refused += 1;
                fitting.too_large(size);
            } else {
                fitting.fitted(size);
            }
        }
        assert!((1_200..=limit).contains(&fitting.size()), "{}", fitting.size());
        assert!(refused < 15, "{refused} requests were refused in vain");
    }

    #[test]
    fn there_is_always_something_to_ask_for() {
        let fitting = Fitting::new(3);
        for _ in 0..5 {
            fitting.too_large(fitting.size());
        }
        assert_eq!(fitting.size(), 1);
        fitting.fitted(1);
        assert_eq!(fitting.size(), 1, "what was refused at two rows is not asked for again");
    }
}
