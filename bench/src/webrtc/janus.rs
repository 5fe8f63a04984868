//! The signalling of Janus's plugin for streams, by its HTTP API.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::http::{Request, ask};
use super::receiver::Receiver;

/// How many events may come before the one that is waited for.
const EVENTS: usize = 20;

/// Watches mountpoint 1.
///
/// # Errors
/// It is refused.
pub(super) fn connect(server: SocketAddr, from: IpAddr) -> anyhow::Result<Receiver> {
    let post = |path: &str, order: Value| -> anyhow::Result<Value> {
        let mut order = order;
        order["transaction"] = "bench".into();
        let order = order.to_string();
        let answer = ask(
            server,
            from,
            &Request::post(path, "application/json", &order),
        )?;
        let answer: Value = serde_json::from_str(&answer.body)?;
        ensure!(answer["janus"] != "error", "Janus says {answer}");
        Ok(answer)
    };
    let session = post("/janus", json!({ "janus": "create" }))?;
    let session = format!("/janus/{}", session["data"]["id"]);
    let plugin = json!({ "janus": "attach", "plugin": "janus.plugin.streaming" });
    let handle = format!("{session}/{}", post(&session, plugin)?["data"]["id"]);
    let watch = json!({ "request": "watch", "id": 1 });
    post(&handle, json!({ "janus": "message", "body": watch }))?;
    let path = format!("{session}?maxev=1");
    let offer = (0..EVENTS).find_map(|_| {
        let event = ask(server, from, &Request::get(&path)).ok()?;
        let event: Value = serde_json::from_str(&event.body).ok()?;
        Some(event["jsep"]["sdp"].as_str()?.to_owned())
    });
    let offer = offer.context("Janus offers nothing")?;
    Receiver::answer(from, &offer, |answer| {
        let jsep = json!({ "type": "answer", "sdp": answer });
        let start = json!({ "janus": "message", "body": { "request": "start" }, "jsep": jsep });
        post(&handle, start).map(drop)
    })
}
