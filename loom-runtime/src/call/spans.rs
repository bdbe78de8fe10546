//! Spans of `tracing`: a span for each compute call, and the current span and subscriber on the threads
//! that work goes to.
//!
//! Without the feature `tracing` all functions here do nothing.

#[cfg(feature = "tracing")]
mod imp {
    use std::fmt::{self, Write};
    use std::time::{Duration, Instant};

    use tracing::level_filters::LevelFilter;
    use tracing::span::EnteredSpan;
    use tracing::subscriber::NoSubscriber;
    use tracing::{Dispatch, Level, Span, dispatcher, field, span_enabled, trace_span};

    use crate::core::Function;
    use crate::scheduler::Site;

    /// Whether calls have spans of their own. Cost: a relaxed load where no subscriber wants such
    /// spans.
    #[inline]
    pub(crate) fn is_on() -> bool {
        LevelFilter::current() >= LevelFilter::TRACE && is_wanted()
    }

    #[cold]
    fn is_wanted() -> bool {
        span_enabled!(target: "loom::compute", Level::TRACE)
    }

    /// The most nested spans that [`outside`] leaves.
    const DEEPEST: usize = 64;

    fn call(function: &str, arm: &str) -> Span {
        trace_span!(
            target: "loom::compute",
            "compute",
            function,
            arm,
            queue_wait_us = field::Empty,
            run_time_us = field::Empty,
        )
    }

    fn micros(duration: Duration) -> f64 {
        duration.as_secs_f64() * 1e6
    }

    /// The subscriber of this thread alone (`set_default`, `with_subscriber`), if it has one. The boxed
    /// form keeps calls small; nearly every program has one subscriber for all threads.
    fn own_subscriber() -> Option<Box<Dispatch>> {
        if LevelFilter::current() == LevelFilter::OFF {
            return None;
        }
        dispatcher::get_default(|dispatch| is_scoped(dispatch).then(|| Box::new(dispatch.clone())))
    }

    /// Whether it may be set for a scope. Nothing but its `Debug` tells; the first word does, and the
    /// rest is not written. No subscriber, where others exist, is one set for a scope as well.
    fn is_scoped(dispatch: &Dispatch) -> bool {
        struct FirstWord(bool);
        impl Write for FirstWord {
            fn write_str(&mut self, word: &str) -> fmt::Result {
                self.0 = word.ends_with("Scoped");
                Err(fmt::Error)
            }
        }
        if dispatch.is::<NoSubscriber>() {
            return true;
        }
        let mut first = FirstWord(false);
        let _stopped = write!(first, "{dispatch:?}");
        first.0
    }

    /// The span that work runs in, and its subscriber.
    pub(crate) struct CallSpan {
        span: Span,
        subscriber: Option<Box<Dispatch>>,
        /// Whether the span belongs to this call, and records its times.
        is_own: bool,
    }

    impl CallSpan {
        /// The current span.
        pub(crate) fn current() -> Self {
            Self { span: Span::current(), subscriber: own_subscriber(), is_own: false }
        }

        /// A span of its own for a call of a function, or of a closure whose type has this name, below
        /// the current span; or the current span where calls have none.
        pub(crate) fn offloaded(
            function: Option<&Function>,
            closure: fn() -> &'static str,
        ) -> Self {
            if !is_on() {
                return Self::current();
            }
            let name = function.map_or_else(closure, |function| function.site.name());
            let subscriber = own_subscriber();
            Self { span: call(name, "offload"), subscriber, is_own: true }
        }

        /// Records how long the call has waited for a thread.
        pub(crate) fn waited(&self, waited: Duration) {
            if self.is_own {
                self.span.record("queue_wait_us", micros(waited));
            }
        }

        /// As [`within`](Self::within), more than once. The times are those of the last call of this.
        pub(crate) fn lend(&self, f: &mut dyn FnMut()) {
            let Self { span, subscriber, is_own } = self;
            Self { span: span.clone(), subscriber: subscriber.clone(), is_own: *is_own }.within(f);
        }

        pub(crate) fn within(self, f: &mut dyn FnMut()) {
            let Self { span, subscriber, is_own } = self;
            let in_span = || {
                if span.is_none() {
                    return f();
                }
                let _measured = is_own.then(|| Measured(&span, Instant::now()));
                span.in_scope(f);
            };
            match subscriber {
                Some(subscriber) => dispatcher::with_default(&subscriber, in_span),
                None => in_span(),
            }
        }
    }

