//! Puts an answer on the wire: its framing and its compression, and the faults
//! that lie in them.

use std::io::{self, Write};

use super::connection::{Connection, Form};
use super::fault::Encoding;
use super::print::push_integer;
use super::reply::{Reply, reason};
use super::stats::Serving;
use super::treatment::{Break, Framing, Treatment};
use super::wire::ConnectionEnd;

/// How much of an answer is left to write when it counts as answered. Less is
/// written in one system call, so that small answers cost one.
const LAST: usize = 64 << 10;
/// How large the chunks of a chunked answer are.
const CHUNK: usize = 8 << 10;

impl Connection<'_> {
    /// Writes the reply, whose body lies in `self.body`. `serving` is there for
    /// requests that count.
    pub(super) async fn deliver(
        &mut self,
        serving: Option<&mut Serving<'_>>,
        reply: &Reply,
        treatment: &Treatment,
        form: Form,
    ) -> Result<(), ConnectionEnd> {
        if let Some(encoding) = treatment.encoding {
            self.body = compress(encoding, &self.body).map_err(|_| ConnectionEnd::Ours)?;
        }
        let framing = framing(treatment, form);
        self.write_preamble(reply, treatment, form, framing);
        if form.bodiless || matches!(reply.status, 204 | 304) {
            self.body.clear();
        } else if framing == Framing::Chunked {
            self.frame_chunks(treatment.breaks.is_some());
        }

        let Some(serving) = serving else {
            return self.wire.write(&self.preamble, &self.body).await;
        };
        serving.status(reply.status);
        if let Some(breaks) = treatment.breaks {
            let len = self.body.len();
            let sent = match breaks {
                Break::Cut(Some(after)) => after.min(len.saturating_sub(1)),
                Break::Cut(None) | Break::Hang => len / 2,
            };
            self.wire.write(&self.preamble, &self.body[..sent]).await?;
            return self.break_off(serving, breaks, treatment.reset).await;
        }

        let early = self.body.len().saturating_sub(LAST);
        if early > 0 {
            self.wire.write(&self.preamble, &self.body[..early]).await?;
            self.preamble.clear();
        }
        serving.answered();
        let written = self.wire.write(&self.preamble, &self.body[early..]).await;
        if written.is_err() {
            serving.undelivered();
        }
        written?;
        if framing == Framing::UntilClose {
            Err(ConnectionEnd::Ours)
        } else {
            Ok(())
        }
    }

    /// What happens where the body breaks off.
    pub(super) async fn break_off(
        &mut self,
        serving: &mut Serving<'_>,
        breaks: Break,
        reset: bool,
    ) -> Result<(), ConnectionEnd> {
        match breaks {
            Break::Cut(_) => self.close(serving, reset),
            Break::Hang => self.wire.wait(&self.shared.pacer, None).await,
        }
    }

    /// Writes status line and headers into `self.preamble`.
    pub(super) fn write_preamble(
        &mut self,
        reply: &Reply,
        treatment: &Treatment,
        form: Form,
        framing: Framing,
    ) {
        let out = &mut self.preamble;
        out.clear();
        out.extend_from_slice(b"HTTP/1.1 ");
        push_integer(out, usize::from(reply.status));
        out.push(b' ');
        out.extend_from_slice(reason(reply.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        if !reply.content_type.is_empty() {
            push_header(out, "content-type", reply.content_type);
        }
        if !matches!(reply.status, 204 | 304) {
            match framing {
                Framing::Length => {
                    out.extend_from_slice(b"content-length: ");
                    push_integer(out, self.body.len());
                    out.extend_from_slice(b"\r\n");
                }
                Framing::Chunked => push_header(out, "transfer-encoding", "chunked"),
                Framing::UntilClose => {}
            }
        }
        if let Some(encoding) = treatment.encoding.filter(|_| reply.script.is_none()) {
            push_header(out, "content-encoding", encoding.name());
        }
        if !form.keep_alive || framing == Framing::UntilClose {
            push_header(out, "connection", "close");
        } else if form.http_1_0 {
            push_header(out, "connection", "keep-alive");
        }
        for (name, value) in &reply.headers {
            push_header(out, name, value);
        }
        for (name, value) in &treatment.headers {
            push_header(out, name, value);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Puts the body into chunks, at least two of them where it has two bytes.
    /// One that is to break off becomes a single chunk without an end: it then
    /// breaks in the middle of a chunk wherever that is.
    fn frame_chunks(&mut self, breaks: bool) {
        let len = self.body.len();
        if breaks {
            let _ = write!(self.preamble, "{len:x}\r\n");
            return;
        }
        let mut framed = Vec::with_capacity(len + len / CHUNK * 8 + 64);
        for chunk in self.body.chunks(CHUNK.min(len.div_ceil(2)).max(1)) {
            push_chunk(&mut framed, chunk);
        }
        framed.extend_from_slice(b"0\r\n\r\n");
        self.body = framed;
    }
}

/// How the end of the body is told; HTTP/1.0 knows no chunks.
pub(super) fn framing(treatment: &Treatment, form: Form) -> Framing {
    match treatment.framing {
        Framing::Chunked if form.http_1_0 => Framing::UntilClose,
        framing => framing,
    }
}

/// Writes one chunk, with its length before it.
pub(super) fn push_chunk(out: &mut Vec<u8>, chunk: &[u8]) {
    // Writing into memory has no way to fail.
    let _ = write!(out, "{:x}\r\n", chunk.len());
    out.extend_from_slice(chunk);
    out.extend_from_slice(b"\r\n");
}

fn push_header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Compresses at a low level: the client's decoder is under test, not the ratio.
fn compress(encoding: Encoding, body: &[u8]) -> io::Result<Vec<u8>> {
    match encoding {
        Encoding::Zstd => zstd::bulk::compress(body, 1),
        Encoding::Gzip => {
            let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            to.write_all(body)?;
            to.finish()
        }
        Encoding::Deflate => {
            let mut to = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            to.write_all(body)?;
            to.finish()
        }
        Encoding::Brotli => {
            let mut to = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 20);
            to.write_all(body)?;
            to.flush()?;
            Ok(to.into_inner())
        }
    }
}
