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
use clap::Parser;
use common::{Arguments, Failure, LARGEST_BODY, Texts, Vectors, told_to_stop};
use hedgerow::{Client, Embed, Preference};
use std::error::Error;
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

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let address = arguments.address();
    let listener = TcpListener::bind(address)
        .await
        .map_err(|cause| format!("cannot listen at {address}: {cause}"))?;
    let (upstream, _mock) = arguments.upstream()?;
    // The actors run on threads of their own, beside tokio's.
    let client = Client::builder(upstream).build()?;
    let system = client.system().clone();
    println!("serving at http://{}", listener.local_addr()?);

    let service = Service {
        preference: arguments.preference(),
        model: arguments.model,
        client,
    };
    let app = Router::new()
        .route("/embed", post(embed))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(service);
    axum::serve(listener, app)
        .with_graceful_shutdown(told_to_stop(system.clone(), arguments.grace))
        .await?;

    if let Ok(did) = system.metrics().await {
        let (attempts, aborted) = (did.attempts, did.attempts_aborted);
        println!("{attempts} requests were sent, {aborted} of them aborted");
    }
    system.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    hedgerow::init_logging();
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("axum: {cause}");
            ExitCode::FAILURE
        }
    }
}
