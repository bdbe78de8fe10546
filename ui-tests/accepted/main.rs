//! What the attributes accept. Each module is a case, which says its own lints.
//!
//! Cases that need to be the root of a crate are in `pass/`.

mod attributes_on_arguments;
mod axum_handler;
mod conditions;
mod deprecated;
mod diverging;
mod fields_of_its_name;
mod futures;
mod generics;
mod inner_attributes;
mod many_arguments;
mod methods;
mod modes;
mod one_line;
mod opaque_arguments;
mod opaque_results;
mod own_name;
mod patterns;
mod scope;
mod size;
mod test_lints;
mod test_plain_functions;
mod test_results;
mod test_settings;
mod traits;
