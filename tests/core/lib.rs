//! A package of tests alone, with few dependencies, since each sanitizer compiles all of them anew.
