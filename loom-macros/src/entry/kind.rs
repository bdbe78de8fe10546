//! Which of the two attributes is expanded.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Main => "loom::main",
            Self::Test => "loom::test",
        }
    }
}
