//! The apps of all sites.

use std::sync::Arc;

use super::StartError;
use crate::clock::Clock;
use crate::qlik::engine::{Apps, EngineClient, EngineSettings};
use crate::qlik::start::Starter;

/// Nothing is asked of the engines yet.
pub(super) fn apps(engines: Vec<EngineSettings>, starter: &Arc<Starter>, clock: &Arc<dyn Clock>) -> Result<Arc<Apps>, StartError> {
    let client = |settings: EngineSettings| {
        let site = settings.site.clone();
        Ok::<_, StartError>((site, Arc::new(EngineClient::new(settings, Arc::clone(clock))?)))
    };
    let engines = engines.into_iter().map(client).collect::<Result<_, _>>()?;
    Ok(Arc::new(Apps::new(engines, Arc::clone(starter), Arc::clone(clock))))
}
