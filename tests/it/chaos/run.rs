//! Carries out a plan, and checks what its caller is told.

use super::plan::{Kind, Plan};
use crate::support::expected::{QUERY, assert_classes, assert_echoes, assert_ranks, assert_rows};
use crate::support::fake::MS;
use hedgerow::{
    Answer, BatchPost, Classify, Client, Embed, Error, Method, OnError, Pending, PostAnswer,
    Rerank, Result,
};
use serde_json::Value;
use std::collections::HashSet;
use std::rc::Rc;
use tokio::time::Instant;

/// What the caller of an operation was told of its requests.
#[derive(Debug)]
pub(super) struct Told {
    /// When it was told, or stopped waiting.
    pub(super) at: Instant,
    /// How many there are; at most, where nothing was told.
    pub(super) requests: usize,
    pub(super) succeeded: usize,
    pub(super) failed: usize,
    /// Nobody was told how they went.
    pub(super) unknown: usize,
}

pub(super) async fn run(client: Client, plan: Rc<Plan>) -> Told {
    tokio::time::sleep(plan.starts).await;
    let (texts, preference) = (plan.texts.clone(), plan.preference.clone());
    match plan.kind {
        Kind::Embed => {
            let call = Embed::new(texts, "m").preference(preference);
            let answer = wait(&plan, client.embed(call)).await;
            check(&plan, answer, assert_rows)
        }
        Kind::Rerank => {
            let call = Rerank::new(QUERY, texts).preference(preference);
            let answer = wait(&plan, client.rerank(call)).await;
            check(&plan, answer, assert_ranks)
        }
        Kind::Classify => {
            let call = Classify::new(texts).preference(preference);
            let answer = wait(&plan, client.classify(call)).await;
            check(&plan, answer, |classes, texts, failed| {
                assert_classes(classes, texts, failed);
            })
        }
        Kind::Post(method) => {
            let payloads = texts.into_iter().map(Value::from);
            let call = BatchPost::new("/echo", payloads).method(method);
            let answer = wait(&plan, client.post(call.preference(preference))).await;
            check(&plan, answer, |echoes, texts, failed| match method {
                Method::Get => assert_bare_echoes(echoes, failed),
                _ => assert_echoes(echoes, texts, failed),
            })
        }
    }
}

/// A GET sends no payload.
fn assert_bare_echoes(found: &[Option<PostAnswer>], failed: &[usize]) {
    for (index, answer) in found.iter().enumerate() {
        assert_eq!(answer.is_none(), failed.contains(&index), "post {index}");
        if let Some(answer) = answer {
            let echo: Value = answer.json().expect("JSON");
            assert_eq!(
                (&echo["method"], &echo["body"]),
                (&"GET".into(), &Value::Null)
            );
        }
    }
}

/// The answer, unless the plan has its future dropped before.
async fn wait<T>(plan: &Plan, pending: Pending<Answer<T>>) -> Option<Result<Answer<T>>> {
    let start = Instant::now();
    if let (Some(after), Some(token)) = (plan.cancelled, plan.preference.cancel_token.clone()) {
        actix_rt::spawn(async move {
            tokio::time::sleep(after).await;
            token.cancel();
        });
    }
    let answer = match plan.dropped {
        Some(after) => tokio::time::timeout(after, pending).await.ok()?,
        None => pending.await,
    };
    if let Some(total) = plan.preference.total_timeout {
        // A busy machine may be late where the clock is not paused.
        let took = start.elapsed();
        assert!(took <= total + 5000 * MS, "{took:?} of {total:?}");
    }
    Some(answer)
}

/// Checks that each request ended once, and that `is_right` holds of the data and the inputs that
/// failed.
fn check<T: Send + Sync + 'static>(
    plan: &Plan,
    answer: Option<Result<Answer<T>>>,
    is_right: impl FnOnce(&T, &[String], &[usize]),
) -> Told {
    match answer {
        None => Told {
            at: Instant::now(),
            requests: plan.texts.len(),
            succeeded: 0,
            failed: 0,
            unknown: plan.texts.len(),
        },
        Some(Ok(answer)) => {
            let whole = answer.errors().is_empty();
            assert_eq!(answer.is_complete(), whole);
            assert!(whole || plan.preference.on_error == OnError::Return);
            let told = check_requests(plan, &answer, is_right);
            // Each request has succeeded, or has its error.
            assert_eq!(told.succeeded + answer.errors().len(), told.requests);
            told
        }
        Some(Err(error)) => {
            assert!(is_expected(&error, plan), "{error}");
            let partial: &Answer<T> = error.partial().expect("it had begun");
            check_requests(plan, partial, is_right)
        }
    }
}

fn check_requests<T>(
    plan: &Plan,
    answer: &Answer<T>,
    is_right: impl FnOnce(&T, &[String], &[usize]),
) -> Told {
    let requests = answer.requests();
    // One that ended before it was planned has none.
    let mut next = 0;
    let mut failed: Vec<usize> = Vec::new();
    for request in requests {
        assert_eq!(request.inputs.start, next, "requests are in input order");
        next = request.inputs.end;
        if request.attempts == 0 {
            failed.extend(request.inputs.clone());
        }
    }
    assert!(next == plan.texts.len() || requests.is_empty());
    failed.extend(next..plan.texts.len());
    is_right(answer, &plan.texts, &failed);

    let errors: HashSet<usize> = answer.errors().iter().map(|it| it.inputs.start).collect();
    assert_eq!(
        errors.len(),
        answer.errors().len(),
        "a request failed twice"
    );
    assert!(errors.iter().all(|input| failed.contains(input)));
    // At the deadline those that are under way are told of, and have not failed.
    let cut_short = |error: &Error| error.to_string().contains("total_timeout_s");
    let failures = answer.errors().iter().filter(|it| !cut_short(&it.error));
    let succeeded = requests.iter().filter(|it| it.attempts > 0);
    Told {
        at: Instant::now(),
        requests: requests.len(),
        succeeded: succeeded.count(),
        failed: failures.count(),
        unknown: 0,
    }
}

fn is_expected(error: &Error, plan: &Plan) -> bool {
    if error.is_cancelled() {
        return plan.cancelled.is_some();
    }
    let fault = error.status().is_some() || error.is_network() || error.is_connect();
    let wrong = error.is_answer() || error.to_string().contains("worker");
    plan.preference.on_error == OnError::Raise && (fault || wrong || error.is_timeout())
}
