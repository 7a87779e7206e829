//! The page of functions: it is what the code generates, and every example on it gives the result that it shows.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use futures::StreamExt;
use millrace_engine::{Session, function_documents, functions_page};
use millrace_tests::script::{World, repository};
use millrace_tests::values;

async fn evaluate(session: &mut Session, expression: &str) -> Result<String, String> {
    let parsed = session.parse(&format!("SELECT {expression}")).map_err(|error| error.to_string())?;
    let result = session.execute(&parsed[0]).await.map_err(|error| error.to_string())?;
    let mut rows = result.rows.ok_or("no rows")?;
    let mut found = Vec::new();
    while let Some(batch) = rows.next().await {
        found.extend(values::rows(&batch.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?);
    }
    Ok(found.concat().join(" "))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_gives_its_result() {
    let world = World::new(false).await.unwrap();
    let mut complaints = Vec::new();
    let mut count = 0;
    for document in function_documents() {
        for dialect in document.dialects {
            let mut session = world.session();
            session.set("dialect", dialect.name()).unwrap();
            for (expression, expected) in document.examples {
                let expected = if expected.is_empty() { "(empty)" } else { expected };
                let found = evaluate(&mut session, expression).await;
                if found.as_deref() != Ok(expected) {
                    complaints.push(format!("{dialect}: {expression}: {found:?}, not {expected:?}"));
                }
                count += 1;
            }
        }
    }
    assert!(count > 200, "there are {count} examples");
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// `MILLRACE_WRITE_DOCS=1` writes the page instead of comparing it.
#[test]
fn the_page_is_what_the_code_says() {
    let path = repository().join("docs/sql/functions.md");
    if std::env::var("MILLRACE_WRITE_DOCS").is_ok_and(|value| value == "1") {
        std::fs::write(&path, functions_page()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == functions_page(), "docs/sql/functions.md is old: MILLRACE_WRITE_DOCS=1 writes it");
}
