//! `simulate`
use crate::Exit;
use crate::args::Simulate;
pub(crate) async fn run(_simulate: &Simulate) -> Result<(), Exit> {
    Err(Exit::internal("not yet"))
}
