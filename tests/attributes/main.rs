//! The attributes on functions of every shape, and what of these survives them.

mod entries;
mod frameworks;
mod methods;
mod options;
mod scope;
mod shapes;
