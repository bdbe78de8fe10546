//! The attributes on functions of every shape, and the properties that the functions keep.

mod entries;
mod frameworks;
mod matrix;
mod methods;
mod options;
mod scope;
mod shapes;
