//! A number of cores that is a constant.

const CORES: usize = 1;

#[loom::main(local_cores = CORES, tokio_threads = 1, rayon_threads = 1)]
async fn main() {
    let runtime = loom::current_runtime().expect("it is inside");
    assert_eq!(runtime.local_cores(), 1);
    let task = runtime.local(0).spawn_with(|| async { std::rc::Rc::new(7).to_string() });
    assert_eq!(task.await.ok().as_deref(), Some("7"));
}

#[test]
fn runs() {
    main();
}
