//! A package of tests alone: trybuild builds what its package depends on once more.
