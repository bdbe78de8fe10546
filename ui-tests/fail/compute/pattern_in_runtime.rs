use loom::LoomRuntime;

struct State {
    runtime: LoomRuntime,
}

#[loom::compute(runtime = runtime)]
fn with(State { runtime }: State) {
    drop(runtime);
}

fn main() {}
