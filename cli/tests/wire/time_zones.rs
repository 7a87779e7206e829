//! The session's time zone on the wire: texts and values of moments, of parameters, and what the client is told. Expected
//! values are PostgreSQL's.

use crate::server::{Server, one};
use std::time::{Duration, SystemTime};

/// 2020-01-01 15:00 UTC.
const MOMENT: Duration = Duration::from_hours(438_303);

#[tokio::test]
async fn texts_follow_the_zone_and_moments_stay() {
    let server = Server::start();
    let client = server.client().await;
    client.batch_execute("create table t (n int, at timestamptz)").await.unwrap();
    client.batch_execute("insert into t values (1, '2020-01-01 15:00:00+00')").await.unwrap();
    let stored = client.prepare("select at from t where n = $1").await.unwrap();
    let literal = client.prepare("select '2020-01-01 10:00'::timestamptz").await.unwrap();
    for (zone, shown, date, earlier) in [
        ("UTC", "2020-01-01 15:00:00+00", "2020-01-01", 5),
        ("America/New_York", "2020-01-01 10:00:00-05", "2020-01-01", 0),
        ("Asia/Tokyo", "2020-01-02 00:00:00+09", "2020-01-02", 14),
        ("UTC", "2020-01-01 15:00:00+00", "2020-01-01", 5),
    ] {
        client.batch_execute(&format!("set timezone to '{zone}'")).await.unwrap();
        assert_eq!(one(&client, "show timezone").await, zone);
        assert_eq!(one(&client, "select at from t where n = 1").await, shown);
        assert_eq!(one(&client, "select at::varchar from t where n = 1").await, shown);
        assert_eq!(one(&client, "select at::date from t where n = 1").await, date);
        // Binary values have no zone.
        let moment: SystemTime = client.query_one(&stored, &[&1i32]).await.unwrap().get(0);
        assert_eq!(moment, SystemTime::UNIX_EPOCH + MOMENT);
        // A statement that was prepared under another zone means this one.
        let moment: SystemTime = client.query_one(&literal, &[]).await.unwrap().get(0);
        assert_eq!(moment, SystemTime::UNIX_EPOCH + MOMENT - Duration::from_hours(earlier), "{zone}");
        let found = client.query("select n from t where at = $1", &[&(SystemTime::UNIX_EPOCH + MOMENT)]).await;
        assert_eq!(found.unwrap().len(), 1, "{zone}");
    }
}

#[tokio::test]
async fn clients_may_begin_with_a_zone() {
    let server = Server::start();
    let parameters = "user=admin dbname=dev options='-c timezone=Europe/Berlin'";
    let (client, _) = server.client_with(parameters).await.unwrap();
    assert_eq!(one(&client, "select '2020-07-01 12:00:00'::timestamptz").await, "2020-07-01 12:00:00+02");
}
