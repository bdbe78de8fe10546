//! Tests that need a process of their own: denied system calls, inherited scheduling classes,
//! forks, neighbours that never rest, and limits that change.
#![cfg(target_os = "linux")]

mod groups;
mod priority;
mod scenes;
mod surroundings;
mod system;

use std::env;
use std::process::{Command, Output};

/// Plays a scene in a process of its own, where it may do what would harm other tests.
fn play(scene: &str) -> (String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env::current_exe().expect("it is running"))
            .args(["--exact", "scenes::a_scene_is_played", "--nocapture", "--test-threads=1"])
            .env(scenes::SCENE, scene)
            .envs(scenes::ENVIRONMENT)
            // In the idle class, beside busy neighbours, a backtrace takes a minute.
            .env("RUST_BACKTRACE", "0")
            .output()
            .expect("the own program starts");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success(), "{scene}: {status}\n{stdout}\n{stderr}");
    assert!(stdout.contains(scenes::END), "{scene} broke off\n{stdout}\n{stderr}");
    (stdout, stderr)
}

#[track_caller]
fn says_once(text: &str, line: &str) {
    assert_eq!(text.matches(line).count(), 1, "expected once: {line}\nin:\n{text}");
}

#[test]
fn a_system_that_denies_placement_gets_a_runtime_all_the_same() {
    let (stdout, stderr) = play("placement_is_denied");
    assert!(
        stdout.contains("normal priority (idle was asked for) (priority refused: "),
        "{stdout}"
    );
    assert!(stdout.contains("normal priority (pinning refused: "), "{stdout}");
    says_once(
        &stderr,
        "loom: the system refuses to pin threads (Operation not permitted (os error 1)): they run \
         on any CPU; allow `sched_setaffinity`, or set `pin` to false",
    );
    says_once(
        &stderr,
        "loom: the system refuses the priority of compute threads (Operation not permitted (os \
         error 1)): they compete with I/O; allow `sched_setscheduler` and `setpriority`, or set \
         `compute_priority` to `normal` and `placement` to `split`",
    );
}

#[test]
fn a_pin_that_is_required_and_denied_is_an_error() {
    let (stdout, _) = play("a_required_pin_is_denied");
    // Tokio's threads become workers in any order, so the thread and the CPU in the error vary.
    let error = stdout.lines().find(|line| line.contains("cannot pin")).unwrap_or_default();
    assert!(error.contains("cannot pin thread `loom-tokio-000"), "{stdout}");
    assert!(
        error.ends_with(
            ": Operation not permitted (os error 1); allow `sched_setaffinity`, or set `pin` to \
             true to run without pinning"
        ),
        "{stdout}"
    );
}

#[test]
fn threads_that_inherit_the_idle_class_for_good_are_counted_and_told_of() {
    let (_, stderr) = play("the_idle_class_is_inherited");
    says_once(&stderr, "of the I/O side runs at idle priority, which it inherited: use ");
}

#[test]
fn compute_threads_that_neighbours_starve_are_counted_and_told_of() {
    let (_, stderr) = play("neighbours_never_rest");
    says_once(
        &stderr,
        "has work and got no CPU for a second: threads of normal priority, of this process or its \
         neighbours, take all of it; where they always do, set `compute_priority` to `auto` or \
         `normal`",
    );
}

#[test]
fn compute_work_leaves_the_idle_class_while_neighbours_take_all_cpu_time() {
    const LEAVES: &str = "loom: compute work got no CPU time at idle priority, because threads of normal priority \
         take all of it: it goes on at normal priority until CPU time is left (`compute_priority` \
         is `auto`)";
    const COMES_BACK: &str = "loom: CPU time is left again: compute work is back at idle priority";
    let (stdout, stderr) = play("neighbours_rest_at_last");
    // Other programs are neighbours, too, so there may be more changes than the scene makes.
    let changes: Vec<_> =
        stderr.lines().filter(|line| [LEAVES, COMES_BACK].contains(line)).collect();
    let is_in_turn = changes.iter().zip([LEAVES, COMES_BACK].iter().cycle()).all(|(a, b)| a == b);
    assert!(is_in_turn && !changes.is_empty(), "each change is told of: {stderr}");
    assert!(changes.len() > 1 || stdout.contains("skipped: "), "it comes back: {stderr}");
}

#[test]
fn the_budget_follows_the_quota_of_the_control_group() {
    let (stdout, stderr) = play("the_quota_changes");
    print!("{stdout}");
    if !stdout.contains("skipped: ") {
        let changed = "loom: the CPU budget has changed from ";
        says_once(&stderr, &format!("{changed}2 CPUs to a quota of 0.50 CPUs: 1 compute thread"));
        says_once(&stderr, &format!("{changed}a quota of 0.50 CPUs to 2 CPUs: 2 compute threads"));
    }
}

#[test]
fn the_budget_follows_the_cpus_of_the_control_group() {
    let (stdout, stderr) = play("the_cpu_set_changes");
    print!("{stdout}");
    if !stdout.contains("skipped: ") {
        // Once without pinning, and once with it.
        let line = "loom: the CPU budget has changed from 2 CPUs to 1 CPU: 1 compute thread runs";
        assert_eq!(stderr.matches(line).count(), 2, "{stderr}");
    }
}

#[test]
fn a_forked_child_is_told_that_it_has_no_threads() {
    play("the_process_forks");
}

#[test]
fn a_process_that_forks_before_its_first_runtime_has_one_in_either() {
    play("the_process_forks_first");
}

#[test]
fn the_environment_sets_what_is_named_there() {
    play("the_environment_sets_everything");
}

#[test]
fn a_variable_moves_a_function_without_a_rebuild() {
    let (_, stderr) = play("a_variable_moves_a_function");
    let by = "from environment variable `LOOM_FUNCTIONS`";
    says_once(&stderr, &format!("loom: override of `process::scenes::moved`: offload, {by}"));
    says_once(
        &stderr,
        &format!(
            "loom: no function `process::scenes::movd` was called yet ({by}): did you mean \
             `process::scenes::moved`?"
        ),
    );
}

#[test]
fn a_builder_on_a_pinned_thread_has_the_cpus_of_the_process() {
    play("the_builders_thread_is_pinned");
}

#[test]
fn the_program_around_sees_the_machine_as_it_is() {
    for place in surroundings::PLACES {
        play(&format!("{}{place}", surroundings::SCENES));
    }
}

#[test]
fn what_inherits_the_idle_class_is_counted_and_told_of() {
    let (_, stderr) = play("compute_work_has_heirs");
    says_once(
        &stderr,
        "loom: thread `heir` was started by compute work and inherited its idle priority: it runs \
         only where no thread of normal priority wants a CPU; start threads from async code or \
         `spawn_blocking`, or set `compute_priority` to `normal`",
    );
    says_once(
        &stderr,
        "loom: process `cat` was started by compute work and inherited its idle priority: start \
         processes from async code or `spawn_blocking`, or with `loom::command_reset`",
    );
}

#[test]
fn rayons_global_pool_may_yield_to_io() {
    play("rayons_pool_is_io_first");
    let (_, stderr) = play("rayons_pool_exists_already");
    says_once(
        &stderr,
        "loom: `global_rayon` is `io_first`, and rayon's global pool stays as it is: The global \
         thread pool has already been initialized; build the runtime before the pool is used or built",
    );
}
