//! What runs in containers, what they changed, and what their images are made of.

use super::*;

#[tokio::test]
async fn processes_files_and_layers() {
    let engine = engine();
    let docker = docker(&engine);
    engine.load_image("acme/shop-web:2");
    run(&docker, "web", body("acme/shop-web:2")).await;
    let (status, top) = get(&engine, "/containers/web/top").await;
    assert_eq!((status, top["Titles"][1].as_str(), top["Titles"][7].as_str()), (200, Some("PID"), Some("CMD")));
    let rows = top["Processes"].as_array().unwrap();
    let (_, inspect) = get(&engine, "/containers/web/json").await;
    assert_eq!(rows[0][1].as_str().unwrap(), inspect["State"]["Pid"].to_string(), "the first is the container's own");
    assert!(rows.len() > 1 && rows[1..].iter().all(|row| row[2] == rows[0][1]), "the others are its children: {top}");
    assert!(rows.iter().all(|row| row.as_array().unwrap().len() == 8));
    assert_eq!(get(&engine, "/containers/web/top?ps_args=-ef").await.0, 200);
    assert_eq!(get(&engine, "/containers/web/top?ps_args=axo+pid").await.0, 500);

    let (_, changes) = get(&engine, "/containers/web/changes").await;
    let kind = |path: &str| {
        let found = changes.as_array().unwrap().iter().find(|change| change["Path"] == path);
        found.map(|change| change["Kind"].as_u64().unwrap())
    };
    assert_eq!((kind("/run/nginx.pid"), kind("/etc/nginx/conf.d"), kind("/etc/passwd")), (Some(1), Some(0), None));

    let (status, layers) = get(&engine, "/images/acme/shop-web:2/history").await;
    let (_, image) = get(&engine, "/images/acme/shop-web:2/json").await;
    let layers = layers.as_array().unwrap();
    assert_eq!((status, layers[0]["Id"].as_str()), (200, image["Id"].as_str()));
    let size: u64 = layers.iter().map(|layer| layer["Size"].as_u64().unwrap()).sum();
    assert!(size.abs_diff(image["Size"].as_u64().unwrap()) < 8, "shares are rounded: {size} of {image}");
    assert!(layers.windows(2).all(|pair| pair[0]["Created"].as_i64() >= pair[1]["Created"].as_i64()), "newest first");
    assert_eq!(
        get(&engine, "/images/none/history").await,
        (404, serde_json::json!({"message": "No such image: none:latest"}))
    );
}

#[tokio::test]
async fn what_does_not_run_has_no_processes_and_changed_nothing() {
    let engine = engine();
    let docker = docker(&engine);
    let id = create(&docker, "idle", body("app:1")).await.unwrap();
    let (status, refused) = get(&engine, "/containers/idle/top").await;
    assert_eq!(
        (status, refused["message"].as_str().unwrap()),
        (409, format!("Container {id} is not running").as_str())
    );
    assert_eq!(get(&engine, "/containers/idle/changes").await, (200, Value::Null));
    for part in ["top", "changes"] {
        assert_eq!(get(&engine, &format!("/containers/ghost/{part}")).await.0, 404, "{part}");
    }
}
