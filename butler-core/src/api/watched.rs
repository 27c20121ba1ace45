//! What a connection reads and writes, watched, so that it is known what it waits for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::connections::{Doing, Seat};

/// A stream that tells its seat when something went through it.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    seat: Arc<Seat>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, seat: Arc<Seat>) -> Self {
        Self { stream, seat }
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(_)) => self.seat.taken(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.seat.stalled(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.seat.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Whether the body of a request did not come in time; among the request's extensions.
#[derive(Debug, Clone, Default)]
pub(super) struct Late(Arc<AtomicBool>);

impl Late {
    pub(super) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The body of a request, each part of which has to come in time. How long all of it takes is up to its route: what is long comes slowly over a slow line.
#[derive(Debug)]
pub(super) struct Timely<B> {
    body: B,
    seat: Arc<Seat>,
    late: Late,
    limit: Duration,
    /// Runs while the next part is waited for.
    clock: Option<Pin<Box<Sleep>>>,
}

impl<B> Timely<B> {
    pub(super) fn new(body: B, seat: Arc<Seat>, late: Late, limit: Duration) -> Self {
        Self { body, seat, late, limit, clock: None }
    }
}

impl<B> hyper::body::Body for Timely<B>
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.clock = None;
            this.seat.turn(Doing::Work);
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        let clock = this.clock.get_or_insert_with(|| {
            this.seat.turn(Doing::Body);
            Box::pin(sleep(this.limit))
        });
        ready!(clock.as_mut().poll(context));
        this.late.0.store(true, Ordering::Relaxed);
        this.seat.turn(Doing::Work);
        Poll::Ready(Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, which tells the seat when all of it was handed over.
#[derive(Debug)]
pub(super) struct Answered {
    body: Body,
    seat: Arc<Seat>,
}

impl Answered {
    pub(super) fn new(body: Body, seat: Arc<Seat>) -> Self {
        seat.turn(Doing::Answer);
        Self { body, seat }
    }
}

impl hyper::body::Body for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.seat.streams(frame.is_ready());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.seat.answered();
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{Stream, StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(60);

    fn timely(
        parts: impl Stream<Item = &'static str> + Send + 'static,
    ) -> (Timely<impl hyper::body::Body<Data = Bytes, Error = Infallible> + Unpin>, Late) {
        let parts = parts.map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes()))));
        let late = Late::default();
        (Timely::new(StreamBody::new(Box::pin(parts)), Arc::new(Seat::new()), late.clone(), LIMIT), late)
    }

    #[tokio::test]
    async fn a_body_may_take_as_long_as_it_likes_if_its_parts_come_in_time() {
        // A part that is there when its time is up counts, so however slow the machine is, these come in time.
        let parts = stream::iter(["a", "b", "c"]).then(|part| async move {
            sleep(LIMIT * 2 / 3).await;
            part
        });
        let (body, late) = timely(parts);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        assert!(!late.is_so());
        let (body, late) = timely(stream::iter(["a"]).chain(stream::pending()));
        assert!(body.collect().await.is_err() && late.is_so());
    }
}
