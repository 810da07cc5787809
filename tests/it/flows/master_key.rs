//! A node with the master key of another installation does not open.

use std::os::unix::fs::PermissionsExt as _;

use hocphi::ids::{ConnectionId, SchoolId};
use hocphi::payments::books::Channel;
use hocphi::payments::connections::{self, NewConnection};
use hocphi::store::{Db, Tx};

use crate::engines::app_on;
use crate::program::{embedded, hocphi, run};
use crate::support::Books;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_master_key_says_so_and_does_not_open() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open(&embedded(folder.path()))
        .await
        .expect("a database");
    let books = Books::open(db.clone()).await;
    let app = app_on(db);
    let new = NewConnection {
        school_id: SchoolId::new("a"),
        connection_id: ConnectionId::new("a-sepay"),
        provider: "sepay".into(),
        display_name: "SePay".into(),
        channel: Channel::BankTransfer,
        credentials: [("account_number", "1"), ("api_key", "secret")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    };
    let (seal, ids) = (app.seal.clone(), app.ids.clone());
    app.db
        .write("test.connect", async move |tx: &mut Tx| {
            connections::put(tx, &seal, &ids, &new).await
        })
        .await
        .expect("a connection");
    books.db.close().await;

    let key = folder.path().join("other.key");
    std::fs::write(&key, "ab".repeat(32)).expect("a key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("a key");
    let config = folder.path().join("hocphi.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:1\"\n\
         [database]\nurl = {:?}\n[secrets]\nmaster_key_file = {:?}\n",
        embedded(folder.path()),
        key.display().to_string(),
    );
    std::fs::write(&config, text).expect("a configuration");
    let mut serve = hocphi(["serve", "--config"]);
    serve.arg(&config);
    let said = run(serve).await;
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err.contains("không phải khóa đã niêm phong"),
        "{}",
        said.err
    );
}
