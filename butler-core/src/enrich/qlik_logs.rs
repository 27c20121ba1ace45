//! Whole script logs from a site's repository.

use async_trait::async_trait;
use bytes::Bytes;

use super::logs::{LogError, LogPieces, LogReference, LogSource};
use crate::event::{ExecutionResult, ExecutionStatus, TaskType};
use crate::qlik::{Download, QlikError, RepositoryClient};

impl From<QlikError> for LogError {
    fn from(error: QlikError) -> Self {
        let words = error.brief();
        match error {
            QlikError::NotFound { .. } | QlikError::Unexpected { .. } | QlikError::Malformed { .. } => Self::Unusable(words),
            _ => Self::Unavailable(words),
        }
    }
}

#[async_trait]
impl LogSource for RepositoryClient {
    async fn open(&self, log: LogReference) -> Result<Option<Box<dyn LogPieces + '_>>, LogError> {
        let LogReference { task, result, mut file } = log;
        if file.is_none_or(|file| file.is_nil()) {
            // The reference comes a while after the end of the execution.
            let latest = self.last_result(task, Some(TaskType::Reload)).await?;
            file = latest.filter(|latest| latest.id == result).and_then(|latest| latest.file_reference).or(file);
        }
        let reference = ExecutionResult {
            id: result,
            execution_id: None,
            executing_node: String::new(),
            status: ExecutionStatus(0),
            start_time: String::new(),
            stop_time: String::new(),
            duration_ms: 0,
            file_reference: file,
            script_log_size: 0,
            details: Vec::new(),
            certain: true,
        };
        let download = self.open_script_log(task, &reference).await?;
        Ok(download.map(|download| Box::new(download) as Box<dyn LogPieces + '_>))
    }
}

#[async_trait]
impl LogPieces for Download<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, LogError> {
        Ok(self.piece().await?)
    }
}
