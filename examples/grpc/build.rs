//! Compiles the service's description.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=digest.proto");
    let description = protox::compile(["digest.proto"], ["."])?;
    tonic_prost_build::configure().compile_fds(description)?;
    Ok(())
}
