//! Calls that wait for the answer of a service ([`crate::webhook`]).

use super::{SERVICES, Server};
use crate::serve::requests::Handled;
use crate::serve::weigh::{Open, Stands};
use crate::webhook::{Answer, Asking, Pool};
use rustix::event::epoll;
use std::collections::HashMap;

/// Those who wait, and who asks for them.
#[derive(Default)]
pub struct Services {
    pool: Option<Pool>,
    open: HashMap<u64, Box<Open>>,
}

impl Server {
    /// Has a service asked for client `token`.
    pub(super) fn ask_service(&mut self, token: u64, open: Box<Open>) {
        let Stands::Service(address, question, _) = &open.stands else { return };
        let asking = Asking { token, address: address.clone(), question: (**question).clone() };
        if self.services.pool.is_none() {
            let data = epoll::EventData::new_u64(SERVICES);
            let watched = |pool: &Pool| {
                epoll::add(&self.set, pool.bell(), data, epoll::EventFlags::IN).is_ok()
            };
            self.services.pool = Pool::start().ok().filter(watched);
        }
        match &self.services.pool {
            Some(pool) if pool.take(asking) => {
                self.services.open.insert(token, open);
                self.handled(Handled::Parked, token);
            }
            _ => {
                let none = Answer::None("too many services are being asked".to_owned());
                let handled = self.desk.advised(*open, none, token);
                self.handled(handled, token);
            }
        }
    }

    /// Answers those whose services have answered.
    pub(super) fn advise(&mut self) {
        let finished = self.services.pool.as_ref().map(Pool::finished).unwrap_or_default();
        for (token, answer) in finished {
            let Some(open) = self.services.open.remove(&token) else { continue };
            // Whoever has gone goes ahead on nothing.
            if let Some(client) = self.clients.get(token) {
                client.waits = false;
                let handled = self.desk.advised(*open, answer, token);
                self.handled(handled, token);
            }
        }
    }
}