    /// Records the time since then in a span, when it is dropped.
    struct Measured<'a>(&'a Span, Instant);

    impl Drop for Measured<'_> {
        fn drop(&mut self) {
            self.0.record("run_time_us", micros(self.1.elapsed()));
        }
    }

    /// Calls `f` outside of the spans that this thread is in, and enters them again afterwards.
    pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
        struct Left(Vec<Span>);
        impl Drop for Left {
            fn drop(&mut self) {
                for span in self.0.iter().rev() {
                    span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
                }
            }
        }
        let mut left = Left(Vec::new());
        loop {
            let span = Span::current();
            // A subscriber that does not track exits would return the same span without end.
            if span.id().is_none() || left.0.len() == DEEPEST {
                break;
            }
            span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
            left.0.push(span);
        }
        f()
    }

    /// The span of an inline call that runs, entered.
    pub(crate) struct InlineSpan {
        span: EnteredSpan,
        started: Instant,
    }

    impl Drop for InlineSpan {
        #[cold]
        fn drop(&mut self) {
            self.span.record("run_time_us", micros(self.started.elapsed()));
        }
    }

    #[cold]
    fn enter(site: &Site) -> InlineSpan {
        let span = call(site.name(), "inline").entered();
        InlineSpan { span, started: Instant::now() }
    }

    /// The span of a whole future, and of each of its polls below it.
    pub(crate) struct WholeSpan(Option<Box<Span>>);

    impl WholeSpan {
        /// A span below the current one, where calls have spans.
        #[inline]
        pub(crate) fn begin(name: &'static str) -> Self {
            Self(is_on().then(|| Box::new(whole(name))))
        }

        /// Makes a poll.
        #[inline]
        pub(crate) fn poll<R>(&self, arm: &str, f: impl FnOnce() -> R) -> R {
            match &self.0 {
                None => f(),
                Some(span) => span.in_scope(|| poll(arm).in_scope(f)),
            }
        }

        /// The same span, for polls on the pool.
        pub(crate) fn clone(&self) -> Self {
            Self(self.0.clone())
        }
    }

    #[cold]
    fn whole(function: &str) -> Span {
        trace_span!(target: "loom::compute", "compute future", function)
    }

    #[cold]
    fn poll(arm: &str) -> Span {
        trace_span!(target: "loom::compute", "poll", arm)
    }

    /// Runs an inline call, in a span of its own where calls have one.
    #[inline]
    pub(crate) fn inline<R>(site: &Site, f: impl FnOnce() -> R) -> R {
        let _within = is_on().then(|| enter(site));
        f()
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use std::time::Duration;

    use crate::core::Function;
    use crate::scheduler::Site;

    pub(crate) struct CallSpan;

    impl CallSpan {
        pub(crate) fn current() -> Self {
            Self
        }

        pub(crate) fn offloaded(
            _function: Option<&Function>,
            _closure: fn() -> &'static str,
        ) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as with the feature")]
        pub(crate) fn waited(&self, _waited: Duration) {}

        #[expect(clippy::unused_self, reason = "as with the feature")]
        pub(crate) fn lend(&self, f: &mut dyn FnMut()) {
            f();
        }

        #[expect(clippy::unused_self, reason = "as with the feature")]
        pub(crate) fn within(self, f: &mut dyn FnMut()) {
            f();
        }
    }

    pub(crate) struct WholeSpan;

    impl WholeSpan {
        #[inline]
        pub(crate) fn begin(_name: &'static str) -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as with the feature")]
        #[inline]
        pub(crate) fn poll<R>(&self, _arm: &str, f: impl FnOnce() -> R) -> R {
            f()
        }

        #[expect(clippy::unused_self, reason = "as with the feature")]
        pub(crate) fn clone(&self) -> Self {
            Self
        }
    }

    pub(crate) fn is_on() -> bool {
        false
    }

    pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
        f()
    }

    #[inline]
    pub(crate) fn inline<R>(_site: &Site, f: impl FnOnce() -> R) -> R {
        f()
    }
}

pub(crate) use imp::{CallSpan, WholeSpan, inline, is_on, outside};
