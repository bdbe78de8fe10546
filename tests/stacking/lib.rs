//! A package of tests alone: what they depend on stays out of the builds of the other tests.
