//! A producer in this process that makes what is wished for.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{Phase, Publisher, Rendition, RenditionSet, RenditionSize, State};
use tokio::time::sleep;

use super::{HUNG, jpeg};

/// A producer, exposure by exposure.
pub(crate) struct Producer {
    publisher: Publisher,
    offered: RenditionSet,
    /// What it makes of the renditions on offer.
    pub(crate) makes: RenditionSet,
    pub(crate) exposure: u8,
    captured: SystemTime,
    /// The exposure of the frame that lies there, and that of each rendition.
    published: BTreeMap<Option<Rendition>, u8>,
    /// How many it has made of each.
    pub(crate) made: BTreeMap<Option<Rendition>, usize>,
}

pub(crate) fn set(renditions: &[Rendition]) -> RenditionSet {
    renditions.iter().copied().collect()
}

impl Producer {
    /// Offers these, with a first frame in the slot.
    pub(crate) fn offering(slot: &Path, offered: &[Rendition]) -> Self {
        let mut producer = Self {
            publisher: Publisher::open(slot).unwrap(),
            offered: RenditionSet::EMPTY,
            makes: set(&Rendition::ALL),
            exposure: 0,
            captured: SystemTime::now(),
            published: BTreeMap::new(),
            made: BTreeMap::new(),
        };
        producer.offer(offered);
        producer.expose();
        producer.publish(None);
        producer
    }

    pub(crate) fn offer(&mut self, offered: &[Rendition]) {
        for rendition in self.offered.without(set(offered)).iter() {
            self.publisher.withdraw(rendition);
        }
        for rendition in set(offered).without(self.offered).iter() {
            self.publisher.offer(rendition).unwrap();
        }
        self.offered = set(offered);
        let state = State {
            width: Some(1920),
            height: Some(1080),
            renditions: offered
                .iter()
                .map(|rendition| (rendition.name().to_owned(), RenditionSize::default()))
                .collect(),
            ..State::new(Phase::Awake, SystemTime::now())
        };
        self.publisher.set_state(&state).unwrap();
    }

    pub(crate) fn expose(&mut self) {
        self.exposure += 1;
        self.captured = SystemTime::now();
    }

    pub(crate) fn publish(&mut self, rendition: Option<Rendition>) {
        let bytes = jpeg(self.exposure);
        match rendition {
            None => self.publisher.publish(&bytes, self.captured),
            Some(rendition) => (self.publisher).publish_rendition(rendition, &bytes, self.captured),
        }
        .unwrap();
        self.published.insert(rendition, self.exposure);
        *self.made.entry(rendition).or_default() += 1;
    }

    /// What is wished for.
    pub(crate) fn wishes(&self) -> Vec<Option<Rendition>> {
        let now = Instant::now();
        self.publisher.take_in(now).unwrap();
        let frame = self.publisher.wished(now).then_some(None);
        let renditions = self.publisher.wished_renditions(now);
        let renditions = renditions.iter().map(Some);
        frame.into_iter().chain(renditions).collect()
    }

    /// Makes what is wished for of the newest exposure, and has not been made.
    pub(crate) fn answer(&mut self) {
        for wish in self.wishes() {
            let is_made = wish.is_none_or(|rendition| self.makes.contains(rendition));
            if is_made && self.published.get(&wish) != Some(&self.exposure) {
                self.publish(wish);
            }
        }
    }

    /// Exposes and answers until it is dropped.
    pub(crate) async fn run(&mut self) {
        loop {
            self.expose();
            for _ in 0..5 {
                self.answer();
                sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Runs while something else is done.
    pub(crate) async fn during<T>(&mut self, program: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            ended = program => ended,
            () = self.run() => unreachable!("it does not end"),
        }
    }

    /// Exposes and makes this, once it is wished for.
    pub(crate) async fn make_when_wished(&mut self, rendition: Option<Rendition>) {
        let start = Instant::now();
        while !self.wishes().contains(&rendition) {
            assert!(start.elapsed() < HUNG, "no wish for {rendition:?}");
            sleep(Duration::from_millis(1)).await;
        }
        self.expose();
        self.publish(rendition);
    }
}
