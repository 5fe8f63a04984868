use super::*;

fn entry(ufrag: &str) -> Entry {
    Entry {
        camera: CameraName::default(),
        ufrag: ufrag.to_owned(),
        client_ufrag: None,
        candidates: 0,
        inbox: Rc::default(),
        commands: mpsc::channel(1).0,
        addresses: Vec::new(),
    }
}

fn datagram(from: u16, bytes: &[u8]) -> Datagram {
    Datagram {
        at: std::time::Instant::now(),
        from: ([192, 0, 2, 1], from).into(),
        to: [192, 0, 2, 9].into(),
        bytes: bytes.into(),
    }
}

/// A check that names whom it asks.
fn check(ufrag: &str) -> Vec<u8> {
    let name = format!("{ufrag}:them");
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    message.extend([0; 12]);
    message.extend([0, 6, 0, name.len() as u8]);
    message.extend(name.as_bytes());
    message.resize(message.len().next_multiple_of(4), 0);
    message
}

/// How many datagrams wait for each session.
fn waiting(table: &Table, ids: &[SessionId]) -> Vec<usize> {
    let sessions = table.sessions.borrow();
    let taken = |id: &SessionId| std::iter::from_fn(|| sessions[id].inbox.take()).count();
    ids.iter().map(taken).collect()
}

#[test]
fn what_comes_is_sorted_by_name_then_by_address_and_strays_are_told() {
    let table: Rc<Table> = Rc::default();
    let ids = [SessionId::of([1; 16]), SessionId::of([2; 16])];
    let first = table.enter(ids[0], entry("one"));
    let second = table.enter(ids[1], entry("two"));
    assert!(table.sort(datagram(1, &check("one"))));
    assert!(table.sort(datagram(1, &check("two"))));
    assert!(!table.sort(datagram(1, &check("three"))));
    assert!(!table.sort(datagram(1, &[22, 254, 253])));
    assert_eq!(waiting(&table, &ids), [1, 1]);
    first.is_at(datagram(1, &[]).from);
    assert!(table.sort(datagram(1, &[22, 254, 253])));
    assert!(!table.sort(datagram(2, &[128, 96])));
    assert_eq!(waiting(&table, &ids), [1, 0]);
    // A browser that has the port now that another had.
    second.is_at(datagram(1, &[]).from);
    drop(first);
    table.sort(datagram(1, &[128, 96]));
    assert_eq!(waiting(&table, &ids[1..]), [1]);
    drop(second);
    assert!(table.by_ufrag.borrow().is_empty() && table.by_address.borrow().is_empty());
}

#[test]
fn a_session_that_is_called_otherwise_is_found_by_that_alone() {
    let table: Rc<Table> = Rc::default();
    let id = SessionId::of([1; 16]);
    let session = table.enter(id, entry("one"));
    session.is_called("two", "them".to_owned());
    assert!(table.sort(datagram(1, &check("two"))) && !table.sort(datagram(1, &check("one"))));
    let called = |entry: &Entry| (entry.ufrag.clone(), entry.client_ufrag.clone());
    let sessions = table.sessions.borrow();
    let expected = ("two".to_owned(), Some("them".to_owned()));
    assert_eq!(called(&sessions[&id]), expected);
    drop(sessions);
    drop(session);
    assert!(table.by_ufrag.borrow().is_empty());
}

#[test]
fn an_address_that_comes_back_from_another_session_counts_once() {
    let table: Rc<Table> = Rc::default();
    let ids = [SessionId::of([1; 16]), SessionId::of([2; 16])];
    let first = table.enter(ids[0], entry("one"));
    let second = table.enter(ids[1], entry("two"));
    let shared = datagram(1, &[]).from;
    for _ in 0..ADDRESSES_EACH {
        first.is_at(shared);
        second.is_at(shared);
    }
    first.is_at(shared);
    for port in 2..=ADDRESSES_EACH as u16 {
        first.is_at(datagram(port, &[]).from);
    }
    assert!(table.sort(datagram(1, &[128, 96])));
    assert_eq!(waiting(&table, &ids), [1, 0]);
}

#[test]
fn a_flood_of_names_and_addresses_is_bounded() {
    let table: Rc<Table> = Rc::default();
    let id = SessionId::of([1; 16]);
    let session = table.enter(id, entry("one"));
    for port in 1..5000 {
        session.is_at(datagram(port, &[]).from);
        assert!(table.sort(datagram(port, &check("one"))));
        assert!(!table.sort(datagram(port, &check(&port.to_string()))));
    }
    assert_eq!(table.by_address.borrow().len(), ADDRESSES_EACH);
    assert_eq!(waiting(&table, &[id]), [64]);
}
