//! Starting a job that brings a backup into a cluster.

use super::*;

const ACCESS: &str = "Sup3rS3cret-AKIA0123456789";
const SECRET: &str = "Sup3rS3cret/of+a/bucket==";
const SESSION: &str = "Sup3rS3cret-session-0123456789";

/// One of each form, with keys where the form takes any.
pub(super) fn backups() -> [BackupMigration; 3] {
    let keys = |session_token: Option<&str>| BucketKeys {
        access_key: SecretString::from(ACCESS),
        secret_key: SecretString::from(SECRET),
        session_token: session_token.map(SecretString::from),
    };
    let bucket = BackupPlace::Bucket {
        cloud: "aws".to_owned(),
        region: "us-west-2".to_owned(),
        bucket: "b".to_owned(),
        path: "backup/my_backup".to_owned(),
    };
    let object = BackupPlace::Object { url: "s3://b/backup/my_backup".to_owned() };
    let volume = BackupPlace::Volume { name: "v".to_owned(), path: "my_backup".to_owned() };
    [(bucket, Some(keys(Some(SESSION)))), (object, Some(keys(None))), (volume, None)]
        .map(|(place, keys)| BackupMigration { place, keys, to: "in01-b".to_owned() })
}

#[tokio::test]
async fn each_form_of_a_backup_is_sent_with_its_own_fields_and_no_others() {
    let service = Service::start(|_, _| Reply::ok(r#"{"code":0,"data":{"jobId":"job-1"}}"#)).await;
    for backup in backups() {
        assert_eq!(plane(&service).migrate_from_backup(&backup).await.unwrap(), "job-1");
    }
    let sent: Vec<_> = service.asked().into_iter().map(|asked| asked.body.unwrap()).collect();
    let wanted = [
        json!({
            "cloud": "aws", "region": "us-west-2", "bucketName": "b", "path": "backup/my_backup",
            "accessKey": ACCESS, "secretKey": SECRET, "token": SESSION,
        }),
        json!({"objectUrl": "s3://b/backup/my_backup", "accessKey": ACCESS, "secretKey": SECRET}),
        json!({"stageName": "v", "dataPath": "my_backup"}),
    ]
    .map(|source| json!({"source": source, "destination": {"clusterId": "in01-b"}}));
    assert_eq!(sent, wanted);
}

#[tokio::test]
async fn a_job_for_a_backup_is_asked_for_once_where_its_answer_may_be_lost() {
    let [backup, ..] = backups();
    for reply in [Reply::End, Reply::status(503, ""), Reply::ok(r#"{"code":0,"data":{}}"#), Reply::ok("<html>")] {
        let service = Service::start(move |_, _| reply.clone()).await;
        let error = plane(&service).migrate_from_backup(&backup).await.unwrap_err();
        assert!(error.leaves_open() && service.asked().len() == 1, "{error}");
    }
    let service = Service::start(|_, before| match before {
        0 => Reply::status(429, ""),
        _ => Reply::ok(r#"{"code":0,"data":{"jobId":"job-1"}}"#),
    })
    .await;
    assert_eq!(plane(&service).migrate_from_backup(&backup).await.unwrap(), "job-1");
    // This call is not one of those that are marked as deprecated, and another engine is no way out.
    let service = Service::start(|_, _| Reply::status(410, "")).await;
    let error = plane(&service).migrate_from_backup(&backup).await.unwrap_err();
    assert!(!error.leaves_open() && !error.help().contains("engine: direct"), "{error}");
}

#[tokio::test]
async fn no_key_of_a_bucket_gets_out() {
    let [backup, ..] = backups();
    let said = format!("{ACCESS}: {SECRET}, {SESSION} and {KEY} are refused ({}, {})", &ACCESS[..18], &SESSION[9..]);
    let body = json!({"code": 83001, "message": said}).to_string();
    let service = Service::start(move |_, _| Reply::ok(body.clone())).await;
    let error = plane(&service).migrate_from_backup(&backup).await.unwrap_err();
    let reason = backup.without_keys(&said.replace(KEY, ""));
    for text in [format!("{error} {error:?} {} {backup:?}", error.help()), reason] {
        assert!(text.contains("[hidden]") && text.contains("are refused"), "{text}");
        assert!(!text.contains("Sup3rS3cret") && !text.contains("0123456789") && !text.contains("bucket=="), "{text}");
    }
    assert_eq!(error.kind, ErrorKind::Forbidden);
}
