//! A package of tests alone: the feature that they need would change the builds of the other tests.
