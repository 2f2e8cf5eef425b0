//! Connections that end under many requests at once: one connects anew, and the others follow if it
//! could. A server that is away meets one connect of them, and not as many as there were requests.

use crate::transport::TransportError;
use std::cell::RefCell;
use std::future::Future;
use tokio::sync::watch;

/// How the first one's connect ended, once it has.
type Told = watch::Receiver<Option<Result<(), TransportError>>>;

/// Who connects first to a server whose connections ended.
#[derive(Debug, Default)]
pub(in crate::transport) struct Trial {
    first: RefCell<Option<Told>>,
}

impl Trial {
    /// Opens a connection: first, or when the one that is first could; else fails as it did.
    pub(super) async fn open<T>(
        &self,
        open: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        if let Some(mut first) = self.under_way() {
            // One that was aborted tells nothing.
            if let Ok(told) = first.wait_for(Option::is_some).await
                && let Some(Err(cause)) = &*told
            {
                return Err(cause.clone());
            }
            return open.await;
        }
        let (tell, told) = watch::channel(None);
        self.first.replace(Some(told));
        let opened = open.await;
        let told = opened.as_ref().map(|_| ()).map_err(TransportError::clone);
        tell.send_replace(Some(told));
        opened
    }

    fn under_way(&self) -> Option<Told> {
        let first = self.first.borrow();
        let first = first.as_ref()?;
        // Its end closed the channel.
        first.has_changed().is_ok().then(|| first.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use std::cell::Cell;
    use std::time::Duration;

    async fn connect(count: &Cell<u32>, fails: bool) -> Result<u32, TransportError> {
        count.set(count.get() + 1);
        let number = count.get();
        tokio::time::sleep(Duration::from_millis(5)).await;
        if fails {
            Err(TransportError::Connect(format!("refused {number}")))
        } else {
            Ok(number)
        }
    }

    #[actix_rt::test]
    async fn where_the_first_cannot_connect_no_other_tries_until_later() {
        let (trial, count) = (Trial::default(), Cell::new(0));
        for round in 1..=3 {
            let all = join_all((0..50).map(|_| trial.open(connect(&count, true)))).await;
            let refused = TransportError::Connect(format!("refused {round}"));
            assert!(all.iter().all(|opened| opened.as_ref() == Err(&refused)));
            assert_eq!(count.get(), round);
        }
    }

    #[actix_rt::test]
    async fn where_the_first_can_all_others_do() {
        let (trial, count) = (Trial::default(), Cell::new(0));
        let all = join_all((0..50).map(|_| trial.open(connect(&count, false)))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(count.get(), 50);
    }

    #[actix_rt::test]
    async fn one_that_is_aborted_holds_nobody() {
        let (trial, count) = (Trial::default(), Cell::new(0));
        let mut first = Box::pin(trial.open(connect(&count, true)));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(trial.open(connect(&count, false)));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert_eq!(second.await, Ok(2));
    }
}
