//! What opening a store did to its schema.

/// The versions of a store's schema before and after it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Before; 0 for a store that was created.
    pub from: usize,
    /// After.
    pub to: usize,
}
