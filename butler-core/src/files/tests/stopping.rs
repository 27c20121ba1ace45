use super::*;
use crate::testkit::Logs;

#[tokio::test]
async fn so_many_at_once_and_an_end() {
    let yard = Yard::with(|settings| settings.at_once = 1);
    yard.write("from/a", "x");
    let copies = (0..8).map(|number| yard.files.copy(yard.copying("from/a", &format!("to/{number}"))));
    let copies: Vec<_> = futures_util::future::join_all(copies).await;
    assert!(copies.iter().all(Result::is_ok), "{copies:?}");
    yard.files.close().await;
    assert!(matches!(yard.copy("from/a", "to/late").await, Err(FileError::Stopped)));
    assert_eq!(yard.names("to").len(), 8);
}

/// A copy that is stopped in the middle leaves nothing under any name.
#[tokio::test]
async fn what_is_under_way_ends_without_a_trace() {
    let yard = Yard::new();
    // Larger than any disk: it can't be done before it is stopped, nor is it ever on the disk.
    let big = fs::File::create(yard.at("from/big")).unwrap();
    if big.set_len(1 << 42).is_err() {
        return;
    }
    let copying = yard.copy("from/big", "to/big");
    let ending = async {
        // It has begun when there is something.
        while yard.names("to").is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(!yard.at("to/big").exists());
        yard.files.close().await;
    };
    let (copied, ()) = tokio::join!(copying, ending);
    assert!(matches!(copied, Err(FileError::Stopped)), "{copied:?}");
    assert!(yard.names("to").is_empty());
}

/// Whoever does not wait for it any more does not end it.
#[tokio::test]
async fn what_has_begun_goes_on_when_nobody_waits() {
    let turns = Turns::new(1);
    let (begun, beginning) = tokio::sync::oneshot::channel();
    let (go, going) = std::sync::mpsc::channel::<()>();
    let (ended, ending) = tokio::sync::oneshot::channel();
    let run = turns.run(move |stop| {
        begun.send(()).unwrap();
        going.recv().unwrap();
        ended.send(stop.check().is_ok()).unwrap();
        Ok(())
    });
    tokio::select! {
        _ = run => panic!("it waits"),
        begun = beginning => begun.unwrap(),
    }
    go.send(()).unwrap();
    assert!(ending.await.unwrap());
}

#[tokio::test]
async fn what_was_done_and_what_was_refused_is_logged() {
    let yard = Yard::new();
    yard.write("from/a", "x");
    let logs = Logs::keep();
    yard.copy("from/a", "to/a").await.unwrap();
    yard.delete("outside/secret.txt").await.unwrap_err();
    yard.delete("gone/none").await.unwrap_err();
    yard.delete("gone/x\nFiles: all is well").await.unwrap_err();
    let lines = logs.lines();
    let logged = |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(logged(&["from/a", "to/a", "done"]), "{lines:?}");
    assert!(logged(&["outside/secret.txt", "refused", "no approved directory"]), "{lines:?}");
    assert!(logged(&["gone/none", "failed", "does not exist"]), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:?}");
}
