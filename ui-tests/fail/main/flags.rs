#[loom::main(pin = "no", pin_threads = 1, calibrate = "yes", mab_knobs = 3)]
async fn main() {}
