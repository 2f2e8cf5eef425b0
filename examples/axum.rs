//! A service on axum, whose handlers call a `Client`. A caller that hangs up ends its call.
//!
//! ```sh
//! cargo run --features mock --example axum -- --port 8080
//! curl http://127.0.0.1:8080/embed --json '{"texts": ["one", "two"]}'
//! ```
//!
//! When a caller closes its connection, hyper, on which axum stands, drops the handler's future;
//! with it goes the `Pending` of the call, which aborts the call and closes its sockets. Press
//! Ctrl-C in a `curl` against a slow `--upstream`, then Ctrl-C here: the last line counts the
//! request as aborted. A task that a handler spawned would not be dropped: await calls in place.

mod common;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use common::{Arguments, Failure, LARGEST_BODY, Outcome, Texts, Vectors};
use hedgerow::{Client, Embed, Preference};
use std::process::ExitCode;
use tokio::net::TcpListener;

/// What the handlers share. Clones of a client share one system and its connections.
#[derive(Clone)]
struct Service {
    client: Client,
    model: String,
    preference: Preference,
}

async fn embed(
    State(service): State<Service>,
    body: Result<Json<Texts>, JsonRejection>,
) -> Result<Response, Failure> {
    let Json(Texts { texts }) = body?;
    let call = Embed::new(texts, service.model).preference(service.preference);
    let embeddings = service.client.embed(call).await?;
    Ok(Json(Vectors::from(&embeddings)).into_response())
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self {
            status: rejection.status().as_u16(),
            error: rejection.body_text(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

async fn serve(arguments: Arguments) -> Outcome<()> {
    let listener = TcpListener::from_std(arguments.listen()?)?;
    let upstream = arguments.upstream()?;
    let service = Service {
        client: upstream.client.clone(),
        preference: arguments.preference(),
        model: arguments.model,
    };
    let app = Router::new()
        .route("/embed", post(embed))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(service);
    println!("serving at http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(upstream.told_to_stop())
        .await?;
    upstream.end().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    common::run("axum", serve).await
}
