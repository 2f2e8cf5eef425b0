//! A service on actix-web, whose handlers send the message `Embed` to a `Client` actor.
//!
//! ```sh
//! cargo run --features mock --example actix_web -- --port 8080
//! curl http://127.0.0.1:8080/embed --json '{"texts": ["one", "two"]}'
//! ```
//!
//! A caller that hangs up ends its call, by two things that do not come by themselves:
//!
//! - actix-web lets callers close their half of the connection and still wait for the answer, so
//!   that one who is gone looks like one who waits. `h1_allow_half_closed(false)` ends that: the
//!   handler's future is dropped when the caller closes.
//! - What answers a message in actix goes on when its sender no longer waits. Each call has a
//!   token, which is cancelled when the handler's future is dropped.

mod common;

use actix::{Actor, Recipient};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Json, JsonConfig};
use actix_web::{App, HttpResponse, HttpServer, ResponseError, post};
use clap::Parser;
use common::{Arguments, Failure, LARGEST_BODY, Texts, Vectors, told_to_stop};
use hedgerow::{CancellationToken, Client, Embed, Preference};
use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// What the handlers share.
struct Service {
    embedder: Recipient<Embed>,
    model: String,
    preference: Preference,
}

#[post("/embed")]
async fn embed(service: Data<Service>, Json(body): Json<Texts>) -> Result<HttpResponse, Failure> {
    let cancelled = CancelWhenDropped(CancellationToken::new());
    let call = Embed::new(body.texts, &service.model).preference(Preference {
        cancel_token: Some(cancelled.0.clone()),
        ..service.preference.clone()
    });
    let embeddings = service.embedder.send(call).await??;
    Ok(HttpResponse::Ok().json(Vectors::from(&embeddings)))
}

/// Does nothing to a call that has ended.
struct CancelWhenDropped(CancellationToken);

impl Drop for CancelWhenDropped {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl From<actix::MailboxError> for Failure {
    fn from(cause: actix::MailboxError) -> Self {
        let error = format!("the embedder has stopped: {cause}");
        Self { status: 503, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(self)
    }
}

/// A body that is not `{"texts": [...]}` is answered in JSON too.
fn json() -> JsonConfig {
    let limited = JsonConfig::default().limit(LARGEST_BODY);
    limited.error_handler(|cause, _| {
        let status = cause.status_code().as_u16();
        let error = cause.to_string();
        Failure { status, error }.into()
    })
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let (upstream, _mock) = arguments.upstream()?;
    // hedgerow's actors run on threads of their own, and all of actix-web's workers share them:
    // one set of connections, and one notion of how the upstream does, for the whole service.
    let client = Client::builder(upstream).build()?;
    let system = client.system().clone();
    let service = Data::new(Service {
        // On this arbiter runs only the actor that takes the messages; it passes each on at once.
        embedder: client.start().recipient(),
        preference: arguments.preference(),
        model: arguments.model.clone(),
    });
    let app = move || {
        let app = App::new().app_data(service.clone()).app_data(json());
        app.service(embed)
    };

    let address = arguments.address();
    let server = HttpServer::new(app)
        .h1_allow_half_closed(false)
        .shutdown_signal(told_to_stop(system.clone(), arguments.grace))
        .shutdown_timeout(arguments.grace + 5)
        .bind(address)
        .map_err(|cause| format!("cannot listen at {address}: {cause}"))?;
    println!("serving at http://{}", server.addrs()[0]);
    server.run().await?;

    if let Ok(did) = system.metrics().await {
        let (attempts, aborted) = (did.attempts, did.attempts_aborted);
        println!("{attempts} requests were sent, {aborted} of them aborted");
    }
    system.shutdown().await;
    Ok(())
}

#[actix_web::main]
async fn main() -> ExitCode {
    hedgerow::init_logging();
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("actix_web: {cause}");
            ExitCode::FAILURE
        }
    }
}
