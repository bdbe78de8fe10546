//! Settings from the command line win over those in the code.

#[derive(Clone, Debug, Default, clap::Parser)]
struct Args {
    #[command(flatten)]
    loom: loom::LoomArgs,
}

fn args() -> Args {
    clap::Parser::parse_from(["shop", "--loom-tokio-threads", "3"])
}

#[loom::main(tokio_threads = 2, with_cli_args = args().loom)]
async fn main() {
    let runtime = loom::current_runtime().expect("it is inside");
    assert_eq!(runtime.tokio_threads(), 3);
}

#[test]
fn runs() {
    main();
}
