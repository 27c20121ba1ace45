//! `demo`
use crate::Exit;
use crate::args::Demo;
pub(crate) async fn run(_demo: &Demo) -> Result<(), Exit> {
    Err(Exit::internal("not yet"))
}
